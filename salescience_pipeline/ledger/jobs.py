"""Jobs and their sources: made, looked at, moved on, cancelled and tried again. Each method is one transaction.

A job, its sources, its first event, its audit entry and the chunks that runs will work on are written together: what
was acknowledged is there. Writers say which run they are; a run that was replaced cannot write any more (compare and
set). What does not belong here: giving chunks to runs (``dispatch``).
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, bindparam, delete, func, insert, select, update

from salescience_pipeline.identifiers import OrganizationId
from salescience_pipeline.ledger import audit_log
from salescience_pipeline.ledger.errors import LedgerError
from salescience_pipeline.ledger.job_making import Making
from salescience_pipeline.ledger.job_model import (
    Creation,
    Event,
    JobView,
    NewJob,
    NotCancellable,
    NotRetryable,
    Once,
    Outcome,
    TooManyOpenJobs,
)
from salescience_pipeline.ledger.job_rows import INSERT_CHUNK, chunk_rows, outcome_values, source_view, tell
from salescience_pipeline.ledger.job_rules import NEXT, JobStatus, SourceStatus, job_status
from salescience_pipeline.ledger.once import keep_answer, said_before
from salescience_pipeline.ledger.scoping import enter, looking, writing
from salescience_pipeline.ledger.service_models import Job, JobEvent, JobSource, RunChunk
from salescience_pipeline.ledger.webhooks import announce

_JOBS = Job.metadata.tables[Job.__tablename__]
_COUNT_OPEN = (
    select(_JOBS.c.organization_id, func.count())
    .where(
        _JOBS.c.organization_id.in_(bindparam("names", expanding=True)), _JOBS.c.status.in_(["pending", "processing"])
    )
    .group_by(_JOBS.c.organization_id)
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
        (made,) = self.create_together([Creation(organization, tuple(jobs), actor, max_open, once)])
        if isinstance(made, LedgerError):
            raise made
        return made

    def create_together(self, creations: Sequence[Creation]) -> list[Mapping[str, Any] | LedgerError | None]:
        """Make what several callers ask for, in one transaction; what each of them gets from :meth:`create`.

        An error of one caller is its answer and costs the others nothing. Where all of it is one organisation's, PostgreSQL
        lets nothing else be seen; rows of several are written in one go, and only what a key was used for is looked up
        behind its owner's wall.
        """
        names = sorted({creation.organization for creation in creations})
        wall = names[0] if len(names) == 1 else None
        with writing(self._engine, wall, durably=True) as connection:
            audit_log.take_turn(connection, names)
            making, opened = Making(self._clock()), _open_jobs(connection, names)
            answers = [self._add(connection, making, opened, creation, wall) for creation in creations]
            making.write(connection, wall)
        return answers

    @staticmethod
    def _add(
        connection: Connection, making: Making, opened: Counter[str], creation: Creation, wall: OrganizationId | None
    ) -> Mapping[str, Any] | LedgerError | None:
        """Add one caller's rows to what is being made; its answer."""
        organization, once = creation.organization, creation.once
        if once is not None:
            enter(connection, organization)
            before = said_before(connection, organization, once, making.now)
            if before is not None:
                enter(connection, wall)
                return before
        waiting = sum(not _is_answered(job) for job in creation.jobs)
        full = waiting and opened[organization] + waiting > creation.max_open
        if once is not None:
            if not full:
                keep_answer(connection, organization, once, making.now)
            enter(connection, wall)
        if full:
            return TooManyOpenJobs(
                f"{organization} may have {creation.max_open} open jobs; wait for some of them to end."
            )
        opened[organization] += waiting
        for job in creation.jobs:
            making.add(organization, job, creation.actor)
        return None

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
            # Dagster starts a run key once: a number that was used is used up.
            keys = connection.scalars(select(RunChunk.run_key).where(*mine)).all()
            last = max((int(key.rpartition(":")[2]) for key in keys), default=0)
            priority = connection.scalar(select(Job.priority).where(*_is(organization, job_id))) or 0
            pending = [(row.provider, row.ticker) for row in rows]
            connection.execute(INSERT_CHUNK, chunk_rows(owner, pending, last + 1, priority, now))
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


def _open_jobs(connection: Connection, organizations: Sequence[OrganizationId]) -> Counter[str]:
    rows = connection.execute(_COUNT_OPEN, {"names": [str(name) for name in organizations]}).all()
    return Counter({row[0]: row[1] for row in rows})


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
        if after.is_final:
            announce(connection, organization, [(job_id, after.value)], now)
