"""Jobs and their sources: made, looked at, moved on, cancelled and tried again. Each method is one transaction.

A job, its sources, its first event, its audit entry and the chunks that runs will work on are written together: what was
acknowledged is there. Writers say which run they are; a run that was replaced cannot write any more (compare and set).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, bindparam, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from salescience_pipeline.identifiers import OrganizationId
from salescience_pipeline.ledger import audit_log
from salescience_pipeline.ledger.job_model import (
    Event,
    IdempotencyConflict,
    JobView,
    NewJob,
    NotCancellable,
    NotRetryable,
    Once,
    Outcome,
    TooManyOpenJobs,
)
from salescience_pipeline.ledger.job_rows import (
    INSERT_JOB,
    INSERT_SOURCE,
    cut_chunks,
    outcome_values,
    source_values,
    source_view,
    tell,
)
from salescience_pipeline.ledger.job_rules import NEXT, JobStatus, SourceStatus, job_status
from salescience_pipeline.ledger.scoping import looking, writing
from salescience_pipeline.ledger.service_models import IdempotencyKey, Job, JobEvent, JobSource, RunChunk

KEY_LIFETIME = dt.timedelta(hours=24)
"""How long an idempotency key is remembered."""
_JOBS = Job.metadata.tables[Job.__tablename__]
_COUNT_OPEN = (
    select(func.count())
    .select_from(_JOBS)
    .where(_JOBS.c.organization_id == bindparam("organization"), _JOBS.c.status.in_(["pending", "processing"]))
)


def utc_now() -> dt.datetime:
    """The clock."""
    return dt.datetime.now(dt.UTC)


class Jobs:
    """The jobs of all organisations; every method names the organisation it works for."""

    def __init__(self, engine: Engine, *, clock: Callable[[], dt.datetime] = utc_now) -> None:
        """Use the migrated database behind ``engine``."""
        self._engine, self._clock = engine, clock

    # -- making -----------------------------------------------------------------------------------------------------
    def create(
        self,
        organization: OrganizationId,
        jobs: Sequence[NewJob],
        *,
        actor: str,
        max_open: int,
        once: Once | None = None,
    ) -> Mapping[str, Any] | None:
        """Make ``jobs`` together, with everything that belongs to them.

        Returns:
            None when they were made; the answer given before, when ``once`` was used already with the same body.

        Raises:
            IdempotencyConflict: when ``once`` was used with another body.
            TooManyOpenJobs: when the organisation may open no more.
        """
        now = self._clock()
        with writing(self._engine, organization) as connection:
            if once is not None and (before := self._claim(connection, organization, once, now)) is not None:
                return before
            waiting = [job for job in jobs if not _is_answered(job)]
            if waiting and self._open_jobs(connection, organization) + len(waiting) > max_open:
                raise TooManyOpenJobs(f"{organization} may have {max_open} open jobs; wait for some of them to end.")
            for job in jobs:
                self._insert(connection, organization, job, actor, now)
        return None

    def _claim(
        self, connection: Connection, organization: OrganizationId, once: Once, now: dt.datetime
    ) -> Mapping[str, Any] | None:
        mine = (IdempotencyKey.organization_id == str(organization), IdempotencyKey.key == once.key)
        connection.execute(delete(IdempotencyKey).where(*mine, IdempotencyKey.created_at < now - KEY_LIFETIME))
        make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        # Of several at once one inserts; on PostgreSQL the others wait here until it is committed.
        made = connection.execute(
            make(IdempotencyKey)
            .values(
                organization_id=str(organization), key=once.key, body_sha256=once.body_sha256, answer=dict(once.answer),
                created_at=now,
            )
            .on_conflict_do_nothing()
        )  # fmt: skip
        if made.rowcount == 1:
            return None
        found = connection.execute(select(IdempotencyKey.body_sha256, IdempotencyKey.answer).where(*mine)).one()
        if found.body_sha256 != once.body_sha256:
            raise IdempotencyConflict("This Idempotency-Key was used with another request body.")
        return dict(found.answer)

    @staticmethod
    def _open_jobs(connection: Connection, organization: OrganizationId) -> int:
        return connection.scalar(_COUNT_OPEN, {"organization": str(organization)}) or 0

    @staticmethod
    def _insert(
        connection: Connection, organization: OrganizationId, job: NewJob, actor: str, now: dt.datetime
    ) -> None:
        status = job_status(source.status for source in job.sources)
        owner = {"organization_id": str(organization), "job_id": job.job_id}
        row = {
            **owner, "kind": job.kind, "name": job.name, "request": dict(job.request), "status": status.value,
            "priority": job.priority, "request_id": job.request_id, "user_id": job.user_id, "created_at": now,
            "updated_at": now,
        }  # fmt: skip
        connection.execute(INSERT_JOB, [row])
        rows = [{**owner, **source_values(source, now), "position": place} for place, source in enumerate(job.sources)]
        connection.execute(INSERT_SOURCE, rows)
        tell(connection, owner, [(None, status.value)], now)
        pending = [source for source in job.sources if source.status is SourceStatus.PENDING]
        cut_chunks(connection, owner, [(source.provider, source.ticker) for source in pending], 1, job.priority, now)
        detail = {"kind": job.kind, "name": job.name, "sources": len(job.sources), "user_id": job.user_id}
        audit_log.append(
            connection, organization, at=now, actor=actor, action="job.create", target=job.job_id,
            request_id=job.request_id, detail=detail,
        )  # fmt: skip

    # -- looking ----------------------------------------------------------------------------------------------------
    def view(self, organization: OrganizationId, job_id: str) -> JobView | None:
        """The job, or None when the organisation has no such job."""
        with looking(self._engine, organization) as connection:
            row = connection.execute(select(Job).where(*_is(organization, job_id))).mappings().first()
            if row is None:
                return None
            query = (
                select(JobSource)
                .where(*_is_source(organization, job_id))
                .order_by(JobSource.position, JobSource.ordinal)
            )
            sources = connection.execute(query).mappings().all()
        return JobView(
            **{name: row[name] for name in _JOB_FIELDS},
            status=JobStatus(row["status"]),
            sources=tuple(source_view(source) for source in sources),
        )

    def listed(
        self, organization: OrganizationId, *, limit: int = 50, before: tuple[dt.datetime, str] | None = None
    ) -> list[Mapping[str, Any]]:
        """The organisation's jobs without their sources, newest first, those before ``before`` (created at, id)."""
        query = select(Job).where(Job.organization_id == str(organization))
        if before is not None:
            moment, job_id = before
            query = query.where((Job.created_at < moment) | ((Job.created_at == moment) & (Job.job_id < job_id)))
        with looking(self._engine, organization) as connection:
            rows = connection.execute(query.order_by(Job.created_at.desc(), Job.job_id.desc()).limit(limit)).mappings()
            return [dict(row) for row in rows]

    def events(self, organization: OrganizationId, job_id: str, *, after: int = 0, limit: int = 500) -> list[Event]:
        """What happened to the job since the event numbered ``after``."""
        mine = (JobEvent.organization_id == str(organization), JobEvent.job_id == job_id, JobEvent.seq > after)
        with looking(self._engine, organization) as connection:
            rows = connection.execute(select(JobEvent).where(*mine).order_by(JobEvent.seq).limit(limit)).mappings()
            return [Event(row["seq"], row["at"], row["kind"], row["key"], row["status"]) for row in rows]

    # -- moving on --------------------------------------------------------------------------------------------------
    def settle(
        self,
        organization: OrganizationId,
        job_id: str,
        run_id: str,
        outcomes: Iterable[Outcome],
        *,
        replaces: str | None = None,
    ) -> int:
        """Write what sources came to, as the run that holds them; returns how many it still held.

        Args:
            organization: Whose job it is.
            job_id: The job.
            run_id: The run that writes; a source that another run has taken over stays as it is.
            outcomes: One per source.
            replaces: A placeholder source that becomes these outcomes (``AAPL:SEC`` -> ``AAPL:SEC:0``, ...).
        """
        now, written = self._clock(), 0
        owner = {"organization_id": str(organization), "job_id": job_id}
        with writing(self._engine, organization) as connection:
            before = _lock(connection, organization, job_id)
            told: list[tuple[str | None, str]] = []
            held = (*_is_source(organization, job_id), JobSource.run_id == run_id)
            placeholder: RowMapping | None = None
            if replaces is not None:
                mine = (*held, JobSource.key == replaces, JobSource.status == SourceStatus.PROCESSING.value)
                placeholder = connection.execute(select(JobSource).where(*mine).with_for_update()).mappings().first()
                if placeholder is None:
                    return 0
                connection.execute(delete(JobSource).where(*mine))
            for outcome in outcomes:
                values = outcome_values(outcome, now)
                if placeholder is not None:
                    row = {**placeholder, **values, "key": outcome.key, "ordinal": outcome.ordinal}
                    connection.execute(insert(JobSource).values(**row))
                    done = 1
                else:
                    allowed = [status.value for status, following in NEXT.items() if outcome.status in following]
                    done = connection.execute(
                        update(JobSource)
                        .where(*held, JobSource.key == outcome.key, JobSource.status.in_(allowed))
                        .values(**values)
                    ).rowcount
                written += done
                told += [(outcome.key, outcome.status.value)] * done
            tell(connection, owner, told, now)
            _derive(connection, organization, job_id, before, now)
        return written

    def cancel(self, organization: OrganizationId, job_id: str, *, actor: str, request_id: str) -> bool:
        """Cancel what is not finished; False when the organisation has no such job.

        Raises:
            NotCancellable: when it is over.
        """
        now = self._clock()
        owner = {"organization_id": str(organization), "job_id": job_id}
        with writing(self._engine, organization) as connection:
            before = _lock(connection, organization, job_id)
            if before is None:
                return False
            if before.is_final:
                raise NotCancellable(f"The job is {before.value} already.")
            open_ = (SourceStatus.PENDING.value, SourceStatus.PROCESSING.value)
            closed = connection.scalars(
                update(JobSource)
                .where(*_is_source(organization, job_id), JobSource.status.in_(open_))
                .values(status=SourceStatus.CANCELLED.value, finished_at=now)
                .returning(JobSource.key)
            ).all()
            chunks = update(RunChunk).where(RunChunk.organization_id == str(organization), RunChunk.job_id == job_id)
            connection.execute(chunks.where(RunChunk.status == "waiting").values(status="over", updated_at=now))
            connection.execute(
                chunks.where(RunChunk.status.in_(("sent", "running"))).values(status="cancelling", updated_at=now)
            )
            connection.execute(update(Job).where(*_is(organization, job_id)).values(cancel_requested_at=now))
            tell(connection, owner, [(key, SourceStatus.CANCELLED.value) for key in sorted(closed)], now)
            _derive(connection, organization, job_id, before, now)
            audit_log.append(
                connection, organization, at=now, actor=actor, action="job.cancel", target=job_id, request_id=request_id
            )
        return True

    def retry(self, organization: OrganizationId, job_id: str, *, actor: str, request_id: str) -> int | None:
        """Set what failed or was cancelled to pending again; how many sources, or None when there is no such job.

        Raises:
            NotRetryable: when the job is not over, or has nothing to try again.
        """
        now = self._clock()
        owner = {"organization_id": str(organization), "job_id": job_id}
        with writing(self._engine, organization) as connection:
            before = _lock(connection, organization, job_id)
            if before is None:
                return None
            again = (SourceStatus.FAILED.value, SourceStatus.CANCELLED.value)
            if not before.is_final:
                raise NotRetryable("The job is not over yet.")
            rows = connection.execute(
                update(JobSource)
                .where(*_is_source(organization, job_id), JobSource.status.in_(again))
                .values(status="pending", run_id=None, error=None, error_class=None, finished_at=None, started_at=None)
                .returning(JobSource.key, JobSource.provider, JobSource.ticker)
            ).all()
            if not rows:
                raise NotRetryable("The job has nothing that failed or was cancelled.")
            mine = (RunChunk.organization_id == str(organization), RunChunk.job_id == job_id)
            last = connection.scalar(select(func.max(RunChunk.attempt)).where(*mine)) or 0
            priority = connection.scalar(select(Job.priority).where(*_is(organization, job_id))) or 0
            cut_chunks(connection, owner, [(row.provider, row.ticker) for row in rows], last + 1, priority, now)
            tell(connection, owner, [(row.key, SourceStatus.PENDING.value) for row in rows], now)
            connection.execute(update(Job).where(*_is(organization, job_id)).values(cancel_requested_at=None))
            _derive(connection, organization, job_id, before, now)
            audit_log.append(
                connection, organization, at=now, actor=actor, action="job.retry", target=job_id, request_id=request_id
            )
        return len(rows)


