"""Yahoo Finance as it answers: session cookie and crumb, charts, company modules, quotes, search, time series.

The wire format follows recorded answers and the behaviour that well-kept clients rely on. One prefix stands for all of
Yahoo's hosts. What does not belong here: what the answers say (``yahoo_source`` and behind it).

Switches (``POST /_sandbox/switches {"yahoo": {...}}``): ``crumb_requests`` and ``crumb_seconds`` let a crumb expire,
``consent`` answers the cookie host with the European redirect, ``null_rows`` is a list of dates whose bars are null,
``live_row`` adds the row of a session under way.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from salescience_pipeline.sandbox.answers import json_answer
from salescience_pipeline.sandbox.app import Provider, Sandbox
from salescience_pipeline.sandbox.limits import Limit
from salescience_pipeline.sandbox.yahoo_chart import ChartError
from salescience_pipeline.sandbox.yahoo_numbers import wrapped
from salescience_pipeline.sandbox.yahoo_source import FictionalSource, Source

_JSON = "application/json;charset=utf-8"
_EDGE = {
    "Referrer-Policy": "no-referrer-when-downgrade",
    "Server": "ATS",
    "Vary": "Origin,Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "X-XSS-Protection": "1; mode=block",
    "Age": "0",
}
_FRESH = {
    "chart": "public, max-age=10, stale-while-revalidate=20",
    "quote": "public, max-age=1, stale-while-revalidate=9",
    "error": "max-age=0, private",
}
_SEARCHED = (
    "Quotes",
    "News",
    "Algowatchlist",
    "PredefinedScreener",
    "Crunchbase",
    "Nav",
    "ResearchReports",
    "ScreenerField",
    "CulturalAssets",
    "SearchLists",
)
"""The parts whose search times the answer tells."""


@dataclass
class _Session:
    """What the provider remembers about one cookie."""

    crumb: str
    issued: float
    uses: int = 0


@dataclass
class _Sessions:
    """Cookies and their crumbs; a crumb is good only together with the cookie it was given to."""

    known: dict[str, _Session] = field(default_factory=dict)
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    given: int = 0

    def crumb(self, cookie: str, now: float) -> str:
        """A fresh crumb of eleven characters for ``cookie``."""
        self.given += 1
        digest = hashlib.sha256(self.secret + f"{cookie}|{self.given}".encode()).digest()
        # Slash and dot occur in real crumbs and must survive the client's URL quoting.
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789./"
        crumb = "".join(alphabet[byte % 64] for byte in digest[:11])
        self.known[cookie] = _Session(crumb, now)
        return crumb

    def accepts(self, cookie: str, crumb: str, now: float, limits: Mapping[str, Any]) -> bool:
        """Whether the pair opens the door; counts the use."""
        session = self.known.get(cookie)
        if session is None or session.crumb != crumb:
            return False
        most, seconds = limits.get("crumb_requests"), limits.get("crumb_seconds")
        if most is not None and session.uses >= most:
            return False
        if seconds is not None and now - session.issued >= seconds:
            return False
        session.uses += 1
        return True


def failure(root: str, code: str, description: str) -> dict[str, Any]:
    """Yahoo's error body under the root key of an endpoint."""
    return {root: {"result": None, "error": {"code": code, "description": description}}}


