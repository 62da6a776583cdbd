"""Tiingo as emulated: prices raw and adjusted, the bulk endpoint, the ticker list, tokens and refusals."""

from __future__ import annotations

import csv
import datetime as dt
import io
import itertools
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salescience_pipeline.fiction import nyse
from salescience_pipeline.sandbox import app
from salescience_pipeline.sandbox.tiingo import COLUMNS
from salescience_pipeline.sandbox.tiingo_resample import resample
from salescience_pipeline.sandbox.tiingo_source import FictionalSource
from salescience_pipeline_tests.test_sandbox import lookalikes
from salescience_pipeline_tests.test_sandbox.serving import LAST, TODAY, TOKEN, WORLD, Served
from salescience_pipeline_tests.test_sandbox.witness import corpus, differences, recorded

DAILY = "/tiingo/tiingo/daily"
ZIP = "/tiingo/docs/tiingo/daily/supported_tickers.zip"


def prices(sandbox: Served, ticker: str, query: str = "") -> list[dict]:
    response = sandbox.get(f"{DAILY}/{ticker}/prices{query}", headers=TOKEN)
    assert response.status_code == 200, response.text
    return response.json()


# -- shape ------------------------------------------------------------------------------------------------------------


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("path", "lookalike", "query"),
    [
        (
            "providers/tiingo/GOOGL_prices_2018.json",
            lookalikes.TIINGO_PRICES,
            "?startDate=2018-01-05&endDate=2018-01-19",
        ),
        ("providers/tiingo/GOOGL_prices_latest.json", lookalikes.TIINGO_LATEST, ""),
        (
            "samples/tiingo/ticker_price_pandas_weekly.json",
            lookalikes.TIINGO_PRICES,
            "?startDate=2018-01-05&endDate=2018-01-19&resampleFreq=weekly",
        ),
    ],
)
def test_price_rows_have_the_recorded_columns_in_the_recorded_order(sandbox, path, lookalike, query):
    theirs = recorded(path)
    expected = theirs["body"] if theirs else lookalike
    ours = sandbox.get(f"{DAILY}/ALDRN/prices{query}", headers=TOKEN)
    assert ours.headers["content-type"] == "application/json"
    assert differences(ours.json(), expected) == []
    assert list(ours.json()[0]) == list(expected[0])
    assert ours.json()[0]["date"][10:] == expected[0]["date"][10:]


@pytest.mark.corpus
def test_csv_has_bare_dates_and_the_recorded_header(sandbox):
    folder = corpus()
    theirs = (folder / "providers/tiingo/GOOGL_prices_2018.csv").read_text() if folder else lookalikes.TIINGO_CSV
    ours = sandbox.get(f"{DAILY}/ALDRN/prices?startDate=2018-01-05&endDate=2018-01-19&format=csv", headers=TOKEN)
    assert ours.headers["content-type"] == "text/csv"
    lines = ours.text.splitlines()
    assert lines[0] == theirs.splitlines()[0]
    assert lines[1].startswith("2018-01-05,")
    assert [len(line.split(",")) for line in lines] == [13] * 11
    rows = list(csv.DictReader(io.StringIO(ours.text)))
    json_rows = prices(sandbox, "ALDRN", "?startDate=2018-01-05&endDate=2018-01-19")
    assert [float(row["adjClose"]) for row in rows] == [row["adjClose"] for row in json_rows]


@pytest.mark.corpus
def test_metadata_has_the_recorded_keys(sandbox):
    theirs = recorded("providers/tiingo/GOOGL_meta.json")
    ours = sandbox.get(f"{DAILY}/brnwd-b", headers=TOKEN).json()
    assert differences(ours, theirs["body"] if theirs else lookalikes.TIINGO_META) == []
    assert ours["ticker"] == "BRNWD-B"
    assert "(fictional)" in ours["name"]
    assert "(fictional)" in ours["description"]
    assert (ours["startDate"], ours["endDate"]) == ("2015-01-02", LAST)


