"""One Dagster run of the Tiingo increment in a process of its own, as a launcher would start it; used by ``backfill``.

Prints one JSON object. What does not belong here: measuring several runs against each other.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

JOB, DATASET = "tiingo_daily_prices", "core_tiingo__eod_prices_daily"


def main() -> None:
    """Run the days from ``first`` to ``last`` for the tickers in a file and print what it took."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backfill_run", description=__doc__.splitlines()[0])
    parser.add_argument("tickers", type=Path, help="file with a ticker on each line")
    parser.add_argument("first", help="first day, YYYY-MM-DD")
    parser.add_argument("last", help="last day, YYYY-MM-DD")
    options = parser.parse_args()
    import dagster as dg

    from salescience_pipeline.acquisition.acquire import watching
    from salescience_pipeline.acquisition.outcome import Acquired
    from salescience_pipeline.definitions import defs
    from salescience_pipeline.orchestration.sensors import partition_tags

    class Keep:
        """Keeps the result of the acquisition."""

        acquired: Acquired

        def progress(self, dataset: str, done: int, planned: int, subject: str) -> None:
            """Not needed here."""

        def result(self, acquired: Acquired) -> None:
            """The figures of the one acquisition of the run."""
            self.acquired = acquired

    keep = Keep()
    tickers = options.tickers.read_text().split()
    loggers = {"console": {"config": {"log_level": "WARNING"}}}
    with dg.DagsterInstance.get() as instance, watching(keep):
        begun, cpu = time.perf_counter(), time.process_time()
        result = defs.resolve_job_def(JOB).execute_in_process(
            instance=instance,
            tags=partition_tags(options.first, options.last),
            run_config={"ops": {DATASET: {"config": {"tickers": tickers}}}, "loggers": loggers},
            raise_on_error=False,
        )
        seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
        partitions = len(instance.get_materialized_partitions(dg.AssetKey(DATASET)))
    acquired = keep.acquired
    figures = {
        "success": result.success,
        "seconds": round(seconds, 3),
        "cpu_seconds": round(cpu, 3),
        "requests": acquired.sent,
        "minimum": acquired.plan.minimum,
        "rows": acquired.rows,
        "partitions": partitions,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
