"""The fictional filings themselves: accounts that balance, documents that parse, truth that the documents carry."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import re
from collections import Counter, defaultdict
from decimal import Decimal

import pytest
from lxml import etree

from salescience_pipeline.fiction import ownership, sec_calendar
from salescience_pipeline.fiction.concepts import CONCEPTS
from salescience_pipeline.fiction.figures import REVENUE
from salescience_pipeline.fiction.filing_plan import AGENT
from salescience_pipeline.fiction.filings import Cabinet
from salescience_pipeline.fiction.ixbrl import Fact, Period
from salescience_pipeline.fiction.statements import accounts
from salescience_pipeline.fiction.world import World
from salescience_pipeline.sandbox import edgar_data
from salescience_pipeline_tests.test_sandbox.serving import DAY, WORLD

IX = "{http://www.xbrl.org/2013/inlineXBRL}"
XBRLI = "{http://www.xbrl.org/2003/instance}"
XBRLDI = "{http://xbrl.org/2006/xbrldi}"
NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"


def newest(cabinet: Cabinet, ticker: str, form: str):
    company = WORLD.company(ticker)
    return next(filing for filing in cabinet.of(company).all if filing.form == form)


# -- accounts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("company", WORLD.companies, ids=lambda company: company.ticker)
def test_the_accounts_of_every_company_tie(company):
    books = accounts(company, WORLD.seed, DAY)
    cash = None
    for quarter in books.quarters:
        flows, balances = quarter.flows, quarter.balances
        assert balances["assets"] == balances["liabilities_and_equity"]
        assert flows["product_revenue"] + flows["service_revenue"] == flows["revenue"]
        assert sum(flows[f"segment_{n}"] for n in range(3)) == flows["revenue"]
        assert sum(flows[f"segment_income_{n}"] for n in range(3)) == flows["operating_income"]
        assert flows["operating_cash"] + flows["investing_cash"] + flows["financing_cash"] == flows["net_cash"]
        if cash is not None:
            assert cash + flows["net_cash"] == balances["cash"]
        cash = balances["cash"]
        positive = (
            "cash",
            "securities",
            "receivables",
            "inventory",
            "ppe",
            "goodwill",
            "intangibles",
            "debt",
            "equity",
        )
        assert all(balances[name] >= 0 for name in positive)


def test_a_later_date_shows_the_same_filings_and_more(cabinet):
    earlier = Cabinet(World(7, 12, dt.date(2025, 6, 30)))
    for company in WORLD.companies:
        now = {filing.accession: filing for filing in cabinet.of(company).all}
        then = earlier.of(company).all
        assert {filing.accession for filing in then} == {a for a, f in now.items() if f.filed <= dt.date(2025, 6, 30)}
        for filing in then[::9]:
            assert earlier.submission(filing) == cabinet.submission(now[filing.accession])


# -- what is filed -----------------------------------------------------------------------------------------------------


def test_every_company_files_what_companies_file(cabinet):
    for company in WORLD.companies:
        if WORLD.delisted(company) is not None:
            continue
        forms = Counter(
            f.form for f in cabinet.of(company).all if f.filed > dt.date(2024, 11, 20) and f.form != "424B2"
        )
        assert forms["10-K"] in {1, 2, 3}
        assert forms["10-Q"] in {5, 6, 7}
        assert 8 <= forms["8-K"] <= 11
        assert 7 <= forms["4"] <= 10
    everything = Counter(f.form for company in WORLD.companies for f in cabinet.of(company).all)
    assert {"10-K/A", "4/A", "3", "DEF 14A", "424B2", "25", "15-12G"} <= set(everything)


def test_accessions_are_unique_and_found_again(cabinet):
    filings = [filing for company in WORLD.all for filing in cabinet.of(company).all]
    assert len({filing.accession for filing in filings}) == len(filings)
    assert all(cabinet.find(filing.accession) is filing for filing in filings[::17])
    # Some prefixes belong to an agent, so that nobody can take the prefix for the issuer.
    assert any(filing.accession.startswith(f"{AGENT:010d}") for filing in filings)


def test_nothing_is_filed_on_a_day_on_which_edgar_is_closed(cabinet):
    for company in WORLD.all:
        for filing in cabinet.of(company).all:
            assert sec_calendar.is_business_day(filing.filed)
            assert filing.accepted.utcoffset() in {dt.timedelta(hours=-5), dt.timedelta(hours=-4)}
            if filing.accepted.date() != filing.filed:
                assert filing.accepted.time() > sec_calendar.ROLL_AT
                assert sec_calendar.next_business_day(filing.accepted.date()) == filing.filed


@pytest.mark.parametrize(
    ("day", "works"),
    [
        (dt.date(2026, 4, 3), True),  # Good Friday: the exchange rests, EDGAR does not
        (dt.date(2026, 10, 12), False),  # Columbus Day: the other way round
        (dt.date(2021, 12, 31), False),  # New Year's Day of 2022 was a Saturday
        (dt.date(2026, 7, 3), False),
        (dt.date(2026, 11, 21), False),
        (dt.date(2026, 11, 20), True),
    ],
)
def test_business_days(day, works):
    assert sec_calendar.is_business_day(day) is works


def test_five_thousand_companies_cost_nothing_until_they_are_asked_for():
    many = Cabinet(World(7, 5000, DAY))
    last = many.world.companies[-1]
    filings = many.of(last).all
    assert filings
    assert len(many._companies) == 1
    assert many.find(filings[3].accession) is filings[3]


# -- inline XBRL -------------------------------------------------------------------------------------------------------


def read_facts(document: bytes) -> list[Fact]:
    """A second reading of an inline document, by another route than the one that wrote it."""
    root = etree.fromstring(document)
    contexts = {}
    for context in root.iter(f"{XBRLI}context"):
        start = context.findtext(f".//{XBRLI}startDate")
        end = context.findtext(f".//{XBRLI}endDate") or context.findtext(f".//{XBRLI}instant")
        dimensions = []
        for member in context.iter(f"{XBRLDI}explicitMember", f"{XBRLDI}typedMember"):
            value = member.text if member.tag.endswith("explicitMember") else member[0].text
            dimensions.append((member.get("dimension"), value))
        period = Period(dt.date.fromisoformat(start) if start else None, dt.date.fromisoformat(end))
        contexts[context.get("id")] = (period, tuple(dimensions))
    found = []
    for tag in root.iter(f"{IX}nonFraction"):
        period, dimensions = contexts[tag.get("contextRef")]
        if tag.get(NIL) == "true":
            value = None
        elif tag.get("format") == "ixt:fixed-zero":
            value = Decimal(0)
        else:
            value = Decimal(tag.text.replace(",", "")).scaleb(int(tag.get("scale", "0")))
            value = -value if tag.get("sign") == "-" else value
        found.append((tag.get("name"), period, dimensions, value))
    return found


@pytest.mark.parametrize(
    ("ticker", "form"), [("CALDQ", "10-K"), ("TORVA", "10-Q"), ("KESTL", "10-K"), ("FENWK", "10-K/A")]
)
def test_a_document_carries_exactly_the_known_facts(cabinet, ticker, form):
    filing = newest(cabinet, ticker, form)
    main = cabinet.documents(filing)[0]
    known = [
        (fact.concept, fact.period, tuple((d.axis, d.member) for d in fact.dimensions), fact.value)
        for fact in cabinet.facts(filing)
        if fact.unit is not None
    ]
    assert read_facts(main.content) == known
    # EDGAR's extraction from the document says the same.
    extracted = etree.fromstring(cabinet.documents(filing)[-1].content)
    values = [child for child in extracted if child.get("contextRef")]
    assert len(values) == len(cabinet.facts(filing))
    etree.fromstring(next(d for d in cabinet.documents(filing) if d.type == "EX-101.SCH").content)


def test_an_annual_report_has_every_kind_of_tag(cabinet):
    text = cabinet.documents(newest(cabinet, "CALDQ", "10-K"))[0].content.decode("ascii")
    assert 150_000 < len(text) < 400_000
    for needed in (
        "<ix:hidden>", "xbrldi:explicitMember", "xbrldi:typedMember", "iso4217:USD</xbrli:measure>", "xbrli:shares",
        "xbrli:pure", "xbrli:divide", 'scale="3"', 'scale="-2"', 'decimals="-3"', 'sign="-"', "ixt:num-dot-decimal",
        "ixt:fixed-zero", "ixt:fixed-true", "ixt:date-monthname-day-year-en", "continuedAt=", "<ix:continuation",
        'xsi:nil="true"', 'escape="true"', "dei:EntityCentralIndexKey", "fictional",
    ):  # fmt: skip
        assert needed in text, needed
    links = set(re.findall(r'<a href="#([^"]+)"', text))
    assert len(links) == 23
    assert links <= set(re.findall(r'id="([^"]+)"', text))


def test_statements_in_a_report_agree_with_each_other(cabinet):
    facts = defaultdict(dict)
    for concept, period, dimensions, value in read_facts(
        cabinet.documents(newest(cabinet, "ALDRN", "10-K"))[0].content
    ):
        if not dimensions:
            facts[concept].setdefault(period, value)
    for at, assets in facts["us-gaap:Assets"].items():
        assert assets == facts["us-gaap:LiabilitiesAndStockholdersEquity"][at]
        assert assets == facts["us-gaap:Liabilities"][at] + facts["us-gaap:StockholdersEquity"][at]
    assert len(facts[REVENUE]) == 3
    for period, revenue in facts[REVENUE].items():
        assert revenue - facts["us-gaap:CostOfRevenue"][period] == facts["us-gaap:GrossProfit"][period]
        end = facts["us-gaap:CashAndCashEquivalentsAtCarryingValue"][Period(None, period.end)]
        begin = facts["us-gaap:CashAndCashEquivalentsAtCarryingValue"][
            Period(None, period.start - dt.timedelta(days=1))
        ]
        assert end - begin == facts["us-gaap:CashAndCashEquivalentsPeriodIncreaseDecrease"][period]


@pytest.mark.parametrize(("form", "count"), [("10-K", 23), ("10-Q", 11), ("10-K/A", 6), ("8-K", 2)])
def test_items_lie_where_the_truth_says(cabinet, form, count):
    filing = next(
        f for f in cabinet.of(WORLD.company("FENWK")).all if f.form == form and (form != "8-K" or f.items[0] == "2.02")
    )
    main = cabinet.documents(filing)[0].content
    items = cabinet.items(filing)
    assert len(items) == count
    for before, after in itertools.pairwise(items):
        assert before.start < before.end <= after.start
    for item in items:
        part = main[item.start : item.end]
        assert f'id="{item.anchor}"'.encode() in part[:60]
        assert item.title.encode() in part[:800]
        assert part.count(b"<div") == part.count(b"</div>")


def test_every_concept_in_use_has_a_label(cabinet):
    for form in ("10-K", "10-Q"):
        for fact in cabinet.facts(newest(cabinet, "ALDRN", form)):
            if fact.unit is not None:
                assert fact.concept in CONCEPTS


# -- ownership ---------------------------------------------------------------------------------------------------------


def ownership_roots(cabinet: Cabinet):
    for company in WORLD.companies:
        for filing in cabinet.of(company).all:
            if filing.form in {"3", "4", "4/A"}:
                yield filing, etree.fromstring(cabinet.documents(filing)[0].content)


def test_ownership_forms_show_the_variety_of_real_ones(cabinet):
    codes, flags, owners, schemas = Counter(), set(), set(), set()
    derivative = footnote_only = indirect = 0
    for filing, root in ownership_roots(cabinet):
        assert root.tag == "ownershipDocument"
        assert root.findtext("documentType") == filing.form
        assert {int(e.text) for e in root.iter("issuerCik", "rptOwnerCik")} == {party.cik for party in filing.parties}
        codes.update(e.text for e in root.iter("transactionCode"))
        flags.update(e.text for e in root.iter("isOfficer", "isDirector", "isTenPercentOwner"))
        owners.add(len(root.findall("reportingOwner")))
        schemas.add(root.findtext("schemaVersion"))
        derivative += len(root.findall(".//derivativeTransaction"))
        for price in root.iter("transactionPricePerShare", "conversionOrExercisePrice"):
            footnote_only += price.find("value") is None and price.find("footnoteId") is not None
        indirect += sum(e.text == "I" for e in root.iterfind(".//directOrIndirectOwnership/value"))
        notes = {note.get("id") for note in root.iter("footnote")}
        assert {use.get("id") for use in root.iter("footnoteId")} <= notes
    assert {"P", "S", "A", "M", "F", "G"} <= set(codes)
    assert flags >= {"0", "1", "true"}
    assert owners == {1, 2}
    assert {"X0306", "X0508", "X0206"} <= schemas
    assert derivative
    assert footnote_only
    assert indirect


def test_an_amendment_repeats_the_dealing_it_corrects(cabinet):
    amended = [(f, root) for f, root in ownership_roots(cabinet) if f.form == "4/A"]
    assert amended
    for filing, root in amended:
        issuer = next(party.company for party in filing.parties if party.role == "ISSUER")
        originals = [
            f for f in cabinet.of(issuer).all
            if f.form == "4" and f.report == filing.report and {p.cik for p in f.parties} == {p.cik for p in filing.parties}
        ]  # fmt: skip
        assert originals
        assert originals[0].filed < filing.filed
        first = etree.fromstring(cabinet.documents(originals[0])[0].content)
        assert [e.text for e in root.iter("transactionCode")] == [e.text for e in first.iter("transactionCode")]
        held = ".//sharesOwnedFollowingTransaction/value"
        assert [e.text for e in root.iterfind(held)] != [e.text for e in first.iterfind(held)]


def test_owners_are_found_under_their_own_number(cabinet):
    company = WORLD.company("QUILN")
    fund = ownership.owners_of(company, WORLD.seed)[-1]
    answer = edgar_data.submissions(cabinet, fund.cik)
    assert answer["name"] == fund.name
    assert answer["insiderTransactionForOwnerExists"] == 1
    assert set(answer["filings"]["recent"]["form"]) <= {"3", "4", "4/A"}
    assert json.dumps(answer)
