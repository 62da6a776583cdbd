"""Whose answers change when a dataset is written."""

from __future__ import annotations

import pytest

from salescience_pipeline.acquisition.answer_scopes import TABLES_READ, scopes_written
from salescience_pipeline.acquisition.submissions import selections
from salescience_pipeline.catalog.datasets import DATASETS
from salescience_pipeline.identifiers import Ticker


@pytest.mark.parametrize(
    ("dataset", "scopes"),
    [
        ("core_sec__filings_history", {"sec:AAPL", "sec:MSFT"}),
        ("core_sec__documents", {"sec:AAPL", "sec:MSFT"}),
        ("core_sec__filings_daily", {"sec:*"}),
        ("core_sec__company_tickers", {"sec:*"}),
        ("core_yahoo__eod_prices", {"yahoo:AAPL", "yahoo:MSFT"}),
        ("core_sec__facts", set()),
        ("core_tiingo__eod_prices_daily", set()),
    ],
)
def test_what_answers_are_read_from_changes_them(dataset: str, scopes: set[str]) -> None:
    assert scopes_written(DATASETS[dataset], ["AAPL", "MSFT"]) == scopes


@pytest.mark.parametrize("provider", list(TABLES_READ))
def test_whatever_a_submission_acquires_changes_its_answer(provider: str) -> None:
    for selection in selections(provider, [Ticker("AAPL")], 1, "10-K"):
        assert scopes_written(DATASETS[selection.dataset], ["AAPL"]) <= {f"{provider}:AAPL", f"{provider}:*"}
        assert scopes_written(DATASETS[selection.dataset], ["AAPL"])
