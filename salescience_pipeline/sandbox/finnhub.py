"""Finnhub as it answers: quotes, news, fundamentals, the earnings calendar, refusals.

The wire format follows recorded answers and the vendor's documentation. Paths may begin with ``/api/v1`` or not. What
does not belong here: where the figures come from (``finnhub_source``).

Tokens: any is accepted, except that one beginning with ``wrong`` is unknown and one beginning with ``free`` belongs to a
plan with one year of company news, one month of past calendar and four quarters of earnings. Switches
(``POST /_sandbox/switches {"finnhub": {...}}``): ``penalised`` sends every request away to a page for people, as was seen
with clients that asked too much; ``refusal_as_200`` sends the refusal of a limit with status 200, as was seen too.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from salescience_pipeline.fiction.news import CATEGORIES
from salescience_pipeline.sandbox.answers import Prepared, dumps
from salescience_pipeline.sandbox.app import Provider, Sandbox
from salescience_pipeline.sandbox.finnhub_source import FictionalSource, RecordedSource, Source
from salescience_pipeline.sandbox.limits import Limit

FREE_NEWS_DAYS = 365
"""How far back company news reach on the free plan."""
FREE_CALENDAR_DAYS = 31
FREE_QUARTERS = 4
_HEADERS = {"Access-Control-Allow-Origin": "*", "Server": "cloudflare", "Vary": "Accept-Encoding"}
_LIMIT = "API limit reached. Please try again later. Remaining Limit: 0"
_NO_ACCESS = "You don't have access to this resource."
_PREMIUM = (
    "/stock/candle",
    "/news-sentiment",
    "/press-releases",
    "/stock/dividend",
    "/stock/split",
    "/stock/price-target",
    "/stock/profile",
    "/stock/transcripts",
    "/forex/candle",
    "/crypto/candle",
    "/indicator",
)


def _say(value: Any, status: int = 200) -> Response:
    return Response(dumps(value), status, {**_HEADERS, "Content-Type": "application/json; charset=utf-8"})


def _error(text: str, status: int) -> Response:
    return _say({"error": text}, status)


class _Refusal(Exception):
    """A request that gets an error answer."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


def token_of(request: Request) -> str | None:
    """The API key of a request: from the header, else from the query."""
    return request.headers.get("x-finnhub-token") or request.query_params.get("token") or None


def _needed(request: Request, name: str) -> str:
    value = request.query_params.get(name)
    if not value:
        raise _Refusal(_error(f"Missing parameter {name}.", 422))
    return value


def _day(request: Request, name: str, default: dt.date | None = None) -> dt.date:
    text = request.query_params.get(name) if default is not None else _needed(request, name)
    if not text and default is not None:
        return default
    try:
        return dt.date.fromisoformat(str(text))
    except ValueError as error:
        raise _Refusal(_error(f"Wrong date format for {name}: YYYY-MM-DD.", 422)) from error


def _count(request: Request, name: str) -> int | None:
    text = request.query_params.get(name)
    if not text:
        return None
    if not text.isascii() or not text.isdigit():
        raise _Refusal(_error(f"The parameter {name} is a number.", 422))
    return int(text)


