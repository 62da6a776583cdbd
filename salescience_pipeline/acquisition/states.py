"""From what came of a subject to rows of the completeness table: pure functions.

A dataset that is cut by ticker has one state per subject in its ticker's partition. One that is cut by date has one per
day and ticker where its rows are prices of tickers, and one per day where an answer is about the whole day. What does
not belong here: writing them (``ledger.completeness``).
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa

from salescience_pipeline.acquisition.outcome import Status
from salescience_pipeline.acquisition.writing import Ready
from salescience_pipeline.catalog.datasets import Cut, Dataset
from salescience_pipeline.catalog.tables import TABLES
from salescience_pipeline.clients.model import AnswerClass, PlannedRequest
from salescience_pipeline.clients.plan import Refusal, RequestPlan, Selection
from salescience_pipeline.ledger.completeness import State

WHOLE = "*"
"""The subject of a request about the whole market, and the partition of a dataset that has none."""


def is_per_ticker(dataset: Dataset) -> bool:
    """Whether a date-cut dataset's completeness is told for each ticker of the day."""
    return dataset.per_ticker or "ticker" in dataset.slice_by


def refused_states(dataset: Dataset, selection: Selection, refused: Iterable[Refusal]) -> list[State]:
    """States of what the plan refused to ask for."""
    states = []
    for refusal in refused:
        subject, _, day = refusal.key.partition("|")
        if dataset.cut is Cut.DATE and day:
            subjects: Sequence[str] = selection.tickers if subject == WHOLE and is_per_ticker(dataset) else [subject]
            states += [
                State(
                    dataset.name, day, name, refusal.status, reason=refusal.reason,
                    first_date=refusal.asked_on, last_date=refusal.asked_on,
                )
                for name in subjects
            ]  # fmt: skip
        else:
            partition = _only_ticker(selection, subject) if dataset.cut is Cut.TICKER else WHOLE
            states.append(State(dataset.name, partition, subject, refusal.status, reason=refusal.reason))
    return states


def _only_ticker(selection: Selection, subject: str) -> str:
    """The partition of a refused subject: the ticker itself, or for a document the one ticker that was asked for."""
    if subject in selection.tickers or len(selection.tickers) != 1:
        return subject
    return selection.tickers[0]


def failed_states(
    dataset: Dataset, selection: Selection, requests: Sequence[PlannedRequest], error: Exception
) -> list[State]:
    """States of a subject that did not come through, with the reason."""
    reason = str(error)
    if dataset.cut is Cut.DATE:
        return [
            State(dataset.name, day.isoformat(), subject, Status.FAILED, reason=reason)
            for request in requests[:1]
            for day in _days(selection, requests)
            for subject in _subjects(dataset, selection, request)
        ]
    return [
        State(dataset.name, _partition(dataset, request, key), key, Status.FAILED, reason=reason)
        for request in requests[:1]
        for key in request.subject.settles
    ]


def _days(selection: Selection, requests: Sequence[PlannedRequest]) -> list[dt.date]:
    """The selected days that the requests about one subject cover."""
    spans = [(request.first_date or dt.date.min, request.last_date or dt.date.max) for request in requests]
    return [day for day in sorted(set(selection.dates)) if any(first <= day <= last for first, last in spans)]


def _subjects(dataset: Dataset, selection: Selection, request: PlannedRequest) -> Sequence[str]:
    if request.subject.key == WHOLE and is_per_ticker(dataset):
        return selection.tickers
    return request.subject.settles


def _partition(dataset: Dataset, request: PlannedRequest, key: str) -> str:
    if dataset.cut is Cut.NONE:
        return WHOLE
    subject = request.subject
    # A document or an indicator stands in its ticker's partition; a company's other tickers have their own.
    return str(subject.ticker) if subject.accession is not None or subject.key not in ("*", subject.ticker) else key


def spared_by(plan: RequestPlan) -> frozenset[str]:
    """Tickers about which the plan asked nothing: a list of the market that does not name them says nothing of them."""
    return frozenset((*plan.fresh, *(refusal.key.partition("|")[0] for refusal in plan.refused)))


