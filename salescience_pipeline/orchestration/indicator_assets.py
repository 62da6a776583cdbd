"""The asset of the computed indicators: whole histories of tickers, from the prices in the lake.

By ticker and not by day, because a split or dividend rewrites every adjusted price of its ticker and nothing of the
others. What does not belong here: the formulas, and Alpha Vantage's own.
"""

from collections.abc import Iterator

import dagster as dg

from salescience_pipeline.catalog.tables import TABLES
from salescience_pipeline.orchestration.metadata import LAKE_IO, check_metadata, definition_metadata, markdown_table
from salescience_pipeline.orchestration.partitions import TICKERS, keys_of, tickers_of
from salescience_pipeline.orchestration.resources import ServicesResource

KEY = "core_salescience__technical_indicators"
PRICES = "core_tiingo__eod_prices"
SCHEMA, KEYS, PRICED = "schema_is_the_catalogues", "keys_are_unique", "every_ticker_has_prices"
_CHECKS = {
    SCHEMA: "The stored table has the columns, types and nullability of its catalogue row.",
    KEYS: "No key stands twice in the table.",
    PRICED: "Every ticker of the run has stored prices to compute from; the metadata names those without.",
}


def build_indicator_asset() -> dg.AssetsDefinition:
    """The asset with its checks."""
    spec = dg.AssetSpec(
        KEY,
        deps=[PRICES],
        group_name="indicators",
        description=f"{TABLES[KEY].description} SMA, EMA, RSI, MACD, BBANDS, ATR, OBV and VWAP, by TA-Lib; no request is sent.",
        kinds={"delta", "python"},
        owners=["team:data-platform"],
        code_version="1",
        metadata=definition_metadata(TABLES[KEY], None),
        tags={"cut": "ticker"},
        automation_condition=dg.AutomationCondition.eager().without(~dg.AutomationCondition.any_deps_missing()),
    ).with_io_manager_key(LAKE_IO)

    @dg.multi_asset(
        name="computed_indicators",
        specs=[spec],
        check_specs=[dg.AssetCheckSpec(name, asset=KEY, description=text) for name, text in _CHECKS.items()],
        partitions_def=TICKERS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        description="Computes technical indicators from the stored prices.",
    )
    def compute(
        context: dg.AssetExecutionContext, services: ServicesResource
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        from salescience_pipeline.acquisition.indicators import compute_indicators  # noqa: PLC0415 - only a run needs it
        from salescience_pipeline.lake.tables import Where  # noqa: PLC0415
        from salescience_pipeline.orchestration.running import REFUSED, refuse  # noqa: PLC0415

        opened = services.get()
        try:
            tickers = tickers_of(keys_of(context))
            computed = compute_indicators(opened, tickers, run_id=context.run.run_id)
        except REFUSED as refused:
            refuse(context, refused)
        context.log.info(f"{computed.rows:,} rows of {len(computed.tickers):,} tickers, {computed.commits} commits")
        differences = opened.tables.schema_differences(KEY)
        here = Where(values={"ticker": [str(ticker) for ticker in tickers]})
        duplicates = opened.tables.duplicate_keys(KEY, where=here)
        for name, bad in (
            (SCHEMA, "; ".join(differences)),
            (KEYS, "; ".join(map(str, duplicates[:5]))),
            (PRICED, ", ".join(computed.without_prices)),
        ):
            yield dg.AssetCheckResult(
                asset_key=KEY,
                check_name=name,
                passed=not bad,
                severity=dg.AssetCheckSeverity.WARN if name == PRICED else dg.AssetCheckSeverity.ERROR,
                metadata=check_metadata({"found": bad or "none"}),
            )
        sample = opened.tables.read(KEY, Where(values={"ticker": [str(tickers[0])]})).slice(0, 8)
        yield dg.MaterializeResult(
            asset_key=KEY,
            metadata={
                "dagster/row_count": opened.tables.row_count(KEY),
                "rows_written": computed.rows,
                "requests_sent": 0,
                "dagster/uri": opened.tables.uri(KEY),
                "preview": dg.MetadataValue.md(markdown_table(sample)),
            },
        )

    return compute


def build_indicator_sensor() -> dg.AutomationConditionSensorDefinition:
    """The sensor behind the automation condition."""
    return dg.AutomationConditionSensorDefinition(
        "indicators_follow_the_prices",
        target=dg.AssetSelection.assets(KEY),
        minimum_interval_seconds=30,
        description="Computes the indicators again when there are new prices; what has not changed is not written again.",
        default_status=dg.DefaultSensorStatus.STOPPED,
    )
