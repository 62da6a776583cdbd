"""Texts generated from the catalogue: the data dictionary, the list of jobs and dbt's sources.

Pure functions that return text; ``salescience docs`` writes it, and a test fails when what stands in the repository is
stale. What does not belong here: writing files (``cli.documentation``).
"""

from __future__ import annotations

import pyarrow as pa

from salescience_pipeline.catalog.chores import CHORES
from salescience_pipeline.catalog.datasets import DATASETS, writers_of
from salescience_pipeline.catalog.jobs import JOBS
from salescience_pipeline.catalog.providers import PROVIDERS
from salescience_pipeline.catalog.tables import TABLES, Table

_GENERATED = "Generated from the catalogue by `salescience docs`; do not edit."

_SQL_TYPES: dict[pa.DataType, str] = {
    pa.string(): "VARCHAR",
    pa.date32(): "DATE",
    pa.float64(): "DOUBLE",
    pa.int64(): "BIGINT",
    pa.int32(): "INTEGER",
    pa.int16(): "SMALLINT",
    pa.int8(): "TINYINT",
    pa.bool_(): "BOOLEAN",
    pa.binary(): "BLOB",
    pa.timestamp("us", tz="UTC"): "TIMESTAMP WITH TIME ZONE",
    pa.list_(pa.string()): "VARCHAR[]",
}


def sql_type(kind: pa.DataType) -> str:
    """DuckDB's name of an Arrow type of the catalogue.

    Raises:
        KeyError: for a type that no column uses yet.
    """
    return _SQL_TYPES[kind]


def data_dictionary() -> str:
    """The data dictionary as Markdown: providers, datasets with their partitions and plans, tables with every column."""
    lines = ["# Data dictionary", "", _GENERATED, "", "## Providers", ""]
    lines += ["| provider | what we may ask | terms |", "|---|---|---|"]
    for provider in PROVIDERS.values():
        plans = "; ".join(
            f"{plan.name}: {plan.rate:g}/s"
            + "".join(f", {quota.limit:,} {quota.counts} a {quota.window}" for quota in plan.quotas)
            for plan in provider.plans
        )
        lines.append(f"| [{provider.title}]({provider.docs_url}) (`{provider.id}`) | {plans} | {provider.terms} |")
    lines += ["", "## Datasets", "", "| dataset | partition | fewest requests | writes |", "|---|---|---|---|"]
    for dataset in DATASETS.values():
        tables = ", ".join(f"[{table}](#{table})" for table in dict.fromkeys(dataset.outputs.values()))
        lines.append(f"| `{dataset.name}` | {dataset.cut.value} | {dataset.minimum_rule} | {tables} |")
    lines += ["", "## Tables", ""]
    for table in TABLES.values():
        lines += _table_section(table)
    return "\n".join(lines).rstrip() + "\n"


_DAYS = {"sessions": "trading days", "open_hours": "while the exchange is open", "every_day": "every day"}


def job_reference() -> str:
    """The jobs and chores as Markdown: scope, datasets, cron lines in New York time, and on which days they run."""
    lines = ["# Jobs and schedules", "", _GENERATED, ""]
    lines += [
        "Cron lines are New York time. All schedules are shipped stopped; `salescience schedules start` starts them."
    ]
    lines += ["", "| job | scope | datasets | cron | days | what it does |", "|---|---|---|---|---|---|"]
    for job in JOBS.values():
        crons = "<br>".join(f"`{one.cron}`" + (f" {one.what}" if one.what else "") for one in job.passes)
        datasets = "<br>".join(f"`{name}`" for name in job.datasets)
        lines.append(
            f"| `{job.name}` | `{job.scope.value}` | {datasets} | {crons} | {_DAYS[job.calendar]} | {job.description} |"
        )
    lines += ["", "| chore | cron | what it does |", "|---|---|---|"]
    lines += [f"| `{chore.name}` | `{chore.cron}` | {chore.description} |" for chore in CHORES.values()]
    return "\n".join(lines) + "\n"


def _table_section(table: Table) -> list[str]:
    written = ", ".join(f"`{key}`" for key in writers_of(table.name)) or "the pipeline itself"
    lines = [f"### {table.name}", "", f"{table.title}. {table.description}", ""]
    lines += [f"Key: {', '.join(f'`{name}`' for name in table.key)}. Written by {written}.", ""]
    lines += ["| column | type | unit | null | meaning |", "|---|---|---|---|---|"]
    for column in table.columns:
        null = "no" if table.is_required(column.name) else "yes"
        lines.append(f"| `{column.name}` | {sql_type(column.type)} | {column.unit or ''} | {null} | {column.meaning} |")
    return [*lines, ""]


def dbt_sources() -> str:
    """The ``sources.yml`` of dbt: each table of the lake with its columns, its key tests and the Dagster asset behind it."""
    lines = [
        f"# {_GENERATED}",
        "version: 2",
        "sources:",
        "  - name: lake",
        "    schema: lake",
        "    description: The tables of the lake, as views over their explicit file lists.",
        "    tables:",
    ]
    for table in TABLES.values():
        lines += [
            f"      - name: {table.name}",
            f"        description: {_quoted(table.title + '. ' + table.description)}",
            "        config:",
            "          meta:",
            "            dagster:",
            f'              asset_key: ["{table.name}"]',
            "        columns:",
        ]
        for column in table.columns:
            unit = f" Unit: {column.unit}." if column.unit else ""
            lines += [
                f"          - name: {column.name}",
                f"            description: {_quoted(column.meaning + unit)}",
                f"            data_type: {sql_type(column.type).lower()}",
            ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
