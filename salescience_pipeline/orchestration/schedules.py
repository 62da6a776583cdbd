"""The schedules: one per cron line of a job's row, one per chore; New York time, aware of the exchange's calendar, stopped.

Each tick has a dated run key, so that two daemons, or one that asks twice, never run a tick twice. A daemon that was
away finds several ticks due: of those about the same day only the last one runs, since it asks for all that the others
would. What does not belong here: which jobs there are (``catalog.jobs``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator

import dagster as dg

from salescience_pipeline.catalog import crons
from salescience_pipeline.catalog.chores import CHORES, Chore
from salescience_pipeline.catalog.jobs import JOBS, Job, Pass
from salescience_pipeline.catalog.sessions import NEW_YORK, is_session, session_hours, why_closed
from salescience_pipeline.orchestration.jobs import asset_config

Clock = Callable[[], dt.datetime]
_AFTER_CLOSE = dt.timedelta(minutes=5)
"""The closing trade comes a little after the bell."""
_LONGEST_ABSENCE = dt.timedelta(days=2)
"""How far ahead a late tick looks for others of its day; passes of one day lie within it."""


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def build_schedules(clock: Clock = _utc_now) -> list[dg.ScheduleDefinition]:
    """A schedule for each pass of each job, and one for each chore; ``clock`` gives aware moments."""
    passes = [_schedule(job, number, clock) for job in JOBS.values() for number in range(len(job.passes))]
    return [*passes, *(_chore_schedule(chore, clock) for chore in CHORES.values())]


def _chore_schedule(chore: Chore, clock: Clock) -> dg.ScheduleDefinition:
    def tick(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        scheduled = context.scheduled_execution_time
        later = next(crons.ticks(chore.cron, scheduled, min(clock(), scheduled + _LONGEST_ABSENCE)), None)
        if later is not None:
            return dg.SkipReason("A later tick is due as well, and does all that this one would.")
        return dg.RunRequest(
            run_key=f"{chore.name}/{scheduled.astimezone(NEW_YORK).date().isoformat()}",
            tags={"salescience/job": chore.name, "salescience/logical_time": scheduled.isoformat()},
        )

    return dg.ScheduleDefinition(
        name=chore.dagster_name,
        job_name=chore.dagster_name,
        cron_schedule=chore.cron,
        execution_timezone="America/New_York",
        execution_fn=tick,
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description=chore.description,
    )


def _schedule(job: Job, number: int, clock: Clock) -> dg.ScheduleDefinition:
    one = job.passes[number]

    def tick(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        return request_of(job, number, context.scheduled_execution_time, clock())

    return dg.ScheduleDefinition(
        name=job.schedule_name(number),
        job_name=job.dagster_name,
        cron_schedule=one.cron,
        execution_timezone="America/New_York",
        execution_fn=tick,
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description=f"{job.description} {one.what}".strip(),
        tags={"salescience/scope": job.scope.value},
    )


def request_of(job: Job, number: int, scheduled: dt.datetime, now: dt.datetime) -> dg.RunRequest | dg.SkipReason:
    """What the tick of a pass that was due at ``scheduled`` asks for, seen at ``now`` (both aware)."""
    one = job.passes[number]
    reason = _why_not(job, one, scheduled)
    if reason is not None:
        return dg.SkipReason(reason)
    later = next(_later_ticks(job, one, scheduled, now), None)
    if later is not None:
        at = later.astimezone(NEW_YORK)
        return dg.SkipReason(
            f"The tick of {at:%H:%M} on {at:%Y-%m-%d} is due as well, and asks for all that this one would."
        )
    day = _day_of(one, scheduled)
    return dg.RunRequest(
        run_key=f"{job.name}/{day.isoformat()}/{scheduled.astimezone(dt.UTC):%Y%m%dT%H%MZ}",
        partition_key=day.isoformat() if _is_dated(job) else None,
        run_config=_config(job, one, day),
        tags={
            "salescience/job": job.name,
            "salescience/scope": job.scope.value,
            "salescience/logical_time": scheduled.isoformat(),
        },
    )


def _is_dated(job: Job) -> bool:
    return not job.is_cut_by_ticker and any(dataset.cut.value == "date" for dataset in job.rows)


def _config(job: Job, one: Pass, day: dt.date) -> dict[str, object]:
    if not job.is_cut_by_ticker:
        return asset_config(job, one)
    config = {
        "day": day.isoformat(),
        "scope": job.scope.value,
        "datasets": list(job.datasets_of(one)),
        "force": one.force,
    }
    return {"ops": {f"acquire_{job.dagster_name}": {"config": config}}}


def _day_of(one: Pass, scheduled: dt.datetime) -> dt.date:
    """The logical day of a tick: New York's, or the one before it."""
    return scheduled.astimezone(NEW_YORK).date() - dt.timedelta(days=int(one.day_before))


def _why_not(job: Job, one: Pass, scheduled: dt.datetime) -> str | None:
    """Why a tick at ``scheduled`` has nothing to ask for; None when it has."""
    day = _day_of(one, scheduled)
    if job.calendar == "every_day":
        return None
    if not is_session(day):
        return f"{day.isoformat()} is {why_closed(day)}: there is no trading to ask about."
    hours = session_hours(day) if job.calendar == "open_hours" else None
    if hours is not None and not hours[0] <= scheduled <= hours[1] + _AFTER_CLOSE:
        opened, closed = (moment.astimezone(NEW_YORK) for moment in hours)
        return f"The exchange is open from {opened:%H:%M} to {closed:%H:%M} on {day.isoformat()}."
    return None


def _later_ticks(job: Job, one: Pass, scheduled: dt.datetime, now: dt.datetime) -> Iterator[dt.datetime]:
    """Ticks of the job since ``scheduled`` that are due by now, about the same day and at least the same datasets."""
    until = min(now, scheduled + _LONGEST_ABSENCE)
    wanted, day = set(job.datasets_of(one)), _day_of(one, scheduled)
    for other in job.passes:
        if wanted <= set(job.datasets_of(other)):
            for moment in crons.ticks(other.cron, scheduled, until):
                if _day_of(other, moment) == day and _why_not(job, other, moment) is None:
                    yield moment
