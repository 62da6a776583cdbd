"""Rows of the source systems that have no test of their own subject: health and figures in detail, columns, packaging."""

from __future__ import annotations

import ast
import datetime as dt
import re
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from packaging.requirements import Requirement
from sqlalchemy import create_engine, inspect, text

from salescience_pipeline.clients.gate import Gate, gate_rules
from salescience_pipeline.clients.model import AnswerClass, Attempt, Body, PlannedRequest, Subject
from salescience_pipeline.identifiers import OrganizationId, RequestId
from salescience_pipeline.lake.archive import Archive
from salescience_pipeline.ledger import Ledger
from salescience_pipeline.ledger.job_model import NewJob, Outcome, PlannedSource
from salescience_pipeline.ledger.job_rules import SourceStatus
from salescience_pipeline.settings import Settings
from salescience_pipeline_tests.clocks import until
from salescience_pipeline_tests.commands import PROJECT, environment, running_gateway
from salescience_pipeline_tests.test_gateway.conftest import ACME
from salescience_pipeline_tests.test_gateway.examples import SCENARIO
from salescience_pipeline_tests.test_gateway.scripted import Scripted
from salescience_pipeline_tests.test_gateway.serving import gateway, served

_ORG = {"organization_id": "acme"}


def _settings(home: Path, **more: Any) -> Settings:
    return Settings(home=home, **{"upstream_retry_seconds": 0.01, "health_seconds": 3_600.0, **more})


@pytest.fixture
def behind() -> Iterator[tuple[Scripted, str]]:
    """A scripted service and where it is."""
    service = Scripted()
    with served(service) as url:
        yield service, url


def _ended(ledger: Ledger, number: int, status: SourceStatus) -> None:
    job_id = f"00000000-0000-4000-8000-{number:012d}"
    source = PlannedSource("AAPL:Yahoo", "yahoo", "AAPL")
    ledger.jobs.create(ACME, [NewJob(job_id, "submit", "submit", {}, [source], "request-1")], actor="test", max_open=99)
    for chunk in ledger.dispatch.pick(window=99):
        if chunk.job_id == job_id:
            assert ledger.dispatch.claim(chunk.run_key, "run") is not None
    ledger.jobs.settle(ACME, job_id, "run", [Outcome("AAPL:Yahoo", status)])


def test_001_02_and_22_and_23_status_in_detail_survives_a_restart(tmp_path: Path) -> None:
    settings = _settings(tmp_path / "home")
    settings.root.mkdir(parents=True)
    with Ledger.open(settings.ledger_url) as ledger:
        ledger.organizations.ensure(ACME)
        for number in range(3):
            _ended(ledger, number, SourceStatus.SKIPPED)
        _ended(ledger, 3, SourceStatus.FAILED)
    told = []
    for _ in range(2):
        with gateway(settings) as client:
            told.append(client.get("/status", params=_ORG).json())
    assert told[0] == told[1]
    stats = told[0]["stats"]
    assert (stats["jobs_processed"], stats["jobs_successful"], stats["jobs_failed"]) == (4, 3, 1)
    assert stats["last_job_time"].endswith("Z")
    assert {"sec", "yahoo", "tiingo", "finnhub", "polygon", "alphavantage"} <= set(told[0]["services"])
    assert all(
        {"status", "response_time_ms", "circuit_state"} <= set(service) for service in told[0]["services"].values()
    )
    assert {"status", "database", "http"} <= set(told[0]["pool"])


