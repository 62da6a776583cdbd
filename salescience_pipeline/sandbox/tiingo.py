"""Tiingo as it answers: end-of-day prices, metadata, the bulk endpoint, the ticker list, refusals.

The wire format follows recorded answers and the vendor's documentation. The API and the media host share one prefix.
What does not belong here: where the figures come from (``tiingo_source``).

Tokens: any is accepted, except that one beginning with ``wrong`` is unknown and one beginning with ``free`` belongs to a
plan without the bulk endpoint; nobody's plan includes news. Switches (``POST /_sandbox/switches {"tiingo": {...}}``):
``symbol_cap_as_text`` refuses with status 200 and plain text, as the provider once did.
"""

from __future__ import annotations

import asyncio
import csv
import datetime as dt
import io
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from salescience_pipeline.sandbox.answers import Prepared, dumps
from salescience_pipeline.sandbox.app import Provider, Sandbox
from salescience_pipeline.sandbox.limits import Limit
from salescience_pipeline.sandbox.tiingo_resample import periods, resample
from salescience_pipeline.sandbox.tiingo_source import FictionalSource, RecordedSource, Row, Source

COLUMNS = (
    "date",
    "close",
    "high",
    "low",
    "open",
    "volume",
    "adjClose",
    "adjHigh",
    "adjLow",
    "adjOpen",
    "adjVolume",
    "divCash",
    "splitFactor",
)
"""Columns of a price row in the provider's order."""
FREQUENCIES = ("daily", "weekly", "monthly", "annually")
_HEADERS = {
    "Allow": "GET, HEAD, OPTIONS",
    "Server": "nginx/1.14.0 (Ubuntu)",
    "Vary": "Accept, Cookie, Origin",
    "X-Frame-Options": "SAMEORIGIN",
}
_UPGRADE = "Please upgrade at https://api.tiingo.com/pricing to have your limits increased."
_RUN_OVER = {
    "hour": f"Error: You have run over your hourly request allocation. {_UPGRADE}",
    "day": f"Error: You have run over your daily request allocation. {_UPGRADE}",
    "symbols": f"You have run over your 500 symbol look up for this month. {_UPGRADE}",
}


