"""How the service fares, as far as the database knows: checks of upstream services, leases, counts, readiness.

What does not belong here: asking an upstream (the gateway does), and judging.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, delete, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from salescience_pipeline.identifiers import OrganizationId
from salescience_pipeline.ledger import migrate
from salescience_pipeline.ledger.job_rules import JobStatus
from salescience_pipeline.ledger.jobs import utc_now
from salescience_pipeline.ledger.scoping import looking, writing
from salescience_pipeline.ledger.service_models import HealthCheck, Job, Lease, RunChunk, RunHeartbeat

KEPT_CHECKS = 100
"""Checks of each service that are kept: the window of its uptime."""


@dataclass(frozen=True, slots=True)
class Check:
    """One look at a service."""

    at: dt.datetime
    ok: bool
    milliseconds: float
    error: str | None


class Monitoring:
    """Checks, leases and counts; every method is one transaction."""

    def __init__(self, engine: Engine, *, clock: Callable[[], dt.datetime] = utc_now) -> None:
        """Use the migrated database behind ``engine``."""
        self._engine, self._clock = engine, clock

    def lead(self, name: str, holder: str, *, seconds: float) -> bool:
        """Take or keep a lease; True while ``holder`` has it. Only one holder has it at a time."""
        now = self._clock()
        make = postgresql.insert if self._engine.dialect.name == "postgresql" else sqlite.insert
        until = now + dt.timedelta(seconds=seconds)
        statement = make(Lease).values(name=name, holder=holder, until=until)
        statement = statement.on_conflict_do_update(
            index_elements=["name"],
            set_={"holder": holder, "until": until},
            where=(Lease.holder == holder) | (Lease.until < now),
        )
        with writing(self._engine, None) as connection:
            return connection.execute(statement).rowcount == 1

    def record(self, service: str, check: Check) -> None:
        """Keep one look at a service, and the newest hundred of it."""
        with writing(self._engine, None) as connection:
            connection.execute(
                insert(HealthCheck).values(
                    service=service, at=check.at, ok=check.ok, milliseconds=check.milliseconds,
                    error=None if check.error is None else check.error[:200],
                )
            )  # fmt: skip
            newest = select(HealthCheck.id).where(HealthCheck.service == service)
            edge = connection.scalar(newest.order_by(HealthCheck.id.desc()).offset(KEPT_CHECKS).limit(1))
            if edge is not None:
                connection.execute(delete(HealthCheck).where(HealthCheck.service == service, HealthCheck.id <= edge))

    def checks(self, service: str) -> list[Check]:
        """The kept looks at a service, newest first."""
        query = select(HealthCheck).where(HealthCheck.service == service).order_by(HealthCheck.id.desc())
        with looking(self._engine, None) as connection:
            rows = connection.execute(query).mappings().all()
        return [Check(row["at"], row["ok"], row["milliseconds"], row["error"]) for row in rows]

    def is_current(self) -> bool:
        """Whether the database answers and has the shape that this software works with."""
        with looking(self._engine, None) as connection:
            return migrate.current(connection) == migrate.head()

    def statistics(self, organization: OrganizationId) -> Mapping[str, Any]:
        """How many of an organisation's jobs came to an end, how, and when the last one did."""
        ended = [status.value for status in JobStatus if status.is_final]
        query = (
            select(Job.status, func.count(), func.max(Job.updated_at))
            .where(Job.organization_id == str(organization), Job.status.in_(ended))
            .group_by(Job.status)
        )
        with looking(self._engine, organization) as connection:
            rows = connection.execute(query).all()
        counts = {status: count for status, count, _ in rows}
        moments = [_aware(moment) for _, _, moment in rows if moment is not None]
        return {
            "jobs_processed": sum(counts.values()),
            "jobs_successful": counts.get(JobStatus.COMPLETE.value, 0),
            "jobs_failed": counts.get(JobStatus.FAILED.value, 0) + counts.get(JobStatus.PARTIAL.value, 0),
            "last_job_time": max(moments, default=None),
        }

    def ended_within(self, time: dt.timedelta) -> tuple[int, int]:
        """Over all organisations: jobs that came to an end lately, and those of them that failed, whole or in part."""
        ended = [status.value for status in JobStatus if status.is_final]
        query = (
            select(Job.status, func.count())
            .where(Job.status.in_(ended), Job.updated_at >= self._clock() - time)
            .group_by(Job.status)
        )
        with looking(self._engine, None) as connection:
            counts = {row[0]: row[1] for row in connection.execute(query)}
        return sum(counts.values()), counts.get(JobStatus.FAILED.value, 0) + counts.get(JobStatus.PARTIAL.value, 0)

    def totals(self) -> tuple[dict[str, int], dict[str, int], float | None]:
        """Over all organisations: jobs by status, chunks by status, and seconds since the least recent live heartbeat."""
        with looking(self._engine, None) as connection:
            jobs = connection.execute(select(Job.status, func.count()).group_by(Job.status)).all()
            chunks = connection.execute(select(RunChunk.status, func.count()).group_by(RunChunk.status)).all()
            live = select(func.min(RunHeartbeat.at)).join(RunChunk, RunChunk.run_id == RunHeartbeat.run_id)
            oldest = connection.scalar(live.where(RunChunk.status == "running"))
        age = None if oldest is None else (self._clock() - _aware(oldest)).total_seconds()
        return {row[0]: row[1] for row in jobs}, {row[0]: row[1] for row in chunks}, age


def _aware(moment: dt.datetime) -> dt.datetime:
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment
