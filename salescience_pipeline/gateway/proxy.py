"""/api/enrich, /api/publish and /api/write: passed on to the configured services and to nobody else.

Only named headers pass, in both directions; the caller's credentials stay here. What does not belong here: addresses,
breaker and retries (``upstreams``).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from salescience_pipeline.gateway.state import Calling
from salescience_pipeline.gateway.upstreams import Upstreams, safe_path

METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH"]
ROUTES = {"enrich": "research", "publish": "backend", "write": "writer"}
"""Path below /api -> the service behind it."""
_TO_UPSTREAM = frozenset({"accept", "accept-language", "content-type", "if-match", "if-none-match", "idempotency-key"})
_TO_CALLER = frozenset({"content-type", "etag", "last-modified", "cache-control", "retry-after", "content-language"})
_SAFE = {"Content-Security-Policy": "sandbox; default-src 'none'"}


def build_router(upstreams: Upstreams) -> APIRouter:
    """The routes of the services that are configured."""
    router = APIRouter(tags=["services"])
    for word, service in ROUTES.items():
        if service == "writer" and service not in upstreams.names():
            continue
        for path in (f"/api/{word}", f"/api/{word}/{{path:path}}"):
            for method in METHODS:
                router.add_api_route(
                    path, _passing(upstreams, word, service), methods=[method], response_class=Response,
                    summary=f"{method} of the {service} service",
                    operation_id=f"{method.lower()}_{word}" + ("_below" if "{" in path else ""),
                    responses={502: {"description": "No usable answer"}, 504: {"description": "No answer in time"}},
                )  # fmt: skip
    return router


def _passing(upstreams: Upstreams, word: str, service: str) -> Callable[..., Coroutine[Any, Any, Response]]:
    async def pass_on(request: Request, caller: Calling) -> Response:
        principal = await run_in_threadpool(caller.acting, "proxy")
        prefix = f"/api/{word}"
        raw = request.scope["raw_path"].decode("ascii", "replace").partition("?")[0]
        below = raw.removeprefix(prefix).removeprefix("/") if raw.startswith(prefix) else "@"
        path = prefix + (f"/{safe_path(below)}" if below else "")
        headers = {name: value for name, value in request.headers.items() if name in _TO_UPSTREAM}
        headers |= {
            "x-request-id": caller.request_id,
            "x-organization-id": str(principal.organization_id),
            "accept-encoding": "identity",
        }
        query = request.scope["query_string"].decode("ascii", "replace")
        reply = await upstreams.send(
            service, request.method, path, query=query, headers=headers, body=await request.body()
        )
        passed = {name: value for name, value in reply.headers.items() if name in _TO_CALLER}
        return Response(reply.body, status_code=reply.status, headers={**passed, **_SAFE})

    return pass_on
