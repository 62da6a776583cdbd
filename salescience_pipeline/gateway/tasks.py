"""/api/orchestrate and /api/tasks: a payload is split into service requests, which go out side by side.

A task is rows first (the outbox); any gateway process works them off, so that a killed one loses nothing. What does not
belong here: addresses, breaker and retries (``upstreams``).
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from salescience_pipeline.gateway.jobs import is_id
from salescience_pipeline.gateway.models import Strict, Words
from salescience_pipeline.gateway.problems import Problem, not_found
from salescience_pipeline.gateway.state import Caller, Calling, State
from salescience_pipeline.gateway.upstreams import Upstreams
from salescience_pipeline.ledger.tasks import Call, NewCall

_log = logging.getLogger("salescience.gateway")
SERVICES = ("revenue", "rebates", "specialty")
"""Services that may always be named; where one is not configured, its requests fail and say so."""
_LOOK_SECONDS, _AT_ONCE = 0.5, 20
_MAX_ITEMS, _MAX_CALLS = 500, 1_000


class Scenario(Strict):
    """What a service computes."""

    scenario_id: UUID
    business_type_id: UUID


class OrchestrateRequest(Strict):
    """A task: a list of objects, each naming services and what they compute."""

    task_name: Words
    task_description: Words | None = None
    payload: Annotated[list[dict[str, Scenario]], Field(min_length=1, max_length=_MAX_ITEMS)]


class TaskAccepted(BaseModel):
    """A task that was taken in."""

    task_id: str
    status: str


class TaskRow(BaseModel):
    """A task as stored."""

    id: int
    task_id: str
    task_name: str
    task_description: str | None
    status: str
    created_at: dt.datetime
    updated_at: dt.datetime
    payload: list[Any]
    error_message: str | None


class ServiceRequestRow(BaseModel):
    """One request of a task as stored."""

    id: int
    task_id: str
    service_name: str
    scenario_id: str | None
    business_type_id: str | None
    status: str
    created_at: dt.datetime
    updated_at: dt.datetime
    request_payload: dict[str, Any]
    response_payload: Any
    error_message: str | None


class TaskDetail(TaskRow):
    """A task with its requests."""

    service_requests: list[ServiceRequestRow]


class TaskList(BaseModel):
    """A page of tasks, newest first."""

    tasks: list[TaskRow]
    next: int | None


def split(payload: Sequence[Mapping[str, Mapping[str, Any]]], known: Sequence[str]) -> list[NewCall]:
    """One request per item and service, in order.

    Raises:
        Problem: 422 for an unknown service, naming it, for a payload that asks for nothing, and for one that asks too much.
    """
    calls: list[NewCall] = []
    for item in payload:
        if not item:
            raise Problem(422, "empty_payload", "Every item of the payload names a service at least.")
        for service, asked in item.items():
            if service not in known:
                names = ", ".join(sorted(known))
                raise Problem(422, "unknown_service", f"There is no service {service[:60]!r}; there are {names}.")
            calls.append(NewCall(service, asked))
    if len(calls) > _MAX_CALLS:
        raise Problem(422, "payload_too_large", f"A task may hold {_MAX_CALLS} service requests at most.")
    return calls


class FanOut:
    """Works off the outbox: claims requests, calls their services side by side, writes what they said."""

    def __init__(self, state: State, services: Upstreams) -> None:
        """Nothing is asked before :meth:`start`."""
        self._state, self.services = state, services
        self._task: asyncio.Task[None] | None = None

    def known(self) -> tuple[str, ...]:
        """The services that a task may name."""
        return tuple(dict.fromkeys((*SERVICES, *self.services.names())))

    def start(self) -> None:
        """Begin to work, in the background."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Stop; what is claimed is claimed again by another process, or by the next one."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self.services.close()

    async def _run(self) -> None:
        while True:
            try:
                calls = await run_in_threadpool(self._state.ledger.tasks.claim, limit=_AT_ONCE)
                await self.work(calls)
            except Exception as error:  # noqa: BLE001 - the database may be away; the next look may find it back
                calls = []
                _log.warning("the fan-out could not work: %s", type(error).__name__)
            if not calls:
                await asyncio.sleep(_LOOK_SECONDS)

    async def work(self, calls: Sequence[Call]) -> None:
        """Call the services of ``calls`` side by side."""
        await asyncio.gather(*(self._call(call) for call in calls))

    async def _call(self, call: Call) -> None:
        response, error = None, None
        try:
            reply = await self.services.send(
                call.service_name, "POST", "", body=json.dumps(dict(call.payload)).encode(),
                headers={
                    "content-type": "application/json", "accept": "application/json", "accept-encoding": "identity",
                    "x-organization-id": str(call.organization_id),
                    **({"x-request-id": call.request_id} if call.request_id else {}),
                    # The same request again is the same one for a service that keeps count.
                    "idempotency-key": f"{call.task_id}-{call.id}",
                },
            )  # fmt: skip
            if reply.status >= 400:
                error = f"The service {call.service_name} answered with status {reply.status}."
            else:
                response = json.loads(reply.body, parse_constant=_no_number)
        except Problem as problem:
            error = problem.detail
        except ValueError:
            error = f"The service {call.service_name} did not answer with JSON."
        await run_in_threadpool(self._state.ledger.tasks.settle, call, response=response, error=error)


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def build_router(state: State, fan_out: FanOut) -> APIRouter:
    """The routes."""
    router = APIRouter(prefix="/api", tags=["orchestration"])

    def created(caller: Caller, body: OrchestrateRequest, *, claimed: bool) -> str:
        principal = caller.acting("tasks:write")
        payload = body.model_dump(mode="json")["payload"]
        calls = split(payload, fan_out.known())
        return state.ledger.tasks.create(
            principal.organization_id, name=body.task_name, description=body.task_description, payload=payload,
            calls=calls, actor=principal.key_id, request_id=caller.request_id, claimed=claimed,
        )  # fmt: skip

    @router.post("/orchestrate", status_code=202, response_model=TaskAccepted)
    def orchestrate(body: OrchestrateRequest, response: Response, caller: Calling) -> Mapping[str, Any]:
        """Take a task in; its requests go out by themselves."""
        task_id = created(caller, body, claimed=False)
        response.headers["Location"] = f"/api/tasks/{task_id}"
        return {"task_id": task_id, "status": "PENDING"}

    @router.post("/orchestrate/direct", response_model=TaskDetail)
    async def direct(body: OrchestrateRequest, caller: Calling) -> Mapping[str, Any]:
        """Work a task off at once and answer with its end; for tests."""
        if state.settings.is_live and not state.settings.orchestrate_direct:
            raise Problem(403, "direct_disabled", "Direct orchestration is off here; use /api/orchestrate.")
        task_id = await run_in_threadpool(created, caller, body, claimed=True)
        organization = (await run_in_threadpool(caller.acting, "tasks:write")).organization_id
        await fan_out.work(await run_in_threadpool(state.ledger.tasks.calls_of, organization, task_id))
        view = await run_in_threadpool(state.ledger.tasks.view, organization, task_id)
        assert view is not None
        return view

    @router.get("/tasks", response_model=TaskList)
    def listed(
        caller: Calling,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        cursor: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
        status: Annotated[str | None, Query(pattern="^(PENDING|IN_PROGRESS|COMPLETED|FAILED)$")] = None,
    ) -> Mapping[str, Any]:
        """The tasks, newest first."""
        principal = caller.acting("tasks:read")
        rows = state.ledger.tasks.listed(principal.organization_id, limit=limit + 1, before=cursor, status=status)
        return {"tasks": rows[:limit], "next": rows[limit - 1]["id"] if len(rows) > limit else None}

    @router.get("/tasks/{task_id}", response_model=TaskDetail)
    def one(task_id: str, caller: Calling) -> Mapping[str, Any]:
        """A task with its service requests."""
        principal = caller.acting("tasks:read")
        view = state.ledger.tasks.view(principal.organization_id, task_id) if is_id(task_id) else None
        if view is None:
            raise not_found()
        return view

    return router
