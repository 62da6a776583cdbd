"""The whole way on one machine, as `salescience up` starts it: submit over HTTP, the daemon runs it, the answer is there.

One stack serves all tests of this file; they wait for what must happen, and time nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from salescience_pipeline.acquisition.services import Services
from salescience_pipeline.catalog.tables import TABLES
from salescience_pipeline.cli import schedules
from salescience_pipeline.identifiers import OrganizationId
from salescience_pipeline.ledger import Ledger
from salescience_pipeline.settings import Settings, SettingsError
from salescience_pipeline_tests.clocks import until
from salescience_pipeline_tests.commands import PROJECT, SALESCIENCE, quick_environment

_ORG = {"organization_id": "acme-corp"}
_soon = partial(until, patience=180.0, every=0.25)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stack's folder."""
    return tmp_path_factory.mktemp("up")


@pytest.fixture(scope="module")
def client(home: Path) -> Iterator[httpx.Client]:
    """A client of the gateway of a running stack."""
    env = quick_environment(home, SALESCIENCE_LOG_FORMAT="json")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [*SALESCIENCE, "up", "--port", str(port)]
    log = home / "up.log"
    with log.open("wb") as out:
        stack = subprocess.Popen(command, cwd=PROJECT, env=env, stdout=out, stderr=out, start_new_session=True)
    try:
        said = home / "fictional" / "run" / "gateway.port"

        def answering() -> str | None:
            assert stack.poll() is None, log.read_text()
            if not said.exists():
                return None
            url = f"http://127.0.0.1:{said.read_text()}"
            try:
                httpx.get(f"{url}/openapi.json", timeout=2)
            except httpx.TransportError:
                return None
            return url

        with httpx.Client(base_url=_soon(answering, "gateway"), timeout=30) as made:
            yield made
    finally:
        stack.send_signal(signal.SIGTERM)
        stack.wait(timeout=60)


def _done(client: httpx.Client, job_id: str) -> dict[str, Any] | None:
    status: dict[str, Any] = client.get(f"/status/{job_id}", params=_ORG).json()
    return status if status["status"] in ("complete", "partial", "failed", "cancelled") else None


def _sandbox(home: Path) -> str:
    return str(json.loads((home / "fictional" / "sandbox.json").read_text())["url"])


def _tickers(home: Path, count: int) -> list[str]:
    return list(httpx.get(f"{_sandbox(home)}/_sandbox/world").json()["watchlist"][:count])


def test_000_13_from_submit_to_complete_through_daemon_and_sandbox(client: httpx.Client, home: Path) -> None:
    tickers = _tickers(home, 2)
    body = {"companies": [{"ticker": ticker} for ticker in tickers], "n_years": 2, "form_type": "10-K", **_ORG}
    job_id = client.post("/submit", json=body).json()["job_ids"][0]
    status = _soon(lambda: _done(client, job_id), "finished job")
    assert status["status"] == "complete", status
    results = client.get(f"/results/{job_id}", params=_ORG).json()["results"]
    assert list(results) == [
        key for ticker in tickers for key in (f"{ticker}:SEC:0", f"{ticker}:SEC:1", f"{ticker}:Yahoo")
    ]
    filing, prices = results[f"{tickers[0]}:SEC:0"], results[f"{tickers[0]}:Yahoo"]
    assert (filing["content_type"], filing["source"], "<html" in filing["content"]) == ("html", "sec", True)
    assert (prices["content_type"], prices["source"]) == ("json", "yahoo")
    assert prices["content"]["prices"][-1]["close"] > 0
    streamed = client.get(f"/results/{job_id}/{tickers[0]}:SEC:0", params=_ORG)
    assert streamed.text == filing["content"]
    assert streamed.headers["content-type"].startswith("text/plain")
    # The same again is answered from the lake, at once.
    again = client.post("/submit", json=body).json()["job_ids"][0]
    assert client.get(f"/status/{again}", params=_ORG).json()["status"] == "complete"
    assert client.get(f"/results/{again}", params=_ORG).json()["results"] == results


