"""The OpenAPI document against the gateway that serves it: schemathesis, all checks, stateful included.

What a JSON schema cannot say is told to the tester instead: that text is no SQL, that a table has no such column, that a
name has no address, and that an Idempotency-Key was used.
SALESCIENCE_CONTRACT_EXAMPLES raises the number of examples for a long run by hand.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from lxml import html

from salescience_pipeline.catalog.jobs import JOBS
from salescience_pipeline.gateway.triggers import route_of
from salescience_pipeline.lake.results import Results
from salescience_pipeline.ledger import Ledger
from salescience_pipeline.ledger.job_model import Content, Outcome
from salescience_pipeline.ledger.job_rules import SourceStatus
from salescience_pipeline.settings import Settings
from salescience_pipeline_tests.test_gateway.conftest import ACME
from salescience_pipeline_tests.test_gateway.examples import TASK
from salescience_pipeline_tests.test_gateway.published import publish
from salescience_pipeline_tests.test_gateway.scripted import Scripted
from salescience_pipeline_tests.test_gateway.serving import gateway, served

_EXAMPLES = int(os.environ.get("SALESCIENCE_CONTRACT_EXAMPLES", "2"))
_LONG = _EXAMPLES > 2
_ALIKE = r"""
# The thirteen job routes are one function, and so are those that are passed on: their edges are walked once here, and all
# of them in a long run.
[[operations]]
include-path-regex = "^/(finnhub|polygon|alpha-vantage|sec)/|^/api/publish|^/api/enrich/"
phases.coverage.enabled = false
"""


@dataclass(frozen=True)
class World:
    """A gateway in which everything exists once, and the key of who owns it."""

    client: httpx.Client
    key: str
    ids: dict[str, str]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """One finished job with content, one task, one saved question, one published warehouse, one service behind."""
    with served(Scripted()) as behind:
        settings = Settings(
            home=tmp_path / "home", gateway_auth="api_key", health_seconds=3_600.0,
            upstreams={"research": behind, "backend": behind}, services={"revenue": behind},
        )  # fmt: skip
        publish(settings)
        with Ledger.open(settings.ledger_url) as ledger:
            key, _ = ledger.organizations.create_key(ACME, scopes=["admin"])
            with gateway(settings, key) as client:
                body = {"companies": [{"ticker": "AAPL"}], "organization_id": "acme"}
                job_id = client.post("/submit", json=body).json()["job_ids"][0]
                content = json.dumps({"ticker": "AAPL", "prices": []}).encode()
                digest = Results(settings.lake_dir).put(content)
                while chunks := ledger.dispatch.pick(window=9):
                    for chunk in chunks:
                        assert ledger.dispatch.claim(chunk.run_key, "run") is not None
                        ledger.dispatch.finish(chunk.run_key, "run")
                came = Outcome("AAPL:Yahoo", SourceStatus.SUCCESS, Content(digest, "json", len(content)))
                missing = Outcome("AAPL:SEC:0", SourceStatus.FAILED, error="It is not there.")
                ledger.jobs.settle(ACME, job_id, "run", [came, missing])
                task_id = client.post("/api/orchestrate", json=TASK).json()["task_id"]
                client.post("/api/queries", json={"name": "kept", "sql": "select 1"}).raise_for_status()
                ids = {
                    "job_id": job_id, "task_id": task_id, "key": "AAPL:Yahoo", "name": "kept", "service": "research",
                    "organization_id": "acme",
                }  # fmt: skip
                yield World(client, key, ids)


def _config(world: World) -> str:
    """What the tester is told about this world; every other parameter is its own idea."""
    known = "".join(f'[dictionaries.{name}]\nvalues = ["{value}"]\n' for name, value in world.ids.items())
    used = "".join(f'{name} = {{ dictionary = "{name}", probability = 0.7 }}\n' for name in world.ids)
    return f"""
