"""The jobs over the sandbox: each asks for as much as it planned, none asks for what another one fetched."""

from __future__ import annotations

import datetime as dt
import shutil
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from salescience_pipeline.acquisition.acquire import watching
from salescience_pipeline.acquisition.outcome import Acquired
from salescience_pipeline.acquisition.sandbox_process import Sandbox
from salescience_pipeline.acquisition.services import Services
from salescience_pipeline.catalog.jobs import JOBS, SOURCE_JOBS
from salescience_pipeline.definitions import build_defs
from salescience_pipeline.orchestration.failures import MAX_RETRIES_TAG
from salescience_pipeline.orchestration.schedules import request_of
from salescience_pipeline.orchestration.sensors import partition_tags
from salescience_pipeline.settings import Settings
from salescience_pipeline_tests.test_acquisition.runs import NEWEST, TIINGO_DAILY, content, fault, requests_seen
from salescience_pipeline_tests.test_orchestration.conftest import Runner, failure_of

TODAY = dt.date(2026, 6, 15)
FOLLOWED, ACTIVE, INDICES = ["ALDRN", "BRNWD.B", "CALDQ", "FENWK"], ["ALDRN", "CALDQ"], ["FIXLG", "FIXMK"]
HOURS = {"tiingo": 17, "finnhub": 12, "polygon": 12, "alphavantage": 19, "sec": 22}


class Keep:
    """Keeps what acquisitions came to."""

    def __init__(self) -> None:
        self.results: list[Acquired] = []

    def progress(self, dataset: str, done: int, planned: int, subject: str) -> None:
        """Nobody looks."""

    def result(self, acquired: Acquired) -> None:
        self.results.append(acquired)


@pytest.fixture
def watchlist(services: Services) -> None:
    """Three scopes that overlap: a ticker may be in two."""
    services.ledger.watchlist.add("entire_watchlist", FOLLOWED)
    services.ledger.watchlist.add("active_symbols", ACTIVE)
    services.ledger.watchlist.add("indices", INDICES)


