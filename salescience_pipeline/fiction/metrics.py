"""Figures about a company and their series, computed from the world's bars and the invented accounts.

The keys are Finnhub's; other providers take the figures that they show from here. Figures under ``metric`` are percent
points where they are returns, margins or growth, and millions where they are amounts or volumes; under ``series``
margins and returns are fractions. Only quarters whose results were told count. Keys that the accounts do not support
are left out. What does not belong here: HTTP.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import Any

from salescience_pipeline.fiction.adjust import Chain
from salescience_pipeline.fiction.companies import Company
from salescience_pipeline.fiction.earnings import Earnings
from salescience_pipeline.fiction.statements import Accounts, Quarter
from salescience_pipeline.fiction.world import World

_WEEKS = {"13Week": 65, "26Week": 130, "52Week": 252}
_BENCHMARK = "FIXLG"
_YEARS_OF_SERIES = 8


@dataclass(frozen=True, slots=True)
class Period:
    """One quarter, or several that end together; amounts in USD."""

    end: dt.date
    flows: dict[str, float]
    balances: dict[str, float]
    shares: float
    """Diluted average, in shares as they are today."""

    def per_share(self, item: str) -> float:
        """A flow per share."""
        return self.flows[item] / self.shares

    def share_of(self, item: str, base: str = "revenue") -> float | None:
        """A flow as a fraction of another."""
        return _ratio(self.flows[item], self.flows[base])


def _ratio(a: float | None, b: float | None) -> float | None:
    return None if a is None or not b else a / b


def _rounded(value: float | None, digits: int = 4) -> float | None:
    return None if value is None else round(value, digits)


def _percent(value: float | None) -> float | None:
    return None if value is None else round(100 * value, 2)


def _growth(now: float, before: float, years: float = 1.0) -> float | None:
    """Yearly growth in percent points; none from a loss or to one."""
    if before <= 0 or now <= 0:
        return None
    return round(100 * (math.pow(now / before, 1 / years) - 1), 2)


Kind = Callable[[Period], float | None]
_SERIES: dict[str, Kind] = {
    "bookValue": lambda p: p.balances["equity"] / 1e6,
    "cashRatio": lambda p: _ratio(p.balances["cash"] + p.balances["securities"], p.balances["current_liabilities"]),
    "currentRatio": lambda p: _ratio(p.balances["current_assets"], p.balances["current_liabilities"]),
    "ebitPerShare": lambda p: p.per_share("operating_income"),
    "eps": lambda p: p.per_share("net_income"),
    "fcfMargin": lambda p: _ratio(p.flows["operating_cash"] - p.flows["capital_spending"], p.flows["revenue"]),
    "grossMargin": lambda p: p.share_of("gross_profit"),
    "longtermDebtTotalAsset": lambda p: _ratio(p.balances["debt"], p.balances["assets"]),
    "longtermDebtTotalEquity": lambda p: _ratio(p.balances["debt"], p.balances["equity"]),
    "netDebtToTotalEquity": lambda p: _ratio(p.balances["debt"] - p.balances["cash"], p.balances["equity"]),
    "netMargin": lambda p: p.share_of("net_income"),
    "operatingMargin": lambda p: p.share_of("operating_income"),
    "pretaxMargin": lambda p: p.share_of("pretax"),
    "quickRatio": lambda p: _ratio(
        p.balances["current_assets"] - p.balances["inventory"], p.balances["current_liabilities"]
    ),
    "salesPerShare": lambda p: p.per_share("revenue"),
    "sgaToSale": lambda p: p.share_of("selling"),
    "tangibleBookValue": lambda p: (p.balances["equity"] - p.balances["goodwill"] - p.balances["intangibles"]) / 1e6,
    "totalDebtToEquity": lambda p: _ratio(p.balances["debt"], p.balances["equity"]),
    "totalDebtToTotalAsset": lambda p: _ratio(p.balances["debt"], p.balances["assets"]),
    "totalRatio": lambda p: _ratio(p.balances["assets"], p.balances["liabilities"]),
}
"""Series of single periods, annual and quarterly alike."""
_YEARLY: dict[str, Kind] = {
    "inventoryTurnover": lambda p: _ratio(p.flows["cost"], p.balances["inventory"]),
    "receivablesTurnover": lambda p: _ratio(p.flows["revenue"], p.balances["receivables"]),
    "roa": lambda p: _ratio(p.flows["net_income"], p.balances["assets"]),
    "roe": lambda p: _ratio(p.flows["net_income"], p.balances["equity"]),
}
"""Series of whole years; the quarterly ones end in TTM."""


class Metrics:
    """The figures of every company of one world, as far as its results were told."""

    def __init__(self, world: World, earnings: Earnings) -> None:
        self._world = world
        self._earnings = earnings

    def answer(self, company: Company, wanted: str) -> dict[str, Any]:
        """Metric and series of a listed company; a fund has figures of its price only."""
        metric = self._prices(company)
        series: dict[str, Any] = {}
        told = self._earnings.told(company)
        if told:
            books = self._earnings.books(company)
            newest = next(
                i
                for i, q in enumerate(books.quarters)
                if (q.fiscal_year, q.number) == (told[0].fiscal_year, told[0].fiscal_quarter)
            )
            quarters = books.quarters[: newest + 1]
            if len(quarters) >= 8:
                metric |= self._fundamentals(company, books, quarters, metric)
                series = self._series(company, books, quarters)
        return {
            "metric": dict(sorted(metric.items())),
            "metricType": wanted,
            "series": series,
            "symbol": company.ticker,
        }

    # -- prices -----------------------------------------------------------------------------------------------------

    def _closes(self, ticker: str) -> dict[dt.date, float]:
        """Closes of the last fourteen months in today's shares."""
        world = self._world
        splits = Chain(world.splits(ticker))
        bars = world.bars(ticker, world.today - dt.timedelta(days=430), world.today)
        return {bar.date: bar.close / splits.after(bar.date) for bar in bars}

    def _prices(self, company: Company) -> dict[str, Any]:
        world = self._world
        splits = Chain(world.splits(company.ticker))
        bars = world.bars(company.ticker, world.today - dt.timedelta(days=430), world.today)
        closes = [bar.close / splits.after(bar.date) for bar in bars]
        volumes = [bar.volume * splits.after(bar.date) / 1e6 for bar in bars]
        year = bars[-252:]
        high = max(year, key=lambda b: b.high / splits.after(b.date))
        low = min(year, key=lambda b: b.low / splits.after(b.date))
        market = self._closes(_BENCHMARK)
        others = [market[bar.date] for bar in bars]
        made: dict[str, Any] = {
            "10DayAverageTradingVolume": round(fmean(volumes[-10:]), 5),
            "3MonthAverageTradingVolume": round(fmean(volumes[-63:]), 5),
            "52WeekHigh": round(high.high / splits.after(high.date), 4),
            "52WeekHighDate": high.date.isoformat(),
            "52WeekLow": round(low.low / splits.after(low.date), 4),
            "52WeekLowDate": low.date.isoformat(),
            "5DayPriceReturnDaily": _return(closes, 5),
            "beta": _beta(closes, others),
        }
        changes = [b / a - 1 for a, b in zip(closes[-64:], closes[-63:], strict=False)]
        made["3MonthADReturnStd"] = round(100 * pstdev(changes) * math.sqrt(252), 5) if len(changes) > 1 else None
        starts = {"monthToDate": world.today.replace(day=1), "yearToDate": world.today.replace(month=1, day=1)}
        for name, start in starts.items():
            count = sum(1 for bar in bars if bar.date >= start)
            made[f"{name}PriceReturnDaily"] = _return(closes, count)
        for name, count in _WEEKS.items():
            made[f"{name}PriceReturnDaily"] = _return(closes, count)
        for name, count in {"4Week": 20, **_WEEKS}.items():
            own, theirs = _return(closes, count), _return(others, count)
            made[f"priceRelativeToS&P500{name}"] = None if own is None or theirs is None else round(own - theirs, 4)
        paid = [
            cash / splits.after(day)
            for day, cash in world.dividends(company.ticker).items()
            if day > world.today - dt.timedelta(days=365)
        ]
        made["dividendPerShareTTM"] = round(sum(paid), 4) if paid else None
        made["dividendIndicatedAnnual"] = round(paid[-1] * 4, 4) if paid else None
        made["currentDividendYieldTTM"] = round(100 * sum(paid) / closes[-1], 4) if paid else None
        made["dividendYieldIndicatedAnnual"] = 400 * paid[-1] / closes[-1] if paid else None
        return made

    # -- accounts ---------------------------------------------------------------------------------------------------

    def _period(self, company: Company, books: Accounts, quarters: Sequence[Quarter]) -> Period:
        unit = 10.0**books.scale
        last = quarters[-1]
        world = self._world
        factor = world.shares_on(company.ticker, world.last_session) / company.shares
        return Period(
            end=last.end,
            flows={name: sum(q.flows[name] for q in quarters) * unit for name in last.flows},
            balances={name: value * unit for name, value in last.balances.items()},
            shares=fmean(q.shares_diluted for q in quarters) * factor,
        )

    def _fundamentals(
        self, company: Company, books: Accounts, quarters: Sequence[Quarter], price: dict[str, Any]
    ) -> dict[str, Any]:
        world = self._world
        close = world.close_on(company.ticker, world.last_date(company)) or 0.0
        count = world.shares_on(company.ticker, world.last_session)
        year_end = max(i for i, q in enumerate(quarters) if q.number == 4)
        ttm = self._period(company, books, quarters[-4:])
        before = self._period(company, books, quarters[-8:-4])
        quarter = self._period(company, books, quarters[-1:])
        year_ago = self._period(company, books, quarters[-5:-4])
        made: dict[str, Any] = {"marketCapitalization": round(close * count / 1e6, 4)}
        worth = close * count + quarter.balances["debt"] - quarter.balances["cash"]
        made["enterpriseValue"] = round(worth / 1e6, 4)
        ebitda = ttm.flows["operating_income"] + ttm.flows["depreciation_amortization"]
        made["evEbitdaTTM"] = _rounded(_ratio(worth, ebitda)) if ebitda > 0 else None
        made["evRevenueTTM"] = _rounded(_ratio(worth, ttm.flows["revenue"]))
        years = [("TTM", ttm)]
        if year_end >= 3:
            years.append(("Annual", self._period(company, books, quarters[year_end - 3 : year_end + 1])))
        for name, period in years:
            made |= _of_year(company, period, name, close)
        for name, period in (("Quarterly", quarter), *(years[1:])):
            made |= _of_balance(period, name, close)
        dividend = price["dividendPerShareTTM"]
        earned = ttm.per_share("net_income")
        made["payoutRatioTTM"] = round(100 * (dividend or 0.0) / earned, 2) if earned > 0 else None
        made["revenueGrowthTTMYoy"] = _growth(ttm.flows["revenue"], before.flows["revenue"])
        made["revenueGrowthQuarterlyYoy"] = _growth(quarter.flows["revenue"], year_ago.flows["revenue"])
        made["epsGrowthTTMYoy"] = _growth(earned, before.per_share("net_income"))
        made["epsGrowthQuarterlyYoy"] = _growth(quarter.per_share("net_income"), year_ago.per_share("net_income"))
        for span in (3, 5):
            first = year_end - 4 * span
            if first >= 3:
                old = self._period(company, books, quarters[first - 3 : first + 1])
                new = years[-1][1]
                made[f"revenueGrowth{span}Y"] = _growth(new.flows["revenue"], old.flows["revenue"], span)
                made[f"epsGrowth{span}Y"] = _growth(new.per_share("net_income"), old.per_share("net_income"), span)
        made["pb"] = made["pbQuarterly"]
        return made

    def _series(self, company: Company, books: Accounts, quarters: Sequence[Quarter]) -> dict[str, Any]:
        """Annual and quarterly points, newest first."""
        ends = list(range(len(quarters) - 1, 2, -1))[: 4 * _YEARS_OF_SERIES]
        trailing = [self._period(company, books, quarters[i - 3 : i + 1]) for i in ends]
        single = [self._period(company, books, quarters[i : i + 1]) for i in ends]
        annual = [period for i, period in zip(ends, trailing, strict=True) if quarters[i].number == 4]
        return {
            "annual": {name: _points(annual, kind) for name, kind in sorted({**_SERIES, **_YEARLY}.items())},
            "quarterly": {
                **{name: _points(single, kind) for name, kind in _SERIES.items()},
                **{f"{name}TTM": _points(trailing, kind) for name, kind in _YEARLY.items()},
            },
        }


