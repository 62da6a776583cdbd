"""Housekeeping changes files and never rows, whoever writes or reads meanwhile."""

from __future__ import annotations

import datetime as dt
import os
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salescience_pipeline.catalog.tables import TABLES
from salescience_pipeline.clients.model import AnswerClass
from salescience_pipeline.lake import maintenance
from salescience_pipeline.lake.archive import EMPTY_SHA256, Archive
from salescience_pipeline.lake.errors import UnknownTable
from salescience_pipeline.lake.maintenance import ANSWERS, checkpoint, compact, export_audit, maintain, vacuum
from salescience_pipeline.lake.tables import Slice, Tables
from salescience_pipeline_tests.test_lake.rows import FACTS, PRICES, attempt, days, fact, finish, price, start, table


def many_facts(first_cik: int, companies: int, facts: int) -> pa.Table:
    """Rows made without a Python object per row."""
    count = companies * facts
    one = table(FACTS, [fact(1, "x", None, 1.0)])
    columns = {name: one[name].take(pa.array([0] * count)) for name in one.schema.names}
    columns["cik"] = pa.array([f"{first_cik + number // facts:010d}" for number in range(count)])
    columns["concept"] = pa.array([f"C{number % facts:06d}" for number in range(count)])
    return pa.table(columns, schema=one.schema)


def test_overlapping_files_become_ranges_and_rows_stay(tmp_path: Path) -> None:
    tables = Tables(tmp_path)
    for start_at in range(3):
        # Every batch spans all companies: its range meets the others'.
        rows = many_facts(1, 60, 4_000)
        mine = pa.array([number % 3 == start_at for number in range(rows.num_rows)])
        tables.write(FACTS, rows.filter(mine))
    before = tables.read(FACTS)
    assert len(tables.file_uris(FACTS)) == 3
    done = compact(tables, FACTS)
    snapshot = tables.delta(FACTS).snapshot()
    assert snapshot is not None
    assert (done.files_before, done.files_after, len(snapshot.files)) == (3, 2, 2)
    ranges = sorted(file.range_of("cik") for file in snapshot.files)  # type: ignore[type-var]
    assert ranges[0][1] < ranges[1][0]
    assert all(file.rows <= TABLES[FACTS].file_rows for file in snapshot.files)
    assert tables.read(FACTS).equals(before)
    assert compact(tables, FACTS).version == done.version
    assert compact(tables, FACTS, full=True).version == done.version
    assert tables.history(FACTS, 1)[0].note["mode"] == "compact"


def test_a_short_tail_is_merged_alone_until_it_is_worth_more(tmp_path: Path) -> None:
    tables = Tables(tmp_path)
    tables.write(FACTS, many_facts(1, 50, 2_400))
    (large,) = tables.file_uris(FACTS)
    for batch in range(2):
        # Large enough to be left alone by the next write, small against the whole.
        tables.write(FACTS, many_facts(1_000 + batch * 10, 1, 500))
    assert compact(tables, FACTS).files_after == 2
    assert large in tables.file_uris(FACTS)
    tables.write(FACTS, many_facts(2_000, 1, 3_000))
    assert large in tables.file_uris(FACTS)
    compact(tables, FACTS)
    assert large not in tables.file_uris(FACTS)
    assert len(tables.file_uris(FACTS)) == 1
    assert tables.duplicate_keys(FACTS) == []


@given(st.lists(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), unique=True, max_size=8), max_size=6))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_table_is_the_same_after_maintenance(tmp_path: Path, batches: list[list[tuple[int, int]]]) -> None:
    tables = Tables(tmp_path / os.urandom(8).hex())
    for number, batch in enumerate(batches):
        tables.write(PRICES, table(PRICES, [price(f"T{t}", days(10)[d], float(number)) for t, d in batch]))
    before = tables.read(PRICES)
    maintain(tables, PRICES)
    assert tables.read(PRICES).equals(before)
    assert Tables(tables.layout.root).read(PRICES).equals(before)
    assert len(tables.file_uris(PRICES)) <= 1


def test_maintenance_of_nothing_does_nothing(tmp_path: Path) -> None:
    tables = Tables(tmp_path)
    assert compact(tables, PRICES).version is None
    assert vacuum(tables, PRICES) == 0
    checkpoint(tables, PRICES)
    assert not tables.exists(PRICES)
    with pytest.raises(UnknownTable):
        compact(tables, "core_sec__nothing")


