"""What a submission plans: sources from identifiers and flags, and companies from names."""

from __future__ import annotations

import itertools

import pytest

from salescience_pipeline.gateway.planning import Company, UnplannableCompany, job_sources, match_name, plan_sources
from salescience_pipeline.identifiers import Cik, Ticker


@pytest.mark.parametrize(
    ("ticker", "cik", "sec", "yahoo"),
    list(itertools.product([None, "AAPL"], [None, "320193"], [None, True, False], [None, True, False])),
)
def test_000_03_sources_follow_from_identifiers_and_flags(
    ticker: str | None, cik: str | None, sec: bool | None, yahoo: bool | None
) -> None:
    company = Company(Ticker(ticker) if ticker else None, Cik(cik) if cik else None, sec, yahoo)
    flagged = sec is not None or yahoo is not None
    refused = (
        (not ticker and not cik) or (flagged and not sec and not yahoo) or (flagged and bool(yahoo) and not ticker)
    )
    if refused:
        with pytest.raises(UnplannableCompany):
            plan_sources(company)
        return
    expected = {name for name, flag in (("sec", sec), ("yahoo", yahoo)) if flag}
    assert set(plan_sources(company)) == (expected if flagged else {"sec", "yahoo"} if ticker else {"sec"})


def test_000_04_annual_reports_are_counted_and_others_wait_for_the_index() -> None:
    apple = [Company(Ticker("AAPL"), None)]
    assert [source.key for source in job_sources(apple, n_years=2, form="10-K")] == [
        "AAPL:SEC:0", "AAPL:SEC:1", "AAPL:Yahoo",
    ]  # fmt: skip
    assert [source.key for source in job_sources(apple * 2, n_years=2, form="8-K")] == ["AAPL:SEC", "AAPL:Yahoo"]


def test_000_03_a_name_means_one_company_or_is_told_apart() -> None:
    listed = [
        {"name": "Alpha Industries Inc.", "ticker": "ALP"},
        {"name": "Alpha Beta Corp", "ticker": "AB"},
        {"name": "GAMMA, INC", "ticker": "GAM"},
    ]
    assert [row["ticker"] for row in match_name("gamma", listed)] == ["GAM"]
    assert [row["ticker"] for row in match_name("Alpha", listed)] == ["ALP", "AB"]
    assert [row["ticker"] for row in match_name("alpha industries", listed)] == ["ALP"]
    assert match_name("Inc.", listed) == []
