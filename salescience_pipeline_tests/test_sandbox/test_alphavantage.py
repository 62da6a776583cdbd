"""Alpha Vantage as emulated: prices, shapes, the recorded world, and errors with status 200."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json

import pandas as pd
import pytest

from salescience_pipeline_tests.test_sandbox import news_lookalikes as lookalikes
from salescience_pipeline_tests.test_sandbox.calls import DAILY, alphavantage, alphavantage_json
from salescience_pipeline_tests.test_sandbox.serving import DAY, LAST, WORLD, running
from salescience_pipeline_tests.test_sandbox.witness import corpus, differences, recorded_or

# -- prices ------------------------------------------------------------------------------------------------------------


@pytest.mark.corpus
def test_daily_prices_are_raw_a_hundred_rows_and_texts(sandbox):
    body = alphavantage_json(sandbox, "TIME_SERIES_DAILY", symbol="BRNWD-B")
    shape = recorded_or("samples/alphavantage/time_series_daily_shape.json", lookalikes.AV_DAILY)
    assert body["Meta Data"] | {"2. Symbol": "", "3. Last Refreshed": ""} == shape["Meta Data"] | {
        "1. Information": body["Meta Data"]["1. Information"],
        "2. Symbol": "",
        "3. Last Refreshed": "",
    }
    rows = body["Time Series (Daily)"]
    (theirs_row, *_) = shape["Time Series (Daily)"].values()
    bars = WORLD.bars("BRNWD.B", dt.date(2026, 1, 1), DAY)[-100:]
    assert list(rows) == [bar.date.isoformat() for bar in reversed(bars)]
    for bar in bars:
        row = rows[bar.date.isoformat()]
        assert list(row) == list(theirs_row)
        assert row["4. close"] == f"{bar.close:.4f}"
        assert row["5. volume"] == str(bar.volume)
    assert alphavantage_json(sandbox, "TIME_SERIES_DAILY", symbol="BRNWD.B")["Time Series (Daily)"] == rows


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
        response = alphavantage(sandbox, function, symbol="CALDQ", datatype="csv", **params)
        assert response.headers["content-type"] == "application/x-download"
        assert response.text.splitlines()[0] == header
        body = alphavantage_json(sandbox, function, symbol="CALDQ", **params)
        (rows,) = (value for name, value in body.items() if name != "Meta Data")
        read = list(csv.reader(io.StringIO(response.text)))[1:]
        assert [row[0] for row in read] == list(rows)
        assert sorted(read[0][1:]) == sorted(next(iter(rows.values())).values())


def test_premium_keys_have_full_and_adjusted_series(sandbox, adjusted):
    body = alphavantage_json(sandbox, "TIME_SERIES_DAILY_ADJUSTED", "premium-1", symbol="CALDQ", outputsize="full")
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


# -- shapes ------------------------------------------------------------------------------------------------------------


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
    body = alphavantage_json(sandbox, function, symbol="CALDQ", **params, **DAILY)
    expected = recorded_or(recording, lookalike)
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
        body = alphavantage_json(sandbox, "OVERVIEW", symbol=ticker)
        assert (
            differences(body, recorded_or("providers/alphavantage/OVERVIEW_b1e86153.json", lookalikes.AV_OVERVIEW))
            == []
        )
        assert all(isinstance(value, str) for value in body.values())
        assert "None" in body.values()
        assert "-" in body.values()
    other = sandbox.get("/finnhub/stock/metric?symbol=CALDQ&metric=all", headers={"X-Finnhub-Token": "x"}).json()[
        "metric"
    ]
    body = alphavantage_json(sandbox, "OVERVIEW", symbol="CALDQ")
    assert float(body["EPS"]) == pytest.approx(other["epsTTM"], abs=0.006)
    assert float(body["ProfitMargin"]) == pytest.approx(other["netProfitMarginTTM"] / 100, abs=1e-4)
    assert float(body["MarketCapitalization"]) == pytest.approx(other["marketCapitalization"] * 1e6, rel=1e-6)


@pytest.mark.corpus
def test_earnings_are_texts_and_agree_with_the_other_provider(sandbox):
    body = alphavantage_json(sandbox, "EARNINGS", symbol="CALDQ")
    expected = recorded_or("samples/alphavantage/earnings_AAPL_shortened.json", lookalikes.AV_EARNINGS)
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
    assert alphavantage_json(sandbox, function, symbol=symbol) == {}


# -- errors ------------------------------------------------------------------------------------------------------------


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
    body = alphavantage_json(sandbox, function, key, **params)
    assert list(body) == [name]
    assert body == recorded_or(f"samples/alphavantage/{recording}", body)
    assert key not in body[name] or not key or key == "any"


@pytest.mark.corpus
def test_the_cap_of_the_day_repeats_the_key_and_the_burst_does_not(sandbox):
    sandbox.http.post("/_sandbox/limits", json={"alphavantage": "real"})
    body = alphavantage_json(sandbox, "OVERVIEW", "MYKEY123", symbol="CALDQ")
    assert body["Symbol"] == "CALDQ"
    burst = alphavantage_json(sandbox, "OVERVIEW", "MYKEY123", symbol="CALDQ")
    assert burst == recorded_or("samples/alphavantage/info_200_burst.json", burst)
    assert "1 request per second" in burst["Information"]
    for _ in range(24):
        sandbox.http.post("/_sandbox/clock", json={"advance": 1.01})
        assert "Symbol" in alphavantage_json(sandbox, "OVERVIEW", "MYKEY123", symbol="CALDQ")
    sandbox.http.post("/_sandbox/clock", json={"advance": 2})
    cap = alphavantage_json(sandbox, "OVERVIEW", "MYKEY123", symbol="CALDQ")
    assert "MYKEY123" in cap["Information"]
    known = recorded_or("samples/alphavantage/info_200_daily_cap.json", cap)["Information"]
    assert cap["Information"].replace("MYKEY123", "REDACTED") == known.replace("MYKEY123", "REDACTED")
    assert "Symbol" in alphavantage_json(sandbox, "OVERVIEW", "OTHER", symbol="CALDQ"), (
        "another key has a day of its own"
    )


@pytest.mark.corpus
def test_the_old_throttle_is_a_note_and_a_fault_repeats_the_key_too(sandbox):
    sandbox.fault(provider="alphavantage", kind="limit", params={"window": "minute"}, times=1)
    body = alphavantage_json(sandbox, "OVERVIEW", symbol="CALDQ")
    assert body == recorded_or("samples/alphavantage/note_200_legacy_rate.json", body)
    assert list(body) == ["Note"]
    sandbox.fault(provider="alphavantage", kind="limit", params={"window": "day"}, times=1)
    assert "MYKEY" in alphavantage_json(sandbox, "OVERVIEW", "MYKEY", symbol="CALDQ")["Information"]


def test_keys_and_plans_have_their_switches(sandbox):
    assert "demo" in alphavantage_json(sandbox, "OVERVIEW", "demo", symbol="CALDQ")["Information"]
    sandbox.http.post(
        "/_sandbox/switches", json={"alphavantage": {"macd_premium": True, "bad_key_as_information": True}}
    )
    assert "premium endpoint" in alphavantage_json(sandbox, "MACD", symbol="CALDQ", **DAILY)["Information"]
    assert "apikey is invalid" in alphavantage_json(sandbox, "OVERVIEW", "wrong", symbol="CALDQ")["Information"]
    assert "Technical Analysis: MACD" in alphavantage_json(sandbox, "MACD", "premium-1", symbol="CALDQ", **DAILY)


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
    body = alphavantage_json(sandbox, function, **({"symbol": "CALDQ"} | params))
    assert list(body) == ["Error Message"]
    assert body["Error Message"].endswith(f"for {function}.")


def test_an_unknown_function_and_an_unknown_path(sandbox):
    assert alphavantage_json(sandbox, "WEATHER", symbol="CALDQ") == {
        "Error Message": "This API function (WEATHER) does not exist."
    }
    assert sandbox.get("/alphavantage/elsewhere").status_code == 404


def test_a_history_shorter_than_its_period_has_no_rows(sandbox):
    body = alphavantage_json(sandbox, "SMA", symbol="CALDQ", time_period="9000", **DAILY)
    assert body["Technical Analysis: SMA"] == {}


# -- the corpus world --------------------------------------------------------------------------------------------------


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
        rows = alphavantage_json(served, "SMA", **call)["Technical Analysis: SMA"]
        assert [(day, row["SMA"]) for day, row in rows.items()] == [(row["time"], row["SMA"]) for row in recordings]
        text = alphavantage(served, "SMA", datatype="csv", **call).text
        assert list(csv.DictReader(io.StringIO(text))) == recordings
        assert list(alphavantage_json(served, "SMA", **(call | {"time_period": "20"}))) == ["Error Message"]
        assert (
            alphavantage_json(served, "OVERVIEW", symbol="CALDQ")
            == alphavantage_json(served, "EARNINGS", symbol="IBM")
            == {}
        )
