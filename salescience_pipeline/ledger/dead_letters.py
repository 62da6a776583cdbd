"""What could not be done or understood: kept with its reason until somebody sends it on its way again or lets it go.

Three kinds: a webhook's message that nobody took, a job's chunk whose runs all died, a message of a topic that means
nothing. What does not belong here: how each is sent on its way again (``gateway.dead_letters``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, select, update
from sqlalchemy.dialects import postgresql, sqlite

from salescience_pipeline.identifiers import OrganizationId
from salescience_pipeline.ledger import audit_log
from salescience_pipeline.ledger.scoping import looking, writing
from salescience_pipeline.ledger.sealing import Owned
from salescience_pipeline.ledger.service_models import DeadLetter

WEBHOOK, JOB, KAFKA = "webhook", "job", "kafka"
DEAD, REQUEUED, DISCARDED = "dead", "requeued", "discarded"


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter as stored; ``organization_id`` is None for a message that nobody could read."""

    id: int
    organization_id: str | None
    kind: str
    origin: str
    at: dt.datetime
    reason: str
    body: str
    status: str
    changed_at: dt.datetime


def bury(
    connection: Connection,
    *,
    kind: str,
    origin: str,
    reason: str,
    body: str,
    organization: OrganizationId | None,
    now: dt.datetime,
) -> None:
    """Keep something inside a transaction that is under way; what died before is dead again."""
    make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    values: dict[str, Any] = {
        "organization_id": None if organization is None else str(organization), "kind": kind, "origin": origin[:200],
        "at": now, "reason": reason[:500],
        "body": body if organization is None else Owned(organization, body), "status": DEAD, "changed_at": now,
    }  # fmt: skip
    again = {name: values[name] for name in ("reason", "status", "changed_at")}
    connection.execute(make(DeadLetter).values(**values).on_conflict_do_update(index_elements=["origin"], set_=again))


class DeadLetters:
    """The dead letters of all organisations, and those of nobody; every method is one transaction.

    ``organization=None`` is the operator, who sees all of them.
    """

    def __init__(self, engine: Engine, *, clock: Callable[[], dt.datetime]) -> None:
        """Use the migrated database behind ``engine``."""
        self._engine, self._clock = engine, clock

    def bury(self, *, kind: str, origin: str, reason: str, body: str, organization: OrganizationId | None) -> None:
        """Keep something in a transaction of its own."""
        with writing(self._engine, None) as connection:
            bury(
                connection, kind=kind, origin=origin, reason=reason, body=body, organization=organization,
                now=self._clock(),
            )  # fmt: skip

    def get(self, organization: OrganizationId | None, letter_id: int) -> Letter | None:
        """The letter, or None when the organisation has none of that number."""
        query = select(DeadLetter).where(*_mine(organization), DeadLetter.id == letter_id)
        with looking(self._engine, organization) as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else _letter(row)

    def listed(
        self,
        organization: OrganizationId | None,
        *,
        limit: int = 50,
        before: int | None = None,
        kind: str | None = None,
        status: str | None = DEAD,
    ) -> list[Letter]:
        """Letters, newest first, those with a number below ``before``."""
        query = select(DeadLetter).where(*_mine(organization))
        if before is not None:
            query = query.where(DeadLetter.id < before)
        if kind is not None:
            query = query.where(DeadLetter.kind == kind)
        if status is not None:
            query = query.where(DeadLetter.status == status)
        with looking(self._engine, organization) as connection:
            return [
                _letter(row) for row in connection.execute(query.order_by(DeadLetter.id.desc()).limit(limit)).mappings()
            ]

    def mark(
        self, organization: OrganizationId | None, letter_id: int, status: str, *, actor: str, request_id: str
    ) -> bool:
        """Say what became of a dead letter; False when there is none of that number that is still dead."""
        now = self._clock()
        mine = (*_mine(organization), DeadLetter.id == letter_id, DeadLetter.status == DEAD)
        with writing(self._engine, organization) as connection:
            statement = update(DeadLetter).where(*mine).values(status=status, changed_at=now)
            row = connection.execute(statement.returning(DeadLetter.organization_id)).first()
            if row is not None and row.organization_id is not None:
                audit_log.append(
                    connection, OrganizationId(row.organization_id), at=now, actor=actor, action=f"dead_letter.{status}",
                    target=str(letter_id), request_id=request_id,
                )  # fmt: skip
        return row is not None


def _mine(organization: OrganizationId | None) -> tuple[Any, ...]:
    return () if organization is None else (DeadLetter.organization_id == str(organization),)


def _letter(row: Mapping[Any, Any]) -> Letter:
    return Letter(**{name: row[name] for name in Letter.__slots__})
