"""Indicators from the lake's prices, and the audit by those that Alpha Vantage computes."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from salescience_pipeline.acquisition.indicators import (
    COMPUTED_TABLE,
    FETCHED,
    compare_with_alpha_vantage,
    compute_indicators,
)
from salescience_pipeline.acquisition.services import SelectionError, Services
from salescience_pipeline.catalog.indicators import COMPUTED
from salescience_pipeline.identifiers import parse_tickers
from salescience_pipeline_tests.test_acquisition.runs import TIINGO_HISTORY, run, select

PAIR = parse_tickers(["ALDRN", "FENWK"])


@pytest.fixture
def priced(services: Services) -> Services:
    """Two tickers with their whole history."""
    assert run(services, select(TIINGO_HISTORY, PAIR)).is_complete
    return services


def test_what_has_not_changed_is_not_written_again(priced: Services) -> None:
    first = compute_indicators(priced, [*PAIR, *parse_tickers(["ZZZZZ"])], run_id="run")
    assert first.commits == 1
    assert first.rows == priced.tables.row_count(COMPUTED_TABLE) > 0
    assert first.without_prices == parse_tickers(["ZZZZZ"])
    assert set(priced.tables.read(COMPUTED_TABLE)["indicator"].to_pylist()) == set(COMPUTED)
    assert compute_indicators(priced, PAIR, run_id="again").commits == 0
    with pytest.raises(SelectionError, match="at least one ticker"):
        compute_indicators(priced, (), run_id="run")


def test_ours_agree_with_alpha_vantages_and_one_that_parts_is_named(priced: Services) -> None:
    compute_indicators(priced, PAIR, run_id="run")
    assert compare_with_alpha_vantage(priced).compared == 0, "nothing was audited yet"
    assert run(priced, select("core_alphavantage__technical_indicators", PAIR)).is_complete
    agreement = compare_with_alpha_vantage(priced)
    assert agreement.compared > 2_000
    assert agreement.tickers == 2
    assert agreement.parted.num_rows == 0
    rows = priced.tables.read(FETCHED).sort_by([("ts_date", "descending"), ("indicator", "ascending")]).slice(0, 1)
    wrong = rows.set_column(
        rows.schema.get_field_index("value"), rows.schema.field("value"), pc.add(rows["value"], 0.5)
    )
    priced.tables.write(FETCHED, pa.table(wrong.columns, schema=rows.schema))
    (parted,) = compare_with_alpha_vantage(priced).parted.to_pylist()
    assert parted["difference"] == pytest.approx(0.5, abs=0.01)
    assert parted["ticker"] in PAIR
