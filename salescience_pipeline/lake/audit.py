"""The audit database: one row per attempt, one row per body, in SQLite beside the blobs.

Why SQLite: a row must be durable when ``put`` returns, several processes write at once, and the transport looks the newest
answer of a URL up before every conditional request and replay. A Delta commit costs about a hundred times as much as an
insert here, has no index, and 10,000 of them an hour would drown the table in files. Analysts get the same rows as the
Delta table ``raw_salescience__http_answers`` (``lake.maintenance.export_audit``).

Why WAL with synchronous=FULL: in WAL mode NORMAL loses the last transactions when the power fails, and an acknowledged
answer must not be asked for twice. FULL costs one fsync of the log per put. What does not belong here: files, digests,
compression; ``lake.archive`` does those.
"""

from __future__ import annotations

import datetime as dt
import os
import sqlite3
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from salescience_pipeline.lake.errors import StorageFailed, storage_error
from salescience_pipeline.lake.locks import exclusive

_VERSION = 1
"""Format of the database, kept in SQLite's ``user_version``."""

_SCHEMA = """
create table if not exists bodies (
    sha256 text primary key,
    size integer not null,
    path text,
    data blob,
    damaged integer not null default 0,
    check ((path is null) <> (data is null))
) without rowid;
create table if not exists answers (
    seq integer primary key autoincrement,
    request_id text not null,
    attempt integer not null,
    provider text not null,
    endpoint text not null,
    method text not null,
    canonical_url text not null,
    status integer,
    answer_class text not null,
    started_at text not null,
    fetched_at text not null,
    elapsed_ms real not null,
    bytes integer not null,
    content_type text,
    etag text,
    last_modified text,
    headers text not null,
    body_sha256 text references bodies (sha256),
    error text,
    complete integer not null,
    run_id text not null,
    organization_id text
);
create index if not exists answers_by_url on answers (canonical_url, fetched_at desc, seq desc)
    where complete = 1 and answer_class in ('ok', 'ok_empty', 'not_found');
create index if not exists answers_by_body on answers (body_sha256);
"""
# Bodies are small (the archive keeps large ones as files), so a table clustered by digest saves an index.

_COLUMNS = (
    "request_id, attempt, provider, endpoint, method, canonical_url, status, answer_class, started_at, fetched_at, "
    "elapsed_ms, bytes, content_type, etag, last_modified, headers, body_sha256, error, complete, run_id, organization_id"
)
_INSERT = f"insert into answers ({_COLUMNS}) values ({', '.join('?' * (_COLUMNS.count(',') + 1))})"  # noqa: S608 - constants
_INSERT_BODY = (
    "insert into bodies values (?, ?, ?, ?, 0) on conflict (sha256) do update set "
    "path = excluded.path, data = excluded.data, damaged = 0 where damaged"
)

_REUSABLE = (
    "select a.request_id, a.answer_class, a.status, a.fetched_at, a.headers, b.sha256, coalesce(b.size, 0), b.path, "
    "a.canonical_url from answers a left join bodies b on b.sha256 = a.body_sha256 "
    "where a.complete = 1 and a.answer_class in ('ok', 'ok_empty', 'not_found') and coalesce(b.damaged, 0) = 0"
)


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One attempt as the audit keeps it; times are UTC, ``headers`` is JSON."""

    request_id: str
    attempt: int
    provider: str
    endpoint: str
    method: str
    canonical_url: str
    status: int | None
    answer_class: str
    started_at: str
    fetched_at: str
    elapsed_ms: float
    bytes: int
    content_type: str | None
    etag: str | None
    last_modified: str | None
    headers: str
    body_sha256: str | None
    error: str | None
    complete: bool
    run_id: str
    organization_id: str | None

    def __post_init__(self) -> None:
        """SQLite gives 0 and 1 for a truth value."""
        object.__setattr__(self, "complete", bool(self.complete))

    def values(self) -> tuple[object, ...]:
        """The values in the order of the table's columns."""
        return tuple(getattr(self, name) for name in self.__slots__)


@dataclass(frozen=True, slots=True)
class BodyRow:
    """Where one body is: ``path`` of its blob below the archive, or its compressed bytes in ``data``."""

    sha256: str
    size: int
    path: str | None
    data: bytes | None
    damaged: bool


@dataclass(frozen=True, slots=True)
class Newest:
    """A reusable answer and the place of its body."""

    request_id: str
    answer_class: str
    status: int
    fetched_at: str
    headers: str
    sha256: str | None
    size: int
    path: str | None
    canonical_url: str


