"""The services behind the gateway, emulated: revenue, rebates and specialty, research and backend.

Each answers below ``/services/<name>``: ``/health``; the three of the fan-out take a scenario and a business type and answer
with figures that depend on nothing else; research and backend say back what reached them. What does not belong here: the
providers of data, and anything of the gateway.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from salescience_pipeline.fiction.companies import chance

if TYPE_CHECKING:
    from salescience_pipeline.sandbox.app import Provider, Sandbox

FAN_OUT = ("revenue", "rebates", "specialty")
MODULES = ("research", "backend", "writer")
_METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH"]


def _refused(status: int, detail: str) -> Response:
    return JSONResponse({"detail": detail}, status_code=status)


async def _health(request: Request) -> Response:
    name = request.path_params["service"]
    known = name in (*FAN_OUT, *MODULES)
    return JSONResponse({"status": "healthy", "service": name}) if known else _refused(404, "Not Found")


async def _compute(request: Request) -> Response:
    """Figures for a scenario: the same question has the same answer."""
    name = request.path_params["service"]
    if name not in FAN_OUT:
        return _refused(404, "Not Found")
    try:
        body = json.loads(await request.body())
        scenario, business = str(body["scenario_id"]), str(body["business_type_id"])
    except (ValueError, KeyError, TypeError):
        return _refused(422, "scenario_id and business_type_id are required")
    amount = round(chance("service", name, scenario, business).uniform(1_000, 1_000_000), 2)
    return JSONResponse(
        {"service": name, "scenario_id": scenario, "business_type_id": business, "status": "computed", name: amount}
    )


async def _echo(request: Request) -> Response:
    """What reached a module: method, path, query, headers and body."""
    name = request.path_params["service"]
    if name not in MODULES:
        return _refused(404, "Not Found")
    body: Any = (await request.body()).decode("utf-8", "replace")
    return JSONResponse(
        {
            "service": name,
            "method": request.method,
            "path": "/" + request.path_params["path"],
            "query": request.url.query,
            "headers": {key: value for key, value in request.headers.items() if key != "host"},
            "body": body,
        }
    )


def provider(_sandbox: Sandbox) -> Provider:
    """The services as one provider of the sandbox: counted, and with faults on demand."""
    from salescience_pipeline.sandbox.app import Provider  # noqa: PLC0415 - the application imports this module

    return Provider(
        name="services",
        routes=[
            Route("/{service}/health", _health, name="health", methods=["GET"]),
            Route("/{service}/api/{path:path}", _echo, name="module", methods=_METHODS),
            Route("/{service}", _compute, name="compute", methods=["POST"]),
            Route("/{service}/{same}", _compute, name="compute", methods=["POST"]),
        ],
        not_found=lambda _request: _refused(404, "Not Found"),
        limited=lambda _window: _refused(429, "Too Many Requests"),
    )
