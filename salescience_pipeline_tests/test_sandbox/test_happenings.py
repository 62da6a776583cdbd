"""What can be made to happen: to news, to the fields of any provider's answers, to a ticker."""

from __future__ import annotations

import datetime as dt
import gzip
import json

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salescience_pipeline.fiction.happenings import FieldChange
from salescience_pipeline.sandbox.drift import drifted
from salescience_pipeline_tests.test_sandbox.calls import FINNHUB, POLYGON, quarter_of_news
from salescience_pipeline_tests.test_sandbox.serving import AGENT, LAST, TOKEN, Served


def happen(served: Served, *events: dict) -> httpx.Response:
    return served.http.post("/_sandbox/world", json={"events": list(events)})


# -- what happens to news ----------------------------------------------------------------------------------------------


def test_a_late_article_has_an_old_date_and_a_new_id(sandbox):
    before, others = quarter_of_news(sandbox)
    event = {"kind": "late_news", "ticker": "CALDQ", "date": "2026-10-05", "value": "Found in a drawer"}
    assert happen(sandbox, event).json()["events"] == [event]
    after, again = quarter_of_news(sandbox)
    (row,) = [row for row in after if row not in before]
    (other,) = [row for row in again if row not in others]
    assert [row for row in after if row in before] == before
    assert row["headline"] == other["title"] == "Found in a drawer"
    assert dt.datetime.fromtimestamp(row["datetime"], dt.UTC).date() == dt.date(2026, 10, 5)
    assert other["published_utc"].startswith("2026-10-05")
    assert row["id"] > max(known["id"] for known in before)
    happen(sandbox, event)
    assert len({row["id"] for row in quarter_of_news(sandbox)[0]}) == len(before) + 2


