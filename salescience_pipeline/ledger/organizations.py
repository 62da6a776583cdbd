"""Organisations and their API keys. A key is 256 random bits; only its SHA-256 is kept, and it is shown once.

What does not belong here: which route needs which scope (the gateway knows).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from salescience_pipeline.identifiers import OrganizationId
from salescience_pipeline.ledger.errors import LedgerError
from salescience_pipeline.ledger.scoping import looking, writing
from salescience_pipeline.ledger.service_models import ApiKey, Organization

SCOPES: tuple[str, ...] = (
    "jobs:read",
    "jobs:write",
    "jobs:trigger",
    "results:read",
    "results:content",
    "tasks:read",
    "tasks:write",
    "webhooks:read",
    "webhooks:write",
    "proxy",
    "metrics:read",
    "query:run",
    "admin",
)
"""What a key may be good for; ``admin`` contains all others."""
MAX_OPEN_JOBS = 5_000
"""Jobs that an organisation may have open at once, unless its row says otherwise."""
KEY_PREFIX = "ssk_"
"""What every API key begins with, and no token of an identity provider does."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: an organisation, by which key, and what it may do."""

    organization_id: OrganizationId
    key_id: str
    scopes: frozenset[str]
    max_open_jobs: int = MAX_OPEN_JOBS
    requests_per_minute: int | None = None
    """None: as many as the settings say."""

    def may(self, scope: str) -> bool:
        """Whether ``scope`` is granted."""
        return scope in self.scopes or "admin" in self.scopes