def ready_states(
    dataset: Dataset, selection: Selection, ready: Ready, spared: frozenset[str] = frozenset()
) -> list[State]:
    """States of a subject whose rows are written; of the ``spared`` only those that the answer names after all."""
    digest = ready.answers[-1].ref.sha256
    if dataset.cut is Cut.DATE:
        states = _dated_states(dataset, selection, ready, spared)
    else:
        request = ready.requests[0]
        rows = sum(table.num_rows for table in ready.tidied.tables.values())
        status, reason = _overall(ready, rows)
        asked = [day for asked in ready.requests for day in (asked.first_date, asked.last_date) if day is not None]
        first, last = (min(asked), max(asked)) if asked else (None, None)
        states = [
            State(dataset.name, _partition(dataset, request, key), key, status, rows, first, last, reason)
            for key in request.subject.settles
        ]
    return [_with_digest(state, digest) for state in states]


def _with_digest(state: State, digest: str) -> State:
    return State(
        state.dataset, state.partition, state.subject, state.status, state.rows, state.first_date, state.last_date,
        state.reason, digest,
    )  # fmt: skip


def _overall(ready: Ready, rows: int) -> tuple[Status, str | None]:
    classes = {answer.answer_class for answer in ready.answers}
    if classes == {AnswerClass.NOT_FOUND} and ready.key == WHOLE:
        return Status.MISSING, "The provider has no such list now."
    if classes == {AnswerClass.NOT_FOUND}:
        return Status.NOT_FOUND, f"The provider does not know {ready.key}."
    if rows == 0 and classes <= {AnswerClass.OK_EMPTY, AnswerClass.NOT_FOUND}:
        return Status.EMPTY, "The provider answered that it holds nothing."
    return Status.COMPLETE, None


def _dated_states(dataset: Dataset, selection: Selection, ready: Ready, spared: frozenset[str]) -> list[State]:
    """One state per day and subject that the answers settle."""
    request = ready.requests[0]
    rows = rows_by_day(dataset, ready.tidied.tables)
    classes = {answer.answer_class for answer in ready.answers}
    bulk = request.subject.key == WHOLE and is_per_ticker(dataset)
    states = []
    for day in _days(selection, ready.requests):
        for subject in _subjects(dataset, selection, request):
            count = rows[(subject if is_per_ticker(dataset) else WHOLE, day)]
            if dataset.is_snapshot:
                count = rows.total()
            if bulk and not count and subject in spared:
                continue
            status, reason = _day_status(count, classes, bulk=bulk, per_ticker=is_per_ticker(dataset))
            states.append(State(dataset.name, day.isoformat(), subject, status, count, day, day, reason))
    return states


def _counted(dataset: Dataset, tables: Mapping[str, pa.Table]) -> Mapping[str, pa.Table]:
    """The tables whose rows make a day complete: of several the first one that has what completeness is told by."""
    if dataset.dated_by is None:
        return tables
    needed = {dataset.dated_by, *(("ticker",) if is_per_ticker(dataset) else ())}
    name = next(name for name in dataset.outputs.values() if needed <= set(TABLES[name].column_names))
    return {name: tables[name]} if name in tables else {}


def rows_by_day(dataset: Dataset, tables: Mapping[str, pa.Table]) -> Counter[tuple[str, dt.date]]:
    """Rows by subject and day of a date-cut dataset; the subject is ``*`` where a day is told about as a whole."""
    counts: Counter[tuple[str, dt.date]] = Counter()
    for table in _counted(dataset, tables).values():
        fallback = "trade_date" if "trade_date" in table.column_names else "filing_date"
        days = table[dataset.dated_by or fallback].to_pylist()
        keys = table["ticker"].to_pylist() if is_per_ticker(dataset) else [WHOLE] * len(days)
        counts.update(zip(keys, days, strict=True))
    return counts


def _day_status(count: int, classes: set[AnswerClass], *, bulk: bool, per_ticker: bool) -> tuple[Status, str | None]:
    if count:
        return Status.COMPLETE, None
    if classes == {AnswerClass.NOT_FOUND} and per_ticker:
        return Status.NOT_FOUND, "The provider does not know the ticker."
    if bulk:
        return Status.MISSING, "The provider's list of the day does not hold the ticker."
    if not per_ticker and AnswerClass.OK in classes:
        return Status.COMPLETE, None
    return Status.EMPTY, "The provider answered that there is nothing for the day."
