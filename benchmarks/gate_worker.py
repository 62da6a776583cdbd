"""One process of the gate and breaker benchmarks: threads that ask the sandbox as fast as the shared gate lets them.

Started by ``benchmarks.gate`` and ``benchmarks.breaker`` with one JSON object as its argument; prints ``ready``, waits for
a line, runs, and prints what it did as one JSON object. What does not belong here: judging the figures.
"""

from __future__ import annotations

import dataclasses
import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from salescience_pipeline.catalog.providers import PROVIDERS
from salescience_pipeline.clients.errors import Retryable
from salescience_pipeline.clients.gate import Gate, GateRule
from salescience_pipeline.clients.model import AnswerClass
from salescience_pipeline.ledger import Ledger

PATH = "/edgar/files/company_tickers.json"
_HEADERS = {"User-Agent": "Gate benchmark bench@example.com", "Connection": "keep-alive"}
_CLASS = {200: AnswerClass.OK, 403: AnswerClass.BLOCKED, 429: AnswerClass.RATE_LIMITED, 503: AnswerClass.TRANSIENT}


@dataclasses.dataclass(frozen=True, slots=True)
class Task:
    """What one worker does."""

    ledger_url: str
    sandbox_url: str
    seconds: float
    rate: float
    threads: int = 1
    open_seconds: float = 60.0
    block_seconds: float = 600.0


@dataclasses.dataclass(slots=True)
class Log:
    """What happened: the probes' begin and end by the shared clock, departures, and how often the gate refused."""

    probes: list[tuple[float, float]] = dataclasses.field(default_factory=list)
    departures: list[float] = dataclasses.field(default_factory=list)
    """Monotonic seconds, the same clock for all processes of a machine."""
    refused: int = 0
    sent: int = 0


def _ask(task: Task, gate: Gate, ledger: Ledger, end: float, log: Log) -> None:
    """Send until the time is over; every request has a permit and is reported."""
    target = urlsplit(task.sandbox_url)
    connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=10)
    clock = ledger.gate_store.now
    while clock() < end:
        try:
            permit = gate.acquire("sec", max_wait=max(end - clock(), 0.0))
        except Retryable:
            log.refused += 1
            time.sleep(0.05)
            continue
        begun = clock()
        connection.request("GET", PATH, headers=_HEADERS)
        gate.sent("sec", permit)
        log.departures.append(time.monotonic())
        answer = connection.getresponse()
        answer.read()
        log.sent += 1
        done = clock()
        gate.report("sec", permit, _CLASS[answer.status])
        if permit.probe:
            log.probes.append((begun, done))
    connection.close()


def main() -> None:
    """Run one task."""
    task = Task(**json.loads(sys.argv[1]))
    rule = dataclasses.replace(
        GateRule.of(PROVIDERS["sec"], rate=task.rate, block_seconds=task.block_seconds), open_seconds=task.open_seconds
    )
    log = Log()
    with Ledger.open(task.ledger_url) as ledger:
        gate = Gate(ledger.gate_store, {"sec": rule})
        ledger.gate_store.read("sec")
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        end = ledger.gate_store.now() + task.seconds
        threads = [threading.Thread(target=_ask, args=(task, gate, ledger, end, log)) for _ in range(task.threads)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    sys.stdout.write(json.dumps(dataclasses.asdict(log)) + "\n")


class Crew:
    """Worker processes of one run: started together, collected at the end."""

    def __init__(self, task: Task, processes: int) -> None:
        """Start them and wait until each is ready."""
        argument = json.dumps(dataclasses.asdict(task))
        command = [sys.executable, "-m", "benchmarks.gate_worker", argument]
        self._workers = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(processes)
        ]
        for worker in self._workers:
            assert worker.stdout is not None
            if worker.stdout.readline() != "ready\n":
                raise SystemExit("A worker of the benchmark did not start.")

    def go(self) -> None:
        """Let all of them run."""
        for worker in self._workers:
            assert worker.stdin is not None
            worker.stdin.write("go\n")
            worker.stdin.flush()

    def collect(self) -> Sequence[dict[str, Any]]:
        """Wait for the end; what each of them logged."""
        said = [worker.communicate(timeout=600)[0] for worker in self._workers]
        if any(worker.returncode for worker in self._workers):
            raise SystemExit("A worker of the benchmark failed.")
        return [json.loads(text) for text in said]


if __name__ == "__main__":
    main()
