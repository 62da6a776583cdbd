"""Where Alpha Vantage's figures come from: the seam between the wire format and the two worlds, and both of its sides.

Daily prices are as traded. Indicators stand on prices that are adjusted for splits and dividends: recorded Bollinger bands
are those of adjusted closes, not of the recorded raw ones. Weeks and months are dated with their last session, the one
under way included. What does not belong here: HTTP (``alphavantage``) and formulas (``indicators``).
"""

from __future__ import annotations

import csv
import datetime as dt
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from salescience_pipeline.fiction import indicators
from salescience_pipeline.fiction.adjust import Adjustment
from salescience_pipeline.fiction.companies import Company
from salescience_pipeline.fiction.indicators import Series
from salescience_pipeline.fiction.metrics import Metrics
from salescience_pipeline.sandbox.alphavantage_company import earnings_body, overview_body
from salescience_pipeline.sandbox.app import Sandbox

ZONE = "US/Eastern"
COMPACT = 100
"""Rows of a compact answer."""
SERIES = {
    "TIME_SERIES_DAILY": ("open", "high", "low", "close", "volume"),
    "TIME_SERIES_DAILY_ADJUSTED": (
        "open",
        "high",
        "low",
        "close",
        "adjusted close",
        "volume",
        "dividend amount",
        "split coefficient",
    ),
}
"""Columns of the daily series."""
PREMIUM_SERIES = frozenset({"TIME_SERIES_DAILY_ADJUSTED"})
INDICATORS = {
    "SMA": "Simple Moving Average (SMA)",
    "EMA": "Exponential Moving Average (EMA)",
    "RSI": "Relative Strength Index (RSI)",
    "MACD": "Moving Average Convergence/Divergence (MACD)",
    "BBANDS": "Bollinger Bands (BBANDS)",
}
"""Indicators and how the provider spells them out."""
_TITLES = {
    "TIME_SERIES_DAILY": "Daily Prices (open, high, low, close) and Volumes",
    "TIME_SERIES_DAILY_ADJUSTED": "Daily Time Series with Splits and Dividend Events",
}
_BANDS = ("Real Upper Band", "Real Middle Band", "Real Lower Band")
_INTERVALS: dict[str, Callable[[dt.date], Any]] = {
    "daily": lambda day: day,
    "weekly": lambda day: day.isocalendar()[:2],
    "monthly": lambda day: (day.year, day.month),
}
_SERIES_TYPES = ("open", "high", "low", "close")


class BadCall(ValueError):
    """Parameters that make no sense, an unknown symbol among them."""


@dataclass(frozen=True, slots=True)
class Table:
    """A dated table, newest row first; every value is a text."""

    meta: dict[str, Any]
    name: str
    rows: list[tuple[str, dict[str, str]]]
    csv_columns: tuple[str, ...]
    csv_header: tuple[str, ...]
    numbered: bool = False
    """Whether JSON puts a number before the names of the columns."""

    def as_json(self) -> dict[str, Any]:
        """The body of the answer."""
        if not self.numbered:
            return {"Meta Data": self.meta, self.name: dict(self.rows)}
        data = {day: {f"{k + 1}. {name}": values[name] for k, name in enumerate(values)} for day, values in self.rows}
        return {"Meta Data": self.meta, self.name: data}


class Source(Protocol):
    """The figures that the emulated Alpha Vantage sends."""

    def table(self, function: str, params: Mapping[str, str]) -> Table:
        """A daily series or an indicator; raises :class:`BadCall`."""

    def overview(self, symbol: str) -> dict[str, str] | None:
        """A company at a glance, or ``None`` for what is not covered."""

    def earnings(self, symbol: str) -> dict[str, Any] | None:
        """Annual and quarterly earnings, or ``None`` for what is not covered."""


@dataclass(frozen=True, slots=True)
class _Call:
    """The parameters of an indicator."""

    symbol: str
    interval: str
    series_type: str
    time_period: int
    fast: int
    slow: int
    signal: int
    up: float
    down: float
    matype: int

    @classmethod
    def of(cls, function: str, params: Mapping[str, str]) -> _Call:
        """Read them; raises :class:`BadCall`."""
        symbol, interval = params.get("symbol", ""), params.get("interval", "").lower()
        series_type = params.get("series_type", "").lower()
        if not symbol or interval not in _INTERVALS or series_type not in _SERIES_TYPES:
            raise BadCall(f"{function} needs a symbol, an interval and a series type.")
        call = cls(
            symbol,
            interval,
            series_type,
            _whole(params, "time_period", None if function != "MACD" else 1),
            _whole(params, "fastperiod", 12),
            _whole(params, "slowperiod", 26),
            _whole(params, "signalperiod", 9),
            _number(params, "nbdevup", 2.0),
            _number(params, "nbdevdn", 2.0),
            _whole(params, "matype", 0, least=0),
        )
        if call.matype not in indicators.AVERAGES or (function == "MACD" and call.fast >= call.slow):
            raise BadCall("Such a moving average is not known.")
        return call


