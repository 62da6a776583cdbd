"""A price series as the coordinates of a drawing: the template makes SVG of it, the style sheet gives it colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 760, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 12, 28


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
    return Chart(line, f"{_LEFT},{floor} {line} {right},{floor}", levels, days)
