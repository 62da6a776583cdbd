"""The fictional market that every emulated provider answers from: companies, sessions, prices, splits, dividends.

One seed gives one market, for ever: the price of a day depends on seed, ticker and day, never on ``today`` nor on how
many companies there are. Nothing is generated before it is asked for, and a month of one company can be had without the
months before it. What does not belong here: wire formats, filings, HTTP.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from salescience_pipeline.fiction import nyse
from salescience_pipeline.fiction.companies import (
    Company,
    FormerName,
    Officer,
    etfs,
    newcomer,
    operating_companies,
    split_schedule,
)
from salescience_pipeline.fiction.price_path import (
    PRICES_FROM,
    Nature,
    daily_path,
    log_level,
    nature_of,
    price,
    sessions_of_month,
)

__all__ = ["Bar", "Company", "FormerName", "Officer", "PriceEvent", "World", "new_york_today"]

NOTE = "Fictional data: companies, people, prices and filings are invented by the sandbox and describe nobody."


PRICE_EVENTS = ("split", "dividend", "delisting", "recycled_ticker")
"""What may happen to a security by hand."""

_CACHED_MONTHS = 20_000
"""Months of bars that are kept, about 120 MB; a month is drawn again in a fraction of a millisecond."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One session of one security, as traded on that day (not adjusted).

    Prices in the company's currency per share, ``volume`` in shares, ``div_cash`` in currency per share with its
    ex-date on this day (0 if none), ``split_factor`` new shares per old share taking effect this day (1 if none).
    """

    date: dt.date
    open: float
    high: float
    low: float
    close: float
    volume: int
    div_cash: float = 0.0
    split_factor: float = 1.0


@dataclass(frozen=True, slots=True)
class PriceEvent:
    """Something that happened to a security on a day; ``value`` is a split factor or a dividend per share."""

    kind: str
    """``split``, ``dividend``, ``delisting`` (then ``date`` is the last session and ``value`` is ignored) or
    ``recycled_ticker`` (then ``date`` is the first session of a new company, and ``value``, if given, its price then)."""
    ticker: str
    date: dt.date
    value: float = 0.0


def new_york_today() -> dt.date:
    """The current date in New York."""
    return dt.datetime.now(ZoneInfo("America/New_York")).date()


class World:
    """One fictional market.

    Args:
        seed: chooses the market.
        companies: number of operating companies; the first ones of any two worlds of one seed are the same.
        today: the date on which the market is looked at; the real date in New York when not given.
        today_closed: whether the session of ``today`` is over, so that its bar exists.
    """

    def __init__(
        self, seed: int = 7, companies: int = 12, today: dt.date | None = None, *, today_closed: bool = False
    ) -> None:
        self.seed = seed
        self.frozen = today is not None
        """Whether the date was given, and not taken from the clock."""
        self.today = today or new_york_today()
        self.today_closed = today_closed
        self.companies: tuple[Company, ...] = operating_companies(seed, companies)
        self.etfs: tuple[Company, ...] = etfs()
        self._born = len(self.companies)
        self._by_ticker = {company.ticker: company for company in (*self.companies, *self.etfs)}
        self._by_cik = {company.cik: company for company in (*self.companies, *self.etfs)}
        self._events: tuple[PriceEvent, ...] = ()
        self._months: dict[tuple[str, int, int], list[Bar]] = {}
        self._schedules: dict[str, tuple[dict[dt.date, float], dict[dt.date, float]]] = {}
        self.version = 0
        """Rises with every added event, so that a cache built on this world knows when it is stale."""

    @property
    def all(self) -> tuple[Company, ...]:
        """Operating companies, then index funds."""
        return (*self.companies, *self.etfs)

    @property
    def indices(self) -> tuple[str, ...]:
        """Tickers of the index funds."""
        return tuple(fund.ticker for fund in self.etfs)

    @property
    def watchlist(self) -> tuple[str, ...]:
        """Listed operating companies, except those kept back so that a user has something to add."""
        return tuple(c.ticker for c in self.companies if not c.spare and self.delisted(c) is None)

    @property
    def active(self) -> tuple[str, ...]:
        """The first half of the watchlist, one hundred at most."""
        return self.watchlist[: min(100, (len(self.watchlist) + 1) // 2)]

    @property
    def events(self) -> tuple[PriceEvent, ...]:
        """Events added by hand, oldest first by the time of adding (the built-in ones show in the bars)."""
        return self._events

    @property
    def last_session(self) -> dt.date:
        """The newest session that has bars."""
        if self.today_closed and nyse.is_session(self.today):
            return self.today
        return nyse.previous_session(self.today)

    def company(self, ticker: str) -> Company | None:
        """The company or fund with ``ticker`` (any case; a dash before the class is read as a dot), or ``None``."""
        return self._by_ticker.get(ticker.upper().replace("-", "."))

    def by_cik(self, cik: int) -> Company | None:
        """The company or fund with this CIK, or ``None``."""
        return self._by_cik.get(cik)

    def delisted(self, company: Company) -> dt.date | None:
        """The last session of ``company`` if it lies before today, an added delisting included."""
        dates = [
            e.date
            for e in self._events
            if e.kind == "delisting" and e.ticker == company.ticker and e.date >= company.listed
        ]
        if company.delisted is not None:
            dates.append(company.delisted)
        last = min(dates, default=None)
        return last if last is not None and last < self.today else None

    def session_ahead(self, company: Company) -> Bar | None:
        """The session of ``today`` while it is under way: where its price will go; ``None`` when there is none."""
        if not nyse.is_session(self.today) or self.last_session == self.today or self.delisted(company) is not None:
            return None
        bars = self._month(company, self.today.year, self.today.month)
        return next((bar for bar in bars if bar.date == self.today), None)

    def sessions(self, first: dt.date, last: dt.date) -> list[dt.date]:
        """Trading days of the exchange from ``first`` to ``last``, both included."""
        return nyse.sessions(first, last)

    def first_date(self, company: Company) -> dt.date:
        """The first session with a bar."""
        return nyse.next_session(max(company.listed, PRICES_FROM))

    def last_date(self, company: Company) -> dt.date:
        """The last session with a bar, as seen today."""
        last = self.delisted(company)
        return self.last_session if last is None else min(last, self.last_session)

    def add_event(self, event: PriceEvent) -> None:
        """Add a split, a dividend or a delisting; every provider shows it from now on.

        Raises:
            ValueError: for an unknown kind or ticker, a day without a session, or a value that is not positive.
        """
        if event.kind not in PRICE_EVENTS:
            raise ValueError(f"{event.kind!r} is not an event of prices: use one of {', '.join(PRICE_EVENTS)}.")
        company = self.company(event.ticker)
        if company is None:
            raise ValueError(f"{event.ticker!r} is not a security of this world.")
        if not nyse.is_session(event.date):
            raise ValueError(f"{event.date} is not a trading day.")
        if event.kind in {"split", "dividend"} and not (math.isfinite(event.value) and event.value > 0):
            raise ValueError(f"The value of a {event.kind} must be a positive number.")
        if event.kind == "recycled_ticker":
            self._recycle(company, event)
        self._events = (*self._events, replace(event, ticker=company.ticker))
        self._forget()

    def _recycle(self, before: Company, event: PriceEvent) -> None:
        """Give the ticker of a company that is gone to a new one."""
        gone = self.delisted(before)
        if gone is None or event.date <= gone or event.date > self.last_session:
            raise ValueError(
                f"{before.ticker} can only be recycled after its last session and up to {self.last_session}, "
                f"not on {event.date}."
            )
        after = newcomer(self.seed, len(self.companies) - self._born, before, event.date)
        if event.value > 0:
            nature = nature_of(self.seed, after)
            level = math.exp(log_level(self.seed, after, nature, event.date.year, event.date.month))
            after = replace(after, base_price=after.base_price * event.value / level)
        self.companies = (*self.companies, after)
        self._by_ticker[after.ticker] = after
        self._by_cik[after.cik] = after

    def close_today(self, closed: bool) -> None:
        """Let the session of ``today`` be over, so that its bar exists, or not yet."""
        if closed != self.today_closed:
            self.today_closed = closed
            self._forget()

    def clear_events(self) -> None:
        """Take back every event that was added by hand."""
        self._events = ()
        for company in self.companies[self._born :]:
            del self._by_cik[company.cik]
        self.companies = self.companies[: self._born]
        self._by_ticker = {company.ticker: company for company in self.all}
        self._forget()

    def _forget(self) -> None:
        self._months.clear()
        self._schedules.clear()
        self.version += 1

    # -- prices ---------------------------------------------------------------------------------------------------

    def bars(self, ticker: str, first: dt.date, last: dt.date) -> list[Bar]:
        """The sessions of ``ticker`` from ``first`` to ``last`` (both included), oldest first, as traded.

        An unknown ticker and a range without sessions give an empty list.
        """
        company = self.company(ticker)
        if company is None:
            return []
        first, last = max(first, self.first_date(company)), min(last, self.last_date(company))
        bars: list[Bar] = []
        year, month = first.year, first.month
        while (year, month) <= (last.year, last.month):
            bars.extend(self._month(company, year, month))
            year, month = (year, month + 1) if month < 12 else (year + 1, 1)
        return [bar for bar in bars if first <= bar.date <= last] if bars else []

    def close_on(self, ticker: str, date: dt.date) -> float | None:
        """The close as traded on ``date``, or ``None`` when there is no bar."""
        bars = self.bars(ticker, date, date)
        return bars[0].close if bars else None

    def splits(self, ticker: str) -> dict[dt.date, float]:
        """Splits up to the last bar: date to factor (4.0 is four for one), oldest first."""
        return self._until_now(ticker, 0)

    def dividends(self, ticker: str) -> dict[dt.date, float]:
        """Cash dividends up to the last bar: ex-date to amount per share as paid, oldest first."""
        return self._until_now(ticker, 1)

    def upcoming_dividend(self, ticker: str) -> tuple[dt.date, float] | None:
        """The first dividend after the last bar, if the company pays any."""
        company = self.company(ticker)
        if company is None or self.delisted(company) is not None:
            return None
        last = self.last_date(company)
        return next(((day, cash) for day, cash in self._schedule(company)[1].items() if day > last), None)

    def shares_on(self, ticker: str, date: dt.date) -> int:
        """Shares outstanding on ``date``: the number at listing times the splits since."""
        company = self.company(ticker)
        if company is None:
            return 0
        return round(company.shares * self._factor(company, date))

    def _until_now(self, ticker: str, which: int) -> dict[dt.date, float]:
        company = self.company(ticker)
        if company is None:
            return {}
        first, last = self.first_date(company), self.last_date(company)
        return {day: value for day, value in self._schedule(company)[which].items() if first <= day <= last}

    def _schedule(self, company: Company) -> tuple[dict[dt.date, float], dict[dt.date, float]]:
        """All splits and all dividends of a company, also those that lie ahead, sorted by day."""
        known = self._schedules.get(company.ticker)
        if known is not None:
            return known
        splits = {nyse.next_session(day): factor for day, factor in split_schedule(self.seed, company)}
        for event in self._events:
            if event.ticker == company.ticker and event.kind == "split" and event.date >= company.listed:
                splits[event.date] = splits.get(event.date, 1.0) * event.value
        splits = dict(sorted(splits.items()))
        dividends: dict[dt.date, float] = {}
        nature = nature_of(self.seed, company)
        if nature.dividend_yield > 0:
            dividends.update(self._regular_dividends(company, nature, splits))
        for event in self._events:
            if event.ticker == company.ticker and event.kind == "dividend" and event.date >= company.listed:
                dividends[event.date] = round(dividends.get(event.date, 0.0) + event.value, 6)
        self._schedules[company.ticker] = schedule = (splits, dict(sorted(dividends.items())))
        return schedule

    def _regular_dividends(
        self, company: Company, nature: Nature, splits: dict[dt.date, float]
    ) -> Iterable[tuple[dt.date, float]]:
        """Quarterly dividends: a quarter of the yield on the price level with which the year began."""
        first = self.first_date(company)
        for year in range(first.year, self.today.year + 2):
            level = math.exp(log_level(self.seed, company, nature, year, 1))
            for quarter in range(4):
                month = nature.dividend_month + 3 * quarter
                day = nyse.next_session(dt.date(year, month, 6 + nature.dividend_month))
                factor = math.prod(f for split, f in splits.items() if split <= day)
                cash = max(0.01, round(level * nature.dividend_yield / 4 / factor, 2))
                if day > first:
                    yield day, cash

    def _factor(self, company: Company, date: dt.date) -> float:
        """Shares on ``date`` for one share at listing."""
        return math.prod(factor for day, factor in self._schedule(company)[0].items() if day <= date)

    def _month(self, company: Company, year: int, month: int) -> list[Bar]:
        key = (company.ticker, year, month)
        bars = self._months.get(key)
        if bars is None:
            if len(self._months) >= _CACHED_MONTHS:
                self._months.clear()
            bars = self._months[key] = self._generate(company, year, month)
        return bars

    def _generate(self, company: Company, year: int, month: int) -> list[Bar]:
        """All sessions of one month, also those after today: a bridge between the levels of two month ends."""
        splits, dividends = self._schedule(company)
        nature = nature_of(self.seed, company)
        days = sessions_of_month(year, month)
        path, step = daily_path(self.seed, company, nature, year, month)
        bars = []
        previous = path[0]
        for day, level, (gap, up, down, busy) in zip(days, path[1:], step, strict=True):
            factor = self._factor(company, day) if splits else 1.0
            start = math.exp(previous + gap)
            end = math.exp(level)
            high = max(start, end) * (1 + up)
            low = min(start, end) * (1 - down)
            volume = int(company.shares * factor * nature.turnover * busy)
            bars.append(
                Bar(
                    date=day,
                    open=price(start / factor),
                    high=price(high / factor),
                    low=price(low / factor),
                    close=price(end / factor),
                    volume=volume,
                    div_cash=dividends.get(day, 0.0),
                    split_factor=splits.get(day, 1.0),
                )
            )
            previous = level
        return bars