def test_a_corrected_article_keeps_its_ids_and_addresses_but_not_its_words(sandbox):
    before, others = quarter_of_news(sandbox)
    day = others[-1]["published_utc"][:10]
    assert happen(sandbox, {"kind": "corrected_news", "ticker": "CALDQ", "date": day}).status_code == 200
    after, again = quarter_of_news(sandbox)
    assert [row["id"] for row in again] == [row["id"] for row in others]
    assert [row["id"] for row in after] == [row["id"] for row in before]
    changed = [(old, new) for old, new in zip(others, again, strict=True) if old != new]
    changed += [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert changed
    for old, new in changed:
        name = "title" if "title" in new else "headline"
        assert new[name] == f"Correction: {old[name]}"
    happen(sandbox, {"kind": "corrected_news", "ticker": "CALDQ", "date": day, "value": "Now it is right"})
    titles = {row["title"] for row in quarter_of_news(sandbox)[1]} | {
        row["headline"] for row in quarter_of_news(sandbox)[0]
    }
    assert "Now it is right" in titles


def test_a_doubled_article_comes_again_under_another_id_and_address(sandbox):
    before, others = quarter_of_news(sandbox)
    row = next(row for row in reversed(before) if row["headline"] in {other["title"] for other in others})
    day = dt.datetime.fromtimestamp(row["datetime"], dt.UTC).date().isoformat()
    assert happen(sandbox, {"kind": "duplicate_news", "ticker": "CALDQ", "date": day}).status_code == 200
    after, again = quarter_of_news(sandbox)
    new = [r for r in after if r not in before] + [r for r in again if r not in others]
    assert 1 <= len(new) <= 2
    for copy in new:
        name, address = ("title", "article_url") if "title" in copy else ("headline", "url")
        twins = [r for r in before + others if r.get(name) == copy[name]]
        assert twins
        assert all(copy[address] != twin.get(address) and copy["id"] != twin["id"] for twin in twins)


@pytest.mark.parametrize("kind", ["late_news", "corrected_news", "duplicate_news"])
@pytest.mark.parametrize(
    "event",
    [
        {"ticker": "NOPE", "date": "2026-11-17"},
        {"ticker": "CALDQ", "date": "2026-11-30"},
        {"ticker": "CALDQ", "date": "2001-01-01"},
        {"ticker": "CALDQ", "date": "yesterday"},
        {"ticker": "CALDQ"},
        {"ticker": "CALDQ", "date": "2026-11-17", "value": 5},
    ],
)
def test_events_of_news_that_make_no_sense_are_refused(sandbox, kind, event):
    response = happen(sandbox, {"kind": kind, **event})
    assert response.status_code == 400
    assert response.json()["error"].endswith(".")


def test_one_bad_event_of_several_means_that_none_happens(sandbox):
    good = {"kind": "late_news", "ticker": "CALDQ", "date": "2026-10-05"}
    assert happen(sandbox, good, {"kind": "late_news", "ticker": "NOPE", "date": "2026-10-05"}).status_code == 400
    assert sandbox.get("/_sandbox/world").json()["events"] == []


def test_nothing_can_be_corrected_on_a_day_without_news(sandbox):
    days = {dt.datetime.fromtimestamp(row["datetime"], dt.UTC).date() for row in quarter_of_news(sandbox)[0]}
    days |= {dt.date.fromisoformat(row["published_utc"][:10]) for row in quarter_of_news(sandbox)[1]}
    quiet = next(day for day in (dt.date(2026, 11, 1) + dt.timedelta(days=k) for k in range(19)) if day not in days)
    response = happen(sandbox, {"kind": "corrected_news", "ticker": "CALDQ", "date": quiet.isoformat()})
    assert "no news" in response.json()["error"]


# -- what happens to fields --------------------------------------------------------------------------------------------


_QUOTE = ("/finnhub/quote?symbol=CALDQ", FINNHUB.headers)
_ROWS = ("/polygon/v3/reference/tickers?limit=3", POLYGON.headers)


def fields(served: Served, path: str, headers: dict) -> dict:
    return served.get(path, headers=headers).json()


@pytest.mark.parametrize(
    ("provider", "endpoint", "path", "headers", "field"),
    [
        ("finnhub", "quote", *_QUOTE, "c"),
        ("polygon", "tickers", *_ROWS, "primary_exchange"),
        (
            "alphavantage",
            "query",
            "/alphavantage/query?function=TIME_SERIES_DAILY&symbol=CALDQ&apikey=x",
            {},
            "4. close",
        ),
        ("tiingo", "prices", "/tiingo/tiingo/daily/CALDQ/prices", TOKEN, "adjClose"),
        ("yahoo", "chart", "/yahoo/v8/finance/chart/CALDQ?range=5d&interval=1d", {}, "adjclose"),
        ("edgar", "submissions", "/edgar/submissions/CIK0009900003.json", AGENT, "accessionNumber"),
    ],
)
def test_a_field_is_renamed_removed_or_retyped_at_any_provider(sandbox, provider, endpoint, path, headers, field):
    before = sandbox.get(path, headers=headers).text
    where = {"provider": provider, "endpoint": endpoint, "field": field}
    assert f'"{field}":' in before
    assert happen(sandbox, {"kind": "renamed_field", **where, "value": "renamedByUs"}).status_code == 200
    after = sandbox.get(path, headers=headers)
    assert after.status_code == 200
    assert f'"{field}":' not in after.text
    assert after.text.count('"renamedByUs":') == before.count(f'"{field}":')
    sandbox.http.delete("/_sandbox/world")
    assert happen(sandbox, {"kind": "removed_field", **where}).status_code == 200
    assert f'"{field}":' not in sandbox.get(path, headers=headers).text
    sandbox.http.delete("/_sandbox/world")
    happen(sandbox, {"kind": "retyped_field", **where})
    assert sandbox.get(path, headers=headers).json() != json.loads(before)
    sandbox.http.post("/_sandbox/reset", json={"only": ["events"]})
    assert sandbox.get(path, headers=headers).text == before


def test_only_the_named_endpoint_drifts_and_only_good_answers(sandbox):
    happen(
        sandbox, {"kind": "renamed_field", "provider": "finnhub", "endpoint": "quote", "field": "error", "value": "x"}
    )
    happen(
        sandbox, {"kind": "renamed_field", "provider": "finnhub", "endpoint": "quote", "field": "c", "value": "close"}
    )
    refused = sandbox.get("/finnhub/quote?symbol=CALDQ")
    assert refused.json() == {"error": "Please use an API key."}
    assert "ticker" in sandbox.get("/finnhub/stock/profile2?symbol=CALDQ", headers=FINNHUB.headers).json()
    happen(sandbox, {"kind": "renamed_field", "provider": "finnhub", "field": "ticker", "value": "code"})
    assert "code" in sandbox.get("/finnhub/stock/profile2?symbol=CALDQ", headers=FINNHUB.headers).json()


def test_a_csv_drifts_in_its_header(sandbox):
    path = "/tiingo/tiingo/daily/CALDQ/prices?format=csv&startDate=2026-11-02"
    before = sandbox.get(path, headers=TOKEN).text.splitlines()
    happen(
        sandbox,
        {"kind": "renamed_field", "provider": "tiingo", "endpoint": "prices", "field": "close", "value": "last"},
    )
    after = sandbox.get(path, headers=TOKEN).text.splitlines()
    assert after[0] == before[0].replace("close", "last", 1)
    assert after[1:] == before[1:]


def test_a_compressed_answer_drifts_too(sandbox):
    path = "/polygon/v2/reference/news?limit=50"
    happen(
        sandbox, {"kind": "renamed_field", "provider": "polygon", "endpoint": "news", "field": "title", "value": "head"}
    )
    with sandbox.http.stream("GET", path, headers=POLYGON.headers | {"Accept-Encoding": "gzip"}) as response:
        raw = b"".join(response.iter_raw())
        assert response.headers["content-encoding"] == "gzip"
        assert int(response.headers["content-length"]) == len(raw)
    rows = json.loads(gzip.decompress(raw))["results"]
    assert all("head" in row and "title" not in row for row in rows)


def test_a_field_can_be_added(sandbox):
    happen(sandbox, {"kind": "added_field", "provider": "finnhub", "endpoint": "quote", "field": "new"})
    assert set(fields(sandbox, *_QUOTE)) == {*"cdhlot", "dp", "pc", "new"}


@pytest.mark.parametrize(
    "event",
    [
        {"kind": "renamed_field", "provider": "nobody", "field": "c", "value": "x"},
        {"kind": "renamed_field", "provider": "finnhub", "endpoint": "nowhere", "field": "c", "value": "x"},
        {"kind": "renamed_field", "provider": "finnhub", "field": "c"},
        {"kind": "removed_field", "provider": "finnhub"},
        {"kind": "eaten_field", "provider": "finnhub", "field": "c"},
    ],
)
def test_events_of_fields_that_make_no_sense_are_refused(sandbox, event):
    response = happen(sandbox, event)
    assert response.status_code == 400
    assert isinstance(response.json()["error"], str)
    assert fields(sandbox, *_QUOTE)["c"] > 0


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcde"), inner, max_size=4),
    max_leaves=15,
)


