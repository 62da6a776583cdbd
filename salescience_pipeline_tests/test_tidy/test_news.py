"""News: one row per source and id, copies in one group, whom they are about, and what a correction keeps."""

from __future__ import annotations

import copy
import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salescience_pipeline.clients.errors import Contract
from salescience_pipeline.tidy.news import fingerprint, finnhub_company_news, polygon_news
from salescience_pipeline_tests.test_tidy.market_samples import COMPANY_NEWS, MARKET_NEWS, PUBLISHED
from salescience_pipeline_tests.test_tidy.samples import FETCHED, answer, context, recorded, rows_of

FINNHUB, POLYGON = "core_finnhub__news_articles", "core_polygon__news_articles"
MOMENT = dt.datetime.fromtimestamp(PUBLISHED, dt.UTC)


def company(body: Any, **more: Any) -> Any:
    return finnhub_company_news([answer(body, "finnhub", ticker="WDGT", **more)], context())


def market(body: Any) -> Any:
    return polygon_news([answer(body, "polygon", key="*")], context())


def test_copies_of_one_release_share_a_fingerprint_across_ids_spellings_and_providers() -> None:
    finnhub, polygon = company(COMPANY_NEWS), market(MARKET_NEWS)
    groups = {row["fingerprint"] for row in (*rows_of(finnhub, FINNHUB), *rows_of(polygon, POLYGON))}
    assert len(groups) == 1
    assert [row["article_id"] for row in rows_of(finnhub, FINNHUB)] == ["1001", "1002"]


def test_an_article_is_about_the_ticker_asked_for_and_those_it_names() -> None:
    tickers = {
        (row["article_id"], row["ticker"]) for row in rows_of(company(COMPANY_NEWS), "core_finnhub__news_tickers")
    }
    assert tickers == {("1001", "WDGT"), ("1002", "WDGT"), ("1002", "GEAR")}
    named = {row["ticker"] for row in rows_of(market(MARKET_NEWS), "core_polygon__news_tickers")}
    assert named == {"WDGT", "GEAR", "GEAR-PB", "BRK.B"}
    judged = {row["ticker"]: row["sentiment"] for row in rows_of(market(MARKET_NEWS), "core_polygon__news_insights")}
    assert judged == {"WDGT": "positive", "GEAR": "negative"}


def test_the_day_is_new_york_s_and_the_moment_utc() -> None:
    late = [COMPANY_NEWS[0] | {"datetime": int(dt.datetime(2026, 11, 21, 2, tzinfo=dt.UTC).timestamp())}]
    (row,) = rows_of(company(late), FINNHUB)
    assert row["published_date_et"] == dt.date(2026, 11, 20)
    assert row["published_at"] == dt.datetime(2026, 11, 21, 2, tzinfo=dt.UTC)


def test_of_two_answers_the_newer_becomes_the_row_and_the_other_is_counted() -> None:
    corrected = [COMPANY_NEWS[0] | {"summary": "It is even larger."}]
    older = answer(COMPANY_NEWS[:1], "finnhub", ticker="WDGT")
    newer = answer(corrected, "finnhub", ticker="WDGT", fetched_at=FETCHED + dt.timedelta(hours=1))
    for order in ([older, newer], [newer, older]):
        tidied = finnhub_company_news(order, context())
        (row,) = rows_of(tidied, FINNHUB)
        assert row["summary"] == "It is even larger."
        assert [item.reason for item in tidied.left_out] == ["another row holds the same article"]


