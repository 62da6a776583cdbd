"""Which answers to submissions change when a dataset is written; pure.

A scope is a provider and a ticker (``sec:AAPL``), or a provider and everybody (``sec:*``).
"""

from __future__ import annotations

from collections.abc import Iterable

from salescience_pipeline.catalog.datasets import Cut, Dataset

EVERYBODY = "*"
TABLES_READ: dict[str, tuple[str, ...]] = {
    "sec": ("core_sec__company_tickers", "core_sec__filings", "core_sec__documents"),
    "yahoo": ("core_yahoo__eod_prices", "core_yahoo__company_profiles"),
}
"""The tables that answers are read from, by provider."""


def scope_of(provider: str, ticker: str) -> str:
    """The scope of one ticker."""
    return f"{provider}:{ticker}"


def scopes_written(dataset: Dataset, partitions: Iterable[str]) -> set[str]:
    """The scopes that rows of ``dataset`` in these partitions change; none for what no answer is read from."""
    written = set(dataset.outputs.values())
    providers = [provider for provider, tables in TABLES_READ.items() if written & set(tables)]
    if dataset.cut is not Cut.TICKER:
        # Rows of a day, or of all companies, may be anybody's.
        return {scope_of(provider, EVERYBODY) for provider in providers}
    return {scope_of(provider, partition) for provider in providers for partition in partitions}
