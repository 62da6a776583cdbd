"""Alpha Vantage as emulated: indicators against formulas of another hand and recorded ones, errors with status 200."""

from __future__ import annotations

import csv
import datetime as dt
import io
import itertools
import json
import statistics

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salescience_pipeline.sandbox import app, indicators
from salescience_pipeline.sandbox.world import World
from salescience_pipeline_tests.test_sandbox import news_lookalikes as lookalikes
from salescience_pipeline_tests.test_sandbox.serving import LAST, TODAY, Served, running
from salescience_pipeline_tests.test_sandbox.witness import corpus, differences, recorded

WORLD = World(7, 12, dt.date.fromisoformat(TODAY))
_DAY = dt.date.fromisoformat(TODAY)
DAILY = {"interval": "daily", "series_type": "close"}
SERVES = ("--providers", "alphavantage,finnhub,tiingo")


def ask(served: Served, function: str, key: str = "any", **params):
    response = served.get("/alphavantage/query", params={"function": function, "apikey": key, **params})
    assert response.status_code == 200, response.text
    return response


def get(served: Served, function: str, key: str = "any", **params):
    response = ask(served, function, key, **params)
    assert response.headers["content-type"].startswith("application/json")
    return response.json()


def theirs(path: str, lookalike):
    """The recorded body, or our look-alike where nothing is recorded."""
    found = recorded(path)
    return lookalike if found is None else found["body"]


def line(body: dict, function: str, name: str) -> pd.Series:
    """One line of an indicator by day, oldest first."""
    rows = body[f"Technical Analysis: {function}"]
    return pd.Series({day: float(values[name]) for day, values in reversed(rows.items())})


@pytest.fixture(scope="module")
def adjusted(server: Served) -> pd.Series:
    """Adjusted closes of one company by day, from the other provider of prices."""
    rows = server.get(
        "/tiingo/tiingo/daily/CALDQ/prices?startDate=2015-01-01", headers={"Authorization": "Token x"}
    ).json()
    return pd.Series({row["date"][:10]: row["adjClose"] for row in rows})


# -- indicators against another hand ----------------------------------------------------------------------------------


def test_sma_and_bands_are_those_of_the_adjusted_closes(sandbox, adjusted):
    assert (adjusted.diff().abs() > 0).any()
    body = get(sandbox, "SMA", symbol="CALDQ", time_period="20", **DAILY)
    expected = adjusted.rolling(20).mean().dropna()
    pd.testing.assert_series_equal(line(body, "SMA", "SMA"), expected, atol=6e-5, rtol=0)
    bands = get(sandbox, "BBANDS", symbol="CALDQ", time_period="20", nbdevup="3", nbdevdn="1", **DAILY)
    spread = adjusted.rolling(20).std(ddof=0).dropna()
    pd.testing.assert_series_equal(line(bands, "BBANDS", "Real Upper Band"), expected + 3 * spread, atol=6e-5, rtol=0)
    pd.testing.assert_series_equal(line(bands, "BBANDS", "Real Lower Band"), expected - spread, atol=6e-5, rtol=0)


def test_ema_and_macd_are_seeded_with_a_simple_average(sandbox, adjusted):
    def ema(values: pd.Series, n: int) -> pd.Series:
        seeded = pd.concat([pd.Series({values.index[n - 1]: values.iloc[:n].mean()}), values.iloc[n:]])
        return seeded.ewm(span=n, adjust=False).mean()

    body = get(sandbox, "EMA", symbol="CALDQ", time_period="10", **DAILY)
    pd.testing.assert_series_equal(line(body, "EMA", "EMA"), ema(adjusted, 10), atol=6e-5, rtol=0)
    body = get(sandbox, "MACD", symbol="CALDQ", **DAILY)
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
    body = get(sandbox, "RSI", symbol="CALDQ", time_period="14", **DAILY)
    pd.testing.assert_series_equal(line(body, "RSI", "RSI"), 100 - 100 / (1 + gain / loss), atol=6e-5, rtol=0)


