"""What answers of Finnhub, Polygon and Alpha Vantage mean: look-alikes always, recorded bodies where they are at hand."""

from __future__ import annotations

import datetime as dt
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from salescience_pipeline.catalog.indicators import INDICATORS
from salescience_pipeline.clients import alphavantage, finnhub, polygon
from salescience_pipeline.clients.model import AnswerClass, PlannedRequest
from salescience_pipeline.identifiers import Ticker
from salescience_pipeline_tests.test_clients.judging import HTML, NOW, TEXT, judge

C = AnswerClass
JSON = "application/json"
TICKER, DAY = Ticker("WDGT"), dt.date(2026, 11, 20)

QUOTE = finnhub.quote(TICKER, DAY)
COMPANY_NEWS = finnhub.company_news(TICKER, DAY, DAY)
METRIC = finnhub.metric(TICKER)
EARNINGS = finnhub.earnings(TICKER)
CALENDAR = finnhub.earnings_calendar(DAY, DAY)
PROFILE = finnhub.profile(TICKER)
NEWS = polygon.news(DAY, DAY)
SMA = alphavantage.indicator(TICKER, INDICATORS["SMA"])
DAILY = alphavantage.daily(TICKER)
CSV = replace(SMA, expect="text")

PAGE = "<!DOCTYPE html><html><body>Go away</body></html>"
A_QUOTE = {"c": 1.5, "d": 0.1, "dp": 1, "h": 2, "l": 1, "o": 1, "pc": 1.4, "t": 1_795_208_400}
NO_QUOTE = {"c": 0, "d": None, "dp": None, "h": 0, "l": 0, "o": 0, "pc": 0, "t": 0}
A_STORY = {"id": 1, "datetime": 1_795_208_400, "headline": "x"}
LIMIT = {"error": "API limit reached. Please try again later. Remaining Limit: 0"}
NO_ACCESS = {"error": "You don't have access to this resource."}
META = {"1: Symbol": "WDGT", "4: Interval": "daily"}
VALUES = {"Meta Data": META, "Technical Analysis: SMA": {"2026-11-20": {"SMA": "1.5"}}}
BURST = {
    "Information": "Please consider spreading out your free API requests more sparingly (1 request per second). You may "
    "subscribe to any of the premium plans to lift the limit (25 requests per day), and unlock all premium endpoints"
}
DAYS_CAP = {
    "Information": "We have detected your API key as K and our standard API rate limit is 25 requests per day. Please "
    "subscribe to any of the premium plans to remove all daily rate limits."
}
TOO_FAST = {"status": "ERROR", "error": "You've exceeded the maximum requests per minute"}
PREMIUM = {"Information": "Thank you! This is a premium endpoint. You may subscribe to any of the premium plans."}

