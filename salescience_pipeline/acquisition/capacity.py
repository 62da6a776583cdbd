"""What if: how many requests a trading day of all jobs would need for so many tickers, and whether the plans hold it.

Pure arithmetic over the catalogue: the jobs' cron lines, the minima of the recipes and the providers' price plans.
Nothing is planned for real, and nothing is sent. What does not belong here: a plan for what is stored
(``acquire.plan``).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass

from salescience_pipeline.acquisition.services import SelectionError
from salescience_pipeline.catalog import crons
from salescience_pipeline.catalog.indicators import INDICATORS
from salescience_pipeline.catalog.jobs import JOBS, SOURCE_JOBS, Job
from salescience_pipeline.catalog.providers import PROVIDERS, Plan
from salescience_pipeline.catalog.scopes import Scope
from salescience_pipeline.catalog.sessions import NEW_YORK, session_hours

PAYMENTS, REPORTS, SESSIONS_A_YEAR, SESSIONS_A_MONTH = 4, 4, 252, 21
"""A company pays a dividend and reports once a quarter; a month has 21 trading days."""
ARTICLES, PAGE = 1_000, 1_000
"""Articles of the whole market in a window of two days, about; a page of Polygon's holds as many."""
LONGEST_CADENCE = dt.timedelta(hours=24)
_STEP = re.compile(r"(\d{1,4})\s*(s|m|h|)", re.ASCII)
_AFTER_CLOSE = dt.timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class JobLoad:
    """One job on a trading day."""

    job: str
    provider: str
    runs: int
    requests_a_run: int
    seconds_a_run: float
    """At the plan's rate."""
    cadence: float | None
    """Seconds between two runs, of a job that polls."""

    @property
    def requests(self) -> int:
        """Over the whole day."""
        return self.runs * self.requests_a_run


@dataclass(frozen=True, slots=True)
class ProviderLoad:
    """One provider on a trading day."""

    provider: str
    plan: str
    requests: int
    allowed: int
    """Requests that the plan allows in a day: its daily quota, or its rate all day long."""
    seconds: float
    problems: tuple[str, ...]
    """Each limit that does not hold, in a sentence."""
    plan_that_holds: str | None
    """The first of the provider's plans that holds the day; None when none does."""

    @property
    def used(self) -> float:
        """The part of the allowed requests that is needed."""
        return self.requests / self.allowed


@dataclass(frozen=True, slots=True)
class Capacity:
    """A trading day of all jobs."""

    tickers: int
    active: int
    day: dt.date
    jobs: tuple[JobLoad, ...]
    providers: tuple[ProviderLoad, ...]

    @property
    def bottleneck(self) -> ProviderLoad:
        """The provider whose plan is used most."""
        return max(self.providers, key=lambda load: load.used)


def parse_cadence(text: str) -> dt.timedelta:
    """``15m``, ``1h`` or ``90s`` as a span of time; a plain number is minutes.

    Raises:
        SelectionError: for anything else, and for less than a minute or more than a day.
    """
    found = _STEP.fullmatch(text.strip().lower())
    unit = {"s": "seconds", "m": "minutes", "h": "hours", "": "minutes"}
    span = dt.timedelta(**{unit[found[2]]: int(found[1])}) if found else dt.timedelta()
    if not dt.timedelta(minutes=1) <= span <= LONGEST_CADENCE:
        raise SelectionError(f"{text[:40]!r} is no cadence; write it as 15m or 1h, from a minute to a day.")
    return span


