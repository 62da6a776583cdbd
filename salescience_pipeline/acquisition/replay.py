"""Rows from archived answers alone: what a replay asks the archive for, and which answer has the last word.

Most datasets hold one address per subject, whose newest answer is the whole truth: the transport answers from the archive
and the ordinary loop does the rest. Where a table grows day by day, its rows lie in many answers of one address (last
month's range, yesterday's, the bulk answer of the evening; a window of news and its pages; a quote of every poll): then
every answer of the address is read, and of two rows with one key the one that was fetched later stands. What does not belong
here: anything that could send a request.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa
import pyarrow.compute as pc

from salescience_pipeline.acquisition.outcome import Status
from salescience_pipeline.acquisition.services import Services
from salescience_pipeline.acquisition.states import WHOLE, failed_states, is_per_ticker, ready_states, rows_by_day
from salescience_pipeline.acquisition.writing import Ready
from salescience_pipeline.catalog.datasets import Cut, Dataset
from salescience_pipeline.catalog.sessions import NEW_YORK
from salescience_pipeline.catalog.tables import TABLES
from salescience_pipeline.clients.errors import NotArchived, ProviderError
from salescience_pipeline.clients.model import Answer, PlannedRequest
from salescience_pipeline.clients.plan import Known, Recipe, RequestPlan, Selection
from salescience_pipeline.identifiers import InvalidIdentifier, Ticker
from salescience_pipeline.ledger.completeness import State
from salescience_pipeline.tidy.model import LeftOut, Tidied, TidyContext, TidyFunction

_ISO = re.compile(r"(\d{4}-\d{2}-\d{2})(T\d{2}:\d{2}:\d{2}Z)?", re.ASCII)
_EPOCH = re.compile(r"\d{9,11}", re.ASCII)
_PLACE = "__place"
_PASSING = frozenset({"limit", "order", "sort", "cursor", "tickers"})
"""Parameters that say how a list is handed out and narrowed, not whom or what it is about."""
_Identity = frozenset[tuple[str, str]]


def is_gathered(dataset: Dataset) -> bool:
    """Whether a dataset's rows lie in many answers: prices, whose addresses name the days of one asking, and what grows."""
    return dataset.grows or (dataset.trading_days_only and bool(dataset.slice_by))


def knowing_nothing(known: Known) -> Known:
    """What planning knows in a replay: who is who and what was filed, but not what is stored; an archive has no allowance."""
    return replace(known, coverage={}, documents=frozenset(), with_exhibits=frozenset(), series={}, allowance=None)


def gathering_plan(
    services: Services, dataset: Dataset, recipe: Recipe, selection: Selection, known: Known
) -> RequestPlan:
    """One request per address at which answers about ``selection`` may lie.

    A day may have come with a range of its ticker or with the whole market's list of that evening, so both are looked for.
    """
    blank = knowing_nothing(known)
    # What can only be asked for now is planned for now, whatever the day of the answers.
    now = replace(selection, dates=(known.today,)) if dataset.is_snapshot else selection
    plans = [recipe.plan(now, blank)]
    for day in sorted(set(selection.dates)) if not dataset.grows else ():
        states = services.ledger.completeness.states(dataset.name, partitions=[day.isoformat()])
        # As it was asked for on its day: for everybody, else a ticker alone would never be looked for in the list of all.
        tickers = dict.fromkeys((*selection.tickers, *_tickers(state.subject for state in states)))
        evening = replace(blank, last_session=min(day, blank.last_session))
        plans.append(recipe.plan(replace(selection, dates=(day,), tickers=tuple(tickers)), evening))
    addresses: dict[tuple[str, _Identity], PlannedRequest] = {}
    for request in (request for plan in plans for request in plan.requests):
        if request.subject.ticker is None or request.subject.ticker in selection.tickers:
            addresses.setdefault((_address(request), _about(request)), request)
    return replace(
        plans[0],
        requests=tuple(addresses.values()),
        minimum=len(addresses),
        why="Every archived answer of each address; nothing is sent.",
        expected_follow_ups=0,
        fresh=(),
    )


def _address(request: PlannedRequest) -> str:
    return request.canonical_url.partition("?")[0]


def _about(request: PlannedRequest) -> _Identity:
    """The parameters that name whom or what an address is about: not its days, nor how its list is handed out."""
    return frozenset(
        (name, value) for name, value in request.params if name not in _PASSING and not _is_day(name, value)
    )