@pytest.mark.parametrize(("interval", "rule"), [("weekly", "W-FRI"), ("monthly", "ME")])
def test_weeks_and_months_are_dated_with_their_last_session(sandbox, adjusted, interval, rule):
    dated = pd.Series(adjusted.to_numpy(), index=pd.to_datetime(adjusted.index))
    closes = dated.groupby(pd.Grouper(freq=rule)).last()
    lasts = pd.Series(adjusted.index, index=dated.index).groupby(pd.Grouper(freq=rule)).last()
    body = get(sandbox, "SMA", symbol="CALDQ", interval=interval, time_period="3", series_type="close")
    ours = line(body, "SMA", "SMA")
    assert list(ours.index) == list(lasts)[2:]
    assert ours.index[-1] == LAST
    np.testing.assert_allclose(ours.to_numpy(), closes.rolling(3).mean().dropna().to_numpy(), atol=6e-5, rtol=0)


def test_bands_around_other_averages(sandbox, adjusted):
    body = get(sandbox, "BBANDS", symbol="CALDQ", time_period="5", matype="2", **DAILY)
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


# -- indicators against recorded answers ------------------------------------------------------------------------------


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


# -- prices -----------------------------------------------------------------------------------------------------------


@pytest.mark.corpus
def test_daily_prices_are_raw_a_hundred_rows_and_texts(sandbox):
    body = get(sandbox, "TIME_SERIES_DAILY", symbol="BRNWD-B")
    shape = theirs("samples/alphavantage/time_series_daily_shape.json", lookalikes.AV_DAILY)
    assert body["Meta Data"] | {"2. Symbol": "", "3. Last Refreshed": ""} == shape["Meta Data"] | {
        "1. Information": body["Meta Data"]["1. Information"],
        "2. Symbol": "",
        "3. Last Refreshed": "",
    }
    rows = body["Time Series (Daily)"]
    (theirs_row, *_) = shape["Time Series (Daily)"].values()
    bars = WORLD.bars("BRNWD.B", dt.date(2026, 1, 1), _DAY)[-100:]
    assert list(rows) == [bar.date.isoformat() for bar in reversed(bars)]
    for bar in bars:
        row = rows[bar.date.isoformat()]
        assert list(row) == list(theirs_row)
        assert row["4. close"] == f"{bar.close:.4f}"
        assert row["5. volume"] == str(bar.volume)
    assert get(sandbox, "TIME_SERIES_DAILY", symbol="BRNWD.B")["Time Series (Daily)"] == rows


@pytest.mark.corpus
def test_csv_has_the_recorded_header(sandbox):
    folder = corpus()
    for function, params, known in (
        ("TIME_SERIES_DAILY", {}, "timestamp,open,high,low,close,volume"),
        ("SMA", {"time_period": "10", **DAILY}, "time,SMA"),
        ("EMA", {"time_period": "10", **DAILY}, "time,EMA"),
        ("RSI", {"time_period": "10", **DAILY}, "time,RSI"),
        ("MACD", DAILY, "time,MACD,MACD_Hist,MACD_Signal"),
        ("BBANDS", {"time_period": "5", **DAILY}, "time,Real Lower Band,Real Middle Band,Real Upper Band"),
    ):
        found = [] if folder is None else list((folder / "providers/alphavantage").glob(f"{function}_*.csv"))
        header = found[0].read_text().splitlines()[0] if found else known
        response = ask(sandbox, function, symbol="CALDQ", datatype="csv", **params)
        assert response.headers["content-type"] == "application/x-download"
        assert response.text.splitlines()[0] == header
        body = get(sandbox, function, symbol="CALDQ", **params)
        (rows,) = (value for name, value in body.items() if name != "Meta Data")
        read = list(csv.reader(io.StringIO(response.text)))[1:]
        assert [row[0] for row in read] == list(rows)
        assert sorted(read[0][1:]) == sorted(next(iter(rows.values())).values())


