"""What the pages show, read from the newest published marts and from the ledger; our own SQL, values always as parameters.

What does not belong here: markup. All text comes from providers and is escaped where it is shown.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from salescience_pipeline.catalog.providers import PROVIDERS
from salescience_pipeline.identifiers import Cik, OrganizationId, Ticker
from salescience_pipeline.ledger.job_model import JobView

if TYPE_CHECKING:
    import duckdb

    from salescience_pipeline.gateway.state import State

Row = Mapping[str, Any]
_CONCEPTS = (
    "Revenues", "RevenueFromContractWithCustomerExcludingAssessedTax", "GrossProfit", "OperatingIncomeLoss", "NetIncomeLoss",
    "EarningsPerShareDiluted", "Assets", "Liabilities", "StockholdersEquity", "CashAndCashEquivalentsAtCarryingValue",
    "NetCashProvidedByUsedInOperatingActivities", "PaymentsToAcquirePropertyPlantAndEquipment",
)  # fmt: skip
_FACTS = f"""
select concept, label, unit, period_start, period_end, value, form, accession from mart_fundamentals__facts
where cik = ? and known_until is null and (period_days = 0 or period_days between 350 and 380)
    and concept in ({", ".join(f"'{name}'" for name in _CONCEPTS)})
qualify row_number() over (partition by concept order by period_end desc, known_from desc) = 1
order by list_position([{", ".join(f"'{name}'" for name in _CONCEPTS)}], concept)
"""  # noqa: S608 - our own concept names
_PRICES = """
select trade_date, coalesce(tiingo_adj_close, yahoo_adj_close, close) as close, close as raw_close, currency, volume
from mart_prices__daily
where ticker = ? qualify row_number() over (order by trade_date desc) <= ? order by trade_date
"""
RANGES: Mapping[str, tuple[str, int]] = {
    "1m": ("1 month", 22), "6m": ("6 months", 126), "1y": ("1 year", 250), "5y": ("5 years", 1260),
}  # fmt: skip
"""Name in the address -> name for people, and trading days."""
_FILINGS = """
select form, filing_date, report_date, items, accession, amended_by, stored_documents, url from mart_filings__filings
where cik = ? and base_form not in ('3', '4', '5', '144') order by filing_date desc, accession desc limit 25
"""
_SECTIONS = """
select accession, count(*) as sections from mart_documents__sections where cik = ? group by accession
"""
_STATEMENTS = """
with ours as (
    select statement, line_no, line, unit, period_end, value, accession,
        dense_rank() over (order by period_end desc) as place
    from mart_fundamentals__statements as s
    where cik = $cik and known_until is null and form in ('10-K', '20-F', '40-F', '10-K/A') and period_months in (0, 12)
        and period_end in (
            select period_end from mart_fundamentals__statements
            where cik = $cik and period_months = 12 and form in ('10-K', '20-F', '40-F', '10-K/A')
        )
)
select * from ours where place <= 4 order by statement = 'balance', statement = 'cash flow', statement, line_no, place
"""
_INSIDERS = """
select trans_date, owner_name, officer_title, is_director, trans_code, signed_shares, price, amount
from mart_insiders__transactions where issuer_cik = ? order by trans_date desc, accession desc, line_no limit 15
"""
_NEWS = """
select published_at, title, publisher, url from mart_news__articles where list_contains(tickers, ?)
order by published_at desc limit 8
"""
_EARNINGS = """
select quarter, report_date, eps_estimate, eps_actual, is_reported from mart_earnings__calendar
where ticker = ? order by report_date desc limit 6
"""
_BY_TICKER = "select * from mart_companies__companies where ticker = ? order by is_current desc"
_BY_CIK = "select * from mart_companies__companies where cik = ? order by is_current desc, ticker limit 1"
_FILER = "select company from mart_filings__filings where cik = ? order by filing_date desc limit 1"
_COMPANIES = """
select ticker, name, exchange, sector from mart_companies__companies where is_current
order by ticker in (select ticker from mart_prices__daily) desc, ticker limit 60
"""
_SPARKS = """
with days as (
    select ticker, trade_date, coalesce(tiingo_adj_close, yahoo_adj_close, close) as close, currency
    from mart_prices__daily where ticker in (select unnest($tickers))
    qualify row_number() over (partition by ticker order by trade_date desc) <= 66
)
select ticker, list(close order by trade_date) as closes, max(trade_date) as last_date, max(currency) as currency
from days where close is not null group by ticker
"""
_FIGURES = (
    (
        "Companies",
        "mart_companies__companies",
        "select count(*) as figure from mart_companies__companies where is_current",
    ),
    ("Filings known", "mart_filings__filings", "select count(*) as figure from mart_filings__filings"),
    ("Documents read", "mart_documents__documents", "select count(*) as figure from mart_documents__documents"),
    ("Figures reported", "mart_fundamentals__facts", "select count(*) as figure from mart_fundamentals__facts"),
    ("Days of prices", "mart_prices__daily", "select count(*) as figure from mart_prices__daily"),
    ("News articles", "mart_news__articles", "select count(*) as figure from mart_news__articles"),
)
_COMPANIES_FOUND = """
select ticker, name, exchange, sector, cik from mart_companies__companies
where is_current and (starts_with(ticker, upper($q)) or contains(lower(name), lower($q)) or ltrim(cik, '0') = ltrim($q, '0'))
order by ticker <> upper($q), ticker limit 50
"""
_FILINGS_FOUND = """
select f.form, f.filing_date, f.company, f.accession, f.items, f.cik, c.ticker
from mart_filings__filings as f
left join (select cik, min(ticker) as ticker from mart_companies__companies where is_current group by cik) as c
    on c.cik = f.cik
