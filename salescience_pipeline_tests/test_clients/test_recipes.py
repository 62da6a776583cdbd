"""The recipes: the fewest requests, nothing that is stored, everything that is missing."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salescience_pipeline.catalog.datasets import DATASETS
from salescience_pipeline.clients import edgar_api, registry, tiingo
from salescience_pipeline.clients.errors import NotEntitled, Transient
from salescience_pipeline.clients.model import Answer, AnswerClass, Body, PlannedRequest, RawRef, Subject
from salescience_pipeline.clients.plan import Coverage, FilingRef, Known, Recipe, RequestPlan, Selection
from salescience_pipeline.clients.symbols import canonical_ticker, provider_symbol
from salescience_pipeline.identifiers import Accession, Cik, FileName, RequestId, Ticker

NOW = dt.datetime(2026, 11, 20, 23, 0, tzinfo=dt.UTC)
TODAY = dt.date(2026, 11, 20)
FRIDAY = TODAY
MONDAY = dt.date(2026, 11, 16)
WEEK = [MONDAY + dt.timedelta(days=number) for number in range(5)]
TICKERS = tuple(map(Ticker, ("ALDRN", "BRNWD.B", "CALDQ", "DOVEK")))
CIKS = {ticker: Cik.of(9_900_001 + number) for number, ticker in enumerate(TICKERS)}
START = dt.date(2024, 1, 1)


def known(coverage: Mapping[str, Coverage] | None = None, **more: Any) -> Known:
    return Known(
        **({"now": NOW, "today": TODAY, "last_session": FRIDAY, "ciks": CIKS, "coverage": coverage or {}} | more)
    )


def covered(
    status: str = "complete",
    *,
    first: dt.date | None = START,
    last: dt.date | None = FRIDAY,
    age: dt.timedelta = dt.timedelta(hours=1),
) -> Coverage:
    return Coverage(first, last, NOW - age, status)


def plan_of(dataset: str, state: Known, tickers: Iterable[Ticker] = TICKERS, **more: Any) -> RequestPlan:
    plan = recipe(dataset).plan(Selection(dataset, tuple(tickers), **more), state)
    assert len(plan.requests) == plan.minimum
    assert (plan.dataset, plan.provider) == (dataset, DATASETS[dataset].provider)
    assert plan.why.endswith(".")
    urls = [request.canonical_url for request in plan.requests]
    assert len(urls) == len(set(urls)), "the same address twice is never the minimum"
    return plan


def recipe(dataset: str) -> Recipe:
    return registry.recipe(DATASETS[dataset])


def answer(request: PlannedRequest, data: object, answer_class: AnswerClass = AnswerClass.OK) -> Answer:
    body = Body(json.dumps(data).encode())
    return Answer(request, answer_class, NOW, RequestId.new(), RawRef(body.sha256, body.size), body, 200)


def keys(plan: RequestPlan) -> list[str]:
    return [request.subject.key for request in plan.requests]


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
    assert first.path == "/Archives/edgar/data/9900001/000990000126000001/a10k.htm"
    assert third.path.endswith("/just%20in%20time.htm")
    assert (first.immutable, first.expect) == (True, "html")
    assert first.subject.details == {
        "form": "10-K",
        "filename": "a10k.htm",
        "document_type": "10-K",
        "filing_date": "2026-02-01",
    }
    (refusal,) = plan.refused
    assert (refusal.key, refusal.status) == (FILINGS[5].accession, "missing")
    assert refusal.reason.startswith("SEC names no main document for ")


def test_chosen_forms_replace_the_usual_ones() -> None:
    plan = plan_of(DOCUMENTS, known(filings=FILINGS), TICKERS, forms=("SC 13D",))
    assert [request.subject.details["form"] for request in plan.requests] == ["SC 13D"]
    assert len(plan_of(DOCUMENTS, known(filings=FILINGS), TICKERS, forms=("10-K/A",)).requests) == 3


def test_stored_documents_are_never_asked_for_again_not_even_by_force() -> None:
    state = known(filings=FILINGS, documents=frozenset({(FILINGS[0].accession, "a10k.htm")}))
    for force in (False, True):
        plan = plan_of(DOCUMENTS, state, TICKERS[:1], force=force)
        assert FILINGS[0].accession not in keys(plan)
        assert plan.fresh == (FILINGS[0].accession,)


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


@pytest.mark.parametrize(
    ("named", "file"),
    [("xslF345X05/wk-form4.xml", "wk-form4.xml"), ("form4.xml", "form4.xml"), ("a10k.htm", "a10k.htm"), ("", "")],
)
def test_the_rendering_of_an_ownership_form_is_not_the_form(named: str, file: str) -> None:
    assert edgar_api.raw_document_name(named) == file


# Tiingo.

DAILY, EOD_HISTORY = "core_tiingo__eod_prices_daily", "core_tiingo__eod_prices_history"


def row(symbol: str, day: dt.date = FRIDAY, split: float = 1.0, dividend: float = 0.0) -> dict[str, object]:
    values = {"close": 1.0, "adjClose": 1.0, "splitFactor": split, "divCash": dividend}
    return {"ticker": symbol, "date": f"{day}T00:00:00.000Z", **values}


def test_the_newest_session_is_one_call_for_all() -> None:
    plan = plan_of(DAILY, known(), dates=(FRIDAY,))
    (request,) = plan.requests
    assert (request.endpoint, request.subject.key) == ("eod_bulk", "*")
    assert dict(request.params) == {"tickers": "ALDRN,BRNWD-B,CALDQ,DOVEK"}
    many = [Ticker(f"T{number}") for number in range(1000)]
    plan = plan_of(DAILY, known(), many, dates=(FRIDAY,))
    assert (len(plan.requests), plan.requests[0].params, plan.expected_follow_ups) == (1, (), 16)


def test_only_tickers_with_a_corporate_action_are_pulled_whole() -> None:
    selection = Selection(DAILY, TICKERS, dates=(FRIDAY,))
    (request,) = recipe(DAILY).plan(selection, known()).requests
    rows = [row("ALDRN"), row("BRNWD-B", dividend=0.2), row("CALDQ", split=4.0), row("DOVEK"), row("OTHER", split=2.0)]
    follow = recipe(DAILY).follow_ups(answer(request, rows), selection, known())
    assert [(one.subject.key, one.first_date, one.last_date) for one in follow] == [
        ("BRNWD.B", START, FRIDAY),
        ("CALDQ", START, FRIDAY),
    ]
    assert follow[0].path == "/tiingo/daily/BRNWD-B/prices"
    for one in follow:
        assert recipe(DAILY).follow_ups(answer(one, [row("X", split=2.0)]), selection, known()) == ()


def test_a_ticker_that_the_bulk_answer_leaves_out_is_asked_for_by_name() -> None:
    selection = Selection(DAILY, TICKERS, dates=(FRIDAY,))
    (request,) = recipe(DAILY).plan(selection, known()).requests
    rows = [row("ALDRN"), row("BRNWD-B"), row("CALDQ", dt.date(2026, 3, 2))]
    follow = recipe(DAILY).follow_ups(answer(request, rows), selection, known())
    assert [(one.subject.key, one.first_date) for one in follow] == [("CALDQ", FRIDAY), ("DOVEK", FRIDAY)]


def test_prices_that_are_not_out_yet_cause_no_thousand_requests() -> None:
    selection = Selection(DAILY, TICKERS, dates=(FRIDAY,))
    (request,) = recipe(DAILY).plan(selection, known()).requests
    rows = [row(symbol, dt.date(2026, 11, 19)) for symbol in ("ALDRN", "BRNWD-B", "CALDQ", "DOVEK")]
    assert recipe(DAILY).follow_ups(answer(request, rows), selection, known()) == ()


def test_without_the_bulk_call_every_ticker_is_asked_for() -> None:
    selection = Selection(DAILY, TICKERS, dates=(FRIDAY,))
    (request,) = recipe(DAILY).plan(selection, known()).requests
    refused = NotEntitled("no", provider="tiingo")
    for follow in (
        recipe(DAILY).fallbacks(request, refused, selection, known()),
        recipe(DAILY).follow_ups(answer(request, {}, AnswerClass.NOT_FOUND), selection, known()),
    ):
        assert [one.subject.key for one in follow] == list(TICKERS)
        assert all((one.first_date, one.last_date) == (FRIDAY, FRIDAY) for one in follow)
    assert recipe(DAILY).fallbacks(request, Transient("x", provider="tiingo"), selection, known()) == ()
    assert recipe(DAILY).fallbacks(follow[0], refused, selection, known()) == ()


def test_older_days_are_one_call_per_ticker_over_its_gaps() -> None:
    coverage = {f"ALDRN|{day}": covered() for day in WEEK} | {f"CALDQ|{day}": covered() for day in (MONDAY, FRIDAY)}
    plan = plan_of(DAILY, known(coverage), TICKERS[:3], dates=WEEK)
    assert [(one.subject.key, one.first_date, one.last_date) for one in plan.requests] == [
        ("BRNWD.B", MONDAY, FRIDAY),
        ("CALDQ", WEEK[1], WEEK[3]),
    ]
    assert plan.fresh == ("ALDRN",)
    assert dict(plan.requests[0].params) == {"startDate": "2026-11-16", "endDate": "2026-11-20"}


def test_one_ticker_needs_no_bulk_call() -> None:
    (request,) = plan_of(DAILY, known(), TICKERS[:1], dates=(FRIDAY,)).requests
    assert request.endpoint == "eod"


def test_an_increment_with_a_split_makes_the_stored_past_stale() -> None:
    selection = Selection(DAILY, TICKERS[:1], dates=tuple(WEEK))
    rows = [row("ALDRN", WEEK[3], split=2.0)]
    for coverage, expected in (({}, []), ({"ALDRN|2026-11-13": covered()}, [START])):
        (request,) = recipe(DAILY).plan(selection, known(coverage)).requests
        follow = recipe(DAILY).follow_ups(answer(request, rows), selection, known(coverage))
        assert [one.first_date for one in follow] == expected
        assert recipe(DAILY).follow_ups(answer(request, [row("ALDRN")]), selection, known(coverage)) == ()


def test_days_whose_prices_are_not_out_are_refused_and_not_asked_for() -> None:
    plan = plan_of(DAILY, known(last_session=WEEK[3]), dates=(FRIDAY,))
    assert plan.requests == ()
    assert [(refusal.key, refusal.status) for refusal in plan.refused] == [(f"*|{FRIDAY}", "missing")]


@given(
    st.sets(
        st.tuples(st.sampled_from(TICKERS), st.sampled_from(WEEK), st.sampled_from(["complete", "empty", "failed"]))
    ),
    st.lists(st.sampled_from(TICKERS), unique=True),
    st.lists(st.sampled_from(WEEK), unique=True),
)
def test_a_daily_plan_covers_what_is_missing_and_asks_no_ticker_that_is_complete(
    stored: set[tuple[Ticker, dt.date, str]], tickers: list[Ticker], days: list[dt.date]
) -> None:
    coverage = {f"{ticker}|{day}": covered(status) for ticker, day, status in sorted(stored)}
    plan = plan_of(DAILY, known(coverage), tickers, dates=tuple(days))
    missing = {
        (ticker, day)
        for ticker in tickers
        for day in days
        if f"{ticker}|{day}" not in coverage or coverage[f"{ticker}|{day}"].status == "failed"
    }
    bulk = any(request.endpoint == "eod_bulk" for request in plan.requests)
    asked = {
        (ticker, day)
        for request in plan.requests
        for ticker in ([request.subject.ticker] if request.subject.ticker else tickers)
        for day in days
        if request.first_date <= day <= request.last_date  # type: ignore[operator]
    }
    assert missing <= asked
    needy = {ticker for ticker, _ in missing}
    assert plan.minimum == (min(1, len(needy)) if bulk else len(needy))
    for request in plan.requests:
        if request.subject.ticker is not None:
            mine = [day for ticker, day in missing if ticker == request.subject.ticker]
            assert (request.first_date, request.last_date) == (min(mine), max(mine))
    if missing and {day for _, day in missing} == {FRIDAY} and len(needy) > 1:
        assert bulk


# Whole histories: Tiingo and Yahoo alike.


@pytest.mark.parametrize("dataset", [EOD_HISTORY, "core_yahoo__eod_prices"])
def test_a_history_is_one_call_and_only_where_it_does_not_reach(dataset: str) -> None:
    coverage = {
        "ALDRN": covered(age=dt.timedelta(days=400)),
        "BRNWD.B": covered(last=dt.date(2026, 11, 19)),
        "CALDQ": covered(first=dt.date(2025, 1, 1)),
    }
    plan = plan_of(dataset, known(coverage))
    assert keys(plan) == ["BRNWD.B", "CALDQ", "DOVEK"]
    assert all((one.first_date, one.last_date) == (START, FRIDAY) for one in plan.requests)
    assert plan.fresh == ("ALDRN",)
    assert len(plan_of(dataset, known(coverage), force=True).requests) == 4


@pytest.mark.parametrize("dataset", [EOD_HISTORY, "core_yahoo__eod_prices"])
def test_an_unknown_ticker_is_asked_for_once_per_session(dataset: str) -> None:
    gone = covered("not_found", first=None, last=None)
    assert plan_of(dataset, known({"ALDRN": gone}), TICKERS[:1]).requests == ()
    later = known({"ALDRN": gone}, last_session=dt.date(2026, 11, 23))
    assert keys(plan_of(dataset, later, TICKERS[:1])) == ["ALDRN"]


@given(st.dictionaries(st.sampled_from(TICKERS), st.sampled_from(WEEK)), st.sampled_from(WEEK))
def test_a_history_plan_covers_every_ticker_exactly_once(stored: dict[Ticker, dt.date], session: dt.date) -> None:
    coverage = {ticker: covered(last=last) for ticker, last in stored.items()}
    plan = plan_of(EOD_HISTORY, known(coverage, last_session=session))
    assert sorted([*keys(plan), *plan.fresh]) == sorted(TICKERS)
    assert set(plan.fresh) == {ticker for ticker, last in stored.items() if last >= session}


def test_yahoo_windows_are_whole_days_with_an_open_end() -> None:
    (request,) = plan_of("core_yahoo__eod_prices", known(), [Ticker("BRNWD.B")]).requests
    params = dict(request.params)
    assert request.path == "/v8/finance/chart/BRNWD-B"
    assert dt.datetime.fromtimestamp(int(params["period1"]), dt.UTC) == dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    assert dt.datetime.fromtimestamp(int(params["period2"]), dt.UTC) == dt.datetime(2026, 11, 21, tzinfo=dt.UTC)
    assert (params["interval"], params["events"]) == ("1d", "div,splits,capitalGains")


def test_a_profile_is_one_call_a_week() -> None:
    state = known({"ALDRN": covered(age=dt.timedelta(days=6)), "CALDQ": covered(age=dt.timedelta(days=7))})
    plan = plan_of("core_yahoo__company_profiles", state)
    assert keys(plan) == ["BRNWD.B", "CALDQ", "DOVEK"]
    assert dict(plan.requests[0].params)["modules"] == "assetProfile,price,summaryDetail,defaultKeyStatistics"


# Symbols and shared addresses.


@pytest.mark.parametrize(
    ("ticker", "provider", "symbol"),
    [
        ("BRK.B", "sec", "BRK-B"),
        ("BRK.B", "yahoo", "BRK-B"),
        ("BRK.B", "tiingo", "BRK-B"),
        ("BRK.B", "polygon", "BRK.B"),
        ("AAPL", "tiingo", "AAPL"),
        ("TWO-PA", "sec", "TWO-PA"),
        ("TWO-PA", "tiingo", "TWO-P-A"),
        ("^GSPC", "yahoo", "^GSPC"),
    ],
)
def test_symbols_go_out_in_the_provider_s_spelling_and_come_back(ticker: str, provider: str, symbol: str) -> None:
    assert provider_symbol(Ticker(ticker), provider) == symbol
    assert canonical_ticker(symbol, provider) == Ticker(ticker)


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
    between = (dt.date(2026, 1, 1), dt.date(2026, 2, 1))
    search = edgar_api.full_text_search(
        '"going concern"', forms=["8-K", "10-K"], ciks=[cik], between=between, offset=100
    )
    assert dict(search.params) == {
        "q": '"going concern"',
        "forms": "8-K,10-K",
        "ciks": "0009900001",
        "from": "100",
        "dateRange": "custom",
        "startdt": "2026-01-01",
        "enddt": "2026-02-01",
    }
    assert edgar_api.company_facts(cik, Subject("X")).canonical_url == (
        "https://data.sec.gov/api/xbrl/companyfacts/CIK0009900001.json"
    )
    assert tiingo.supported_tickers().canonical_url == (
        "https://apimedia.tiingo.com/docs/tiingo/daily/supported_tickers.zip"
    )
