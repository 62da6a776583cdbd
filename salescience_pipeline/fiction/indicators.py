"""The technical indicators of the emulated Alpha Vantage: pure functions over lists of numbers, oldest first.

Formulas, and how sure they are (recorded answers begin at the same row as these):

* SMA: mean of ``n`` values.
* EMA: the first value is the SMA of the first ``n`` values, then ``e + 2 / (n + 1) * (x - e)``. Recorded: the first
  weekly SMA and EMA of one security are equal.
* RSI: Wilder's. The first averages are plain means of the first ``n`` gains and losses, then
  ``(a * (n - 1) + x) / n``; ``100 * gain / (gain + loss)``, 0 when nothing moved. Recorded: first value at row ``n``.
* MACD: EMA of ``fast`` minus EMA of ``slow``, the fast one seeded with the mean of the ``fast`` values that end where the
  slow one's seed ends, so that both begin on one row; signal: EMA of ``signal`` values of the difference; histogram:
  difference minus signal. Recorded: first value at row ``slow + signal - 2``.
* BBANDS: a moving average plus and minus a number of population standard deviations. Recorded: bands of weekly closes.

An answer has no rows for the time in which an indicator warms up. What does not belong here: prices and wire formats.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import sqrt

Series = list[float | None]
"""One value for each of the given ones; ``None`` while the indicator warms up."""


def sma(values: Sequence[float], n: int) -> Series:
    """Simple moving average over ``n`` values."""
    made: Series = [None] * min(n - 1, len(values))
    made += [sum(values[i - n + 1 : i + 1]) / n for i in range(n - 1, len(values))]
    return made


def ema(values: Sequence[float], n: int) -> Series:
    """Exponential moving average, seeded with the simple one."""
    if len(values) < n:
        return [None] * len(values)
    made: Series = [None] * (n - 1)
    level = sum(values[:n]) / n
    made.append(level)
    for value in values[n:]:
        level += 2 / (n + 1) * (value - level)
        made.append(level)
    return made


def wma(values: Sequence[float], n: int) -> Series:
    """Linearly weighted moving average; the newest value counts ``n`` times the oldest."""
    total = n * (n + 1) / 2
    made: Series = [None] * min(n - 1, len(values))
    made += [sum((k + 1) * values[i - n + 1 + k] for k in range(n)) / total for i in range(n - 1, len(values))]
    return made


AVERAGES: dict[int, Callable[[Sequence[float], int], Series]] = {0: sma, 1: ema, 2: wma}
"""Moving averages by the provider's number of their type."""


def rsi(values: Sequence[float], n: int) -> Series:
    """Wilder's relative strength index, 0 to 100."""
    made: Series = [None] * min(n, len(values))
    if len(values) <= n:
        return made
    changes = [b - a for a, b in pairwise(values)]
    gain = sum(max(c, 0.0) for c in changes[:n]) / n
    loss = sum(max(-c, 0.0) for c in changes[:n]) / n
    made.append(100 * gain / (gain + loss) if gain + loss else 0.0)
    for change in changes[n:]:
        gain = (gain * (n - 1) + max(change, 0.0)) / n
        loss = (loss * (n - 1) + max(-change, 0.0)) / n
        made.append(100 * gain / (gain + loss) if gain + loss else 0.0)
    return made


def macd(values: Sequence[float], fast: int, slow: int, signal: int) -> tuple[Series, Series, Series]:
    """Difference of two exponential averages, its signal line, and the histogram; ``fast`` must be below ``slow``."""
    skipped = slow - fast
    quick: Series = [None] * min(skipped, len(values))
    quick += ema(values[skipped:], fast)
    steady = ema(values, slow)
    line = [a - b for a, b in zip(quick, steady, strict=True) if a is not None and b is not None]
    averaged = ema(line, signal)
    before: Series = [None] * (len(values) - len(line))
    lines: Series = [*before, *(None if s is None else v for v, s in zip(line, averaged, strict=True))]
    histogram: Series = [*before, *(None if s is None else v - s for v, s in zip(line, averaged, strict=True))]
    return lines, [*before, *averaged], histogram


def bbands(
    values: Sequence[float], n: int, up: float, down: float, average: Callable[[Sequence[float], int], Series] = sma
) -> tuple[Series, Series, Series]:
    """Upper, middle and lower band; the deviation is that of the population of ``n`` values around their mean."""
    middle = average(values, n)
    upper: Series = []
    lower: Series = []
    for i, centre in enumerate(middle):
        if centre is None:
            upper.append(None)
            lower.append(None)
            continue
        window = values[i - n + 1 : i + 1]
        mean = sum(window) / n
        spread = sqrt(sum((value - mean) ** 2 for value in window) / n)
        upper.append(centre + up * spread)
        lower.append(centre - down * spread)
    return upper, middle, lower
