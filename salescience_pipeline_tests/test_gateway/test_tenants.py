"""Two organisations, every route, every id: generated from the OpenAPI document, so that a new route is tried by itself.

The other organisation's administrator tries everything that acme has. Whatever is asked, the answer must be the same as for
something that does not exist, nothing of acme's may stand in it, and nothing of acme's may have changed afterwards. The
same holds on PostgreSQL with the application's own filter taken out of every statement; on SQLite, where that filter is the
only wall, the same trial must find the hole.
"""

from __future__ import annotations

import itertools
import json
import re
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from sqlalchemy import Engine, create_engine, event, text

from salescience_pipeline.gateway.app import create_app
from salescience_pipeline.lake.results import Results
from salescience_pipeline.ledger import Ledger
from salescience_pipeline.ledger.job_model import Content, Outcome
from salescience_pipeline.ledger.job_rules import SourceStatus
from salescience_pipeline.ledger.scoping import looking, writing
from salescience_pipeline.ledger.service_models import PRIVATE_TABLES
from salescience_pipeline.settings import Settings
from salescience_pipeline_tests.test_gateway.conftest import ACME, OTHER
from salescience_pipeline_tests.test_gateway.examples import SCENARIO, TASK
from salescience_pipeline_tests.test_gateway.serving import served

_SECRET = "only-for-acme-7f3a"
_NAMED: tuple[list[tuple[str, str]], ...] = (
    [],
    [("organization_id", "acme")],
    [("organization_id", "other"), ("organization_id", "acme")],
)
_FORGED = {"X-Organization-ID": "acme", "X-Forwarded-Host": "acme", "X-Original-URL": "/jobs?organization_id=acme"}
_OPEN = {
    "/",
    "/health",
    "/health/ready",
    "/health/status",
    "/health/status/{service}",
    "/ui/page.css",
    "/ui/page.js",
    "/ui/icon.svg",
    "/docs",
}
"""Routes that answer everybody; they hold nothing of any organisation."""


@dataclass
class World:
    """A gateway, the other organisation's client, and what acme has."""

    app: FastAPI
    client: httpx.Client
    """Signed in as the other organisation's administrator."""
    keys: Mapping[str, str]
    ids: Mapping[str, str]
    """Every id of acme's, by what it is."""
    owner: Engine
    """Sees all rows, for the comparison of before and after."""
    findings: list[str] = field(default_factory=list)
    asked: int = 0


# -- what can be asked ----------------------------------------------------------------------------------------------------
def _routes(app: FastAPI) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Method, path and operation of every route: those of the document, and the pages that stand in none."""
    for path, operations in app.openapi()["paths"].items():
        for method, operation in operations.items():
            yield method.upper(), path, operation
    for route in _flat(app.routes):
        if not route.include_in_schema:
            yield from ((method, route.path, {}) for method in sorted(route.methods))


def _flat(routes: Sequence[Any]) -> Iterator[APIRoute]:
    for route in routes:
        if isinstance(route, APIRoute):
            yield route
        nested = getattr(route, "routes", None) or getattr(getattr(route, "original_router", None), "routes", None)
        if nested:
            yield from _flat(nested)


def _example(schema: Mapping[str, Any], defined: Mapping[str, Any]) -> Any:  # noqa: PLR0911 - a case per kind
    """The smallest value that a schema describes."""
    if "$ref" in schema:
        return _example(defined[schema["$ref"].rpartition("/")[2]], defined)
    if examples := schema.get("examples"):
        return examples[0]
    options = schema.get("anyOf") or schema.get("oneOf")
    # Of an object they say which fields belong together.
    if options and "properties" not in schema:
        return _example(options[0], defined)
    match schema.get("type"):
        case "object":
            needed = {name: schema["properties"][name] for name in schema.get("required", ())}
            more = schema.get("additionalProperties")
            made = {name: _example(inner, defined) for name, inner in needed.items()}
            return made or ({"revenue": _example(more, defined)} if isinstance(more, dict) else {})
        case "array":
            return [_example(schema["items"], defined)]
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
    if schema.get("format") == "uuid":
        return str(uuid.uuid4())
    return schema.get("enum", [schema.get("const", "https://example.com/x")])[0]


def _bodies(
    operation: Mapping[str, Any], defined: Mapping[str, Any], ids: Mapping[str, str]
) -> Iterator[tuple[Any, Any]]:
    """Bodies for an operation: the smallest, and one for each text in it with each of acme's ids; beside each, nobody's."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    if not content:
        return
    smallest = _example(content["schema"], defined)
    yield smallest, smallest
    shape = defined[content["schema"]["$ref"].rpartition("/")[2]]
    for name, inner in shape.get("properties", {}).items():
        if "string" in json.dumps(inner) and name != "organization_id":
            for value in ids.values():
                yield {**smallest, name: value}, {**smallest, name: _nobodys(value)}
                if not shape.get("required"):
                    yield {name: value}, {name: _nobodys(value)}


