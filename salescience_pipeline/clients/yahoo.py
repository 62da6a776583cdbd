"""Yahoo Finance: its recipes, its session and what its answers mean.

Sources: recorded answers and what well-kept clients rely on; Yahoo documents nothing. What does not belong here:
sending (``transport``), rows (``tidy.prices``, ``tidy.companies``).
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from salescience_pipeline.catalog.datasets import DATASETS
from salescience_pipeline.catalog.symbols import provider_symbol
from salescience_pipeline.clients.classify import Dialect, Extras, Reply, SessionReply, Verdict, by_shape, by_status
from salescience_pipeline.clients.errors import AuthFailed, ProviderError
from salescience_pipeline.clients.model import AnswerClass, PlannedRequest, Subject
from salescience_pipeline.clients.plan import Known, Recipe, RequestPlan, Selection
from salescience_pipeline.clients.planning import OneWave, call_per_ticker, is_covered, is_fresh
from salescience_pipeline.identifiers import Ticker

PROFILE_MODULES = ("assetProfile", "price", "summaryDetail", "defaultKeyStatistics")
_USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"
_ROOTS = {"chart": "chart", "profile": "quoteSummary", "quote": "quoteResponse"}
_SESSION_ENDPOINTS = frozenset({"profile", "quote"})
"""Endpoints that want cookie and crumb; charts are answered without."""
_LONGEST_CRUMB = 64
_SULK_SECONDS = 60.0
"""How long a session that could not be had is not asked for again."""


def _headers(_credential: str | None) -> Mapping[str, str]:
    # Yahoo turns away clients that do not look like a browser.
    return {"User-Agent": _USER_AGENT, "Accept": "*/*", "Accept-Encoding": "gzip, deflate"}


def classify(reply: Reply) -> Verdict:
    """What an answer of Yahoo means; its errors are JSON under the same root as its data."""
    endpoint = reply.request.endpoint
    if endpoint in {"cookie", "crumb"}:
        return _classify_session(reply)
    if reply.status == 999:
        # Yahoo's own number for "too many requests", older than 429.
        return Verdict(AnswerClass.RATE_LIMITED, "says that we ask too fast")
    data = None if reply.is_html else reply.json_or_none
    error = _error_of(data)
    if reply.status == 404 and error.get("code") == "Not Found":
        return Verdict(AnswerClass.NOT_FOUND, "does not know it")
    if reply.status == 404:
        return Verdict(AnswerClass.CONTRACT, "answered with status 404 and no reason that is known")
    if reply.status == 400 and endpoint == "chart" and "Data doesn't exist" in str(error.get("description")):
        return Verdict(AnswerClass.OK_EMPTY, "holds no prices for these days")
    verdict = by_status(reply) or by_shape(reply)
    return verdict if verdict.answer_class is not AnswerClass.OK else _by_result(endpoint, data)


def _by_result(endpoint: str, data: Any) -> Verdict:
    root = data.get(_ROOTS.get(endpoint, "")) if isinstance(data, dict) else None
    if not isinstance(root, dict) or root.get("error") or not isinstance(root.get("result"), list):
        return Verdict(AnswerClass.CONTRACT, "sent an answer without its documented shape")
    result = root["result"]
    if endpoint == "chart" and result:
        # A window without a bar has no "timestamp" key at all.
        whole = isinstance(result[0], dict) and "meta" in result[0] and "indicators" in result[0]
        if not whole or ("timestamp" not in result[0] and _holds_bars(result[0]["indicators"])):
            return Verdict(AnswerClass.CONTRACT, "sent an answer without its documented shape")
        result = result[0].get("timestamp") or []
    return Verdict(AnswerClass.OK) if result else Verdict(AnswerClass.OK_EMPTY, "holds nothing for it")


def _holds_bars(indicators: Any) -> bool:
    quotes = indicators.get("quote") if isinstance(indicators, dict) else None
    columns = quotes[0].values() if isinstance(quotes, list) and quotes and isinstance(quotes[0], dict) else ()
    return any(isinstance(column, list) and column for column in columns)


def _error_of(data: Any) -> dict[str, Any]:
    roots = [value for value in data.values() if isinstance(value, dict)] if isinstance(data, dict) else []
    return next((root["error"] for root in roots if isinstance(root.get("error"), dict)), {})


def _classify_session(reply: Reply) -> Verdict:
    if reply.request.endpoint == "cookie":
        # The page itself does not matter (it is a 404 in life): it is asked for its cookie.
        if reply.has_cookie and reply.status < 500 and reply.status != 429:
            return Verdict(AnswerClass.OK)
        return by_status(reply) or Verdict(AnswerClass.CONTRACT, "gave no cookie")
    verdict = by_status(reply)
    if verdict is not None:
        return verdict
    text = reply.text()
    if "too many requests" in text.lower():
        return Verdict(AnswerClass.RATE_LIMITED, "says that we ask too fast")
    if not text or len(text) > _LONGEST_CRUMB or "<" in text or "{" in text or any(map(str.isspace, text)):
        return Verdict(AnswerClass.TRANSIENT, "sent something else where a crumb is due")
    return Verdict(AnswerClass.OK)


class CrumbSession:
    """Cookie and crumb: fetched when first needed, shared by all threads of a transport, renewed when refused."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._extras: Extras | None = None
        self._failure: tuple[float, ProviderError] | None = None

    def applies_to(self, request: PlannedRequest) -> bool:
        """Whether ``request`` needs cookie and crumb."""
        return request.endpoint in _SESSION_ENDPOINTS

    def open(self, ask: Callable[[PlannedRequest, Mapping[str, str]], SessionReply]) -> Extras:
        """The crumb as a parameter and the cookie as a header.

        Raises:
            ProviderError: when Yahoo gives none; repeated for a minute without asking again.
        """
        with self._lock:
            if self._extras is not None:
                return self._extras
            if self._failure is not None and self._clock() - self._failure[0] < _SULK_SECONDS:
                raise self._failure[1]
            try:
                self._extras = self._fetch(ask)
            except ProviderError as error:
                self._failure = (self._clock(), error)
                raise
            self._failure = None
            return self._extras

    def drop(self, extras: Extras) -> None:
        """Forget ``extras``, unless another thread has renewed it already."""
        with self._lock:
            if self._extras is extras:
                self._extras = None

    def _fetch(self, ask: Callable[[PlannedRequest, Mapping[str, str]], SessionReply]) -> Extras:
        subject = Subject("*")
        cookie = ask(PlannedRequest("yahoo", "cookie", "cookie", "/", subject, expect="any"), {})
        pairs = "; ".join(f"{name}={value}" for name, value in cookie.cookies.items())
        crumb = ask(
            PlannedRequest("yahoo", "crumb", "query1", "/v1/test/getcrumb", subject, expect="text"), {"Cookie": pairs}
        )
        if not pairs or not crumb.text:
            raise AuthFailed("Yahoo Finance gave no session.", provider="yahoo", endpoint="crumb", subject="*")
        return Extras((("crumb", crumb.text),), {"Cookie": pairs})