class Finnhub:
    """The endpoints, over one sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.source: Source = FictionalSource(sandbox) if sandbox.corpus is None else RecordedSource(sandbox.corpus)

    # -- endpoints: the request and whether its key is on the free plan ---------------------------------------------

    def quote(self, request: Request, _: bool) -> Any:
        """The last price; zeros for an unknown symbol."""
        empty = {"c": 0, "d": None, "dp": None, "h": 0, "l": 0, "o": 0, "pc": 0, "t": 0}
        return self.source.quote(_needed(request, "symbol")) or empty

    def company_news(self, request: Request, free: bool) -> Any:
        """Articles about a company from one UTC day to another, newest first."""
        symbol, first, last = _needed(request, "symbol"), _day(request, "from"), _day(request, "to")
        if free:
            first = max(first, self.sandbox.world.today - dt.timedelta(days=FREE_NEWS_DAYS))
        return self.source.company_news(symbol, first, last)

    def news(self, request: Request, _: bool) -> Any:
        """The newest articles about no company in particular, with ids above ``minId``."""
        category = _needed(request, "category")
        if category not in CATEGORIES:
            raise _Refusal(_error(f"The category is one of {', '.join(CATEGORIES)}.", 422))
        return self.source.market_news(category, _count(request, "minId") or 0)

    def metric(self, request: Request, _: bool) -> Any:
        """Figures and series of a company; empty ones for an unknown symbol."""
        symbol, wanted = _needed(request, "symbol"), request.query_params.get("metric") or "all"
        empty = {"metric": {}, "metricType": wanted, "series": {}, "symbol": symbol}
        return self.source.metric(symbol, wanted) or empty

    def earnings(self, request: Request, free: bool) -> Any:
        """Quarters that were told, newest first."""
        symbol, most = _needed(request, "symbol"), _count(request, "limit")
        if free:
            most = min(most or FREE_QUARTERS, FREE_QUARTERS)
        return self.source.earnings(symbol)[:most]

    def calendar(self, request: Request, free: bool) -> Any:
        """Reports from one day to another, the latest first; without days a week from today."""
        today = self.sandbox.world.today
        first = _day(request, "from", today)
        last = _day(request, "to", max(today, first) + dt.timedelta(days=7))
        if free:
            first = max(first, today - dt.timedelta(days=FREE_CALENDAR_DAYS))
        return {"earningsCalendar": self.source.calendar(first, last, request.query_params.get("symbol") or None)}

    def profile(self, request: Request, _: bool) -> Any:
        """Who a company is; an empty object for an unknown symbol."""
        params = request.query_params
        if not (params.get("symbol") or params.get("isin") or params.get("cusip")):
            raise _Refusal(_error("Missing parameter symbol.", 422))
        return self.source.profile(params.get("symbol", "")) or {}

    def symbols(self, request: Request, _: bool) -> Any:
        """Everybody on an exchange; only the United States are known."""
        return self.source.symbols() if _needed(request, "exchange") == "US" else []

    def market_status(self, request: Request, _: bool) -> Any:
        """Whether the exchange is open."""
        if _needed(request, "exchange") != "US":
            raise _Refusal(_error("This exchange is not known.", 422))
        return self.source.market_status()

    # -- HTTP -------------------------------------------------------------------------------------------------------

    def endpoint(self, answer: Callable[[Request, bool], Any]) -> Callable[[Request], Any]:
        """The HTTP side of an endpoint: the key first, the work in a thread, because a first answer may take long."""

        async def respond(request: Request) -> Response:
            try:
                free = self._authorise(request)
                value = await run_in_threadpool(answer, request, free)
            except _Refusal as refusal:
                return refusal.response
            return Prepared(dumps(value), "application/json; charset=utf-8", headers=_HEADERS).answer(request)

        return respond

    async def premium(self, request: Request) -> Response:
        """What no key of the sandbox pays for."""
        try:
            self._authorise(request)
        except _Refusal as refusal:
            return refusal.response
        return _error(_NO_ACCESS, 403)

    async def page(self, _: Request) -> Response:
        """Where a penalised client is sent."""
        return HTMLResponse("<!DOCTYPE html><html><head><title>Stock API</title></head><body>Welcome.</body></html>")

    def _authorise(self, request: Request) -> bool:
        if self.sandbox.switch("finnhub", "penalised"):
            raise _Refusal(RedirectResponse("/finnhub/", 302))
        token = token_of(request)
        if token is None:
            raise _Refusal(_error("Please use an API key.", 401))
        if token.lower().startswith("wrong"):
            raise _Refusal(_error("Invalid API key", 401))
        return token.lower().startswith("free")

    def not_found(self, request: Request) -> Response:
        """A path that Finnhub does not have."""
        del request
        return Response("404 page not found\n", 404, {**_HEADERS, "Content-Type": "text/plain; charset=utf-8"})

    def limited(self, _: str) -> Response:
        """The refusal of any limit."""
        return _error(_LIMIT, 200 if self.sandbox.switch("finnhub", "refusal_as_200") else 429)


def provider(sandbox: Sandbox) -> Provider:
    """Finnhub over the sandbox's world."""
    finnhub = Finnhub(sandbox)
    table: list[tuple[str, str, Callable[[Request, bool], Any]]] = [
        ("/quote", "quote", finnhub.quote),
        ("/company-news", "company_news", finnhub.company_news),
        ("/news", "news", finnhub.news),
        ("/stock/metric", "metric", finnhub.metric),
        ("/stock/earnings", "earnings", finnhub.earnings),
        ("/calendar/earnings", "earnings_calendar", finnhub.calendar),
        ("/stock/profile2", "profile", finnhub.profile),
        ("/stock/symbol", "symbols", finnhub.symbols),
        ("/stock/market-status", "market_status", finnhub.market_status),
    ]
    # The official client writes two slashes between its base and the path.
    prefixes = ("", "/", "/api/v1", "/api/v1/")
    routes = [
        Route(f"{prefix}{path}", finnhub.endpoint(answer), name=name)
        for prefix in prefixes
        for path, name, answer in table
    ]
    routes += [Route(f"{prefix}{path}", finnhub.premium, name="premium") for prefix in prefixes for path in _PREMIUM]
    routes.append(Route("/", finnhub.page, name="page"))
    return Provider(
        name="finnhub",
        routes=routes,
        not_found=finnhub.not_found,
        limited=finnhub.limited,
        limit=Limit(per_second=30, per_minute=60),
        account=lambda request: token_of(request) or "",
    )
