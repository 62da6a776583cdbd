"""The gateway under load while runs execute, and under kill -9: ``python -m benchmarks.gateway [--seconds 30] [--kills 50]``.

The whole stack of ``salescience up`` runs on this machine with its own sandbox. Submissions go out at a fixed rate (open
loop: a slow answer delays none behind it); then processes of the stack are killed at random moments while one submits on.
What was acknowledged must be there afterwards, once. The last line is JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil

from salescience_pipeline.ledger import Ledger
from salescience_pipeline.settings import Settings

_PROJECT = Path(__file__).resolve().parents[1]
_MAIN = "from salescience_pipeline.cli import main; main()"
_VICTIMS = ("gateway", "daemon", "code server", "run")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Stack:
    """``salescience up`` in a folder of its own."""

    def __init__(self, home: Path) -> None:
        self.home, self.settings = home, Settings(home=home)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SALESCIENCE_", "DAGSTER_"))}
        self.environment = kept | {
            "SALESCIENCE_HOME": str(home), "SALESCIENCE_TODAY": "2026-06-16", "SALESCIENCE_EDGAR_RATE": "300",
            "SALESCIENCE_YAHOO_RATE": "50", "SALESCIENCE_SANDBOX_COMPANIES": "60",
        }  # fmt: skip
        command = [sys.executable, "-c", _MAIN, "up", "--port", str(_free_port())]
        self._log = (home / "up.log").open("wb")
        self.process = subprocess.Popen(
            command, cwd=_PROJECT, env=self.environment, stdout=self._log, stderr=self._log, start_new_session=True
        )
        self.url = self._wait()

    def _wait(self) -> str:
        said = self.home / "fictional" / "run" / "gateway.port"
        while True:
            assert self.process.poll() is None, (self.home / "up.log").read_text()
            with contextlib.suppress(OSError, httpx.TransportError):
                url = f"http://127.0.0.1:{said.read_text()}"
                httpx.get(f"{url}/health", timeout=2)
                return url
            time.sleep(0.2)

    def tickers(self) -> list[str]:
        """What the sandbox's market holds."""
        sandbox = json.loads((self.home / "fictional" / "sandbox.json").read_text())["url"]
        return [company["ticker"] for company in httpx.get(f"{sandbox}/_sandbox/world").json()["companies"]]

    def victims(self, kind: str) -> list[int]:
        """Process ids of one kind among this stack's own descendants."""
        marks = {
            "gateway": " gateway ", "daemon": "dagster._daemon", "code server": "api grpc", "run": "execute_run",
        }  # fmt: skip
        found = []
        for child in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if marks[kind] in " ".join(child.cmdline()) + " ":
                    found.append(child.pid)
        return found

    def close(self) -> None:
        """End it."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=90)
        self._log.close()


def _body(ticker: str, organization: str) -> dict[str, Any]:
    return {"companies": [{"ticker": ticker}], "n_years": 1, "organization_id": organization}


def submit_at(url: str, tickers: list[str], *, rate: float, seconds: float) -> tuple[list[float], Counter[int], float]:
    """Submissions at ``rate`` per second: their latencies from the moment they were due, statuses, and the rate reached."""
    total = int(rate * seconds)
    latencies: list[float] = [0.0] * total
    statuses: Counter[int] = Counter()
    with httpx.Client(base_url=url, timeout=30, limits=httpx.Limits(max_connections=64)) as client:
        started = time.perf_counter() + 0.2

        def one(number: int) -> int:
            due = started + number / rate
            time.sleep(max(due - time.perf_counter(), 0))
            answer = client.post("/submit", json=_body(tickers[number % len(tickers)], f"org-{number % 20}"))
            latencies[number] = (time.perf_counter() - due) * 1_000
            return answer.status_code

        with ThreadPoolExecutor(64) as pool:
            statuses.update(pool.map(one, range(total)))
        took = time.perf_counter() - started
    return latencies, statuses, total / took


def cancel_all(url: str, organizations: Sequence[str]) -> None:
    """Cancel what is left of these organisations' jobs, so that it does not stand in the way of the next measurement."""
    with httpx.Client(base_url=url, timeout=60) as client:
        for name in organizations:
            cursor: dict[str, str] = {}
            while True:
                page = client.get("/jobs", params={"organization_id": name, "limit": 200, **cursor}).json()
                for job in page["jobs"]:
                    if job["status"] in ("pending", "processing"):
                        client.delete(f"/jobs/{job['job_id']}", params={"organization_id": name})
                if page["next"] is None:
                    break
                cursor = {"cursor": page["next"]}


def same_key(url: str, ticker: str) -> int:
    """Jobs that fifty equal idempotency keys at once make."""
    key = {"Idempotency-Key": uuid.uuid4().hex}

    def one(_: int) -> str:
        return str(
            httpx.post(f"{url}/submit", json=_body(ticker, "same"), headers=key, timeout=30).json()["job_ids"][0]
        )

    with ThreadPoolExecutor(50) as pool:
        return len(set(pool.map(one, range(50))))


