"""The quality checks: good data finds nothing, and each fault that is put in is found and named."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from salescience_pipeline.acquisition import quality
from salescience_pipeline.acquisition.drift import FIELDS, content_of
from salescience_pipeline.acquisition.sandbox_process import Sandbox
from salescience_pipeline.acquisition.services import Services
from salescience_pipeline.lake.tables import Slice, Where
from salescience_pipeline.orchestration.quality_checks import CHECKS
from salescience_pipeline_tests.test_acquisition.runs import NEWEST, PLAIN, TIINGO, TIINGO_HISTORY, run, select

TICKER = str(PLAIN[0])


@pytest.fixture
def stored(services: Services) -> Services:
    """Two histories from two sources."""
    services.ledger.watchlist.add("entire_watchlist", [str(ticker) for ticker in PLAIN])
    for dataset in (TIINGO_HISTORY, "core_yahoo__eod_prices"):
        assert run(services, select(dataset, PLAIN)).is_complete
    return services


def _change(services: Services, day: dt.date, **values: float) -> None:
    """Write other values into one stored price."""
    rows = services.tables.read(
        TIINGO, Where(values={"ticker": [TICKER]}, date_column="trade_date", first=day, last=day)
    )
    for name, value in values.items():
        place = rows.schema.get_field_index(name)
        rows = rows.set_column(place, rows.schema.field(name), pa.array([value], rows.schema.field(name).type))
    services.tables.write(TIINGO, rows)


def test_checks_and_the_assets_that_show_them_are_the_same() -> None:
    assert [check.name for check in quality.CHECKS] == list(CHECKS)


def test_good_data_finds_nothing(stored: Services) -> None:
    assert {name: len(found) for name, found in quality.run_checks(stored, run_id="run").items()} == dict.fromkeys(
        CHECKS, 0
    )
    assert stored.tables.row_count(quality.FINDINGS) == 0


def test_nothing_stored_finds_nothing(services: Services) -> None:
    assert not any(quality.run_checks(services, run_id="run").values())


def test_a_wrong_close_is_found_by_the_second_source_and_goes_when_it_is_right(stored: Services) -> None:
    day = dt.date(2026, 6, 10)
    rows = stored.tables.read(TIINGO, Where(values={"ticker": [TICKER]}, date_column="trade_date", first=day, last=day))
    close = rows["close"][0].as_py()
    _change(stored, day, close=close * 1.006)
    (finding,) = quality.run_checks(stored, run_id="run")[quality.CROSS_CHECK]
    assert (finding.subject, finding.on_date, finding.detail) == (TICKER, day, "close")
    (row,) = stored.tables.read(quality.FINDINGS).to_pylist()
    assert row["sentence"].startswith("Tiingo closes at ")
    assert row["observed"] == pytest.approx(close * 1.006)
    _change(stored, day, close=close * 1.004)
    assert quality.cross_check(stored) == [], "below half a percent"
    quality.run_checks(stored, run_id="again")
    assert stored.tables.row_count(quality.FINDINGS) == 0


def test_a_wild_return_is_an_outlier_of_its_own_ticker(stored: Services) -> None:
    day = dt.date(2026, 6, 10)
    rows = stored.tables.read(TIINGO, Where(values={"ticker": [TICKER]}, date_column="trade_date", first=day, last=day))
    _change(stored, day, adj_close=rows["adj_close"][0].as_py() * 1.9)
    found = quality.outliers(stored)
    assert {(one.subject, one.on_date) for one in found} == {(TICKER, day), (TICKER, dt.date(2026, 6, 11))}
    assert quality.cross_check(stored)[0].detail == "return"


def test_a_month_without_prices_is_one_gap(stored: Services) -> None:
    """As a suspension leaves it, or a ticker that two companies had."""
    first, last = dt.date(2025, 3, 3), dt.date(2025, 4, 30)
    rows = stored.tables.read(TIINGO, Where(values={"ticker": [TICKER]}))
    outside = pc.invert(pc.and_(pc.greater_equal(rows["trade_date"], first), pc.less_equal(rows["trade_date"], last)))
    stored.tables.write(TIINGO, rows.filter(outside), Slice(values={"ticker": [TICKER]}))
    (gap,) = quality.gaps(stored)
    assert (gap.subject, gap.on_date, gap.observed) == (TICKER, last, 42.0)
    assert gap.sentence.startswith("There is no price from 2025-03-03 to 2025-04-30, 42 trading days")


def test_a_missing_day_is_a_gap_and_a_missing_end_is_stale(stored: Services) -> None:
    rows = stored.tables.read(TIINGO)
    day = dt.date(2026, 6, 9)
    own, days = pc.equal(rows["ticker"], TICKER), rows["trade_date"]
    kept = rows.filter(pc.invert(pc.and_(own, pc.or_(pc.equal(days, day), pc.equal(days, NEWEST)))))
    stored.tables.write(TIINGO, kept, quality.Slice())
    assert [(one.subject, one.on_date) for one in quality.gaps(stored)] == [(TICKER, day)]
    (late,) = quality.stale(stored)
    assert late.subject == TICKER
    assert "the last trading day was 2026-06-12" in late.sentence


@pytest.mark.parametrize(
    ("kind", "body", "content"),
    [
        ("application/json; charset=utf-8", b'[{"a": 1}]', [{"a": 1}]),
        ("text/csv", b"time,SMA\n2026-06-12,1.5\n2026-06-11,\n", [
            {"time": "2026-06-12", "SMA": 1.5}, {"time": "2026-06-11", "SMA": None},
        ]),
        ("text/plain", b"Form Type   Company Name   File Name\n" + b"-" * 60 + b"\n4   X CORP   edgar/data/1/2.txt\n", [
            {"Form Type": "", "Company Name": "", "File Name": ""},
        ]),
        ("text/plain", b"CIK|Company Name|Form Type\n" + b"-" * 60 + b"\n1|X CORP|4\n", [
            {"CIK": "", "Company Name": "", "Form Type": ""},
        ]),
        ("application/json", b"{", None),
        ("text/plain", b"Too Many Requests", None),
    ],
)  # fmt: skip
def test_bodies_of_every_kind_have_fields(kind: str, body: bytes, content: object) -> None:
    assert content_of(kind, body) == content


def test_the_header_of_edgar_s_index_is_known(services: Services) -> None:
    run(services, select("core_sec__company_tickers", ()))
    assert run(services, select("core_sec__filings_daily", PLAIN, (NEWEST,))).sent
    assert quality.drifted(services) == []
    rows = services.tables.read(FIELDS).to_pylist()
    assert {"Form Type", "File Name"} <= {row["field"].rpartition(" > ")[2] for row in rows if row["provider"] == "sec"}


def test_a_field_that_drifts_names_itself(services: Services, sandbox: Sandbox) -> None:
    def look(number: int) -> dict[str, str]:
        assert run(services, select("core_finnhub__company_profiles", PLAIN, force=True), f"run{number}").sent
        return {one.detail: one.sentence for one in quality.drifted(services)}

    assert look(1) == {}, "the first look has nothing to compare with"
    assert services.tables.row_count(FIELDS) > 5
    assert look(2) == {}
    change = {
        "kind": "renamed_field",
        "provider": "finnhub",
        "endpoint": "*",
        "field": "finnhubIndustry",
        "value": "trade",
    }
    sandbox.post("/_sandbox/world", {"events": [change]})
    found = look(3)
    assert "no longer sends the field finnhubIndustry" in found["finnhubIndustry"]
    assert "sends a new field trade" in found["trade"]
    assert look(4) == {}, "what it has become is what it is held against"
