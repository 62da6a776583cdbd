"""EDGAR's recipes, symbols and addresses: the fewest requests, nothing that is stored, everything that is missing."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest

from salescience_pipeline.catalog.datasets import DATASETS
from salescience_pipeline.clients import edgar_api, registry, tiingo
from salescience_pipeline.clients.errors import NotArchived, TooLarge, Transient
from salescience_pipeline.clients.model import AnswerClass, Subject
from salescience_pipeline.clients.plan import FilingRef, Selection
from salescience_pipeline.identifiers import Accession, Cik, FileName, Ticker
from salescience_pipeline_tests.test_clients.plans import (
    CIKS,
    FRIDAY,
    MONDAY,
    TICKERS,
    WEEK,
    answer,
    covered,
    keys,
    known,
    plan_of,
    recipe,
)


@pytest.mark.parametrize("dataset", sorted(DATASETS))
def test_every_dataset_has_a_recipe_that_plans_purely(dataset: str) -> None:
    selection = Selection(dataset, TICKERS, dates=(FRIDAY,))
    assert recipe(dataset).plan(selection, known()) == recipe(dataset).plan(selection, known())
    assert registry.dialect(DATASETS[dataset].provider).provider == DATASETS[dataset].provider


# Companies: submissions and facts.

HISTORY, FACTS = "core_sec__filings_history", "core_sec__facts"


@pytest.mark.parametrize("dataset", [HISTORY, FACTS])
def test_one_request_per_company_and_unknown_tickers_are_refused_by_name(dataset: str) -> None:
    plan = plan_of(dataset, known(), (*TICKERS, Ticker("NOPE")))
    assert keys(plan) == list(TICKERS)
    (refusal,) = plan.refused
    assert (refusal.key, refusal.status) == ("NOPE", "not_found")
    assert refusal.reason == "NOPE is not in SEC's list of tickers."


@pytest.mark.parametrize("dataset", [HISTORY, FACTS])
def test_two_tickers_of_one_company_are_one_request(dataset: str) -> None:
    twins = {Ticker("GLX"): Cik("77"), Ticker("GLX.A"): Cik("77"), Ticker("ALDRN"): Cik("78")}
    plan = plan_of(dataset, known(ciks=twins), twins)
    assert keys(plan) == ["GLX", "ALDRN"]
    assert [request.subject.settles for request in plan.requests] == [("GLX", "GLX.A"), ("ALDRN",)]


@pytest.mark.parametrize("dataset", [HISTORY, FACTS])
def test_what_is_fresh_is_not_asked_for_again_unless_forced(dataset: str) -> None:
    state = known(
        {
            "ALDRN": covered(),
            "BRNWD.B": covered(age=dt.timedelta(hours=21)),
            "CALDQ": covered("failed"),
            "DOVEK": covered("empty"),
        }
    )
    plan = plan_of(dataset, state)
    assert keys(plan) == ["BRNWD.B", "CALDQ"]
    assert plan.fresh == ("ALDRN", "DOVEK")
    assert len(plan_of(dataset, state, force=True).requests) == 4


def test_a_longer_look_back_asks_again_also_when_fresh() -> None:
    state = known({"ALDRN": covered(first=dt.date(2024, 11, 20))})
    assert plan_of(HISTORY, state, TICKERS[:1], n_years=2).requests == ()
    assert keys(plan_of(HISTORY, state, TICKERS[:1], n_years=5)) == ["ALDRN"]


def _submissions(oldest: str, *pages: tuple[str, str]) -> dict[str, object]:
    names = [
        {"name": f"CIK0009900001-submissions-{number:03}.json", "filingFrom": first, "filingTo": last}
        for number, (first, last) in enumerate(pages, 1)
    ]
    recent = {"filingDate": ["2026-11-01", oldest], "form": ["4", "10-K"]} if oldest else {"filingDate": []}
    return {"cik": "1", "filings": {"recent": recent, "files": names}}


@pytest.mark.parametrize(
    ("n_years", "data", "pages"),
    [
        (2, _submissions("2020-01-01", ("2010-01-01", "2019-12-31")), []),
        (2, _submissions("2024-11-19", ("2010-01-01", "2024-11-19")), []),
        (2, _submissions("2024-11-20", ("2010-01-01", "2024-11-20")), ["001"]),
        (2, _submissions("2026-01-01", ("2020-01-01", "2025-12-31"), ("2010-01-01", "2019-12-31")), ["001"]),
        (2, _submissions("2026-01-01", ("2020-01-01", "2024-11-18")), ["001"]),  # the hint may be two days off
        (2, _submissions("2026-01-01", ("2020-01-01", "2024-11-17")), []),
        (10, _submissions("2026-01-01", ("2020-01-01", "2025-12-31"), ("2010-01-01", "2019-12-31")), ["001", "002"]),
        (2, _submissions(""), []),
        (2, _submissions("2026-01-01", ("2020-01-01", "what?")), ["001"]),
    ],
)
def test_older_pages_are_read_where_the_look_back_needs_them(n_years: int, data: object, pages: list[str]) -> None:
    selection = Selection(HISTORY, TICKERS[:1], n_years=n_years)
    (request,) = recipe(HISTORY).plan(selection, known()).requests
    follow = recipe(HISTORY).follow_ups(answer(request, data), selection, known())
    assert [one.path for one in follow] == [f"/submissions/CIK0009900001-submissions-{page}.json" for page in pages]
    for one in follow:
        assert one.subject == request.subject
        assert recipe(HISTORY).follow_ups(answer(one, {"filingDate": []}), selection, known()) == ()


@pytest.mark.parametrize("name", ["../../etc/passwd", "CIK0009900002-submissions-001.json", "", None, "//evil/x.json"])
def test_a_page_name_that_is_not_of_this_company_is_not_asked_for(name: object) -> None:
    selection = Selection(HISTORY, TICKERS[:1], n_years=5)
    (request,) = recipe(HISTORY).plan(selection, known()).requests
    data = {"filings": {"recent": {"filingDate": ["2026-01-01"]}, "files": [{"name": name, "filingTo": "2025-12-31"}]}}
    assert recipe(HISTORY).follow_ups(answer(request, data), selection, known()) == ()


def test_an_unknown_company_has_no_older_pages() -> None:
    selection = Selection(HISTORY, TICKERS[:1])
    (request,) = recipe(HISTORY).plan(selection, known()).requests
    assert recipe(HISTORY).follow_ups(answer(request, {}, AnswerClass.NOT_FOUND), selection, known()) == ()


# Lists of the whole market.


def test_the_list_of_tickers_is_one_request_a_day() -> None:
    dataset = "core_sec__company_tickers"
    (request,) = plan_of(dataset, known(), ()).requests
    assert (request.path, request.conditional) == ("/files/company_tickers_exchange.json", True)
    fresh = known({"*": covered(age=dt.timedelta(hours=19))})
    assert plan_of(dataset, fresh, ()).requests == ()
    assert len(plan_of(dataset, fresh, (), force=True).requests) == 1
    assert len(plan_of(dataset, known({"*": covered(age=dt.timedelta(hours=20))}), ()).requests) == 1


def test_the_daily_index_is_one_request_per_business_day_that_is_not_there() -> None:
    dataset = "core_sec__filings_daily"
    sunday, holiday, tomorrow = dt.date(2026, 11, 15), dt.date(2026, 11, 11), dt.date(2026, 11, 21)
    state = known({f"*|{MONDAY}": covered(), f"*|{WEEK[1]}": covered("missing")})
    plan = plan_of(dataset, state, dates=(*WEEK, sunday, holiday, tomorrow))
    assert [request.first_date for request in plan.requests] == WEEK[1:]
    assert plan.requests[0].path == "/Archives/edgar/daily-index/2026/QTR4/form.20261117.idx"
    assert plan.fresh == (f"*|{holiday}", f"*|{sunday}", f"*|{MONDAY}")
    assert [refusal.key for refusal in plan.refused] == [f"*|{tomorrow}"]


# Documents.

DOCUMENTS, INSIDERS = "core_sec__documents", "core_sec__insider_transactions"


def filing(number: int, form: str, day: dt.date, name: str | None, ticker: Ticker = TICKERS[0]) -> FilingRef:
    accession = Accession(f"{CIKS[ticker]}-26-{number:06}")
    return FilingRef(CIKS[ticker], accession, form, day, FileName(name) if name else None, ticker)


FILINGS = [
    filing(1, "10-K", dt.date(2026, 2, 1), "a10k.htm"),
    filing(2, "10-K/A", dt.date(2026, 3, 1), "a10ka.htm"),
    filing(3, "10-Q", dt.date(2024, 11, 19), "old.htm"),
    filing(4, "10-Q", dt.date(2024, 11, 20), "just in time.htm"),
    filing(5, "SC 13D", dt.date(2026, 2, 1), "x.htm"),
    filing(6, "8-K", dt.date(2026, 2, 1), None),
    filing(7, "4", dt.date(2026, 2, 1), "form4.xml"),
    filing(8, "4/A", dt.date(2026, 2, 1), "form4a.xml"),
    filing(9, "3", dt.date(2026, 2, 1), "form3.htm"),
    filing(10, "10-K", dt.date(2026, 2, 1), "b10k.htm", TICKERS[1]),
]


def test_documents_of_the_chosen_forms_and_years_amendments_included() -> None:
    plan = plan_of(DOCUMENTS, known(filings=FILINGS), TICKERS[:1])
    assert [request.subject.details["filename"] for request in plan.requests] == [
        "a10k.htm",
        "a10ka.htm",
        "just in time.htm",
    ]
    first, _, third = plan.requests
    # An annual report comes with its exhibits, in one request; a quarterly one has none that are wanted.
    assert first.path == "/Archives/edgar/data/9900001/000990000126000001/0009900001-26-000001.txt"
    assert third.path.endswith("/just%20in%20time.htm")
    assert (first.immutable, first.expect, third.immutable, third.expect) == (True, "text", True, "html")
    about = {"form": "10-K", "filename": "a10k.htm", "document_type": "10-K", "filing_date": "2026-02-01"}
    assert first.subject.details == about | {"exhibits": "13 21"}
    assert "exhibits" not in third.subject.details
    (refusal,) = plan.refused
    assert (refusal.key, refusal.status) == (FILINGS[5].accession, "missing")
    assert refusal.reason.startswith("SEC names no main document for ")


def test_chosen_forms_replace_the_usual_ones() -> None:
    plan = plan_of(DOCUMENTS, known(filings=FILINGS), TICKERS, forms=("SC 13D",))
    assert [request.subject.details["form"] for request in plan.requests] == ["SC 13D"]
    assert len(plan_of(DOCUMENTS, known(filings=FILINGS), TICKERS, forms=("10-K/A",)).requests) == 3


def test_stored_documents_are_never_asked_for_again_not_even_by_force() -> None:
    first = FILINGS[0].accession
    state = known(filings=FILINGS, documents=frozenset({(first, "a10k.htm")}), with_exhibits=frozenset({first}))
    for force in (False, True):
        plan = plan_of(DOCUMENTS, state, TICKERS[:1], force=force)
        assert first not in keys(plan)
        assert plan.fresh == (first,)


def test_a_filing_that_was_stored_without_its_exhibits_is_completed_once() -> None:
    first = FILINGS[0].accession
    alone = known({first: covered()}, filings=FILINGS[:1], documents=frozenset({(first, "a10k.htm")}))
    plan = plan_of(DOCUMENTS, alone, TICKERS[:1])
    assert [request.endpoint for request in plan.requests] == ["full_submission"]
    assert plan.minimum == 1
    completed = dataclasses.replace(alone, with_exhibits=frozenset({first}))
    assert plan_of(DOCUMENTS, completed, TICKERS[:1]).requests == ()
    assert plan_of(DOCUMENTS, alone, TICKERS[:1], exhibits=()).requests == ()


@pytest.mark.parametrize(
    ("change", "exhibits", "asked"),
    [
        ({"form": "8-K", "items": ("5.02",)}, None, None),
        ({"form": "8-K", "items": ("2.02", "9.01")}, None, "99"),
        ({"form": "8-K/A", "items": ("5", "7")}, None, "99"),
        ({"form": "8-K"}, None, "99"),
        ({"form": "10-Q"}, None, None),
        ({"form": "20-F"}, None, "8"),
        ({"form": "6-K"}, None, "99"),
        ({"form": "10-K"}, (), None),
        ({"form": "10-K"}, ("10-K:10", "8-K:99"), "10"),
        ({"form": "10-Q"}, ("10-Q:31",), "31"),
        ({"form": "10-K", "size": 99_000_000}, None, "13 21"),
        ({"form": "10-K", "size": 200_000_000}, None, None),
    ],
)
def test_which_filings_are_asked_for_with_exhibits(
    change: dict[str, object], exhibits: tuple[str, ...] | None, asked: str | None
) -> None:
    ref = dataclasses.replace(FILINGS[0], **change)
    (request,) = plan_of(DOCUMENTS, known(filings=[ref]), TICKERS[:1], exhibits=exhibits).requests
    assert request.subject.details.get("exhibits") == asked
    assert request.endpoint == ("document" if asked is None else "full_submission")


def test_without_a_complete_submission_the_main_document_comes_by_itself() -> None:
    state = known(filings=FILINGS[:1])
    selection = Selection(DOCUMENTS, TICKERS[:1])
    asked = recipe(DOCUMENTS)
    (request,) = asked.plan(selection, state).requests
    (instead,) = asked.follow_ups(answer(request, "", answer_class=AnswerClass.NOT_FOUND), selection, state)
    assert (instead.endpoint, instead.path[-8:]) == ("document", "a10k.htm")
    # Its exhibits are done with, for ever; in a replay nothing was learned about them.
    assert instead.subject.details["exhibits"] == "13 21"
    assert asked.follow_ups(answer(instead, "", answer_class=AnswerClass.NOT_FOUND), selection, state) == ()
    about = {"provider": "sec", "endpoint": "full_submission", "subject": request.subject.key}
    for error, sought in ((TooLarge("It is too large.", **about), True), (NotArchived("It is not there."), False)):
        (instead,) = asked.fallbacks(request, error, selection, state)
        assert ("exhibits" in instead.subject.details) is sought
        assert asked.fallbacks(instead, error, selection, state) == ()
    assert asked.fallbacks(request, Transient("Later.", **about), selection, state) == ()


def test_a_filing_before_2001_is_one_text() -> None:
    old = filing(11, "10-K", dt.date(1999, 3, 1), None)
    (request,) = plan_of(DOCUMENTS, known(filings=[old]), TICKERS[:1], n_years=40).requests
    assert request.path == f"/Archives/edgar/data/9900001/{old.accession.nodash}/{old.accession}.txt"
    assert (request.expect, request.immutable, request.subject.details["filename"]) == (
        "text",
        True,
        f"{old.accession}.txt",
    )


def test_a_filing_of_two_companies_is_one_document() -> None:
    both = dataclasses.replace(FILINGS[0], cik=CIKS[TICKERS[1]], ticker=TICKERS[1])
    assert len(plan_of(DOCUMENTS, known(filings=[FILINGS[0], both])).requests) == 1


def test_insider_forms_are_read_from_their_xml() -> None:
    plan = plan_of(INSIDERS, known({FILINGS[7].accession: covered()}, filings=FILINGS))
    (request,) = plan.requests
    assert (request.subject.key, request.expect) == (FILINGS[6].accession, "xml")
    assert [refusal.key for refusal in plan.refused] == [FILINGS[8].accession]
    assert plan.refused[0].reason.endswith("(3) was filed without XML.")


# Symbols and shared addresses.


def test_symbols_are_quoted_in_paths() -> None:
    day = dt.date(2026, 11, 20)
    assert tiingo.eod_range(Ticker("^X=F"), day, day).path == "/tiingo/daily/%5EX%3DF/prices"


def test_addresses_of_single_requests() -> None:
    cik, accession = Cik("9900001"), Accession("0009900001-26-000001")
    folder = "https://www.sec.gov/Archives/edgar/data/9900001/000990000126000001"
    assert edgar_api.folder_index(cik, accession).canonical_url == f"{folder}/index.json"
    assert edgar_api.full_submission(cik, accession).canonical_url == f"{folder}/0009900001-26-000001.txt"
    assert edgar_api.frame("us-gaap", "EarningsPerShareBasic", "USD/shares", "CY2024Q1").path == (
        "/api/xbrl/frames/us-gaap/EarningsPerShareBasic/USD-per-shares/CY2024Q1.json"
    )
    assert edgar_api.company_facts(cik, Subject("X")).canonical_url == (
        "https://data.sec.gov/api/xbrl/companyfacts/CIK0009900001.json"
    )
    assert tiingo.supported_tickers().canonical_url == (
        "https://apimedia.tiingo.com/docs/tiingo/daily/supported_tickers.zip"
    )
