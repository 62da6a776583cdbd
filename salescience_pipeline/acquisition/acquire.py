"""One dataset, one selection: plan the fewest requests, send them, tidy the answers, write the rows, say what is complete.

One bad subject never loses the others: what came through is committed in batches while the rest is still on its way,
and completeness is recorded after the rows that it tells about. A killed run is therefore continued by the next one,
whose plan asks only for what is missing. What does not belong here: what a provider's requests look like (``clients``),
and what an asset says about it (``orchestration``).
"""

from __future__ import annotations

import contextlib
import importlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol, cast

from salescience_pipeline.acquisition.answer_scopes import scopes_written
from salescience_pipeline.acquisition.known import read_known, read_stored
from salescience_pipeline.acquisition.outcome import Acquired, Failure
from salescience_pipeline.acquisition.replay import gather, gathering_plan, is_gathered, knowing_nothing, newest_rows
from salescience_pipeline.acquisition.services import SelectionError, Services
from salescience_pipeline.acquisition.states import WHOLE, failed_states, ready_states, refused_states, spared_by
from salescience_pipeline.acquisition.submission_parts import cut_submissions
from salescience_pipeline.acquisition.writing import Ready, of_the_days_asked, write_batch, write_rows
from salescience_pipeline.catalog.datasets import DATASETS, Cut, Dataset
from salescience_pipeline.catalog.exhibits import is_exhibit_spec
from salescience_pipeline.catalog.scopes import Scope
from salescience_pipeline.clients.errors import NotArchived, ProviderError
from salescience_pipeline.clients.model import Answer, AnswerClass, PlannedRequest
from salescience_pipeline.clients.plan import Known, Recipe, RequestPlan, Selection
from salescience_pipeline.clients.transport import Failed
from salescience_pipeline.lake.archive import Archive
from salescience_pipeline.lake.tables import WriteMode
from salescience_pipeline.ledger.completeness import State
from salescience_pipeline.tidy.model import Tidied, TidyContext, TidyFunction
from salescience_pipeline.tidy.reading import refuse_unreadable

_FLUSH_SUBJECTS, _FLUSH_ROWS, _FLUSH_SECONDS = 50, 200_000, 5.0
"""A batch is written at the first of these: few commits for many small answers, little lost when the run is killed."""

Progress = Callable[[str, int, int, str], None]
"""Told after each final answer: the dataset, how many of how many requests are done, and whom the last was about."""


class Watcher(Protocol):
    """Who follows acquisitions from outside: a command line, a notebook."""

    def progress(self, dataset: str, done: int, planned: int, subject: str) -> None:
        """``done`` of ``planned`` requests have their final answer; the last one was about ``subject``."""
        ...

    def result(self, acquired: Acquired) -> None:
        """An acquisition came to its end."""
        ...


_watchers: ContextVar[tuple[Watcher, ...]] = ContextVar("_watchers", default=())


@contextlib.contextmanager
def watching(watcher: Watcher) -> Iterator[None]:
    """Tell ``watcher`` of every acquisition that this thread starts inside the block."""
    token = _watchers.set((*_watchers.get(), watcher))
    try:
        yield
    finally:
        _watchers.reset(token)


def watchers() -> tuple[Watcher, ...]:
    """Who follows what this thread does."""
    return _watchers.get()


def dataset_named(name: str) -> Dataset:
    """The dataset of that name.

    Raises:
        SelectionError: naming the datasets that exist.
    """
    if name not in DATASETS:
        raise SelectionError(f"There is no dataset {name!r}; there are {', '.join(DATASETS)}.")
    return DATASETS[name]


def recipe_of(dataset: Dataset) -> Recipe:
    """The dataset's recipe, found by the name in its catalogue row."""
    module, _, attribute = dataset.recipe.partition(".")
    return cast(Recipe, getattr(importlib.import_module(f"salescience_pipeline.clients.{module}"), attribute))


