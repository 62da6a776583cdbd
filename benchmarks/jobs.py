"""``python -m benchmarks.jobs``: the eleven jobs on a trading day for 1,000 tickers: requests used, planned and needed.

The sandbox counts the requests; the minimum is counted from the sandbox's own truth (``jobs_minimum``), not from our plan.
Each job runs through Dagster as its schedule asks for it, at the real limits of the providers' free plans, under a clock
that moves only when the gate waits. Two days are run: the first one begins with nothing, the second one is the day in the
table. Then the same day for 100 and for 5,000 tickers. The last line is one JSON object.
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
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.services import running_sandbox
from salescience_pipeline.cli.instance import dagster_home
from salescience_pipeline.settings import Settings

DAYS = (dt.date(2026, 5, 28), dt.date(2026, 5, 29))
"""A Thursday and a Friday of the earnings season, on which the fictional market has no dividends of its own."""
TICKERS = 1_000
SIZES = (100, 1_000, 5_000)
SEEDED_ABOVE = 1_000
"""Tickers above which the first day's metrics and results are not fetched: two requests and half a megabyte for each."""
SPARE = 40
"""Companies of the market that nobody follows."""
PAYS_A_YEAR, SESSIONS_A_YEAR = 4, 252
TIINGO_FREE_HOUR = 50


def measure(size: int) -> dict[str, Any]:
    """Both days for ``size`` tickers, in a process of its own."""
    acted = round(size * PAYS_A_YEAR / SESSIONS_A_YEAR)
    with tempfile.TemporaryDirectory(prefix="salescience-bench-") as folder, ExitStack() as stack:
        sandboxes = [
            stack.enter_context(running_sandbox("--companies", str(size + SPARE), "--today", day.isoformat()))
            for day in DAYS
        ]
        watchlist: list[str] = sandboxes[-1].admin("world")["watchlist"][:size]
        # As many dividends as a day has when each company pays four times a year.
        payers = watchlist[:: max(size // max(acted, 1), 1)][:acted]
        events = [{"kind": "dividend", "ticker": one, "date": DAYS[-1].isoformat(), "value": 0.3} for one in payers]
        sandboxes[-1].admin("world", {"events": events})
        plan = "free" if 1 + acted <= TIINGO_FREE_HOUR else "power"
        command = [sys.executable, "-m", "benchmarks.jobs_run", folder, str(size), "--tiingo-plan", plan]
        command += ["--seeded"] if size > SEEDED_ABOVE else []
        home = {"DAGSTER_HOME": str(dagster_home(Settings(home=Path(folder))))}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SALESCIENCE_", "DAGSTER_"))}
        done = subprocess.run(
            [*command, *(one.url for one in sandboxes)], env=kept | home, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(done.stderr[-3000:])
        figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return figures | {"tiingo_plan": plan}


def rows_of(figures: Mapping[str, Any], day: int) -> list[dict[str, Any]]:
    """One row for each job: the sum of its runs on a day, the higher of its peaks."""
    found: dict[str, dict[str, Any]] = {}
    for run in figures["days"][day]:
        row = found.setdefault(run["job"], {"job": run["job"], "runs": 0, "peak_mb": 0.0})
        row["runs"] += 1
        row["peak_mb"] = max(row["peak_mb"], run["peak_mb"])
        for name in (
            "requests",
            "planned",
            "minimum",
            "rows",
            "again",
            "open",
            "limit_seconds",
            "seconds",
            "cpu_seconds",
        ):
            row[name] = round(row.get(name, 0) + run[name], 2)
    return list(found.values())


def is_minimal(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether every job used what it planned, which was the least, brought everything and had nothing left to ask for."""
    return all(row["requests"] == row["planned"] == row["minimum"] and not row["open"] + row["again"] for row in rows)


def show(figures: Mapping[str, Any], first: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]) -> None:
    """The table of one size."""
    title = f"{figures['tickers']:,} tickers, a trading day; requests as the sandbox counted them"
    table = Table(title=title)
    for name in ("job", "runs", "requests", "planned", "minimum", "asked again", "rows", "at the limit s", "run s", "CPU s",
                 "peak MB", "first day"):  # fmt: skip
        table.add_column(name, justify="left" if name == "job" else "right")
    before = {row["job"]: row["requests"] for row in first}
    for row in rows:
        cells = (row[name] for name in ("runs", "requests", "planned", "minimum", "again", "rows", "limit_seconds",
                                        "seconds", "cpu_seconds", "peak_mb"))  # fmt: skip
        table.add_row(row["job"], *(f"{cell:,}" for cell in cells), f"{before[row['job']]:,}")
    Console(width=max(Console().width, 160)).print(table)


def growth(size: int, rows: Sequence[Mapping[str, Any]], figures: Mapping[str, Any]) -> dict[str, Any]:
    """The sums of a size."""
    return {
        "tickers": size,
        "tiingo_plan": figures["tiingo_plan"],
        "minimal": is_minimal(rows),
        **{name: round(sum(row[name] for row in rows), 1) for name in ("requests", "planned", "minimum", "rows",
                                                                       "limit_seconds", "seconds", "cpu_seconds")},
        "peak_mb": max(row["peak_mb"] for row in rows),
    }  # fmt: skip


def main() -> None:
    """Measure every size and print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.jobs", description=__doc__.splitlines()[0])
    parser.add_argument("--tickers", type=int, default=TICKERS, help="tickers of the table (1,000)")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="tickers to compare (100,1000,5000)")
    options = parser.parse_args()
    sizes = sorted({options.tickers, *map(int, filter(None, options.sizes.split(",")))})
    measured = {size: measure(size) for size in sizes}
    rows = {size: rows_of(figures, -1) for size, figures in measured.items()}
    first = {size: rows_of(figures, 0) for size, figures in measured.items()}
    show(measured[options.tickers], first[options.tickers], rows[options.tickers])
    grown = [growth(size, rows[size], measured[size]) for size in sizes]
    table = Table(title="All eleven jobs, the same day")
    for name in grown[0]:
        table.add_column(name.replace("_", " "), justify="right")
    for one in grown:
        table.add_row(*(f"{value:,}" if type(value) in {int, float} else str(value) for value in one.values()))
    Console(width=max(Console().width, 160)).print(table)
    low, high = grown[0], grown[-1]
    slope = (
        math.log(high["cpu_seconds"] / low["cpu_seconds"], high["tickers"] / low["tickers"]) if low != high else None
    )
    print(
        json.dumps(
            {
                "tickers": options.tickers,
                "jobs": rows[options.tickers],
                "minimal": is_minimal(rows[options.tickers]),
                "first_day": [
                    {name: row[name] for name in ("job", "requests", "planned", "minimum", "rows")}
                    for row in first[options.tickers]
                ],
                "growth": grown,
                "cpu_slope": None if slope is None else round(slope, 3),
            }
        )
    )


if __name__ == "__main__":
    main()
