"""POST /api/query and /api/queries over HTTP: pages, formats, saved questions, and who may ask."""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Iterator
from pathlib import Path

import duckdb
import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from salescience_pipeline.gateway.problems import Problem
from salescience_pipeline.gateway.query_pool import Asked, Limits, Workers
from salescience_pipeline.identifiers import OrganizationId
from salescience_pipeline.lake.warehouse import Warehouse
from salescience_pipeline.ledger import Ledger
from salescience_pipeline.ledger.saved_queries import MAX_SAVED, QueryExists, TooManyQueries
from salescience_pipeline.settings import Settings
from salescience_pipeline_tests.test_gateway.published import publish
from salescience_pipeline_tests.test_gateway.serving import gateway

_SQL = "select ticker, trade_date, close from mart_prices__daily order by trade_date"


def _prices(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        "insert into mart_prices__daily (ticker, trade_date, close, sources) "
        "select 'AAPL', date '2026-01-01' + i::int, 100 + i, '=cmd|calc' from range(25) t(i)"
    )


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A world of the test's own, with a published warehouse of 25 prices."""
    made = Settings(home=tmp_path / "home")
    publish(made, _prices)
    return made


@pytest.fixture
def client(settings: Settings) -> Iterator[httpx.Client]:
    """A gateway that needs no key."""
    with gateway(settings) as made:
        yield made


