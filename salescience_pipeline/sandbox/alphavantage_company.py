"""What Alpha Vantage says about a company: overview and earnings, flat, every value a text, ``None`` where it knows nothing.

What does not belong here: prices and indicators (``alphavantage_source``).
"""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from statistics import fmean
from typing import Any

from salescience_pipeline.fiction.adjust import Chain
from salescience_pipeline.fiction.companies import Company, split_schedule
from salescience_pipeline.fiction.earnings import Announcement
from salescience_pipeline.fiction.metrics import Metrics
from salescience_pipeline.fiction.sec_calendar import MONTHS
from salescience_pipeline.sandbox.app import Sandbox

ESTIMATES_SINCE = dt.timedelta(days=5 * 365)
"""How far back this provider knows what was expected."""
_NOTHING = "None"
_UNKNOWN = "-"


def text_of(value: float | None, digits: int = 4) -> str:
    """A number as a text without trailing zeros, or ``None``."""
    if value is None:
        return _NOTHING
    made = f"{value:.{digits}f}"
    return made.rstrip("0").rstrip(".") if "." in made else made


def overview_body(sandbox: Sandbox, company: Company, metrics: Metrics) -> dict[str, str]:
    """A company at a glance; margins and returns are fractions, as far as the other providers' figures reach."""
    world = sandbox.world
    metric: dict[str, Any] = metrics.answer(company, "all")["metric"]
    splits = Chain(world.splits(company.ticker))
    bars = world.bars(company.ticker, world.today - dt.timedelta(days=430), world.today)
    closes = [bar.close / splits.after(bar.date) for bar in bars]
    shares = world.shares_on(company.ticker, world.last_session)
    told = sandbox.earnings.told(company)
    income = _trailing(sandbox, company, "net_income")
    revenue = _trailing(sandbox, company, "revenue")
    gross = _trailing(sandbox, company, "gross_profit")
    operating = _trailing(sandbox, company, "operating_income")
    written_off = _trailing(sandbox, company, "depreciation_amortization")
    ebitda = None if operating is None or written_off is None else operating + written_off
    paid = list(world.dividends(company.ticker))
    coming = world.upcoming_dividend(company.ticker)

    def part(name: str) -> str:
        value = metric.get(name)
        return _NOTHING if value is None else text_of(value / 100)

    def figure(name: str, digits: int = 4) -> str:
        return text_of(metric.get(name), digits)

    ex_date = coming[0] if coming is not None else paid[-1] if paid else None
    pay_date = None if ex_date is None else ex_date + dt.timedelta(days=14)
    return {
        "Symbol": company.dashed,
        "AssetType": "Common Stock",
        "Name": company.name,
        "Description": company.description,
        "CIK": str(company.cik),
        "Exchange": "NASDAQ" if company.exchange == "Nasdaq" else "NYSE",
        "Currency": company.currency,
        "Country": "USA",
        "Sector": company.sector.upper(),
        "Industry": company.industry.upper(),
        "Address": f"{company.address}, {company.city}, {company.state}, UNITED STATES, {company.postal_code}".upper(),
        "OfficialSite": company.website,
        "FiscalYearEnd": MONTHS[int(company.fiscal_year_end[:2]) - 1],
        "LatestQuarter": told[0].period_end.isoformat() if told else _NOTHING,
        "MarketCapitalization": str(round(closes[-1] * shares)),
        "EBITDA": _NOTHING if ebitda is None else str(round(ebitda)),
        "PERatio": figure("peTTM", 2),
        "PEGRatio": _NOTHING,
        "BookValue": figure("bookValuePerShareQuarterly", 2),
        "DividendPerShare": figure("dividendPerShareTTM", 2),
        "DividendYield": part("currentDividendYieldTTM"),
        "EPS": figure("epsTTM", 2),
        "RevenuePerShareTTM": figure("revenuePerShareTTM", 2),
        "ProfitMargin": part("netProfitMarginTTM"),
        "OperatingMarginTTM": part("operatingMarginTTM"),
        "ReturnOnAssetsTTM": part("roaTTM"),
        "ReturnOnEquityTTM": part("roeTTM"),
        "RevenueTTM": _NOTHING if revenue is None else str(round(revenue)),
        "GrossProfitTTM": _NOTHING if gross is None else str(round(gross)),
        "DilutedEPSTTM": _NOTHING if income is None else figure("epsTTM", 2),
        "QuarterlyEarningsGrowthYOY": part("epsGrowthQuarterlyYoy"),
        "QuarterlyRevenueGrowthYOY": part("revenueGrowthQuarterlyYoy"),
        "AnalystTargetPrice": _NOTHING,
        **{f"AnalystRating{word}": _UNKNOWN for word in ("StrongBuy", "Buy", "Hold", "Sell", "StrongSell")},
        "TrailingPE": figure("peTTM", 2),
        "ForwardPE": _UNKNOWN,
        "PriceToSalesRatioTTM": figure("psTTM", 3),
        "PriceToBookRatio": figure("pb", 2),
        "EVToRevenue": figure("evRevenueTTM", 3),
        "EVToEBITDA": figure("evEbitdaTTM", 2),
        "Beta": figure("beta", 3),
        "52WeekHigh": figure("52WeekHigh", 2),
        "52WeekLow": figure("52WeekLow", 2),
        "50DayMovingAverage": text_of(fmean(closes[-50:]), 2),
        "200DayMovingAverage": text_of(fmean(closes[-200:]), 2),
        "SharesOutstanding": str(shares),
        "SharesFloat": str(round(shares * 0.97)),
        "PercentInsiders": _NOTHING,
        "PercentInstitutions": _NOTHING,
        "DividendDate": _NOTHING if pay_date is None else pay_date.isoformat(),
        "ExDividendDate": _NOTHING if ex_date is None else ex_date.isoformat(),
    }


