"""The ticks: New York days, skips with their reason, one key for each tick, and a day in the life by simulated clock."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from salescience_pipeline.catalog import crons
from salescience_pipeline.catalog.jobs import JOBS, SOURCE_JOBS
from salescience_pipeline.definitions import build_defs
from salescience_pipeline.orchestration.schedules import build_schedules, request_of

NEW_YORK = ZoneInfo("America/New_York")
TIINGO, INDEX, QUOTES = JOBS["tiingo-daily-prices"], JOBS["sec-daily-index"], JOBS["finnhub-quote-portfolio"]


def _at(*moment: int) -> dt.datetime:
    return dt.datetime(*moment, tzinfo=NEW_YORK)  # type: ignore[misc]


def _tick(job: str, number: int, moment: dt.datetime, now: dt.datetime | None = None) -> dg.RunRequest | dg.SkipReason:
    return request_of(JOBS[job], number, moment, now or moment)


def _reason(answer: dg.RunRequest | dg.SkipReason) -> str:
    assert isinstance(answer, dg.SkipReason), answer
    assert answer.skip_message
    return answer.skip_message


def test_a_trading_day_is_run_once_for_each_pass() -> None:
    first = _tick(TIINGO.name, 0, _at(2026, 6, 12, 17, 45))
    second = _tick(TIINGO.name, 1, _at(2026, 6, 12, 20, 15))
    assert isinstance(first, dg.RunRequest)
    assert isinstance(second, dg.RunRequest)
    assert first.partition_key == second.partition_key == "2026-06-12"
    assert first.run_key == "tiingo-daily-prices/2026-06-12/20260612T2145Z"
    assert second.run_key == "tiingo-daily-prices/2026-06-12/20260613T0015Z"
    dataset = TIINGO.datasets[0]
    assert first.run_config["ops"][dataset]["config"] == {"scope": "entire_watchlist"}
    assert second.run_config["ops"][dataset]["config"] == {"scope": "entire_watchlist", "force": True}, (
        "a later pass asks for what was corrected"
    )
    assert first.tags["salescience/logical_time"] == "2026-06-12T17:45:00-04:00"


@pytest.mark.parametrize(
    ("job", "moment", "reason"),
    [
        ("tiingo-daily-prices", _at(2026, 7, 3, 17, 45), "2026-07-03 is an exchange holiday"),
        ("tiingo-daily-prices-indices", _at(2026, 6, 13, 17, 50), "2026-06-13 is a weekend"),
        ("finnhub-quote-portfolio", _at(2026, 6, 12, 9, 0), "The exchange is open from 09:30 to 16:00 on 2026-06-12."),
        (
            "finnhub-quote-portfolio",
            _at(2026, 6, 12, 16, 10),
            "The exchange is open from 09:30 to 16:00 on 2026-06-12.",
        ),
        ("finnhub-quote-indices", _at(2026, 11, 27, 13, 7), "The exchange is open from 09:30 to 13:00 on 2026-11-27."),
    ],
)
def test_without_trading_a_tick_is_skipped_and_says_why(job: str, moment: dt.datetime, reason: str) -> None:
    assert reason in _reason(_tick(job, 0, moment))


def test_a_half_day_is_a_trading_day_and_its_closing_trade_is_polled() -> None:
    assert isinstance(_tick(TIINGO.name, 0, _at(2026, 11, 27, 17, 45)), dg.RunRequest)
    assert isinstance(_tick(QUOTES.name, 0, _at(2026, 11, 27, 13, 5)), dg.RunRequest)


def test_a_morning_pass_completes_the_evening_before() -> None:
    morning = _tick(INDEX.name, 2, _at(2026, 6, 13, 6, 0))
    assert isinstance(morning, dg.RunRequest)
    assert morning.partition_key == "2026-06-12"


def test_the_day_is_new_yorks_whatever_the_clock_of_the_machine() -> None:
    utc = dt.datetime(2026, 6, 13, 2, 30, tzinfo=dt.UTC)  # 22:30 on Friday in New York
    request = _tick(INDEX.name, 0, utc)
    assert isinstance(request, dg.RunRequest)
    assert request.partition_key == "2026-06-12"


def test_every_schedule_ticks_and_what_it_asks_for_is_a_valid_run() -> None:
    definitions = build_defs()
    repository = definitions.get_repository_def()
    moment = _at(2026, 6, 12, 16, 5)
    for schedule in build_schedules(clock=lambda: moment):
        context = dg.build_schedule_context(scheduled_execution_time=moment, repository_def=repository)
        data = schedule.evaluate_tick(context)
        assert data.run_requests, schedule.name
        for request in data.run_requests:
            assert request.run_key
            job = definitions.resolve_job_def(schedule.job_name)
            assert dg.validate_run_config(job, request.run_config) is not None


# -- a day in the life --------------------------------------------------------------------------------------------------
def _life(
    begin: dt.datetime, end: dt.datetime, *, away: tuple[dt.datetime, dt.datetime] | None = None
) -> list[tuple[str, str]]:
    """The (job, run key) of all runs between two moments; ticks while the daemon is ``away`` are evaluated when it is back."""
    fired = []
    for job in JOBS.values():
        for number, one in enumerate(job.passes):
            for moment in crons.ticks(one.cron, begin, end):
                late = away is not None and away[0] <= moment < away[1]
                answer = request_of(job, number, moment, away[1] if late and away else moment)
                if isinstance(answer, dg.RunRequest):
                    assert answer.run_key
                    fired.append((job.name, answer.run_key))
    keys = [key for _, key in fired]
    assert len(keys) == len(set(keys)), "no run fires twice"
    return fired


def _day(*day: int) -> tuple[dt.datetime, dt.datetime]:
    begin = _at(*day) - dt.timedelta(minutes=1)
    following = dt.date(*day) + dt.timedelta(days=1)
    return begin, dt.datetime.combine(following, dt.time(), NEW_YORK) - dt.timedelta(minutes=1)


def _counts(day: tuple[int, int, int]) -> Counter[str]:
    return Counter(job for job, _ in _life(*_day(*day)))


def test_a_trading_day_fires_every_job_as_often_as_its_lines_say() -> None:
    counts = _counts((2026, 6, 12))  # a Friday
    assert counts["tiingo-daily-prices"] == counts["tiingo-daily-prices-indices"] == 2
    assert counts["finnhub-quote-portfolio"] == 80, "from 09:30 to 16:05 every five minutes"
    assert counts["finnhub-quote-indices"] == 79, "from 09:32 to 16:02"
    assert counts["finnhub-company-news-universe"] == counts["polygon-news-universe"] == 1
    assert counts["finnhub-company-news-portfolio"] == counts["polygon-news-portfolio"] == 14
    assert counts["polygon-news-market"] == 96
    assert counts["finnhub-fundamentals-earnings"] == counts["alpha-vantage-technical-indicators"] == 1
    assert counts["sec-company-tickers"] == 1
    assert counts["sec-daily-index"] == 3
    assert set(SOURCE_JOBS) <= set(counts)


def test_a_half_day_polls_until_its_own_close() -> None:
    counts = _counts((2026, 11, 27))
    assert counts["finnhub-quote-portfolio"] == 44, "from 09:30 to 13:05"
    assert counts["tiingo-daily-prices"] == 2


def test_a_holiday_fires_what_does_not_trade() -> None:
    counts = _counts((2026, 11, 26))
    assert not counts["tiingo-daily-prices"]
    assert not counts["finnhub-quote-portfolio"]
    assert not counts["alpha-vantage-technical-indicators"]
    assert counts["polygon-news-market"] == 96
    assert counts["finnhub-company-news-universe"] == 1


@pytest.mark.parametrize(("day", "quarters"), [((2026, 3, 8), 92), ((2026, 11, 1), 100)])
def test_when_the_clock_jumps_nothing_is_missed_and_nothing_fires_twice(
    day: tuple[int, int, int], quarters: int
) -> None:
    counts = _counts(day)
    assert counts["polygon-news-market"] == quarters, "a day of 23 or 25 hours"
    assert counts["finnhub-company-news-universe"] == counts["polygon-news-universe"] == 1


def test_after_three_hours_away_each_job_catches_up_once() -> None:
    begin, end = _day(2026, 6, 12)
    away = (_at(2026, 6, 12, 10, 2), _at(2026, 6, 12, 13, 1))
    counts = Counter(job for job, _ in _life(away[0] - dt.timedelta(minutes=1), away[1], away=away))
    assert set(counts.values()) == {1}
    assert set(counts) == {
        "finnhub-quote-portfolio",
        "finnhub-quote-indices",
        "finnhub-company-news-portfolio",
        "polygon-news-portfolio",
        "polygon-news-market",
    }
    whole = Counter(job for job, _ in _life(begin, end, away=away))
    assert whole["tiingo-daily-prices"] == 2, "the evening is as ever"


def test_of_two_late_passes_of_an_evening_the_last_runs_alone() -> None:
    back = _at(2026, 6, 12, 21, 0)
    assert "20:15" in _reason(_tick(TIINGO.name, 0, _at(2026, 6, 12, 17, 45), back))
    assert isinstance(_tick(TIINGO.name, 1, _at(2026, 6, 12, 20, 15), back), dg.RunRequest)


def test_days_that_passed_while_the_daemon_was_away_are_each_run() -> None:
    back = _at(2026, 6, 12, 18, 0)
    for day in (10, 11, 12):
        answer = _tick(
            TIINGO.name, 1 if day < 12 else 0, _at(2026, 6, day, 20 if day < 12 else 17, 15 if day < 12 else 45), back
        )
        assert isinstance(answer, dg.RunRequest)
        assert answer.partition_key == f"2026-06-{day}"