# -- parameters -------------------------------------------------------------------------------------------------------


def test_without_dates_there_is_the_newest_row_only(sandbox):
    (row,) = prices(sandbox, "ALDRN")
    assert row["date"] == f"{LAST}T00:00:00+00:00"
    assert row["close"] == row["adjClose"] == WORLD.close_on("ALDRN", dt.date.fromisoformat(LAST))


def test_tickers_are_read_in_any_case_and_the_class_wants_a_dash(sandbox):
    assert prices(sandbox, "brnwd-b") == prices(sandbox, "BRNWD-B")
    refused = sandbox.get(f"{DAILY}/BRNWD.B/prices", headers=TOKEN)
    assert refused.status_code == 404


def test_dates_are_inclusive_and_one_may_be_left_out(sandbox):
    span = prices(sandbox, "ALDRN", "?startDate=2026-11-02&endDate=2026-11-06")
    assert [row["date"][:10] for row in span] == [f"2026-11-0{day}" for day in range(2, 7)]
    assert prices(sandbox, "ALDRN", "?startDate=2026-11-18")[-1]["date"][:10] == LAST
    assert prices(sandbox, "ALDRN", "?endDate=2015-01-06")[0]["date"][:10] == "2015-01-02"
    assert prices(sandbox, "ALDRN", "?startDate=2026-11-07&endDate=2026-11-08") == []
    assert prices(sandbox, "ALDRN", "?startDate=2026-12-01") == []


def test_columns_and_order_can_be_chosen(sandbox):
    rows = prices(sandbox, "ALDRN", "?startDate=2026-11-02&endDate=2026-11-06&columns=close,volume&sort=-date")
    assert list(rows[0]) == ["date", "close", "volume"]
    assert rows[0]["date"] > rows[-1]["date"]
    refused = sandbox.get(f"{DAILY}/ALDRN/prices?columns=colour", headers=TOKEN)
    assert refused.status_code == 400


@pytest.mark.parametrize("query", ["resampleFreq=hourly", "startDate=soon", "endDate=2026-13-01", "format=xml"])
def test_parameters_that_make_no_sense_are_400_with_a_detail(sandbox, query):
    refused = sandbox.get(f"{DAILY}/ALDRN/prices?{query}", headers=TOKEN)
    assert refused.status_code == 400
    assert isinstance(refused.json()["detail"], str)


def test_a_delisted_company_keeps_its_history_and_its_end(sandbox):
    assert prices(sandbox, "OAKMR")[0]["date"][:10] == "2024-02-16"
    assert prices(sandbox, "OAKMR", "?startDate=2024-02-20") == []


# -- the rule of adjustment -------------------------------------------------------------------------------------------


def rows_of(ticker: str, first: dt.date, last: dt.date) -> list[dict]:
    return FictionalSource(app.Sandbox(WORLD)).rows(ticker.replace(".", "-"), first, last)


@given(st.sampled_from([c.ticker for c in WORLD.all]), st.integers(2015, 2026))
@settings(max_examples=30, deadline=None)
def test_adjusted_prices_step_at_events_and_nowhere_else(ticker, year):
    """Factor before an ex-date over factor after it is 1 / (1 + D / close of the ex-date), divided by the split."""
    rows = rows_of(ticker, dt.date(year, 1, 1), dt.date(year, 12, 31))
    for before, row in itertools.pairwise(rows):
        step = (before["adjClose"] / before["close"]) / (row["adjClose"] / row["close"])
        expected = 1 / (1 + row["divCash"] / row["close"]) / row["splitFactor"]
        assert step == pytest.approx(expected, abs=1e-10)
        assert before["adjVolume"] / before["volume"] == pytest.approx(
            row["splitFactor"] * row["adjVolume"] / row["volume"], rel=1e-4
        )


