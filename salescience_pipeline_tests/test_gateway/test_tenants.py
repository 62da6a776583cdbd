"""Two organisations against every route, generated from the OpenAPI document, so that a new route cannot be forgotten."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from salescience_pipeline.lake.results import Results
from salescience_pipeline.ledger import Ledger
from salescience_pipeline.ledger.job_model import Content, Outcome
from salescience_pipeline.ledger.job_rules import SourceStatus
from salescience_pipeline.settings import Settings
from salescience_pipeline_tests.test_gateway.conftest import ACME, OTHER
from salescience_pipeline_tests.test_gateway.serving import gateway
from salescience_pipeline_tests.test_gateway.test_ledger_tenancy import restricted  # noqa: F401 - a fixture
from salescience_pipeline_tests.test_gateway.test_services import _SCENARIO, _TASK

_SECRET = "only-for-acme-7f3a"
_ORGANISATIONS: tuple[dict[str, str], ...] = ({}, {"organization_id": "acme"}, {"organization_id": "other"})
_BODIES = (None, {"organization_id": "acme", "companies": [{"ticker": "AAPL"}]})
_OPEN = {"/", "/health", "/health/ready", "/health/status", "/health/status/{service}"}
"""Routes that answer everybody; they hold nothing of any organisation."""


def _filled(path: str, ids: dict[str, str]) -> str:
    return re.sub(r"{(\w+)}", lambda found: ids[found[1]], path)


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """A world that needs keys; on PostgreSQL as an ordinary role, for which row-level security holds."""
    more: dict[str, Any] = {}
    if request.param == "postgresql":
        engine: Engine = request.getfixturevalue("restricted")
        more["database_url"] = engine.url.render_as_string(hide_password=False)
    return Settings(home=tmp_path / "home", gateway_auth="api_key", **more)


@pytest.fixture
def world(settings: Settings) -> Iterator[tuple[httpx.Client, str, dict[str, str]]]:
    """A gateway, the key of the other organisation, and ids of acme's things."""
    settings.root.mkdir(parents=True, exist_ok=True)
    with Ledger.open(settings.ledger_url) as ledger:
        acme, _ = ledger.organizations.create_key(ACME, scopes=["admin"])
        other, _ = ledger.organizations.create_key(OTHER, scopes=["admin"])
        with gateway(settings, acme) as client:
            body = {"companies": [{"ticker": "AAPL"}], "organization_id": "acme", "user_id": _SECRET}
            job_id = client.post("/submit", json=body).json()["job_ids"][0]
            content = json.dumps({"text": _SECRET}).encode()
            digest = Results(settings.lake_dir).put(content)
            for chunk in ledger.dispatch.pick(window=9):
                claimed = ledger.dispatch.claim(chunk.run_key, "run")
                assert claimed is not None
                outcome = Outcome("AAPL:Yahoo", SourceStatus.SUCCESS, Content(digest, "json", len(content)))
                missing = Outcome("AAPL:SEC:0", SourceStatus.FAILED, error=_SECRET)
                ledger.jobs.settle(ACME, job_id, "run", [outcome, missing])
            task = {**_TASK, "task_name": _SECRET, "payload": [{"revenue": _SCENARIO}]}
            task_id = client.post("/api/orchestrate", json=task).json()["task_id"]
            assert _SECRET in client.get(f"/results/{job_id}").text
            assert _SECRET in client.get(f"/api/tasks/{task_id}").text
            yield (
                client,
                other,
                {
                    "job_id": job_id,
                    "task_id": task_id,
                    "key": "AAPL:Yahoo",
                    "service": "research",
                    "path": "x",
                    "name": "x",
                },
            )


def test_threat_1_nobody_sees_or_changes_what_is_anothers(
    world: tuple[httpx.Client, str, dict[str, str]], settings: Settings
) -> None:
    client, other, ids = world
    before = (
        client.get(f"/status/{ids['job_id']}").json(),
        client.get(f"/api/tasks/{ids['task_id']}").json()["task_name"],
    )
    paths = client.get("/openapi.json").json()["paths"]
    headers = {"Authorization": f"Bearer {other}"}
    asked = 0
    for path, operations in paths.items():
        for method in operations:
            for params, body in itertools.product(_ORGANISATIONS, _BODIES if method != "get" else (None,)):
                answer = client.request(method, _filled(path, ids), params=params, json=body, headers=headers)
                asked += 1
                where = (method, path, params, answer.text)
                assert _SECRET not in answer.text, where
                assert ids["job_id"] not in answer.text, where
                assert answer.status_code < 500 or answer.json()["code"] == "upstream_not_configured", where
                if "{job_id}" in path or "{task_id}" in path:
                    assert answer.status_code == 404, where
    assert asked > 100
    after = (
        client.get(f"/status/{ids['job_id']}").json(),
        client.get(f"/api/tasks/{ids['task_id']}").json()["task_name"],
    )
    assert before == after


def test_000_15_every_route_but_health_wants_a_key(world: tuple[httpx.Client, str, dict[str, str]]) -> None:
    client, _, ids = world
    for path, operations in client.get("/openapi.json").json()["paths"].items():
        for method in operations:
            answer = client.request(method, _filled(path, ids), headers={"Authorization": ""})
            assert (answer.status_code == 401) == (path not in _OPEN), (method, path, answer.status_code)
            assert ids["job_id"] not in answer.text
