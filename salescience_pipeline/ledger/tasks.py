"""Orchestration tasks and their service requests: the outbox of the fan-out. Each method is one transaction.

A request that is claimed and not settled within two minutes is claimed again: whoever had it is gone. What does not belong
here: splitting a payload, and calling a service (the gateway does both).
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, insert, or_, select, update

from salescience_pipeline.identifiers import OrganizationId
from salescience_pipeline.ledger import audit_log
from salescience_pipeline.ledger.job_model import IdempotencyConflict, Once
from salescience_pipeline.ledger.job_rules import TaskStatus, task_status
from salescience_pipeline.ledger.jobs import utc_now
from salescience_pipeline.ledger.once import keep_answer, said_before
from salescience_pipeline.ledger.scoping import looking, writing
from salescience_pipeline.ledger.service_models import ServiceRequest, Task

CLAIM_LASTS = dt.timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Call:
    """One service request that somebody has claimed."""

    id: int
    organization_id: OrganizationId
    task_id: str
    service_name: str
    payload: Mapping[str, Any]
    claimed_at: dt.datetime
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class NewCall:
    """One service request to be made: the service and what it is sent."""

    service_name: str
    payload: Mapping[str, Any]


class Tasks:
    """The tasks of all organisations."""

    def __init__(self, engine: Engine, *, clock: Callable[[], dt.datetime] = utc_now) -> None:
        """Use the migrated database behind ``engine``."""
        self._engine, self._clock = engine, clock

    def create(
        self,
        organization: OrganizationId,
        *,
        name: str,
        description: str | None,
        payload: Sequence[Any],
        calls: Sequence[NewCall],
        actor: str,
        request_id: str,
        claimed: bool = False,
        once: Once | None = None,
    ) -> str:
        """Make a task with its requests; returns its id, or that of the task which was made under ``once`` before.

        ``claimed``: the caller works on them itself, now. The answer of ``once`` names the task to be made as ``task_id``.

        Raises:
            IdempotencyConflict: when ``once`` was used with another body.
        """
        now, task_id = self._clock(), str(uuid.uuid4()) if once is None else str(once.answer["task_id"])
        status = TaskStatus.IN_PROGRESS if claimed else TaskStatus.PENDING
        shared = {
            "organization_id": str(organization), "task_id": task_id, "status": status.value, "created_at": now,
            "updated_at": now,
        }  # fmt: skip
        with writing(self._engine, organization, durably=True) as connection:
            if once is not None:
                audit_log.take_turn(connection, [organization])
                before = said_before(connection, organization, once, now)
                if isinstance(before, IdempotencyConflict):
                    raise before
                if before is not None:
                    return str(before["task_id"])
                keep_answer(connection, organization, once, now)
            connection.execute(
                insert(Task).values(**shared, task_name=name, task_description=description, payload=list(payload))
            )
            rows = [
                {
                    **shared,
                    "service_name": call.service_name,
                    "scenario_id": call.payload.get("scenario_id"),
                    "business_type_id": call.payload.get("business_type_id"),
                    "request_payload": dict(call.payload),
                    "request_id": request_id,
                }
                for call in calls
            ]
            connection.execute(insert(ServiceRequest), rows)
            audit_log.append(
                connection, organization, at=now, actor=actor, action="task.create", target=task_id,
                request_id=request_id, detail={"services": sorted({call.service_name for call in calls})},
            )  # fmt: skip
        return task_id

    def calls_of(self, organization: OrganizationId, task_id: str) -> list[Call]:
        """The requests of a task, as their maker has claimed them."""
        query = select(ServiceRequest).where(
            ServiceRequest.organization_id == str(organization), ServiceRequest.task_id == task_id
        )
        with looking(self._engine, organization) as connection:
            return [_call(row) for row in connection.execute(query.order_by(ServiceRequest.id)).mappings()]

    def claim(self, *, limit: int = 20) -> list[Call]:
        """Take requests that wait, and those whose claim has run out, oldest first."""
        now = self._clock()
        dead = (ServiceRequest.status == TaskStatus.IN_PROGRESS.value) & (ServiceRequest.updated_at < now - CLAIM_LASTS)
        free = or_(ServiceRequest.status == TaskStatus.PENDING.value, dead)
        with looking(self._engine, None) as connection:
            # Most looks find nothing; they should wait for no writer.
            if connection.scalar(select(ServiceRequest.id).where(free).limit(1)) is None:
                return []
        with writing(self._engine, None) as connection:
            chosen = select(ServiceRequest.id).where(free).order_by(ServiceRequest.id).limit(limit)
            ids = connection.scalars(chosen.with_for_update(skip_locked=True)).all()
            values = {"status": TaskStatus.IN_PROGRESS.value, "updated_at": now}
            connection.execute(update(ServiceRequest).where(ServiceRequest.id.in_(ids)).values(**values))
            rows = connection.execute(select(ServiceRequest).where(ServiceRequest.id.in_(ids))).mappings().all()
            for row in rows:
                _derive(connection, row["organization_id"], row["task_id"], now)
        return [_call(row) for row in rows]

    def settle(self, call: Call, *, response: Any = None, error: str | None = None) -> bool:
        """Write what a service said; False when somebody else has claimed the request meanwhile."""
        now = self._clock()
        status = TaskStatus.COMPLETED if error is None else TaskStatus.FAILED
        mine = (
            ServiceRequest.id == call.id,
            ServiceRequest.status == TaskStatus.IN_PROGRESS.value,
            ServiceRequest.updated_at == call.claimed_at,
        )
        values = {"status": status.value, "updated_at": now, "response_payload": response, "error_message": error}
        with writing(self._engine, call.organization_id) as connection:
            _lock(connection, call.organization_id, call.task_id)
            done = connection.execute(update(ServiceRequest).where(*mine).values(**values)).rowcount == 1
            if done:
                _derive(connection, call.organization_id, call.task_id, now)
        return done

    def view(self, organization: OrganizationId, task_id: str) -> dict[str, Any] | None:
        """A task with its requests, or None when the organisation has no such task."""
        mine = (Task.organization_id == str(organization), Task.task_id == task_id)
        requests = select(ServiceRequest).where(
            ServiceRequest.organization_id == str(organization), ServiceRequest.task_id == task_id
        )
        with looking(self._engine, organization) as connection:
            task = connection.execute(select(Task).where(*mine)).mappings().first()
            if task is None:
                return None
            rows = connection.execute(requests.order_by(ServiceRequest.id)).mappings().all()
        return {**_plain(task), "service_requests": [_plain(row) for row in rows]}

    def listed(
        self, organization: OrganizationId, *, limit: int = 50, before: int | None = None, status: str | None = None
    ) -> list[dict[str, Any]]:
        """The organisation's tasks, newest first, those with an id below ``before``."""
        query = select(Task).where(Task.organization_id == str(organization))
        if before is not None:
            query = query.where(Task.id < before)
        if status is not None:
            query = query.where(Task.status == status)
        with looking(self._engine, organization) as connection:
            return [_plain(row) for row in connection.execute(query.order_by(Task.id.desc()).limit(limit)).mappings()]


def _plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "organization_id"}


def _call(row: Mapping[Any, Any]) -> Call:
    return Call(
        row["id"], OrganizationId(row["organization_id"]), row["task_id"], row["service_name"], row["request_payload"],
        row["updated_at"], row["request_id"],
    )  # fmt: skip


def _lock(connection: Connection, organization: str, task_id: str) -> None:
    mine = select(Task.id).where(Task.organization_id == str(organization), Task.task_id == task_id)
    connection.execute(mine.with_for_update())


def _derive(connection: Connection, organization: str, task_id: str, now: dt.datetime) -> None:
    requests = select(ServiceRequest.service_name, ServiceRequest.status).where(
        ServiceRequest.organization_id == str(organization), ServiceRequest.task_id == task_id
    )
    found = connection.execute(requests.order_by(ServiceRequest.id)).all()
    failed = [row.service_name for row in found if row.status == TaskStatus.FAILED.value]
    status = task_status(row.status for row in found)
    message = f"These services failed: {', '.join(dict.fromkeys(failed))}." if status is TaskStatus.FAILED else None
    connection.execute(
        update(Task)
        .where(Task.organization_id == str(organization), Task.task_id == task_id)
        .values(status=status.value, updated_at=now, error_message=message)
    )
