"""Transforms: text that filings show, and the value that it means."""

from __future__ import annotations

import pytest
from lxml import etree

from salescience_pipeline.documents.transform_errors import TransformError
from salescience_pipeline.documents.transforms import IXT_SEC, find_transform
from salescience_pipeline.documents.transforms_sec import TRANSFORMS
from salescience_pipeline_tests.test_documents.look_alikes import corpus

V1, V2, V3, V4, V5 = (
    f"http://www.xbrl.org/inlineXBRL/transformation/{date}"
    for date in ("2010-04-20", "2011-07-31", "2015-02-26", "2020-02-12", "2022-02-16")
)


def apply(namespace: str, name: str, text: str) -> str:
    rule = find_transform(namespace, name)
    assert rule is not None
    return rule(text)


@pytest.mark.parametrize(
    ("namespace", "name", "shown", "value"),
    [
        (V1, "dateslashus", "3/29/2025", "2025-03-29"),
        (V1, "datelonguk", "29 March 2025", "2025-03-29"),
        (V1, "numcommadot", "1,234.50", "1234.50"),
        (V1, "numdotcomma", "1.234,50", "1234.50"),
        (V1, "numdash", "-", "0"),
        (V2, "datemonthdayen", "March 29", "--03-29"),
        (V2, "datedaymonthyear", "29.3.25", "2025-03-29"),
        (V2, "zerodash", "—", "0"),
        (V3, "datemonthdayyearen", "Mar. 29, 2025", "2025-03-29"),
        (V3, "numdotdecimal", "1 234.50", "1234.50"),
        (V3, "numunitdecimal", "24 dollars 5 cents", "24.05"),
        (V3, "dateyearmonthday", "2025-3-29", "2025-03-29"),
        (V3, "booleantrue", "anything", "true"),
        (V4, "num-dot-decimal", "001,234.500", "1234.5"),
        (V4, "num-dot-decimal", ".5", "0.5"),
        (V4, "fixed-zero", "—", "0"),
        (V4, "date-monthname-year-en", "March 2025", "2025-03"),
        (V4, "date-year-month", "2025-3", "2025-03"),
        (V4, "date-month-day-year", "03/29/2025", "2025-03-29"),
        (V5, "num-dot-decimal-apos", "1\u2019234.5", "1234.5"),
        (IXT_SEC, "duryear", "2.5", "P2Y6M"),
        (IXT_SEC, "durwordsen", "364-day", "P364D"),
        (IXT_SEC, "durwordsen", "one year and six months", "P1Y6M"),
        (IXT_SEC, "numwordsen", "nine hundred and one million two", "901000002"),
        (IXT_SEC, "boolballotbox", "☒", "true"),
        (IXT_SEC, "exchnameen", "The Nasdaq Global Select Market", "NASDAQ"),
        (IXT_SEC, "stateprovnameen", "NEW YORK", "NY"),
        (IXT_SEC, "countrynameen", "The Kingdom Of Denmark", "DK"),
        (IXT_SEC, "edgarprovcountryen", "Denmark", "G7"),
        (IXT_SEC, "datequarterend", "Q3 1999", "1999-09-30"),
    ],
)
def test_shown_text_becomes_its_value(namespace: str, name: str, shown: str, value: str) -> None:
    assert apply(namespace, name, shown) == value


@pytest.mark.parametrize(
    ("namespace", "name", "shown"),
    [
        (V4, "num-dot-decimal", "1.2.3"),
        (V4, "num-dot-decimal", "—"),
        (V4, "num-dot-decimal", ","),
        (V3, "numdotdecimal", "12,34"),
        (V3, "datemonthdayyearen", "February 30, 2025"),
        (V3, "zerodash", "0"),
        (IXT_SEC, "durwordsen", "about four days"),
        (IXT_SEC, "numwordsen", "hundred"),
        (IXT_SEC, "durday", "\u00a07.5"),
        (IXT_SEC, "countrynameen", "Wrenland"),
    ],
)
def test_text_that_a_format_does_not_accept_is_an_error(namespace: str, name: str, shown: str) -> None:
    with pytest.raises(TransformError):
        apply(namespace, name, shown)


def test_unknown_formats_are_unknown() -> None:
    assert find_transform(V4, "numdotdecimal") is None
    assert find_transform(V3, "num-dot-decimal") is None
    assert find_transform("http://else.example", "num-dot-decimal") is None


def sec_cases() -> list[tuple[str, str, str | None]]:
    """The SEC's conformance cases; without the recorded data, four of our own."""
    folder = corpus()
    if folder is None:
        return [
            ("durmonth", "7.3", "P7M9D"),
            ("durmonth", "seven", None),
            ("yesnoballotbox", "☐", "No"),
            ("countrynameen", "AFGHANISTAN", None),
        ]
    space = "{http://xbrl.org/2011/conformance-rendering/transforms}"
    return [
        (
            str(group.get("name")).partition(":")[2],
            str(case.get("input")),
            case.get("output") if case.get("result") == "valid" else None,
        )
        for group in etree.parse(str(folder / "groundtruth/ixt_sec/tests.xml")).iter(f"{space}transform")
        for case in group.iter(f"{space}variation")
    ]


@pytest.mark.corpus
def test_the_conformance_cases_of_the_sec_pass() -> None:
    wrong = []
    for name, shown, expected in sec_cases():
        try:
            got: str | None = TRANSFORMS[name](shown)
        except TransformError:
            got = None
        if got != expected:
            wrong.append((name, shown, expected, got))
    assert wrong == []
