"""Plans of Finnhub, Polygon and Alpha Vantage: never a request more than the provable minimum."""

from __future__ import annotations

import base64
import datetime as dt
import itertools
import json
from dataclasses import replace
from typing import Any

import pytest

from salescience_pipeline.catalog.indicators import INDICATORS
from salescience_pipeline.catalog.providers import PROVIDERS, Quota
from salescience_pipeline.clients import finnhub
from salescience_pipeline.clients.gate_model import GateRule, GateState
from salescience_pipeline.clients.gate_steps import allowance
from salescience_pipeline.clients.model import AnswerClass, PlannedRequest
from salescience_pipeline.clients.plan import Coverage, Selection
from salescience_pipeline.identifiers import Ticker
from salescience_pipeline_tests.test_clients.plans import (
    NOW,
    TICKERS,
    TODAY,
    answer,
    covered,
    keys,
    known,
    plan_of,
    recipe,
)

QUOTES, NEWS = "core_finnhub__quotes", "core_finnhub__news_articles"
CALENDAR, METRICS = "core_finnhub__earnings_calendar", "core_finnhub__fundamental_metrics"
POLYGON, AUDIT = "core_polygon__news_articles", "core_alphavantage__technical_indicators"
DAY = dt.timedelta(days=1)


def days(*back: int) -> tuple[dt.date, ...]:
    return tuple(TODAY - number * DAY for number in back)


def looked_at(key: str, day: dt.date, at: dt.datetime, status: str = "complete") -> dict[str, Coverage]:
    return {f"{key}|{day}": Coverage(day, day, at, status)}


def params(request: PlannedRequest) -> dict[str, str]:
    return dict(request.params)


def follow(
    dataset: str, request: PlannedRequest, body: object, cls: AnswerClass = AnswerClass.OK
) -> list[PlannedRequest]:
    return list(recipe(dataset).follow_ups(answer(request, body, cls), Selection(dataset), known()))


# -- quotes -------------------------------------------------------------------------------------------------------------
def test_a_poll_is_one_call_per_ticker_and_the_next_minute_none() -> None:
    plan = plan_of(QUOTES, known(), dates=days(0))
    assert keys(plan) == list(TICKERS)
    assert params(plan.requests[1])["symbol"] == "BRNWD.B"
    polled = {
        key: value
        for ticker in TICKERS
        for key, value in looked_at(ticker, TODAY, NOW - dt.timedelta(minutes=3)).items()
    }
    assert plan_of(QUOTES, known(polled), dates=days(0)).requests == ()
    stale = {key: replace(value, checked_at=NOW - dt.timedelta(minutes=5)) for key, value in polled.items()}
    assert len(plan_of(QUOTES, known(stale), dates=days(0)).requests) == len(TICKERS)


def test_a_quote_of_the_past_is_refused_in_a_sentence_unless_it_was_polled_then() -> None:
    yesterday = TODAY - DAY
    polled = looked_at("ALDRN", yesterday, NOW - DAY)
    plan = plan_of(QUOTES, known(polled), TICKERS[:2], dates=(yesterday,))
    assert plan.requests == ()
    assert plan.fresh == (f"ALDRN|{yesterday}",)
    assert [(refusal.key, refusal.status) for refusal in plan.refused] == [(f"BRNWD.B|{yesterday}", "missing")]
    assert plan.refused[0].reason == f"Finnhub gives no quotes of {yesterday}, only of now."


# -- company news -------------------------------------------------------------------------------------------------------
def test_any_number_of_days_is_one_range_per_ticker_with_overlap() -> None:
    plan = plan_of(NEWS, known(), dates=days(0, 3, 9))
    assert keys(plan) == list(TICKERS)
    request = plan.requests[0]
    assert (request.first_date, request.last_date) == (TODAY - 9 * DAY, TODAY)
    assert params(request)["from"] == (TODAY - 11 * DAY).isoformat()
    # 23:00 UTC of the 20th: an evening article may be dated the 20th at most.
    assert params(request)["to"] == TODAY.isoformat()


def test_the_portfolio_asks_for_nothing_that_the_universe_has_just_fetched() -> None:
    fetched = {
        key: value
        for ticker in TICKERS
        for key, value in looked_at(ticker, TODAY, NOW - dt.timedelta(minutes=30)).items()
    }
    assert plan_of(NEWS, known(fetched), TICKERS[:2], dates=days(0)).requests == ()
    one_old = fetched | looked_at("ALDRN", TODAY, NOW - dt.timedelta(hours=2))
    assert keys(plan_of(NEWS, known(one_old), TICKERS, dates=days(0))) == ["ALDRN"]