_JOB_FIELDS = (
    "organization_id", "job_id", "kind", "name", "request", "request_id", "user_id", "priority", "created_at", "updated_at",
)  # fmt: skip


def _is_answered(job: NewJob) -> bool:
    return all(source.status.is_final for source in job.sources)


def _is(organization: OrganizationId, job_id: str) -> tuple[Any, ...]:
    return Job.organization_id == str(organization), Job.job_id == job_id


def _is_source(organization: OrganizationId, job_id: str) -> tuple[Any, ...]:
    return JobSource.organization_id == str(organization), JobSource.job_id == job_id


def _lock(connection: Connection, organization: OrganizationId, job_id: str) -> JobStatus | None:
    """The job's status, and its row until the transaction ends: two runs of one job derive its status in turn."""
    found = connection.scalar(select(Job.status).where(*_is(organization, job_id)).with_for_update())
    return None if found is None else JobStatus(found)


def _derive(
    connection: Connection, organization: OrganizationId, job_id: str, before: JobStatus | None, now: dt.datetime
) -> None:
    statuses = connection.scalars(select(JobSource.status).where(*_is_source(organization, job_id))).all()
    after = job_status(statuses)
    connection.execute(update(Job).where(*_is(organization, job_id)).values(status=after.value, updated_at=now))
    if after is not before:
        tell(connection, {"organization_id": str(organization), "job_id": job_id}, [(None, after.value)], now)
