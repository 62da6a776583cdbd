"""When the invented companies tell their results, what was expected of them and what came: one schedule for all providers.

The day is the one on which EDGAR has the 8-K with item 2.02 (``filings``), and the figures are those of the accounts, so
that calendars, surprises and reports agree. What does not belong here: wire formats.
"""

from __future__ import annotations

import datetime as dt
import math
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from salescience_pipeline.fiction.companies import FIRST_FILING_DAY, Company, chance, split_schedule
from salescience_pipeline.fiction.happenings import Happenings, MovedEarnings
from salescience_pipeline.fiction.sec_calendar import business_day, eastern, month_end
from salescience_pipeline.fiction.statements import Accounts, accounts, fiscal_quarter_end
from salescience_pipeline.fiction.world import World

AHEAD = dt.timedelta(days=120)
"""How far ahead of the world's date reports are announced."""
TOLD_AFTER = (22, 31)
"""Results are told this many days after their quarter's end, or on the first business day after that."""
_CLOCKS = {"bmo": dt.time(7, 0), "amc": dt.time(16, 5)}
_CACHED_BOOKS = 256
_CACHED_ROWS = 40_000


@dataclass(frozen=True, slots=True)
class Announcement:
    """One quarter's results: told, or still to be told."""

    company: Company
    fiscal_year: int
    fiscal_quarter: int
    period_end: dt.date
    date: dt.date
    """The day on which they are told, in New York."""
    hour: str
    """``bmo`` before the market opens, ``amc`` after it closes."""
    told: bool
    eps_estimate: float
    """USD per share, as the shares were on the day."""
    eps: float
    """What is told; not to be shown before."""
    revenue_estimate: int
    """USD."""
    revenue: int

    @property
    def surprise(self) -> float:
        """How much better the result is than what was expected, in USD per share."""
        return round(self.eps - self.eps_estimate, 4)

    @property
    def surprise_percent(self) -> float:
        """The surprise in percent of what was expected; 0 when nothing was."""
        return round(100 * self.surprise / abs(self.eps_estimate), 4) if self.eps_estimate else 0.0


