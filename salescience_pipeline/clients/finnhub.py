"""Finnhub: its recipes and what its answers mean.

Sources: finnhub.io/docs/api and recorded answers. What does not belong here: sending (``transport``), rows
(``tidy.quotes``, ``tidy.news`` and their neighbours).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from salescience_pipeline.catalog.datasets import DATASETS
from salescience_pipeline.catalog.sessions import NEW_YORK
from salescience_pipeline.catalog.symbols import provider_symbol
from salescience_pipeline.clients.classify import Dialect, Reply, Verdict, by_shape, by_status, lacking, unshaped
from salescience_pipeline.clients.model import Answer, AnswerClass, PlannedRequest, Subject
from salescience_pipeline.clients.plan import Known, Recipe, Refusal, RequestPlan, Selection
from salescience_pipeline.clients.planning import (
    OneWave,
    call_for_market,
    call_per_ticker,
    has_data,
    is_day_current,
    is_fresh,
    is_settled,
    json_of,
)
from salescience_pipeline.identifiers import Ticker

CUT_AT = {"company_news": 200, "earnings_calendar": 1_500}
"""Rows from which on a list may have been cut: its cap is not documented."""
NEWS_OVERLAP = dt.timedelta(days=2)
"""How far before the days asked for a range of news begins: late articles, and days that Finnhub counts in UTC."""
_CALENDAR_ROOM = 1_200
"""Reports that are planned into one list: what is announced between two readings still fits below the cap."""
CALENDAR_BACK, CALENDAR_AHEAD = dt.timedelta(days=7), dt.timedelta(days=45)
"""Span of a reading of the calendar around the days asked for: results that came late, and the dates of the quarter."""
_LONGEST_NEWS = dt.timedelta(days=365)
"""Longest range of one call for news."""
_SHUT_OUT_SECONDS = 600.0


def _headers(token: str | None) -> Mapping[str, str]:
    return {"X-Finnhub-Token": f"{token}", "Accept-Encoding": "gzip, deflate"}


# -- what answers mean ------------------------------------------------------------------------------------------------
def classify(reply: Reply) -> Verdict:
    """What an answer of Finnhub means; an object with ``error`` is one, whatever the status says."""
    if (300 <= reply.status < 400 and reply.status != 304) or (reply.status == 403 and reply.is_html):
        # Who is penalised is led to a web page; asking on would prolong it.
        until = reply.received_at + dt.timedelta(seconds=_SHUT_OUT_SECONDS)
        return Verdict(AnswerClass.BLOCKED, "shuts us out with a web page", until)
    data = None if reply.is_html or reply.body.size == 0 else reply.json_or_none
    if isinstance(data, dict) and isinstance(data.get("error"), str):
        return _by_error(reply, data["error"])
    verdict = by_status(reply) or by_shape(reply)
    return verdict if verdict.answer_class is not AnswerClass.OK else _by_data(reply.request.endpoint, data)


def _by_error(reply: Reply, error: str) -> Verdict:
    if re.search(r"(?i)\blimit\b", error) or reply.status == 429:
        told = by_status(reply) if reply.status == 429 else None
        return Verdict(AnswerClass.RATE_LIMITED, "says that we ask too fast", told.retry_at if told else None)
    if re.search(r"(?i)\baccess\b", error):
        # Also seen with status 401, which would be about the key.
        return Verdict(AnswerClass.ENTITLEMENT, "does not let us use this endpoint")
    if re.search(r"(?i)\bapi ?key\b|\btoken\b", error) and reply.status in {200, 401, 403}:
        return Verdict(AnswerClass.AUTH, "does not accept our credentials")
    return by_status(reply) or Verdict(AnswerClass.CONTRACT, "answered with an error that is not known")


def _by_data(endpoint: str, data: Any) -> Verdict:
    """The verdict on whole JSON by the shape that each endpoint documents; nothing known is said in several ways."""
    check = _SHAPES.get(endpoint)
    holds = check(data) if check is not None else bool(data)
    if isinstance(holds, str):
        return unshaped(holds or None)
    return Verdict(AnswerClass.OK) if holds else Verdict(AnswerClass.OK_EMPTY, "holds nothing for it")


def _quote(data: Any) -> bool | str:
    field = lacking([data], ("c", "h", "l", "o", "pc", "t"))
    # An unknown symbol is answered with zeros.
    return field if field is not None else any(data[name] not in (0, None) for name in ("c", "t"))


def _list_of(*fields: str) -> Callable[[Any], bool | str]:
    def check(data: Any) -> bool | str:
        field = lacking(data, fields) if isinstance(data, list) else ""
        return field if field is not None else bool(data)

    return check


def _calendar(data: Any) -> bool | str:
    field = lacking([data], ("earningsCalendar",))
    if field is not None:
        return field
    rows = data["earningsCalendar"]
    return bool(rows) if rows is None or isinstance(rows, list) else ""


def _metric(data: Any) -> bool | str:
    if data == {}:
        return False
    field = lacking([data], ("metric",))
    if field is not None:
        return field
    if not isinstance(data["metric"], dict):
        return ""
    return bool(data["metric"] or any((data.get("series") or {}).values()))


def _profile(data: Any) -> bool | str:
    if data == {}:
        return False
    field = lacking([data], ("name",))
    return True if field is None else field


_SHAPES: Mapping[str, Callable[[Any], bool | str]] = {
    "quote": _quote,
    "company_news": _list_of("id", "datetime", "headline"),
    "metric": _metric,
    "earnings": _list_of("period"),
    "earnings_calendar": _calendar,
    "profile": _profile,
}
"""Endpoint -> whether an answer holds something; the field that it lacks when it has not the documented shape."""

DIALECT = Dialect(provider="finnhub", headers=_headers, classify=classify, needs_credential=True, has_plan=True)


# -- requests ---------------------------------------------------------------------------------------------------------
def _about(endpoint: str, path: str, ticker: Ticker, *params: tuple[str, str], **span: dt.date) -> PlannedRequest:
    return PlannedRequest(
        "finnhub",
        endpoint,
        "api",
        f"/api/v1{path}",
        Subject(ticker, ticker=ticker),
        params=(("symbol", provider_symbol("finnhub", ticker)), *params),
        first_date=span.get("first"),
        last_date=span.get("last"),
    )


def quote(ticker: Ticker, day: dt.date) -> PlannedRequest:
    """The last trade of one ticker, asked for on ``day``."""
    return _about("quote", "/quote", ticker, first=day, last=day)


def company_news(
    ticker: Ticker, first: dt.date, last: dt.date, *, begin: dt.date | None = None, end: dt.date | None = None
) -> PlannedRequest:
    """News of one ticker that settles the days from ``first`` to ``last``; the range itself may begin and end elsewhere."""
    span = (("from", (begin or first).isoformat()), ("to", (end or last).isoformat()))
    return _about("company_news", "/company-news", ticker, *span, first=first, last=last)


def metric(ticker: Ticker) -> PlannedRequest:
    """All metrics of one ticker, with their time series."""
    return _about("metric", "/stock/metric", ticker, ("metric", "all"))


def earnings(ticker: Ticker) -> PlannedRequest:
    """Reported and estimated earnings of one ticker's last quarters."""
    return _about("earnings", "/stock/earnings", ticker)