def tidy_of(dataset: Dataset) -> TidyFunction:
    """The dataset's tidy function, found by the name in its catalogue row."""
    module, _, attribute = dataset.tidy.partition(".")
    return cast(TidyFunction, getattr(importlib.import_module(f"salescience_pipeline.tidy.{module}"), attribute))


def _careful(tidy: TidyFunction, archive: Archive) -> TidyFunction:
    """``tidy`` of single documents, but of an answer that it can hardly read nothing is stored."""

    def made(answers: Sequence[Answer], context: TidyContext) -> Tidied:
        return refuse_unreadable(answers, tidy(cut_submissions(answers, archive), context))

    return made


def plan(services: Services, selection: Selection) -> tuple[RequestPlan, Known]:
    """What ``selection`` would request now, and the knowledge it was planned with; nothing is sent.

    Raises:
        SelectionError: when the selection cannot be asked for.
    """
    dataset = dataset_named(selection.dataset)
    _refuse(dataset, selection, services)
    selection = _with_exhibits(selection, services)
    known = read_known(services, dataset, selection)
    return recipe_of(dataset).plan(selection, known), known


def acquire(
    services: Services,
    selection: Selection,
    *,
    run_id: str,
    mode: Literal["live", "replay"] = "live",
    progress: Progress | None = None,
) -> Acquired:
    """Fetch, store and account for ``selection``.

    Args:
        services: The open rooms.
        selection: The dataset, the tickers and the dates.
        run_id: Who writes, for provenance and audit.
        mode: ``replay`` rebuilds the rows from archived answers and sends nothing.
        progress: Told after each final answer.

    Returns:
        What came of it; failures of subjects are in it, not raised.

    Raises:
        SelectionError: when the selection cannot be asked for; nothing was sent.
        LakeError: when rows cannot be stored; what was committed before stays.
    """
    dataset = dataset_named(selection.dataset)
    _refuse(dataset, selection, services)
    selection = _with_exhibits(selection, services)
    watchers = _watchers.get()
    told = (*(watcher.progress for watcher in watchers), *((progress,) if progress is not None else ()))
    acquired = _Acquisition(services, dataset, selection, run_id, mode, told).run()
    for watcher in watchers:
        watcher.result(acquired)
    return acquired


def _refuse(dataset: Dataset, selection: Selection, services: Services) -> None:
    """Refuse what cannot be meant, before anything is sent or written."""
    if wrong := [spec for spec in selection.exhibits or () if not is_exhibit_spec(spec)]:
        raise SelectionError(f"{wrong[0][:40]!r} names no exhibit; one is named by form and number, as 10-K:21.")
    if dataset.cut is Cut.TICKER and not selection.tickers:
        raise SelectionError(f"{dataset.name} needs at least one ticker.")
    if dataset.cut is Cut.DATE:
        if not selection.dates:
            raise SelectionError(f"{dataset.name} needs at least one date.")
        if not selection.tickers and dataset.scope is not Scope.NONE:
            raise SelectionError(f"{dataset.name} needs at least one ticker.")
        future = [day for day in selection.dates if day > services.today()]
        if future:
            raise SelectionError(
                f"{min(future).isoformat()} lies in the future; today is {services.today().isoformat()}."
            )


def _with_exhibits(selection: Selection, services: Services) -> Selection:
    """``selection`` with the exhibits that the settings name, where it names none itself."""
    chosen = services.settings.exhibits
    if selection.exhibits is not None or chosen is None:
        return selection
    return replace(selection, exhibits=tuple(chosen))


@dataclass
class _Subject:
    """The answers about one subject while they come in."""

    waiting: int = 0
    answers: list[Answer] = field(default_factory=list)
    requests: list[PlannedRequest] = field(default_factory=list)
    error: Exception | None = None


