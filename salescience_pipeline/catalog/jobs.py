"""The jobs of the providers, as rows: what each asks for, for whom, and when.

Names and scopes are those of the sources (eleven jobs of four providers, and two of SEC); orchestration builds a Dagster
job and its schedules from each row. What does not belong here: Dagster, and how a dataset is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from salescience_pipeline.catalog.crons import parse_cron
from salescience_pipeline.catalog.datasets import DATASETS, Cut, Dataset
from salescience_pipeline.catalog.scopes import Scope
from salescience_pipeline.identifiers import TableName


class UnknownJob(ValueError):
    """There is no job of that name; the message names those that exist."""


@dataclass(frozen=True, slots=True)
class Pass:
    """One cron line of a job."""

    cron: str
    """In New York time; lines keep away from 01:00 to 03:00, when the clock may jump, unless they repeat all day."""
    force: bool = False
    """Whether it asks again for what is current: corrections, weekly sweeps."""
    day_before: bool = False
    """Whether it completes the day before the one on which it fires."""
    datasets: tuple[TableName, ...] = ()
    """The part of the job's datasets that it runs; all by default."""
    what: str = ""
    """What it is for, when the job has several."""


@dataclass(frozen=True, slots=True)
class Job:
    """One job: datasets in the order in which they run, the scope that they run for, and its passes."""

    name: str
    datasets: tuple[TableName, ...]
    scope: Scope
    description: str
    passes: tuple[Pass, ...]
    calendar: Literal["sessions", "open_hours", "every_day"] = "every_day"
    """On which days its passes run: on trading days, while the exchange is open (and five minutes longer), or always."""

    @property
    def dagster_name(self) -> str:
        """The name as Dagster takes it."""
        return self.name.replace("-", "_")

    @property
    def rows(self) -> tuple[Dataset, ...]:
        """The catalogue rows of its datasets."""
        return tuple(DATASETS[name] for name in self.datasets)

    @property
    def provider(self) -> str:
        """The provider that it asks; a job has one."""
        return self.rows[0].provider

    @property
    def is_cut_by_ticker(self) -> bool:
        """Whether any dataset is cut by ticker: its run then takes the scope at once, not partition by partition."""
        return any(dataset.cut is Cut.TICKER for dataset in self.rows)

    def schedule_name(self, number: int) -> str:
        """The schedule of pass ``number``, counted from 0."""
        return self.dagster_name + (f"_pass_{number + 1}" if number else "")

    def datasets_of(self, one: Pass) -> tuple[TableName, ...]:
        """The datasets that a pass runs."""
        return one.datasets or self.datasets


def _names(*names: str) -> tuple[TableName, ...]:
    return tuple(TableName(name) for name in names)


_EOD = _names("core_tiingo__eod_prices_daily")
_QUOTES = _names("core_finnhub__quotes")
_NEWS = _names("core_finnhub__news_articles")
_MARKET_NEWS = _names("core_polygon__news_articles")
_REPORTS = _names(
    "core_finnhub__earnings_calendar", "core_finnhub__fundamental_metrics", "core_finnhub__earnings_surprises"
)
_PROFILES = _names("core_finnhub__company_profiles")
_CORRECTIONS = "Exchanges correct until 20:00."

