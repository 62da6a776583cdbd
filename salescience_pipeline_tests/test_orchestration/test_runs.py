"""Whole runs over the sandbox: what Dagster takes for materialised, what it is told, and how a run fails."""

from __future__ import annotations

import shutil
from collections.abc import Mapping

import dagster as dg
import pytest

from salescience_pipeline.acquisition.sandbox_process import Sandbox
from salescience_pipeline.acquisition.services import Services
from salescience_pipeline.definitions import build_defs
from salescience_pipeline.orchestration.failures import ERROR_CLASS_TAG, MAX_RETRIES_TAG
from salescience_pipeline.orchestration.resources import ServicesResource, WrongWorld, refuse_other_world
from salescience_pipeline.orchestration.sensors import partition_tags
from salescience_pipeline.settings import Settings, World
from salescience_pipeline_tests.test_acquisition.runs import (
    NEWEST,
    PLAIN,
    TIINGO,
    TIINGO_DAILY,
    WEEK,
    content,
    fault,
    requests_seen,
    slow_down,
)
from salescience_pipeline_tests.test_orchestration.conftest import Runner, failure_of

DAYS = [day.isoformat() for day in WEEK]
DAILY = "tiingo_daily_prices"
NAMES = [str(ticker) for ticker in PLAIN]


def _tags(runner: Runner, result: dg.ExecuteInProcessResult) -> dict[str, str]:
    run = runner.instance.get_run_by_id(result.run_id)
    assert run is not None
    return dict(run.tags)


def _metadata(result: dg.ExecuteInProcessResult) -> Mapping[str, dg.MetadataValue]:
    told = result.asset_materializations_for_node(TIINGO_DAILY)
    return next(event.metadata for event in told if event.asset_key.to_user_string() == TIINGO_DAILY)


