"""Questions that an organisation has named, to ask them again: SQL text, kept as it was written.

What does not belong here: whether the SQL is allowed; that is decided each time it is asked.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, delete, func, insert, select
from sqlalchemy.exc import IntegrityError

from salescience_pipeline.identifiers import OrganizationId
from salescience_pipeline.ledger import audit_log
from salescience_pipeline.ledger.errors import LedgerError
from salescience_pipeline.ledger.scoping import looking, writing
from salescience_pipeline.ledger.service_models import SavedQuery

MAX_SAVED = 200
"""Questions that an organisation may keep."""


class QueryExists(LedgerError):
    """The organisation has a question of that name already."""


class TooManyQueries(LedgerError):
    """The organisation keeps as many questions as it may."""


@dataclass(frozen=True, slots=True)
class SavedQueryRow:
    """One question as stored."""

    name: str
    sql: str
    description: str
    created_by: str
    created_at: dt.datetime


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class SavedQueries:
    """The questions of all organisations; every method names the organisation it works for and is one transaction."""

    def __init__(self, engine: Engine, *, clock: Callable[[], dt.datetime] = _utc_now) -> None:
        """Use the migrated database behind ``engine``."""
        self._engine, self._clock = engine, clock

    def create(
        self, organization: OrganizationId, name: str, sql: str, *, description: str, actor: str, request_id: str
    ) -> SavedQueryRow:
        """Keep a question under ``name``.

        Raises:
            QueryExists: when the name is taken.
            TooManyQueries: when the organisation keeps :data:`MAX_SAVED` already.
        """
        row = SavedQueryRow(name, sql, description, actor, self._clock())
        values = {field: getattr(row, field) for field in SavedQueryRow.__slots__}
        try:
            with writing(self._engine, organization) as connection:
                mine = select(func.count()).where(SavedQuery.organization_id == str(organization))
                if (connection.scalar(mine) or 0) >= MAX_SAVED:
                    raise TooManyQueries(f"{organization} may keep {MAX_SAVED} questions; delete some of them.")
                connection.execute(insert(SavedQuery).values(organization_id=str(organization), **values))
                audit_log.append(
                    connection, organization, at=row.created_at, actor=actor, action="query.save", target=name,
                    request_id=request_id,
                )  # fmt: skip
        except IntegrityError as error:
            raise QueryExists(f"There is a question named {name} already; delete it first.") from error
        return row

    def get(self, organization: OrganizationId, name: str) -> SavedQueryRow | None:
        """The question of that name, or None when the organisation has none."""
        return next(iter(self._read(organization, name)), None)

    def listed(self, organization: OrganizationId) -> tuple[SavedQueryRow, ...]:
        """The organisation's questions by name; never more than :data:`MAX_SAVED`."""
        return self._read(organization)

    def delete(self, organization: OrganizationId, name: str, *, actor: str, request_id: str) -> bool:
        """Forget a question; False when the organisation has none of that name."""
        with writing(self._engine, organization) as connection:
            gone = connection.execute(delete(SavedQuery).where(*_is(organization, name))).rowcount == 1
            if gone:
                audit_log.append(
                    connection, organization, at=self._clock(), actor=actor, action="query.delete", target=name,
                    request_id=request_id,
                )  # fmt: skip
        return gone

    def _read(self, organization: OrganizationId, name: str | None = None) -> tuple[SavedQueryRow, ...]:
        columns = [getattr(SavedQuery, field) for field in SavedQueryRow.__slots__]
        query = select(*columns).where(SavedQuery.organization_id == str(organization)).order_by(SavedQuery.name)
        if name is not None:
            query = query.where(SavedQuery.name == name)
        with looking(self._engine, organization) as connection:
            return tuple(SavedQueryRow(**row) for row in connection.execute(query).mappings())


def _is(organization: OrganizationId, name: str) -> tuple[Any, ...]:
    return SavedQuery.organization_id == str(organization), SavedQuery.name == name