@given(st.sampled_from([c.ticker for c in WORLD.all]))
@settings(max_examples=15, deadline=None)
def test_the_newest_row_is_not_adjusted(ticker):
    company = WORLD.company(ticker)
    last = WORLD.last_date(company)
    (row,) = rows_of(ticker, last, last)
    for name in ("Open", "High", "Low", "Close", "Volume"):
        assert row[f"adj{name}"] == row[name.lower()]


@pytest.mark.corpus
def test_the_rule_holds_on_the_recorded_dividend():
    theirs = recorded("samples/tiingo/prices_AAPL_dividend_2023-02.json")
    rows = theirs["body"] if theirs else rows_of("CALDQ", dt.date(2023, 1, 3), dt.date(2023, 1, 12))
    before, row = next((a, b) for a, b in itertools.pairwise(rows) if b["divCash"])
    step = (before["adjClose"] / before["close"]) / (row["adjClose"] / row["close"])
    assert step == pytest.approx(1 / (1 + row["divCash"] / row["close"]), abs=1e-9)


def test_an_event_rewrites_the_whole_history(sandbox):
    before = prices(sandbox, "LYRWD", "?startDate=2016-01-04&endDate=2016-01-08")
    event = {"kind": "dividend", "ticker": "LYRWD", "date": LAST, "value": 2.0}
    sandbox.http.post("/_sandbox/world", json={"events": [event]})
    after = prices(sandbox, "LYRWD", "?startDate=2016-01-04&endDate=2016-01-08")
    close = prices(sandbox, "LYRWD")[0]
    assert close["divCash"] == 2.0
    for old, new in zip(before, after, strict=True):
        assert new["close"] == old["close"]
        assert new["adjClose"] == pytest.approx(old["adjClose"] / (1 + 2.0 / close["close"]), abs=1e-9)


# -- resampling -------------------------------------------------------------------------------------------------------


def test_weeks_end_on_friday_and_sum_up_their_days(sandbox):
    daily = prices(sandbox, "CALDQ", "?startDate=2026-10-05&endDate=2026-10-16")
    weeks = prices(sandbox, "CALDQ", "?startDate=2026-10-05&endDate=2026-10-16&resampleFreq=weekly")
    assert [row["date"][:10] for row in weeks] == ["2026-10-09", "2026-10-16"]
    first = daily[:5]
    assert weeks[0]["open"] == first[0]["open"]
    assert weeks[0]["close"] == first[-1]["close"]
    assert weeks[0]["high"] == max(row["high"] for row in first)
    assert weeks[0]["low"] == min(row["low"] for row in first)
    assert weeks[0]["volume"] == sum(row["volume"] for row in first)
    assert weeks[0]["divCash"] == sum(row["divCash"] for row in first) > 0


@pytest.mark.parametrize(
    ("frequency", "first", "last", "end"),
    [
        ("monthly", dt.date(2026, 10, 1), dt.date(2026, 10, 30), dt.date(2026, 10, 30)),
        ("monthly", dt.date(2024, 3, 1), dt.date(2024, 3, 31), dt.date(2024, 3, 29)),  # the 29th was Good Friday
        ("weekly", dt.date(2024, 3, 25), dt.date(2024, 3, 29), dt.date(2024, 3, 29)),
        ("annually", dt.date(2022, 1, 1), dt.date(2022, 12, 31), dt.date(2022, 12, 30)),
        ("annually", dt.date(2026, 1, 1), dt.date(2026, 11, 19), dt.date(2026, 11, 19)),  # under way
    ],
)
def test_a_period_is_dated_with_its_last_business_day(frequency, first, last, end):
    assert resample(rows_of("ALDRN", first, last), frequency)["date"] == end


# -- bulk -------------------------------------------------------------------------------------------------------------


