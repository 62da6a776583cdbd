"""Yahoo's chart answer: split-adjusted bars with float32 noise, stamps in seconds, events, the meta block.

What does not belong here: HTTP (``yahoo``) and the other endpoints' figures (``yahoo_figures``).
"""

from __future__ import annotations

import datetime as dt
import struct
from array import array
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from salescience_pipeline.fiction import nyse
from salescience_pipeline.fiction.adjust import Adjustment
from salescience_pipeline.fiction.world import Company
from salescience_pipeline.sandbox.app import Sandbox

NEW_YORK = ZoneInfo("America/New_York")
VALID_RANGES = ("1d", "5d", "1mo", "3mo", "6mo", "1y", "2y", "5y", "10y", "ytd", "max")
INTRADAY = ("1m", "2m", "5m", "15m", "30m", "60m", "90m", "1h", "4h")
INTERVALS = ("1d", "1wk", "1mo", "3mo")
EXCHANGES = {
    "Nasdaq": ("NMS", "NasdaqGS", "NASDAQ"),
    "NYSE": ("NYQ", "NYSE", "NYSE"),
    "NYSE Arca": ("PCX", "NYSEArca", "NYSEArca"),
}
"""Our exchange to Yahoo's code, full name and display name."""
_FIELDS = ("open", "high", "low", "close", "volume")
_CACHED_SERIES = 64


