"""One process that reads documents, and its owner's side: a document that goes mad takes its process along, nothing else.

The owner sends a document and gets its rows. The child limits its own memory once and its processor time anew for every
document; what hangs nevertheless is killed by the owner's clock. What does not belong here: which documents, and storing.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import resource
import selectors
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import IO, Any

import pyarrow as pa

from salescience_pipeline.acquisition.document_rows import Outcome, StoredDocument, refused, rows_of
from salescience_pipeline.documents import DocumentError, Hints, Limits, parse

_HEAD = struct.Struct(">QQ")
_MODULE = "salescience_pipeline.acquisition.document_worker"


@dataclass(frozen=True, slots=True)
class Budget:
    """What one document may cost before its process is ended."""

    cpu_seconds: float = 60.0
    """Processor time; the engine gives up by itself at this point, two seconds later the kernel ends the process."""
    memory_bytes: int = 2_000_000_000
    """Writable memory of the process."""
    wall_seconds: float = 300.0
    """Time on the owner's clock, for a process that waits for something."""


class DocumentWorker:
    """The owner's side of one worker process; started on first use and again after every death. For one thread at a time."""

    def __init__(self, budget: Budget | None = None, *, command: tuple[str, ...] = ()) -> None:
        """Nothing is started yet; ``command`` replaces the command line of the process."""
        self.budget = budget or Budget()
        self._command = command or (sys.executable, "-m", _MODULE)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process at work; None when there is none."""
        return self._process.pid if self._process is not None else None

    def read(self, data: bytes, stored: StoredDocument, beside: Sequence[bytes] = ()) -> dict[str, pa.Table]:
        """The rows of a document, or the row that says why there are none. Never raises for what a document does.

        ``beside`` are the other documents of its inline XBRL set.
        """
        process = self._started()
        header = _pack(
            {"stored": _plain(stored), "budget": asdict(self.budget), "beside": [len(other) for other in beside]}
        )
        sent = b"".join((data, *beside)) if beside else data
        try:
            answer = _exchange(process, _HEAD.pack(len(header), len(sent)) + header, sent, self.budget.wall_seconds)
        except _Silent as silent:
            code = self.close()
            return refused(stored, _death(silent, code, self.budget))
        return _tables(answer)

    def close(self) -> int | None:
        """End the process if there is one; returns its exit code."""
        process, self._process = self._process, None
        if process is None:
            return None
        with contextlib.suppress(subprocess.TimeoutExpired):
            # One that is dying by itself says why with its exit code.
            process.wait(0.2)
        if process.poll() is None:
            process.kill()
        code = process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        return code

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_environment(),
            )
        return self._process


def _environment() -> dict[str, str]:
    """What a process that reads foreign documents needs of our environment: none of the keys in it."""
    wanted = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH", "LD_LIBRARY_PATH")
    return {name: os.environ[name] for name in wanted if name in os.environ}


class _Silent(Exception):
    """The process gave no answer: it died, or its time was over."""

    def __init__(self, *, overdue: bool) -> None:
        super().__init__("The worker process gave no answer.")
        self.overdue = overdue


def _death(silent: _Silent, code: int | None, budget: Budget) -> Outcome:
    if silent.overdue:
        return Outcome(error_name="TIMEOUT", reason=f"It took more than {budget.wall_seconds:g} s and was ended.")
    if code is not None and -code in (24, 9):
        # SIGXCPU; SIGKILL comes from the hard limit, or from a kernel that has no memory left.
        return Outcome(
            error_name="TIMEOUT" if code == -24 else "INTERNAL_ERROR",
            reason=f"It took more than {budget.cpu_seconds:g} s of processor time and was ended."
            if code == -24
            else "Its worker process was killed from outside.",
        )
    return Outcome(error_name="PROCESSING_FAILED", reason=f"Its worker process ended with code {code}.")


def _exchange(process: subprocess.Popen[bytes], head: bytes, data: bytes, seconds: float) -> dict[str, bytes]:
    """Send a document and wait for the answer; writing goes on beside reading, for a child that dies while it is sent to."""
    assert process.stdin is not None
    assert process.stdout is not None
    stdin, out = process.stdin, process.stdout

    def send() -> None:
        with contextlib.suppress(OSError, ValueError):
            stdin.write(head)
            stdin.write(data)
            stdin.flush()

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    until = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        selector.register(out, selectors.EVENT_READ)

        def take(count: int) -> bytes:
            parts: list[bytes] = []
            while count:
                if not selector.select(max(until - time.monotonic(), 0)):
                    raise _Silent(overdue=True)
                piece = os.read(out.fileno(), min(count, 1 << 20))
                if not piece:
                    raise _Silent(overdue=False)
                parts.append(piece)
                count -= len(piece)
            return b"".join(parts)

        header, size = _HEAD.unpack(take(_HEAD.size))
        sizes: dict[str, int] = json.loads(take(header))
        body = take(size)
    sender.join(1)
    found, at = {}, 0
    for name, length in sizes.items():
        found[name] = body[at : at + length]
        at += length
    return found


def _tables(parts: Mapping[str, bytes]) -> dict[str, pa.Table]:
    return {name: pa.ipc.open_stream(part).read_all() for name, part in parts.items()}


def _pack(value: Any) -> bytes:
    return json.dumps(value).encode()


def _plain(stored: StoredDocument) -> dict[str, Any]:
    return asdict(stored) | {"fetched_at": stored.fetched_at.isoformat()}


# -- the child ---------------------------------------------------------------------------------------------------------


def serve(stdin: IO[bytes], stdout: IO[bytes]) -> None:
    """Answer documents until the owner closes the pipe."""
    limited = False
    while len(head := stdin.read(_HEAD.size)) == _HEAD.size:
        header, size = _HEAD.unpack(head)
        asked = json.loads(stdin.read(header))
        others = asked["beside"]
        data = stdin.read(size - sum(others))
        beside = [stdin.read(length) for length in others]
        budget = Budget(**asked["budget"])
        stored = StoredDocument(
            **asked["stored"] | {"fetched_at": dt.datetime.fromisoformat(asked["stored"]["fetched_at"])}
        )
        if not limited:
            _limit_memory(budget)
            limited = True
        _limit_time(budget)
        parts = {name: _stream(table) for name, table in _read(data, stored, budget, beside).items()}
        sizes = _pack({name: len(part) for name, part in parts.items()})
        stdout.write(_HEAD.pack(len(sizes), sum(map(len, parts.values()))) + sizes)
        stdout.writelines(parts.values())
        stdout.flush()


def _read(data: bytes, stored: StoredDocument, budget: Budget, beside: Sequence[bytes]) -> dict[str, pa.Table]:
    began = time.process_time()
    outcome = Outcome()

    def spent() -> float:
        return round(time.process_time() - began, 4)

    try:
        limits = Limits(max_seconds=budget.cpu_seconds)
        hints = Hints(stored.filename, stored.form, stored.document_type or "")
        document = parse(data, hints, limits=limits, beside=beside)
        rows = rows_of(document, stored, outcome)
    except DocumentError as error:
        return refused(stored, replace(outcome, error_name=error.name, reason=str(error), cpu_seconds=spent()))
    except MemoryError:
        reason = f"It needs more than {budget.memory_bytes:,} bytes of memory."
        return refused(stored, replace(outcome, error_name="DOCUMENT_TOO_LARGE", reason=reason, cpu_seconds=spent()))
    except Exception as error:  # noqa: BLE001 - whatever a document does to the engine is recorded with the document
        reason = f"The engine failed with {type(error).__name__}: {str(error)[:200]}"
        return refused(stored, replace(outcome, error_name="PROCESSING_FAILED", reason=reason, cpu_seconds=spent()))
    listed = rows["doc_salescience__documents"]
    at = listed.schema.get_field_index("cpu_seconds")
    rows["doc_salescience__documents"] = listed.set_column(
        at, listed.schema.field(at), pa.array([spent()], pa.float64())
    )
    return rows


def _limit_memory(budget: Budget) -> None:
    with contextlib.suppress(ValueError, OSError):
        # Writable private memory; address space would also count what libraries only reserve.
        resource.setrlimit(resource.RLIMIT_DATA, (budget.memory_bytes, budget.memory_bytes))


def _limit_time(budget: Budget, clock: Callable[[], float] = time.process_time) -> None:
    """Let the kernel end the process when this document has taken two seconds more than its budget."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = int(clock() + budget.cpu_seconds) + 3
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _stream(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
