"""Engines for the two databases the ledger runs on, with the settings that make each safe for many processes.

What does not belong here: tables and statements.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from salescience_pipeline.ledger.errors import LedgerError

BUSY_SECONDS = 30.0
"""How long a SQLite connection waits for another writer before it gives up."""
LOG_PAGES = 8_000
"""Pages of 4 kB in SQLite's write-ahead log before a commit moves them into the file."""
_READING = "salescience_reading"


def make_engine(url: str) -> Engine:
    """An engine for ``url``; the folder of a SQLite file is created.

    On SQLite every transaction that SQLAlchemy begins takes the write lock at once (``BEGIN IMMEDIATE``): a read that
    turns into a write in mid-transaction would otherwise fail as soon as another process wrote in between.

    Values never stand in the texts of errors: they are what organisations wrote.

    Raises:
        LedgerError: when ``url`` names neither a SQLite file nor a PostgreSQL database, or the folder cannot be made.
    """
    parsed = parse_url(url)
    if parsed.get_backend_name() == "postgresql":
        return create_engine(parsed, pool_pre_ping=True, hide_parameters=True)
    assert parsed.database is not None
    path = Path(parsed.database)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LedgerError(f"The ledger's folder {path.parent} cannot be made.") from error
    engine = create_engine(parsed, connect_args={"timeout": BUSY_SECONDS}, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: Any) -> None:
        prepare_sqlite(connection)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        reading = connection.get_execution_options().get(_READING, False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


def reading(engine: Engine) -> Engine:
    """The same engine for transactions that only read: on SQLite they take no write lock and wait for nobody."""
    return engine.execution_options(**{_READING: True})


def parse_url(url: str) -> URL:
    """The parsed address, PostgreSQL with the psycopg2 driver.

    Raises:
        LedgerError: when ``url`` names neither a SQLite file nor a PostgreSQL database.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise LedgerError(
            "The ledger's database URL cannot be read; write it as postgresql://user@host/name."
        ) from None
    backend = "postgresql" if parsed.drivername == "postgres" else parsed.get_backend_name()
    if backend == "postgresql":
        return parsed.set(drivername="postgresql+psycopg2")
    if backend != "sqlite" or parsed.database in (None, "", ":memory:"):
        raise LedgerError(f"The ledger needs a SQLite file or PostgreSQL, not {parsed.drivername!r}.")
    return parsed


def prepare_sqlite(connection: sqlite3.Connection) -> None:
    """Write-ahead log, no implicit transactions, and a commit that survives a killed process (not a power cut)."""
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            # The switch to the log needs the file for itself and does not wait for others by itself.
            if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                connection.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError as error:
            if (
                error.sqlite_errorcode not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
                or time.monotonic() > deadline
            ):
                raise
            time.sleep(0.02)
    connection.execute("PRAGMA synchronous = NORMAL")
    # A gateway moves the log beside the writers (checkpointing); a writer does so only where none runs.
    connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
    connection.execute("PRAGMA foreign_keys = ON")
