"""Ranges of neighbouring keys, and keys as dates and tickers."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salescience_pipeline.identifiers import InvalidIdentifier
from salescience_pipeline.orchestration.partitions import DATES, contiguous, dates_of, tickers_of
from salescience_pipeline.orchestration.sensors import partition_tags

ORDERED = [f"T{number}" for number in range(120)]


@given(wanted=st.sets(st.sampled_from(ORDERED)), at_most=st.integers(min_value=1, max_value=40))
def test_ranges_hold_each_key_once_and_no_other(wanted: set[str], at_most: int) -> None:
    ranges = contiguous(sorted(wanted), ORDERED, at_most=at_most)
    held = [key for first, last in ranges for key in ORDERED[ORDERED.index(first) : ORDERED.index(last) + 1]]
    assert held == [key for key in ORDERED if key in wanted]
    lengths = [ORDERED.index(last) - ORDERED.index(first) + 1 for first, last in ranges]
    assert all(1 <= length <= at_most for length in lengths)
    for length, (_, last), (following, _) in zip(lengths, ranges, ranges[1:], strict=False):
        if ORDERED.index(following) == ORDERED.index(last) + 1:
            assert length == at_most, "neighbours are parted only where a range is full"


def test_keys_that_have_no_partition_are_in_no_range() -> None:
    assert contiguous(["T1", "NEW"], ORDERED) == [("T1", "T1")]
    assert contiguous([], ORDERED) == []


def test_one_key_is_a_partition_and_more_are_a_range() -> None:
    assert partition_tags("A", "A") == {"dagster/partition": "A"}
    assert partition_tags("A", "C") == {
        "dagster/asset_partition_range_start": "A",
        "dagster/asset_partition_range_end": "C",
    }


def test_todays_partition_exists_on_the_day_itself() -> None:
    now = dt.datetime(2026, 6, 15, 21, 45, tzinfo=dt.UTC)
    keys = DATES.get_partition_keys(current_time=now)
    assert keys[0] == "2024-01-01"
    assert keys[-1] == "2026-06-15"


@pytest.mark.parametrize("key", ["../../x", "a|b", "x" * 300, ""])
def test_what_is_no_ticker_or_date_is_refused(key: str) -> None:
    with pytest.raises(InvalidIdentifier):
        tickers_of([key])
    with pytest.raises(InvalidIdentifier):
        dates_of([key])
