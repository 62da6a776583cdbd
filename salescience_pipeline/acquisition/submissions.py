"""What a submission asks for, in terms of datasets; and what the lake holds for it, as content that a client can have.

Both the run that fetches and the gateway that answers at once use it, so that an answer is the same either way. What does
not belong here: jobs and their states (the ledger), HTTP, Dagster.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from salescience_pipeline.acquisition.acquire import plan
from salescience_pipeline.acquisition.outcome import Status
from salescience_pipeline.acquisition.services import Services
from salescience_pipeline.catalog.datasets import DATASETS
from salescience_pipeline.catalog.exhibits import exhibit_number
from salescience_pipeline.catalog.forms import ANNUAL_FORMS
from salescience_pipeline.clients.edgar_api import base_form
from salescience_pipeline.clients.plan import Selection
from salescience_pipeline.clients.planning import years_before
from salescience_pipeline.identifiers import Ticker
from salescience_pipeline.lake.results import Results
from salescience_pipeline.lake.tables import Where

SCHEMA_VERSION = 1
"""Of the envelope: what stands in a result's ``metadata`` and, for Yahoo, in its ``content``."""
COMPANY_LIST, FILINGS, DOCUMENTS = "core_sec__company_tickers", "core_sec__filings_history", "core_sec__documents"
PRICES, PROFILES = "core_yahoo__eod_prices", "core_yahoo__company_profiles"
_KINDS = {"htm": "html", "html": "html", "xml": "xml", "txt": "text", "pdf": "pdf"}


@dataclass(frozen=True, slots=True)
class Found:
    """What one source came to: content, or the reason why there is none."""

    status: str
    """``success``, ``skipped`` (there is nothing to get) or ``failed``."""
    sha256: str | None = None
    kind: str | None = None
    size: int = 0
    details: Mapping[str, Any] = field(default_factory=dict)
    error_class: str | None = None
    error: str | None = None


def selections(provider: str, tickers: Sequence[Ticker], n_years: int, form: str) -> list[Selection]:
    """What has to be acquired for these tickers, in this order."""
    names = (COMPANY_LIST, FILINGS, DOCUMENTS) if provider == "sec" else (PRICES, PROFILES)
    return [
        Selection(
            dataset=name,
            tickers=() if name == COMPANY_LIST else tuple(tickers),
            n_years=n_years,
            forms=(form,) if name == DOCUMENTS else (),
        )
        for name in names
    ]


def is_fresh(services: Services, provider: str, tickers: Sequence[Ticker], n_years: int, form: str) -> bool:
    """Whether the lake holds all of it, young enough that nothing would be requested."""
    if not was_asked(services, provider, tickers, n_years, form):
        return False
    # The planner decides; it reads more than the check above, which turns most away.
    plans = (plan(services, selection)[0] for selection in selections(provider, tickers, n_years, form))
    return all(not made.requests and not made.refused for made in plans)


def was_asked(services: Services, provider: str, tickers: Sequence[Ticker], n_years: int, form: str) -> bool:
    """Whether everything was asked for, each dataset within the time after which it is asked again."""
    wanted = selections(provider, tickers, n_years, form)
    partitions = {selection.dataset: [str(ticker) for ticker in selection.tickers] or ["*"] for selection in wanted}
    looked_at = services.ledger.completeness.looked_at(
        list(partitions), {partition for names in partitions.values() for partition in names}
    )
    now, never = services.now(), dt.datetime.min.replace(tzinfo=dt.UTC)
    for name, names in partitions.items():
        age = DATASETS[name].refresh_after
        since = never if age is None else now - age
        if any(looked_at.get((name, partition), never) <= since for partition in names):
            return False
    return True


def too_few(services: Services, tickers: Sequence[Ticker], n_years: int, form: str) -> list[Ticker]:
    """Tickers with fewer annual reports in the look-back than were asked for: a late filer's are a little older."""
    if form not in ANNUAL_FORMS:
        return []
    filings = _filings(services, tickers, form, n_years)
    return [ticker for ticker in tickers if ticker in filings and len(filings[ticker]) < n_years]


def collect(
    services: Services, results: Results, provider: str, tickers: Sequence[Ticker], n_years: int, form: str
) -> dict[Ticker, list[Found]]:
    """What the lake holds for each ticker: of SEC one per filing, newest first; of Yahoo one."""
    if provider == "sec":
        return _sec(services, tickers, n_years, form)
    return {ticker: [_yahoo(services, results, ticker, n_years)] for ticker in tickers}


# -- SEC ------------------------------------------------------------------------------------------------------------
def _filings(
    services: Services, tickers: Sequence[Ticker], form: str, n_years: int
) -> dict[Ticker, list[dict[str, Any]]]:
    """The filings that were asked for, newest first; a ticker without a company is left out."""
    ciks = services.ciks(tickers)
    rows = services.tables.read(
        "core_sec__filings",
        Where(values={"cik": sorted({str(cik) for cik in ciks.values()})}),
        columns=["cik", "accession", "form", "filing_date", "report_date", "is_amendment", "primary_document", "url"],
    ).to_pylist()
    cutoff, annual = years_before(services.today(), n_years), form in ANNUAL_FORMS
    found: dict[Ticker, list[dict[str, Any]]] = {}
    for ticker, cik in ciks.items():
        own = [
            row
            for row in rows
            if row["cik"] == cik
            and base_form(row["form"]) == base_form(form)
            and (not row["is_amendment"] if annual else row["filing_date"] >= cutoff)
        ]
        own.sort(key=lambda row: (row["filing_date"], row["accession"]), reverse=True)
        found[ticker] = own[:n_years] if annual else own
    return found