def _code(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


def test_003_45_query_answers_in_pages_of_one_version(client: httpx.Client, settings: Settings) -> None:
    body = {"sql": _SQL, "limit": 10}
    first = client.post("/api/query", json=body).json()
    assert [column["name"] for column in first["columns"]] == ["ticker", "trade_date", "close"]
    assert first["rows"][0] == ["AAPL", "2026-01-01", 100.0]
    assert (first["row_count"], first["version"]) == (10, 1)
    assert first["note"].startswith("Fictional data")
    publish(settings)
    second = client.post("/api/query", json={**body, "cursor": first["next"]}).json()
    third = client.post("/api/query", json={**body, "cursor": second["next"]}).json()
    assert [row[2] for page in (first, second, third) for row in page["rows"]] == [100.0 + at for at in range(25)]
    assert (second["version"], third["next"]) == (1, None)
    fresh = client.post("/api/query", json=body).json()
    assert (fresh["version"], fresh["rows"]) == (2, [])


def test_003_45_a_cursor_belongs_to_its_question_and_version(client: httpx.Client, settings: Settings) -> None:
    cursor = client.post("/api/query", json={"sql": _SQL, "limit": 10}).json()["next"]
    assert _code(client.post("/api/query", json={"sql": "select 1", "cursor": cursor})) == (404, "invalid_cursor")
    assert _code(client.post("/api/query", json={"sql": _SQL, "cursor": "AAAA"})) == (404, "invalid_cursor")
    publish(settings)
    Warehouse(settings.warehouse_dir).versions()[-1].path.unlink()
    assert _code(client.post("/api/query", json={"sql": _SQL, "cursor": cursor})) == (409, "cursor_expired")


def test_003_45_formats(client: httpx.Client) -> None:
    sql = "select ticker, close, sources from mart_prices__daily order by trade_date"
    table = {"ticker": ["AAPL"], "close": [100.0], "sources": ["=cmd|calc"]}
    answers = {
        name: client.post("/api/query", json={"sql": sql, "limit": 1, "format": name})
        for name in ("csv", "parquet", "arrow")
    }
    assert all(answer.headers["x-next-cursor"] for answer in answers.values())
    assert all(answer.headers["x-warehouse-version"] == "1" for answer in answers.values())
    assert pq.read_table(io.BytesIO(answers["parquet"].content)).to_pydict() == table
    assert pa.ipc.open_stream(answers["arrow"].content).read_all().to_pydict() == table
    assert list(csv.reader(io.StringIO(answers["csv"].text))) == [
        ["ticker", "close", "sources"],
        ["AAPL", "100.0", "'=cmd|calc"],
    ]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_threat_11_no_cell_of_a_csv_is_a_formula(client: httpx.Client, start: str) -> None:
    body = {"sql": f'select ? as "{start}name", [?], null, -5', "parameters": [f"{start}1+1"] * 2, "format": "csv"}
    header, row = csv.reader(io.StringIO(client.post("/api/query", json=body).text, newline=""))
    assert header[0] == f"'{start}name"
    assert row[0] == f"'{start}1+1"
    assert not row[1].startswith(("=", "+", "-", "@"))
    assert row[2:] == ["", "-5"]


def test_003_45_values_that_json_does_not_know(client: httpx.Client) -> None:
    sql = (
        "select 'nan'::double, 'inf'::double, 1.50::decimal(9,2), timestamptz '2026-01-02 03:04:05+00', interval 1 day, "
        "'\\x01'::blob, {'a': date '2026-01-01'}, map {'k': 1}, null, 170141183460469231731687303715884105727, "
        "uuid '00000000-0000-0000-0000-000000000001', time '01:02:03', true"
    )
    [row] = client.post("/api/query", json={"sql": sql}).json()["rows"]
    assert row[:4] == [None, None, "1.50", "2026-01-02T03:04:05+00:00"]
    assert row[5:9] == ["01", {"a": "2026-01-01"}, [["k", 1]], None]
    assert row[9:] == [
        "170141183460469231731687303715884105727",
        "00000000-0000-0000-0000-000000000001",
        "01:02:03",
        True,
    ]


def test_003_45_parameters_are_values_and_never_sql(client: httpx.Client) -> None:
    body = {"sql": "select count(*) from mart_prices__daily where ticker = ? and close > ?"}
    assert client.post("/api/query", json={**body, "parameters": ["AAPL", 120]}).json()["rows"] == [[4]]
    hostile = {**body, "parameters": ["AAPL' or '1'='1", 0]}
    assert client.post("/api/query", json=hostile).json()["rows"] == [[0]]
    assert _code(client.post("/api/query", json=body)) == (422, "query_failed")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid_request"),
        ({"sql": "select 1", "saved": "x"}, "invalid_request"),
        ({"sql": ""}, "invalid_request"),
        ({"sql": "select 1", "limit": 0}, "invalid_request"),
        ({"sql": "select 1", "limit": 10_001}, "invalid_request"),
        ({"sql": "select 1", "limit": "10"}, "invalid_request"),
        ({"sql": "select 1", "format": "xml"}, "invalid_request"),
        ({"sql": "select 1", "more": 1}, "invalid_request"),
        ({"sql": "select 1\x00"}, "invalid_request"),
        ({"sql": "x" * 20_001}, "invalid_request"),
        ({"sql": "select ?", "parameters": [{"a": 1}]}, "invalid_request"),
        ({"sql": "select 1; select 2"}, "not_one_select"),
        ({"sql": "select * from read_text('/etc/passwd')"}, "function_not_served"),
        ({"sql": "select * from staging.stg_sec__filings"}, "relation_not_served"),
        ({"sql": "selekt"}, "query_failed"),
    ],
)
def test_003_45_what_is_refused_has_a_stable_code(client: httpx.Client, body: dict[str, object], code: str) -> None:
    assert _code(client.post("/api/query", json=body)) == (422, code)


def test_003_45_nothing_published(tmp_path: Path) -> None:
    with gateway(Settings(home=tmp_path / "empty")) as client:
        answer = client.post("/api/query", json={"sql": "select 1"})
        assert _code(answer) == (409, "nothing_published")
        assert answer.headers["retry-after"]


def test_003_45_saved_questions(client: httpx.Client) -> None:
    body = {"name": "prices", "sql": _SQL, "description": "All prices."}
    made = client.post("/api/queries", json=body)
    assert (made.status_code, made.headers["location"]) == (201, "/api/queries/prices")
    assert _code(client.post("/api/queries", json=body)) == (409, "query_exists")
    assert [item["name"] for item in client.get("/api/queries").json()["queries"]] == ["prices"]
    assert client.get("/api/queries/prices").json()["sql"] == _SQL
    assert client.post("/api/query", json={"saved": "prices", "limit": 3}).json()["row_count"] == 3
    assert _code(client.get("/api/queries/prices", params={"organization_id": "other"})) == (404, "not_found")
    assert _code(client.post("/api/query", json={"saved": "prices", "organization_id": "other"})) == (404, "not_found")
    assert client.delete("/api/queries/prices").status_code == 204
    assert _code(client.delete("/api/queries/prices")) == (404, "not_found")
    assert _code(client.get("/api/queries/..%2f..")) in {(404, "not_found"), (422, "invalid_request")}


