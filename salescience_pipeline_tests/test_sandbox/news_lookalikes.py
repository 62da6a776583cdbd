"""Look-alikes of what Finnhub, Polygon and Alpha Vantage answer: the providers' shapes with invented values.

Small on purpose: one element per array, every key that the recorded answer has and that the sandbox is held to.
"""

from __future__ import annotations

from typing import Any


def _texts(names: str) -> dict[str, Any]:
    return dict.fromkeys(names.split(), "x")


def _numbers(names: str) -> dict[str, Any]:
    return dict.fromkeys(names.split(), 1.5)


FINNHUB_QUOTE = _numbers("c d dp h l o pc t")
FINNHUB_NEWS = [{**_texts("category headline image related source summary url"), **_numbers("datetime id")}]
FINNHUB_PROFILE = {
    **_texts("country currency estimateCurrency exchange finnhubIndustry ipo logo name phone ticker weburl"),
    **_numbers("marketCapitalization shareOutstanding"),
}
FINNHUB_SYMBOLS = [
    _texts("currency description displaySymbol figi figiComposite isin mic shareClassFIGI symbol symbol2 type")
]
FINNHUB_CALENDAR = {
    "earningsCalendar": [
        {
            **_texts("date hour symbol"),
            **_numbers("epsEstimate quarter revenueEstimate year"),
            "epsActual": None,
            "revenueActual": None,
        }
    ]
}
FINNHUB_EARNINGS = [{**_texts("period symbol"), **_numbers("actual estimate quarter surprise surprisePercent year")}]
FINNHUB_METRIC = {
    "metric": {
        **_numbers(
            "10DayAverageTradingVolume 52WeekHigh 52WeekLow 52WeekPriceReturnDaily beta bookValuePerShareAnnual "
            "currentRatioAnnual epsTTM grossMarginTTM marketCapitalization netProfitMarginTTM peTTM psTTM pb roeTTM"
        ),
        **_texts("52WeekHighDate 52WeekLowDate"),
    },
    "metricType": "all",
    "series": {
        "annual": {name: [{"period": "2025-09-27", "v": 0.5}] for name in ("currentRatio", "eps", "netMargin")},
        "quarterly": {name: [{"period": "2025-09-27", "v": 0.5}] for name in ("currentRatio", "eps", "roeTTM")},
    },
    "symbol": "XXXX",
}
FINNHUB_STATUS = {
    "exchange": "US",
    "holiday": None,
    "isOpen": False,
    "session": "pre-market",
    "timezone": "x",
    "t": 1,
}

POLYGON_NEWS = {
    "results": [
        {
            **_texts("id title author published_utc article_url amp_url image_url description"),
            "publisher": _texts("name homepage_url logo_url favicon_url"),
            "tickers": ["X"],
            "keywords": ["x"],
            "insights": [_texts("ticker sentiment sentiment_reasoning")],
        }
    ],
    "status": "OK",
    "request_id": "x",
    "count": 2,
    "next_url": "x",
}
_BAR = _numbers("v vw o c h l t n")
POLYGON_GROUPED = {
    "queryCount": 1,
    "resultsCount": 1,
    "adjusted": True,
    "results": [{"T": "X", **_BAR}],
    "status": "OK",
    "request_id": "x",
    "count": 1,
}
POLYGON_BARS = {**POLYGON_GROUPED, "ticker": "X", "results": [_BAR]}
_TICKER = {
    **_texts("ticker name market locale primary_exchange type currency_name cik composite_figi share_class_figi"),
    "active": True,
}
POLYGON_TICKERS = {
    "results": [{**_TICKER, "last_updated_utc": "x"}],
    "status": "OK",
    "request_id": "x",
    "count": 2,
    "next_url": "x",
}
POLYGON_TICKER = {
    "results": {
        **_TICKER,
        **_texts("phone_number description sic_code sic_description ticker_root homepage_url list_date"),
        **_numbers("market_cap total_employees share_class_shares_outstanding weighted_shares_outstanding"),
        "address": _texts("address1 city state postal_code"),
        "branding": _texts("logo_url icon_url"),
    },
    "status": "OK",
    "request_id": "x",
}
POLYGON_SPLITS = {
    "results": [{**_texts("execution_date ticker"), **_numbers("split_from split_to")}],
    "status": "OK",
    "request_id": "x",
}
POLYGON_UPCOMING = [_texts("exchange name date status")]

_OHLCV = {f"{k + 1}. {name}": "1.5000" for k, name in enumerate(("open", "high", "low", "close", "volume"))}
AV_DAILY = {
    "Meta Data": {
        "1. Information": "x",
        "2. Symbol": "x",
        "3. Last Refreshed": "x",
        "4. Output Size": "Compact",
        "5. Time Zone": "US/Eastern",
    },
    "Time Series (Daily)": {"2026-11-19": _OHLCV},
}
_HEAD = {"1: Symbol": "x", "2: Indicator": "x", "3: Last Refreshed": "x", "4: Interval": "x"}
AV_SMA = {
    "Meta Data": {**_HEAD, "5: Time Period": 20, "6: Series Type": "x", "7: Time Zone": "x"},
    "Technical Analysis: SMA": {"2026-11-19": {"SMA": "1.5000"}},
}
AV_MACD = {
    "Meta Data": {
        **_HEAD,
        **{f"5.{k}: {name} Period": 9 for k, name in ((1, "Fast"), (2, "Slow"), (3, "Signal"))},
        "6: Series Type": "x",
        "7: Time Zone": "x",
    },
    "Technical Analysis: MACD": {"2026-11-19": _texts("MACD MACD_Hist MACD_Signal")},
}
AV_BBANDS = {
    "Meta Data": {
        **_HEAD,
        "5: Time Period": 20,
        "6.1: Deviation multiplier for upper band": 2,
        "6.2: Deviation multiplier for lower band": 2,
        "6.3: MA Type": 0,
        "7: Series Type": "x",
        "8: Time Zone": "x",
    },
    "Technical Analysis: BBANDS": {
        "2026-11-19": {"Real Upper Band": "1", "Real Middle Band": "1", "Real Lower Band": "1"}
    },
}
AV_EARNINGS = {
    "symbol": "X",
    "annualEarnings": [],
    "quarterlyEarnings": [
        _texts("fiscalDateEnding reportedDate reportedEPS estimatedEPS surprise surprisePercentage reportTime")
    ],
}
AV_OVERVIEW = _texts(
    "Symbol AssetType Name Description CIK Exchange Currency Country Sector Industry Address OfficialSite FiscalYearEnd "
    "LatestQuarter MarketCapitalization EBITDA PERatio PEGRatio BookValue DividendPerShare DividendYield EPS "
    "RevenuePerShareTTM ProfitMargin OperatingMarginTTM ReturnOnAssetsTTM ReturnOnEquityTTM RevenueTTM GrossProfitTTM "
    "DilutedEPSTTM QuarterlyEarningsGrowthYOY QuarterlyRevenueGrowthYOY AnalystTargetPrice AnalystRatingStrongBuy "
    "AnalystRatingBuy AnalystRatingHold AnalystRatingSell AnalystRatingStrongSell TrailingPE ForwardPE "
    "PriceToSalesRatioTTM PriceToBookRatio EVToRevenue EVToEBITDA Beta 52WeekHigh 52WeekLow 50DayMovingAverage "
    "200DayMovingAverage SharesOutstanding SharesFloat PercentInsiders PercentInstitutions DividendDate ExDividendDate"
)