def test_premium_keys_have_full_and_adjusted_series(sandbox, adjusted):
    body = get(sandbox, "TIME_SERIES_DAILY_ADJUSTED", "premium-1", symbol="CALDQ", outputsize="full")
    rows = body["Time Series (Daily)"]
    assert body["Meta Data"]["4. Output Size"] == "Full size"
    assert list(next(iter(rows.values()))) == [
        "1. open",
        "2. high",
        "3. low",
        "4. close",
        "5. adjusted close",
        "6. volume",
        "7. dividend amount",
        "8. split coefficient",
    ]
    ours = pd.Series({day: float(row["5. adjusted close"]) for day, row in reversed(rows.items())})
    pd.testing.assert_series_equal(ours, adjusted, atol=6e-5, rtol=0)
    paid = {day: float(row["7. dividend amount"]) for day, row in rows.items() if row["7. dividend amount"] != "0.0000"}
    assert paid == pytest.approx({day.isoformat(): cash for day, cash in WORLD.dividends("CALDQ").items()})


# -- shapes -----------------------------------------------------------------------------------------------------------


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("function", "params", "recording", "lookalike"),
    [
        ("SMA", {"time_period": "10"}, "samples/alphavantage/mock_technical_indicator.json", lookalikes.AV_SMA),
        ("MACD", {}, "providers/alphavantage/macd_short.json", lookalikes.AV_MACD),
        ("BBANDS", {"time_period": "20"}, "samples/alphavantage/bbands_shape.json", lookalikes.AV_BBANDS),
    ],
)
def test_indicators_have_the_recorded_shape(sandbox, function, params, recording, lookalike):
    body = get(sandbox, function, symbol="CALDQ", **params, **DAILY)
    expected = theirs(recording, lookalike)
    assert differences(body["Meta Data"], expected["Meta Data"]) == []
    assert list(body["Meta Data"]) == list(expected["Meta Data"])
    assert body["Meta Data"]["3: Last Refreshed"] == LAST
    name = f"Technical Analysis: {function}"
    (ours, *_), (other, *_) = body[name].values(), expected[name].values()
    assert differences(ours, other) == []
    assert all(len(value.partition(".")[2]) == 4 for value in ours.values())
    days = list(body[name])
    assert days == sorted(days, reverse=True)


@pytest.mark.corpus
def test_the_overview_is_flat_and_all_text(sandbox):
    for ticker in ("CALDQ", "BRNWD.B", "TORVA", "ALDRN"):
        body = get(sandbox, "OVERVIEW", symbol=ticker)
        assert differences(body, theirs("providers/alphavantage/OVERVIEW_b1e86153.json", lookalikes.AV_OVERVIEW)) == []
        assert all(isinstance(value, str) for value in body.values())
        assert "None" in body.values()
        assert "-" in body.values()
    other = sandbox.get("/finnhub/stock/metric?symbol=CALDQ&metric=all", headers={"X-Finnhub-Token": "x"}).json()[
        "metric"
    ]
    body = get(sandbox, "OVERVIEW", symbol="CALDQ")
    assert float(body["EPS"]) == pytest.approx(other["epsTTM"], abs=0.006)
    assert float(body["ProfitMargin"]) == pytest.approx(other["netProfitMarginTTM"] / 100, abs=1e-4)
    assert float(body["MarketCapitalization"]) == pytest.approx(other["marketCapitalization"] * 1e6, rel=1e-6)


@pytest.mark.corpus
def test_earnings_are_texts_and_agree_with_the_other_provider(sandbox):
    body = get(sandbox, "EARNINGS", symbol="CALDQ")
    expected = theirs("samples/alphavantage/earnings_AAPL_shortened.json", lookalikes.AV_EARNINGS)
    assert differences(body, expected) == []
    rows = body["quarterlyEarnings"]
    assert all(isinstance(value, str) for row in rows for value in row.values())
    assert rows[-1]["estimatedEPS"] == "None"
    assert {row["reportTime"] for row in rows} <= {"pre-market", "post-market"}
    other = sandbox.get("/finnhub/stock/earnings?symbol=CALDQ", headers={"X-Finnhub-Token": "x"}).json()
    assert [(row["fiscalDateEnding"], float(row["reportedEPS"])) for row in rows] == [
        (row["period"], row["actual"]) for row in other
    ]
    for year in body["annualEarnings"][:3]:
        quarters = [
            r
            for r in rows
            if dt.date(int(year["fiscalDateEnding"][:4]) - 1, 10, 1).isoformat()
            <= r["fiscalDateEnding"]
            <= year["fiscalDateEnding"]
        ]
        assert len(quarters) == 4
        assert float(year["reportedEPS"]) == pytest.approx(sum(float(r["reportedEPS"]) for r in quarters), abs=0.04)