def _is_day(name: str, value: str) -> bool:
    # A company that no exchange lists has ten digits for a symbol.
    return _ISO.fullmatch(value) is not None or (name != "symbol" and _EPOCH.fullmatch(value) is not None)


def _tickers(subjects: Iterable[str]) -> Iterator[Ticker]:
    for subject in subjects:
        try:
            yield Ticker(subject)
        except InvalidIdentifier:
            continue


def archived(services: Services, requests: Sequence[PlannedRequest]) -> Iterator[Answer]:
    """The answers at the addresses of ``requests``, of each address the oldest first, with the days asked about."""
    at: dict[str, dict[_Identity, PlannedRequest]] = defaultdict(dict)
    for request in requests:
        at[_address(request)][_about(request)] = request
    for known in at.values():
        for asked, stored in services.archive.all_at(next(iter(known.values()))):
            found = known.get(_about(asked))
            if found is not None:
                yield Answer(
                    request=_dated(replace(found, params=asked.params)),
                    answer_class=stored.answer_class, fetched_at=stored.fetched_at, request_id=stored.request_id,
                    ref=stored.ref, body=services.archive.open(stored.ref), status=stored.status, headers=stored.headers,
                    attempts=0,
                )  # fmt: skip


def _dated(request: PlannedRequest) -> PlannedRequest:
    """``request`` with the days that its address names; one that names none keeps its own."""
    span = span_of(request)
    return replace(request, first_date=span[0], last_date=span[1]) if span is not None else request


def span_of(request: PlannedRequest) -> tuple[dt.date, dt.date] | None:
    """The first and the last day that an address asks for, read off its parameters; None when it names no day.

    A day is written as an ISO date, as a moment (which is New York's day), or as seconds since 1970; an upper bound at
    midnight ends the day before.
    """
    lows: list[dt.date] = []
    highs: list[dt.date] = []
    for _, value in request.params:
        iso = _ISO.fullmatch(value)
        if iso is not None and iso.group(2) is not None:
            moment = dt.datetime.fromisoformat(value).astimezone(NEW_YORK)
            lows.append(moment.date())
            highs.append((moment - dt.timedelta(seconds=1)).date())
        elif iso is not None:
            lows.append(dt.date.fromisoformat(iso.group(1)))
            highs.append(lows[-1])
        elif _EPOCH.fullmatch(value):
            moment = dt.datetime.fromtimestamp(int(value), dt.UTC)
            lows.append(moment.date())
            highs.append((moment - dt.timedelta(seconds=1)).date())
    return (min(lows), max(highs)) if lows else None


def newest_rows(table: str, parts: Sequence[pa.Table]) -> pa.Table:
    """The rows of ``parts``, each key once: the one that was fetched last, and of two at once the later part's.

    What a table keeps from the first time a row was seen is the least that any of them says.
    """
    rows = pa.concat_tables(parts)
    key = list(TABLES[table].key)
    places = pa.array(range(rows.num_rows), pa.int64())
    ordered = rows.append_column(_PLACE, places).sort_by([("fetched_at", "ascending"), (_PLACE, "ascending")])
    ranked = ordered.set_column(ordered.num_columns - 1, _PLACE, places)
    firsts = TABLES[table].keep_first
    groups = ranked.group_by(key).aggregate([(_PLACE, "max"), *((name, "min") for name in firsts)])
    kept = ranked.take(groups[f"{_PLACE}_max"])
    for name in firsts:
        kept = kept.set_column(kept.schema.get_field_index(name), kept.schema.field(name), groups[f"{name}_min"])
    return kept.sort_by(_PLACE).drop_columns([_PLACE])


@dataclass
class Gathered:
    """What the archive holds for a selection."""

    rows: dict[str, list[pa.Table]] = field(default_factory=dict)
    states: dict[tuple[str, str], State] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)
    answers: int = 0
    failures: list[tuple[State, Exception]] = field(default_factory=list)