def profile(ticker: Ticker) -> PlannedRequest:
    """Who a company is, in one call."""
    return _about("profile", "/stock/profile2", ticker)


def earnings_calendar(
    first: dt.date, last: dt.date, *, begin: dt.date | None = None, end: dt.date | None = None
) -> PlannedRequest:
    """The market's reports around the days from ``first`` to ``last``."""
    begin, end = begin or first - CALENDAR_BACK, end or last + CALENDAR_AHEAD
    return PlannedRequest(
        "finnhub",
        "earnings_calendar",
        "api",
        "/api/v1/calendar/earnings",
        Subject("*", details={"date": first.isoformat()}),
        params=(("from", begin.isoformat()), ("to", end.isoformat())),
        first_date=first,
        last_date=last,
    )


# -- recipes ----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Quotes(OneWave):
    """One call per ticker; there is no call for several, and none for the past."""

    def plan(self, selection: Selection, known: Known) -> RequestPlan:
        """One request per ticker whose quote of today is not just polled."""
        requests: list[PlannedRequest] = []
        fresh: list[str] = []
        refused: list[Refusal] = []
        for ticker in dict.fromkeys(selection.tickers):
            for day in sorted(set(selection.dates)):
                key = f"{ticker}|{day}"
                if day < known.today and not is_settled(key, known):
                    refused.append(Refusal(key, "missing", f"Finnhub gives no quotes of {day}, only of now."))
                elif day < known.today or is_day_current(ticker, day, selection, known):
                    fresh.append(key)
                elif not selection.force and _is_unknown(key, known):
                    refused.append(Refusal(key, "empty", f"Finnhub knows no {ticker}; it is asked again tomorrow."))
                else:
                    requests.append(quote(ticker, day))
        return RequestPlan(
            selection.dataset,
            "finnhub",
            tuple(requests),
            minimum=len(requests),
            why="One call per ticker brings its last trade.",
            fresh=tuple(fresh),
            refused=tuple(refused),
        )


