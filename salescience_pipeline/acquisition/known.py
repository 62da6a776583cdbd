"""What planning may build on, read from lake and ledger in a few queries before the plan is made.

Coverage is told by subject: a ticker, an accession or ``*``; for datasets that are cut by date by ``subject|date``. Two
datasets that write the same table know of each other's rows, so that nothing is asked for twice. What does not belong
here: deciding what to ask for (the recipes in ``clients``).
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from salescience_pipeline.acquisition.outcome import Status
from salescience_pipeline.acquisition.services import Services
from salescience_pipeline.catalog.datasets import DATASETS, Cut, Dataset
from salescience_pipeline.clients.plan import Coverage, FilingRef, Known, Selection, Series
from salescience_pipeline.identifiers import Accession, Cik, FileName, InvalidIdentifier, Ticker
from salescience_pipeline.lake.tables import Where
from salescience_pipeline.ledger.completeness import State

_FEW = 50
_REPORTS_BACK, _REPORTS_AHEAD = dt.timedelta(days=40), dt.timedelta(days=100)
"""Span of the stored earnings calendar that planning looks at; a report that moved may stand far ahead."""


def read_known(services: Services, dataset: Dataset, selection: Selection) -> Known:
    """What is known for ``selection``: identities, completeness, filings and stored documents."""
    ciks = services.ciks(selection.tickers) if _needs(dataset, "core_sec__company_tickers", "core_sec__filings") else {}
    filings: Sequence[FilingRef] = ()
    documents: frozenset[tuple[str, str]] = frozenset()
    with_exhibits: frozenset[str] = frozenset()
    if _needs(dataset, "core_sec__filings"):
        filings = _filings(services, ciks)
        documents, with_exhibits = _documents(services, dataset, ciks)
    return Known(
        now=services.now(),
        today=services.today(),
        last_session=services.last_session(),
        ciks=ciks,
        coverage=_coverage(services, dataset, selection),
        filings=filings,
        documents=documents,
        with_exhibits=with_exhibits,
        reports=_reports(services, selection) if _needs(dataset, "core_finnhub__earnings_calendar") else {},
        reports_by_day=_reports_by_day(services)
        if "core_finnhub__earnings_calendar" in dataset.outputs.values()
        else {},
        series=_series(services, dataset, selection) if dataset.cut is Cut.DATE and dataset.slice_by else {},
        allowance=services.allowance(dataset.provider),
    )


def _reports(services: Services, selection: Selection) -> dict[Ticker, dt.date]:
    """The newest day before today on which each ticker reported, each report as the last reading dates it."""
    today = services.today()
    rows = services.tables.read(
        "core_finnhub__earnings_calendar",
        Where(
            values={"ticker": [str(ticker) for ticker in selection.tickers]},
            date_column="report_date",
            first=today - _REPORTS_BACK,
            last=today + _REPORTS_AHEAD,
        ),
        columns=["ticker", "report_date", "as_of_date", "fiscal_year", "fiscal_quarter", "fetched_at"],
    )
    latest: dict[tuple[object, ...], Mapping[str, Any]] = {}
    # A date may move between two readings of one day: the later reading counts.
    for row in rows.sort_by([("as_of_date", "ascending"), ("fetched_at", "ascending")]).to_pylist():
        quarter = (row["fiscal_year"], row["fiscal_quarter"])
        latest[(row["ticker"], *(quarter if None not in quarter else (row["report_date"],)))] = row
    reports: dict[Ticker, dt.date] = {}
    for row in latest.values():
        ticker, day = Ticker(row["ticker"]), row["report_date"]
        if day < today:
            reports[ticker] = max(day, reports.get(ticker, day))
    return reports


def _reports_by_day(services: Services) -> dict[dt.date, int]:
    """How many reports the newest reading names for each day."""
    since = services.today() - _REPORTS_BACK
    where = Where(date_column="as_of_date", first=since)
    rows = services.tables.read("core_finnhub__earnings_calendar", where, columns=["report_date", "as_of_date"])
    counted = rows.group_by(["report_date", "as_of_date"]).aggregate([([], "count_all")]).sort_by("as_of_date")
    return {row["report_date"]: row["count_all"] for row in counted.to_pylist()}


def _needs(dataset: Dataset, *tables: str) -> bool:
    return any(table in dataset.needs for table in tables)


def read_stored(services: Services, dataset: Dataset) -> dict[str, pa.Table]:
    """The stored rows of the tables that the dataset's new rows continue; nothing for most datasets."""
    if not dataset.continues_stored:
        return {}
    return {table: services.tables.read(table) for table in set(dataset.outputs.values())}


def _series(services: Services, dataset: Dataset, selection: Selection) -> dict[Ticker, Series]:
    """The span of the stored prices of each selected ticker, and whether the provider holds none before it."""
    table = next(iter(dataset.outputs.values()))
    wanted = {str(ticker) for ticker in selection.tickers}
    # A long list is narrowed here: as a filter it would cost more than the rows of the others.
    where = Where(values={"ticker": sorted(wanted)}) if len(wanted) <= _FEW else None
    rows = services.tables.read(table, where, columns=["ticker", "trade_date"])
    spans = rows.group_by("ticker").aggregate([("trade_date", "min"), ("trade_date", "max")]).to_pylist()
    asked_from = {
        state.subject: state.first_date
        for history in _siblings(dataset, Cut.TICKER)
        for state in services.ledger.completeness.states(history.name, subjects=selection.tickers)
        if state.status == Status.COMPLETE and state.first_date is not None
    }
    found: dict[Ticker, Series] = {}
    for row in (row for row in spans if row["ticker"] in wanted):
        first, last = row["trade_date_min"], row["trade_date_max"]
        asked = asked_from.get(row["ticker"], first)
        is_whole = asked < first and bool(services.sessions(asked, first - dt.timedelta(days=1)))
        found[Ticker(row["ticker"])] = Series(first, last, is_whole)
    return found


