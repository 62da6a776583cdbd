"""What Yahoo says about a company beside its chart: its quoteSummary modules.

Every figure follows from the world's prices and the invented accounts, so that it agrees with charts and filings. What
does not belong here: HTTP and the session (``yahoo``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from salescience_pipeline.fiction import nyse
from salescience_pipeline.fiction.world import Company
from salescience_pipeline.sandbox.app import Sandbox
from salescience_pipeline.sandbox.yahoo_chart import EXCHANGES, Charts, market_close_time, offset_of, split_event
from salescience_pipeline.sandbox.yahoo_numbers import Day, amount, seconds
from salescience_pipeline.sandbox.yahoo_series import Fundamentals


class Figures:
    """Figures over one sandbox."""

    def __init__(self, sandbox: Sandbox, charts: Charts, fundamentals: Fundamentals) -> None:
        self._sandbox = sandbox
        self._charts = charts
        self._fundamentals = fundamentals
        self._modules: dict[str, Callable[[Company], dict[str, Any] | None]] = {
            "assetProfile": self._profile,
            "summaryProfile": self._summary_profile,
            "quoteType": self._quote_type,
            "price": self._price,
            "summaryDetail": self._summary_detail,
            "defaultKeyStatistics": self._statistics,
            "financialData": self._financial_data,
            "calendarEvents": self._calendar,
        }

    def module(self, company: Company, name: str) -> dict[str, Any] | None:
        """One quoteSummary module, or ``None`` where Yahoo would leave it out."""
        make = self._modules.get(name)
        return make(company) if make is not None else None

    # -- bases ------------------------------------------------------------------------------------------------------

    def _day(self, company: Company) -> Day:
        return Day(self._charts.series(company), self._sandbox.world.today)

    def _shares(self, company: Company) -> int:
        return self._sandbox.world.shares_on(company.ticker, self._sandbox.world.last_session)

    # -- modules ----------------------------------------------------------------------------------------------------

    def _summary_profile(self, company: Company) -> dict[str, Any] | None:
        if company.kind == "etf":
            return None

        def key(text: str) -> str:
            return text.lower().replace(" - ", "-").replace(" ", "-")

        return {
            "address1": company.address,
            "city": company.city,
            "state": company.state,
            "zip": company.postal_code,
            "country": "United States",
            "phone": company.phone,
            "website": company.website,
            "industry": company.industry,
            "industryKey": key(company.industry),
            "industryDisp": company.industry,
            "sector": company.sector,
            "sectorKey": key(company.sector),
            "sectorDisp": company.sector,
            "longBusinessSummary": company.description,
            "fullTimeEmployees": company.employees,
            "companyOfficers": [],
            "maxAge": 86400,
        }

    def _profile(self, company: Company) -> dict[str, Any] | None:
        profile = self._summary_profile(company)
        if profile is None:
            return None
        year = self._sandbox.world.today.year
        profile["companyOfficers"] = [
            {
                "maxAge": 1,
                "name": officer.name,
                "age": year - officer.born,
                "title": officer.title,
                "yearBorn": officer.born,
                "fiscalYear": year - 1,
                "totalPay": amount(officer.pay),
                "exercisedValue": amount(0),
                "unexercisedValue": amount(0),
            }
            for officer in company.officers
        ]
        return profile

    def _quote_type(self, company: Company) -> dict[str, Any]:
        offset, zone = offset_of(self._sandbox.world.today)
        return {
            "exchange": EXCHANGES[company.exchange][0],
            "quoteType": "ETF" if company.kind == "etf" else "EQUITY",
            "symbol": company.dashed,
            "underlyingSymbol": company.dashed,
            "shortName": company.name,
            "longName": company.name,
            "firstTradeDateEpochUtc": self._charts.series(company).stamps[0],
            "timeZoneFullName": "America/New_York",
            "timeZoneShortName": zone,
            "uuid": f"00000000-0000-4000-8000-{company.cik:012d}",
            "messageBoardId": f"finmb_{company.cik}",
            "gmtOffSetMilliseconds": offset * 1000,
            "maxAge": 1,
        }

    def _price(self, company: Company) -> dict[str, Any]:
        day = self._day(company)
        code, full, _ = EXCHANGES[company.exchange]
        return {
            "maxAge": 1,
            "regularMarketChangePercent": day.ratio,
            "regularMarketChange": day.change,
            "regularMarketTime": day.time,
            "priceHint": 2,
            "regularMarketPrice": day.close,
            "regularMarketDayHigh": day.high,
            "regularMarketDayLow": day.low,
            "regularMarketVolume": day.volume,
            "regularMarketPreviousClose": day.previous,
            "regularMarketSource": "FREE_REALTIME",
            "regularMarketOpen": day.open,
            "exchange": code,
            "exchangeName": full,
            "exchangeDataDelayedBy": 0,
            "marketState": "CLOSED",
            "quoteType": "ETF" if company.kind == "etf" else "EQUITY",
            "symbol": company.dashed,
            "underlyingSymbol": None,
            "shortName": company.name,
            "longName": company.name,
            "currency": company.currency,
            "quoteSourceName": "Delayed Quote",
            "currencySymbol": "$",
            "fromCurrency": None,
            "toCurrency": None,
            "lastMarket": None,
            "marketCap": round(day.close * self._shares(company)),
        }

    def _summary_detail(self, company: Company) -> dict[str, Any]:
        day = self._day(company)
        detail: dict[str, Any] = {
            "maxAge": 1,
            "priceHint": 2,
            "previousClose": day.previous,
            "open": day.open,
            "dayLow": day.low,
            "dayHigh": day.high,
            "regularMarketPreviousClose": day.previous,
            "regularMarketOpen": day.open,
            "regularMarketDayLow": day.low,
            "regularMarketDayHigh": day.high,
        }
        if day.last_dividend is not None:
            detail |= {
                "dividendRate": round(day.last_dividend[1] * 4, 4),
                "dividendYield": round(day.last_dividend[1] * 4 / day.close, 4),
                "exDividendDate": seconds(day.last_dividend[0]),
            }
        detail |= {
            "volume": day.volume,
            "regularMarketVolume": day.volume,
            "averageVolume": day.volume_63,
            "averageVolume10days": day.volume_10,
            "averageDailyVolume10Day": day.volume_10,
            "bid": round(day.close - 0.01, 2),
            "ask": round(day.close + 0.01, 2),
            "bidSize": 100,
            "askSize": 100,
            "marketCap": round(day.close * self._shares(company)),
            "fiftyTwoWeekLow": day.year_low,
            "fiftyTwoWeekHigh": day.year_high,
            "fiftyDayAverage": day.average_50,
            "twoHundredDayAverage": day.average_200,
            "trailingAnnualDividendRate": day.dividends,
            "trailingAnnualDividendYield": round(day.dividends / day.previous, 8),
            "currency": company.currency,
            "fromCurrency": None,
            "toCurrency": None,
            "lastMarket": None,
            "coinMarketCapLink": None,
            "algorithm": None,
            "tradeable": False,
        }
        if (books := self._fundamentals.books(company)) is not None:
            income = self._fundamentals.trailing(books, "net_income")
            if income > 0:
                detail["trailingPE"] = round(day.close * self._shares(company) / income, 5)
            revenue = self._fundamentals.trailing(books, "revenue")
            detail["priceToSalesTrailing12Months"] = round(day.close * self._shares(company) / revenue, 6)
        return detail

    def _statistics(self, company: Company) -> dict[str, Any]:
        day, shares, series = self._day(company), self._shares(company), self._charts.series(company)
        statistics: dict[str, Any] = {
            "maxAge": 1,
            "priceHint": 2,
            "floatShares": round(shares * 0.97),
            "sharesOutstanding": shares,
            "impliedSharesOutstanding": shares,
            "category": "Fictional" if company.kind == "etf" else None,
            "fundFamily": "Fictional Index Funds" if company.kind == "etf" else None,
            "legalType": "Exchange Traded Fund" if company.kind == "etf" else None,
            "52WeekChange": day.year_change,
            "latestShareClass": None,
            "leadInvestor": None,
        }
        if series.splits:
            split_day, factor = list(series.splits.items())[-1]
            statistics["lastSplitFactor"] = split_event(0, factor)["splitRatio"]
            statistics["lastSplitDate"] = seconds(split_day)
        if day.last_dividend is not None:
            statistics["lastDividendValue"] = day.last_dividend[1]
            statistics["lastDividendDate"] = seconds(day.last_dividend[0])
        if (books := self._fundamentals.books(company)) is not None:
            newest, unit = books.quarters[-1], 10**books.scale
            ended = max(quarter.end for quarter in books.quarters if quarter.number == 4)
            income, revenue = (
                self._fundamentals.trailing(books, "net_income"),
                self._fundamentals.trailing(books, "revenue"),
            )
            equity, debt, cash = (newest.balances[name] * unit for name in ("equity", "debt", "cash"))
            statistics |= {
                "enterpriseValue": round(day.close * shares) + debt - cash,
                "profitMargins": round(income / revenue, 5),
                "bookValue": round(equity / shares, 3),
                "priceToBook": round(day.close * shares / equity, 6) if equity else None,
                "lastFiscalYearEnd": seconds(ended),
                "nextFiscalYearEnd": seconds(_a_year_on(ended)),
                "mostRecentQuarter": seconds(newest.end),
                "netIncomeToCommon": income,
                "trailingEps": round(income / shares, 2),
                "enterpriseToRevenue": round((day.close * shares + debt - cash) / revenue, 3),
            }
        return statistics

    def _financial_data(self, company: Company) -> dict[str, Any] | None:
        books = self._fundamentals.books(company)
        if books is None:
            return None
        newest, unit, shares = books.quarters[-1], 10**books.scale, self._shares(company)
        revenue, before = (
            self._fundamentals.trailing(books, "revenue"),
            self._fundamentals.trailing(books, "revenue", back=4),
        )
        income, gross = (
            self._fundamentals.trailing(books, "net_income"),
            self._fundamentals.trailing(books, "gross_profit"),
        )
        operating = self._fundamentals.trailing(books, "operating_income")
        ebitda = operating + self._fundamentals.trailing(books, "depreciation_amortization")
        cash = (newest.balances["cash"] + newest.balances["securities"]) * unit
        balances = newest.balances
        return {
            "maxAge": 86400,
            "currentPrice": self._day(company).close,
            "recommendationKey": "none",
            "totalCash": cash,
            "totalCashPerShare": round(cash / shares, 3),
            "ebitda": ebitda,
            "totalDebt": balances["debt"] * unit,
            "currentRatio": round(balances["current_assets"] / balances["current_liabilities"], 3),
            "totalRevenue": revenue,
            "debtToEquity": round(100 * balances["debt"] / balances["equity"], 3) if balances["equity"] else None,
            "revenuePerShare": round(revenue / shares, 3),
            "returnOnAssets": round(income / (balances["assets"] * unit), 5),
            "returnOnEquity": round(income / (balances["equity"] * unit), 5) if balances["equity"] else None,
            "grossProfits": gross,
            "freeCashflow": self._fundamentals.trailing(books, "operating_cash")
            - self._fundamentals.trailing(books, "capital_spending"),
            "operatingCashflow": self._fundamentals.trailing(books, "operating_cash"),
            "revenueGrowth": round(revenue / before - 1, 3),
            "grossMargins": round(gross / revenue, 5),
            "ebitdaMargins": round(ebitda / revenue, 5),
            "operatingMargins": round(operating / revenue, 5),
            "profitMargins": round(income / revenue, 5),
            "financialCurrency": company.currency,
        }

    def _calendar(self, company: Company) -> dict[str, Any]:
        events: dict[str, Any] = {"maxAge": 1, "earnings": {"earningsDate": [], "isEarningsDateEstimate": True}}
        if (books := self._fundamentals.books(company)) is not None:
            report = nyse.next_session(books.quarters[-1].end + dt.timedelta(days=91 + 40))
            events["earnings"]["earningsDate"] = [market_close_time(report)]
        coming = self._sandbox.world.upcoming_dividend(company.ticker)
        if coming is not None:
            events["exDividendDate"] = seconds(coming[0])
            events["dividendDate"] = seconds(coming[0] + dt.timedelta(days=14))
        return events

    # -- quotes, search, series -------------------------------------------------------------------------------------


def _a_year_on(day: dt.date) -> dt.date:
    """The same day one year later; February ends when it ends."""
    return (day + dt.timedelta(days=1)).replace(year=(day + dt.timedelta(days=1)).year + 1) - dt.timedelta(days=1)
