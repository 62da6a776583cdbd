"""Polygon as emulated: news with filters and cursors, bars, reference lists, refusals, recorded shapes."""

from __future__ import annotations

import base64
import datetime as dt
import json
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from salescience_pipeline.sandbox import app, nyse
from salescience_pipeline.sandbox.polygon_query import BadQuery, page, read_query
from salescience_pipeline.sandbox.world import World
from salescience_pipeline_tests.test_sandbox import news_lookalikes as lookalikes
from salescience_pipeline_tests.test_sandbox.serving import LAST, TODAY, Served, running
from salescience_pipeline_tests.test_sandbox.witness import corpus, differences, recorded

WORLD = World(7, 12, dt.date.fromisoformat(TODAY))
KEY = {"Authorization": "Bearer any-key-of-ours"}
NEWS = "/v2/reference/news"
_DAY = dt.date.fromisoformat(TODAY)
_OPTIONAL_OF_NEWS = frozenset({"amp_url", "image_url", "insights", "next_url"})
SERVES = ("--providers", "polygon,tiingo")


def ask(served: Served, path: str, **params) -> httpx.Response:
    return served.get(f"/polygon{path}", headers=KEY, params=params)


def get(served: Served, path: str, **params):
    response = ask(served, path, **params)
    assert response.status_code == 200, response.text
    return response.json()


def theirs(path: str, lookalike):
    """The recorded body, or our look-alike where nothing is recorded."""
    found = recorded(path)
    return lookalike if found is None else found["body"]


def everything(served: Served, path: str, **params) -> tuple[list[dict], int]:
    """All rows of a list by following ``next_url``, and how many requests that took."""
    body, rows, asked = get(served, path, **params), [], 1
    rows += body.get("results", [])
    while "next_url" in body:
        body = served.get(body["next_url"], headers=KEY).json()
        rows += body["results"]
        asked += 1
    return rows, asked


# -- news -------------------------------------------------------------------------------------------------------------


@pytest.mark.corpus
def test_news_have_the_recorded_shape_and_ten_rows_newest_first(sandbox):
    body = get(sandbox, NEWS)
    expected = theirs("providers/polygon/news_AAPL_page1.json", lookalikes.POLYGON_NEWS)
    assert differences(body, expected, may_lack=_OPTIONAL_OF_NEWS) == []
    assert body["count"] == len(body["results"]) == 10
    stamps = [row["published_utc"] for row in body["results"]]
    assert stamps == sorted(stamps, reverse=True)
    for row in body["results"]:
        assert row["tickers"]
        assert dt.datetime.strptime(row["published_utc"], "%Y-%m-%dT%H:%M:%S%z").tzinfo is not None
        assert len(row["id"]) == 64
        for insight in row.get("insights", ()):
            assert insight["ticker"] in row["tickers"]
            assert insight["sentiment"] in {"positive", "neutral", "negative"}


