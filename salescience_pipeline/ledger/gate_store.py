"""The gate rows in SQLite and in PostgreSQL, behind ``clients.gate.GateStore``.

These few statements run before every request, so they go to the drivers directly: a transaction costs a fraction of a
millisecond. A row is locked only for the time of a pure step in memory; nobody ever sleeps or sends under the lock.

What does not belong here: rules (``clients.gate_steps`` holds them) and other tables.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import Engine
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor

from salescience_pipeline.clients.gate_model import Breaker, GateState, SymbolUse
from salescience_pipeline.clients.shares import ShareUse
from salescience_pipeline.ledger.engine import BUSY_SECONDS, prepare_sqlite

_COLUMNS = tuple(field.name for field in fields(GateState))
_LIST = ", ".join(_COLUMNS)
_SYNC_SECONDS = 30.0
_PINGS = 8


class _Connection(Protocol):
    def close(self) -> None: ...


C = TypeVar("C", bound=_Connection)


class _Idle(Generic[C]):
    """Idle connections of this process: one is taken out for a transaction and put back when it went well."""

    def __init__(self, connect: Callable[[], C]) -> None:
        self._connect = connect
        self._free: list[C] = []
        self._pid = os.getpid()

    def take(self) -> tuple[C, bool]:
        """A connection, and whether it was used before; a forked child never uses its parent's."""
        if self._pid != os.getpid():
            self._free, self._pid = [], os.getpid()
        try:
            return self._free.pop(), True
        except IndexError:
            return self._connect(), False

    def put(self, connection: C) -> None:
        """Give it back for the next transaction."""
        self._free.append(connection)

    def close(self) -> None:
        """Close what is idle."""
        while self._free:
            self._free.pop().close()


def _state(row: Sequence[Any]) -> GateState:
    values = dict(zip(_COLUMNS, row, strict=True))
    late = tuple((int(number), float(moment)) for number, moment in json.loads(values["late"]))
    return GateState(**{**values, "breaker": Breaker(values["breaker"]), "late": late})


def _values(state: GateState) -> list[Any]:
    values = {name: getattr(state, name) for name in _COLUMNS}
    return list({**values, "breaker": state.breaker.value, "late": json.dumps(state.late)}.values())


class _Row:
    """The locked row; ``execute`` runs one statement with ``?`` for its parameters and returns all rows."""

    def __init__(
        self, provider: str, state: GateState, execute: Callable[[str, Sequence[Any]], list[Sequence[Any]]]
    ) -> None:
        self._provider, self.state, self._execute = provider, state, execute

    def save(self, state: GateState) -> None:
        """Write all fields."""
        assignments = ", ".join(f"{name} = ?" for name in _COLUMNS)
        self._execute(
            f"UPDATE provider_gate SET {assignments} WHERE provider = ?",  # noqa: S608 - our own column names
            [*_values(state), self._provider],
        )
        self.state = state

    def symbol_use(self, month: dt.date, symbol: str) -> SymbolUse:
        """Count the month's symbols; served by the primary key."""
        found = self._execute(
            "SELECT count(*), coalesce(max(CASE WHEN symbol = ? THEN 1 ELSE 0 END), 0)"
            " FROM provider_symbol WHERE provider = ? AND month = ?",
            [symbol, self._provider, month.isoformat()],
        )[0]
        return SymbolUse(used=int(found[0]), is_new=not found[1])

    def add_symbol(self, month: dt.date, symbol: str) -> None:
        """Add it once."""
        self._execute(
            "INSERT INTO provider_symbol (provider, month, symbol) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            [self._provider, month.isoformat(), symbol],
        )

    def share_use(self, since: float, day: float) -> ShareUse:
        """A row per organisation that asked lately; what it used counts on its own day only."""
        return _share_use(self._execute(_SHARES, [day, self._provider, since]))

    def add_share(self, organization: str, day: float, cost: int) -> None:
        """Add to the day's figure, or begin the day with it."""
        self._execute(
            "INSERT INTO provider_shares (organization_id, provider, day_start, used) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (organization_id, provider) DO UPDATE SET"
            " used = CASE WHEN provider_shares.day_start >= excluded.day_start THEN provider_shares.used ELSE 0 END"
            " + excluded.used,"
            " day_start = CASE WHEN provider_shares.day_start >= excluded.day_start THEN provider_shares.day_start"
            " ELSE excluded.day_start END",
            [organization, self._provider, day, cost],
        )


def _share_use(rows: Sequence[Sequence[Any]]) -> ShareUse:
    """The answer to ``_SHARES``: its row without a name says how many organisations there are."""
    counts = {name: int(number) for name, number in rows}
    known = counts.pop(None)
    return ShareUse({str(name): used for name, used in counts.items()}, known)


_SHARES = (
    "SELECT organization_id, CASE WHEN day_start >= ? THEN used ELSE 0 END FROM provider_shares"
    " WHERE provider = ? AND day_start >= ?"
    " UNION ALL SELECT NULL, count(*) FROM organizations WHERE disabled_at IS NULL"
)
_SELECT = f"SELECT {_LIST} FROM provider_gate WHERE provider = ?"  # noqa: S608 - our own column names
_INSERT = (
    f"INSERT INTO provider_gate (provider, {_LIST})"  # noqa: S608 - our own column names
    f" VALUES ({', '.join('?' * (len(_COLUMNS) + 1))}) ON CONFLICT DO NOTHING"
)


