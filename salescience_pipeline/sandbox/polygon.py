"""Polygon (Massive) as it answers: market news with cursors, daily bars, reference lists, refusals.

The wire format follows recorded answers and the vendor's documentation. What does not belong here: where the rows come
from (``polygon_source``) and how lists are asked (``polygon_query``).

Keys: any is accepted, except that one beginning with ``wrong`` is unknown and one beginning with ``free`` belongs to a plan
with two years of bars. ``next_url`` points to the sandbox's own host, without the provider's segment, because clients put
its path behind a base of their own; the sandbox serves these paths with and without that segment. Switches
(``POST /_sandbox/switches {"polygon": {...}}``): ``empty_429`` refuses without a body, ``delayed`` says DELAYED for OK.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Iterator
from typing import Any
from zoneinfo import ZoneInfo

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from salescience_pipeline.sandbox.answers import Prepared, dumps
from salescience_pipeline.sandbox.app import Provider, Sandbox
from salescience_pipeline.sandbox.limits import Limit
from salescience_pipeline.sandbox.polygon_query import BadQuery, Query, page, read_day, read_moment, read_query
from salescience_pipeline.sandbox.polygon_source import FictionalSource, RecordedSource, Row, Source

FREE_BARS = dt.timedelta(days=730)
"""How far back bars reach on the free plan."""
_RANGE_LIMIT, _RANGE_MOST = 5000, 50_000
_EASTERN = ZoneInfo("America/New_York")
_TIMEFRAME = "Your plan doesn't include this data timeframe. Please upgrade your plan at https://polygon.io/pricing"
_ENTITLED = "You are not entitled to this data. Please upgrade your plan at https://polygon.io/pricing"
_TOO_MANY = (
    "You've exceeded the maximum requests per minute, please wait or upgrade your subscription to continue. "
    "https://polygon.io/pricing"
)


class _Refusal(Exception):
    """A request that gets an error answer: status, the provider's word for it, the text and the text's key."""

    def __init__(self, status: int, word: str, text: str, key: str = "error") -> None:
        super().__init__(text)
        self.status, self.word, self.text, self.key = status, word, text, key


def token_of(request: Request) -> str | None:
    """The API key of a request: from the header, else from the query."""
    header = request.headers.get("authorization", "")
    if header.lower().startswith("bearer "):
        return header[7:].strip() or None
    return request.query_params.get("apiKey") or None


def _request_id(request: Request) -> str:
    """An id that depends on what was asked, never on the key: the same question has the same bytes for an answer."""
    asked = sorted(item for item in request.query_params.multi_items() if item[0] != "apiKey")
    path = request.scope["path"].removeprefix("/polygon")
    return hashlib.md5(f"{path}{asked}".encode(), usedforsecurity=False).hexdigest()


class Polygon:
    """The endpoints, over one sandbox; each gives the body without what all bodies have in common."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.source: Source = FictionalSource(sandbox) if sandbox.corpus is None else RecordedSource(sandbox.corpus)

    # -- news -------------------------------------------------------------------------------------------------------

    def news(self, request: Request, _: bool) -> dict[str, Any]:
        """Articles of the market or about one ticker, by time of publication."""
        query = read_query(request.query_params, default=10, most=1000, sorts=("published_utc",), newest=True)
        published, ticker = query.window("published_utc", read_moment), query.window("ticker")
        exact = query.params.get("published_utc", "")
        rows = (
            row
            for row in self._stories(query, ticker.equal)
            if (len(exact) == 10 and row["published_utc"].startswith(exact))
            or (len(exact) != 10 and published.lets(read_moment(row["published_utc"])))
        )
        if not ticker.open and ticker.equal is None:
            rows = (row for row in rows if any(ticker.lets(name) for name in row["tickers"]))
        return self._listed(request, rows, query, lambda row: (row["published_utc"], row["id"]))

    def _stories(self, query: Query, ticker: str | None) -> Iterator[Row]:
        """Articles from the days that can hold what is asked for."""
        published = query.window("published_utc", read_moment)
        lows = [m for m in (published.gt, published.gte, published.equal) if m is not None]
        highs = [m for m in (published.lt, published.lte, published.equal) if m is not None]
        if query.after is not None:
            (highs if query.newest else lows).append(read_moment(query.after[0]))
        first = max(lows).date() if lows else None
        last = min(highs).date() if highs else None
        return self.source.news(first, last, ticker, newest=query.newest)

    # -- bars -------------------------------------------------------------------------------------------------------

    def grouped(self, request: Request, free: bool) -> dict[str, Any]:
        """Every security's bar of one day; no ``results`` when there was no session."""
        day = self._date(request.path_params["date"])
        self._in_plan(day, free)
        rows = self.source.grouped(day, adjusted=_adjusted(request))
        body: dict[str, Any] = {"queryCount": len(rows), "resultsCount": len(rows), "adjusted": _adjusted(request)}
        return body | ({"results": rows} if rows else {}) | {"status": "OK", "count": len(rows)}

    def bars(self, request: Request, free: bool) -> dict[str, Any]:
        """The daily bars of one ticker, both days included."""
        path = request.path_params
        first, last = self._date(path["start"]), self._date(path["end"])
        self._in_plan(first, free)
        if path["timespan"] in {"second", "minute", "hour"}:
            raise _Refusal(403, "NOT_AUTHORIZED", _ENTITLED, "message")
        if (path["timespan"], path["multiplier"]) != ("day", "1"):
            raise BadQuery("The sandbox has bars of one day only.")
        params = request.query_params
        text = params.get("limit") or str(_RANGE_LIMIT)
        if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= _RANGE_MOST:
            raise BadQuery(f"The parameter 'limit' must be a number from 1 to {_RANGE_MOST}.")
        rows = self.source.bars(path["ticker"], first, last, adjusted=_adjusted(request))
        if params.get("sort", "asc") == "desc":
            rows.reverse()
        return _bars(path["ticker"], rows[: int(text)], adjusted=_adjusted(request))

    def previous(self, request: Request, _: bool) -> dict[str, Any]:
        """The bar of the last session."""
        ticker = request.path_params["ticker"]
        last = self.sandbox.world.last_session
        rows = self.source.bars(ticker, last - dt.timedelta(days=10), last, adjusted=_adjusted(request))
        return _bars(ticker, [{"T": ticker, **row} for row in rows[-1:]], adjusted=_adjusted(request))

    # -- reference --------------------------------------------------------------------------------------------------

    def tickers(self, request: Request, _: bool) -> dict[str, Any]:
        """Who is or was listed."""
        query = read_query(
            request.query_params, default=100, most=1000, sorts=("ticker", "name", "cik", "market"), newest=False
        )
        window, params = query.window("ticker"), query.params
        active = params.get("active", "true").lower() != "false"
        on = self._date(params["date"]) if params.get("date") else None
        rows = [
            row
            for row in self.source.tickers(on)
            if row["active"] == active
            and window.lets(row["ticker"])
            and params.get("type", row["type"]) == row["type"]
            and params.get("market", "stocks") == "stocks"
            and params.get("exchange", row["primary_exchange"]) == row["primary_exchange"]
            and ("cik" not in params or params["cik"].zfill(10) == row.get("cik"))
            and params.get("search", "").lower() in f"{row['ticker']} {row['name']}".lower()
        ]

        def key(row: Row) -> tuple[str, str]:
            return str(row.get(query.sort, "")), f"{row['ticker']}/{row.get('cik', '')}"

        rows.sort(key=key, reverse=query.newest)
        return self._listed(request, rows, query, key)

    def details(self, request: Request, _: bool) -> dict[str, Any]:
        """One listed ticker in detail."""
        found = self.source.details(request.path_params["ticker"])
        if found is None:
            raise _Refusal(404, "NOT_FOUND", "Ticker not found.", "message")
        return {"results": found, "status": "OK"}

    def splits(self, request: Request, _: bool) -> dict[str, Any]:
        """Splits of one ticker or of all."""
        return self._actions(request, "execution_date", self.source.splits)

    def dividends(self, request: Request, _: bool) -> dict[str, Any]:
        """Dividends of one ticker or of all."""
        return self._actions(request, "ex_dividend_date", self.source.dividends)

    def _actions(self, request: Request, day: str, find: Callable[[str | None], list[Row]]) -> dict[str, Any]:
        query = read_query(request.query_params, default=10, most=1000, sorts=(day, "ticker"), newest=True)
        ticker, days = query.window("ticker"), query.window(day, read_day)
        rows = [row for row in find(ticker.equal) if ticker.lets(row["ticker"]) and days.lets(row[day])]

        def key(row: Row) -> tuple[str, str]:
            return str(row[query.sort]), f"{row['ticker']}/{row[day]}"

        rows.sort(key=key, reverse=query.newest)
        return self._listed(request, rows, query, key, count=False)

    def upcoming(self, _: Request, __: bool) -> list[Row]:
        """Days of the coming year on which the exchanges are shut or close early."""
        return self.source.upcoming()

    # -- parts ------------------------------------------------------------------------------------------------------

    @staticmethod
    def _date(text: str) -> dt.date:
        try:
            return dt.date.fromisoformat(read_day(text))
        except ValueError as error:
            raise BadQuery(f"Could not parse the date {text!r}: use YYYY-MM-DD or Unix milliseconds.") from error

    def _in_plan(self, day: dt.date, free: bool) -> None:
        if free and day < self.sandbox.world.today - FREE_BARS:
            raise _Refusal(403, "NOT_AUTHORIZED", _TIMEFRAME, "message")

    @staticmethod
    def _listed(
        request: Request, rows: Any, query: Query, key: Callable[[Row], tuple[str, str]], *, count: bool = True
    ) -> dict[str, Any]:
        """One page of a list, and the address of the next one on the host that was asked."""
        taken, cursor = page(rows, query, key)
        body: dict[str, Any] = {"results": taken, "status": "OK"}
        if count:
            body["count"] = len(taken)
        if cursor is not None:
            path = request.scope["path"].removeprefix("/polygon")
            body["next_url"] = f"{request.url.scheme}://{request.url.netloc}{path}?cursor={cursor}"
        return body

    def endpoint(self, answer: Callable[[Request, bool], Any]) -> Callable[[Request], Any]:
        """The HTTP side of an endpoint: the key first, the work in a thread, because a first answer may take long."""

        async def respond(request: Request) -> Response:
            try:
                free = self._authorise(request)
                value = await run_in_threadpool(answer, request, free)
            except BadQuery as error:
                return self._error(request, _Refusal(400, "ERROR", str(error)))
            except _Refusal as refusal:
                return self._error(request, refusal)
            if isinstance(value, dict):
                if self.sandbox.switch("polygon", "delayed"):
                    value["status"] = "DELAYED"
                value["request_id"] = _request_id(request)
            headers = {"X-Request-Id": _request_id(request), "Vary": "Accept-Encoding"}
            return Prepared(dumps(value), "application/json", headers=headers).answer(request)

        return respond

    def _authorise(self, request: Request) -> bool:
        token = token_of(request)
        if token is None:
            raise _Refusal(401, "ERROR", "API Key was not provided")
        if token.lower().startswith("wrong"):
            raise _Refusal(401, "ERROR", "Unknown API Key")
        return token.lower().startswith("free")

    def premium(self, request: Request, _: bool) -> Any:
        """What no key of the sandbox pays for."""
        del request
        raise _Refusal(403, "NOT_AUTHORIZED", _ENTITLED, "message")

    @staticmethod
    def _error(request: Request, refusal: _Refusal) -> Response:
        body = {"status": refusal.word, "request_id": _request_id(request), refusal.key: refusal.text}
        return Response(dumps(body), refusal.status, media_type="application/json")

    def not_found(self, _: Request) -> Response:
        """A path that Polygon does not have."""
        return Response("404 page not found\n", 404, media_type="text/plain")

    def limited(self, window: str) -> Response:
        """The refusal of the limit."""
        if self.sandbox.switch("polygon", "empty_429"):
            return Response(b"", 429, media_type="application/json")
        request_id = hashlib.md5(window.encode(), usedforsecurity=False).hexdigest()
        body = {"status": "ERROR", "request_id": request_id, "error": _TOO_MANY}
        return Response(dumps(body), 429, media_type="application/json")


