"""How Tiingo makes weeks, months and years out of daily rows.

What does not belong here: daily rows (``tiingo_source``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from salescience_pipeline.fiction import nyse


def periods(rows: Sequence[dict[str, Any]], frequency: str) -> list[list[dict[str, Any]]]:
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