def _trailing(sandbox: Sandbox, company: Company, item: str) -> float | None:
    """The sum of the four newest quarters that were told, in USD."""
    told = sandbox.earnings.told(company)[:4]
    if len(told) < 4:
        return None
    books = sandbox.earnings.books(company)
    total = sum(books.quarter(a.fiscal_year, a.fiscal_quarter).flows[item] for a in told)
    return float(total * 10**books.scale)


def earnings_body(sandbox: Sandbox, company: Company) -> dict[str, Any]:
    """Annual and quarterly earnings per share that were told, newest first."""
    told = sandbox.earnings.told(company)
    return {
        "symbol": company.dashed,
        "annualEarnings": [
            {"fiscalDateEnding": a.period_end.isoformat(), "reportedEPS": text_of(_annual_eps(sandbox, a))}
            for a in told
            if a.fiscal_quarter == 4
        ],
        "quarterlyEarnings": [_quarter(a, sandbox.world.today - ESTIMATES_SINCE) for a in told],
    }


def _quarter(a: Announcement, since: dt.date) -> dict[str, str]:
    known = a.date >= since
    return {
        "fiscalDateEnding": a.period_end.isoformat(),
        "reportedDate": a.date.isoformat(),
        "reportedEPS": text_of(a.eps),
        "estimatedEPS": text_of(a.eps_estimate) if known else _NOTHING,
        "surprise": text_of(a.surprise) if known else "0",
        "surprisePercentage": text_of(a.surprise_percent) if known else _NOTHING,
        "reportTime": "pre-market" if a.hour == "bmo" else "post-market",
    }


def _annual_eps(sandbox: Sandbox, a: Announcement) -> float:
    """Diluted earnings per share of the year, in shares as they were when the year was told."""
    books = sandbox.earnings.books(a.company)
    factor = math.prod(f for day, f in split_schedule(sandbox.world.seed, a.company) if day <= a.date)
    income = Decimal(books.flow("net_income", a.fiscal_year, 4, 4)).scaleb(books.scale)
    shares = int(books.average_shares(a.fiscal_year, 4, 4, diluted=True) * Decimal(str(factor)))
    return float((income / shares).quantize(Decimal("0.01")))
