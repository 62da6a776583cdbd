"""Alpha Vantage as it answers: daily prices, technical indicators, overview and earnings, and every error with status 200.

The wire format follows recorded answers and public client code. What does not belong here: the figures
(``alphavantage_source``) and the formulas of the indicators (``indicators``).

Keys: any is accepted as one of the free plan, except that one beginning with ``wrong`` is unknown, ``demo`` is the demo
key, and one beginning with ``premium`` has premium endpoints too. Switches (``POST /_sandbox/switches {"alphavantage":
{...}}``): ``macd_premium`` makes MACD a premium endpoint, ``bad_key_as_information`` tells about an unknown key under
``Information``, as was seen too.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from salescience_pipeline.sandbox.alphavantage_source import (
    INDICATORS,
    PREMIUM_SERIES,
    SERIES,
    BadCall,
    FictionalSource,
    RecordedSource,
    Source,
    Table,
)
from salescience_pipeline.sandbox.answers import Prepared
from salescience_pipeline.sandbox.app import Provider, Sandbox
from salescience_pipeline.sandbox.limits import Limit

_SITE = "https://www.alphavantage.co"
_THANKS = "Thank you for using Alpha Vantage!"
_NO_KEY = (
    "the parameter apikey is invalid or missing. Please claim your free API key on "
    f"({_SITE}/support/#api-key). It should take less than 20 seconds."
)
_DEMO = (
    "The **demo** API key is for demo purposes only. Please claim your free API key at "
    f"({_SITE}/support/#api-key) to explore our full API offerings. It takes fewer than 20 seconds."
)
_PREMIUM = (
    f"{_THANKS} This is a premium endpoint. You may subscribe to any of the premium plans at {_SITE}/premium/ to "
    "instantly unlock all premium endpoints"
)
_FULL = (
    f"{_THANKS} The outputsize=full parameter value is a premium feature for the TIME_SERIES_DAILY endpoint. You may "
    f"subscribe to any of the premium plans at {_SITE}/premium/ to instantly unlock all premium features"
)
_BURST = (
    f"{_THANKS} Please consider spreading out your free API requests more sparingly (1 request per second). You may "
    f"subscribe to any of the premium plans at {_SITE}/premium/ to lift the free key rate limit (25 requests per day), "
    "raise the per-second burst limit, and instantly unlock all premium endpoints"
)
_DAY = (
    "We have detected your API key as {key} and our standard API rate limit is 25 requests per day. Please subscribe to "
    f"any of the premium plans at {_SITE}/premium/ to instantly remove all daily rate limits."
)
_NOTE = (
    f"{_THANKS} Our standard API call frequency is 5 calls per minute and 500 calls per day. Please visit "
    f"{_SITE}/premium/ if you would like to target a higher API call frequency."
)
_HEADERS = {"Allow": "GET, HEAD, OPTIONS", "Vary": "Cookie, Accept-Encoding", "X-Frame-Options": "DENY"}


def bad_call(function: str) -> str:
    """The sentence about a call that makes no sense, an unknown symbol among them."""
    return f"Invalid API call. Please retry or visit the documentation ({_SITE}/documentation/) for {function}."


def _say(request: Request, value: Any) -> Response:
    """JSON with blanks and lines, as the provider writes it."""
    body = json.dumps(value, indent=4, ensure_ascii=False).encode()
    return Prepared(body, "application/json", headers=_HEADERS).answer(request)


class _Told(Exception):
    """An answer that is no data: the key of the only field, and its text."""

    def __init__(self, key: str, text: str) -> None:
        super().__init__(text)
        self.key, self.text = key, text


class AlphaVantage:
    """The one endpoint, over one sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.source: Source = FictionalSource(sandbox) if sandbox.corpus is None else RecordedSource(sandbox.corpus)

    async def query(self, request: Request) -> Response:
        """Every function has the same path."""
        return await run_in_threadpool(self._query, request)

    def _query(self, request: Request) -> Response:
        params = request.query_params
        function = params.get("function", "").upper()
        try:
            self._authorise(function, params)
            if function in {"OVERVIEW", "EARNINGS"}:
                symbol = params.get("symbol", "")
                found = self.source.overview(symbol) if function == "OVERVIEW" else self.source.earnings(symbol)
                return _say(request, found or {})
            table = self._table(function, params)
        except _Told as told:
            return _say(request, {told.key: told.text})
        if params.get("datatype", "json").lower() == "csv":
            return _csv(request, function, table)
        return _say(request, table.as_json())

    def _table(self, function: str, params: Mapping[str, str]) -> Table:
        if function not in SERIES and function not in INDICATORS:
            raise _Told("Error Message", f"This API function ({function}) does not exist.")
        try:
            return self.source.table(function, params)
        except BadCall as error:
            raise _Told("Error Message", bad_call(function)) from error

    def _authorise(self, function: str, params: Mapping[str, str]) -> None:
        key = params.get("apikey", "")
        if not key or key.lower().startswith("wrong"):
            as_information = key and self.sandbox.switch("alphavantage", "bad_key_as_information")
            raise _Told("Information" if as_information else "Error Message", _NO_KEY)
        if key == "demo":
            raise _Told("Information", _DEMO)
        if key.lower().startswith("premium"):
            return
        if function in PREMIUM_SERIES or (function == "MACD" and self.sandbox.switch("alphavantage", "macd_premium")):
            raise _Told("Information", _PREMIUM)
        if function == "TIME_SERIES_DAILY" and params.get("outputsize", "").lower() == "full":
            raise _Told("Information", _FULL)

    def not_found(self, _: Request) -> Response:
        """A path that Alpha Vantage does not have."""
        return Response("<!DOCTYPE html><html><head><title>404</title></head></html>", 404, media_type="text/html")

    def refused(self, window: str, request: Request) -> Response:
        """The refusal of a limit: status 200, and that of the day repeats the key."""
        if window == "minute":
            return _say(request, {"Note": _NOTE})
        if window == "second":
            return _say(request, {"Information": _BURST})
        return _say(request, {"Information": _DAY.format(key=request.query_params.get("apikey", ""))})


def _csv(request: Request, function: str, table: Table) -> Response:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(table.csv_header)
    writer.writerows((day, *(values[name] for name in table.csv_columns)) for day, values in table.rows)
    named = f"attachment; filename={function.lower()}_{request.query_params.get('symbol', '')}.csv"
    headers = {**_HEADERS, "Content-Disposition": named if named.isascii() and "\n" not in named else "attachment"}
    return Prepared(text.getvalue().encode(), "application/x-download", headers=headers).answer(request)


def provider(sandbox: Sandbox) -> Provider:
    """Alpha Vantage over the sandbox's world."""
    alphavantage = AlphaVantage(sandbox)

    def limited(window: str) -> Response:
        nobody = Request({"type": "http", "query_string": b"", "headers": []})
        return alphavantage.refused(window, nobody)

    return Provider(
        name="alphavantage",
        routes=[Route("/query", alphavantage.query, name="query")],
        not_found=alphavantage.not_found,
        limited=limited,
        refused=alphavantage.refused,
        limit=Limit(per_second=1, per_day=25),
        account=lambda request: request.query_params.get("apikey", ""),
    )
