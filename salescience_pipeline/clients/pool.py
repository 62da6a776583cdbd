"""Many requests at once over a few threads: whoever waits for a retry occupies none of them.

What does not belong here: what happens to a single request (``courier``).
"""

from __future__ import annotations

import datetime as dt
import heapq
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from salescience_pipeline.clients.courier import Courier
from salescience_pipeline.clients.errors import NotArchived, ProviderError
from salescience_pipeline.clients.exchange import Pending, Wait
from salescience_pipeline.clients.model import Answer, PlannedRequest

Step = Answer | Wait | ProviderError | NotArchived


@dataclass(frozen=True, slots=True)
class Failed:
    """A request that did not get its answer, and why."""

    request: PlannedRequest
    error: ProviderError | NotArchived


def run_all(
    courier: Courier,
    requests: Iterable[PlannedRequest],
    *,
    on_answer: Callable[[Answer], None] | None,
    follow_ups: Callable[[Answer], Iterable[PlannedRequest]] | None,
    fallbacks: Callable[[Failed], Iterable[PlannedRequest]] | None,
    max_workers: int,
) -> Iterator[Answer | Failed]:
    """Yield the outcome of each request and of those that follow; see ``Transport.send_all``."""
    queue: deque[PlannedRequest] = deque()
    source = iter(requests)
    crew = _Crew(courier, max_workers)
    try:
        while True:
            while crew.has_room and (request := _next(queue, source)) is not None:
                crew.start(courier.begin(request))
            if crew.is_idle:
                return
            for pending, step in crew.finished():
                if isinstance(step, Answer):
                    if on_answer is not None:
                        on_answer(step)
                    queue.extend(follow_ups(step) if follow_ups is not None else ())
                    yield step
                elif isinstance(step, Wait):
                    crew.park(pending, step.due)
                else:
                    failed = Failed(pending.request, step)
                    instead = tuple(fallbacks(failed)) if fallbacks is not None else ()
                    queue.extend(instead)
                    if not instead:
                        yield failed
    finally:
        crew.dismiss()


def _next(queue: deque[PlannedRequest], source: Iterator[PlannedRequest]) -> PlannedRequest | None:
    """What follows from an answer goes first: its subject is nearly done."""
    return queue.popleft() if queue else next(source, None)


class _Crew:
    """The threads, what they are doing, and who waits for a retry."""

    def __init__(self, courier: Courier, max_workers: int) -> None:
        self._courier, self._max_workers = courier, max_workers
        self._threads = ThreadPoolExecutor(max_workers, thread_name_prefix="transport")
        self._running: dict[Future[Step], Pending] = {}
        self._parked: list[tuple[dt.datetime, int, Pending]] = []
        self._numbers = itertools.count()

    @property
    def has_room(self) -> bool:
        """Whether another request may be started: parked ones do not count, up to a bound on their number."""
        return len(self._running) < 2 * self._max_workers and len(self._parked) < 64 * self._max_workers

    @property
    def is_idle(self) -> bool:
        return not self._running and not self._parked

    def start(self, pending: Pending) -> None:
        self._running[self._threads.submit(self._courier.step, pending)] = pending

    def park(self, pending: Pending, due: dt.datetime) -> None:
        heapq.heappush(self._parked, (due, next(self._numbers), pending))

    def finished(self) -> list[tuple[Pending, Step]]:
        """The steps that have ended; waits for one, or until somebody parked is due."""
        self._wake()
        if not self._running:
            self._courier.sleep(self._until_due())
            self._wake()
        done, _ = wait(self._running, self._until_due() if self._parked else None, FIRST_COMPLETED)
        return [(self._running.pop(future), future.result()) for future in done]

    def dismiss(self) -> None:
        """Start nothing more and wait for what is in flight, so that every attempt sent is archived."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _wake(self) -> None:
        now = self._courier.clock()
        while self._parked and self._parked[0][0] <= now:
            self.start(heapq.heappop(self._parked)[2])

    def _until_due(self) -> float:
        return max((self._parked[0][0] - self._courier.clock()).total_seconds(), 0.0) if self._parked else 0.0
