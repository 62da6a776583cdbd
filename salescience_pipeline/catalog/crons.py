"""When a cron line fires: a pure function of the line and of time, in New York.

Dagster's own scheduler decides when a schedule ticks; this is for what has to be known beside it: whether a late tick was
followed by another one of the same day, and what a whole day of schedules looks like. What does not belong here: which
lines there are (``catalog.jobs``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from salescience_pipeline.catalog.sessions import NEW_YORK

_BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_MINUTE = dt.timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Cron:
    """The five fields of a cron line as sets of numbers; weekdays from 0, a Sunday."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]

    def fires_at(self, local: dt.datetime) -> bool:
        """Whether the line fires in the minute ``local`` on New York's clock."""
        return (
            local.minute in self.minutes
            and local.hour in self.hours
            and local.day in self.days
            and local.month in self.months
            and local.isoweekday() % 7 in self.weekdays
        )


@lru_cache(maxsize=256)
def parse_cron(line: str) -> Cron:
    """Read a cron line of numbers, lists, ranges, steps and stars.

    Raises:
        ValueError: when it is none.
    """
    fields = line.split()
    if len(fields) != len(_BOUNDS):
        raise ValueError(f"{line!r} is no cron line of five fields.")
    try:
        return Cron(*(_numbers(text, *bounds) for text, bounds in zip(fields, _BOUNDS, strict=True)))
    except ValueError as error:
        raise ValueError(f"{line!r} is no cron line: {error}") from None


def _numbers(text: str, low: int, high: int) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, dash, last = (str(low), "-", str(high)) if span == "*" else span.partition("-")
        begin = int(first)
        end = int(last) if dash else (high if step else begin)
        if not low <= begin <= end <= high:
            raise ValueError(f"{part} lies outside of {low} to {high}")
        found |= set(range(begin, end + 1, int(step or "1")))
    return frozenset(found)


def ticks(line: str, after: dt.datetime, until: dt.datetime) -> Iterator[dt.datetime]:
    """The moments (UTC) later than ``after`` and not later than ``until`` at which ``line`` fires on New York's clock.

    A minute that the clock shows twice in autumn fires twice, one that it leaves out in spring does not.
    """
    cron = parse_cron(line)
    moment = after.astimezone(dt.UTC).replace(second=0, microsecond=0) + _MINUTE
    while moment <= until:
        # New York is whole hours from UTC, so the minutes are the same.
        if moment.minute in cron.minutes and cron.fires_at(moment.astimezone(NEW_YORK)):
            yield moment
        moment += _MINUTE


def next_tick(line: str, after: dt.datetime) -> dt.datetime | None:
    """The first moment (UTC) after ``after`` at which ``line`` fires, within eight days; None when it does not."""
    return next(ticks(line, after, after + dt.timedelta(days=8)), None)