def test_003_45_a_key_needs_the_scope_and_asks_for_its_own_organization(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", gateway_auth="api_key")
    publish(settings, _prices)
    with Ledger.open(settings.ledger_url) as ledger:
        acme, other = OrganizationId("acme"), OrganizationId("other")
        good, _ = ledger.organizations.create_key(acme, scopes=["query:run"])
        poor, _ = ledger.organizations.create_key(acme, scopes=["jobs:read"])
        theirs, _ = ledger.organizations.create_key(other, scopes=["query:run"])
        with gateway(settings) as client:

            def ask(key: str | None, **body: str) -> httpx.Response:
                headers = {"Authorization": f"Bearer {key}"} if key else {}
                return client.post("/api/query", json={"sql": "select 1", **body}, headers=headers)

            assert ask(good).json()["rows"] == [[1]]
            assert _code(ask(poor)) == (403, "scope_missing")
            assert _code(ask(None)) == (401, "key_missing")
            assert _code(ask(good, organization_id="other")) == (403, "organization_mismatch")
            saved = {"name": "mine", "sql": "select 2"}
            assert client.post("/api/queries", json=saved, headers={"X-API-Key": good}).status_code == 201
            for key, expected in ((good, 200), (poor, 403), (theirs, 404)):
                answer = client.get("/api/queries/mine", headers={"X-API-Key": key})
                assert answer.status_code == expected
            assert client.get("/api/queries", headers={"X-API-Key": theirs}).json() == {"queries": []}
        assert [verdict.broken_at for verdict in ledger.audit.verify()] == [None] * len(ledger.audit.verify())


def test_003_45_two_questions_of_an_organization_at_once(settings: Settings) -> None:
    path = str(Warehouse(settings.warehouse_dir).current().path)
    workers = Workers(Limits(wall_seconds=20, cpu_seconds=3, in_all=3))
    endless = Asked(
        path, "with recursive t(a) as (select 1 union all select a + 1 from t) select count(*) from t", (), 1, 0, "json"
    )
    codes: list[object] = []
    threads = [
        threading.Thread(target=lambda name=name: codes.append(workers.ask(name, endless)[0].get("code")))
        for name in ("acme", "acme", "other")
    ]
    try:
        for thread in threads:
            thread.start()
        while workers._running.total() < 3:
            pass
        with pytest.raises(Problem) as caught:
            workers.ask("acme", endless)
        assert (caught.value.status, caught.value.code) == (429, "too_many_questions")
        with pytest.raises(Problem) as caught:
            workers.ask("third", endless)
        assert (caught.value.status, caught.value.code) == (503, "query_busy")
    finally:
        for thread in threads:
            thread.join()
        workers.close()
    assert codes == ["query_timeout"] * 3


def test_003_45_saved_questions_in_both_databases(ledger: Ledger) -> None:
    acme, other = OrganizationId("acme"), OrganizationId("other")
    about = {"description": "", "actor": "test", "request_id": "request-1"}
    for organization in (acme, other):
        ledger.organizations.ensure(organization)
        ledger.queries.create(organization, "same-name", f"select '{organization}'", **about)
    with pytest.raises(QueryExists):
        ledger.queries.create(acme, "same-name", "select 1", **about)
    assert not ledger.queries.delete(acme, "unknown", actor="test", request_id="request-1")
    assert ledger.queries.delete(other, "same-name", actor="test", request_id="request-1")
    assert [row.sql for row in ledger.queries.listed(acme)] == ["select 'acme'"]
    for at in range(MAX_SAVED - 1):
        ledger.queries.create(acme, f"q{at}", "select 1", **about)
    with pytest.raises(TooManyQueries):
        ledger.queries.create(acme, "one-more", "select 1", **about)