def test_001_27_metrics_are_what_prometheus_reads(tmp_path: Path) -> None:
    """The rules of the exposition format and of its linter: names, units, types, cumulative buckets, one line per series."""
    with gateway(_settings(tmp_path / "home")) as client:
        for path in ("/health", "/status?organization_id=acme", "/nowhere", "/metrics"):
            client.get(path)
        answer = client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.text.endswith("\n")
    types: dict[str, str] = {}
    series: dict[tuple[str, str], float] = {}
    family = ""
    for line in answer.text.splitlines():
        if line.startswith("# HELP "):
            family = line.split()[2]
            assert family not in types, f"{family} comes twice"
        elif line.startswith("# TYPE "):
            assert line.split()[2] == family
            types[family] = line.split()[3]
        else:
            found = re.fullmatch(r'([a-z_]+)(\{(?:[a-z_]+="[^"\\\n]*",?)+\})? ([0-9.e+-]+)', line)
            assert found is not None, line
            name, labels, value = found[1], found[2] or "", float(found[3])
            assert re.sub("_(bucket|sum|count)$", "", name) == family or name == family, line
            assert (name, labels) not in series, line
            series[name, labels] = value
    assert set(types.values()) == {"gauge", "counter", "histogram"}
    for name, kind in types.items():
        assert name.endswith("_total") == (kind == "counter"), name
        assert not ({"milliseconds", "ms", "minutes", "kilobytes"} & set(name.split("_"))), f"{name} has no base unit"
        assert kind != "histogram" or name.endswith("_seconds")
    histogram = "salescience_http_request_duration_seconds"
    counts = {labels: value for (name, labels), value in series.items() if name == f"{histogram}_count"}
    assert len(counts) >= 4
    for labels, count in counts.items():
        route = labels.strip("{}")
        buckets = [
            value for (name, key), value in series.items() if name == f"{histogram}_bucket" and f"{{{route}," in key
        ]
        assert buckets == sorted(buckets)
        assert buckets[-1] == count == series[f"{histogram}_bucket", f'{{{route},le="+Inf"}}']


def test_001_02_and_23_status_tells_how_long_a_provider_took(tmp_path: Path) -> None:
    settings = _settings(tmp_path / "home")
    settings.lake_dir.joinpath("tables").mkdir(parents=True)
    with Archive(settings.lake_dir) as archive:
        for number, milliseconds in enumerate((900.0, 30.0, 20.0, 10.04)):
            request = PlannedRequest("yahoo", "chart", "query1", f"/v8/chart/{number}", Subject("AAPL"))
            moment = dt.datetime(2026, 6, 12, 12, number, tzinfo=dt.UTC)
            attempt = Attempt(
                RequestId.new(), request, AnswerClass.OK, 1, moment, milliseconds, 200, body=Body(b"{}"), complete=True
            )
            archive.put(attempt, "run", None)
    with gateway(settings) as client:
        services = client.get("/status", params=_ORG).json()["services"]
    assert services["yahoo"]["response_time_ms"] == 25.0
    assert services["sec"]["response_time_ms"] is None


def test_003_36_status_tells_an_organization_its_share_of_a_providers_day(tmp_path: Path) -> None:
    settings = _settings(tmp_path / "home")
    settings.root.mkdir(parents=True)
    with Ledger.open(settings.ledger_url) as ledger:
        for name in ("acme", "other"):
            ledger.organizations.ensure(OrganizationId(name))
        gate = Gate(ledger.gate_store, gate_rules(settings), sleep=lambda _: None)
        gate.acquire("alphavantage", organization="acme")
    with gateway(settings) as client:
        told = {name: client.get("/status", params={"organization_id": name}).json() for name in ("acme", "other")}
    acme, other = (told[name]["services"]["alphavantage"]["quota"] for name in ("acme", "other"))
    assert (acme["limit"], acme["left"], other["left"]) == (25, 24, 24)
    assert acme["organization"]["share"] == other["organization"]["share"] == 8
    assert (acme["organization"]["used"], other["organization"]["used"]) == (1, 0)
    assert acme["resets_at"].endswith("Z")
    assert told["acme"]["services"]["sec"]["quota"] is None


def test_001_26_ready_only_with_the_database_and_alive_without(tmp_path: Path) -> None:
    settings = _settings(tmp_path / "home")
    with gateway(settings) as client:
        assert client.get("/health/ready").json() == {"status": "ready", "database": "current"}
        engine = create_engine(settings.ledger_url)
        with engine.begin() as connection:
            connection.execute(text("update alembic_version set version_num = 'another'"))
        engine.dispose()
        answer = client.get("/health/ready")
        assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
        assert client.get("/health").json()["status"] == "healthy"


def test_004_01_the_root_lists_the_services(behind: tuple[Scripted, str], tmp_path: Path) -> None:
    with gateway(_settings(tmp_path / "home", upstreams={"research": behind[1], "writer": behind[1]})) as client:
        told = client.get("/").json()
    assert told["services"] == ["research", "writer"]
    assert told["docs"] == "/docs"
    assert "sec" in told["providers"]


