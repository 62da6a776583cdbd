"""What is done to everything of one organisation: sealed anew after its key was rotated, or made unreadable for ever.

What does not belong here: keys (``vault``), and the sealing of one value (``sealing``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, Table, bindparam, delete, func, select, update

from salescience_pipeline.identifiers import OrganizationId
from salescience_pipeline.ledger import audit_log
from salescience_pipeline.ledger.models import Base
from salescience_pipeline.ledger.scoping import looking, writing
from salescience_pipeline.ledger.sealing import SealedJson, SealedText, vault_of
from salescience_pipeline.ledger.service_models import PRIVATE_TABLES, ApiKey, Organization
from salescience_pipeline.ledger.vault import KeyUnavailable, Vault

_BATCH = 500
_KEPT = frozenset({"audit_log", "api_keys"})
"""Private tables that a shredded organisation keeps rows in: who did what (its details unreadable), and dead keys."""


@dataclass(frozen=True, slots=True)
class Shredded:
    """What became of a shredded organisation: data keys destroyed, API keys revoked, rows deleted by table."""

    organization_id: str
    data_keys: int
    api_keys: int
    rows: dict[str, int]


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class Sealed:
    """The sealed values of organisations in one database."""

    def __init__(self, engine: Engine, *, clock: Callable[[], dt.datetime] = _utc_now) -> None:
        """Use the migrated database behind ``engine``."""
        self._engine, self._clock = engine, clock

    @property
    def vault(self) -> Vault:
        """The keys.

        Raises:
            KeyUnavailable: when the ledger was opened without.
        """
        found = vault_of(self._engine)
        if found is None:
            raise KeyUnavailable("This ledger was opened without keys.")
        return found

    def organizations(self) -> list[OrganizationId]:
        """All organisations, by id."""
        with looking(self._engine, None) as connection:
            return [
                OrganizationId(name) for name in connection.scalars(select(Organization.id).order_by(Organization.id))
            ]

    def rotate(self, organization: OrganizationId, *, actor: str, request_id: str) -> int:
        """Give the organisation a new data key; returns its number. What is sealed stays readable."""
        version = self.vault.rotate(organization)
        with writing(self._engine, organization) as connection:
            self._tell(connection, organization, "keys.rotate", {"version": version}, actor, request_id)
        return version

    def reseal(self, organization: OrganizationId, *, actor: str, request_id: str) -> int:
        """Seal every value anew with the newest key, those in clear included; returns how many rows were written.

        The audit is left as it is: it is append-only, and its chain is made over the sealed text.
        """
        vault, done = self.vault, 0
        for table in _tables():
            done += self._reseal(table, organization)
        with writing(self._engine, organization) as connection:
            self._tell(connection, organization, "keys.reseal", {"rows": done}, actor, request_id)
        assert not vault.is_shredded(organization)
        return done

    def _reseal(self, table: Table, organization: OrganizationId) -> int:
        sealed = [column for column in table.c if isinstance(column.type, (SealedText, SealedJson))]
        keys = list(table.primary_key.columns)
        mine = table.c.organization_id == str(organization)
        with looking(self._engine, organization) as connection:
            places = [tuple(row) for row in connection.execute(select(*keys).where(mine).order_by(*keys))]
        matches = [column == bindparam(f"at_{column.name}") for column in keys]
        statement = (
            update(table)
            .where(mine, *matches)
            .values({column.name: bindparam(f"new_{column.name}") for column in sealed})
        )
        for start in range(0, len(places), _BATCH):
            with writing(self._engine, organization) as connection:
                for place in places[start : start + _BATCH]:
                    here = {f"at_{column.name}": value for column, value in zip(keys, place, strict=True)}
                    row = connection.execute(select(*sealed).where(mine, *matches), here).first()
                    if row is not None:
                        values = {f"new_{column.name}": value for column, value in zip(sealed, row, strict=True)}
                        connection.execute(statement, {**here, **values})
        return len(places)

    def shred(self, organization: OrganizationId, *, actor: str, request_id: str) -> Shredded:
        """Destroy the organisation's data keys, revoke its API keys, shut it out and delete its rows.

        What it wrote cannot be read again, neither here nor in any copy of the database; ids, times, names of saved questions
        and the tickers that it asked for are not sealed and can be, in copies made before. The audit stays, unreadable in
        its details and still verifiable, and says who did this.
        """
        destroyed, now = self.vault.destroy(organization), self._clock()
        rows: dict[str, int] = {}
        with writing(self._engine, organization) as connection:
            connection.execute(
                update(Organization)
                .where(Organization.id == str(organization))
                .values(disabled_at=now, name=str(organization))
            )
            mine = (ApiKey.organization_id == str(organization), ApiKey.revoked_at.is_(None))
            revoked = connection.execute(update(ApiKey).where(*mine).values(revoked_at=now)).rowcount
            for table in _owned():
                owned = table.c.organization_id == str(organization)
                rows[table.name] = connection.scalar(select(func.count()).select_from(table).where(owned)) or 0
                connection.execute(delete(table).where(owned))
            # In clear: there is no key any more to seal it with, and it says nothing that was the organisation's.
            self._tell(connection, organization, "organization.shred", {}, actor, request_id)
        return Shredded(str(organization), destroyed, revoked, {name: count for name, count in rows.items() if count})

    def _tell(
        self,
        connection: Connection,
        organization: OrganizationId,
        action: str,
        detail: dict[str, int],
        actor: str,
        request_id: str,
    ) -> None:
        audit_log.append(
            connection, organization, at=self._clock(), actor=actor, action=action, target=str(organization),
            request_id=request_id, detail=detail,
        )  # fmt: skip


def _owned() -> list[Table]:
    """Private tables whose rows go, those that refer to others first."""
    return [
        table
        for table in reversed(Base.metadata.sorted_tables)
        if table.name in PRIVATE_TABLES and table.name not in _KEPT
    ]


def _tables() -> list[Table]:
    """Tables with sealed columns."""
    return [
        table
        for table in Base.metadata.sorted_tables
        if any(isinstance(column.type, (SealedText, SealedJson)) for column in table.c)
    ]
