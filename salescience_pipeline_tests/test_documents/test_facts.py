"""Facts: values, contexts, units, places; and what is told as a problem instead."""

# ruff: noqa: E501 - markup reads better unbroken

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from salescience_pipeline.documents import parse
from salescience_pipeline.documents.fact_model import Fact, FactSet
from salescience_pipeline.documents.facts import read_facts
from salescience_pipeline.documents.source import read_source
from salescience_pipeline_tests.test_documents.look_alikes import HEAD, SUBMISSION, inline_filing


def facts_of(body: str, hidden: str = "") -> FactSet:
    return parse(inline_filing(body, hidden)).facts


def by_concept(facts: FactSet) -> dict[str, Fact]:
    return {fact.concept: fact for fact in facts}


def test_a_filing_gives_its_facts_and_no_problem() -> None:
    facts = parse(inline_filing()).facts
    assert [problem.message for problem in facts.problems] == []
    found = by_concept(facts)
    assert {name: fact.value for name, fact in found.items() if fact.numeric} == {
        "us-gaap:Debt": "0",
        "us-gaap:Nothing": "",
        "us-gaap:Eps": "1.25",
        "us-gaap:Cash": "1234500000",
        "us-gaap:Deficit": "-15552000000",
    }
    assert found["us-gaap:Deficit"].number == Decimal(-15552000000)
    assert found["us-gaap:Nothing"].nil
    assert found["us-gaap:Nothing"].number is None
    assert found["dei:EntityRegistrantName"].value == "Wrenfield Corp"
    assert found["dei:DocumentPeriodEndDate"].value == "2026-03-31"
    assert found["dei:EntityFilerCategory"].value == "Large Accelerated Filer"
    assert facts.schema_refs == ("wrnf-20260331.xsd",)


def test_text_blocks_are_written_in_one_spelling_along_their_chain() -> None:
    fact = by_concept(parse(inline_filing()).facts)["us-gaap:PolicyTextBlock"]
    assert fact.escaped
    assert fact.continued
    assert fact.value == (
        '<p class="a&quot;b" style="b:2">We <b>own</b> it &amp; sell “it”.</p><p>More<br/></p><table><tr><td></td></tr></table>'
    )


def test_records_are_those_of_the_command_line() -> None:
    facts = parse(inline_filing()).facts
    records = {record["concept"]: record for record in map(json.loads, facts.json_lines())}
    assert records["us-gaap:Cash"] == {
        "concept": "us-gaap:Cash",
        "entity": "0009999001",
        "start": None,
        "end": "2026-03-31",
        "dimensions": {},
        "unit": "USD",
        "decimals": "-6",
        "value": "1234500000",
        "nil": False,
        "lang": None,
    }
    assert records["us-gaap:Eps"]["unit"] == "USD/shares"
    assert records["us-gaap:Eps"]["start"] == "2026-01-01"
    assert records["dei:DocumentType"]["lang"] == "en-US"
    assert records["dei:DocumentType"]["decimals"] is None
    assert records["us-gaap:Debt"]["dimensions"] == {
        "us-gaap:StatementClassOfStockAxis": "us-gaap:CommonClassAMember",
        "wrnf:LotAxis": "7 & 8",
    }


def test_a_fact_points_to_its_bytes_and_its_cell() -> None:
    data = inline_filing()
    document = parse(data)
    for fact, place in zip(document.facts, document.places, strict=True):
        assert data[fact.start : fact.start + 4] == b"<ix:"
        assert data[fact.end - 1 : fact.end] == b">"
        if fact.concept == "us-gaap:Cash":
            assert place.cell is not None
            assert (place.cell.row, place.cell.col, place.cell.text) == (2, 1, "$ 1,234.5")
            assert place.table is document.tables[-1]
        if fact.concept == "dei:DocumentType":
            assert place.cell is None


