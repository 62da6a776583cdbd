"""The quality checks as asset checks in a job of their own: they look across assets, so no asset's step can run them.

Each shows the rows that failed; all of them go into the table of findings, from which the marts tell. What does not belong
here: how a check finds (``acquisition.quality``).
"""

from collections.abc import Iterator

import dagster as dg

from salescience_pipeline.catalog.tables import TABLES
from salescience_pipeline.orchestration.metadata import definition_metadata
from salescience_pipeline.orchestration.resources import ServicesResource

FINDINGS = "ops_salescience__quality_findings"
CHECKS = {
    "prices_agree_with_second_source": (
        "core_tiingo__eod_prices",
        "Tiingo and Yahoo differ by no more than half a percent: closes, and adjusted returns.",
    ),
    "prices_are_not_stale": ("core_tiingo__eod_prices", "Every followed ticker has the price of the last trading day."),
    "prices_have_no_gaps": (
        "core_tiingo__eod_prices",
        "No trading day lacks a price between a ticker's first and last one.",
    ),
    "returns_are_no_outliers": (
        "core_tiingo__eod_prices",
        "No daily return lies far outside of the ticker's own history (median and MAD).",
    ),
    "answers_keep_their_shape": (
        FINDINGS,
        "Answers of each endpoint have the fields, types and nulls that they had before.",
    ),
    "indicators_agree_with_alpha_vantage": (
        "core_salescience__technical_indicators",
        "Computed indicators agree with those that Alpha Vantage computes.",
    ),
}
"""Each check with the asset that it is about."""
_SHOWN = 50


def build_quality_asset() -> dg.AssetSpec:
    """The table of findings; the checks write it."""
    table = TABLES[FINDINGS]
    return dg.AssetSpec(
        FINDINGS,
        deps=sorted({asset for asset, _ in CHECKS.values()} - {FINDINGS}),
        group_name=table.group,
        description=table.description,
        kinds={"delta", "table"},
        owners=["team:data-platform"],
        metadata=definition_metadata(table, None),
    ).with_io_manager_key("lake")


def build_quality_checks() -> dg.AssetChecksDefinition:
    """All checks in one step: they read the same tables."""

    @dg.multi_asset_check(
        name="data_quality_checks",
        specs=[dg.AssetCheckSpec(name, asset=asset, description=text) for name, (asset, text) in CHECKS.items()],
        description="Runs the checks that look across assets, and stores what they find.",
        # Whoever materialises one checked asset selects that asset's checks only.
        can_subset=True,
    )
    def check_quality(
        context: dg.AssetCheckExecutionContext, services: ServicesResource
    ) -> Iterator[dg.AssetCheckResult]:
        from salescience_pipeline.acquisition.quality import run_checks  # noqa: PLC0415 - only a run needs it

        found = run_checks(services.get(), run_id=context.run.run_id)
        selected = {key.name for key in context.selected_asset_check_keys}
        for name, findings in found.items():
            if name not in selected:
                continue
            rows = [
                dg.TableRecord(
                    {
                        "subject": one.subject,
                        "day": one.on_date.isoformat(),
                        "what": one.detail,
                        "sentence": one.sentence,
                    }
                )
                for one in findings[:_SHOWN]
            ]
            metadata: dict[str, dg.RawMetadataValue] = {"findings": len(findings)}
            if rows:
                metadata["rows_that_failed"] = dg.MetadataValue.table(rows)
            yield dg.AssetCheckResult(
                asset_key=CHECKS[name][0],
                check_name=name,
                passed=not findings,
                severity=dg.AssetCheckSeverity.WARN,
                description=findings[0].sentence if findings else None,
                metadata=metadata,
            )
        total = sum(map(len, found.values()))
        counts = {name: len(findings) for name, findings in found.items()}
        told: dict[str, dg.RawMetadataValue] = {"dagster/row_count": total, "found": dg.MetadataValue.json(counts)}
        context.op_execution_context.log_event(dg.AssetMaterialization(FINDINGS, metadata=told))

    return check_quality


def build_quality_job() -> "dg.UnresolvedAssetJobDefinition":
    """The job that runs them."""
    return dg.define_asset_job(
        "data_quality",
        selection=dg.AssetSelection.checks(
            *(dg.AssetCheckKey(dg.AssetKey(asset), name) for name, (asset, _) in CHECKS.items())
        ),
        description="Checks what is stored against its second source, the calendar, its own history and the shape of answers.",
    )
