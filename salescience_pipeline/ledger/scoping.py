"""Transactions that see one organisation's rows, or all of them for the product's own housekeeping.

On PostgreSQL the database itself enforces it (row-level security, forced); every statement filters by organisation as
well, so that SQLite has one wall and PostgreSQL two. The setting lives as long as the transaction: a pooled connection
cannot carry it into somebody else's. What does not belong here: who an organisation is (``organizations``).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Dialect, Engine, text

from salescience_pipeline.identifiers import OrganizationId
from salescience_pipeline.ledger.engine import make_durable, reading
from salescience_pipeline.ledger.sealing import working_for

EVERYBODY = "*"
"""Stands for all organisations; no organisation can have this name."""
_SET = text("SELECT set_config('salescience.organization', :organization, true)")


_turns: WeakKeyDictionary[Dialect, threading.Lock] = WeakKeyDictionary()
_turns_lock = threading.Lock()


def _turn(engine: Engine) -> AbstractContextManager[object]:
    """On SQLite, the turn of this thread among those of its process.

    A file has one writer. Who finds it busy is told to sleep by SQLite, up to a tenth of a second at a time; a lock wakes
    the next thread at once. Between processes SQLite's own waiting remains.
    """
    if engine.dialect.name != "sqlite":
        return nullcontext()
    with _turns_lock:
        return _turns.setdefault(engine.dialect, threading.Lock())


@contextmanager
def writing(engine: Engine, organization: OrganizationId | None, *, durably: bool = False) -> Iterator[Connection]:
    """A transaction that writes; ``None`` for housekeeping across organisations.

    ``durably`` for what somebody is told that it is kept: when the block is left, it outlives a power cut. The disk is
    waited for after the transaction, so that other writers need not.
    """
    with _turn(engine), working_for(organization), engine.begin() as connection:
        enter(connection, organization)
        yield connection
    if durably:
        make_durable(engine)


@contextmanager
def looking(engine: Engine, organization: OrganizationId | None) -> Iterator[Connection]:
    """A transaction that only reads, and waits for no writer on SQLite."""
    with working_for(organization), reading(engine).begin() as connection:
        enter(connection, organization)
        yield connection


def enter(connection: Connection, organization: OrganizationId | None) -> None:
    """See ``organization``'s rows from here on, until the transaction ends; ``None`` for all of them."""
    if connection.dialect.name == "postgresql":
        connection.execute(_SET, {"organization": EVERYBODY if organization is None else str(organization)})
