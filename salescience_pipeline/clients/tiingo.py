"""Tiingo: its recipes and what its answers mean.

Sources: tiingo.com/documentation and recorded answers. What does not belong here: sending (``transport``), rows
(``tidy.prices``).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from salescience_pipeline.catalog.symbols import provider_symbol
from salescience_pipeline.clients.classify import Dialect, Reply, Verdict, by_shape, by_status, lacking, unshaped
from salescience_pipeline.clients.errors import NotArchived, NotEntitled, ProviderError
from salescience_pipeline.clients.model import Answer, AnswerClass, PlannedRequest, Subject
from salescience_pipeline.clients.plan import Known, Recipe, Refusal, RequestPlan, Selection
from salescience_pipeline.clients.planning import OneWave, call_per_ticker, has_data, is_covered, json_of
from salescience_pipeline.clients.price_days import LOOK_AGAIN, DaysToAsk, days_to_ask, reaches_back, span_to_ask
from salescience_pipeline.identifiers import Ticker

_LONGEST_QUERY = 1_800
"""Characters of ``tickers=...`` up to which the bulk call is narrowed; beyond, the whole market is one call as well."""
_SPENT = re.compile(r"(?i)\brun over\b.*\b(?:allocation|symbol|bandwidth|limit)", re.DOTALL)
_TYPICAL_ACTIONS = 4 / 252
"""Share of tickers with a dividend or split on one day: quarterly payers."""


def _headers(token: str | None) -> Mapping[str, str]:
    return {"Authorization": f"Token {token}", "Accept-Encoding": "gzip, deflate"}


def classify(reply: Reply) -> Verdict:
    """What an answer of Tiingo means; a spent allowance comes as 429, 403 or 200, as JSON or as plain text."""
    if reply.request.host == "media":
        return by_status(reply) or by_shape(reply)
    if reply.status in {200, 403, 429} and (spent := _spent(reply)) is not None:
        return spent
    verdict = by_status(reply)
    if verdict is None and reply.media_type == "text/plain" and not reply.is_html and reply.json_or_none is None:
        return Verdict(AnswerClass.CONTRACT, "sent plain text where JSON is due")
    verdict = verdict or by_shape(reply)
    if verdict.answer_class is not AnswerClass.OK:
        return verdict
    return _by_rows(reply)


def _by_rows(reply: Reply) -> Verdict:
    """The verdict on whole JSON: prices are a list of rows, a ticker's description is an object."""
    data = reply.parsed
    if reply.request.endpoint == "meta":
        described = isinstance(data, dict) and "ticker" in data
        return Verdict(AnswerClass.OK) if described else unshaped()
    if not isinstance(data, list):
        return unshaped()
    if not data:
        return Verdict(AnswerClass.OK_EMPTY, "holds no prices for these days")
    needed = ("date", "close", "adjClose", "divCash", "splitFactor")
    field = lacking(data, (*needed, "ticker") if reply.request.endpoint == "eod_bulk" else needed)
    return Verdict(AnswerClass.OK) if field is None else unshaped(field or None)


def _spent(reply: Reply) -> Verdict | None:
    """The verdict on a spent allowance: an answer without rows, whose text says which window it is about."""
    text = reply.text()
    data = reply.json_or_none if reply.body.size < 10_000 else None
    if isinstance(data, dict):
        text = str(data.get("detail", data.get("message", "")))
    elif data is not None or reply.is_html or reply.body.size >= 10_000:
        return None
    if not _SPENT.search(text):
        return None
    now = reply.received_at
    if re.search(r"(?i)hour", text):
        until = now.replace(minute=0, second=0, microsecond=0) + dt.timedelta(hours=1)
    elif re.search(r"(?i)month|symbol", text):
        first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        until = (first + dt.timedelta(days=32)).replace(day=1)
    else:
        until = now.replace(hour=0, minute=0, second=0, microsecond=0) + dt.timedelta(days=1)
    return Verdict(AnswerClass.QUOTA_EXHAUSTED, "says that the allowance of the plan is spent", until)


