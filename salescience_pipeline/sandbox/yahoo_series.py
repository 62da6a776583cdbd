"""Yahoo's fundamental series, drawn from the same invented accounts as the filings.

What does not belong here: HTTP, and the modules that quote single figures of these accounts (``yahoo_figures``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from salescience_pipeline.fiction import nyse
from salescience_pipeline.fiction.statements import Accounts, Quarter, accounts
from salescience_pipeline.fiction.world import Company
from salescience_pipeline.sandbox.app import Sandbox
from salescience_pipeline.sandbox.yahoo_numbers import seconds, short

_REPORTED_AFTER = dt.timedelta(days=45)
"""Accounts show up at Yahoo this long after their quarter's end, when the filings are out too."""
_FLOWS = {
    "TotalRevenue": "revenue",
    "OperatingRevenue": "revenue",
    "CostOfRevenue": "cost",
    "GrossProfit": "gross_profit",
    "ResearchAndDevelopment": "research",
    "SellingGeneralAndAdministration": "selling",
    "OperatingExpense": "operating_expenses",
    "OperatingIncome": "operating_income",
    "InterestExpense": "interest",
    "PretaxIncome": "pretax",
    "TaxProvision": "tax",
    "NetIncome": "net_income",
    "NetIncomeCommonStockholders": "net_income",
    "OperatingCashFlow": "operating_cash",
    "InvestingCashFlow": "investing_cash",
    "FinancingCashFlow": "financing_cash",
    "DepreciationAndAmortization": "depreciation_amortization",
}
_OUTFLOWS = {"CapitalExpenditure": "capital_spending", "CashDividendsPaid": "dividends"}
_BALANCES = {
    "TotalAssets": "assets",
    "CurrentAssets": "current_assets",
    "CashAndCashEquivalents": "cash",
    "AccountsReceivable": "receivables",
    "Inventory": "inventory",
    "Goodwill": "goodwill",
    "TotalLiabilitiesNetMinorityInterest": "liabilities",
    "CurrentLiabilities": "current_liabilities",
    "TotalDebt": "debt",
    "StockholdersEquity": "equity",
    "RetainedEarnings": "retained",
}
_PERIODS = {"annual": ("12M", 4), "quarterly": ("3M", 1), "trailing": ("TTM", 4)}


@lru_cache(maxsize=128)
def _accounts(company_key: tuple[str, int], company: Company, until: dt.date) -> Accounts:
    return accounts(company, company_key[1], until)


class Fundamentals:
    """Accounts and their series over one sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def books(self, company: Company) -> Accounts | None:
        """The accounts that are out by today; none for a fund or a company too young."""
        if company.kind == "etf":
            return None
        world = self._sandbox.world
        books = _accounts((company.ticker, world.seed), company, world.today - _REPORTED_AFTER)
        return books if len(books.quarters) >= 8 else None

    @staticmethod
    def trailing(books: Accounts, item: str, back: int = 0) -> int:
        """Sum of four quarters in USD, ``back`` quarters before the newest."""
        rows = books.quarters[len(books.quarters) - 4 - back : len(books.quarters) - back]
        return int(sum(row.flows[item] for row in rows) * 10**books.scale)

    def shares_row(self, company: Company, window: tuple[int, int]) -> dict[str, Any]:
        """Shares outstanding at the start of each month, which the series endpoint gives when no type is named."""
        world = self._sandbox.world
        first = world.first_date(company)
        days = [
            day
            for year in range(first.year, world.today.year + 1)
            for month in range(1, 13)
            if first <= (day := nyse.next_session(dt.date(year, month, 1))) <= world.last_session
        ]
        days = [day for day in days if window[0] <= seconds(day) < window[1]]
        row: dict[str, Any] = {"meta": {"symbol": [company.dashed], "type": ["shares_out"]}}
        if days:
            row["timestamp"] = [seconds(day) for day in days]
            row["shares_out"] = [world.shares_on(company.ticker, day) for day in days]
        return row

    def series(self, company: Company, name: str, window: tuple[int, int]) -> dict[str, Any]:
        """One type of the fundamental series; without values in the half-open window there is only the meta block."""
        row: dict[str, Any] = {"meta": {"symbol": [company.dashed], "type": [name]}}
        prefix = next((text for text in _PERIODS if name.startswith(text)), None)
        books = self.books(company)
        if prefix is None or books is None:
            return row
        period, count = _PERIODS[prefix]
        points = [
            (quarter.end, value)
            for quarter in self._ends(books, prefix)
            if window[0] <= seconds(quarter.end) < window[1]
            and (value := _value(books, quarter, name.removeprefix(prefix), count)) is not None
        ]
        if points:
            row["timestamp"] = [seconds(day) for day, _ in points]
            row[name] = [
                {
                    "asOfDate": day.isoformat(),
                    "periodType": period,
                    "currencyCode": company.currency,
                    "reportedValue": {"raw": int(value) if value.is_integer() else value, "fmt": short(value)},
                }
                for day, value in points
            ]
        return row

    @staticmethod
    def _ends(books: Accounts, prefix: str) -> Sequence[Quarter]:
        """The quarters at whose ends a period of this kind ends; Yahoo keeps four years, five quarters, one trailing."""
        if prefix == "annual":
            return [quarter for quarter in books.quarters if quarter.number == 4][-4:]
        return books.quarters[-5:] if prefix == "quarterly" else books.quarters[-1:]


def _value(books: Accounts, quarter: Quarter, item: str, count: int) -> float | None:
    """A figure in USD (or per share, or in shares) for the ``count`` quarters that end with ``quarter``."""
    unit = 10**books.scale
    end = books.quarters.index(quarter) + 1
    rows = books.quarters[max(0, end - count) : end]
    if len(rows) < count:
        return None

    def total(flow: str) -> float:
        return float(sum(row.flows[flow] for row in rows) * unit)

    value: float | None = None
    if item in _FLOWS:
        value = total(_FLOWS[item])
    elif item in _OUTFLOWS:
        value = -total(_OUTFLOWS[item])
    elif item == "FreeCashFlow":
        value = total("operating_cash") - total("capital_spending")
    elif item in _BALANCES:
        value = float(quarter.balances[_BALANCES[item]] * unit)
    elif item in {"BasicAverageShares", "DilutedAverageShares", "BasicEPS", "DilutedEPS"}:
        shares = float(sum(r.shares_basic if item[0] == "B" else r.shares_diluted for r in rows) // count)
        value = round(total("net_income") / shares, 2) if item.endswith("EPS") else shares
    return value
