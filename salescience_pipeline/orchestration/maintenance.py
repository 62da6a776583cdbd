"""Housekeeping as Dagster knows it: the copied audit as an asset, a job and its nightly schedule.

What does not belong here: what is done to a table (``acquisition.housekeeping``).
"""

import datetime as dt

import dagster as dg
from pydantic import Field

from salescience_pipeline.orchestration.metadata import table_spec
from salescience_pipeline.orchestration.resources import ServicesResource

ANSWERS = "raw_salescience__http_answers"
JOB = "lake_maintenance"


class MaintenanceConfig(dg.Config):
    """What a round may be narrowed to."""

    tables: list[str] = Field(default=[], description="Only these tables; default: all that were ever written.")
    grace_hours: int = Field(
        default=24,
        ge=24,
        description="Age in hours from which a file that was replaced is deleted; readers may hold it.",
    )


def build_audit_asset() -> dg.AssetSpec:
    """The table of requests; the housekeeping copies it from the archive's audit."""
    return table_spec(ANSWERS)


@dg.op(description="Copies the audit, compacts and vacuums the tables, sweeps what interrupted writes left.")
def keep_lake(context: dg.OpExecutionContext, config: MaintenanceConfig, services: ServicesResource) -> None:
    """One round; everything that can be kept is, then the run fails for what could not."""
    from salescience_pipeline.acquisition.housekeeping import keep_house  # noqa: PLC0415 - only a run needs it

    opened = services.get()
    done = keep_house(
        opened,
        config.tables,
        grace=dt.timedelta(hours=config.grace_hours),
        progress=lambda name, number, total: context.log.debug(f"{name}, {number + 1} of {total}"),
    )
    rows = [
        dg.TableRecord(
            {
                "table": kept.name,
                "files_before": kept.files_before,
                "files_after": kept.files_after,
                "rows_rewritten": kept.rows_rewritten,
                "error": kept.error or "",
            }
        )
        for kept in done.tables
    ]
    metadata: dict[str, dg.RawMetadataValue] = {
        "dagster/row_count": opened.tables.row_count(ANSWERS),
        "rows_copied": done.answers_exported,
        "files_swept": done.files_swept,
    }
    if rows:
        metadata["tables"] = dg.MetadataValue.table(rows)
    context.log.info(done.sentence)
    context.log_event(dg.AssetMaterialization(ANSWERS, metadata=metadata))
    if done.failed:
        raise dg.Failure(
            " ".join(f"{kept.name}: {kept.error}" for kept in done.failed), metadata={"tables": metadata["tables"]}
        )


def build_maintenance_job() -> dg.JobDefinition:
    """The job of that one step."""
    graph = dg.GraphDefinition(
        name=JOB,
        node_defs=[keep_lake],
        description="Housekeeping of the lake: compacts and vacuums the tables, copies the audit of requests; no row changes.",
    )
    return graph.to_job(executor_def=dg.in_process_executor)
