"""The corpus world's prices: what was recorded comes back as it was, and nothing else exists.

Runs on the recorded answers when SALESCIENCE_CORPUS names them, and always on a folder of look-alikes of our own.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest

from salescience_pipeline.sandbox.tiingo_source import RecordedSource as RecordedTiingo
from salescience_pipeline.sandbox.yahoo_chart import ChartError
from salescience_pipeline.sandbox.yahoo_recorded import RecordedSource as RecordedYahoo
from salescience_pipeline_tests.test_sandbox import lookalikes
from salescience_pipeline_tests.test_sandbox.serving import PRICE_PROVIDERS, TOKEN, running
from salescience_pipeline_tests.test_sandbox.witness import corpus

DAY = 86_400
FIRST = 1_600_000_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two overlapping chart files, one wrapped with its request, a module, a quote, and Tiingo rows."""

    def chart(days: range) -> dict:
        body = json.loads(json.dumps(lookalikes.CHART_WITH_SPLIT))
        result = body["chart"]["result"][0]
        result["meta"] |= {"symbol": "XXXX", "firstTradeDate": FIRST}
        result["timestamp"] = [FIRST + day * DAY for day in days]
        for column in result["indicators"]["quote"][0]:
            result["indicators"]["quote"][0][column] = [float(day) for day in days]
        result["indicators"]["adjclose"][0]["adjclose"] = [float(day) for day in days]
        at = FIRST + 2 * DAY
        result["events"]["splits"] = {str(at): {"date": at, "numerator": 4, "denominator": 1, "splitRatio": "4:1"}}
        return body

    files = {
        "samples/yahoo/chart-XXXX-one.json": chart(range(3)),
        "providers/yahoo/chart-XXXX-two.json": {"response": {"status": 200, "bodyJson": chart(range(2, 5))}},
        "providers/yahoo/chart-made-up.fake.json": {"response": {"bodyJson": chart(range(90, 99))}},
        "samples/yahoo/quoteSummary-assetProfile-XXXX.json": {
            "quoteSummary": {"result": [{"assetProfile": lookalikes.PROFILE}], "error": None}
        },
        "samples/yahoo/quote-XXXX.json": {"quoteResponse": {"result": [{"symbol": "XXXX"}], "error": None}},
        "providers/tiingo/YYYY_prices_2018.json": lookalikes.TIINGO_PRICES,
        "providers/tiingo/YYYY_meta.json": {**lookalikes.TIINGO_META, "ticker": "YYYY"},
    }
    for name, body in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(body))
    return tmp_path


def stamps(body: dict) -> list[int]:
    return body["chart"]["result"][0].get("timestamp", [])


def test_recordings_of_one_symbol_are_one_series(folder):
    source = RecordedYahoo(folder)
    body = source.chart("xxxx", {"range": "max", "events": "div,splits"})
    assert stamps(body) == [FIRST + day * DAY for day in range(5)]
    assert len(body["chart"]["result"][0]["events"]["splits"]) == 1
    window = {"period1": str(FIRST + DAY), "period2": str(FIRST + 2 * DAY)}
    inside = source.chart("XXXX", window)["chart"]["result"][0]
    assert inside["timestamp"] == [FIRST + DAY]
    assert inside["indicators"]["quote"][0]["close"] == [1.0]
    assert "events" not in inside


def test_what_was_not_recorded_does_not_exist(folder):
    source = RecordedYahoo(folder)
    with pytest.raises(ChartError, match="may be delisted"):
        source.chart("ALDRN", {})
    with pytest.raises(ChartError, match="Data doesn't exist"):
        source.chart("XXXX", {"period1": "1", "period2": "2"})
    with pytest.raises(ChartError, match="only interval=1d"):
        source.chart("XXXX", {"interval": "1h"})
    assert stamps(source.chart("XXXX", {"period1": str(FIRST + 50 * DAY), "period2": str(FIRST + 51 * DAY)})) == []
    assert source.modules("ALDRN", ["assetProfile"]) is None
    assert list(source.modules("XXXX", ["assetProfile", "price"])) == ["assetProfile"]
    assert source.quotes(["xxxx", "ALDRN"]) == [{"symbol": "XXXX"}]


def test_recorded_tiingo_rows_come_back(folder):
    source = RecordedTiingo(folder)
    (row,) = source.rows("yyyy", None, None)
    assert row["date"].isoformat() == "2018-01-05"
    assert source.rows("YYYY", row["date"].replace(year=2019), None) == []
    assert source.meta("YYYY")["ticker"] == "YYYY"
    assert source.meta("ALDRN") is None
    assert [row["ticker"] for row in source.everyone()] == ["YYYY"]
    with zipfile.ZipFile(io.BytesIO(source.listing().body)) as archive:
        assert archive.namelist() == ["supported_tickers.csv"]


def test_the_corpus_world_marks_its_answers_and_serves_no_fiction(folder):
    with running(*PRICE_PROVIDERS, "--corpus", str(folder)) as served:
        chart = served.get("/yahoo/v8/finance/chart/XXXX?range=max")
        assert chart.headers["x-sandbox"] == "corpus"
        assert len(stamps(chart.json())) == 5
        assert served.get("/yahoo/v8/finance/chart/ALDRN").status_code == 404
        assert served.get("/tiingo/tiingo/daily/ALDRN/prices", headers=TOKEN).status_code == 404
        assert len(served.get("/tiingo/tiingo/daily/YYYY/prices?startDate=2018-01-01", headers=TOKEN).json()) == 1
        bulk = served.get("/tiingo/tiingo/daily/prices", headers=TOKEN).json()
        assert [row["ticker"] for row in bulk] == ["YYYY"]
        world = served.get("/_sandbox/world").json()
        assert world["world"] == "corpus"
        assert world["indices"] == []
        assert not {"ALDRN"} & {company["ticker"] for company in world["companies"]}


@pytest.mark.corpus
def test_every_recorded_daily_bar_comes_back(folder):
    """Count in equals count out, over the recorded folder or over the look-alikes."""
    root = corpus() or folder
    source = RecordedYahoo(root)
    checked = 0
    for part in ("samples/yahoo", "providers/yahoo"):
        for path in sorted((root / part).glob("*chart-*.json")):
            if ".fake." in path.name or path.name.endswith(".headers.json"):
                continue
            value = json.loads(path.read_text())
            body = value["response"]["bodyJson"] if "response" in value else value
            result = body["chart"]["result"][0]
            if result["meta"]["dataGranularity"] != "1d" or "timestamp" not in result:
                continue
            at = result["timestamp"]
            window = {"period1": str(at[0]), "period2": str(at[-1] + 1), "events": "div,split"}
            again = source.chart(result["meta"]["symbol"], window)["chart"]["result"][0]
            assert set(at) <= set(again["timestamp"])
            assert set(result.get("events", {})) <= set(again.get("events", {}))
            checked += len(at)
    assert checked >= 6