def test_a_day_is_closed_once_it_was_looked_at_late_or_the_next_day_was() -> None:
    day = TODAY - 5 * DAY
    ended = dt.datetime.combine(day + DAY, dt.time(5), dt.UTC)
    early, late = ended + dt.timedelta(hours=6), ended + dt.timedelta(hours=21)
    assert plan_of(NEWS, known(looked_at("ALDRN", day, early)), TICKERS[:1], dates=(day,)).requests
    assert not plan_of(NEWS, known(looked_at("ALDRN", day, late)), TICKERS[:1], dates=(day,)).requests
    both = looked_at("ALDRN", day, early) | looked_at("ALDRN", day + DAY, late)
    assert not plan_of(NEWS, known(both), TICKERS[:1], dates=(day,)).requests
    failed = looked_at("ALDRN", day, late, "failed")
    assert plan_of(NEWS, known(failed), TICKERS[:1], dates=(day,)).requests
    assert plan_of(NEWS, known(both), TICKERS[:1], dates=(day,), force=True).requests


def test_ranges_are_cut_at_a_year_and_lose_no_day() -> None:
    span = [TODAY - number * DAY for number in range(900)]
    plan = plan_of(NEWS, known(), TICKERS[:1], dates=span)
    assert len(plan.requests) == 3
    settled = set()
    for request in plan.requests:
        begin, end = (dt.date.fromisoformat(params(request)[name]) for name in ("from", "to"))
        assert end - begin <= dt.timedelta(days=365)
        assert request.first_date is not None
        assert request.last_date is not None
        assert begin <= request.first_date - 2 * DAY
        settled |= {
            request.first_date + number * DAY for number in range((request.last_date - request.first_date).days + 1)
        }
    assert settled == set(span)


def stories(count: int, day: dt.date) -> list[dict[str, Any]]:
    noon = int(dt.datetime.combine(day, dt.time(12), dt.UTC).timestamp())
    return [{"id": number, "datetime": noon, "headline": "x"} for number in range(count)]


def test_an_answer_as_long_as_the_cap_is_asked_on_from_its_oldest_day() -> None:
    request = finnhub.company_news(Ticker("ALDRN"), TODAY - 9 * DAY, TODAY)
    oldest = TODAY - 4 * DAY
    (older,) = follow(NEWS, request, stories(199, TODAY) + stories(1, oldest))
    assert (params(older)["from"], params(older)["to"]) == ((TODAY - 9 * DAY).isoformat(), oldest.isoformat())
    assert (older.first_date, older.last_date, older.subject) == (
        request.first_date,
        request.last_date,
        request.subject,
    )
    assert follow(NEWS, request, stories(199, oldest)) == []
    (before,) = follow(NEWS, request, stories(250, TODAY))
    assert params(before)["to"] == (TODAY - DAY).isoformat(), "a day that fills the list cannot be cut further"
    assert follow(NEWS, finnhub.company_news(Ticker("ALDRN"), TODAY, TODAY), stories(250, TODAY)) == []
    assert follow(NEWS, request, [], AnswerClass.OK_EMPTY) == []


# -- fundamentals -------------------------------------------------------------------------------------------------------
def test_the_calendar_is_one_request_around_all_days() -> None:
    plan = plan_of(CALENDAR, known(), (), dates=days(1, 20))
    (request,) = plan.requests
    assert params(request) == {
        "from": (TODAY - 27 * DAY).isoformat(),
        "to": (TODAY - DAY + dt.timedelta(days=45)).isoformat(),
    }
    assert request.subject.key == "*"
    read = looked_at("*", TODAY - DAY, NOW - dt.timedelta(hours=2))
    assert plan_of(CALENDAR, known(read), (), dates=days(1)).requests == ()


def test_a_calendar_as_long_as_its_cap_is_asked_on() -> None:
    request = finnhub.earnings_calendar(TODAY, TODAY)
    rows = [{"date": (TODAY + DAY).isoformat()}] * 1_499 + [{"date": (TODAY - DAY).isoformat()}]
    (older,) = follow(CALENDAR, request, {"earningsCalendar": rows})
    assert params(older)["to"] == (TODAY - DAY).isoformat()
    assert follow(CALENDAR, request, {"earningsCalendar": rows[1:]}) == []