def cold_start(home: Path) -> float:
    """Seconds from the start of a gateway's process to its first 200, the best of three."""
    times = []
    for _ in range(3):
        port = _free_port()
        started = time.perf_counter()
        environment = {**os.environ, "SALESCIENCE_HOME": str(home)}
        command = [sys.executable, "-c", _MAIN, "gateway", "--port", str(port)]
        process = subprocess.Popen(command, cwd=_PROJECT, env=environment, stderr=subprocess.DEVNULL)
        while True:
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"http://127.0.0.1:{port}/health", timeout=2)
                break
            time.sleep(0.02)
        times.append(time.perf_counter() - started)
        process.terminate()
        process.wait(timeout=30)
    return min(times)


def fairness(stack: Stack, tickers: list[str]) -> float:
    """Seconds until a job of B is over that was submitted behind 500 of A."""
    with httpx.Client(base_url=stack.url, timeout=30) as client:
        for number in range(500):
            # Forms that nobody asked for yet, so that the lake cannot answer at once.
            body = {**_body(tickers[number % len(tickers)], "flood"), "n_years": 2 + number % 25, "form_type": "10-Q"}
            client.post("/submit", json=body).raise_for_status()
        started = time.perf_counter()
        body = {**_body(tickers[-1], "small"), "form_type": "8-K", "n_years": 3}
        job_id = client.post("/submit", json=body).json()["job_ids"][0]
        whose = {"organization_id": "small"}
        while client.get(f"/status/{job_id}", params=whose).json()["status"] in ("pending", "processing"):
            time.sleep(0.1)
        took = time.perf_counter() - started
    cancel_all(stack.url, ["flood"])
    return took


def kill_at_random(stack: Stack, tickers: list[str], *, kills: int) -> tuple[list[str], int]:
    """Submit on while processes are killed with -9; the jobs that were acknowledged, and the kills that hit."""
    stop, acknowledged, dice = threading.Event(), [], random.Random(7)

    def submit() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            with contextlib.suppress(httpx.TransportError):
                answer = httpx.post(
                    f"{stack.url}/submit", json=_body(tickers[number % len(tickers)], "kills"), timeout=10
                )
                if answer.status_code == 202:
                    acknowledged.append(answer.json()["job_ids"][0])
            stop.wait(0.25)

    thread = threading.Thread(target=submit)
    thread.start()
    hit = 0
    while hit < kills:
        time.sleep(dice.uniform(0.5, 3.0))
        found = stack.victims(dice.choice(_VICTIMS))
        if found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(dice.choice(found), signal.SIGKILL)
                hit += 1
                # The supervisor gives up on a process that ends five times in two minutes.
                time.sleep(6.0)
    stop.set()
    thread.join()
    return acknowledged, hit


def lost_and_doubled(stack: Stack, acknowledged: list[str], *, patience: float) -> tuple[int, int]:
    """Acknowledged jobs that did not come to an end well, and sources that were written twice."""
    from salescience_pipeline.identifiers import OrganizationId

    open_ = set(acknowledged)
    ends = time.monotonic() + patience
    with Ledger.open(stack.settings.ledger_url) as ledger:
        owner = OrganizationId("kills")
        while open_ and time.monotonic() < ends:
            for job_id in sorted(open_):
                job = ledger.jobs.view(owner, job_id)
                if job is not None and job.status.value == "complete":
                    open_.discard(job_id)
            time.sleep(1)
        doubled = 0
        for job_id in acknowledged:
            told = [event.key for event in ledger.jobs.events(owner, job_id, limit=10_000) if event.status == "success"]
            doubled += len(told) - len(set(told))
    return len(open_), doubled


def main() -> None:
    """Run it and print the figures; the last line is JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=200.0)
    parser.add_argument("--kills", type=int, default=50)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="salescience-gateway-") as folder:
        home = Path(folder)
        stack = Stack(home)
        try:
            tickers = stack.tickers()
            sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
            print(f"{len(tickers)} companies; submitting {options.rate:g}/s for {options.seconds:g} s")
            latencies, statuses, rate = submit_at(stack.url, tickers, rate=options.rate, seconds=options.seconds)
            ordered = sorted(latencies)
            p99 = ordered[int(len(ordered) * 0.99)]
            print(f"{rate:.0f}/s, p50 {statistics.median(ordered):.1f} ms, p99 {p99:.1f} ms, statuses {dict(statuses)}")
            cancel_all(stack.url, [f"org-{number}" for number in range(20)])
            jobs = same_key(stack.url, tickers[0])
            print(f"50 equal keys: {jobs} job")
            fair = fairness(stack, tickers)
            print(f"one job of B behind 500 of A: {fair:.1f} s")
            acknowledged, hit = kill_at_random(stack, tickers, kills=options.kills)
            lost, doubled = lost_and_doubled(stack, acknowledged, patience=300.0)
            print(f"{hit} kills, {len(acknowledged)} acknowledged, {lost} lost, {doubled} written twice")
        finally:
            stack.close()
        start = cold_start(home / "cold")
    figures = {
        "rate": round(rate, 1), "p50_ms": round(statistics.median(ordered), 2), "p99_ms": round(p99, 2), "lost": lost,
        "duplicated": doubled, "kills": hit, "cold_start_s": round(start, 2), "same_key_jobs": jobs,
        "fairness_s": round(fair, 2),
    }  # fmt: skip
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