def _unit(request: PlannedRequest) -> str:
    """Whose answers become rows together: a subject's; of answers about the whole market, those of one day."""
    if request.subject.key == WHOLE and request.first_date is not None:
        return f"{WHOLE}|{request.first_date.isoformat()}"
    return request.subject.key


class _Acquisition:
    """The state of one call of :func:`acquire`."""

    def __init__(
        self,
        services: Services,
        dataset: Dataset,
        selection: Selection,
        run_id: str,
        mode: Literal["live", "replay"],
        watchers: Sequence[Progress],
    ) -> None:
        self.services, self.dataset, self.selection, self.run_id = services, dataset, selection, run_id
        self.mode, self.watchers = mode, watchers
        self.recipe, self.tidy = recipe_of(dataset), _careful(tidy_of(dataset), services.archive)
        self.known = read_known(services, dataset, selection)
        self.gathers = mode == "replay" and is_gathered(dataset)
        if self.gathers:
            self.plan = gathering_plan(services, dataset, self.recipe, selection, self.known)
        else:
            self.known = self.known if mode == "live" else knowing_nothing(self.known)
            self.plan = self.recipe.plan(selection, self.known)
        self.spared = spared_by(self.plan)
        self.result = Acquired(dataset, self.plan)
        self.subjects: dict[str, _Subject] = defaultdict(_Subject)
        self.batch: list[Ready] = []
        self.batch_rows = 0
        self.failed: list[State] = []
        self.flushed_at = time.monotonic()
        self.done = 0

    def run(self) -> Acquired:
        started = time.monotonic()
        self._record(refused_states(self.dataset, self.selection, self.plan.refused))
        if self.plan.requests:
            self.context = TidyContext(
                self.run_id, self.selection, self.known, stored=read_stored(self.services, self.dataset)
            )
            if self.gathers:
                self._gather()
                self.result.seconds = time.monotonic() - started
                return self.result
            self._expect(self.plan.requests)
            with self.services.transport(self.run_id, mode=self.mode) as transport:
                for outcome in transport.send_all(
                    self.plan.requests, follow_ups=self._follow_ups, fallbacks=self._fallbacks
                ):
                    self._take(outcome)
                self.result.sent = sum(transport.usage.requests.values())
                self.result.bytes = transport.usage.bytes
        self._flush()
        self.result.seconds = time.monotonic() - started
        return self.result

    def _gather(self) -> None:
        """Every archived answer of the plan's addresses, and of two rows with one key the newer: nothing is sent."""
        gathered = gather(self.services, self.dataset, self.recipe, self.tidy, self.context, self.plan)
        self.result.planned = self.result.from_archive = gathered.answers
        self.result.left_out += gathered.left_out
        mode = WriteMode.INSERT_ONLY if self.dataset.insert_only else WriteMode.UPSERT
        for name, parts in gathered.rows.items():
            write_rows(self.services.tables, name, [newest_rows(name, parts)], None, mode, self.result.tables)
        for state, error in gathered.failures:
            self.result.failures.append(Failure.of(error, subject=state.subject, partition=state.partition))
        self._record([*gathered.states.values(), *(state for state, _ in gathered.failures)])

    # -- requests and answers ---------------------------------------------------------------------------------------
    def _expect(self, requests: Sequence[PlannedRequest]) -> None:
        self.result.planned += len(requests)
        for request in requests:
            self.subjects[_unit(request)].waiting += 1

    def _follow_ups(self, answer: Answer) -> tuple[PlannedRequest, ...]:
        following = self.recipe.follow_ups(answer, self.selection, self.known)
        self._expect(following)
        self.result.called_for += len(following)
        return following

    def _fallbacks(self, failed: Failed) -> tuple[PlannedRequest, ...]:
        """Other ways to the same answer; the failed request itself is then no failure."""
        others = self.recipe.fallbacks(failed.request, failed.error, self.selection, self.known)
        if others:
            self._expect(others)
            # Who had known would have asked them at once.
            self.result.called_for += len(others) - 1
            self.result.ended += isinstance(failed.error, ProviderError)
            self._arrived(failed.request)
        return others

    def _take(self, outcome: Answer | Failed) -> None:
        subject = self.subjects[_unit(outcome.request)]
        if isinstance(outcome, Answer):
            self.result.ended += outcome.attempts > 0
            self.result.from_archive += outcome.attempts == 0
            self.result.unchanged += outcome.answer_class is AnswerClass.UNCHANGED
            subject.answers.append(outcome)
        else:
            self.result.ended += isinstance(outcome.error, ProviderError) and outcome.error.attempts > 0
            subject.error = outcome.error
        self._arrived(outcome.request)

    def _arrived(self, request: PlannedRequest) -> None:
        unit, key = _unit(request), request.subject.key
        subject = self.subjects[unit]
        subject.waiting -= 1
        subject.requests.append(request)
        self.done += 1
        if subject.waiting == 0:
            del self.subjects[unit]
            self._finish(key, subject)
        for watcher in self.watchers:
            watcher(self.dataset.name, self.done, self.result.planned, key)

    def _finish(self, key: str, subject: _Subject) -> None:
        """All answers about a subject are there: make its rows, or say why there are none."""
        error = subject.error
        if error is None and subject.answers:
            try:
                tidied = of_the_days_asked(self.dataset, self.tidy(subject.answers, self.context), subject.requests)
            except ProviderError as refused:
                error = refused
            else:
                self.result.left_out += tidied.left_out
                self.batch.append(Ready(key, tidied, tuple(subject.requests), tuple(subject.answers)))
                self.batch_rows += sum(table.num_rows for table in tidied.tables.values())
        if isinstance(error, ProviderError | NotArchived):
            self._keep_what_came(key, subject)
            states = failed_states(self.dataset, self.selection, subject.requests, error)
            self.result.failures.append(
                Failure.of(error, subject=key, partition=states[0].partition if states else key)
            )
            self.failed += states
        late = time.monotonic() - self.flushed_at > _FLUSH_SECONDS
        waiting = len(self.batch) + len(self.failed)
        if waiting >= _FLUSH_SUBJECTS or self.batch_rows >= _FLUSH_ROWS or (late and waiting):
            self._flush()

    def _keep_what_came(self, key: str, subject: _Subject) -> None:
        """Rows of the pages that came although others did not: what is written by key loses nothing by being written early."""
        if self.dataset.dated_by is None or self.dataset.slice_by or not subject.answers:
            return
        with contextlib.suppress(ProviderError):
            tidied = self.tidy(subject.answers, self.context)
            write_batch(
                self.services.tables,
                self.dataset,
                [Ready(key, tidied, tuple(subject.requests), tuple(subject.answers))],
                self.result.tables,
            )

    # -- writing ----------------------------------------------------------------------------------------------------
    def _flush(self) -> None:
        """Write the batch, then record what it completes: a crash in between costs a request, never a row."""
        write_batch(self.services.tables, self.dataset, self.batch, self.result.tables)
        ready = [state for one in self.batch for state in ready_states(self.dataset, self.selection, one, self.spared)]
        # Failures last: a ticker that the bulk answer completed may have failed with the history that it then needed.
        self._record([*ready, *self.failed])
        self.batch, self.batch_rows, self.failed, self.flushed_at = [], 0, [], time.monotonic()

    def _record(self, states: Sequence[State]) -> None:
        # First, so that a crash in between leaves no answer that holds although it does not.
        self.services.ledger.lake_answers.count(scopes_written(self.dataset, {state.partition for state in states}))
        now = self.services.now()
        stamped = [state.stamped(checked_at=now, run_id=self.run_id, source=self.dataset.provider) for state in states]
        self.services.ledger.completeness.record(stamped)
        self.result.outcomes |= {(state.partition, state.subject): state for state in stamped}
