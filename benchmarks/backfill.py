"""``python -m benchmarks.backfill``: 500 tickers over 20 days of Tiingo as one Dagster run, beside one run per partition.

Every run is a process of its own with Dagster's SQLite storage, as a launcher starts it; the sandbox counts the requests.
One-run-per-partition is measured on a few runs and multiplied, and the table says so: all of them would take hours. The
last part kills a run with -9 under the real daemon and looks at what its retry asks for. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.backfill_kill import killed_and_retried
from benchmarks.services import RunningSandbox, running_sandbox
from salescience_pipeline.catalog.sessions import last_session_before, sessions
from salescience_pipeline.cli.instance import dagster_home
from salescience_pipeline.settings import Settings

TODAY = dt.date(2026, 6, 15)
SIZES = (100, 500, 2_000)
SCATTERED, DAYS = 50, 20
SLOTS = 4
"""Runs at once that the shipped ``dagster.yaml`` allows, if only the pools did."""


@dataclass(frozen=True)
class World:
    """A sandbox, and homes in which runs write."""

    sandbox: RunningSandbox
    folder: Path
    rate: float

    def environment(self, name: str) -> dict[str, str]:
        """Environment of a world of its own, empty at first."""
        home = self.folder / name
        settings = Settings(home=home)
        names = {
            "SALESCIENCE_HOME": str(home),
            "SALESCIENCE_TODAY": TODAY.isoformat(),
            "SALESCIENCE_SANDBOX_URL": self.sandbox.url,
            "SALESCIENCE_TIINGO_PLAN": "power",
            "SALESCIENCE_TIINGO_RATE": f"{self.rate:g}",
        }
        inherited = {key: value for key, value in os.environ.items() if key != "DAGSTER_HOME"}
        return {**inherited, **names, "DAGSTER_HOME": str(dagster_home(settings))}

    def run(self, environment: Mapping[str, str], tickers: Sequence[str], days: Sequence[dt.date]) -> dict[str, Any]:
        """One run; its own figures, the wall time of its process, and the requests that the sandbox counted."""
        self.sandbox.admin("reset", {"only": ["stats"]})
        listed = self.folder / "tickers.txt"
        listed.write_text("\n".join(tickers))
        command = [sys.executable, "-m", "benchmarks.backfill_run", str(listed), f"{days[0]}", f"{days[-1]}"]
        begun = time.perf_counter()
        done = subprocess.run(command, env=dict(environment), capture_output=True, text=True, check=False)
        wall = time.perf_counter() - begun
        if done.returncode:
            raise SystemExit(done.stderr[-3000:])
        figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        if not figures["success"]:
            raise SystemExit("A run failed: " + done.stderr[-3000:])
        counted = self.sandbox.arrivals("tiingo").get("requests", 0)
        return figures | {"wall": round(wall, 2), "counted": counted}


def sizes(world: World, tickers: Sequence[str], days: Sequence[dt.date]) -> dict[int, dict[str, Any]]:
    """One run over all days for each number of tickers."""
    return {size: world.run(world.environment(f"size{size}"), tickers[:size], days) for size in SIZES}


def per_partition(world: World, tickers: Sequence[str], days: Sequence[dt.date], runs: int) -> list[float]:
    """Wall seconds of runs for one ticker and one day each, the first (which fills caches) left out."""
    environment = world.environment("single")
    return [world.run(environment, [tickers[number]], [days[0]])["wall"] for number in range(runs + 1)][1:]


def main() -> None:
    """Measure all of it and print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backfill", description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=400.0, help="requests a second that the gate allows (400)")
    parser.add_argument("--single-runs", type=int, default=4, help="runs of one partition that are measured (4)")
    parser.add_argument("--skip-kill", action="store_true", help="leave out the run that is killed under the daemon")
    options = parser.parse_args()
    newest = last_session_before(TODAY)
    days = sessions(newest - dt.timedelta(days=60), newest)[-DAYS:]
    with tempfile.TemporaryDirectory(prefix="salescience-bench-") as folder, running_sandbox(
        "--companies", str(SIZES[-1] + 20), "--today", TODAY.isoformat()
    ) as sandbox:  # fmt: skip
        world = World(sandbox, Path(folder), options.rate)
        tickers: list[str] = sandbox.admin("world")["watchlist"]
        measured = sizes(world, tickers, days)
        scattered = world.run(world.environment("scattered"), tickers[: SIZES[1] : SIZES[1] // SCATTERED], days)
        again = world.run(world.environment(f"size{SIZES[1]}"), tickers[: SIZES[1]], days)
        singles = per_partition(world, tickers, days, options.single_runs)
        killed = {} if options.skip_kill else killed_and_retried(
            sandbox, world.environment("killed"), tickers[: SIZES[1]], days
        )  # fmt: skip
    report(measured, scattered, again, singles, killed)


def report(
    measured: Mapping[int, Mapping[str, Any]],
    scattered: Mapping[str, Any],
    again: Mapping[str, Any],
    singles: Sequence[float],
    killed: Mapping[str, Any],
) -> None:
    """The table for people and the line for programs."""
    one = sorted(singles)[len(singles) // 2]
    table = Table(title=f"Backfill of {DAYS} days, one Dagster run each, SQLite storage")
    for column in ("tickers", "runs", "requests", "minimum", "rows", "run s", "CPU s", "process s"):
        table.add_column(column, justify="right")
    rows = [*((f"{size:,}", 1, row) for size, row in measured.items()), (f"{SCATTERED} scattered", 1, scattered),
            (f"{SIZES[1]} again", 1, again)]  # fmt: skip
    for name, runs, row in rows:
        figures = (row[key] for key in ("counted", "minimum", "rows", "seconds", "cpu_seconds", "wall"))
        table.add_row(name, str(runs), *(f"{figure:,}" for figure in figures))
    console = Console()
    console.print(table)
    whole, few = SIZES[1] * DAYS, SCATTERED * DAYS
    console.print(
        f"One run per ticker and day: {one:.2f} s each, measured on {len(singles)} runs. Extrapolated, {SLOTS} at a time: "
        f"{whole:,} runs {whole * one / SLOTS / 3600:.1f} h, {few:,} runs (the {SCATTERED}) {few * one / SLOTS / 60:.0f} min."
    )
    if killed:
        console.print(
            f"Killed with -9 after {killed['requests_before']} requests: retried by the daemon, "
            f"{killed['stored_before']} tickers were stored, the retry asked for the other {killed['requests_after']}."
        )
    main_run = measured[SIZES[1]]
    slope = math.log(measured[SIZES[-1]]["seconds"] / measured[SIZES[0]]["seconds"], SIZES[-1] / SIZES[0])
    print(
        json.dumps(
            {
                "tickers": SIZES[1],
                "days": DAYS,
                "runs": 1,
                "requests": main_run["counted"],
                "minimum": main_run["minimum"],
                "seconds": main_run["wall"],
                "run_seconds": main_run["seconds"],
                "per_partition_seconds": round(whole * one / SLOTS, 1),
                "per_partition_runs_measured": len(singles),
                "one_partition_seconds": one,
                "slope": round(slope, 3),
                "seconds_by_tickers": {str(size): row["seconds"] for size, row in measured.items()},
                "scattered": {"tickers": SCATTERED, "runs": 1, "requests": scattered["counted"],
                              "minimum": scattered["minimum"], "seconds": scattered["wall"],
                              "per_partition_seconds": round(few * one / SLOTS, 1)},
                "second_run_requests": again["counted"],
                "killed": dict(killed),
            }
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