class ChartError(Exception):
    """An error that the chart endpoint answers with."""

    def __init__(self, status: int, code: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.code = code
        self.description = description


def stamp(day: dt.date, hour: int, minute: int = 0) -> int:
    """Unix seconds of a New York wall-clock time, summer time respected."""
    return int(dt.datetime.combine(day, dt.time(hour, minute), NEW_YORK).timestamp())


def noisy(value: float) -> float:
    """``value`` after a trip through a 32-bit float, as Yahoo's prices are."""
    narrow: float = struct.unpack("<f", struct.pack("<f", value))[0]
    return narrow


def session_close(day: dt.date) -> int:
    """Unix seconds at which the session of ``day`` ends."""
    return stamp(day, 13 if nyse.is_half_day(day) else 16)


def market_close_time(day: dt.date) -> int:
    """What ``regularMarketTime`` says after a session: two seconds past the bell."""
    return session_close(day) + 2


@dataclass(frozen=True)
class Series:
    """All daily bars of one security as Yahoo shows them, oldest first; arrays of equal length."""

    days: list[dt.date]
    stamps: array[int]
    open: array[float]
    high: array[float]
    low: array[float]
    close: array[float]
    adjclose: array[float]
    volume: array[int]
    dividends: dict[dt.date, float]
    splits: dict[dt.date, float]

    def clean_close(self, index: int) -> float:
        """A close without the float32 noise."""
        return round(self.close[index], 4)


class Charts:
    """Chart answers over one sandbox, with the series of the securities asked last."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._series: OrderedDict[tuple[str, int], Series] = OrderedDict()

    def listed(self, symbol: str) -> Company | None:
        """The security that Yahoo knows under ``symbol``: a dash before the class, nothing that was delisted."""
        if "." in symbol:
            return None
        company = self._sandbox.world.company(symbol)
        if company is None or self._sandbox.world.delisted(company) is not None:
            return None
        return company

    def series(self, company: Company) -> Series:
        """All daily bars of ``company``."""
        key = (company.ticker, self._sandbox.world.version)
        made = self._series.get(key)
        if made is None:
            made = self._series[key] = self._build(company)
            while len(self._series) > _CACHED_SERIES:
                self._series.popitem(last=False)
        else:
            self._series.move_to_end(key)
        return made

    def _build(self, company: Company) -> Series:
        world = self._sandbox.world
        bars = world.bars(company.ticker, world.first_date(company), world.last_date(company))
        adjustment = Adjustment(world, company.ticker)
        series = Series(
            days=[bar.date for bar in bars],
            stamps=array("q", (stamp(bar.date, 9, 30) for bar in bars)),
            open=array("f"),
            high=array("f"),
            low=array("f"),
            close=array("f"),
            adjclose=array("f"),
            volume=array("q"),
            # Amounts are in today's shares too.
            dividends={
                day: round(cash / adjustment.splits.after(day), 6)
                for day, cash in world.dividends(company.ticker).items()
            },
            splits=world.splits(company.ticker),
        )
        for bar in bars:
            shares = adjustment.splits.after(bar.date)
            series.open.append(bar.open / shares)
            series.high.append(bar.high / shares)
            series.low.append(bar.low / shares)
            series.close.append(bar.close / shares)
            series.adjclose.append(bar.close / shares * adjustment.yahoo.after(bar.date))
            series.volume.append(round(bar.volume * shares))
        return series

    # -- the answer -------------------------------------------------------------------------------------------------

    def answer(self, symbol: str, params: Mapping[str, str]) -> dict[str, Any]:
        """The body of a chart request.

        Raises:
            ChartError: for an unknown symbol, a window before the first bar, a bad interval or range.
        """
        company = self.listed(symbol)
        if company is None:
            raise ChartError(404, "Not Found", "No data found, symbol may be delisted")
        interval = params.get("interval") or "1d"
        if interval not in INTERVALS and interval not in INTRADAY:
            valid = ", ".join((*INTRADAY, *INTERVALS))
            text = f"Invalid input - interval={interval} is not supported. Valid intervals: [{valid}]"
            raise ChartError(422, "Unprocessable Entity", text)
        series = self.series(company)
        first, last, range_name = self._window(series, params)
        result: dict[str, Any] = {}
        rows = [] if interval in INTRADAY else list(self._rows(series, first, last, interval))
        before = bisect_left(series.stamps, first) - 1
        reference = series.clean_close(before) if before >= 0 else round(series.open[0], 4)
        result["meta"] = self._meta(company, series, interval, range_name, reference)
        if not rows:
            # No bar in the window: Yahoo leaves the stamps away instead of sending an empty list.
            result["indicators"] = {"quote": [{}]} if interval in INTRADAY else {"quote": [{}], "adjclose": [{}]}
            return {"chart": {"result": [result], "error": None}}
        result["timestamp"] = [row["timestamp"] for row in rows]
        if events := self._events(series, params.get("events", ""), first, last):
            result["events"] = events
        result["indicators"] = {
            "quote": [{name: [row[name] for row in rows] for name in _FIELDS}],
            "adjclose": [{"adjclose": [row["adjclose"] for row in rows]}],
        }
        return {"chart": {"result": [result], "error": None}}

    def _window(self, series: Series, params: Mapping[str, str]) -> tuple[int, int, str]:
        """Half-open window in Unix seconds, and the name that ``meta.range`` repeats."""
        now = stamp(self._sandbox.world.today + dt.timedelta(days=1), 0)
        if params.get("period1") or params.get("period2"):
            try:
                first, last = int(params.get("period1") or 0), int(params.get("period2") or now)
            except ValueError as error:
                raise ChartError(400, "Bad Request", "Invalid input - period1 and period2 are seconds") from error
            if first >= last:
                text = (
                    "Invalid input - start date cannot be after end date. " + f"startDate = {first}, endDate = {last}"
                )
                raise ChartError(400, "Bad Request", text)
            if last <= series.stamps[0]:
                text = f"Data doesn't exist for startDate = {first}, endDate = {last}"
                raise ChartError(400, "Bad Request", text)
            return first, last, ""
        name = params.get("range") or "1d"
        if name not in VALID_RANGES:
            valid = ", ".join(VALID_RANGES)
            text = f"Invalid input - range={name} is not supported. Valid ranges: [{valid}]"
            raise ChartError(422, "Unprocessable Entity", text)
        return self._range_start(series, name), now, name

    def _range_start(self, series: Series, name: str) -> int:
        if name == "max":
            return series.stamps[0]
        if name in {"1d", "5d"}:
            return series.stamps[max(0, len(series.stamps) - int(name[0]))]
        today = self._sandbox.world.today
        if name == "ytd":
            return stamp(dt.date(today.year, 1, 1), 0)
        months = int(name[:-2]) if name.endswith("mo") else int(name[:-1]) * 12
        year, month = divmod(today.year * 12 + today.month - 1 - months, 12)
        for day in range(today.day, 27, -1):
            try:
                return stamp(dt.date(year, month + 1, day), 0)
            except ValueError:
                continue
        return stamp(dt.date(year, month + 1, min(today.day, 28)), 0)

    def _rows(self, series: Series, first: int, last: int, interval: str) -> Iterator[dict[str, Any]]:
        start, end = bisect_left(series.stamps, first), bisect_left(series.stamps, last)
        if interval != "1d":
            yield from self._periods(series, start, end, interval)
            return
        nulls = {dt.date.fromisoformat(text) for text in self._sandbox.switch("yahoo", "null_rows", ())}
        for i in range(start, end):
            if series.days[i] in nulls:
                yield {"timestamp": series.stamps[i], "adjclose": None, **dict.fromkeys(_FIELDS)}
            else:
                yield {
                    "timestamp": series.stamps[i],
                    "open": series.open[i],
                    "high": series.high[i],
                    "low": series.low[i],
                    "close": series.close[i],
                    "volume": series.volume[i],
                    "adjclose": series.adjclose[i],
                }
        today = self._sandbox.world.today
        if self._sandbox.switch("yahoo", "live_row") and nyse.is_session(today) and first <= stamp(today, 11) < last:
            price = series.close[-1]
            row = dict.fromkeys(("open", "high", "low", "close", "adjclose"), price)
            yield {"timestamp": stamp(today, 11, 7), "volume": series.volume[-1] // 4, **row}

    @staticmethod
    def _periods(series: Series, start: int, end: int, interval: str) -> Iterator[dict[str, Any]]:
        """Weeks from Monday, months and quarters, stamped with their first midnight in New York."""

        def begins(i: int) -> dt.date:
            day = series.days[i]
            if interval == "1wk":
                return day - dt.timedelta(days=day.weekday())
            return dt.date(day.year, day.month if interval == "1mo" else (day.month - 1) // 3 * 3 + 1, 1)

        for begin, group in groupby(range(start, end), begins):
            some = list(group)
            yield {
                "timestamp": stamp(begin, 0),
                "open": series.open[some[0]],
                "high": max(series.high[i] for i in some),
                "low": min(series.low[i] for i in some),
                "close": series.close[some[-1]],
                "volume": sum(series.volume[i] for i in some),
                "adjclose": series.adjclose[some[-1]],
            }

    @staticmethod
    def _events(series: Series, wanted: str, first: int, last: int) -> dict[str, Any]:
        kinds = set(wanted.replace("|", ",").split(","))
        events: dict[str, Any] = {}

        def inside(days: Mapping[dt.date, float]) -> Iterator[tuple[int, float]]:
            for day, value in days.items():
                at = stamp(day, 9, 30)
                if first <= at < last:
                    yield at, value

        if kinds & {"div", "dividends"}:
            dividends = {str(at): {"amount": cash, "date": at} for at, cash in inside(series.dividends)}
            if dividends:
                events["dividends"] = dividends
        if kinds & {"split", "splits"}:
            splits = {str(at): split_event(at, factor) for at, factor in inside(series.splits)}
            if splits:
                events["splits"] = splits
        return events

    def _meta(
        self, company: Company, series: Series, interval: str, range_name: str, reference: float
    ) -> dict[str, Any]:
        code, full, _ = EXCHANGES[company.exchange]
        today = self._sandbox.world.today
        period_day = nyse.next_session(today)
        offset, zone = offset_of(today)
        latest = len(series.days) - 1
        year_ago = bisect_right(series.days, today - dt.timedelta(days=365))
        close = series.clean_close(latest)
        intraday = {"previousClose": series.clean_close(max(0, latest - 1)), "scale": 3} if interval in INTRADAY else {}
        return {
            "currency": company.currency,
            "symbol": company.dashed,
            "exchangeName": code,
            "fullExchangeName": full,
            "instrumentType": "ETF" if company.kind == "etf" else "EQUITY",
            "firstTradeDate": series.stamps[0],
            "regularMarketTime": market_close_time(series.days[latest]),
            "hasPrePostMarketData": True,
            "gmtoffset": offset,
            "timezone": zone,
            "exchangeTimezoneName": "America/New_York",
            "regularMarketPrice": close,
            "fiftyTwoWeekHigh": round(max(series.high[year_ago:] or series.high[latest:]), 4),
            "fiftyTwoWeekLow": round(min(series.low[year_ago:] or series.low[latest:]), 4),
            "regularMarketDayHigh": round(series.high[latest], 4),
            "regularMarketDayLow": round(series.low[latest], 4),
            "regularMarketVolume": series.volume[latest],
            "longName": company.name,
            "shortName": company.name,
            "chartPreviousClose": reference,
            **intraday,
            "priceHint": 2,
            "currentTradingPeriod": {
                name: trading_period(period_day, *hours)
                for name, hours in (("pre", (4, 0, 9, 30)), ("regular", (9, 30, 16, 0)), ("post", (16, 0, 20, 0)))
            },
            "dataGranularity": interval,
            "range": range_name,
            "validRanges": list(VALID_RANGES),
        }


def offset_of(day: dt.date) -> tuple[int, str]:
    """Seconds east of Greenwich and zone name in New York at noon of ``day``."""
    noon = dt.datetime.combine(day, dt.time(12), NEW_YORK)
    shift = noon.utcoffset() or dt.timedelta()
    return int(shift.total_seconds()), noon.tzname() or ""


def trading_period(day: dt.date, hour: int, minute: int, end_hour: int, end_minute: int) -> dict[str, Any]:
    """One entry of ``currentTradingPeriod``."""
    offset, zone = offset_of(day)
    return {
        "timezone": zone,
        "start": stamp(day, hour, minute),
        "end": stamp(day, end_hour, end_minute),
        "gmtoffset": offset,
    }


def split_event(at: int, factor: float) -> dict[str, Any]:
    """A split as Yahoo tells it: 4 for 1 is ``4:1``, one for ten is ``1:10``."""
    ratio = Fraction(factor).limit_denominator(1000)
    return {
        "date": at,
        "numerator": ratio.numerator,
        "denominator": ratio.denominator,
        "splitRatio": f"{ratio.numerator}:{ratio.denominator}",
    }
