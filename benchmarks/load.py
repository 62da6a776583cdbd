"""``python -m benchmarks.load``: what loading the definitions costs over what Dagster and pandas cost anyway.

Every run, sensor tick and code server of Dagster imports the definitions in a fresh process, so their load time is paid
thousands of times a day. Measured as CPU of the process (user and system), alternating the two, the best of each. The
last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

from rich.console import Console
from rich.table import Table

BASE = "import dagster, pandas"
LOADS = {
    BASE: BASE,
    "salescience_pipeline.definitions": "import salescience_pipeline.definitions",
    "salescience_pipeline.marts.definitions": "import salescience_pipeline.marts.definitions",
}
_MEASURE = "import time; begun = time.process_time(); {load}; print(time.process_time() - begun)"


def cpu_seconds(load: str) -> float:
    """CPU seconds of ``load`` in a process of its own."""
    command = [sys.executable, "-c", _MEASURE.format(load=load)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10, help="how often each is loaded (10)")
    options = parser.parse_args()
    for load in LOADS.values():
        cpu_seconds(load)  # the first time compiles and warms the file cache
    measured: dict[str, list[float]] = {name: [] for name in LOADS}
    for _ in range(options.rounds):
        for name, load in LOADS.items():
            measured[name].append(cpu_seconds(load))
    best = {name: min(values) for name, values in measured.items()}
    table = Table(title=f"CPU seconds to load, best of {options.rounds} alternated")
    for column in ("what", "best", "median", "ratio to the first"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for name, values in measured.items():
        median = sorted(values)[len(values) // 2]
        table.add_row(name, f"{best[name]:.3f}", f"{median:.3f}", f"{best[name] / best[BASE]:.2f}")
    Console().print(table)
    ratio, marts = (round(best[name] / best[BASE], 3) for name in list(LOADS)[1:])
    print(json.dumps({"ratio": ratio, "marts_ratio": marts, "base_seconds": round(best[BASE], 3)}))


if __name__ == "__main__":
    main()