def gather(
    services: Services, dataset: Dataset, recipe: Recipe, tidy: TidyFunction, context: TidyContext, plan: RequestPlan
) -> Gathered:
    """Read every archived answer at the addresses of ``plan`` and tidy it; of each subject the best word counts.

    Raises:
        LakeError: when the archive cannot be read.
    """
    gathered = Gathered()
    answers = [answer for answer in archived(services, plan.requests) if _is_wanted(dataset, context.selection, answer)]
    whole = _whole_lists(answers, recipe, context) if dataset.grows else None
    for answer in answers:
        gathered.answers += 1
        try:
            tidied = tidy([answer], context)
        except ProviderError as error:
            for state in failed_states(dataset, context.selection, [answer.request], error):
                gathered.failures.append((state, error))
            continue
        gathered.left_out += tidied.left_out
        _add(gathered, dataset, context, answer, tidied, settles=whole is None or answer.request_id in whole)
    if dataset.grows:
        _recount(gathered, dataset)
    for state in _told_without_an_answer(services, dataset, context.selection):
        key = (state.partition, state.subject)
        if key not in gathered.states or gathered.states[key].status == Status.MISSING:
            gathered.states[key] = state
    told = {key for key, state in gathered.states.items() if Status(state.status).is_settled}
    gathered.failures = [
        (state, error) for state, error in gathered.failures if (state.partition, state.subject) not in told
    ]
    for state in _expected(services, dataset, context.selection, plan):
        if (state.partition, state.subject) not in gathered.states:
            gathered.failures.append((state, NotArchived(str(state.reason))))
    return gathered


def _is_wanted(dataset: Dataset, selection: Selection, answer: Answer) -> bool:
    """Whether an answer may hold rows of the selection; of a snapshot only its rows can tell."""
    if not dataset.grows or dataset.cut is not Cut.DATE or dataset.is_snapshot:
        return True
    first, last = answer.request.first_date, answer.request.last_date
    return first is None or last is None or any(first <= day <= last for day in selection.dates)


def _asked_on(answer: Answer, known: Known) -> dt.date:
    """The day on which an answer came; in a world whose day is frozen the clock of the archive is ahead of it."""
    return min(answer.fetched_at.astimezone(NEW_YORK).date(), known.today)


def _whole_lists(answers: Sequence[Answer], recipe: Recipe, context: TidyContext) -> set[str]:
    """The requests whose lists came to their end: of one that breaks off at a page nobody kept, no day is settled."""
    by_url = {answer.request.canonical_url: answer for answer in answers}
    broken: set[str] = set()
    following: dict[str, list[str]] = {}
    for answer in answers:
        urls = [one.canonical_url for one in recipe.follow_ups(answer, context.selection, context.known)]
        following[answer.request_id] = [by_url[url].request_id for url in urls if url in by_url]
        if len(following[answer.request_id]) < len(urls):
            broken.add(answer.request_id)
    # What leads to a broken list is broken; pages follow one another, so a pass per page is the most there is.
    while added := {one for one, others in following.items() if one not in broken and broken & set(others)}:
        broken |= added
    return {str(answer.request_id) for answer in answers} - broken


def _recount(gathered: Gathered, dataset: Dataset) -> None:
    """Rows by day and subject over all answers together: each of them may hold a part."""
    rows = {name: newest_rows(name, parts) for name, parts in gathered.rows.items()}
    gathered.rows = {name: [table] for name, table in rows.items()}
    if dataset.cut is not Cut.DATE or dataset.is_snapshot:
        return
    counts = rows_by_day(dataset, rows)
    for key, state in gathered.states.items():
        count = counts[(state.subject if is_per_ticker(dataset) else WHOLE, dt.date.fromisoformat(state.partition))]
        if count:
            gathered.states[key] = replace(state, rows=count, status=Status.COMPLETE, reason=None)


def _add(
    gathered: Gathered, dataset: Dataset, context: TidyContext, answer: Answer, tidied: Tidied, *, settles: bool
) -> None:
    selection = context.selection
    kept = (
        tidied
        if dataset.grows
        else Tidied({name: _asked_for(dataset, selection, rows) for name, rows in tidied.tables.items()})
    )
    if dataset.grows and dataset.cut is Cut.DATE:
        answer = replace(answer, request=_settling(dataset, answer, kept, context))
        if dataset.is_snapshot and answer.request.first_date not in selection.dates:
            return
    if answer.request.subject.key == WHOLE and is_per_ticker(dataset):
        # A list of the market says in its rows which evening it is of.
        days = _days_in(dataset, kept)
        if not days:
            return
        answer = replace(answer, request=replace(answer.request, first_date=min(days), last_date=max(days)))
    for name, rows in kept.tables.items():
        gathered.rows.setdefault(name, []).append(rows)
    if not settles:
        return
    ready = Ready(answer.request.subject.key, kept, (answer.request,), (answer,))
    for state in ready_states(dataset, selection, ready):
        before = gathered.states.get((state.partition, state.subject))
        if before is None or _weight(state, selection) >= _weight(before, selection):
            gathered.states[state.partition, state.subject] = state


