"""Whose chunk is next: turns among organisations, urgent before patient. Pure functions.

How long one waits. At most ``window`` chunks are with Dagster, of one organisation at most ``each`` of them. The turn goes to
whoever has the least in flight and, among equals, was served longest ago. Who has nothing in flight is sent beyond the
window too, and overtakes in Dagster's queue. A run gives its place up after ten seconds when somebody waits who has none
(``orchestration.submission_runs``). So the first chunk of an organisation begins within a tick, the start of a run, ten
seconds, a chunk and its own start, however many chunks others have waiting; with more newcomers than places they take
turns.

What does not belong here: rows and transactions (``dispatch``).
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict, deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from salescience_pipeline.identifiers import OrganizationId

SMALL_TICKERS = 5
"""Tickers up to which a chunk waits for the run of its job's other chunk: doing it takes less than starting a process."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """What one run does: at most 25 tickers of one provider, for one job."""

    run_key: str
    organization_id: OrganizationId
    job_id: str
    provider: str
    tickers: tuple[str, ...]
    attempt: int
    priority: int
    status: str
    run_id: str | None
    request_id: str = ""
    user_id: str | None = None
    is_first: bool = False
    """Nothing else of its organisation was in flight when it was chosen."""


def fair(
    waiting: Sequence[Chunk],
    in_flight: Mapping[str, int],
    slots: int,
    *,
    each: int | None = None,
    served: Mapping[str, dt.datetime] | None = None,
) -> list[Chunk]:
    """Which of ``waiting`` go next: higher priority first, and within one priority in turns.

    ``each`` is the most that one organisation may have in flight, so that there is always room for another.
    The turn goes to the organisation with the least in flight, and among equals to the one that was ``served`` longest ago:
    one with 500 chunks delays another's single one by no more than what runs already, and nobody's name matters.
    """
    flying, order = Counter(in_flight), {name: place for place, name in enumerate(longest_ago(served or {}), start=1)}
    chosen: list[Chunk] = []
    for priority in sorted({chunk.priority for chunk in waiting}, reverse=True):
        queues: dict[str, deque[Chunk]] = defaultdict(deque)
        for chunk in waiting:
            if chunk.priority == priority and (each is None or flying[chunk.organization_id] < each):
                queues[chunk.organization_id].append(chunk)
        while queues and len(chosen) < slots:
            # Who was never served has no place yet and comes first.
            name = min(queues, key=lambda organization: (flying[organization], order.get(organization, 0)))
            chosen.append(queues[name].popleft())
            order[name] = len(order) + len(chosen) + 1
            flying[name] += 1
            if not queues[name] or (each is not None and flying[name] >= each):
                del queues[name]
    return chosen


def newcomers(waiting: Sequence[Chunk], in_flight: Mapping[str, int], most: int) -> list[Chunk]:
    """One of ``waiting`` for each organisation that has nothing in flight, urgent ones first, at most ``most``."""
    firsts: dict[str, Chunk] = {}
    for chunk in sorted(waiting, key=lambda chunk: -chunk.priority):
        if not in_flight.get(chunk.organization_id):
            firsts.setdefault(chunk.organization_id, chunk)
    return list(firsts.values())[: max(most, 0)]


def alone(waiting: Sequence[Chunk], in_flight: Collection[str]) -> list[Chunk]:
    """``waiting`` without small chunks whose job has another one in flight, or earlier in the list.

    The run of the other one goes on with them; if it dies, it is in flight no more, and they are next.
    """
    busy, left = set(in_flight), []
    for chunk in waiting:
        if chunk.job_id in busy and len(chunk.tickers) <= SMALL_TICKERS:
            continue
        busy.add(chunk.job_id)
        left.append(chunk)
    return left


def longest_ago(served: Mapping[str, dt.datetime]) -> list[str]:
    """Who was served, the one that was so longest ago first."""
    return sorted(served, key=lambda name: (served[name], name))
