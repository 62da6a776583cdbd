"""Tiingo as it answers: end-of-day prices, metadata, the bulk endpoint, the ticker list, refusals.

The wire format follows recorded answers and the vendor's documentation (reference/providers.md 5). The API and the media
host share one prefix. What does not belong here: prices (``world``) and the rule of adjustment (``adjust``).

Tokens: any is accepted, except that one beginning with ``wrong`` is unknown and one beginning with ``free`` belongs to a
plan without the bulk endpoint; nobody's plan includes news. Switches (``POST /_sandbox/switches {"tiingo": {...}}``):
``symbol_cap_as_text`` refuses with status 200 and plain text, as the provider once did.
"""

from __future__ import annotations

import asyncio
import csv
import datetime as dt
import io
import zipfile
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from salescience_pipeline.sandbox import nyse
from salescience_pipeline.sandbox.adjust import Adjustment
from salescience_pipeline.sandbox.answers import Prepared, dumps
from salescience_pipeline.sandbox.app import Provider, Sandbox
from salescience_pipeline.sandbox.limits import Limit
from salescience_pipeline.sandbox.world import Bar, Company

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
_EXCHANGES = {"Nasdaq": "NASDAQ", "NYSE": "NYSE", "NYSE Arca": "NYSE ARCA"}
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
_CACHED_ADJUSTMENTS = 4096


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
        self._adjustments: OrderedDict[tuple[str, int], Adjustment] = OrderedDict()
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
        company = self._company(request.path_params["ticker"])
        world = self.sandbox.world
        frequency = params.get("resampleFreq", "daily").lower()
        if frequency not in FREQUENCIES:
            raise _Refusal(_detail(f"Error: resampleFreq must be one of {', '.join(FREQUENCIES)}.", 400))
        first, last = _date(params.get("startDate"), "startDate"), _date(params.get("endDate"), "endDate")
        newest = world.last_date(company)
        latest = first is None and last is None
        if latest:
            first = last = newest
        bars = world.bars(company.ticker, first or world.first_date(company), last or newest)
        rows = self._rows(company, bars)
        if frequency != "daily" and not latest:
            rows = [resample(group, frequency) for group in _periods(rows, frequency)]
        if params.get("sort", "").startswith("-date"):
            rows.reverse()
        return self._table(request, rows, COLUMNS, latest=latest)

    async def meta(self, request: Request) -> Response:
        """Name, exchange and span of one ticker."""
        try:
            self._authorise(request)
            company = self._company(request.path_params["ticker"])
        except _Refusal as refusal:
            return refusal.response
        world = self.sandbox.world
        return _say(
            {
                "ticker": company.dashed,
                "name": company.name,
                "description": company.description,
                "startDate": world.first_date(company).isoformat(),
                "endDate": world.last_date(company).isoformat(),
                "exchangeCode": _EXCHANGES[company.exchange],
            }
        )

    async def bulk(self, request: Request) -> Response:
        """The newest row of every listed ticker, or of those asked for."""
        try:
            if self._authorise(request).lower().startswith("free"):
                return _detail("You do not have permission to access the bulk EOD endpoint", 403)
            if self._bulk is None or self._bulk[0] != self.sandbox.world.version:
                # Thousands of companies take seconds the first time; meanwhile the other requests go on.
                async with self._building:
                    await asyncio.to_thread(self._bulk_rows)
            rows = self._bulk_rows()
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
        world = self.sandbox.world
        if self._zip is None or self._zip[0] != world.version:
            self._zip = (world.version, self._supported())
        return self._zip[1].answer(request)

    # -- parts ------------------------------------------------------------------------------------------------------

    def _authorise(self, request: Request) -> str:
        token = token_of(request)
        if token is None:
            raise _Refusal(_detail("Please supply a token", 401, {"WWW-Authenticate": "Token"}))
        if token.lower().startswith("wrong"):
            raise _Refusal(_detail("Invalid token.", 401, {"WWW-Authenticate": "Token"}))
        return token

    def _company(self, ticker: str) -> Company:
        company = None if "." in ticker else self.sandbox.world.company(ticker)
        if company is None:
            raise _Refusal(_detail(f"Error: Ticker '{ticker}' not found", 404))
        return company

    def _adjustment(self, company: Company) -> Adjustment:
        key = (company.ticker, self.sandbox.world.version)
        made = self._adjustments.get(key)
        if made is None:
            made = self._adjustments[key] = Adjustment(self.sandbox.world, company.ticker)
            if len(self._adjustments) > _CACHED_ADJUSTMENTS:
                self._adjustments.popitem(last=False)
        return made

    def _rows(self, company: Company, bars: Iterable[Bar]) -> list[dict[str, Any]]:
        """Price rows with real dates, in the order of the columns."""
        adjustment = self._adjustment(company)
        rows = []
        for bar in bars:
            shares = adjustment.splits.after(bar.date)
            factor = adjustment.crsp.after(bar.date) / shares
            rows.append(
                {
                    "date": bar.date,
                    "close": bar.close,
                    "high": bar.high,
                    "low": bar.low,
                    "open": bar.open,
                    "volume": bar.volume,
                    "adjClose": round(bar.close * factor, 10),
                    "adjHigh": round(bar.high * factor, 10),
                    "adjLow": round(bar.low * factor, 10),
                    "adjOpen": round(bar.open * factor, 10),
                    "adjVolume": round(bar.volume * shares),
                    "divCash": bar.div_cash,
                    "splitFactor": bar.split_factor,
                }
            )
        return rows

    def _bulk_rows(self) -> list[dict[str, Any]]:
        world = self.sandbox.world
        if self._bulk is None or self._bulk[0] != world.version:
            day = world.last_session
            rows = []
            for company in world.all:
                # The newest bar has no event after it: adjusted equals raw, and no history need be drawn.
                for bar in world.bars(company.ticker, day, day):
                    row = {
                        "ticker": company.dashed,
                        "date": bar.date,
                        "close": bar.close,
                        "high": bar.high,
                        "low": bar.low,
                        "open": bar.open,
                        "volume": bar.volume,
                        "adjClose": bar.close,
                        "adjHigh": bar.high,
                        "adjLow": bar.low,
                        "adjOpen": bar.open,
                        "adjVolume": bar.volume,
                        "divCash": bar.div_cash,
                        "splitFactor": bar.split_factor,
                    }
                    rows.append(row)
            self._bulk = (world.version, rows)
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

    def _supported(self) -> Prepared:
        world = self.sandbox.world
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow(("ticker", "exchange", "assetType", "priceCurrency", "startDate", "endDate"))
        for company in sorted(world.all, key=lambda c: c.dashed):
            writer.writerow(
                (
                    company.dashed,
                    _EXCHANGES[company.exchange],
                    "ETF" if company.kind == "etf" else "Stock",
                    company.currency,
                    world.first_date(company).isoformat(),
                    world.last_date(company).isoformat(),
                )
            )
        # Rebuilt every evening; the same content always gives the same archive, so that validators hold.
        built = dt.datetime.combine(world.last_session, dt.time(23, 28, 33), dt.UTC)
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            member = zipfile.ZipInfo("supported_tickers.csv", built.timetuple()[:6])
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, text.getvalue())
        headers = {"Accept-Ranges": "bytes", "Server": "AmazonS3"}
        return Prepared(
            packed.getvalue(), "application/zip", headers=headers, last_modified=built, etag=True, zippable=False
        )

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


