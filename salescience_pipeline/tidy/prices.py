"""Price answers -> end-of-day rows: Tiingo's ranged and bulk answers, Yahoo's charts, Alpha Vantage's daily series.

The tables of the first two hold prices as traded and the provider's own adjusted series beside them, with its method;
the two are never mixed. What does not belong here: our own adjustment, or a comparison of the sources (that is the
marts').
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from salescience_pipeline.catalog.symbols import provider_symbol
from salescience_pipeline.clients.model import Answer
from salescience_pipeline.identifiers import Ticker
from salescience_pipeline.tidy.indicators import alphavantage_bars
from salescience_pipeline.tidy.model import Tidied, TidyContext
from salescience_pipeline.tidy.reading import (
    BadRecord,
    LeftOuts,
    contract,
    day,
    decimal,
    in_some,
    needed,
    number,
    parse_json,
    shown,
    string,
    subject_of,
    text_of,
    whole,
    with_data,
)
from salescience_pipeline.tidy.rows import Rows, joined
from salescience_pipeline.tidy.yahoo_chart import Chart, read_chart

TIINGO_TABLE = "core_tiingo__eod_prices"
YAHOO_TABLE = "core_yahoo__eod_prices"
ALPHA_VANTAGE_TABLE = "core_alphavantage__eod_prices"
_BAR = ("open", "high", "low", "close", "volume")

_TIINGO_PRICES: Mapping[str, str] = {
    "open": "open",
    "high": "high",
    "low": "low",
    "close": "close",
    "adjOpen": "adj_open",
    "adjHigh": "adj_high",
    "adjLow": "adj_low",
    "adjClose": "adj_close",
    "adjVolume": "adj_volume",
}
_TIINGO_FIELDS = ("date", *_TIINGO_PRICES, "volume", "divCash", "splitFactor")

_Key = tuple[Ticker, dt.date]


def tiingo_eod(answers: Sequence[Answer], context: TidyContext) -> Tidied:
    """Rows of Tiingo's end-of-day answers, JSON or CSV, for one ticker or for the whole market.

    Of a whole-market answer (its rows carry ``ticker``) only the selected tickers become rows; the others were not asked
    for and are not "left out". Where two answers hold one (ticker, day), the ticker's own answer wins over the
    whole-market one and the later over the earlier. Figures are kept to the last bit. Currency: US dollars, unless the
    subject's ``currency`` detail says otherwise (Tiingo's ranged answers do not name it).

    Raises:
        Contract: when an answer is no list of price rows (a quota sentence, an error object) or lacks a whole column.
        TooLarge: when a body exceeds its cap.
    """
    account = LeftOuts(subject_of(answers))
    chosen: dict[_Key, tuple[int, dict[str, Any]]] = {}
    ordered = sorted(
        with_data(answers), key=lambda answer: (answer.request.subject.ticker is not None, answer.fetched_at)
    )
    for position, answer in enumerate(ordered):
        for ticker, record in _tiingo_records(answer, context, account):
            try:
                values = _tiingo_values(record)
            except BadRecord as error:
                account.unreadable(f"price of {ticker} on {shown(record.get('date'))}", error)
                continue
            key = (ticker, values["trade_date"])
            if key in chosen:
                account.add(f"price of {ticker} on {key[1]}", "another row holds the same ticker and day")
            chosen[key] = (position, values)
    parts = [Rows(TIINGO_TABLE, answer, context) for answer in ordered]
    for (ticker, _), (position, values) in sorted(chosen.items()):
        currency = ordered[position].request.subject.details.get("currency", "USD")
        parts[position].add(ticker=ticker, adj_method="crsp", currency=currency, **values)
    return Tidied({TIINGO_TABLE: joined(TIINGO_TABLE, parts)}, account.done())


def _tiingo_records(
    answer: Answer, context: TidyContext, account: LeftOuts
) -> Iterator[tuple[Ticker, Mapping[str, Any]]]:
    """The answer's records that somebody wants, each with its canonical ticker."""
    text = text_of(answer)
    records = _json_records(answer, text) if text.lstrip()[:1] in ("[", "{") else _csv_records(answer, text, account)
    good = []
    for index, record in enumerate(records):
        if isinstance(record, dict):
            good.append(record)
        else:
            account.add(f"record {index + 1}", "it is no object")
    in_some(answer, good, _TIINGO_FIELDS)
    own = answer.request.subject.ticker
    if own is not None:
        yield from ((own, record) for record in good)
        return
    wanted = {provider_symbol("tiingo", ticker): ticker for ticker in context.selection.tickers}
    for index, record in enumerate(good):
        symbol = record.get("ticker")
        if not isinstance(symbol, str):
            account.add(f"record {index + 1}", "it names no ticker")
        elif symbol.upper() in wanted:
            yield wanted[symbol.upper()], record


def _json_records(answer: Answer, text: str) -> list[Any]:
    records = parse_json(answer, text)
    if not isinstance(records, list):
        raise contract(answer, "The answer is no list of prices.")
    return records


def _csv_records(answer: Answer, text: str, account: LeftOuts) -> list[Any]:
    try:
        lines = list(csv.reader(text.splitlines(), strict=True))
    except csv.Error as error:
        raise contract(answer, "The answer is neither JSON nor CSV.") from error
    if not lines or not {"date", "close"} <= set(lines[0]):
        raise contract(answer, "The answer is neither a list of prices nor CSV with the header of prices.")
    header = lines[0]
    missing = [name for name in _TIINGO_FIELDS if name not in header]
    if missing:
        raise contract(answer, f"The column '{missing[0]}' is missing in the answer.")
    records: list[Any] = []
    for index, cells in enumerate(lines[1:]):
        if len(cells) == len(header):
            records.append(dict(zip(header, cells, strict=True)))
        elif cells:
            account.add(f"line {index + 2}", "it has another number of cells than the header")
    return records


