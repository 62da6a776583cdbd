"""The providers' jobs by name, over HTTP; their runs are the registry's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import httpx
import pytest

from salescience_pipeline.acquisition.services import Services
from salescience_pipeline.catalog.jobs import JOBS, SOURCE_JOBS
from salescience_pipeline.gateway.triggers import route_of
from salescience_pipeline.identifiers import OrganizationId
from salescience_pipeline.ledger import Ledger
from salescience_pipeline.orchestration.resources import ServicesResource
from salescience_pipeline.orchestration.submissions import submission, submissions
from salescience_pipeline.settings import Settings
from salescience_pipeline_tests.test_gateway.serving import gateway

_QUOTE = {"scope": "active_symbols", "job": "finnhub-quote-portfolio"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An empty world of the test's own."""
    return Settings(home=tmp_path / "home")


@pytest.fixture
def client(settings: Settings) -> Iterator[httpx.Client]:
    """A gateway that needs no key."""
    with gateway(settings) as made:
        yield made


def test_001_03_each_of_the_eleven_jobs_has_its_route(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert len(SOURCE_JOBS) == 11
    for name in SOURCE_JOBS:
        assert "post" in paths[route_of(name)], name
        answer = client.post(route_of(name), json={"scope": JOBS[name].scope.value.upper(), "job": name})
        assert answer.status_code == 202, answer.text
        assert (answer.json()["accepted"], answer.json()["status"], answer.json()["run_ids"]) == (True, "pending", [])
    assert {route_of("finnhub-quote-portfolio"), route_of("alpha-vantage-technical-indicators")} == {
        "/finnhub/quote-portfolio", "/alpha-vantage/technical-indicators",
    }  # fmt: skip


def test_001_03_the_sources_examples_work_verbatim_and_the_same_time_is_the_same_run(client: httpx.Client) -> None:
    body = {**_QUOTE, "run_time": "2024-01-01T10:00:00Z"}
    first = client.post("/finnhub/quote-portfolio", json=body)
    again = client.post("/finnhub/quote-portfolio", json={**body, "run_time": "2024-01-01T12:00:00+02:00"})
    other = client.post("/finnhub/quote-portfolio", json={**body, "run_time": "2024-01-01T10:05:00Z"})
    assert first.json()["job_id"] == again.json()["job_id"] != other.json()["job_id"]
    assert again.headers["idempotent-replayed"] == "true"
    assert client.post("/manual/trigger-job", json=_QUOTE).status_code == 202


@pytest.mark.parametrize(
    ("path", "change", "status", "code"),
    [
        ("/manual/trigger-job", {"job": "no-such-job"}, 404, "unknown_job"),
        ("/manual/trigger-job", {"scope": "indices"}, 422, "wrong_scope"),
        ("/manual/trigger-job", {"scope": "everything"}, 422, "unknown_scope"),
        ("/manual/trigger-job", {"run_time": "yesterday"}, 422, "invalid_request"),
        ("/manual/trigger-job", {"run_time": "2024-01-01T10:00:00"}, 422, "invalid_request"),
        ("/manual/trigger-job", {"job": "../../x"}, 422, "invalid_request"),
        ("/finnhub/quote-indices", {}, 422, "wrong_job"),
    ],
)
def test_001_04_what_cannot_be_meant_is_refused(
    client: httpx.Client, path: str, change: dict[str, str], status: int, code: str
) -> None:
    answer = client.post(path, json={**_QUOTE, **change})
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_001_04_a_key_needs_the_scope_for_it(settings: Settings) -> None:
    settings.root.mkdir(parents=True)
    with Ledger.open(settings.ledger_url) as ledger:
        key, _ = ledger.organizations.create_key(OrganizationId("acme"), scopes=["jobs:write", "jobs:read"])
        good, _ = ledger.organizations.create_key(OrganizationId("acme"), scopes=["jobs:trigger"])
    with gateway(settings.model_copy(update={"gateway_auth": "api_key"}), key) as client:
        assert client.post("/manual/trigger-job", json=_QUOTE).json()["code"] == "scope_missing"
        answer = client.post("/manual/trigger-job", json=_QUOTE, headers={"Authorization": f"Bearer {good}"})
        assert answer.status_code == 202


def test_001_06_and_14_a_triggered_job_runs_and_its_end_can_be_waited_for(
    overrides: dict[str, str], services: Services
) -> None:
    services.seed_watchlist()
    body = {"scope": "indices", "job": "tiingo-daily-prices-indices", "run_time": "2026-06-12T22:00:00Z"}
    with gateway(services.settings) as client, dg.DagsterInstance.ephemeral() as instance:
        job_id = client.post("/tiingo/daily-prices-indices", json=body).json()["job_id"]
        resources = {"services": ServicesResource(overrides=overrides)}
        with dg.build_sensor_context(instance=instance, resources=resources) as context:
            answer = submissions(context)
        assert isinstance(answer, dg.SensorResult)
        (request,) = answer.run_requests or []
        result = submission.execute_in_process(
            instance=instance, run_config=request.run_config, tags=dict(request.tags), resources=resources
        )
        assert result.success
        done = client.post("/tiingo/daily-prices-indices", params={"wait": 5}, json=body)
        assert done.status_code == 200
        assert done.json() == {"accepted": True, "job_id": job_id, "status": "complete", "run_ids": [result.run_id]}
        stats = client.get("/status").json()["stats"]
        assert (stats["jobs_processed"], stats["jobs_successful"], stats["jobs_failed"]) == (1, 1, 0)
        assert stats["last_job_time"].endswith("Z")
    prices = services.tables.read("core_tiingo__eod_prices").to_pylist()
    assert {row["trade_date"].isoformat() for row in prices} == {"2026-06-12"}
    assert {row["ticker"] for row in prices} == set(services.sandbox.get("/_sandbox/world")["indices"])  # type: ignore[union-attr]