def _periods(rows: Sequence[dict[str, Any]], frequency: str) -> list[list[dict[str, Any]]]:
    """Rows grouped by calendar week, month or year."""

    def period(row: dict[str, Any]) -> tuple[int, ...]:
        day: dt.date = row["date"]
        if frequency == "weekly":
            return day.isocalendar()[:2]
        return (day.year, day.month) if frequency == "monthly" else (day.year,)

    return [list(group) for _, group in groupby(rows, period)]


def resample(rows: Sequence[dict[str, Any]], frequency: str) -> dict[str, Any]:
    """One row for a period: first open, highest high, lowest low, last close, sums; dated with the period's end.

    A week ends on Friday, a month and a year on their last business day; a period under way with its last session.
    """
    first, last = rows[0], rows[-1]
    day: dt.date = last["date"]
    split = 1.0
    for row in rows:
        split *= row["splitFactor"]
    if frequency == "weekly":
        end = day + dt.timedelta(days=4 - day.weekday())
    else:
        beyond = dt.date(day.year + day.month // 12, day.month % 12 + 1, 1)
        end = (beyond if frequency == "monthly" else dt.date(day.year + 1, 1, 1)) - dt.timedelta(days=1)
        while end.weekday() > 4:
            end -= dt.timedelta(days=1)
    # Without another session before it, the end belongs to a holiday and the period is complete.
    complete = not nyse.sessions(day + dt.timedelta(days=1), end)
    return {
        "date": end if complete else day,
        "close": last["close"],
        "high": max(row["high"] for row in rows),
        "low": min(row["low"] for row in rows),
        "open": first["open"],
        "volume": sum(row["volume"] for row in rows),
        "adjClose": last["adjClose"],
        "adjHigh": max(row["adjHigh"] for row in rows),
        "adjLow": min(row["adjLow"] for row in rows),
        "adjOpen": first["adjOpen"],
        "adjVolume": sum(row["adjVolume"] for row in rows),
        "divCash": round(sum(row["divCash"] for row in rows), 6),
        "splitFactor": split,
    }


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
