"""Alpha Vantage's indicators as emulated, against formulas of another hand and against recorded ones."""

from __future__ import annotations

import csv
import datetime as dt
import io
import itertools
import statistics

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salescience_pipeline.fiction import indicators
from salescience_pipeline.sandbox import app
from salescience_pipeline_tests.test_sandbox.calls import DAILY, alphavantage_json
from salescience_pipeline_tests.test_sandbox.serving import LAST, WORLD
from salescience_pipeline_tests.test_sandbox.witness import corpus


def line(body: dict, function: str, name: str) -> pd.Series:
    """One line of an indicator by day, oldest first."""
    rows = body[f"Technical Analysis: {function}"]
    return pd.Series({day: float(values[name]) for day, values in reversed(rows.items())})


# -- indicators against another hand -----------------------------------------------------------------------------------


def test_sma_and_bands_are_those_of_the_adjusted_closes(sandbox, adjusted):
    assert (adjusted.diff().abs() > 0).any()
    body = alphavantage_json(sandbox, "SMA", symbol="CALDQ", time_period="20", **DAILY)
    expected = adjusted.rolling(20).mean().dropna()
    pd.testing.assert_series_equal(line(body, "SMA", "SMA"), expected, atol=6e-5, rtol=0)
    bands = alphavantage_json(sandbox, "BBANDS", symbol="CALDQ", time_period="20", nbdevup="3", nbdevdn="1", **DAILY)
    spread = adjusted.rolling(20).std(ddof=0).dropna()
    pd.testing.assert_series_equal(line(bands, "BBANDS", "Real Upper Band"), expected + 3 * spread, atol=6e-5, rtol=0)
    pd.testing.assert_series_equal(line(bands, "BBANDS", "Real Lower Band"), expected - spread, atol=6e-5, rtol=0)


def test_ema_and_macd_are_seeded_with_a_simple_average(sandbox, adjusted):
    def ema(values: pd.Series, n: int) -> pd.Series:
        seeded = pd.concat([pd.Series({values.index[n - 1]: values.iloc[:n].mean()}), values.iloc[n:]])
        return seeded.ewm(span=n, adjust=False).mean()

    body = alphavantage_json(sandbox, "EMA", symbol="CALDQ", time_period="10", **DAILY)
    pd.testing.assert_series_equal(line(body, "EMA", "EMA"), ema(adjusted, 10), atol=6e-5, rtol=0)
    body = alphavantage_json(sandbox, "MACD", symbol="CALDQ", **DAILY)
    difference = (ema(adjusted.iloc[14:], 12) - ema(adjusted, 26)).dropna()
    signal = ema(difference, 9)
    assert len(signal) == len(adjusted) - 33
    pd.testing.assert_series_equal(line(body, "MACD", "MACD_Signal"), signal, atol=6e-5, rtol=0)
    pd.testing.assert_series_equal(line(body, "MACD", "MACD"), difference[signal.index], atol=6e-5, rtol=0)
    pd.testing.assert_series_equal(
        line(body, "MACD", "MACD_Hist"), difference[signal.index] - signal, atol=6e-5, rtol=0
    )


def test_rsi_is_wilders(sandbox, adjusted):
    changes = adjusted.diff().dropna()

    def wilder(values: pd.Series) -> pd.Series:
        seeded = pd.concat([pd.Series({values.index[13]: values.iloc[:14].mean()}), values.iloc[14:]])
        return seeded.ewm(alpha=1 / 14, adjust=False).mean()

    gain, loss = wilder(changes.clip(lower=0)), wilder((-changes).clip(lower=0))
    body = alphavantage_json(sandbox, "RSI", symbol="CALDQ", time_period="14", **DAILY)
    pd.testing.assert_series_equal(line(body, "RSI", "RSI"), 100 - 100 / (1 + gain / loss), atol=6e-5, rtol=0)


@pytest.mark.parametrize(("interval", "rule"), [("weekly", "W-FRI"), ("monthly", "ME")])
def test_weeks_and_months_are_dated_with_their_last_session(sandbox, adjusted, interval, rule):
    dated = pd.Series(adjusted.to_numpy(), index=pd.to_datetime(adjusted.index))
    closes = dated.groupby(pd.Grouper(freq=rule)).last()
    lasts = pd.Series(adjusted.index, index=dated.index).groupby(pd.Grouper(freq=rule)).last()
    body = alphavantage_json(sandbox, "SMA", symbol="CALDQ", interval=interval, time_period="3", series_type="close")
    ours = line(body, "SMA", "SMA")
    assert list(ours.index) == list(lasts)[2:]
    assert ours.index[-1] == LAST
    np.testing.assert_allclose(ours.to_numpy(), closes.rolling(3).mean().dropna().to_numpy(), atol=6e-5, rtol=0)


def test_bands_around_other_averages(sandbox, adjusted):
    body = alphavantage_json(sandbox, "BBANDS", symbol="CALDQ", time_period="5", matype="2", **DAILY)
    weights = np.arange(1, 6)
    expected = adjusted.rolling(5).apply(lambda w: float(np.dot(w, weights) / weights.sum()), raw=True).dropna()
    pd.testing.assert_series_equal(line(body, "BBANDS", "Real Middle Band"), expected, atol=6e-5, rtol=0)