def stamp(moment: dt.datetime) -> str:
    """The text form of a moment: UTC, microseconds, so that text order is time order.

    Raises:
        ValueError: for a datetime without a zone.
    """
    if moment.tzinfo is None:
        raise ValueError("A moment without a zone cannot be archived.")
    return moment.astimezone(dt.UTC).isoformat(timespec="microseconds")


class _Connections:
    """One connection for writing and one for reading; both closed when the owner is closed or collected."""

    def __init__(self, path: Path) -> None:
        self.pid = os.getpid()
        self.write = self._open(path)
        self._make(path)
        self.read = self._open(path)
        self.read.execute("pragma query_only = on")

    def _make(self, path: Path) -> None:
        """Create the tables in an empty database.

        Raises:
            StorageFailed: when the database was made by another version of this software.
        """
        found = self.write.execute("pragma user_version").fetchone()[0]
        if found == _VERSION:
            return
        if found or self.write.execute("select count(*) from sqlite_master").fetchone()[0]:
            self.write.close()
            raise StorageFailed(
                f"The archive at {path} has format {found}, and this version of the software reads {_VERSION}."
            )
        self.write.executescript(f"begin immediate; {_SCHEMA} pragma user_version = {_VERSION}; commit;")

    @staticmethod
    def _open(path: Path) -> sqlite3.Connection:
        connection = sqlite3.connect(path, timeout=60.0, isolation_level=None, check_same_thread=False)
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = full")
        return connection

    def close(self) -> None:
        # A connection inherited through fork must not be touched by the child: closing would drop the parent's locks.
        if self.pid == os.getpid():
            self.read.close()
            self.write.close()


