"""A price series as the coordinates of a drawing: the template makes SVG of it, the style sheet gives it colour.

What does not belong here: where the prices come from (``pages``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 760, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 12, 28
_VOLUME = 46


@dataclass(frozen=True, slots=True)
class Chart:
    """Coordinates in a box of :data:`WIDTH` x :data:`HEIGHT`, and the labels of the axes."""

    line: str
    """Points for ``<polyline>``."""
    area: str
    """The same, closed along the floor, for ``<polygon>``."""
    levels: tuple[tuple[float, str], ...]
    """(y, price) of the horizontal lines."""
    days: tuple[tuple[float, str, str], ...]
    """(x, day, text-anchor) of the labels below."""
    volumes: tuple[tuple[float, float], ...]
    """(x, height) of the bars on the floor."""
    bar: float
    """Width of a bar."""
    places: str
    """``x,y,day,price`` of every point, separated by semicolons: for the script that shows the price under the pointer."""


def chart_of(prices: Sequence[Mapping[str, Any]]) -> Chart | None:
    """The drawing of ``close`` over ``trade_date``, oldest first; None for fewer than two prices."""
    if len(prices) < 2:
        return None
    closes = [float(row["close"]) for row in prices]
    low, high = min(closes), max(closes)
    span = (high - low) or 1.0
    right, floor = WIDTH - _RIGHT, HEIGHT - _BOTTOM

    def x(at: int) -> float:
        return round(_LEFT + (right - _LEFT) * at / (len(closes) - 1), 1)

    def y(close: float) -> float:
        return round(floor - (floor - _TOP) * (close - low) / span, 1)

    line = " ".join(f"{x(at)},{y(close)}" for at, close in enumerate(closes))
    levels = tuple((y(low + span * part / 4), f"{low + span * part / 4:,.2f}") for part in range(5))
    middle = len(closes) // 2
    days = tuple(
        (x(at), f"{prices[at]['trade_date']:%d %b %Y}", anchor)
        for at, anchor in ((0, "start"), (middle, "middle"), (len(closes) - 1, "end"))
    )
    most = max((row.get("volume") or 0 for row in prices), default=0) or 1
    volumes = tuple((x(at), round(_VOLUME * (row.get("volume") or 0) / most, 1)) for at, row in enumerate(prices))
    places = ";".join(
        f"{x(at)},{y(close)},{prices[at]['trade_date']:%d %b %Y},{close:.2f}" for at, close in enumerate(closes)
    )
    bar = round(max((right - _LEFT) / len(closes) * 0.7, 0.5), 2)
    return Chart(line, f"{_LEFT},{floor} {line} {right},{floor}", levels, days, volumes, bar, places)


def spark_of(closes: Sequence[float], width: int = 120, height: int = 32) -> str:
    """The points of a small line without axes, for ``<polyline>``; empty for fewer than two prices."""
    if len(closes) < 2:
        return ""
    low = min(closes)
    span = (max(closes) - low) or 1.0
    step = width / (len(closes) - 1)
    return " ".join(
        f"{at * step:.1f},{height - 2 - (height - 4) * (close - low) / span:.1f}" for at, close in enumerate(closes)
    )
