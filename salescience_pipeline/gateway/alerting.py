"""Alerts: what must be told to people, judged from the ledger's figures every 30 seconds by one gateway.

Each incident is told once when it begins and once when it is over, whatever number of gateways there is and however often
the figures cross the line (``ledger.alerts``). A message that the receiver did not take goes out again in the next round. For
those who have Prometheus, ``deploy/alerts.yaml`` says the same in its words. What does not belong here: figures.
"""

from __future__ import annotations

import datetime as dt
import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr
from starlette.concurrency import run_in_threadpool

from salescience_pipeline.clients.redact import Redactor, guard_loggers, unguard_loggers
from salescience_pipeline.gateway.health import utc
from salescience_pipeline.gateway.observing import BUCKETS
from salescience_pipeline.gateway.state import State
from salescience_pipeline.gateway.upstreams import Upstreams
from salescience_pipeline.ledger.alerts import Incident

_log = logging.getLogger("salescience.gateway")
_SEND_SECONDS = 10.0
_LEASE, _LEASE_SECONDS = "alerts", 6 * _SEND_SECONDS


_HOUR = dt.timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on something is wrong."""

    failed_share: float = 0.1
    """Of the jobs that ended in the last hour."""
    least_jobs: int = 10
    """Fewer that ended say nothing."""
    slow_seconds: float = 1.0
    """The 95th percentile of requests since the last look."""
    least_requests: int = 20
    silent_seconds: float = 60.0
    """Since the last heartbeat of a run at work."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The figures of one look."""

    ended: int
    """Jobs that came to an end in the last hour."""
    failed: int
    """Those of them that failed, whole or in part."""
    requests: int
    """Requests to this gateway since the last look."""
    slowest_seconds: float
    """Their 95th percentile: the upper bound of the bucket in which it lies."""
    heartbeat_age: float | None
    away: Sequence[str]
    """Providers and services whose breaker is open, or who shut us out."""


def judge(seen: Seen, limits: Limits) -> dict[str, str]:
    """What is wrong, a sentence by name; the names are few whatever happens."""
    wrong = {f"away:{name}": f"{name} is not asked any more: it failed, or shut us out." for name in seen.away}
    if seen.ended >= limits.least_jobs and seen.failed > limits.failed_share * seen.ended:
        wrong["jobs-fail"] = f"{seen.failed} of the {seen.ended} jobs that ended in the last hour failed."
    if seen.requests >= limits.least_requests and seen.slowest_seconds > limits.slow_seconds:
        wrong["slow"] = f"One request in twenty takes longer than {limits.slow_seconds:g} s."
    if seen.heartbeat_age is not None and seen.heartbeat_age > limits.silent_seconds:
        wrong["run-silent"] = f"A run at work has given no sign of life for {seen.heartbeat_age:.0f} s."
    return wrong


def message(incident: Incident) -> Mapping[str, Any]:
    """What is sent: ``text`` is what chats show, the rest is for programs."""
    over = incident.over_at is not None
    return {
        "text": f"[{'resolved' if over else 'firing'}] {incident.summary}",
        "alert": incident.name,
        "status": "resolved" if over else "firing",
        "began_at": utc(incident.began_at),
        "over_at": utc(incident.over_at),
    }


async def tell(incident: Incident, url: str | None) -> bool:
    """Write it to the log and send it to ``url``; True when it need not be told again.

    The address is the operator's own, so it may be anywhere; nothing of it, nor of an answer, goes to the log.
    """
    _log.warning("alert %s: %s", incident.name, message(incident)["text"])
    if url is None:
        return True
    import httpx  # noqa: PLC0415 - a gateway that tells nobody needs none

    # A chat's address is its password, and httpx writes addresses to the log.
    guard = guard_loggers(Redactor([SecretStr(url)]))
    try:
        async with httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=_SEND_SECONDS) as client:
            answer = await client.post(url, json=message(incident))
    except (httpx.HTTPError, httpx.InvalidURL) as failure:
        _log.warning("alert %s could not be sent (%s)", incident.name, type(failure).__name__)
        return False
    finally:
        unguard_loggers(guard)
    if not answer.is_success:
        _log.warning("alert %s was not taken: status %d", incident.name, answer.status_code)
    return answer.is_success


class Watch:
    """Looks at the figures and tells what is wrong; one gateway at a time does."""

    def __init__(self, state: State, upstreams: Upstreams, limits: Limits | None = None) -> None:
        """Requests are counted from here on."""
        self._state, self._upstreams, self._limits = state, upstreams, limits or Limits()
        self._before = state.figures.spread()
        self._holder = uuid.uuid4().hex

    async def look(self) -> None:
        """One round: judge, write down, tell; its own lease outlasts the slowest receiver, so that nobody is told twice."""
        if not await run_in_threadpool(self._leads):
            return
        incidents = await run_in_threadpool(self._see)
        secret = self._state.settings.alert_url
        for incident in incidents:
            if not await run_in_threadpool(self._leads):
                return
            if await tell(incident, None if secret is None else secret.get_secret_value()):
                await run_in_threadpool(self._state.ledger.alerts.told, incident)

    def _leads(self) -> bool:
        return self._state.ledger.monitoring.lead(_LEASE, self._holder, seconds=_LEASE_SECONDS)

    def _see(self) -> list[Incident]:
        return self._state.ledger.alerts.see(judge(self._seen(), self._limits))

    def _seen(self) -> Seen:
        ledger = self._state.ledger
        ended, failed = ledger.monitoring.ended_within(_HOUR)
        spread = self._state.figures.spread()
        new = [now - before for now, before in zip(spread, self._before, strict=True)]
        self._before = spread
        away = [row.provider for row in ledger.gate_rows() if row.breaker == "open" or row.blocked_until]
        away += [name for name in self._upstreams.names() if self._upstreams.breaker(name)[0] == "open"]
        _, _, age = ledger.monitoring.totals()
        return Seen(ended, failed, sum(new), slowest(new), age, sorted(set(away)))


def slowest(spread: Sequence[int]) -> float:
    """The upper bound in seconds of the bucket in which the 95th percentile lies; 0 without any."""
    wanted, total = 0.95 * sum(spread), 0
    for bound, number in zip((*BUCKETS, float("inf")), spread, strict=True):
        total += number
        if total >= wanted and total:
            return bound
    return 0.0