@dataclass(frozen=True, slots=True)
class Limits:
    """What an organisation may do at once and in a minute."""

    max_open_jobs: int
    requests_per_minute: int | None


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key as people see it: everything but the key."""

    key_id: str
    organization_id: str
    prefix: str
    name: str
    scopes: tuple[str, ...]
    created_at: dt.datetime
    expires_at: dt.datetime | None
    revoked_at: dt.datetime | None
    last_used_at: dt.datetime | None


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def digest_of(key: str) -> str:
    """What the database keeps of a key. The key is random, so a slow hash would protect nothing more."""
    return hashlib.sha256(key.encode()).hexdigest()


class Organizations:
    """Organisations and keys in the ledger; every method is one transaction."""

    def __init__(self, engine: Engine, *, clock: Callable[[], dt.datetime] = _utc_now) -> None:
        """Use the migrated database behind ``engine``."""
        self._engine, self._clock = engine, clock

    def ensure(self, organization: OrganizationId, *, name: str | None = None) -> None:
        """Make the organisation's row if it is not there."""
        make = postgresql.insert if self._engine.dialect.name == "postgresql" else sqlite.insert
        row = {
            "id": str(organization),
            "name": (name or organization)[:200],
            "created_at": self._clock(),
            "max_open_jobs": MAX_OPEN_JOBS,
        }
        with writing(self._engine, organization) as connection:
            connection.execute(make(Organization).values(**row).on_conflict_do_nothing())

    def limit_open_jobs(self, organization: OrganizationId, limit: int) -> None:
        """Set how many jobs the organisation may have open at once."""
        with writing(self._engine, organization) as connection:
            connection.execute(
                update(Organization).where(Organization.id == str(organization)).values(max_open_jobs=limit)
            )

    def limit_requests(self, organization: OrganizationId, limit: int | None) -> None:
        """Set how many requests the organisation may make in a minute; None: as many as the settings say."""
        with writing(self._engine, organization) as connection:
            connection.execute(
                update(Organization).where(Organization.id == str(organization)).values(requests_per_minute=limit)
            )

    def create_key(
        self,
        organization: OrganizationId,
        *,
        scopes: Iterable[str],
        name: str = "",
        lifetime: dt.timedelta | None = None,
    ) -> tuple[str, KeyRow]:
        """Make a key; returns it, for the only time, and its row.

        Raises:
            LedgerError: for a scope that does not exist.
        """
        wanted = tuple(dict.fromkeys(scopes))
        unknown = [scope for scope in wanted if scope not in SCOPES]
        if unknown or not wanted:
            raise LedgerError(f"A key needs scopes out of {', '.join(SCOPES)}; not {', '.join(unknown) or 'none'}.")
        self.ensure(organization)
        now, key = self._clock(), KEY_PREFIX + secrets.token_urlsafe(32)
        row = KeyRow(
            key_id=secrets.token_hex(8),
            organization_id=str(organization),
            prefix=key[:10],
            name=name[:200],
            scopes=wanted,
            created_at=now,
            expires_at=None if lifetime is None else now + lifetime,
            revoked_at=None,
            last_used_at=None,
        )
        values = {field: getattr(row, field) for field in KeyRow.__slots__}
        with writing(self._engine, organization) as connection:
            connection.execute(insert(ApiKey).values({**values, "scopes": list(wanted), "sha256": digest_of(key)}))
        return key, row

    def keys(self, organization: OrganizationId | None = None) -> tuple[KeyRow, ...]:
        """The keys of one organisation or of all, oldest first."""
        query = select(ApiKey).order_by(ApiKey.created_at, ApiKey.key_id)
        if organization is not None:
            query = query.where(ApiKey.organization_id == str(organization))
        with looking(self._engine, organization) as connection:
            rows = connection.execute(query).mappings().all()
        values: list[dict[str, Any]] = [{field: row[field] for field in KeyRow.__slots__} for row in rows]
        return tuple(KeyRow(**{**value, "scopes": tuple(value["scopes"])}) for value in values)

    def revoke(self, key_id: str) -> bool:
        """Make a key worthless from now on; False when there is no such key that still works."""
        with writing(self._engine, None) as connection:
            changed = connection.execute(
                update(ApiKey)
                .where(ApiKey.key_id == key_id, ApiKey.revoked_at.is_(None))
                .values(revoked_at=self._clock())
            )
            return changed.rowcount == 1

    def limits_of(self, organization: OrganizationId) -> Limits | None:
        """The organisation's limits, or None when it is unknown or was shut out."""
        query = select(Organization.max_open_jobs, Organization.requests_per_minute).where(
            Organization.id == str(organization), Organization.disabled_at.is_(None)
        )
        with looking(self._engine, organization) as connection:
            row = connection.execute(query).first()
        return None if row is None else Limits(row.max_open_jobs, row.requests_per_minute)

    def principal_of(self, key: str) -> Principal | None:
        """Whose key it is, or None for one that is unknown, revoked, expired, or of a disabled organisation."""
        digest, now = digest_of(key), self._clock()
        query = (
            select(ApiKey, Organization.disabled_at, Organization.max_open_jobs, Organization.requests_per_minute)
            .join(Organization, Organization.id == ApiKey.organization_id)
            .where(ApiKey.sha256 == digest)
        )
        # Whose it is must be found out before anything can be narrowed to an organisation.
        with looking(self._engine, None) as connection:
            row = connection.execute(query).mappings().first()
        if row is None or not hmac.compare_digest(row["sha256"], digest):
            return None
        if row["revoked_at"] is not None or row["disabled_at"] is not None:
            return None
        if row["expires_at"] is not None and row["expires_at"] <= now:
            return None
        if row["last_used_at"] is None or now - row["last_used_at"] > dt.timedelta(minutes=1):
            self._touch(row["key_id"], now)
        return Principal(
            OrganizationId(row["organization_id"]), row["key_id"], frozenset(row["scopes"]), row["max_open_jobs"],
            row["requests_per_minute"],
        )  # fmt: skip

    def _touch(self, key_id: str, now: dt.datetime) -> None:
        with writing(self._engine, None) as connection:
            connection.execute(update(ApiKey).where(ApiKey.key_id == key_id).values(last_used_at=now))
