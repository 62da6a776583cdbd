"""Packages that we did not write, unmodified, against the emulated Yahoo and Tiingo.

Each is pointed at the sandbox through what it offers for that: yfinance takes a session, the tiingo client keeps its
base address in an attribute.
"""

from __future__ import annotations

import datetime as dt
import warnings
from urllib.parse import urlsplit

import pandas as pd
import pytest
import requests

from salescience_pipeline.fiction.adjust import Adjustment
from salescience_pipeline_tests.test_sandbox.serving import LAST, WORLD, Served

with warnings.catch_warnings():  # on import the packages change the filters of the whole process
    import yfinance
    from tiingo import TiingoClient
    from tiingo.restclient import RestClientError
    from yfinance.data import YfData
    from yfinance.exceptions import YFRateLimitError

# yfinance has not caught up with the pandas that this project pins; that is not ours to keep free of warnings.
pytestmark = pytest.mark.filterwarnings("ignore:.*:pandas.errors.Pandas4Warning")


class ToSandbox(requests.Session):
    """A session that takes every request for a Yahoo host to the sandbox."""

    def __init__(self, origin: str) -> None:
        super().__init__()
        self.origin = origin
        self.asked: list[str] = []

    def request(self, method, url, *args, **kwargs):
        parts = urlsplit(url)
        assert (parts.hostname or "").endswith("yahoo.com"), url
        query = f"?{parts.query}" if parts.query else ""
        self.asked.append(parts.path)
        return super().request(method, f"{self.origin}/yahoo{parts.path or '/'}{query}", *args, **kwargs)


@pytest.fixture
def yahoo(sandbox: Served, tmp_path):
    yfinance.set_tz_cache_location(str(tmp_path))
    session = ToSandbox(sandbox.url)
    # The package keeps one cookie and one crumb for the whole process; each test goes through the door itself.
    data = YfData(session=session)
    data._cookie = data._crumb = None
    yield lambda ticker: yfinance.Ticker(ticker, session=session)
    session.close()


# -- yfinance ---------------------------------------------------------------------------------------------------------


def test_yfinance_reads_a_history_with_dividends(yahoo):
    frame = yahoo("CALDQ").history(start="2026-01-02", end="2026-11-20", auto_adjust=False)
    bars = WORLD.bars("CALDQ", dt.date(2026, 1, 2), dt.date(2026, 11, 19))
    assert [stamp.date() for stamp in frame.index] == [bar.date for bar in bars]
    assert frame["Close"].tolist() == pytest.approx([bar.close for bar in bars], rel=1e-6)
    assert frame["Volume"].tolist() == [bar.volume for bar in bars]
    paid = frame[frame["Dividends"] > 0]["Dividends"]
    assert {stamp.date(): cash for stamp, cash in paid.items()} == pytest.approx(
        {bar.date: bar.div_cash for bar in bars if bar.div_cash}
    )
    adjustment = Adjustment(WORLD, "CALDQ")
    expected = [bar.close * adjustment.yahoo.after(bar.date) for bar in bars]
    assert frame["Adj Close"].tolist() == pytest.approx(expected, rel=1e-6)


def test_yfinance_reads_a_split(yahoo):
    frame = yahoo("ALDRN").history(period="max", auto_adjust=False)
    splits = frame[frame["Stock Splits"] > 0]["Stock Splits"]
    assert {stamp.date(): factor for stamp, factor in splits.items()} == {dt.date(2020, 8, 31): 4.0}
    assert len(frame) == len(WORLD.bars("ALDRN", dt.date(2015, 1, 1), dt.date(2026, 11, 19)))
    before = frame.loc[pd.Timestamp("2020-08-28", tz="America/New_York"), "Close"]
    assert before == pytest.approx(WORLD.close_on("ALDRN", dt.date(2020, 8, 28)) / 4, rel=1e-6)


@pytest.mark.parametrize("interval", ["1wk", "1mo", "3mo"])
def test_yfinance_reads_longer_bars(yahoo, interval):
    frame = yahoo("DOVEK").history(period="1y", interval=interval)
    assert len(frame) >= 4
    assert frame["Close"].notna().all()


def test_yfinance_reads_the_profile_and_the_quote(yahoo):
    info = yahoo("CALDQ").info
    company = WORLD.company("CALDQ")
    assert info["longName"] == company.name
    assert info["sector"] == "Technology"
    assert info["currentPrice"] == WORLD.close_on("CALDQ", dt.date.fromisoformat(LAST))
    assert info["sharesOutstanding"] == WORLD.shares_on("CALDQ", dt.date.fromisoformat(LAST))
    assert [officer["name"] for officer in info["companyOfficers"]] == [officer.name for officer in company.officers]