# -- completeness ---------------------------------------------------------------------------------------------------
def _coverage(services: Services, dataset: Dataset, selection: Selection) -> dict[str, Coverage]:
    store = services.ledger.completeness
    if dataset.cut is Cut.DATE:
        days = sorted(set(selection.dates))
        around = _around(services, dataset, days)
        states = store.states(dataset.name, partitions=[day.isoformat() for day in around])
        coverage = {f"{state.subject}|{state.partition}": _of(state) for state in states}
        for history in _siblings(dataset, Cut.TICKER):
            _add_history(coverage, store.states(history.name, subjects=selection.tickers), around)
        return coverage
    partitions = None if dataset.cut is Cut.NONE else [str(ticker) for ticker in selection.tickers]
    coverage = {state.subject: _of(state) for state in store.states(dataset.name, partitions=partitions)}
    for daily in _siblings(dataset, Cut.DATE):
        if daily.slice_by:
            _extend_by_days(services, coverage, daily)
    return coverage


def _around(services: Services, dataset: Dataset, days: Sequence[dt.date]) -> list[dt.date]:
    """The selected days and those about which planning wants to know as well: before them, and for late rows after them."""
    if not days:
        return []
    if dataset.late_for is None:
        return [*services.sessions(days[0] - dt.timedelta(days=10), days[0]), *days]
    near = {day + dt.timedelta(days=offset) for day in days for offset in (-2, -1, 0, 1)}
    return sorted(near)


def _of(state: State) -> Coverage:
    return Coverage(state.first_date, state.last_date, state.checked_at, state.status)


def history_datasets(dataset: Dataset) -> Iterable[Dataset]:
    """The datasets of whole histories that write the table of a date-cut one."""
    return _siblings(dataset, Cut.TICKER)


def _siblings(dataset: Dataset, cut: Cut) -> Iterable[Dataset]:
    """Datasets of the other cut that write the same table with as much in each row."""
    mine = set(dataset.outputs.values())
    return (
        other
        for other in DATASETS.values()
        if other.cut is cut and mine & set(other.outputs.values()) and not (other.insert_only or dataset.insert_only)
    )


def _add_history(coverage: dict[str, Coverage], histories: Iterable[State], days: Sequence[dt.date]) -> None:
    """A day inside a complete history is complete, whatever the daily dataset remembers."""
    for history in histories:
        if history.status != Status.COMPLETE or history.first_date is None or history.last_date is None:
            continue
        covered = _of(history)
        # The first day of the history tells the plan that older rows exist, whose adjusted prices may have to follow.
        for day in {history.first_date, *days}:
            if history.first_date <= day <= history.last_date:
                coverage[f"{history.subject}|{day.isoformat()}"] = covered


def _extend_by_days(services: Services, coverage: dict[str, Coverage], daily: Dataset) -> None:
    """A history reaches as far as the daily increments after it follow without a gap."""
    ends = {
        key: known.last_date for key, known in coverage.items() if known.last_date and known.status == Status.COMPLETE
    }
    newest = services.last_session()
    if not ends or min(ends.values()) >= newest:
        return
    days = services.sessions(min(ends.values()) + dt.timedelta(days=1), newest)
    settled: dict[str, dict[dt.date, State]] = defaultdict(dict)
    for state in services.ledger.completeness.states(
        daily.name, partitions=[day.isoformat() for day in days], subjects=list(ends)
    ):
        if Status(state.status).is_settled:
            settled[state.subject][dt.date.fromisoformat(state.partition)] = state
    for key, end in ends.items():
        known = coverage[key]
        for day in (day for day in days if day > end):
            following = settled[key].get(day)
            if following is None:
                break
            known = Coverage(known.first_date, day, following.checked_at, known.status)
        coverage[key] = known


# -- filings --------------------------------------------------------------------------------------------------------
def _filings(services: Services, ciks: Mapping[Ticker, Cik]) -> Sequence[FilingRef]:

    ticker_of = {cik: ticker for ticker, cik in reversed(list(ciks.items()))}
    columns = ["cik", "accession", "form", "filing_date", "primary_document", "items", "size"]
    rows = services.tables.read(
        "core_sec__filings", Where(values={"cik": [str(cik) for cik in ticker_of]}), columns=columns
    )
    refs = []
    for row in rows.to_pylist():
        cik = Cik(row["cik"])
        name = _file_name(row["primary_document"])
        refs.append(
            FilingRef(
                cik, Accession(row["accession"]), row["form"], row["filing_date"], name, ticker_of[cik],
                tuple(row["items"] or ()), row["size"],
            )
        )  # fmt: skip
    return refs


def _file_name(text: str | None) -> FileName | None:
    try:
        return FileName(text) if text else None
    except InvalidIdentifier:
        return None


def _documents(
    services: Services, dataset: Dataset, ciks: Mapping[Ticker, Cik]
) -> tuple[frozenset[tuple[str, str]], frozenset[str]]:
    """(accession, file name) of the stored documents, and the filings whose exhibits were asked for."""
    table = "core_sec__documents"
    if table not in dataset.outputs.values():
        return frozenset(), frozenset()
    where = Where(values={"cik": [str(cik) for cik in ciks.values()]})
    rows = services.tables.read(table, where, columns=["accession", "filename", "is_exhibits_sought"])
    accessions = rows["accession"].to_pylist()
    sought = rows["is_exhibits_sought"].to_pylist()
    return (
        frozenset(zip(accessions, rows["filename"].to_pylist(), strict=True)),
        frozenset(accession for accession, yes in zip(accessions, sought, strict=True) if yes),
    )
