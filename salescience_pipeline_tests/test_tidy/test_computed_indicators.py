"""Computed indicators: held to plain formulas, and to recorded answers of Alpha Vantage within their rounding."""

from __future__ import annotations

import csv
import datetime as dt
import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from salescience_pipeline.catalog.indicators import COMPUTED, Indicator
from salescience_pipeline.catalog.tables import TABLES
from salescience_pipeline.tidy.computed_indicators import COMPUTED_TABLE, NEEDED_COLUMNS, computed_indicators, lines_of
from salescience_pipeline_tests.test_tidy.samples import corpus

DAYS = 320
MOMENT = dt.datetime(2026, 6, 12, 22, tzinfo=dt.UTC)


def _bars(count: int = DAYS) -> dict[str, np.ndarray]:
    steps = np.arange(count)
    close = 100 + 10 * np.sin(steps / 9) + 3 * np.cos(steps / 2.3) + steps / 40
    return {"high": close + 1.5, "low": close - 1.25, "close": close, "volume": 1_000.0 + 10 * (steps % 37)}


def _prices(ticker: str, bars: dict[str, np.ndarray]) -> pa.Table:
    count = len(bars["close"])
    first = dt.date(2025, 1, 1)
    return pa.table(
        {
            "ticker": [ticker] * count,
            "trade_date": [first + dt.timedelta(days=day) for day in range(count)],
            **{f"adj_{name}": values for name, values in bars.items()},
            "fetched_at": pa.array([MOMENT] * count, pa.timestamp("us", tz="UTC")),
            "raw_sha256": ["0" * 64] * count,
            "organization_id": pa.nulls(count, pa.string()),
        }
    ).select(list(NEEDED_COLUMNS))


def _ema(values: Sequence[float], n: int) -> list[float]:
    made = [math.nan] * (n - 1) + [sum(values[:n]) / n]
    for value in values[n:]:
        made.append(made[-1] + 2 / (n + 1) * (value - made[-1]))
    return made


def _wilder(values: Sequence[float], n: int) -> list[float]:
    level = sum(values[:n]) / n
    made = [level]
    for value in values[n:]:
        level = (level * (n - 1) + value) / n
        made.append(level)
    return made


def _same(made: np.ndarray, expected: Sequence[float]) -> None:
    assert len(made) == len(expected)
    np.testing.assert_allclose(made, np.array(expected), rtol=1e-9, atol=1e-9, equal_nan=True)


def test_moving_averages_and_bands() -> None:
    bars = _bars()
    close = list(bars["close"])
    mean = [math.nan] * 19 + [sum(close[i - 19 : i + 1]) / 20 for i in range(19, DAYS)]
    _same(lines_of(COMPUTED["SMA"], bars)["SMA"], mean)
    _same(lines_of(COMPUTED["EMA"], bars)["EMA"], _ema(close, 20))
    spread = [math.nan] * 19 + [float(np.std(close[i - 19 : i + 1])) for i in range(19, DAYS)]
    bands = lines_of(COMPUTED["BBANDS"], bars)
    np.testing.assert_allclose(
        bands["Real Upper Band"][19:],
        [middle + 2 * wide for middle, wide in zip(mean, spread, strict=True)][19:],
        rtol=1e-7,
    )
    np.testing.assert_allclose(
        bands["Real Lower Band"][19:],
        [middle - 2 * wide for middle, wide in zip(mean, spread, strict=True)][19:],
        rtol=1e-7,
    )


def test_wilders_averages() -> None:
    bars = _bars()
    changes = [after - before for before, after in pairwise(bars["close"])]
    gains = _wilder([max(change, 0) for change in changes], 14)
    losses = _wilder([max(-change, 0) for change in changes], 14)
    expected = [100 * up / (up + down) for up, down in zip(gains, losses, strict=True)]
    _same(lines_of(COMPUTED["RSI"], bars)["RSI"], [math.nan] * 14 + expected)
    ranges = [
        max(bars["high"][i], bars["close"][i - 1]) - min(bars["low"][i], bars["close"][i - 1]) for i in range(1, DAYS)
    ]
    _same(lines_of(COMPUTED["ATR"], bars)["ATR"], [math.nan] * 14 + _wilder(ranges, 14))


def test_macd_is_the_difference_of_two_averages_and_their_own() -> None:
    bars = _bars()
    close = list(bars["close"])
    lines = lines_of(COMPUTED["MACD"], bars)
    late = slice(300, DAYS)  # where each has forgotten how it was begun
    difference = np.array(_ema(close, 12)) - np.array(_ema(close, 26))
    np.testing.assert_allclose(lines["MACD"][late], difference[late], atol=1e-6)
    np.testing.assert_allclose(lines["MACD_Hist"][late], (lines["MACD"] - lines["MACD_Signal"])[late], atol=1e-12)
    assert np.flatnonzero(np.isfinite(lines["MACD"]))[0] == 26 + 9 - 2


def test_volume_counts() -> None:
    bars = _bars(40)
    volume, close = bars["volume"], bars["close"]
    total = [volume[0]]
    for i in range(1, 40):
        total.append(
            total[-1] + (volume[i] if close[i] > close[i - 1] else -volume[i] if close[i] < close[i - 1] else 0)
        )
    _same(lines_of(COMPUTED["OBV"], bars)["OBV"], total)
    typical = (bars["high"] + bars["low"] + close) / 3
    made = lines_of(COMPUTED["VWAP"], bars)["VWAP"]
    assert made[25] == pytest.approx(np.average(typical[6:26], weights=volume[6:26]))
    assert np.isnan(made[:19]).all()