def test_the_bulk_answer_is_the_newest_row_of_everyone_listed(sandbox):
    rows = sandbox.get(f"{DAILY}/prices", headers=TOKEN).json()
    assert {row["ticker"] for row in rows} == {c.dashed for c in WORLD.all if WORLD.delisted(c) is None}
    assert {row["date"] for row in rows} == {f"{LAST}T00:00:00+00:00"}
    for row in rows:
        (single,) = prices(sandbox, row["ticker"])
        assert row == {**single, "ticker": row["ticker"]}


def test_the_bulk_answer_can_be_filtered_and_comes_as_csv(sandbox):
    rows = sandbox.get(f"{DAILY}/prices?tickers=aldrn,BRNWD-B,NOBODY", headers=TOKEN).json()
    assert [row["ticker"] for row in rows] == ["ALDRN", "BRNWD-B"]
    text = sandbox.get(f"{DAILY}/prices?format=csv", headers=TOKEN).text
    header, *lines = text.splitlines()
    assert header.split(",") == ["ticker", *COLUMNS]
    assert len(lines) == 14
    assert all(LAST in line for line in lines)


# -- the list of tickers ----------------------------------------------------------------------------------------------


@pytest.mark.corpus
def test_the_list_is_a_zip_with_the_recorded_header_and_needs_no_token(sandbox):
    folder = corpus()
    theirs = lookalikes.TIINGO_LIST
    if folder:
        with zipfile.ZipFile(folder / "providers/tiingo/supported_tickers_small.zip") as archive:
            theirs = archive.read("supported_tickers.csv").decode()
    response = sandbox.get(ZIP)
    assert response.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        assert archive.namelist() == ["supported_tickers.csv"]
        text = archive.read("supported_tickers.csv").decode()
    assert text.splitlines()[0] == theirs.splitlines()[0]
    rows = {row["ticker"]: row for row in csv.DictReader(io.StringIO(text))}
    assert set(rows) == {company.dashed for company in WORLD.all}
    assert rows["OAKMR"]["endDate"] == "2024-02-16"
    assert rows["FIXLG"]["assetType"] == "ETF"
    assert rows["ALDRN"]["startDate"] == "2015-01-02"


def test_the_list_can_be_revalidated(sandbox):
    first = sandbox.get(ZIP)
    for condition in (
        {"If-None-Match": first.headers["etag"]},
        {"If-Modified-Since": first.headers["last-modified"]},
    ):
        again = sandbox.get(ZIP, headers=condition)
        assert again.status_code == 304
        assert again.content == b""
        assert again.headers["etag"] == first.headers["etag"]
    assert sandbox.get(ZIP, headers={"If-None-Match": '"other"'}).status_code == 200
    assert sandbox.get(ZIP, headers={"If-Modified-Since": "Mon, 01 Jan 2024 00:00:00 GMT"}).status_code == 200
    assert sandbox.get(ZIP, headers={"If-Modified-Since": "yesterday"}).status_code == 200


def test_prices_have_no_validators(sandbox):
    response = sandbox.get(f"{DAILY}/ALDRN/prices", headers=TOKEN)
    assert "etag" not in response.headers
    assert "last-modified" not in response.headers


# -- tokens and refusals ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{"Authorization": "Token abc"}, {"Authorization": "token abc"}, {}])
def test_a_token_comes_in_the_header_or_in_the_query(sandbox, headers):
    query = "" if headers else "?token=abc"
    assert sandbox.get(f"{DAILY}/ALDRN/prices{query}", headers=headers).status_code == 200


@pytest.mark.parametrize("path", [f"{DAILY}/ALDRN/prices", f"{DAILY}/ALDRN", f"{DAILY}/prices", "/tiingo/tiingo/news"])
def test_no_token_and_a_wrong_token_are_401(sandbox, path):
    assert sandbox.get(path).status_code == 401
    wrong = sandbox.get(path, headers={"Authorization": "Token WRONG-1"})
    assert wrong.status_code == 401
    assert wrong.json() == {"detail": "Invalid token."}


