"""The marts as assets: one dbt run builds a new warehouse version and publishes it when every test has passed.

https://docs.dagster.io/integrations/libraries/dbt

What does not belong here: SQL (``dbt/``), and fetching.
"""

import json
import os
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtCliResource, dbt_assets

from salescience_pipeline.marts.project import PROJECT_DIR, dbt_executable, ensure_manifest
from salescience_pipeline.marts.warehouse import WarehouseResource

POOL = "duckdb"
BUILD_ENV = "SALESCIENCE_WAREHOUSE_BUILD"


FOLLOW = dg.AutomationCondition.eager().without(~dg.AutomationCondition.any_deps_missing())
"""Rebuild when something upstream is new. ``eager`` alone would wait for every partition upstream, and one ticker that no
provider knows would hold up the marts for ever."""


class Translator(DagsterDbtTranslator):
    """Names, groups and kinds of dbt's models as Dagster shows them."""

    def __init__(self) -> None:
        """Turn dbt's tests into asset checks."""
        super().__init__(
            settings=DagsterDbtTranslatorSettings(enable_asset_checks=True, enable_duplicate_source_asset_keys=False)
        )

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: Any) -> dg.AssetSpec:
        """The model as an asset: the model's own name is the key, and it follows its parents by itself."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        node = manifest["nodes"].get(unique_id)
        if node is None or node.get("resource_type") != "model":
            return spec
        mart = node["name"].startswith("mart_")
        return spec.replace_attributes(
            key=dg.AssetKey(node["name"]),
            group_name="marts" if mart else "staging",
            kinds={"dbt", "duckdb", "table" if mart else "view"},
            owners=["team:data-platform"],
            automation_condition=FOLLOW,
        )


def build_defs(*, warehouse: WarehouseResource | None = None) -> dg.Definitions:
    """The marts location; parses the dbt project first when a model has changed."""
    manifest = ensure_manifest()
    models = [
        node["name"] for node in json.loads(manifest.read_bytes())["nodes"].values() if node["resource_type"] == "model"
    ]

    @dbt_assets(manifest=manifest, dagster_dbt_translator=Translator(), name="marts", pool=POOL)
    def marts(context: dg.AssetExecutionContext, dbt: DbtCliResource, warehouse: WarehouseResource) -> Iterator[Any]:
        yield from build_and_publish(context, dbt, warehouse, models)

    job = dg.define_asset_job(
        "build_marts",
        selection=dg.AssetSelection.assets(marts),
        description="Builds all marts in a new warehouse version, tests them, and publishes the version when all is green.",
    )
    return dg.Definitions(
        assets=[marts],
        jobs=[job],
        sensors=[
            dg.AutomationConditionSensorDefinition(
                "marts_follow_the_lake",
                target=dg.AssetSelection.assets(marts),
                minimum_interval_seconds=60,
                description="Rebuilds the marts when a table of the lake has new rows; one build serves all that came within "
                "the minute.",
                default_status=dg.DefaultSensorStatus.STOPPED,
            )
        ],
        resources={
            "dbt": DbtCliResource(
                project_dir=str(PROJECT_DIR), profiles_dir=str(PROJECT_DIR), dbt_executable=dbt_executable(),
                global_config_flags=["--log-format-file", "json"],
            ),
            "warehouse": warehouse or WarehouseResource(),
        },
        executor=dg.in_process_executor,
    )  # fmt: skip


def build_and_publish(
    context: dg.AssetExecutionContext, dbt: DbtCliResource, warehouse: WarehouseResource, models: Collection[str]
) -> Iterator[Any]:
    """Run dbt into a file of its own, then swap it in; a red test leaves the users with the version they have.

    ``models`` are all models; those that this run does not select are taken over from the published version.
    """
    selected = {key.path[-1] for key in context.selected_asset_keys}
    build = warehouse.begin(keep=set(models) - selected)
    # dbt reads the path of its database from its environment; one run holds the pool, so nobody else sets it.
    os.environ[BUILD_ENV] = str(build)
    try:
        yield from dbt.cli(["build"], context=context).stream()
    except BaseException:
        warehouse.discard(build)
        raise
    finally:
        os.environ.pop(BUILD_ENV, None)
    version = warehouse.publish(build)
    context.log.info(f"Published warehouse version {version}.")


defs = build_defs()