def test_a_calendar_that_was_longer_than_its_cap_is_planned_in_windows_that_fit() -> None:
    """The season of reports: the last reading says how many there are on each day."""
    begin, end = TODAY - 7 * DAY, TODAY + 45 * DAY
    counts = {begin + number * DAY: 100 for number in range(53)} | {TODAY + 3 * DAY: 1_350}
    requests = plan_of(CALENDAR, known(reports_by_day=counts), (), dates=(TODAY,)).requests
    windows = [tuple(map(dt.date.fromisoformat, params(request).values())) for request in requests]
    assert (windows[0][0], windows[-1][1]) == (begin, end)
    assert all(left[1] + DAY == right[0] for left, right in itertools.pairwise(windows))
    held = [sum(counts[first + number * DAY] for number in range((last - first).days + 1)) for first, last in windows]
    assert sum(held) == sum(counts.values())
    assert held == [1_000, 1_350, 1_200, 1_200, 1_200, 600], "none can be left out: each is full before the next begins"
    assert {(request.first_date, request.last_date) for request in requests} == {(TODAY, TODAY)}, "one answer, in parts"


def test_only_who_reported_since_is_asked_for() -> None:
    read = {ticker: covered(age=3 * DAY) for ticker in TICKERS}
    state = known(read, reports={TICKERS[0]: TODAY - DAY, TICKERS[1]: TODAY - 3 * DAY, TICKERS[2]: TODAY - 5 * DAY})
    plan = plan_of(METRICS, state)
    # The second reported on the day on which it was read: the result may not have been out.
    assert keys(plan) == list(TICKERS[:2])
    assert plan.fresh == TICKERS[2:]


def test_a_sweep_takes_all_and_what_is_older_than_a_week_comes_by_itself() -> None:
    read = {ticker: covered(age=6 * DAY) for ticker in TICKERS}
    assert plan_of(METRICS, known(read)).requests == ()
    assert len(plan_of(METRICS, known(read), force=True).requests) == len(TICKERS)
    read[TICKERS[3]] = covered(age=9 * DAY)
    assert keys(plan_of(METRICS, known(read))) == [TICKERS[3]]


@pytest.mark.parametrize("dataset", ["core_finnhub__earnings_surprises", "core_finnhub__company_profiles", METRICS])
def test_one_call_per_ticker_that_was_never_read(dataset: str) -> None:
    assert keys(plan_of(dataset, known(), (*TICKERS, TICKERS[0]))) == list(TICKERS)


# -- Polygon ------------------------------------------------------------------------------------------------------------
def test_neighbouring_days_are_one_window_of_the_market_oldest_first() -> None:
    plan = plan_of(POLYGON, known(), (), dates=days(10, 9, 8, 4))
    first, second = plan.requests
    assert params(first) == {
        "published_utc.gte": "2026-11-10T05:00:00Z",
        "published_utc.lt": "2026-11-13T05:00:00Z",
        "order": "asc",
        "sort": "published_utc",
        "limit": "1000",
    }
    assert (second.first_date, second.last_date) == (TODAY - 4 * DAY, TODAY - 4 * DAY)
    assert {request.subject.key for request in plan.requests} == {"*"}


def test_a_poll_begins_two_days_before_the_watermark() -> None:
    watermark = NOW - dt.timedelta(minutes=15)
    today = looked_at("*", TODAY, watermark)
    (request,) = plan_of(POLYGON, known(today), (), dates=days(0)).requests
    assert params(request)["published_utc.gte"] == "2026-11-18T22:45:00Z"
    yesterday = looked_at("*", TODAY - DAY, NOW - dt.timedelta(hours=18))
    (request,) = plan_of(POLYGON, known(yesterday), (), dates=days(0)).requests
    assert params(request)["published_utc.gte"] == "2026-11-18T05:00:00Z"
    (request,) = plan_of(POLYGON, known(), (), dates=days(0)).requests
    assert params(request)["published_utc.gte"] == "2026-11-20T05:00:00Z"


def test_a_late_window_closes_the_gap_that_an_early_look_at_the_day_before_left() -> None:
    day = TODAY - 6 * DAY
    early = looked_at("*", day, dt.datetime.combine(day, dt.time(15), dt.UTC))
    (request,) = plan_of(POLYGON, known(early), (), dates=(day + DAY,)).requests
    assert params(request)["published_utc.gte"] == f"{day - 2 * DAY}T15:00:00Z"
    late = looked_at("*", day, NOW)
    (request,) = plan_of(POLYGON, known(late), (), dates=(day + DAY,)).requests
    assert params(request)["published_utc.gte"] == f"{day + DAY}T05:00:00Z"