LOOK_ALIKES: list[tuple[str, PlannedRequest, int, object, str, AnswerClass]] = [
    # Finnhub
    ("a quote", QUOTE, 200, A_QUOTE, JSON, C.OK),
    ("a quote of nobody", QUOTE, 200, NO_QUOTE, JSON, C.OK_EMPTY),
    ("a quote without its close", QUOTE, 200, {"c": 1}, JSON, C.CONTRACT),
    ("a quote as a list", QUOTE, 200, [], JSON, C.CONTRACT),
    ("news", COMPANY_NEWS, 200, [A_STORY], JSON, C.OK),
    ("no news", COMPANY_NEWS, 200, [], JSON, C.OK_EMPTY),
    ("news without a headline", COMPANY_NEWS, 200, [{"id": 1}], JSON, C.CONTRACT),
    ("metrics", METRIC, 200, {"metric": {"beta": 1}, "series": {}}, JSON, C.OK),
    ("no metrics", METRIC, 200, {"metric": {}, "series": {}}, JSON, C.OK_EMPTY),
    ("nothing for metrics", METRIC, 200, {}, JSON, C.OK_EMPTY),
    ("metrics of another shape", METRIC, 200, {"metric": []}, JSON, C.CONTRACT),
    ("earnings", EARNINGS, 200, [{"period": "2026-03-31"}], JSON, C.OK),
    ("no earnings", EARNINGS, 200, [], JSON, C.OK_EMPTY),
    ("a calendar", CALENDAR, 200, {"earningsCalendar": [{"date": "2026-11-20"}]}, JSON, C.OK),
    ("an empty calendar", CALENDAR, 200, {"earningsCalendar": []}, JSON, C.OK_EMPTY),
    ("a null calendar", CALENDAR, 200, {"earningsCalendar": None}, JSON, C.OK_EMPTY),
    ("no calendar", CALENDAR, 200, {}, JSON, C.CONTRACT),
    ("a profile", PROFILE, 200, {"name": "Widget Works"}, JSON, C.OK),
    ("a profile of nobody", PROFILE, 200, {}, JSON, C.OK_EMPTY),
    ("a wrong key", QUOTE, 401, {"error": "Invalid API key"}, JSON, C.AUTH),
    ("no key", QUOTE, 401, {"error": "Please use an API key."}, JSON, C.AUTH),
    ("a premium endpoint", QUOTE, 403, NO_ACCESS, JSON, C.ENTITLEMENT),
    ("a premium endpoint with the status of a key", QUOTE, 401, NO_ACCESS, JSON, C.ENTITLEMENT),
    ("too fast", QUOTE, 429, LIMIT, JSON, C.RATE_LIMITED),
    ("too fast with 200", QUOTE, 200, LIMIT, JSON, C.RATE_LIMITED),
    ("too fast without a body", QUOTE, 429, "", JSON, C.RATE_LIMITED),
    ("an error with 200", QUOTE, 200, {"error": "Something"}, JSON, C.CONTRACT),
    ("a penalty: led to a page", QUOTE, 302, PAGE, HTML, C.BLOCKED),
    ("a penalty: shut out with a page", QUOTE, 403, PAGE, HTML, C.BLOCKED),
    ("a page", QUOTE, 200, PAGE, HTML, C.TRANSIENT),
    ("half an answer", QUOTE, 200, '{"c": 1.5, "d"', JSON, C.TRANSIENT),
    ("nothing", QUOTE, 200, "", JSON, C.TRANSIENT),
    ("down", QUOTE, 502, PAGE, HTML, C.TRANSIENT),
    # Polygon
    ("a page of news", NEWS, 200, {"status": "OK", "results": [{"id": "a"}]}, JSON, C.OK),
    ("delayed news", NEWS, 200, {"status": "DELAYED", "results": [{"id": "a"}]}, JSON, C.OK),
    ("no news", NEWS, 200, {"status": "OK", "results": [], "count": 0}, JSON, C.OK_EMPTY),
    ("no news and no key for them", NEWS, 200, {"status": "OK", "count": 0}, JSON, C.OK_EMPTY),
    ("news without an id", NEWS, 200, {"status": "OK", "results": [{}]}, JSON, C.CONTRACT),
    ("news without a status", NEWS, 200, {"results": []}, JSON, C.CONTRACT),
    ("a next page elsewhere", NEWS, 200, {"status": "OK", "results": [], "next_url": "https://x/evil"}, JSON, C.CONTRACT),
    ("a next page that is no address", NEWS, 200, {"status": "OK", "results": [], "next_url": 5}, JSON, C.CONTRACT),
    ("a wrong key", NEWS, 401, {"status": "ERROR", "error": "Unknown API Key"}, JSON, C.AUTH),
    ("a wrong key with 200", NEWS, 200, {"status": "ERROR", "error": "Unknown API Key"}, JSON, C.AUTH),
    ("not in the plan", NEWS, 403, {"status": "NOT_AUTHORIZED", "message": "x"}, JSON, C.ENTITLEMENT),
    ("not in the plan with 200", NEWS, 200, {"status": "NOT_AUTHORIZED", "message": "x"}, JSON, C.ENTITLEMENT),
    ("unknown", NEWS, 404, {"status": "NOT_FOUND", "message": "x"}, JSON, C.NOT_FOUND),
    ("unknown with 200", NEWS, 200, {"status": "NOT_FOUND"}, JSON, C.NOT_FOUND),
    ("too fast", NEWS, 429, {"status": "ERROR", "error": "x"}, JSON, C.RATE_LIMITED),
    ("too fast without a word", NEWS, 429, "", "", C.RATE_LIMITED),
    ("too fast with 200", NEWS, 200, TOO_FAST, JSON, C.RATE_LIMITED),
    ("an error with 200", NEWS, 200, {"status": "ERROR"}, JSON, C.CONTRACT),
    ("413", NEWS, 413, "", TEXT, C.TRANSIENT),
    ("499", NEWS, 499, "", TEXT, C.TRANSIENT),
    ("down", NEWS, 503, "", TEXT, C.TRANSIENT),
    ("a page", NEWS, 200, PAGE, HTML, C.TRANSIENT),
    ("a page in between", NEWS, 403, PAGE, HTML, C.TRANSIENT),
    ("led elsewhere", NEWS, 301, "", TEXT, C.CONTRACT),
    ("a list", NEWS, 200, [], JSON, C.CONTRACT),
    # Alpha Vantage
    ("an indicator", SMA, 200, VALUES, JSON, C.OK),
    ("an indicator without days", SMA, 200, VALUES | {"Technical Analysis: SMA": {}}, JSON, C.OK_EMPTY),
    ("an indicator without its head", SMA, 200, {"Technical Analysis: SMA": {"a": {}}}, JSON, C.CONTRACT),
    ("a head without its indicator", SMA, 200, {"Meta Data": META}, JSON, C.CONTRACT),
    ("bars", DAILY, 200, {"Meta Data": {}, "Time Series (Daily)": {"2026-11-20": {}}}, JSON, C.OK),
    ("nobody", SMA, 200, {}, JSON, C.OK_EMPTY),
    ("a list", SMA, 200, [], JSON, C.CONTRACT),
    ("nobody's bars", DAILY, 200, {"Error Message": "Invalid API call. Please retry."}, JSON, C.NOT_FOUND),
    ("a wrong key", SMA, 200, {"Error Message": "the parameter apikey is invalid or missing. x"}, JSON, C.AUTH),
    ("a key for show", SMA, 200, {"Information": "The **demo** API key is for demo purposes only."}, JSON, C.AUTH),
    ("another error", SMA, 200, {"Error Message": "Something"}, JSON, C.CONTRACT),
    ("a burst", SMA, 200, BURST, JSON, C.RATE_LIMITED),
    ("the day's cap", SMA, 200, DAYS_CAP, JSON, C.QUOTA_EXHAUSTED),
    ("a premium endpoint", SMA, 200, PREMIUM, JSON, C.ENTITLEMENT),
    ("the older throttle", SMA, 200, {"Note": "Our standard API call frequency is 5 calls per minute."}, JSON, C.RATE_LIMITED),
    ("another notice", SMA, 200, {"Information": "Merry Christmas"}, JSON, C.CONTRACT),
    ("CSV", CSV, 200, "time,SMA\n2026-11-20,1.5\n", "application/x-download", C.OK),
    ("CSV without days", CSV, 200, "time,SMA\n", "application/x-download", C.OK_EMPTY),
    ("JSON where CSV is due", CSV, 200, DAYS_CAP, JSON, C.QUOTA_EXHAUSTED),
    ("a page", SMA, 200, PAGE, HTML, C.TRANSIENT),
    ("half an answer", SMA, 200, '{"Meta Data": {', JSON, C.TRANSIENT),
    ("down", SMA, 500, "", TEXT, C.TRANSIENT),
]  # fmt: skip


