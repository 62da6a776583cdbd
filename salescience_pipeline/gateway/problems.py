"""Errors as RFC 9457 problem documents with codes that never change; nobody outside sees a traceback.

https://www.rfc-editor.org/rfc/rfc9457

What does not belong here: which of them a route gives.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match

from salescience_pipeline.identifiers import InvalidIdentifier
from salescience_pipeline.ledger.job_model import IdempotencyConflict, NotCancellable, NotRetryable, TooManyOpenJobs
from salescience_pipeline.ledger.vault import KeyUnavailable, OrganizationShredded

_log = logging.getLogger("salescience.gateway")
_TITLES = {
    400: "Bad request", 401: "Not authenticated", 403: "Not allowed", 404: "Not found", 405: "Method not allowed",
    406: "Not acceptable",
    408: "Request timeout", 409: "Conflict", 410: "Gone", 413: "Too large",
    415: "Unsupported media type", 416: "Range not satisfiable",
    422: "Invalid request", 429: "Too many requests", 500: "Internal error", 501: "Not implemented", 502: "Bad gateway",
    503: "Not available", 504: "Gateway timeout",
}  # fmt: skip
_CODES = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "unsupported_media_type",
}
_METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
_SHOWN_ERRORS = 20


class Problem(Exception):
    """An answer that is an error: status, stable code, one sentence, and what else the client should know."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.headers, self.extra = dict(headers or {}), dict(extra or {})


def body_of(
    status: int, code: str, detail: str, request_id: str, extra: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The problem document."""
    return {
        "type": f"urn:salescience:problem:{code}",
        "title": _TITLES.get(status, "Error"),
        "status": status,
        "code": code,
        "detail": detail,
        "request_id": request_id,
        **(extra or {}),
    }


def response_of(request: Request, problem: Problem) -> JSONResponse:
    """The problem as a response."""
    request_id = getattr(request.state, "request_id", "")
    content = body_of(
        problem.status, problem.code, problem.detail, request_id, {"status": problem.status, **problem.extra}
    )
    return JSONResponse(
        content, status_code=problem.status, headers=problem.headers, media_type="application/problem+json"
    )


def not_found() -> Problem:
    """What does not exist and what belongs to somebody else are one and the same."""
    return Problem(404, "not_found", "There is no such thing, or it is not yours.")


_KNOWN: dict[type[Exception], tuple[int, str, Mapping[str, str]]] = {
    InvalidIdentifier: (422, "invalid_identifier", {}),
    IdempotencyConflict: (422, "idempotency_key_reused", {}),
    TooManyOpenJobs: (429, "too_many_open_jobs", {"Retry-After": "30"}),
    NotCancellable: (409, "job_is_over", {}),
    NotRetryable: (409, "nothing_to_retry", {}),
    OrganizationShredded: (410, "organization_shredded", {}),
    KeyUnavailable: (503, "keys_unavailable", {"Retry-After": "60"}),
}
"""Errors of the rooms below that are answers."""


def _known(error: Exception) -> Problem:
    status, code, headers = next(found for kind, found in _KNOWN.items() if isinstance(error, kind))
    detail = str(error)
    if isinstance(error, KeyUnavailable):
        # Which key is missing is the operator's to know.
        _log.error("%s", error)
        detail = "The keys of this organization cannot be reached."
    return Problem(status, code, detail, headers=headers)


def _of_validation(error: RequestValidationError) -> Problem:
    found = [
        {
            "where": "/".join(str(part) for part in item["loc"])[:200],
            "what": str(item["msg"])[:200],
            "kind": item["type"],
        }
        for item in error.errors()[:_SHOWN_ERRORS]
    ]
    if any(item["kind"] == "json_invalid" for item in found):
        return Problem(422, "invalid_json", "The body is not JSON.", extra={"errors": found})
    first = found[0] if found else {"where": "request", "what": "is not valid"}
    return Problem(422, "invalid_request", f"{first['where']}: {first['what']}.", extra={"errors": found})


def _allowed(request: Request) -> list[str]:
    """The methods of a path; the router itself tells only those of its first route."""
    scope = dict(request.scope)
    routes = request.app.routes
    return [
        method
        for method in _METHODS
        if any(route.matches({**scope, "method": method})[0] is Match.FULL for route in routes)
    ]


def install(app: FastAPI) -> None:
    """Teach ``app`` to answer errors as problem documents; what nobody expected is answered by ``middleware``."""

    @app.exception_handler(Problem)
    async def _problem(request: Request, error: Problem) -> JSONResponse:
        return response_of(request, error)

    @app.exception_handler(RequestValidationError)
    async def _validation(request: Request, error: RequestValidationError) -> JSONResponse:
        return response_of(request, _of_validation(error))

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        code, headers = _CODES.get(error.status_code, "error"), dict(error.headers or {})
        if error.status_code == 405:
            headers["Allow"] = ", ".join(_allowed(request))
        return response_of(request, Problem(error.status_code, code, str(error.detail), headers=headers))

    async def _expected(request: Request, error: Exception) -> JSONResponse:
        return response_of(request, _known(error))

    for kind in _KNOWN:
        app.add_exception_handler(kind, _expected)
