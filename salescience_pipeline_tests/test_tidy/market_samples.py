"""Look-alikes of Finnhub's, Polygon's and Alpha Vantage's answers, made by us in the documented shapes."""

from __future__ import annotations

from typing import Any

from salescience_pipeline.catalog.indicators import INDICATORS

PUBLISHED = 1_795_188_600
"""2026-11-20 15:30:00 UTC."""

QUOTE = {"c": 26.5, "d": -0.5, "dp": -1.85, "h": 27.4, "l": 26.1, "o": 27.0, "pc": 27.0, "t": 1_795_208_400}

COMPANY_NEWS: list[dict[str, Any]] = [
    {
        "category": "company",
        "datetime": PUBLISHED,
        "headline": "Widget Works  Announces a Larger Widget",
        "id": 1001,
        "image": "",
        "related": "WDGT",
        "source": "https://www.wirebureau.com",
        "summary": "It is larger.",
        "url": "https://wire.example/1001",
    },
    {
        "category": "company",
        "datetime": PUBLISHED + 20,
        "headline": "WIDGET WORKS announces a larger widget",
        "id": 1002,
        "image": "https://wire.example/w.png",
        "related": "WDGT,GEAR",
        "source": "Wirebureau",
        "summary": "",
        "url": "https://elsewhere.example/1002",
    },
]
"""One release under two ids: another case, another spelling of the source, the same minute."""

MARKET_NEWS: dict[str, Any] = {
    "status": "OK",
    "request_id": "r",
    "count": 1,
    "results": [
        {
            "id": "f0e1",
            "publisher": {"name": "WireBureau", "homepage_url": "https://www.wirebureau.com"},
            "title": "Widget Works Announces a Larger Widget",
            "author": "A. Writer",
            "published_utc": "2026-11-20T15:30:41Z",
            "article_url": "https://www.wirebureau.com/a",
            "tickers": ["WDGT", "GEAR", "GEARpB", "BRK.B"],
            "description": "It is larger.",
            "keywords": ["widgets"],
            "insights": [
                {"ticker": "WDGT", "sentiment": "positive", "sentiment_reasoning": "Larger sells better."},
                {"ticker": "GEAR", "sentiment": "negative", "sentiment_reasoning": "It makes small ones."},
            ],
        }
    ],
}

METRICS: dict[str, Any] = {
    "symbol": "WDGT",
    "metricType": "all",
    "metric": {
        "10DayAverageTradingVolume": 1.25,
        "52WeekHigh": 31.5,
        "52WeekHighDate": "2026-05-22",
        "52WeekPriceReturnDaily": 12.5,
        "dividendIndicatedAnnual": 1.0,
        "epsAnnual": 2.0,
        "epsTTM": 2.5,
        "marketCapitalization": 1234.5,
        "netProfitMarginTTM": 26.5,
        "peTTM": None,
        "currentRatioQuarterly": 1.5,
        "roaRfy": 9.5,
        "revenueGrowth5Y": 7.5,
        "beta": 1.1,
    },
    "series": {
        "annual": {
            "eps": [{"period": "2025-12-31", "v": 2.0}, {"period": "2024-12-31", "v": 1.5}],
            "netMargin": [{"period": "2025-12-31", "v": 0.25}],
            "bookValue": [{"period": "2025-12-31", "v": 500.0}],
        },
        "quarterly": {
            "currentRatio": [{"period": "2026-09-30", "v": 1.5}],
            "roaTTM": [{"period": "2026-06-30", "v": 0.09}, {"period": "2026-03-31", "v": None}],
        },
    },
}

SURPRISES: list[dict[str, Any]] = [
    {
        "actual": 1.25,
        "estimate": 1.0,
        "period": "2025-12-31",
        "quarter": 4,
        "surprise": 0.25,
        "surprisePercent": 25.0,
        "symbol": "WDGT",
        "year": 2025,
    },
    {
        "actual": None,
        "estimate": 1.1,
        "period": "2026-03-31",
        "quarter": 1,
        "surprise": None,
        "surprisePercent": None,
        "symbol": "WDGT",
        "year": 2026,
    },
]

CALENDAR: dict[str, Any] = {
    "earningsCalendar": [
        {
            "date": "2026-01-28",
            "epsActual": 1.25,
            "epsEstimate": 1.0,
            "hour": "amc",
            "quarter": 1,
            "revenueActual": 125_000_000,
            "revenueEstimate": 120_000_000,
            "symbol": "WDGT",
            "year": 2026,
        },
        {
            "date": "2026-11-24",
            "epsEstimate": 0.5,
            "hour": "",
            "quarter": 4,
            "revenueEstimate": 9,
            "symbol": "BRK.B",
            "year": 2026,
        },
    ]
}

WIDGETS: dict[str, Any] = {
    "country": "US",
    "currency": "USD",
    "exchange": "NASDAQ NMS - GLOBAL MARKET",
    "finnhubIndustry": "Machinery",
    "ipo": "1980-12-12",
    "marketCapitalization": 4535.7,
    "name": "Widget Works Inc",
    "shareOutstanding": 14687.36,
    "ticker": "WDGT",
}

MACD: dict[str, Any] = {
    "Meta Data": {
        "1: Symbol": "WDGT",
        "2: Indicator": "Moving Average Convergence/Divergence (MACD)",
        "3: Last Refreshed": "2026-11-20",
        "4: Interval": "daily",
        "5.1: Fast Period": 12,
        "5.2: Slow Period": 26,
        "5.3: Signal Period": 9,
        "6: Series Type": "close",
        "7: Time Zone": "US/Eastern",
    },
    "Technical Analysis: MACD": {
        "2026-11-20": {"MACD": "1.2500", "MACD_Signal": "1.0000", "MACD_Hist": "0.2500"},
        "2026-11-19": {"MACD": "-1.5", "MACD_Signal": "0.5", "MACD_Hist": "-2.0"},
    },
}
INDICATOR_DETAILS = {"indicator": "MACD", "params_key": INDICATORS["MACD"].params_key, "interval": "daily"}