def test_a_writer_in_between_is_not_overwritten(tmp_path: Path) -> None:
    """The files to replace were replaced by a writer: the rewriting starts again from what is there now."""

    class Interrupted(Tables):
        def delta(self, table_name: str) -> Any:
            delta = super().delta(table_name)
            if self.interruptions:
                self.interruptions -= 1
                write_files = delta.write_files

                def late(rows: pa.Table) -> Any:
                    delta.write_files = write_files
                    added = write_files(rows)
                    pending, self.interruptions = self.interruptions, 0
                    self.write(PRICES, table(PRICES, [price("A", close=100.0 + pending)]))
                    self.interruptions = pending
                    return added

                delta.write_files = late
            return delta

        interruptions = 0

    tables = Interrupted(tmp_path)
    tables.write(PRICES, table(PRICES, [price("A"), price("B")]))
    from deltalake import write_deltalake

    write_deltalake(tables.uri(PRICES), table(PRICES, [price("C")]), mode="append")
    tables.interruptions = 1
    done = compact(tables, PRICES)
    found = dict(zip(*(tables.read(PRICES)[name].to_pylist() for name in ("ticker", "close")), strict=True))
    assert found == {"A": 100.0, "B": 10.0, "C": 10.0}
    assert done.files_after == 1
    on_disk = {str(path) for path in Path(tables.uri(PRICES)).glob("part-*.parquet")}
    assert set(tables.file_uris(PRICES)) <= on_disk
    assert tables.duplicate_keys(PRICES) == []


def test_maintenance_beside_writers_loses_nothing(tmp_path: Path) -> None:
    tables = Tables(tmp_path)
    writers = [start("write_days", tmp_path, f"W{number}", 25) for number in range(2)]
    while any(writer.poll() is None for writer in writers):
        compact(tables, PRICES, full=True)
        checkpoint(tables, PRICES)
        vacuum(tables, PRICES)
    for writer in writers:
        finish(writer)
    assert tables.row_count(PRICES) == 50
    assert tables.duplicate_keys(PRICES) == []
    assert all(Path(uri).exists() for uri in tables.file_uris(PRICES))


def test_only_what_is_dead_for_longer_than_the_grace_is_deleted(tmp_path: Path) -> None:
    tables = Tables(tmp_path)
    tables.write(PRICES, table(PRICES, [price("A")]))
    (replaced,) = tables.file_uris(PRICES)
    tables.write(PRICES, table(PRICES, [price("B")]), Slice())
    folder = Path(tables.uri(PRICES))
    for name, age in (("part-killed.parquet", 30), ("part-busy.parquet", 1)):
        (folder / name).write_bytes(b"half")
        os.utime(folder / name, times=(time.time() - age * 3600,) * 2)
    assert vacuum(tables, PRICES) == 1
    assert Path(replaced).exists()
    assert not (folder / "part-killed.parquet").exists()
    assert (folder / "part-busy.parquet").exists()
    assert tables.read(PRICES)["ticker"].to_pylist() == ["B"]
    for grace in (dt.timedelta(hours=23, minutes=59), dt.timedelta(0)):
        with pytest.raises(ValueError, match="24 hours"):
            vacuum(tables, PRICES, grace)


def test_the_audit_is_copied_once_and_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "_EXPORTED", 4)
    tables = Tables(tmp_path)
    with Archive(tmp_path) as archive:
        assert export_audit(archive, tables) is None
        for number in range(9):
            archive.put(attempt(f"/{number}", b"x" * (70_000 if number == 3 else number)), "run", None)
        archive.put(
            attempt("/failed", None, answer_class=AnswerClass.TRANSIENT, complete=False, error="The host hung up."),
            "run",
            "acme",
        )
        export_audit(archive, tables)
        assert export_audit(archive, tables) is None
        archive.put(attempt("/more"), "run", None)
        commit = export_audit(archive, tables)
        assert commit is not None
        assert commit.added == 1
        rows = tables.read(ANSWERS).to_pylist()
        assert [row["answer_no"] for row in rows] == list(range(1, 12))
        assert rows[3]["archive_path"] == archive.layout.relative(archive.layout.blob(rows[3]["raw_sha256"]))
        assert (rows[4]["archive_path"], rows[4]["bytes"], rows[4]["etag"]) == (None, 4, '"1"')
        failed = rows[9]
        assert (failed["raw_sha256"], failed["error"], failed["http_status"]) == (
            EMPTY_SHA256,
            "The host hung up.",
            None,
        )
        assert (failed["organization_id"], failed["is_complete"], failed["source"]) == ("acme", False, "sec")