def _sec(services: Services, tickers: Sequence[Ticker], n_years: int, form: str) -> dict[Ticker, list[Found]]:
    filings = _filings(services, tickers, form, n_years)
    accessions = sorted({row["accession"] for rows in filings.values() for row in rows})
    documents = services.tables.read(
        "core_sec__documents",
        Where(values={"accession": accessions}),
        columns=["accession", "filename", "document_type", "sha256", "bytes", "fetched_at", "url"],
    )
    # A result is the main document; exhibits lie beside it.
    main = (row for row in documents.to_pylist() if exhibit_number(row["document_type"] or "") is None)
    by_accession = {row["accession"]: row for row in main}
    return {ticker: list(_of_company(services, ticker, filings, by_accession, n_years, form)) for ticker in tickers}


def _of_company(
    services: Services,
    ticker: Ticker,
    filings: Mapping[Ticker, list[dict[str, Any]]],
    documents: Mapping[str, dict[str, Any]],
    n_years: int,
    form: str,
) -> Iterator[Found]:
    history = services.ledger.completeness.states(FILINGS, partitions=[ticker], subjects=[ticker])
    if history and history[0].status == Status.NOT_FOUND:
        yield Found("failed", error_class="not_found", error=history[0].reason)
        return
    if history and history[0].status == Status.FAILED and not filings.get(ticker):
        yield Found("failed", error_class="provider", error=history[0].reason)
        return
    rows = filings.get(ticker, [])
    reasons = {state.subject: state for state in services.ledger.completeness.states(DOCUMENTS, partitions=[ticker])}
    for row in rows:
        document, state = documents.get(row["accession"]), reasons.get(row["accession"])
        about = {
            "ticker": str(ticker),
            "cik": row["cik"],
            "accession": row["accession"],
            "form": row["form"],
            "filing_date": row["filing_date"].isoformat(),
            "report_date": row["report_date"].isoformat() if row["report_date"] else None,
        }
        if document is None:
            reason = state.reason if state else f"The document of {row['accession']} was not fetched."
            yield Found("failed", details=about, error_class="missing", error=reason)
            continue
        about |= {"url": document["url"], "filename": document["filename"]}
        kind = _KINDS.get(document["filename"].rpartition(".")[2].lower(), "text")
        details = _metadata(about, document["fetched_at"], document["sha256"])
        yield Found("success", document["sha256"], kind, document["bytes"], details)
    missing = n_years - len(rows) if form in ANNUAL_FORMS else (0 if rows else 1)
    for _ in range(missing):
        yield Found("skipped", error=f"{ticker} filed {len(rows)} {form} in the years that were asked for.")


def _metadata(about: Mapping[str, Any], fetched_at: Any, sha256: str) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        **about,
        "fetched_at": fetched_at.isoformat() if fetched_at is not None else None,
        "sha256": sha256,
    }


# -- Yahoo ----------------------------------------------------------------------------------------------------------
_PRICE_COLUMNS = (
    "trade_date", "open", "high", "low", "close", "volume", "adj_close", "div_cash", "split_factor", "currency",
    "fetched_at",
)  # fmt: skip
_NOT_CONTENT = frozenset({"source", "fetched_at", "raw_sha256", "run_id", "organization_id"})


def _yahoo(services: Services, results: Results, ticker: Ticker, n_years: int) -> Found:
    first = years_before(services.today(), n_years)
    prices = services.tables.read(
        PRICES, Where(values={"ticker": [ticker]}, date_column="trade_date", first=first), columns=list(_PRICE_COLUMNS)
    )
    profiles = services.tables.read(PROFILES, Where(values={"ticker": [ticker]})).to_pylist()
    if not prices.num_rows and not profiles:
        states = services.ledger.completeness.states(PRICES, partitions=[ticker])
        state = states[0] if states else None
        unknown = state is not None and state.status == Status.NOT_FOUND
        reason = state.reason if state is not None else None
        return Found(
            "failed",
            error_class="not_found" if unknown else "missing",
            error=reason or f"Yahoo holds nothing for {ticker}.",
        )
    newest = max((*_moments(prices), *(row["fetched_at"] for row in profiles)))
    profile = max(profiles, key=lambda row: row["as_of_date"]) if profiles else {}
    content = {
        "ticker": str(ticker),
        "profile": {name: value for name, value in profile.items() if name not in _NOT_CONTENT},
        "prices": [{name: value for name, value in row.items() if name != "fetched_at"} for row in prices.to_pylist()],
    }
    data = json.dumps(content, default=str, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    digest = results.put(data)
    about = {"ticker": str(ticker), "prices": prices.num_rows, "profile": bool(profile)}
    return Found("success", digest, "json", len(data), _metadata(about, newest, digest))


def _moments(prices: pa.Table) -> list[Any]:
    return [moment for moment in set(prices["fetched_at"].to_pylist()) if moment is not None]