request-timeout = 20
max-stream-events = 3
continue-on-failure = true
suppress-health-check = ["all"]
[generation]
max-examples = {_EXAMPLES}
deterministic = true
no-shrink = true
database = "none"
[phases.stateful]
max-steps = 4
[auth.openapi.bearer]
bearer = "{world.key}"
{known}
[parameters]
wait = 0
{used}
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", 401, 403, 404, 409, 416, 429]
[[operations]]
include-path = ["/api/query", "/submit", "/api/lineage/{{table}}", "/webhooks"]
checks.positive_data_acceptance.expected-statuses = ["2xx", 401, 403, 404, 409, 422, 429]
{"" if _LONG else _ALIKE}
"""


def test_002_20_every_answer_is_what_the_document_says(world: World, tmp_path: Path) -> None:
    config, report = tmp_path / "schemathesis.toml", tmp_path / "report.json"
    config.write_text(_config(world))
    starting = "import sys; from schemathesis.cli import schemathesis; sys.exit(schemathesis())"
    document = str(world.client.base_url.join("/openapi.json"))
    asked = [
        "--config-file", str(config), "--no-color", "run", document, "--checks", "all", "--warnings", "off",
        "--report", "json", "--report-json-path", str(report),
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", starting, *asked], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout[-12_000:] + done.stderr[-2_000:]
    told: dict[str, Any] = json.loads(report.read_text())
    operations = sum(len(of) for of in world.client.get("/openapi.json").json()["paths"].values())
    assert told["operations"] == {**told["operations"], "total": operations, "tested": operations, "errored": 0}
    assert {phase["status"] for phase in told["phases"].values()} == {"success"}
    assert set(told["phases"]) == {"examples", "coverage", "fuzzing", "stateful"}
    print(f"{told['test_cases']['generated']} requests")


def test_002_20_the_document_lists_every_path_of_the_five_sources(world: World) -> None:
    paths = world.client.get("/openapi.json").json()["paths"]
    assert set(paths) >= {
        "/submit", "/status/{job_id}", "/results/{job_id}",
        "/health", "/status", "/manual/trigger-job", *(route_of(name) for name in JOBS),
        "/api/orchestrate", "/api/orchestrate/direct", "/api/tasks", "/api/tasks/{task_id}",
        "/", "/api/enrich", "/api/publish", "/health/status", "/health/status/{service}",
    }  # fmt: skip
    for path in ("/api/enrich", "/api/publish"):
        assert set(paths[path]) == {"get", "post", "put", "delete", "patch"}
    page = html.fromstring(world.client.get("/docs").text)
    shown = {" ".join(heading.text_content().split()) for heading in page.xpath("//h3")}
    assert shown == {f"{method.upper()} {path}" for path, operations in paths.items() for method in operations}
    # Nothing of it comes from elsewhere.
    assert all(link.startswith("/") for link in page.xpath("//@src | //link/@href"))


def test_002_20_bounds_are_told_in_words_that_every_reader_knows(world: World) -> None:
    document = world.client.get("/openapi.json").text
    assert not re.findall(r'"(?:ge|le|gt|lt|min_length|max_length)":[0-9]', document)
    page = html.fromstring(world.client.get("/docs").text)
    assert "integer from 1 to 200" in page.text_content()


def test_405_tells_every_method_of_the_path(world: World) -> None:
    answer = world.client.put("/api/queries/kept")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "DELETE, GET"


@pytest.mark.parametrize(("needs_key", "required"), [(True, False), (False, True)])
def test_003_40_the_document_says_whether_a_key_is_needed(tmp_path: Path, *, needs_key: bool, required: bool) -> None:
    """Where a key says whose request it is, the organisation may be left out; without keys it must be named."""
    with gateway(Settings(home=tmp_path / "home", gateway_auth="api_key" if needs_key else "none")) as client:
        document = client.get("/openapi.json").json()
    status = document["paths"]["/status/{job_id}"]["get"]
    assert [item["required"] for item in status["parameters"] if item["name"] == "organization_id"] == [required]
    assert ({} in status["security"]) is not needs_key
    assert document["paths"]["/health"]["get"]["security"] == []
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