DIALECT = Dialect(provider="tiingo", headers=_headers, classify=classify, needs_credential=True, has_plan=True)


def eod_range(ticker: Ticker, first: dt.date, last: dt.date, **details: str) -> PlannedRequest:
    """End-of-day rows of one ticker from ``first`` to ``last``, both inclusive."""
    return PlannedRequest(
        "tiingo",
        "eod",
        "api",
        f"/tiingo/daily/{_symbol(ticker)}/prices",
        Subject(ticker, ticker=ticker, details=details),
        params=(("startDate", first.isoformat()), ("endDate", last.isoformat())),
        first_date=first,
        last_date=last,
    )


def eod_bulk(day: dt.date, tickers: Iterable[Ticker] = ()) -> PlannedRequest:
    """The newest row of all tickers (expected to be of ``day``), narrowed to ``tickers`` while the URL stays short."""
    params: tuple[tuple[str, str], ...] = (("tickers", ",".join(sorted(_spelled(ticker) for ticker in tickers))),)
    if not params[0][1] or len(urlencode(params)) > _LONGEST_QUERY:
        params = ()
    subject = Subject("*", details={"date": day.isoformat()})
    return PlannedRequest(
        "tiingo", "eod_bulk", "api", "/tiingo/daily/prices", subject, params=params, first_date=day, last_date=day
    )


def meta(ticker: Ticker) -> PlannedRequest:
    """Name, exchange and the span of prices of a ticker."""
    path = f"/tiingo/daily/{_symbol(ticker)}"
    return PlannedRequest("tiingo", "meta", "api", path, Subject(ticker, ticker=ticker))


def supported_tickers() -> PlannedRequest:
    """The daily list of all tickers with their spans of prices; needs no token, has validators."""
    path = "/docs/tiingo/daily/supported_tickers.zip"
    return PlannedRequest("tiingo", "supported_tickers", "media", path, Subject("*"), conditional=True, expect="zip")


def _spelled(ticker: Ticker) -> str:
    return provider_symbol("tiingo", ticker)


def _symbol(ticker: Ticker) -> str:
    return quote(_spelled(ticker), safe="")


def _rows(answer: Answer) -> list[dict[str, Any]]:
    rows = json_of(answer) if has_data(answer) else []
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def has_action(row: Mapping[str, Any]) -> bool:
    """Whether ``row`` is an ex-date: a split or a cash dividend, which changes the adjusted past."""
    return _figure(row.get("splitFactor"), 1.0) != 1.0 or _figure(row.get("divCash"), 0.0) > 0.0


def _figure(value: object, otherwise: float) -> float:
    """A number, also one that came as text; what is none is the tidy function's to judge."""
    try:
        return float(value) if isinstance(value, int | float | str) and value else otherwise
    except ValueError:
        return otherwise


