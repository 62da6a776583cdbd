"""The catalogue's tables as Delta tables: write a slice, upsert, insert; read with a typed filter; show to DuckDB.

A write is compared with what is stored before anything is written: only what differs is, so running a partition twice
changes nothing, and the history of a ticker that gained one day costs one row. Files are sorted by the table's ``sort_by``
and bounded in rows; a small write takes the small files before it along, so that 40 daily increments leave two files and
not forty. What does not belong here: rewriting for its own sake (``maintenance``), and judging rows (``checking``).

Why files are not cut by year: on 1,000 tickers x 2,520 days, one ticker's history costs 2.9 times a single sorted Parquet
file when the table is cut by year and 1.1 times when it is cut by ticker range, while one day over all tickers costs the
same as the single file; and a ticker whose whole history changes (a split) touches one file instead of ten.
"""

from __future__ import annotations

import datetime as dt
import random
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake.transaction import AddAction

from salescience_pipeline.lake.checking import check_covers, checked, known_table
from salescience_pipeline.lake.delta import Delta, Raced
from salescience_pipeline.lake.errors import BadFilter, SchemaConflict, WriteConflict
from salescience_pipeline.lake.layout import Layout
from salescience_pipeline.lake.locks import exclusive
from salescience_pipeline.lake.merging import Difference, WriteMode, difference, reach, without
from salescience_pipeline.lake.relations import empty_relation, parquet_relation, quoted
from salescience_pipeline.lake.selection import Slice, Where
from salescience_pipeline.lake.snapshot import DataFile, Snapshot, new_columns

__all__ = ["Commit", "Slice", "Tables", "Version", "Where", "WriteMode"]

SMALL_FILE_ROWS = 20_480
"""A write takes live files with fewer rows than this along: reading and writing them again costs less than keeping them."""
MERGED_ROWS = 65_536
"""A write takes small files along only while it stays below this many rows."""
ATTEMPTS = 30
"""Times a write is computed anew because somebody else committed first."""


@dataclass(frozen=True, slots=True)
class Commit:
    """What one write did.

    ``rows`` were given; of them ``added`` are new and ``replaced`` took the place of a stored row; ``removed`` stored rows went
    without one; ``bytes`` were written to data files. ``unchanged``: nothing differed, and ``version`` is the one before.
    """

    version: int
    rows: int
    added: int
    replaced: int
    removed: int
    bytes: int
    unchanged: bool


@dataclass(frozen=True, slots=True)
class Version:
    """One entry of a table's history."""

    version: int
    at: dt.datetime
    operation: str
    note: Mapping[str, Any]


