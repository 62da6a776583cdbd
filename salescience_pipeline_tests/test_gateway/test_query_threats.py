"""Somebody else's SQL against the walls of the query worker, one by one and all together (features.md, threat row 5)."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from salescience_pipeline.gateway.query_pool import Asked, Limits, Workers
from salescience_pipeline.gateway.query_worker import Question, Refused, check, line_of, open_warehouse
from salescience_pipeline.lake.warehouse import Warehouse
from salescience_pipeline.settings import Settings
from salescience_pipeline_tests.test_gateway.published import publish


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published version, with a secret and a link to it in the same folder."""
    settings = Settings(home=tmp_path_factory.mktemp("home"))
    publish(settings, lambda connection: connection.execute("insert into mart_quotes__latest (ticker) values ('AAPL')"))
    path = Warehouse(settings.warehouse_dir).current().path
    (path.parent / "secret.csv").write_text("secret\n")
    (path.parent / "link.csv").symlink_to("/etc/passwd")
    return path


@pytest.fixture
def workers() -> Iterator[Workers]:
    """Workers with the usual limits, but two seconds of processor time."""
    made = Workers(Limits(wall_seconds=20, cpu_seconds=2))
    yield made
    made.close()


_SELECTS = {
    "read_text": "select * from read_text('/etc/passwd')",
    "read_blob": "select * from read_blob('/etc/passwd')",
    "read_csv": "select * from read_csv('/etc/passwd')",
    "read_json": "select * from read_json('/etc/passwd')",
    "read_parquet": "select * from read_parquet('x.parquet')",
    "scalar subquery": "select (select content from read_text('/etc/passwd'))",
    "inside a CTE": "with a as (select * from read_text('/etc/passwd')) select * from a",
    "inside EXISTS": "select 1 where exists (select * from glob('/*'))",
    "inside LATERAL": "select * from range(3) t(i), lateral (select * from glob('/*'))",
    "glob": "select * from glob('/etc/*')",
    "file by name": "select * from '/etc/passwd'",
    "file beside": "select * from 'secret.csv'",
    "dot dot": "select * from '../../warehouse.duckdb'",
    "symlink": "select * from 'link.csv'",
    "http": "select * from 'http://127.0.0.1:1/x.csv'",
    "s3": "select * from 's3://bucket/x.parquet'",
    "another database": "select * from other.main.t",
    "python variable": "select * from warehouse_rows",
    "query function": "select * from query('select * from duckdb_views()')",
    "query_table function": "select * from query_table('duckdb_views')",
    "settings": "select * from duckdb_settings()",
    "secrets": "select * from duckdb_secrets()",
    "view definitions": "select sql from duckdb_views",
    "view definitions, standard": "select view_definition from information_schema.views",
    "view definitions, sqlite": "select * from sqlite_master",
    "view definitions, postgres": "select * from pg_catalog.pg_views",
    "paths": "select path from pragma_database_list",
    "paths by function": "select * from duckdb_databases()",
    "lake view": "select * from lake.core_sec__filings",
    "staging view": "select * from staging.stg_sec__filings",
    "whole name of a lake view": "select * from warehouse.lake.core_sec__filings",
    "CTE that hides a system view": "select * from (with duckdb_views as (select 1) select 1), duckdb_views",
    "quoted and upper case": 'select * from "DUCKDB_VIEWS"',
    "comment in between": "select * from/**/read_text/**/('/etc/passwd')",
    "SHOW": "show all tables",
    "SUMMARIZE": "summarize select * from read_text('/etc/passwd')",
    "DESCRIBE": "describe select * from read_text('/etc/passwd')",
}
_STATEMENTS = {
    "attach": "attach '/etc/passwd' as a",
    "install": "install httpfs",
    "load": "load httpfs",
    "copy to": "copy (select 1) to '/tmp/x.csv'",
    "copy from": "copy mart_quotes__latest from '/etc/passwd'",
    "export": "export database '/tmp/x'",
    "import": "import database '/tmp/x'",
    "set": "set memory_limit='10GB'",
    "set global": "set global enable_external_access=true",
    "reset": "reset memory_limit",
    "reset all": "reset lock_configuration",
    "pragma": "pragma enable_external_access=true",
    "pragma list": "pragma database_list",
    "call": "call duckdb_views()",
    "explain": "explain select 1",
    "create": "create table t as select 1",
    "temporary": "create temp table t as select 1",
    "macro": "create temp macro m() as 1",
    "secret": "create secret (type s3)",
    "insert": "insert into mart_quotes__latest (ticker) values ('X')",
    "delete": "delete from mart_quotes__latest",
    "drop": "drop table mart_quotes__latest",
    "prepare": "prepare p as select 1",
    "set variable": "set variable x = 1",
    "use": "use system",
    "checkpoint": "checkpoint",
    "vacuum": "vacuum",
    "detach": "detach warehouse",
    "two": "select 1; select 2",
    "second behind a comment": "select 1; /* ; */ drop table mart_quotes__latest",
    "second behind a line comment": "select 1 -- \n; set memory_limit='10GB'",
    "nothing": "-- only a comment",
    "transaction": "begin; select 1",
    "pivot that creates a type": "pivot mart_quotes__latest on ticker using count(*)",
}


@pytest.mark.parametrize("sql", _SELECTS.values(), ids=_SELECTS.keys())
def test_003_45_threat_5_a_question_reads_nothing_but_marts(warehouse: Path, sql: str) -> None:
    with open_warehouse(str(warehouse)) as connection, pytest.raises((Refused, duckdb.Error)) as caught:
        check(connection, sql)
    assert isinstance(caught.value, Refused), caught.value
    assert caught.value.code in {"relation_not_served", "function_not_served"}
    assert str(warehouse) not in caught.value.detail


