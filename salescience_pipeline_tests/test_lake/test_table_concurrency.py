"""Tables with several writers: foreign writers, several processes, kills and full disks; nothing acknowledged is lost."""

from __future__ import annotations

import datetime as dt
import time
from pathlib import Path
from typing import Any

import duckdb
import pytest
from deltalake import DeltaTable, write_deltalake

from salescience_pipeline.lake import errors
from salescience_pipeline.lake.delta import CHECKPOINT_EVERY
from salescience_pipeline.lake.tables import Tables, Where
from salescience_pipeline_tests.test_lake.rows import DAY, PRICES, closes, finish, price, start, table


def test_duplicate_keys_made_by_others_are_found(tmp_path: Path) -> None:
    tables = Tables(tmp_path)
    rows = table(PRICES, [price("A"), price("B")])
    tables.write(PRICES, rows)
    assert tables.duplicate_keys(PRICES) == []
    write_deltalake(tables.uri(PRICES), rows.slice(1), mode="append")
    assert tables.duplicate_keys(PRICES) == [{"source": "test", "ticker": "B", "trade_date": DAY}]
    assert tables.duplicate_keys(PRICES, where=Where(values={"ticker": ["A"]})) == []
    assert len(tables.duplicate_keys(PRICES, where=Where(values={"ticker": ["B"]}))) == 1


def test_a_foreign_commit_in_between_is_noticed_and_the_write_computed_again(tmp_path: Path) -> None:
    """A writer that does not know our lock commits while we prepare: the key must stay unique all the same."""

    class Interrupted(Tables):
        interruptions = 0

        def _attempt(self, delta: Any, *rest: Any) -> Any:
            if self.interruptions:
                self.interruptions -= 1
                commit = delta.commit

                def late(*arguments: Any, **options: Any) -> int:
                    delta.commit = commit
                    write_deltalake(self.uri(PRICES), table(PRICES, [price(f"F{self.interruptions}")]), mode="append")
                    return int(commit(*arguments, **options))

                delta.commit = late
            return super()._attempt(delta, *rest)

    waits: list[float] = []
    tables = Interrupted(tmp_path, sleep=waits.append)
    tables.write(PRICES, table(PRICES, [price("A")]))
    tables.interruptions = 3
    assert tables.write(PRICES, table(PRICES, [price("B"), price("F0")])).added == 1
    assert closes(tables).keys() == {(ticker, DAY) for ticker in ("A", "B", "F0", "F1", "F2")}
    assert len(waits) == 3
    assert all(0 <= wait <= 1 for wait in waits)
    on_disk = {path.name for path in Path(tables.uri(PRICES)).glob("*.parquet")}
    tables.interruptions = 10**6
    with pytest.raises(errors.WriteConflict, match=PRICES):
        tables.write(PRICES, table(PRICES, [price("C")]))
    left = {path.name for path in Path(tables.uri(PRICES)).glob("*.parquet")} - on_disk
    assert left
    assert all(name.startswith("part-00000-") for name in left), "only the foreign writer's files are new"


def test_a_commit_whose_end_failed_keeps_its_files(tmp_path: Path) -> None:
    """The entry of the log is there although an error was raised: deleting the files would break the table."""

    class Ambiguous(DeltaTable):
        def create_write_transaction(self, *arguments: Any, **options: Any) -> None:
            super().create_write_transaction(*arguments, **options)
            raise OSError("disk trouble after the commit (os error 28)")

    tables = Tables(tmp_path)
    tables.write(PRICES, table(PRICES, [price("A")]))
    tables.delta(PRICES)._opened = Ambiguous(tables.uri(PRICES))
    assert tables.write(PRICES, table(PRICES, [price("B")])).added == 1
    assert Tables(tmp_path).read(PRICES)["ticker"].to_pylist() == ["A", "B"]


def test_the_log_is_shortened_while_it_grows(tmp_path: Path) -> None:
    tables = Tables(tmp_path)
    for number in range(CHECKPOINT_EVERY + 2):
        tables.write(PRICES, table(PRICES, [price("A", close=float(number))]))
    assert len(list(Path(tables.uri(PRICES)).glob("_delta_log/*.checkpoint.parquet"))) == 1
    assert Tables(tmp_path).read(PRICES)["close"].to_pylist() == [CHECKPOINT_EVERY + 1.0]


def test_four_processes_write_one_table_while_one_reads(tmp_path: Path) -> None:
    tables = Tables(tmp_path)
    tickers = [f"S{number}" for number in range(10)]
    tables.write(PRICES, table(PRICES, [price(ticker, close=1000.0) for ticker in tickers]))
    writers = [start("write_days", tmp_path, f"W{number}", 15) for number in range(2)]
    writers += [start("write_shared", tmp_path, number, 15) for number in (1, 2)]
    while any(writer.poll() is None for writer in writers):
        shared = tables.read(PRICES, Where(values={"ticker": tickers}))
        assert shared.num_rows == 10
        assert len(set(shared["close"].to_pylist())) == 1
        with duckdb.connect() as connection:
            connection.execute(tables.to_duckdb_view_sql(PRICES))
            query = f"select count(*), count(distinct close) from {PRICES} where ticker like 'S%'"
            assert connection.sql(query).fetchall() == [(10, 1)]
    for writer in writers:
        finish(writer)
    assert tables.row_count(PRICES) == 2 * 15 + 10
    assert tables.duplicate_keys(PRICES) == []


def test_two_processes_that_insert_the_same_keys_leave_each_once(tmp_path: Path) -> None:
    for writer in [start("upsert_same", tmp_path, 8) for _ in range(3)]:
        finish(writer)
    tables = Tables(tmp_path)
    assert tables.row_count(PRICES) == 8 * 20
    assert tables.duplicate_keys(PRICES) == []


def test_what_was_acknowledged_survives_kill_nine(tmp_path: Path) -> None:
    acknowledged: set[tuple[str, dt.date]] = set()
    for kill in range(8):
        writer = start("write_days", tmp_path, f"K{kill}", 10_000)
        assert writer.stdout is not None
        lines = [writer.stdout.readline() for _ in range(1 + kill)]
        time.sleep(0.003 * kill)
        writer.kill()
        lines += writer.communicate()[0].splitlines()
        acknowledged |= {(f"K{kill}", dt.date.fromisoformat(line.strip())) for line in lines}
    tables = Tables(tmp_path)
    stored = closes(tables)
    assert acknowledged <= stored.keys()
    assert len(stored) <= len(acknowledged) + 8
    assert tables.duplicate_keys(PRICES) == []
    assert all(Path(uri).exists() for uri in tables.file_uris(PRICES))
    tables.write(PRICES, table(PRICES, [price("AFTER")]))


@pytest.mark.parametrize("limit", [100, 3_000, 30_000])
def test_a_full_disk_is_an_error_and_nothing_is_visible(tmp_path: Path, limit: int) -> None:
    assert finish(start("write_limited", tmp_path, limit, 2_000)).split() == ["StorageFull"]
    tables = Tables(tmp_path)
    assert tables.read(PRICES)["ticker"].to_pylist() == ["BEFORE"]
    assert {str(path) for path in Path(tables.uri(PRICES)).glob("*.parquet")} == set(tables.file_uris(PRICES))
    tables.write(PRICES, table(PRICES, [price("AFTER")]))
    assert tables.row_count(PRICES) == 2
