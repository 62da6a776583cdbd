"""Does the lake still hold what it says? Every body re-hashed, audit against files, tables against their catalogue rows.

Reading only, but for one thing: a body that is found damaged is remembered as such, so that it is fetched again instead of
reused. What does not belong here: repairing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from salescience_pipeline.catalog.tables import TABLES, Table
from salescience_pipeline.identifiers import InvalidIdentifier
from salescience_pipeline.lake.archive import EMPTY_SHA256, Archive
from salescience_pipeline.lake.delta import Delta
from salescience_pipeline.lake.errors import CorruptBlob, DamagedTable, LakeError
from salescience_pipeline.lake.layout import BLOB_SUFFIX
from salescience_pipeline.lake.selection import Where
from salescience_pipeline.lake.snapshot import DataFile, Snapshot
from salescience_pipeline.lake.tables import Tables

Progress = Callable[[str, int, int], None]
"""Told what is being checked, how many are done, and how many there are."""
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where, what kind, and one sentence."""

    where: str
    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class ArchiveReport:
    """``answers`` and ``bodies`` are counted in the audit, ``bytes`` (uncompressed) were hashed again.

    ``orphans`` are bodies without a row and ``unfinished`` files in the making: what killed writers leave, and no problem.
    """

    answers: int = 0
    bodies: int = 0
    bytes: int = 0
    orphans: int = 0
    unfinished: int = 0
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class TableReport:
    """One table that exists."""

    name: str
    version: int
    rows: int
    files: int
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a verification."""

    archive: ArchiveReport
    tables: tuple[TableReport, ...] = field(default=())

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Everything that is wrong."""
        return (*self.archive.problems, *(problem for table in self.tables for problem in table.problems))

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, with the verdict first."""
        return {"ok": self.ok, **asdict(self)}


def verify(archive: Archive, tables: Tables, progress: Progress | None = None) -> Report:
    """Check archive and tables against each other and against the catalogue.

    Args:
        archive: The archive; every body in it is read.
        tables: The tables; every live file's keys and required columns are read.
        progress: Told after each body and each table.

    Returns:
        What was checked and what is wrong; at most 20 problems of a kind and place are listed one by one.
    """
    tell = progress if progress is not None else _silent
    checked = _archive(archive, tell)
    reports = []
    for done, name in enumerate(sorted(TABLES)):
        try:
            snapshot = tables.delta(name).snapshot()
            if snapshot is not None:
                reports.append(_table(archive, tables.delta(name), snapshot))
        except DamagedTable as error:
            problem = Problem(name, "unreadable log", str(error))
            reports.append(TableReport(name, -1, 0, 0, (problem,)))
        tell(name, done + 1, len(TABLES))
    return Report(checked, tuple(reports))


def _silent(_what: str, _done: int, _total: int) -> None:
    """Nobody wants to be told."""


def _archive(archive: Archive, progress: Progress) -> ArchiveReport:
    if not archive.layout.audit.exists():
        return ArchiveReport()
    problems = [Problem("audit", "database", message) for message in archive.audit.check()]
    problems += [
        Problem("audit", "no body", f"An attempt points at {digest}, which the archive does not hold.")
        for digest in archive.audit.dangling()
    ]
    answers, bodies = archive.audit.counts()
    known: set[str] = set()
    size = 0
    for done, row in enumerate(archive.audit.bodies()):
        if row.path is not None:
            known.add(row.path)
        try:
            archive.check(row)
            size += row.size
        except CorruptBlob as damage:
            problems.append(Problem("archive", "damaged body", str(damage)))
        progress("archive", done + 1, bodies)
    orphans = 0
    for blob in archive.layout.blobs.rglob("*"):
        if blob.is_dir():
            continue
        if problem := _misplaced(archive, blob):
            problems.append(problem)
        elif archive.layout.relative(blob) not in known:
            orphans += 1
    unfinished = sum(1 for _ in archive.layout.incoming.glob("*"))
    return ArchiveReport(answers, bodies, size, orphans, unfinished, tuple(_few(problems)))


def _misplaced(archive: Archive, blob: Path) -> Problem | None:
    try:
        archive.layout.digest_of(blob)
    except (InvalidIdentifier, LakeError):
        return Problem(
            "archive", "foreign file", f"{blob.name[:80]!r} is no body: its name is not <sha256>{BLOB_SUFFIX}."
        )
    return None


def _table(archive: Archive, delta: Delta, snapshot: Snapshot) -> TableReport:
    table = delta.table
    problems = [
        Problem(table.name, "schema", f"The column {name} of the catalogue is required and not stored.")
        for name in table.schema.names
        if name not in snapshot.schema.names and table.is_required(name)
    ]
    problems += _schema(table, snapshot.schema)
    digests: set[str] = set()
    for file in snapshot.files:
        problems += _file(delta, snapshot, file, digests)
    if not any(problem.kind in ("schema", "unreadable file") for problem in problems):
        problems += _keys(delta, snapshot)
    digests.discard(EMPTY_SHA256)
    problems += [
        Problem(table.name, "raw answer", f"A row comes from the answer {digest}, which the archive does not hold.")
        for digest in archive.audit.missing(sorted(digests))
    ]
    return TableReport(table.name, snapshot.version, snapshot.rows, len(snapshot.files), tuple(_few(problems)))


def _schema(table: Table, stored: pa.Schema) -> Iterator[Problem]:
    for field_ in stored:
        if field_.name not in table.schema.names:
            yield Problem(table.name, "schema", f"The column {field_.name} is stored and not in the catalogue.")


def _file(delta: Delta, snapshot: Snapshot, file: DataFile, digests: set[str]) -> Iterator[Problem]:
    """Readable, as many rows as the log says, right types, no null where there must be none; collects digests."""
    name = delta.table.name
    try:
        parquet = pq.read_metadata(snapshot.folder / file.path)
        if parquet.num_rows != file.rows:
            message = f"{file.path} has {parquet.num_rows} rows; the log says {file.rows}."
            yield Problem(name, "row count", message)
        required = [column for column in delta.table.schema.names if delta.table.is_required(column)]
        rows = delta.scan(snapshot, [file], None, required)
    except (OSError, pa.ArrowException) as error:
        yield Problem(name, "unreadable file", f"{file.path} cannot be read: {str(error).splitlines()[0][:200]}")
        return
    for column in required:
        if rows[column].null_count:
            message = f"{file.path} has {rows[column].null_count} nulls in {column}, which is required."
            yield Problem(name, "null", message)
    digests.update(digest for digest in pc.unique(rows["raw_sha256"]).to_pylist() if digest)


def _keys(delta: Delta, snapshot: Snapshot) -> Iterator[Problem]:
    for key in delta.duplicate_keys(snapshot, _SHOWN + 1, Where()):
        shown = ", ".join(f"{name}={value!r}" for name, value in key.items())
        yield Problem(delta.table.name, "duplicate key", f"More than one row has the key {shown}.")


def _few(problems: list[Problem]) -> Iterator[Problem]:
    """The first problems of each kind, and how many more there are."""
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for problem in problems:
        counts[problem.where, problem.kind] += 1
        if counts[problem.where, problem.kind] <= _SHOWN:
            yield problem
    for (where, kind), count in counts.items():
        if count > _SHOWN:
            yield Problem(where, kind, f"{count - _SHOWN} more of this kind.")
