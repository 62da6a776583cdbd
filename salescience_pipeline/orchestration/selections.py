"""Runs of selections: jobs whose one step acquires for a scope, a list or the holes, whatever the partitions are.

A run of an asset takes neighbouring partitions; a scope of tickers, fifty scattered ones or the holes in what is stored
are none. These jobs ask for all of it at once, with the fewest requests, and then mark the partitions that came
through. What does not belong here: finding holes (``acquisition.repair``).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from salescience_pipeline.catalog.datasets import Cut, Dataset
from salescience_pipeline.catalog.jobs import Job
from salescience_pipeline.catalog.providers import PROVIDERS
from salescience_pipeline.catalog.tables import TABLES
from salescience_pipeline.orchestration.resources import ServicesResource

if TYPE_CHECKING:
    from salescience_pipeline.acquisition.outcome import Acquired
    from salescience_pipeline.acquisition.services import Services
    from salescience_pipeline.clients.plan import Selection


class ScopeConfig(dg.Config):
    """What a run of a job over a scope may change."""

    scope: str | None = Field(default=None, description="The scope whose tickers are meant; default: the job's own.")
    day: str | None = Field(
        default=None, description="The day, YYYY-MM-DD, for datasets that are cut by date; default: today."
    )
    datasets: list[str] | None = Field(
        default=None, description="Only these of the job's datasets; default: all, in order."
    )
    force: bool = Field(default=False, description="Ask again also for what is current.")


class BackfillConfig(dg.Config):
    """What to backfill."""

    dataset: str = Field(description="The dataset, by the name of its asset.")
    tickers: list[str] = Field(default=[], description="Tickers; default: those of the dataset's scope.")
    first: str | None = Field(default=None, description="First day, YYYY-MM-DD, for datasets that are cut by date.")
    last: str | None = Field(default=None, description="Last day, YYYY-MM-DD; default: the newest there is.")
    force: bool = Field(default=False, description="Ask again also for what is stored.")
    n_years: int = Field(default=2, ge=1, le=50, description="Years of filings to look back.")
    replay: bool = Field(
        default=False,
        description="Rebuild the rows from the archived answers of earlier runs; nothing is requested.",
    )


class RepairConfig(dg.Config):
    """What to repair."""

    datasets: list[str] = Field(default=[], description="Only these datasets; default: all.")


# Derived once for all jobs, not at each function: every process of Dagster loads them all.
_SCOPE_SCHEMA = ScopeConfig.to_fields_dict()


def scope_op(job: Job) -> dg.OpDefinition:
    """The step of a job that runs its datasets in order for a scope."""

    @dg.op(
        name=f"acquire_{job.dagster_name}",
        description=job.description,
        pool=PROVIDERS[job.provider].pool,
        tags={"provider": job.provider},
        config_schema=_SCOPE_SCHEMA,
    )
    def acquire_scope(context: dg.OpExecutionContext, services: ServicesResource) -> None:
        from salescience_pipeline.acquisition.backfill import selections_of_job  # noqa: PLC0415 - only a run needs it

        config = ScopeConfig(**context.op_config)
        opened = services.get()
        with _refusals(context):
            selections = selections_of_job(
                opened, job, scope=config.scope, day=config.day, datasets=config.datasets, force=config.force
            )
        run_selections(context, opened, selections)

    return acquire_scope


@dg.op(description="Acquires one dataset for any tickers and days in one run, with the fewest requests.")
def acquire_selection(context: dg.OpExecutionContext, config: BackfillConfig, services: ServicesResource) -> None:
    """One dataset, any selection."""
    from salescience_pipeline.acquisition.backfill import backfill_selection  # noqa: PLC0415 - only a run needs it

    opened = services.get()
    with _refusals(context):
        selection = backfill_selection(
            opened,
            config.dataset,
            tickers=config.tickers,
            first=config.first,
            last=config.last,
            force=config.force,
            n_years=config.n_years,
        )
    run_selections(context, opened, [selection], replays=config.replay)


@dg.op(description="Finds what failed or is missing in the completeness table, and asks for just that.")
def repair_holes(context: dg.OpExecutionContext, config: RepairConfig, services: ServicesResource) -> None:
    """All holes that can be filled."""
    from salescience_pipeline.acquisition.repair import find_holes  # noqa: PLC0415 - only a run needs it

    opened = services.get()
    with _refusals(context):
        holes = find_holes(opened, config.datasets or None)
    context.log.info("; ".join(hole.sentence for hole in holes) or "There are no holes.")
    run_selections(context, opened, [hole.selection for hole in holes])


def build_selection_jobs() -> list[dg.JobDefinition]:
    """The jobs ``backfill`` and ``repair``."""
    backfill = dg.GraphDefinition(
        name="backfill",
        node_defs=[acquire_selection],
        description="Any dataset for any tickers and days in one run; `salescience backfill` shows its plan first.",
    )
    repair = dg.GraphDefinition(
        name="repair",
        node_defs=[repair_holes],
        description="Fills the holes of the completeness table with the fewest requests; see `salescience repair`.",
    )
    return [graph.to_job(executor_def=dg.in_process_executor) for graph in (backfill, repair)]


def build_scope_job(job: Job) -> dg.JobDefinition:
    """The Dagster job of a row whose datasets are cut by ticker."""
    graph = dg.GraphDefinition(name=job.dagster_name, node_defs=[scope_op(job)], description=job.description)
    return graph.to_job(executor_def=dg.in_process_executor, tags={"salescience/scope": job.scope.value})


class _refusals:  # noqa: N801 - reads as a word in a with statement
    """Turns what cannot be asked for into a failure that no retry repeats."""

    def __init__(self, context: dg.OpExecutionContext) -> None:
        self._context = context

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        from salescience_pipeline.orchestration.running import REFUSED, refuse  # noqa: PLC0415 - only a run needs it

        if isinstance(error, REFUSED):
            refuse(self._context, error)


def run_selections(
    context: dg.OpExecutionContext, services: "Services", selections: Sequence["Selection"], *, replays: bool = False
) -> list["Acquired"]:
    """Acquire each selection, mark what came through, and fail at the end for what did not; or replay each.

    Raises:
        Failure: naming what failed; everything else is stored and marked.
    """
    from salescience_pipeline.acquisition.acquire import acquire  # noqa: PLC0415 - only a run needs it
    from salescience_pipeline.orchestration.failures import failure_of_all, stop_run_retries  # noqa: PLC0415
    from salescience_pipeline.orchestration.running import progress_log  # noqa: PLC0415

    done: list[Acquired] = []
    for selection in selections:
        with _refusals(context):
            acquired = acquire(
                services,
                selection,
                run_id=context.run_id,
                mode="replay" if replays else "live",
                progress=progress_log(context.log),
            )
        context.log.info(acquired.sentence())
        _tell(context, services, acquired, selection)
        done.append(acquired)
    failed = [acquired for acquired in done if acquired.failures]
    if failed:
        stop_run_retries(context, [failure for acquired in failed for failure in acquired.failures])
        raise failure_of_all(failed)
    return done


def _tell(context: dg.OpExecutionContext, services: "Services", acquired: "Acquired", selection: "Selection") -> None:
    """Checks, and a materialisation for each partition that came through."""
    from salescience_pipeline.orchestration.check_results import results_of  # noqa: PLC0415 - only a run needs it
    from salescience_pipeline.orchestration.metadata import run_metadata  # noqa: PLC0415
    from salescience_pipeline.orchestration.running import touch_shared_tables  # noqa: PLC0415

    dataset: Dataset = acquired.dataset
    for result in results_of(dataset, acquired, services, selection):
        assert result.asset_key is not None
        assert result.check_name is not None
        evaluation = dg.AssetCheckEvaluation(
            asset_key=result.asset_key,
            check_name=result.check_name,
            passed=result.passed,
            severity=result.severity,
            metadata=result.metadata,
            description=result.description,
        )
        # An op may tell of checks as of assets; Dagster's annotation forgets it.
        context.log_event(evaluation)  # type: ignore[arg-type]
    closed = {state.partition for state in acquired.states} - acquired.open_partitions()
    keys: list[str | None] = [None] if dataset.cut is Cut.NONE else [*sorted(closed)]
    if dataset.cut is Cut.TICKER:
        known = set(context.instance.get_dynamic_partitions("tickers"))
        context.instance.add_dynamic_partitions("tickers", [key for key in sorted(closed) if key not in known])
    for asset_key, table in dataset.outputs.items():
        metadata = run_metadata(services, acquired, TABLES[table])
        for key in keys:
            context.log_event(dg.AssetMaterialization(asset_key=asset_key, partition=key, metadata=metadata))
    touch_shared_tables(context, dataset, acquired)
