"""What an asset says about itself in the UI: at definition its schema and rules, at run time what came out.

Everything is derived from the catalogue and from :class:`~salescience_pipeline.acquisition.outcome.Acquired`. What does
not belong here: what a column means (``catalog.columns``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from salescience_pipeline.acquisition.outcome import Acquired
from salescience_pipeline.catalog.datasets import Dataset
from salescience_pipeline.catalog.providers import PROVIDERS
from salescience_pipeline.catalog.render import sql_type
from salescience_pipeline.catalog.tables import PROVENANCE, TABLES, Table
from salescience_pipeline.orchestration.charts import line_chart_png, markdown_image

if TYPE_CHECKING:
    from salescience_pipeline.acquisition.services import Services

LAKE_IO = "lake"
"""The key of the IO manager that reads our tables for a user's own assets."""
_PREVIEW_ROWS, _PREVIEW_COLUMNS, _CELL = 8, 9, 40
_CHART_DAYS = 250
_SAMPLE_ROWS = 1_000


def column_schema(table: Table) -> dg.TableSchema:
    """The table's columns with meaning, unit and constraints, as the UI's column tab shows them."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=column.name,
                type=sql_type(column.type).lower(),
                description=column.meaning + (f" Unit: {column.unit}." if column.unit else ""),
                constraints=dg.TableColumnConstraints(nullable=not table.is_required(column.name)),
                tags={"key": ""} if column.name in table.key else {},
            )
            for column in table.columns
        ]
    )


def definition_metadata(table: Table, dataset: Dataset | None) -> dict[str, dg.RawMetadataValue]:
    """What is known before any run."""
    metadata: dict[str, dg.RawMetadataValue] = {
        "dagster/column_schema": column_schema(table),
        "dagster/table_name": f"lake.{table.name}",
        "key": ", ".join(table.key),
        "schema_version": table.schema_version,
    }
    if dataset is not None:
        provider = PROVIDERS[dataset.provider]
        metadata |= {
            "provider": dg.MetadataValue.url(provider.docs_url),
            "terms": provider.terms,
            "fewest_requests": dataset.minimum_rule,
        }
    return metadata


def table_spec(name: str, deps: Sequence[str] = (), note: str = "") -> dg.AssetSpec:
    """The asset of a table that no dataset's run writes as its own; ``note`` goes behind the table's description."""
    table = TABLES[name]
    return dg.AssetSpec(
        name,
        deps=deps,
        group_name=table.group,
        description=f"{table.description} {note}".rstrip(),
        kinds={"delta", "table"},
        owners=["team:data-platform"],
        metadata=definition_metadata(table, None),
    ).with_io_manager_key(LAKE_IO)


def run_metadata(services: Services, acquired: Acquired, table: Table) -> dict[str, dg.RawMetadataValue]:
    """What a materialisation tells: rows, dates, requests against the plan, a preview, a chart where there are prices."""
    totals = acquired.tables.get(table.name)
    metadata: dict[str, dg.RawMetadataValue] = {
        "dagster/row_count": services.tables.row_count(table.name),
        "rows_written": totals.rows if totals else 0,
        "requests_planned": acquired.planned,
        "requests_minimum": acquired.minimum,
        "requests_sent": acquired.sent,
        "quota_left": _quota_left(services, acquired),
        "seconds_at_the_limit": round(max(acquired.planned - 1, 0) / services.rate(acquired.dataset.provider), 1),
        "answered_from_archive": acquired.from_archive,
        "unchanged_at_provider": acquired.unchanged,
        "bytes_received": acquired.bytes,
        "seconds": round(acquired.seconds, 3),
        "plan": acquired.plan.why,
        "subjects": dg.MetadataValue.json(dict(acquired.counts)),
        "dagster/uri": services.tables.uri(table.name),
    }
    if services.settings.provenance_note:
        metadata["data"] = services.settings.provenance_note
    if acquired.left_out:
        metadata["left_out"] = dg.MetadataValue.md(_left_out(acquired))
    if totals and totals.first_date and totals.last_date:
        metadata["dates"] = f"{totals.first_date.isoformat()} to {totals.last_date.isoformat()}"
    sample = totals.sample if totals and totals.sample is not None else _stored_sample(services, acquired, table)
    if sample.num_rows:
        metadata["preview"] = dg.MetadataValue.md(markdown_table(sample))
        chart = _price_chart(sample)
        if chart is not None:
            metadata["chart"] = dg.MetadataValue.md(chart)
    return metadata


def _quota_left(services: Services, acquired: Acquired) -> int | str:
    left = services.allowance(acquired.dataset.provider)
    return "no quota" if left is None else left


def _stored_sample(services: Services, acquired: Acquired, table: Table) -> pa.Table:
    """Rows of the first subject that is current, for a run that had nothing to fetch."""
    if "ticker" not in table.column_names or not acquired.plan.fresh:
        return table.empty()
    from salescience_pipeline.lake.tables import Where  # noqa: PLC0415 - a run has the lake open, the definitions not

    ticker = acquired.plan.fresh[0].partition("|")[0]
    return services.tables.read(table.name, Where(values={"ticker": [ticker]})).slice(0, _SAMPLE_ROWS)


def _left_out(acquired: Acquired) -> str:
    lines = ["| subject | records | what | why |", "|---|---|---|---|"]
    lines += [f"| {item.subject} | {item.count} | {item.what} | {item.reason} |" for item in acquired.left_out[:30]]
    return "\n".join(lines)


def markdown_table(rows: pa.Table) -> str:
    """The first rows as a Markdown table; what comes from a provider is escaped, since the UI renders it."""
    names = [name for name in rows.column_names if name not in PROVENANCE][:_PREVIEW_COLUMNS]
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    shown = rows.slice(0, _PREVIEW_ROWS).select(names).to_pylist()
    lines += ["| " + " | ".join(_cell(row[name]) for name in names) + " |" for row in shown]
    return "\n".join(lines)


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = f"{value:,.4g}" if isinstance(value, float) and abs(value) < 1e6 else str(value)
    text = text if len(text) <= _CELL else text[: _CELL - 3] + "..."
    return "".join(f"&#{ord(char)};" if char in "|<>&`*_[]\\" else char for char in text.replace("\n", " "))


def _price_chart(rows: pa.Table) -> str | None:
    """The adjusted close of the first ticker in ``rows``, if there are enough days of it."""
    if "adj_close" not in rows.column_names:
        return None
    ticker = rows["ticker"][0].as_py()
    own = rows.filter(pc.equal(rows["ticker"], ticker)).sort_by("trade_date")
    closes = [value for value in own["adj_close"].to_pylist() if value is not None][-_CHART_DAYS:]
    if len(closes) < 2:
        return None
    return f"{ticker}, adjusted close, {len(closes)} days\n\n" + markdown_image(
        line_chart_png(closes), f"{ticker} price"
    )


def check_metadata(values: Mapping[str, object]) -> dict[str, dg.RawMetadataValue]:
    """Figures behind a check's verdict, in types that the UI shows well."""
    return {
        name: value if isinstance(value, int | float | str | bool) else str(value) for name, value in values.items()
    }
