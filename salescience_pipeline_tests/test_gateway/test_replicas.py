"""Two gateways as processes on one PostgreSQL: they say the same, one looks after the services, and one may be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from salescience_pipeline.ledger import Ledger
from salescience_pipeline.ledger.scoping import looking
from salescience_pipeline.ledger.service_models import Lease
from salescience_pipeline_tests.clocks import until
from salescience_pipeline_tests.commands import environment, running_gateway
from salescience_pipeline_tests.test_gateway.receiver import receiving

_ORG = {"organization_id": "acme"}
_BODY = {"companies": [{"ticker": "AAPL"}], **_ORG}


class Gateway:
    """One process."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process, self.url = process, url
        self.client = httpx.Client(base_url=url, timeout=30)

    def kill(self) -> None:
        """As if the power of its machine went."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def _started(env: dict[str, str]) -> Iterator[Gateway]:
    with running_gateway(env) as (process, url):
        made = Gateway(process, url)
        try:
            yield made
        finally:
            made.client.close()


@pytest.fixture
def service() -> Iterator[tuple[str, list[float]]]:
    """A service behind the gateways, and when it was looked at."""
    looks: list[float] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            looks.append(time.monotonic())
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", looks
    server.shutdown()
    thread.join()
    server.server_close()


def test_000_17_003_16_004_12_two_processes_are_one_gateway_and_one_may_be_killed(
    tmp_path: Path, postgres_url: str, service: tuple[str, list[float]]
) -> None:
    url, looks = service
    env = environment(
        tmp_path,
        SALESCIENCE_DATABASE_URL=postgres_url,
        SALESCIENCE_HEALTH_SECONDS="1",
        SALESCIENCE_UPSTREAMS=json.dumps({"research": url}),
        SALESCIENCE_WEBHOOK_NETWORKS='["127.0.0.0/8"]',
    )
    with ExitStack() as stack:
        receiver = stack.enter_context(receiving())
        first, second = (stack.enter_context(_started(env)) for _ in range(2))
        ledger = stack.enter_context(Ledger.open(postgres_url))

        def leader() -> str | None:
            with looking(ledger.engine, None) as connection:
                return connection.scalar(select(Lease.holder))

        # What one was told, the other knows; fifty equal keys, spread over both, are one job.
        job = first.client.post("/submit", json=_BODY).json()["job_ids"][0]
        assert second.client.get(f"/status/{job}", params=_ORG).json()["status"] == "pending"
        assert second.client.delete(f"/jobs/{job}", params=_ORG).status_code == 200
        assert first.client.get(f"/status/{job}", params=_ORG).json()["status"] == "cancelled"

        def again(number: int) -> str:
            client = (first, second)[number % 2].client
            answer = client.post("/submit", json=_BODY, headers={"Idempotency-Key": "the-same"})
            assert answer.status_code == 202, answer.text
            return str(answer.json()["job_ids"][0])

        with ThreadPoolExecutor(16) as pool:
            assert len(set(pool.map(again, range(50)))) == 1
        # One of them looks after the services, and both say what it saw.
        until(lambda: len(looks) >= 3)
        pictures = [gateway.client.get("/health/status").json()["services"]["research"] for gateway in (first, second)]
        assert [picture["status"] for picture in pictures] == ["healthy", "healthy"]
        holder = leader()
        # One is killed while it takes jobs in: what it acknowledged is there, and what it had to tell is told.
        hook = first.client.post("/webhooks", params=_ORG, json={"url": receiver.url, "events": ["job.cancelled"]})
        assert hook.status_code == 201, hook.text
        acknowledged: list[str] = []

        def submit() -> None:
            with suppress(httpx.TransportError):
                while True:
                    acknowledged.append(first.client.post("/submit", json=_BODY).json()["job_ids"][0])

        thread = threading.Thread(target=submit)
        thread.start()
        until(lambda: len(acknowledged) >= 20)
        first.kill()
        thread.join()
        for name in acknowledged:
            assert second.client.get(f"/status/{name}", params=_ORG).json()["status"] == "pending"
        assert second.client.delete(f"/jobs/{acknowledged[-1]}", params=_ORG).status_code == 200
        came = until(lambda: receiver.came)
        assert came[0].payload["data"]["job_id"] == acknowledged[-1]
        assert came[0].is_signed_with(hook.json()["secret"])
        # Whoever led, the other one leads now.
        seen = len(looks)
        until(lambda: len(looks) >= seen + 2)
        survivor = leader()
        third = stack.enter_context(_started(env))
        assert third.client.get(f"/status/{job}", params=_ORG).json()["status"] == "cancelled"
        second.kill()
        until(lambda: leader() not in (holder, survivor))
        assert third.client.get("/health/status").json()["services"]["research"]["status"] == "healthy"
