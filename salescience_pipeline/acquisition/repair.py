"""The holes in what is stored, as selections that fill them with the fewest requests.

A hole is what failed, what the provider did not have yet, and a day between the first and the last one of a ticker about
which nothing is known; of a followed ticker, and of what is about the whole market, also the days after the last one, up to
the newest that is over. Tickers with the same holes are asked for together, so that the recipe can merge them; the recipe
itself leaves out what is there. What does not belong here: sending anything.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from salescience_pipeline.acquisition.acquire import dataset_named
from salescience_pipeline.acquisition.acquire import plan as made_plan
from salescience_pipeline.acquisition.known import history_datasets
from salescience_pipeline.acquisition.outcome import Status
from salescience_pipeline.acquisition.services import Services
from salescience_pipeline.acquisition.states import WHOLE
from salescience_pipeline.catalog.datasets import DATASETS, Cut, Dataset
from salescience_pipeline.catalog.jobs import weekdays_of
from salescience_pipeline.catalog.scopes import Scope
from salescience_pipeline.clients.plan import RequestPlan, Selection
from salescience_pipeline.identifiers import InvalidIdentifier, Ticker
from salescience_pipeline.ledger.completeness import State


@dataclass(frozen=True, slots=True)
class Hole:
    """Holes of the same shape in one dataset, and the selection that fills them."""

    selection: Selection
    plan: RequestPlan
    subjects: int
    """Pairs of subject and partition that are open."""
    sentence: str


_Found = tuple[Selection, int, str]


def find_holes(services: Services, datasets: Sequence[str] | None = None) -> list[Hole]:
    """The holes of ``datasets``, of all by default; those that one plan can fill are one selection.

    Raises:
        SelectionError: for an unknown dataset.
    """
    chosen = [dataset_named(name) for name in datasets] if datasets else list(DATASETS.values())
    found = [(selection, count, told) for dataset in chosen for selection, count, told in _holes(services, dataset)]
    holes = [Hole(selection, made_plan(services, selection)[0], count, told) for selection, count, told in found]
    # What is not out yet is no hole that anybody can fill.
    return [hole for hole in holes if hole.plan.requests]


def _holes(services: Services, dataset: Dataset) -> Iterator[_Found]:
    states = services.ledger.completeness.states(dataset.name)
    if dataset.cut is Cut.DATE:
        yield from _dated_holes(services, dataset, states)
        return
    open_states = [state for state in states if not Status(state.status).is_settled]
    if not open_states:
        return
    tickers = () if dataset.cut is Cut.NONE else _tickers_of(state.partition for state in open_states)
    if tickers or dataset.cut is Cut.NONE:
        yield (
            Selection(dataset.name, tickers),
            len(open_states),
            f"{dataset.name}: {len(open_states):,} open of {', '.join(tickers[:5]) or 'the whole market'}"
            + (" and others" if len(tickers) > 5 else ""),
        )


def _dated_holes(services: Services, dataset: Dataset, states: Sequence[State]) -> Iterator[_Found]:
    """Holes of a date-cut dataset: groups of subjects with the same open days."""
    if dataset.is_snapshot:
        # What could only be asked for at the time cannot be filled.
        return
    days_of: dict[str, dict[dt.date, str]] = defaultdict(dict)
    for state in states:
        days_of[state.subject][dt.date.fromisoformat(state.partition)] = state.status
    histories = _histories(services, dataset)
    followed = {WHOLE, *(str(ticker) for scope in Scope for ticker in services.ledger.watchlist.tickers(scope))}
    begins = [*(min(known) for known in days_of.values()), *(first for first, _ in histories.values())]
    days = _Days.of(services, dataset, min(begins, default=None))
    groups: dict[tuple[dt.date, ...], list[str]] = defaultdict(list)
    for subject in sorted({*days_of, *(histories.keys() & followed)}):
        missing = tuple(days.open(days_of[subject], histories.get(subject), to_the_end=subject in followed))
        if missing:
            groups[missing].append(subject)
    for missing, subjects in groups.items():
        tickers = _tickers_of(subjects)
        if dataset.scope is Scope.NONE or not _is_about_tickers(subjects):
            tickers = () if dataset.scope is Scope.NONE else services.scope_tickers(dataset.scope)
        span = f"{missing[0].isoformat()} to {missing[-1].isoformat()}" if len(missing) > 1 else missing[0].isoformat()
        who = ", ".join(subjects[:5]) + (" and others" if len(subjects) > 5 else "")
        yield (
            Selection(dataset.name, tickers, missing),
            len(missing) * len(subjects),
            f"{dataset.name}: {len(missing):,} days from {span} of {who}",
        )


def _histories(services: Services, dataset: Dataset) -> dict[str, tuple[dt.date, dt.date]]:
    """From when to when each ticker's whole history reaches, where another dataset brings such into the same table."""
    return {
        state.subject: (state.first_date, state.last_date)
        for history in history_datasets(dataset)
        for state in services.ledger.completeness.states(history.name)
        if state.status == Status.COMPLETE and state.first_date is not None and state.last_date is not None
    }


@dataclass(frozen=True, slots=True)
class _Days:
    """The days that a dataset is asked for, as its jobs would: trading days, or the weekdays of their schedules."""

    expected: Sequence[dt.date]
    over: dt.date
    """The newest day that is over, of prices that are out."""
    newest: dt.date
    """The newest day of which what failed can be asked for again."""

    @classmethod
    def of(cls, services: Services, dataset: Dataset, first: dt.date | None) -> _Days:
        """Those from ``first`` to today."""
        today = services.today()
        first = first or today
        if dataset.trading_days_only:
            return cls(services.sessions(first, today), services.last_session(), services.last_session())
        weekdays = weekdays_of(dataset.name)
        span = (first + dt.timedelta(days=offset) for offset in range((today - first).days + 1))
        return cls([day for day in span if day.isoweekday() % 7 in weekdays], today - dt.timedelta(days=1), today)

    def open(
        self, known: Mapping[dt.date, str], history: tuple[dt.date, dt.date] | None, *, to_the_end: bool
    ) -> list[dt.date]:
        """Days that failed or were missing, and expected ones that nobody asked for; none inside of a whole ``history``."""
        told = sorted({*known, *(history or ())})
        last = max(told[-1], self.over) if to_the_end else told[-1]
        expected = self.expected[bisect_left(self.expected, told[0]) : bisect_right(self.expected, last)]
        settled = {day for day, status in known.items() if Status(status).is_settled}
        asked = known.keys() - settled
        return sorted(
            day
            for day in {*expected, *asked} - settled
            if (day <= self.over or (day in asked and day <= self.newest))
            and (history is None or not history[0] <= day <= history[1])
        )


def _is_about_tickers(subjects: Sequence[str]) -> bool:
    return WHOLE not in subjects


def _tickers_of(names: Iterator[str] | Sequence[str]) -> tuple[Ticker, ...]:
    """The names that are tickers, each once, sorted."""
    found = set()
    for name in names:
        try:
            found.add(Ticker(name))
        except InvalidIdentifier:
            continue
    return tuple(sorted(found))
