"""A backfill whose run worker is killed with -9 under Dagster's real daemon, and what the automatic retry asks for.

A code server, the daemon and the run workers are processes of their own, started with the shipped ``dagster.yaml``.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import psutil

from benchmarks.backfill_run import DATASET, JOB
from benchmarks.services import RunningSandbox
from salescience_pipeline.cli.supervisor import Supervisor, stack
from salescience_pipeline.ledger.ledger import Ledger
from salescience_pipeline.settings import Settings

_PATIENCE = 90.0
_RATE = 60.0
"""Requests a second, so that the middle of the run is seconds long."""


def killed_and_retried(
    sandbox: RunningSandbox, environment: Mapping[str, str], tickers: Sequence[str], days: Sequence[dt.date]
) -> dict[str, Any]:
    """Launch the backfill, kill its worker half way, wait for the daemon's retry; returns the requests of both."""
    environment = {**environment, "SALESCIENCE_TIINGO_RATE": f"{_RATE:g}"}
    home = Path(environment["SALESCIENCE_HOME"])
    # Dagster's processes must not create its databases side by side: SQLite would get two first revisions.
    with dg.DagsterInstance.from_config(environment["DAGSTER_HOME"]):
        pass
    settings = Settings(home=home)
    sandbox.admin("reset", {"only": ["stats"]})
    folder = home / "run"
    wanted = {"salescience_pipeline", "daemon"}
    children = [child for child in stack(environment, port=_free_port(), folder=folder) if child.name in wanted]
    _only_acquisition(folder / "workspace.yaml")
    with Supervisor(children, cwd=Path.cwd()) as supervisor:
        server = next(child.process for child in supervisor.children if child.name == "salescience_pipeline")
        assert server is not None
        _launch(environment, folder / "workspace.yaml", tickers, days)
        _wait(lambda: _requests(sandbox) >= len(tickers) // 2, "the run did not get half way")
        worker = _worker(server.pid)
        os.kill(worker, signal.SIGKILL)
        _wait(lambda: not psutil.pid_exists(worker) or psutil.Process(worker).status() == "zombie", "still alive")
        before = _requests(sandbox)
        stored = _stored(settings, days)
        _wait(lambda: _stored(settings, days) == len(tickers), "the run was not retried to its end")
        time.sleep(1)
        after = _requests(sandbox) - before
    return {
        "tickers": len(tickers),
        "requests_before": before,
        "stored_before": stored,
        "requests_after": after,
        "missing": len(tickers) - stored,
    }


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _only_acquisition(workspace: Path) -> None:
    lines = [line for line in workspace.read_text().splitlines() if "salescience_marts" not in line]
    workspace.write_text("\n".join(lines) + "\n")


def _launch(environment: Mapping[str, str], workspace: Path, tickers: Sequence[str], days: Sequence[dt.date]) -> None:
    tags = {"dagster/asset_partition_range_start": f"{days[0]}", "dagster/asset_partition_range_end": f"{days[-1]}"}
    config = {"ops": {DATASET: {"config": {"tickers": list(tickers)}}}}
    command = [sys.executable, "-m", "dagster", "job", "launch", "-w", str(workspace), "-j", JOB]
    command += ["--tags", json.dumps(tags), "--config-json", json.dumps(config)]
    deadline = time.monotonic() + _PATIENCE
    while True:
        done = subprocess.run(command, env=dict(environment), capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        if time.monotonic() > deadline:
            raise SystemExit("The run could not be launched: " + done.stderr[-2000:])
        time.sleep(1)


def _worker(server: int) -> int:
    """The process that executes the run, below the code server."""
    children = psutil.Process(server).children(recursive=True)
    return next(int(child.pid) for child in reversed(children) if "spawn_main" in " ".join(child.cmdline()))


def _requests(sandbox: RunningSandbox) -> int:
    return int(sandbox.arrivals("tiingo").get("requests", 0))


def _stored(settings: Settings, days: Sequence[dt.date]) -> int:
    """Tickers that are complete on the last of the days."""
    with Ledger.open(settings.ledger_url) as ledger:
        states = ledger.completeness.states(DATASET, partitions=[days[-1].isoformat()])
    return sum(state.status == "complete" for state in states)


def _wait(done: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not done():
        if time.monotonic() > deadline:
            raise SystemExit(f"Gave up after {_PATIENCE:g} s: {otherwise}.")
        time.sleep(0.1)
