"""A sandbox as its own process, for tests that speak HTTP to it."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from salescience_pipeline.fiction.world import World

TODAY = "2026-11-20"
"""The date at which the tests look at the fictional market: a Friday, so the last bar is Thursday the 19th."""
LAST = "2026-11-19"
DAY = dt.date.fromisoformat(TODAY)
WORLD = World(7, 12, DAY)
"""The market that a server shows unless told otherwise, drawn in this process: its answers are held against it."""
PRICE_PROVIDERS = ("--providers", "yahoo,tiingo")
TOKEN = {"Authorization": "Token any"}
AGENT = {"User-Agent": "Example Company someone@example.com"}
"""Who asks, as EDGAR wants to know it; a server's client says it to everybody."""


@dataclass
class Served:
    """A running sandbox and a client for it."""

    process: subprocess.Popen[bytes]
    state: dict
    http: httpx.Client

    @property
    def url(self) -> str:
        return str(self.state["url"])

    def get(self, path: str, **kwargs) -> httpx.Response:
        return self.http.get(path, **kwargs)

    def fault(self, **rule) -> dict:
        response = self.http.post("/_sandbox/faults", json=rule)
        assert response.status_code == 201, response.text
        return response.json()["faults"][0]

    def stats(self, query: str = "") -> dict:
        return self.http.get(f"/_sandbox/stats{query}").json()

    def reset(self) -> None:
        assert self.http.post("/_sandbox/reset").status_code == 200
        assert self.http.delete("/_sandbox/limits").status_code == 200


def command(*arguments: str, state_file: Path) -> list[str]:
    return [
        sys.executable,
        "-m",
        "salescience_pipeline.sandbox",
        "--state-file",
        str(state_file),
        "--today",
        TODAY,
        *arguments,
    ]


def wait_for(path: Path, process: subprocess.Popen[bytes], seconds: float = 30.0) -> dict:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if path.exists():
            return json.loads(path.read_text())
        assert process.poll() is None, f"the sandbox ended with {process.returncode} before it was ready"
        time.sleep(0.01)
    raise AssertionError("the sandbox was not ready in time")


@contextlib.contextmanager
def running(*arguments: str, **popen) -> Iterator[Served]:
    """Start a sandbox with ``arguments``; it is ended on the way out, whatever happened."""
    with tempfile.TemporaryDirectory() as folder:
        state_file = Path(folder) / "state.json"
        process = subprocess.Popen(command(*arguments, state_file=state_file), stdout=subprocess.DEVNULL, **popen)
        try:
            state = wait_for(state_file, process)
            with httpx.Client(base_url=state["url"], headers=AGENT, timeout=20) as client:
                yield Served(process, state, client)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
