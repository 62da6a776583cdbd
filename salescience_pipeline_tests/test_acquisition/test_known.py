"""What planning may build on: a history covers its days, days extend a history, and only without a gap."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salescience_pipeline.acquisition.known import read_known
from salescience_pipeline.acquisition.outcome import Status
from salescience_pipeline.acquisition.services import Services
from salescience_pipeline.catalog.datasets import DATASETS
from salescience_pipeline.clients.plan import Known
from salescience_pipeline.clients.planning import is_covered
from salescience_pipeline.identifiers import Ticker
from salescience_pipeline.ledger.completeness import State
from salescience_pipeline.settings import Settings
from salescience_pipeline_tests.test_acquisition.runs import NEWEST, TIINGO_DAILY, TIINGO_HISTORY, WEEK, select

ONE = Ticker("ALDRN")
START = dt.date(2024, 1, 1)
_tickers = itertools.count()


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Only the ledger is opened: nothing here asks anybody."""
    home: Path = tmp_path_factory.mktemp("known")
    with Services.open(Settings(home=home, today="2026-06-15")) as opened:
        yield opened


def _known(services: Services, dataset: str, ticker: Ticker = ONE, dates: tuple[dt.date, ...] = ()) -> Known:
    return read_known(services, DATASETS[dataset], select(dataset, [ticker], dates))


def _record(services: Services, *states: State) -> None:
    now = services.now()
    services.ledger.completeness.record(
        state.stamped(checked_at=now, run_id="test", source="tiingo") for state in states
    )


def _history(ticker: Ticker, first: dt.date, last: dt.date, status: str = Status.COMPLETE) -> State:
    return State(TIINGO_HISTORY, ticker, ticker, status, 10, first, last)


def _day(ticker: Ticker, day: dt.date, status: str = Status.COMPLETE) -> State:
    return State(TIINGO_DAILY, day.isoformat(), ticker, status, 1, day, day)


def _new() -> Ticker:
    return Ticker(f"T{next(_tickers)}")


def test_a_complete_history_covers_each_day_inside_and_none_outside(rooms: Services) -> None:
    one = _new()
    _record(rooms, _history(one, START, WEEK[2]))
    coverage = _known(rooms, TIINGO_DAILY, one, WEEK).coverage
    assert [coverage.get(f"{one}|{day}") is not None for day in WEEK] == [True, True, True, False, False]
    assert f"{one}|{START}" in coverage, "that older rows exist is known"


@pytest.mark.parametrize("status", [Status.FAILED, Status.EMPTY, Status.NOT_FOUND, Status.MISSING])
def test_a_history_that_is_not_complete_covers_no_day(rooms: Services, status: Status) -> None:
    one = _new()
    _record(rooms, _history(one, START, NEWEST, status))
    assert _known(rooms, TIINGO_DAILY, one, WEEK).coverage.get(f"{one}|{NEWEST}") is None


def test_a_history_outranks_a_day_that_failed_earlier(rooms: Services) -> None:
    one = _new()
    _record(rooms, _day(one, NEWEST, Status.FAILED), _history(one, START, NEWEST))
    assert _known(rooms, TIINGO_DAILY, one, (NEWEST,)).coverage[f"{one}|{NEWEST}"].status == "complete"


@given(
    statuses=st.lists(
        st.sampled_from([None, Status.COMPLETE, Status.EMPTY, Status.NOT_FOUND, Status.FAILED, Status.MISSING]),
        min_size=5,
        max_size=5,
    ),
    end=st.integers(min_value=-1, max_value=4),
)
def test_a_history_reaches_as_far_as_its_days_follow_without_a_gap(
    rooms: Services, statuses: list[Status | None], end: int
) -> None:
    one = _new()
    last = WEEK[end] if end >= 0 else WEEK[0] - dt.timedelta(days=3)
    _record(rooms, _history(one, START, last))
    _record(rooms, *(_day(one, day, status) for day, status in zip(WEEK, statuses, strict=True) if status is not None))
    reached = last
    for day, status in list(zip(WEEK, statuses, strict=True))[end + 1 :]:
        if status is None or not status.is_settled:
            break
        reached = day
    known = _known(rooms, TIINGO_HISTORY, one)
    assert known.coverage[one].last_date == reached
    assert is_covered(one, select(TIINGO_HISTORY, [one]), known) == (reached == NEWEST)


def test_days_without_a_history_are_no_history(rooms: Services) -> None:
    one = _new()
    _record(rooms, *(_day(one, day) for day in WEEK))
    assert one not in _known(rooms, TIINGO_HISTORY, one).coverage


def test_the_poorer_writer_of_a_table_does_not_speak_for_the_richer(rooms: Services) -> None:
    one = _new()
    _record(rooms, State("core_sec__filings_daily", NEWEST.isoformat(), "*", Status.COMPLETE, 3, NEWEST, NEWEST))
    _record(rooms, State("core_sec__filings_history", one, one, Status.COMPLETE, 3, START, NEWEST))
    assert set(_known(rooms, "core_sec__filings_history", one).coverage) == {one}
    assert f"{one}|{NEWEST}" not in _known(rooms, "core_sec__filings_daily", one, (NEWEST,)).coverage


def test_the_clock_of_a_frozen_day_is_noon_in_new_york(rooms: Services) -> None:
    known = _known(rooms, TIINGO_HISTORY)
    assert known.now == dt.datetime(2026, 6, 15, 16, tzinfo=dt.UTC)
    assert known.today == dt.date(2026, 6, 15)
    assert known.last_session == NEWEST
