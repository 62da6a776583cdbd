"""The reading side for a user's own assets: ``def mine(core_tiingo__eod_prices: pd.DataFrame)`` gets just its partitions.

Our own assets write through the lake and return no value, so nothing is ever stored here: Dagster's default IO manager
would pickle, and fails runs over several partitions. The annotation chooses the form: pandas, Arrow or a DuckDB
relation. What does not belong here: reading a table (``lake.tables``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg
import pandas as pd
import pyarrow as pa

from salescience_pipeline.catalog.datasets import DATASETS
from salescience_pipeline.catalog.tables import TABLES, Table
from salescience_pipeline.orchestration.partitions import DATES, TICKERS, dates_of, tickers_of
from salescience_pipeline.orchestration.resources import ServicesResource

if TYPE_CHECKING:
    from salescience_pipeline.acquisition.services import Services


class NotATable(dg.DagsterInvariantViolationError):
    """The asset is not one whose rows lie in the lake."""


class LakeIOManager(dg.ConfigurableIOManager):
    """Loads the rows of a lake table that belong to the partitions of the asset that asks."""

    services: ServicesResource

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Refuse: our tables are written by their own assets only.

        Raises:
            NotATable: always, for anything but nothing.
        """
        if obj is not None:
            raise NotATable(f"{context.asset_key.to_user_string()} must not be written through the lake's IO manager.")

    def load_input(self, context: dg.InputContext) -> Any:
        """The rows as ``pandas.DataFrame`` (default), ``pyarrow.Table`` or ``duckdb.DuckDBPyRelation``.

        Raises:
            NotATable: when the upstream asset is no table of the lake.
        """
        import duckdb  # noqa: PLC0415 - only here; the definitions need none of it

        table = table_of_asset(context.asset_key.path[-1])
        rows = read_partitions(self.services.get(), table, context)
        wanted = context.dagster_type.typing_type
        if wanted is pa.Table:
            return rows
        if wanted is duckdb.DuckDBPyRelation:
            return duckdb.connect().from_arrow(rows)
        return to_pandas(rows)


def table_of_asset(asset: str) -> Table:
    """The lake table that an asset is, or writes.

    Raises:
        NotATable: when there is none.
    """
    if asset in TABLES:
        return TABLES[asset]
    for dataset in DATASETS.values():
        if asset in dataset.outputs:
            return TABLES[dataset.outputs[asset]]
    raise NotATable(f"{asset} is not a table of the lake; its tables are {', '.join(sorted(TABLES))}.")


def read_partitions(services: Services, table: Table, context: dg.InputContext) -> pa.Table:
    """The rows of ``table`` in the partitions of the step that asks; all rows when it has none."""
    from salescience_pipeline.lake.tables import Where  # noqa: PLC0415 - a run has the lake open, the definitions not

    step = context.step_context
    if not (step.has_partition_key or step.has_partition_key_range):
        return services.tables.read(table.name)
    asked = step.partition_key_range
    if step.run_partitions_def == TICKERS:
        ordered = list(step.instance.get_dynamic_partitions("tickers"))
        tickers = tickers_of(ordered[ordered.index(asked.start) : ordered.index(asked.end) + 1])
        if "ticker" in table.column_names:
            return services.tables.read(table.name, Where(values={"ticker": tickers}))
        return services.tables.read(table.name, Where(values={"cik": list(services.ciks(tickers).values())}))
    if step.run_partitions_def == DATES and table.partition_year_of is not None:
        first, last = dates_of([asked.start, asked.end])
        return services.tables.read(table.name, Where(date_column=table.partition_year_of, first=first, last=last))
    return services.tables.read(table.name)


def to_pandas(rows: pa.Table) -> pd.DataFrame:
    """Arrow to pandas with Arrow-backed columns, so that integers with nulls stay integers and dates stay dates."""
    frame: pd.DataFrame = rows.to_pandas(types_mapper=pd.ArrowDtype)
    return frame
