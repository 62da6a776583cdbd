"""The warehouse: finished DuckDB files that everybody reads and nobody writes, published by swapping a link.

    <folder>/warehouse.duckdb                          a link to the newest version
    <folder>/versions/000007/warehouse.duckdb          a published version; never written again
    <folder>/builds/<id>/warehouse.duckdb              a version in the making; nobody else looks there

A file that is replaced under its name makes DuckDB replay the old file's write-ahead log into the new one, and one file for
writers and readers gave 226 lock errors in 87 reads; a new file and a link do neither. The files are all called
``warehouse.duckdb`` because dbt writes the database's name, which DuckDB takes from the file's, into the views it creates.
What does not belong here: what is built; dbt does that.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from salescience_pipeline.lake.checking import known_table
from salescience_pipeline.lake.durable import fsync
from salescience_pipeline.lake.errors import LakeError, NothingPublished, NotPublishable, storage_error
from salescience_pipeline.lake.locks import exclusive
from salescience_pipeline.lake.tables import Tables

FILE = "warehouse.duckdb"
KEPT = 3
"""Published versions that stay."""
GRACE = dt.timedelta(minutes=10)
"""How long a version stays after a newer one took its place, for those who looked the link up but have not opened it."""
ABANDONED = dt.timedelta(hours=24)
"""Age from which a build that was never published counts as left behind by a killed process."""
_TABLE_VERSIONS = """
create table lake.table_versions (
    table_name varchar, version bigint, rows bigint, prepared_at timestamp with time zone
)
"""


class NotReadOnly(LakeError, ValueError):
    """A statement that is not one question."""


@dataclass(frozen=True, slots=True)
class Published:
    """One published version."""

    version: int
    path: Path
    published_at: dt.datetime
    size: int


@dataclass(frozen=True, slots=True)
class Result:
    """The rows of a query, at most as many as were asked for; ``truncated`` when there are more."""

    rows: pa.Table
    truncated: bool
    version: int
    seconds: float


class Warehouse:
    """The published versions in one folder; safe for threads and processes."""

    def __init__(
        self,
        folder: Path,
        clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
        *,
        kept: int = KEPT,
        grace: dt.timedelta = GRACE,
    ) -> None:
        """Nothing is created until the first build.

        Args:
            folder: ``Settings.warehouse_dir``.
            clock: The time in UTC, for the age of versions and builds.
            kept: Versions that stay whatever their age.
            grace: How long others stay after they were replaced.
        """
        self.folder = folder
        self._clock, self._kept, self._grace = clock, kept, grace

    @property
    def link(self) -> Path:
        """The path that always leads to the newest version; open it read-only."""
        return self.folder / FILE

    # -- building ---------------------------------------------------------------------------------------------------
    def prepare_build(self, tables: Tables, names: Sequence[str]) -> Path:
        """A new DuckDB file with the lake's tables as views, ready for dbt to build into.

        The schema ``lake`` gets one view per name, over the explicit list of the files that are live now (typed and without
        rows for a table that was never written), and the table ``lake.table_versions``, which says what was read.

        Args:
            tables: The lake.
            names: Tables of the catalogue.

        Returns:
            The path; it goes to :meth:`publish` or :meth:`discard`.

        Raises:
            UnknownTable: when a name is not in the catalogue.
        """
        for name in names:
            known_table(name)
        path = self.folder / "builds" / uuid.uuid4().hex / FILE
        path.parent.mkdir(parents=True)
        try:
            with duckdb.connect(str(path)) as connection:
                connection.execute("create schema lake")
                connection.execute(_TABLE_VERSIONS)
                for name in names:
                    snapshot = tables.delta(name).snapshot()
                    connection.execute(tables.to_duckdb_view_sql(name, f'lake."{name}"'))
                    version, rows = (snapshot.version, snapshot.rows) if snapshot is not None else (None, 0)
                    connection.execute(
                        "insert into lake.table_versions values (?, ?, ?, ?)", [name, version, rows, self._clock()]
                    )
        except BaseException:
            self.discard(path)
            raise
        return path

    @contextmanager
    def build(self, tables: Tables, names: Sequence[str]) -> Iterator[Path]:
        """A build that is published when the block ends well, and thrown away when it raises."""
        path = self.prepare_build(tables, names)
        try:
            yield path
        except BaseException:
            self.discard(path)
            raise
        self.publish(path)

    def discard(self, path: Path) -> None:
        """Throw a build away, with everything that lies beside it in its folder.

        Raises:
            NotPublishable: when ``path`` is not a build of this warehouse.
        """
        shutil.rmtree(self._build_folder(path), ignore_errors=True)

    def publish(self, path: Path) -> int:
        """Make a finished build the newest version; those who hold an older one open keep it undisturbed.

        Args:
            path: From :meth:`prepare_build`; nobody may have it open any more.

        Returns:
            The version, one more than the newest.

        Raises:
            NotPublishable: when the build is open somewhere, or no DuckDB file; what was published before stays.
            StorageFull, StorageFailed: when the disk fails; what was published before stays.
        """
        folder = self._build_folder(path)
        _close_the_books(path)
        try:
            with exclusive(self.folder / ".lock"):
                version = max((one.version for one in self.versions()), default=0) + 1
                target = self.folder / "versions" / f"{version:06d}"
                # A folder without a file is what a killed publisher leaves; it counts for nothing.
                target.mkdir(parents=True, exist_ok=True)
                path.rename(target / FILE)
                os.utime(target / FILE, times=(self._clock().timestamp(),) * 2)
                fsync(target / FILE)
                fsync(target)
                self._swap(target / FILE)
                self._prune(version)
        except OSError as error:
            raise storage_error(error, "publishing the warehouse") from error
        shutil.rmtree(folder, ignore_errors=True)
        return version

    # -- reading ----------------------------------------------------------------------------------------------------
    def versions(self) -> list[Published]:
        """What is published, the newest first."""
        found = []
        for path in (self.folder / "versions").glob(f"*/{FILE}"):
            with suppress(FileNotFoundError, ValueError):
                stat = path.stat()
                published_at = dt.datetime.fromtimestamp(stat.st_mtime, dt.UTC)
                found.append(Published(int(path.parent.name), path, published_at, stat.st_size))
        return sorted(found, key=lambda one: one.version, reverse=True)

    def current(self) -> Published:
        """The version that the link leads to.

        Raises:
            NothingPublished: when there is none.
        """
        try:
            real = Path(os.path.realpath(self.link, strict=True))
            stat = real.stat()
        except FileNotFoundError as error:
            raise NothingPublished("No warehouse has been published yet; run the marts first.") from error
        published_at = dt.datetime.fromtimestamp(stat.st_mtime, dt.UTC)
        return Published(int(real.parent.name), real, published_at, stat.st_size)

    def connect(self, config: Mapping[str, Any] | None = None) -> duckdb.DuckDBPyConnection:
        """A read-only connection to the newest version; it keeps that version however many are published after it.

        The link is resolved first: DuckDB would take a second connection to the same path for the first one's file. Times
        are shown in UTC.

        Args:
            config: DuckDB settings; all connections of one process to one version must have the same.

        Raises:
            NothingPublished: when there is no version.
        """
        return self._open(config)[1]

    def query(self, sql: str, parameters: Sequence[Any] = (), *, max_rows: int = 1_000) -> Result:
        """Answer one question on the newest version.

        Args:
            sql: One SELECT (or WITH, FROM, VALUES, DESCRIBE, SUMMARIZE, SHOW) statement.
            parameters: Values for its question marks.
            max_rows: Rows to return at most.

        Raises:
            NotReadOnly: for any other kind of statement, or for several.
            NothingPublished: when there is no version.
            duckdb.Error: when DuckDB refuses the statement; its message names the place.
        """
        started = time.perf_counter()
        version, opened = self._open(None)
        with opened as connection:
            statements = connection.extract_statements(sql)
            if [statement.type for statement in statements] != [duckdb.StatementType.SELECT]:
                raise NotReadOnly("Only one SELECT statement can be asked; the warehouse is read-only.")
            relation = connection.sql(sql, params=list(parameters)) if parameters else connection.sql(sql)
            rows = relation.limit(max_rows + 1).to_arrow_table()
        return Result(rows.slice(0, max_rows), rows.num_rows > max_rows, version, time.perf_counter() - started)

    # -- inside -----------------------------------------------------------------------------------------------------
    def _open(self, config: Mapping[str, Any] | None) -> tuple[int, duckdb.DuckDBPyConnection]:
        for _ in range(5):
            found = self.current()
            try:
                connection = duckdb.connect(str(found.path), read_only=True, config=dict(config or {}))
            except duckdb.IOException:
                if found.path.exists():
                    raise
                continue  # deleted between the two steps by a publisher that is far ahead: look the link up again
            connection.execute("set TimeZone = 'UTC'")
            return found.version, connection
        raise NothingPublished("The newest warehouse version disappeared while it was opened; try again.")

    def _build_folder(self, path: Path) -> Path:
        if path.name != FILE or path.parent.parent != self.folder / "builds":
            raise NotPublishable(f"{path.name} is not a build of this warehouse.")
        return path.parent

    def _swap(self, target: Path) -> None:
        new = self.folder / f".{uuid.uuid4().hex}.link"
        try:
            new.symlink_to(target.relative_to(self.folder))
            new.replace(self.link)
        finally:
            new.unlink(missing_ok=True)
        fsync(self.folder)

    def _prune(self, newest: int) -> None:
        """Delete versions beyond those kept once their grace is over, and builds that nobody will publish."""
        now, versions = self._clock(), self.versions()
        for at, old in enumerate(versions):
            # A version was replaced when the next one was published.
            if old.version != newest and at >= self._kept and now - versions[at - 1].published_at >= self._grace:
                shutil.rmtree(old.path.parent, ignore_errors=True)
        for folder in (self.folder / "builds").glob("*"):
            with suppress(FileNotFoundError):
                touched = max(item.stat().st_mtime for item in (folder, *folder.iterdir()))
                if now.timestamp() - touched > ABANDONED.total_seconds():
                    shutil.rmtree(folder, ignore_errors=True)


def _close_the_books(path: Path) -> None:
    """Move everything from the write-ahead log into the file, which then is complete by itself."""
    if not path.is_file():
        raise NotPublishable("The build has no DuckDB file; nothing was published.")
    try:
        with duckdb.connect(str(path)) as connection:
            connection.execute("checkpoint")
            connection.execute("select count(*) from duckdb_tables()").fetchone()
    except duckdb.Error as error:
        raise NotPublishable(f"The build cannot be published: {str(error).splitlines()[0]}") from error
    if path.with_name(f"{path.name}.wal").exists():
        raise NotPublishable("The build is still being written: it has a write-ahead log; nothing was published.")
