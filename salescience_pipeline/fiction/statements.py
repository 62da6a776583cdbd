"""The invented accounts of an invented company: quarter by quarter, consistent to the last unit.

Every quarter is rolled forward from the one before, so that the balance sheet balances, the cash flow statement ends at
the balance sheet's cash, and four quarters sum to their year. All amounts are whole numbers of the company's reporting
unit (thousands or millions of US dollars, :attr:`Accounts.scale`). What does not belong here: how a filing shows them.
"""

from __future__ import annotations

import datetime as dt
import math
import random
from dataclasses import dataclass
from functools import cached_property

from salescience_pipeline.fiction.companies import Company, chance
from salescience_pipeline.fiction.sec_calendar import month_end

FIRST_FISCAL_YEAR = 2015
"""The first year with accounts; the first annual report (fiscal 2018) shows three years and the balance before them."""


@dataclass(frozen=True, slots=True)
class Quarter:
    """One fiscal quarter: what flowed in it and what stood at its end, in the company's reporting unit."""

    fiscal_year: int
    number: int
    start: dt.date
    end: dt.date
    flows: dict[str, int]
    balances: dict[str, int]
    shares_basic: int
    """Weighted average shares, in shares."""
    shares_diluted: int
    shares_outstanding: int
    """Shares at the end of the quarter."""


@dataclass(frozen=True)
class Accounts:
    """All quarters of one company, oldest first."""

    company: Company
    scale: int
    """Power of ten of the reporting unit: 3 for thousands, 6 for millions."""
    segments: tuple[str, ...]
    quarters: tuple[Quarter, ...]

    @cached_property
    def _by_key(self) -> dict[tuple[int, int], Quarter]:
        return {(quarter.fiscal_year, quarter.number): quarter for quarter in self.quarters}

    def quarter(self, fiscal_year: int, number: int) -> Quarter:
        """The quarter ``number`` (1 to 4) of ``fiscal_year``; ``KeyError`` when there is none."""
        return self._by_key[fiscal_year, number]

    def flow(self, item: str, fiscal_year: int, last: int, count: int) -> int:
        """The sum of ``item`` over ``count`` quarters ending with quarter ``last`` of ``fiscal_year``."""
        return sum(self.quarter(fiscal_year, last - back).flows[item] for back in range(count))

    def average_shares(self, fiscal_year: int, last: int, count: int, *, diluted: bool) -> int:
        """Weighted average shares over ``count`` quarters."""
        rows = [self.quarter(fiscal_year, last - back) for back in range(count)]
        return sum(row.shares_diluted if diluted else row.shares_basic for row in rows) // count


def fiscal_quarter_end(fiscal_year_end: str, fiscal_year: int, number: int) -> dt.date:
    """The last day of a fiscal quarter of a company whose year ends on ``fiscal_year_end`` ("MMDD").

    A fiscal year carries the number of the calendar year in which it ends. Quarters end with their month.
    """
    month = int(fiscal_year_end[:2]) - 3 * (4 - number)
    year = fiscal_year
    if month < 1:
        month, year = month + 12, year - 1
    return month_end(year, month)


def accounts(company: Company, seed: int, last_day: dt.date) -> Accounts:
    """Roll the accounts of ``company`` from fiscal 2015 to the last quarter that ended on or before ``last_day``."""
    rng = chance(seed, "accounts", company.cik)
    value = company.base_price * company.shares
    scale = 6 if value > 60e9 else 3
    quarterly = max(int(value / 10**scale * rng.uniform(0.05, 0.16)), 4_000)
    roll = _Roll(company, rng, quarterly)
    rows: list[Quarter] = []
    year, number = FIRST_FISCAL_YEAR, 1
    while (end := fiscal_quarter_end(company.fiscal_year_end, year, number)) <= last_day:
        before = fiscal_quarter_end(company.fiscal_year_end, year - (number == 1), number - 1 or 4)
        rows.append(roll.step(year, number, before + dt.timedelta(days=1), end))
        year, number = (year, number + 1) if number < 4 else (year + 1, 1)
    return Accounts(company, scale, roll.segments, tuple(rows))


_SEGMENTS = (
    ("Northern Region", "Southern Region", "Overseas"),
    ("Core Products", "Connected Services", "Licensing"),
    ("Household", "Industrial", "Public Sector"),
    ("Platforms", "Field Operations", "Advisory"),
)


