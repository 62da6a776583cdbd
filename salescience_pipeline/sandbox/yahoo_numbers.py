"""How Yahoo writes numbers, and the figures of one session that several of its answers repeat.

What does not belong here: where the numbers come from (``yahoo_source``).
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from statistics import fmean
from typing import Any

from salescience_pipeline.sandbox.yahoo_chart import Series, market_close_time


def seconds(day: dt.date) -> int:
    """Midnight UTC of ``day`` in Unix seconds: how Yahoo writes dates without a time."""
    return int(dt.datetime.combine(day, dt.time(), dt.UTC).timestamp())


def short(value: float) -> str:
    """A number as Yahoo prints it for people: ``391.04B``, ``16.24M``, ``5.3``."""
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.2f}{letter}".replace(".00", "")
    return f"{value:.2f}"


def amount(value: float) -> dict[str, Any]:
    """A number with its readable forms; zero has no short one."""
    return {"raw": value, "fmt": short(value) if value else None, "longFmt": f"{value:,}"}


def wrapped(module: Any) -> Any:
    """A module as it looks when ``formatted=false`` was not asked for: numbers become ``{raw, fmt}``."""
    if isinstance(module, dict):
        if "raw" in module:
            return module
        plain = {"maxAge", "priceHint", "age", "yearBorn", "fiscalYear", "fullTimeEmployees", "gmtOffSetMilliseconds"}
        return {name: value if name in plain else wrapped(value) for name, value in module.items()}
    if isinstance(module, list):
        return [wrapped(item) for item in module]
    if isinstance(module, bool) or not isinstance(module, int | float):
        return module
    return {"raw": module, "fmt": short(module)}


class Day:
    """The last session of a series and what surrounds it."""

    def __init__(self, series: Series, today: dt.date) -> None:
        last = len(series.days) - 1
        before = max(0, last - 1)
        year = bisect_right(series.days, today - dt.timedelta(days=365))
        self.close = series.clean_close(last)
        self.previous = series.clean_close(before)
        self.change = round(self.close - self.previous, 4)
        self.ratio = round(self.change / self.previous, 8)
        self.open = round(series.open[last], 4)
        self.high = round(series.high[last], 4)
        self.low = round(series.low[last], 4)
        self.volume = series.volume[last]
        self.time = market_close_time(series.days[last])
        self.year_high = round(max(series.high[year:] or series.high[last:]), 4)
        self.year_low = round(min(series.low[year:] or series.low[last:]), 4)
        self.year_change = round(series.close[last] / series.close[min(year, last)] - 1, 8)
        self.average_50 = round(fmean(series.close[-50:]), 4)
        self.average_200 = round(fmean(series.close[-200:]), 4)
        self.volume_10 = round(fmean(series.volume[-10:]))
        self.volume_63 = round(fmean(series.volume[-63:]))
        paid = [(day, cash) for day, cash in series.dividends.items() if day > today - dt.timedelta(days=365)]
        self.dividends = round(sum(cash for _, cash in paid), 4)
        self.last_dividend = paid[-1] if paid else None
