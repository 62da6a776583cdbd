"""The pure rules: states, splitting into turns."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salescience_pipeline.identifiers import OrganizationId
from salescience_pipeline.ledger.job_rules import NEXT, JobStatus, SourceStatus, TaskStatus, job_status, task_status
from salescience_pipeline.ledger.turns import Chunk, fair

_SOURCES = st.lists(st.sampled_from(list(SourceStatus)), min_size=1, max_size=12)


@given(_SOURCES)
def test_000_07_a_jobs_status_follows_from_its_sources_alone(sources: list[SourceStatus]) -> None:
    status = job_status(sources)
    assert status is job_status(reversed(sources))
    assert status.is_final == all(source.is_final for source in sources)
    good = all(source in (SourceStatus.SUCCESS, SourceStatus.SKIPPED) for source in sources)
    assert (status is JobStatus.COMPLETE) == good
    if status is JobStatus.PARTIAL:
        assert SourceStatus.SUCCESS in sources


@given(_SOURCES, st.data())
def test_000_07_a_final_source_moves_only_by_an_explicit_retry(
    sources: list[SourceStatus], data: st.DataObject
) -> None:
    for source in sources:
        following = data.draw(st.sampled_from([*NEXT[source], source]))
        if source in (SourceStatus.SUCCESS, SourceStatus.SKIPPED):
            assert following is source
        elif source.is_final and following is not source:
            assert following is SourceStatus.PENDING


def test_000_07_nothing_is_no_job() -> None:
    with pytest.raises(ValueError, match="at least one source"):
        job_status([])


@given(st.lists(st.sampled_from(list(TaskStatus)), min_size=1, max_size=9))
def test_002_11_a_task_is_completed_only_when_all_its_requests_are(requests: list[TaskStatus]) -> None:
    status = task_status(requests)
    assert (status is TaskStatus.COMPLETED) == (set(requests) == {TaskStatus.COMPLETED})
    ended = set(requests) <= {TaskStatus.COMPLETED, TaskStatus.FAILED}
    assert (status is TaskStatus.FAILED) == (ended and TaskStatus.FAILED in requests)


def _chunk(organization: str, number: int, priority: int = 10) -> Chunk:
    name = OrganizationId(organization)
    return Chunk(f"{organization}-{number}", name, "job", "sec", ("AAPL",), 1, priority, "waiting", None)


def test_003_36_one_chunk_of_b_starts_behind_500_of_a() -> None:
    waiting = [*(_chunk("a", number) for number in range(500)), _chunk("b", 0)]
    assert "b-0" in [chunk.run_key for chunk in fair(waiting, {"a": 3}, 1)]
    assert "b-0" in [chunk.run_key for chunk in fair(waiting, {}, 2)]


def test_003_36_one_organisation_never_takes_all_the_room() -> None:
    waiting = [_chunk("a", number) for number in range(500)]
    assert len(fair(waiting, {}, 8, each=4)) == 4
    assert fair(waiting, {"a": 4}, 4, each=4) == []
    assert [chunk.run_key for chunk in fair([*waiting, _chunk("b", 0)], {"a": 4}, 4, each=4)] == ["b-0"]


def test_003_36_among_equals_the_one_served_longest_ago_is_next_whatever_its_name() -> None:
    noon = dt.datetime(2026, 6, 15, 12, tzinfo=dt.UTC)
    waiting = [_chunk(name, number) for name in ("a", "b", "z") for number in range(9)]
    served = {"a": noon, "b": noon - dt.timedelta(minutes=1)}
    taken = [chunk.organization_id for chunk in fair(waiting, {}, 6, served=served)]
    assert taken == ["z", "b", "a", "z", "b", "a"]


def test_003_25_interactive_goes_before_background() -> None:
    waiting = [*(_chunk("a", number, -20) for number in range(100)), _chunk("a", 100, 10)]
    assert [chunk.run_key for chunk in fair(waiting, {"a": 3}, 1)] == ["a-100"]


@given(st.lists(st.sampled_from("abc"), max_size=40), st.integers(0, 30))
def test_003_36_turns_are_taken_evenly_and_in_order(names: list[str], slots: int) -> None:
    waiting = [_chunk(name, number) for number, name in enumerate(names)]
    chosen = fair(waiting, {}, slots)
    assert len(chosen) == min(slots, len(waiting))
    for name in set(names):
        own = [chunk for chunk in chosen if chunk.organization_id == name]
        assert own == [chunk for chunk in waiting if chunk.organization_id == name][: len(own)]
        left = sum(1 for chunk in waiting if chunk.organization_id == name) - len(own)
        if left:
            others = [sum(1 for chunk in chosen if chunk.organization_id == other) for other in set(names)]
            assert len(own) >= max(others) - 1