@pytest.mark.parametrize(
    ("request_", "status", "body", "media_type", "expected"),
    [case[1:] for case in LOOK_ALIKES],
    ids=[f"{case[1].provider}: {case[0]}" for case in LOOK_ALIKES],
)
def test_look_alikes(request_: PlannedRequest, status: int, body: Any, media_type: str, expected: AnswerClass) -> None:
    verdict = judge(request_, status, body, media_type, headers={"content-length": "1"})
    assert verdict.answer_class is expected, verdict.reason


def test_when_it_is_worth_asking_again() -> None:
    assert judge(NEWS, 429, "").retry_at == NOW + dt.timedelta(seconds=60)
    assert judge(NEWS, 429, "", headers={"retry-after": "7"}).retry_at == NOW + dt.timedelta(seconds=7)
    assert judge(QUOTE, 429, LIMIT, headers={"retry-after": "7"}).retry_at == NOW + dt.timedelta(seconds=7)
    assert judge(QUOTE, 429, LIMIT).retry_at is None, "the gate's own pause, doubling"
    assert judge(QUOTE, 302, PAGE, HTML).retry_at == NOW + dt.timedelta(seconds=600)
    burst = judge(SMA, 200, BURST).retry_at
    assert burst is not None
    assert dt.timedelta(seconds=1) <= burst - NOW < dt.timedelta(seconds=5)
    midnight = dt.datetime(2026, 11, 21, tzinfo=ZoneInfo("America/New_York"))
    assert judge(SMA, 200, DAYS_CAP).retry_at == midnight