def _paths(path: str, ids: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The path with each combination of acme's ids in its places, and the same with ids that nobody has."""
    names = re.findall(r"{(\w+)(?::\w+)?}", path)
    # What is passed on to a service is nobody's id here: one is enough.
    kinds = ["job_id"] if names == ["path"] else list(ids)
    for chosen in itertools.product(kinds, repeat=len(names)):
        real, unknown = path, path
        for name, kind in zip(names, chosen, strict=True):
            real = re.sub(rf"{{{name}(:\w+)?}}", lambda _, kind=kind: ids[kind], real)
            unknown = re.sub(rf"{{{name}(:\w+)?}}", lambda _, kind=kind: _nobodys(ids[kind]), unknown)
        yield real, unknown


def _nobodys(text: str) -> str:
    """An id of the same shape that nobody has."""
    if text.isdigit():
        return str(int(text) + 1_000)
    if re.fullmatch(r"[0-9a-f]{16,}", text):
        return text[:-2] + ("00" if text[-2:] != "00" else "11")
    try:
        uuid.UUID(text)
    except ValueError:
        return re.sub(r"[a-z]", "q", text) if text.islower() else f"ZZ{text[2:]}"
    return str(uuid.UUID(int=uuid.UUID(text).int ^ 0xFFFF))


# -- the worlds -------------------------------------------------------------------------------------------------------------
@contextmanager
def _world(settings: Settings, owner: Engine) -> Iterator[World]:
    settings.root.mkdir(parents=True, exist_ok=True)
    app = create_app(settings)
    with (
        Ledger.of(settings) as ledger,
        served(app) as url,
        httpx.Client(base_url=url, timeout=30) as client,
    ):
        acme, row = ledger.organizations.create_key(ACME, scopes=["admin"])
        other, _ = ledger.organizations.create_key(OTHER, scopes=["admin"])
        client.headers["Authorization"] = f"Bearer {acme}"
        ids = {"key_id": row.key_id, **_fill(client, ledger, settings)}
        client.headers["Authorization"] = f"Bearer {other}"
        yield World(app, client, {"acme": acme, "other": other}, ids, owner)


def _fill(client: httpx.Client, ledger: Ledger, settings: Settings) -> dict[str, str]:
    """Give acme one of everything; returns the ids."""
    body = {"companies": [{"ticker": "AAPL"}], "organization_id": "acme", "user_id": _SECRET}
    job_id = client.post("/submit", json=body, headers={"Idempotency-Key": "once"}).json()["job_ids"][0]
    content = json.dumps({"text": _SECRET}).encode()
    digest = Results(settings.lake_dir).put(content)
    # A small job's chunks are given out one after the other, to one run.
    while chunks := ledger.dispatch.pick(window=9):
        for chunk in chunks:
            assert ledger.dispatch.claim(chunk.run_key, "run") is not None
            outcome = Outcome("AAPL:Yahoo", SourceStatus.SUCCESS, Content(digest, "json", len(content)))
            missing = Outcome("AAPL:SEC:0", SourceStatus.FAILED, error=_SECRET)
            ledger.jobs.settle(ACME, job_id, "run", [outcome, missing])
            ledger.dispatch.finish(chunk.run_key, "run")
    task = {**TASK, "task_name": _SECRET, "payload": [{"revenue": SCENARIO}]}
    task_id = client.post("/api/orchestrate", json=task).json()["task_id"]
    while client.get(f"/api/tasks/{task_id}").json()["status"] not in ("FAILED", "COMPLETED"):
        time.sleep(0.02)
    query = {"name": "query-of-acme", "sql": f"select '{_SECRET}'"}
    assert client.post("/api/queries", json=query).status_code == 201
    hook = {"url": "https://8.8.8.8/acme", "description": _SECRET}
    webhook_id = client.post("/webhooks", json=hook).json()["webhook_id"]
    ledger.dead_letters.bury(kind="job", origin=f"{job_id}:x", reason=_SECRET, body=_SECRET, organization=ACME)
    with writing(ledger.engine, ACME) as connection:
        # A number that stands nowhere else in an answer.
        connection.execute(text("update dead_letters set id = 70001 where organization_id = 'acme'"))
    [letter] = ledger.dead_letters.listed(ACME, limit=9)
    for path in (
        f"/results/{job_id}",
        f"/api/tasks/{task_id}",
        "/api/queries/query-of-acme",
        f"/ui/jobs/{job_id}",
        "/webhooks",
    ):
        assert _SECRET in client.get(path).text, path
    return {
        "job_id": job_id, "task_id": task_id, "source": "AAPL:Yahoo", "query": "query-of-acme", "sha256": digest,
        "webhook_id": webhook_id, "letter_id": str(letter.id),
    }  # fmt: skip


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """A world that needs keys; on PostgreSQL as an ordinary role, for which row-level security holds."""
    more: dict[str, Any] = {}
    if request.param == "postgresql":
        engine: Engine = request.getfixturevalue("restricted")
        more["database_url"] = engine.url.render_as_string(hide_password=False)
    settings = Settings(home=tmp_path / "home", gateway_auth="api_key", **more)
    owner = create_engine(settings.ledger_url)
    with _world(settings, owner) as made:
        yield made
    owner.dispose()


def _rows_of_acme(world: World) -> dict[str, list[str]]:
    """Every row that acme owns."""
    found: dict[str, list[str]] = {}
    with looking(world.owner, None) as connection:
        for name in PRIVATE_TABLES:
            rows = connection.execute(text(f"select * from {name} where organization_id = 'acme'")).all()
            found[name] = sorted(map(repr, rows))
    return found


def _try_everything(world: World) -> list[str]:
    """Ask for everything as the other organisation; what was found out or changed, as sentences."""
    before = _rows_of_acme(world)
    assert all(
        before[name]
        for name in (
            "webhooks",
            "dead_letters",
            "jobs",
            "job_sources",
            "tasks",
            "service_requests",
            "saved_queries",
            "audit_log",
        )
    )
    defined = world.app.openapi()["components"]["schemas"]
    # What only reads comes first: later on the other organisation has things of its own, with acme's ids for names.
    for method, path, operation in sorted(_routes(world.app), key=lambda route: route[0] not in ("GET", "HEAD")):
        bodies = list(_bodies(operation, defined, world.ids))
        if operation.get("tags") == ["scheduled jobs"] and path != "/manual/trigger-job":
            bodies = bodies[:1]  # eleven routes with one body
        body = bodies[0][0] if bodies else None
        for real, unknown in _paths(path, world.ids):
            nothing = _ask(world, method, unknown, [], body)
            for named in _NAMED:
                answer = _ask(world, method, real, named, body)
                _judge(world, method, real, answer)
                if real != unknown and not named:
                    _compare(world, (method, real), (answer, real), (nothing, unknown))
        for mine, nobodys in bodies if "{" not in path else ():
            answers = [(_ask(world, method, path, [], body), json.dumps(body)) for body in (mine, nobodys)]
            _judge(world, method, path, answers[0][0])
            if answers[0][0].status_code >= 300:
                _compare(world, (method, path, mine), *answers)
    after = _rows_of_acme(world)
    world.findings += [f"{name} was changed" for name in before if before[name] != after[name]]
    return world.findings


def _ask(world: World, method: str, path: str, named: list[tuple[str, str]], body: Any) -> httpx.Response:
    world.asked += 1
    headers = _FORGED if named else {}
    return world.client.request(method, path, params=httpx.QueryParams(named), json=body, headers=headers)


def _compare(
    world: World, asked: object, mine: tuple[httpx.Response, str], nobodys: tuple[httpx.Response, str]
) -> None:
    """Both answers must say the same but for what was asked for."""
    if _said(*mine) != _said(*nobodys):
        text = mine[0].text
        world.findings.append(f"{asked} is told apart from what does not exist: {text[:200]} {nobodys[0].text[:200]}")


def _said(answer: httpx.Response, asked: str) -> tuple[int, str]:
    """Status and body without what names this one request."""
    text = answer.text
    for part in (answer.headers["x-request-id"], *re.split(r"[/?\" ,]+", asked)):
        text = text.replace(part, "") if len(part) > 3 else text
    return answer.status_code, re.sub(r'"(timestamp|seconds)": ?[^,}]*', "", text)


def _judge(world: World, method: str, path: str, answer: httpx.Response) -> None:
    where = f"{method} {path} -> {answer.status_code}"
    if _SECRET in answer.text:
        world.findings.append(f"{where} shows what is acme's")
    shown = [kind for kind in ("job_id", "task_id") if world.ids[kind] in answer.text and world.ids[kind] not in path]
    if shown and method == "GET":
        world.findings.append(f"{where} shows an id of acme's")
    if answer.status_code >= 500 and (answer.json()["code"] if answer.content else None) not in (
        "upstream_not_configured",
        "nothing_published",
    ):
        world.findings.append(f"{where}: {answer.text[:200]}")


# -- the tests --------------------------------------------------------------------------------------------------------------
def test_threat_1_nobody_sees_or_changes_what_is_anothers(world: World) -> None:
    assert _try_everything(world) == []
    assert world.asked > 500, world.asked


def _take_out_the_filter(engine: Engine) -> None:
    """From now on no statement of ``engine`` is narrowed to an organisation: the comparison is true for every row."""

    @event.listens_for(engine, "before_cursor_execute", retval=True)
    def _rewrite(
        _c: object, _cursor: object, statement: str, parameters: Any, _x: object, _many: bool
    ) -> tuple[str, Any]:
        if "request_windows" in statement:
            return statement, parameters  # the count of requests stands before everything that is tried here
        return re.sub(r"(?:\w+\.)?organization_id = (\?|%\(\w+\)s)", r"\1 IS NOT NULL", statement), parameters


def test_threat_1_and_003_06_the_database_alone_keeps_organisations_apart(world: World) -> None:
    """With our own filter gone PostgreSQL's row-level security holds by itself; SQLite shows that this trial finds holes."""
    _take_out_the_filter(world.app.state.gateway.ledger.engine)
    findings = _try_everything(world)
    if world.owner.dialect.name == "postgresql":
        assert findings == []
    else:
        assert any("told apart" in finding for finding in findings)
        assert any("was changed" in finding for finding in findings)
        # What acme wrote stays its own even so: it is sealed under acme's key.
        assert not any("shows what is acme's" in finding for finding in findings)


def test_000_15_every_route_but_health_wants_a_key(world: World) -> None:
    for method, path, _ in _routes(world.app):
        for real, _ in itertools.islice(_paths(path, world.ids), 1):
            for credentials in ("", "Bearer", "Bearer ssk_x", f"Basic {world.keys['acme']}", f"bearer\t{'x' * 300}"):
                answer = world.client.request(method, real, headers={"Authorization": credentials})
                where = (method, path, credentials[:12], answer.status_code)
                assert (answer.status_code == 401) == (path not in _OPEN), where
                assert world.ids["job_id"] not in answer.text.replace(real, ""), where
