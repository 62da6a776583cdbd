"""What a user's own asset gets: just its partitions, in the form that its annotation asks for."""

from __future__ import annotations

from typing import Any

import dagster as dg
import duckdb
import pandas as pd
import pyarrow as pa
import pytest

from salescience_pipeline.acquisition.services import Services
from salescience_pipeline.orchestration.assets import LAKE_IO
from salescience_pipeline.orchestration.io_manager import NotATable, table_of_asset
from salescience_pipeline.orchestration.partitions import DATES, TICKERS
from salescience_pipeline_tests.test_acquisition.runs import PLAIN, TIINGO, TIINGO_DAILY, WEEK, run, select
from salescience_pipeline_tests.test_orchestration.conftest import Runner

NAMES = [str(ticker) for ticker in PLAIN]
DAYS = [day.isoformat() for day in WEEK]


@pytest.fixture
def week(services: Services) -> None:
    """Five days of three tickers in the lake."""
    run(services, select(TIINGO_DAILY, dates=WEEK))


def _load(
    runner: Runner,
    annotation: object,
    *,
    upstream: str = TIINGO,
    partitions: dg.PartitionsDefinition | None = None,
    keys: tuple[str, str] | None = None,
) -> Any:
    """What an asset of the user's own gets as its input."""
    got: list[Any] = []

    def mine(prices: Any) -> None:
        got.append(prices)

    mine.__annotations__["prices"] = annotation
    asset = dg.asset(ins={"prices": dg.AssetIn(upstream)}, partitions_def=partitions, name="mine")(mine)
    job = dg.define_asset_job("mine_job", selection=["mine"])
    defs = dg.Definitions.merge(runner.defs, dg.Definitions(assets=[asset], jobs=[job]))
    result = Runner(defs, runner.instance).run("mine_job", *(keys or ()))
    assert result.success
    return got[0]


@pytest.mark.usefixtures("week")
def test_the_annotation_chooses_the_form(runner: Runner) -> None:
    frame = _load(runner, pd.DataFrame)
    assert isinstance(frame, pd.DataFrame)
    assert len(frame) == len(NAMES) * len(DAYS)
    assert str(frame["volume"].dtype).endswith("[pyarrow]"), "integers with nulls stay integers"
    table = _load(runner, pa.Table)
    assert isinstance(table, pa.Table)
    assert table.num_rows == len(frame)
    relation = _load(runner, duckdb.DuckDBPyRelation)
    assert isinstance(relation, duckdb.DuckDBPyRelation)
    assert relation.aggregate("count(*)").fetchall() == [(len(frame),)]
    assert isinstance(_load(runner, Any), pd.DataFrame)


@pytest.mark.usefixtures("week")
@pytest.mark.parametrize("upstream", [TIINGO, TIINGO_DAILY])
def test_a_date_partitioned_asset_gets_its_days(runner: Runner, upstream: str) -> None:
    rows = _load(runner, pa.Table, upstream=upstream, partitions=DATES, keys=(DAYS[1], DAYS[3]))
    assert sorted({day.isoformat() for day in rows["trade_date"].to_pylist()}) == DAYS[1:4]
    one = _load(runner, pa.Table, upstream=upstream, partitions=DATES, keys=(DAYS[2], DAYS[2]))
    assert one.num_rows == len(NAMES)


@pytest.mark.usefixtures("week")
def test_a_ticker_partitioned_asset_gets_its_tickers(runner: Runner) -> None:
    runner.add_tickers(NAMES)
    rows = _load(runner, pa.Table, partitions=TICKERS, keys=(NAMES[0], NAMES[1]))
    assert set(rows["ticker"].to_pylist()) == set(NAMES[:2])
    frame = _load(runner, pd.DataFrame, partitions=TICKERS, keys=(NAMES[2], NAMES[2]))
    assert set(frame["ticker"]) == {NAMES[2]}


def test_tables_by_company_are_cut_by_the_tickers_company(runner: Runner, services: Services) -> None:
    run(services, select("core_sec__company_tickers", ()))
    run(services, select("core_sec__filings_history", n_years=1))
    runner.add_tickers(NAMES)
    keys = (NAMES[0], NAMES[0])
    rows = _load(runner, pa.Table, upstream="core_sec__filings", partitions=TICKERS, keys=keys)
    assert set(rows["cik"].to_pylist()) == set(services.ciks(PLAIN[:1]).values())


def test_what_lies_not_in_the_lake_is_said_so() -> None:
    with pytest.raises(NotATable, match="nothing_here is not a table of the lake"):
        table_of_asset("nothing_here")


def test_our_tables_are_written_by_their_own_assets_only(runner: Runner) -> None:
    @dg.asset(io_manager_key=LAKE_IO)
    def mine() -> int:
        return 1

    job = dg.define_asset_job("mine_job", selection=["mine"])
    defs = dg.Definitions.merge(runner.defs, dg.Definitions(assets=[mine], jobs=[job]))
    assert not Runner(defs, runner.instance).run("mine_job").success