class Yahoo:
    """The endpoints, over one sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.sessions = _Sessions()
        self.source: Source
        if sandbox.corpus is not None:
            from salescience_pipeline.sandbox.yahoo_recorded import RecordedSource  # noqa: PLC0415 - one world at a time

            self.source = RecordedSource(sandbox.corpus)
        else:
            self.source = FictionalSource(sandbox)

    # -- session ----------------------------------------------------------------------------------------------------

    async def front(self, request: Request) -> Response:
        """The cookie host: it has no page, but it hands out the cookie."""
        if self.sandbox.switch("yahoo", "consent"):
            return RedirectResponse(f"{request.base_url}consent?brandType=nonEu", 307)
        response = PlainTextResponse("Not Found on this host\n", 404, headers=_EDGE)
        token = secrets.token_urlsafe(24)
        # Real cookies are bound to the domain and to TLS; on loopback neither exists.
        response.headers["Set-Cookie"] = f"A3=d={token}&S=sandbox; Max-Age=31557600; Path=/; HttpOnly"
        return response

    async def consent(self, _: Request) -> Response:
        """The page that asks Europeans for consent; it gives no cookie."""
        page = (
            "<html><head><title>Yahoo is part of a family of brands</title></head><body>Consent, please.</body></html>"
        )
        return Response(page, 200, {**_EDGE, "Content-Type": "text/html; charset=utf-8"})

    async def getcrumb(self, request: Request) -> Response:
        """A crumb for the cookie that was sent."""
        cookie = request.cookies.get("A3")
        if not cookie:
            return self._say(request, failure("finance", "Unauthorized", "Invalid Cookie"), 401)
        crumb = self.sessions.crumb(cookie, self.sandbox.clock.monotonic())
        fresh = {"Cache-Control": "private, max-age=60, stale-while-revalidate=30"}
        return Response(crumb, 200, {**_EDGE, **fresh, "Content-Type": "text/plain;charset=utf-8"})

    def _refused(self, request: Request) -> Response | None:
        crumb, cookie = request.query_params.get("crumb"), request.cookies.get("A3", "")
        now = self.sandbox.clock.monotonic()
        limits = self.sandbox.switches.get("yahoo", {})
        if crumb is not None and self.sessions.accepts(cookie, crumb, now, limits):
            return None
        return self._say(request, failure("finance", "Unauthorized", "Invalid Crumb"), 401)

    # -- data -------------------------------------------------------------------------------------------------------

    async def chart(self, request: Request) -> Response:
        """Bars of one symbol; no crumb needed."""
        try:
            body = self.source.chart(request.path_params["symbol"], request.query_params)
        except ChartError as error:
            return self._say(request, failure("chart", error.code, error.description), error.status)
        return self._say(request, body, fresh="chart")

    async def summary(self, request: Request) -> Response:
        """Modules about one company."""
        if (refused := self._refused(request)) is not None:
            return refused
        symbol = request.path_params["symbol"]
        wanted = request.query_params.get("modules", "")
        modules = self.source.modules(symbol, wanted.split(","))
        if modules is None:
            error = failure("quoteSummary", "Not Found", f"Quote not found for symbol: {symbol.upper()}")
            return self._say(request, error, 404)
        if not modules:
            text = f"No fundamentals data found for any of the summaryTypes={wanted}"
            return self._say(request, failure("quoteSummary", "Not Found", text), 404)
        if request.query_params.get("formatted", "true") != "false":
            modules = {name: wrapped(made) for name, made in modules.items()}
        return self._say(request, {"quoteSummary": {"result": [modules], "error": None}})

    async def quote(self, request: Request) -> Response:
        """Current figures of many symbols; unknown ones are left out without a word."""
        if (refused := self._refused(request)) is not None:
            return refused
        symbols = [symbol for symbol in request.query_params.get("symbols", "").split(",") if symbol]
        if not symbols:
            error = failure("quoteResponse", "Bad Request", 'Missing required query parameter="symbols"')
            return self._say(request, error, 400)
        rows = self.source.quotes(symbols)
        if wanted := request.query_params.get("fields"):
            keep = {*wanted.split(","), "language", "region", "quoteType", "symbol"}
            rows = [{name: value for name, value in row.items() if name in keep} for row in rows]
        return self._say(request, {"quoteResponse": {"result": rows, "error": None}})

    async def search(self, request: Request) -> Response:
        """Securities whose ticker or name fits; no crumb needed. There is no news yet."""
        params = request.query_params
        text = params.get("q", "").strip()
        count = int(params["quotesCount"]) if params.get("quotesCount", "").isdigit() else 6
        quotes = self.source.found(text, count) if text else []
        empty: list[Any] = []
        body = {
            "explains": empty,
            "count": len(quotes),
            "quotes": quotes,
            "news": empty,
            "nav": empty,
            "lists": empty,
            "researchReports": empty,
            "screenerFieldResults": empty,
            "totalTime": 1,
            **{f"timeTakenFor{part}": 0 for part in _SEARCHED},
        }
        return self._say(request, body)

    async def timeseries(self, request: Request) -> Response:
        """Fundamental series by type; a type without values has a row with its name and nothing else."""
        symbol = request.path_params["symbol"]
        types = [name for name in request.query_params.get("type", "").split(",") if name]
        first, last = (request.query_params.get(name, "") for name in ("period1", "period2"))
        window = (int(first) if first.isdigit() else 0, int(last) if last.isdigit() else 2**40)
        rows = self.source.series(symbol, types, window)
        return self._say(request, {"timeseries": {"result": rows, "error": None}})

    # -- phrasing ---------------------------------------------------------------------------------------------------

    def _say(self, request: Request, value: Any, status: int = 200, *, fresh: str = "quote") -> Response:
        headers = {**_EDGE, "Cache-Control": _FRESH[fresh if status == 200 else "error"]}
        return json_answer(request, value, status, content_type=_JSON, headers=headers)

    def not_found(self, request: Request) -> Response:
        """A path that Yahoo does not have."""
        return self._say(request, failure("finance", "Not Found", "HTTP 404 Not Found"), 404)

    @staticmethod
    def limited(_: str) -> Response:
        """Too fast, or too often for the edge's taste."""
        return Response("Too Many Requests\r\n", 429, {**_EDGE, "Content-Type": "text/html; charset=utf-8"})

    def reset(self) -> None:
        """Forget every cookie and crumb."""
        self.sessions = _Sessions()


def provider(sandbox: Sandbox) -> Provider:
    """Yahoo over the sandbox's world."""
    yahoo = Yahoo(sandbox)
    routes = [
        Route("/v8/finance/chart/{symbol}", yahoo.chart, name="chart"),
        Route("/v10/finance/quoteSummary/{symbol}", yahoo.summary, name="quoteSummary"),
        Route("/v7/finance/quote", yahoo.quote, name="quote"),
        Route("/v1/finance/search", yahoo.search, name="search"),
        Route(
            "/ws/fundamentals-timeseries/v1/finance/timeseries/{symbol}",
            yahoo.timeseries,
            name="fundamentals-timeseries",
        ),
        Route("/v1/test/getcrumb", yahoo.getcrumb, name="crumb"),
        Route("/consent", yahoo.consent, name="consent"),
        Route("/", yahoo.front, name="cookie"),
    ]
    return Provider(
        name="yahoo",
        routes=routes,
        not_found=yahoo.not_found,
        limited=yahoo.limited,
        # Yahoo publishes no limit; this one is a guess on the polite side, for tests that want a 429.
        limit=Limit(per_minute=360),
        reset=yahoo.reset,
    )
