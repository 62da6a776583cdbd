"""Housekeeping of the lake: fewer and better sorted files, dead files deleted, the log shortened, the audit copied out.

Nothing here changes a row. Run it daily or so; every function is safe beside writers and readers. What does not belong here:
deciding when (orchestration does).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake.transaction import AddAction

from salescience_pipeline.catalog.tables import TABLES
from salescience_pipeline.lake.archive import EMPTY_SHA256, Archive
from salescience_pipeline.lake.audit import AuditRow
from salescience_pipeline.lake.delta import Delta, Raced
from salescience_pipeline.lake.locks import exclusive
from salescience_pipeline.lake.snapshot import DataFile, Snapshot
from salescience_pipeline.lake.tables import Commit, Tables, WriteMode

ANSWERS = "raw_salescience__http_answers"
"""The table that the archive's audit is copied to."""
LEAST_GRACE = dt.timedelta(hours=24)
"""Readers hold lists of files; none of them may be deleted sooner than this after it was replaced."""
TAIL_SHARE = 0.01
"""Small files are sorted into the large ones when they hold more of the rows than this; rarer, each row is rewritten less."""
_EXPORTED = 50_000


@dataclass(frozen=True, slots=True)
class Compaction:
    """What :func:`compact` did; ``version`` is None for a table that was never written."""

    version: int | None
    files_before: int
    files_after: int
    rows: int
    bytes: int


def compact(tables: Tables, name: str, *, full: bool = False) -> Compaction:
    """Rewrite small and overlapping files as sorted ones of up to ``file_rows`` rows, each a range of its own.

    While the small files hold less than ``TAIL_SHARE`` of the rows, only they are rewritten, as one; otherwise, or when
    ``full``, all files that are not in order. Memory holds one file at a time, not the table. Writers go on meanwhile: the
    result is committed only if the files it replaces are still live.

    Raises:
        UnknownTable: when the catalogue does not hold the table.
        StorageFull, StorageFailed: when the disk fails; nothing is visible.
    """
    delta = tables.delta(name)
    for last in (False, False, True):
        # Two tries beside the writers; then they wait for the third.
        with exclusive(tables.layout.lock(name)) if last else nullcontext():
            snapshot = delta.snapshot()
            if snapshot is None:
                return Compaction(None, 0, 0, 0, 0)
            chosen = _chosen(delta, snapshot, full=full)
            if not chosen:
                return Compaction(snapshot.version, len(snapshot.files), len(snapshot.files), 0, 0)
            added = _rewritten(delta, snapshot, chosen)
            try:
                if last:
                    return _committed(delta, chosen, added)
                with exclusive(tables.layout.lock(name)):
                    return _committed(delta, chosen, added)
            except Raced:
                delta.discard(added)
            except BaseException:
                delta.discard(added)
                raise
    raise AssertionError("unreachable: the last try holds the lock")  # pragma: no cover