def test_004_18_failed_checks_open_the_breaker_for_everybody(tmp_path: Path) -> None:
    """Three looks of the monitor at a service that is away, and callers are not let through either."""
    settings = _settings(tmp_path / "home", upstreams={"research": "http://127.0.0.1:9"}, health_seconds=0.05)
    with gateway(settings) as client:
        until(lambda: client.get("/health/status/research").json()["circuit_state"] == "open")
        seen = client.get("/health/status/research").json()
        assert (seen["status"], seen["consecutive_failures"] >= 3) == ("unhealthy", True)
        answer = client.get("/api/enrich")
        assert (answer.status_code, answer.json()["code"]) == (503, "circuit_open")
        assert int(answer.headers["retry-after"]) > 0
        assert client.get("/health").json()["overall"] == "unhealthy"


def test_004_19_every_worker_says_the_same(behind: tuple[Scripted, str], tmp_path: Path) -> None:
    settings = _settings(tmp_path / "home", upstreams={"research": behind[1]})
    with gateway(settings) as one, gateway(settings) as other:
        until(lambda: one.get("/health/status/research").json()["status"] == "healthy")
        first, second = (client.get("/health/status").json()["services"] for client in (one, other))
    assert first == second


def test_000_14_keys_of_a_job_begin_with_the_organization(ledger: Ledger) -> None:
    for table in ("jobs", "job_sources"):
        key = inspect(ledger.engine).get_pk_constraint(table)["constrained_columns"]
        assert key[:2] == ["organization_id", "job_id"]
    if ledger.engine.dialect.name == "sqlite":
        query = "explain query plan select * from job_sources where organization_id = 'acme' and job_id = 'x'"
        with ledger.engine.connect() as connection:
            assert "USING INDEX sqlite_autoindex_job_sources_1" in str(connection.execute(text(query)).all())


def test_002_09_and_10_tables_have_the_sources_columns(ledger: Ledger) -> None:
    found = inspect(ledger.engine)
    columns = {
        table: {column["name"] for column in found.get_columns(table)} for table in ("tasks", "service_requests")
    }
    assert columns["tasks"] >= {
        "id", "task_id", "task_name", "task_description", "status", "created_at", "updated_at", "payload", "error_message",
    }  # fmt: skip
    assert columns["service_requests"] >= {
        "id", "task_id", "service_name", "scenario_id", "business_type_id", "status", "created_at", "updated_at",
        "request_payload", "response_payload", "error_message",
    }  # fmt: skip
    (key,) = found.get_foreign_keys("service_requests")
    assert (key["referred_table"], key["constrained_columns"][-1]) == ("tasks", "task_id")


def test_002_14_tasks_come_in_over_http_without_kafka(behind: tuple[Scripted, str], tmp_path: Path) -> None:
    task = {"task_name": "t", "payload": [{"revenue": SCENARIO}]}
    with gateway(_settings(tmp_path / "home", services={"revenue": behind[1]})) as client:
        assert client.get("/health").json()["event_mode"] == "http"
        task_id = client.post("/api/orchestrate", json=task).json()["task_id"]
        until(lambda: client.get(f"/api/tasks/{task_id}").json()["status"] == "COMPLETED")


