"""One process tree for the whole product on one machine: start, restart what dies, end everything cleanly.

A code server that dies is restarted, since nothing else in Dagster does it. Children are started directly, not through
a shell: a process started with SIGINT ignored would survive SIGTERM, because Dagster maps one onto the other. What does
not belong here: which processes there are (``serve``).
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

from salescience_pipeline.settings import SettingsError

_GRACE_SECONDS = 20.0
_STANDS_BACK = 10
"""How far the code servers and their runs stand back: somebody waits for the gateway. They compute whenever there is
anything to do, so with less than this the gateway waits for them; with much more, a busy machine would starve them."""
_SHORT_LIVES, _SHORT_SECONDS = 5, 15.0
"""A child that ends this often, each time this soon, will not come up: starting it again is no help any more."""
_LOCATIONS = {
    "salescience_pipeline": "salescience_pipeline.definitions",
    "salescience_marts": "salescience_pipeline.marts.definitions",
}


@dataclass
class Child:
    """One process of the tree."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    nice: int = 0
    """How far it stands back when processors are short."""
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    short_lives: int = 0
    """How often in a row it ended soon after its start."""


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _stable_port(note: Path) -> int:
    """A free port, the same as last time where that is possible: Dagster files ticks of sensors under the server's address."""
    with contextlib.suppress(OSError, ValueError):
        last = int(note.read_text())
        if _is_free(last):
            return last
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    note.write_text(str(port))
    return port


def free_or(port: int) -> int:
    """``port`` when nobody has it, else one that is free.

    Raises:
        SettingsError: this machine has no free port.
    """
    for wanted in (port, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", wanted))
            return int(probe.getsockname()[1])
    raise SettingsError("This machine has no free port.")


def stack(
    environment: Mapping[str, str],
    *,
    port: int,
    folder: Path,
    gateway_port: int | None = None,
    gateway_settings: Mapping[str, str] | None = None,
    intake: bool = False,
) -> list[Child]:
    """The children of ``salescience up``: a server per code location, the daemon, the gateway and the web server.

    Without ``gateway_port`` there is no gateway; ``gateway_settings`` are environment variables for it, and for the ``intake``
    of a Kafka topic.

    Raises:
        SettingsError: when the port of the UI is taken.
    """
    if not _is_free(port):
        raise SettingsError(f"Port {port} is taken; choose another with --port.")
    folder.mkdir(parents=True, exist_ok=True)
    python = sys.executable
    children, servers = [], []
    for location, module in _LOCATIONS.items():
        grpc_port = _stable_port(folder / f"{location}.port")
        command = [python, "-m", "dagster", "api", "grpc", "-m", module, "-h", "127.0.0.1", "-p", str(grpc_port)]
        command += ["--location-name", location]
        children.append(Child(location, command, environment, folder / f"{location}.log", _STANDS_BACK))
        servers.append(f"  - grpc_server: {{host: 127.0.0.1, port: {grpc_port}, location_name: {location}}}")
    workspace = folder / "workspace.yaml"
    workspace.write_text("load_from:\n" + "\n".join(servers) + "\n")
    # Other commands of this world find the web server by it.
    (folder / "webserver.port").write_text(str(port))
    daemon = [python, "-m", "dagster._daemon", "run", "-w", str(workspace)]
    webserver = [python, "-m", "dagster_webserver", "-w", str(workspace), "-h", "127.0.0.1", "-p", str(port)]
    children.append(Child("daemon", daemon, environment, folder / "daemon.log"))
    if gateway_port is not None:
        serve = "from salescience_pipeline.cli import main; main()"
        gateway = [python, "-c", serve, "gateway", "--host", "127.0.0.1", "--port", str(gateway_port)]
        children.append(Child("gateway", gateway, {**environment, **(gateway_settings or {})}, folder / "gateway.log"))
        (folder / "gateway.port").write_text(str(gateway_port))
        if intake:
            messages = [python, "-c", serve, "intake"]
            children.append(
                Child("intake", messages, {**environment, **(gateway_settings or {})}, folder / "intake.log")
            )
    children.append(Child("webserver", webserver, environment, folder / "webserver.log"))
    return children


def _die_with_parent() -> None:
    """Ask Linux to end this child when its parent is gone, also when the parent was killed with -9."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6", use_errno=True).prctl(1, signal.SIGTERM)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _prepare(nice: int) -> None:
    """What a child does before its program: live no longer than its parent, and stand back.

    Linux shares processors out among sessions first (autogroup) and each child has a session of its own, so the session
    has to stand back too; where that does not exist, or is not allowed, the process's own niceness is all. A batch process
    does not push another one off its processor when it wakes up.
    """
    _die_with_parent()
    if nice:
        os.nice(nice)
        with contextlib.suppress(OSError):
            Path("/proc/self/autogroup").write_text(str(nice))
        with contextlib.suppress(OSError, AttributeError):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


class Supervisor:
    """Keeps the children running until it is told to stop."""

    def __init__(self, children: Sequence[Child], *, cwd: Path, short_seconds: float = _SHORT_SECONDS) -> None:
        """Nothing is started before the block is entered; a life below ``short_seconds`` counts as a failed start."""
        self.children, self._cwd, self._stopping = list(children), cwd, False
        self._short_seconds = short_seconds

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop)
        for child in self.children:
            self._start(child)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _stop(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signature of a signal handler
        self._stopping = True

    def _start(self, child: Child) -> None:
        child.started = time.monotonic()
        with child.log.open("ab") as log:
            child.process = subprocess.Popen(
                child.command, cwd=self._cwd, env=dict(child.environment), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, preexec_fn=functools.partial(_prepare, child.nice),  # noqa: PLW1509 - this process has no threads
            )  # fmt: skip

    def wait_ready(self, url: str, *, seconds: float = 120.0) -> None:
        """Wait until ``url`` answers.

        Raises:
            SettingsError: when it does not within ``seconds``, naming the logs.
        """
        deadline = time.monotonic() + seconds
        while not self._stopping and time.monotonic() < deadline:
            with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2):  # noqa: S310 - our own loopback address
                return
            self._keep_running()
            time.sleep(0.25)
        if not self._stopping:
            raise SettingsError(f"The Dagster UI did not come up; its log is {self.children[-1].log}.")

    def run(self) -> int:
        """Watch over the children until a signal comes; the exit code of the command."""
        while not self._stopping:
            self._keep_running()
            time.sleep(0.5)
        return 0

    def _keep_running(self) -> None:
        for child in self.children:
            if child.process is None or child.process.poll() is None or self._stopping:
                continue
            # Who was killed from outside did not fail, however short its life was.
            failed = (
                child.process.returncode != -signal.SIGKILL and time.monotonic() - child.started < self._short_seconds
            )
            child.short_lives = child.short_lives + 1 if failed else 0
            if child.short_lives >= _SHORT_LIVES:
                raise SettingsError(f"The {child.name} process keeps ending; its log is {child.log}.")
            self._start(child)

    def stop(self) -> None:
        """End all children: SIGTERM to each process group, then SIGKILL to what is left after the grace time."""
        self._stopping = True
        alive = [child.process for child in reversed(self.children) if child.process and child.process.poll() is None]
        for process in alive:
            _signal_group(process, signal.SIGTERM)
        deadline = time.monotonic() + _GRACE_SECONDS
        for process in alive:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=max(deadline - time.monotonic(), 0.1))
        for child in self.children:
            if child.process is not None:
                _signal_group(child.process, signal.SIGKILL)
                child.process.wait()


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
