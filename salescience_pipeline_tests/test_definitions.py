"""Both code locations as Dagster loads them: complete, named by the grammar, and nothing that starts by itself."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import dagster as dg
import pytest
import yaml

from salescience_pipeline.acquisition.parser_version import parser_version
from salescience_pipeline.catalog.datasets import DATASETS, Cut
from salescience_pipeline.catalog.jobs import JOBS
from salescience_pipeline.catalog.providers import PROVIDERS
from salescience_pipeline.catalog.tables import TABLES
from salescience_pipeline.definitions import build_defs
from salescience_pipeline.identifiers import TableName

ROOT = Path(__file__).resolve().parents[1]

ACQUISITION = [
    "core_alphavantage__eod_prices",
    "core_alphavantage__technical_indicators",
    "core_finnhub__company_profiles",
    "core_finnhub__earnings_calendar",
    "core_finnhub__earnings_surprises",
    "core_finnhub__fundamental_metrics",
    "core_finnhub__news_articles",
    "core_finnhub__news_tickers",
    "core_finnhub__quotes",
    "core_polygon__news_articles",
    "core_polygon__news_insights",
    "core_polygon__news_tickers",
    "core_salescience__technical_indicators",
    "core_sec__companies",
    "core_sec__company_tickers",
    "core_sec__documents",
    "core_sec__facts",
    "core_sec__filings",
    "core_sec__filings_daily",
    "core_sec__filings_history",
    "core_sec__insider_transactions",
    "core_tiingo__eod_prices",
    "core_tiingo__eod_prices_daily",
    "core_tiingo__eod_prices_history",
    "core_yahoo__company_profiles",
    "core_yahoo__eod_prices",
    "ops_salescience__quality_findings",
    "ops_salescience__retrieval_confidence",
    "raw_salescience__http_answers",
]

COMPUTED = ["core_salescience__technical_indicators"]

DOCUMENTS = [
    "doc_salescience__blocks",
    "doc_salescience__cells",
    "doc_salescience__chunks",
    "doc_salescience__documents",
    "doc_salescience__entities",
    "doc_salescience__events",
    "doc_salescience__extractions",
    "doc_salescience__fact_dimensions",
    "doc_salescience__facts",
    "doc_salescience__mentions",
    "doc_salescience__relations",
    "doc_salescience__risk_factors",
    "doc_salescience__sections",
    "doc_salescience__tables",
]

MARTS = [
    "mart_companies__companies",
    "mart_companies__graph",
    "mart_documents__documents",
    "mart_documents__events",
    "mart_documents__extractions",
    "mart_documents__facts",
    "mart_documents__risk_changes",
    "mart_documents__sections",
    "mart_earnings__calendar",
    "mart_filings__filings",
    "mart_fundamentals__benchmark",
    "mart_fundamentals__facts",
    "mart_fundamentals__metrics",
    "mart_fundamentals__statements",
    "mart_insiders__activity",
    "mart_insiders__transactions",
    "mart_news__articles",
    "mart_operations__completeness",
    "mart_operations__data_quality",
    "mart_prices__cross_check",
    "mart_prices__daily",
    "mart_quotes__latest",
    "mart_search__chunks",
    "mart_search__postings",
    "mart_search__terms",
]


@pytest.fixture(scope="module")
def acquisition() -> dg.Definitions:
    return build_defs()


@pytest.fixture(scope="module")
def marts() -> dg.Definitions:
    # Slow to import, and needed by few tests: not at the top.
    return importlib.import_module("salescience_pipeline.marts.definitions").build_defs()


def _specs(defs: dg.Definitions) -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}


def _ours(specs: dict[str, dg.AssetSpec]) -> Iterable[tuple[str, dg.AssetSpec]]:
    return ((key, spec) for key, spec in specs.items() if key in (*ACQUISITION, *DOCUMENTS))


def test_the_list_of_assets(acquisition: dg.Definitions) -> None:
    assert sorted(_specs(acquisition)) == sorted([*ACQUISITION, *DOCUMENTS])


def test_the_list_of_marts(marts: dg.Definitions) -> None:
    assert sorted(key for key in _specs(marts) if key.startswith("mart_")) == MARTS


def test_every_asset_explains_itself(acquisition: dg.Definitions) -> None:
    for key, spec in _specs(acquisition).items():
        assert spec.group_name not in (None, "default"), key
        assert spec.kinds, key
        assert spec.owners, key
        assert spec.description is not None, key
        assert len(spec.description) > 20, key
        schema = spec.metadata["dagster/column_schema"]
        assert isinstance(schema, dg.TableSchema), key
        assert all(column.description for column in schema.columns), key


def test_every_asset_that_fetches_has_pool_and_code_version(acquisition: dg.Definitions) -> None:
    by_dataset = {key: dataset for dataset in DATASETS.values() for key in dataset.outputs}
    seen = set()
    for asset in acquisition.resolve_asset_graph().assets_defs:
        for key in (key.to_user_string() for key in asset.keys if asset.is_executable):
            if key in COMPUTED:
                continue
            if key in DOCUMENTS:
                assert asset.op.pool == "documents"
                assert asset.code_versions_by_key[dg.AssetKey(key)] == parser_version()
                continue
            dataset = by_dataset[key]
            assert asset.op.pool == PROVIDERS[dataset.provider].pool
            assert asset.code_versions_by_key[dg.AssetKey(key)] == dataset.code_version
            seen.add(key)
    assert seen == set(by_dataset)


def test_every_asset_is_cut_as_its_catalogue_row_says(acquisition: dg.Definitions) -> None:
    graph = acquisition.resolve_asset_graph()
    for dataset in DATASETS.values():
        for key in dataset.outputs:
            node = graph.get(dg.AssetKey(key))
            kind = {Cut.DATE: dg.DailyPartitionsDefinition, Cut.TICKER: dg.DynamicPartitionsDefinition}.get(dataset.cut)
            assert (type(node.partitions_def) if node.partitions_def else None) == kind
            assert (node.backfill_policy is None) == (dataset.cut is Cut.NONE)


def test_every_key_follows_the_grammar_of_names(acquisition: dg.Definitions, marts: dg.Definitions) -> None:
    for key in (*ACQUISITION, *DOCUMENTS, *MARTS):
        assert TableName(key) == key
    shape = re.compile(r"(raw|core|doc|mart|ops|stg)_[a-z0-9]+__[a-z][a-z0-9_]*")
    for key in (*_specs(acquisition), *_specs(marts)):
        assert shape.fullmatch(key), key


def test_every_output_is_a_table_of_the_catalogue() -> None:
    for dataset in DATASETS.values():
        assert set(dataset.outputs.values()) <= set(TABLES)


def test_every_asset_that_fetches_is_checked(acquisition: dg.Definitions) -> None:
    checks = {(key.asset_key.to_user_string(), key.name) for key in acquisition.resolve_asset_graph().asset_check_keys}
    for dataset in DATASETS.values():
        first, *others = dataset.outputs
        names = {name for key, name in checks if key == first}
        assert names == {
            "schema_is_the_catalogues",
            "keys_are_unique",
            "requests_match_the_plan",
            "everything_is_complete",
            "data_is_fresh",
        }
        for other in others:
            assert {name for key, name in checks if key == other} == {"schema_is_the_catalogues", "keys_are_unique"}


def test_every_mart_comes_from_core_tables(acquisition: dg.Definitions, marts: dg.Definitions) -> None:
    specs = _specs(acquisition) | _specs(marts)
    # dbt's sources stand in the second location as external assets; their keys must be the first location's own.
    parents = {key: {dep.asset_key.to_user_string() for dep in spec.deps} for key, spec in specs.items()}
    for mart in MARTS:
        ancestors, todo = set(), [mart]
        while todo:
            for parent in parents.get(todo.pop(), ()):
                if parent not in ancestors:
                    ancestors.add(parent)
                    todo.append(parent)
        sources = {key for key in ancestors if key.startswith(("core_", "ops_"))}
        assert sources, mart
        assert sources <= {*ACQUISITION, "ops_salescience__completeness", "ops_salescience__quality_findings"}, mart


def test_every_mart_explains_itself(marts: dg.Definitions) -> None:
    for key, spec in _specs(marts).items():
        if key in MARTS:
            assert spec.group_name == "marts"
            assert {"dbt", "duckdb"} <= spec.kinds
            assert spec.owners
            assert spec.description
            assert spec.metadata["dagster/column_schema"].columns
            assert spec.automation_condition is not None


def test_nothing_starts_by_itself(acquisition: dg.Definitions, marts: dg.Definitions) -> None:
    for defs in (acquisition, marts):
        repository = defs.get_repository_def()
        for schedule in repository.schedule_defs:
            assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED, schedule.name
        for sensor in repository.sensor_defs:
            # The submissions sensor starts nothing that nobody asked for; stopped, it would leave submissions lying.
            running = sensor.name == "submissions"
            expected = dg.DefaultSensorStatus.RUNNING if running else dg.DefaultSensorStatus.STOPPED
            assert sensor.default_status is expected, sensor.name


def test_whatever_can_be_started_says_what_it_does(acquisition: dg.Definitions, marts: dg.Definitions) -> None:
    for defs in (acquisition, marts):
        repository = defs.get_repository_def()
        jobs = [job for job in repository.get_all_jobs() if not job.name.startswith("__")]
        for thing in (*jobs, *repository.schedule_defs, *repository.sensor_defs):
            assert thing.description, thing.name
            assert len(thing.description) > 20, thing.name


def test_every_schedule_runs_on_new_york_time_and_has_a_job(acquisition: dg.Definitions) -> None:
    repository = acquisition.get_repository_def()
    jobs = {job.name for job in repository.get_all_jobs()}
    wanted = {job.schedule_name(number) for job in JOBS.values() for number in range(len(job.passes))}
    assert {schedule.name for schedule in repository.schedule_defs} == wanted | {
        "data_quality",
        "repair",
        "recheck",
        "lake_maintenance",
    }
    for schedule in repository.schedule_defs:
        assert schedule.execution_timezone == "America/New_York"
        assert schedule.job_name in jobs


def test_loading_reads_and_starts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALESCIENCE_HOME", str(tmp_path / "home"))
    build_defs().get_repository_def()
    assert not (tmp_path / "home").exists()


def test_workspace_names_both_locations(acquisition: dg.Definitions, marts: dg.Definitions) -> None:
    """What ``dagster definitions validate`` does: load each module the workspace names, and bind all its jobs."""
    entries = yaml.safe_load((ROOT / "workspace.yaml").read_text())["load_from"]
    modules = {entry["python_module"]["location_name"]: entry["python_module"]["module_name"] for entry in entries}
    assert modules == {
        "salescience_pipeline": "salescience_pipeline.definitions",
        "salescience_marts": "salescience_pipeline.marts.definitions",
    }
    for module in modules.values():
        dg.Definitions.validate_loadable(importlib.import_module(module).defs)


def test_the_instance_file_is_one_that_dagster_takes(tmp_path: Path) -> None:
    text = (ROOT / "dagster.yaml").read_text().replace(".salescience/fictional/dagster", str(tmp_path))
    (tmp_path / "dagster.yaml").write_text(text)
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert instance.run_retries_enabled
        assert instance.run_monitoring_enabled
        assert not instance.telemetry_enabled
        assert instance.global_op_concurrency_default_limit == 1


def test_loading_the_definitions_opens_no_room() -> None:
    """Each of these costs every process of Dagster a tenth of a second or more; ``benchmarks.load`` has the figures."""
    heavy = "sqlalchemy alembic httpx duckdb deltalake exchange_calendars lxml pydantic_settings dagster_dbt"
    program = (
        "import dagster, pandas, sys; before = set(sys.modules); import salescience_pipeline.definitions;"
        f"print(sorted(set('{heavy}'.split()) & (set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
