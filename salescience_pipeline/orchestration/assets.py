"""From a dataset row to an asset: one factory for all, so that every asset plans, fails and explains itself alike.

A dataset is one multi-asset with an output per table that it writes. A table with several writers is an asset of its own
above them, which nobody materialises and everybody downstream depends on.
"""

import datetime as dt
from collections.abc import Iterator, Sequence

import dagster as dg
from pydantic import Field

from salescience_pipeline.acquisition.acquire import acquire
from salescience_pipeline.acquisition.outcome import Acquired
from salescience_pipeline.acquisition.sandbox_process import SandboxUnavailable
from salescience_pipeline.acquisition.services import SelectionError, Services
from salescience_pipeline.catalog.datasets import DATASETS, Cut, Dataset, shared_tables, writers_of
from salescience_pipeline.catalog.providers import PROVIDERS
from salescience_pipeline.catalog.scopes import Scope
from salescience_pipeline.catalog.tables import TABLES
from salescience_pipeline.clients.plan import Selection
from salescience_pipeline.identifiers import InvalidIdentifier, Ticker, parse_tickers
from salescience_pipeline.orchestration import checks
from salescience_pipeline.orchestration.failures import MAX_RETRIES_TAG, failure_of, stop_run_retries
from salescience_pipeline.orchestration.metadata import definition_metadata, run_metadata
from salescience_pipeline.orchestration.partitions import backfill_policy_of, dates_of, partitions_of, tickers_of
from salescience_pipeline.orchestration.resources import ServicesResource
from salescience_pipeline.settings import SettingsError

LAKE_IO = "lake"
"""Key of the IO manager that loads our tables for a user's own assets."""


class AcquireConfig(dg.Config):
    """What a run may narrow or widen; everything has a sensible default."""

    tickers: list[str] | None = Field(
        default=None,
        description="Only these tickers (date-partitioned assets); default: the scope's tickers on the day.",
    )
    scope: str | None = Field(
        default=None, description="The scope whose tickers are meant; default: the dataset's own."
    )
    n_years: int = Field(default=2, ge=1, le=50, description="Years of filings to look back.")
    forms: list[str] | None = Field(default=None, description="Form types; default: the dataset's own.")
    force: bool = Field(default=False, description="Ask again even for what is current (filed documents excepted).")
    fail_run: bool = Field(
        default=True,
        description="Whether a subject that fails fails the run, after everything else is stored; otherwise it is only "
        "recorded in the completeness table and the check.",
    )


def build_assets() -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """All acquisition assets, and the table assets above those with several writers."""
    tables = [_table_spec(table) for table in shared_tables()]
    return [*(build_dataset_asset(dataset) for dataset in DATASETS.values()), *tables]


def _table_spec(name: str) -> dg.AssetSpec:
    table = TABLES[name]
    return dg.AssetSpec(
        name,
        deps=list(writers_of(name)),
        group_name=table.group,
        description=f"{table.description} Written by {' and '.join(writers_of(name))}.",
        kinds={"delta", "table"},
        owners=["team:data-platform"],
        metadata=definition_metadata(table, None),
    ).with_io_manager_key(LAKE_IO)


def _deps_of(dataset: Dataset) -> list[str]:
    """The assets whose rows planning needs: of several writers the one that is cut alike, so that keys map to keys."""
    deps: list[str] = []
    for table in dataset.needs:
        writers = writers_of(table)
        alike = [key for key in writers if _cut_of(key) is dataset.cut]
        deps += alike or list(writers)
    return deps


def _cut_of(asset_key: str) -> Cut:
    return next(dataset.cut for dataset in DATASETS.values() if asset_key in dataset.outputs)