def _adjusted(request: Request) -> bool:
    return request.query_params.get("adjusted", "true").lower() != "false"


def _bars(ticker: str, rows: list[Row], *, adjusted: bool) -> dict[str, Any]:
    """The body of a bar request; without bars there is no ``results``."""
    body: dict[str, Any] = {"ticker": ticker, "queryCount": len(rows), "resultsCount": len(rows), "adjusted": adjusted}
    return body | ({"results": rows} if rows else {}) | {"status": "OK", "count": len(rows)}


def provider(sandbox: Sandbox) -> Provider:
    """Polygon over the sandbox's world."""
    polygon = Polygon(sandbox)
    table: list[tuple[str, str, Callable[[Request, bool], Any]]] = [
        ("/v2/reference/news", "news", polygon.news),
        ("/v2/aggs/grouped/locale/us/market/stocks/{date}", "grouped", polygon.grouped),
        ("/v2/aggs/ticker/{ticker}/range/{multiplier}/{timespan}/{start}/{end}", "bars", polygon.bars),
        ("/v2/aggs/ticker/{ticker}/prev", "previous", polygon.previous),
        ("/v3/reference/tickers", "tickers", polygon.tickers),
        ("/v3/reference/tickers/{ticker}", "details", polygon.details),
        ("/v3/reference/splits", "splits", polygon.splits),
        ("/v3/reference/dividends", "dividends", polygon.dividends),
        ("/v1/marketstatus/upcoming", "upcoming", polygon.upcoming),
        ("/v3/trades/{ticker}", "premium", polygon.premium),
        ("/v3/quotes/{ticker}", "premium", polygon.premium),
        ("/v2/snapshot/{rest:path}", "premium", polygon.premium),
    ]
    return Provider(
        name="polygon",
        routes=[Route(path, polygon.endpoint(answer), name=name) for path, name, answer in table],
        not_found=polygon.not_found,
        limited=polygon.limited,
        limit=Limit(per_minute=5),
        account=lambda request: token_of(request) or "",
        root_paths=("/v2/reference/", "/v2/aggs/", "/v2/snapshot/", "/v3/", "/v1/marketstatus/"),
    )
