"""Polygon's news as emulated: filters, order, cursors and pages."""

from __future__ import annotations

import base64
import datetime as dt
import json
from urllib.parse import parse_qs, urlsplit

import pytest

from salescience_pipeline.sandbox.polygon_query import BadQuery, page, read_query
from salescience_pipeline_tests.test_sandbox import news_lookalikes as lookalikes
from salescience_pipeline_tests.test_sandbox.calls import POLYGON, POLYGON_NEWS, pages_of_polygon
from salescience_pipeline_tests.test_sandbox.serving import WORLD
from salescience_pipeline_tests.test_sandbox.witness import differences, recorded_or

_OPTIONAL_OF_NEWS = frozenset({"amp_url", "image_url", "insights", "next_url"})


@pytest.mark.corpus
def test_news_have_the_recorded_shape_and_ten_rows_newest_first(sandbox):
    body = POLYGON.get(sandbox, POLYGON_NEWS)
    expected = recorded_or("providers/polygon/news_AAPL_page1.json", lookalikes.POLYGON_NEWS)
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
    whole, one = pages_of_polygon(sandbox, POLYGON_NEWS, **window, limit=1000, order="asc")
    assert one == 1
    assert len({row["id"] for row in whole}) == len(whole) > 30
    for limit in (7, 30, len(whole)):
        rows, asked = pages_of_polygon(sandbox, POLYGON_NEWS, **window, limit=limit, order="asc")
        assert rows == whole
        assert asked == -(-len(whole) // limit)
    backwards, _ = pages_of_polygon(sandbox, POLYGON_NEWS, **window, limit=11, order="desc")
    assert backwards == whole[::-1]
    assert {row["published_utc"][:10] for row in whole} <= {f"2026-11-{day:02d}" for day in range(1, 11)}


@pytest.mark.corpus
def test_the_cursor_is_opaque_holds_no_key_and_leads_to_the_own_host(sandbox):
    body = POLYGON.get(sandbox, POLYGON_NEWS, ticker="CALDQ", limit=2, apiKey="secret-in-the-query")
    parts = urlsplit(body["next_url"])
    assert f"{parts.scheme}://{parts.netloc}" == sandbox.url
    assert parts.path == POLYGON_NEWS
    inside = base64.urlsafe_b64decode(parse_qs(parts.query)["cursor"][0] + "==").decode()
    assert "secret" not in json.dumps(body) + inside
    assert "any-key" not in json.dumps(body) + inside
    # The recorded cursor is made the same way: what was asked, and where the page ended.
    known = recorded_or(
        "providers/polygon/news_AAPL_page1.json", {"next_url": body["next_url"], "results": body["results"]}
    )
    cursor = parse_qs(urlsplit(known["next_url"]).query)["cursor"][0]
    fields = parse_qs(base64.urlsafe_b64decode(cursor + "==").decode())
    assert fields["order"] == ["descending"]
    assert fields["limit"] == ["2"]
    assert set(fields) <= set(parse_qs(inside))
    # A client may put the path behind a base of its own; without a key the cursor is worth nothing.
    verbatim = sandbox.get(body["next_url"], headers=POLYGON.headers)
    rebased = sandbox.get(f"/polygon{parts.path}?{parts.query}", headers=POLYGON.headers)
    assert verbatim.json()["results"] == rebased.json()["results"]
    assert {name for row in verbatim.json()["results"] for name in row["tickers"]} >= {"CALDQ"}
    assert sandbox.get(body["next_url"]).status_code == 401


def test_paging_forward_is_stable_while_news_arrive(sandbox):
    window = {"published_utc.gte": "2026-11-02", "order": "asc", "limit": 5}
    before, _ = pages_of_polygon(sandbox, POLYGON_NEWS, **window)
    first = POLYGON.get(sandbox, POLYGON_NEWS, **window)
    event = {"kind": "late_news", "ticker": "CALDQ", "date": "2026-11-18"}
    assert sandbox.http.post("/_sandbox/world", json={"events": [event]}).status_code == 200
    rows, body = list(first["results"]), first
    while "next_url" in body:
        body = sandbox.get(body["next_url"], headers=POLYGON.headers).json()
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
    every, _ = pages_of_polygon(sandbox, POLYGON_NEWS, **{"published_utc.gte": "2026-11-09"}, limit=1000)
    window = {"published_utc.gte": "2026-11-09", **params}
    rows, _ = pages_of_polygon(sandbox, POLYGON_NEWS, **window, limit=1000)
    assert rows == [row for row in every if keeps(row["published_utc"])] != []


def test_a_moment_finds_the_article_of_that_moment(sandbox):
    (row, *_) = POLYGON.get(sandbox, POLYGON_NEWS)["results"]
    found = POLYGON.get(sandbox, POLYGON_NEWS, published_utc=row["published_utc"])["results"]
    assert row in found
    assert {r["published_utc"] for r in found} == {row["published_utc"]}


def test_tickers_are_case_sensitive_and_take_ranges_but_no_lists(sandbox):
    rows = POLYGON.get(sandbox, POLYGON_NEWS, ticker="CALDQ", limit=50)["results"]
    assert rows
    assert all("CALDQ" in row["tickers"] for row in rows)
    for nobody in ("caldq", "CALDQ,ALDRN", "BRNWD-B", "NOPE"):
        assert POLYGON.get(sandbox, POLYGON_NEWS, ticker=nobody) | {"request_id": ""} == {
            "results": [],
            "status": "OK",
            "count": 0,
            "request_id": "",
        }
    assert POLYGON.get(sandbox, POLYGON_NEWS, ticker="BRNWD.B")["count"] > 0
    ranged = POLYGON.get(sandbox, POLYGON_NEWS, **{"ticker.gte": "C", "ticker.lt": "D"}, limit=50)["results"]
    assert all(any("C" <= name < "D" for name in row["tickers"]) for row in ranged)
    assert {name for row in ranged for name in row["tickers"]} >= {"CALDQ"}


def test_a_market_window_holds_what_every_ticker_has(sandbox):
    window = {"published_utc.gte": "2026-10-25", "published_utc.lt": "2026-11-05", "limit": 1000}
    market, _ = pages_of_polygon(sandbox, POLYGON_NEWS, **window)
    for company in WORLD.all:
        rows, _ = pages_of_polygon(sandbox, POLYGON_NEWS, ticker=company.ticker, **window)
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
    response = POLYGON.ask(sandbox, POLYGON_NEWS, **params)
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