def vacuum(tables: Tables, name: str, grace: dt.timedelta = LEAST_GRACE) -> int:
    """Delete files that no version younger than ``grace`` needs, and those of killed writers; returns how many.

    Time travel and readers holding an older file list end there.

    Raises:
        ValueError: for a grace of less than 24 hours.
        UnknownTable: when the catalogue does not hold the table.
    """
    if grace < LEAST_GRACE:
        raise ValueError("The grace must be at least 24 hours: readers may hold file lists that old.")
    handle = tables.delta(name).handle()
    if handle is None:
        return 0
    hours = -(-int(grace.total_seconds()) // 3600)
    return len(handle.vacuum(retention_hours=hours, dry_run=False, enforce_retention_duration=False, full=True))


def checkpoint(tables: Tables, name: str) -> None:
    """Write a checkpoint of the log, so that opening the table reads one file instead of all commits."""
    handle = tables.delta(name).handle()
    if handle is not None:
        handle.create_checkpoint()


def maintain(tables: Tables, name: str, grace: dt.timedelta = LEAST_GRACE) -> Compaction:
    """Compact, vacuum and checkpoint one table.

    Raises:
        ValueError: for a grace of less than 24 hours.
    """
    done = compact(tables, name)
    vacuum(tables, name, grace)
    checkpoint(tables, name)
    return done


def export_audit(archive: Archive, tables: Tables) -> Commit | None:
    """Copy new rows of the archive's audit to the table ``raw_salescience__http_answers``; None when there are none.

    Attempts that failed before any answer came carry the digest of no bytes. Rows are copied in the order stored, so the
    largest number in the table says where to go on.
    """
    snapshot = tables.delta(ANSWERS).snapshot()
    last = max((file.bounds["answer_no"][1] for file in snapshot.files), default=0) if snapshot is not None else 0
    done: Commit | None = None
    batch: list[dict[str, Any]] = []
    paths = {row.sha256: row.path for row in archive.audit.bodies() if row.path is not None}
    for number, row in archive.audit.answers(after=last):
        batch.append(_exported(number, row, paths.get(row.body_sha256 or "")))
        if len(batch) == _EXPORTED:
            done, batch = _export(tables, batch), []
    return _export(tables, batch) if batch else done


def _export(tables: Tables, batch: list[dict[str, Any]]) -> Commit:
    rows = pa.Table.from_pylist(batch, schema=TABLES[ANSWERS].schema)
    return tables.write(ANSWERS, rows, mode=WriteMode.INSERT_ONLY)


def _exported(number: int, row: AuditRow, path: str | None) -> dict[str, Any]:
    return {
        "answer_no": number,
        "request_id": row.request_id,
        "attempt": row.attempt,
        "endpoint": row.endpoint,
        "method": row.method,
        "canonical_url": row.canonical_url,
        "http_status": row.status,
        "answer_class": row.answer_class,
        "started_at": dt.datetime.fromisoformat(row.started_at),
        "elapsed_ms": row.elapsed_ms,
        "bytes": row.bytes,
        "content_type": row.content_type,
        "etag": row.etag,
        "last_modified": row.last_modified,
        "headers": row.headers,
        "archive_path": path,
        "error": row.error,
        "is_complete": row.complete,
        "source": row.provider,
        "fetched_at": dt.datetime.fromisoformat(row.fetched_at),
        "raw_sha256": row.body_sha256 or EMPTY_SHA256,
        "run_id": row.run_id,
        "organization_id": row.organization_id,
    }


def _chosen(delta: Delta, snapshot: Snapshot, *, full: bool) -> list[DataFile]:
    """The files to rewrite; none when the table is in order, as one file always is: each is written sorted."""
    if len(snapshot.files) < 2:
        return []
    orderly = _orderly(delta, snapshot.files)
    tail = [file for file in snapshot.files if file not in orderly]
    needless = len(snapshot.files) > max(1, -(-snapshot.rows // delta.table.file_rows))
    if full or sum(file.rows for file in tail) > TAIL_SHARE * snapshot.rows:
        return list(snapshot.files) if needless or tail else []
    return tail if len(tail) > 1 else []


def _orderly(delta: Delta, files: Sequence[DataFile]) -> list[DataFile]:
    """Files of decent size with a range of the leading column that no other of them meets, the largest first."""
    chosen: list[DataFile] = []
    for file in sorted(files, key=lambda file: file.rows, reverse=True):
        known = file.range_of(delta.lead)
        if file.rows < delta.table.file_rows // 2 or known is None:
            continue
        if not any(_meets(other.range_of(delta.lead), *known) for other in chosen):
            chosen.append(file)
    return chosen


def _rewritten(delta: Delta, snapshot: Snapshot, chosen: Sequence[DataFile]) -> list[AddAction]:
    """New files with the rows of ``chosen``; one range of the leading column in memory at a time."""
    lead = delta.lead
    added: list[AddAction] = []
    try:
        for low, high in _ranges(delta, snapshot, chosen, lead):
            condition = (pc.field(lead) >= low) & (pc.field(lead) <= high)
            meeting = [file for file in chosen if _meets(file.range_of(lead), low.as_py(), high.as_py())]
            added += delta.write_files(delta.scan(snapshot, meeting, condition, delta.table.schema.names))
    except BaseException:
        delta.discard(added)
        raise
    return added


def _ranges(
    delta: Delta, snapshot: Snapshot, chosen: Sequence[DataFile], lead: str
) -> list[tuple[pa.Scalar, pa.Scalar]]:
    """Ranges of the leading column with about equally many rows, none with more than a file may have."""
    column = delta.scan(snapshot, chosen, None, [lead])[lead]
    counted = pc.value_counts(column)
    values, counts = counted.field("values"), counted.field("counts")
    order = pc.sort_indices(values)
    values, counts = values.take(order), counts.take(order).to_pylist()
    target = -(-len(column) // max(1, -(-len(column) // delta.table.file_rows)))
    ranges: list[tuple[pa.Scalar, pa.Scalar]] = []
    start, held = 0, 0
    for at, count in enumerate(counts):
        if held and held + count > target:
            ranges.append((values[start], values[at - 1]))
            start, held = at, 0
        held += count
    if held:
        ranges.append((values[start], values[len(counts) - 1]))
    return ranges


def _meets(known: tuple[Any, Any] | None, low: Any, high: Any) -> bool:
    return known is None or not (known[1] < low or known[0] > high)


def _committed(delta: Delta, chosen: Sequence[DataFile], added: Sequence[AddAction]) -> Compaction:
    """Swap the files, if all that are replaced are still live. The caller holds the lock.

    Raises:
        Raced: when a writer replaced one of them.
    """
    now = delta.snapshot()
    assert now is not None
    live = {file.path: file for file in now.files}
    if any(file.path not in live for file in chosen):
        raise Raced
    rows = sum(file.rows for file in chosen)
    note = {"salescience.mode": "compact", "salescience.rows": rows}
    version = delta.commit(now, added, [live[file.path] for file in chosen], note, moved=True)
    after = len(now.files) - len(chosen) + len(added)
    return Compaction(version, len(now.files), after, rows, sum(action.size for action in added))
