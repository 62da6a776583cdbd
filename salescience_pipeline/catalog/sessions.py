"""Trading days of the New York exchanges, from a maintained calendar library.

Pure functions of a date and a clock that the caller passes in. The library is imported on first use: it costs a second
of CPU that most processes never need. What does not belong here: reading the clock.
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")

EOD_READY = dt.time(17, 30)
"""When most end-of-day prices are out, New York time (Tiingo's own statement)."""

_FIRST, _LAST_YEARS_AHEAD = dt.date(1990, 1, 2), 1


@lru_cache(maxsize=2)
def _calendar(last_year: int) -> Any:
    import exchange_calendars  # noqa: PLC0415 - a second of CPU, needed by few processes

    return exchange_calendars.get_calendar("XNYS", start=_FIRST.isoformat(), end=f"{last_year}-12-31")


def _calendar_for(day: dt.date) -> Any:
    return _calendar(max(dt.datetime.now(tz=NEW_YORK).year + _LAST_YEARS_AHEAD, day.year))


def sessions(first: dt.date, last: dt.date) -> list[dt.date]:
    """Trading days from ``first`` to ``last``, both included, oldest first."""
    first = max(first, _FIRST)
    if last < first:
        return []
    days = _calendar_for(last).sessions_in_range(first.isoformat(), last.isoformat())
    return [day.date() for day in days]


def is_session(day: dt.date) -> bool:
    """Whether the New York exchanges trade on ``day``."""
    return day >= _FIRST and bool(_calendar_for(day).is_session(day.isoformat()))


def why_closed(day: dt.date) -> str | None:
    """The reason for which there is no trading on ``day``, in words; None on a trading day."""
    if is_session(day):
        return None
    return "a weekend" if day.weekday() >= 5 else "an exchange holiday"


def session_hours(day: dt.date) -> tuple[dt.datetime, dt.datetime] | None:
    """The opening and the closing bell of ``day`` (aware, UTC), half days included; None without trading."""
    if not is_session(day):
        return None
    calendar, label = _calendar_for(day), day.isoformat()
    return calendar.session_open(label).to_pydatetime(), calendar.session_close(label).to_pydatetime()


def last_session_before(day: dt.date) -> dt.date:
    """The newest trading day strictly before ``day``."""
    return sessions(day - dt.timedelta(days=14), day - dt.timedelta(days=1))[-1]


def last_session_out(now: dt.datetime) -> dt.date:
    """The newest trading day whose end-of-day prices should be out at ``now`` (an aware datetime)."""
    local = now.astimezone(NEW_YORK)
    if local.time() >= EOD_READY and is_session(local.date()):
        return local.date()
    return last_session_before(local.date())
