"""What is seen of every request: its id in each log line, a line when it is over, its figures, and a span.

Figures are labelled by route templates and methods of a fixed list, so that their number is bounded whatever is asked. They
count this process's requests since it started, as Prometheus expects of counters. What does not belong here: figures from
the database (``operations``).
"""

from __future__ import annotations

import logging
import threading
import time
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator

from salescience_pipeline.clients import logs, tracing
from salescience_pipeline.gateway.middleware import App, Message, Receive, Scope, Send, request_id_of

_access = logging.getLogger("salescience.access")
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds in seconds."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
NO_ROUTE = "(none)"
"""The label of what no route serves, whatever its path was."""


class HttpFigures:
    """Counts and durations of requests; safe for threads."""

    def __init__(self) -> None:
        """Nothing was served yet."""
        self._lock = threading.Lock()
        self._count: Counter[tuple[str, str, str]] = Counter()
        self._buckets: defaultdict[str, list[int]] = defaultdict(lambda: [0] * (len(BUCKETS) + 1))
        self._seconds: Counter[str] = Counter()

    def add(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        with self._lock:
            self._count[method if method in METHODS else "OTHER", route, f"{status // 100}xx"] += 1
            self._buckets[route][bisect_left(BUCKETS, seconds)] += 1
            self._seconds[route] += seconds  # type: ignore[assignment]

    def spread(self) -> list[int]:
        """How many requests there were in each bucket, and above the last."""
        with self._lock:
            return [sum(column) for column in zip(*self._buckets.values(), strict=True)] or [0] * (len(BUCKETS) + 1)

    def exposition(self) -> Iterator[str]:
        """The figures in Prometheus' text format."""
        with self._lock:
            count, seconds = dict(self._count), dict(self._seconds)
            buckets = {route: list(held) for route, held in self._buckets.items()}
        name = "salescience_http_requests_total"
        yield f"# HELP {name} Requests that this process served, by route template.\n# TYPE {name} counter\n"
        for (method, route, status), number in sorted(count.items()):
            yield f'{name}{{method="{method}",route="{route}",status="{status}"}} {number}\n'
        name = "salescience_http_request_duration_seconds"
        yield f"# HELP {name} Seconds until the last byte of an answer.\n# TYPE {name} histogram\n"
        for route, held in sorted(buckets.items()):
            total = 0
            for bound, number in zip((*map(str, BUCKETS), "+Inf"), held, strict=True):
                total += number
                yield f'{name}_bucket{{route="{route}",le="{bound}"}} {total}\n'
            yield f'{name}_sum{{route="{route}"}} {seconds[route]:.6f}\n{name}_count{{route="{route}"}} {total}\n'


class Observed:
    """Sees every request from its head to the last byte of its answer."""

    def __init__(self, app: App, *, figures: HttpFigures) -> None:
        self._app, self._figures = app, figures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one connection on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = str(request_id_of(scope["headers"]))
        scope.setdefault("state", {})["request_id"] = request_id
        status, started = 500, time.perf_counter()

        async def heard(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        method = scope["method"]
        traceparent = next(
            (value.decode("latin-1") for name, value in scope["headers"] if name == b"traceparent"), None
        )
        with (
            logs.about(request_id=request_id),
            tracing.span(
                method, request_id, kind="server", traceparent=traceparent, http_request_method=method
            ) as said,
        ):
            try:
                await self._app(scope, receive, heard)
            finally:
                seconds, route = time.perf_counter() - started, _template(scope)
                self._figures.add(method, route, status, seconds)
                said.say(f"{method} {route}", http_route=route, http_response_status__code=status)
                _access.info(
                    "%s %s %d", method, route, status,
                    extra={"method": method, "route": route, "status": status, "milliseconds": round(seconds * 1_000, 1)},
                )  # fmt: skip


def _template(scope: Scope) -> str:
    route = scope.get("route")
    path = getattr(route, "path_format", None) or getattr(route, "path", None)
    return path if isinstance(path, str) else NO_ROUTE