def build_dataset_asset(dataset: Dataset) -> dg.AssetsDefinition:
    """The multi-asset of one dataset row."""
    specs = [
        dg.AssetSpec(
            key,
            deps=_deps_of(dataset),
            group_name=TABLES[table].group if len(dataset.outputs) > 1 else dataset.group,
            description=dataset.description if key == dataset.name else TABLES[table].description,
            kinds=set(dataset.kinds),
            owners=[dataset.owner],
            code_version=dataset.code_version,
            metadata=definition_metadata(TABLES[table], dataset),
            tags={"provider": dataset.provider, "cut": dataset.cut.value},
        ).with_io_manager_key(LAKE_IO)
        for key, table in dataset.outputs.items()
    ]

    @dg.multi_asset(
        name=dataset.name,
        specs=specs,
        check_specs=checks.specs_of(dataset),
        partitions_def=partitions_of(dataset.cut),
        backfill_policy=backfill_policy_of(dataset.cut),
        pool=PROVIDERS[dataset.provider].pool,
        description=dataset.description,
    )
    def materialize(
        context: dg.AssetExecutionContext, config: AcquireConfig, services: ServicesResource
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        yield from run_dataset(context, dataset, config, services.get())

    return materialize


def run_dataset(
    context: dg.AssetExecutionContext, dataset: Dataset, config: AcquireConfig, services: Services
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """Acquire what the run's partitions and config ask for; tell Dagster what came through and what did not.

    Raises:
        Failure: naming what failed, after everything else is stored and marked, unless the config says to record it.
    """
    keys = list(context.partition_keys) if context.has_partition_key or context.has_partition_key_range else []
    try:
        selection = selection_of(dataset, config, keys, services)
        yield from _acquire(context, dataset, config, services, selection, keys)
    except (InvalidIdentifier, SelectionError, SandboxUnavailable, SettingsError) as refused:
        # Nothing was sent: asking again would be refused again.
        context.instance.add_run_tags(context.run_id, {MAX_RETRIES_TAG: "0"})
        raise dg.Failure(str(refused), allow_retries=False) from refused


def _acquire(
    context: dg.AssetExecutionContext,
    dataset: Dataset,
    config: AcquireConfig,
    services: Services,
    selection: Selection,
    keys: Sequence[str],
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    total = 0

    def progress(_dataset: str, done: int, planned: int, subject: str) -> None:
        nonlocal total
        if done - total >= max(planned // 10, 25) or done == planned:
            total = done
            context.log.info(f"{done} of {planned} requests, last {subject}")

    acquired = acquire(services, selection, run_id=context.run_id, progress=progress)
    context.log.info(acquired.sentence())
    raises = bool(acquired.failures) and config.fail_run
    yield from checks.results_of(dataset, acquired, services, selection)
    if raises:
        good = [key for key in keys if key not in acquired.open_partitions()]
        for asset_key, table in dataset.outputs.items():
            metadata = run_metadata(services, acquired, TABLES[table])
            # In a range, a MaterializeResult would mark every partition, also those that failed: mark the good ones only.
            for key in good:
                context.log_event(dg.AssetMaterialization(asset_key=asset_key, partition=key, metadata=metadata))
        if good:
            _touch_shared_tables(context, dataset, acquired)
        stop_run_retries(context, acquired.failures)
        raise failure_of(acquired)
    _touch_shared_tables(context, dataset, acquired)
    for asset_key, table in dataset.outputs.items():
        yield dg.MaterializeResult(asset_key=asset_key, metadata=run_metadata(services, acquired, TABLES[table]))


def _touch_shared_tables(context: dg.AssetExecutionContext, dataset: Dataset, acquired: Acquired) -> None:
    """Say of a table with several writers that it has new rows, so that what lies downstream is told once."""
    for table in set(dataset.outputs.values()) & set(shared_tables()):
        totals = acquired.tables.get(table)
        if totals is not None and totals.commits:
            context.log_event(
                dg.AssetMaterialization(
                    asset_key=table,
                    description=f"{totals.rows:,} rows by {dataset.name}",
                    metadata={"rows_written": totals.rows, "table_version": totals.version or 0},
                )
            )


def _scope(name: str) -> Scope:
    try:
        return Scope(name)
    except ValueError as error:
        raise SelectionError(
            f"There is no scope {name!r}; there are {', '.join(scope.value for scope in Scope)}."
        ) from error


def selection_of(dataset: Dataset, config: AcquireConfig, keys: Sequence[str], services: Services) -> Selection:
    """What a run asks for, from its partition keys and its config.

    Raises:
        InvalidIdentifier: for a key or a ticker that is none.
        SelectionError: for an unknown scope, a day in the future, or an empty list of tickers.
    """
    dates: tuple[dt.date, ...] = dates_of(keys) if dataset.cut is Cut.DATE else ()
    tickers: tuple[Ticker, ...] = ()
    if dataset.cut is Cut.TICKER:
        tickers = tickers_of(keys)
    elif config.tickers is not None:
        tickers = parse_tickers(config.tickers)
    elif dataset.cut is Cut.DATE:
        tickers = services.scope_tickers(_scope(config.scope or dataset.scope))
    return Selection(
        dataset=dataset.name,
        tickers=tickers,
        dates=dates,
        n_years=config.n_years,
        forms=tuple(config.forms or ()),
        force=config.force,
    )
