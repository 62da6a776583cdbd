"""What the sandbox has been asked: counts, statuses and the busiest second, per provider and endpoint.

Pure bookkeeping over arrival times that the caller supplies; no clock and no HTTP of its own.
"""

from __future__ import annotations

from array import array
from collections import Counter, deque
from collections.abc import Hashable
from typing import Any


class Meter:
    """Counts the requests of one kind and the largest number of them in any half-open window of one second."""

    def __init__(self) -> None:
        self.requests = 0
        self.statuses: Counter[str] = Counter()
        self.faults = 0
        self.worst_second = 0
        self.first: float | None = None
        self.last: float | None = None
        self._window: deque[float] = deque()

    def arrive(self, at: float) -> None:
        """Count a request that arrived ``at`` (monotonic seconds, not decreasing)."""
        self.requests += 1
        self.first = at if self.first is None else self.first
        self.last = at
        self._window.append(at)
        while self._window[0] <= at - 1.0:
            self._window.popleft()
        self.worst_second = max(self.worst_second, len(self._window))

    def report(self) -> dict[str, Any]:
        """The figures as JSON types; times are monotonic seconds."""
        return {
            "requests": self.requests,
            "statuses": dict(sorted(self.statuses.items())),
            "faults": self.faults,
            "worst_second": self.worst_second,
            "first": self.first,
            "last": self.last,
        }


class _ProviderStats:
    def __init__(self) -> None:
        self.total = Meter()
        self.endpoints: dict[str, Meter] = {}
        self.paths: Counter[str] = Counter()
        self.arrivals = array("d")
        self.connections = 0
        self.seen: set[Hashable] = set()


class Stats:
    """The counters of all providers."""

    def __init__(self) -> None:
        self._providers: dict[str, _ProviderStats] = {}
        self.connections = 0

    def arrive(self, provider: str, endpoint: str, path: str, at: float, connection: Hashable) -> tuple[Meter, Meter]:
        """Count a request; returns the meters of the provider and of the endpoint, for the status that follows."""
        stats = self._providers.setdefault(provider, _ProviderStats())
        if connection not in stats.seen:
            stats.seen.add(connection)
            stats.connections += 1
        stats.paths[path] += 1
        stats.arrivals.append(at)
        meter = stats.endpoints.setdefault(endpoint, Meter())
        stats.total.arrive(at)
        meter.arrive(at)
        return stats.total, meter

    def connection_closed(self, connection: Hashable) -> None:
        """Forget a connection, so that a later one from the same port counts again."""
        for stats in self._providers.values():
            stats.seen.discard(connection)

    def reset(self) -> None:
        """Start counting from nothing; open connections are counted again when they are next used."""
        self._providers.clear()
        self.connections = 0

    def report(self, *, paths: bool = False, arrivals: bool = False) -> dict[str, Any]:
        """Everything counted so far, as JSON types.

        Args:
            paths: add the number of requests per path and query.
            arrivals: add every arrival time (monotonic seconds).
        """
        providers: dict[str, Any] = {}
        for name, stats in sorted(self._providers.items()):
            providers[name] = stats.total.report() | {
                "connections": stats.connections,
                "endpoints": {kind: meter.report() for kind, meter in sorted(stats.endpoints.items())},
            }
            if paths:
                providers[name]["paths"] = dict(stats.paths.most_common())
            if arrivals:
                providers[name]["arrivals"] = list(stats.arrivals)
        return {"connections": self.connections, "providers": providers}