# What was recorded at the real providers.
_RECORDED = {
    "finnhub": {
        "providers/finnhub/quote-AAPL.json": (QUOTE, 200, C.OK),
        "providers/finnhub/quote-unknown.json": (QUOTE, 200, C.OK_EMPTY),
        "providers/finnhub/company-news-AAPL.json": (COMPANY_NEWS, 200, C.OK),
        "providers/finnhub/metric-AAPL.json": (METRIC, 200, C.OK),
        "providers/finnhub/profile-AAPL.json": (PROFILE, 200, C.OK),
        "providers/finnhub/calendar-earnings-aapl.json": (CALENDAR, 200, C.OK),
        "providers/finnhub/errors/401_invalid_key.json": (QUOTE, 401, C.AUTH),
        "providers/finnhub/errors/403_candle-AAPL.json": (QUOTE, 403, C.ENTITLEMENT),
        "providers/finnhub/errors/403_news-sentiment-AAPL.json": (QUOTE, 403, C.ENTITLEMENT),
        "samples/finnhub/quote.doc_sample.json": (QUOTE, 200, C.OK),
        "samples/finnhub/company-news.doc_sample.json": (COMPANY_NEWS, 200, C.OK),
        "samples/finnhub/stock_earnings.doc_sample.json": (EARNINGS, 200, C.OK),
        "samples/finnhub/stock_metric.doc_sample.json": (METRIC, 200, C.OK),
        "samples/finnhub/stock_profile2.doc_sample.json": (PROFILE, 200, C.OK),
        "samples/finnhub/calendar_earnings_future.json": (CALENDAR, 200, C.OK),
        "samples/finnhub/error_429.json": (QUOTE, 429, C.RATE_LIMITED),
    },
    "polygon": {
        "providers/polygon/news_AAPL_page1.json": (NEWS, 200, C.OK),
        "providers/polygon/news_NFLX.json": (NEWS, 200, C.OK),
        "samples/polygon/news_example.openapi.json": (NEWS, 200, C.OK),
        "samples/polygon/error_401_no_key.json": (NEWS, 401, C.AUTH),
        "samples/polygon/error_401_unknown_key.json": (NEWS, 401, C.AUTH),
        "samples/polygon/error_403_not_authorized.json": (NEWS, 403, C.ENTITLEMENT),
        "samples/polygon/error_404_not_found.json": (NEWS, 404, C.NOT_FOUND),
        "samples/polygon/error_429.json": (NEWS, 429, C.RATE_LIMITED),
    },
    "alphavantage": {
        "providers/alphavantage/SMA_2e3849d5.csv": (CSV, 200, C.OK),
        "providers/alphavantage/macd_short.json": (SMA, 200, C.OK),
        "providers/alphavantage/mock_time_series.json": (DAILY, 200, C.OK),
        "providers/alphavantage/TIME_SERIES_DAILY_42a08190.csv": (CSV, 200, C.OK),
        "samples/alphavantage/empty_200_unknown_symbol.json": (SMA, 200, C.OK_EMPTY),
        "samples/alphavantage/error_200_bad_call.json": (SMA, 200, C.NOT_FOUND),
        "samples/alphavantage/error_200_bad_key.json": (SMA, 200, C.AUTH),
        "samples/alphavantage/info_200_burst.json": (SMA, 200, C.RATE_LIMITED),
        "samples/alphavantage/info_200_daily_cap.json": (SMA, 200, C.QUOTA_EXHAUSTED),
        "samples/alphavantage/info_200_outputsize_full.json": (DAILY, 200, C.ENTITLEMENT),
        "samples/alphavantage/info_200_premium_endpoint.json": (SMA, 200, C.ENTITLEMENT),
        "samples/alphavantage/note_200_legacy_rate.json": (SMA, 200, C.RATE_LIMITED),
    },
}
_ERROR_BODIES: dict[tuple[str, int, str], AnswerClass] = {
    ("alphavantage", 200, "Note"): C.RATE_LIMITED,
    ("alphavantage", 200, "requests per day"): C.QUOTA_EXHAUSTED,
    ("alphavantage", 200, "demo"): C.AUTH,
    ("finnhub", 401, ""): C.AUTH,
    ("finnhub", 403, ""): C.ENTITLEMENT,
    ("finnhub", 429, ""): C.RATE_LIMITED,
    ("finnhub", 200, ""): C.OK_EMPTY,
    ("polygon", 429, ""): C.RATE_LIMITED,
    ("polygon", 403, ""): C.ENTITLEMENT,
}
_OURS = [
    {
        "provider": "alphavantage",
        "status": 200,
        "body": json.dumps({"Note": "API call frequency is 5 calls per minute"}),
    },
    {"provider": "finnhub", "status": 429, "body": json.dumps(LIMIT)},
    {"provider": "polygon", "status": 403, "body": json.dumps({"status": "NOT_AUTHORIZED", "message": "x"})},
]


