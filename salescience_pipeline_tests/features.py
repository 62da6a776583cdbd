"""What the five source systems could do, row by row, and the tests that prove it here.

A test proves a row by carrying its id in its name (``test_000_13_...``; ``001_06_and_14`` means both) or by the marker
``feature``; the marker is set here (:data:`PROVED`) for tests of other rooms, whose names speak of their own subject.
``python -m salescience_pipeline_tests.features`` prints the table, with what the last test run said of each row;
``--write`` renews ``docs/features.md``. What does not belong here: the rows' full words (they are the sources').
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE, OUTCOMES = ROOT / "docs" / "features.md", ROOT / "build" / "features.json"
_NAMED = re.compile(r"(?<!\d)(00[0-4])_(\d{2})(?!\d)((?:_and_\d{2}(?!\d))*)")

ROWS: Mapping[str, str] = {
    "000-01": "POST /submit answers with job ids",
    "000-02": "one submission is one job, or one per company",
    "000-03": "identifiers and flags decide the sources",
    "000-04": "n_years counts annual filings; others wait for the index",
    "000-05": "forms",
    "000-06": "GET /status with the sources' keys",
    "000-07": "words of status, derived from the sources",
    "000-08": "GET /results of a finished job",
    "000-09": "one envelope for every source",
    "000-10": "large results: parts, ranges, streams",
    "000-11": "every planned source is there at once",
    "000-12": "the queue: rows, sent exactly once",
    "000-13": "runs work, write progress and results",
    "000-14": "keys of an organisation's job become primary keys",
    "000-15": "organisations are apart on every route",
    "000-16": "user_id in tag and audit",
    "000-17": "stateless: two processes are one",
    "000-18": "the API works without the daemon",
    "000-19": "settings from the environment and .env",
    "000-20": "the documented command serves",
    "000-21": "the documented client examples work",
    "000-22": "progress as events",
    "001-01": "GET /health alive",
    "001-02": "GET /status in detail",
    "001-03": "a route for each job, repeated calls are one run",
    "001-04": "POST /manual/trigger-job",
    "001-05": "scopes",
    "001-06": "Tiingo's jobs",
    "001-07": "Finnhub's jobs",
    "001-08": "Polygon's jobs",
    "001-09": "Alpha Vantage's job",
    "001-10": "lists of tickers that change",
    "001-11": "schedules",
    "001-12": "raw answers kept for audit",
    "001-13": "processed data in tables",
    "001-14": "the caller may wait for the end",
    "001-15": "writes in bulk",
    "001-16": "schemas are enforced",
    "001-17": "requests and answers are validated",
    "001-18": "retries with growing waits",
    "001-19": "a breaker against cascades",
    "001-20": "one failure leaves the others",
    "001-21": "connections are shared",
    "001-22": "statistics of jobs",
    "001-23": "health of the services",
    "001-24": "structured logs with request ids",
    "001-25": "CORS",
    "001-26": "readiness",
    "001-27": "metrics",
    "001-28": "alerts on failure rate and latency",
    "001-29": "addresses of the providers are settings",
    "001-30": "the cloud database's settings",
    "001-31": "an emulator for development",
    "001-32": "port and reload",
    "001-33": "container: stages, user, health, limits",
    "001-34": "cold start and limits of a run",
    "001-35": "warm connections",
    "001-36": "the microservices became clients",
    "002-01": "POST /api/orchestrate",
    "002-02": "POST /api/orchestrate/direct",
    "002-03": "a payload is split",
    "002-04": "requests go out side by side",
    "002-05": "services by configuration",
    "002-06": "GET /api/tasks",
    "002-07": "GET /api/tasks/{task_id}",
    "002-08": "/health names the event mode",
    "002-09": "columns of tasks",
    "002-10": "columns of service requests",
    "002-11": "a task's status follows from its requests",
    "002-12": "Kafka intake",
    "002-13": "poison messages",
    "002-14": "intake over HTTP",
    "002-15": "Event Hubs",
    "002-16": "the checkpoint store",
    "002-17": "DATABASE_URL in every spelling",
    "002-18": "migrations",
    "002-19": "compose and the emulator script",
    "002-20": "/docs lists every path",
    "002-21": "a failing service leaves its siblings",
    "002-22": "Kafka settings for production",
    "002-23": "pytest",
    "002-24": "Kubernetes",
    "002-25": "Python versions",
    "002-26": "licence",
    "003-04": "one request id through everything",
    "003-05": "health, readiness, graceful end",
    "003-06": "isolation by key, scopes, encryption",
    "003-07": "heartbeats",
    "003-08": "a dead worker's job goes on",
    "003-13": "capacity: what if so many were followed",
    "003-18": "errors by category",
    "003-19": "changed behaviour of an API is found",
    "003-22": "confidence in what was fetched",
    "003-23": "checksums, fingerprints, second sources",
    "003-24": "provenance of every row",
    "003-34": "organisations apart by cryptography",
    "003-35": "metadata without content",
    "003-36": "fairness and limits",
    "003-37": "audit",
    "003-38": "lineage",
    "003-40": "standard interfaces, webhooks",
    "003-45": "query API",
    "004-01": "GET / lists the services",
    "004-02": "/api/enrich",
    "004-03": "/api/publish",
    "004-04": "the writer's route",
    "004-05": "30 seconds in all",
    "004-06": "three tries where harmless",
    "004-07": "CORS",
    "004-08": "GET /health aggregated",
    "004-09": "GET /health/status",
    "004-10": "GET /health/status/{service}",
    "004-11": "words of health",
    "004-12": "one check per 30 seconds",
    "004-13": "uptime over a hundred checks",
    "004-14": "the breaker opens after three failures",
    "004-15": "it waits sixty seconds",
    "004-16": "it closes after two successes",
    "004-17": "an open breaker keeps requests away",
    "004-18": "the monitor feeds the same breaker",
    "004-19": "four workers agree",
    "004-20": "lower bounds of the dependencies",
    "004-21": "counts of tests",
    "004-22": "installation",
    "004-23": "times in UTC",
    "004-24": "links of the source's own project",
}
"""Id -> what the row is about, in a few words."""

PROVED: Mapping[str, tuple[str, ...]] = {
    "000-18": ("test_gateway/test_submit.py::test_000_01_and_06_the_sources_examples_work_verbatim",),
    "000-21": ("test_gateway/test_submit.py::test_000_01_and_06_the_sources_examples_work_verbatim",),
    "001-05": (
        "test_catalog/test_jobs.py::test_the_eleven_jobs_and_their_scopes",
        "test_orchestration/test_runs.py::test_the_scope_gives_the_tickers_when_nobody_names_them",
    ),
    "001-06": (
        "test_orchestration/test_jobs.py::test_the_eleven_jobs_ask_for_their_minimum_and_reuse_each_others_answers",
    ),
    "001-07": (
        "test_orchestration/test_jobs.py::test_the_eleven_jobs_ask_for_their_minimum_and_reuse_each_others_answers",
    ),
    "001-08": (
        "test_orchestration/test_jobs.py::test_the_eleven_jobs_ask_for_their_minimum_and_reuse_each_others_answers",
    ),
    "001-09": (
        "test_orchestration/test_jobs.py::test_the_eleven_jobs_ask_for_their_minimum_and_reuse_each_others_answers",
    ),
    "001-10": (
        "test_ledger/test_watchlist.py::test_history_answers_for_any_day",
        "test_orchestration/test_sensors.py::test_a_new_ticker_gets_partition_and_history",
    ),
    "001-11": ("test_orchestration/test_schedules.py::test_without_trading_a_tick_is_skipped_and_says_why",),
    "001-12": (
        "test_lake/test_archive.py::test_every_body_comes_back_as_it_was",
        "test_lake/test_archive.py::test_the_audit_row_says_everything_and_no_secret",
    ),
    "001-13": ("test_marts/test_build.py::test_what_was_built_is_published_and_current",),
    "001-15": ("test_lake/test_table_files.py::test_small_writes_leave_few_files",),
    "001-16": ("test_marts/test_build.py::test_a_red_test_publishes_nothing_and_a_reader_is_never_disturbed",),
    "001-17": (
        "test_gateway/test_contract.py::test_002_20_every_answer_is_what_the_document_says",
        "test_acquisition/test_quality.py::test_a_field_that_drifts_names_itself",
    ),
    "001-18": ("test_clients/test_transport.py::test_a_failing_server_is_asked_three_times_with_doubling_waits",),
    "001-19": ("test_ledger/test_gate_store.py::test_processes_share_one_breaker_and_one_probe",),
    "001-20": (
        "test_acquisition/test_partial_success.py::test_the_others_are_stored_and_the_retry_asks_only_for_what_is_missing",
    ),
    "001-21": ("test_clients/test_session.py::test_one_session_serves_all_threads",),
    "001-27": ("test_gateway/test_services.py::test_003_28_metrics_have_bounded_labels",),
    "001-29": ("test_clients/test_endpoints.py::test_every_other_world_stays_on_this_machine",),
    "001-31": ("test_acquisition/test_sandbox_process.py::test_everybody_in_a_folder_shares_one",),
    "001-32": ("test_gateway/test_process.py::test_000_20_and_002_20_the_documented_commands_serve",),
    "001-35": ("test_gateway/test_process.py::test_001_34_the_gateway_imports_no_dagster_and_no_arrow_to_answer",),
    "001-36": ("test_sandbox/test_server.py::test_it_imports_no_other_room_and_no_heavy_library",),
    "002-17": ("test_ledger/test_migrate.py::test_every_spelling_of_postgresql_means_the_installed_driver",),
    "002-18": (
        "test_ledger/test_migrate.py::test_eight_processes_on_an_empty_database_migrate_once",
        "test_ledger/test_migrate.py::test_the_migrated_database_is_what_the_models_say",
        "test_ledger/test_migrate.py::test_down_and_up_again",
    ),
    "002-23": ("test_cli/test_demo.py::test_the_demo_brings_every_dataset_to_the_marts",),
    "003-13": (
        "test_acquisition/test_capacity.py::test_1_500_tickers_every_quarter_of_an_hour",
        "test_acquisition/test_capacity.py::test_a_poll_that_takes_longer_than_its_cadence_is_told_with_the_plan_that_keeps_up",
    ),
    "003-18": (
        "test_clients/test_classify.py::test_recorded_error_answers_have_their_class",
        "test_clients/test_classify_market.py::test_recorded_error_bodies_have_their_class",
        "test_acquisition/test_faults.py::test_an_outage_of_an_hour_costs_its_own_jobs_that_hour_and_nothing_else",
    ),
    "003-19": (
        "test_acquisition/test_quality.py::test_a_field_that_drifts_names_itself",
        "test_acquisition/test_faults.py::test_a_renamed_field_names_itself_and_nothing_is_stored_or_lost",
    ),
    "003-23": (
        "test_acquisition/test_quality.py::test_a_wrong_close_is_found_by_the_second_source_and_goes_when_it_is_right",
        "test_lake/test_verify.py::test_a_damaged_and_a_lost_body_are_named",
    ),
    "003-24": ("test_gateway/test_lineage.py::test_003_38_a_row_leads_to_its_request_and_its_bytes",),
    "004-07": ("test_gateway/test_submit.py::test_001_25_pages_of_allowed_origins_only",),
    "004-09": ("test_gateway/test_services.py::test_001_01_002_08_and_004_08_one_health_for_three_sources",),
    "004-10": ("test_gateway/test_services.py::test_001_01_002_08_and_004_08_one_health_for_three_sources",),
    "004-23": ("test_gateway/test_services.py::test_001_01_002_08_and_004_08_one_health_for_three_sources",),
    "004-14": ("test_clients/test_breaker.py::test_three_failures_in_a_row_open_and_two_good_probes_close",),
    "004-15": ("test_clients/test_breaker.py::test_a_failed_probe_opens_again_for_the_whole_time",),
    "004-16": ("test_clients/test_breaker.py::test_three_failures_in_a_row_open_and_two_good_probes_close",),
}
"""Id -> tests of other names that prove it."""

NOT_MET: Mapping[str, str] = {
    "001-30": "The lake itself is a folder; object stores hold copies of it. There is no cloud database to be configured.",
    "001-34": "A run may take two hours, not 15 minutes: at 8 requests a second a long list of filings takes longer than that.",
    "004-24": "Links of the source's own project: nothing to build.",
}
"""Id -> why no test proves it whole."""


def ids_of(name: str) -> list[str]:
    """The ids that a test's name carries."""
    found = []
    for match in _NAMED.finditer(name):
        found.append(f"{match[1]}-{match[2]}")
        found += [f"{match[1]}-{more}" for more in re.findall(r"\d{2}", match[3])]
    return found


