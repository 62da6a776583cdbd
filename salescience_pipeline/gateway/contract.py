"""The OpenAPI document: what FastAPI reads off the routes, and what only the configuration knows.

Keys, the organisation that must be named where no key says it, the jobs that a route runs, the services that a task may
name, and the paths that are passed on. A client that is made from the document, or a tester that reads it, is told nothing
that is refused later for its form. What does not belong here: checking (models and routes do it).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fastapi import FastAPI

from salescience_pipeline.catalog.jobs import JOBS, Job
from salescience_pipeline.gateway.models import ORGANIZATION_PATTERN
from salescience_pipeline.identifiers import TableName

OPEN = frozenset({"/", "/health", "/health/ready", "/health/status", "/health/status/{service}"})
"""Routes that answer everybody; they hold nothing of any organisation."""
NAMED = "compulsory where no API key says it"
"""What the description of a parameter holds whose value a key replaces."""
PASSED_PATH = r"^(?!\.{1,2}$)[^\x00-\x1f\x7f/\\@%]+$"
"""One segment below a route that is passed on; several are joined by slashes."""
_PATTERNS: Mapping[str, str] = {"organization_id": ORGANIZATION_PATTERN, "table": f"^{TableName.pattern.pattern}$"}
"""Parameters whose own types refuse what does not match, with a sentence of their own."""
_SCHEMES: Mapping[str, Mapping[str, str]] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key (`salescience keys create`), or a token where `jwt` is on.",
    },
    "header": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "The same key, in a header of its own.",
    },
}


def install(
    app: FastAPI, *, needs_key: bool, services: Callable[[], Iterable[str]], job_paths: Mapping[str, Job]
) -> None:
    """Let ``app`` describe itself.

    Args:
        app: With all of its routes.
        needs_key: Whether requests without a key are refused.
        services: The names that a task may hold.
        job_paths: Path of each job's own route.
    """
    plain = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = plain()
            document.setdefault("components", {})["securitySchemes"] = {name: dict(of) for name, of in _SCHEMES.items()}
            for path, operations in document["paths"].items():
                for operation in operations.values():
                    for parameter in operation.get("parameters", ()):
                        _say_no_null(parameter["schema"])
                        if parameter["name"] in _PATTERNS:
                            parameter["schema"]["pattern"] = _PATTERNS[parameter["name"]]
                    _secure(path, operation, needs_key=needs_key)
                    if "{path}" in path:
                        operation["parameters"] = [*operation.get("parameters", ()), _path_parameter()]
            _tell_jobs(document, job_paths)
            _tell_services(document, sorted(services()))
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]


def _secure(path: str, operation: dict[str, Any], *, needs_key: bool) -> None:
    if path in OPEN:
        operation["security"] = []
        return
    with_key: list[dict[str, list[str]]] = [{name: []} for name in _SCHEMES]
    operation["security"] = with_key if needs_key else [{}, *with_key]
    if not needs_key:
        for parameter in operation.get("parameters", ()):
            if NAMED in parameter.get("description", ""):
                parameter["required"] = True


def _say_no_null(schema: dict[str, Any]) -> None:
    """A parameter is there or not; addresses and headers have no null."""
    kinds = [kind for kind in schema.pop("anyOf", ()) if kind.get("type") != "null"]
    if len(kinds) == 1:
        schema |= kinds[0]
    elif kinds:
        schema["anyOf"] = kinds


def _path_parameter() -> dict[str, Any]:
    return {
        "name": "path", "in": "path", "required": True, "description": "What the service itself knows by this path.",
        "schema": {"type": "string", "pattern": PASSED_PATH},
    }  # fmt: skip


def _tell_jobs(document: Mapping[str, Any], job_paths: Mapping[str, Job]) -> None:
    """Give each job's route a body of its own, and the one for any job all pairs of job and scope."""
    for path, job in job_paths.items():
        example = {"scope": job.scope.value, "job": job.name, "run_time": "2024-01-01T10:00:00Z"}
        _set_body(document, path, "".join(word.title() for word in job.name.split("-")), [job], example)
    example = {"scope": "active_symbols", "job": "finnhub-quote-portfolio"}
    _set_body(document, "/manual/trigger-job", "AnyJob", list(JOBS.values()), example)


def _set_body(document: Mapping[str, Any], path: str, name: str, jobs: list[Job], example: Mapping[str, str]) -> None:
    schemas = document["components"]["schemas"]
    schema = copy.deepcopy(schemas["TriggerRequest"])
    pairs = [
        {"job": {"enum": [job.name, job.dagster_name]}, "scope": {"enum": [job.scope.value, job.scope.value.upper()]}}
        for job in jobs
    ]
    if len(pairs) == 1:
        for field, allowed in pairs[0].items():
            schema["properties"][field] |= allowed
    else:
        schema["anyOf"] = [{"properties": pair} for pair in pairs]
    title = f"Trigger{name}Request"
    schemas[title] = {**schema, "title": title}
    document["paths"][path]["post"]["requestBody"]["content"]["application/json"] = {
        "schema": {"$ref": f"#/components/schemas/{title}"}, "example": dict(example),
    }  # fmt: skip


def _tell_services(document: Mapping[str, Any], services: list[str]) -> None:
    schema = document["components"]["schemas"]["OrchestrateRequest"]["properties"]["payload"]["items"]
    schema |= {"propertyNames": {"enum": services}, "minProperties": 1}
