"""The assets of the processing layer: one per table, all made together from the documents in the archive.

They follow the archive by themselves: when documents of a ticker arrive, the ticker is processed. What does not belong
here: reading documents (``acquisition.processing``).
"""

from collections.abc import Iterator

import dagster as dg
from pydantic import Field

from salescience_pipeline.acquisition.parser_version import parser_version
from salescience_pipeline.catalog.tables import TABLES
from salescience_pipeline.orchestration.metadata import LAKE_IO, definition_metadata
from salescience_pipeline.orchestration.partitions import TICKERS
from salescience_pipeline.orchestration.resources import ServicesResource

ASSETS: tuple[str, ...] = tuple(name for name in TABLES if name.startswith("doc_salescience__"))
"""Keys of the assets; the list of documents first."""
READ, SCHEMA, KEYS, SURE = (
    "every_document_is_read",
    "schema_is_the_catalogues",
    "keys_are_unique",
    "sections_are_certain",
)
_CHECKS = {
    READ: "Every stored document of the selection was read; the metadata names those that were refused, and why.",
    SURE: "No document has a section of which the engine is not sure (confidence below 0.7).",
}
_ON_EACH = {
    SCHEMA: "The stored table has the columns, types and nullability of its catalogue row.",
    KEYS: "No key stands twice in the table.",
}

FOLLOW = dg.AutomationCondition.eager().without(~dg.AutomationCondition.any_deps_missing())
"""Process when documents arrive. ``eager`` alone would also wait for what is missing, and a document that EDGAR does not
give would hold up the others for ever."""


class ProcessConfig(dg.Config):
    """What a run may narrow or widen."""

    accessions: list[str] | None = Field(default=None, description="Only these filings; default: all of the company.")
    force: bool = Field(default=False, description="Read again also what this version of the engine has read.")
    cpu_seconds: float = Field(default=60.0, gt=0, description="Processor time that one document may take, in seconds.")
    memory_bytes: int = Field(default=2_000_000_000, ge=200_000_000, description="Memory that one document may take.")
    fail_run: bool = Field(
        default=True,
        description="Whether documents that have to be tried again fail the run, after everything else is stored. A document "
        "that is refused for good never does: it is recorded, and the check names it.",
    )


def build_document_assets() -> dg.AssetsDefinition:
    """All tables of the processing layer as one multi-asset."""
    specs = [
        dg.AssetSpec(
            key,
            deps=["core_sec__documents"],
            group_name="documents",
            description=TABLES[key].description,
            kinds={"delta", "python"},
            owners=["team:data-platform"],
            code_version=parser_version(),
            metadata=definition_metadata(TABLES[key], None),
            tags={"cut": "ticker"},
            automation_condition=FOLLOW,
        ).with_io_manager_key(LAKE_IO)
        for key in ASSETS
    ]
    checks = [dg.AssetCheckSpec(name, asset=ASSETS[0], description=text) for name, text in _CHECKS.items()]
    checks += [
        dg.AssetCheckSpec(name, asset=key, description=text) for key in ASSETS for name, text in _ON_EACH.items()
    ]

    @dg.multi_asset(
        name="doc_salescience",
        specs=specs,
        check_specs=checks,
        partitions_def=TICKERS,
        backfill_policy=dg.BackfillPolicy.multi_run(25),
        pool="documents",
        description="Reads the documents in the archive: blocks, sections, tables, XBRL facts and chunks for search.",
    )
    def process_documents(
        context: dg.AssetExecutionContext, config: ProcessConfig, services: ServicesResource
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        from salescience_pipeline.orchestration.document_runs import run_documents  # noqa: PLC0415 - only a run needs it

        yield from run_documents(context, config, services.get())

    return process_documents


def build_document_sensor() -> dg.AutomationConditionSensorDefinition:
    """The sensor behind the automation condition."""
    return dg.AutomationConditionSensorDefinition(
        "documents_follow_the_archive",
        target=dg.AssetSelection.assets(*ASSETS),
        minimum_interval_seconds=30,
        description="Processes the companies whose documents arrived; what this version of the engine has read is not read "
        "again.",
        default_status=dg.DefaultSensorStatus.STOPPED,
    )
