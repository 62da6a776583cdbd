"""One Delta table on disk: its live files, writing data files, and committing what changed.

Data files are written with Arrow and committed through delta-rs as add and remove actions, because delta-rs' own writer and
its rewriting (DataFusion) give no say over page size and file boundaries, and those decide what a query costs: with pages as
long as the row group, DuckDB's ``count(distinct ticker)`` takes 7.9 ms of CPU instead of 12.2 on 2.5 million rows. The table
stays an ordinary Delta table. A commit holds only if nobody committed since the snapshot it was computed from (no blind
appends), so keys stay unique whoever writes. What does not belong here: what a write means; see ``merging`` and ``tables``.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import threading
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Schema
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction
from pyarrow.fs import LocalFileSystem

from salescience_pipeline.catalog.tables import Table
from salescience_pipeline.lake.durable import fsync
from salescience_pipeline.lake.errors import DamagedTable, storage_error
from salescience_pipeline.lake.keys import key_codes
from salescience_pipeline.lake.selection import Where
from salescience_pipeline.lake.snapshot import DataFile, Snapshot, data_files, new_columns

ROW_GROUP_ROWS = 131_072
"""Rows of one row group: DuckDB skips and parallelises by it; smaller ones cost more footer than they save."""
CHECKPOINT_EVERY = 50
"""Commits between two checkpoints of the log, so that opening a table stays a matter of milliseconds."""

_FORMAT, _DISK = ds.ParquetFileFormat(), LocalFileSystem()
_COLUMNS_WITH_STATISTICS = 32
"""Columns of which a log tells by default: a later one would be taken for one that no file has."""
_ALL_COLUMNS = {"delta.dataSkippingNumIndexedCols": "-1"}
_NO_STATISTICS = (pa.types.is_nested, pa.types.is_binary, pa.types.is_large_binary)


class Raced(Exception):
    """Somebody committed since the snapshot: compute the change again."""


class Delta:
    """The Delta table of one catalogue row; safe for threads and processes.

    The opened log is kept and brought up to date before every use, which costs 0.4 ms where opening costs 2 to 11.
    """

    def __init__(self, folder: Path, table: Table) -> None:
        """Nothing is opened or created yet."""
        self.folder, self.table = folder, table
        self._lock = threading.Lock()
        self._opened: DeltaTable | None = None
        self._snapshot: Snapshot | None = None
        self._refreshed_at = 0.0
        self._has_properties = False

    @property
    def lead(self) -> str:
        """The column by whose ranges files are told apart: the first one they are sorted by that is never null."""
        return next((name for name in self.table.sort_by if self.table.is_required(name)), self.table.key[0])

    def handle(self) -> DeltaTable | None:
        """The opened table, up to date; None when it was never written."""
        with self._lock:
            return self._refreshed()

    def snapshot(self) -> Snapshot | None:
        """The live files now; None when the table was never written."""
        with self._lock:
            opened = self._refreshed()
            if opened is None:
                return None
            if self._snapshot is None or self._snapshot.version != opened.version():
                files = tuple(data_files(opened))
                schema = pa.schema(opened.schema().to_arrow())
                self._snapshot = Snapshot(self.folder, opened.version(), files, schema)
            return self._snapshot

    def prepared(self) -> Snapshot:
        """The snapshot for a write: the table is created if need be, and new nullable columns are added.

        Raises:
            SchemaConflict: when the stored columns and the catalogue do not go together.
        """
        snapshot = self.snapshot()
        if snapshot is None:
            self._create()
            snapshot = self.snapshot()
        assert snapshot is not None
        if added := new_columns(self.table, snapshot.schema):
            opened = self.handle()
            assert opened is not None
            opened.alter.add_columns(list(Schema.from_arrow(pa.schema(added)).fields))
            snapshot = self.snapshot()
            assert snapshot is not None
        if self._properties and not self._has_properties:
            self._set_properties()
            snapshot = self.snapshot()
            assert snapshot is not None
        return snapshot

    @property
    def _properties(self) -> dict[str, str]:
        """What the table's log says beyond the defaults."""
        return _ALL_COLUMNS if len(self.table.schema) > _COLUMNS_WITH_STATISTICS else {}

    def _set_properties(self) -> None:
        """Let the log tell of every column, also in a table that was made when it had fewer."""
        opened = self.handle()
        assert opened is not None
        if not self._properties.items() <= opened.metadata().configuration.items():
            opened.alter.set_table_properties(self._properties)
        self._has_properties = True

    def write_files(self, rows: pa.Table) -> list[AddAction]:
        """Write ``rows``, sorted, to new files on disk; nobody sees them before they are committed.

        Raises:
            StorageFull: when the disk is full; what was written of it is deleted.
            StorageFailed: when the disk fails otherwise.
        """
        ordered = rows.sort_by([(name, "ascending") for name in self.table.sort_by or self.table.key])
        pieces = max(1, -(-ordered.num_rows // self.table.file_rows)) if ordered.num_rows else 0
        added: list[AddAction] = []
        try:
            for piece in range(pieces):
                start, stop = (ordered.num_rows * at // pieces for at in (piece, piece + 1))
                added.append(self._write_file(ordered.slice(start, stop - start)))
        except OSError as error:
            self.discard(added)
            raise storage_error(error, f"writing {self.table.name}") from error
        return added

    def discard(self, added: Iterable[AddAction]) -> None:
        """Delete files that were written and not committed."""
        for action in added:
            (self.folder / action.path).unlink(missing_ok=True)

    def commit(
        self,
        snapshot: Snapshot,
        added: Sequence[AddAction],
        removed: Sequence[DataFile],
        note: Mapping[str, Any],
        *,
        moved: bool = False,
    ) -> int:
        """Make ``added`` visible and ``removed`` invisible in one step; returns the new version.

        Args:
            snapshot: What the change was computed from.
            added: Files from :meth:`write_files`.
            removed: Live files of the snapshot.
            note: What to say about the commit in the table's history.
            moved: Whether the rows only moved between files (maintenance), which readers of changes may skip.

        Raises:
            Raced: when somebody committed since ``snapshot``; ``added`` still waits on disk.
            StorageFull: when the disk is full; nothing of the change is visible.
        """
        now = int(time.time() * 1000)
        actions: list[AddAction | RemoveAction] = [
            AddAction(a.path, a.size, a.partition_values, a.modification_time, not moved, a.stats) for a in added
        ]
        actions += [RemoveAction(file.path, not moved, now, file.size, {}) for file in removed]
        with self._lock:
            opened = self._opened
            if opened is None or opened.version() != snapshot.version:
                raise Raced
            token = uuid.uuid4().hex
            entry = self.folder / "_delta_log" / f"{snapshot.version + 1:020d}.json"
            try:
                fsync(self.folder)
                opened.create_write_transaction(
                    actions,
                    "append",
                    Schema.from_arrow(self.table.schema),
                    commit_properties=CommitProperties({**note, "salescienceCommit": token}, max_commit_retries=0),
                    post_commithook_properties=PostCommitHookProperties(
                        create_checkpoint=False, cleanup_expired_logs=False
                    ),
                )
            except (CommitFailedError, DeltaError, OSError) as error:
                # What matters is whether the entry is there: if it is, its files must stay, whatever failed afterwards.
                if not _is_by(entry, token):
                    if isinstance(error, CommitFailedError):
                        raise Raced from error
                    raise storage_error(error, f"committing to {self.table.name}") from error
            fsync(entry)
            fsync(entry.parent)
            self._checkpoint(snapshot.version + 1)
            return snapshot.version + 1

    def read(self, snapshot: Snapshot, files: Sequence[DataFile], where: Where, columns: Sequence[str]) -> pa.Table:
        """The matching rows of ``files``, in the order of the files; a column that a file lacks is null."""
        return self.scan(snapshot, files, where.expression(self.table), columns)

    def scan(
        self, snapshot: Snapshot, files: Sequence[DataFile], condition: pc.Expression | None, columns: Sequence[str]
    ) -> pa.Table:
        """Like :meth:`read`, with the condition as an Arrow expression; None means all rows."""
        asked = pa.schema([self.table.schema.field(name) for name in columns])
        fragments = [_FORMAT.make_fragment(str(snapshot.folder / file.path), _DISK) for file in files]
        if not fragments:
            return asked.empty_table()
        dataset = ds.FileSystemDataset(fragments, self.table.schema, _FORMAT, _DISK)
        rows = dataset.to_table(columns=list(columns), filter=condition)
        return pa.Table.from_arrays(rows.columns, schema=asked)

    def duplicate_keys(self, snapshot: Snapshot, limit: int, where: Where) -> list[dict[str, Any]]:
        """Up to ``limit`` keys that more than one of the matching rows has."""
        rows = self.read(snapshot, snapshot.matching(where), where, self.table.key)
        codes = key_codes([rows], self.table.key)[0]
        _, first, counts = np.unique(codes, return_index=True, return_counts=True)
        return list(rows.take(pa.array(first[counts > 1][:limit])).to_pylist())

    def _refreshed(self) -> DeltaTable | None:
        try:
            if self._opened is None:
                self._opened = DeltaTable(str(self.folder)) if (self.folder / "_delta_log").is_dir() else None
            elif self._is_stale(self._opened.version()):
                self._opened.update_incremental()
            else:
                return self._opened
        except TableNotFoundError:
            self._opened = None
        except DeltaError as error:
            raise DamagedTable(self.table.name, str(error).split("\n", maxsplit=1)[0][:200].rstrip(".")) from error
        self._refreshed_at = time.monotonic()
        return self._opened

    def _is_stale(self, version: int) -> bool:
        """Whether a newer version may exist.

        Versions have no gaps, so the next one's file tells, for a hundredth of the cost of asking delta-rs. Once a minute
        delta-rs is asked all the same, because an idle table's next entry may have been cleaned away behind a checkpoint.
        """
        log = self.folder / "_delta_log"
        late = time.monotonic() - self._refreshed_at > 60
        return late or (log / f"{version + 1:020d}.json").exists() or not (log / f"{version:020d}.json").exists()

    def _checkpoint(self, version: int) -> None:
        """Shorten the log now and then; a checkpoint only saves time, so its failure must not look like the write's."""
        if version % CHECKPOINT_EVERY == 0 and self._opened is not None:
            with suppress(DeltaError, OSError):
                self._opened.update_incremental()
                self._opened.create_checkpoint()

    def _create(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        DeltaTable.create(
            str(self.folder),
            schema=Schema.from_arrow(self.table.schema),
            mode="ignore",
            description=self.table.description,
            configuration=self._properties or None,
        )

    def _write_file(self, rows: pa.Table) -> AddAction:
        path = self.folder / f"part-{uuid.uuid4().hex}.parquet"
        indexed = [*dict.fromkeys((*self.table.key, *self.table.sort_by))]
        try:
            with path.open("xb") as target:
                pq.write_table(
                    rows.replace_schema_metadata(None),
                    target,
                    compression="zstd",
                    row_group_size=ROW_GROUP_ROWS,
                    max_rows_per_page=ROW_GROUP_ROWS,
                    data_page_size=8 << 20,
                    # Statistics of the other columns prune nothing and make every footer longer.
                    write_statistics=indexed,
                )
                target.flush()
                os.fsync(target.fileno())
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return AddAction(path.name, path.stat().st_size, {}, int(time.time() * 1000), True, _statistics(rows, indexed))


def _is_by(entry: Path, token: str) -> bool:
    """Whether that entry of the log exists and is the one with our token."""
    try:
        return token in entry.read_text()
    except FileNotFoundError:
        return False


def _statistics(rows: pa.Table, indexed: Sequence[str]) -> str:
    """Delta's statistics: bounds of the key and sort columns, and for every column that the file has its nulls."""
    least: dict[str, Any] = {}
    most: dict[str, Any] = {}
    for name in indexed:
        kind = rows.schema.field(name).type
        if any(test(kind) for test in _NO_STATISTICS) or rows[name].null_count == rows.num_rows:
            continue
        both = pc.min_max(rows[name])
        least[name], most[name] = (_json_value(both[end].as_py(), up=end == "max") for end in ("min", "max"))
    nulls = {name: rows[name].null_count for name in rows.schema.names}
    return json.dumps({"numRecords": rows.num_rows, "minValues": least, "maxValues": most, "nullCount": nulls})


def _json_value(value: Any, *, up: bool) -> Any:
    if isinstance(value, dt.datetime):
        # Delta's statistics have milliseconds: the bound must be widened to them, never narrowed.
        cut = value.astimezone(dt.UTC).replace(microsecond=value.microsecond // 1000 * 1000)
        if up and cut < value:
            cut += dt.timedelta(milliseconds=1)
        return cut.strftime("%Y-%m-%dT%H:%M:%S.") + f"{cut.microsecond // 1000:03d}Z"
    return value.isoformat() if isinstance(value, dt.date) else value