class Tables:
    """The tables below ``root``; safe for threads and processes. Holds no open files between calls."""

    def __init__(self, root: Path, sleep: Callable[[float], None] = time.sleep) -> None:
        """Nothing is created until the first write.

        Args:
            root: The lake's root (``Settings.lake_dir``).
            sleep: How to wait between two attempts, in seconds.
        """
        self.layout = Layout(root)
        self._sleep = sleep
        self._deltas: dict[str, Delta] = {}
        self._lock = threading.Lock()

    def write(
        self, table_name: str, rows: pa.Table, covers: Slice | None = None, mode: WriteMode | str | None = None
    ) -> Commit:
        """Write ``rows``; idempotent, and atomic for every reader.

        Args:
            table_name: A table of the catalogue.
            rows: Rows with exactly the catalogue's columns, each key once; the order does not matter.
            covers: With mode ``replace`` the slice that becomes exactly ``rows``: what is stored in it and not among them
                goes. ``Slice()`` is the whole table. Not allowed with the other modes.
            mode: Replace (default when ``covers`` is given), upsert (default otherwise) or insert_only.

        Raises:
            UnknownTable, BadRows (MissingColumn, UnknownColumn, WrongType, NullInRequired, DuplicateKey, OutsideSlice),
            BadFilter, SchemaConflict: before anything is written.
            WriteConflict: when others kept committing first.
            StorageFull, StorageFailed: when the disk fails; nothing is visible.
        """
        table = known_table(table_name)
        chosen = _mode(covers, mode)
        rows = checked(table, rows)
        if covers is not None:
            check_covers(table, rows, covers)
        delta = self.delta(table_name)
        if not rows.num_rows and (chosen is not WriteMode.REPLACE or delta.snapshot() is None):
            snapshot = delta.snapshot()
            return Commit(snapshot.version if snapshot else -1, 0, 0, 0, 0, 0, unchanged=True)
        condition = covers if covers is not None else reach(table, rows)
        for attempt in range(ATTEMPTS):
            try:
                # The lock only keeps local writers from working in vain; foreign ones are noticed by the commit.
                with exclusive(self.layout.lock(table_name)):
                    return self._attempt(delta, rows, condition, chosen)
            except Raced:
                self._sleep(random.uniform(0, min(0.01 * 2**attempt, 1.0)))  # noqa: S311 - jitter
        raise WriteConflict(
            f"{table_name} was changed by others {ATTEMPTS} times while this write was prepared; try again."
        )

    def read(
        self, table_name: str, where: Where | None = None, columns: Sequence[str] | None = None, *, ordered: bool = True
    ) -> pa.Table:
        """Rows of the newest version.

        Args:
            table_name: A table of the catalogue; one that was never written has no rows.
            where: Which rows; all by default.
            columns: Which columns, in this order; all by default.
            ordered: Whether the rows come in the table's ``sort_by`` order (costs a sort).

        Returns:
            A table in the catalogue's schema (or the part of it that ``columns`` names).

        Raises:
            UnknownTable: when the catalogue does not hold the table.
            BadFilter: when ``where`` or ``columns`` name a column it does not have, or a value has the wrong type.
        """
        table = known_table(table_name)
        where = where if where is not None else Where()
        where.check(table)
        wanted = list(columns) if columns is not None else table.schema.names
        if unknown := [name for name in wanted if name not in table.schema.names]:
            raise BadFilter(f"{table_name} has no column {unknown[0]!r}.")
        schema = pa.schema([table.schema.field(name) for name in wanted])
        delta = self.delta(table_name)
        snapshot = delta.snapshot()
        if snapshot is None:
            return schema.empty_table()
        sort = list(table.sort_by or table.key) if ordered else []
        rows = delta.read(snapshot, snapshot.matching(where), where, [*dict.fromkeys((*wanted, *sort))])
        if sort:
            rows = rows.sort_by([(name, "ascending") for name in sort])
        return pa.Table.from_arrays(rows.select(wanted).columns, schema=schema)

    def exists(self, table_name: str) -> bool:
        """Whether the table was ever written."""
        return self.delta(table_name).snapshot() is not None

    def row_count(self, table_name: str) -> int:
        """Rows of the newest version, from the log alone; 0 when it was never written."""
        snapshot = self.delta(table_name).snapshot()
        return snapshot.rows if snapshot is not None else 0

    def version(self, table_name: str) -> int | None:
        """The newest version; None when the table was never written."""
        snapshot = self.delta(table_name).snapshot()
        return snapshot.version if snapshot is not None else None

    def uri(self, table_name: str) -> str:
        """The absolute folder of the table, whether or not it was ever written."""
        return str(self.delta(table_name).folder)

    def file_uris(self, table_name: str) -> list[str]:
        """Absolute paths of the live Parquet files; they stay readable for at least the grace of ``maintenance.vacuum``."""
        snapshot = self.delta(table_name).snapshot()
        return snapshot.uris() if snapshot is not None else []

    def history(self, table_name: str, limit: int | None = None) -> list[Version]:
        """The newest ``limit`` entries of the table's history, newest first."""
        handle = self.delta(table_name).handle()
        if handle is None:
            return []
        return [
            Version(
                entry["version"],
                dt.datetime.fromtimestamp(entry["timestamp"] / 1000, dt.UTC),
                entry["operation"],
                {key.removeprefix("salescience."): entry[key] for key in entry if key.startswith("salescience.")},
            )
            for entry in handle.history(limit)
        ]

    def to_duckdb_view_sql(self, table_name: str, view: str | None = None) -> str:
        """SQL that creates (or replaces) a DuckDB view of the table as it is now, over its explicit file list.

        The view has the catalogue's columns and types also for a table that was never written. It needs no extension.

        Args:
            table_name: A table of the catalogue.
            view: Name of the view as SQL (quoted by the caller if need be); by default the table's own name.
        """
        table = known_table(table_name)
        snapshot = self.delta(table_name).snapshot()
        relation = (
            empty_relation(table) if snapshot is None or not snapshot.files else parquet_relation(table, snapshot)
        )
        return f"create or replace view {view or quoted(table.name)} as {relation}"

    def schema_differences(self, table_name: str) -> list[str]:
        """In what the stored schema differs from the catalogue's, one sentence each; empty when nothing does.

        A nullable column that the catalogue has and the stored table does not is no difference: the next write adds it.
        """
        table = known_table(table_name)
        snapshot = self.delta(table_name).snapshot()
        if snapshot is None:
            return []
        try:
            new_columns(table, snapshot.schema)
        except SchemaConflict as conflict:
            return [str(conflict)]
        return [
            f"{table_name} is stored with {field.name} as nullable; the catalogue requires it."
            for field in snapshot.schema
            if field.nullable and not table.schema.field(field.name).nullable
        ]

    def duplicate_keys(self, table_name: str, limit: int = 10, where: Where | None = None) -> list[dict[str, Any]]:
        """Up to ``limit`` keys that more than one stored row has; empty when the key is one.

        Reads the key columns of the whole table, or of the rows that ``where`` names.
        """
        table = known_table(table_name)
        where = where if where is not None else Where()
        where.check(table)
        delta = self.delta(table_name)
        snapshot = delta.snapshot()
        return delta.duplicate_keys(snapshot, limit, where) if snapshot is not None else []

    def delta(self, table_name: str) -> Delta:
        """The Delta table behind a name, for the rooms of this package that maintain and verify it.

        Raises:
            UnknownTable: when the catalogue does not hold it.
        """
        table = known_table(table_name)
        with self._lock:
            if table_name not in self._deltas:
                self._deltas[table_name] = Delta(self.layout.table(table_name), table)
            return self._deltas[table_name]

    def _attempt(self, delta: Delta, rows: pa.Table, condition: Where, mode: WriteMode) -> Commit:
        snapshot = delta.prepared()
        stored, origin, files = _stored(delta, snapshot, condition)
        change = difference(delta.table, stored, rows, mode)
        if change.is_empty:
            return Commit(snapshot.version, rows.num_rows, 0, 0, 0, 0, unchanged=True)
        losing = {files[at]: change.outgoing & (origin == at) for at in np.unique(origin[change.outgoing])}
        kept = {file: _kept(delta, snapshot, file, stored.filter(pa.array(mask))) for file, mask in losing.items()}
        along = _taken_along(snapshot, losing, change.fresh.num_rows)
        kept |= {file: _whole(delta, snapshot, file) for file in along}
        added: list[AddAction] = []
        try:
            for group in _groups(delta, change.fresh, kept):
                added += delta.write_files(group)
            version = delta.commit(snapshot, added, list(kept), _note(mode, change, rows))
        except BaseException:
            delta.discard(added)
            raise
        return _commit(version, rows, change, added)


