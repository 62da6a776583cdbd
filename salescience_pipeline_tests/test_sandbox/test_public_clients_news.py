"""Packages that we did not write, unmodified, against the emulated Finnhub, Polygon and Alpha Vantage.

Each is pointed at the sandbox through what it offers for that: finnhub-python and alpha_vantage keep their base address in
an attribute of the class, the client of Polygon takes one as a parameter.
"""

from __future__ import annotations

import datetime as dt
import itertools
import warnings

import pytest
from urllib3.exceptions import MaxRetryError

from salescience_pipeline.fiction import indicators
from salescience_pipeline.fiction.adjust import Adjustment
from salescience_pipeline_tests.test_sandbox.serving import DAY, LAST, TODAY, WORLD, Served

with warnings.catch_warnings():  # on import the packages change the filters of the whole process
    import finnhub
    from alpha_vantage.fundamentaldata import FundamentalData
    from alpha_vantage.techindicators import TechIndicators
    from alpha_vantage.timeseries import TimeSeries
    from polygon import RESTClient
    from polygon.exceptions import BadResponse


# -- finnhub-python ---------------------------------------------------------------------------------------------------


@pytest.fixture
def finnhub_client(sandbox: Served):
    class Client(finnhub.Client):
        API_URL = f"{sandbox.url}/finnhub/api/v1"

    with Client(api_key="any") as client:
        yield client


def test_finnhub_reads_every_endpoint(finnhub_client, sandbox):
    client = finnhub_client
    bar = WORLD.bars("CALDQ", dt.date.fromisoformat(LAST), DAY)[0]
    assert client.quote("CALDQ")["c"] == bar.close
    assert client.quote("NOPE")["t"] == 0
    articles = client.company_news("CALDQ", _from="2026-10-01", to=TODAY)
    assert articles == sorted(articles, key=lambda row: row["datetime"], reverse=True) != []
    general = client.general_news("general", min_id=0)
    assert client.general_news("general", min_id=general[1]["id"]) == general[:1]
    assert client.company_basic_financials("CALDQ", "all")["metric"]["marketCapitalization"] > 0
    earnings = client.company_earnings("CALDQ", limit=2)
    assert [row["period"] for row in earnings] == ["2026-09-30", "2026-06-30"]
    calendar = client.earnings_calendar(_from="2026-11-20", to="2026-12-31", symbol="", international=False)
    assert {row["epsActual"] for row in calendar["earningsCalendar"]} == {None}
    assert client.company_profile2(symbol="BRNWD.B")["ticker"] == "BRNWD.B"
    assert len(client.stock_symbols("US")) == 14
    assert client.market_status(exchange="US")["isOpen"] is False
    endpoints = sandbox.stats()["providers"]["finnhub"]["endpoints"]
    assert set(endpoints) == {
        "quote",
        "company_news",
        "news",
        "metric",
        "earnings",
        "earnings_calendar",
        "profile",
        "symbols",
        "market_status",
    }


def test_finnhub_raises_what_the_provider_refuses(finnhub_client, sandbox):
    client = finnhub_client
    with pytest.raises(finnhub.FinnhubAPIException) as refused:
        client.stock_candles("CALDQ", "D", 1, 2)
    assert (refused.value.status_code, refused.value.message) == (403, "You don't have access to this resource.")
    client.api_key = "wrong"
    with pytest.raises(finnhub.FinnhubAPIException) as refused:
        client.quote("CALDQ")
    assert (refused.value.status_code, refused.value.message) == (401, "Invalid API key")
    sandbox.fault(provider="finnhub", kind="limit", times=1)
    with pytest.raises(finnhub.FinnhubAPIException) as refused:
        client.quote("CALDQ")
    assert refused.value.status_code == 429
    assert "API limit reached" in refused.value.message


# -- polygon-api-client -----------------------------------------------------------------------------------------------


@pytest.fixture(params=["", "/polygon"], ids=["root", "prefix"])
def polygon_client(sandbox: Served, request):
    client = RESTClient(api_key="any", base=f"{sandbox.url}{request.param}", retries=0)
    yield client
    client.client.clear()


