"""Tiingo's and Yahoo's recipes: the fewest requests, nothing that is stored, everything that is missing."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salescience_pipeline.catalog.sessions import sessions
from salescience_pipeline.clients.errors import NotEntitled, Transient
from salescience_pipeline.clients.model import AnswerClass
from salescience_pipeline.clients.plan import Coverage, Selection, Series
from salescience_pipeline.identifiers import Ticker
from salescience_pipeline_tests.test_clients.plans import (
    FRIDAY,
    MONDAY,
    START,
    TICKERS,
    WEEK,
    answer,
    covered,
    keys,
    known,
    plan_of,
    recipe,
)

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
    before = Series(dt.date(2026, 3, 2), dt.date(2026, 11, 13))
    stored = known({"ALDRN|2026-11-13": covered()}, series={TICKERS[0]: before})
    for state, expected in ((known(), []), (stored, [START])):
        (request,) = recipe(DAILY).plan(selection, state).requests
        assert (request.first_date, request.last_date) == (MONDAY, FRIDAY)
        follow = recipe(DAILY).follow_ups(answer(request, rows), selection, state)
        assert [one.first_date for one in follow] == expected
        assert recipe(DAILY).follow_ups(answer(request, [row("ALDRN")]), selection, state) == ()


@pytest.mark.parametrize(
    ("stored", "days", "asked"),
    [
        # What continues the series up to now is asked for alone: an action in it is seen.
        ((dt.date(2026, 3, 2), dt.date(2026, 11, 13)), WEEK, (MONDAY, FRIDAY)),
        # Older days, a hole in the middle, and days behind a stretch that nobody saw: one basis for all of it.
        ((dt.date(2026, 9, 1), FRIDAY), [dt.date(2026, 3, 2)], (dt.date(2026, 3, 2), FRIDAY)),
        ((dt.date(2026, 3, 2), FRIDAY), [dt.date(2026, 9, 1)], (dt.date(2026, 3, 2), FRIDAY)),
        ((dt.date(2026, 3, 2), dt.date(2026, 9, 1)), WEEK, (dt.date(2026, 3, 2), FRIDAY)),
        ((dt.date(2026, 3, 2), dt.date(2026, 9, 1)), [dt.date(2026, 10, 1)], (dt.date(2026, 3, 2), FRIDAY)),
        ((WEEK[1], WEEK[1]), [MONDAY, FRIDAY], (MONDAY, FRIDAY)),
        # Among many days that continue it there is a dividend: one call now instead of two.
        (
            (dt.date(2026, 3, 2), dt.date(2026, 9, 1)),
            sessions(dt.date(2026, 9, 2), FRIDAY),
            (dt.date(2026, 3, 2), FRIDAY),
        ),
    ],
)
def test_a_range_beside_stored_prices_reaches_over_all_of_them(
    stored: tuple[dt.date, dt.date], days: list[dt.date], asked: tuple[dt.date, dt.date]
) -> None:
    coverage = {f"ALDRN|{stored[1]}": covered()}
    (request,) = plan_of(
        DAILY, known(coverage, series={TICKERS[0]: Series(*stored)}), TICKERS[:1], dates=tuple(days)
    ).requests
    assert (request.first_date, request.last_date) == asked


def test_days_before_the_listing_are_refused_in_a_sentence_and_not_asked_for() -> None:
    listed = known(series={TICKERS[0]: Series(WEEK[2], FRIDAY, is_whole=True)})
    plan = plan_of(DAILY, listed, TICKERS[:1], dates=tuple(WEEK[:2]))
    assert plan.requests == ()
    assert [(one.key, one.status) for one in plan.refused] == [(f"ALDRN|{day}", "empty") for day in WEEK[:2]]
    assert plan.refused[0].reason == "The prices of ALDRN begin on 2026-11-18; 2026-11-16 lies before its listing."
    both = plan_of(DAILY, listed, TICKERS[:1], dates=(WEEK[1], FRIDAY))
    assert [one.first_date for one in both.requests] == [WEEK[2]], "the one call brings the whole series"
    assert len(plan_of(DAILY, listed, TICKERS[:1], dates=tuple(WEEK[:2]), force=True).requests) == 1
    unsure = known(series={TICKERS[0]: Series(WEEK[2], FRIDAY)})
    assert plan_of(DAILY, unsure, TICKERS[:1], dates=tuple(WEEK[:2])).refused == ()


def _quiet(*tickers: str, asked: dt.date | None = None, status: str = "empty") -> dict[str, Coverage]:
    """The three sessions before Friday without a price; ``asked`` is the last for which the provider was asked."""
    return {
        f"{ticker}|{day}": covered(status, first=asked or day, last=asked or day)
        for ticker in tickers
        for day in WEEK[1:4]
    }


def test_a_ticker_that_is_gone_costs_no_request_and_comes_back_with_the_list() -> None:
    state = known(_quiet("CALDQ"), series={TICKERS[2]: Series(START, MONDAY)})
    for force in (False, True):
        selection = Selection(DAILY, TICKERS, dates=(FRIDAY,), force=force)
        plan = recipe(DAILY).plan(selection, state)
        (request,) = plan.requests
        assert "CALDQ" in dict(request.params)["tickers"]
        (gone,) = plan.refused
        assert (gone.key, gone.status, gone.asked_on) == (f"CALDQ|{FRIDAY}", "empty", WEEK[3])
        assert "CALDQ is taken for gone: its last price is of 2026-11-16." in gone.reason
        rows = [row("ALDRN"), row("BRNWD-B"), row("DOVEK")]
        assert recipe(DAILY).follow_ups(answer(request, rows), selection, state) == ()
        (again,) = recipe(DAILY).follow_ups(answer(request, [*rows, row("CALDQ")]), selection, state)
        assert (again.subject.key, again.first_date) == ("CALDQ", START)
    two = known(_quiet("CALDQ") | {f"CALDQ|{WEEK[1]}": covered()})
    selection = Selection(DAILY, TICKERS, dates=(FRIDAY,))
    assert recipe(DAILY).plan(selection, two).refused == (), "two quiet sessions may be a halt"


def test_without_a_list_one_that_is_gone_is_looked_for_again_after_a_month() -> None:
    refused = NotEntitled("no", provider="tiingo")
    for asked, expected in ((dt.date(2026, 10, 22), []), (dt.date(2026, 10, 21), [(dt.date(2026, 10, 22), FRIDAY)])):
        state = known(_quiet("CALDQ", asked=asked, status="not_found"))
        alone = plan_of(DAILY, state, TICKERS[2:3], dates=(FRIDAY,))
        assert [(one.first_date, one.last_date) for one in alone.requests] == expected
        assert [(one.status, one.asked_on) for one in alone.refused] == [("not_found", asked)]
        selection = Selection(DAILY, TICKERS, dates=(FRIDAY,))
        (request,) = recipe(DAILY).plan(selection, state).requests
        others = recipe(DAILY).fallbacks(request, refused, selection, state)
        assert len(others) == 3 + len(expected)
    # Whoever insists asks.
    assert len(plan_of(DAILY, state, TICKERS[2:3], dates=(FRIDAY,), force=True).requests) == 1
    back = answer(alone.requests[0], [row("CALDQ")])
    stored = known(_quiet("CALDQ", asked=asked), series={TICKERS[2]: Series(START, dt.date(2026, 10, 1))})
    assert [one.first_date for one in recipe(DAILY).follow_ups(back, selection, stored)] == [START]


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
    refused = {refusal.key for refusal in plan.refused}
    assert all(coverage[f"{key[:-11]}|{WEEK[2]}"].status == "empty" for key in refused), "three days without a price"
    missing = {
        (ticker, day)
        for ticker in tickers
        for day in days
        if (f"{ticker}|{day}" not in coverage or coverage[f"{ticker}|{day}"].status == "failed")
        and f"{ticker}|{day}" not in refused
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