@pytest.mark.parametrize("function", ["OVERVIEW", "EARNINGS"])
@pytest.mark.parametrize("symbol", ["NOPE", "FIXLG", "OAKMR", ""])
def test_what_is_not_covered_is_an_empty_object(sandbox, function, symbol):
    assert get(sandbox, function, symbol=symbol) == {}


# -- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("key", "function", "params", "recording", "name"),
    [
        ("", "TIME_SERIES_DAILY", {"symbol": "CALDQ"}, "error_200_bad_key.json", "Error Message"),
        ("wrong-1", "OVERVIEW", {"symbol": "CALDQ"}, "error_200_bad_key.json", "Error Message"),
        ("any", "TIME_SERIES_DAILY", {"symbol": "NOPE"}, "error_200_bad_call.json", "Error Message"),
        (
            "any",
            "TIME_SERIES_DAILY",
            {"symbol": "CALDQ", "outputsize": "full"},
            "info_200_outputsize_full.json",
            "Information",
        ),
        ("any", "TIME_SERIES_DAILY_ADJUSTED", {"symbol": "CALDQ"}, "info_200_premium_endpoint.json", "Information"),
    ],
)
def test_every_business_error_is_a_200_in_the_known_words(sandbox, key, function, params, recording, name):
    body = get(sandbox, function, key, **params)
    assert list(body) == [name]
    assert body == theirs(f"samples/alphavantage/{recording}", body)
    assert key not in body[name] or not key or key == "any"


@pytest.mark.corpus
def test_the_cap_of_the_day_repeats_the_key_and_the_burst_does_not(sandbox):
    sandbox.http.post("/_sandbox/limits", json={"alphavantage": "real"})
    body = get(sandbox, "OVERVIEW", "MYKEY123", symbol="CALDQ")
    assert body["Symbol"] == "CALDQ"
    burst = get(sandbox, "OVERVIEW", "MYKEY123", symbol="CALDQ")
    assert burst == theirs("samples/alphavantage/info_200_burst.json", burst)
    assert "1 request per second" in burst["Information"]
    for _ in range(24):
        sandbox.http.post("/_sandbox/clock", json={"advance": 1.01})
        assert "Symbol" in get(sandbox, "OVERVIEW", "MYKEY123", symbol="CALDQ")
    sandbox.http.post("/_sandbox/clock", json={"advance": 2})
    cap = get(sandbox, "OVERVIEW", "MYKEY123", symbol="CALDQ")
    assert "MYKEY123" in cap["Information"]
    known = theirs("samples/alphavantage/info_200_daily_cap.json", cap)["Information"]
    assert cap["Information"].replace("MYKEY123", "REDACTED") == known.replace("MYKEY123", "REDACTED")
    assert "Symbol" in get(sandbox, "OVERVIEW", "OTHER", symbol="CALDQ"), "another key has a day of its own"


@pytest.mark.corpus
def test_the_old_throttle_is_a_note_and_a_fault_repeats_the_key_too(sandbox):
    sandbox.fault(provider="alphavantage", kind="limit", params={"window": "minute"}, times=1)
    body = get(sandbox, "OVERVIEW", symbol="CALDQ")
    assert body == theirs("samples/alphavantage/note_200_legacy_rate.json", body)
    assert list(body) == ["Note"]
    sandbox.fault(provider="alphavantage", kind="limit", params={"window": "day"}, times=1)
    assert "MYKEY" in get(sandbox, "OVERVIEW", "MYKEY", symbol="CALDQ")["Information"]


