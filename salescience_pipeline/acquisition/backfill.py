"""Selections from what people and schedules say: checked in words before anything is planned or sent.

What does not belong here: running a selection (``acquire``), and finding what is missing (``repair``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from salescience_pipeline.acquisition.acquire import dataset_named
from salescience_pipeline.acquisition.services import SelectionError, Services
from salescience_pipeline.catalog.datasets import PARTITIONS_START, Cut, Dataset
from salescience_pipeline.catalog.jobs import Job
from salescience_pipeline.catalog.scopes import Scope
from salescience_pipeline.catalog.sessions import why_closed
from salescience_pipeline.clients.plan import Selection
from salescience_pipeline.identifiers import Ticker, parse_date, parse_tickers


def scope_named(name: str) -> Scope:
    """The scope of that name, in any case.

    Raises:
        SelectionError: naming the scopes that exist.
    """
    try:
        return Scope(name)
    except ValueError:
        known = ", ".join(scope.value for scope in Scope)
        raise SelectionError(f"There is no scope {name[:60]!r}; there are {known}.") from None


def days_between(services: Services, dataset: Dataset, first: str | None, last: str | None) -> tuple[dt.date, ...]:
    """The days of a date-cut dataset from ``first`` to ``last``, both included; the newest day by default.

    Raises:
        InvalidIdentifier: for text that is no date.
        SelectionError: for days in the future, before the first partition, in the wrong order, or all without trading.
    """
    today = services.today()
    newest = _newest(services, dataset)
    begin = parse_date(first) if first else (parse_date(last) if last else newest)
    end = parse_date(last) if last else max(begin, newest)
    if begin > end:
        raise SelectionError(f"{begin.isoformat()} comes after {end.isoformat()}.")
    if end > today:
        raise SelectionError(f"{end.isoformat()} lies in the future; today is {today.isoformat()}.")
    if begin < PARTITIONS_START:
        raise SelectionError(
            f"{dataset.name} is kept by day from {PARTITIONS_START.isoformat()} on; {begin.isoformat()} lies before."
        )
    if dataset.trading_days_only:
        days = services.sessions(begin, end)
        if not days:
            closed = why_closed(begin) or "a day without trading"
            span = begin.isoformat() if begin == end else f"{begin.isoformat()} to {end.isoformat()}"
            raise SelectionError(f"There is no trading on {span} ({closed}), so {dataset.name} has nothing to fetch.")
        return tuple(days)
    return tuple(begin + dt.timedelta(days=offset) for offset in range((end - begin).days + 1))


def _newest(services: Services, dataset: Dataset) -> dt.date:
    """The newest day that can be asked for: today, of prices the last day that is out, of quotes that of the last trade."""
    today = services.today()
    if dataset.is_snapshot and dataset.trading_days_only:
        return services.sessions(today - dt.timedelta(days=14), today)[-1]
    return services.last_session() if dataset.trading_days_only else today


def backfill_selection(
    services: Services,
    dataset_name: str,
    *,
    tickers: Sequence[str] = (),
    first: str | None = None,
    last: str | None = None,
    scope: str | None = None,
    force: bool = False,
    n_years: int = 2,
) -> Selection:
    """One dataset for any tickers and days.

    Args:
        services: The open rooms.
        dataset_name: By the name of its asset.
        tickers: Those of the scope when there are none; a dataset about the whole market takes none.
        first: First day, YYYY-MM-DD; for ticker-cut datasets the first day of the history.
        last: Last day.
        scope: Instead of the dataset's own.
        force: Also what is stored.
        n_years: Years of filings to look back.

    Raises:
        InvalidIdentifier: for a ticker or a date that is none.
        SelectionError: for an unknown dataset or scope, an empty list, or days that cannot be meant.
    """
    dataset = dataset_named(dataset_name)
    days: tuple[dt.date, ...] = ()
    start = Selection(dataset.name).start
    if dataset.cut is Cut.DATE:
        days = days_between(services, dataset, first, last)
    else:
        start = _start_of_history(services, dataset, first, last)
    return Selection(
        dataset.name, _tickers(services, dataset, tickers, scope), days, start=start, force=force, n_years=n_years
    )


def _start_of_history(services: Services, dataset: Dataset, first: str | None, last: str | None) -> dt.date:
    """The first day of a history; it always reaches up to now, because its adjusted prices depend on what came since."""
    start = parse_date(first) if first else Selection(dataset.name).start
    for day in (start, parse_date(last) if last else start):
        if day > services.today():
            raise SelectionError(f"{day.isoformat()} lies in the future; today is {services.today().isoformat()}.")
    if last is not None and parse_date(last) < services.last_session():
        raise SelectionError(f"{dataset.name} always reaches up to now: leave --to away, or take a dataset cut by day.")
    return start


def _tickers(services: Services, dataset: Dataset, tickers: Sequence[str], scope: str | None) -> tuple[Ticker, ...]:
    wanted = scope_named(scope) if scope is not None else dataset.scope
    if dataset.scope is Scope.NONE:
        if tickers:
            raise SelectionError(f"{dataset.name} is about the whole market and takes no tickers.")
        return ()
    return parse_tickers(tickers) if tickers else services.scope_tickers(wanted)


def selections_of_job(
    services: Services,
    job: Job,
    *,
    scope: str | None = None,
    day: str | None = None,
    datasets: Sequence[str] | None = None,
    force: bool = False,
) -> list[Selection]:
    """The selections of one run of ``job``, in the order in which they have to run.

    Raises:
        InvalidIdentifier: for a day that is none.
        SelectionError: for an unknown scope or dataset, an empty scope, or a day that cannot be meant.
    """
    strangers = [name for name in datasets or () if name not in job.datasets]
    if strangers:
        raise SelectionError(f"{job.name} does not run {strangers[0]!r}; it runs {', '.join(job.datasets)}.")
    wanted = scope_named(scope) if scope is not None else job.scope
    selections = []
    for dataset in job.rows:
        if datasets and dataset.name not in datasets:
            continue
        names = () if dataset.scope is Scope.NONE else services.scope_tickers(wanted)
        days = days_between(services, dataset, day, day) if dataset.cut is Cut.DATE else ()
        selections.append(Selection(dataset.name, names, days, force=force))
    return selections