def _is_unknown(key: str, known: Known) -> bool:
    """Whether an earlier poll of the day was answered with nothing: a symbol that has no last trade has none all day."""
    coverage = known.coverage.get(key)
    return coverage is not None and coverage.status == "empty"


@dataclass(frozen=True, slots=True)
class CompanyNews(OneWave):
    """One range per ticker from its watermark, whatever number of days that is."""

    def plan(self, selection: Selection, known: Known) -> RequestPlan:
        """One request per ticker with a day that is not current, and one more per further year of days."""
        requests: list[PlannedRequest] = []
        fresh: list[str] = []
        days = sorted(set(selection.dates))
        for ticker in dict.fromkeys(selection.tickers):
            open_days = [day for day in days if not is_day_current(ticker, day, selection, known)]
            if open_days:
                requests += _ranges(ticker, open_days[0], open_days[-1], known)
            else:
                fresh += [f"{ticker}|{day}" for day in days]
        return RequestPlan(
            selection.dataset,
            "finnhub",
            tuple(requests),
            minimum=len(requests),
            why="One range per ticker reaches from its oldest open day to its newest, with two days of overlap.",
            fresh=tuple(fresh),
        )

    def follow_ups(self, answer: Answer, selection: Selection, known: Known) -> tuple[PlannedRequest, ...]:  # noqa: ARG002
        """The older part of a range whose answer is so long that it may have been cut."""
        older = _rest(answer, "datetime", json_of(answer) if has_data(answer) else None)
        request, ticker = answer.request, answer.request.subject.ticker
        if older is None or ticker is None or request.first_date is None or request.last_date is None:
            return ()
        return (company_news(ticker, request.first_date, request.last_date, begin=older[0], end=older[1]),)


def _ranges(ticker: Ticker, first: dt.date, last: dt.date, known: Known) -> list[PlannedRequest]:
    """The days from ``first`` to ``last`` in calls of a year at most, each with its overlap."""
    calls = []
    while first <= last:
        until = min(last, first + _LONGEST_NEWS - NEWS_OVERLAP - dt.timedelta(days=2))
        # An evening in New York is the next day in UTC.
        end = min(until + dt.timedelta(days=1), max(known.now.date(), until))
        calls.append(company_news(ticker, first, until, begin=first - NEWS_OVERLAP, end=end))
        first = until + dt.timedelta(days=1)
    return calls