class _Roll:
    """The state that is carried from one quarter to the next."""

    def __init__(self, company: Company, rng: random.Random, quarterly: int) -> None:
        self.rng, self.company = rng, company
        self.base = quarterly
        self.growth = rng.uniform(0.002, 0.030)
        self.season = [rng.uniform(-0.06, 0.06) for _ in range(4)]
        self.cost = rng.uniform(0.38, 0.66)
        self.research = rng.uniform(0.03, 0.14)
        self.selling = rng.uniform(0.08, 0.15)
        self.products = rng.uniform(0.45, 0.85)
        self.tax = rng.uniform(0.15, 0.24)
        self.payout = rng.choice((0.0, 0.2, 0.35, 0.5))
        self.segments = rng.choice(_SEGMENTS)
        self.shares = int(company.shares * rng.uniform(1.02, 1.10))
        self.count = 0
        b = quarterly
        self.balances = {
            "cash": int(b * rng.uniform(0.6, 1.2)),
            "securities": int(b * rng.uniform(0.3, 0.9)),
            "receivables": int(b * 0.48),
            "inventory": int(b * 0.31),
            "other_current": int(b * 0.12),
            "ppe": int(b * rng.uniform(1.0, 2.2)),
            "goodwill": int(b * rng.uniform(0.4, 1.5)),
            "intangibles": int(b * 1.6),
            "other_assets": int(b * 0.35),
            "payable": int(b * 0.29),
            "accrued": int(b * 0.33),
            "deferred": int(b * 0.21),
            "debt": int(b * rng.uniform(0.5, 1.4)),
            "other_liabilities": int(b * 0.25),
            "paid_in": int(b * 0.9),
            "aoci": -int(b * 0.04),
        }
        held = ("cash", "securities", "receivables", "inventory", "other_current", "ppe", "goodwill", "intangibles")
        owed = ("payable", "accrued", "deferred", "debt", "other_liabilities", "paid_in", "aoci")
        assets = sum(self.balances[name] for name in (*held, "other_assets"))
        self.balances["retained"] = assets - sum(self.balances[name] for name in owed)

    def step(self, year: int, number: int, start: dt.date, end: dt.date) -> Quarter:
        """Advance by one quarter and show it."""
        flows = self._income(number)
        self._cash(flows)
        self.count += 1
        self.shares = int(self.shares * self.rng.uniform(0.9955, 1.0010))
        return Quarter(
            fiscal_year=year,
            number=number,
            start=start,
            end=end,
            flows=flows,
            balances=_totals(self.balances),
            shares_basic=self.shares,
            shares_diluted=int(self.shares * 1.013),
            shares_outstanding=int(self.shares * 0.999),
        )

    def _income(self, number: int) -> dict[str, int]:
        rng = self.rng
        level = self.base * math.exp(self.growth * self.count) * (1 + self.season[number - 1])
        revenue = int(level * rng.uniform(0.975, 1.025))
        f = {"revenue": revenue, "product_revenue": int(revenue * self.products)}
        f["service_revenue"] = revenue - f["product_revenue"]
        f["cost"] = int(revenue * (self.cost + rng.uniform(-0.012, 0.012)))
        f["gross_profit"] = revenue - f["cost"]
        f["research"] = int(revenue * self.research * rng.uniform(0.97, 1.03))
        f["selling"] = int(revenue * self.selling * rng.uniform(0.97, 1.03))
        # One weak quarter in about forty: an impairment that turns the result, so that signs are exercised.
        f["impairment"] = int(revenue * 0.34) if rng.random() < 0.03 else 0
        f["operating_expenses"] = f["research"] + f["selling"] + f["impairment"]
        f["operating_income"] = f["gross_profit"] - f["operating_expenses"]
        f["interest"] = int(self.balances["debt"] * 0.011)
        f["other_income"] = int(self.balances["securities"] * 0.008) - int(revenue * rng.uniform(0, 0.008))
        f["pretax"] = f["operating_income"] - f["interest"] + f["other_income"]
        f["tax"] = int(f["pretax"] * self.tax)
        f["net_income"] = f["pretax"] - f["tax"]
        first, second = int(revenue * rng.uniform(0.45, 0.5)), int(revenue * rng.uniform(0.25, 0.33))
        f["segment_0"], f["segment_1"], f["segment_2"] = first, second, revenue - first - second
        one, two = int(f["operating_income"] * 0.52), int(f["operating_income"] * 0.31)
        f["segment_income_0"], f["segment_income_1"] = one, two
        f["segment_income_2"] = f["operating_income"] - one - two
        return f

    def _cash(self, f: dict[str, int]) -> None:
        rng, b, revenue = self.rng, self.balances, f["revenue"]
        f["amortization"] = min(int(revenue * 0.008), b["intangibles"] // 20)
        f["depreciation"] = int(b["ppe"] * 0.024)
        f["depreciation_amortization"] = f["depreciation"] + f["amortization"]
        f["stock_compensation"] = int(revenue * 0.021)
        for name, share in (
            ("receivables", 0.48),
            ("inventory", 0.31),
            ("payable", 0.29),
            ("accrued", 0.33),
            ("deferred", 0.21),
        ):
            f[f"change_{name}"] = int(revenue * share * rng.uniform(0.96, 1.04)) - b[name]
        f["operating_cash"] = (
            f["net_income"]
            + f["depreciation_amortization"]
            + f["stock_compensation"]
            + f["impairment"]
            - f["change_receivables"]
            - f["change_inventory"]
            + f["change_payable"]
            + f["change_accrued"]
            + f["change_deferred"]
        )
        f["capital_spending"] = int(revenue * rng.uniform(0.03, 0.07))
        f["purchases"] = int(revenue * rng.uniform(0.05, 0.12))
        f["maturities"] = min(int(revenue * rng.uniform(0.05, 0.12)), b["securities"] // 2)
        f["investing_cash"] = f["maturities"] - f["purchases"] - f["capital_spending"]
        f["dividends"] = max(int(f["net_income"] * self.payout), 0)
        spare = b["cash"] + f["operating_cash"] + f["investing_cash"] - f["dividends"] - int(revenue * 0.5)
        f["buyback"] = max(int(min(spare * 0.5, f["net_income"])), 0)
        f["debt_repaid"] = max(int(min(spare - f["buyback"], b["debt"]) * 0.04), 0)
        f["debt_issued"] = -spare if spare < 0 else 0
        f["financing_cash"] = f["debt_issued"] - f["debt_repaid"] - f["dividends"] - f["buyback"]
        f["net_cash"] = f["operating_cash"] + f["investing_cash"] + f["financing_cash"]
        f["other_comprehensive"] = int(b["securities"] * rng.uniform(-0.012, 0.012))
        f["comprehensive_income"] = f["net_income"] + f["other_comprehensive"]
        b["cash"] += f["net_cash"]
        b["securities"] += f["purchases"] - f["maturities"] + f["other_comprehensive"]
        b["ppe"] += f["capital_spending"] - f["depreciation"]
        # The impairment is taken on goodwill first and on the equipment for what is left.
        hit = min(f["impairment"], b["goodwill"])
        b["goodwill"] -= hit
        b["ppe"] -= f["impairment"] - hit
        b["intangibles"] -= f["amortization"]
        for name in ("receivables", "inventory", "payable", "accrued", "deferred"):
            b[name] += f[f"change_{name}"]
        b["debt"] += f["debt_issued"] - f["debt_repaid"]
        b["paid_in"] += f["stock_compensation"]
        b["retained"] += f["net_income"] - f["dividends"] - f["buyback"]
        b["aoci"] += f["other_comprehensive"]


def _totals(balances: dict[str, int]) -> dict[str, int]:
    """The balance sheet with its sums; assets equal liabilities and equity by construction of the flows."""
    b = dict(balances)
    current = ("cash", "securities", "receivables", "inventory", "other_current")
    b["current_assets"] = sum(b[name] for name in current)
    b["assets"] = b["current_assets"] + sum(b[name] for name in ("ppe", "goodwill", "intangibles", "other_assets"))
    b["current_liabilities"] = b["payable"] + b["accrued"] + b["deferred"]
    b["liabilities"] = b["current_liabilities"] + b["debt"] + b["other_liabilities"]
    b["equity"] = b["paid_in"] + b["retained"] + b["aoci"]
    b["liabilities_and_equity"] = b["liabilities"] + b["equity"]
    return b