def _stored(
    delta: Delta, snapshot: Snapshot, condition: Where
) -> tuple[pa.Table, np.ndarray[Any, np.dtype[np.int64]], list[DataFile]]:
    """The stored rows that a write may touch, for each the index of its file, and those files."""
    files = snapshot.matching(condition)
    names = delta.table.schema.names
    parts = [delta.read(snapshot, [file], condition, names) for file in files]
    stored = pa.concat_tables(parts) if parts else delta.read(snapshot, [], condition, names)
    origin = np.repeat(np.arange(len(parts), dtype=np.int64), [part.num_rows for part in parts])
    return stored, origin, files


def _whole(delta: Delta, snapshot: Snapshot, file: DataFile) -> pa.Table:
    return delta.read(snapshot, [file], Where(), delta.table.schema.names)


def _kept(delta: Delta, snapshot: Snapshot, file: DataFile, outgoing: pa.Table) -> pa.Table:
    """What stays of a file that loses rows."""
    if outgoing.num_rows == file.rows:
        return outgoing.schema.empty_table()
    return without(delta.table, _whole(delta, snapshot, file), outgoing)


def _taken_along(snapshot: Snapshot, losing: Collection[DataFile], rows: int) -> list[DataFile]:
    """Small files that are rewritten together with a small write, the smallest first."""
    along: list[DataFile] = []
    rows += sum(file.rows for file in losing if file.rows < SMALL_FILE_ROWS)
    for file in sorted(snapshot.files, key=lambda file: file.rows):
        if file.rows >= SMALL_FILE_ROWS or rows + file.rows > MERGED_ROWS:
            break
        if file not in losing:
            along.append(file)
            rows += file.rows
    return along


def _groups(delta: Delta, fresh: pa.Table, kept: Mapping[DataFile, pa.Table]) -> list[pa.Table]:
    """What goes into files together: each large file keeps its range and takes the new rows in it; the rest is one group."""
    groups, rest = [], []
    for file, rows in kept.items():
        known = file.range_of(delta.lead)
        if file.rows < SMALL_FILE_ROWS or known is None:
            rest.append(rows)
            continue
        inside = pc.and_(pc.greater_equal(fresh[delta.lead], known[0]), pc.less_equal(fresh[delta.lead], known[1]))
        groups.append(pa.concat_tables([rows, fresh.filter(inside)]))
        fresh = fresh.filter(pc.invert(inside))
    return [*groups, pa.concat_tables([*rest, fresh])]


def _mode(covers: Slice | None, mode: WriteMode | str | None) -> WriteMode:
    chosen = WriteMode(mode) if mode is not None else WriteMode.UPSERT if covers is None else WriteMode.REPLACE
    if (chosen is WriteMode.REPLACE) != (covers is not None):
        raise BadFilter("A slice belongs to the mode replace, and replace needs one; Slice() is the whole table.")
    return chosen


def _note(mode: WriteMode, change: Difference, rows: pa.Table) -> dict[str, Any]:
    counts = {"rows": rows.num_rows, "added": change.added, "replaced": change.replaced, "removed": change.removed}
    return {"salescience.mode": mode.value} | {f"salescience.{name}": value for name, value in counts.items()}


def _commit(version: int, rows: pa.Table, change: Difference, added: Sequence[AddAction]) -> Commit:
    written = sum(action.size for action in added)
    return Commit(version, rows.num_rows, change.added, change.replaced, change.removed, written, unchanged=False)
