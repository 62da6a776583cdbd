"""The tables of the service side: who may ask, what was asked for, what became of it, and who looked.

Every table that belongs to an organisation begins its key with it; ``PRIVATE_TABLES`` names them, and on PostgreSQL each
has row-level security (``scoping``). What does not belong here: statements and rules.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from salescience_pipeline.ledger.models import Base, UtcDateTime
from salescience_pipeline.ledger.sealing import SealedJson, SealedText

PRIVATE_TABLES = (
    "api_keys", "jobs", "job_sources", "job_events", "run_chunks", "idempotency_keys", "tasks", "service_requests",
    "audit_log", "webhooks", "webhook_deliveries", "webhook_attempts", "dead_letters", "saved_queries", "request_windows",
    "provider_shares",
)  # fmt: skip
"""Tables whose rows only their own organisation may see; ``organizations`` is guarded by its id."""


class Organization(Base):
    """One organisation; written by ``ledger.organizations``."""

    __tablename__ = "organizations"

    id: Mapped[str] = mapped_column(String(63), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    disabled_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)
    max_open_jobs: Mapped[int] = mapped_column(Integer)
    requests_per_minute: Mapped[int | None] = mapped_column(Integer)


class ApiKey(Base):
    """A key by its SHA-256; the key itself is shown once, when it is made, and stands nowhere."""

    __tablename__ = "api_keys"

    key_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    organization_id: Mapped[str] = mapped_column(String(63), ForeignKey("organizations.id"))
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    prefix: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(200))
    scopes: Mapped[list[str]] = mapped_column(JSON)
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)
    last_used_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)


class Job(Base):
    """One submission or trigger; its status is derived from its sources (``job_rules``) and kept beside them."""

    __tablename__ = "jobs"
    __table_args__ = (Index(None, "organization_id", "created_at"), Index(None, "status", "organization_id"))

    organization_id: Mapped[str] = mapped_column(String(63), primary_key=True)
    job_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    kind: Mapped[str] = mapped_column(String(15))
    name: Mapped[str] = mapped_column(String(63))
    request: Mapped[dict[str, Any]] = mapped_column(SealedJson("jobs.request"))
    status: Mapped[str] = mapped_column(String(15))
    priority: Mapped[int] = mapped_column(Integer)
    request_id: Mapped[str] = mapped_column(String(64))
    user_id: Mapped[str | None] = mapped_column(SealedText("jobs.user_id", 127))
    error: Mapped[str | None] = mapped_column(String(500))
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    cancel_requested_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)


class JobSource(Base):
    """One source of a job (``AAPL:SEC:0``): where it stands, which attempt works on it, and where its content is."""

    __tablename__ = "job_sources"
    __table_args__ = (
        ForeignKeyConstraint(
            ["organization_id", "job_id"], ["jobs.organization_id", "jobs.job_id"], ondelete="CASCADE"
        ),
    )

    organization_id: Mapped[str] = mapped_column(String(63), primary_key=True)
    job_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    key: Mapped[str] = mapped_column(String(63), primary_key=True)
    position: Mapped[int] = mapped_column(Integer)
    provider: Mapped[str] = mapped_column(String(63))
    ticker: Mapped[str] = mapped_column(String(15))
    ordinal: Mapped[int | None] = mapped_column(Integer)
    status: Mapped[str] = mapped_column(String(15))
    attempt: Mapped[int] = mapped_column(Integer)
    run_id: Mapped[str | None] = mapped_column(String(63))
    content_sha256: Mapped[str | None] = mapped_column(String(64))
    content_type: Mapped[str | None] = mapped_column(String(15))
    size: Mapped[int | None] = mapped_column(Integer)
    details: Mapped[dict[str, Any]] = mapped_column(SealedJson("job_sources.details"))
    error_class: Mapped[str | None] = mapped_column(String(63))
    error: Mapped[str | None] = mapped_column(SealedText("job_sources.error", 500))
    started_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)


class JobEvent(Base):
    """What happened to a job, in order; the number is what a client that reconnects goes on from."""

    __tablename__ = "job_events"
    __table_args__ = (Index(None, "organization_id", "job_id", "seq"),)

    seq: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    organization_id: Mapped[str] = mapped_column(String(63))
    job_id: Mapped[str] = mapped_column(String(36))
    at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    kind: Mapped[str] = mapped_column(String(15))
    key: Mapped[str | None] = mapped_column(String(63))
    status: Mapped[str] = mapped_column(String(15))


class RunChunk(Base):
    """What one Dagster run does for one job: at most 25 tickers of one provider; the key is the run key."""

    __tablename__ = "run_chunks"
    __table_args__ = (
        ForeignKeyConstraint(
            ["organization_id", "job_id"], ["jobs.organization_id", "jobs.job_id"], ondelete="CASCADE"
        ),
        Index("ix_run_chunks_turn", "status", "organization_id", "priority", "created_at", "run_key"),
        Index(None, "organization_id", "status", "updated_at"),
        Index(None, "organization_id", "job_id"),
    )

    run_key: Mapped[str] = mapped_column(String(127), primary_key=True)
    organization_id: Mapped[str] = mapped_column(String(63))
    job_id: Mapped[str] = mapped_column(String(36))
    provider: Mapped[str] = mapped_column(String(63))
    tickers: Mapped[list[str]] = mapped_column(JSON)
    attempt: Mapped[int] = mapped_column(Integer)
    priority: Mapped[int] = mapped_column(Integer)
    status: Mapped[str] = mapped_column(String(15))
    run_id: Mapped[str | None] = mapped_column(String(63))
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)


class IdempotencyKey(Base):
    """The answer that a request with this key got, for those who ask again."""

    __tablename__ = "idempotency_keys"

    organization_id: Mapped[str] = mapped_column(String(63), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    body_sha256: Mapped[str] = mapped_column(String(64))
    answer: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, index=True)


class Task(Base):
    """An orchestration task: the columns of the source's ``Tasks`` table, and whose it is."""

    __tablename__ = "tasks"
    __table_args__ = (Index(None, "organization_id", "created_at", "id"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    organization_id: Mapped[str] = mapped_column(String(63))
    task_id: Mapped[str] = mapped_column(String(36), unique=True)
    task_name: Mapped[str] = mapped_column(SealedText("tasks.task_name", 200))
    task_description: Mapped[str | None] = mapped_column(SealedText("tasks.task_description"))
    status: Mapped[str] = mapped_column(String(15))
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    payload: Mapped[list[Any]] = mapped_column(SealedJson("tasks.payload"))
    error_message: Mapped[str | None] = mapped_column(Text)


class ServiceRequest(Base):
    """One call of an external service inside a task: the columns of the source's ``ServiceRequests`` table."""

    __tablename__ = "service_requests"
    __table_args__ = (Index(None, "status", "updated_at"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    organization_id: Mapped[str] = mapped_column(String(63))
    task_id: Mapped[str] = mapped_column(String(36), ForeignKey("tasks.task_id", ondelete="CASCADE"), index=True)
    service_name: Mapped[str] = mapped_column(String(63))
    scenario_id: Mapped[str | None] = mapped_column(SealedText("service_requests.scenario_id", 63))
    business_type_id: Mapped[str | None] = mapped_column(SealedText("service_requests.business_type_id", 63))
    status: Mapped[str] = mapped_column(String(15))
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    request_payload: Mapped[dict[str, Any]] = mapped_column(SealedJson("service_requests.request_payload"))
    response_payload: Mapped[Any] = mapped_column(
        SealedJson("service_requests.response_payload", none_as_null=True), nullable=True
    )
    error_message: Mapped[str | None] = mapped_column(SealedText("service_requests.error_message"))
    request_id: Mapped[str | None] = mapped_column(String(64))


class HealthCheck(Base):
    """One look at an upstream service; the newest 100 of each are kept."""

    __tablename__ = "health_checks"
    __table_args__ = (Index(None, "service", "id"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    service: Mapped[str] = mapped_column(String(63))
    at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    ok: Mapped[bool] = mapped_column(Boolean)
    milliseconds: Mapped[float] = mapped_column(Float(53))
    error: Mapped[str | None] = mapped_column(String(200))


class Lease(Base):
    """Who does what only one may do (the health monitor), and until when."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(String(63), primary_key=True)
    holder: Mapped[str] = mapped_column(String(63))
    until: Mapped[dt.datetime] = mapped_column(UtcDateTime)


class RunHeartbeat(Base):
    """The last sign of life of a run."""

    __tablename__ = "run_heartbeats"

    run_id: Mapped[str] = mapped_column(String(63), primary_key=True)
    worker_id: Mapped[str] = mapped_column(String(63))
    run_key: Mapped[str] = mapped_column(String(127))
    at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    status: Mapped[str] = mapped_column(String(15))
    jobs_processed: Mapped[int] = mapped_column(Integer)
    memory_usage: Mapped[int] = mapped_column(Integer)


class AuditEntry(Base):
    """Who did what; each entry holds the digest of the one before it."""

    __tablename__ = "audit_log"
    __table_args__ = (UniqueConstraint("organization_id", "seq"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    organization_id: Mapped[str] = mapped_column(String(63))
    seq: Mapped[int] = mapped_column(Integer)
    at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(String(127))
    action: Mapped[str] = mapped_column(String(63))
    target: Mapped[str] = mapped_column(String(200))
    request_id: Mapped[str] = mapped_column(String(64))
    detail: Mapped[str] = mapped_column(Text)
    prev_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class Webhook(Base):
    """An address that wants to hear of an organisation's jobs."""

    __tablename__ = "webhooks"

    organization_id: Mapped[str] = mapped_column(String(63), primary_key=True)
    webhook_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    url: Mapped[str] = mapped_column(SealedText("webhooks.url"))
    description: Mapped[str] = mapped_column(SealedText("webhooks.description", 200))
    events: Mapped[list[str]] = mapped_column(JSON)
    secret: Mapped[str] = mapped_column(SealedText("webhooks.secret"))
    previous_secret: Mapped[str | None] = mapped_column(SealedText("webhooks.previous_secret"))
    previous_until: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    disabled_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)
    disabled_reason: Mapped[str | None] = mapped_column(String(200))


class WebhookDelivery(Base):
    """One message to one webhook; repeated with the same id until it is taken or given up.

    ``next_at`` is when the next try is due; who makes it moves it ahead first, so that a killed process's try comes again.
    """

    __tablename__ = "webhook_deliveries"
    __table_args__ = (Index(None, "status", "next_at"), Index(None, "organization_id", "webhook_id", "created_at"))

    delivery_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    organization_id: Mapped[str] = mapped_column(String(63))
    webhook_id: Mapped[str] = mapped_column(String(36))
    event: Mapped[str] = mapped_column(String(31))
    body: Mapped[dict[str, Any]] = mapped_column(SealedJson("webhook_deliveries.body"))
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    status: Mapped[str] = mapped_column(String(15))
    attempts: Mapped[int] = mapped_column(Integer)
    next_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    status_code: Mapped[int | None] = mapped_column(Integer)
    error: Mapped[str | None] = mapped_column(String(200))
    finished_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)


class WebhookAttempt(Base):
    """One try of a delivery, for the log."""

    __tablename__ = "webhook_attempts"
    __table_args__ = (Index(None, "delivery_id", "id"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    organization_id: Mapped[str] = mapped_column(String(63))
    delivery_id: Mapped[str] = mapped_column(String(36))
    at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    milliseconds: Mapped[float] = mapped_column(Float(53))
    status_code: Mapped[int | None] = mapped_column(Integer)
    error: Mapped[str | None] = mapped_column(String(200))


class DeadLetter(Base):
    """What could not be done or understood, kept for people; the rest of the queue goes on.

    ``origin`` says where it came from, once: a delivery, a job's chunk, a place in a topic. A message that nobody could read
    belongs to no organisation.
    """

    __tablename__ = "dead_letters"
    __table_args__ = (Index(None, "organization_id", "id"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    organization_id: Mapped[str | None] = mapped_column(String(63))
    kind: Mapped[str] = mapped_column(String(15))
    origin: Mapped[str] = mapped_column(String(200), unique=True)
    at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    reason: Mapped[str] = mapped_column(String(500))
    body: Mapped[str] = mapped_column(SealedText("dead_letters.body"))
    status: Mapped[str] = mapped_column(String(15))
    changed_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)


class SavedQuery(Base):
    """A question to the warehouse that an organisation has named."""

    __tablename__ = "saved_queries"

    organization_id: Mapped[str] = mapped_column(String(63), primary_key=True)
    name: Mapped[str] = mapped_column(String(63), primary_key=True)
    sql: Mapped[str] = mapped_column(SealedText("saved_queries.sql"))
    description: Mapped[str] = mapped_column(SealedText("saved_queries.description", 500))
    created_by: Mapped[str] = mapped_column(String(127))
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)


class RequestWindow(Base):
    """The requests that gateways have taken for an organisation, and in which minute since the epoch."""

    __tablename__ = "request_windows"

    organization_id: Mapped[str] = mapped_column(String(63), primary_key=True)
    minute: Mapped[int] = mapped_column(Integer)
    taken: Mapped[int] = mapped_column(Integer)


class ProviderShare(Base):
    """The requests that were made for an organisation on the last day it asked; written with the provider's gate row."""

    __tablename__ = "provider_shares"

    organization_id: Mapped[str] = mapped_column(String(63), primary_key=True)
    provider: Mapped[str] = mapped_column(String(63), primary_key=True)
    day_start: Mapped[float] = mapped_column(Float(53))
    used: Mapped[int] = mapped_column(Integer)


class Alert(Base):
    """Something that people must know of, from when it began until it was over; told once each way (``ledger.alerts``)."""

    __tablename__ = "alerts"

    name: Mapped[str] = mapped_column(String(127), primary_key=True)
    began_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, primary_key=True)
    summary: Mapped[str] = mapped_column(String(500))
    seen_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    over_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)
    told_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)
    told_over_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)