@dataclass(frozen=True, slots=True)
class EodDaily(OneWave):
    """The newest session in one bulk call, older days in one ranged call per ticker."""

    def plan(self, selection: Selection, known: Known) -> RequestPlan:
        """One bulk call if only the newest session is missing, else one call per ticker from first to last gap."""
        days = days_to_ask(selection, known)
        early = sorted(day for day in set(selection.dates) if day > known.last_session)
        refused = (
            *(Refusal(f"*|{day}", "missing", f"The end-of-day prices of {day} are not out yet.") for day in early),
            *days.refused,
        )
        spared = {*days.gaps, *days.quiet, *(refusal.key.partition("|")[0] for refusal in days.refused)}
        if days.is_newest_only:
            requests: tuple[PlannedRequest, ...] = (eod_bulk(known.last_session, (*days.gaps, *days.quiet)),)
            why = "Only the newest session is missing: one call for all, then the tickers with a split or dividend."
        else:
            requests = tuple(_ranges(days, known))
            why = "One call per ticker from its first to its last missing day."
        return RequestPlan(
            selection.dataset,
            "tiingo",
            requests,
            minimum=len(requests),
            why=why if requests else "Every day asked for is there, or cannot be had.",
            expected_follow_ups=round(len(days.gaps) * _TYPICAL_ACTIONS) if days.is_newest_only else 0,
            fresh=tuple(ticker for ticker in dict.fromkeys(selection.tickers) if ticker not in spared),
            refused=refused,
        )

    def follow_ups(self, answer: Answer, selection: Selection, known: Known) -> tuple[PlannedRequest, ...]:
        """The whole history of tickers with a split or dividend, whose adjusted past has changed.

        After the bulk call also one ranged call for each ticker that it did not name with the day asked for, while it
        did others: only the provider's own word tells an unknown ticker from a quiet one. One that was quiet for long and
        stands in the list again is taken whole.
        """
        request = answer.request
        if request.subject.details.get("reason"):
            return ()
        if request.endpoint == "eod_bulk":
            return self._after_bulk(answer, selection, known)
        ticker, first, rows = request.subject.ticker, request.first_date, _rows(answer)
        if ticker is None or first is None or not rows or not reaches_back(ticker, first, known):
            return ()
        again = request.subject.details.get("quiet") is not None
        return (_whole(ticker, selection, known),) if again or any(map(has_action, rows)) else ()

    def _after_bulk(self, answer: Answer, selection: Selection, known: Known) -> tuple[PlannedRequest, ...]:
        day, days = known.last_session, days_to_ask(selection, known)
        rows = {str(row.get("ticker", "")).upper(): row for row in _rows(answer)}
        today = {symbol: row for symbol, row in rows.items() if str(row.get("date", ""))[:10] == day.isoformat()}
        if answer.answer_class is AnswerClass.NOT_FOUND:
            return tuple(_ranges(days, known))
        if not today:
            return ()
        follow = []
        for ticker in days.gaps:
            row = today.get(_spelled(ticker))
            if row is None:
                follow.append(eod_range(ticker, day, day))
            elif has_action(row):
                follow.append(_whole(ticker, selection, known))
        return (*follow, *(_whole(ticker, selection, known) for ticker in days.quiet if _spelled(ticker) in today))

    def fallbacks(
        self, request: PlannedRequest, error: ProviderError | NotArchived, selection: Selection, known: Known
    ) -> tuple[PlannedRequest, ...]:
        """One ranged call per ticker where the plan of the key does not hold the bulk call."""
        if request.endpoint != "eod_bulk" or not isinstance(error, NotEntitled):
            return ()
        return tuple(_ranges(days_to_ask(selection, known), known))


def _ranges(days: DaysToAsk, known: Known) -> Iterator[PlannedRequest]:
    """One call per ticker: over its gaps, over its whole series, or for one that was quiet since it was last asked for."""
    for ticker, missing in days.gaps.items():
        yield eod_range(ticker, *span_to_ask(ticker, missing, known))
    for ticker, since in days.quiet.items():
        if known.last_session - since >= LOOK_AGAIN:
            yield eod_range(ticker, since + dt.timedelta(days=1), known.last_session, quiet=since.isoformat())


def _whole(ticker: Ticker, selection: Selection, known: Known) -> PlannedRequest:
    stored = known.series.get(ticker)
    first = min(selection.start, known.last_session, *((stored.first,) if stored is not None else ()))
    return eod_range(ticker, first, known.last_session, reason="corporate action")


@dataclass(frozen=True, slots=True)
class EodHistory(OneWave):
    """The whole history of a ticker in one ranged call."""

    def plan(self, selection: Selection, known: Known) -> RequestPlan:
        """One request per ticker that is not covered from the start to the newest session.

        Always the whole span: one call either way, and a split or dividend since has changed every adjusted price
        before it, so that an increment alone could leave two bases of adjustment in one series.
        """
        return call_per_ticker(
            selection,
            "tiingo",
            "One ranged call brings the whole history of a ticker.",
            ask=lambda ticker: eod_range(ticker, min(selection.start, known.last_session), known.last_session),
            is_current=lambda ticker: is_covered(ticker, selection, known),
        )


EOD_DAILY: Recipe = EodDaily()
EOD_HISTORY: Recipe = EodHistory()