def _points(periods: Sequence[Period], kind: Kind) -> list[dict[str, Any]]:
    return [
        {"period": period.end.isoformat(), "v": round(value, 4)}
        for period in periods
        if (value := kind(period)) is not None
    ]


def _of_year(company: Company, period: Period, name: str, close: float) -> dict[str, Any]:
    """Figures of a whole year: margins and returns in percent points."""
    flows, eps = period.flows, period.per_share("net_income")
    cash = period.per_share("operating_cash")
    free = (flows["operating_cash"] - flows["capital_spending"]) / period.shares
    made = {
        f"eps{name}": _rounded(eps),
        f"epsExclExtraItems{name}": _rounded(eps),
        f"epsInclExtraItems{name}": _rounded(eps),
        f"revenuePerShare{name}": _rounded(period.per_share("revenue")),
        f"cashFlowPerShare{name}": _rounded(cash, 5),
        f"grossMargin{name}": _percent(period.share_of("gross_profit")),
        f"operatingMargin{name}": _percent(period.share_of("operating_income")),
        f"pretaxMargin{name}": _percent(period.share_of("pretax")),
        f"netProfitMargin{name}": _percent(period.share_of("net_income")),
        f"pe{name}": _rounded(close / eps) if eps > 0 else None,
        f"peExclExtra{name}": _rounded(close / eps) if eps > 0 else None,
        f"ps{name}": _rounded(_ratio(close, period.per_share("revenue"))),
        f"pcfShare{name}": _rounded(close / cash) if cash > 0 else None,
        f"pfcfShare{name}": _rounded(close / free) if free > 0 else None,
        f"assetTurnover{name}": _rounded(_ratio(flows["revenue"], period.balances["assets"])),
        f"inventoryTurnover{name}": _rounded(_ratio(flows["cost"], period.balances["inventory"])),
        f"receivablesTurnover{name}": _rounded(_ratio(flows["revenue"], period.balances["receivables"])),
        f"revenueEmployee{name}": _rounded(flows["revenue"] / 1e6 / company.employees),
        f"netIncomeEmployee{name}": _rounded(flows["net_income"] / 1e6 / company.employees),
    }
    suffix = "TTM" if name == "TTM" else "Rfy"
    made[f"roa{suffix}"] = _percent(_ratio(flows["net_income"], period.balances["assets"]))
    made[f"roe{suffix}"] = _percent(_ratio(flows["net_income"], period.balances["equity"]))
    return made