def test_003_08_a_killed_workers_job_completes_on_its_own(client: httpx.Client, home: Path) -> None:
    tickers = _tickers(home, 12)[2:]
    assert len(tickers) >= 3
    # Slow answers, so that the worker is in the middle of its work when it is killed.
    slow = {"provider": "*", "kind": "latency", "params": {"ms": 2_000}}
    assert httpx.post(f"{_sandbox(home)}/_sandbox/faults", json=slow).status_code == 201
    body = {"companies": [{"ticker": ticker, "sec": True} for ticker in tickers], "n_years": 1, **_ORG}
    job_id = client.post("/submit", json=body).json()["job_ids"][0]
    with Ledger.open(Settings(home=home).ledger_url) as ledger:

        def worker() -> int | None:
            beats = [beat for chunk, beat in ledger.dispatch.open_chunks() if beat and chunk.job_id == job_id]
            return int(beats[0].worker_id.rpartition(":")[2]) if beats else None

        pid = _soon(worker, "run at work")
        (beat,) = [beat for chunk, beat in ledger.dispatch.open_chunks() if beat and chunk.job_id == job_id]
        assert (beat.status, beat.memory_usage > 50_000_000) == ("running", True)
        os.kill(pid, signal.SIGKILL)
        assert _done(client, job_id) is None
        httpx.delete(f"{_sandbox(home)}/_sandbox/faults")
        status = _soon(lambda: _done(client, job_id), "finished job")
        view = ledger.jobs.view(OrganizationId("acme-corp"), job_id)
        events = ledger.jobs.events(OrganizationId("acme-corp"), job_id)
    assert view is not None
    # Nothing was written twice: each source succeeded once, and no row of the lake stands there two times.
    told = [event.key for event in events if event.status == "success"]
    assert sorted(told) == sorted(set(told))
    with Services(Settings(home=home)) as services:
        for name in ("core_sec__filings", "core_sec__documents"):
            rows = services.tables.read(name, columns=list(TABLES[name].key))
            assert rows.num_rows == rows.group_by(rows.column_names).aggregate([]).num_rows > 0
    assert max(source.attempt for source in view.sources) == 2
    assert status["status"] == "complete", status
    assert list(status["sources"].values()) == ["success"] * len(tickers)


def test_schedules_are_started_listed_and_stopped_through_the_running_stack(
    client: httpx.Client, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert client.get("/openapi.json").status_code == 200

    def states() -> dict[str, str]:
        capsys.readouterr()
        schedules.list_(as_json=True, home=home)
        return {row["schedule"]: row["status"] for row in json.loads(capsys.readouterr().out)}

    def answering() -> dict[str, str] | None:
        # The gateway may be up before the UI is, and the UI before the code is loaded.
        with contextlib.suppress(SettingsError):
            found = states()
            return found if "not up" not in found.values() else None
        return None

    shipped = _soon(answering, "Dagster UI")
    assert set(shipped.values()) == {"stopped"}
    assert {"tiingo_daily_prices", "tiingo_daily_prices_pass_2", "data_quality", "repair"} <= set(shipped)
    schedules.start(["alpha-vantage-technical-indicators", "data_quality"], home=home)
    assert "2 schedules are running." in capsys.readouterr().out
    schedules.start(["data-quality"], home=home)
    running = {name for name, status in states().items() if status == "running"}
    assert running == {"alpha_vantage_technical_indicators", "data_quality"}
    schedules.stop(["alpha-vantage-technical-indicators"], home=home)
    assert {name for name, status in states().items() if status == "running"} == {"data_quality"}
    schedules.stop(home=home)
    assert states() == shipped


def _objects(path: Path) -> list[dict[str, Any]]:
    """The log lines of a file that are JSON objects."""
    lines = path.read_text(errors="replace").splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def test_003_04_one_request_id_through_every_process(client: httpx.Client, home: Path) -> None:
    """Caller, gateway, ledger, audit, Dagster's run, its log, the request to the provider and the archive."""
    traced, [*_, ticker] = "follow-me-through-all", _tickers(home, 14)
    body = {"companies": [{"ticker": ticker, "yahoo": True}], **_ORG}
    answer = client.post("/submit", json=body, headers={"X-Request-ID": traced})
    assert answer.headers["x-request-id"] == traced
    job_id = answer.json()["job_ids"][0]
    assert _soon(lambda: _done(client, job_id), "finished job")["status"] == "complete"
    organization, root = OrganizationId("acme-corp"), home / "fictional"
    with Services(Settings(home=home)) as services:
        job = services.ledger.jobs.view(organization, job_id)
        entries = services.ledger.audit.entries(organization)
        answers = [row for _, row in services.archive.audit.answers() if row.request_id == traced]
    assert job is not None
    run_id = job.sources[0].run_id
    assert job.request_id == traced
    assert [entry["action"] for entry in entries if entry["request_id"] == traced] == ["job.create"]
    # What the archive calls the request is what the provider was told: the transport writes both from one value.
    assert {(row.provider, row.run_id) for row in answers} == {("yahoo", run_id)}
    assert any(ticker in row.canonical_url for row in answers)
    # Dagster's own storage.
    with sqlite3.connect(root / "dagster" / "history" / "runs.db") as runs:
        found = "select run_id from run_tags where key = 'salescience/request_id' and value = ?"
        assert runs.execute(found, (traced,)).fetchall() == [(run_id,)]
    # The gateway's log, and the run's.
    access = [line for line in _objects(root / "run" / "gateway.log") if line.get("request_id") == traced]
    assert [(line["method"], line["route"], line["status"]) for line in access if "route" in line] == [
        ("POST", "/submit", 202)
    ]
    files = (root / "dagster" / "compute_logs").rglob("*.err")
    told = [line for path in files for line in _objects(path) if line.get("request_id") == traced]
    assert {line["run_id"] for line in told} == {run_id}
    assert any(job_id in line["message"] for line in told)
