"""Runs of the document assets: what Dagster is told, what fails a run and what does not, and what starts one."""

from __future__ import annotations

import dagster as dg

from salescience_pipeline.acquisition.sandbox_process import Sandbox
from salescience_pipeline.acquisition.services import Services
from salescience_pipeline.definitions import build_defs
from salescience_pipeline.orchestration.document_assets import ASSETS
from salescience_pipeline.orchestration.resources import ServicesResource
from salescience_pipeline_tests.test_acquisition.runs import run, select
from salescience_pipeline_tests.test_orchestration.conftest import Runner, failure_of

TICKER = "ALDRN"
OURS = dg.AssetSelection.assets(*ASSETS)
FETCH = ("core_sec__company_tickers", "core_sec__filings_history", "core_sec__documents")


def fetch(services: Services) -> None:
    for name in FETCH:
        run(services, select(name, [TICKER], n_years=1))


def told(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, object]:
    events = result.asset_materializations_for_node("doc_salescience")
    event = next(event for event in events if event.asset_key.to_user_string() == asset)
    return {name: getattr(value, "value", None) for name, value in event.metadata.items()}


def test_a_run_reads_a_companys_documents_and_shows_what_it_found(runner: Runner, services: Services) -> None:
    fetch(services)
    runner.add_tickers([TICKER])
    result = runner.run("company_documents", TICKER)
    assert result.success
    assert all(runner.materialized(asset) == {TICKER} for asset in ASSETS)
    about = told(result, "doc_salescience__documents")
    assert about["documents_read"] == services.tables.row_count("doc_salescience__documents") > 0
    assert about["facts_found"] == services.tables.row_count("doc_salescience__facts") > 0
    assert about["sections_found"] == services.tables.row_count("doc_salescience__sections") > 0
    kinds = about["documents_by_type"]
    assert isinstance(kinds, dict)
    assert {"10-K", "10-Q", "8-K", "EX-21.1", "EX-99.1"} <= kinds.keys()
    assert sum(kinds.values()) == about["documents_read"]
    assert 0 < float(str(about["lowest_confidence"])) <= 1
    preview = str(about["preview"])
    assert "| item | title | characters | confidence |" in preview
    assert "<script" not in preview
    checks = {
        (check.asset_key.to_user_string(), check.check_name): check for check in result.get_asset_check_evaluations()
    }
    assert len(checks) == 2 + 2 * len(ASSETS)
    assert checks["doc_salescience__documents", "every_document_is_read"].passed
    again = runner.run("company_documents", TICKER)
    assert told(again, "doc_salescience__documents")["documents_read"] == 0
    assert "preview" in told(again, "doc_salescience__documents")


def test_what_has_to_be_tried_again_fails_the_run_and_what_is_refused_for_good_does_not(
    runner: Runner, services: Services, sandbox: Sandbox, overrides: dict[str, str], instance: dg.DagsterInstance
) -> None:
    fetch(services)
    sandbox.post("/_sandbox/switches", {"reducto": {"fail_with": "QUEUE_FULL"}})
    resource = ServicesResource(overrides=overrides | {"documents_backend": "reducto"})
    busy = Runner(build_defs(services=resource), instance)
    busy.add_tickers([TICKER])
    failed = busy.run("company_documents", TICKER)
    assert not failed.success
    assert "QUEUE_FULL" in failure_of(failed) or "told to fail" in failure_of(failed)
    assert busy.materialized("doc_salescience__documents") == set()
    sandbox.post("/_sandbox/switches", {"reducto": {"fail_with": "DOCUMENT_CORRUPT"}})
    refused = busy.run("company_documents", TICKER)
    assert refused.success
    checks = {check.check_name: check.passed for check in refused.get_asset_check_evaluations()}
    assert not checks["every_document_is_read"]
    sandbox.post("/_sandbox/switches", {"reducto": {"fail_with": None}})
    resource.get().close()


def test_documents_that_arrive_start_their_company_and_no_other(runner: Runner, services: Services) -> None:
    runner.add_tickers([TICKER, "BRNWD.B"])
    wanted = dg.evaluate_automation_conditions(runner.defs, runner.instance, OURS)
    event = dg.AssetMaterialization("core_sec__documents", partition=TICKER)
    runner.instance.report_runless_asset_event(event)
    after = dg.evaluate_automation_conditions(runner.defs, runner.instance, OURS, cursor=wanted.cursor)
    for asset in ASSETS:
        assert after.get_requested_partitions(dg.AssetKey(asset)) == {TICKER}
    idle = dg.evaluate_automation_conditions(runner.defs, runner.instance, OURS, cursor=after.cursor)
    assert idle.total_requested == 0


def test_the_documents_are_part_of_what_a_company_gets(runner: Runner) -> None:
    for job in ("company_history", "company_filings", "company_documents"):
        names = {node.name for node in runner.defs.resolve_job_def(job).nodes}
        assert "doc_salescience" in names, job