def ids_of_test(test: str) -> list[str]:
    """The ids of ``file::name``, by its name and by :data:`PROVED`."""
    named = ids_of(test.rpartition("::")[2])
    return list(dict.fromkeys([*named, *(row for row, tests in PROVED.items() if test in tests)]))


def tests() -> list[str]:
    """Every test as ``file::name``, the file below this package; read from the sources, nothing is imported."""
    here = Path(__file__).parent
    return [
        f"{path.relative_to(here).as_posix()}::{node.name}"
        for path in sorted(here.rglob("test_*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]


def proofs() -> dict[str, list[str]]:
    """Id -> its tests, rows without one included."""
    found: dict[str, list[str]] = defaultdict(list)
    for test in tests():
        for row in ids_of_test(test):
            found[row].append(test)
    return {row: found.get(row, []) for row in ROWS}


def page(outcomes: Mapping[str, str] | None = None) -> str:
    """``docs/features.md``; with the outcomes of a run, each test's beside it (``build/features.md``)."""
    lines = [
        "# Rows of the source systems and their tests",
        "",
        "Written by `python -m salescience_pipeline_tests.features --write`. Without `--write` it prints the table with what",
        "the last test run said of each row.",
        "",
        "| row | what | tests |",
        "|---|---|---|",
    ]
    for row, found in proofs().items():
        said = {test: "" if outcomes is None else f" {outcomes.get(test, 'not run')}" for test in found}
        shown = "<br>".join(f"`{test}`{word}" for test, word in said.items())
        reason = NOT_MET.get(row)
        lines.append(
            f"| {row} | {ROWS[row]} | {'<br>'.join(filter(None, [shown, reason and f'Not whole: {reason}']))} |"
        )
    return "\n".join(lines) + "\n"


def table(outcomes: Mapping[str, str]) -> str:
    """The same rows for a terminal, with ``passed``, ``failed`` or ``not run`` from the last run."""
    lines = []
    for row, found in proofs().items():
        said = [outcomes.get(test, "not run") for test in found]
        word = "failed" if "failed" in said else "passed" if "passed" in said else "not run"
        lines.append(f"{row}  {word if found else '-':8} {ROWS[row]}")
        lines += [f"        {outcomes.get(test, 'not run'):8} {test}" for test in found]
        if row in NOT_MET:
            lines.append(f"        not whole: {NOT_MET[row]}")
    return "\n".join(lines)


def main(arguments: list[str]) -> None:
    """Print the table, or renew the page."""
    if "--write" in arguments:
        PAGE.write_text(page(), encoding="utf-8")
        return
    outcomes = json.loads(OUTCOMES.read_text(encoding="utf-8")) if OUTCOMES.exists() else {}
    print(table(outcomes))


if __name__ == "__main__":
    main(sys.argv[1:])
