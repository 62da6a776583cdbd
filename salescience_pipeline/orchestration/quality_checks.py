"""The quality checks as asset checks in a job of their own: they look across assets, so no asset's step can run them.

Each shows the rows that failed; all of them go into the table of findings, from which the marts tell. What does not belong
here: how a check finds (``acquisition.quality``).
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from salescience_pipeline.orchestration.metadata import table_spec
from salescience_pipeline.orchestration.resources import ServicesResource

if TYPE_CHECKING:
    from salescience_pipeline.acquisition.quality import Finding

FINDINGS, CONFIDENCE = "ops_salescience__quality_findings", "ops_salescience__retrieval_confidence"
RECHECK = "documents_are_as_filed"
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
    "answers_are_as_received": (
        "raw_salescience__http_answers",
        "Archived answers hold the bytes that were received: a flipped byte is found.",
    ),
    "documents_can_be_trusted": (
        CONFIDENCE,
        "Every document came whole and looks like the issuer's others: a score from 0 to 1, by a formula.",
    ),
}
"""Each check with the asset that it is about."""
_SHOWN = 50


def build_quality_assets() -> list[dg.AssetSpec]:
    """The tables that the checks write: what they found, and how far each document can be trusted."""
    about = sorted({asset for asset, _ in CHECKS.values()} - {FINDINGS, CONFIDENCE})
    return [table_spec(FINDINGS, about), table_spec(CONFIDENCE, ["core_sec__documents"])]


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
            yield _result(name, CHECKS[name][0], findings)
        total = sum(map(len, found.values()))
        counts = {name: len(findings) for name, findings in found.items()}
        told: dict[str, dg.RawMetadataValue] = {"dagster/row_count": total, "found": dg.MetadataValue.json(counts)}
        context.op_execution_context.log_event(dg.AssetMaterialization(FINDINGS, metadata=told))
        if "documents_can_be_trusted" in found:
            judged: dict[str, dg.RawMetadataValue] = {"dagster/row_count": services.get().tables.row_count(CONFIDENCE)}
            context.op_execution_context.log_event(dg.AssetMaterialization(CONFIDENCE, metadata=judged))

    return check_quality


def _result(name: str, asset: str, findings: "Sequence[Finding]", **figures: int) -> dg.AssetCheckResult:
    """The verdict of a check with the rows that failed."""
    metadata: dict[str, dg.RawMetadataValue] = {"findings": len(findings), **figures}
    if findings:
        metadata["rows_that_failed"] = dg.MetadataValue.table(
            [
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
        )
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=name,
        passed=not findings,
        severity=dg.AssetCheckSeverity.WARN,
        description=findings[0].sentence if findings else None,
        metadata=metadata,
    )


class RecheckConfig(dg.Config):
    """How much a recheck fetches."""

    documents: int = Field(default=5, ge=1, le=100, description="Documents that are fetched again, a request each.")


def build_recheck() -> dg.AssetChecksDefinition:
    """The check that fetches documents again; apart from the others, because it sends requests."""

    @dg.multi_asset_check(
        name="recheck_documents",
        specs=[
            dg.AssetCheckSpec(
                RECHECK,
                asset=CONFIDENCE,
                description="Documents that are fetched again are those that were stored; what differs is told with how much.",
            )
        ],
        description="Fetches a few stored documents again, others every week, and compares them.",
    )
    def recheck_documents(
        context: dg.AssetCheckExecutionContext, config: RecheckConfig, services: ServicesResource
    ) -> Iterator[dg.AssetCheckResult]:
        from salescience_pipeline.acquisition.recheck import recheck  # noqa: PLC0415 - only a run needs it

        done = recheck(services.get(), run_id=context.run.run_id, size=config.documents)
        yield _result(RECHECK, CONFIDENCE, done.findings, requests=done.asked)

    return recheck_documents


def build_recheck_job() -> "dg.UnresolvedAssetJobDefinition":
    """The job of that check."""
    return dg.define_asset_job(
        "recheck",
        selection=dg.AssetSelection.checks(dg.AssetCheckKey(dg.AssetKey(CONFIDENCE), RECHECK)),
        description="Fetches a few filed documents again, others every week, and holds them against what is stored.",
    )


def build_quality_job() -> "dg.UnresolvedAssetJobDefinition":
    """The job that runs them."""
    return dg.define_asset_job(
        "data_quality",
        selection=dg.AssetSelection.checks(
            *(dg.AssetCheckKey(dg.AssetKey(asset), name) for name, (asset, _) in CHECKS.items())
        ),
        description="Checks what is stored against its second source, the calendar, its own history and the shape of answers.",
    )
