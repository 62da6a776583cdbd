"""Polygon as emulated: bars, reference lists, refusals, the recorded world."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from salescience_pipeline.fiction import nyse
from salescience_pipeline.sandbox import app
from salescience_pipeline_tests.test_sandbox import news_lookalikes as lookalikes
from salescience_pipeline_tests.test_sandbox.calls import POLYGON, POLYGON_NEWS, pages_of_polygon
from salescience_pipeline_tests.test_sandbox.serving import DAY, LAST, TODAY, WORLD, running
from salescience_pipeline_tests.test_sandbox.witness import corpus, differences, recorded_or

# -- bars --------------------------------------------------------------------------------------------------------------


@pytest.mark.corpus
def test_the_grouped_answer_has_everybodys_bar_stamped_with_the_close(sandbox):
    body = POLYGON.get(sandbox, f"/v2/aggs/grouped/locale/us/market/stocks/{LAST}")
    sample = "samples/polygon/v2__aggs__grouped__locale__us__market__stocks__2005-04-04_q_adjusted=true.json"
    assert differences(body, recorded_or(sample, lookalikes.POLYGON_GROUPED)) == []
    rows = {row["T"]: row for row in body["results"]}
    assert set(rows) == {c.ticker for c in WORLD.all if WORLD.delisted(c) is None}
    day = dt.date.fromisoformat(LAST)
    for ticker, row in rows.items():
        (bar,) = WORLD.bars(ticker, day, day)
        assert (row["o"], row["h"], row["l"], row["c"], row["v"]) == (
            bar.open,
            bar.high,
            bar.low,
            bar.close,
            bar.volume,
        )
        assert bar.low <= row["vw"] <= bar.high
        assert dt.datetime.fromtimestamp(row["t"] / 1000, dt.UTC).isoformat() == f"{LAST}T21:00:00+00:00"


@pytest.mark.parametrize("day", ["2026-11-15", "2026-01-01", TODAY, "2027-03-01"])
def test_a_day_without_bars_is_an_empty_answer(sandbox, day):
    body = POLYGON.get(sandbox, f"/v2/aggs/grouped/locale/us/market/stocks/{day}")
    assert body["resultsCount"] == 0
    assert "results" not in body


@pytest.mark.corpus
def test_range_bars_are_stamped_with_midnight_and_divided_by_splits(sandbox):
    path = "/v2/aggs/ticker/ALDRN/range/1/day/2020-08-27/2020-09-02"
    body = POLYGON.get(sandbox, path)
    assert differences(body, recorded_or("providers/polygon/aggs_AAPL_2005.json", lookalikes.POLYGON_BARS)) == []
    bars = WORLD.bars("ALDRN", dt.date(2020, 8, 27), dt.date(2020, 9, 2))
    assert [dt.datetime.fromtimestamp(row["t"] / 1000, dt.UTC).isoformat() for row in body["results"]] == [
        f"{bar.date}T04:00:00+00:00" for bar in bars
    ]
    for row, bar in zip(body["results"], bars, strict=True):
        shares = 4 if bar.date < dt.date(2020, 8, 31) else 1
        assert row["c"] == pytest.approx(bar.close / shares, abs=1e-4)
        assert row["v"] == bar.volume * shares
    raw = POLYGON.get(sandbox, path, adjusted="false")
    assert [row["c"] for row in raw["results"]] == [bar.close for bar in bars]
    assert POLYGON.get(sandbox, path, sort="desc", limit=2)["results"] == body["results"][::-1][:2]
    assert POLYGON.get(sandbox, "/v2/aggs/ticker/NOPE/range/1/day/2020-08-27/2020-09-02")["resultsCount"] == 0
    before = POLYGON.get(sandbox, "/v2/aggs/ticker/ALDRN/prev")["results"]
    assert [row["T"] for row in before] == ["ALDRN"]
    assert before[0]["c"] == WORLD.close_on("ALDRN", dt.date.fromisoformat(LAST))


def test_the_two_providers_of_prices_agree(sandbox):
    rows = POLYGON.get(sandbox, "/v2/aggs/ticker/CALDQ/range/1/day/2026-10-01/2026-11-19", adjusted="false")["results"]
    other = sandbox.get(
        "/tiingo/tiingo/daily/CALDQ/prices?startDate=2026-10-01&endDate=2026-11-19",
        headers={"Authorization": "Token x"},
    ).json()
    assert [(row["c"], row["v"]) for row in rows] == [(row["close"], row["volume"]) for row in other]


# -- reference ---------------------------------------------------------------------------------------------------------


@pytest.mark.corpus
def test_tickers_are_listed_in_pages_and_by_filters(sandbox):
    body = POLYGON.get(sandbox, "/v3/reference/tickers", limit=2)
    assert (
        differences(body, recorded_or("samples/polygon/v3__reference__tickers.json", lookalikes.POLYGON_TICKERS)) == []
    )
    rows, asked = pages_of_polygon(sandbox, "/v3/reference/tickers", limit=4)
    listed = sorted(c.ticker for c in WORLD.all if WORLD.delisted(c) is None)
    assert [row["ticker"] for row in rows] == listed
    assert asked == -(-len(listed) // 4)
    gone = POLYGON.get(sandbox, "/v3/reference/tickers", active="false")["results"]
    assert [(row["ticker"], row["delisted_utc"][:10]) for row in gone] == [("OAKMR", "2024-02-17")]
    then = POLYGON.get(sandbox, "/v3/reference/tickers", date="2024-01-02")["results"]
    assert "OAKMR" in {row["ticker"] for row in then}
    funds = POLYGON.get(sandbox, "/v3/reference/tickers", type="ETF")["results"]
    assert {row["ticker"] for row in funds} == set(WORLD.indices)
    assert [row["ticker"] for row in POLYGON.get(sandbox, "/v3/reference/tickers", cik="9900003")["results"]] == [
        "CALDQ"
    ]
    assert [
        row["ticker"] for row in POLYGON.get(sandbox, "/v3/reference/tickers", search="brambleworth")["results"]
    ] == ["BRNWD.B"]


@pytest.mark.corpus
def test_a_ticker_in_detail(sandbox):
    body = POLYGON.get(sandbox, "/v3/reference/tickers/CALDQ")
    assert differences(body, recorded_or("providers/polygon/ticker_AAPL.json", lookalikes.POLYGON_TICKER)) == []
    assert body["results"]["cik"] == "0009900003"
    unknown = recorded_or(
        "samples/polygon/error_404_not_found.json",
        {"status": "NOT_FOUND", "request_id": "x", "message": "Ticker not found."},
    )
    for nobody in ("NOPE", "caldq", "OAKMR"):
        refused = POLYGON.ask(sandbox, f"/v3/reference/tickers/{nobody}")
        assert refused.status_code == 404
        assert refused.json() | {"request_id": ""} == unknown | {"request_id": ""}


@pytest.mark.corpus
def test_splits_and_dividends_are_those_of_the_bars(sandbox):
    body = POLYGON.get(sandbox, "/v3/reference/splits")
    assert differences(body, recorded_or("providers/polygon/splits.json", lookalikes.POLYGON_SPLITS)) == []
    known = {(row["ticker"], row["execution_date"]): (row["split_from"], row["split_to"]) for row in body["results"]}
    assert known == {("ALDRN", "2020-08-31"): (1, 4), ("KESTL", "2023-03-06"): (10, 1)}
    day = {"kind": "split", "ticker": "LYRWD", "date": LAST, "value": 1.5}
    sandbox.http.post("/_sandbox/world", json={"events": [day]})
    today = POLYGON.get(sandbox, "/v3/reference/splits", execution_date=LAST)["results"]
    assert today == [{"execution_date": LAST, "split_from": 2, "split_to": 3, "ticker": "LYRWD"}]
    paid, _ = pages_of_polygon(sandbox, "/v3/reference/dividends", ticker="CALDQ", limit=7, order="asc")
    assert {row["ex_dividend_date"]: row["cash_amount"] for row in paid} == {
        day.isoformat(): cash for day, cash in WORLD.dividends("CALDQ").items()
    }
    recent = POLYGON.get(sandbox, "/v3/reference/dividends", **{"ex_dividend_date.gte": "2026-10-01"})["results"]
    assert {row["ticker"] for row in recent} == {
        c.ticker for c in WORLD.all if any(day >= dt.date(2026, 10, 1) for day in WORLD.dividends(c.ticker))
    }


@pytest.mark.corpus
def test_the_coming_closures_are_those_of_the_exchange(sandbox):
    rows = POLYGON.get(sandbox, "/v1/marketstatus/upcoming")
    sample = recorded_or("samples/polygon/v1__marketstatus__upcoming.json", lookalikes.POLYGON_UPCOMING)
    assert differences(rows, sample, may_add=frozenset({"open", "close"})) == []
    closed = {row["date"] for row in rows if row["status"] == "closed" and row["exchange"] == "NYSE"}
    expected = nyse.holidays(2026) | nyse.holidays(2027)
    assert closed == {day.isoformat() for day in expected if DAY <= day < DAY + dt.timedelta(days=365)}
    (short, *_) = [row for row in rows if row["status"] == "early-close"]
    assert (short["date"], short["open"], short["close"]) == (
        "2026-11-27",
        "2026-11-27T14:30:00.000Z",
        "2026-11-27T18:00:00.000Z",
    )


# -- refusals ----------------------------------------------------------------------------------------------------------


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("path", "headers", "status", "recording", "lookalike"),
    [
        (POLYGON_NEWS, {}, 401, "error_401_no_key.json", {"status": "ERROR", "error": "API Key was not provided"}),
        (
            POLYGON_NEWS,
            {"Authorization": "Bearer wrong-1"},
            401,
            "error_401_unknown_key.json",
            {"status": "ERROR", "error": "Unknown API Key"},
        ),
    ],
)
def test_refusals_of_keys_are_the_known_ones(sandbox, path, headers, status, recording, lookalike):
    response = sandbox.get(f"/polygon{path}", headers=headers)
    assert response.status_code == status
    expected = recorded_or(f"samples/polygon/{recording}", lookalike)
    assert response.json() | {"request_id": ""} == expected | {"request_id": ""}


def test_a_key_may_stand_in_the_query_and_never_in_the_answer(sandbox):
    response = sandbox.get(f"/polygon{POLYGON_NEWS}?apiKey=secret-1")
    assert response.status_code == 200
    assert "secret-1" not in response.text


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/v3/trades/CALDQ", "any"),
        ("/v2/snapshot/locale/us/markets/stocks/tickers", "any"),
        ("/v2/aggs/ticker/CALDQ/range/5/minute/2026-11-18/2026-11-19", "any"),
        ("/v2/aggs/ticker/CALDQ/range/1/day/2020-01-01/2026-11-19", "free-1"),
        ("/v2/aggs/grouped/locale/us/market/stocks/2020-01-02", "free-1"),
    ],
)
def test_what_a_plan_does_not_hold_is_403_with_a_message(sandbox, path, key):
    response = sandbox.get(f"/polygon{path}", headers={"Authorization": f"Bearer {key}"})
    assert response.status_code == 403
    assert response.json()["status"] == "NOT_AUTHORIZED"
    assert "upgrade your plan" in response.json()["message"]


@pytest.mark.corpus
def test_five_in_a_minute_and_a_refusal_that_may_be_empty(sandbox):
    sandbox.http.post("/_sandbox/limits", json={"polygon": "real"})
    codes = [POLYGON.ask(sandbox, POLYGON_NEWS, limit=1).status_code for _ in range(6)]
    assert codes == [200] * 5 + [429]
    refused = POLYGON.ask(sandbox, POLYGON_NEWS, limit=1)
    assert "retry-after" not in refused.headers
    expected = recorded_or("samples/polygon/error_429.json", {"status": "ERROR", "request_id": "x", "error": "x"})
    assert differences(refused.json(), expected) == []
    assert refused.json()["error"].startswith("You've exceeded the maximum requests per minute")
    sandbox.http.post("/_sandbox/switches", json={"polygon": {"empty_429": True}})
    empty = POLYGON.ask(sandbox, POLYGON_NEWS, limit=1)
    assert (empty.status_code, empty.content) == (429, b"")
    sandbox.http.post("/_sandbox/clock", json={"advance": 61})
    assert POLYGON.ask(sandbox, POLYGON_NEWS, limit=1).status_code == 200


def test_delayed_is_another_word_for_ok(sandbox):
    sandbox.http.post("/_sandbox/switches", json={"polygon": {"delayed": True}})
    body = POLYGON.get(sandbox, POLYGON_NEWS)
    assert body["status"] == "DELAYED"
    assert body["count"] == 10


def test_an_unknown_path_is_404(sandbox):
    assert POLYGON.ask(sandbox, "/v9/weather").status_code == 404


# -- the corpus world --------------------------------------------------------------------------------------------------


@pytest.mark.corpus
def test_in_the_corpus_world_only_recordings_are_served(tmp_path):
    """On a machine without the recordings the folder holds one look-alike of each."""
    folder = corpus()
    if folder is None:
        folder, made = tmp_path, tmp_path / "providers/polygon"
        made.mkdir(parents=True)
        (article,) = lookalikes.POLYGON_NEWS["results"]
        rows = [
            {**article, "id": str(k), "published_utc": f"2025-09-23T14:3{k}:00Z", "tickers": ["AAPL"]} for k in (1, 2)
        ]
        (made / "news_AAPL_page1.json").write_text(json.dumps({"results": rows}))
        bar = {**lookalikes.POLYGON_BARS["results"][0], "t": 1_112_331_600_000}
        (made / "aggs_AAPL_2005.json").write_text(json.dumps({"ticker": "AAPL", "results": [bar]}))
    sandbox = app.Sandbox(WORLD, kind="corpus", corpus=folder)
    sandbox.load(["polygon"])
    with running("--corpus", str(folder), "--providers", "polygon") as served:
        rows, asked = pages_of_polygon(served, POLYGON_NEWS, ticker="AAPL", limit=1)
        assert len(rows) == asked == 2
        assert all("AAPL" in row["tickers"] for row in rows)
        assert POLYGON.get(served, POLYGON_NEWS, ticker="CALDQ")["results"] == []
        bars = POLYGON.get(served, "/v2/aggs/ticker/AAPL/range/1/day/2005-04-01/2005-04-01")
        assert [row["t"] for row in bars["results"]] == [1_112_331_600_000]
        assert POLYGON.ask(served, "/v3/reference/tickers/CALDQ").status_code == 404
