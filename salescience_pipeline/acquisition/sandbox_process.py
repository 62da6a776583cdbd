"""The sandbox as a process: started when it is needed, shared by everyone who works in the same world's folder.

The sandbox is a server that nobody imports; here it is only started, found and leased. It ends by itself when the last
process that leased it is gone. What does not belong here: what the sandbox answers.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from salescience_pipeline.settings import Settings, SettingsError, World

_START_SECONDS = 30.0
_started: list[subprocess.Popen[bytes]] = []
"""Sandboxes that this process started: they may outlive it, and a dropped handle would look like a forgotten process."""


@atexit.register
def _let_go() -> None:
    """A sandbox lives by its leases, not by who started it: it is no forgotten child of a process that ends."""
    for process in _started:
        process.returncode = process.poll() or 0


class SandboxUnavailable(RuntimeError):
    """The sandbox could not be started or reached; the message says where its log is."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A running sandbox."""

    url: str
    pid: int | None

    def get(self, path: str) -> Any:
        """The JSON answer of one of its ``/_sandbox`` paths."""
        return _json(f"{self.url}{path}")

    def post(self, path: str, body: Any) -> Any:
        """Post JSON to one of its ``/_sandbox`` paths and return the JSON answer."""
        return _json(f"{self.url}{path}", body)

    @property
    def connections(self) -> dict[str, Any]:
        """What it counted so far, per provider."""
        return dict(self.get("/_sandbox/stats"))


def _json(url: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})  # noqa: S310 - loopback only, see _is_loopback
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        return json.loads(answer.read())


def _is_loopback(url: str) -> bool:
    return url.startswith(("http://127.0.0.1:", "http://localhost:", "http://[::1]:"))


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _alive(state_file: Path) -> Sandbox | None:
    """The sandbox that the state file names, if it answers."""
    try:
        state = json.loads(state_file.read_text())
        found = Sandbox(state["url"], state["pid"])
        found.get("/_sandbox/health")
    except (OSError, ValueError, KeyError):
        return None
    return found


def _matches(found: Sandbox, settings: Settings) -> bool:
    """Whether the running sandbox serves the world that the settings ask for."""
    world = found.get("/_sandbox/world")
    frozen = settings.today is None or world.get("today") == settings.today
    return bool(world.get("world") == settings.world.value and world.get("seed") == settings.sandbox_seed and frozen)


def ensure_sandbox(settings: Settings, *, lease_pid: int | None = None) -> Sandbox:
    """Find the sandbox of this world, or start it; it lives as long as a process that leased it.

    Raises:
        SandboxUnavailable: when it does not come up, or another world's sandbox holds the folder.
        SettingsError: when the settings ask for the live world, or for a sandbox that is not on this machine.
    """
    if settings.is_live:
        raise SettingsError("The live world has no sandbox.")
    if settings.sandbox_url is not None:
        if not _is_loopback(settings.sandbox_url):
            raise SettingsError("SALESCIENCE_SANDBOX_URL must be a loopback address, http://127.0.0.1:PORT.")
        found = Sandbox(settings.sandbox_url.rstrip("/"), None)
        try:
            found.get("/_sandbox/health")
        except (OSError, ValueError) as error:
            raise SandboxUnavailable(f"No sandbox answers at {settings.sandbox_url}.") from error
        return found
    state_file = settings.root / "sandbox.json"
    with _locked(settings.root / "sandbox.lock"):
        running = _alive(state_file)
        if running is not None and not _matches(running, settings):
            raise SandboxUnavailable(
                "A sandbox with another world, seed or date is still running for this folder; "
                "end the processes that use it, or set SALESCIENCE_HOME to another folder."
            )
        if running is None:
            running = _start(settings, state_file)
        running.post("/_sandbox/lease", {"pid": lease_pid or os.getpid()})
    return running


def sandbox_command(settings: Settings, *, state_file: Path | None = None, port: int = 0) -> list[str]:
    """The command line that serves this world."""
    command = [sys.executable, "-m", "salescience_pipeline.sandbox", "--world", settings.world.value]
    command += ["--seed", str(settings.sandbox_seed), "--port", str(port)]
    if settings.world is World.CORPUS:
        command += ["--corpus", str(settings.corpus)]
    if settings.today is not None:
        command += ["--today", settings.today]
    if settings.sandbox_companies is not None:
        command += ["--companies", str(settings.sandbox_companies)]
    if state_file is not None:
        command += ["--state-file", str(state_file)]
    return command


def _start(settings: Settings, state_file: Path) -> Sandbox:
    state_file.unlink(missing_ok=True)
    log_path = settings.root / "sandbox.log"
    with log_path.open("ab") as log:
        process = subprocess.Popen(
            [*sandbox_command(settings, state_file=state_file), "--exit-with-leases"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    _started.append(process)
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        found = _alive(state_file)
        if found is not None:
            return found
        if process.poll() is not None:
            raise SandboxUnavailable(
                f"The sandbox ended with code {process.returncode} while starting; see {log_path}."
            )
        time.sleep(0.05)
    process.terminate()
    raise SandboxUnavailable(f"The sandbox did not answer within {_START_SECONDS:.0f} s; see {log_path}.")
