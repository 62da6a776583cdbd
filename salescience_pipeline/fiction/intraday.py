"""What a security costs at a moment: the last session's close, or a point on the way through the session of the day.

What does not belong here: wire formats, and bars (``world``).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from salescience_pipeline.fiction import nyse
from salescience_pipeline.fiction.companies import Company
from salescience_pipeline.fiction.sec_calendar import eastern
from salescience_pipeline.fiction.world import Bar, World

_LEGS = (0.0, 0.3, 0.7, 1.0)
"""Parts of a session at which its path turns: open, first extreme, second extreme, close."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A price and the session to which it belongs; prices in the company's currency per share."""

    price: float
    open: float
    high: float
    low: float
    previous: float
    """The close of the session before, in today's shares."""
    at: dt.datetime
    """When it was traded."""


def closing_time(day: dt.date) -> dt.datetime:
    """When the session of ``day`` ends."""
    return eastern(day, dt.time(13) if nyse.is_half_day(day) else dt.time(16))


def tick(world: World, at: dt.datetime | None, company: Company) -> Tick | None:
    """The price of a listed company at a moment of the world's day.

    Only a moment that was set by hand (``at``) falls into a session; otherwise the last session is over and its close
    counts. On the way through a session the price goes in straight lines from the open to one extreme, to the other and
    to the close.
    """
    last = world.last_date(company)
    bars = world.bars(company.ticker, last - dt.timedelta(days=10), last)
    if not bars:
        return None
    bar = bars[-1]
    if at is not None:
        coming = world.session_ahead(company)
        opening = eastern(world.today, dt.time(9, 30))
        if coming is not None and at >= opening:
            done = (at - opening) / (closing_time(world.today) - opening)
            minute = min(at, closing_time(world.today)).replace(second=0, microsecond=0)
            return _under_way(coming, min(done, 1.0), bar.close / coming.split_factor, minute)
    before = bars[-2].close if len(bars) > 1 else bar.open
    return Tick(bar.close, bar.open, bar.high, bar.low, round(before / bar.split_factor, 4), closing_time(bar.date))


def _under_way(bar: Bar, done: float, previous: float, at: dt.datetime) -> Tick:
    rises = bar.close >= bar.open
    stops = (bar.open, bar.low, bar.high, bar.close) if rises else (bar.open, bar.high, bar.low, bar.close)
    seen = [bar.open]
    for i in range(3):
        if done >= _LEGS[i + 1]:
            seen.append(stops[i + 1])
        elif done > _LEGS[i]:
            part = (done - _LEGS[i]) / (_LEGS[i + 1] - _LEGS[i])
            seen.append(round(stops[i] + part * (stops[i + 1] - stops[i]), 2))
    return Tick(seen[-1], bar.open, max(seen), min(seen), round(previous, 4), at)
