"""The application: routes, middleware and life of one gateway process.

What does not belong here: any route.
"""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from salescience_pipeline import __version__
from salescience_pipeline.clients import tracing
from salescience_pipeline.gateway import (
    alerting,
    contract,
    dead_letters,
    health,
    jobs,
    lineage,
    operations,
    pages,
    problems,
    proxy,
    query,
    results,
    submit,
    tasks,
    triggers,
    webhooks,
)
from salescience_pipeline.gateway.compression import Compression
from salescience_pipeline.gateway.middleware import Envelope
from salescience_pipeline.gateway.models import ProblemDocument
from salescience_pipeline.gateway.observing import Observed
from salescience_pipeline.gateway.state import State
from salescience_pipeline.gateway.upstreams import Upstreams
from salescience_pipeline.gateway.webhook_delivery import Deliverer
from salescience_pipeline.settings import Settings, SettingsError

_PROBLEM: dict[str, Any] = {"model": ProblemDocument, "content": {"application/problem+json": {}}}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    code: {**_PROBLEM, "description": text}
    for code, text in {
        400: "A body that cannot be read", 401: "No API key, or one that does not work",
        403: "The key lacks the scope or belongs to another organization", 404: "No such thing, or not yours",
        406: "No form that `Accept` takes",
        408: "The body came too slowly", 409: "Not now", 410: "The organization was shredded", 413: "The body is too large",
        415: "A body in a coding", 422: "The request is not valid",
        429: "Too much at once", 503: "Not available now",
    }.items()
}  # fmt: skip

_SWITCH_SECONDS = 0.001


def create_app(settings: Settings, *, alone: bool = False) -> FastAPI:
    """The gateway of one world.

    Args:
        settings: Of the world.
        alone: Whether it has the process to itself, whose garbage collector it may then tune.

    Raises:
        SettingsError: for settings that would let everybody in.
    """
    state = State(settings, alone=alone)
    if settings.otlp_endpoint is not None:
        tracing.enable("salescience-gateway", endpoint=settings.otlp_endpoint)
    unknown = sorted(set(settings.upstreams) - set(proxy.ROUTES.values()))
    if unknown:
        raise SettingsError(f"SALESCIENCE_UPSTREAMS knows writer, research and backend, not {', '.join(unknown)}.")
    upstreams = Upstreams(state, settings.upstreams)
    fan_out = tasks.FanOut(state, Upstreams(state, settings.services))
    deliverer = Deliverer(state)
    monitor = health.Monitor(state, upstreams, also=alerting.Watch(state, upstreams).look)

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        # Reading the lake computes; who waits for the loop should not wait for it the usual five milliseconds.
        sys.setswitchinterval(_SWITCH_SECONDS)
        warm = threading.Thread(target=_warm_up, args=(state,), name="warm-up", daemon=True)
        warm.start()
        monitor.start()
        fan_out.start()
        deliverer.start()
        yield
        await monitor.stop()
        await fan_out.stop()
        await deliverer.stop()
        await upstreams.close()
        warm.join(timeout=10)
        state.close()

    app = FastAPI(
        title="Salescience",
        version=__version__,
        summary="Filings, prices and fundamentals of companies, for many organisations.",
        description=settings.provenance_note or "",
        lifespan=life,
        responses=_RESPONSES,
        # /docs is a page of ours; the usual ones take their scripts from a host of somebody else.
        docs_url=None,
        redoc_url=None,
    )
    app.state.gateway = state
    app.state.monitor = monitor
    problems.install(app)
    for module in (submit, jobs, results, triggers, query, lineage, pages, webhooks):
        app.include_router(module.router)
    app.include_router(health.build_router(state, upstreams, monitor))
    app.include_router(operations.build_router(state, upstreams))
    app.include_router(tasks.build_router(state, fan_out))
    app.include_router(dead_letters.build_router(state))
    app.include_router(proxy.build_router(upstreams))
    contract.install(app, needs_key=state.needs_key, services=fan_out.known, job_paths=triggers.ROUTES)
    # The last one stands outermost: a page has to be allowed to read a refusal as well.
    app.add_middleware(Compression)
    app.add_middleware(Envelope)
    app.add_middleware(Observed, figures=state.figures)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.gateway_origins,
        allow_methods=["GET", "POST", "DELETE"],
        allow_headers=[
            "Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "If-Range", "Last-Event-ID", "Range",
            "X-API-Key", "X-Request-ID", "traceparent",
        ],
        expose_headers=[
            "Accept-Ranges", "Content-Disposition", "Content-Range", "ETag", "Idempotent-Replayed", "Location", "Retry-After",
            "X-Data-Note", "X-Next-Cursor", "X-Request-ID", "X-Warehouse-Version",
        ],
        max_age=600,
    )  # fmt: skip
    return app


def _warm_up(state: State) -> None:
    """Open the ledger and import what submissions need, while the gateway answers already."""
    state.checkpoints.start()
    from salescience_pipeline.acquisition import kept_answers  # noqa: PLC0415

    kept_answers.warm_up(state.services)
    if state.is_alone:
        # What is loaded now stays loaded. A full collection would look at all of it, a tenth of a second each time.
        gc.freeze()
