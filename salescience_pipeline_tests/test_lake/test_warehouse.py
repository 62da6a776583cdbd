"""A version appears at once and whole, disturbs nobody who reads an older one, and never appears when it is not finished."""

from __future__ import annotations

import datetime as dt
import shutil
import signal
from pathlib import Path

import duckdb
import pytest

from salescience_pipeline.catalog.tables import TABLES
from salescience_pipeline.lake.errors import NothingPublished, NotPublishable, UnknownTable
from salescience_pipeline.lake.tables import Tables
from salescience_pipeline.lake.warehouse import NotReadOnly, Warehouse
from salescience_pipeline_tests.clocks import Clock
from salescience_pipeline_tests.test_lake.rows import NOW, PRICES, finish, price, start, table


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    tables = Tables(tmp_path / "lake")
    tables.write(PRICES, table(PRICES, [price("A"), price("B")]))
    return tables


def publish(warehouse: Warehouse, tables: Tables, number: int) -> int:
    path = warehouse.prepare_build(tables, list(TABLES))
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table told as select ? as number", [number])
    return warehouse.publish(path)


def told(connection: duckdb.DuckDBPyConnection) -> int:
    ((number,),) = connection.sql("select number from told").fetchall()
    return int(number)


def test_a_build_shows_every_table_and_says_what_it_read(tmp_path: Path, tables: Tables) -> None:
    warehouse = Warehouse(tmp_path / "warehouse", clock=lambda: NOW)
    path = warehouse.prepare_build(tables, list(TABLES))
    with duckdb.connect(str(path)) as connection:
        assert connection.sql(f"select count(*) from lake.{PRICES}").fetchall() == [(2,)]
        views = connection.sql("select view_name from duckdb_views() where schema_name = 'lake'").fetchall()
        assert {name for (name,) in views} == set(TABLES)
        for name in TABLES:
            columns = [row[0] for row in connection.sql(f"describe lake.{name}").fetchall()]
            assert columns == TABLES[name].schema.names
        versions = dict(
            connection.sql("select table_name, (version, rows) from lake.table_versions").fetchall(),
        )
    assert versions[PRICES] == (1, 2)
    assert versions["core_sec__facts"] == (None, 0)
    with pytest.raises(NothingPublished):
        warehouse.connect()
    warehouse.discard(path)
    assert not path.parent.exists()
    with pytest.raises(UnknownTable):
        warehouse.prepare_build(tables, ["core_sec__nothing"])
    assert list((warehouse.folder / "builds").iterdir()) == []


def test_views_that_name_their_database_survive_publication(tmp_path: Path, tables: Tables) -> None:
    """What dbt does: it writes the database's name, which DuckDB takes from the file's, into the views it creates."""
    warehouse = Warehouse(tmp_path / "warehouse")
    with warehouse.build(tables, [PRICES]) as path, duckdb.connect(str(path)) as connection:
        ((database,),) = connection.sql("select current_database()").fetchall()
        connection.execute("create schema staging")
        connection.execute(f'create view "{database}".staging.p as select * from "{database}".lake.{PRICES}')
    assert warehouse.query("select count(*) as n from staging.p").rows.to_pylist() == [{"n": 2}]
    with duckdb.connect(str(warehouse.link), read_only=True) as connection:
        assert connection.sql("select count(*) from staging.p").fetchall() == [(2,)]


def test_a_reader_keeps_its_version_while_others_are_published(tmp_path: Path, tables: Tables) -> None:
    clock = Clock(NOW)
    warehouse = Warehouse(tmp_path / "warehouse", clock)
    assert publish(warehouse, tables, 1) == 1
    held = warehouse.connect()
    for number in range(2, 8):
        clock.now += dt.timedelta(hours=1)
        assert publish(warehouse, tables, number) == number
        with warehouse.connect() as fresh:
            assert told(fresh) == number
        assert told(held) == 1
    assert [one.version for one in warehouse.versions()] == [7, 6, 5]
    assert not (warehouse.folder / "versions" / "000001").exists()
    assert told(held) == 1
    held.close()


