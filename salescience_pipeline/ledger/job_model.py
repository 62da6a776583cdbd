"""The values of the jobs table's seam: what is to be made, what a source came to, and a job as its owner sees it.

What does not belong here: the tables (``service_models``), and what follows from a state (``job_rules``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from salescience_pipeline.identifiers import OrganizationId
from salescience_pipeline.ledger.errors import LedgerError
from salescience_pipeline.ledger.job_rules import JobStatus, SourceStatus

KEY_LIFETIME = dt.timedelta(hours=24)
"""How long an idempotency key is remembered."""


class IdempotencyConflict(LedgerError):
    """The same idempotency key came with another body."""


class TooManyOpenJobs(LedgerError):
    """The organisation has as many open jobs as it may."""


class NotCancellable(LedgerError):
    """The job is over already."""


class NotRetryable(LedgerError):
    """The job has nothing that failed or was cancelled, or is not over yet."""


@dataclass(frozen=True, slots=True)
class Content:
    """Where a source's content lies: its digest, its kind (``html`` or ``json``) and its size in bytes."""

    sha256: str
    kind: str
    size: int


@dataclass(frozen=True, slots=True)
class PlannedSource:
    """One source of a job to be made; ``content`` is given when it is answered at once."""

    key: str
    provider: str
    ticker: str
    ordinal: int | None = None
    status: SourceStatus = SourceStatus.PENDING
    content: Content | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True, slots=True)
class NewJob:
    """One job to be made."""

    job_id: str
    kind: str
    name: str
    request: Mapping[str, Any]
    sources: Sequence[PlannedSource]
    request_id: str
    priority: int = 10
    user_id: str | None = None


@dataclass(frozen=True, slots=True)
class Once:
    """What makes a repeated request the same one: the key, the digest of its body, and the answer to give again."""

    key: str
    body_sha256: str
    answer: Mapping[str, Any]
    lifetime: dt.timedelta = KEY_LIFETIME


@dataclass(frozen=True, slots=True)
class Creation:
    """What one caller wants made together: jobs, by whom, and the most that the organisation may have open."""

    organization: OrganizationId
    jobs: Sequence[NewJob]
    actor: str
    max_open: int
    once: Once | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one source came to."""

    key: str
    status: SourceStatus
    content: Content | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    error_class: str | None = None
    error: str | None = None
    ordinal: int | None = None


@dataclass(frozen=True, slots=True)
class SourceView:
    """One source as stored."""

    key: str
    provider: str
    ticker: str
    ordinal: int | None
    status: SourceStatus
    attempt: int
    run_id: str | None
    content: Content | None
    details: Mapping[str, Any]
    error_class: str | None
    error: str | None
    finished_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class JobView:
    """One job as stored, its sources in the order in which they were asked for."""

    organization_id: str
    job_id: str
    kind: str
    name: str
    status: JobStatus
    request: Mapping[str, Any]
    request_id: str
    user_id: str | None
    priority: int
    created_at: dt.datetime
    updated_at: dt.datetime
    sources: tuple[SourceView, ...]


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to a job."""

    seq: int
    at: dt.datetime
    kind: str
    key: str | None
    status: str
