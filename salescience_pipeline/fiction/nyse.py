"""The trading calendar of the sandbox: NYSE sessions, holidays and half days from 2000, as rules and a few exceptions.

Standard library only, because a calendar package costs a second of start-up. What does not belong here: time zones of
answers (each provider stamps its own way) and any other exchange. The rules are held against an independent calendar by
a test.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left, bisect_right
from functools import lru_cache

_DAY = dt.timedelta(days=1)
_MONDAY, _THURSDAY, _FRIDAY, _SATURDAY, _SUNDAY = 0, 3, 4, 5, 6

SPECIAL_CLOSURES: frozenset[dt.date] = frozenset(
    {
        *(dt.date(2001, 9, day) for day in (11, 12, 13, 14)),  # attacks of September 11
        dt.date(2004, 6, 11),  # mourning for President Reagan
        dt.date(2007, 1, 2),  # mourning for President Ford
        dt.date(2012, 10, 29),  # hurricane Sandy
        dt.date(2012, 10, 30),
        dt.date(2018, 12, 5),  # mourning for President Bush
        dt.date(2025, 1, 9),  # mourning for President Carter
    }
)
"""Days on which the exchange stayed shut outside its rules."""


def _nth_weekday(year: int, month: int, weekday: int, n: int) -> dt.date:
    """The ``n``-th ``weekday`` (Monday is 0) of a month; ``n`` of -1 is the last one."""
    if n > 0:
        first = dt.date(year, month, 1)
        return first + dt.timedelta(days=(weekday - first.weekday()) % 7 + 7 * (n - 1))
    last = dt.date(year + month // 12, month % 12 + 1, 1) - _DAY
    return last - dt.timedelta(days=(last.weekday() - weekday) % 7)


def easter(year: int) -> dt.date:
    """Easter Sunday of the Gregorian calendar (the anonymous algorithm of 1876)."""
    a, b, c = year % 19, year // 100, year % 100
    d, e = b // 4, b % 4
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = c // 4, c % 4
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return dt.date(year, month, day + 1)


def _observed(day: dt.date) -> dt.date:
    """The weekday on which the exchange keeps a fixed-date holiday."""
    return {_SATURDAY: day - _DAY, _SUNDAY: day + _DAY}.get(day.weekday(), day)


@lru_cache(maxsize=256)
def holidays(year: int) -> frozenset[dt.date]:
    """Weekdays of ``year`` on which the exchange is shut."""
    days = {
        _nth_weekday(year, 1, _MONDAY, 3),  # Martin Luther King Jr. Day
        _nth_weekday(year, 2, _MONDAY, 3),  # Presidents' Day
        easter(year) - 2 * _DAY,  # Good Friday
        _nth_weekday(year, 5, _MONDAY, -1),  # Memorial Day
        _observed(dt.date(year, 7, 4)),
        _nth_weekday(year, 9, _MONDAY, 1),  # Labor Day
        _nth_weekday(year, 11, _THURSDAY, 4),  # Thanksgiving
        _observed(dt.date(year, 12, 25)),
    }
    new_year = dt.date(year, 1, 1)
    if new_year.weekday() != _SATURDAY:  # a Saturday New Year is not made up for: the Friday before ends a quarter
        days.add(_observed(new_year))
    if year >= 2022:
        days.add(_observed(dt.date(year, 6, 19)))  # Juneteenth
    return frozenset(days | {day for day in SPECIAL_CLOSURES if day.year == year})


_NAMES = {
    1: "New Year's Day",
    2: "Washington's Birthday",
    5: "Memorial Day",
    6: "Juneteenth",
    7: "Independence Day",
    9: "Labor Day",
    11: "Thanksgiving Day",
    12: "Christmas",
}


def holiday_name(day: dt.date) -> str | None:
    """The name of a weekday on which the exchange is shut, or ``None`` for any other day."""
    if day not in holidays(day.year):
        return None
    if day in SPECIAL_CLOSURES:
        return "Special Closure"
    if day == easter(day.year) - 2 * _DAY:
        return "Good Friday"
    if (day.month, day.weekday()) == (1, _MONDAY) and day.day > 14:
        return "Martin Luther King, Jr. Day"
    if (day.month, day.day) == (12, 31):
        return _NAMES[1]
    return _NAMES[day.month]


@lru_cache(maxsize=256)
def _year(year: int) -> tuple[dt.date, ...]:
    shut = holidays(year)
    first = dt.date(year, 1, 1).toordinal()
    days = (dt.date.fromordinal(n) for n in range(first, dt.date(year + 1, 1, 1).toordinal()))
    return tuple(day for day in days if day.weekday() < _SATURDAY and day not in shut)


def is_session(day: dt.date) -> bool:
    """Whether the exchange trades on ``day``."""
    return day.weekday() < _SATURDAY and day not in holidays(day.year)


def sessions(first: dt.date, last: dt.date) -> list[dt.date]:
    """Trading days from ``first`` to ``last``, both included; empty when ``last`` lies before ``first``."""
    days: list[dt.date] = []
    for year in range(first.year, last.year + 1):
        days.extend(_year(year))
    return days[bisect_left(days, first) : bisect_right(days, last)]


def previous_session(day: dt.date) -> dt.date:
    """The last trading day strictly before ``day``."""
    day -= _DAY
    while not is_session(day):
        day -= _DAY
    return day


def next_session(day: dt.date) -> dt.date:
    """``day`` itself when it is a trading day, else the first one after it."""
    while not is_session(day):
        day += _DAY
    return day


def is_half_day(day: dt.date) -> bool:
    """Whether the session of ``day`` ends at 13:00 instead of 16:00 New York time."""
    if not is_session(day):
        return False
    if day == _nth_weekday(day.year, 11, _THURSDAY, 4) + _DAY:
        return True
    if (day.month, day.day) == (12, 24):
        return day.weekday() < _FRIDAY
    if (day.month, day.day) == (7, 3):
        # Until 2012 a Wednesday was full and the Friday after the holiday short instead.
        return day.weekday() < _FRIDAY and (day.weekday() != 2 or day.year >= 2013)
    if (day.month, day.day) == (7, 5):
        return day.weekday() == _FRIDAY and day.year < 2013
    return day == dt.date(2003, 12, 26)