def _of_balance(period: Period, name: str, close: float) -> dict[str, Any]:
    """Figures of the end of a period."""
    balances = period.balances
    book = balances["equity"] / period.shares
    debt = _rounded(_ratio(balances["debt"], balances["equity"]))
    return {
        f"bookValuePerShare{name}": _rounded(book),
        f"cashPerSharePerShare{name}": _rounded((balances["cash"] + balances["securities"]) / period.shares),
        f"currentRatio{name}": _rounded(_SERIES["currentRatio"](period)),
        f"quickRatio{name}": _rounded(_SERIES["quickRatio"](period)),
        f"longTermDebt/equity{name}": debt,
        f"totalDebt/totalEquity{name}": debt,
        f"tangibleBookValuePerShare{name}": _rounded(
            (balances["equity"] - balances["goodwill"] - balances["intangibles"]) / period.shares
        ),
        f"pb{name}": _rounded(_ratio(close, book)),
    }


def _return(closes: Sequence[float], count: int) -> float | None:
    """The change over ``count`` sessions in percent points; none when there are not so many."""
    if not 0 < count < len(closes):
        return None
    return round(100 * (closes[-1] / closes[-1 - count] - 1), 4)


def _beta(own: Sequence[float], market: Sequence[float]) -> float | None:
    """Slope of the daily returns over those of the large index fund, over a year."""
    a = [y / x - 1 for x, y in zip(own[-253:], own[-252:], strict=False)]
    b = [y / x - 1 for x, y in zip(market[-253:], market[-252:], strict=False)]
    if len(a) < 20:
        return None
    mean_a, mean_b = fmean(a), fmean(b)
    spread = sum((y - mean_b) ** 2 for y in b)
    return round(sum((x - mean_a) * (y - mean_b) for x, y in zip(a, b, strict=True)) / spread, 7) if spread else None