def _checks(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {check.check_name: check.passed for check in result.get_asset_check_evaluations()}


def test_a_range_of_days_is_one_run_that_marks_each_day(runner: Runner, services: Services) -> None:
    result = runner.run(DAILY, DAYS[0], DAYS[-1], tickers=NAMES)
    assert result.success
    assert runner.materialized(TIINGO_DAILY) == set(DAYS)
    metadata = _metadata(result)
    assert metadata["requests_sent"].value == metadata["requests_minimum"].value == len(NAMES)
    assert metadata["dagster/row_count"].value == len(NAMES) * len(DAYS)
    assert metadata["dates"].value == f"{DAYS[0]} to {DAYS[-1]}"
    assert "data:image/png;base64," in str(metadata["chart"].value)
    assert "Fictional data" in str(metadata["data"].value)
    assert _checks(result) == dict.fromkeys(
        ["schema_is_the_catalogues", "keys_are_unique", "requests_match_the_plan", "everything_is_complete",
         "data_is_fresh"], True,
    )  # fmt: skip
    assert services.tables.row_count(TIINGO) == len(NAMES) * len(DAYS)
    shared = runner.instance.get_latest_materialization_event(dg.AssetKey(TIINGO))
    assert shared is not None, "the table above its writers was told of the rows"
    again = runner.run(DAILY, DAYS[0], DAYS[-1], tickers=NAMES)
    assert again.success
    assert _metadata(again)["requests_sent"].value == 0


def test_the_scope_gives_the_tickers_when_nobody_names_them(runner: Runner, services: Services) -> None:
    for scope in ("active_symbols", "entire_watchlist"):
        services.seed_watchlist()
        services.ledger.watchlist.remove(scope, services.ledger.watchlist.tickers(scope))
    assert "The scope entire_watchlist is empty" in failure_of(runner.run(DAILY, DAYS[-1]))
    services.ledger.watchlist.add("entire_watchlist", NAMES)
    assert runner.run(DAILY, DAYS[-1]).success
    assert services.tables.row_count(TIINGO) == len(NAMES)


def test_only_the_good_partitions_are_marked_and_the_retry_asks_for_the_rest(
    runner: Runner, services: Services, sandbox: Sandbox
) -> None:
    runner.run("sec_company_tickers")
    fault(sandbox, "status", "form.20260610", provider="edgar", params={"status": 400})
    services.ledger.watchlist.add("entire_watchlist", NAMES)
    result = runner.run("sec_daily_index", DAYS[0], DAYS[-1])
    assert not result.success
    assert "What came through is stored" in failure_of(result)
    assert runner.materialized("core_sec__filings_daily") == set(DAYS) - {"2026-06-10"}
    assert _checks(result)["everything_is_complete"] is False
    sandbox.post("/_sandbox/reset", {"only": ["faults", "stats"]})
    assert runner.run("sec_daily_index", DAYS[0], DAYS[-1]).success
    assert requests_seen(sandbox) == 1
    assert runner.materialized("core_sec__filings_daily") == set(DAYS)


def test_a_range_that_failed_for_one_ticker_marks_none_of_its_days(runner: Runner, sandbox: Sandbox) -> None:
    fault(sandbox, "status", f"/{NAMES[0]}", params={"status": 400, "content_type": "application/json", "body": "{}"})
    assert not runner.run(DAILY, DAYS[0], DAYS[-1], tickers=NAMES).success
    assert runner.materialized(TIINGO_DAILY) == set()


def test_of_a_range_of_tickers_the_good_ones_are_marked(runner: Runner, sandbox: Sandbox) -> None:
    runner.add_tickers(NAMES)
    fault(sandbox, "status", f"/{NAMES[1]}", params={"status": 400, "content_type": "application/json", "body": "{}"})
    definition = dg.define_asset_job("prices", selection=["core_tiingo__eod_prices_history"])
    defs = dg.Definitions.merge(runner.defs, dg.Definitions(jobs=[definition]))
    result = Runner(defs, runner.instance).run("prices", NAMES[0], NAMES[-1])
    assert not result.success
    assert runner.materialized("core_tiingo__eod_prices_history") == {NAMES[0], NAMES[2]}


def test_a_failure_may_be_recorded_instead_of_raised(runner: Runner, sandbox: Sandbox) -> None:
    fault(sandbox, "status", f"/{NAMES[0]}", params={"status": 400, "content_type": "application/json", "body": "{}"})
    result = runner.run(DAILY, DAYS[-1], DAYS[-1], tickers=NAMES[:1], fail_run=False)
    assert result.success
    assert _checks(result)["everything_is_complete"] is False


@pytest.mark.parametrize(
    ("fault_of", "error_class", "retried"),
    [({"status": 400, "content_type": "application/json", "body": "{}"}, "contract", False),
     ({"status": 401, "content_type": "application/json", "body": '{"detail": "Invalid token."}'}, "auth", False),
     ({"status": 503}, "transient", True)],
)  # fmt: skip
def test_a_run_is_retried_only_where_that_can_help(
    runner: Runner, sandbox: Sandbox, fault_of: dict[str, object], error_class: str, retried: bool
) -> None:
    fault(sandbox, "status", f"/{NAMES[0]}", params=fault_of)
    slow_down(sandbox, "/(BRNWD|CALDQ)")
    result = runner.run(DAILY, DAYS[0], DAYS[-1], tickers=NAMES)
    assert not result.success
    tags = _tags(runner, result)
    assert tags[ERROR_CLASS_TAG] == error_class
    assert tags.get(MAX_RETRIES_TAG) == (None if retried else "0")


@pytest.mark.parametrize("key", ["../../x", "a|b", "x" * 300, "тикер", ""])
def test_a_key_that_is_no_ticker_is_refused_and_nothing_stored(
    runner: Runner, services: Services, sandbox: Sandbox, key: str
) -> None:
    result = runner.run(DAILY, DAYS[-1], tickers=[key, NAMES[0]])
    assert not result.success
    message = failure_of(result)
    assert "is not a ticker" in message
    assert len(message) < 200
    assert _tags(runner, result)[MAX_RETRIES_TAG] == "0"
    assert requests_seen(sandbox) == 0
    assert not services.tables.exists(TIINGO)


@pytest.mark.parametrize("key", ["../../x", "a|b", "x" * 300])
def test_a_partition_that_is_no_ticker_is_refused_and_nothing_stored(
    runner: Runner, services: Services, sandbox: Sandbox, key: str
) -> None:
    runner.add_tickers([key])
    result = runner.run("company_history", key)
    assert not result.success
    assert "is not a ticker" in failure_of(result)
    assert requests_seen(sandbox) == 0
    assert not any(services.settings.lake_dir.rglob("*.parquet"))


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"scope": "everybody"}, "There is no scope 'everybody'; there are entire_watchlist"),
        ({"tickers": []}, "needs at least one ticker"),
    ],
)
def test_config_that_makes_no_sense_is_one_sentence(runner: Runner, config: dict[str, object], sentence: str) -> None:
    assert sentence in failure_of(runner.run(DAILY, DAYS[-1], **config))


def test_a_day_in_the_future_is_refused(runner: Runner, sandbox: Sandbox) -> None:
    message = failure_of(runner.run(DAILY, "2026-06-16", tickers=NAMES))
    assert message == "2026-06-16 lies in the future; today is 2026-06-15."
    assert requests_seen(sandbox) == 0


