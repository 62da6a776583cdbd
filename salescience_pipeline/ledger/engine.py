"""Engines for the two databases the ledger runs on, with the settings that make each safe for many processes.

What does not belong here: tables and statements.
"""

from __future__ import annotations

import os
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
_TURN_SECONDS = 0.001
"""Between two looks at the write lock; a look costs two system calls."""
LOG_PAGES = 8_000
"""Pages of 4 kB in SQLite's write-ahead log before a commit moves them into the file."""
_READING = "salescience_reading"


def make_engine(url: str, *, busy_seconds: float = BUSY_SECONDS) -> Engine:
    """An engine for ``url``; the folder of a SQLite file is created.

    On SQLite every transaction that SQLAlchemy begins takes the write lock at once (``BEGIN IMMEDIATE``): a read that
    turns into a write in mid-transaction would otherwise fail as soon as another process wrote in between.

    Values never stand in the texts of errors: they are what organisations wrote.

    Args:
        url: A SQLite file or a PostgreSQL database.
        busy_seconds: How long a transaction on SQLite waits for another writer.

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
        if connection.get_execution_options().get(_READING, False):
            connection.exec_driver_sql("BEGIN")
        else:
            begin_writing(connection, seconds=busy_seconds)

    return engine


def reading(engine: Engine) -> Engine:
    """The same engine for transactions that only read: on SQLite they take no write lock and wait for nobody."""
    return engine.execution_options(**{_READING: True})


def make_durable(engine: Engine) -> None:
    """Wait until what is committed is on the disk; PostgreSQL does so before a commit returns.

    A commit on SQLite writes the log (``synchronous = NORMAL``), and what moves the log into the file waits for the disk
    itself: it is the log that a power cut could take. Nothing of SQLite's locks is on it, so it can be opened and closed.

    Raises:
        OSError: when the disk fails.
    """
    if engine.dialect.name != "sqlite":
        return
    try:
        log = os.open(f"{engine.url.database}-wal", os.O_RDONLY)
    except FileNotFoundError:
        return  # the last connection was closed, and took the log along into the file
    try:
        os.fsync(log)
    finally:
        os.close(log)


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


def begin_writing(connection: Connection, *, seconds: float) -> None:
    """Begin a transaction that has SQLite's write lock, within a millisecond of its becoming free.

    SQLite itself sleeps longer from try to try, up to a tenth of a second, and then others may have come in between: who
    waits for a lock that is held for two milliseconds would wait for fifty.

    Raises:
        OperationalError: when another holds the lock for ``seconds``.
    """
    raw: Any = connection.connection.dbapi_connection
    deadline = time.monotonic() + seconds
    raw.execute("PRAGMA busy_timeout = 0")
    try:
        while time.monotonic() < deadline:
            try:
                raw.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if not _is_busy(error):
                    break
            else:
                return
            time.sleep(_TURN_SECONDS)
        # The last try goes through SQLAlchemy, so that its error is what callers know.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    finally:
        raw.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")


def _is_busy(error: sqlite3.OperationalError) -> bool:
    # The low byte is the class; what is above says why (SQLITE_BUSY_RECOVERY...).
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def prepare_sqlite(connection: sqlite3.Connection) -> None:
    """Write-ahead log, no implicit transactions, and a commit that survives a killed process.

    To survive a power cut as well, the log has to be waited for (:func:`make_durable`).
    """
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
            if not _is_busy(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
    connection.execute("PRAGMA synchronous = NORMAL")
    # A gateway moves the log beside the writers (checkpointing); a writer does so only where none runs.
    connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
    connection.execute("PRAGMA foreign_keys = ON")
