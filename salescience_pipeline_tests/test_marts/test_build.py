"""The marts as Dagster builds them: published when every test is green, and never otherwise."""

from __future__ import annotations

import datetime as dt
import importlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
import duckdb
import pyarrow as pa
import pytest

from salescience_pipeline.acquisition.processing import process
from salescience_pipeline.acquisition.sandbox_process import Sandbox
from salescience_pipeline.acquisition.services import Services
from salescience_pipeline.catalog.datasets import DATASETS
from salescience_pipeline.catalog.tables import TABLES
from salescience_pipeline.gateway.query_worker import Refused, check, open_warehouse
from salescience_pipeline.identifiers import parse_tickers
from salescience_pipeline.lake.tables import Where
from salescience_pipeline.marts.warehouse import WarehouseResource
from salescience_pipeline.settings import Settings
from salescience_pipeline_tests.test_acquisition.runs import PLAIN, TIINGO, everything, run

# dagster-dbt 0.29.27 on Dagster 1.13.27.
pytestmark = pytest.mark.filterwarnings("ignore:AssetExecutionContext.* is deprecated:DeprecationWarning")


@dataclass
class Marts:
    """A small lake, and the marts over it."""

    services: Services
    resource: WarehouseResource
    defs: dg.Definitions
    instance: dg.DagsterInstance

    def build(self, only: Sequence[str] | None = None) -> dg.ExecuteInProcessResult:
        """Run the job of the second code location, for all marts or for some."""
        return self.defs.resolve_job_def("build_marts").execute_in_process(
            instance=self.instance,
            asset_selection=[dg.AssetKey(name) for name in only] if only is not None else None,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            raise_on_error=False,
        )

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Rows of the published version."""
        return self.services.warehouse.query(sql).rows.to_pylist()

    @property
    def version(self) -> int:
        """The published version."""
        return self.services.warehouse.current().version


@pytest.fixture(scope="module")
def marts(sandbox_of_session: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Marts]:
    """The marts, built once over two companies."""
    overrides = {
        "home": str(tmp_path_factory.mktemp("marts")),
        "today": "2026-06-15",
        "sandbox_url": sandbox_of_session.url,
        "tiingo_plan": "power",
        "tiingo_rate": "200",
        "yahoo_rate": "50",
        "edgar_rate": "10",
    }
    location = importlib.import_module("salescience_pipeline.marts.definitions")
    with Services.open(Settings(**overrides)) as services, dg.DagsterInstance.ephemeral() as instance:
        for selection in everything():
            if DATASETS[selection.dataset].provider in ("sec", "tiingo", "yahoo"):
                run(services, selection)
        _former_holder(services)
        process(services, parse_tickers(PLAIN[:2]), run_id="documents")
        resource = WarehouseResource(overrides=overrides)
        made = Marts(services, resource, location.build_defs(warehouse=resource), instance)
        assert not resource.is_current(), "nothing is published yet"
        result = made.build()
        assert result.success
        yield made
        resource.services().close()


FORMER, LAST_SEEN = "0009999999", dt.date(2025, 6, 30)


def _former_holder(services: Services) -> None:
    """Another company had the first ticker until the summer of 2025, as successive copies of SEC's list would tell."""
    table = "core_sec__company_tickers"
    (row,) = services.tables.read(table, Where(values={"ticker": [str(PLAIN[0])]})).to_pylist()
    row |= {
        "cik": FORMER, "name": "A former holder", "first_seen_on": dt.date(2025, 1, 2), "last_seen_on": LAST_SEEN,
        "is_current": False,
    }  # fmt: skip
    services.tables.write(table, pa.Table.from_pylist([row], schema=TABLES[table].schema))


def test_a_price_belongs_to_the_company_that_had_the_ticker_on_the_day(marts: Marts) -> None:
    rows = marts.query(
        f"select ticker, cik, min(trade_date) as first, max(trade_date) as last from mart_prices__daily "
        f"where ticker in ('{PLAIN[0]}', '{PLAIN[1]}') group by all order by ticker, first"
    )
    current = {row["ticker"]: row["cik"] for row in marts.query("select ticker, cik from mart_companies__companies")}
    former, now, other = rows
    assert (former["cik"], former["last"]) == (FORMER, LAST_SEEN)
    assert (now["cik"], now["first"]) == (current[PLAIN[0]], LAST_SEEN + dt.timedelta(days=1))
    assert (other["ticker"], other["cik"]) == (PLAIN[1], current[PLAIN[1]])


def test_what_was_built_is_published_and_current(marts: Marts) -> None:
    assert marts.resource.is_current()
    days = marts.query(
        "select ticker, count(*) as days, count(distinct trade_date) as dates from mart_prices__daily group by 1"
    )
    assert {row["ticker"] for row in days} == set(PLAIN[:2])
    assert all(row["days"] == row["dates"] > 500 for row in days)
    assert marts.query("select value from about where key = 'data'")[0]["value"].startswith("Fictional data")
    checks = {row["status"] for row in marts.query("select distinct status from mart_operations__completeness")}
    assert "complete" in checks


