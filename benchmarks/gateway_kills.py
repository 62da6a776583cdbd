"""Kill -9 at random moments while jobs are submitted, then look for what was lost or written twice.

Gateway, daemon, code servers and runs of a running stack die one after the other, each at a random moment; what starts them
again, and what takes their work up, is the product's own. What does not belong here: the stack (``gateway_stack``).
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

import httpx

from benchmarks.gateway_stack import Stack, body
from salescience_pipeline.acquisition.services import Services
from salescience_pipeline.catalog.tables import TABLES
from salescience_pipeline.identifiers import OrganizationId
from salescience_pipeline.ledger import Ledger

_WHOSE = OrganizationId("kills")
_KINDS = {"run": 20, "gateway": 12, "daemon": 9, "code server": 9}
"""How often each kind is killed out of fifty: what holds work most often."""
_LIVES = {"run": 12.0, "gateway": 3.0, "daemon": 3.0, "code server": 3.0}
"""Seconds of a process's life within which it is killed: a run needs most of them to start, and is then at work."""
_VICTIM_SECONDS = 20.0
_FORMS = ("10-K", "10-Q", "8-K", "4")
_WRITTEN = ("core_sec__filings", "core_sec__documents", "core_yahoo__eod_prices")


@dataclass
class Toll:
    """What the kills hit and what came of it."""

    kills: Counter[str] = field(default_factory=Counter)
    acknowledged: list[str] = field(default_factory=list)
    lost: int = 0
    duplicated: int = 0
    last_seconds: float = 0.0
    """From the last kill until the last job was complete."""


def kill_at_random(stack: Stack, tickers: list[str], *, kills: int, patience: float) -> Toll:
    """Submit on while processes are killed; then wait for what was acknowledged.

    Args:
        stack: The running stack.
        tickers: Companies to submit.
        kills: How many processes to kill.
        patience: Seconds after the last kill within which every acknowledged job must be complete.
    """
    toll, stop = Toll(), threading.Event()
    thread = threading.Thread(target=_submit, args=(stack.url, tickers, toll, stop))
    thread.start()
    dice = random.Random(7)
    try:
        while toll.kills.total() < kills:
            kind = dice.choices(list(_KINDS), weights=list(_KINDS.values()))[0]
            pid = _victim(stack, kind, dice)
            if pid is None:
                continue
            time.sleep(dice.uniform(0.0, _LIVES[kind]))
            if pid not in stack.victims(kind):
                continue
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                toll.kills[kind] += 1
    finally:
        stop.set()
        thread.join()
    _judge(stack, toll, patience)
    return toll


def _submit(url: str, tickers: list[str], toll: Toll, stop: threading.Event) -> None:
    """A job a second, of companies, forms and years that the lake does not hold yet."""
    number = 0
    while not stop.wait(1.0):
        number += 1
        asked = body(
            tickers[number % len(tickers)],
            _WHOSE,
            n_years=1 + number // len(tickers) % 20,
            form_type=_FORMS[number % 4],
        )
        with contextlib.suppress(httpx.TransportError):
            answer = httpx.post(f"{url}/submit", json=asked, timeout=10)
            if answer.status_code == 202:
                toll.acknowledged.append(answer.json()["job_ids"][0])


def _victim(stack: Stack, kind: str, dice: random.Random) -> int | None:
    """A process of this kind, as soon as there is one."""
    ends = time.monotonic() + _VICTIM_SECONDS
    while time.monotonic() < ends:
        stack.assert_alive()
        if found := stack.victims(kind):
            return dice.choice(found)
        time.sleep(0.2)
    return None


def _judge(stack: Stack, toll: Toll, patience: float) -> None:
    """Wait for the acknowledged jobs, then count what did not come to a good end and what was written twice."""
    open_, started = set(toll.acknowledged), time.monotonic()
    with Ledger.of(stack.settings) as ledger:
        while open_ and time.monotonic() - started < patience:
            time.sleep(0.5)
            views = {job_id: ledger.jobs.view(_WHOSE, job_id) for job_id in open_}
            open_ = {job_id for job_id, job in views.items() if job is None or not job.status.is_final}
        toll.last_seconds = time.monotonic() - started
        for job_id in toll.acknowledged:
            job = ledger.jobs.view(_WHOSE, job_id)
            if job is None or job.status.value != "complete":
                toll.lost += 1
                print(
                    f"lost: {job_id}", job and (job.status.value, {source.key: source.error for source in job.sources})
                )
        for job_id in toll.acknowledged:
            events = ledger.jobs.events(_WHOSE, job_id, limit=10_000)
            told = [event.key for event in events if event.status == "success"]
            toll.duplicated += len(told) - len(set(told))
    with Services(stack.settings) as services:
        for name in _WRITTEN:
            key = list(TABLES[name].key)
            rows = services.tables.read(name, columns=key)
            toll.duplicated += rows.num_rows - rows.group_by(key).aggregate([]).num_rows