def _say(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(dumps(value), status, {**_HEADERS, **(headers or {}), "Content-Type": "application/json"})


def _detail(text: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
    return _say({"detail": text}, status, headers)


class _Refusal(Exception):
    """A request that gets an error answer."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


def token_of(request: Request) -> str | None:
    """The API token of a request: from the header, else from the query."""
    header = request.headers.get("authorization", "")
    if header.lower().startswith("token "):
        return header[6:].strip() or None
    return request.query_params.get("token") or None


def _date(text: str | None, name: str) -> dt.date | None:
    if not text:
        return None
    try:
        # "2015-1-2" is understood too.
        year, month, day = (int(part) for part in text[:10].split("-"))
        return dt.date(year, month, day)
    except ValueError as error:
        raise _Refusal(_detail(f"Error: {name} must be a date as YYYY-MM-DD.", 400)) from error


class Tiingo:
    """The endpoints, over one sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.source: Source = FictionalSource(sandbox) if sandbox.corpus is None else RecordedSource(sandbox.corpus)
        self._bulk: tuple[int, list[dict[str, Any]]] | None = None
        self._zip: tuple[int, Prepared] | None = None
        self._building = asyncio.Lock()

    # -- endpoints --------------------------------------------------------------------------------------------------

    async def prices(self, request: Request) -> Response:
        """Prices of one ticker: a range, or without dates the newest row."""
        try:
            self._authorise(request)
            return self._prices(request)
        except _Refusal as refusal:
            return refusal.response

    def _prices(self, request: Request) -> Response:
        params = request.query_params
        ticker = request.path_params["ticker"]
        self._known(ticker)
        frequency = params.get("resampleFreq", "daily").lower()
        if frequency not in FREQUENCIES:
            raise _Refusal(_detail(f"Error: resampleFreq must be one of {', '.join(FREQUENCIES)}.", 400))
        first, last = _date(params.get("startDate"), "startDate"), _date(params.get("endDate"), "endDate")
        latest = first is None and last is None
        rows = self.source.newest(ticker) if latest else self.source.rows(ticker, first, last)
        if frequency != "daily" and not latest:
            rows = [resample(group, frequency) for group in periods(rows, frequency)]
        if params.get("sort", "").startswith("-date"):
            rows.reverse()
        return self._table(request, rows, COLUMNS, latest=latest)

    async def meta(self, request: Request) -> Response:
        """Name, exchange and span of one ticker."""
        try:
            self._authorise(request)
            return _say(self._known(request.path_params["ticker"]))
        except _Refusal as refusal:
            return refusal.response

    async def bulk(self, request: Request) -> Response:
        """The newest row of every listed ticker, or of those asked for."""
        try:
            if self._authorise(request).lower().startswith("free"):
                return _detail("You do not have permission to access the bulk EOD endpoint", 403)
            rows = await self._everyone()
            if wanted := request.query_params.get("tickers"):
                keep = {symbol.strip().upper() for symbol in wanted.split(",")}
                rows = [row for row in rows if row["ticker"].upper() in keep]
            return self._table(request, rows, ("ticker", *COLUMNS), latest=True)
        except _Refusal as refusal:
            return refusal.response

    async def news(self, request: Request) -> Response:
        """News belong to a plan that no token of the sandbox has."""
        try:
            self._authorise(request)
        except _Refusal as refusal:
            return refusal.response
        return _detail("You do not have permission to access the News API", 403)

    async def test(self, request: Request) -> Response:
        """The endpoint for trying out a token."""
        try:
            self._authorise(request)
        except _Refusal as refusal:
            return refusal.response
        return _say({"message": "You successfully sent a request"})

    async def supported(self, request: Request) -> Response:
        """The zipped list of every ticker, delisted ones included; no token, but validators."""
        version = self.source.version
        if self._zip is None or self._zip[0] != version:
            self._zip = (version, self.source.listing())
        return self._zip[1].answer(request)

    # -- parts ------------------------------------------------------------------------------------------------------

    def _authorise(self, request: Request) -> str:
        token = token_of(request)
        if token is None:
            raise _Refusal(_detail("Please supply a token", 401, {"WWW-Authenticate": "Token"}))
        if token.lower().startswith("wrong"):
            raise _Refusal(_detail("Invalid token.", 401, {"WWW-Authenticate": "Token"}))
        return token

    def _known(self, ticker: str) -> dict[str, Any]:
        meta = self.source.meta(ticker)
        if meta is None:
            raise _Refusal(_detail(f"Error: Ticker '{ticker}' not found", 404))
        return meta

    async def _everyone(self) -> list[Row]:
        """The newest row of everyone; thousands take seconds the first time, and meanwhile other requests go on."""
        async with self._building:
            version = self.source.version
            if self._bulk is None or self._bulk[0] != version:
                self._bulk = (version, await asyncio.to_thread(self.source.everyone))
            return self._bulk[1]

    def _table(
        self, request: Request, rows: Sequence[dict[str, Any]], columns: Sequence[str], *, latest: bool
    ) -> Response:
        """Rows as JSON or CSV; the newest row is written in another style than a range, as the provider does."""
        params = request.query_params
        if wanted := params.get("columns"):
            chosen = {name.strip() for name in wanted.split(",")}
            unknown = sorted(chosen - set(columns))
            if unknown:
                raise _Refusal(_detail(f"Error: Column '{unknown[0]}' not found", 400))
            columns = [name for name in columns if name in chosen or name in {"date", "ticker"}]
        form = params.get("format", "json").lower()
        if form == "csv":
            text = io.StringIO()
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows([row[name] for name in columns] for row in rows)
            headers = {**_HEADERS, "Content-Type": "text/csv"}
            return Prepared(text.getvalue().encode(), "text/csv", headers=headers).answer(request)
        if form != "json":
            raise _Refusal(_detail("Error: format must be json or csv.", 400))
        if latest:
            columns, suffix = sorted(columns), "T00:00:00+00:00"
        else:
            suffix = "T00:00:00.000Z"
        value = [{name: f"{row[name]}{suffix}" if name == "date" else row[name] for name in columns} for row in rows]
        return Prepared(dumps(value), "application/json", headers=_HEADERS).answer(request)

    def not_found(self, _: Request) -> Response:
        """A path that Tiingo does not have."""
        return _detail("Not found.", 404)

    def limited(self, window: str) -> Response:
        """The refusal of a quota."""
        if window == "symbols":
            if self.sandbox.switch("tiingo", "symbol_cap_as_text"):
                return Response(_RUN_OVER["symbols"], 200, {**_HEADERS, "Content-Type": "text/plain"})
            return _detail(_RUN_OVER["symbols"], 200)
        return _detail(_RUN_OVER.get(window, _RUN_OVER["hour"]), 429)

    def symbol(self, request: Request) -> str | None:
        """The ticker in the path, for the quota on distinct symbols."""
        parts = request.scope["path"].removeprefix("/tiingo/tiingo/daily/").split("/")
        named = parts[0] if request.scope["path"].startswith("/tiingo/tiingo/daily/") else ""
        return named.upper() if named and named != "prices" else None


def provider(sandbox: Sandbox) -> Provider:
    """Tiingo over the sandbox's world."""
    tiingo = Tiingo(sandbox)
    routes = [
        Route("/tiingo/daily/prices", tiingo.bulk, name="bulk"),
        Route("/tiingo/daily/{ticker}/prices", tiingo.prices, name="prices"),
        Route("/tiingo/daily/{ticker}", tiingo.meta, name="meta"),
        Route("/tiingo/news", tiingo.news, name="news"),
        Route("/tiingo/news/{rest:path}", tiingo.news, name="news"),
        Route("/docs/tiingo/daily/supported_tickers.zip", tiingo.supported, name="supported_tickers"),
        Route("/api/test", tiingo.test, name="test"),
    ]
    return Provider(
        name="tiingo",
        routes=routes,
        not_found=tiingo.not_found,
        limited=tiingo.limited,
        limit=Limit(per_hour=50, per_day=1000, symbols_per_month=500),
        account=lambda request: token_of(request) or "",
        symbol=tiingo.symbol,
    )
