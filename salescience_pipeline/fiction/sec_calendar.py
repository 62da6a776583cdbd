"""When EDGAR is open and what its clocks say: business days, acceptance times, deemed filing dates, quarters.

Pure functions over dates. What does not belong here: trading sessions (the exchange is open on days on which EDGAR is
closed, and the other way round).
"""

from __future__ import annotations

import datetime as dt
from functools import cache
from zoneinfo import ZoneInfo

EASTERN = ZoneInfo("America/New_York")
"""The zone of every wall time that EDGAR prints."""

ROLL_AT = dt.time(17, 30)
"""A submission begun after this time (ET) is deemed filed on the next business day; ownership forms have until 22:00."""

_DAY = dt.timedelta(days=1)


def _nth_weekday(year: int, month: int, weekday: int, nth: int) -> dt.date:
    """The ``nth`` ``weekday`` (Monday is 0) of a month; a negative ``nth`` counts from its end."""
    if nth > 0:
        first = dt.date(year, month, 1)
        return first + dt.timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))
    last = month_end(year, month)
    return last - dt.timedelta(days=(last.weekday() - weekday) % 7)


@cache
def federal_holidays(year: int) -> frozenset[dt.date]:
    """The federal holidays of ``year`` as observed; EDGAR takes and lists nothing on them."""
    fixed = [dt.date(year, 1, 1), dt.date(year, 7, 4), dt.date(year, 11, 11), dt.date(year, 12, 25)]
    if year >= 2021:
        fixed.append(dt.date(year, 6, 19))
    fixed.append(dt.date(year + 1, 1, 1))  # observed on 31 December when it falls on a Saturday
    shift = {5: -_DAY, 6: _DAY}
    observed = {day + shift.get(day.weekday(), dt.timedelta()) for day in fixed}
    floating = {
        _nth_weekday(year, 1, 0, 3),
        _nth_weekday(year, 2, 0, 3),
        _nth_weekday(year, 5, 0, -1),
        _nth_weekday(year, 9, 0, 1),
        _nth_weekday(year, 10, 0, 2),
        _nth_weekday(year, 11, 3, 4),
    }
    return frozenset(observed | floating)


def is_business_day(day: dt.date) -> bool:
    """Whether EDGAR accepts filings on ``day`` and lists it in a daily index."""
    return day.weekday() < 5 and day not in federal_holidays(day.year)


def business_day(day: dt.date) -> dt.date:
    """``day`` itself, or the first business day after it."""
    while not is_business_day(day):
        day += _DAY
    return day


def next_business_day(day: dt.date) -> dt.date:
    """The first business day after ``day``."""
    return business_day(day + _DAY)


def previous_business_day(day: dt.date) -> dt.date:
    """The last business day before ``day``."""
    day -= _DAY
    while not is_business_day(day):
        day -= _DAY
    return day


def month_end(year: int, month: int) -> dt.date:
    """The last day of a month."""
    return (dt.date(year + month // 12, month % 12 + 1, 1)) - _DAY


def quarter(day: dt.date) -> int:
    """The calendar quarter (1 to 4) in which ``day`` lies: the folder name in EDGAR's index trees."""
    return (day.month + 2) // 3


def quarter_days(year: int, number: int) -> tuple[dt.date, dt.date]:
    """First and last day of a calendar quarter."""
    return dt.date(year, 3 * number - 2, 1), month_end(year, 3 * number)


def eastern(day: dt.date, clock: dt.time) -> dt.datetime:
    """A wall time in New York on ``day``, aware of daylight saving."""
    return dt.datetime.combine(day, clock, tzinfo=EASTERN)


def http_date(moment: dt.datetime) -> str:
    """``moment`` as HTTP headers spell it; English names whatever the locale is."""
    utc = moment.astimezone(dt.UTC)
    days = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    return f"{days[utc.weekday()]}, {utc:%d} {months[utc.month - 1]} {utc:%Y %H:%M:%S} GMT"


def long_date(day: dt.date) -> str:
    """``day`` as filings print it: ``March 31, 2026``."""
    return f"{MONTHS[day.month - 1]} {day.day}, {day.year}"


MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
"""Month names as filings print them."""
