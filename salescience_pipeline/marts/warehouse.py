"""The warehouse as a Dagster resource: a build with the lake's tables in it, and its publication.

A run that builds only some marts starts from copies of the others, so that every version is complete. What does not
belong here: how a version is swapped in (``lake.warehouse``).
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pyarrow as pa
from pydantic import Field, PrivateAttr

from salescience_pipeline import __version__
from salescience_pipeline.acquisition.services import Services
from salescience_pipeline.catalog.tables import TABLES
from salescience_pipeline.lake.tables import Slice
from salescience_pipeline.ledger.completeness import State
from salescience_pipeline.settings import Settings

_COMPLETENESS = "ops_salescience__completeness"


class WarehouseResource(dg.ConfigurableResource[Any]):
    """Begins and publishes versions of the warehouse of one world."""

    overrides: dict[str, str] = Field(
        default={}, description="Settings that replace the environment's; empty in production."
    )

    _services: Services | None = PrivateAttr(default=None)

    def services(self) -> Services:
        """The rooms of this world."""
        if self._services is None:
            self._services = Services.open(Settings(**self.overrides))  # type: ignore[arg-type]  # pydantic parses the strings
        return self._services

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002 - Dagster's signature
        """Close what was opened."""
        if self._services is not None:
            self._services.close()
            self._services = None

    def begin(self, *, keep: Collection[str] = ()) -> Path:
        """A build file with a view of every lake table, a note on what the data is, and copies of the marts in ``keep``."""
        services = self.services()
        export_completeness(services)
        build = services.warehouse.prepare_build(services.tables, list(TABLES))
        with duckdb.connect(str(build)) as connection:
            connection.execute("create table about (key varchar, value varchar)")
            note = services.settings.provenance_note or "Live data from the providers."
            facts = [("data", note), ("world", services.settings.world.value), ("version", __version__)]
            connection.executemany("insert into about values (?, ?)", facts)
            if keep and services.warehouse.link.exists():
                _copy(connection, services.warehouse.current().path, keep)
        return build

    def is_current(self) -> bool:
        """Whether the published version was built from what the lake holds now."""
        services = self.services()
        export_completeness(services)
        if not services.warehouse.link.exists():
            return False
        rows = services.warehouse.query("select table_name, version from lake.table_versions").rows.to_pylist()
        built = {row["table_name"]: row["version"] for row in rows}
        return built == {name: services.tables.version(name) for name in TABLES}

    def publish(self, build: Path) -> int:
        """Make ``build`` the version that everyone reads."""
        return self.services().warehouse.publish(build)

    def discard(self, build: Path) -> None:
        """Throw ``build`` away."""
        self.services().warehouse.discard(build)


def _copy(connection: duckdb.DuckDBPyConnection, published: Path, names: Collection[str]) -> None:
    """Take over relations of the published version: tables with their rows, views with their text."""
    connection.execute(f"attach '{str(published).replace(chr(39), chr(39) * 2)}' as published (read_only)")
    schemas = connection.execute(
        "select distinct schema_name from duckdb_views() where database_name = 'published' and not internal"
    ).fetchall()
    for (schema,) in schemas:
        connection.execute(f'create schema if not exists "{schema}"')
    views = connection.execute(
        "select view_name, sql from duckdb_views() where database_name = 'published' and not internal and schema_name <> 'lake'"
    ).fetchall()
    for name, sql in views:
        if name in names:
            connection.execute(sql)
    tables = connection.execute(
        "select schema_name, table_name from duckdb_tables() where database_name = 'published'"
    ).fetchall()
    for schema, name in tables:
        if name in names:
            connection.execute(f'create table "{schema}"."{name}" as from published."{schema}"."{name}"')
    connection.execute("detach published")


def export_completeness(services: Services) -> None:
    """Copy the ledger's completeness into the lake, where marts and analysts read it."""
    states = list(services.ledger.completeness.all())
    table = TABLES[_COMPLETENESS]
    columns = {column.name: [_value(state, column.name) for state in states] for column in table.columns}
    rows = pa.table({name: pa.array(values, table.schema.field(name).type) for name, values in columns.items()})
    services.tables.write(_COMPLETENESS, rows.cast(table.schema), covers=Slice())


def _value(state: State, column: str) -> object:
    renamed = {"fetched_at": "checked_at", "organization_id": None}
    name = renamed.get(column, column)
    return None if name is None else getattr(state, name)