def test_yfinance_reads_statements_shares_and_the_calendar(yahoo):
    ticker = yahoo("CALDQ")
    income = ticker.income_stmt
    assert income.shape[1] == 4
    revenue, cost, gross = (income.loc[name] for name in ("Total Revenue", "Cost Of Revenue", "Gross Profit"))
    assert (revenue - cost == gross).all()
    sheet = ticker.balance_sheet
    owed = sheet.loc["Total Liabilities Net Minority Interest"] + sheet.loc["Stockholders Equity"]
    assert (sheet.loc["Total Assets"] == owed).all()
    assert ticker.calendar["Ex-Dividend Date"] == WORLD.upcoming_dividend("CALDQ")[0]
    assert ticker.fast_info["lastPrice"] == pytest.approx(
        WORLD.close_on("CALDQ", dt.date.fromisoformat(LAST)), rel=1e-6
    )


def test_yfinance_downloads_several_tickers_and_searches(yahoo):
    session = yahoo("ALDRN").session
    frame = yfinance.download(
        ["BRNWD-B", "FIXLG"], start="2026-11-16", end="2026-11-20", session=session, progress=False, threads=False
    )
    assert frame["Close"]["FIXLG"].tolist() == pytest.approx(
        [bar.close for bar in WORLD.bars("FIXLG", dt.date(2026, 11, 16), dt.date(2026, 11, 19))], rel=1e-6
    )
    assert [hit["symbol"] for hit in yfinance.Search("ironvale", session=session).quotes] == ["IRNVL"]


def test_yfinance_renews_a_crumb_that_expired(yahoo, sandbox):
    sandbox.http.post("/_sandbox/switches", json={"yahoo": {"crumb_requests": 2}})
    ticker = yahoo("LYRWD")
    assert ticker.info["symbol"] == "LYRWD"  # uses the crumb up
    assert yahoo("QUILN").info["symbol"] == "QUILN"
    assert sandbox.stats()["providers"]["yahoo"]["endpoints"]["crumb"]["requests"] >= 2


def test_yfinance_sees_a_rate_limit_as_one(yahoo, sandbox):
    sandbox.fault(provider="yahoo", endpoint="chart", kind="limit")
    with pytest.raises(YFRateLimitError):
        yahoo("ALDRN").history(period="5d")


# -- tiingo -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def tiingo(sandbox: Served):
    client = TiingoClient({"api_key": "any", "session": True})
    client._base_url = f"{sandbox.url}/tiingo"
    yield client
    client._session.close()


def test_the_tiingo_client_reads_prices_as_json_and_csv(tiingo):
    span = {"startDate": "2020-08-27", "endDate": "2020-09-02"}
    rows = tiingo.get_ticker_price("ALDRN", **span)
    bars = WORLD.bars("ALDRN", dt.date(2020, 8, 27), dt.date(2020, 9, 2))
    assert [row["close"] for row in rows] == [bar.close for bar in bars]
    assert [row["splitFactor"] for row in rows] == [1.0, 1.0, 4.0, 1.0, 1.0]
    text = tiingo.get_ticker_price("ALDRN", fmt="csv", **span)
    assert len(text.splitlines()) == 6
    assert len(tiingo.get_ticker_price("ALDRN")) == 1
    (one,) = tiingo.get_ticker_price("ALDRN", fmt="object")
    assert one.close == WORLD.close_on("ALDRN", dt.date.fromisoformat(LAST))
    weekly = tiingo.get_ticker_price("ALDRN", frequency="weekly", **span)
    assert [row["date"][:10] for row in weekly] == ["2020-08-28", "2020-09-02"]


def test_the_tiingo_client_reads_metadata(tiingo):
    meta = tiingo.get_ticker_metadata("brnwd-b")
    assert meta["ticker"] == "BRNWD-B"
    assert tiingo.get_ticker_metadata("FIXLG", fmt="object").exchangeCode == "NYSE ARCA"


@pytest.mark.parametrize("form", ["json", "csv"])
def test_the_tiingo_client_makes_data_frames(tiingo, form):
    span = {"startDate": "2026-10-01", "endDate": "2026-10-30", "fmt": form}
    frame = tiingo.get_dataframe("CALDQ", **span)
    bars = WORLD.bars("CALDQ", dt.date(2026, 10, 1), dt.date(2026, 10, 30))
    assert [stamp.date() for stamp in frame.index] == [bar.date for bar in bars]
    assert frame["divCash"].sum() == pytest.approx(sum(bar.div_cash for bar in bars))
    assert str(frame.index.tz) == "UTC"
    both = tiingo.get_dataframe(["CALDQ", "ALDRN"], metric_name="adjClose", **span)
    assert list(both.columns) == ["CALDQ", "ALDRN"]


def test_the_tiingo_client_sees_errors_as_errors(tiingo, sandbox):
    with pytest.raises(RestClientError, match="404"):
        tiingo.get_ticker_price("NOBODY")
    with pytest.raises(RestClientError, match="403"):
        tiingo.get_news(tickers=["ALDRN"])
    sandbox.fault(provider="tiingo", kind="limit")
    with pytest.raises(RestClientError, match="429"):
        tiingo.get_ticker_price("ALDRN")