DIALECT = Dialect(
    provider="yahoo",
    headers=_headers,
    classify=classify,
    new_session=CrumbSession,
)


def chart(ticker: Ticker, first: dt.date, last: dt.date, *, until: dt.date | None = None) -> PlannedRequest:
    """Daily bars of one ticker from ``first`` to ``last``, both inclusive, with dividends and splits.

    ``until`` widens the window without widening what is meant: Yahoo rescales its past prices on the morning of a split, and
    only an answer that reaches that day names it.
    """

    def midnight(day: dt.date) -> str:
        return str(int(dt.datetime.combine(day, dt.time(), dt.UTC).timestamp()))

    return PlannedRequest(
        "yahoo",
        "chart",
        "query2",
        f"/v8/finance/chart/{_symbol(ticker)}",
        Subject(ticker, ticker=ticker),
        params=(
            ("period1", midnight(first)),
            ("period2", midnight(max(last, until or last) + dt.timedelta(days=1))),
            ("interval", "1d"),
            ("events", "div,splits,capitalGains"),
        ),
        first_date=first,
        last_date=last,
    )


def profile(ticker: Ticker) -> PlannedRequest:
    """The modules of a company's profile in one call."""
    return PlannedRequest(
        "yahoo",
        "profile",
        "query2",
        f"/v10/finance/quoteSummary/{_symbol(ticker)}",
        Subject(ticker, ticker=ticker),
        params=(("modules", ",".join(PROFILE_MODULES)), ("formatted", "false")),
    )


def _symbol(ticker: Ticker) -> str:
    return quote(provider_symbol("yahoo", ticker), safe="")


@dataclass(frozen=True, slots=True)
class Chart(OneWave):
    """The whole history of a ticker in one chart call."""

    def plan(self, selection: Selection, known: Known) -> RequestPlan:
        """One request per ticker that is not covered; the whole span, as every split rescales Yahoo's past prices."""
        first = min(selection.start, known.last_session)
        return call_per_ticker(
            selection,
            "yahoo",
            "One chart call brings the whole history of a ticker.",
            ask=lambda ticker: chart(ticker, first, known.last_session, until=known.today),
            is_current=lambda ticker: is_covered(ticker, selection, known),
        )


@dataclass(frozen=True, slots=True)
class Profile(OneWave):
    """All modules of a profile in one call."""

    def plan(self, selection: Selection, known: Known) -> RequestPlan:
        """One request per ticker whose profile is not fresh; cookie and crumb are two more, once per transport."""
        max_age = DATASETS[selection.dataset].refresh_after
        return call_per_ticker(
            selection,
            "yahoo",
            "One call brings every part of a profile.",
            ask=profile,
            is_current=lambda ticker: is_fresh(ticker, max_age, selection, known),
        )


CHART: Recipe = Chart()
PROFILE: Recipe = Profile()
