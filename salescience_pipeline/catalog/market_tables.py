"""The tables of Finnhub, Polygon and Alpha Vantage: quotes, news, fundamentals, earnings, indicators.

What does not belong here: filings and end-of-day prices (``tables``).
"""

from __future__ import annotations

from salescience_pipeline.catalog.table_model import Table
from salescience_pipeline.identifiers import TableName

_INDICATOR_ROW = ("ticker", "indicator", "params_key", "interval", "ts_date", "series")

PROFILE_COLUMNS = (
    "ticker",
    "as_of_date",
    "name",
    "exchange",
    "currency",
    "country",
    "ipo_date",
    "industry",
    "sector",
    "market_cap",
    "shares_outstanding",
    "cik",
)
"""Columns of every source's company profiles."""


def _news(source: str, title: str) -> tuple[Table, Table]:
    """The articles of a source, and the tickers they are about."""
    articles = Table(
        TableName(f"core_{source}__news_articles"),
        f"{title} news articles",
        "One row per article id; copies under other ids share the fingerprint. A correction replaces the text and keeps "
        "first_seen_at.",
        (
            "article_id",
            "published_at",
            "published_date_et",
            "title",
            "author",
            "publisher",
            "url",
            "image_url",
            "summary",
            "category",
            "keywords",
            "fingerprint",
            "first_seen_at",
        ),
        ("source", "article_id"),
        "news",
        required=("published_at", "published_date_et", "title", "fingerprint", "first_seen_at"),
        partition_year_of="published_date_et",
        sort_by=("published_date_et", "article_id"),
        keep_first=("first_seen_at",),
    )
    tickers = Table(
        TableName(f"core_{source}__news_tickers"),
        f"Tickers of {title} news",
        "One row per article and ticker that it is about.",
        ("article_id", "ticker", "published_date_et"),
        ("source", "article_id", "ticker"),
        "news",
        required=("published_date_et",),
        partition_year_of="published_date_et",
        sort_by=("published_date_et", "article_id"),
    )
    return articles, tickers


MARKET_TABLES: tuple[Table, ...] = (
    Table(
        TableName("core_finnhub__quotes"),
        "Finnhub quotes",
        "One row per ticker and last trade: polling twice between two trades gives one row.",
        (
            "ticker",
            "quote_ts",
            "trade_date",
            "price",
            "change",
            "change_pct",
            "day_open",
            "day_high",
            "day_low",
            "prev_close",
            "polled_at",
        ),
        ("source", "ticker", "quote_ts"),
        "quotes",
        required=("trade_date", "price", "polled_at"),
        partition_year_of="trade_date",
        sort_by=("ticker", "quote_ts"),
        keep_first=("polled_at",),
    ),
    *_news("finnhub", "Finnhub"),
    *_news("polygon", "Polygon"),
    Table(
        TableName("core_polygon__news_insights"),
        "Polygon news insights",
        "One row per article and ticker that Polygon judges: the mood of the article for the ticker, and why.",
        ("article_id", "ticker", "published_date_et", "sentiment", "reasoning"),
        ("source", "article_id", "ticker"),
        "news",
        required=("published_date_et",),
        partition_year_of="published_date_et",
        sort_by=("published_date_et", "article_id"),
    ),
    Table(
        TableName("core_finnhub__fundamental_metrics"),
        "Finnhub fundamental metrics",
        "One row per ticker, day of reading, metric and period. The metrics of the moment and the time series behind them "
        "stand side by side, margins of the former in percent points, of the latter as fractions: the unit says which.",
        ("ticker", "as_of_date", "metric", "period_type", "period_end", "value", "value_text", "unit"),
        ("source", "ticker", "as_of_date", "metric", "period_type", "period_end"),
        "fundamentals",
        required=("unit",),
        partition_year_of="as_of_date",
        sort_by=("ticker", "as_of_date", "metric", "period_end"),
    ),
    Table(
        TableName("core_finnhub__earnings_surprises"),
        "Finnhub earnings surprises",
        "One row per ticker and quarter: reported against estimated earnings per share. The quarters are the calendar's and "
        "not the company's own: never join them with those of the earnings calendar.",
        (
            "ticker",
            "period_end",
            "report_date",
            "eps_actual",
            "eps_estimate",
            "surprise",
            "surprise_pct",
            "src_year",
            "src_quarter",
            "report_time",
        ),
        ("source", "ticker", "period_end"),
        "fundamentals",
        required=("src_year", "src_quarter"),
        sort_by=("ticker", "period_end"),
    ),
    Table(
        TableName("core_finnhub__earnings_calendar"),
        "Finnhub earnings calendar",
        "One row per ticker, day of the report and day of reading: dates move, so each reading is a snapshot of its own.",
        (
            "ticker",
            "report_date",
            "as_of_date",
            "hour",
            "fiscal_year",
            "fiscal_quarter",
            "eps_estimate",
            "eps_actual",
            "revenue_estimate",
            "revenue_actual",
        ),
        ("source", "ticker", "report_date", "as_of_date"),
        "fundamentals",
        partition_year_of="report_date",
        sort_by=("ticker", "report_date", "as_of_date"),
    ),
    Table(
        TableName("core_finnhub__company_profiles"),
        "Finnhub company profiles",
        "One row per ticker and day on which the profile was read; millions are written out.",
        PROFILE_COLUMNS,
        ("source", "ticker", "as_of_date"),
        "companies",
        sort_by=("ticker", "as_of_date"),
    ),
    Table(
        TableName("core_salescience__technical_indicators"),
        "Computed technical indicators",
        "One row per ticker, indicator, parameters, day and line of the indicator, computed from the stored prices as "
        "adjusted for splits and dividends. Provenance is that of the day's price.",
        (*_INDICATOR_ROW, "value"),
        ("source", *_INDICATOR_ROW),
        "indicators",
        required=("value",),
        sort_by=("ticker", "indicator", "params_key", "ts_date"),
    ),
    Table(
        TableName("core_alphavantage__technical_indicators"),
        "Alpha Vantage technical indicators",
        "One row per ticker, indicator, parameters, day and line of the indicator.",
        (*_INDICATOR_ROW, "value"),
        ("source", *_INDICATOR_ROW),
        "indicators",
        required=("value",),
        sort_by=("ticker", "indicator", "params_key", "ts_date"),
    ),
    Table(
        TableName("core_alphavantage__eod_prices"),
        "Alpha Vantage end-of-day prices",
        "One row per ticker and trading day of the last hundred: prices as traded, neither adjusted nor with dividends and "
        "splits.",
        ("ticker", "trade_date", "open", "high", "low", "close", "volume"),
        ("source", "ticker", "trade_date"),
        "prices",
        required=("close",),
        partition_year_of="trade_date",
        sort_by=("ticker", "trade_date"),
    ),
)