@pytest.mark.corpus
def test_news_are_not_in_the_plan(sandbox):
    theirs = recorded("providers/tiingo/errors/403_news_bulk.json")
    refused = sandbox.get("/tiingo/tiingo/news?tickers=aldrn", headers=TOKEN)
    assert refused.status_code == 403
    assert refused.json() == (
        theirs["body"] if theirs else {"detail": "You do not have permission to access the News API"}
    )
    assert sandbox.get("/tiingo/tiingo/news/bulk_download", headers=TOKEN).status_code == 403


def test_the_bulk_answer_is_not_in_the_free_plan(sandbox):
    assert sandbox.get(f"{DAILY}/prices", headers={"Authorization": "Token free-1"}).status_code == 403
    assert sandbox.get(f"{DAILY}/ALDRN/prices", headers={"Authorization": "Token free-1"}).status_code == 200


@pytest.mark.corpus
def test_an_unknown_ticker_is_the_recorded_404(sandbox):
    theirs = recorded("samples/tiingo/error_404_unknown_ticker.json")
    expected = theirs["body"] if theirs else {"detail": "Error: Ticker 'XXXX' not found"}
    for path in (f"{DAILY}/XXXX/prices", f"{DAILY}/XXXX"):
        refused = sandbox.get(path, headers=TOKEN)
        assert refused.status_code == 404
        assert refused.json() == expected


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("window", "path", "lookalike", "status"),
    [
        (
            "hour",
            "samples/tiingo/error_429_hourly.json",
            "Error: You have run over your hourly request allocation.",
            429,
        ),
        ("symbols", "samples/tiingo/error_200_symbol_cap.txt", "You have run over your 500 symbol look up", 200),
    ],
)
def test_a_quota_is_refused_in_the_recorded_words(sandbox, window, path, lookalike, status):
    sandbox.fault(provider="tiingo", kind="limit", params={"window": window})
    refused = sandbox.get(f"{DAILY}/ALDRN/prices", headers=TOKEN)
    theirs = recorded(path)
    assert refused.status_code == status
    if theirs is None:
        assert refused.json()["detail"].startswith(lookalike)
    elif isinstance(theirs["body"], dict):
        assert refused.json() == theirs["body"]
    else:
        assert refused.json()["detail"] == theirs["body"].strip()


def test_an_unknown_path_is_404_json(sandbox):
    assert sandbox.get("/tiingo/iex/ALDRN", headers=TOKEN).json() == {"detail": "Not found."}


def test_every_session_of_a_listed_company_has_a_row(sandbox):
    rows = prices(sandbox, "TORVA", "?startDate=2010-01-01")
    days = [dt.date.fromisoformat(row["date"][:10]) for row in rows]
    assert days == nyse.sessions(dt.date(2018, 6, 14), dt.date.fromisoformat(LAST))


@pytest.mark.parametrize(("clock", "newest"), [("17:29:59", LAST), ("17:30:00", TODAY)])
def test_the_day_s_prices_are_out_at_half_past_five(sandbox, clock, newest):
    sandbox.http.post("/_sandbox/world", json={"at": f"{TODAY}T{clock}-05:00"})
    listed = sandbox.get("/tiingo/tiingo/daily/prices", params={"tickers": "ALDRN"}, headers=TOKEN).json()
    ranged = sandbox.get(
        "/tiingo/tiingo/daily/ALDRN/prices", params={"startDate": LAST, "endDate": TODAY}, headers=TOKEN
    ).json()
    assert [row["date"][:10] for row in listed] == [newest]
    assert ranged[-1]["date"][:10] == newest
    sandbox.http.post("/_sandbox/world", json={"at": None})
    listed = sandbox.get("/tiingo/tiingo/daily/prices", params={"tickers": "ALDRN"}, headers=TOKEN).json()
    assert [row["date"][:10] for row in listed] == [LAST], "a date alone is looked at before its prices"