@given(
    st.lists(st.floats(0.01, 1e4, allow_nan=False), min_size=1, max_size=80),
    st.integers(1, 30),
    st.integers(1, 10),
)
@settings(max_examples=60, deadline=None)
def test_every_line_is_as_long_as_its_values(values, n, signal):
    lines = [
        indicators.sma(values, n),
        indicators.ema(values, n),
        indicators.wma(values, n),
        indicators.rsi(values, n),
        *indicators.macd(values, n, n + 3, signal),
        *indicators.bbands(values, n, 2, 2),
    ]
    assert {len(made) for made in lines} == {len(values)}
    for made in lines:
        known = [value is not None for value in made]
        assert known == sorted(known), "a line warms up once"
    assert all(-1e-9 <= value <= 100 + 1e-9 for value in lines[3] if value is not None)


# -- indicators against recorded answers -------------------------------------------------------------------------------


def recorded_line(name: str, column: str) -> list[tuple[str, float]]:
    """A recorded table of one indicator, oldest first; without recordings one that the sandbox makes."""
    folder = corpus()
    if folder is not None:
        text = next((folder / "providers/alphavantage").glob(f"{name}_*.csv")).read_text()
        rows = list(csv.DictReader(io.StringIO(text)))
    else:
        source = app.Sandbox(WORLD)
        source.load(["alphavantage"])
        from salescience_pipeline.sandbox.alphavantage_source import FictionalSource

        params = {"symbol": "CALDQ", "interval": "weekly", "time_period": "10", "series_type": "open"}
        if name == "MACD":
            params["interval"] = "daily"
        table = FictionalSource(source).table(name, params)
        rows = [{"time": day, **values} for day, values in table.rows]
    return [(row["time"], float(row[column])) for row in reversed(rows)]


@pytest.mark.corpus
def test_the_recorded_averages_and_rsi_follow_from_one_another_by_our_formulas():
    """From the recorded EMA the prices can be had back, and from these the recorded SMA and RSI."""
    ema, sma, rsi = (recorded_line(name, name) for name in ("EMA", "SMA", "RSI"))
    assert ema[0] == sma[0], "the first value of both is the mean of the first ten prices"
    days = [day for day, _ in ema[1:]]
    prices = [before + (now - before) * 11 / 2 for (_, before), (_, now) in itertools.pairwise(ema)]
    ours = dict(zip(days, indicators.sma(prices, 10), strict=True))
    worst = max(abs(ours[day] - value) for day, value in sma[10:])
    assert worst < 6e-4
    strength = dict(zip(days, indicators.rsi(prices, 10), strict=True))
    # The seed is ours, because the first ten prices are not known; it has no weight left after 200 weeks.
    assert max(abs(strength[day] - value) for day, value in rsi[200:]) < 0.05
    assert rsi[0][0] == ema[1][0], "the first strength needs one price more than the first average"


@pytest.mark.corpus
def test_the_recorded_macd_has_our_signal_line():
    line, signal, histogram = (recorded_line("MACD", name) for name in ("MACD", "MACD_Signal", "MACD_Hist"))
    for (_, a), (_, b), (_, c) in zip(line, signal, histogram, strict=True):
        assert a - b == pytest.approx(c, abs=1.1e-4)
    for (before, now), (_, value) in zip(itertools.pairwise(signal), line[1:], strict=True):
        assert before[1] + (value - before[1]) * 0.2 == pytest.approx(now[1], abs=1.5e-4)


@pytest.mark.corpus
def test_the_recorded_bands_are_of_adjusted_closes_and_of_the_population():
    """The width of a band in parts of its middle does not depend on the adjustment, the middle does."""
    folder = corpus()
    if folder is not None:
        index = folder / "providers/alphavantage"
        bands = list(csv.DictReader(next(index.glob("BBANDS_*.csv")).read_text().splitlines()))
        daily = list(csv.DictReader(next(index.glob("TIME_SERIES_DAILY_*.csv")).read_text().splitlines()))
        free_of_dividends = {"2026-03-20", "2026-03-27", "2026-04-02", "2026-04-10", "2026-04-17", "2026-04-24"}
    else:
        bars = WORLD.bars("CALDQ", dt.date(2026, 7, 20), dt.date(2026, 10, 2))
        daily = [{"timestamp": bar.date.isoformat(), "close": str(bar.close)} for bar in reversed(bars)]
        source = app.Sandbox(WORLD)
        from salescience_pipeline.sandbox.alphavantage_source import FictionalSource

        params = {"symbol": "CALDQ", "interval": "weekly", "time_period": "5", "series_type": "close", "nbdevup": "3"}
        table = FictionalSource(source).table("BBANDS", params)
        bands = [{"time": day, **values} for day, values in table.rows]
        free_of_dividends = {"2026-09-04", "2026-09-11", "2026-09-18", "2026-09-25", "2026-10-02"}
    weeks: dict[tuple, tuple[str, float]] = {}
    for row in reversed(daily):
        day = dt.date.fromisoformat(row["timestamp"])
        weeks[day.isocalendar()[:2]] = (row["timestamp"], float(row["close"]))
    closes = list(weeks.values())
    known = {row["time"]: row for row in bands}
    checked = set()
    for i in range(4, len(closes)):
        day = closes[i][0]
        if day not in free_of_dividends:
            continue
        window = [close for _, close in closes[i - 4 : i + 1]]
        middle, upper = float(known[day]["Real Middle Band"]), float(known[day]["Real Upper Band"])
        mean = statistics.fmean(window)
        assert upper / middle == pytest.approx(1 + 3 * statistics.pstdev(window) / mean, abs=2e-6)
        assert middle < mean, "a later dividend lowers adjusted prices below raw ones"
        checked.add(day)
    assert checked == free_of_dividends
