"""Where a price of the fictional market comes from: random walks that can be had for any month without the ones before.

A price level at each month start is a market part and a part of the company's own; inside a month a walk bridges the two
ends. Every draw depends on seed, ticker and month only. What does not belong here: splits, dividends, listings.
"""

from __future__ import annotations

import datetime as dt
import math
import random
from dataclasses import dataclass
from functools import lru_cache

from salescience_pipeline.fiction import nyse
from salescience_pipeline.fiction.companies import Company, chance

PRICES_FROM = dt.date(2015, 1, 1)
"""First day of the price paths, in the exchange's own dates; a company listed later starts later."""


@dataclass(frozen=True, slots=True)
class Nature:
    """What drives one price path: yearly drift, monthly and daily volatility, beta to the market, dividend yield."""

    drift: float
    monthly: float
    daily: float
    beta: float
    dividend_yield: float
    dividend_month: int
    turnover: float


def price(value: float) -> float:
    """A price in cents, never below one cent."""
    return max(0.01, round(value, 2))


@lru_cache(maxsize=4096)
def sessions_of_month(year: int, month: int) -> tuple[dt.date, ...]:
    """The trading days of one month, also those that lie ahead."""
    last = dt.date(year + month // 12, month % 12 + 1, 1) - dt.timedelta(days=1)
    return tuple(nyse.sessions(dt.date(year, month, 1), last))


def nature_of(seed: int, company: Company) -> Nature:
    """What drives the price of ``company``; an index fund follows the market closely."""
    if company.kind == "etf":
        return Nature(0.01, 0.004, 0.0015, 1.0, 0.014, 3, 0.01)
    return _drawn_nature(seed, company.ticker, company.pays_dividend)


@lru_cache(maxsize=20_000)
def _drawn_nature(seed: int, ticker: str, pays_dividend: bool | None) -> Nature:
    rng = chance(seed, "nature", ticker)
    drawn = rng.random() < 0.6
    pays = drawn if pays_dividend is None else pays_dividend
    return Nature(
        drift=rng.uniform(-0.01, 0.08),
        monthly=rng.uniform(0.03, 0.07),
        daily=rng.uniform(0.008, 0.02),
        beta=rng.uniform(0.6, 1.3),
        dividend_yield=rng.uniform(0.008, 0.035) if pays else 0.0,
        dividend_month=rng.randint(1, 3),
        turnover=rng.uniform(0.002, 0.009),
    )


def _months_since_start(year: int, month: int) -> int:
    return (year - PRICES_FROM.year) * 12 + month - 1


@lru_cache(maxsize=64)
def _market_months(seed: int, upto: int) -> tuple[float, ...]:
    """Log level of the whole market at the start of month 0, 1, ... ``upto`` (months since January 2015)."""
    rng = chance(seed, "market")
    levels = [0.0]
    for _ in range(upto):
        levels.append(levels[-1] + 0.006 - 0.01 * (levels[-1] - 0.006 * len(levels)) + rng.gauss(0, 0.035))
    return tuple(levels)


@lru_cache(maxsize=20_000)
def _own_months(seed: int, ticker: str, sigma: float, upto: int) -> tuple[float, ...]:
    """The company's own log deviation at each month start; drawn back towards zero so that no path runs away."""
    rng = chance(seed, "months", ticker)
    levels = [0.0]
    for _ in range(upto):
        levels.append(0.985 * levels[-1] + rng.gauss(0, sigma))
    return tuple(levels)


def log_level(seed: int, company: Company, nature: Nature, year: int, month: int) -> float:
    """Log price at the start of a month, splits ignored, in currency per share at listing."""
    k = max(0, _months_since_start(year, month))
    # Whole decades are drawn at once: one cached draw serves every month, and a longer one starts the same way.
    upto = (k // 120 + 1) * 120
    market = _market_months(seed, upto)[k]
    own = _own_months(seed, company.ticker, nature.monthly, upto)[k]
    return math.log(company.base_price) + nature.drift * k / 12 + nature.beta * market + own


def _bridge(rng: random.Random, start: float, end: float, n: int, sigma: float) -> list[float]:
    """A random walk of ``n`` steps pinned at both ends; ``n + 1`` values."""
    walk = [0.0]
    for _ in range(n):
        walk.append(walk[-1] + rng.gauss(0, sigma))
    tail = walk[-1]
    return [start + (end - start) * i / n + value - tail * i / n for i, value in enumerate(walk)]


@lru_cache(maxsize=512)
def _market_days(seed: int, year: int, month: int) -> tuple[float, ...]:
    """What the whole market does within a month, as a log deviation that starts and ends at zero."""
    return tuple(
        _bridge(chance(seed, "market days", year, month), 0.0, 0.0, len(sessions_of_month(year, month)), 0.007)
    )


def daily_path(
    seed: int, company: Company, nature: Nature, year: int, month: int
) -> tuple[list[float], list[tuple[float, float, float, float]]]:
    """Log closes of a month (first value: the close before it) and per day: gap, reach up, reach down, busyness."""
    n = len(sessions_of_month(year, month))
    rng = chance(seed, "days", company.ticker, year, month)
    start = log_level(seed, company, nature, year, month)
    end = log_level(seed, company, nature, year + month // 12, month % 12 + 1)
    path = _bridge(rng, start, end, n, nature.daily)
    if nature.beta:
        shared = _market_days(seed, year, month)
        path = [own + nature.beta * market for own, market in zip(path, shared, strict=True)]
    third = nature.daily / 3
    steps = [
        (rng.gauss(0, third), abs(rng.gauss(0, third)), abs(rng.gauss(0, third)), math.exp(rng.gauss(0, 0.35)))
        for _ in range(n)
    ]
    return path, steps