def test_universe_portfolio_and_market_are_served_by_one_fetch() -> None:
    polled = looked_at("*", TODAY, NOW - dt.timedelta(minutes=10))
    for tickers in ((), TICKERS[:1], TICKERS):
        assert plan_of(POLYGON, known(polled), tickers, dates=days(0)).requests == ()
    # The morning job about yesterday: today's poll looked back over it.
    both = polled | looked_at("*", TODAY - DAY, NOW - dt.timedelta(hours=20))
    assert plan_of(POLYGON, known(both), TICKERS, dates=days(1)).requests == ()
    assert (
        len(
            plan_of(
                POLYGON, known(looked_at("*", TODAY - DAY, NOW - dt.timedelta(hours=20))), (), dates=days(1)
            ).requests
        )
        == 1
    )


def test_long_windows_are_cut_at_a_month() -> None:
    plan = plan_of(POLYGON, known(), (), dates=[TODAY - number * DAY for number in range(1, 101)])
    assert len(plan.requests) == 4
    assert all((request.last_date - request.first_date).days <= 30 for request in plan.requests)  # type: ignore[operator]


def test_of_the_next_page_only_the_query_is_taken_and_never_a_key() -> None:
    (request,) = plan_of(POLYGON, known(), (), dates=days(4)).requests
    cursor = base64.b64encode(json.dumps({"limit": 1000, "search_after": [1, None]}).encode()).decode()
    for host in ("https://api.massive.com:443/v2/reference/news", "http://127.0.0.1:9/polygon/v2/reference/news"):
        body = {"status": "OK", "results": [], "next_url": f"{host}?cursor={cursor}&apiKey=SECRET&apikey=SECRET"}
        (page,) = follow(POLYGON, request, body)
        assert (page.host, page.path, page.params) == ("api", "/v2/reference/news", (("cursor", cursor),))
        assert (page.subject, page.first_date, page.last_date) == (
            request.subject,
            request.first_date,
            request.last_date,
        )
        assert "SECRET" not in page.canonical_url
        assert follow(POLYGON, page, body) == [], "a page that leads to itself ends the paging"
    assert follow(POLYGON, request, {"status": "OK", "results": []}) == []
    assert follow(POLYGON, request, {}, AnswerClass.OK_EMPTY) == []


# -- Alpha Vantage ------------------------------------------------------------------------------------------------------
def test_pairs_go_in_rotation_within_the_allowance_of_the_day() -> None:
    plan = plan_of(AUDIT, known(allowance=7))
    assert keys(plan) == [f"{ticker}:{name}" for ticker in TICKERS[:2] for name in INDICATORS][:7]
    assert plan.why.endswith("13 of 20 wait for another day, as today's allowance is used up.")
    read = {f"ALDRN:{name}": covered(age=number * DAY) for number, name in enumerate(INDICATORS, start=1)}
    read |= {f"{ticker}:{name}": covered(age=9 * DAY) for ticker in TICKERS[1:] for name in INDICATORS}
    assert keys(plan_of(AUDIT, known(read, allowance=16)))[-1] == "ALDRN:BBANDS", "the newest reading comes last"
    assert plan_of(AUDIT, known(allowance=0)).requests == ()


def test_a_paid_key_is_a_full_source() -> None:
    plan = plan_of(AUDIT, known())
    assert len(plan.requests) == len(TICKERS) * len(INDICATORS)
    fresh = {f"{ticker}:{name}": covered() for ticker in TICKERS for name in INDICATORS}
    assert plan_of(AUDIT, known(fresh)).requests == ()


def test_an_indicator_s_request_says_every_parameter_and_no_key() -> None:
    plan = plan_of(AUDIT, known(), TICKERS[1:2])
    by_endpoint = {request.endpoint: request for request in plan.requests}
    assert params(by_endpoint["bbands"]) == {
        "function": "BBANDS",
        "symbol": "BRNWD-B",
        "interval": "daily",
        "time_period": "20",
        "nbdevup": "2",
        "nbdevdn": "2",
        "matype": "0",
        "series_type": "close",
    }
    assert all("apikey" not in request.canonical_url for request in plan.requests)


def test_the_allowance_is_what_the_shared_row_leaves() -> None:
    rule = GateRule.of(PROVIDERS["alphavantage"])
    noon = dt.datetime(2026, 11, 20, 17, tzinfo=dt.UTC).timestamp()
    midnight = dt.datetime(2026, 11, 20, 5, tzinfo=dt.UTC).timestamp()
    assert allowance(GateState(), rule, noon) == 25
    assert allowance(GateState(day_start=midnight, day_used=20), rule, noon) == 5
    assert allowance(GateState(day_start=midnight - 86_400, day_used=20), rule, noon) == 25
    assert allowance(GateState(quota_until=noon + 1), rule, noon) == 0
    assert allowance(GateState(), GateRule.of(PROVIDERS["finnhub"]), noon) is None
    assert allowance(GateState(), replace(rule, quotas=(Quota("month", 5, "symbols"),)), noon) is None