def test_replaced_versions_stay_for_their_grace(tmp_path: Path, tables: Tables) -> None:
    clock = Clock(NOW)
    warehouse = Warehouse(tmp_path / "warehouse", clock, kept=1, grace=dt.timedelta(minutes=10))
    for number in (1, 2):
        publish(warehouse, tables, number)
    clock.now += dt.timedelta(minutes=9)
    publish(warehouse, tables, 3)
    assert [one.version for one in warehouse.versions()] == [3, 2, 1]
    clock.now += dt.timedelta(minutes=2)
    publish(warehouse, tables, 4)
    # 1 was replaced 11 minutes ago, 2 only 2 minutes ago.
    assert [one.version for one in warehouse.versions()] == [4, 3, 2]


def test_nothing_but_the_file_is_published(tmp_path: Path, tables: Tables) -> None:
    warehouse = Warehouse(tmp_path / "warehouse")
    path = warehouse.prepare_build(tables, [PRICES])
    (path.parent / "target").mkdir()
    (path.parent / "target" / "run_results.json").write_text("{}")
    warehouse.publish(path)
    assert [item.name for item in warehouse.current().path.parent.iterdir()] == ["warehouse.duckdb"]
    assert list((warehouse.folder / "builds").iterdir()) == []
    assert str(warehouse.link.readlink()) == "versions/000001/warehouse.duckdb"
    moved = tmp_path / "moved"
    shutil.move(warehouse.folder, moved)
    assert Warehouse(moved).current().version == 1


def test_a_build_that_fails_is_thrown_away(tmp_path: Path, tables: Tables) -> None:
    warehouse = Warehouse(tmp_path / "warehouse")
    publish(warehouse, tables, 1)

    def red() -> None:
        with warehouse.build(tables, [PRICES]):
            raise RuntimeError("a dbt test is red")

    with pytest.raises(RuntimeError):
        red()
    assert warehouse.current().version == 1
    assert list((warehouse.folder / "builds").iterdir()) == []


def test_what_is_no_finished_build_is_not_published(tmp_path: Path, tables: Tables) -> None:
    warehouse = Warehouse(tmp_path / "warehouse")
    publish(warehouse, tables, 1)
    path = warehouse.prepare_build(tables, [PRICES])
    path.write_bytes(b"this is no database" * 1000)
    with pytest.raises(NotPublishable):
        warehouse.publish(path)
    path.unlink()
    with pytest.raises(NotPublishable):
        warehouse.publish(path)
    elsewhere = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(elsewhere)) as connection:
        connection.execute("create table x as select 1")
    for foreign in (elsewhere, warehouse.link, warehouse.current().path):
        with pytest.raises(NotPublishable):
            warehouse.publish(foreign)
        with pytest.raises(NotPublishable):
            warehouse.discard(foreign)
    assert warehouse.current().version == 1
    assert elsewhere.exists()


def test_a_build_that_another_process_still_writes_is_not_published(tmp_path: Path, tables: Tables) -> None:
    warehouse = Warehouse(tmp_path / "warehouse")
    path = warehouse.prepare_build(tables, [PRICES])
    writer = start("hold_open", path)
    assert writer.stdout is not None
    assert writer.stdout.readline().strip() == "open"
    with pytest.raises(NotPublishable):
        warehouse.publish(path)
    writer.kill()
    writer.communicate()
    # The killed writer's log is part of the build: it is folded in, and nothing is left beside the file.
    assert path.with_name(f"{path.name}.wal").exists()
    warehouse.publish(path)
    assert [item.name for item in warehouse.current().path.parent.iterdir()] == ["warehouse.duckdb"]
    assert warehouse.query("select count(*) as n from written").rows.to_pylist() == [{"n": 1000}]