where lower(f.form) = lower($q) or contains(lower(f.company), lower($q)) or f.accession = $q
    or contains(lower(coalesce(f.items, '')), lower($q))
order by f.filing_date desc, f.accession desc limit 50
"""


class Market:
    """The newest published marts; tables that this version does not have are empty."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, version: int, published_at: dt.datetime) -> None:
        self.connection, self.version, self.published_at = connection, version, published_at
        found = connection.execute("select table_name from duckdb_tables() where schema_name = 'main'").fetchall()
        self._tables = {row[0] for row in found}

    def rows(self, table: str, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[Row]:
        """The rows of our own ``sql``, none when this version has no such table."""
        if table not in self._tables:
            return []
        cursor = self.connection.execute(sql, parameters if isinstance(parameters, Mapping) else list(parameters))
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def companies(self) -> list[Row]:
        """The first companies by ticker, with their last prices; those with prices stand before the rest of the market."""
        rows = self.rows("mart_companies__companies", _COMPANIES)
        tickers = [row["ticker"] for row in rows]
        sparks = {row["ticker"]: row for row in self.rows("mart_prices__daily", _SPARKS, {"tickers": tickers})}
        return [{**row, "prices": sparks.get(row["ticker"])} for row in rows]

    def figures(self) -> list[tuple[str, int]]:
        """How much there is, for the head of the overview."""
        return [(name, rows[0]["figure"]) for name, table, sql in _FIGURES if (rows := self.rows(table, sql))]

    def completeness(self) -> list[Row]:
        """Per dataset of the catalogue: subjects by status, and when it was last looked at."""
        from salescience_pipeline.catalog.datasets import DATASETS  # noqa: PLC0415 - brings Arrow, when first needed

        sql = """
            select dataset, sum(subjects) as subjects, sum(row_count) as row_count, max(last_date) as last_date,
                max(checked_at) as checked_at,
                coalesce(sum(subjects) filter (status in ('complete', 'empty')), 0) as complete
            from mart_operations__completeness group by dataset order by dataset
        """
        rows = self.rows("mart_operations__completeness", sql)
        known = {str(item.name): item for item in DATASETS.values()}
        return [
            {**row, "title": known[row["dataset"]].title, "provider": known[row["dataset"]].provider}
            for row in rows
            if row["dataset"] in known
        ]

    def company(self, name: str, days: int = 250) -> dict[str, Any] | None:
        """Everything that the company's page shows, or None when nobody knows it.

        Args:
            name: A ticker, or a CIK for a company that no exchange lists.
            days: Trading days of prices.

        Raises:
            InvalidIdentifier: for what is neither.
        """
        about = self._about(name)
        if about is None:
            return None
        cik, ticker = about["cik"], about["ticker"]
        prices = self.rows("mart_prices__daily", _PRICES, [ticker, days]) if ticker else []
        return {
            "company": about,
            "prices": [row for row in prices if row["close"] is not None],
            "facts": self.rows("mart_fundamentals__facts", _FACTS, [cik]),
            "statements": self._statements(cik),
            "filings": self.rows("mart_filings__filings", _FILINGS, [cik]),
            "sections": {
                row["accession"]: row["sections"] for row in self.rows("mart_documents__sections", _SECTIONS, [cik])
            },
            "insiders": self.rows("mart_insiders__transactions", _INSIDERS, [cik]),
            "news": self.rows("mart_news__articles", _NEWS, [ticker]) if ticker else [],
            "earnings": self.rows("mart_earnings__calendar", _EARNINGS, [ticker]) if ticker else [],
        }

    def _about(self, name: str) -> Row | None:
        table = "mart_companies__companies"
        if not name.strip().isdigit():
            found = self.rows(table, _BY_TICKER, [Ticker(name)])
            return found[0] if found else None
        cik = Cik(name)
        found = self.rows(table, _BY_CIK, [cik])
        if found:
            return found[0]
        filed = self.rows("mart_filings__filings", _FILER, [cik])
        if not filed:
            return None
        columns = self.connection.execute("select * from mart_companies__companies limit 0").description or ()
        return {**{column[0]: None for column in columns}, "cik": cik, "name": filed[0]["company"]}

    def _statements(self, cik: str) -> dict[str, Any]:
        """The annual statements of four years at most: the years, and per statement its lines with a value for each."""
        rows = self.rows("mart_fundamentals__statements", _STATEMENTS, {"cik": cik})
        years = sorted({row["period_end"] for row in rows}, reverse=True)
        parts: dict[str, dict[str, dict[str, Any]]] = {}
        for row in rows:
            line = parts.setdefault(row["statement"], {}).setdefault(row["line"], {"unit": row["unit"], "values": {}})
            line["values"].setdefault(row["period_end"], row)
        return {"years": years, "parts": parts}

    def search(self, text: str) -> tuple[list[Row], list[Row]]:
        """Companies and filings that have ``text`` in ticker, name, CIK, form, items or accession number; 50 of each."""
        return (
            self.rows("mart_companies__companies", _COMPANIES_FOUND, {"q": text}),
            self.rows("mart_filings__filings", _FILINGS_FOUND, {"q": text}),
        )


@contextmanager
def market_of(state: State) -> Iterator[Market | None]:
    """The published marts for as long as the block lasts; None when nothing is published."""
    from salescience_pipeline.lake.errors import NothingPublished  # noqa: PLC0415 - Arrow, only when first needed
    from salescience_pipeline.lake.warehouse import Warehouse  # noqa: PLC0415

    warehouse = Warehouse(state.settings.warehouse_dir)
    try:
        published = warehouse.current()
        # The views over the lake's files are not needed here, so no file but the warehouse is opened.
        connection = warehouse.connect({"enable_external_access": False, "threads": 2, "memory_limit": "256MB"})
    except NothingPublished:
        yield None
        return
    with connection:
        yield Market(connection, published.version, published.published_at)


@dataclass(frozen=True, slots=True)
class ProviderLine:
    """One provider as its row on the page."""

    title: str
    state: str
    """``asked``, ``waiting``, ``shut`` or ``never asked``, for people and for the style."""
    detail: str
    quotas: tuple[tuple[str, int, int], ...]
    """(window, used, limit) of the requests that the plan limits."""
    fresh: dt.datetime | None


def providers(state: State, completeness: Sequence[Row], now: dt.datetime) -> list[ProviderLine]:
    """The providers with the state of their gates, what is used of their quotas, and their newest answer."""
    from salescience_pipeline.clients.gate_model import window_bounds  # noqa: PLC0415

    gates = {row.provider: row for row in state.ledger.gate_rows()}
    lines = []
    for provider in PROVIDERS.values():
        gate = gates.get(provider.id)
        fresh = max((row["checked_at"] for row in completeness if row["provider"] == provider.id), default=None)
        if gate is None:
            lines.append(ProviderLine(provider.title, "never asked", "", (), fresh))
            continue
        until = gate.blocked_until or gate.quota_until or gate.open_until
        word, detail = "open", f"breaker {gate.breaker.replace('_', ' ')}"
        if until is not None:
            reason = "shut out" if gate.blocked_until else "quota used up" if gate.quota_until else "breaker open"
            word, detail = "shut", f"{reason} until {until:%Y-%m-%d %H:%M:%S} UTC"
        elif gate.paused_until is not None or gate.breaker != "closed":
            word = "waiting"
        plan = provider.plan(getattr(state.settings, f"{provider.id}_plan", None))
        quotas = []
        for quota in plan.quotas:
            began, used = gate.used.get(quota.window, (None, 0))
            begin, _ = window_bounds(quota.window, now.timestamp(), provider.timezone)
            current = used if began is not None and began.timestamp() >= begin - 1 else 0
            if quota.counts == "requests":
                quotas.append((quota.window, current, quota.limit))
        lines.append(ProviderLine(provider.title, word, detail, tuple(quotas), fresh))
    return lines


def jobs_of(state: State, organization: OrganizationId, limit: int = 25) -> list[JobView]:
    """The organisation's newest jobs with their sources."""
    ledger = state.ledger.jobs
    views = (ledger.view(organization, row["job_id"]) for row in ledger.listed(organization, limit=limit))
    return [view for view in views if view is not None]


def results_by_accession(jobs: Sequence[JobView]) -> dict[str, str]:
    """Accession number -> path of the content that a job of the organisation brought."""
    return {
        str(source.details["accession"]): content_path(job, source.key)
        for job in reversed(jobs)
        for source in job.sources
        if source.content is not None and source.details.get("accession")
    }


def content_path(job: JobView, key: str) -> str:
    """Where a browser reads what a source brought."""
    return f"/ui/jobs/{job.job_id}/content/{quote(key, safe='')}?organization_id={job.organization_id}"
