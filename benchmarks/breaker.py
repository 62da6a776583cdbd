"""``python -m benchmarks.breaker``: what eight processes send to a provider that is down, and to one that blocks us.

First an outage of some seconds: every answer is a 503. Then a block page: nothing may be sent until the pause is over
(600 s in production, shortened here by the setting). Counted by the sandbox; the last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.gate_worker import Crew, Task
from benchmarks.services import RunningSandbox, running_postgres, running_sandbox

PROCESSES = 8
RATE = 100.0
OPEN_SECONDS = 2.0


def at_once(spans: Sequence[tuple[float, float]]) -> int:
    """The largest number of (begin, end) spans that overlap at one moment."""
    changes = sorted([(begin, 1) for begin, _ in spans] + [(end, -1) for _, end in spans])
    level = most = 0
    for _, change in changes:
        level += change
        most = max(most, level)
    return most


def outage(sandbox: RunningSandbox, ledger_url: str, seconds: float) -> dict[str, Any]:
    """Eight processes at work; the provider fails for ``seconds`` and comes back."""
    crew = Crew(Task(ledger_url, sandbox.url, seconds + 8.0, RATE, open_seconds=OPEN_SECONDS), PROCESSES)
    sandbox.admin("reset", {"only": ["stats"]})
    crew.go()
    time.sleep(2.0)
    sandbox.admin("faults", {"provider": "edgar", "kind": "status", "params": {"status": 503}})
    time.sleep(seconds)
    sandbox.admin("faults", method="DELETE")
    logs = crew.collect()
    counted = sandbox.arrivals("edgar")
    return {
        "outage_seconds": seconds,
        "reached_in_outage": counted["statuses"].get("503", 0),
        "probes": sum(len(log["probes"]) for log in logs),
        "probes_at_once": at_once([tuple(span) for log in logs for span in log["probes"]]),
        "good": counted["statuses"].get("200", 0),
    }


def block(sandbox: RunningSandbox, ledger_url: str, seconds: float) -> dict[str, Any]:
    """Eight processes at work; one of them is shown the block page once."""
    crew = Crew(Task(ledger_url, sandbox.url, seconds + 6.0, RATE, block_seconds=seconds), PROCESSES)
    sandbox.admin("reset", {"only": ["stats"]})
    crew.go()
    time.sleep(2.0)
    sandbox.admin("faults", {"provider": "edgar", "kind": "block_page", "times": 1})
    crew.collect()
    counted = sandbox.arrivals("edgar")
    sandbox.admin("faults", method="DELETE")
    arrivals = counted["arrivals"]
    before, after = max(pairwise(arrivals), key=lambda pair: pair[1] - pair[0])
    return {
        "block_seconds": seconds,
        "blocked_answers": counted["statuses"].get("403", 0),
        "longest_silence": round(after - before, 2),
        "sent_after_it": sum(1 for arrival in arrivals if arrival >= after),
    }


def main() -> None:
    """Run both on both stores and print them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.breaker", description=__doc__.splitlines()[0])
    parser.add_argument("--outage", type=float, default=8.0, help="seconds of outage (8)")
    parser.add_argument("--block", type=float, default=5.0, help="seconds that a block is respected (5)")
    options = parser.parse_args()
    runs: list[dict[str, Any]] = []
    with (
        running_sandbox("--limits", "off") as sandbox,
        running_postgres() as postgres,
        tempfile.TemporaryDirectory(prefix="salescience-bench-") as folder,
    ):
        # One database serves both parts: the gate must have come out of the outage by then.
        urls = {"sqlite": f"sqlite:///{Path(folder) / 'ledger.db'}", "postgresql": postgres}
        for store, url in urls.items():
            runs.append(
                {
                    "store": store,
                    "processes": PROCESSES,
                    **outage(sandbox, url, options.outage),
                    **block(sandbox, url, options.block),
                }
            )
    table = Table(title=f"{PROCESSES} processes, {RATE:g}/s, open for {OPEN_SECONDS:g} s after 3 failures")
    table.add_column("")
    for row in runs:
        table.add_column(row["store"], justify="right")
    for name in runs[0]:
        table.add_row(name.replace("_", " "), *(str(row[name]) for row in runs))
    Console().print(table)
    print(json.dumps({"runs": runs}))


if __name__ == "__main__":
    main()
