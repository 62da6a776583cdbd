"""The datasets: one row per asset that fetches, with everything the asset factory needs to build it.

Adding a provider is a row in ``catalog.providers``, rows here, a client file, a tidy function and a sandbox file;
nothing else. What does not belong here: how a provider is asked (``clients``), and what its answers mean (``tidy``).
"""

from __future__ import annotations

import datetime as dt

from salescience_pipeline.catalog.dataset_model import HOUR, Cut, Dataset, one
from salescience_pipeline.catalog.market_datasets import MARKET_DATASETS
from salescience_pipeline.catalog.scopes import Scope
from salescience_pipeline.catalog.tables import TABLES
from salescience_pipeline.identifiers import TableName

__all__ = ["DATASETS", "DEFAULT_FORMS", "OWNERSHIP_FORMS", "PARTITIONS_START", "Cut", "Dataset"]

PARTITIONS_START = dt.date(2024, 1, 1)
"""First day of every date-partitioned asset: one date for all, since different ones split backfills."""

DEFAULT_FORMS: tuple[str, ...] = ("10-K", "10-Q", "8-K", "20-F", "6-K")
"""Forms whose documents are fetched when nobody says otherwise; amendments belong to their base form."""

OWNERSHIP_FORMS: tuple[str, ...] = ("3", "4", "5")