_ROWS: tuple[Job, ...] = (
    Job(
        "tiingo-daily-prices",
        _EOD,
        Scope.ENTIRE_WATCHLIST,
        "End-of-day prices of the watchlist after each trading day: one call for all, and the whole history of the tickers "
        "with a split or dividend.",
        (Pass("45 17 * * 1-5"), Pass("15 20 * * 1-5", force=True, what=_CORRECTIONS)),
        "sessions",
    ),
    Job(
        "tiingo-daily-prices-indices",
        _EOD,
        Scope.INDICES,
        "End-of-day prices of the index funds after each trading day; what the watchlist's job fetched is not asked for again.",
        (Pass("50 17 * * 1-5"), Pass("20 20 * * 1-5", force=True, what=_CORRECTIONS)),
        "sessions",
    ),
    Job(
        "finnhub-quote-portfolio",
        _QUOTES,
        Scope.ACTIVE_SYMBOLS,
        "The last trade of each active ticker, every five minutes while the exchange is open.",
        (Pass("*/5 9-16 * * 1-5"),),
        "open_hours",
    ),
    Job(
        "finnhub-quote-indices",
        _QUOTES,
        Scope.INDICES,
        "The last trade of each index fund, every five minutes while the exchange is open.",
        (Pass("2-59/5 9-16 * * 1-5"),),
        "open_hours",
    ),
    Job(
        "finnhub-company-news-universe",
        _NEWS,
        Scope.ENTIRE_WATCHLIST,
        "Company news of the watchlist every morning: one range for each ticker from where it was last read.",
        (Pass("0 6 * * *"),),
    ),
    Job(
        "finnhub-company-news-portfolio",
        _NEWS,
        Scope.ACTIVE_SYMBOLS,
        "Company news of the active tickers every hour of a working day, and twice a day on weekends.",
        (Pass("10 7-20 * * 1-5"), Pass("10 9,18 * * 0,6", what="Weekends are quiet.")),
    ),
    Job(
        "finnhub-fundamentals-earnings",
        (*_REPORTS, *_PROFILES),
        Scope.ENTIRE_WATCHLIST,
        "The earnings calendar first, then metrics and results of the tickers that reported; all of them and the profiles "
        "once a week.",
        (
            Pass("30 5 * * 2-6", datasets=_REPORTS, what="After a trading day: who reported."),
            Pass(
                "0 7 * * 6",
                force=True,
                datasets=(*_REPORTS[1:], *_PROFILES),
                what="Once a week, whoever reported or not.",
            ),
        ),
    ),
    Job(
        "polygon-news-universe",
        _MARKET_NEWS,
        Scope.ENTIRE_WATCHLIST,
        "News of the watchlist every morning: a view of the market's news, so that it asks only for what no other job read.",
        (Pass("20 6 * * *"),),
    ),
    Job(
        "polygon-news-portfolio",
        _MARKET_NEWS,
        Scope.ACTIVE_SYMBOLS,
        "News of the active tickers every hour of a working day: a view of the market's news.",
        (Pass("25 7-20 * * 1-5"),),
    ),
    Job(
        "polygon-news-market",
        _MARKET_NEWS,
        Scope.NONE,
        "News of the whole market every quarter of an hour, one window from where it was last read.",
        (Pass("*/15 * * * *"),),
    ),
    Job(
        "alpha-vantage-technical-indicators",
        _names("core_alphavantage__technical_indicators"),
        Scope.ENTIRE_WATCHLIST,
        "Indicators as Alpha Vantage computes them, to audit our own: those read longest ago first, as many as the day allows.",
        (Pass("30 19 * * 1-5"),),
        "sessions",
    ),
    Job(
        "sec-company-tickers",
        _names("core_sec__company_tickers"),
        Scope.NONE,
        "SEC's list of tickers and companies, every morning: one request for the whole market.",
        (Pass("0 6 * * *"),),
    ),
    Job(
        "sec-daily-index",
        _names("core_sec__filings_daily"),
        Scope.ENTIRE_WATCHLIST,
        "The day's filings of the watchlist from EDGAR's daily index, in the evening and, where it was late, again.",
        (
            Pass("30 22 * * 1-5"),
            Pass("30 23 * * 1-5", force=True, what="The index is sometimes late."),
            Pass("0 6 * * 2-6", force=True, day_before=True, what="The evening before, once more."),
        ),
    ),
)

JOBS: dict[str, Job] = {job.name: job for job in _ROWS}

SOURCE_JOBS: tuple[str, ...] = tuple(name for name, job in JOBS.items() if job.provider != "sec")
"""The eleven jobs of the four market-data providers."""


def job_named(name: str) -> Job:
    """The job of that name, written with dashes or underscores.

    Raises:
        UnknownJob: naming the jobs that exist.
    """
    job = JOBS.get(name.strip().lower().replace("_", "-"))
    if job is None:
        raise UnknownJob(f"There is no job {name[:60]!r}; there are {', '.join(JOBS)}.")
    return job


def weekdays_of(dataset: str) -> frozenset[int]:
    """The weekdays (0 is a Sunday) about which some job asks for ``dataset``; all of them when none does."""
    days: set[int] = set()
    for job in JOBS.values():
        for one in job.passes:
            if dataset in job.datasets_of(one):
                days |= {(day - int(one.day_before)) % 7 for day in parse_cron(one.cron).weekdays}
    return frozenset(days or range(7))
