"""Alpha Vantage: its recipe and what its answers mean.

Sources: alphavantage.co/documentation and recorded answers. What does not belong here: sending (``transport``), rows
(``tidy.indicators``), which indicators there are (``catalog.indicators``).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from salescience_pipeline.catalog.datasets import DATASETS
from salescience_pipeline.catalog.indicators import INDICATORS as ALL
from salescience_pipeline.catalog.indicators import Indicator
from salescience_pipeline.catalog.providers import PROVIDERS
from salescience_pipeline.catalog.symbols import provider_symbol
from salescience_pipeline.clients.classify import Dialect, Reply, Verdict, by_shape, by_status, unshaped
from salescience_pipeline.clients.model import AnswerClass, PlannedRequest, Subject
from salescience_pipeline.clients.plan import Known, Recipe, RequestPlan, Selection
from salescience_pipeline.clients.planning import OneWave, is_fresh
from salescience_pipeline.identifiers import Ticker

_BURST = dt.timedelta(seconds=1.5)
_MINUTE = dt.timedelta(seconds=60)
_LONG_AGO = dt.datetime(1, 1, 1, tzinfo=dt.UTC)
_CSV_HEAD = re.compile(r"\ufeff?(?:time|timestamp),", re.ASCII)


def _headers(_key: str | None) -> Mapping[str, str]:
    return {"Accept-Encoding": "gzip, deflate"}


def _params(key: str | None) -> tuple[tuple[str, str], ...]:
    # The key is taken in the address only.
    return (("apikey", f"{key}"),)


# -- what answers mean ------------------------------------------------------------------------------------------------
def classify(reply: Reply) -> Verdict:
    """What an answer of Alpha Vantage means; every one of its own errors comes with status 200."""
    if (verdict := by_status(reply)) is not None:
        return verdict
    if reply.request.expect == "text" and not reply.is_html and _CSV_HEAD.match(reply.text(40)):
        verdict = by_shape(reply)
        empty = verdict.answer_class is AnswerClass.OK and reply.body.read().count(b"\n") < 2
        return Verdict(AnswerClass.OK_EMPTY, "holds nothing for it") if empty else verdict
    data = None if reply.is_html or reply.body.size == 0 else reply.json_or_none
    if not isinstance(data, dict):
        shape = by_shape(reply)
        return shape if shape.answer_class is not AnswerClass.OK else unshaped()
    for name, judge in (("Error Message", _by_error), ("Information", _by_information), ("Note", _by_note)):
        if isinstance(data.get(name), str):
            return judge(data[name], reply.received_at)
    return _by_data(data, dict(reply.request.params).get("function", ""))


def _by_error(text: str, _now: dt.datetime) -> Verdict:
    if re.search(r"(?i)api ?key", text) and re.search(r"(?i)invalid or missing", text):
        return Verdict(AnswerClass.AUTH, "does not accept our credentials")
    if re.search(r"(?i)invalid api call", text):
        # The same words for a symbol that it does not know.
        return Verdict(AnswerClass.NOT_FOUND, "does not know it")
    return Verdict(AnswerClass.CONTRACT, "answered with an error that is not known")


def _by_information(text: str, now: dt.datetime) -> Verdict:
    """Burst, day's cap, plan and key share one field; a burst also speaks of 25 requests a day, a cap of premium plans."""
    if re.search(r"(?i)spreading out|1 request per second", text):
        return Verdict(AnswerClass.RATE_LIMITED, "says that we ask too fast", now + _BURST)
    if re.search(r"(?i)requests per day", text):
        return Verdict(AnswerClass.QUOTA_EXHAUSTED, "says that the allowance of the day is spent", _next_day(now))
    if re.search(r"(?i)premium (?:endpoint|feature)", text):
        return Verdict(AnswerClass.ENTITLEMENT, "does not let us use this endpoint")
    if re.search(r"(?i)api ?key", text):
        return Verdict(AnswerClass.AUTH, "does not accept our credentials")
    return Verdict(AnswerClass.CONTRACT, "answered with a notice that is not known")


def _by_note(text: str, now: dt.datetime) -> Verdict:
    """The older throttle, 5 a minute and 500 a day."""
    if re.search(r"(?i)call frequency|per minute", text):
        return Verdict(AnswerClass.RATE_LIMITED, "says that we ask too fast", now + _MINUTE)
    return Verdict(AnswerClass.CONTRACT, "answered with a notice that is not known")


def _by_data(data: Mapping[str, Any], function: str) -> Verdict:
    if not data:
        return Verdict(AnswerClass.OK_EMPTY, "holds nothing for it")
    values = next((data[name] for name in data if name.startswith(("Technical Analysis", "Time Series"))), None)
    if "Meta Data" not in data or not isinstance(values, dict):
        # Overviews, earnings and searches have no such frame.
        if function in ALL:
            return unshaped("Meta Data" if "Meta Data" not in data else f"Technical Analysis: {function}")
        return unshaped() if "Meta Data" in data or values is not None else Verdict(AnswerClass.OK)
    return Verdict(AnswerClass.OK) if values else Verdict(AnswerClass.OK_EMPTY, "holds nothing for it")


