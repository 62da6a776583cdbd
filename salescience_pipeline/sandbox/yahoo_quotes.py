"""Yahoo's quote rows and search hits, from the same figures as its quoteSummary modules.

What does not belong here: HTTP and the session (``yahoo``), and the modules themselves (``yahoo_figures``).
"""

from __future__ import annotations

from typing import Any

from salescience_pipeline.fiction.world import Company
from salescience_pipeline.sandbox.yahoo_chart import EXCHANGES, offset_of
from salescience_pipeline.sandbox.yahoo_figures import Figures


class Quotes(Figures):
    """Quote rows over the figures."""

    def quote(self, company: Company) -> dict[str, Any]:
        """One row of the quote endpoint."""
        day, world = self._day(company), self._sandbox.world
        code, full, _ = EXCHANGES[company.exchange]
        offset, zone = offset_of(world.today)
        shares = self._shares(company)
        fund = company.kind == "etf"
        row: dict[str, Any] = {
            "language": "en-US",
            "region": "US",
            "quoteType": "ETF" if fund else "EQUITY",
            "typeDisp": "ETF" if fund else "Equity",
            "quoteSourceName": "Delayed Quote",
            "triggerable": True,
            "customPriceAlertConfidence": "HIGH",
            "shortName": company.name,
            "longName": company.name,
            "marketState": "CLOSED",
            "regularMarketChangePercent": round(day.ratio * 100, 7),
            "regularMarketPrice": day.close,
            "currency": company.currency,
            "exchange": code,
            "messageBoardId": f"finmb_{company.cik}",
            "exchangeTimezoneName": "America/New_York",
            "exchangeTimezoneShortName": zone,
            "gmtOffSetMilliseconds": offset * 1000,
            "market": "us_market",
            "esgPopulated": False,
            "corporateActions": [],
            "regularMarketTime": day.time,
            "regularMarketChange": day.change,
            "regularMarketDayHigh": day.high,
            "regularMarketDayRange": f"{day.low} - {day.high}",
            "regularMarketDayLow": day.low,
            "regularMarketVolume": day.volume,
            "regularMarketPreviousClose": day.previous,
            "bid": round(day.close - 0.01, 2),
            "ask": round(day.close + 0.01, 2),
            "bidSize": 1,
            "askSize": 1,
            "fullExchangeName": full,
            "financialCurrency": company.currency,
            "regularMarketOpen": day.open,
            "averageDailyVolume3Month": day.volume_63,
            "averageDailyVolume10Day": day.volume_10,
            "fiftyTwoWeekLowChange": round(day.close - day.year_low, 4),
            "fiftyTwoWeekLowChangePercent": round(day.close / day.year_low - 1, 8),
            "fiftyTwoWeekRange": f"{day.year_low} - {day.year_high}",
            "fiftyTwoWeekHighChange": round(day.close - day.year_high, 4),
            "fiftyTwoWeekHighChangePercent": round(day.close / day.year_high - 1, 8),
            "fiftyTwoWeekLow": day.year_low,
            "fiftyTwoWeekHigh": day.year_high,
            "fiftyTwoWeekChangePercent": round(day.year_change * 100, 6),
            "trailingAnnualDividendRate": day.dividends,
            "trailingAnnualDividendYield": round(day.dividends / day.previous, 8),
            "sharesOutstanding": shares,
            "fiftyDayAverage": day.average_50,
            "fiftyDayAverageChange": round(day.close - day.average_50, 4),
            "fiftyDayAverageChangePercent": round(day.close / day.average_50 - 1, 8),
            "twoHundredDayAverage": day.average_200,
            "twoHundredDayAverageChange": round(day.close - day.average_200, 4),
            "twoHundredDayAverageChangePercent": round(day.close / day.average_200 - 1, 8),
            "marketCap": round(day.close * shares),
            "sourceInterval": 15,
            "exchangeDataDelayedBy": 0,
            "hasPrePostMarketData": True,
            "firstTradeDateMilliseconds": self._charts.series(company).stamps[0] * 1000,
            "priceHint": 2,
            "tradeable": False,
            "cryptoTradeable": False,
            "symbol": company.dashed,
        }
        if (books := self._fundamentals.books(company)) is not None and (
            income := self._fundamentals.trailing(books, "net_income")
        ):
            row["epsTrailingTwelveMonths"] = round(income / shares, 2)
            if income > 0:
                row["trailingPE"] = round(day.close * shares / income, 6)
        if day.last_dividend is not None:
            row["dividendRate"] = round(day.last_dividend[1] * 4, 4)
            row["dividendYield"] = round(day.last_dividend[1] * 400 / day.close, 2)
        return row

    def found(self, company: Company, rank: int) -> dict[str, Any]:
        """One hit of the search."""
        fund = company.kind == "etf"
        row: dict[str, Any] = {
            "exchange": EXCHANGES[company.exchange][0],
            "shortname": company.name,
            "quoteType": "ETF" if fund else "EQUITY",
            "symbol": company.dashed,
            "index": "quotes",
            "score": 20_000 - rank,
            "typeDisp": "ETF" if fund else "Equity",
            "longname": company.name,
            "exchDisp": EXCHANGES[company.exchange][2],
        }
        if not fund:
            row |= {
                "sector": company.sector,
                "sectorDisp": company.sector,
                "industry": company.industry,
                "industryDisp": company.industry,
                "dispSecIndFlag": rank == 0,
            }
        return row | {"isYahooFinance": True}
