"""What happens inside a run of a dataset's asset: acquire, tell Dagster what came through, and fail for what did not.

Imported when a run starts and not before: clients, lake and ledger are no part of loading the definitions, which every
process of Dagster does. What does not belong here: the work itself (``acquisition.acquire``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NoReturn

import dagster as dg

from salescience_pipeline.acquisition.acquire import acquire
from salescience_pipeline.acquisition.outcome import Acquired
from salescience_pipeline.acquisition.sandbox_process import SandboxUnavailable
from salescience_pipeline.acquisition.services import SelectionError, Services
from salescience_pipeline.catalog.datasets import Cut, Dataset, shared_tables
from salescience_pipeline.catalog.jobs import UnknownJob
from salescience_pipeline.catalog.scopes import Scope
from salescience_pipeline.catalog.tables import TABLES
from salescience_pipeline.clients.plan import Selection
from salescience_pipeline.identifiers import InvalidIdentifier, Ticker, parse_tickers
from salescience_pipeline.orchestration.check_results import results_of
from salescience_pipeline.orchestration.failures import MAX_RETRIES_TAG, failure_of, stop_run_retries
from salescience_pipeline.orchestration.metadata import run_metadata
from salescience_pipeline.orchestration.partitions import dates_of, keys_of, tickers_of
from salescience_pipeline.settings import SettingsError

if TYPE_CHECKING:
    from salescience_pipeline.acquisition.acquire import Progress
    from salescience_pipeline.orchestration.assets import AcquireConfig

Context = dg.AssetExecutionContext | dg.OpExecutionContext
REFUSED = (InvalidIdentifier, SelectionError, UnknownJob, SandboxUnavailable, SettingsError)
"""What is refused before anything is sent: asking again would be refused again."""


def refuse(context: Context, refused: Exception) -> NoReturn:
    """Fail the run with the sentence of ``refused``, and keep the daemon from retrying it.

    Raises:
        Failure: always.
    """
    context.instance.add_run_tags(context.run.run_id, {MAX_RETRIES_TAG: "0"})
    raise dg.Failure(str(refused), allow_retries=False) from refused


def progress_log(log: dg.DagsterLogManager) -> Progress:
    """Writes a line to the run's log now and then: each tenth of the requests, or every 25."""
    total = 0

    def progress(_dataset: str, done: int, planned: int, subject: str) -> None:
        nonlocal total
        if done - total >= max(planned // 10, 25) or done == planned:
            total = done
            log.info(f"{done} of {planned} requests, last {subject}")

    return progress


def run_dataset(
    context: dg.AssetExecutionContext, dataset: Dataset, config: AcquireConfig, services: Services
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """Acquire what the run's partitions and config ask for; tell Dagster what came through and what did not.

    Raises:
        Failure: naming what failed, after everything else is stored and marked, unless the config says to record it.
    """
    try:
        keys = keys_of(context)
        selection = selection_of(dataset, config, keys, services)
        yield from _acquire(context, dataset, config, services, selection, keys)
    except REFUSED as refused:
        refuse(context, refused)


def _acquire(
    context: dg.AssetExecutionContext,
    dataset: Dataset,
    config: AcquireConfig,
    services: Services,
    selection: Selection,
    keys: Sequence[str],
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    acquired = acquire(
        services,
        selection,
        run_id=context.run.run_id,
        mode="replay" if config.replay else "live",
        progress=progress_log(context.log),
    )
    context.log.info(acquired.sentence())
    raises = bool(acquired.failures) and config.fail_run
    yield from results_of(dataset, acquired, services, selection)
    if raises:
        good = [key for key in keys if key not in acquired.open_partitions()]
        for asset_key, table in dataset.outputs.items():
            metadata = run_metadata(services, acquired, TABLES[table])
            # In a range, a MaterializeResult would mark every partition, also those that failed: mark the good ones only.
            for key in good:
                context.log_event(dg.AssetMaterialization(asset_key=asset_key, partition=key, metadata=metadata))
        if good:
            touch_shared_tables(context, dataset, acquired)
        stop_run_retries(context, acquired.failures)
        raise failure_of(acquired)
    touch_shared_tables(context, dataset, acquired)
    for asset_key, table in dataset.outputs.items():
        yield dg.MaterializeResult(asset_key=asset_key, metadata=run_metadata(services, acquired, TABLES[table]))


def touch_shared_tables(context: Context, dataset: Dataset, acquired: Acquired) -> None:
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
        exhibits=None if config.exhibits is None else tuple(config.exhibits),
        forms=tuple(config.forms or ()),
        force=config.force,
    )
