"""A loopback HTTP server that does to a client what a provider or a broken network can do; made for these tests."""

from __future__ import annotations

import contextlib
import datetime as dt
import gzip
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from salescience_pipeline.catalog.providers import PROVIDERS
from salescience_pipeline.clients.endpoints import SANDBOX_CREDENTIALS
from salescience_pipeline.clients.errors import CircuitOpen
from salescience_pipeline.clients.model import Attempt, Body, PlannedRequest, RawRef, Stored
from salescience_pipeline.clients.transport import Transport
from salescience_pipeline_tests.clocks import Clock


@dataclass
class Asked:
    """One request as the server saw it."""

    path: str
    params: dict[str, str]
    headers: dict[str, str]


@dataclass
class Say:
    """What the server answers; ``raw`` replaces everything after the headers were agreed on."""

    status: int = 200
    body: bytes = b""
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    gzipped: bool = False
    announce: int | None = None
    """A Content-Length that is not true."""
    cut_at: int | None = None
    """Close the connection after so many bytes of the body."""
    reset: bool = False
    """Close the connection without a word."""
    wait_for: threading.Event | None = None
    """Say nothing before this event."""
    drip: float | None = None
    """Send one byte at a time, so many seconds apart."""
    framed: bool = True


Script = Callable[[Asked, int], Say]
"""Maps a request, and how often its path was asked for before, to the answer."""


class Server:
    """The server on a free port; every request is kept in ``asked``."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.asked: list[Asked] = []
        self._seen: dict[str, int] = {}
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                url = urlsplit(self.path)
                asked = Asked(url.path, dict(parse_qsl(url.query, keep_blank_values=True)), dict(self.headers.items()))
                with outer._lock:
                    outer.asked.append(asked)
                    before = outer._seen.get(url.path, 0)
                    outer._seen[url.path] = before + 1
                outer.answer(self, outer.script(asked, before))

            def log_message(self, *_: object) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_: object) -> None:
                pass

        self._http = Quiet(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.origin = f"http://127.0.0.1:{self._http.server_port}"

    def answer(self, handler: BaseHTTPRequestHandler, say: Say) -> None:
        if say.wait_for is not None:
            say.wait_for.wait(30)
        if say.reset:
            handler.close_connection = True
            return
        body = gzip.compress(say.body) if say.gzipped else say.body
        handler.send_response(say.status)
        handler.send_header("Content-Type", say.media_type)
        for name, value in say.headers.items():
            handler.send_header(name, value)
        if say.gzipped:
            handler.send_header("Content-Encoding", "gzip")
        if say.framed and say.status not in {204, 304}:
            handler.send_header("Content-Length", str(len(body) if say.announce is None else say.announce))
        if not say.framed or say.cut_at is not None or say.announce is not None:
            handler.close_connection = True
            handler.send_header("Connection", "close")
        handler.end_headers()
        if say.status in {204, 304}:
            return
        with contextlib.suppress(OSError):
            if say.drip is not None:
                for at in range(len(body)):
                    handler.wfile.write(body[at : at + 1])
                    time.sleep(say.drip)
            else:
                handler.wfile.write(body if say.cut_at is None else body[: say.cut_at])
            handler.wfile.flush()
            if handler.close_connection:
                handler.connection.shutdown(socket.SHUT_WR)

    def count(self, path: str) -> int:
        return sum(asked.path == path for asked in self.asked)

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class OpenGate:
    """Lets everything through at once and remembers what it was told."""

    def __init__(self) -> None:
        self.acquired: list[tuple[str, str | None]] = []
        self.reported: list[tuple[str, object, dt.datetime | None]] = []
        self.refusals: list[Exception] = []
        self.departed: list[int] = []
        self._lock = threading.Lock()

    def sent(self, provider: str, permit: int) -> None:
        """Remember that the permit's request left."""
        self.departed.append(permit)

    def acquire(
        self, provider: str, cost: int = 1, *, symbol: str | None = None, organization: str | None = None
    ) -> int:
        with self._lock:
            if self.refusals:
                raise self.refusals.pop(0)
            self.acquired.append((provider, symbol))
            return len(self.acquired)

    def report(self, provider: str, permit: int, outcome: object, retry_at: dt.datetime | None = None) -> None:
        with self._lock:
            self.reported.append((provider, outcome, retry_at))

    def refuse(self, retry_at: dt.datetime | None) -> None:
        self.refusals.append(CircuitOpen("SEC EDGAR failed 3 times in a row.", provider="sec", retry_at=retry_at))


class MemoryStore:
    """The archive in memory, with the two rules that matter: only a complete success is offered again, digests hold."""

    def __init__(self) -> None:
        self.attempts: list[Attempt] = []
        self.bodies: dict[str, bytes] = {}
        self.damaged: set[str] = set()
        self._lock = threading.Lock()

    def put(self, attempt: Attempt, run_id: str, organization_id: str | None) -> RawRef:
        with self._lock:
            self.attempts.append(attempt)
            if attempt.body is None:
                return RawRef("", 0)
            self.bodies[attempt.body.sha256] = attempt.body.read()
            self.damaged.discard(attempt.body.sha256)
            return RawRef(attempt.body.sha256, attempt.body.size)

    def latest(self, request: PlannedRequest) -> Stored | None:
        for kept in reversed(self.attempts):
            if (
                kept.request.canonical_url == request.canonical_url
                and kept.complete
                and kept.answer_class.is_success
                and kept.body is not None
                and kept.body.sha256 not in self.damaged
            ):
                ref = RawRef(kept.body.sha256, kept.body.size)
                fetched_at = kept.started_at + dt.timedelta(milliseconds=kept.elapsed_ms)
                return Stored(ref, kept.answer_class, fetched_at, kept.request_id, kept.status or 0, dict(kept.headers))
        return None

    def open(self, ref: RawRef) -> Body:
        data = self.bodies[ref.sha256]
        if ref.sha256 in self.damaged or Body(data).sha256 != ref.sha256:
            self.damaged.add(ref.sha256)
            raise RuntimeError("The archived body is damaged.")
        return Body(data)


def bases(origin: str) -> dict[tuple[str, str], str]:
    """Every provider's hosts on one server, as the sandbox lays them out."""
    return {(row.id, role): origin + row.sandbox_path for row in PROVIDERS.values() for role in row.hosts}


def make_transport(origin: str, gate: object, store: object, clock: Clock, **options: object) -> Transport:
    """A transport on ``origin`` with the test's clock, no jitter, and the sandbox's credentials."""
    wiring: dict[str, object] = {
        "credentials": SANDBOX_CREDENTIALS,
        "run_id": "run-1",
        "clock": clock,
        "sleep": clock.sleep,
        "chance": lambda: 0.0,
        "threads": 4,
    }
    return Transport(gate, store, bases(origin), **(wiring | options))  # type: ignore[arg-type]