def _run(
    runner: Runner, name: str, number: int = 0, day: dt.date = TODAY
) -> tuple[dg.ExecuteInProcessResult, list[Acquired]]:
    """Run a job as its schedule would ask for it on ``day``."""
    job = JOBS[name]
    moment = dt.datetime.combine(day, dt.time(HOURS[job.provider]), ZoneInfo("America/New_York"))
    request = request_of(job, number, moment, moment)
    assert isinstance(request, dg.RunRequest), request
    tags = dict(request.tags) | ({"dagster/partition": request.partition_key} if request.partition_key else {})
    config = {**request.run_config, "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    keep = Keep()
    with watching(keep):
        result = runner.defs.resolve_job_def(job.dagster_name).execute_in_process(
            instance=runner.instance, tags=tags, run_config=config, raise_on_error=False
        )
    return result, keep.results


def _start(runner: Runner, job: str, **config: object) -> dg.ExecuteInProcessResult:
    """Run a job of one step with this config, as somebody would from the UI."""
    made = runner.defs.resolve_job_def(job)
    ops = {node.name: {"config": config} for node in made.nodes}
    loggers = {"console": {"config": {"log_level": "CRITICAL"}}}
    return made.execute_in_process(
        instance=runner.instance, run_config={"ops": ops, "loggers": loggers}, raise_on_error=False
    )


def _sent(results: list[Acquired]) -> int:
    for acquired in results:
        assert acquired.is_complete, acquired.sentence()
        assert acquired.sent == acquired.planned >= acquired.plan.minimum
    return sum(acquired.sent for acquired in results)


@pytest.mark.usefixtures("watchlist")
def test_the_eleven_jobs_ask_for_their_minimum_and_reuse_each_others_answers(runner: Runner, sandbox: Sandbox) -> None:
    sent = {}
    for name in SOURCE_JOBS:
        day = NEWEST if JOBS[name].provider == "tiingo" else TODAY
        result, results = _run(runner, name, day=day)
        assert result.success, name
        sent[name] = _sent(results)
    pages = sent.pop("polygon-news-universe")
    assert pages >= 1
    assert sent == {
        "tiingo-daily-prices": 1,
        "tiingo-daily-prices-indices": 1,
        "finnhub-quote-portfolio": len(ACTIVE),
        "finnhub-quote-indices": len(INDICES),
        "finnhub-company-news-universe": len(FOLLOWED),
        "finnhub-company-news-portfolio": 0,
        "finnhub-fundamentals-earnings": 1 + 2 * len(FOLLOWED),
        "polygon-news-portfolio": 0,
        "polygon-news-market": 0,
        "alpha-vantage-technical-indicators": 5 * len(FOLLOWED),
    }
    assert requests_seen(sandbox) == sum(sent.values()) + pages
    for name in SOURCE_JOBS:
        day = NEWEST if JOBS[name].provider == "tiingo" else TODAY
        assert _sent(_run(runner, name, day=day)[1]) == 0, f"{name} asks again for what is current"


@pytest.mark.usefixtures("watchlist")
def test_the_job_of_reports_marks_its_assets_and_their_checks(runner: Runner) -> None:
    result, _ = _run(runner, "finnhub-fundamentals-earnings")
    assert result.success
    assert runner.materialized("core_finnhub__earnings_calendar") == {TODAY.isoformat()}
    assert runner.materialized("core_finnhub__fundamental_metrics") == set(FOLLOWED)
    key = dg.AssetCheckKey(dg.AssetKey("core_finnhub__fundamental_metrics"), "requests_match_the_plan")
    record = runner.instance.event_log_storage.get_asset_check_execution_history(key, limit=1)[0]
    assert record.status.value == "SUCCEEDED"


@pytest.mark.usefixtures("watchlist")
def test_the_weekly_sweep_asks_for_everybody(runner: Runner) -> None:
    _run(runner, "finnhub-fundamentals-earnings")
    _, results = _run(runner, "finnhub-fundamentals-earnings", 1)
    assert [acquired.dataset.name for acquired in results] == list(
        JOBS["finnhub-fundamentals-earnings"].passes[1].datasets
    )
    assert _sent(results) == 3 * len(FOLLOWED)


@pytest.mark.usefixtures("watchlist")
def test_one_ticker_that_fails_leaves_the_others_and_is_asked_for_alone(runner: Runner, sandbox: Sandbox) -> None:
    fault(sandbox, "status", "symbol=CALDQ", provider="finnhub", params={"status": 500})
    result, _ = _run(runner, "finnhub-fundamentals-earnings")
    assert "CALDQ" in failure_of(result)
    assert runner.materialized("core_finnhub__fundamental_metrics") == set(FOLLOWED) - {"CALDQ"}
    sandbox.post("/_sandbox/reset", {})
    _, results = _run(runner, "finnhub-fundamentals-earnings")
    assert _sent(results) == requests_seen(sandbox) == 2, "its metrics and its results"


def test_an_empty_scope_is_a_sentence_that_nobody_retries(runner: Runner, services: Services) -> None:
    services.seed_watchlist()
    for scope in ("active_symbols", "entire_watchlist"):
        services.ledger.watchlist.remove(scope, services.ledger.watchlist.tickers(scope))
    for name in ("finnhub-quote-portfolio", "finnhub-fundamentals-earnings"):
        result, _ = _run(runner, name)
        assert "is empty; add tickers with `salescience watchlist add" in failure_of(result)
        run = runner.instance.get_run_by_id(result.run_id)
        assert run is not None
        assert run.tags[MAX_RETRIES_TAG] == "0"


def test_backfill_takes_scattered_tickers_and_days_in_one_run(
    runner: Runner, services: Services, sandbox: Sandbox, overrides: dict[str, str]
) -> None:
    config = {"dataset": TIINGO_DAILY, "tickers": ["ALDRN", "FENWK"], "first": "2026-06-08", "last": "2026-06-12"}
    result = _start(runner, "backfill", **config)
    assert result.success
    assert requests_seen(sandbox) == 2
    assert runner.materialized(TIINGO_DAILY) == {f"2026-06-{day:02}" for day in range(8, 13)}
    assert services.tables.row_count("core_tiingo__eod_prices") > 0
    before = content(services, "core_tiingo__eod_prices")
    shutil.rmtree(services.tables.uri("core_tiingo__eod_prices"))
    assert _start(runner, "backfill", **config, replay=True).success
    assert requests_seen(sandbox) == 2, "the archive alone brings them back"
    with Services.open(Settings(**overrides)) as reopened:
        assert content(reopened, "core_tiingo__eod_prices") == before
    history = _start(runner, "backfill", dataset="core_yahoo__company_profiles", tickers=["CALDQ", "ALDRN"])
    assert history.success
    assert runner.materialized("core_yahoo__company_profiles") == {"CALDQ", "ALDRN"}, "they have their partitions now"


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"dataset": "core_moon__prices"}, "There is no dataset"),
        ({"dataset": TIINGO_DAILY, "tickers": ["A|B"]}, "is not a ticker"),
        ({"dataset": TIINGO_DAILY, "first": "2026-07-01"}, "lies in the future"),
        ({"dataset": TIINGO_DAILY, "first": "2026-06-13", "last": "2026-06-14"}, "There is no trading"),
        ({"dataset": TIINGO_DAILY, "first": "soon"}, "is not a date"),
    ],
)
def test_a_backfill_that_cannot_be_meant_fails_in_a_sentence(
    runner: Runner, config: dict[str, object], sentence: str
) -> None:
    assert sentence in failure_of(_start(runner, "backfill", **config))