def test_empty_texts_are_null_and_keywords_a_list() -> None:
    first, second = rows_of(company(COMPANY_NEWS), FINNHUB)
    assert (first["image_url"], second["summary"]) == (None, None)
    (row,) = rows_of(market(MARKET_NEWS), POLYGON)
    assert (row["keywords"], row["author"], row["category"]) == (["widgets"], "A. Writer", None)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"headline": ""}, "headline is missing"),
        ({"datetime": 0}, "datetime is missing"),
        ({"datetime": 10**12}, "datetime is 1000000000000 and no moment"),
        ({"id": None}, "id is missing"),
        ({"id": True}, "id is no whole number of 64 bits"),
        ({"url": 5}, "url is no text"),
    ],
)
def test_a_broken_article_is_left_out_by_name_and_the_others_stay(change: dict[str, Any], reason: str) -> None:
    tidied = company([COMPANY_NEWS[0] | change, COMPANY_NEWS[1]])
    assert [row["article_id"] for row in rows_of(tidied, FINNHUB)] == ["1002"]
    assert [item.reason for item in tidied.left_out] == [reason]


@pytest.mark.parametrize(
    "stamp",
    ["2026-11-20", "2026-11-20T15:30:41", "2026-13-20T15:30:41Z", "yesterday", 5, None, "0001-01-01T00:00:00+23:59"],
)
def test_a_moment_without_zone_or_sense_is_no_moment(stamp: Any) -> None:
    page = copy.deepcopy(MARKET_NEWS)
    page["results"][0]["published_utc"] = stamp
    tidied = market(page)
    assert rows_of(tidied, POLYGON) == []
    assert len(tidied.left_out) == 1


def test_marks_that_are_no_tickers_leave_the_article_standing() -> None:
    page = copy.deepcopy(MARKET_NEWS)
    page["results"][0]["tickers"] = ["WDGT", "X:BTCUSD!", "WDGT", 5, ""]
    page["results"][0]["insights"] = [{"ticker": "WDGT"}, {"ticker": "WDGT"}, "x"]
    tidied = market(page)
    assert [row["ticker"] for row in rows_of(tidied, "core_polygon__news_tickers")] == ["WDGT"]
    assert len(rows_of(tidied, POLYGON)) == 1
    reasons = [item.reason for item in tidied.left_out]
    assert reasons.count("it is no ticker") == 3
    assert reasons.count("the article names it twice") == 1
    assert reasons.count("the article judges it twice") == 1
    assert reasons.count("it is no judgement of a ticker") == 1


def test_a_page_without_results_is_empty_and_one_of_another_shape_is_refused() -> None:
    assert rows_of(market({"status": "OK", "count": 0}), POLYGON) == []
    with pytest.raises(Contract):
        market({"status": "OK", "results": {}})
    with pytest.raises(Contract):
        company({"error": "x"})


@given(st.text(min_size=1), st.text(max_size=20), st.integers(0, 59))
def test_a_fingerprint_looks_at_words_publisher_and_minute_only(title: str, publisher: str, second: int) -> None:
    own = fingerprint(title, publisher, MOMENT)
    assert len(own) == 32
    spaced = f"  {title}\n"
    assert fingerprint(spaced, f"https://www.{publisher}.com/" if publisher.isalnum() else publisher, MOMENT) == own
    assert fingerprint(title, publisher, MOMENT + dt.timedelta(seconds=second)) == own
    assert fingerprint(title, publisher, MOMENT + dt.timedelta(minutes=1)) != own
    assert fingerprint(f"{title} again", publisher, MOMENT) != own


@pytest.mark.corpus
def test_recorded_news_come_through_whole() -> None:
    """Count in equals count out for recorded answers; without them the look-alikes of this folder."""
    for sample in recorded("providers/finnhub/company-news*.json", "samples/finnhub/company*news*.json"):
        tidied = company(sample.body)
        held = len(json.loads(sample.body))
        assert len(rows_of(tidied, FINNHUB)) + len(tidied.left_out) == held > 0, sample.name
    for sample in recorded("providers/polygon/news*.json", "samples/polygon/*news*.json"):
        tidied = market(sample.body)
        assert rows_of(tidied, POLYGON), sample.name
        assert not tidied.left_out, sample.name
    for sample in recorded("samples/finnhub/*duplicates.json"):
        rows = rows_of(company(sample.body), FINNHUB)
        assert len({row["fingerprint"] for row in rows}) == 3, "five rows, three of them one release"
    assert len(rows_of(company(COMPANY_NEWS), FINNHUB)) == 2