def test_polygon_follows_the_pages_of_the_news(polygon_client, sandbox):
    window = {"published_utc_gte": "2026-11-01", "published_utc_lt": "2026-11-15", "order": "asc"}
    pages = list(polygon_client.list_ticker_news(**window, limit=9))
    whole = list(polygon_client.list_ticker_news(**window, limit=1000))
    assert [row.id for row in pages] == [row.id for row in whole]
    asked = sandbox.stats()["providers"]["polygon"]["endpoints"]["news"]["requests"]
    assert asked == -(-len(whole) // 9) + 1
    assert [row.published_utc for row in whole] == sorted(row.published_utc for row in whole)
    assert all(row.publisher.name and row.tickers and row.article_url for row in whole)
    assert any(row.insights for row in whole)
    own = list(itertools.islice(polygon_client.list_ticker_news(ticker="CALDQ"), 15))
    assert all("CALDQ" in row.tickers for row in own)
    assert len({row.id for row in own}) == 15


def test_polygon_reads_bars(polygon_client):
    rows = polygon_client.get_aggs("ALDRN", 1, "day", "2020-08-27", "2020-09-02", adjusted=False)
    bars = WORLD.bars("ALDRN", dt.date(2020, 8, 27), dt.date(2020, 9, 2))
    assert [(row.open, row.close, row.volume) for row in rows] == [(bar.open, bar.close, bar.volume) for bar in bars]
    grouped = polygon_client.get_grouped_daily_aggs(LAST)
    assert {row.ticker for row in grouped} == {c.ticker for c in WORLD.all if WORLD.delisted(c) is None}
    (before,) = polygon_client.get_previous_close_agg("ALDRN")
    assert before.close == WORLD.close_on("ALDRN", dt.date.fromisoformat(LAST))


def test_polygon_reads_reference_lists(polygon_client):
    tickers = [row.ticker for row in polygon_client.list_tickers(limit=3)]
    assert tickers == sorted(c.ticker for c in WORLD.all if WORLD.delisted(c) is None)
    assert polygon_client.get_ticker_details("CALDQ").cik == "0009900003"
    splits = {(row.ticker, row.split_from, row.split_to) for row in polygon_client.list_splits(limit=1)}
    assert splits == {("ALDRN", 1, 4), ("KESTL", 10, 1)}
    paid = list(polygon_client.list_dividends(ticker="CALDQ", limit=5))
    assert {row.ex_dividend_date: row.cash_amount for row in paid} == {
        day.isoformat(): cash for day, cash in WORLD.dividends("CALDQ").items()
    }
    holidays = polygon_client.get_market_holidays()
    assert holidays[0].name == "Thanksgiving Day"
    assert {row.status for row in holidays} == {"closed", "early-close"}


def test_polygon_raises_what_the_provider_refuses(polygon_client, sandbox):
    with pytest.raises(BadResponse, match="Ticker not found"):
        polygon_client.get_ticker_details("NOPE")
    sandbox.http.post("/_sandbox/limits", json={"polygon": {"per_minute": 0}})
    # Without retries of its own the package passes the refusal on.
    with pytest.raises(MaxRetryError, match="429"):
        polygon_client.get_previous_close_agg("CALDQ")


# -- alpha_vantage ----------------------------------------------------------------------------------------------------


@pytest.fixture
def to_sandbox(sandbox: Served):
    """Makes a client of a class of the package that asks the sandbox."""

    def made(kind: type, **options):
        # The package reads its address from the base class by name, so it is set there and put back.
        return kind(key="any", **options)

    base = TimeSeries.__mro__[1]
    before = base._ALPHA_VANTAGE_API_URL
    base._ALPHA_VANTAGE_API_URL = f"{sandbox.url}/alphavantage/query?"
    yield made
    base._ALPHA_VANTAGE_API_URL = before


def adjusted_closes(ticker: str) -> list[float]:
    adjustment = Adjustment(WORLD, ticker)
    return [
        bar.close * adjustment.crsp.after(bar.date) / adjustment.splits.after(bar.date)
        for bar in WORLD.bars(ticker, dt.date(2015, 1, 1), DAY)
    ]


def test_alpha_vantage_reads_indicators(to_sandbox):
    client = to_sandbox(TechIndicators, output_format="pandas")
    closes = adjusted_closes("CALDQ")
    frame, meta = client.get_sma(symbol="CALDQ", interval="daily", time_period=20, series_type="close")
    assert meta["2: Indicator"] == "Simple Moving Average (SMA)"
    assert frame["SMA"].iloc[0] == pytest.approx(sum(closes[-20:]) / 20, abs=6e-5)
    frame, _ = client.get_rsi(symbol="CALDQ", interval="daily", time_period=14, series_type="close")
    assert frame["RSI"].iloc[0] == pytest.approx(indicators.rsi(closes, 14)[-1], abs=6e-5)
    frame, _ = client.get_ema(symbol="CALDQ", interval="weekly", time_period=10, series_type="close")
    assert frame.index.max().date() == dt.date.fromisoformat(LAST)
    frame, _ = client.get_macd(symbol="CALDQ", interval="daily", series_type="close")
    assert set(frame.columns) == {"MACD", "MACD_Hist", "MACD_Signal"}
    frame, meta = client.get_bbands(symbol="CALDQ", interval="daily", time_period=20, nbdevup=3, nbdevdn=1)
    assert meta["6.1: Deviation multiplier for upper band"] == 3
    upper, middle, lower = (frame[f"Real {name} Band"].iloc[0] for name in ("Upper", "Middle", "Lower"))
    assert upper - middle == pytest.approx(3 * (middle - lower), abs=3e-4)


def test_alpha_vantage_reads_prices_and_fundamentals(to_sandbox):
    rows, meta = to_sandbox(TimeSeries).get_daily(symbol="BRNWD-B")
    assert len(rows) == 100
    assert meta["3. Last Refreshed"] == LAST
    assert float(rows[LAST]["4. close"]) == WORLD.close_on("BRNWD.B", dt.date.fromisoformat(LAST))
    text, _ = to_sandbox(TimeSeries, output_format="csv").get_daily(symbol="BRNWD-B")
    lines = list(text)
    assert lines[0] == ["timestamp", "open", "high", "low", "close", "volume"]
    assert len(lines) == 101
    body, _ = to_sandbox(FundamentalData).get_company_overview(symbol="CALDQ")
    assert body["CIK"] == "9900003"


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda c: c.get_daily(symbol="NOPE"), "Invalid API call"),
        (lambda c: c.get_daily(symbol="CALDQ", outputsize="full"), "premium feature"),
        (lambda c: c.get_daily_adjusted(symbol="CALDQ"), "premium endpoint"),
    ],
)
def test_alpha_vantage_raises_what_the_provider_tells_with_200(to_sandbox, call, text):
    with pytest.raises(ValueError, match=text):
        call(to_sandbox(TimeSeries))


def test_alpha_vantage_raises_at_the_end_of_a_day(to_sandbox, sandbox):
    sandbox.http.post("/_sandbox/limits", json={"alphavantage": {"per_day": 1}})
    client = to_sandbox(TimeSeries)
    client.get_daily(symbol="CALDQ")
    with pytest.raises(ValueError, match="25 requests per day"):
        client.get_daily(symbol="CALDQ")