def test_facts_are_those_known_on_the_day(marts: Marts) -> None:
    overlapping = marts.query("""
        select count(*) as n from mart_fundamentals__facts a join mart_fundamentals__facts b
          on (a.cik, a.taxonomy, a.concept, a.unit, a.period_end) = (b.cik, b.taxonomy, b.concept, b.unit, b.period_end)
         and a.period_start is not distinct from b.period_start and a.restatement < b.restatement
        where a.known_until is null or a.known_until > b.known_from""")
    assert overlapping == [{"n": 0}]


def test_the_graph_knows_a_person_by_forms_and_by_signatures_as_one(marts: Marts) -> None:
    edges = marts.query(
        "select * from mart_companies__graph where subject_kind = 'person' and predicate = 'officer_of'"
    )
    assert {edge["form"] for edge in edges} & {"10-K", "10-Q"}
    assert all(edge["object_cik"] and edge["first_filed"] <= edge["last_filed"] for edge in edges)
    twice = marts.query("""
        select object_key, list_sort(string_split(replace(replace(lower(subject_name), ',', ''), '.', ''), ' ')) as words
        from mart_companies__graph where subject_kind = 'person' and predicate = 'officer_of'
        group by all having count(*) > 1""")
    assert not twice
    assert marts.query("select count(*) as n from mart_companies__graph where predicate = 'auditor_of'")[0]["n"] == 2


def test_search_ranks_chunks_and_leads_to_the_source(marts: Marts) -> None:
    hits = marts.query("select * from search_filings('Supplier may fail, suppliers failing', hits := 5)")
    assert len(hits) == 5
    assert [hit["score"] for hit in hits] == sorted((hit["score"] for hit in hits), reverse=True)
    assert all("supplier" in hit["text"].lower() for hit in hits)
    document = marts.query(
        f"select raw_sha256, bytes from mart_documents__documents where accession = '{hits[0]['accession']}'"
    )[0]
    assert 0 <= hits[0]["src_start"] < hits[0]["src_end"] <= document["bytes"]
    only = marts.query("select form, item from search_filings('supplier', of_form := '10-K', of_item := '1A')")
    assert {(hit["form"], hit["item"]) for hit in only} == {("10-K", "1A")}
    assert not marts.query("select * from search_filings('the of and')")
    # Those who ask over HTTP may search too, and may not reach further through it.
    connection = open_warehouse(str(marts.services.warehouse.current().path))
    asked = "select count(*) from search_filings('supplier', hits := 2)"
    check(connection, asked)
    assert connection.execute(asked).fetchall() == [(2,)]
    with pytest.raises(Refused):
        check(connection, "select * from search_filings((select sql from duckdb_views() limit 1))")
    connection.close()


def test_what_insiders_did_in_a_month_adds_up(marts: Marts) -> None:
    months = marts.query("select sum(net_amount) as net, sum(market_transactions) as n from mart_insiders__activity")[0]
    lines = marts.query("""
        select sum(case trans_code when 'P' then amount when 'S' then -amount end) as net, count(*) as n
        from mart_insiders__transactions where trans_code in ('P', 'S') and amended_by is null and transaction_table = 'ND'
    """)[0]
    assert months["n"] == lines["n"] > 0
    assert months["net"] == pytest.approx(lines["net"])


def test_some_marts_alone_keep_the_others(marts: Marts) -> None:
    before = {
        name: marts.query(f"select count(*) as n from {name}")
        for name in ("mart_prices__daily", "mart_filings__filings")
    }
    version = marts.version
    assert marts.build(["mart_companies__companies"]).success
    assert marts.version > version
    assert {name: marts.query(f"select count(*) as n from {name}") for name in before} == before
    assert marts.query("select count(*) as n from mart_companies__companies")[0]["n"] > 0
    assert marts.query("select * from search_filings('supplier', hits := 1)"), "the search is part of every version"


def test_a_red_test_publishes_nothing_and_a_reader_is_never_disturbed(marts: Marts) -> None:
    version = marts.version
    reader = duckdb.connect(str(marts.services.warehouse.link), read_only=True)
    rows = reader.execute("select count(*) from mart_prices__daily").fetchall()
    newest = marts.services.tables.read(TIINGO).to_pylist()[-1]
    # A bar whose high lies below its low: the lake takes it as the provider gave it, the marts' tests do not.
    broken = newest | {"high": newest["low"] / 2}
    schema = marts.services.tables.read(TIINGO).schema
    marts.services.tables.write(TIINGO, pa.Table.from_pylist([broken], schema=schema))
    assert not marts.resource.is_current()
    # One mart is enough to tell, and a fraction of the time.
    assert not marts.build(["mart_prices__daily"]).success
    assert marts.version == version
    assert marts.query("select count(*) as n from mart_prices__daily")[0]["n"] == rows[0][0]
    assert not list((marts.services.settings.warehouse_dir / "builds").rglob("*.duckdb")), "the failed build is gone"
    marts.services.tables.write(TIINGO, pa.Table.from_pylist([newest], schema=schema))
    assert marts.build(["mart_prices__daily"]).success
    assert marts.version > version
    assert reader.execute("select count(*) from mart_prices__daily").fetchall() == rows, (
        "an open reader keeps its version"
    )
    reader.close()
    failed = [run for run in marts.instance.get_runs() if run.status is dg.DagsterRunStatus.FAILURE]
    assert len(failed) == 1