def test_publishers_and_readers_do_not_disturb_each_other(tmp_path: Path, tables: Tables) -> None:
    warehouse = Warehouse(tmp_path / "warehouse")
    publishers = [start("publish", tables.layout.root, warehouse.folder, 6) for _ in range(3)]
    seen: list[int] = []
    while any(publisher.poll() is None for publisher in publishers):
        try:
            result = warehouse.query("select count(*) as n, count(distinct number) as numbers from told")
        except NothingPublished:
            assert not seen
            continue
        assert result.rows.to_pylist() == [{"n": 1000, "numbers": 1}]
        seen.append(result.version)
    for publisher in publishers:
        finish(publisher)
    assert seen == sorted(seen)
    assert warehouse.current().version == 18
    assert not list(warehouse.folder.rglob("*.wal"))


def test_a_killed_publisher_leaves_the_last_version_and_its_rest_is_swept(tmp_path: Path, tables: Tables) -> None:
    clock = Clock(dt.datetime.now(dt.UTC))
    warehouse = Warehouse(tmp_path / "warehouse", clock)
    for lines in (1, 2, 3):
        publisher = start("publish", tables.layout.root, warehouse.folder, 1000)
        assert publisher.stdout is not None
        for _ in range(lines):
            publisher.stdout.readline()
        publisher.send_signal(signal.SIGKILL)
        publisher.communicate()
        version = warehouse.current().version
        assert version >= lines
        assert warehouse.query("select count(*) as n from told").rows.to_pylist() == [{"n": 1000}]
    (warehouse.folder / "versions" / f"{warehouse.current().version + 1:06d}").mkdir(exist_ok=True)
    left = warehouse.prepare_build(tables, [PRICES]).parent
    publish(warehouse, tables, 1)
    assert left.exists()
    clock.now += dt.timedelta(hours=25)
    publish(warehouse, tables, 2)
    assert not left.exists()
    assert list((warehouse.folder / "builds").iterdir()) == []


@pytest.mark.parametrize(
    "sql",
    [
        "create table x as select 1",
        "delete from told",
        "attach 'x.duckdb' as y",
        "copy told to 'x.csv'",
        "install httpfs",
        "load httpfs",
        "set threads = 1",
        "select 1; select 2",
        "select 1; drop table told",
        "pragma database_list",
        "checkpoint",
        "",
    ],
)
def test_only_one_question_can_be_asked(tmp_path: Path, tables: Tables, sql: str) -> None:
    warehouse = Warehouse(tmp_path / "warehouse")
    publish(warehouse, tables, 1)
    with pytest.raises(NotReadOnly):
        warehouse.query(sql)
    with warehouse.connect() as connection, pytest.raises(duckdb.Error):
        connection.execute("create table x as select 1")


def test_a_query_is_capped_takes_parameters_and_shows_utc(tmp_path: Path, tables: Tables) -> None:
    warehouse = Warehouse(tmp_path / "warehouse")
    publish(warehouse, tables, 1)
    result = warehouse.query("select range as r from range(100) order by r desc", max_rows=3)
    assert (result.rows["r"].to_pylist(), result.truncated, result.version) == ([99, 98, 97], True, 1)
    exact = warehouse.query("from range(3)", max_rows=3)
    assert (exact.rows.num_rows, exact.truncated) == (3, False)
    found = warehouse.query(f"select ticker from lake.{PRICES} where ticker = ?", ["B"])
    assert found.rows.to_pylist() == [{"ticker": "B"}]
    assert warehouse.query("select timestamptz '2026-01-01 00:00:00+02' :: varchar as t").rows.to_pylist() == [
        {"t": "2025-12-31 22:00:00+00"}
    ]
    assert warehouse.query("describe told").rows.num_rows == 1
    with pytest.raises(duckdb.Error):
        warehouse.query("select nothing from nowhere")