def test_003_05_what_was_acknowledged_before_the_end_is_there_after_it(tmp_path: Path) -> None:
    """SIGTERM while clients submit: each id that a client was told is in the ledger, and the process ends by itself."""
    told: list[str] = []

    def submit(url: str) -> None:
        with httpx.Client(base_url=url, timeout=20) as client:
            for number in range(200):
                try:
                    answer = client.post("/submit", json={**_ORG, "companies": [{"ticker": f"T{number}"}]})
                except httpx.TransportError:
                    return
                if answer.status_code == 202:
                    told.extend(answer.json()["job_ids"])

    with running_gateway(environment(tmp_path)) as (process, url):
        threads = [threading.Thread(target=submit, args=(url,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        until(lambda: len(told) >= 5)
        process.terminate()
        assert process.wait(timeout=30) in (0, -15, 143)
        for thread in threads:
            thread.join(timeout=30)
    with Ledger.open(Settings(home=tmp_path).ledger_url) as ledger:
        assert all(ledger.jobs.view(ACME, job_id) is not None for job_id in told)


def test_000_19_settings_come_from_the_environment_and_from_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("SALESCIENCE_LOG_LEVEL=WARNING\nREDIS_URL=redis://localhost:6379/0\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SALESCIENCE_LOG_LEVEL", raising=False)
    assert Settings().log_level == "WARNING"
    monkeypatch.setenv("SALESCIENCE_LOG_LEVEL", "DEBUG")
    assert Settings().log_level == "DEBUG"


# -- packaging --------------------------------------------------------------------------------------------------------------
def _project() -> dict[str, Any]:
    made: dict[str, Any] = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return made


def test_002_25_and_26_python_versions_and_licence() -> None:
    project = _project()
    assert project["requires-python"] == ">=3.11,<3.14"
    assert project["license"] == "Apache-2.0"
    assert "Apache License" in (PROJECT / "LICENSE").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "least"), [("fastapi", "0.104"), ("uvicorn", "0.24"), ("httpx", "0.25"), ("pydantic", "2.5")]
)
def test_004_20_and_22_dependencies_are_young_enough_and_named_once(name: str, least: str) -> None:
    """Whatever installs from pyproject.toml (pip, uv) gets them; none is below what the source asks for."""
    (wanted,) = [found for line in _project()["dependencies"] if (found := Requirement(line)).name == name]
    assert not wanted.specifier.contains(least)
    assert any(part.operator == ">=" for part in wanted.specifier)


def test_004_21_more_tests_than_the_source_counts() -> None:
    """25 for health and 30 for routes there."""
    found = [
        node.name
        for path in Path(__file__).parent.glob("test_*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    assert len(found) > 55


def test_001_33_the_container_has_stages_a_user_health_and_limits() -> None:
    lines = (PROJECT / "deploy" / "Dockerfile").read_text(encoding="utf-8").splitlines()
    assert sum(line.startswith("FROM ") for line in lines) >= 2
    (user,) = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert user != "root"
    assert any(line.startswith("HEALTHCHECK ") for line in lines)
    compose = yaml.safe_load((PROJECT / "deploy" / "compose.yaml").read_text(encoding="utf-8"))
    for name, service in compose["services"].items():
        limits = service["deploy"]["resources"]["limits"]
        assert re.fullmatch(r"[0-9]+[mg]", limits["memory"]), name
        assert float(limits["cpus"]) > 0, name


def test_001_28_alert_rules_ask_for_figures_that_exist(tmp_path: Path) -> None:
    """Failure rate and latency have thresholds, and every figure that a rule names is one that /metrics tells."""
    rules = yaml.safe_load((PROJECT / "deploy" / "alerts.yaml").read_text(encoding="utf-8"))["groups"][0]["rules"]
    with gateway(_settings(tmp_path / "home")) as client:
        client.get("/health")
        told = client.get("/metrics").text
    for rule in rules:
        names = re.findall(r"salescience_[a-z_]+", rule["expr"])
        assert names, rule["alert"]
        assert all(f"# TYPE {name.removesuffix('_bucket')} " in told for name in names), names
        for state in re.findall(r'state="([a-z]+)"', rule["expr"]):
            assert f'salescience_jobs{{state="{state}"}}' in told
        assert re.fullmatch("[0-9]+m", rule["for"])
        assert rule["annotations"]["summary"].endswith(".")
    asked = " ".join(rule["expr"] for rule in rules)
    assert "failed" in asked
    assert "duration_seconds_bucket" in asked
    assert 'status="5xx"' in asked
    assert 'status="2xx"' in told


def test_001_34_cloud_run_has_the_sources_numbers() -> None:
    service = yaml.safe_load((PROJECT / "deploy" / "cloudrun.yaml").read_text(encoding="utf-8"))
    template = service["spec"]["template"]
    scale = template["metadata"]["annotations"]
    (container,) = template["spec"]["containers"]
    assert (template["spec"]["containerConcurrency"], template["spec"]["timeoutSeconds"]) == (100, 15 * 60)
    assert container["resources"]["limits"] == {"cpu": "2", "memory": "2Gi"}
    assert [scale[f"autoscaling.knative.dev/{end}Scale"] for end in ("min", "max")] == ["0", "10"]
    names = {one["name"]: one.get("value") for one in container["env"]}
    assert names["SALESCIENCE_GATEWAY_AUTH"] == "api_key"


def test_001_33_and_000_20_compose_starts_a_gateway_that_wants_keys() -> None:
    service = yaml.safe_load((PROJECT / "deploy" / "compose.yaml").read_text(encoding="utf-8"))["services"]["gateway"]
    assert service["environment"]["SALESCIENCE_GATEWAY_AUTH"] == "api_key"
    assert "postgresql://" in service["environment"]["SALESCIENCE_DATABASE_URL"]
    assert "ports" not in service
    assert "/health/ready" in service["healthcheck"]["test"][-1]