def capacity(
    tickers: int,
    day: dt.date,
    plans: Mapping[str, str],
    *,
    active: int | None = None,
    indices: int = 10,
    cadence: dt.timedelta | None = None,
) -> Capacity:
    """The day of all eleven jobs.

    Args:
        tickers: On the watchlist.
        day: A trading day; how often each cron line fires on it counts.
        plans: The price plan of each provider; a provider that is left out has its first one.
        active: Active tickers, a tenth of all and at least 50 (at most all) by default.
        indices: Index funds.
        cadence: How often the jobs that poll run, instead of their own cron lines.

    Raises:
        SelectionError: for numbers that cannot be meant, or a day without trading.
    """
    chosen = active if active is not None else min(max(tickers // 10, 50), tickers)
    if not 1 <= tickers <= 100_000 or not 0 <= chosen <= tickers:
        raise SelectionError("A watchlist holds from 1 to 100,000 tickers, and the active ones are some of them.")
    if session_hours(day) is None:
        raise SelectionError(f"{day.isoformat()} is no trading day.")
    counts = {Scope.ENTIRE_WATCHLIST: tickers, Scope.ACTIVE_SYMBOLS: chosen, Scope.INDICES: indices, Scope.NONE: 0}
    rates = {name: PROVIDERS[name].plan(plans.get(name)).rate for name in PROVIDERS}
    jobs = []
    for name in SOURCE_JOBS:
        job = JOBS[name]
        asked = _requests_a_run(job, counts[job.scope])
        jobs.append(
            JobLoad(
                name, job.provider, _runs(job, day, cadence), asked, round(asked / rates[job.provider], 1),
                _cadence_of(job, cadence),
            )
        )  # fmt: skip
    providers = dict.fromkeys(load.provider for load in jobs)
    loads = tuple(_provider_load(name, plans.get(name), jobs, tickers) for name in providers)
    return Capacity(tickers, chosen, day, tuple(jobs), loads)


def _polls(job: Job) -> bool:
    return all("/" in one.cron.split()[0] for one in job.passes)


def _cadence_of(job: Job, cadence: dt.timedelta | None) -> float | None:
    if not _polls(job):
        return None
    if cadence is not None:
        return cadence.total_seconds()
    return float(job.passes[0].cron.split()[0].partition("/")[2]) * 60


def _runs(job: Job, day: dt.date, cadence: dt.timedelta | None) -> int:
    """How often the job runs on ``day``: its ticks inside of its calendar, or as often as ``cadence`` has it."""
    begin = dt.datetime.combine(day, dt.time(), NEW_YORK)
    end = dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), NEW_YORK)
    hours = session_hours(day)
    if job.calendar == "open_hours" and hours is not None:
        begin, end = hours[0], hours[1] + _AFTER_CLOSE + dt.timedelta(minutes=1)
    if cadence is not None and _polls(job):
        return int((end - begin - dt.timedelta(minutes=1)) / cadence) + 1
    minute = dt.timedelta(minutes=1)
    return sum(1 for one in job.passes for _ in crons.ticks(one.cron, begin - minute, end - minute))


def _requests_a_run(job: Job, tickers: int) -> int:
    """The provable minimum of a typical run, from the rules of the endpoints."""
    acted = round(tickers * PAYMENTS / SESSIONS_A_YEAR)
    if job.provider == "tiingo":
        return 1 + acted
    if job.provider == "polygon":
        # The market's window serves the other two, which find it read a moment ago.
        return -(-ARTICLES // PAGE) if job.scope is Scope.NONE else 0
    if job.provider == "alphavantage":
        return tickers * len(INDICATORS)
    if len(job.datasets) > 1:
        return 1 + 2 * round(tickers * REPORTS / SESSIONS_A_YEAR)
    return tickers


def _provider_load(name: str, plan_name: str | None, jobs: list[JobLoad], tickers: int) -> ProviderLoad:
    plan = PROVIDERS[name].plan(plan_name)
    own = [load for load in jobs if load.provider == name]
    requests = sum(load.requests for load in own)
    holds = (each.name for each in PROVIDERS[name].plans if not _problems(name, each, own, tickers))
    return ProviderLoad(
        name, plan.name, requests, _allowed(plan), round(requests / plan.rate, 1), _problems(name, plan, own, tickers),
        next(holds, None),
    )  # fmt: skip


def _allowed(plan: Plan) -> int:
    a_day = {"minute": 1_440, "hour": 24, "day": 1}
    quotas = [quota.limit * a_day[quota.window] for quota in plan.quotas
              if quota.counts == "requests" and quota.window in a_day]  # fmt: skip
    return min([*quotas, int(plan.rate * 86_400)])


def _problems(name: str, plan: Plan, jobs: list[JobLoad], tickers: int) -> tuple[str, ...]:
    title = PROVIDERS[name].title
    found = []
    requests = sum(load.requests for load in jobs)
    if requests > _allowed(plan):
        found.append(f"{title}'s {plan.name} plan allows {_allowed(plan):,} requests a day, {requests:,} are needed.")
    for quota in plan.quotas:
        biggest = max(load.requests_a_run for load in jobs)
        if quota.window in {"minute", "hour"} and biggest > quota.limit:
            found.append(
                f"{title}'s {plan.name} plan allows {quota.limit:,} requests per {quota.window}, one run needs {biggest:,}."
            )
        symbols = min(round(tickers * PAYMENTS / SESSIONS_A_YEAR) * SESSIONS_A_MONTH, tickers)
        if quota.counts == "symbols" and symbols > quota.limit:
            found.append(
                f"{title}'s {plan.name} plan allows {quota.limit:,} symbols per {quota.window}, about {symbols:,} are needed."
            )
    for load in jobs:
        seconds = load.requests_a_run / plan.rate
        if load.cadence is not None and seconds > load.cadence:
            found.append(
                f"{load.job} takes {seconds:,.0f} s at {title}'s {plan.name} plan and is due every {load.cadence:,.0f} s."
            )
    return tuple(found)
