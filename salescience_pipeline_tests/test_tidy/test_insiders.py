"""Ownership forms: a second reading by XPath, the rules of providers.md 2.3, and XML that must be refused."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from lxml import etree

from salescience_pipeline.catalog.tables import TABLES
from salescience_pipeline.clients.errors import Contract, TooLarge
from salescience_pipeline.tidy.insiders import INSIDERS_TABLE, sec_ownership
from salescience_pipeline.tidy.safe_xml import MAX_XML_BYTES
from salescience_pipeline_tests.test_tidy.samples import (
    BUY,
    CIK,
    HOLDING,
    ONE_OWNER,
    OPTION,
    OWNER,
    Sample,
    answer,
    context,
    full_submission,
    left,
    ownership,
    recorded,
    rows_of,
)

ACCESSION = "0009000009-26-000032"

SAMPLES = [
    Sample("look-alike form", ownership().encode()),
    Sample("look-alike submission", full_submission(ownership(), ACCESSION).encode()),
    *recorded(
        "corpus/ownership/form[34][._]*.xml",
        "corpus/full_submission/4_*",
        "groundtruth/ownership/*.xml",
        "samples/sec/form4_374water*.xml",
        "samples/sec/full_submission_4_*.txt",
    ),
]


def tidy(body: Any, **options: Any) -> tuple[list[dict[str, Any]], Any]:
    given = answer(body, **({"accession": ACCESSION, "cik": CIK, "key": ACCESSION} | options))
    tidied = sec_ownership([given], context())
    return rows_of(tidied, INSIDERS_TABLE, [given]), tidied


def plain_lines(root: etree._Element) -> list[dict[str, Any]]:
    """The lines by XPath, one per owner, as the form writes them."""

    def wrapped(line: etree._Element, path: str) -> str | None:
        return (line.xpath(f"string({path}/value)").strip()) or None

    return [
        {
            "transaction_table": table,
            "line_no": place + 1,
            "owner_cik": owner.xpath("string(.//rptOwnerCik)").zfill(10),
            "owner_name": owner.xpath("string(.//rptOwnerName)").strip(),
            "officer_title": owner.xpath("string(.//officerTitle)").strip() or None,
            "is_holding": line.tag.endswith("Holding"),
            "security_title": wrapped(line, "securityTitle"),
            "trans_code": line.xpath("string(.//transactionCode)") or None,
            "trans_date": wrapped(line, "transactionDate"),
            "shares": wrapped(line, ".//transactionShares"),
            "price": wrapped(line, ".//transactionPricePerShare"),
            "acquired_disposed": wrapped(line, ".//transactionAcquiredDisposedCode"),
            "shares_after": wrapped(line, ".//sharesOwnedFollowingTransaction"),
            "ownership": wrapped(line, ".//directOrIndirectOwnership"),
            "underlying_title": wrapped(line, ".//underlyingSecurityTitle"),
            "underlying_shares": wrapped(line, ".//underlyingSecurityShares"),
            "exercise_price": wrapped(line, "conversionOrExercisePrice"),
            "exercise_date": wrapped(line, "exerciseDate"),
            "expiration_date": wrapped(line, "expirationDate"),
            "notes": list(dict.fromkeys(line.xpath(".//footnoteId/@id"))),
        }
        for table, prefix in (("ND", "nonDerivative"), ("D", "derivative"))
        for place, line in enumerate(root.xpath(f"//{prefix}Transaction | //{prefix}Holding"))
        for owner in root.xpath("//reportingOwner")
    ]


@pytest.mark.corpus
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_every_line_is_what_xpath_finds(sample: Sample) -> None:
    text = sample.body.decode()
    inner = re.search(r"(?s)<ownershipDocument>.*</ownershipDocument>", text)
    assert inner is not None
    root = etree.fromstring(inner[0])
    header = re.search(r"\d{10}-\d{2}-\d{6}", text)
    accession = header[0] if header else ACCESSION
    rows, tidied = tidy(sample.body, accession=accession, cik=None)
    plain = plain_lines(root)
    assert len(rows) + left(tidied) == len(plain) == len(rows)
    for row, line in zip(rows, plain, strict=True):
        assert row["accession"] == accession
        assert row["form"] == root.findtext("documentType")
        assert row["issuer_cik"] == root.findtext("issuer/issuerCik").zfill(10)
        assert row["ticker"] == root.findtext("issuer/issuerTradingSymbol")
        assert [note.partition(":")[0] for note in row["footnotes"]] == line.pop("notes")
        assert all(note.partition(": ")[2] for note in row["footnotes"])
        for name, value in line.items():
            if isinstance(row[name], float):
                assert row[name] == float(value), name
            elif isinstance(row[name], dt.date):
                assert row[name].isoformat() == value[:10], name
            else:
                assert row[name] == value, name


def test_a_line_s_values_wrapped_empty_or_in_a_footnote_only() -> None:
    rows, _ = tidy(ownership(), details={"filing_date": "2026-03-03"})
    assert len(rows) == 3
    names = TABLES[INSIDERS_TABLE].column_names
    assert {name: rows[0][name] for name in names} == {
        "accession": ACCESSION,
        "owner_cik": "0009000002",
        "transaction_table": "ND",
        "line_no": 1,
        "is_holding": False,
        "form": "4",
        "filing_date": dt.date(2026, 3, 3),
        "issuer_cik": "0009000001",
        "ticker": "WDGT",
        "owner_name": "Doe Jane",
        "is_director": True,
        "is_officer": False,
        "is_ten_percent_owner": None,
        "officer_title": None,
        "security_title": "Common Stock",
        "trans_date": dt.date(2026, 3, 2),
        "trans_code": "P",
        "shares": 100.5,
        "price": None,
        "acquired_disposed": "A",
        "shares_after": 1100.5,
        "ownership": "D",
        "underlying_title": None,
        "underlying_shares": None,
        "exercise_price": None,
        "exercise_date": None,
        "expiration_date": None,
        "footnotes": ["F1: Held in trust.", "F2: Average & rounded."],
    }
    assert (rows[1]["line_no"], rows[1]["is_holding"], rows[1]["trans_date"], rows[1]["footnotes"]) == (
        2,
        True,
        None,
        [],
    )
    option = rows[2]
    assert (option["transaction_table"], option["line_no"], option["exercise_price"]) == ("D", 1, 12.25)
    # A date with a time zone names the day, and a date in a footnote only is unknown.
    assert (option["trans_date"], option["exercise_date"]) == (dt.date(2026, 3, 2), None)
    assert (option["expiration_date"], option["underlying_shares"]) == (dt.date(2036, 3, 2), 40.0)


@pytest.mark.parametrize(
    ("written", "read"), [("1", True), ("0", False), ("true", True), ("FALSE", False), (" 1 ", True), ("", None)]
)
def test_flags_are_digits_or_words_or_silent(written: str, read: bool | None) -> None:
    owner = OWNER.format(cik="9000002", name="Doe", flags=f"<isTenPercentOwner>{written}</isTenPercentOwner>")
    rows, _ = tidy(ownership(owners=owner))
    assert {row["is_ten_percent_owner"] for row in rows} == {read}


def test_each_owner_of_a_joint_form_reports_every_line() -> None:
    second = OWNER.format(cik="0009000003", name="Doe Fund LP", flags="<isTenPercentOwner>1</isTenPercentOwner>")
    rows, _ = tidy(ownership(owners=ONE_OWNER + second))
    assert [(row["transaction_table"], row["line_no"], row["owner_cik"][-1]) for row in rows] == [
        ("ND", 1, "2"), ("ND", 1, "3"), ("ND", 2, "2"), ("ND", 2, "3"), ("D", 1, "2"), ("D", 1, "3"),
    ]  # fmt: skip


def test_an_amendment_says_so_and_a_form_with_nothing_owned_has_no_rows() -> None:
    assert {row["form"] for row in tidy(ownership(document_type="4/A"))[0]} == {"4/A"}
    rows, tidied = tidy(ownership(common="", derivative="", document_type="3"))
    assert (rows, tidied.left_out) == ([], ())


def test_the_complete_submission_tells_accession_and_filing_date() -> None:
    rows, _ = tidy(full_submission(ownership(), ACCESSION), accession=None)
    assert {(row["accession"], row["filing_date"]) for row in rows} == {(ACCESSION, dt.date(2026, 3, 3))}
    with pytest.raises(Contract, match="is filing"):
        tidy(full_submission(ownership(), "0009000009-26-000099"))


@pytest.mark.parametrize(
    ("symbol", "ticker"),
    [
        ("WDGT", "WDGT"),
        ("brk-b", "BRK.B"),
        ("NONE", None),
        ("n/a", None),
        ("", None),
        ("WDGT, WDGT.B and others", None),
    ],
)
def test_what_filers_write_for_a_symbol(symbol: str, ticker: str | None) -> None:
    assert {row["ticker"] for row in tidy(ownership(symbol=symbol))[0]} == {ticker}
    # The request knows the issuer's ticker where the form is silent.
    rows, _ = tidy(ownership(symbol=symbol), ticker="WDGT")
    assert {row["ticker"] for row in rows} == {ticker or "WDGT"}


@pytest.mark.parametrize(
    ("find", "replace", "reason"),
    [
        ("<value>100.5</value>", "<value>1,000</value>", "transactionShares"),
        ("<value>100.5</value>", "<value>nan</value>", "transactionShares"),
        ("<value>100.5</value>", "<value>1e999</value>", "transactionShares"),
        ("<value>2026-03-02</value>", "<value>03/02/2026</value>", "transactionDate"),
        ("<value>2026-03-02</value>", "<value>2026-02-30</value>", "transactionDate"),
    ],
)
def test_a_line_that_cannot_be_read_is_left_out_once_per_owner(find: str, replace: str, reason: str) -> None:
    second = OWNER.format(cik="0009000003", name="Doe Fund LP", flags="")
    rows, tidied = tidy(ownership(owners=ONE_OWNER + second).replace(find, replace, 1))
    assert (len(rows), left(tidied)) == (4, 2)
    assert reason in tidied.left_out[0].reason


@pytest.mark.parametrize(
    "owner",
    [
        OWNER.format(cik="", name="Doe", flags=""),
        OWNER.format(cik="0009000003", name="", flags=""),
        OWNER.format(cik="0009000003", name="Doe", flags="<isDirector>perhaps</isDirector>"),
    ],
)
def test_an_owner_that_cannot_be_read_takes_its_rows_along_and_no_others(owner: str) -> None:
    rows, tidied = tidy(ownership(owners=ONE_OWNER + owner))
    assert (len(rows), left(tidied)) == (3, 3)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "broken"),
        ("<html></html>", "no ownership form"),
        (ownership()[:900], "broken"),
        (ownership().replace("<documentType>4<", "<documentType>144<"), "'144'"),
        (ownership().replace("<documentType>4<", "<documentType><"), "None"),
        (ownership(owners=""), "no reporting owner"),
        (ownership(owners=ONE_OWNER * 2), "twice"),
        (ownership().replace("<issuerCik>0009000001<", "<issuerCik>x<"), "head"),
        (full_submission("<other/>", ACCESSION), "no ownership form"),
        (full_submission("", ACCESSION).replace("<XML>", ""), "no ownership form"),
        # Half a million opened and never closed: a lazy expression would look for each one's end.
        (full_submission("<XML>" * 500_000, ACCESSION).replace("</XML>", ""), "no ownership form"),
        (b"\xff\xfe" + ownership().encode("utf-16-le"), "zero bytes"),
        ('<?xml version="1.0" encoding="no-such"?><ownershipDocument/>', "broken"),
    ],
)
def test_what_is_no_ownership_form_is_a_broken_contract(body: str | bytes, message: str) -> None:
    with pytest.raises(Contract, match=message):
        tidy(body)


def test_a_form_that_does_not_say_which_filing_it_is_is_refused() -> None:
    with pytest.raises(Contract, match="which filing"):
        tidy(ownership(), accession=None)


@pytest.mark.corpus
def test_recorded_renderings_and_other_forms_are_refused() -> None:
    samples = [Sample("look-alike", b"<!DOCTYPE html><html><body>Form 4</body></html>")]
    samples += recorded("corpus/ownership/MSFT_Form4_Example.xml", "corpus/ownership/form144_apple.xml")
    for sample in samples:
        with pytest.raises(Contract):
            tidy(sample.body)


def test_the_later_copy_of_a_form_counts() -> None:
    early = answer(ownership(), accession=ACCESSION, fetched_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    later = answer(ownership(derivative=""), accession=ACCESSION)
    tidied = sec_ownership([early, later], context())
    assert (len(rows_of(tidied, INSIDERS_TABLE, [early, later])), left(tidied)) == (2, 3)


# -- Bombs ------------------------------------------------------------------------------------------------------------
LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
BOMBS = {
    "billion laughs": f'<!DOCTYPE x [<!ENTITY l0 "ha">{LAUGHS}]>',
    "quadratic": f'<!DOCTYPE x [<!ENTITY a "{"A" * 50_000}">]>',
    "file": '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
    "http": '<!DOCTYPE x [<!ENTITY a SYSTEM "http://127.0.0.1:9/x">]>',
    "parameter entity": '<!DOCTYPE x [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]>',
    "external subset": '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">',
    "lower case": "<!doctype x>",
}


@pytest.mark.parametrize("declaration", BOMBS.values(), ids=BOMBS)
@pytest.mark.parametrize("wrapped", [False, True], ids=["alone", "in a submission"])
def test_threat_9_a_document_type_is_refused_before_anything_is_expanded(declaration: str, wrapped: bool) -> None:
    body = (
        ownership().replace("<ownershipDocument>", f"{declaration}<ownershipDocument>").replace("Doe Jane", "&l9;&a;")
    )
    with pytest.raises(Contract, match="document type") as caught:
        tidy(full_submission(body, ACCESSION) if wrapped else body)
    assert len(str(caught.value)) < 200


def test_a_document_type_hidden_by_an_encoding_is_refused_too() -> None:
    hidden = (
        '<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE x [+ADwAIQ-ENTITY a "b"+AD4]+AD4<ownershipDocument/>'
    )
    with pytest.raises(Contract):
        tidy(hidden)
    with pytest.raises(Contract):
        tidy(
            '<?xml version="1.0" encoding="IBM037"?>'.encode("cp037")
            + "<!DOCTYPE x><ownershipDocument/>".encode("cp037")
        )


def test_threat_9_too_deep_too_large_and_too_many_lines_are_refused() -> None:
    with pytest.raises(Contract, match="deep"):
        tidy(ownership(common="<a>" * 100 + "</a>" * 100))
    with pytest.raises(Contract):
        tidy(ownership(common="<a>" * 50_000 + "</a>" * 50_000))
    with pytest.raises(TooLarge):
        tidy(ownership(common=" " * MAX_XML_BYTES))
    owners = "".join(OWNER.format(cik=9_100_000 + n, name="Doe", flags="") for n in range(150))
    with pytest.raises(TooLarge, match="lines and owners"):
        tidy(ownership(common=HOLDING * 150, derivative="", owners=owners))


def test_what_a_table_holds_besides_lines_is_no_line() -> None:
    rows, _ = tidy(ownership(common=f"<other/>{BUY}<!-- x -->{HOLDING}", derivative=OPTION))
    assert [(row["transaction_table"], row["line_no"]) for row in rows] == [("ND", 1), ("ND", 2), ("D", 1)]
