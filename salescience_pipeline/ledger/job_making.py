"""The rows of new jobs, gathered first and written table by table: many jobs cost hardly more statements than one.

What does not belong here: whether a job may be made (``jobs``), and transactions.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import Connection

from salescience_pipeline.identifiers import OrganizationId
from salescience_pipeline.ledger import audit_log
from salescience_pipeline.ledger.job_model import NewJob
from salescience_pipeline.ledger.job_rows import (
    INSERT_CHUNK,
    INSERT_EVENT,
    INSERT_JOB,
    INSERT_SOURCE,
    chunk_rows,
    event_rows,
    source_values,
)
from salescience_pipeline.ledger.job_rules import SourceStatus, job_status
from salescience_pipeline.ledger.scoping import enter
from salescience_pipeline.ledger.sealing import Owned
from salescience_pipeline.ledger.webhooks import announce


class Making:
    """New jobs of one moment with everything that belongs to them: sources, first events, chunks, audit entries."""

    def __init__(self, now: dt.datetime) -> None:
        """Nothing is written before :meth:`write`."""
        self.now = now
        self._rows: tuple[tuple[Any, list[dict[str, Any]]], ...] = tuple(
            (statement, []) for statement in (INSERT_JOB, INSERT_SOURCE, INSERT_EVENT, INSERT_CHUNK)
        )
        self._entries: list[audit_log.NewEntry] = []
        self._ended: dict[OrganizationId, list[tuple[str, str]]] = {}

    def add(self, organization: OrganizationId, job: NewJob, actor: str) -> None:
        """Gather the rows of ``job``."""
        jobs, sources, events, chunks = (rows for _, rows in self._rows)
        status = job_status(source.status for source in job.sources)
        owner = {"organization_id": str(organization), "job_id": job.job_id}
        jobs.append(
            {
                **owner, "kind": job.kind, "name": job.name,
                "request": Owned(organization, dict(job.request)), "status": status.value, "priority": job.priority,
                "request_id": job.request_id, "user_id": Owned(organization, job.user_id),
                "created_at": self.now, "updated_at": self.now,
            }
        )  # fmt: skip
        for place, source in enumerate(job.sources):
            row = {**owner, **source_values(source, self.now), "position": place}
            # Jobs of several organisations may be written together: each value says whose it is.
            sources.append({**row, **{name: Owned(organization, row[name]) for name in ("details", "error")}})
        if status.is_final:
            self._ended.setdefault(organization, []).append((job.job_id, status.value))
        events += event_rows(owner, [(None, status.value)], self.now)
        pending = [(source.provider, source.ticker) for source in job.sources if source.status is SourceStatus.PENDING]
        chunks += chunk_rows(owner, pending, 1, job.priority, self.now)
        detail = {"kind": job.kind, "name": job.name, "sources": len(job.sources), "user_id": job.user_id}
        self._entries.append(
            audit_log.NewEntry(organization, self.now, actor, "job.create", job.job_id, job.request_id, detail)
        )

    def write(self, connection: Connection, wall: OrganizationId | None) -> None:
        """Write what was gathered, parents before children; ``wall`` is what the transaction sees."""
        for statement, rows in self._rows:
            if rows:
                connection.execute(statement, rows)
        audit_log.append_all(connection, self._entries)
        for organization, ended in self._ended.items():
            enter(connection, organization)
            announce(connection, organization, ended, self.now)
        if self._ended:
            enter(connection, wall)
