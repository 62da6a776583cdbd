"""Transactions that see one organisation's rows, or all of them for the product's own housekeeping.

On PostgreSQL the database itself enforces it (row-level security, forced); every statement filters by organisation as
well, so that SQLite has one wall and PostgreSQL two. The setting lives as long as the transaction: a pooled connection
cannot carry it into somebody else's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, text

from salescience_pipeline.identifiers import OrganizationId
from salescience_pipeline.ledger.engine import reading

EVERYBODY = "*"
"""Stands for all organisations; no organisation can have this name."""
_SET = text("SELECT set_config('salescience.organization', :organization, true)")


@contextmanager
def writing(engine: Engine, organization: OrganizationId | None) -> Iterator[Connection]:
    """A transaction that writes; ``None`` for housekeeping across organisations."""
    with engine.begin() as connection:
        _enter(connection, organization)
        yield connection


@contextmanager
def looking(engine: Engine, organization: OrganizationId | None) -> Iterator[Connection]:
    """A transaction that only reads, and waits for no writer on SQLite."""
    with reading(engine).begin() as connection:
        _enter(connection, organization)
        yield connection


def _enter(connection: Connection, organization: OrganizationId | None) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(_SET, {"organization": EVERYBODY if organization is None else str(organization)})