@pytest.mark.parametrize(
    ("job", "asset", "first", "last", "sentence"),
    [
        (
            DAILY,
            None,
            "2020-01-02",
            None,
            "2020-01-02 is no partition of core_tiingo__eod_prices_daily: days begin with 2024",
        ),
        (DAILY, None, "2020-01-02", "2020-02-03", "2020-01-02 to 2020-02-03 is no partition of"),
        ("company_history", None, "NOPE", None, "NOPE is no partition of core_"),
        (None, "core_salescience__technical_indicators", "NOPE", None, "NOPE is no partition of computed_indicators"),
    ],
)
def test_a_key_that_can_never_be_a_partition_fails_once(
    runner: Runner, sandbox: Sandbox, job: str | None, asset: str | None, first: str, last: str | None, sentence: str
) -> None:
    made = runner.defs.resolve_job_def(job) if job else runner.defs.resolve_implicit_global_asset_job_def()
    result = made.execute_in_process(
        instance=runner.instance,
        asset_selection=[dg.AssetKey(asset)] if asset else None,
        tags=partition_tags(first, last or first),
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        raise_on_error=False,
    )
    assert sentence in failure_of(result)
    failed = next(event for event in result.all_events if event.is_step_failure).step_failure_data
    assert failed.error is not None
    assert failed.error.cls_name == "Failure"
    assert _tags(runner, result)[MAX_RETRIES_TAG] == "0", "the daemon does not repeat it"
    assert requests_seen(sandbox) == 0


@pytest.mark.parametrize("key", ["monday", "2026-13-45"])
def test_a_key_that_is_no_date_becomes_no_run(runner: Runner, sandbox: Sandbox, key: str) -> None:
    """Dagster reads the key before it stores a run, so that there is nothing that its daemon could start again."""
    with pytest.raises(ValueError, match=key):
        runner.run(DAILY, key)
    assert runner.instance.get_runs_count() == 0
    assert requests_seen(sandbox) == 0


def test_a_setting_that_is_wrong_fails_once(instance: dg.DagsterInstance, overrides: dict[str, str]) -> None:
    defs = build_defs(services=ServicesResource(overrides={**overrides, "world": "live", "edgar_rate": "50"}))
    result = defs.resolve_job_def("sec_company_tickers").execute_in_process(
        instance=instance,
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        raise_on_error=False,
    )
    assert not result.success
    run = instance.get_run_by_id(result.run_id)
    assert run is not None
    assert run.tags[MAX_RETRIES_TAG] == "0"


def test_today_is_not_out_yet_and_costs_nothing(runner: Runner, sandbox: Sandbox) -> None:
    result = runner.run(DAILY, "2026-06-15", tickers=NAMES)
    assert result.success, "missing is no failure: the next pass asks again"
    assert _checks(result)["everything_is_complete"] is False
    assert requests_seen(sandbox) == 0


def test_runs_of_two_worlds_never_share_an_instance(
    runner: Runner, instance: dg.DagsterInstance, overrides: dict[str, str], tmp_path: object
) -> None:
    assert runner.run(DAILY, DAYS[-1], tickers=NAMES).success
    live = Settings(**{**overrides, "world": World.LIVE})
    with pytest.raises(WrongWorld, match="holds runs of the fictional world, but SALESCIENCE_WORLD asks for live"):
        refuse_other_world(instance, live)
    other = build_defs(services=ServicesResource(overrides={**overrides, "world": "live"}))
    result = Runner(other, instance).run(DAILY, DAYS[-1], tickers=NAMES)
    assert not result.success


def test_newest_day_is_checked_for_freshness(runner: Runner, sandbox: Sandbox) -> None:
    late = NEWEST.isoformat()
    result = runner.run(DAILY, late, tickers=["OAKMR"])
    assert result.success
    assert _checks(result)["data_is_fresh"], "a delisted ticker is not late"


def test_a_run_may_rebuild_its_rows_from_the_archive(runner: Runner, services: Services, sandbox: Sandbox) -> None:
    assert runner.run(DAILY, DAYS[0], DAYS[-1], tickers=NAMES).success
    before, seen = content(services, TIINGO), requests_seen(sandbox)
    shutil.rmtree(services.tables.uri(TIINGO))
    result = runner.run(DAILY, DAYS[0], DAYS[-1], tickers=NAMES, replay=True)
    assert result.success
    with Services.open(services.settings) as fresh:
        assert content(fresh, TIINGO) == before
    assert requests_seen(sandbox) == seen
    assert _metadata(result)["answered_from_archive"].value == len(NAMES)
    assert all(_checks(result).values())
