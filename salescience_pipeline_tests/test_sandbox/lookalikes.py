"""Answers in the providers' shapes with invented values, for machines without the recorded ones.

Small on purpose: one element per array, every key that the recorded answer has and that the sandbox is held to.
"""

from __future__ import annotations

from typing import Any


def _keys(text: str) -> list[str]:
    return text.split()


_PERIOD = {"timezone": "EST", "start": 1, "end": 2, "gmtoffset": -18000}
_META: dict[str, Any] = {
    "currency": "USD",
    "symbol": "XXXX",
    "exchangeName": "NMS",
    "fullExchangeName": "NasdaqGS",
    "instrumentType": "EQUITY",
    "firstTradeDate": 1,
    "regularMarketTime": 2,
    "hasPrePostMarketData": True,
    "gmtoffset": -18000,
    "timezone": "EST",
    "exchangeTimezoneName": "America/New_York",
    "regularMarketPrice": 1.5,
    "fiftyTwoWeekHigh": 2,
    "fiftyTwoWeekLow": 1,
    "regularMarketDayHigh": 1.6,
    "regularMarketDayLow": 1.4,
    "regularMarketVolume": 10,
    "longName": "X",
    "shortName": "X",
    "chartPreviousClose": 1.5,
    "priceHint": 2,
    "currentTradingPeriod": {"pre": _PERIOD, "regular": _PERIOD, "post": _PERIOD},
    "dataGranularity": "1d",
    "range": "",
    "validRanges": ["1d"],
}


def _chart(**parts: Any) -> dict[str, Any]:
    return {"chart": {"result": [{"meta": _META, **parts}], "error": None}}


_BARS = {
    "timestamp": [1],
    "indicators": {
        "quote": [{"open": [1.5], "high": [1.5], "low": [1.5], "close": [1.5], "volume": [1]}],
        "adjclose": [{"adjclose": [1.5]}],
    },
}
CHART = _chart(**_BARS)
CHART_WITH_SPLIT = _chart(
    **_BARS, events={"splits": {"1": {"date": 1, "numerator": 4, "denominator": 1, "splitRatio": "4:1"}}}
)
CHART_WITH_DIVIDEND = _chart(**_BARS, events={"dividends": {"1": {"amount": 0.2, "date": 1}}})
CHART_INTRADAY_EMPTY = {
    "chart": {
        "result": [{"meta": {**_META, "previousClose": 1.5, "scale": 3}, "indicators": {"quote": [{}]}}],
        "error": None,
    }
}
_PAY = {"raw": 1, "fmt": "1", "longFmt": "1"}
PROFILE = {
    **dict.fromkeys(
        _keys(
            "address1 city state zip country phone website industry industryKey industryDisp sector sectorKey "
            "sectorDisp longBusinessSummary"
        ),
        "x",
    ),
    "fullTimeEmployees": 1,
    "companyOfficers": [
        {
            "maxAge": 1,
            "name": "X",
            "age": 1,
            "title": "X",
            "yearBorn": 1,
            "fiscalYear": 1,
            "totalPay": _PAY,
            "exercisedValue": _PAY,
            "unexercisedValue": _PAY,
        }
    ],
    "maxAge": 1,
}
SUMMARY_DETAIL = {
    **dict.fromkeys(
        _keys(
            "maxAge priceHint previousClose open dayLow dayHigh regularMarketPreviousClose regularMarketOpen "
            "volume regularMarketDayLow regularMarketDayHigh dividendRate dividendYield exDividendDate "
            "regularMarketVolume averageVolume averageVolume10days averageDailyVolume10Day bid ask bidSize "
            "askSize marketCap fiftyTwoWeekLow fiftyTwoWeekHigh fiftyDayAverage twoHundredDayAverage "
            "trailingAnnualDividendRate trailingPE trailingAnnualDividendYield priceToSalesTrailing12Months"
        ),
        1.5,
    ),
    "currency": "USD",
    "fromCurrency": None,
    "toCurrency": None,
    "lastMarket": None,
    "coinMarketCapLink": None,
    "algorithm": None,
    "tradeable": False,
}
QUOTE = {
    "quoteResponse": {
        "result": [
            {
                **dict.fromkeys(
                    _keys(
                        "language region quoteType typeDisp quoteSourceName customPriceAlertConfidence shortName longName "
                        "marketState currency exchange messageBoardId exchangeTimezoneName exchangeTimezoneShortName market "
                        "regularMarketDayRange fullExchangeName financialCurrency fiftyTwoWeekRange symbol"
                    ),
                    "x",
                ),
                **dict.fromkeys(
                    _keys(
                        "regularMarketChangePercent regularMarketPrice gmtOffSetMilliseconds regularMarketTime bid ask "
                        "regularMarketChange regularMarketDayHigh regularMarketDayLow regularMarketVolume bidSize askSize "
                        "regularMarketPreviousClose regularMarketOpen averageDailyVolume3Month averageDailyVolume10Day "
                        "fiftyTwoWeekLowChange fiftyTwoWeekLowChangePercent fiftyTwoWeekHighChange fiftyTwoWeekLow "
                        "fiftyTwoWeekHighChangePercent fiftyTwoWeekHigh fiftyTwoWeekChangePercent sharesOutstanding "
                        "trailingAnnualDividendRate trailingPE dividendRate trailingAnnualDividendYield dividendYield "
                        "epsTrailingTwelveMonths fiftyDayAverage fiftyDayAverageChange fiftyDayAverageChangePercent "
                        "twoHundredDayAverage twoHundredDayAverageChange twoHundredDayAverageChangePercent marketCap "
                        "sourceInterval exchangeDataDelayedBy firstTradeDateMilliseconds priceHint"
                    ),
                    1.5,
                ),
                **dict.fromkeys(_keys("triggerable esgPopulated hasPrePostMarketData tradeable cryptoTradeable"), True),
                "corporateActions": [],
            }
        ],
        "error": None,
    }
}
TIINGO_COLUMNS = "date,close,high,low,open,volume,adjClose,adjHigh,adjLow,adjOpen,adjVolume,divCash,splitFactor"
TIINGO_PRICES = [{name: "2018-01-05T00:00:00.000Z" if name == "date" else 1.5 for name in TIINGO_COLUMNS.split(",")}]
TIINGO_LATEST = [
    {name: "2018-04-12T00:00:00+00:00" if name == "date" else 1.5 for name in sorted(TIINGO_COLUMNS.split(","))}
]
TIINGO_CSV = f"{TIINGO_COLUMNS}\n2018-01-05,1.5,1.5,1.5,1.5,1,1.5,1.5,1.5,1.5,1,0.0,1.0\n"
TIINGO_META = dict.fromkeys(_keys("endDate startDate exchangeCode name description ticker"), "x")
TIINGO_LIST = (
    "ticker,exchange,assetType,priceCurrency,startDate,endDate\r\nXXXX,NASDAQ,Stock,USD,1980-12-12,2017-10-06\r\n"
)
