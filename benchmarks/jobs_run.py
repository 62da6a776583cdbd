"""Two days of the eleven jobs over one list of tickers, in one process with a simulated clock; used by ``jobs``.

The first day begins with nothing; the second one is a day like any other, and is the one that is measured. The clock moves
only when the gate waits for a provider's limit, so that an hour of waiting takes no time and is still counted. Prints one
JSON object. What does not belong here: the sandboxes, and comparing sizes.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import json
import resource
import threading
import time
from pathlib import Path
from typing import Any

import dagster as dg

from benchmarks.jobs_minimum import Looks, Truth
from benchmarks.services import RunningSandbox
from salescience_pipeline.acquisition.acquire import watching
from salescience_pipeline.acquisition.outcome import Acquired, Status
from salescience_pipeline.acquisition.services import Services
from salescience_pipeline.catalog.jobs import JOBS, SOURCE_JOBS
from salescience_pipeline.catalog.scopes import Scope
from salescience_pipeline.catalog.sessions import NEW_YORK
from salescience_pipeline.definitions import build_defs
from salescience_pipeline.ledger.completeness import State
from salescience_pipeline.orchestration.resources import ServicesResource
from salescience_pipeline.orchestration.schedules import request_of
from salescience_pipeline.settings import Settings

TICKS: tuple[tuple[str, str], ...] = (
    ("05:30", "finnhub-fundamentals-earnings"),
    ("06:00", "finnhub-company-news-universe"),
    ("06:15", "polygon-news-market"),
    ("06:20", "polygon-news-universe"),
    ("07:10", "finnhub-company-news-portfolio"),
    ("07:15", "polygon-news-market"),
    ("07:25", "polygon-news-portfolio"),
    ("09:30", "finnhub-quote-portfolio"),
    ("09:32", "finnhub-quote-indices"),
    ("17:45", "tiingo-daily-prices"),
    ("17:50", "tiingo-daily-prices-indices"),
    ("19:30", "alpha-vantage-technical-indicators"),
)
"""The first run of each job on a trading day, as their schedules have them; the market's news are read all day."""

LONG = dt.timedelta(minutes=30)
"""A run after which the first answers are no longer new: it is not run again to show that there is nothing to ask for."""


