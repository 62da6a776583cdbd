"""``salescience up`` in a folder of its own, for the gateway's benchmark: start it, find its processes, end it.

What does not belong here: measuring.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import psutil

from salescience_pipeline.settings import Settings

PROJECT = Path(__file__).resolve().parents[1]
MAIN = "from salescience_pipeline.cli import main; main()"


def free_port() -> int:
    """A port of this machine that nobody has."""
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
        command = [sys.executable, "-c", MAIN, "up", "--port", str(free_port())]
        self._log = (home / "up.log").open("wb")
        self.process = subprocess.Popen(
            command, cwd=PROJECT, env=self.environment, stdout=self._log, stderr=self._log, start_new_session=True
        )
        self.url = self._wait()

    def _wait(self) -> str:
        said = self.home / "fictional" / "run" / "gateway.port"
        while True:
            self.assert_alive()
            with contextlib.suppress(OSError, httpx.TransportError):
                url = f"http://127.0.0.1:{said.read_text()}"
                httpx.get(f"{url}/health", timeout=2)
                return url
            time.sleep(0.2)

    def assert_alive(self) -> None:
        """Stop with its log when what supervises the stack has ended: nothing would come up any more."""
        assert self.process.poll() is None, (self.home / "up.log").read_text()

    def tickers(self) -> list[str]:
        """Companies of the sandbox's market that SEC and Yahoo know: those of its watchlist."""
        sandbox = json.loads((self.home / "fictional" / "sandbox.json").read_text())["url"]
        return list(httpx.get(f"{sandbox}/_sandbox/world").json()["watchlist"])

    def victims(self, kind: str) -> list[int]:
        """Process ids of one kind among this stack's own descendants."""
        found = []
        for child in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if kind == self._kind(child):
                    found.append(child.pid)
        return found

    @staticmethod
    def _kind(process: psutil.Process) -> str | None:
        command = " ".join(process.cmdline()) + " "
        if "spawn_main" in command:
            # A code server starts a process for each run.
            return "run" if "api grpc" in " ".join((process.parent() or process).cmdline()) else None
        marks = {"gateway": " gateway ", "daemon": "dagster._daemon", "code server": "api grpc"}
        return next((kind for kind, mark in marks.items() if mark in command), None)

    def close(self) -> None:
        """End it."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=90)
        self._log.close()


def body(ticker: str, organization: str, **more: Any) -> dict[str, Any]:
    """A submission of one company."""
    return {"companies": [{"ticker": ticker}], "n_years": 1, "organization_id": organization, **more}