@given(_JSON)
@settings(max_examples=80, deadline=None)
def test_renaming_there_and_back_changes_nothing(value):
    there = FieldChange("renamed_field", "p", "*", "a", "z")
    back = FieldChange("renamed_field", "p", "*", "z", "a")
    assert json.dumps(drifted(value, [there, back])) == json.dumps(value)
    assert '"a":' not in json.dumps(drifted(value, [FieldChange("removed_field", "p", "*", "a", None)]))


# -- a recycled ticker -------------------------------------------------------------------------------------------------


def test_a_recycled_ticker_belongs_to_another_company_from_then_on(sandbox):
    old = sandbox.get("/tiingo/tiingo/daily/OAKMR", headers=TOKEN).json()
    old_filings = sandbox.get("/edgar/submissions/CIK0009900011.json").json()
    event = {"kind": "recycled_ticker", "ticker": "OAKMR", "date": "2026-03-02", "value": 20.0}
    assert happen(sandbox, event).json()["events"] == [event]
    new = sandbox.get("/tiingo/tiingo/daily/OAKMR", headers=TOKEN).json()
    assert new["name"] != old["name"]
    assert (new["startDate"], new["endDate"]) == ("2026-03-02", LAST)
    rows = sandbox.get("/tiingo/tiingo/daily/OAKMR/prices?startDate=2024-01-01", headers=TOKEN).json()
    assert rows[0]["date"].startswith("2026-03-02")
    assert 10 < rows[0]["close"] < 40
    bulk = sandbox.get("/tiingo/tiingo/daily/prices", headers=TOKEN).json()
    assert [row["ticker"] for row in bulk].count("OAKMR") == 1
    assert sandbox.get("/finnhub/quote?symbol=OAKMR", headers=FINNHUB.headers).json()["c"] == rows[-1]["close"]
    listed = sandbox.get("/edgar/files/company_tickers.json").json().values()
    (entry,) = [row for row in listed if row["ticker"] == "OAKMR"]
    assert entry["cik_str"] != 9900011
    again = sandbox.get("/edgar/submissions/CIK0009900011.json").json()
    assert again["filings"] == old_filings["filings"]
    young = sandbox.get(f"/edgar/submissions/CIK{entry['cik_str']:010d}.json").json()
    assert young["tickers"] == ["OAKMR"]
    assert min(young["filings"]["recent"]["filingDate"]) > "2026-03-02"
    tickers = sandbox.get("/polygon/v3/reference/tickers?ticker=OAKMR&active=false", headers=POLYGON.headers).json()[
        "results"
    ]
    assert [row["cik"] for row in tickers] == ["0009900011"]
    now = sandbox.get("/polygon/v3/reference/tickers?ticker=OAKMR", headers=POLYGON.headers).json()["results"]
    assert [row["cik"] for row in now] == [f"{entry['cik_str']:010d}"]
    sandbox.http.delete("/_sandbox/world")
    assert sandbox.get("/tiingo/tiingo/daily/OAKMR", headers=TOKEN).json() == old


@pytest.mark.parametrize(
    "event",
    [
        {"ticker": "CALDQ", "date": "2026-03-02"},
        {"ticker": "OAKMR", "date": "2024-02-15"},
        {"ticker": "OAKMR", "date": "2026-03-01"},
        {"ticker": "OAKMR", "date": "2026-11-30"},
    ],
)
def test_a_ticker_can_only_be_recycled_when_it_is_free(sandbox, event):
    assert happen(sandbox, {"kind": "recycled_ticker", **event}).status_code == 400
    assert sandbox.get("/_sandbox/world").json()["events"] == []
