"""The eleven jobs of the sources by name, scope and provider, and the cron lines that they fire by."""

from __future__ import annotations

import datetime as dt
import re

import pytest

from salescience_pipeline.catalog.crons import next_tick, parse_cron, ticks
from salescience_pipeline.catalog.datasets import DATASETS
from salescience_pipeline.catalog.jobs import JOBS, SOURCE_JOBS, UnknownJob, job_named
from salescience_pipeline.catalog.scopes import Scope

SCOPES = {
    "tiingo-daily-prices": Scope.ENTIRE_WATCHLIST,
    "tiingo-daily-prices-indices": Scope.INDICES,
    "finnhub-quote-portfolio": Scope.ACTIVE_SYMBOLS,
    "finnhub-quote-indices": Scope.INDICES,
    "finnhub-company-news-universe": Scope.ENTIRE_WATCHLIST,
    "finnhub-company-news-portfolio": Scope.ACTIVE_SYMBOLS,
    "finnhub-fundamentals-earnings": Scope.ENTIRE_WATCHLIST,
    "polygon-news-universe": Scope.ENTIRE_WATCHLIST,
    "polygon-news-portfolio": Scope.ACTIVE_SYMBOLS,
    "polygon-news-market": Scope.NONE,
    "alpha-vantage-technical-indicators": Scope.ENTIRE_WATCHLIST,
}


def test_the_eleven_jobs_and_their_scopes() -> None:
    assert {name: JOBS[name].scope for name in SOURCE_JOBS} == SCOPES


def test_every_job_runs_known_datasets_of_one_provider() -> None:
    for job in JOBS.values():
        assert {DATASETS[name].provider for name in job.datasets} == {job.provider}
        for one in job.passes:
            assert set(one.datasets) <= set(job.datasets)
        assert {name for one in job.passes for name in job.datasets_of(one)} == set(job.datasets), "each is scheduled"


def test_a_job_says_what_it_does_in_a_sentence() -> None:
    for job in JOBS.values():
        assert re.fullmatch(r"[A-Z].{30,}\.", job.description), job.name


def test_names_with_dashes_and_underscores_are_the_same_job() -> None:
    assert job_named("Tiingo_Daily_Prices") is JOBS["tiingo-daily-prices"]
    assert JOBS["tiingo-daily-prices"].dagster_name == "tiingo_daily_prices"
    with pytest.raises(UnknownJob, match=r"There is no job 'moon'; there are tiingo-daily-prices, "):
        job_named("moon")


def test_fixed_hours_keep_away_from_those_that_the_clock_jumps_over() -> None:
    for job in JOBS.values():
        for one in job.passes:
            cron = parse_cron(one.cron)
            assert len(cron.hours) == 24 or not cron.hours & {1, 2}, one.cron


@pytest.mark.parametrize("line", ["", "* * * *", "60 * * * *", "* 24 * * *", "5-1 * * * *", "a * * * *", "* * * * 7"])
def test_what_is_no_cron_line_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="is no cron line"):
        parse_cron(line)


def test_lists_ranges_and_steps() -> None:
    cron = parse_cron("2-59/20 9,18 * * 1-5")
    assert cron.minutes == {2, 22, 42}
    assert cron.hours == {9, 18}
    assert cron.weekdays == {1, 2, 3, 4, 5}


def test_ticks_are_new_yorks_in_summer_and_winter() -> None:
    start = dt.datetime(2026, 3, 6, tzinfo=dt.UTC)  # the Friday before the clock jumps
    found = [f"{moment:%m-%dT%H:%M}" for moment in ticks("45 17 * * 1-5", start, start + dt.timedelta(days=5))]
    assert found == ["03-06T22:45", "03-09T21:45", "03-10T21:45"]
    assert next_tick("0 7 * * 6", start) == dt.datetime(2026, 3, 7, 12, tzinfo=dt.UTC)
    assert next_tick("0 0 29 2 *", start) is None
