"""The processes that answer questions: started ahead, one question each, killed when their time is over.

A process that has answered ends: nothing of one organisation's question, not even a cached value, is there for the next.
What does not belong here: SQL.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from salescience_pipeline.gateway.problems import Problem

MODULE = "salescience_pipeline.gateway.query_worker"


@dataclass(frozen=True, slots=True)
class Limits:
    """What questions may take: seconds of a question, bytes of an answer, questions at once."""

    wall_seconds: float = 10.0
    cpu_seconds: int = 10
    max_bytes: int = 10_000_000
    per_organization: int = 2
    in_all: int = 8


@dataclass(frozen=True, slots=True)
class Asked:
    """One question for a worker (``query_worker.Question`` without the limits)."""

    path: str
    sql: str
    parameters: tuple[Any, ...]
    limit: int
    offset: int
    format: str


class Workers:
    """The worker processes of one gateway process; safe for threads."""

    def __init__(self, limits: Limits | None = None) -> None:
        """No process is started before the first question."""
        self.limits = limits or Limits()
        self._lock = threading.Lock()
        self._running: Counter[str] = Counter()
        self._spare: list[subprocess.Popen[bytes]] = []
        self._closed = False

    def ask(self, organization: str, asked: Asked) -> tuple[Mapping[str, Any], bytes]:
        """Have one question answered.

        Returns:
            The worker's header (``code`` and ``detail`` when it refused) and the encoded rows.

        Raises:
            Problem: 429 when the organisation, 503 when the gateway has too many questions running.
        """
        with self._place(organization):
            line = json.dumps({
                "path": asked.path, "sql": asked.sql, "parameters": list(asked.parameters), "limit": asked.limit,
                "offset": asked.offset, "format": asked.format, "max_bytes": self.limits.max_bytes,
                "cpu_seconds": self.limits.cpu_seconds,
            }).encode() + b"\n"  # fmt: skip
            worker = self._take()
            try:
                written, _ = worker.communicate(line, timeout=self.limits.wall_seconds)
            except subprocess.TimeoutExpired:
                return _TIMEOUT, b""
            finally:
                _end(worker)
            return _read(written, worker.returncode)

    @contextmanager
    def _place(self, organization: str) -> Iterator[None]:
        with self._lock:
            if self._running[organization] >= self.limits.per_organization:
                raise Problem(
                    429, "too_many_questions",
                    f"{self.limits.per_organization} questions of an organization run at once; wait for one of them.",
                    headers={"Retry-After": "2"},
                )  # fmt: skip
            if self._running.total() >= self.limits.in_all:
                raise Problem(503, "query_busy", "Too many questions are running.", headers={"Retry-After": "5"})
            self._running[organization] += 1
        try:
            yield
        finally:
            with self._lock:
                self._running[organization] -= 1
                if not self._running[organization]:
                    del self._running[organization]

    def _take(self) -> subprocess.Popen[bytes]:
        """A started process, and another one started for the next question."""
        with self._lock:
            worker = self._spare.pop() if self._spare else None
        if worker is None or worker.poll() is not None:
            if worker is not None:
                _end(worker)
            worker = _start()
        following = _start()
        with self._lock:
            if not self._closed and not self._spare:
                self._spare.append(following)
                return worker
        _end(following)
        return worker

    def close(self) -> None:
        """End the process that waits."""
        with self._lock:
            self._closed = True
            spare, self._spare = self._spare, []
        for worker in spare:
            _end(worker)


_TIMEOUT: Mapping[str, Any] = {"code": "query_timeout", "detail": "The question took too long and was stopped."}
_TOO_LARGE: Mapping[str, Any] = {
    "code": "query_too_large",
    "detail": "The question needs more memory than one may have.",
}


def _start() -> subprocess.Popen[bytes]:
    # -P: nothing is imported from the folder it starts in. No environment: there are keys of providers in ours.
    search = [path for path in sys.path if path]
    return subprocess.Popen(
        [sys.executable, "-P", "-m", MODULE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PYTHONPATH": ":".join(search), "TZ": "UTC", "LANG": "C.UTF-8"},
        cwd="/",
        start_new_session=True,
    )


def _end(worker: subprocess.Popen[bytes]) -> None:
    worker.kill()
    worker.wait()
    for pipe in (worker.stdin, worker.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()


def _read(written: bytes, returned: int) -> tuple[Mapping[str, Any], bytes]:
    header, separator, rows = written.partition(b"\n")
    if returned == 0 and separator:
        return json.loads(header), rows
    if returned in (-signal.SIGXCPU, -signal.SIGKILL):
        return _TIMEOUT, b""
    # Out of address space the process aborts, or Python ends it before it can say why.
    return _TOO_LARGE, b""