class SqliteGateStore:
    """Gate rows in the ledger's SQLite file; the clock is this machine's, which all users of a file share."""

    def __init__(self, path: str, *, clock: Callable[[], float] = time.time) -> None:
        """Use the migrated database at ``path``."""
        self._path, self._clock = path, clock
        self._idle = _Idle(self._connect)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=BUSY_SECONDS, check_same_thread=False)
        prepare_sqlite(connection)
        return connection

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._clock()

    def read(self, provider: str) -> GateState:
        """The state as last committed."""
        connection, _ = self._idle.take()
        row = connection.execute(_SELECT, [provider]).fetchone()
        self._idle.put(connection)
        return _state(row) if row else GateState()

    def share_use(self, provider: str, since: float, day: float) -> ShareUse:
        """As :meth:`_Row.share_use`, as last committed."""
        connection, _ = self._idle.take()
        rows = connection.execute(_SHARES, [day, provider, since]).fetchall()
        self._idle.put(connection)
        return _share_use(rows)

    @contextmanager
    def transaction(self, provider: str) -> Iterator[_Row]:
        """Hold the file's write lock; committed at the end, rolled back when an exception leaves."""
        connection, _ = self._idle.take()
        try:
            connection.execute("BEGIN IMMEDIATE")
            found = connection.execute(_SELECT, [provider]).fetchone()
            if found is None:
                connection.execute(_INSERT, [provider, *_values(GateState())])
            yield _Row(
                provider,
                _state(found) if found else GateState(),
                lambda statement, values: connection.execute(statement, values).fetchall(),
            )
            connection.execute("COMMIT")
        except BaseException:
            # Closing rolls back, and a connection in doubt is not worth keeping.
            connection.close()
            raise
        self._idle.put(connection)

    def close(self) -> None:
        """Close the idle connections."""
        self._idle.close()


class PostgresGateStore:
    """Gate rows in PostgreSQL, one row lock per step; the clock is the database's, so machines need not agree.

    The difference between this machine's steady clock and the database's is measured as NTP does: of several round
    trips the shortest counts, its middle is when the database looked at its clock. It is measured anew every 30
    seconds. Commits do not wait for the disk here: what a crash of the server could lose is a fraction of a second.
    """

    def __init__(self, connect: Callable[[], DBAPIConnection], lost: type[Exception]) -> None:
        """Use ``connect`` to open connections to the migrated database; ``lost`` is raised on one that broke."""
        self._open, self._lost = connect, lost
        self._idle = _Idle(self._connect)
        self._offset, self._measured = 0.0, -_SYNC_SECONDS

    def _connect(self) -> DBAPIConnection:
        connection = self._open()
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute("SET synchronous_commit = off")
        # The gate weighs all organisations against each other.
        cursor.execute("SELECT set_config('salescience.organization', '*', false)")
        return connection

    @contextmanager
    def _cursor(self, first: str, values: Sequence[Any]) -> Iterator[DBAPICursor]:
        """A cursor on which ``first`` has run; a connection that the server dropped meanwhile is replaced once."""
        connection, used = self._idle.take()
        while True:
            try:
                cursor = connection.cursor()
                cursor.execute(first, values)
                break
            except self._lost:
                connection.close()
                if not used:
                    raise
                connection, used = self._connect(), False
        try:
            yield cursor
        except BaseException:
            connection.close()
            raise
        cursor.close()
        self._idle.put(connection)

    def now(self) -> float:
        """Seconds since the epoch, by the database's clock."""
        if time.monotonic() - self._measured > _SYNC_SECONDS:
            self._measure()
        return time.monotonic() + self._offset

    def _measure(self) -> None:
        best = float("inf")
        with self._cursor("SELECT 1", ()) as cursor:
            for _ in range(_PINGS):
                sent = time.monotonic()
                cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
                (seen,) = cursor.fetchone() or (0.0,)
                trip = time.monotonic() - sent
                if trip < best:
                    best, self._offset = trip, seen - (sent + trip / 2)
        self._measured = time.monotonic()

    def read(self, provider: str) -> GateState:
        """The state as last committed."""
        with self._cursor(_SELECT.replace("?", "%s"), [provider]) as cursor:
            row = cursor.fetchone()
        return _state(row) if row else GateState()

    def share_use(self, provider: str, since: float, day: float) -> ShareUse:
        """As :meth:`_Row.share_use`, as last committed."""
        with self._cursor(_SHARES.replace("?", "%s"), [day, provider, since]) as cursor:
            return _share_use(cursor.fetchall())

    @contextmanager
    def transaction(self, provider: str) -> Iterator[_Row]:
        """Hold the row's lock; committed at the end, rolled back when an exception leaves."""
        lock = f"BEGIN; {_SELECT.replace('?', '%s')} FOR UPDATE"
        with self._cursor(lock, [provider]) as cursor:
            found = cursor.fetchone()
            if found is None:
                cursor.execute(_INSERT.replace("?", "%s"), [provider, *_values(GateState())])
                # Whoever inserted first has the row; from here on everybody locks it.
                cursor.execute(f"{_SELECT.replace('?', '%s')} FOR UPDATE", [provider])
                found = cursor.fetchone()
                assert found is not None

            def execute(statement: str, values: Sequence[Any]) -> list[Sequence[Any]]:
                cursor.execute(statement.replace("?", "%s"), values)
                return list(cursor.fetchall()) if cursor.description else []

            yield _Row(provider, _state(found), execute)
            cursor.execute("COMMIT")

    def close(self) -> None:
        """Close the idle connections."""
        self._idle.close()


def gate_store(engine: Engine) -> SqliteGateStore | PostgresGateStore:
    """The store that fits ``engine``'s database, with connections of its own."""
    if engine.dialect.name == "sqlite":
        assert engine.url.database is not None
        return SqliteGateStore(engine.url.database)
    arguments, options = engine.dialect.create_connect_args(engine.url)
    driver = engine.dialect.loaded_dbapi
    return PostgresGateStore(lambda: driver.connect(*arguments, **options), driver.OperationalError)