@pytest.mark.parametrize(
    ("element", "reason"),
    [
        ('<ix:nonNumeric name="nope:A" contextRef="d">x</ix:nonNumeric>', "prefix"),
        ('<ix:nonNumeric name="dei:A" contextRef="nope">x</ix:nonNumeric>', "context"),
        ('<ix:nonFraction name="dei:A" contextRef="d" unitRef="nope" decimals="0">1</ix:nonFraction>', "unit"),
        ('<ix:nonFraction name="dei:A" contextRef="d" unitRef="usd" decimals="0">about one</ix:nonFraction>', "value"),
        ('<ix:nonFraction name="dei:A" contextRef="d" unitRef="usd" scale="many">1</ix:nonFraction>', "value"),
        ('<ix:nonFraction name="dei:A" contextRef="d" unitRef="usd" scale="99999">1</ix:nonFraction>', "value"),
        ('<ix:nonNumeric name="dei:A" contextRef="d" format="ixt:no-such">x</ix:nonNumeric>', "format"),
        ('<ix:nonNumeric name="dei:A" contextRef="d" format="nope:x">x</ix:nonNumeric>', "prefix"),
        (
            '<ix:nonNumeric name="dei:A" contextRef="d" format="ixt:date-month-day-year">13/32/2026</ix:nonNumeric>',
            "value",
        ),
        ('<ix:nonNumeric name="dei:A" contextRef="d" continuedAt="nope">x</ix:nonNumeric>', "continuation"),
        (
            '<ix:nonNumeric name="dei:A" contextRef="d" continuedAt="k">x</ix:nonNumeric>'
            '<ix:continuation id="k" continuedAt="k">y</ix:continuation>',
            "continuation",
        ),
    ],
)
def test_what_cannot_be_trusted_is_a_problem_and_no_fact(element: str, reason: str) -> None:
    facts = facts_of(f"<p>{element}</p>")
    assert len(facts) == 0
    assert [problem.reason for problem in facts.problems] == [reason]
    assert facts.sources[0].data[facts.problems[0].start :].startswith(b"<ix:non")


@pytest.mark.parametrize(
    ("attributes", "shown", "value"),
    [
        ('format="ixt:num-dot-decimal" scale="3"', "0.5", "500"),
        ('format="ixt:num-dot-decimal" scale="6"', "22.0", "22000000"),
        ('format="ixt:num-dot-decimal" scale="-2"', "5.25", "0.0525"),
        ('format="ixt:num-dot-decimal" sign="-"', "0", "0"),
        ('format="ixt:num-comma-decimal"', "1.234,50", "1234.5"),
        ('format="ixt:fixed-zero" scale="6"', "none", "0"),
        ("", "12.50", "12.50"),
        ("", "1E3", "1000"),
        ('format="ixt-sec:numwordsen"', "twenty-one thousand", "21000"),
        ('format="ixt:num-dot-decimal"', "1<b>2</b>3", "123"),
    ],
)
def test_numbers_follow_format_scale_and_sign(attributes: str, shown: str, value: str) -> None:
    facts = facts_of(
        f'<p><ix:nonFraction name="dei:A" contextRef="d" unitRef="usd" {attributes}>{shown}</ix:nonFraction></p>'
    )
    assert [fact.value for fact in facts] == [value]


def test_nested_facts_hidden_facts_and_footnotes() -> None:
    body = (
        '<p><ix:nonFraction name="dei:A" contextRef="d" unitRef="usd" id="a"><ix:nonFraction name="dei:B" contextRef="i"'
        ' unitRef="usd">7</ix:nonFraction></ix:nonFraction></p>'
        '<ix:footnote id="n1" footnoteRole="r">Not <i>audited</i>.</ix:footnote>'
    )
    hidden = '<ix:nonNumeric name="dei:C" contextRef="d" xml:lang="fr">oui</ix:nonNumeric>'
    facts = by_concept(
        facts_of(
            body + '<ix:relationship fromRefs="a" toRefs="n1"/><!-- <ix:nonNumeric name="dei:X" contextRef="d"/> -->',
            hidden,
        )
    )
    assert list(facts) == ["dei:C", "dei:A", "dei:B"]
    assert facts["dei:C"].hidden
    assert facts["dei:C"].lang == "fr"
    assert facts["dei:A"].value == facts["dei:B"].value == "7"
    assert facts["dei:A"].footnotes == ("n1",)
    assert facts["dei:A"]._set.footnotes["n1"].text == "Not audited."


