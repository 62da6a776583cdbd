"""From a dataset row to an asset: one factory for all, so that every asset plans, fails and explains itself alike.

A dataset is one multi-asset with an output per table that it writes. A table with several writers is an asset of its
own above them, which nobody materialises and everybody downstream depends on. What does not belong here: what happens
inside a run (``running``), and rows of datasets (``catalog.datasets``).
"""

from collections.abc import Iterator

import dagster as dg
from pydantic import Field

from salescience_pipeline.catalog.datasets import DATASETS, Cut, Dataset, shared_tables, writers_of
from salescience_pipeline.catalog.providers import PROVIDERS
from salescience_pipeline.catalog.tables import TABLES
from salescience_pipeline.orchestration import checks
from salescience_pipeline.orchestration.metadata import LAKE_IO, definition_metadata, table_spec
from salescience_pipeline.orchestration.partitions import backfill_policy_of, partitions_of
from salescience_pipeline.orchestration.resources import ServicesResource


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
    exhibits: list[str] | None = Field(
        default=None,
        description="Exhibits kept beside main documents, as FORM:NUMBER (10-K:21), [] for none; default: as the settings say.",
    )
    force: bool = Field(default=False, description="Ask again even for what is current (filed documents excepted).")
    replay: bool = Field(
        default=False,
        description="Rebuild the rows from the archived answers of earlier runs; nothing is requested.",
    )
    fail_run: bool = Field(
        default=True,
        description="Whether a subject that fails fails the run, after everything else is stored; otherwise it is only "
        "recorded in the completeness table and the check.",
    )


# Derived once: as an annotation of each asset's function it would be derived for each, a fifth of what loading costs.
_ACQUIRE_SCHEMA = AcquireConfig.to_fields_dict()


def build_assets() -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """All acquisition assets, and the table assets above those with several writers."""
    tables = [
        table_spec(table, writers_of(table), f"Written by {' and '.join(writers_of(table))}.")
        for table in shared_tables()
    ]
    return [*(build_dataset_asset(dataset) for dataset in DATASETS.values()), *tables]


def _deps_of(dataset: Dataset) -> list[dg.AssetDep]:
    """The assets whose rows planning needs: of several writers the one that is cut alike, so that keys map to keys.

    A ticker whose plan needs a table that grows by date needs its newest day.
    """
    deps: list[dg.AssetDep] = []
    for table in dataset.needs:
        writers = writers_of(table)
        alike = [key for key in writers if _cut_of(key) is dataset.cut]
        deps += [
            dg.AssetDep(
                key,
                partition_mapping=dg.LastPartitionMapping()
                if (dataset.cut, _cut_of(key)) == (Cut.TICKER, Cut.DATE)
                else None,
            )
            for key in alike or writers
        ]
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
        config_schema=_ACQUIRE_SCHEMA,
    )
    def materialize(
        context: dg.AssetExecutionContext, services: ServicesResource
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        from salescience_pipeline.orchestration.running import run_dataset  # noqa: PLC0415 - only a run needs it

        config = AcquireConfig(**context.op_execution_context.op_config)
        yield from run_dataset(context, dataset, config, services.get())

    return materialize