def test_repair_fills_the_holes_and_nothing_else(runner: Runner, services: Services, sandbox: Sandbox) -> None:
    # A refusal: unlike a failing server it leaves the breaker closed, and nobody has to wait for it.
    fault(sandbox, "status", "/FENWK", params={"status": 403})
    days = {"first": "2026-06-08", "last": "2026-06-12"}
    broken = _start(runner, "backfill", dataset=TIINGO_DAILY, tickers=["ALDRN", "FENWK"], **days)
    assert not broken.success
    sandbox.post("/_sandbox/reset", {})
    assert _start(runner, "repair").success
    assert requests_seen(sandbox) == 1, "one ranged call for the one ticker"
    assert _start(runner, "repair", datasets=[TIINGO_DAILY]).success
    assert requests_seen(sandbox) == 1, "there are no holes any more"


def test_every_job_can_be_started_from_the_ui_as_it_stands() -> None:
    definitions = build_defs()
    for job in JOBS.values():
        made = definitions.resolve_job_def(job.dagster_name)
        assert made.description == job.description
        assert dg.validate_run_config(made) is not None


def test_indicators_are_computed_for_a_range_of_tickers_in_one_run(runner: Runner, sandbox: Sandbox) -> None:
    names = ["ALDRN", "CALDQ", "ZZZZZ"]
    runner.add_tickers(names)
    assert _start(runner, "backfill", dataset="core_tiingo__eod_prices_history", tickers=names[:2]).success
    sent = requests_seen(sandbox)
    job = runner.defs.resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(
        instance=runner.instance,
        asset_selection=[dg.AssetKey("core_salescience__technical_indicators")],
        tags=partition_tags("ALDRN", "ZZZZZ"),
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )
    assert result.success
    assert requests_seen(sandbox) == sent, "nobody is asked"
    assert runner.materialized("core_salescience__technical_indicators") == set(names)
    checks = {check.check_name: check for check in result.get_asset_check_evaluations()}
    assert checks["keys_are_unique"].passed
    assert checks["every_ticker_has_prices"].metadata["found"].value == "ZZZZZ"


def test_the_quality_job_shows_the_rows_that_failed(runner: Runner, services: Services) -> None:
    services.ledger.watchlist.add("entire_watchlist", ["ALDRN"])
    assert _start(
        runner, "backfill", dataset=TIINGO_DAILY, tickers=["ALDRN"], first="2026-06-08", last="2026-06-08"
    ).success
    result = runner.run("data_quality")
    assert result.success, "what is found warns, it fails nothing"
    checks = {check.check_name: check for check in result.get_asset_check_evaluations()}
    stale = checks.pop("prices_are_not_stale")
    assert not stale.passed
    assert stale.severity is dg.AssetCheckSeverity.WARN
    assert "ALDRN" in str(stale.metadata["rows_that_failed"])
    assert stale.description == "The newest price is of 2026-06-08, the last trading day was 2026-06-12."
    assert all(check.passed for check in checks.values())
    assert {"answers_are_as_received", "documents_can_be_trusted"} <= checks.keys()
    assert services.tables.row_count("ops_salescience__quality_findings") == 1
    again = runner.run("recheck")
    assert again.success
    (filed,) = again.get_asset_check_evaluations()
    assert (filed.check_name, filed.passed, filed.metadata["requests"].value) == ("documents_are_as_filed", True, 0)
