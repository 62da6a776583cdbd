"""The states of a source and of a job, and what follows from what: pure functions.

A source goes pending -> processing -> success, failed, skipped or cancelled. A job's status is a function of its
sources' and of nothing else, so that it can never disagree with them. What does not belong here: reading or writing a
row (``jobs``).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

CHUNK_TICKERS = 25
"""Tickers in one run at most: a run process takes seconds to start, a ticker tenths of a second."""


class SourceStatus(StrEnum):
    """Where one source of a job stands."""

    PENDING = "pending"
    PROCESSING = "processing"
    SUCCESS = "success"
    FAILED = "failed"
    SKIPPED = "skipped"
    """There is nothing to get (a company that filed fewer reports than were asked for)."""
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether nothing but an explicit retry changes it."""
        return self not in (SourceStatus.PENDING, SourceStatus.PROCESSING)


class JobStatus(StrEnum):
    """Where a job stands."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETE = "complete"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether nothing but an explicit retry changes it."""
        return self not in (JobStatus.PENDING, JobStatus.PROCESSING)


class TaskStatus(StrEnum):
    """Where an orchestration task or one of its service requests stands."""

    PENDING = "PENDING"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


NEXT: dict[SourceStatus, frozenset[SourceStatus]] = {
    SourceStatus.PENDING: frozenset(set(SourceStatus) - {SourceStatus.PENDING}),
    SourceStatus.PROCESSING: frozenset(set(SourceStatus) - {SourceStatus.PROCESSING}),
    SourceStatus.FAILED: frozenset({SourceStatus.PENDING}),
    SourceStatus.CANCELLED: frozenset({SourceStatus.PENDING}),
    SourceStatus.SUCCESS: frozenset(),
    SourceStatus.SKIPPED: frozenset(),
}
"""What each status may become; processing goes back to pending when a run died and another takes over."""


def job_status(sources: Iterable[str]) -> JobStatus:
    """A job's status from those of its sources.

    Raises:
        ValueError: for a job without sources, or a status that is none.
    """
    seen = {SourceStatus(status) for status in sources}
    if not seen:
        raise ValueError("A job has at least one source.")
    if not all(status.is_final for status in seen):
        return JobStatus.PENDING if seen == {SourceStatus.PENDING} else JobStatus.PROCESSING
    good = {SourceStatus.SUCCESS, SourceStatus.SKIPPED}
    if seen <= good:
        return JobStatus.COMPLETE
    if seen & {SourceStatus.SUCCESS}:
        return JobStatus.PARTIAL
    if SourceStatus.CANCELLED in seen and SourceStatus.FAILED not in seen:
        return JobStatus.CANCELLED
    return JobStatus.FAILED


def task_status(requests: Iterable[str]) -> TaskStatus:
    """A task's status: COMPLETED when every request is, FAILED when all came to an end and one failed.

    Raises:
        ValueError: for a task without requests, or a status that is none.
    """
    seen = {TaskStatus(status) for status in requests}
    if not seen:
        raise ValueError("A task has at least one service request.")
    if seen <= {TaskStatus.COMPLETED, TaskStatus.FAILED}:
        return TaskStatus.FAILED if TaskStatus.FAILED in seen else TaskStatus.COMPLETED
    return TaskStatus.PENDING if seen == {TaskStatus.PENDING} else TaskStatus.IN_PROGRESS
