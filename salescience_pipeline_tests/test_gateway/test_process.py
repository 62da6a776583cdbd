"""The gateway as a process: the documented commands, what it must not import, slow clients, and how little it holds."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest

from salescience_pipeline.acquisition.services import Services
from salescience_pipeline.clients.model import AnswerClass, Attempt, Body, PlannedRequest, Subject
from salescience_pipeline.gateway.middleware import Envelope
from salescience_pipeline.identifiers import OrganizationId, RequestId
from salescience_pipeline.ledger.job_model import Content, NewJob, PlannedSource
from salescience_pipeline.ledger.job_rules import SourceStatus
from salescience_pipeline.settings import Settings
from salescience_pipeline_tests.commands import GATEWAY, PROJECT, environment, running_gateway, salescience
from salescience_pipeline_tests.test_gateway.serving import served


@pytest.mark.parametrize(
    "command",
    [
        GATEWAY,
        [sys.executable, "-m", "uvicorn", "salescience_pipeline.gateway:app", "--host", "127.0.0.1", "--port", "0"],
    ],
    ids=["salescience gateway", "uvicorn"],
)
def test_000_20_and_002_20_the_documented_commands_serve(tmp_path: Path, command: Sequence[str]) -> None:
    with running_gateway(environment(tmp_path), command) as (process, url):
        assert httpx.get(f"{url}/health").json()["status"] == "healthy"
        assert httpx.get(f"{url}/docs").status_code == 200
        paths = set(httpx.get(f"{url}/openapi.json").json()["paths"])
        assert paths >= {
            "/submit", "/status/{job_id}", "/results/{job_id}", "/health", "/status", "/manual/trigger-job", "/api/orchestrate",
            "/api/orchestrate/direct", "/api/tasks", "/api/tasks/{task_id}", "/", "/api/enrich", "/api/publish",
            "/health/status", "/health/status/{service}", "/finnhub/quote-portfolio",
        }  # fmt: skip
        process.terminate()
        assert process.wait(timeout=30) in (0, -15, 143)


def test_threat_15_uvicorn_started_directly_bounds_the_head_of_a_request_as_documented(tmp_path: Path) -> None:
    """How long a head may take is told by the same class, whose clock is tested in ``test_threats``."""
    documented = "salescience_pipeline.gateway.connections:PatientProtocol"
    assert documented in re.sub(r"\s+", " ", (PROJECT / "docs" / "gateway.md").read_text("utf-8")).replace("` ", "`")
    assert f"UVICORN_HTTP={documented}" in (PROJECT / "deploy" / "Dockerfile").read_text("utf-8")
    command = [sys.executable, "-m", "uvicorn", "salescience_pipeline.gateway:app", "--port", "0", "--http", documented]
    with running_gateway(environment(tmp_path), command) as (_, url):
        address = httpx.URL(url)
        with socket.create_connection((address.host, address.port or 0), timeout=30) as client:
            client.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\nX-Long: " + b"x" * 70_000)
            assert client.recv(100).startswith(b"HTTP/1.1 431 ")
        assert httpx.get(f"{url}/health").status_code == 200


def test_001_34_the_gateway_imports_no_dagster_and_no_arrow_to_answer(tmp_path: Path) -> None:
    program = (
        "import sys; from salescience_pipeline.gateway.app import create_app;"
        " from salescience_pipeline.settings import Settings; create_app(Settings()).openapi();"
        " print([name for name in ('dagster', 'pandas', 'deltalake', 'duckdb', 'lxml') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=PROJECT,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_000_15_without_keys_it_refuses_to_listen_elsewhere(tmp_path: Path) -> None:
    refused = salescience("gateway", "--host", "0.0.0.0", "--port", "0", env=environment(tmp_path))
    assert refused.returncode == 2
    assert "SALESCIENCE_GATEWAY_AUTH=api_key" in refused.stderr
    everybody = salescience("gateway", "--port", "0", env=environment(tmp_path, SALESCIENCE_GATEWAY_ORIGINS='["*"]'))
    assert everybody.returncode == 2
    assert "refused" in everybody.stderr


def test_keys_and_audit_from_the_command_line(tmp_path: Path) -> None:
    made = json.loads(
        salescience("keys", "create", "--org", "acme", "--scopes", "admin", "--json", env=environment(tmp_path)).stdout
    )
    listed = salescience("keys", "list", "--json", env=environment(tmp_path)).stdout
    assert json.loads(listed)[0]["key_id"] == made["key_id"]
    assert made["key"] not in listed
    assert salescience("keys", "revoke", made["key_id"], env=environment(tmp_path)).returncode == 0
    again = salescience("keys", "revoke", made["key_id"], env=environment(tmp_path))
    assert (again.returncode, "no key" in again.stderr) == (2, True)
    assert salescience("audit", "verify", "--json", env=environment(tmp_path)).stdout.strip() == "[]"
    cut = salescience("audit", "verify", "--head", f"acme={'0' * 63}1", "--json", env=environment(tmp_path))
    assert cut.returncode == 1


def test_threat_15_a_client_that_sends_slowly_is_let_go(tmp_path: Path) -> None:
    from salescience_pipeline.gateway.app import create_app

    app = create_app(Settings(home=tmp_path))
    with served(Envelope(app, body_seconds=0.2)) as url:
        host, port = httpx.URL(url).host, httpx.URL(url).port
        with socket.create_connection((host, port or 80), timeout=10) as raw:
            raw.sendall(b"POST /submit HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n{")
            said = raw.recv(4_096)
    assert b" 408 " in said.splitlines()[0]
    assert b"body_too_slow" in said


def test_000_10_a_filing_of_50_mb_is_streamed(tmp_path: Path) -> None:
    import datetime as dt

    settings = Settings(home=tmp_path)
    # Hard to compress, so that the stored blob is large too, and with characters that JSON has to escape.
    data = (os.urandom(1 << 20).hex() + '"\n<p>').encode() * 25
    size = len(data)
    assert size > 50_000_000
    with Services(settings) as services:
        request = PlannedRequest("sec", "document", "www", "/x.htm", Subject("a"), immutable=True, expect="html")
        attempt = Attempt(
            RequestId.new(),
            request,
            AnswerClass.OK,
            1,
            dt.datetime.now(dt.UTC),
            1.0,
            200,
            body=Body(data),
            complete=True,
        )
        ref = services.archive.put(attempt, "run", None)
        content = Content(ref.sha256, "html", size)
        source = PlannedSource("AAPL:SEC:0", "sec", "AAPL", 0, SourceStatus.SUCCESS, content)
        job = NewJob("123e4567-e89b-42d3-a456-426614174000", "submit", "submit", {}, [source], "request-1")
        services.ledger.jobs.create(OrganizationId("acme"), [job], actor="t", max_open=9)
    with running_gateway(environment(tmp_path)) as (process, url), httpx.Client(base_url=url, timeout=60) as client:
        params = {"organization_id": "acme"}
        # The lake's libraries are loaded by the first content of any size; they are no part of the stream.
        one = client.get(f"/results/{job.job_id}/AAPL:SEC:0", params=params, headers={"Range": "bytes=0-9"})
        assert one.content == data[:10]
        for path in (f"/results/{job.job_id}/AAPL:SEC:0", f"/results/{job.job_id}"):
            Path(f"/proc/{process.pid}/clear_refs").write_text("5")
            before = _peak(process.pid)
            got = 0
            with client.stream("GET", path, params=params) as answer:
                for piece in answer.iter_bytes():
                    got += len(piece)
            assert got >= size
            assert _peak(process.pid) - before < 64_000_000, path


def _peak(pid: int) -> int:
    """The most resident memory of a process since its mark was cleared, in bytes."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1_024
