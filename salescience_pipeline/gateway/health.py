"""/health, /health/ready and /health/status: what is alive, what is ready, and how the services behind the gateway fare.

One monitor looks at every service every 30 seconds, whichever gateway process holds the lease; what it saw lies in the
database, so that all processes say the same. What does not belong here: breaker and requests (``upstreams``).
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from salescience_pipeline.gateway.problems import Problem
from salescience_pipeline.gateway.state import State, caller_of
from salescience_pipeline.gateway.upstreams import Upstreams
from salescience_pipeline.ledger.monitoring import Check

_log = logging.getLogger("salescience.gateway")
_CHECK_SECONDS = 5.0
_SLOW_MS = 2_000.0
_LEASE = "health-monitor"
UNKNOWN, HEALTHY, DEGRADED, UNHEALTHY = "unknown", "healthy", "degraded", "unhealthy"


def service_status(checks: Sequence[Check], circuit: str) -> str:
    """healthy, degraded, unhealthy or unknown, from the checks (newest first) and the breaker."""
    if circuit == "open":
        return UNHEALTHY
    if not checks:
        return UNKNOWN
    newest = checks[0]
    if not newest.ok or circuit == "half_open" or newest.milliseconds > _SLOW_MS or uptime(checks) < 99.0:
        return DEGRADED
    return HEALTHY


def uptime(checks: Sequence[Check]) -> float:
    """Percentage of good checks among those that are kept; 100 before the first."""
    return 100.0 if not checks else round(100.0 * sum(check.ok for check in checks) / len(checks), 2)


def overall(statuses: Sequence[str]) -> str:
    """The whole from its parts: unhealthy only when every service is."""
    if statuses and all(status == UNHEALTHY for status in statuses):
        return UNHEALTHY
    return DEGRADED if any(status in (UNHEALTHY, DEGRADED) for status in statuses) else HEALTHY


def utc(moment: dt.datetime | None) -> str | None:
    """RFC 3339 with a Z."""
    return None if moment is None else moment.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")


class Monitor:
    """Looks at the services while its process holds the lease, and keeps the last picture for /health."""

    def __init__(
        self, state: State, upstreams: Upstreams, *, also: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """Nothing is asked before :meth:`run`; ``also`` is what else the holder of the lease does in each round."""
        self._state, self._upstreams, self._also = state, upstreams, also
        self._holder = uuid.uuid4().hex
        self._task: asyncio.Task[None] | None = None
        self.picture: Mapping[str, Any] = {}

    @property
    def running(self) -> bool:
        """Whether the monitor's task lives."""
        return self._task is not None and not self._task.done()

    def start(self) -> None:
        """Begin to look, in the background."""
        self._task = asyncio.get_running_loop().create_task(self.run())

    async def stop(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def run(self) -> None:
        """Look again and again; what goes wrong is told in the log and does not end it."""
        interval = self._state.settings.health_seconds
        while True:
            try:
                await self.tick()
            except Exception as error:  # noqa: BLE001 - the database may be away; the next round may find it back
                _log.warning("the health monitor could not look: %s", type(error).__name__)
            await asyncio.sleep(interval)

    async def tick(self) -> None:
        """One round: check every service when the lease is ours, then draw the picture."""
        monitoring = self._state.ledger.monitoring
        seconds = self._state.settings.health_seconds
        # A little less than a round: one check per round over all processes, and a dead leader is followed in the next.
        if await run_in_threadpool(monitoring.lead, _LEASE, self._holder, seconds=seconds * 1.5):
            await asyncio.gather(*(self._check(name) for name in self._upstreams.names()))
            if self._also is not None:
                await self._also()
        self.picture = await run_in_threadpool(self.look)

    async def _check(self, name: str) -> None:
        started, error = time.monotonic(), None
        try:
            reply = await self._upstreams.send(
                name, "GET", "/health", headers={"accept": "application/json"}, tries=1, seconds=_CHECK_SECONDS
            )
            if reply.status >= 400:
                error = f"It answered with status {reply.status}."
        except Problem as problem:
            error = problem.detail
        check = Check(dt.datetime.now(dt.UTC), error is None, (time.monotonic() - started) * 1_000, error)
        await run_in_threadpool(self._state.ledger.monitoring.record, name, check)

    def look(self) -> dict[str, Any]:
        """All services as the database knows them."""
        return {name: self.one(name) for name in self._upstreams.names()}

    def one(self, name: str) -> dict[str, Any]:
        """One service as the database knows it."""
        checks = self._state.ledger.monitoring.checks(name)
        circuit, failures = self._upstreams.breaker(name)
        newest = checks[0] if checks else None
        in_a_row = next((place for place, check in enumerate(checks) if check.ok), len(checks))
        return {
            "name": name,
            "status": service_status(checks, circuit),
            "last_check": utc(newest.at) if newest else None,
            "response_time_ms": round(newest.milliseconds, 1) if newest else None,
            "error": newest.error if newest else None,
            "circuit_state": circuit,
            "consecutive_failures": max(failures, in_a_row),
            "uptime_percentage": uptime(checks),
            "details": {"checks": len(checks)},
        }


def _sees_addresses(request: Request) -> bool:
    """Whether the caller may know where the services are: administrators, and programs on this machine."""
    try:
        caller = caller_of(request)
    except Problem:
        return False
    return caller.principal is None or caller.principal.may("admin")


def build_router(state: State, upstreams: Upstreams, monitor: Monitor) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["health"])

    def located(request: Request, services: Mapping[str, Any]) -> dict[str, Any]:
        if not _sees_addresses(request):
            return {name: dict(service) for name, service in services.items()}
        return {name: {**service, "url": upstreams.url(name)} for name, service in services.items()}

    @router.get("/health")
    def health(request: Request) -> dict[str, Any]:
        """Alive; how the services fare is the monitor's last picture, so that this asks nobody."""
        services = located(request, monitor.picture)
        return {
            "status": HEALTHY,
            "orchestrator": HEALTHY,
            "services": {
                name: {key: service[key] for key in ("status", "details", "url") if key in service}
                for name, service in services.items()
            },
            "overall": overall([service["status"] for service in services.values()]),
            "event_mode": "kafka" if state.settings.takes_kafka else "http",
        }

    @router.get("/health/ready")
    def ready() -> dict[str, Any]:
        """Ready to serve: the database answers and has the right shape."""
        try:
            current = state.ledger.monitoring.is_current()
        except Exception as error:  # noqa: BLE001 - whatever the database's driver says, it is not ready
            _log.warning("not ready: %s", type(error).__name__)
            raise Problem(503, "not_ready", "The database does not answer.", headers={"Retry-After": "5"}) from None
        if not current:
            raise Problem(503, "not_ready", "The database has another shape than this software works with.")
        return {"status": "ready", "database": "current"}

    @router.get("/health/status")
    def detailed(request: Request) -> dict[str, Any]:
        """Every service behind the gateway, as the monitor saw it."""
        services = located(request, monitor.look())
        return {
            "overall": overall([service["status"] for service in services.values()]),
            "timestamp": utc(dt.datetime.now(dt.UTC)),
            "services": services,
            "monitoring": {"check_interval": state.settings.health_seconds, "running": monitor.running},
        }

    @router.get("/health/status/{service}")
    def of_service(service: str, request: Request) -> dict[str, Any]:
        """One service behind the gateway."""
        names = upstreams.names()
        if service not in names:
            raise Problem(404, "unknown_service", f"There is no such service; there are {', '.join(names) or 'none'}.")
        return dict(located(request, {service: monitor.one(service)})[service])

    return router
