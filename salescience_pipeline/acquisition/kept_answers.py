"""What the lake answers to a submission, from the ledger where the same was asked before and nothing was written since.

To find out from the tables takes fifty milliseconds of computing for a ticker; from the ledger, one. An answer rests on
the day, on the newest trading day, on the shape of what is answered, and on every dataset that writes a table it was
read from. What does not belong here: what is read from the tables (``submissions``), and statements (the ledger's).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict

from salescience_pipeline.acquisition.acquire import recipe_of
from salescience_pipeline.acquisition.answer_scopes import EVERYBODY, TABLES_READ, scope_of
from salescience_pipeline.acquisition.services import Services
from salescience_pipeline.acquisition.submissions import SCHEMA_VERSION, Found, collect, is_fresh, selections, was_asked
from salescience_pipeline.catalog.datasets import DATASETS
from salescience_pipeline.identifiers import Ticker
from salescience_pipeline.lake.results import Results
from salescience_pipeline.ledger.lake_answers import Kept


def warm_up(services: Services) -> None:
    """Import what the first answer would import, in the midst of other requests."""
    for provider in TABLES_READ:
        for selection in selections(provider, (), 1, ""):
            recipe_of(DATASETS[selection.dataset])
    services.last_session()


def find(
    services: Services, provider: str, tickers: Sequence[Ticker], n_years: int, form: str
) -> tuple[dict[Ticker, list[Found]] | None, bool]:
    """The answer that is kept for these tickers, if one is for each; and whether it is worth reading the tables else."""
    if not was_asked(services, provider, tickers, n_years, form):
        return None, False
    kept = services.ledger.lake_answers.find(provider, [str(ticker) for ticker in tickers], n_years, form)
    if len(kept) < len(set(tickers)):
        return None, True
    basis = _basis(services, provider, tickers)
    if any(kept[ticker].basis != basis[ticker] for ticker in tickers):
        return None, True
    return {ticker: [Found(**item) for item in kept[ticker].found] for ticker in tickers}, True


def read(
    services: Services, results: Results, provider: str, tickers: Sequence[Ticker], n_years: int, form: str
) -> dict[Ticker, list[Found]] | None:
    """The answer from the tables, kept from now on; None unless the lake holds all of it, young enough."""
    basis = _basis(services, provider, tickers)
    if not is_fresh(services, provider, tickers, n_years, form):
        return None
    found = collect(services, results, provider, tickers, n_years, form)
    _keep(services, provider, n_years, form, found, basis)
    return found


def read_after_a_run(
    services: Services, results: Results, provider: str, tickers: Sequence[Ticker], n_years: int, form: str
) -> dict[Ticker, list[Found]]:
    """What the tables hold after they were asked for, complete or not; what is complete is kept."""
    basis = _basis(services, provider, tickers)
    found = collect(services, results, provider, tickers, n_years, form)
    if is_fresh(services, provider, tickers, n_years, form):
        _keep(services, provider, n_years, form, found, basis)
    return found


def _basis(services: Services, provider: str, tickers: Collection[Ticker]) -> dict[str, str]:
    """What an answer for each ticker would rest on now; to be asked before the tables are read."""
    counted = services.ledger.lake_answers.generations({scope_of(provider, name) for name in (EVERYBODY, *tickers)})
    shared = f"{SCHEMA_VERSION}|{services.today()}|{services.last_session()}|{counted[scope_of(provider, EVERYBODY)]}"
    return {ticker: f"{shared}|{counted[scope_of(provider, ticker)]}" for ticker in tickers}


def _keep(
    services: Services,
    provider: str,
    n_years: int,
    form: str,
    found: Mapping[Ticker, Sequence[Found]],
    basis: Mapping[str, str],
) -> None:
    answers = {
        str(ticker): Kept(basis[ticker], [asdict(item) for item in items])
        for ticker, items in found.items()
        # What failed is tried again by whoever asks next.
        if items and not any(item.status == "failed" for item in items)
    }
    services.ledger.lake_answers.keep(provider, n_years, form, answers)
