"""What the recipes of all providers share: plans of the common shapes, freshness, look-back, reading an answer while planning.

What does not belong here: anything a single provider needs, and anything that is not pure.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from salescience_pipeline.catalog.datasets import DATASETS
from salescience_pipeline.catalog.sessions import NEW_YORK
from salescience_pipeline.clients.errors import Contract, NotArchived, ProviderError
from salescience_pipeline.clients.model import Answer, AnswerClass, PlannedRequest
from salescience_pipeline.clients.plan import Known, RequestPlan, Selection
from salescience_pipeline.identifiers import Ticker

SETTLED = frozenset({"complete", "empty", "not_found"})
"""Statuses of a subject that was answered for; ``failed`` and ``missing`` are asked for again."""


class OneWave:
    """A recipe whose first wave of requests is all."""

    __slots__ = ()

    def follow_ups(self, answer: Answer, selection: Selection, known: Known) -> tuple[PlannedRequest, ...]:  # noqa: ARG002
        """Nothing."""
        return ()

    def fallbacks(
        self,
        request: PlannedRequest,  # noqa: ARG002
        error: ProviderError | NotArchived,  # noqa: ARG002
        selection: Selection,  # noqa: ARG002
        known: Known,  # noqa: ARG002
    ) -> tuple[PlannedRequest, ...]:
        """Nothing."""
        return ()


def call_per_ticker(
    selection: Selection,
    provider: str,
    why: str,
    *,
    ask: Callable[[Ticker], PlannedRequest],
    is_current: Callable[[Ticker], bool],
) -> RequestPlan:
    """One request for each ticker that is not current, in the selection's order; ``why`` is the plan's sentence."""
    tickers = tuple(dict.fromkeys(selection.tickers))
    current = {ticker for ticker in tickers if is_current(ticker)}
    requests = tuple(ask(ticker) for ticker in tickers if ticker not in current)
    fresh = tuple(ticker for ticker in tickers if ticker in current)
    return RequestPlan(selection.dataset, provider, requests, minimum=len(requests), why=why, fresh=fresh)


def call_for_market(
    selection: Selection,
    known: Known,
    provider: str,
    why: str,
    *,
    ask: Callable[[Sequence[dt.date]], Iterable[PlannedRequest]],
) -> RequestPlan:
    """The requests for the market's days that are not current, which ``ask`` is given in order; none if all are."""
    days = sorted(set(selection.dates))
    open_days = [day for day in days if not is_day_current("*", day, selection, known)]
    requests = tuple(ask(open_days)) if open_days else ()
    fresh = tuple(f"*|{day}" for day in days if day not in open_days)
    return RequestPlan(selection.dataset, provider, requests, minimum=len(requests), why=why, fresh=fresh)


def is_settled(key: str, known: Known) -> bool:
    """Whether the lake holds an answer for ``key``, be it an empty one."""
    coverage = known.coverage.get(key)
    return coverage is not None and coverage.status in SETTLED


def is_fresh(
    key: str, max_age: dt.timedelta | None, selection: Selection, known: Known, *, reach: dt.date | None = None
) -> bool:
    """Whether ``key`` need not be asked for: settled, young enough, and covered back to ``reach``.

    ``max_age`` None means that what is settled stays so. ``force`` makes everything stale.
    """
    if selection.force or not is_settled(key, known):
        return False
    coverage = known.coverage[key]
    if max_age is not None and known.now - coverage.checked_at >= max_age:
        return False
    return reach is None or coverage.first_date is None or coverage.first_date <= reach


def is_covered(ticker: Ticker, selection: Selection, known: Known) -> bool:
    """Whether the history of ``ticker`` is settled from ``selection.start`` to the newest session."""
    if not is_fresh(ticker, None, selection, known, reach=selection.start):
        return False
    last = known.coverage[ticker].last_date
    checked = known.coverage[ticker].checked_at
    if last is None:
        # Nothing was there to be dated (unknown or empty): settled for the sessions before it was checked.
        return checked.date() >= known.last_session
    return last >= known.last_session


def end_of(day: dt.date) -> dt.datetime:
    """The moment at which ``day`` ends in New York."""
    return dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), NEW_YORK)


def is_day_current(key: str, day: dt.date, selection: Selection, known: Known) -> bool:
    """Whether ``day`` need not be asked for: it was looked at late enough, or a moment ago.

    Late enough is ``late_for`` after its end (datasets without one: whenever it was answered for), a moment ago is within
    ``refresh_after``. A look at the next day counts too, since recipes of such datasets look back over at least two days.
    """
    dataset = DATASETS[selection.dataset]
    if selection.force or not is_settled(f"{key}|{day}", known):
        return False
    if dataset.late_for is None and dataset.refresh_after is None:
        return True
    looked_at = known.coverage[f"{key}|{day}"].checked_at
    following = f"{key}|{day + dt.timedelta(days=1)}"
    if dataset.late_for is not None and is_settled(following, known):
        looked_at = max(looked_at, known.coverage[following].checked_at)
    if dataset.refresh_after is not None and known.now - looked_at < dataset.refresh_after:
        return True
    return dataset.late_for is not None and looked_at >= end_of(day) + dataset.late_for


def runs_of_days(days: Iterable[dt.date], longest: int) -> list[tuple[dt.date, dt.date]]:
    """``days`` as (first, last) of neighbours, none longer than ``longest`` days."""
    runs: list[tuple[dt.date, dt.date]] = []
    for day in sorted(days):
        if runs and day - runs[-1][1] == dt.timedelta(days=1) and (day - runs[-1][0]).days < longest:
            runs[-1] = (runs[-1][0], day)
        else:
            runs.append((day, day))
    return runs


def years_before(day: dt.date, years: int) -> dt.date:
    """The same day ``years`` earlier; 29 February becomes the 28th."""
    try:
        return day.replace(year=day.year - years)
    except ValueError:
        return day.replace(year=day.year - years, day=28)


def has_data(answer: Answer) -> bool:
    """Whether the answer holds something to read."""
    return answer.answer_class in {AnswerClass.OK, AnswerClass.UNCHANGED}


def json_of(answer: Answer) -> Any:
    """The answer's body as JSON.

    Raises:
        Contract: when it is not JSON; the transport does not let such an answer pass, a damaged archive might.
    """
    try:
        return json.loads(answer.body.read())
    except ValueError as error:
        request = answer.request
        raise Contract(
            f"The answer of {request.provider} for {request.subject.key} ({request.endpoint}) is not JSON.",
            provider=request.provider,
            endpoint=request.endpoint,
            subject=request.subject.key,
            request_id=answer.request_id,
        ) from error