def _settling(dataset: Dataset, answer: Answer, kept: Tidied, context: TidyContext) -> PlannedRequest:
    """The request with the days that its answer settles: none after the day on which it came, and of a later page its own.

    A snapshot settles the day on which it was taken, or the day that it is of, whichever was asked for.
    """
    day, request = _asked_on(answer, context.known), answer.request
    if dataset.is_snapshot:
        of = max({day, *_days_in(dataset, kept)} & set(context.selection.dates), default=day)
        return replace(request, first_date=of, last_date=of)
    if span_of(request) is None:
        days = _days_in(dataset, kept) or {day}
        return replace(request, first_date=min(days), last_date=max(days))
    return replace(request, last_date=min(request.last_date or day, day))


def _weight(state: State, selection: Selection) -> tuple[int, bool, dt.date]:
    """Rows outweigh "there is nothing", which outweighs "not in the list"; of two histories the one that reaches further."""
    order = {Status.COMPLETE: 2, Status.EMPTY: 1, Status.NOT_FOUND: 1}
    reaches_back = state.first_date is not None and state.first_date <= selection.start
    return order.get(Status(state.status), 0), reaches_back, state.last_date or dt.date.min


def _day_column(dataset: Dataset, table: pa.Table) -> str | None:
    names = (dataset.dated_by, "trade_date", "filing_date")
    return next((name for name in names if name is not None and name in table.column_names), None)


def _days_in(dataset: Dataset, tidied: Tidied) -> set[dt.date]:
    columns = ((rows, _day_column(dataset, rows)) for rows in tidied.tables.values())
    return {day for rows, name in columns if name is not None for day in pc.unique(rows[name]).to_pylist()}


def _asked_for(dataset: Dataset, selection: Selection, rows: pa.Table) -> pa.Table:
    """Those rows that belong to the selection: an archived answer may hold other days and other tickers too."""
    if "ticker" in rows.column_names and selection.tickers:
        rows = rows.filter(pc.is_in(rows["ticker"], pa.array([str(ticker) for ticker in selection.tickers])))
    day = _day_column(dataset, rows)
    if dataset.cut is Cut.DATE and day is not None:
        rows = rows.filter(pc.is_in(rows[day], pa.array(sorted(set(selection.dates)), pa.date32())))
    return rows


def _expected(services: Services, dataset: Dataset, selection: Selection, plan: RequestPlan) -> Iterator[State]:
    """A failed state for everything that a replay should find."""
    if dataset.cut is not Cut.DATE:
        for subject in dict.fromkeys(key for request in plan.requests for key in request.subject.settles):
            yield _missing(dataset, subject, subject)
        return
    newest = services.last_session() if dataset.trading_days_only and not dataset.is_snapshot else services.today()
    days = sorted({day for day in selection.dates if day <= newest})
    if dataset.trading_days_only and days:
        sessions = set(services.sessions(days[0], days[-1]))
        days = [day for day in days if day in sessions]
    asked = {request.first_date for request in plan.requests}
    for day in days:
        for subject in (
            selection.tickers if is_per_ticker(dataset) else ([WHOLE] if dataset.grows or day in asked else [])
        ):
            yield _missing(dataset, day.isoformat(), subject)


def _told_without_an_answer(services: Services, dataset: Dataset, selection: Selection) -> Iterator[State]:
    """What a plan settled by itself: days before a listing, and those of a ticker that is gone."""
    days = [day.isoformat() for day in selection.dates]
    for state in services.ledger.completeness.states(dataset.name, partitions=days, subjects=selection.tickers):
        if not state.raw_sha256 and Status(state.status).is_settled:
            yield state


def _missing(dataset: Dataset, partition: str, subject: str) -> State:
    reason = f"The archive holds no answer about {subject if subject != WHOLE else 'all'} in {partition}."
    return State(dataset.name, partition, subject, Status.FAILED, reason=reason)