class Audit:
    """The audit database at ``path``; safe for many threads, and for many processes beside each other.

    Connections are opened on first use and again after a fork.
    """

    def __init__(self, path: Path) -> None:
        """Nothing is opened or created yet."""
        self.path = path
        self._writing, self._reading = threading.RLock(), threading.RLock()
        self._open: _Connections | None = None
        self._finalizer: weakref.finalize[[], Audit] | None = None

    def close(self) -> None:
        """Close the connections; the next use opens them again."""
        with self._writing, self._reading:
            if self._finalizer is not None:
                self._finalizer()
            self._open = self._finalizer = None

    def add(self, row: AuditRow, body: BodyRow | None) -> None:
        """Store one attempt and its body (if that is not known yet) in one durable transaction.

        A body that was marked as damaged is replaced by this one.

        Raises:
            StorageFull: when the disk is full; nothing is stored.
            StorageFailed: when SQLite fails otherwise; nothing is stored.
        """
        with self._transaction("storing an answer") as connection:
            if body is not None:
                connection.execute(_INSERT_BODY, (body.sha256, body.size, body.path, body.data))
            connection.execute(_INSERT, row.values())

    def add_body(self, body: BodyRow) -> None:
        """Store a body that no attempt of its own brought.

        Raises:
            StorageFull, StorageFailed: as :meth:`add`.
        """
        with self._transaction("storing a body") as connection:
            connection.execute(_INSERT_BODY, (body.sha256, body.size, body.path, body.data))

    def mark_damaged(self, sha256: str) -> None:
        """Say that the stored bytes of a body are wrong, so that nothing reuses it and the next put replaces it."""
        with self._transaction("marking a damaged body") as connection:
            connection.execute("update bodies set damaged = 1 where sha256 = ?", (sha256,))

    def body(self, sha256: str) -> BodyRow | None:
        """Where the body with that digest is."""
        rows = self._select("select sha256, size, path, data, damaged from bodies where sha256 = ?", (sha256,))
        return BodyRow(rows[0][0], rows[0][1], rows[0][2], rows[0][3], bool(rows[0][4])) if rows else None

    def with_body(self, sha256: str, *, limit: int, organization: str | None = None) -> list[AuditRow]:
        """Attempts that brought the body with that digest, the oldest first: shared ones, and the organisation's own."""
        rows = self._select(
            f"select {_COLUMNS} from answers where body_sha256 = ? and (organization_id is null or organization_id = ?) "  # noqa: S608
            "order by seq limit ?",
            (sha256, organization, limit),
        )
        return [AuditRow(*row) for row in rows]

    def newest(self, canonical_url: str) -> Newest | None:
        """The newest complete answer of that URL whose body is sound."""
        rows = self._select(
            f"{_REUSABLE} and a.canonical_url = ? order by a.fetched_at desc, a.seq desc limit 1",
            (canonical_url,),
        )
        return Newest(*rows[0]) if rows else None

    def sent_since(self, provider: str, moment: dt.datetime) -> int:
        """Attempts at ``provider`` that were started at ``moment`` (aware) or later."""
        values = (provider, stamp(moment))
        return int(self._select("select count(*) from answers where provider = ? and started_at >= ?", values)[0][0])

    def recent_milliseconds(self, among: int = 1_000) -> dict[str, list[float]]:
        """How long the answers took that are among the newest ``among`` attempts, by provider, newest first."""
        rows = self._select(
            "select provider, elapsed_ms from (select * from answers order by seq desc limit ?) where status is not null",
            (among,),
        )
        found: dict[str, list[float]] = {}
        for provider, milliseconds in rows:
            found.setdefault(str(provider), []).append(float(milliseconds))
        return found

    def all_at(self, address: str) -> list[Newest]:
        """Every complete answer of ``address`` with whatever parameters whose body is sound, the oldest first."""
        # "?" begins the parameters, and "@" is the character behind it.
        rows = self._select(
            f"{_REUSABLE} and (a.canonical_url = ? or (a.canonical_url >= ? and a.canonical_url < ?)) "
            "order by a.fetched_at, a.seq",
            (address, f"{address}?", f"{address}@"),
        )
        return [Newest(*row) for row in rows]

    def bodies(self, batch: int = 1_000) -> Iterator[BodyRow]:
        """Every body by digest, in batches of ``batch``; a writer is never kept waiting."""
        last = ""
        while rows := self._select(
            "select sha256, size, path, data, damaged from bodies where sha256 > ? order by sha256 limit ?",
            (last, batch),
        ):
            yield from (BodyRow(r[0], r[1], r[2], r[3], bool(r[4])) for r in rows)
            last = rows[-1][0]

    def answers(self, after: int = 0, batch: int = 5_000) -> Iterator[tuple[int, AuditRow]]:
        """(sequence number, attempt) of every attempt behind sequence number ``after``, in the order stored."""
        while rows := self._select(
            f"select seq, {_COLUMNS} from answers where seq > ? order by seq limit ?",  # noqa: S608 - constants
            (after, batch),
        ):
            yield from ((row[0], AuditRow(*row[1:])) for row in rows)
            after = rows[-1][0]

    def counts(self) -> tuple[int, int]:
        """Number of attempts and of bodies."""
        rows = self._select("select (select count(*) from answers), (select count(*) from bodies)", ())
        return int(rows[0][0]), int(rows[0][1])

    def size(self) -> int:
        """Bytes of all bodies, uncompressed."""
        return int(self._select("select coalesce(sum(size), 0) from bodies", ())[0][0])

    def dangling(self) -> list[str]:
        """Digests that attempts point at and no body has; always empty unless somebody edited the database."""
        rows = self._select(
            "select distinct body_sha256 from answers where body_sha256 is not null "
            "and not exists (select 1 from bodies where sha256 = body_sha256)",
            (),
        )
        return [row[0] for row in rows]

    def missing(self, digests: Sequence[str]) -> list[str]:
        """Those of ``digests`` that the archive has no body for."""
        absent: list[str] = []
        for start in range(0, len(digests), 500):
            some = digests[start : start + 500]
            marks = ", ".join("?" * len(some))
            rows = self._select(f"select sha256 from bodies where sha256 in ({marks})", tuple(some))  # noqa: S608 - marks
            held = {row[0] for row in rows}
            absent += [digest for digest in some if digest not in held]
        return absent

    def check(self) -> list[str]:
        """What SQLite's own integrity check finds; empty when all is well."""
        return [row[0] for row in self._select("pragma quick_check", ()) if row[0] != "ok"]

    def _connections(self) -> _Connections:
        # Reached with one of the two locks held, so two threads may come here at once only the first time.
        with self._writing:
            if self._open is None or self._open.pid != os.getpid():
                # SQLite does not wait its turn while a database is switched to WAL, so first openers queue here.
                with exclusive(self.path.with_suffix(".lock")):
                    self._open = opened = _Connections(self.path)
                self._finalizer = weakref.finalize(self, opened.close)
            return self._open

    def _select(self, sql: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        try:
            connection = self._connections().read
            with self._reading:
                return connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise storage_error(error, "reading the audit") from error

    @contextmanager
    def _transaction(self, doing: str) -> Iterator[sqlite3.Connection]:
        try:
            with self._writing:
                connection = self._connections().write
                connection.execute("begin immediate")
                try:
                    yield connection
                    connection.execute("commit")
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("rollback")
                    raise
        except sqlite3.Error as error:
            raise storage_error(error, doing) from error
        except OSError as error:
            raise StorageFailed(f"The lake failed while {doing}: {error.strerror}; nothing of it was kept.") from error
