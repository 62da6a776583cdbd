"""What the tests of acquisition share: selections over the fictional market, faults, and tables without provenance."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from salescience_pipeline.acquisition.acquire import acquire
from salescience_pipeline.acquisition.outcome import Acquired
from salescience_pipeline.acquisition.sandbox_process import Sandbox
from salescience_pipeline.acquisition.services import Services
from salescience_pipeline.catalog.datasets import DATASETS, Cut
from salescience_pipeline.catalog.tables import PROVENANCE
from salescience_pipeline.clients.plan import Selection
from salescience_pipeline.identifiers import Ticker, parse_tickers

NEWEST = dt.date(2026, 6, 12)
"""The last session before the day on which the tests look at the market (a Friday; ``conftest.TODAY`` is the Monday)."""
MONDAY = NEWEST + dt.timedelta(days=3)
"""That day: the only one of which a quote can be had."""
WEEK = tuple(NEWEST - dt.timedelta(days=back) for back in range(4, -1, -1))
"""Monday to Friday; FENWK and QUILN have their ex-dividend day on the Tuesday."""

TIINGO_DAILY, TIINGO_HISTORY = "core_tiingo__eod_prices_daily", "core_tiingo__eod_prices_history"
TIINGO = "core_tiingo__eod_prices"

PLAIN = parse_tickers(["ALDRN", "BRNWD.B", "CALDQ"])
"""Tickers without a corporate action in that week."""


def select(dataset: str, tickers: Iterable[str] = PLAIN, dates: Iterable[dt.date] = (), **more: object) -> Selection:
    """A selection from plain strings."""
    return Selection(dataset, parse_tickers(tickers), tuple(dates), **more)  # type: ignore[arg-type]


def run(services: Services, selection: Selection, run_id: str = "run", **more: object) -> Acquired:
    """Acquire it."""
    return acquire(services, selection, run_id=run_id, **more)  # type: ignore[arg-type]


def everything(tickers: Iterable[str] = PLAIN[:2]) -> list[Selection]:
    """One selection for each dataset, in an order in which each finds what it needs."""
    names = tuple(tickers)
    order = ["core_sec__company_tickers", "core_sec__filings_daily", TIINGO_DAILY]
    order += [name for name in DATASETS if name not in order]
    dated = {TIINGO_DAILY: WEEK, "core_sec__filings_daily": WEEK[-2:]}
    dated |= {name: WEEK[-2:] for name, row in DATASETS.items() if row.cut is Cut.DATE and name not in dated}
    dated["core_finnhub__quotes"] = (MONDAY,)
    return [select(name, names, dated.get(name, ()), n_years=1) for name in order]


def content(services: Services, table: str) -> list[tuple[object, ...]]:
    """The rows of a table as values, without who wrote them and when."""
    rows = services.tables.read(table)
    kept = [name for name in rows.column_names if name not in PROVENANCE]
    return sorted(map(tuple, (row.values() for row in rows.select(kept).to_pylist())), key=repr)


def contents(services: Services) -> dict[str, list[tuple[object, ...]]]:
    """Every table that a dataset writes."""
    return {table: content(services, table) for dataset in DATASETS.values() for table in dataset.outputs.values()}


def requests_seen(sandbox: Sandbox) -> int:
    """Requests that the sandbox counted over all providers since it was reset."""
    return sum(provider["requests"] for provider in sandbox.get("/_sandbox/stats")["providers"].values())


def fault(sandbox: Sandbox, kind: str, match: str, provider: str = "tiingo", **more: object) -> None:
    """Make requests whose address matches go wrong."""
    sandbox.post("/_sandbox/faults", {"provider": provider, "kind": kind, "match": match, **more})


def slow_down(sandbox: Sandbox, match: str, milliseconds: int = 300) -> None:
    """Let requests whose address matches take longer, so that they end after others."""
    fault(sandbox, "latency", match, params={"ms": milliseconds})


def event(sandbox: Sandbox, kind: str, ticker: Ticker | str, day: dt.date, value: float) -> None:
    """Let something happen to a security."""
    body = {"kind": kind, "ticker": str(ticker), "date": day.isoformat(), "value": value}
    sandbox.post("/_sandbox/world", {"events": [body]})


def statuses(acquired: Acquired) -> dict[tuple[str, str], str]:
    """Status by (subject, partition)."""
    return {(state.subject, state.partition): str(state.status) for state in acquired.states}