@pytest.mark.parametrize("sql", _STATEMENTS.values(), ids=_STATEMENTS.keys())
def test_003_45_threat_5_only_one_select_is_asked(warehouse: Path, sql: str) -> None:
    with open_warehouse(str(warehouse)) as connection, pytest.raises(Refused) as caught:
        check(connection, sql)
    assert caught.value.code == "not_one_select"


_OUTSIDE = (
    "read_text", "read_blob", "read_csv", "read_json", "read_parquet", "glob", "file by name", "file beside", "dot dot",
    "symlink", "http", "s3", "python variable", "secrets",
)  # fmt: skip
_CHANGES = (
    "attach", "install", "load", "copy to", "export", "set", "set global", "reset", "reset all", "create", "insert", "drop",
)  # fmt: skip


@pytest.mark.parametrize("name", [*_OUTSIDE, *_CHANGES])
def test_003_45_threat_5_the_connection_refuses_by_itself(warehouse: Path, name: str) -> None:
    """The second wall, with the first one left out: DuckDB's own locked configuration."""
    warehouse_rows = [{"a": 1}]
    with open_warehouse(str(warehouse)) as connection, pytest.raises(duckdb.Error):
        connection.execute({**_SELECTS, **_STATEMENTS}[name]).fetchall()
    assert warehouse_rows
    assert not Path("/tmp/x.csv").exists()


@pytest.mark.parametrize(
    "sql",
    [
        "select ticker from mart_quotes__latest",
        "select ticker from main.mart_quotes__latest; -- and nothing else",
        'select "ticker" from WAREHOUSE.MAIN."MART_QUOTES__LATEST"',
        "with mine as (select ticker from mart_quotes__latest) select * from mine",
        "from mart_quotes__latest select ticker",
        "select q.ticker from mart_quotes__latest q, range(1), unnest([1]), generate_series(1, 1)",
    ],
)
def test_003_45_threat_5_ordinary_questions_are_answered(warehouse: Path, sql: str) -> None:
    with open_warehouse(str(warehouse)) as connection:
        check(connection, sql)
        assert connection.execute(sql).fetchall() == [("AAPL",)]


def _ask(workers: Workers, warehouse: Path, sql: str, *, limit: int = 10) -> tuple[str | None, bytes]:
    header, rows = workers.ask("acme", Asked(str(warehouse), sql, (), limit, 0, "json"))
    return header.get("code"), rows


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("select repeat('x', 2000000000)", "query_too_large"),
        ("select list(i) from range(1000000000) t(i)", "query_too_large"),
        ("select string_agg(repeat('x', 1000000)) from range(100000)", "query_too_large"),
        ("with recursive t(a) as (select 1 union all select a + 1 from t) select count(*) from t", "query_timeout"),
        ("select count(*) from range(1000000) a, range(1000000) b where hash(a.range, b.range) = 1", "query_timeout"),
        ("select repeat('x', 20000000)", "row_too_large"),
        ("select " + "(" * 9_000 + "1" + ")" * 9_000, "query_failed"),
        ("select no_such_column from mart_quotes__latest", "query_failed"),
    ],
    ids=[
        "string bomb",
        "list bomb",
        "aggregate bomb",
        "endless recursion",
        "endless join",
        "one huge row",
        "deep",
        "mistake",
    ],
)
def test_003_45_threat_5_a_bomb_ends_in_its_own_process(workers: Workers, warehouse: Path, sql: str, code: str) -> None:
    assert _ask(workers, warehouse, sql)[0] == code
    assert _ask(workers, warehouse, "select 1") == (None, b"[[1]]")


def test_003_45_threat_5_a_page_ends_where_its_bytes_end(workers: Workers, warehouse: Path) -> None:
    asked = Asked(str(warehouse), "select repeat('x', 1000000) from range(100)", (), 100, 0, "csv")
    header, rows = workers.ask("acme", asked)
    assert header["more"]
    assert header["rows"] == 9
    assert len(rows) < 10_000_000


def test_003_45_threat_5_the_wall_clock_ends_what_needs_no_processor(warehouse: Path) -> None:
    workers = Workers(Limits(wall_seconds=0.001))
    try:
        assert _ask(workers, warehouse, "select 1")[0] == "query_timeout"
    finally:
        workers.close()


def test_003_45_threat_5_the_worker_knows_no_secret_and_writes_no_file(warehouse: Path) -> None:
    """Asked from within: what the process of a question has in its environment, and what becomes of a write."""
    line = line_of(Question(str(warehouse), "select 1"))
    program = (
        "import io, os, sys\n"
        "from salescience_pipeline.gateway import query_worker\n"
        "query_worker.main(sys.stdin.buffer, io.BytesIO())\n"
        "try:\n    os.write(os.open(os.environ['TARGET'], os.O_CREAT | os.O_WRONLY), b'x')\n"
        "except OSError as error:\n    print(error.errno)\n"
    )
    target = warehouse.parent / "written"
    answered = subprocess.run(
        [sys.executable, "-c", program], input=line, capture_output=True, env={"TARGET": str(target)}, check=False
    )
    assert answered.stdout.strip() == str(errno.EFBIG).encode()
    assert target.stat().st_size == 0
    os.environ["SALESCIENCE_CANARY"] = "canary"
    workers = Workers()
    try:
        workers.ask("acme", Asked(str(warehouse), "select 1", (), 1, 0, "json"))
        [spare] = workers._spare
        assert b"canary" not in Path(f"/proc/{spare.pid}/environ").read_bytes()
    finally:
        workers.close()
        del os.environ["SALESCIENCE_CANARY"]
