"""The ticks: New York days, holidays skipped with the reason, one key for each pass of a day."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from salescience_pipeline.catalog.datasets import DATASETS
from salescience_pipeline.definitions import build_defs
from salescience_pipeline.orchestration.schedules import request_of

NEW_YORK = ZoneInfo("America/New_York")
TIINGO = DATASETS["core_tiingo__eod_prices_daily"]
INDEX = DATASETS["core_sec__filings_daily"]


def _at(*moment: int) -> dt.datetime:
    return dt.datetime(*moment, tzinfo=NEW_YORK)  # type: ignore[misc]


def test_a_trading_day_is_run_once_for_each_pass() -> None:
    first = request_of(TIINGO, _at(2026, 6, 12, 17, 45), 0)
    second = request_of(TIINGO, _at(2026, 6, 12, 20, 15), 1)
    assert isinstance(first, dg.RunRequest)
    assert isinstance(second, dg.RunRequest)
    assert first.partition_key == second.partition_key == "2026-06-12"
    assert first.run_key == "core_tiingo__eod_prices_daily/2026-06-12/0"
    assert second.run_key == "core_tiingo__eod_prices_daily/2026-06-12/1"
    assert first.run_config == {}
    assert second.run_config["ops"][TIINGO.name]["config"] == {"force": True}, (
        "a later pass asks for what was corrected"
    )


@pytest.mark.parametrize(
    ("moment", "reason"),
    [
        (_at(2026, 7, 3, 17, 45), "2026-07-03 is an exchange holiday: there are no prices to fetch."),
        (_at(2026, 6, 13, 17, 45), "2026-06-13 is a weekend: there are no prices to fetch."),
    ],
)
def test_without_trading_a_tick_is_skipped_and_says_why(moment: dt.datetime, reason: str) -> None:
    skipped = request_of(TIINGO, moment, 0)
    assert isinstance(skipped, dg.SkipReason)
    assert skipped.skip_message == reason


def test_a_half_day_is_a_trading_day() -> None:
    assert isinstance(request_of(TIINGO, _at(2026, 11, 27, 17, 45), 0), dg.RunRequest)


def test_a_morning_pass_completes_the_evening_before() -> None:
    morning = request_of(INDEX, _at(2026, 6, 13, 6, 0), 2)
    assert isinstance(morning, dg.RunRequest)
    assert morning.partition_key == "2026-06-12"
    assert morning.run_key == "core_sec__filings_daily/2026-06-12/2"


def test_the_day_is_new_yorks_whatever_the_clock_of_the_machine() -> None:
    utc = dt.datetime(2026, 6, 13, 2, 30, tzinfo=dt.UTC)  # 22:30 on Friday in New York
    request = request_of(INDEX, utc, 0)
    assert isinstance(request, dg.RunRequest)
    assert request.partition_key == "2026-06-12"


def test_every_schedule_ticks() -> None:
    repository = build_defs().get_repository_def()
    for schedule in repository.schedule_defs:
        context = dg.build_schedule_context(
            scheduled_execution_time=_at(2026, 6, 12, 22, 30), repository_def=repository
        )
        data = schedule.evaluate_tick(context)
        assert data.run_requests, schedule.name
        assert all(request.run_key for request in data.run_requests)