def test_keys_and_plans_have_their_switches(sandbox):
    assert "demo" in get(sandbox, "OVERVIEW", "demo", symbol="CALDQ")["Information"]
    sandbox.http.post(
        "/_sandbox/switches", json={"alphavantage": {"macd_premium": True, "bad_key_as_information": True}}
    )
    assert "premium endpoint" in get(sandbox, "MACD", symbol="CALDQ", **DAILY)["Information"]
    assert "apikey is invalid" in get(sandbox, "OVERVIEW", "wrong", symbol="CALDQ")["Information"]
    assert "Technical Analysis: MACD" in get(sandbox, "MACD", "premium-1", symbol="CALDQ", **DAILY)


@pytest.mark.parametrize(
    ("function", "params"),
    [
        ("SMA", {**DAILY}),
        ("SMA", {"time_period": "0", **DAILY}),
        ("SMA", {"time_period": "x", **DAILY}),
        ("SMA", {"time_period": "10", "interval": "hourly", "series_type": "close"}),
        ("SMA", {"time_period": "10", "interval": "5min", "series_type": "close"}),
        ("SMA", {"time_period": "10", "interval": "daily", "series_type": "middle"}),
        ("SMA", {"time_period": "10", "symbol": "NOPE", **DAILY}),
        ("SMA", {"time_period": "10", "symbol": "", **DAILY}),
        ("MACD", {"fastperiod": "26", "slowperiod": "12", **DAILY}),
        ("BBANDS", {"time_period": "10", "nbdevup": "many", **DAILY}),
        ("BBANDS", {"time_period": "10", "matype": "8", **DAILY}),
        ("TIME_SERIES_DAILY", {"outputsize": "huge"}),
    ],
)
def test_a_call_that_makes_no_sense_names_its_function(sandbox, function, params):
    body = get(sandbox, function, **({"symbol": "CALDQ"} | params))
    assert list(body) == ["Error Message"]
    assert body["Error Message"].endswith(f"for {function}.")


def test_an_unknown_function_and_an_unknown_path(sandbox):
    assert get(sandbox, "WEATHER", symbol="CALDQ") == {"Error Message": "This API function (WEATHER) does not exist."}
    assert sandbox.get("/alphavantage/elsewhere").status_code == 404


def test_a_history_shorter_than_its_period_has_no_rows(sandbox):
    body = get(sandbox, "SMA", symbol="CALDQ", time_period="9000", **DAILY)
    assert body["Technical Analysis: SMA"] == {}


# -- the corpus world -------------------------------------------------------------------------------------------------


@pytest.mark.corpus
def test_in_the_corpus_world_only_recorded_calls_have_answers(tmp_path):
    """On a machine without the recordings the folder holds one look-alike."""
    folder = corpus()
    if folder is None:
        folder, made = tmp_path, tmp_path / "providers/alphavantage"
        made.mkdir(parents=True)
        query = "function=SMA&symbol=IBM&interval=weekly&time_period=10&series_type=open&apikey=demo"
        entry = {"path": "x/SMA_1.csv", "url": f"https://www.alphavantage.co/query?{query}"}
        (made / "examples_index.json").write_text(json.dumps([entry]))
        (made / "SMA_1.csv").write_text("time,SMA\n2026-05-15,239.8966\n2026-05-08,240.4285\n")
    recordings = list(
        csv.DictReader(next((folder / "providers/alphavantage").glob("SMA_*.csv")).read_text().splitlines())
    )
    call = {"symbol": "IBM", "interval": "weekly", "time_period": "10", "series_type": "open"}
    with running("--corpus", str(folder), "--providers", "alphavantage") as served:
        rows = get(served, "SMA", **call)["Technical Analysis: SMA"]
        assert [(day, row["SMA"]) for day, row in rows.items()] == [(row["time"], row["SMA"]) for row in recordings]
        text = ask(served, "SMA", datatype="csv", **call).text
        assert list(csv.DictReader(io.StringIO(text))) == recordings
        assert list(get(served, "SMA", **(call | {"time_period": "20"}))) == ["Error Message"]
        assert get(served, "OVERVIEW", symbol="CALDQ") == get(served, "EARNINGS", symbol="IBM") == {}
