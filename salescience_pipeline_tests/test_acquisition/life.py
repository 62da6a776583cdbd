"""A day of the jobs under a clock that moves only when it is told to, or when the gate waits.

The ticks are those of the schedules, the sandbox looks at the market at the moment of each tick. What does not belong here:
what goes wrong (``test_faults``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import dagster as dg

from salescience_pipeline.acquisition.acquire import acquire
from salescience_pipeline.acquisition.backfill import selections_of_job
from salescience_pipeline.acquisition.outcome import Acquired
from salescience_pipeline.acquisition.repair import find_holes
from salescience_pipeline.acquisition.sandbox_process import Sandbox
from salescience_pipeline.acquisition.services import Services
from salescience_pipeline.catalog import crons
from salescience_pipeline.catalog.jobs import JOBS, SOURCE_JOBS
from salescience_pipeline.orchestration.schedules import request_of

NEW_YORK = ZoneInfo("America/New_York")
DAY = dt.date(2026, 6, 15)
"""The Monday of the shared sandbox."""


class Clock:
    """Aware moments that move when somebody waits."""

    def __init__(self, moment: dt.datetime) -> None:
        self._now = moment.astimezone(dt.UTC)

    def now(self) -> dt.datetime:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += dt.timedelta(seconds=max(seconds, 0.0))

    def reach(self, moment: dt.datetime) -> None:
        self.sleep((moment - self._now).total_seconds())


def at(clock: str, day: dt.date = DAY) -> dt.datetime:
    """A moment of the day in New York, as HH:MM."""
    return dt.datetime.combine(day, dt.time.fromisoformat(clock), NEW_YORK)


@dataclass(frozen=True)
class Ran:
    """One acquisition of one tick."""

    moment: dt.datetime
    job: str
    acquired: Acquired

    @property
    def clock(self) -> str:
        """New York's time, as HH:MM."""
        return f"{self.moment.astimezone(NEW_YORK):%H:%M}"


@dataclass
class Life:
    """The jobs of a day."""

    services: Services
    sandbox: Sandbox
    clock: Clock

    def look_at(self, moment: dt.datetime) -> None:
        """Let it be that time, here and in the market."""
        self.clock.reach(moment)
        seen = min(self.clock.now(), at("23:59"))
        self.sandbox.post("/_sandbox/world", {"at": seen.isoformat()})

    def live(self, begin: str, end: str) -> list[Ran]:
        """The ticks of the eleven jobs after ``begin`` up to ``end``, in the order of time; of quotes every third."""
        return [
            ran
            for moment, name, number in sorted(self._ticks(at(begin), at(end)))
            for ran in self.tick(name, number, moment)
        ]

    def repair(self) -> list[Ran]:
        """What the repair of the night asks for."""
        chosen = [hole.selection for hole in find_holes(self.services)]
        now = self.clock.now()
        return [Ran(now, "repair", acquire(self.services, selection, run_id="repair")) for selection in chosen]

    def tick(self, name: str, number: int, moment: dt.datetime) -> list[Ran]:
        """What one tick asks for; nothing where the schedule skips it."""
        job, one = JOBS[name], JOBS[name].passes[number]
        asked = request_of(job, number, moment, moment)
        if isinstance(asked, dg.SkipReason):
            return []
        self.look_at(moment)
        day = moment.astimezone(NEW_YORK).date().isoformat()
        chosen = selections_of_job(self.services, job, day=day, datasets=one.datasets, force=one.force)
        return [Ran(moment, name, acquire(self.services, selection, run_id=str(asked.run_key))) for selection in chosen]

    def _ticks(self, begin: dt.datetime, end: dt.datetime) -> Iterator[tuple[dt.datetime, str, int]]:
        for name in SOURCE_JOBS:
            for number, one in enumerate(JOBS[name].passes):
                for moment in crons.ticks(one.cron, begin, end):
                    if "quote" not in name or moment.minute % 15 in {0, 2}:
                        yield moment, name, number


def sent(ran: list[Ran]) -> int:
    """Requests of all of them, retries included."""
    return sum(one.acquired.sent for one in ran)


def incomplete(ran: list[Ran]) -> dict[str, set[str]]:
    """The jobs that did not come through, with the ticks at which they did not."""
    found: dict[str, set[str]] = {}
    for one in ran:
        if not one.acquired.is_complete:
            found.setdefault(one.job, set()).add(one.clock)
    return found
