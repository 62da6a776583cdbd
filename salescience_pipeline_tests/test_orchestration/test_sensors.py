"""The sensors: a new ticker gets its partition and its history, a filing runs its company, and a tick may be repeated."""

from __future__ import annotations

import dagster as dg
import pyarrow as pa
from dagster._core.definitions.sensor_definition import SensorExecutionData

from salescience_pipeline.acquisition.services import Services
from salescience_pipeline.definitions import build_defs
from salescience_pipeline.identifiers import Ticker
from salescience_pipeline.lake.tables import Where
from salescience_pipeline.orchestration.resources import ServicesResource
from salescience_pipeline.orchestration.sensors import new_filings, watchlist
from salescience_pipeline_tests.test_acquisition.runs import NEWEST, run, select
from salescience_pipeline_tests.test_orchestration.conftest import Runner


def _tick(instance: dg.DagsterInstance, resource: ServicesResource) -> dg.SensorResult | dg.SkipReason:
    with dg.build_sensor_context(
        instance=instance, resources={"services": resource}, repository_def=build_defs().get_repository_def()
    ) as context:
        found = watchlist(context)
    assert isinstance(found, dg.SensorResult | dg.SkipReason)
    return found


def _apply(instance: dg.DagsterInstance, result: dg.SensorResult) -> None:
    """What the daemon does with a result: partitions first."""
    for request in result.dynamic_partitions_requests or []:
        assert isinstance(request, dg.AddDynamicPartitionsRequest)
        instance.add_dynamic_partitions("tickers", list(request.partition_keys))


def test_a_new_ticker_gets_partition_and_history(
    instance: dg.DagsterInstance, resource: ServicesResource, services: Services
) -> None:
    services.ledger.watchlist.add("entire_watchlist", ["ALDRN", "CALDQ"])
    result = _tick(instance, resource)
    assert isinstance(result, dg.SensorResult)
    (request,) = result.run_requests or []
    assert request.job_name == "company_history"
    assert request.tags["dagster/asset_partition_range_start"] == "ALDRN"
    assert request.tags["dagster/asset_partition_range_end"] == "CALDQ"
    repeated = _tick(instance, resource)
    assert isinstance(repeated, dg.SensorResult)
    assert [again.run_key for again in repeated.run_requests or []] == [request.run_key], "a lost tick repeats its keys"
    _apply(instance, result)
    assert instance.get_dynamic_partitions("tickers") == ["ALDRN", "CALDQ"]
    skipped = _tick(instance, resource)
    assert isinstance(skipped, dg.SkipReason)
    assert skipped.skip_message == "All 2 tickers of the watchlist have their partition."


def test_one_more_ticker_is_one_partition_run(
    instance: dg.DagsterInstance, resource: ServicesResource, services: Services
) -> None:
    instance.add_dynamic_partitions("tickers", ["ALDRN", "CALDQ"])
    services.ledger.watchlist.add("active_symbols", ["ALDRN", "BRNWD.B", "CALDQ"])
    result = _tick(instance, resource)
    assert isinstance(result, dg.SensorResult)
    (request,) = result.run_requests or []
    assert request.tags["dagster/partition"] == "BRNWD.B"


def test_many_tickers_are_runs_of_twenty_five(
    instance: dg.DagsterInstance, resource: ServicesResource, services: Services
) -> None:
    names = [f"T{number:04d}" for number in range(60)]
    services.ledger.watchlist.add("entire_watchlist", names)
    result = _tick(instance, resource)
    assert isinstance(result, dg.SensorResult)
    requests = result.run_requests or []
    ranges = [
        (r.tags["dagster/asset_partition_range_start"], r.tags["dagster/asset_partition_range_end"]) for r in requests
    ]
    assert ranges == [("T0000", "T0024"), ("T0025", "T0049"), ("T0050", "T0059")]
    assert len({request.run_key for request in requests}) == 3


def test_more_than_a_tick_can_start_is_left_to_the_next(
    instance: dg.DagsterInstance, resource: ServicesResource, services: Services
) -> None:
    names = [f"T{number:04d}" for number in range(1_050)]
    services.ledger.watchlist.add("entire_watchlist", names)
    first = _tick(instance, resource)
    assert isinstance(first, dg.SensorResult)
    assert len(first.run_requests or []) == 40
    _apply(instance, first)
    assert instance.get_dynamic_partitions("tickers") == names[:1_000], "who was not started has no partition yet"
    second = _tick(instance, resource)
    assert isinstance(second, dg.SensorResult)
    _apply(instance, second)
    assert instance.get_dynamic_partitions("tickers") == names
    keys = [request.run_key for result in (first, second) for request in result.run_requests or []]
    assert len(keys) == len(set(keys)) == 42


def test_a_ticker_that_leaves_keeps_its_partition_and_one_that_returns_is_not_run_again(
    instance: dg.DagsterInstance, resource: ServicesResource, services: Services
) -> None:
    services.ledger.watchlist.add("entire_watchlist", ["ALDRN", "CALDQ"])
    result = _tick(instance, resource)
    assert isinstance(result, dg.SensorResult)
    _apply(instance, result)
    services.ledger.watchlist.remove("entire_watchlist", ["CALDQ"])
    assert isinstance(_tick(instance, resource), dg.SkipReason)
    assert instance.get_dynamic_partitions("tickers") == ["ALDRN", "CALDQ"]
    services.ledger.watchlist.add("entire_watchlist", ["CALDQ"])
    assert isinstance(_tick(instance, resource), dg.SkipReason)


def test_the_run_that_the_sensor_asks_for_brings_the_history(
    runner: Runner, resource: ServicesResource, services: Services
) -> None:
    services.ledger.watchlist.add("entire_watchlist", ["ALDRN"])
    assert runner.run("sec_company_tickers").success
    result = _tick(runner.instance, resource)
    assert isinstance(result, dg.SensorResult)
    _apply(runner.instance, result)
    done = runner.run("company_history", "ALDRN", n_years=1)
    assert done.success
    for table in ("core_sec__filings", "core_sec__documents", "core_sec__facts", "core_tiingo__eod_prices"):
        assert services.tables.row_count(table) > 0


def test_a_filing_runs_its_company_and_only_that(
    runner: Runner, resource: ServicesResource, services: Services
) -> None:
    names = ["ALDRN", "BRNWD.B", "CALDQ"]
    services.ledger.watchlist.add("entire_watchlist", names)
    runner.add_tickers(names)
    runner.run("sec_company_tickers")
    run(services, select("core_sec__filings_history", names, n_years=1))

    def tick() -> SensorExecutionData:
        with dg.build_sensor_context(
            instance=runner.instance,
            resources={"services": resource},
            repository_def=runner.defs.get_repository_def(),
            sensor_name="new_filings",
        ) as context:
            return new_filings.evaluate_tick(context)

    assert runner.run("sec_daily_index", NEWEST.isoformat()).success
    assert tick().skip_message == "No company of the watchlist filed anything new."
    cik = services.ciks()[Ticker("CALDQ")]
    filed = services.tables.read("core_sec__filings", Where(values={"cik": [cik]})).slice(0, 1)
    unread = filed.to_pylist()[0] | {"accession": "0000000001-26-000001", "primary_document": None}
    services.tables.write("core_sec__filings", pa.Table.from_pylist([unread], schema=filed.schema))
    (request,) = tick().run_requests or []
    assert request.job_name == "company_filings"
    assert request.tags["dagster/partition"] == "CALDQ"
    assert request.run_key == f"filings/{NEWEST.isoformat()}/CALDQ..CALDQ"