def test_days_without_volume_have_no_average_price() -> None:
    bars = _bars(30) | {"volume": np.zeros(30)}
    assert np.isnan(lines_of(COMPUTED["VWAP"], bars)["VWAP"]).all()


def test_rows_follow_the_catalogue_and_carry_their_prices_provenance() -> None:
    rows = computed_indicators(pa.concat_tables([_prices("BBB", _bars()), _prices("AAA", _bars(60))]), run_id="run")
    assert rows.schema.equals(TABLES[COMPUTED_TABLE].schema)
    assert set(rows["source"].to_pylist()) == {"computed"}
    assert set(rows["raw_sha256"].to_pylist()) == {"0" * 64}
    first = {}
    for name in COMPUTED:
        own = rows.filter(pc.and_(pc.equal(rows["ticker"], "AAA"), pc.equal(rows["indicator"], name)))
        first[name] = (min(own["ts_date"].to_pylist()) - dt.date(2025, 1, 1)).days
    assert first == {"SMA": 19, "EMA": 19, "RSI": 14, "MACD": 33, "BBANDS": 19, "ATR": 14, "OBV": 0, "VWAP": 19}
    alone = computed_indicators(_prices("AAA", _bars(60)), run_id="run")
    assert rows.filter(pc.equal(rows["ticker"], "AAA")).equals(alone), "one ticker never leaks into another"


def test_what_is_no_whole_bar_is_left_out_and_nothing_is_no_error() -> None:
    prices = _prices("AAA", _bars(60))
    holes = prices.set_column(
        3, "adj_low", pc.if_else(pa.array([day == 10 for day in range(60)]), None, prices["adj_low"])
    )
    rows = computed_indicators(holes, run_id="run")
    assert dt.date(2025, 1, 11) not in rows["ts_date"].to_pylist()
    assert computed_indicators(prices.slice(0, 0), run_id="run").num_rows == 0
    short = computed_indicators(prices.slice(0, 1), run_id="run")
    assert set(short["indicator"].to_pylist()) <= {"OBV"}


# -- recorded answers ---------------------------------------------------------------------------------------------------
def _recordings() -> Path | None:
    folder = corpus()
    return folder / "providers" / "alphavantage" if folder is not None else None


def _recorded(folder: Path, name: str, column: str) -> dict[str, float]:
    (found,) = folder.glob(f"{name}_*.csv")
    with found.open() as lines:
        return {row["time"]: float(row[column]) for row in list(csv.DictReader(lines))[::-1]}


@pytest.mark.corpus
def test_recorded_answers_follow_from_one_series_of_prices() -> None:
    """Prices are won back from a recorded EMA; what is recorded of SMA and RSI must follow from them.

    Without the recording the same is asked of our own series.
    """
    folder = _recordings()
    n = 10
    if folder is None:
        values = [round(value, 4) for value in lines_of(_with_period("EMA", n), _bars(600))["EMA"][n - 1 :]]
        averages = {str(day): value for day, value in enumerate(values, n - 1)}
        means = {str(day): round(v, 4) for day, v in enumerate(lines_of(_with_period("SMA", n), _bars(600))["SMA"])}
        strengths = {str(day): round(v, 4) for day, v in enumerate(lines_of(_with_period("RSI", n), _bars(600))["RSI"])}
    else:
        averages, means, strengths = (_recorded(folder, name, name) for name in ("EMA", "SMA", "RSI"))
    k = 2 / (n + 1)
    known = list(averages.items())
    prices = {day: (after - (1 - k) * before) / k for (_, before), (day, after) in pairwise(known)}
    days, series = list(prices), np.array(list(prices.values()))
    bars = dict.fromkeys(("high", "low", "close", "volume"), series)
    ours_mean, ours_strength = (lines_of(_with_period(name, n), bars)[name] for name in ("SMA", "RSI"))
    # Our own series moves less from day to day, so that the rounding of what it is won back from weighs more.
    within, compared = 6e-3 if folder is not None else 2e-2, 0
    for place, day in enumerate(days):
        if place >= n - 1:
            # Four decimals of the recording, ten times smaller after the mean of ten.
            assert ours_mean[place] == pytest.approx(means[day], abs=2e-4), day
        if place >= 250:
            assert ours_strength[place] == pytest.approx(strengths[day], abs=within), day
            compared += 1
    assert compared > 300


@pytest.mark.corpus
def test_a_recorded_signal_is_the_average_of_its_macd() -> None:
    folder = _recordings()
    if folder is None:
        lines = {name: values[33:] for name, values in lines_of(COMPUTED["MACD"], _bars(600)).items()}
    else:
        lines = {name: np.array(list(_recorded(folder, "MACD", name).values())) for name in COMPUTED["MACD"].series}
    bars = dict.fromkeys(("high", "low", "close", "volume"), lines["MACD"])
    signal = lines_of(_with_period("EMA", 9), bars)["EMA"]
    np.testing.assert_allclose(signal[100:], lines["MACD_Signal"][100:], atol=2e-4)
    np.testing.assert_allclose(lines["MACD"] - lines["MACD_Signal"], lines["MACD_Hist"], atol=2e-4)


def _with_period(name: str, period: int) -> Indicator:
    return Indicator(name, (("time_period", str(period)),), (name,))
