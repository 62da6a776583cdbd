"""The datasets of Finnhub, Polygon and Alpha Vantage.

What does not belong here: filings and end-of-day prices (``datasets``).
"""

from __future__ import annotations

import datetime as dt

from salescience_pipeline.catalog.dataset_model import HOUR, Cut, Dataset, one
from salescience_pipeline.catalog.scopes import Scope
from salescience_pipeline.identifiers import TableName

MARKET_DATASETS: tuple[Dataset, ...] = (
    Dataset(
        name=TableName("core_finnhub__quotes"),
        provider="finnhub",
        title="Finnhub quotes",
        description="The last trade of each ticker, with the day's open, high and low: one call per ticker and poll. Only now "
        "can be asked for.",
        cut=Cut.DATE,
        outputs=one("core_finnhub__quotes"),
        group="quotes",
        recipe="finnhub.QUOTES",
        tidy="quotes.finnhub_quotes",
        minimum_rule="1 per ticker and poll",
        # A little less than the five minutes between two polls.
        refresh_after=dt.timedelta(minutes=4),
        scope=Scope.ACTIVE_SYMBOLS,
        trading_days_only=True,
        dated_by="trade_date",
        per_ticker=True,
        is_snapshot=True,
        grows=True,
    ),
    Dataset(
        name=TableName("core_finnhub__news_articles"),
        provider="finnhub",
        title="Finnhub company news",
        description="News about each ticker by day of publication: one range per ticker from its watermark, two days of "
        "overlap for what comes late. The active tickers are part of the watchlist: what one job fetched the other does not.",
        cut=Cut.DATE,
        outputs=one("core_finnhub__news_articles") | one("core_finnhub__news_tickers"),
        group="news",
        recipe="finnhub.COMPANY_NEWS",
        tidy="news.finnhub_company_news",
        minimum_rule="1 per ticker and started year of days",
        refresh_after=dt.timedelta(minutes=50),
        late_for=20 * HOUR,
        dated_by="published_date_et",
        per_ticker=True,
        grows=True,
    ),
    Dataset(
        name=TableName("core_finnhub__earnings_calendar"),
        provider="finnhub",
        title="Finnhub earnings calendar",
        description="Who reports when, with estimates and results, for the whole market: one request for the days around those "
        "asked for. Each reading is kept, because dates move.",
        cut=Cut.DATE,
        outputs=one("core_finnhub__earnings_calendar"),
        group="fundamentals",
        recipe="finnhub.EARNINGS_CALENDAR",
        tidy="earnings.finnhub_calendar",
        minimum_rule="1 for all days",
        refresh_after=12 * HOUR,
        late_for=5 * HOUR,
        scope=Scope.NONE,
        dated_by="report_date",
        grows=True,
    ),
    Dataset(
        name=TableName("core_finnhub__fundamental_metrics"),
        provider="finnhub",
        title="Finnhub fundamental metrics",
        description="Ratios, margins, growth and price statistics of a ticker, with their time series: one call per ticker "
        "that reported since it was last read, and for all of them once a week.",
        cut=Cut.TICKER,
        outputs=one("core_finnhub__fundamental_metrics"),
        group="fundamentals",
        recipe="finnhub.METRICS",
        tidy="metrics.finnhub_metrics",
        minimum_rule="1 per ticker that reported or is older than 8 days",
        # The weekly sweep forces; this catches up when it was missed.
        refresh_after=24 * 8 * HOUR,
        needs=(TableName("core_finnhub__earnings_calendar"),),
        grows=True,
    ),
    Dataset(
        name=TableName("core_finnhub__earnings_surprises"),
        provider="finnhub",
        title="Finnhub earnings surprises",
        description="Reported against estimated earnings of the last quarters of a ticker: one call per ticker that reported "
        "since it was last read, and for all of them once a week.",
        cut=Cut.TICKER,
        outputs=one("core_finnhub__earnings_surprises"),
        group="fundamentals",
        recipe="finnhub.EARNINGS",
        tidy="earnings.finnhub_surprises",
        minimum_rule="1 per ticker that reported or is older than 8 days",
        refresh_after=24 * 8 * HOUR,
        needs=(TableName("core_finnhub__earnings_calendar"),),
        grows=True,
    ),
    Dataset(
        name=TableName("core_finnhub__company_profiles"),
        provider="finnhub",
        title="Finnhub company profiles",
        description="Name, exchange, industry, market value and shares of a company: one call per ticker.",
        cut=Cut.TICKER,
        outputs=one("core_finnhub__company_profiles"),
        group="companies",
        recipe="finnhub.PROFILES",
        tidy="profiles.finnhub_profile",
        minimum_rule="1 per ticker",
        refresh_after=24 * 8 * HOUR,
        grows=True,
    ),
    Dataset(
        name=TableName("core_polygon__news_articles"),
        provider="polygon",
        title="Polygon news",
        description="News of the whole market by day of publication, with the tickers of each article and Polygon's judgement "
        "of them: one window, a request per thousand articles. Watchlist and active tickers are views of it.",
        cut=Cut.DATE,
        outputs=one("core_polygon__news_articles")
        | one("core_polygon__news_tickers")
        | one("core_polygon__news_insights"),
        group="news",
        recipe="polygon.NEWS",
        tidy="news.polygon_news",
        minimum_rule="1 per started 1,000 articles of the window",
        # A little less than the fifteen minutes between two polls.
        refresh_after=dt.timedelta(minutes=14),
        late_for=20 * HOUR,
        scope=Scope.NONE,
        dated_by="published_date_et",
        grows=True,
    ),
    Dataset(
        name=TableName("core_alphavantage__technical_indicators"),
        provider="alphavantage",
        title="Alpha Vantage technical indicators",
        description="Indicators as Alpha Vantage computes them, to audit our own: one call brings the whole history of one "
        "indicator of one ticker; what was read longest ago comes first, as many as the day's allowance lets.",
        cut=Cut.TICKER,
        outputs=one("core_alphavantage__technical_indicators"),
        group="indicators",
        recipe="alphavantage.INDICATORS",
        tidy="indicators.alphavantage_indicators",
        minimum_rule="1 per ticker and indicator, within the day's allowance",
        refresh_after=20 * HOUR,
        in_history=False,
    ),
    Dataset(
        name=TableName("core_alphavantage__eod_prices"),
        provider="alphavantage",
        title="Alpha Vantage prices",
        description="The last hundred end-of-day prices of a ticker as they were traded: one call per ticker. A third opinion, "
        "asked for by hand, since it spends the auditor's allowance.",
        cut=Cut.TICKER,
        outputs=one("core_alphavantage__eod_prices"),
        group="prices",
        recipe="alphavantage.DAILY",
        tidy="prices.alphavantage_daily",
        minimum_rule="1 per ticker, within the day's allowance",
        refresh_after=20 * HOUR,
        in_history=False,
        grows=True,
    ),
)
