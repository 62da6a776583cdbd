"""Tasks that fan out to services: the sandbox's, and one that the test lets fail."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from salescience_pipeline.acquisition.sandbox_process import Sandbox
from salescience_pipeline.ledger import Ledger
from salescience_pipeline.ledger.tasks import NewCall, Tasks
from salescience_pipeline_tests.clocks import Clock, until
from salescience_pipeline_tests.test_gateway.conftest import ACME, OTHER
from salescience_pipeline_tests.test_gateway.examples import SCENARIO, TASK
from salescience_pipeline_tests.test_gateway.scripted import Scripted, quick_settings
from salescience_pipeline_tests.test_gateway.serving import gateway


@pytest.fixture
def client(sandbox: Sandbox, tmp_path: Path) -> Iterator[httpx.Client]:
    """A gateway whose services are the sandbox's."""
    services = {name: f"{sandbox.url}/services/{name}" for name in ("revenue", "rebates", "specialty")}
    with gateway(quick_settings(tmp_path, services=services)) as made:
        yield made


def _ended(client: httpx.Client, task_id: str) -> dict[str, Any] | None:
    task: dict[str, Any] = client.get(f"/api/tasks/{task_id}").json()
    return task if task["status"] in ("COMPLETED", "FAILED") else None


def test_002_01_the_sources_example_works_verbatim(client: httpx.Client) -> None:
    answer = client.post("/api/orchestrate", json=TASK)
    assert answer.status_code == 202
    assert answer.json() == {"task_id": answer.json()["task_id"], "status": "PENDING"}
    task = until(lambda: _ended(client, answer.json()["task_id"]))
    assert set(task) == {
        "id", "task_id", "task_name", "task_description", "status", "created_at", "updated_at", "payload", "error_message",
        "service_requests",
    }  # fmt: skip
    assert (task["status"], task["payload"], task["error_message"]) == ("COMPLETED", TASK["payload"], None)
    for request in task["service_requests"]:
        assert set(request) == {
            "id", "task_id", "service_name", "scenario_id", "business_type_id", "status", "created_at", "updated_at",
            "request_payload", "response_payload", "error_message",
        }  # fmt: skip
        assert request["request_payload"] == SCENARIO
        assert request["response_payload"][request["service_name"]] > 0


def test_002_02_and_03_direct_gives_the_end_inline(client: httpx.Client) -> None:
    task = client.post("/api/orchestrate/direct", json={**TASK, "payload": TASK["payload"] * 2}).json()
    assert task["status"] == "COMPLETED"
    assert [request["service_name"] for request in task["service_requests"]] == ["revenue", "rebates", "specialty"] * 2
    assert client.get(f"/api/tasks/{task['task_id']}").json() == task


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ([], "invalid_request"),
        ([{}], "empty_payload"),
        ([{"taxes": SCENARIO}], "unknown_service"),
        ([{"revenue": {"scenario_id": "x", "business_type_id": "y"}}], "invalid_request"),
        ([{"revenue": {**SCENARIO, "more": float("1e999")}}], "invalid_request"),
    ],
)
def test_002_03_what_cannot_be_split_is_refused(client: httpx.Client, payload: list[Any], code: str) -> None:
    import json

    answer = client.post(
        "/api/orchestrate",
        content=json.dumps({**TASK, "payload": payload}),
        headers={"Content-Type": "application/json"},
    )
    assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_002_04_the_requests_of_a_task_go_out_side_by_side(behind: tuple[Scripted, str], tmp_path: Path) -> None:
    service, url = behind
    service.hold = 0.3
    services = {name: f"{url}/{name}" for name in ("revenue", "rebates", "specialty")}
    with gateway(quick_settings(tmp_path, services=services)) as client:
        assert client.post("/api/orchestrate/direct", json=TASK).json()["status"] == "COMPLETED"
    assert service.most == 3
    assert sorted(path for _, path, _, _ in service.seen) == ["/rebates", "/revenue", "/specialty"]


def test_002_21_one_service_that_fails_leaves_its_siblings(sandbox: Sandbox, client: httpx.Client) -> None:
    sandbox.post(
        "/_sandbox/faults", {"provider": "services", "match": "rebates", "kind": "status", "params": {"status": 500}}
    )
    task = client.post("/api/orchestrate/direct", json=TASK).json()
    assert {request["service_name"]: request["status"] for request in task["service_requests"]} == {
        "revenue": "COMPLETED", "rebates": "FAILED", "specialty": "COMPLETED",
    }  # fmt: skip
    assert task["status"] == "FAILED"
    assert "rebates" in task["error_message"]


def test_002_05_a_service_is_added_by_configuration(behind: tuple[Scripted, str], tmp_path: Path) -> None:
    with gateway(quick_settings(tmp_path, services={"taxes": behind[1]})) as client:
        body = {**TASK, "payload": [{"taxes": SCENARIO, "revenue": SCENARIO}]}
        task = client.post("/api/orchestrate/direct", json=body).json()
    taxes, revenue = task["service_requests"]
    assert taxes["status"] == "COMPLETED"
    assert "not configured" in revenue["error_message"]


def test_002_06_tasks_are_listed_in_stable_pages(client: httpx.Client) -> None:
    made = [client.post("/api/orchestrate", json=TASK).json()["task_id"] for _ in range(5)]
    first = client.get("/api/tasks", params={"limit": 2}).json()
    client.post("/api/orchestrate", json=TASK)
    second = client.get("/api/tasks", params={"limit": 2, "cursor": first["next"]}).json()
    assert [task["task_id"] for task in (*first["tasks"], *second["tasks"])] == made[:0:-1]
    assert client.get("/api/tasks", params={"status": "FAILED"}).json() == {"tasks": [], "next": None}
    assert client.get(f"/api/tasks/{uuid.uuid4()}").status_code == 404


def test_002_07_a_task_is_its_organisations_and_a_lost_claim_is_taken_over(ledger: Ledger) -> None:
    clock = Clock()
    tasks = Tasks(ledger.engine, clock=clock)
    task_id = tasks.create(
        ACME, name="n", description=None, payload=[], calls=[NewCall("revenue", SCENARIO)], actor="t", request_id="r"
    )
    assert tasks.view(OTHER, task_id) is None
    assert tasks.listed(OTHER) == []
    (lost,) = tasks.claim()
    assert tasks.claim() == []
    clock.now += dt.timedelta(minutes=3)
    (taken,) = tasks.claim()
    assert not tasks.settle(lost, response={})
    assert tasks.settle(taken, error="It failed.")
    view = tasks.view(ACME, task_id)
    assert view is not None
    assert (view["status"], view["error_message"]) == ("FAILED", "These services failed: revenue.")