def _whole(params: Mapping[str, str], name: str, default: int | None, *, least: int = 1) -> int:
    text = params.get(name) or ("" if default is None else str(default))
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= 10_000:
        raise BadCall(f"{name} is a whole number.")
    return int(text)


def _number(params: Mapping[str, str], name: str, default: float) -> float:
    try:
        value = float(params.get(name) or default)
    except ValueError as error:
        raise BadCall(f"{name} is a number.") from error
    if not math.isfinite(value):
        raise BadCall(f"{name} is a number.")
    return value


class FictionalSource:
    """Alpha Vantage's figures about the fictional market."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._world = sandbox.world
        self._metrics = Metrics(sandbox.world, sandbox.earnings)

    def table(self, function: str, params: Mapping[str, str]) -> Table:
        """See :class:`Source`."""
        company = self._world.company(params.get("symbol", "") or " ")
        if company is None:
            raise BadCall("There is no such symbol.")
        if function in SERIES:
            return self._series(function, company, params)
        return indicator_table(function, params, self._adjusted(company))

    def _series(self, function: str, company: Company, params: Mapping[str, str]) -> Table:
        size = params.get("outputsize", "compact").lower()
        if size not in {"compact", "full"}:
            raise BadCall("The output size is compact or full.")
        world = self._world
        bars = world.bars(company.ticker, world.first_date(company), world.last_date(company))
        bars = bars[-COMPACT:] if size == "compact" else bars
        adjusted = Adjustment(world, company.ticker, since=bars[0].date if bars else dt.date.min)
        rows = []
        for bar in reversed(bars):
            factor = adjusted.crsp.after(bar.date) / adjusted.splits.after(bar.date)
            values = {
                "open": f"{bar.open:.4f}",
                "high": f"{bar.high:.4f}",
                "low": f"{bar.low:.4f}",
                "close": f"{bar.close:.4f}",
                "adjusted close": f"{bar.close * factor:.4f}",
                "volume": str(bar.volume),
                "dividend amount": f"{bar.div_cash:.4f}",
                "split coefficient": f"{bar.split_factor:.1f}",
            }
            rows.append((bar.date.isoformat(), {name: values[name] for name in SERIES[function]}))
        return series_table(function, params["symbol"], rows, size)

    def _adjusted(self, company: Company) -> list[tuple[dt.date, dict[str, float]]]:
        """All bars in adjusted prices, oldest first."""
        world = self._world
        adjusted = Adjustment(world, company.ticker)
        made = []
        for bar in world.bars(company.ticker, world.first_date(company), world.last_date(company)):
            factor = adjusted.crsp.after(bar.date) / adjusted.splits.after(bar.date)
            made.append((bar.date, {name: getattr(bar, name) * factor for name in _SERIES_TYPES}))
        return made

    def _covered(self, symbol: str) -> Company | None:
        company = self._world.company(symbol or " ")
        if company is None or company.kind == "etf" or self._world.delisted(company) is not None:
            return None
        return company

    def overview(self, symbol: str) -> dict[str, str] | None:
        """See :class:`Source`."""
        company = self._covered(symbol)
        return None if company is None else overview_body(self._sandbox, company, self._metrics)

    def earnings(self, symbol: str) -> dict[str, Any] | None:
        """See :class:`Source`."""
        company = self._covered(symbol)
        return None if company is None else earnings_body(self._sandbox, company)


def indicator_table(
    function: str, params: Mapping[str, str], bars: Sequence[tuple[dt.date, dict[str, float]]]
) -> Table:
    """An indicator over daily bars (oldest first), which are joined to weeks or months when these are asked for.

    Raises:
        BadCall: for parameters that make no sense.
    """
    call = _Call.of(function, params)
    bars = joined(bars, call.interval)
    values = [row[call.series_type] for _, row in bars]
    lines = _lines(function, call, values)
    rows = [
        (day.isoformat(), {name: f"{line[i]:.4f}" for name, line in lines.items()})
        for i, (day, _) in enumerate(bars)
        if all(line[i] is not None for line in lines.values())
    ]
    rows.reverse()
    return named_table(function, call, rows, bars[-1][0].isoformat() if bars else "")


def joined(bars: Sequence[tuple[dt.date, dict[str, float]]], interval: str) -> list[tuple[dt.date, dict[str, float]]]:
    """Daily bars as days, weeks or months; each is dated with its last session."""
    made = []
    for _, group in groupby(bars, key=lambda item: _INTERVALS[interval](item[0])):
        days = list(group)
        made.append(
            (
                days[-1][0],
                {
                    "open": days[0][1]["open"],
                    "high": max(row["high"] for _, row in days),
                    "low": min(row["low"] for _, row in days),
                    "close": days[-1][1]["close"],
                },
            )
        )
    return made


def _lines(function: str, call: _Call, values: list[float]) -> dict[str, Series]:
    """The lines of an indicator by their names."""
    match function:
        case "SMA":
            return {"SMA": indicators.sma(values, call.time_period)}
        case "EMA":
            return {"EMA": indicators.ema(values, call.time_period)}
        case "RSI":
            return {"RSI": indicators.rsi(values, call.time_period)}
        case "MACD":
            line, signal, histogram = indicators.macd(values, call.fast, call.slow, call.signal)
            return {"MACD": line, "MACD_Hist": histogram, "MACD_Signal": signal}
        case _:
            average = indicators.AVERAGES[call.matype]
            bands = indicators.bbands(values, call.time_period, call.up, call.down, average)
            return dict(zip(_BANDS, bands, strict=True))


def series_table(function: str, symbol: str, rows: list[tuple[str, dict[str, str]]], size: str) -> Table:
    """A daily series with its head."""
    meta = {
        "1. Information": _TITLES[function],
        "2. Symbol": symbol,
        "3. Last Refreshed": rows[0][0] if rows else "",
        "4. Output Size": "Compact" if size == "compact" else "Full size",
        "5. Time Zone": ZONE,
    }
    columns = SERIES[function]
    header = ("timestamp", *(name.replace(" ", "_") for name in columns))
    return Table(meta, "Time Series (Daily)", rows, columns, header, numbered=True)


def named_table(function: str, call: _Call, rows: list[tuple[str, dict[str, str]]], refreshed: str) -> Table:
    """An indicator with its head."""
    meta: dict[str, Any] = {
        "1: Symbol": call.symbol,
        "2: Indicator": INDICATORS[function],
        "3: Last Refreshed": refreshed,
        "4: Interval": call.interval,
    }
    if function == "MACD":
        meta |= {"5.1: Fast Period": call.fast, "5.2: Slow Period": call.slow, "5.3: Signal Period": call.signal}
    else:
        meta["5: Time Period"] = call.time_period
    if function == "BBANDS":
        meta |= {
            "6.1: Deviation multiplier for upper band": _plain(call.up),
            "6.2: Deviation multiplier for lower band": _plain(call.down),
            "6.3: MA Type": call.matype,
            "7: Series Type": call.series_type,
            "8: Time Zone": ZONE,
        }
    else:
        meta |= {"6: Series Type": call.series_type, "7: Time Zone": ZONE}
    names = {"MACD": ("MACD", "MACD_Hist", "MACD_Signal"), "BBANDS": tuple(reversed(_BANDS))}.get(function, (function,))
    return Table(meta, f"Technical Analysis: {function}", rows, names, ("time", *names))


def _plain(value: float) -> int | float:
    return int(value) if value.is_integer() else value


class RecordedSource:
    """Alpha Vantage's figures as they were recorded below a folder; a call that was not recorded makes no sense here.

    The recordings are tables in CSV; as JSON their values are put into the documented shape.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "providers/alphavantage"
        self._calls: list[tuple[dict[str, str], Path]] = []
        self._overviews: dict[str, dict[str, str]] = {}
        index = self._folder / "examples_index.json"
        for entry in json.loads(index.read_text(encoding="utf-8")) if index.is_file() else ():
            path = self._folder / Path(entry["path"]).name
            asked = dict(parse_qsl(urlsplit(entry["url"]).query))
            if path.is_file() and asked["function"] in {*SERIES, *INDICATORS} and path.suffix == ".csv":
                self._calls.append((asked, path))
        for path in self._folder.glob("OVERVIEW_*.json"):
            body = json.loads(path.read_text(encoding="utf-8"))
            self._overviews[body["Symbol"]] = body

    def table(self, function: str, params: Mapping[str, str]) -> Table:
        """The recorded table of the same call."""
        call = _Call.of(function, params) if function in INDICATORS else None
        size = params.get("outputsize", "compact").lower()
        for asked, path in self._calls:
            if (
                asked["function"] != function
                or asked["symbol"] != params.get("symbol", "").upper()
                or size != "compact"
            ):
                continue
            if call is not None and _Call.of(function, asked) != call:
                continue
            rows = list(_read(path))
            if call is None:
                return series_table(function, asked["symbol"], rows, size)
            names = _BANDS if function == "BBANDS" else tuple(rows[0][1])
            return named_table(function, call, [(d, {n: v[n] for n in names}) for d, v in rows], rows[0][0])
        raise BadCall("This call was not recorded.")

    def overview(self, symbol: str) -> dict[str, str] | None:
        """The recorded overview."""
        return self._overviews.get(symbol.upper())

    def earnings(self, symbol: str) -> dict[str, Any] | None:
        """No whole answer was recorded."""
        del symbol
        return None


def _read(path: Path) -> Iterable[tuple[str, dict[str, str]]]:
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            (_, day), *values = row.items()
            yield day, dict(values)