_ROWS: tuple[Dataset, ...] = (
    Dataset(
        name=TableName("core_sec__company_tickers"),
        provider="sec",
        title="SEC tickers and CIKs",
        description="SEC's list of tickers with the company and the exchange of each; one request for the whole market. "
        "Successive copies show when a ticker changed hands.",
        cut=Cut.NONE,
        outputs=one("core_sec__company_tickers"),
        group="companies",
        recipe="edgar.COMPANY_TICKERS",
        tidy="companies.sec_company_tickers",
        minimum_rule="1",
        refresh_after=20 * HOUR,
        scope=Scope.NONE,
        continues_stored=True,
    ),
    Dataset(
        name=TableName("core_sec__filings_history"),
        provider="sec",
        title="SEC submissions",
        description="Every filing of a company from its submissions page, and the company's own record: one request per "
        "company, and one per older page that the look-back needs.",
        cut=Cut.TICKER,
        outputs={
            "core_sec__filings_history": TableName("core_sec__filings"),
            "core_sec__companies": TableName("core_sec__companies"),
        },
        group="filings",
        recipe="edgar.SUBMISSIONS",
        tidy="filings.sec_submissions",
        minimum_rule="1 per company + older pages",
        refresh_after=20 * HOUR,
        needs=(TableName("core_sec__company_tickers"),),
    ),
    Dataset(
        name=TableName("core_sec__filings_daily"),
        provider="sec",
        title="SEC daily filing index",
        description="The filings of one day of the companies on the watchlist, from EDGAR's daily form index: one request "
        "names every filing of the day. New ones start the history run of their company.",
        cut=Cut.DATE,
        outputs=one("core_sec__filings", "core_sec__filings_daily"),
        group="filings",
        recipe="edgar.DAILY_INDEX",
        tidy="filings.sec_daily_index",
        minimum_rule="1 per business day",
        needs=(TableName("core_sec__company_tickers"),),
        insert_only=True,
    ),
    Dataset(
        name=TableName("core_sec__documents"),
        provider="sec",
        title="SEC filing documents",
        description="The main document of each filing of the chosen forms and the exhibits worth reading (subsidiaries, "
        "incorporated reports, press releases), kept byte for byte in the archive: one request per filing, once for ever.",
        cut=Cut.TICKER,
        outputs=one("core_sec__documents"),
        group="filings",
        recipe="edgar.DOCUMENTS",
        tidy="filings.sec_documents",
        minimum_rule="1 per filing that is not stored",
        needs=(TableName("core_sec__filings"),),
    ),
    Dataset(
        name=TableName("core_sec__facts"),
        provider="sec",
        title="SEC company facts",
        description="Every XBRL figure that a company reported, by concept, unit, period and filing: one request per "
        "company, again only when it is older than a day.",
        cut=Cut.TICKER,
        outputs=one("core_sec__facts"),
        group="fundamentals",
        recipe="edgar.COMPANY_FACTS",
        tidy="fundamentals.sec_company_facts",
        minimum_rule="1 per company",
        refresh_after=20 * HOUR,
        needs=(TableName("core_sec__company_tickers"),),
        slice_by=("cik",),
    ),
    Dataset(
        name=TableName("core_sec__insider_transactions"),
        provider="sec",
        title="SEC insider transactions",
        description="Lines of Forms 3, 4 and 5 from their XML: one request per form, once for ever.",
        cut=Cut.TICKER,
        outputs=one("core_sec__insider_transactions"),
        group="filings",
        recipe="edgar.OWNERSHIP",
        tidy="insiders.sec_ownership",
        minimum_rule="1 per form that is not stored",
        needs=(TableName("core_sec__filings"),),
        slice_by=("accession",),
    ),
    Dataset(
        name=TableName("core_tiingo__eod_prices_daily"),
        provider="tiingo",
        title="Tiingo prices, daily increment",
        description="End-of-day prices of the watchlist for each trading day: the newest day in one call for the whole "
        "market plus the tickers with a split or dividend, older days in one ranged call per ticker.",
        cut=Cut.DATE,
        outputs=one("core_tiingo__eod_prices", "core_tiingo__eod_prices_daily"),
        group="prices",
        recipe="tiingo.EOD_DAILY",
        tidy="prices.tiingo_eod",
        minimum_rule="1 + tickers with a corporate action for the newest day; 1 per ticker for a range",
        trading_days_only=True,
        slice_by=("ticker", "trade_date"),
    ),
    Dataset(
        name=TableName("core_tiingo__eod_prices_history"),
        provider="tiingo",
        title="Tiingo prices, whole history",
        description="End-of-day prices of a ticker from the first day we keep: one ranged call per ticker.",
        cut=Cut.TICKER,
        outputs=one("core_tiingo__eod_prices", "core_tiingo__eod_prices_history"),
        group="prices",
        recipe="tiingo.EOD_HISTORY",
        tidy="prices.tiingo_eod",
        minimum_rule="1 per ticker",
        trading_days_only=True,
        slice_by=("ticker",),
    ),
    Dataset(
        name=TableName("core_yahoo__eod_prices"),
        provider="yahoo",
        title="Yahoo prices",
        description="End-of-day prices of a ticker with dividends and splits: one chart call per ticker. The second source "
        "that prices are checked against.",
        cut=Cut.TICKER,
        outputs=one("core_yahoo__eod_prices"),
        group="prices",
        recipe="yahoo.CHART",
        tidy="prices.yahoo_chart",
        minimum_rule="1 per ticker",
        trading_days_only=True,
        slice_by=("ticker",),
    ),
    Dataset(
        name=TableName("core_yahoo__company_profiles"),
        provider="yahoo",
        title="Yahoo company profiles",
        description="Name, exchange, sector, industry, market value and shares of a company: one call per ticker.",
        cut=Cut.TICKER,
        outputs=one("core_yahoo__company_profiles"),
        group="companies",
        recipe="yahoo.PROFILE",
        tidy="companies.yahoo_profile",
        minimum_rule="1 per ticker",
        refresh_after=24 * 7 * HOUR,
        grows=True,
    ),
    *MARKET_DATASETS,
)

DATASETS: dict[str, Dataset] = {dataset.name: dataset for dataset in _ROWS}


def writers_of(table: str) -> tuple[str, ...]:
    """Asset keys that write ``table``; more than one means that the table is an asset of its own above them."""
    return tuple(key for dataset in _ROWS for key, written in dataset.outputs.items() if written == table)


def shared_tables() -> tuple[TableName, ...]:
    """Tables with several writers: each is shown as an asset of its own above them."""
    return tuple(table.name for table in TABLES.values() if len(writers_of(table.name)) > 1)