class Earnings:
    """The schedule over one world.

    Args:
        world: the market.
        happenings: moved dates are read here.
        moment: gives the moment up to which results are told.
    """

    def __init__(self, world: World, happenings: Happenings, moment: Callable[[], dt.datetime]) -> None:
        self._world = world
        self._moment = moment
        self._happenings = happenings
        self._books: OrderedDict[int, Accounts] = OrderedDict()
        self._rows: dict[tuple[int, int, int], tuple[float, float, int, int]] = {}
        self._days: dict[dt.date, dict[dt.date, tuple[tuple[Company, int, int], ...]]] = {}
        self._companies = 0

    # -- questions --------------------------------------------------------------------------------------------------

    def of(self, company: Company) -> list[Announcement]:
        """All announcements of a company, oldest first, those that are still to come included."""
        if company.kind == "etf":
            return []
        last = self._world.today + AHEAD
        found = [
            self._announcement(company, year, number, day)
            for year in range(FIRST_FILING_DAY.year - 1, last.year + 2)
            for number in (1, 2, 3, 4)
            if (day := self._due(company, year, number)) is not None and day <= last
        ]
        return sorted(found, key=lambda a: a.date)

    def told(self, company: Company) -> list[Announcement]:
        """The announcements that were made by the world's date, newest first."""
        return [a for a in reversed(self.of(company)) if a.told]

    def between(self, first: dt.date, last: dt.date) -> list[Announcement]:
        """Announcements of the whole market from ``first`` to ``last``, by day and ticker."""
        last = min(last, self._world.today + AHEAD)
        found = {
            (a.company.cik, a.period_end): a
            for company, year, number, day in self._due_between(first, last)
            for a in (self._announcement(company, year, number, day),)
            if first <= a.date <= last
        }
        for move in self._happenings.all:
            if isinstance(move, MovedEarnings) and (company := self._world.company(move.ticker)) is not None:
                for a in self.of(company):
                    if first <= a.date <= last:
                        found[company.cik, a.period_end] = a
        return sorted(found.values(), key=lambda a: (a.date, a.company.ticker))

    def on(self, day: dt.date) -> list[tuple[Company, int, int]]:
        """Company, fiscal year and quarter of every report due on ``day`` before any move; costs no accounts."""
        return [(company, year, number) for company, year, number, _ in self._due_between(day, day)]

    def hour(self, company: Company) -> str:
        """When in a day a company tells its results: ``bmo`` before the market opens, ``amc`` after it closes."""
        return "bmo" if chance(self._world.seed, "hour", company.cik).random() < 0.35 else "amc"

    def moment(self, company: Company, day: dt.date) -> dt.datetime:
        """The moment on ``day`` at which the press release goes out."""
        return eastern(day, _CLOCKS[self.hour(company)])

    def check(self, move: MovedEarnings) -> MovedEarnings:
        """The move with its ticker in canonical form.

        Raises:
            ValueError: when the company has no report on that day, or either day is not ahead: what was told cannot be
                taken back, as it stands in EDGAR too.
        """
        company = self._world.company(move.ticker)
        if company is None:
            raise ValueError(f"{move.ticker!r} is not a security of this world.")
        coming = [a for a in self.of(company) if not a.told]
        due = {day: a for a in coming for day in (self._due(company, a.fiscal_year, a.fiscal_quarter), a.date)}
        if move.date not in due:
            days = ", ".join(a.date.isoformat() for a in coming) or "none"
            raise ValueError(f"{company.ticker} has no report ahead on {move.date}; it has: {days}.")
        if move.to <= self._world.today:
            raise ValueError(f"A report can only be moved to a day after {self._world.today}, not to {move.to}.")
        original = self._due(company, due[move.date].fiscal_year, due[move.date].fiscal_quarter)
        return MovedEarnings(company.ticker, original or move.date, move.to)

    def books(self, company: Company) -> Accounts:
        """The accounts of a company, the quarters ahead included."""
        books = self._books.get(company.cik)
        if books is None:
            books = self._books[company.cik] = accounts(company, self._world.seed, self._world.today + AHEAD)
            while len(self._books) > _CACHED_BOOKS:
                self._books.popitem(last=False)
        return books

    # -- parts ------------------------------------------------------------------------------------------------------

    def _due(self, company: Company, year: int, number: int) -> dt.date | None:
        """The day on which a quarter is told by plan; the same draw as the 8-K's (``filings``)."""
        if company.kind == "etf":
            return None
        end = fiscal_quarter_end(company.fiscal_year_end, year, number)
        rng = chance(self._world.seed, "quarter", company.cik, year, number)
        day = business_day(end + dt.timedelta(days=rng.randint(*TOLD_AFTER)))
        last = self._world.delisted(company)
        if day < max(FIRST_FILING_DAY, company.listed + dt.timedelta(days=30)):
            return None
        return None if last is not None and day > last else day

    def _due_between(self, first: dt.date, last: dt.date) -> Iterator[tuple[Company, int, int, dt.date]]:
        """Reports due from ``first`` to ``last``, found by the month in which their quarters end."""
        if len(self._world.companies) != self._companies:
            self._companies = len(self._world.companies)
            self._days.clear()
        day = first - dt.timedelta(days=TOLD_AFTER[1] + 7)
        end = month_end(day.year, day.month)
        while end <= last - dt.timedelta(days=TOLD_AFTER[0]):
            days = self._days.get(end)
            if days is None:
                days = self._days[end] = self._schedule(end)
            for due in sorted(days):
                if first <= due <= last:
                    for company, year, number in days[due]:
                        gone = self._world.delisted(company)
                        if gone is None or due <= gone:
                            yield company, year, number, due
            following = end + dt.timedelta(days=1)
            end = month_end(following.year, following.month)

    def _schedule(self, end: dt.date) -> dict[dt.date, tuple[tuple[Company, int, int], ...]]:
        """The plan of all quarters that end on ``end``: day to who tells which quarter."""
        days: dict[dt.date, list[tuple[Company, int, int]]] = {}
        for company in self._world.companies:
            closing = int(company.fiscal_year_end[:2])
            behind = (end.month - closing) % 12
            if behind % 3:
                continue
            number = behind // 3 or 4
            year = end.year + (end.month > closing)
            day = self._due(company, year, number)
            if day is not None:
                days.setdefault(day, []).append((company, year, number))
        return {day: tuple(rows) for day, rows in days.items()}

    def _announcement(self, company: Company, year: int, number: int, due: dt.date) -> Announcement:
        date = self._happenings.moves(company.ticker).get(due, due)
        eps_estimate, eps, revenue_estimate, revenue = self._figures(company, year, number, due)
        return Announcement(
            company=company,
            fiscal_year=year,
            fiscal_quarter=number,
            period_end=fiscal_quarter_end(company.fiscal_year_end, year, number),
            date=date,
            hour=self.hour(company),
            told=self.moment(company, date) <= self._moment(),
            eps_estimate=eps_estimate,
            eps=eps,
            revenue_estimate=revenue_estimate,
            revenue=revenue,
        )

    def _figures(self, company: Company, year: int, number: int, due: dt.date) -> tuple[float, float, int, int]:
        """Expected and real earnings per share, expected and real revenue."""
        key = (company.cik, year, number)
        known = self._rows.get(key)
        if known is not None:
            return known
        books = self.books(company)
        quarter = books.quarter(year, number)
        factor = math.prod(f for day, f in split_schedule(self._world.seed, company) if day <= due)
        income = Decimal(quarter.flows["net_income"]).scaleb(books.scale)
        # Shares and cents as the report shows them (``figures``).
        shares = int(quarter.shares_diluted * Decimal(str(factor)))
        eps = float((income / shares).quantize(Decimal("0.01")))
        revenue = quarter.flows["revenue"] * 10**books.scale
        rng = chance(self._world.seed, "estimate", *key)
        expected = round(eps - rng.gauss(0.02, 0.05) * max(abs(eps), 0.1), 4)
        guessed = round(revenue * (1 - rng.gauss(0.004, 0.015)))
        if len(self._rows) >= _CACHED_ROWS:
            self._rows.clear()
        self._rows[key] = made = (expected, eps, guessed, revenue)
        return made
