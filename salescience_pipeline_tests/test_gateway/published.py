"""A small published warehouse of the marts' own shape, made without dbt: for tests that read what is published."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import yaml

from salescience_pipeline.lake.tables import Tables
from salescience_pipeline.lake.warehouse import Warehouse
from salescience_pipeline.settings import Settings

MARTS = Path(__file__).parents[2] / "dbt" / "models" / "marts"


def publish(settings: Settings, fill: Callable[[duckdb.DuckDBPyConnection], Any] | None = None) -> int:
    """Publish a version with every mart, empty as dbt's contract declares it, then filled by ``fill``; the version."""
    warehouse = Warehouse(settings.warehouse_dir)
    path = warehouse.prepare_build(Tables(settings.lake_dir), ["core_sec__filings"])
    with duckdb.connect(str(path)) as connection:
        models = [model for file in sorted(MARTS.glob("*.yml")) for model in yaml.safe_load(file.read_text())["models"]]
        for model in models:
            assert re.fullmatch("mart_[a-z_]+", model["name"])
            columns = ", ".join(f'"{column["name"]}" {column["data_type"]}' for column in model["columns"])
            connection.execute(f"create table {model['name']} ({columns})")
        connection.execute("create schema staging")
        connection.execute("create view staging.stg_sec__filings as select * from lake.core_sec__filings")
        if fill is not None:
            fill(connection)
    return warehouse.publish(path)