class Clock:
    """A clock that moves when somebody waits."""

    def __init__(self) -> None:
        self._now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
        self._lock = threading.Lock()

    def now(self) -> dt.datetime:
        """The moment, UTC."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        with self._lock:
            self._now += dt.timedelta(seconds=seconds)

    def reach(self, moment: dt.datetime) -> None:
        """Wait for ``moment``, if it lies ahead."""
        self.sleep(max((moment - self._now).total_seconds(), 0.0))


CLOCK = Clock()


class Simulated(ServicesResource):
    """The services with the simulated clock."""

    def _open(self, settings: Settings) -> Services:
        self._services = opened = Services(settings, clock=CLOCK.now, sleep=CLOCK.sleep)
        return opened


class Keep:
    """Keeps what acquisitions came to."""

    def __init__(self) -> None:
        self.results: list[Acquired] = []

    def progress(self, dataset: str, done: int, planned: int, subject: str) -> None:
        """Nobody looks."""

    def result(self, acquired: Acquired) -> None:
        """Keep it."""
        self.results.append(acquired)


class Day:
    """One day of the jobs against the sandbox of that day."""

    def __init__(
        self, sandbox: RunningSandbox, folder: Path, options: argparse.Namespace, instance: dg.DagsterInstance
    ) -> None:
        """Follow the lists of the sandbox's market."""
        world = sandbox.admin("world")
        self.day = dt.date.fromisoformat(world["today"])
        self.sandbox, self.instance = sandbox, instance
        overrides = {
            "home": str(folder), "sandbox_url": sandbox.url, "threads": "1", "tiingo_plan": options.tiingo_plan,
        }  # fmt: skip
        self.scopes = {
            Scope.ENTIRE_WATCHLIST.value: world["watchlist"][: options.tickers],
            Scope.ACTIVE_SYMBOLS.value: world["watchlist"][: min(100, options.tickers // 2)],
            Scope.INDICES.value: world["indices"],
        }
        self.settings = Settings(**overrides)
        with Services(self.settings, clock=CLOCK.now) as services:
            for scope, tickers in self.scopes.items():
                services.ledger.watchlist.add(scope, tickers)
        self.defs = build_defs(services=Simulated(overrides=overrides))

    def seed(self, looks: Looks) -> None:
        """Take the metrics and results of everybody as read a day ago: what two thousand requests and more would bring."""
        tickers, earlier = self.scopes[Scope.ENTIRE_WATCHLIST.value], CLOCK.now() - dt.timedelta(days=1)
        datasets = ("core_finnhub__fundamental_metrics", "core_finnhub__earnings_surprises")
        states = [State(name, ticker, ticker, Status.COMPLETE) for name in datasets for ticker in tickers]
        with Services(self.settings, clock=CLOCK.now) as services:
            services.ledger.completeness.record(
                state.stamped(checked_at=earlier, run_id="seed", source="finnhub") for state in states
            )
        looks.reports = dict.fromkeys(tickers, self.day - dt.timedelta(days=1))

    def run(self, at: str, name: str, looks: Looks) -> dict[str, Any]:
        """One tick of one job, and what it took."""
        tick = dt.datetime.combine(self.day, dt.time.fromisoformat(at), NEW_YORK)
        CLOCK.reach(tick)
        moment = min(CLOCK.now(), dt.datetime.combine(self.day, dt.time(23, 59), NEW_YORK))
        self.sandbox.admin("world", {"at": moment.isoformat()})
        minimum = Truth(self.sandbox, self.day, self.scopes).minimum(name, CLOCK.now(), looks)
        self.sandbox.admin("reset", {"only": ["stats"]})
        begun, wall, cpu = CLOCK.now(), time.perf_counter(), time.process_time()
        _forget_peak()
        results = self._execute(name, tick)
        figures = {
            "requests": self.sandbox.arrivals(_sandbox_name(name)).get("requests", 0),
            "planned": sum(acquired.planned for acquired in results),
            "minimum": minimum,
            "rows": sum(acquired.rows for acquired in results),
            "open": sum(not acquired.is_complete for acquired in results),
            "limit_seconds": round((CLOCK.now() - begun).total_seconds(), 1),
            "seconds": round(time.perf_counter() - wall, 2),
            "cpu_seconds": round(time.process_time() - cpu, 2),
            "peak_mb": _peak_mb(),
        }
        if CLOCK.now() - begun > LONG:
            return {"job": name, **figures, "again": 0}
        self._execute(name, tick)
        counted = self.sandbox.arrivals(_sandbox_name(name)).get("requests", 0)
        return {"job": name, **figures, "again": counted - figures["requests"]}

    def _execute(self, name: str, tick: dt.datetime) -> list[Acquired]:
        job, keep = JOBS[name], Keep()
        request = request_of(job, 0, tick, tick)
        if not isinstance(request, dg.RunRequest):
            raise SystemExit(f"{name} does not run at {tick}: {request.skip_message}")
        tags = dict(request.tags) | ({"dagster/partition": request.partition_key} if request.partition_key else {})
        config = {**request.run_config, "loggers": {"console": {"config": {"log_level": "ERROR"}}}}
        with watching(keep):
            result = self.defs.resolve_job_def(job.dagster_name).execute_in_process(
                instance=self.instance, tags=tags, run_config=config, raise_on_error=False
            )
        if not result.success:
            raise SystemExit(f"{name} failed on {self.day}.")
        return keep.results


def _sandbox_name(job: str) -> str:
    return JOBS[job].provider


def _forget_peak() -> None:
    """Let the kernel measure the peak anew, where it can (Linux)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak_mb() -> float:
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return round(int(line.split()[1]) / 1024, 1)
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def main() -> None:
    """Run the days and print their figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.jobs_run", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where lake and ledger are kept, from day to day")
    parser.add_argument("tickers", type=int, help="how many tickers are followed")
    parser.add_argument("--tiingo-plan", default="free", help="Tiingo's plan (free)")
    parser.add_argument(
        "--seeded", action="store_true", help="take metrics and results as read the day before the first"
    )
    parser.add_argument("sandboxes", nargs="+", help="the sandbox of each day, oldest first")
    options = parser.parse_args()
    looks = Looks()
    days: list[list[dict[str, Any]]] = []
    with dg.DagsterInstance.get() as instance:
        for url in options.sandboxes:
            sandbox = RunningSandbox(url)
            today = dt.date.fromisoformat(sandbox.admin("world")["today"])
            CLOCK.reach(dt.datetime.combine(today, dt.time(5), NEW_YORK))
            day = Day(sandbox, options.folder / "home", options, instance)
            if options.seeded and not days:
                day.seed(looks)
            days.append([day.run(at, name, looks) for at, name in TICKS])
    missing = set(SOURCE_JOBS) - {row["job"] for row in days[-1]}
    if missing:
        raise SystemExit(f"Not run: {', '.join(sorted(missing))}.")
    print(json.dumps({"tickers": options.tickers, "days": days}))


if __name__ == "__main__":
    main()