def _next_day(now: dt.datetime) -> dt.datetime:
    zone = ZoneInfo(PROVIDERS["alphavantage"].timezone)
    return dt.datetime.combine(now.astimezone(zone).date() + dt.timedelta(days=1), dt.time(), zone)


DIALECT = Dialect(
    provider="alphavantage",
    headers=_headers,
    params=_params,
    classify=classify,
    needs_credential=True,
    has_plan=True,
)


# -- requests ---------------------------------------------------------------------------------------------------------
def indicator(ticker: Ticker, wanted: Indicator, interval: str = "daily") -> PlannedRequest:
    """The whole history of one indicator of one ticker; its endpoint is named by it, since plans differ by indicator."""
    details = {"indicator": wanted.name, "params_key": wanted.params_key, "interval": interval}
    return PlannedRequest(
        "alphavantage",
        wanted.name.lower(),
        "api",
        "/query",
        Subject(pair_key(ticker, wanted), ticker=ticker, details=details),
        params=(
            ("function", wanted.name),
            ("symbol", provider_symbol("alphavantage", ticker)),
            ("interval", interval),
            *wanted.params,
            ("series_type", wanted.price),
        ),
    )


def daily(ticker: Ticker) -> PlannedRequest:
    """The last hundred daily bars as traded: one call from which every indicator can be computed."""
    params = (
        ("function", "TIME_SERIES_DAILY"),
        ("symbol", provider_symbol("alphavantage", ticker)),
        ("outputsize", "compact"),
    )
    return PlannedRequest("alphavantage", "daily", "api", "/query", Subject(ticker, ticker=ticker), params=params)


def pair_key(ticker: Ticker, wanted: Indicator) -> str:
    """The key under which one indicator of one ticker is told about, e.g. ``IBM:RSI``."""
    return f"{ticker}:{wanted.name}"


# -- recipe -----------------------------------------------------------------------------------------------------------
def rotation(
    tickers: Sequence[Ticker], known: Known, *, wanted: Sequence[Indicator] = tuple(ALL.values())
) -> list[tuple[Ticker, Indicator]]:
    """All pairs of ticker and indicator, those never read first, then those read longest ago."""

    def read_at(pair: tuple[Ticker, Indicator]) -> dt.datetime:
        coverage = known.coverage.get(pair_key(*pair))
        return coverage.checked_at if coverage is not None else _LONG_AGO

    return sorted(((ticker, each) for ticker in dict.fromkeys(tickers) for each in wanted), key=read_at)


@dataclass(frozen=True, slots=True)
class Indicators(OneWave):
    """One call per ticker and indicator, as many as the day's allowance lets, in rotation."""

    def plan(self, selection: Selection, known: Known) -> RequestPlan:
        """One request per pair that is not fresh, oldest first; what the allowance does not hold waits for its turn."""
        max_age = DATASETS[selection.dataset].refresh_after
        pairs = rotation(selection.tickers, known)
        fresh = tuple(pair_key(*pair) for pair in pairs if is_fresh(pair_key(*pair), max_age, selection, known))
        due = [pair for pair in pairs if pair_key(*pair) not in set(fresh)]
        chosen = due if known.allowance is None else due[: max(known.allowance, 0)]
        waiting = len(due) - len(chosen)
        why = "One call brings the whole history of one indicator of one ticker."
        if waiting:
            why = f"{why[:-1]}; {waiting:,} of {len(due):,} wait for another day, as today's allowance is used up."
        requests = tuple(indicator(*pair) for pair in chosen)
        return RequestPlan(selection.dataset, "alphavantage", requests, minimum=len(requests), why=why, fresh=fresh)


@dataclass(frozen=True, slots=True)
class Daily(OneWave):
    """One call per ticker, as many as the day's allowance lets."""

    def plan(self, selection: Selection, known: Known) -> RequestPlan:
        """One request per ticker that was not read in the last day; what the allowance does not hold waits."""
        max_age = DATASETS[selection.dataset].refresh_after
        tickers = tuple(dict.fromkeys(selection.tickers))
        fresh = tuple(ticker for ticker in tickers if is_fresh(ticker, max_age, selection, known))
        due = [ticker for ticker in tickers if ticker not in set(fresh)]
        chosen = due if known.allowance is None else due[: max(known.allowance, 0)]
        why = "One call brings the last hundred days of a ticker."
        if len(chosen) < len(due):
            why = f"{why[:-1]}; {len(due) - len(chosen):,} of {len(due):,} wait for another day."
        requests = tuple(daily(ticker) for ticker in chosen)
        return RequestPlan(selection.dataset, "alphavantage", requests, minimum=len(requests), why=why, fresh=fresh)


INDICATORS: Recipe = Indicators()
DAILY: Recipe = Daily()