def _rest(answer: Answer, field: str, rows: Any) -> tuple[dt.date, dt.date] | None:
    """The part of the range before the oldest row, which a cut list (newest first) may lack; None when it is whole."""
    params = dict(answer.request.params)
    if not isinstance(rows, list) or len(rows) < CUT_AT[answer.request.endpoint]:
        return None
    begin, end = dt.date.fromisoformat(params["from"]), dt.date.fromisoformat(params["to"])
    days = [day for row in rows if isinstance(row, dict) and (day := _day(row.get(field))) is not None]
    until = min([*days, end])
    if until >= end:
        # One day fills the list: what it lacks cannot be had, the days before it can.
        until = end - dt.timedelta(days=1)
    return (begin, until) if until >= begin else None


def _day(value: Any) -> dt.date | None:
    if isinstance(value, str):
        try:
            return dt.date.fromisoformat(value[:10])
        except ValueError:
            return None
    plain = isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**33
    return dt.datetime.fromtimestamp(value, dt.UTC).date() if plain else None


@dataclass(frozen=True, slots=True)
class EarningsCalendar(OneWave):
    """One list for the whole market, around all days that are asked for; several where it would be longer than its cap."""

    def plan(self, selection: Selection, known: Known) -> RequestPlan:
        """One request from the oldest open day to the newest, as many more as the last reading's length calls for, or none."""
        return call_for_market(
            selection,
            known,
            "finnhub",
            "One list names every report of the market around the days asked for.",
            ask=lambda days: _windows(days[0], days[-1], known.reports_by_day),
        )

    def follow_ups(self, answer: Answer, selection: Selection, known: Known) -> tuple[PlannedRequest, ...]:  # noqa: ARG002
        """The older part of the range, when the list may have been cut."""
        rows = json_of(answer).get("earningsCalendar") if has_data(answer) else None
        older, request = _rest(answer, "date", rows), answer.request
        if older is None or request.first_date is None or request.last_date is None:
            return ()
        return (earnings_calendar(request.first_date, request.last_date, begin=older[0], end=older[1]),)


def _windows(first: dt.date, last: dt.date, reports: Mapping[dt.date, int]) -> Iterator[PlannedRequest]:
    """The calendar around the days from ``first`` to ``last`` in the fewest lists that can be whole.

    Days are taken one after the other until a list is full, which no other cut betters; the days of a list are neighbours.
    """
    begin, end = first - CALENDAR_BACK, last + CALENDAR_AHEAD
    held = 0
    for day in [begin + dt.timedelta(days=offset) for offset in range((end - begin).days + 1)]:
        if held and held + reports.get(day, 0) > _CALENDAR_ROOM:
            yield earnings_calendar(first, last, begin=begin, end=day - dt.timedelta(days=1))
            begin, held = day, 0
        held += reports.get(day, 0)
    yield earnings_calendar(first, last, begin=begin, end=end)


@dataclass(frozen=True, slots=True)
class PerTicker(OneWave):
    """One call per ticker, when it reported since, or when what is stored is too old."""

    request: Callable[[Ticker], PlannedRequest]
    why: str

    def plan(self, selection: Selection, known: Known) -> RequestPlan:
        """One request per ticker that is not current."""
        max_age = DATASETS[selection.dataset].refresh_after

        def is_current(ticker: Ticker) -> bool:
            return is_fresh(ticker, max_age, selection, known) and not _reported_since(ticker, known)

        return call_per_ticker(selection, "finnhub", self.why, ask=self.request, is_current=is_current)


def _reported_since(ticker: Ticker, known: Known) -> bool:
    """Whether the newest report is not older than the last look: on its own day it may not have been out."""
    report = known.reports.get(ticker)
    return report is not None and known.coverage[ticker].checked_at.astimezone(NEW_YORK).date() <= report


_WHO_REPORTED = "One call per ticker that reported since it was last read, or was not read for long."

QUOTES: Recipe = Quotes()
COMPANY_NEWS: Recipe = CompanyNews()
EARNINGS_CALENDAR: Recipe = EarningsCalendar()
METRICS: Recipe = PerTicker(metric, _WHO_REPORTED)
EARNINGS: Recipe = PerTicker(earnings, _WHO_REPORTED)
PROFILES: Recipe = PerTicker(profile, "One call brings a company's profile.")
