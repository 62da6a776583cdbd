"""``python -m benchmarks.gate``: does one limit hold over 1, 4 and 8 processes, and how much of it is used?

Real processes send real requests to the sandbox, which counts arrivals in sliding seconds. "used" is what arrived in
the time of the run over what the limit would have allowed. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy import create_engine

from benchmarks.gate_worker import Crew, Task
from benchmarks.services import RunningSandbox, running_postgres, running_sandbox

CASES = (("workers", 1, 2), ("workers", 4, 2), ("workers", 8, 2), ("acquisitions", 3, 8))
"""(what it stands for, processes, threads in each).

Two threads, so that one can stand in line while the other waits for its answer: a slot that nobody wanted would look
like one that the gate wasted. An acquisition run has eight requests in flight.
"""


@contextmanager
def ledger_urls(stores: list[str]) -> Iterator[dict[str, list[str]]]:
    """Fresh databases, one for each case, by store."""
    with tempfile.TemporaryDirectory(prefix="salescience-bench-") as folder:
        urls = {"sqlite": [f"sqlite:///{Path(folder) / f'{number}.db'}" for number, _ in enumerate(CASES)]}
        if "postgresql" not in stores:
            yield urls
            return
        with running_postgres() as server:
            admin = create_engine(server, isolation_level="AUTOCOMMIT")
            names = [f"bench{number}" for number, _ in enumerate(CASES)]
            with admin.connect() as connection:
                for name in names:
                    connection.exec_driver_sql(f"CREATE DATABASE {name}")
            postgres = [admin.url.set(database=name).render_as_string(hide_password=False) for name in names]
            admin.dispose()
            yield {**urls, "postgresql": postgres}


def slack(moments: Sequence[float], limit: int) -> float:
    """Milliseconds by which the closest ``limit + 1`` moments missed falling into one second (below 0: they fell)."""
    ordered = sorted(moments)
    spans = [last - first for first, last in zip(ordered, ordered[limit:], strict=False)]
    return round((min(spans, default=float("inf")) - 1.0) * 1000, 1)


def run(sandbox: RunningSandbox, task: Task, processes: int) -> dict[str, Any]:
    """One case: the worst sliding second and the share of the limit that was used."""
    crew = Crew(task, processes)
    sandbox.admin("reset", {"only": ["stats"]})
    crew.go()
    logs = crew.collect()
    shares = [log["sent"] for log in logs]
    counted = sandbox.arrivals("edgar")
    return {
        "processes": processes,
        "limit": task.rate,
        "worst_window": counted["worst_second"],
        "used": round(counted["requests"] / (task.rate * task.seconds), 4),
        "requests": counted["requests"],
        "slack_sent_ms": slack([moment for log in logs for moment in log["departures"]], int(task.rate)),
        "slack_ms": slack(counted["arrivals"], int(task.rate)),
        "least": min(shares),
        "most": max(shares),
    }


def main() -> None:
    """Run all cases and print them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gate", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each run (20)")
    parser.add_argument("--limit", type=float, default=10.0, help="requests per second over all processes (10)")
    parser.add_argument("--store", choices=("sqlite", "postgresql", "both"), default="both")
    options = parser.parse_args()
    stores = ["sqlite", "postgresql"] if options.store == "both" else [options.store]
    runs: list[dict[str, Any]] = []
    with running_sandbox("--limits", "off") as sandbox, ledger_urls(stores) as urls:
        for store in stores:
            for (kind, processes, threads), url in zip(CASES, urls[store], strict=True):
                task = Task(url, sandbox.url, options.seconds, options.limit, threads)
                runs.append({"store": store, "kind": kind, **run(sandbox, task, processes)})
    table = Table(title=f"One limit of {options.limit:g}/s, {options.seconds:g} s, counted by the sandbox")
    columns = (
        "store",
        "kind",
        "processes",
        "limit",
        "worst_window",
        "used",
        "requests",
        "slack_sent_ms",
        "slack_ms",
        "least",
        "most",
    )
    for column in columns:
        table.add_column(column.replace("_", " "), justify="left" if column in ("store", "kind") else "right")
    for row in runs:
        table.add_row(*(str(row[column]) for column in columns))
    Console(width=110).print(table)
    print(json.dumps({"runs": runs}))


if __name__ == "__main__":
    main()
