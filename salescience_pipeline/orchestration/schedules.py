"""The schedules: one per cron of a dataset, New York time, aware of exchange holidays, shipped stopped.

Each tick has a dated run key, so that a daemon that was away, or two of them, never run a day twice.
"""

from __future__ import annotations

import datetime as dt

import dagster as dg

from salescience_pipeline.catalog.datasets import DATASETS, Cut, Dataset
from salescience_pipeline.catalog.sessions import NEW_YORK, is_session, why_closed
from salescience_pipeline.orchestration.jobs import job_name_of


def build_schedules() -> list[dg.ScheduleDefinition]:
    """A schedule for each cron in the catalogue."""
    return [
        _schedule(dataset, cron, number)
        for dataset in DATASETS.values()
        for number, cron in enumerate(_crons(dataset))
        if dataset.cut is not Cut.TICKER
    ]


def _crons(dataset: Dataset) -> tuple[str, ...]:
    return (dataset.cron, *dataset.repeat_crons) if dataset.cron else ()


def _schedule(dataset: Dataset, cron: str, number: int) -> dg.ScheduleDefinition:
    name = job_name_of(dataset.name) + (f"_repeat_{number}" if number else "")
    what = f"Pass {number + 1} of the day: " if number else ""

    def tick(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        return request_of(dataset, context.scheduled_execution_time, number)

    return dg.ScheduleDefinition(
        name=name,
        job_name=job_name_of(dataset.name),
        cron_schedule=cron,
        execution_timezone="America/New_York",
        execution_fn=tick,
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description=f"{what}{dataset.title}.",
    )


def request_of(dataset: Dataset, scheduled: dt.datetime, number: int) -> dg.RunRequest | dg.SkipReason:
    """What a tick at ``scheduled`` (aware) asks for; ``number`` counts the passes of a day from 0."""
    local = scheduled.astimezone(NEW_YORK)
    day = local.date()
    if dataset.cut is Cut.DATE and local.hour < 12:
        # A morning pass completes the evening before it.
        day -= dt.timedelta(days=1)
    if dataset.trading_days_only and not is_session(day):
        return dg.SkipReason(f"{day.isoformat()} is {why_closed(day)}: there are no prices to fetch.")
    run_key = f"{dataset.name}/{day.isoformat()}/{number}"
    tags = {"salescience/logical_time": scheduled.isoformat(), "salescience/pass": str(number)}
    config = {"ops": {dataset.name: {"config": {"force": True}}}} if number else {}
    return dg.RunRequest(
        run_key=run_key,
        partition_key=day.isoformat() if dataset.cut is Cut.DATE else None,
        run_config=config,
        tags=tags,
    )