def test_a_window_in_pages_of_any_size_is_the_same_window(sandbox):
    window = {"published_utc.gte": "2026-11-01", "published_utc.lt": "2026-11-11"}
    whole, one = everything(sandbox, NEWS, **window, limit=1000, order="asc")
    assert one == 1
    assert len({row["id"] for row in whole}) == len(whole) > 30
    for limit in (7, 30, len(whole)):
        rows, asked = everything(sandbox, NEWS, **window, limit=limit, order="asc")
        assert rows == whole
        assert asked == -(-len(whole) // limit)
    backwards, _ = everything(sandbox, NEWS, **window, limit=11, order="desc")
    assert backwards == whole[::-1]
    assert {row["published_utc"][:10] for row in whole} <= {f"2026-11-{day:02d}" for day in range(1, 11)}


@pytest.mark.corpus
def test_the_cursor_is_opaque_holds_no_key_and_leads_to_the_own_host(sandbox):
    body = get(sandbox, NEWS, ticker="CALDQ", limit=2, apiKey="secret-in-the-query")
    parts = urlsplit(body["next_url"])
    assert f"{parts.scheme}://{parts.netloc}" == sandbox.url
    assert parts.path == NEWS
    inside = base64.urlsafe_b64decode(parse_qs(parts.query)["cursor"][0] + "==").decode()
    assert "secret" not in json.dumps(body) + inside
    assert "any-key" not in json.dumps(body) + inside
    # The recorded cursor is made the same way: what was asked, and where the page ended.
    known = theirs("providers/polygon/news_AAPL_page1.json", {"next_url": body["next_url"], "results": body["results"]})
    cursor = parse_qs(urlsplit(known["next_url"]).query)["cursor"][0]
    fields = parse_qs(base64.urlsafe_b64decode(cursor + "==").decode())
    assert fields["order"] == ["descending"]
    assert fields["limit"] == ["2"]
    assert set(fields) <= set(parse_qs(inside))
    # A client may put the path behind a base of its own; without a key the cursor is worth nothing.
    verbatim = sandbox.get(body["next_url"], headers=KEY)
    rebased = sandbox.get(f"/polygon{parts.path}?{parts.query}", headers=KEY)
    assert verbatim.json()["results"] == rebased.json()["results"]
    assert {name for row in verbatim.json()["results"] for name in row["tickers"]} >= {"CALDQ"}
    assert sandbox.get(body["next_url"]).status_code == 401


def test_paging_forward_is_stable_while_news_arrive(sandbox):
    window = {"published_utc.gte": "2026-11-02", "order": "asc", "limit": 5}
    before, _ = everything(sandbox, NEWS, **window)
    first = get(sandbox, NEWS, **window)
    event = {"kind": "late_news", "ticker": "CALDQ", "date": "2026-11-18"}
    assert sandbox.http.post("/_sandbox/world", json={"events": [event]}).status_code == 200
    rows, body = list(first["results"]), first
    while "next_url" in body:
        body = sandbox.get(body["next_url"], headers=KEY).json()
        rows += body["results"]
    new = [row for row in rows if row not in before]
    assert len(new) == 1
    assert [row for row in rows if row not in new] == before


@pytest.mark.parametrize(
    ("params", "keeps"),
    [
        ({"published_utc.gt": "2026-11-16T12:00:00Z"}, lambda at: at > "2026-11-16T12:00:00Z"),
        ({"published_utc.gte": "2026-11-16"}, lambda at: at >= "2026-11-16T00:00:00Z"),
        ({"published_utc.lt": "2026-11-16"}, lambda at: at < "2026-11-16T00:00:00Z"),
        ({"published_utc.lte": "2026-11-16T12:00:00+00:00"}, lambda at: at <= "2026-11-16T12:00:00Z"),
        ({"published_utc": "2026-11-16"}, lambda at: at.startswith("2026-11-16")),
        (
            {"published_utc.gte": "2026-11-15", "published_utc.lt": "2026-11-17"},
            lambda at: "2026-11-15" <= at < "2026-11-17",
        ),
    ],
)
def test_the_time_filters_let_through_what_they_say(sandbox, params, keeps):
    every, _ = everything(sandbox, NEWS, **{"published_utc.gte": "2026-11-09"}, limit=1000)
    window = {"published_utc.gte": "2026-11-09", **params}
    rows, _ = everything(sandbox, NEWS, **window, limit=1000)
    assert rows == [row for row in every if keeps(row["published_utc"])] != []


def test_a_moment_finds_the_article_of_that_moment(sandbox):
    (row, *_) = get(sandbox, NEWS)["results"]
    found = get(sandbox, NEWS, published_utc=row["published_utc"])["results"]
    assert row in found
    assert {r["published_utc"] for r in found} == {row["published_utc"]}


def test_tickers_are_case_sensitive_and_take_ranges_but_no_lists(sandbox):
    rows = get(sandbox, NEWS, ticker="CALDQ", limit=50)["results"]
    assert rows
    assert all("CALDQ" in row["tickers"] for row in rows)
    for nobody in ("caldq", "CALDQ,ALDRN", "BRNWD-B", "NOPE"):
        assert get(sandbox, NEWS, ticker=nobody) | {"request_id": ""} == {
            "results": [],
            "status": "OK",
            "count": 0,
            "request_id": "",
        }
    assert get(sandbox, NEWS, ticker="BRNWD.B")["count"] > 0
    ranged = get(sandbox, NEWS, **{"ticker.gte": "C", "ticker.lt": "D"}, limit=50)["results"]
    assert all(any("C" <= name < "D" for name in row["tickers"]) for row in ranged)
    assert {name for row in ranged for name in row["tickers"]} >= {"CALDQ"}


def test_a_market_window_holds_what_every_ticker_has(sandbox):
    window = {"published_utc.gte": "2026-10-25", "published_utc.lt": "2026-11-05", "limit": 1000}
    market, _ = everything(sandbox, NEWS, **window)
    for company in WORLD.all:
        rows, _ = everything(sandbox, NEWS, ticker=company.ticker, **window)
        assert rows == [row for row in market if company.ticker in row["tickers"]]


@pytest.mark.parametrize(
    "params",
    [
        {"limit": "0"},
        {"limit": "1001"},
        {"limit": "ten"},
        {"order": "sideways"},
        {"sort": "title"},
        {"cursor": "%%%"},
        {"cursor": "bm90aGluZw"},
        {"published_utc.gte": "yesterday"},
    ],
)
def test_parameters_that_make_no_sense_are_400_with_an_error(sandbox, params):
    response = ask(sandbox, NEWS, **params)
    assert response.status_code == 400
    assert response.json()["status"] == "ERROR"
    assert isinstance(response.json()["error"], str)


def test_a_page_needs_no_more_rows_than_it_shows():
    asked = []

    def rows():
        for k in range(100):
            asked.append(k)
            yield {"at": f"{k:03d}"}

    query = read_query({"limit": "3", "order": "asc"}, default=10, most=10, sorts=("at",), newest=True)
    taken, cursor = page(rows(), query, lambda row: (row["at"], ""))
    assert [row["at"] for row in taken] == ["000", "001", "002"]
    assert asked == [0, 1, 2, 3]
    again = read_query({"cursor": cursor}, default=10, most=10, sorts=("at",), newest=True)
    assert (again.limit, again.newest, again.after) == (3, False, ("002", ""))
    with pytest.raises(BadQuery):
        read_query({"limit": "11"}, default=10, most=10, sorts=("at",), newest=True)


# -- bars -------------------------------------------------------------------------------------------------------------


@pytest.mark.corpus
def test_the_grouped_answer_has_everybodys_bar_stamped_with_the_close(sandbox):
    body = get(sandbox, f"/v2/aggs/grouped/locale/us/market/stocks/{LAST}")
    sample = "samples/polygon/v2__aggs__grouped__locale__us__market__stocks__2005-04-04_q_adjusted=true.json"
    assert differences(body, theirs(sample, lookalikes.POLYGON_GROUPED)) == []
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
    body = get(sandbox, f"/v2/aggs/grouped/locale/us/market/stocks/{day}")
    assert body["resultsCount"] == 0
    assert "results" not in body


@pytest.mark.corpus
def test_range_bars_are_stamped_with_midnight_and_divided_by_splits(sandbox):
    path = "/v2/aggs/ticker/ALDRN/range/1/day/2020-08-27/2020-09-02"
    body = get(sandbox, path)
    assert differences(body, theirs("providers/polygon/aggs_AAPL_2005.json", lookalikes.POLYGON_BARS)) == []
    bars = WORLD.bars("ALDRN", dt.date(2020, 8, 27), dt.date(2020, 9, 2))
    assert [dt.datetime.fromtimestamp(row["t"] / 1000, dt.UTC).isoformat() for row in body["results"]] == [
        f"{bar.date}T04:00:00+00:00" for bar in bars
    ]
    for row, bar in zip(body["results"], bars, strict=True):
        shares = 4 if bar.date < dt.date(2020, 8, 31) else 1
        assert row["c"] == pytest.approx(bar.close / shares, abs=1e-4)
        assert row["v"] == bar.volume * shares
    raw = get(sandbox, path, adjusted="false")
    assert [row["c"] for row in raw["results"]] == [bar.close for bar in bars]
    assert get(sandbox, path, sort="desc", limit=2)["results"] == body["results"][::-1][:2]
    assert get(sandbox, "/v2/aggs/ticker/NOPE/range/1/day/2020-08-27/2020-09-02")["resultsCount"] == 0
    before = get(sandbox, "/v2/aggs/ticker/ALDRN/prev")["results"]
    assert [row["T"] for row in before] == ["ALDRN"]
    assert before[0]["c"] == WORLD.close_on("ALDRN", dt.date.fromisoformat(LAST))


def test_the_two_providers_of_prices_agree(sandbox):
    rows = get(sandbox, "/v2/aggs/ticker/CALDQ/range/1/day/2026-10-01/2026-11-19", adjusted="false")["results"]
    other = sandbox.get(
        "/tiingo/tiingo/daily/CALDQ/prices?startDate=2026-10-01&endDate=2026-11-19",
        headers={"Authorization": "Token x"},
    ).json()
    assert [(row["c"], row["v"]) for row in rows] == [(row["close"], row["volume"]) for row in other]


# -- reference --------------------------------------------------------------------------------------------------------


@pytest.mark.corpus
def test_tickers_are_listed_in_pages_and_by_filters(sandbox):
    body = get(sandbox, "/v3/reference/tickers", limit=2)
    assert differences(body, theirs("samples/polygon/v3__reference__tickers.json", lookalikes.POLYGON_TICKERS)) == []
    rows, asked = everything(sandbox, "/v3/reference/tickers", limit=4)
    listed = sorted(c.ticker for c in WORLD.all if WORLD.delisted(c) is None)
    assert [row["ticker"] for row in rows] == listed
    assert asked == -(-len(listed) // 4)
    gone = get(sandbox, "/v3/reference/tickers", active="false")["results"]
    assert [(row["ticker"], row["delisted_utc"][:10]) for row in gone] == [("OAKMR", "2024-02-17")]
    then = get(sandbox, "/v3/reference/tickers", date="2024-01-02")["results"]
    assert "OAKMR" in {row["ticker"] for row in then}
    funds = get(sandbox, "/v3/reference/tickers", type="ETF")["results"]
    assert {row["ticker"] for row in funds} == set(WORLD.indices)
    assert [row["ticker"] for row in get(sandbox, "/v3/reference/tickers", cik="9900003")["results"]] == ["CALDQ"]
    assert [row["ticker"] for row in get(sandbox, "/v3/reference/tickers", search="brambleworth")["results"]] == [
        "BRNWD.B"
    ]


@pytest.mark.corpus
def test_a_ticker_in_detail(sandbox):
    body = get(sandbox, "/v3/reference/tickers/CALDQ")
    assert differences(body, theirs("providers/polygon/ticker_AAPL.json", lookalikes.POLYGON_TICKER)) == []
    assert body["results"]["cik"] == "0009900003"
    unknown = theirs(
        "samples/polygon/error_404_not_found.json",
        {"status": "NOT_FOUND", "request_id": "x", "message": "Ticker not found."},
    )
    for nobody in ("NOPE", "caldq", "OAKMR"):
        refused = ask(sandbox, f"/v3/reference/tickers/{nobody}")
        assert refused.status_code == 404
        assert refused.json() | {"request_id": ""} == unknown | {"request_id": ""}


@pytest.mark.corpus
def test_splits_and_dividends_are_those_of_the_bars(sandbox):
    body = get(sandbox, "/v3/reference/splits")
    assert differences(body, theirs("providers/polygon/splits.json", lookalikes.POLYGON_SPLITS)) == []
    known = {(row["ticker"], row["execution_date"]): (row["split_from"], row["split_to"]) for row in body["results"]}
    assert known == {("ALDRN", "2020-08-31"): (1, 4), ("KESTL", "2023-03-06"): (10, 1)}
    day = {"kind": "split", "ticker": "LYRWD", "date": LAST, "value": 1.5}
    sandbox.http.post("/_sandbox/world", json={"events": [day]})
    today = get(sandbox, "/v3/reference/splits", execution_date=LAST)["results"]
    assert today == [{"execution_date": LAST, "split_from": 2, "split_to": 3, "ticker": "LYRWD"}]
    paid, _ = everything(sandbox, "/v3/reference/dividends", ticker="CALDQ", limit=7, order="asc")
    assert {row["ex_dividend_date"]: row["cash_amount"] for row in paid} == {
        day.isoformat(): cash for day, cash in WORLD.dividends("CALDQ").items()
    }
    recent = get(sandbox, "/v3/reference/dividends", **{"ex_dividend_date.gte": "2026-10-01"})["results"]
    assert {row["ticker"] for row in recent} == {
        c.ticker for c in WORLD.all if any(day >= dt.date(2026, 10, 1) for day in WORLD.dividends(c.ticker))
    }


@pytest.mark.corpus
def test_the_coming_closures_are_those_of_the_exchange(sandbox):
    rows = get(sandbox, "/v1/marketstatus/upcoming")
    sample = theirs("samples/polygon/v1__marketstatus__upcoming.json", lookalikes.POLYGON_UPCOMING)
    assert differences(rows, sample, may_add=frozenset({"open", "close"})) == []
    closed = {row["date"] for row in rows if row["status"] == "closed" and row["exchange"] == "NYSE"}
    expected = nyse.holidays(2026) | nyse.holidays(2027)
    assert closed == {day.isoformat() for day in expected if _DAY <= day < _DAY + dt.timedelta(days=365)}
    (short, *_) = [row for row in rows if row["status"] == "early-close"]
    assert (short["date"], short["open"], short["close"]) == (
        "2026-11-27",
        "2026-11-27T14:30:00.000Z",
        "2026-11-27T18:00:00.000Z",
    )


# -- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("path", "headers", "status", "recording", "lookalike"),
    [
        (NEWS, {}, 401, "error_401_no_key.json", {"status": "ERROR", "error": "API Key was not provided"}),
        (
            NEWS,
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
    expected = theirs(f"samples/polygon/{recording}", lookalike)
    assert response.json() | {"request_id": ""} == expected | {"request_id": ""}


def test_a_key_may_stand_in_the_query_and_never_in_the_answer(sandbox):
    response = sandbox.get(f"/polygon{NEWS}?apiKey=secret-1")
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
    codes = [ask(sandbox, NEWS, limit=1).status_code for _ in range(6)]
    assert codes == [200] * 5 + [429]
    refused = ask(sandbox, NEWS, limit=1)
    assert "retry-after" not in refused.headers
    expected = theirs("samples/polygon/error_429.json", {"status": "ERROR", "request_id": "x", "error": "x"})
    assert differences(refused.json(), expected) == []
    assert refused.json()["error"].startswith("You've exceeded the maximum requests per minute")
    sandbox.http.post("/_sandbox/switches", json={"polygon": {"empty_429": True}})
    empty = ask(sandbox, NEWS, limit=1)
    assert (empty.status_code, empty.content) == (429, b"")
    sandbox.http.post("/_sandbox/clock", json={"advance": 61})
    assert ask(sandbox, NEWS, limit=1).status_code == 200


def test_delayed_is_another_word_for_ok(sandbox):
    sandbox.http.post("/_sandbox/switches", json={"polygon": {"delayed": True}})
    body = get(sandbox, NEWS)
    assert body["status"] == "DELAYED"
    assert body["count"] == 10


def test_an_unknown_path_is_404(sandbox):
    assert ask(sandbox, "/v9/weather").status_code == 404


# -- the corpus world -------------------------------------------------------------------------------------------------


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
        rows, asked = everything(served, NEWS, ticker="AAPL", limit=1)
        assert len(rows) == asked == 2
        assert all("AAPL" in row["tickers"] for row in rows)
        assert get(served, NEWS, ticker="CALDQ")["results"] == []
        bars = get(served, "/v2/aggs/ticker/AAPL/range/1/day/2005-04-01/2005-04-01")
        assert [row["t"] for row in bars["results"]] == [1_112_331_600_000]
        assert ask(served, "/v3/reference/tickers/CALDQ").status_code == 404
