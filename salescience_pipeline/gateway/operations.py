"""What operators and monitoring tools ask: the root, /status with the providers, and /metrics.

Figures of jobs and providers come from the database, so they survive restarts and are the same from every process;
those of requests are the process's own. Labels are bounded: providers, states, windows and route templates, never a
ticker, an id, a path or an organisation. What does not belong here: the health of services behind the gateway
(``health``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse

from salescience_pipeline import __version__
from salescience_pipeline.catalog.providers import PROVIDERS
from salescience_pipeline.clients.gate import GateRule, gate_rules
from salescience_pipeline.clients.gate_model import window_bounds
from salescience_pipeline.clients.shares import REMEMBERED_SECONDS, share_of
from salescience_pipeline.gateway.health import DEGRADED, HEALTHY, UNHEALTHY, UNKNOWN, utc
from salescience_pipeline.gateway.query import Organization
from salescience_pipeline.gateway.state import Calling, State
from salescience_pipeline.gateway.upstreams import Upstreams
from salescience_pipeline.ledger.job_rules import JobStatus
from salescience_pipeline.ledger.ledger import GateStatus

_CIRCUITS = {"closed": 0, "half_open": 1, "open": 2}
_CHUNKS = ("waiting", "sent", "running", "cancelling", "over")


def build_router(state: State, upstreams: Upstreams) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["operations"])
    rules = gate_rules(state.settings)

    @router.get("/")
    def root() -> dict[str, Any]:
        """What this is, and where to go on."""
        return {
            "name": "Salescience",
            "version": __version__,
            "note": state.settings.provenance_note,
            "docs": "/docs",
            "openapi": "/openapi.json",
            "services": list(upstreams.names()),
            "providers": list(PROVIDERS),
        }

    @router.get("/status")
    def status(caller: Calling, organization_id: Organization = None) -> dict[str, Any]:
        """The providers, and the caller's own figures."""
        principal = caller.acting("jobs:read", organization_id)
        gates = {row.provider: row for row in state.ledger.gate_rows()}
        figures = state.ledger.monitoring.statistics(principal.organization_id)
        engine_pool = state.ledger.engine.pool
        took = state.services.archive.audit.recent_milliseconds() if state.has_lake() else {}
        return {
            "status": HEALTHY,
            "services": {
                name: {
                    **_provider(gates.get(name), took.get(name, [])),
                    "quota": _quota(state, rules[name], principal.organization_id),
                }
                for name in PROVIDERS
            },
            "stats": {**figures, "last_job_time": utc(figures["last_job_time"])},
            "pool": {"status": "open", "database": type(engine_pool).__name__, "http": upstreams.is_open},
        }

    @router.get("/metrics", response_class=PlainTextResponse)
    def metrics(caller: Calling) -> Response:
        """Figures for Prometheus."""
        caller.acting("metrics:read")
        return PlainTextResponse("".join(exposition(state)), media_type="text/plain; version=0.0.4; charset=utf-8")

    return router


def _provider(gate: GateStatus | None, took: Sequence[float]) -> dict[str, Any]:
    """How a provider fares; its response time is the median of its answers among the newest of all."""
    milliseconds = round(median(took), 1) if took else None
    if gate is None:
        return {"status": UNKNOWN, "response_time_ms": milliseconds, "circuit_state": "closed"}
    held = gate.blocked_until or gate.quota_until
    status = UNHEALTHY if gate.breaker == "open" or held else DEGRADED if gate.breaker == "half_open" else HEALTHY
    return {
        "status": status,
        "response_time_ms": milliseconds,
        "circuit_state": gate.breaker,
        "consecutive_failures": gate.failures,
        "paused_until": utc(gate.paused_until),
        "blocked_until": utc(gate.blocked_until),
        "quota_until": utc(gate.quota_until),
    }


def _quota(state: State, rule: GateRule, organization: str) -> dict[str, Any] | None:
    """What the provider's plan allows in a day, and the caller's part of it; None without such a limit."""
    if rule.day_limit is None:
        return None
    store = state.ledger.gate_store
    now = store.now()
    day = window_bounds("day", now, rule.timezone)[0]
    use = store.share_use(rule.provider, day - REMEMBERED_SECONDS, day)
    share = share_of(store.read(rule.provider), rule, now, organization, use)
    assert share is not None
    return {
        "limit": share.limit,
        "left": share.left,
        "resets_at": utc(dt.datetime.fromtimestamp(share.day_ends, dt.UTC)),
        "organization": {"share": share.place, "used": share.used, "available": share.available},
    }


def exposition(state: State) -> Iterator[str]:
    """The figures in Prometheus' text format.

    https://prometheus.io/docs/instrumenting/exposition_formats/
    """
    jobs, chunks, age = state.ledger.monitoring.totals()
    gates = [row for row in state.ledger.gate_rows() if row.provider in PROVIDERS]
    yield from _family(
        "salescience_jobs", "Jobs in the ledger by state.",
        [({"state": status.value}, jobs.get(status.value, 0)) for status in JobStatus],
    )  # fmt: skip
    yield from _family(
        "salescience_run_chunks",
        "Chunks of jobs by state.",
        [({"state": name}, chunks.get(name, 0)) for name in _CHUNKS],
    )
    yield from _family(
        "salescience_run_heartbeat_age_seconds", "Seconds since the least recent heartbeat of a run at work; 0 without one.",
        [({}, age or 0.0)],
    )  # fmt: skip
    yield from _family(
        "salescience_breaker_state", "0 closed, 1 half open, 2 open.",
        [({"provider": row.provider}, _CIRCUITS[row.breaker]) for row in gates],
    )  # fmt: skip
    yield from _family(
        "salescience_provider_window_requests", "Requests counted in the provider's current window.",
        [({"provider": row.provider, "window": window}, used) for row in gates for window, (_, used) in row.used.items()],
    )  # fmt: skip
    yield from _family(
        "salescience_alert", "1 for each incident that is not over.",
        [({"alert": incident.name}, 1) for incident in state.ledger.alerts.open()],
    )  # fmt: skip
    yield from state.figures.exposition()
    yield from _family("salescience_build_info", "This software.", [({"version": __version__}, 1)])


def _family(name: str, text: str, samples: Iterable[tuple[Mapping[str, str], float]]) -> Iterator[str]:
    yield f"# HELP {name} {text}\n# TYPE {name} gauge\n"
    for labels, value in samples:
        spelled = ",".join(f'{key}="{label}"' for key, label in labels.items())
        yield f"{name}{{{spelled}}} {value}\n" if spelled else f"{name} {value}\n"
