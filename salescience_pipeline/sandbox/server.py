"""The process around the application: a socket on loopback, the state file, leases, a clean end.

What does not belong here: anything about requests (``app``) or the command line (``__main__``).
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from salescience_pipeline.sandbox import admin
from salescience_pipeline.sandbox.app import Application, Sandbox

FIRST_LEASE_SECONDS = 60.0
"""How long a server that lives by leases waits for the first one."""
LEASE_POLL_SECONDS = 1.0
GRACE_SECONDS = 1
"""How long requests under way may take once the server was asked to end."""


def process_alive(pid: int) -> bool:
    """Whether a process still runs; one that has ended but was not collected by its parent does not count."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return True  # no /proc on this system
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}


def write_atomically(path: Path, text: str) -> None:
    """Write a small file so that a reader sees the whole of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _protocol(application: Application, sandbox: Sandbox) -> type[asyncio.Protocol]:
    """Uvicorn's HTTP protocol, which also tells the application about connections."""

    class Counted(AutoHTTPProtocol):  # type: ignore[misc, valid-type, unused-ignore]
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            sandbox.stats.connections += 1
            peer = transport.get_extra_info("peername")
            if peer:
                self._peer = (str(peer[0]), int(peer[1]))
                application.wires[self._peer] = transport

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            peer = getattr(self, "_peer", None)
            if peer is not None:
                application.wires.pop(peer, None)
                sandbox.stats.connection_closed(peer)

    return Counted


class Server(uvicorn.Server):
    """uvicorn's server with a state file, leases and signals that always work."""

    def __init__(
        self,
        config: uvicorn.Config,
        sandbox: Sandbox,
        *,
        url: str,
        state_file: Path | None,
        by_leases: bool,
        first_lease_seconds: float,
    ) -> None:
        super().__init__(config)
        self._sandbox = sandbox
        self._url = url
        self._state_file = state_file
        self._by_leases = by_leases
        self._first_lease_seconds = first_lease_seconds
        self._began = self._polled = time.monotonic()
        self._leased = False

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End on SIGINT and SIGTERM, also when the parent process ignored or blocked them; then exit with 0."""
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
        before = {number: signal.signal(number, self._stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def _stop(self, _: int, __: FrameType | None) -> None:
        if self.should_exit:
            self.force_exit = True
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so: in the state file and in one line on the standard output."""
        await super().startup(sockets)
        if not self.started:
            return
        world = self._sandbox.world
        state = {
            "url": self._url,
            "port": int(self._url.rpartition(":")[2]),
            "pid": os.getpid(),
            "world": self._sandbox.kind,
            "seed": world.seed,
            "today": world.today.isoformat(),
        }
        if self._state_file is not None:
            write_atomically(self._state_file, json.dumps(state) + "\n")
        sys.stdout.write(
            f"Sandbox ({self._sandbox.kind} world) at {self._url}, today {world.today}, pid {os.getpid()}\n"
        )
        sys.stdout.flush()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening and take back the state file, if it is still ours."""
        if self._state_file is not None:
            with contextlib.suppress(OSError, ValueError):
                if json.loads(self._state_file.read_text(encoding="utf-8")).get("pid") == os.getpid():
                    self._state_file.unlink()
        await super().shutdown(sockets)

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second: look after the leases now and then."""
        now = time.monotonic()
        if self._by_leases and now - self._polled >= LEASE_POLL_SECONDS:
            self._polled = now
            leases = self._sandbox.leases
            self._leased = self._leased or bool(leases)
            for pid in [pid for pid in leases if not process_alive(pid)]:
                leases.discard(pid)
            if not leases and (self._leased or now - self._began >= self._first_lease_seconds):
                self.should_exit = True
        stop: bool = await super().on_tick(counter)
        return stop or self.should_exit


def serve(
    sandbox: Sandbox,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    state_file: Path | None = None,
    by_leases: bool = False,
    first_lease_seconds: float = FIRST_LEASE_SECONDS,
) -> None:
    """Serve until told to end.

    Args:
        sandbox: what to serve.
        host: an address of this machine; loopback unless somebody knows better.
        port: 0 takes any free one.
        state_file: where to say which port it was.
        by_leases: end when every process that took a lease is gone, or when none came in time.
        first_lease_seconds: how long that time is.

    Raises:
        OSError: when the port is taken.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    with contextlib.closing(listener):
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1024)
        application = Application(sandbox, admin.routes(sandbox))
        config = uvicorn.Config(
            application,
            http=_protocol(application, sandbox),
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_level="error",
            access_log=False,
            server_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        # What exists by now stays: without it in every collection, arrival times are stamped with less jitter.
        gc.freeze()
        url = f"http://{host}:{listener.getsockname()[1]}"
        server = Server(
            config,
            sandbox,
            url=url,
            state_file=state_file,
            by_leases=by_leases,
            first_lease_seconds=first_lease_seconds,
        )
        server.run(sockets=[listener])
