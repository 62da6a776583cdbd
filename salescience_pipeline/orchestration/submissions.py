"""From rows to runs: the sensor that asks for a run per chunk, the job that works on it, and who cleans up after the dead.

The gateway writes rows and knows no Dagster; here the rows become runs, each under its chunk's run key, so that neither a
repeated tick nor two daemons start anything twice. What a run does with its chunk stands in ``submission_runs``.
"""

import datetime as dt
import os
import socket
from typing import TYPE_CHECKING

import dagster as dg

from salescience_pipeline.orchestration.resources import ServicesResource, refuse_other_world

if TYPE_CHECKING:
    from salescience_pipeline.ledger.dispatch import Beat
    from salescience_pipeline.ledger.ledger import Ledger
    from salescience_pipeline.ledger.turns import Chunk
    from salescience_pipeline.settings import Settings

JOB = "submission"
WINDOW, EACH = 8, 4
"""Chunks that are with Dagster at once, and how many of them may be one organisation's: what is beyond waits in the ledger,
where another can overtake it. Dagster runs two of an organisation at a time; two more wait beside them. Who has none with
Dagster is sent beyond the window."""
RUN_KEY_TAG = "salescience/run_key"
_NOT_BEGUN = (dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED)
_REMEMBERED = dt.timedelta(days=1)


class ChunkConfig(dg.Config):
    """Which chunk a run works on."""

    run_key: str


@dg.op(
    name="work", description="Fetches what one chunk of a submission asks for and writes the progress of each source."
)
def work(context: dg.OpExecutionContext, config: ChunkConfig, services: ServicesResource) -> None:
    """Work on one chunk; a source that fails fails the run after everything else is stored."""
    from salescience_pipeline.orchestration.submission_runs import run_chunk  # noqa: PLC0415 - only a run needs it

    run_chunk(context, config.run_key, services.get())


@dg.job(
    name=JOB,
    description="Works on one chunk of a submission: at most 25 tickers of one provider. Started by the submissions sensor.",
    # A chunk is tried again by the ledger, under a new run key; a run retry would find it taken.
    tags={"dagster/max_retries": "0"},
)
def submission() -> None:
    """One op: the chunk."""
    work()


_ledgers: "dict[tuple[str, int], Ledger]" = {}


def _ledger(settings: "Settings") -> "Ledger":
    """One ledger per process and address: a tick every few seconds should not open a database each time."""
    from salescience_pipeline.ledger.ledger import Ledger  # noqa: PLC0415 - no part of loading the definitions

    key = (settings.ledger_url, os.getpid())
    if key not in _ledgers:
        _ledgers[key] = Ledger.of(settings)
    return _ledgers[key]


def tags_of(chunk: "Chunk") -> dict[str, str]:
    """The tags of a chunk's run: who asked for it, as which request, and how urgent it is."""
    tags = {
        "salescience/organization": str(chunk.organization_id),
        "salescience/job": chunk.job_id,
        "salescience/request_id": chunk.request_id,
        # Who has nothing in flight overtakes those who do, among equally urgent ones.
        "dagster/priority": str(chunk.priority + chunk.is_first),
        RUN_KEY_TAG: chunk.run_key,
    }
    return tags | ({"salescience/user": chunk.user_id} if chunk.user_id else {})


@dg.sensor(
    name="submissions",
    job_name="submission",
    minimum_interval_seconds=2,
    description="Turns submitted jobs into runs, fair between organisations and interactive before background, and gives "
    "the chunks of runs that died to new ones. It starts nothing that nobody submitted, so it is shipped running.",
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def submissions(context: dg.SensorEvaluationContext, services: ServicesResource) -> dg.SensorResult | dg.SkipReason:
    """One tick: look after what runs, then send what is next."""
    settings = services.settings()
    refuse_other_world(context.instance, settings)
    ledger = _ledger(settings)
    died = reap(context.instance, ledger)
    chunks = ledger.dispatch.pick(window=WINDOW, each=EACH)
    if not chunks:
        return dg.SkipReason(f"Nothing is waiting; {died} chunks of dead runs were taken back.")
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(
                run_key=chunk.run_key,
                run_config={"ops": {"work": {"config": {"run_key": chunk.run_key}}}},
                tags=tags_of(chunk),
            )
            for chunk in chunks
        ]
    )


def reap(instance: dg.DagsterInstance, ledger: "Ledger") -> int:
    """Take the chunks of dead runs back; returns how many.

    A run is dead when Dagster says that it ended, when its process is gone from this machine, or when it has not been
    heard of for 35 seconds. The last two are told to Dagster as a failed run.
    """
    taken = 0
    for chunk, beat in ledger.dispatch.open_chunks():
        run = _run_of(instance, chunk)
        if run is None:
            continue
        if chunk.status == "cancelling" and run.status in _NOT_BEGUN:
            # It would start a process to find nothing to do, and keep a place until then.
            instance.report_run_canceled(run, message="The job was cancelled before this run began.")
        elif not run.is_finished and beat is not None and _is_dead(beat):
            instance.report_run_failed(run, f"The process {beat.worker_id} of this run is gone.")
        elif not run.is_finished:
            continue
        if chunk.status == "cancelling":
            ledger.dispatch.close(chunk)
        else:
            taken += ledger.dispatch.requeue(
                chunk, reason="The process that worked on it ended; it was tried three times."
            )
    ledger.dispatch.forget_beats(older_than=_REMEMBERED)
    return taken


def _run_of(instance: dg.DagsterInstance, chunk: "Chunk") -> dg.DagsterRun | None:
    if chunk.run_id is not None:
        return instance.get_run_by_id(chunk.run_id)
    runs = instance.get_runs(dg.RunsFilter(tags={RUN_KEY_TAG: chunk.run_key}), limit=1)
    return runs[0] if runs else None


def worker_id() -> str:
    """This process, as a heartbeat names it."""
    return f"{socket.gethostname()}:{os.getpid()}"


def _is_dead(beat: "Beat") -> bool:
    host, _, pid = beat.worker_id.rpartition(":")
    if host == socket.gethostname():
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
    from salescience_pipeline.ledger.dispatch import DEAD_AFTER  # noqa: PLC0415

    return beat.age > DEAD_AFTER
