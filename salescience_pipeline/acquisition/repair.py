"""The holes in what is stored, as selections that fill them with the fewest requests.

A hole is what failed, what the provider did not have yet, and a day inside the days of a followed ticker about which nothing
is known. Tickers with the same holes are asked for together, so that the recipe can merge them; the recipe itself leaves
out what is there. What does not belong here: sending anything.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from salescience_pipeline.acquisition.acquire import dataset_named
from salescience_pipeline.acquisition.acquire import plan as made_plan
from salescience_pipeline.acquisition.outcome import Status
from salescience_pipeline.acquisition.services import Services
from salescience_pipeline.acquisition.states import WHOLE
from salescience_pipeline.catalog.datasets import DATASETS, Cut, Dataset
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
    groups: dict[tuple[dt.date, ...], list[str]] = defaultdict(list)
    for subject, known in sorted(days_of.items()):
        missing = tuple(_open_days(services, dataset, known))
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


def _open_days(services: Services, dataset: Dataset, known: Mapping[dt.date, str]) -> list[dt.date]:
    """Days that failed or were missing, and those between the first and the last one that nobody asked for."""
    first, last = min(known), max(known)
    if dataset.trading_days_only:
        expected = services.sessions(first, last)
        newest = services.last_session()
    else:
        expected = [first + dt.timedelta(days=offset) for offset in range((last - first).days + 1)]
        newest = services.today()
    settled = {day for day, status in known.items() if Status(status).is_settled}
    asked = {day for day in known if day not in settled}
    return sorted(day for day in {*expected, *asked} - settled if day <= newest)


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