def _corpus() -> Path | None:
    return Path(os.environ["SALESCIENCE_CORPUS"]) if "SALESCIENCE_CORPUS" in os.environ else None


@pytest.mark.corpus
@pytest.mark.parametrize("provider", _RECORDED)
def test_recorded_answers_have_their_class(provider: str) -> None:
    """Every recorded answer of an endpoint that we ask; without the recordings, the look-alikes above stand for them."""
    root = _corpus()
    for name, (request, status, expected) in _RECORDED[provider].items() if root is not None else ():
        body = (root / name).read_bytes()
        media_type = "application/x-download" if name.endswith(".csv") else JSON
        verdict = judge(request, status, body, media_type, headers={"content-length": str(len(body))})
        assert verdict.answer_class is expected, (name, verdict.reason)
    assert any(case[1].provider == provider for case in LOOK_ALIKES)


@pytest.mark.corpus
def test_recorded_error_bodies_have_their_class() -> None:
    """Every row of the recorded list about these providers; without it the look-alikes of ``_OURS``."""
    root = _corpus()
    rows = _OURS if root is None else json.loads((root / "providers/errors/error_bodies.json").read_text())
    requests = {"finnhub": QUOTE, "polygon": NEWS, "alphavantage": SMA}
    seen = set()
    for row in rows:
        if row["provider"] in requests:
            text = row["body"]
            if root is not None and text.startswith("@"):
                text = (root / text[1:]).read_text()
            key = next(key for key in _ERROR_BODIES if key[:2] == (row["provider"], row["status"]) and key[2] in text)
            verdict = judge(requests[row["provider"]], row["status"], text)
            assert verdict.answer_class is _ERROR_BODIES[key], row
            seen.add(key)
    assert len(seen) == (len(_OURS) if root is None else len(_ERROR_BODIES))
