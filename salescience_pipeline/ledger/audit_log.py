"""The audit: who did what, one hash chain per organisation.

Each entry's digest covers its own fields and the digest of the entry before it, so an entry that was edited, removed,
inserted or moved breaks the chain at its place. The newest digests are written down elsewhere every day (``anchors``):
they show that a chain was made anew from the beginning, or its tail cut off. What does not belong here: log lines, and
the audit of provider answers (``lake.audit``).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, bindparam, func, insert, select, text

from salescience_pipeline.identifiers import OrganizationId
from salescience_pipeline.ledger.anchors import Anchor, Head
from salescience_pipeline.ledger.scoping import looking, writing
from salescience_pipeline.ledger.sealing import SHREDDED, seal, unseal
from salescience_pipeline.ledger.service_models import AuditEntry
from salescience_pipeline.ledger.vault import OrganizationShredded

GENESIS = "0" * 64
"""What stands before the first entry."""
_LOCK = 0x5A1EA
_DETAIL = "audit_log.detail"
_ENTRIES = AuditEntry.metadata.tables[AuditEntry.__tablename__]
_TAKE_TURN = text(
    "SELECT pg_advisory_xact_lock(:space, place) FROM"
    " (SELECT DISTINCT hashtext(name) AS place FROM unnest(:names) AS name ORDER BY place) AS places"
)
_INSERT = insert(_ENTRIES)
_LAST = (
    select(_ENTRIES.c.seq, _ENTRIES.c.hash)
    .where(_ENTRIES.c.organization_id == bindparam("organization"))
    .order_by(_ENTRIES.c.seq.desc())
    .limit(1)
)
_LAST_OF_EACH = text(
    "SELECT name, seq, hash FROM unnest(:names) AS name CROSS JOIN LATERAL"
    " (SELECT seq, hash FROM audit_log WHERE organization_id = name ORDER BY seq DESC LIMIT 1) AS last"
)
_FIELDS = ("organization_id", "seq", "at", "actor", "action", "target", "request_id", "detail", "prev_hash")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check of one organisation's chain found."""

    organization_id: str
    entries: int
    head: str
    broken_at: int | None
    reason: str | None


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _digest(values: Mapping[str, Any]) -> str:
    """Over a canonical list, so that no two different entries have the same bytes."""
    moment: dt.datetime = values["at"]
    listed = [moment.astimezone(dt.UTC).isoformat() if name == "at" else values[name] for name in _FIELDS]
    return hashlib.sha256(json.dumps(listed, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An entry to be added."""

    organization: OrganizationId
    at: dt.datetime
    actor: str
    action: str
    target: str
    request_id: str
    detail: Mapping[str, Any] | None = None


def take_turn(connection: Connection, organizations: Sequence[str]) -> None:
    """Be the only one, until the transaction ends, who adds entries of these organisations.

    On SQLite who writes is alone anyway. The locks are taken in one order, so that nobody waits in a circle.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_TAKE_TURN, {"space": _LOCK, "names": list(organizations)})


def append(
    connection: Connection,
    organization: OrganizationId,
    *,
    at: dt.datetime,
    actor: str,
    action: str,
    target: str,
    request_id: str,
    detail: Mapping[str, Any] | None = None,
) -> str:
    """Add an entry inside a transaction that is under way; returns its digest."""
    take_turn(connection, [organization])
    return append_all(connection, [NewEntry(organization, at, actor, action, target, request_id, detail)])


def append_all(connection: Connection, entries: Sequence[NewEntry]) -> str:
    """Add entries, each organisation's in this order, inside a transaction that has its turn; returns the last digest."""
    newest = _newest(connection, sorted({str(entry.organization) for entry in entries}))
    rows = []
    for entry in entries:
        name = str(entry.organization)
        seq, before = newest.get(name, (0, GENESIS))
        values: dict[str, Any] = {
            "organization_id": name,
            "seq": seq + 1,
            "at": entry.at,
            "actor": entry.actor[:127],
            "action": entry.action[:63],
            "target": entry.target[:200],
            "request_id": entry.request_id[:64],
            # The chain is made over the sealed text: it can be verified without keys, and after they were destroyed.
            "detail": _sealed(connection, entry),
            "prev_hash": before,
        }
        values["hash"] = _digest(values)
        newest[name] = (seq + 1, values["hash"])
        rows.append(values)
    if not rows:
        return GENESIS
    connection.execute(_INSERT, rows)
    return str(rows[-1]["hash"])


def _newest(connection: Connection, organizations: Sequence[str]) -> dict[str, tuple[int, str]]:
    """Number and digest of each organisation's last entry; one statement where each is a round trip."""
    if connection.dialect.name == "postgresql" and len(organizations) > 1:
        found = connection.execute(_LAST_OF_EACH, {"names": list(organizations)})
        return {row.name: (row.seq, row.hash) for row in found}
    rows = {name: connection.execute(_LAST, {"organization": name}).first() for name in organizations}
    return {name: (row.seq, row.hash) for name, row in rows.items() if row is not None}


class AuditLog:
    """The audit of all organisations."""

    def __init__(self, engine: Engine, *, clock: Callable[[], dt.datetime] = _utc_now) -> None:
        """Use the migrated database behind ``engine``."""
        self._engine, self._clock = engine, clock

    def record(
        self,
        organization: OrganizationId,
        *,
        actor: str,
        action: str,
        target: str,
        request_id: str,
        detail: Mapping[str, Any] | None = None,
    ) -> str:
        """Add one entry in a transaction of its own; returns its digest."""
        with writing(self._engine, organization) as connection:
            return append(
                connection, organization, at=self._clock(), actor=actor, action=action, target=target,
                request_id=request_id, detail=detail,
            )  # fmt: skip

    def entries(self, organization: OrganizationId, *, limit: int = 100) -> list[dict[str, Any]]:
        """The newest entries, newest first."""
        query = select(AuditEntry).where(AuditEntry.organization_id == str(organization))
        with looking(self._engine, organization) as connection:
            rows = connection.execute(query.order_by(AuditEntry.seq.desc()).limit(limit)).mappings().all()
            return [{**row, "detail": _opened(connection, row["detail"])} for row in rows]

    def heads(self) -> list[Head]:
        """The newest entry of every organisation's chain."""
        newest = select(AuditEntry.organization_id, func.max(AuditEntry.seq).label("seq")).group_by(
            AuditEntry.organization_id
        )
        last = newest.subquery()
        query = select(AuditEntry.organization_id, AuditEntry.seq, AuditEntry.hash).join(
            last, (AuditEntry.organization_id == last.c.organization_id) & (AuditEntry.seq == last.c.seq)
        )
        with looking(self._engine, None) as connection:
            return [Head(*row) for row in connection.execute(query.order_by(AuditEntry.organization_id))]

    def verify(self, *, heads: Mapping[str, str] | None = None, anchors: Sequence[Anchor] = ()) -> list[Verdict]:
        """Read every chain through.

        Args:
            heads: Digests noted earlier, by organisation: each must still stand in its chain.
            anchors: What was written down day by day: each entry that they name must still be that entry.
        """
        noted = dict(heads or {})
        named: dict[str, dict[int, tuple[str, dt.date]]] = {}
        for anchor in anchors:
            for head in anchor.heads:
                # Of several days that name the same entry the first says since when it stands.
                named.setdefault(head.organization_id, {}).setdefault(head.seq, (head.hash, anchor.day))
        with looking(self._engine, None) as connection:
            found: Sequence[str] = connection.scalars(select(func.distinct(AuditEntry.organization_id))).all()
            return [
                self._chain(connection, name, noted.get(name), named.get(name, {}))
                for name in sorted({*found, *noted, *named})
            ]

    def _chain(
        self, connection: Connection, organization: str, noted: str | None, named: Mapping[int, tuple[str, dt.date]]
    ) -> Verdict:
        before, count, seen_noted = GENESIS, 0, noted is None
        query = select(AuditEntry).where(AuditEntry.organization_id == organization).order_by(AuditEntry.seq)
        for row in connection.execute(query.execution_options(yield_per=1_000)).mappings():
            count += 1
            reason = _fault(row, count, before)
            digest, day = named.get(count, (row["hash"], None))
            if reason is None and digest != row["hash"]:
                reason = f"it is not the entry that the anchor of {day} names"
            if reason is not None:
                return Verdict(organization, count, before, row["seq"], reason)
            before = row["hash"]
            seen_noted = seen_noted or before == noted
        if named and max(named) > count:
            day = named[max(named)][1]
            reason = f"the entries up to {max(named)}, which the anchor of {day} names, are gone"
            return Verdict(organization, count, before, count + 1, reason)
        if not seen_noted:
            return Verdict(organization, count, before, count + 1, "the entry that was noted as the newest is gone")
        return Verdict(organization, count, before, None, None)


def _sealed(connection: Connection, entry: NewEntry) -> str:
    if not entry.detail:
        return "{}"
    text_ = json.dumps(dict(entry.detail), sort_keys=True, ensure_ascii=False)
    return seal(connection.dialect, _DETAIL, text_, owner=entry.organization)


def _opened(connection: Connection, detail: str) -> str:
    try:
        return unseal(connection.dialect, _DETAIL, detail)
    except OrganizationShredded:
        return SHREDDED


def _fault(row: RowMapping, expected: int, before: str) -> str | None:
    if row["seq"] != expected:
        return f"entry {expected} is missing"
    if row["prev_hash"] != before:
        return "it does not follow the entry before it"
    if row["hash"] != _digest(dict(row)):
        return "its fields were changed"
    return None