def test_prefixes_and_languages_hold_where_they_are_declared() -> None:
    body = (
        '<div xmlns:more="http://more.example" xml:lang="de"><div><ix:nonNumeric name="more:A" contextRef="d">x</ix:nonNumeric></div>'
        '<ix:nonNumeric name="dei:B" contextRef="d">y</ix:nonNumeric></div><ix:nonNumeric name="more:C" contextRef="d">z</ix:nonNumeric>'
    )
    facts = facts_of(body)
    assert [(fact.concept, fact.namespace, fact.lang) for fact in facts] == [
        ("more:A", "http://more.example", "de"),
        ("dei:B", "http://xbrl.sec.gov/dei/2024", "de"),
    ]
    assert [problem.reason for problem in facts.problems] == ["prefix"]


def test_documents_of_one_filing_share_contexts_and_continuations() -> None:
    first = read_source(
        inline_filing('<ix:nonNumeric name="dei:A" contextRef="d" continuedAt="far">one </ix:nonNumeric>')
    )
    second = read_source(
        f'{HEAD}<body><ix:continuation id="far">two</ix:continuation>'
        '<ix:nonNumeric name="dei:B" contextRef="i">here</ix:nonNumeric></body></html>'.encode()
    )
    facts = read_facts([first, second])
    assert [(fact.concept, fact.value, fact.document) for fact in facts] == [
        ("dei:A", "one two", 0),
        ("dei:B", "here", 1),
    ]
    assert facts.problems == []
    alone = read_facts(second)
    assert [problem.reason for problem in alone.problems] == ["context"]


def test_facts_of_a_submission_point_into_the_file() -> None:
    document = parse(SUBMISSION)
    assert len(document.facts) == len(parse(inline_filing()).facts)
    assert all(SUBMISSION[fact.start :].startswith(b"<ix:non") for fact in document.facts)
    cash = next(
        place for fact, place in zip(document.facts, document.places, strict=True) if fact.concept == "us-gaap:Cash"
    )
    assert cash.cell is not None
    assert cash.cell.text == "$ 1,234.5"


def test_a_plain_instance_is_read_like_an_inline_one() -> None:
    instance = (
        b'<?xml version="1.0"?><xbrl xmlns="http://www.xbrl.org/2003/instance" xmlns:us-gaap="http://fasb.org/us-gaap/2024"'
        b' xmlns:iso4217="http://www.xbrl.org/2003/iso4217" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xml:lang="en">'
        b'<context id="i"><entity><identifier scheme="s">0009999001</identifier></entity><period><instant>2026-03-31</instant></period></context>'
        b'<unit id="u"><measure>iso4217:USD</measure></unit>'
        b'<us-gaap:Cash contextRef="i" unitRef="u" decimals="-6" id="f1">1234</us-gaap:Cash>'
        b'<us-gaap:CashPolicy contextRef="i">&lt;p&gt;R&amp;amp;D&lt;/p&gt;</us-gaap:CashPolicy>'
        b'<us-gaap:Gone contextRef="i" unitRef="u" xsi:nil="true"/><us-gaap:Raw contextRef="i"><![CDATA[a &amp; b]]></us-gaap:Raw></xbrl>'
    )
    facts = parse(instance).facts
    assert [(fact.concept, fact.value, fact.nil, fact.lang) for fact in facts] == [
        ("us-gaap:Cash", "1234", False, None),
        ("us-gaap:CashPolicy", "<p>R&amp;D</p>", False, "en"),
        ("us-gaap:Gone", "", True, None),
        ("us-gaap:Raw", "a &amp; b", False, "en"),
    ]
    assert instance[facts.facts[0].start : facts.facts[0].end].endswith(b">1234</us-gaap:Cash>")