def _figure(value: Any, name: str) -> float | None:
    """A number as JSON holds it, or as CSV writes it."""
    return decimal(value, name) if isinstance(value, str) else number(value, name)


def _tiingo_values(record: Mapping[str, Any]) -> dict[str, Any]:
    stamp = needed(record.get("date"), "date")
    # The date is the exchange's trading date stamped midnight Z: cut, never converted.
    if not isinstance(stamp, str) or stamp[10:11] not in ("", "T", " "):
        raise BadRecord(f"date is {shown(stamp)} and no date")
    values: dict[str, Any] = {"trade_date": needed(day(stamp[:10], "date"), "date")}
    for field, column in _TIINGO_PRICES.items():
        values[column] = _figure(record.get(field), field)
    if values["close"] is None and values["adj_close"] is None:
        raise BadRecord("it holds no close")
    volume = record.get("volume")
    values["volume"] = whole(_whole_text(volume) if isinstance(volume, str) else volume, "volume")
    values["div_cash"] = needed(_figure(record.get("divCash"), "divCash"), "divCash")
    values["split_factor"] = needed(_figure(record.get("splitFactor"), "splitFactor"), "splitFactor")
    if values["split_factor"] <= 0:
        raise BadRecord("splitFactor is not positive")
    return values


def _whole_text(text: str) -> int | float | None:
    stripped = text.strip()
    if stripped.isascii() and stripped.isdigit() and len(stripped) <= 19:
        return int(stripped)
    return decimal(stripped, "volume")


def yahoo_chart(answers: Sequence[Answer], context: TidyContext) -> Tidied:
    """Rows of Yahoo's daily chart answers, one bar per trading day of the exchange.

    Yahoo's open, high, low, close, volume and dividends are adjusted for every split up to the day of the answer. They
    are turned back into what was traded and paid with the splits that the answer names. Where the answer's window ends
    before the last trade, later splits may hide, so what was traded is not known: the raw columns are then null and only
    ``adj_*`` is filled. ``adj_*`` is Yahoo's own split-and-dividend series (``yahoo``), or its split-adjusted prices
    where it gives no adjusted close (``split_only``).

    Prices lose their float32 noise on the way (six significant digits, and never less than cents). Left out and counted:
    bars without any price, the bar of a session that was not over, a second bar of the same day, broken bars.

    Raises:
        Contract: when an answer is no daily chart of its subject.
        TooLarge: when a body exceeds its cap.
    """
    account = LeftOuts(subject_of(answers))
    charts = [
        read_chart(answer, context.known.last_session, account)
        for answer in sorted(with_data(answers), key=lambda answer: answer.fetched_at, reverse=True)
    ]
    seen: set[_Key] = set()
    parts = []
    for chart in charts:
        rows = Rows(YAHOO_TABLE, chart.answer, context)
        _add_bars(chart, rows, seen, account)
        parts.append(rows)
    return Tidied({YAHOO_TABLE: joined(YAHOO_TABLE, parts)}, account.done())


def alphavantage_daily(answers: Sequence[Answer], context: TidyContext) -> Tidied:
    """Rows of Alpha Vantage's daily series, JSON or CSV, prices as traded; of two answers with one day the newest counts.

    Raises:
        Contract: when an answer is no daily series of its ticker.
        TooLarge: when a body exceeds its cap.
    """
    account = LeftOuts(subject_of(answers))
    seen: set[_Key] = set()
    parts = []
    for answer in sorted(with_data(answers), key=lambda answer: answer.fetched_at, reverse=True):
        ticker = answer.request.subject.ticker
        if ticker is None:
            raise contract(answer, "The answer does not say which ticker it is about.")
        rows = Rows(ALPHA_VANTAGE_TABLE, answer, context)
        parts.append(rows)
        bars = list(alphavantage_bars(answer, account))
        in_some(answer, [bar for _, bar in bars], _BAR)
        for stamp, bar in bars:
            try:
                values = {name: decimal(string(bar.get(name), name), name) for name in _BAR[:-1]}
                needed(values["close"], "close")
                key = (ticker, needed(day(stamp, "date"), "date"))
                volume = whole(_whole_text(string(bar.get("volume"), "volume") or ""), "volume")
            except BadRecord as error:
                account.unreadable(f"price of {ticker} on {shown(stamp)}", error)
                continue
            if key in seen:
                account.add(f"price of {ticker} on {key[1]}", "another row holds the same day")
                continue
            seen.add(key)
            rows.add(ticker=ticker, trade_date=key[1], volume=volume, **values)
    return Tidied({ALPHA_VANTAGE_TABLE: joined(ALPHA_VANTAGE_TABLE, parts)}, account.done())


def _add_bars(chart: Chart, rows: Rows, seen: set[_Key], account: LeftOuts) -> None:
    for bar in chart.bars:
        key = (chart.ticker, bar.trade_date)
        if key in seen:
            account.add(f"bar of {bar.trade_date}", "another answer holds the same day")
            continue
        seen.add(key)
        rows.add(
            ticker=chart.ticker,
            trade_date=bar.trade_date,
            div_cash=chart.dividend_on(bar.trade_date),
            split_factor=chart.split_on(bar.trade_date),
            adj_method=chart.adj_method,
            currency=chart.currency,
            **chart.traded(bar),
            **chart.adjusted(bar),
        )
