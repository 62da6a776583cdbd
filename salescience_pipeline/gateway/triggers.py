"""The providers' jobs by name: a route for each, as a scheduler in the cloud calls them, and one to start any by hand.

What does not belong here: what a job does (the catalogue's row says it, a run does it).
"""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import json
import uuid
from collections.abc import Callable, Coroutine, Mapping
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field, StringConstraints
from starlette.concurrency import run_in_threadpool

from salescience_pipeline.catalog.jobs import JOBS, Job, UnknownJob, job_named
from salescience_pipeline.catalog.scopes import Scope
from salescience_pipeline.gateway.models import Strict
from salescience_pipeline.gateway.problems import Problem
from salescience_pipeline.gateway.state import Caller, Calling
from salescience_pipeline.identifiers import OrganizationId
from salescience_pipeline.ledger.job_model import JobView, NewJob, Once, PlannedSource

SCHEDULED = 0
"""The priority of what a schedule starts: behind what a person waits for."""
_POLL_SECONDS, _LONGEST_WAIT = 0.25, 30
_NEW_YORK = ZoneInfo("America/New_York")
router = APIRouter(tags=["scheduled jobs"])
Wait = Annotated[int, Query(ge=0, le=_LONGEST_WAIT, description="Seconds to wait for the job's end before answering.")]
Name = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=63, pattern=r"^[A-Za-z0-9_\-]+$")]


def _spelled(value: object) -> object:
    """A moment as text; a bare number has no zone and could be seconds or milliseconds."""
    if not isinstance(value, str | dt.datetime):
        raise ValueError("must be a time in ISO 8601")  # noqa: TRY004 - pydantic reports ValueError
    return value


class TriggerRequest(Strict):
    """Which job, for which scope, and for which logical time."""

    scope: Name = Field(description="entire_watchlist, active_symbols, indices or none, in either case.")
    job: Name = Field(examples=["finnhub-quote-portfolio"])
    run_time: Annotated[AwareDatetime, BeforeValidator(_spelled)] | None = Field(
        None, description="The time the run stands for, ISO 8601 with a zone; the same again starts nothing new."
    )


class TriggerResponse(BaseModel):
    """What was started, and how it stands."""

    accepted: bool
    job_id: str
    status: str
    run_ids: list[str]


@router.post("/manual/trigger-job", status_code=202, response_model=TriggerResponse)
async def trigger(body: TriggerRequest, response: Response, caller: Calling, wait: Wait = 0) -> Mapping[str, Any]:
    """Start any job by hand."""
    try:
        job = job_named(body.job)
    except UnknownJob as error:
        raise Problem(404, "unknown_job", str(error)) from None
    return await _start(job, body, response, caller, wait)


def route_of(name: str) -> str:
    """The path of a job's own route: ``finnhub-quote-portfolio`` is ``/finnhub/quote-portfolio``."""
    provider = next((known for known in ("alpha-vantage",) if name.startswith(f"{known}-")), name.partition("-")[0])
    return f"/{provider}/{name.removeprefix(f'{provider}-')}"


def _route(job: Job) -> Callable[..., Coroutine[Any, Any, Mapping[str, Any]]]:
    async def start(body: TriggerRequest, response: Response, caller: Calling, wait: Wait = 0) -> Mapping[str, Any]:
        if body.job.lower().replace("_", "-") != job.name:
            raise Problem(422, "wrong_job", f"This route runs {job.name}, and the body names another job.")
        return await _start(job, body, response, caller, wait)

    return start


ROUTES = {route_of(job.name): job for job in JOBS.values()}
"""Path of each job's own route."""
for _path, _job in ROUTES.items():
    router.add_api_route(
        _path, _route(_job), methods=["POST"], status_code=202, response_model=TriggerResponse,
        summary=_job.name, description=_job.description, operation_id=f"start_{_job.dagster_name}",
    )  # fmt: skip


async def _start(job: Job, body: TriggerRequest, response: Response, caller: Caller, wait: int) -> Mapping[str, Any]:
    principal = await run_in_threadpool(caller.acting, "jobs:trigger")
    scope = _scope(body.scope)
    if scope is not job.scope:
        raise Problem(422, "wrong_scope", f"{job.name} runs for {job.scope.value}, not for {scope.value}.")
    new = _new_job(job, scope, body, caller.request_id)
    once = None
    if body.run_time is not None:
        # A scheduler that heard no answer asks again: the same job for the same time is the same run.
        said = json.dumps([job.name, scope.value, body.run_time.astimezone(dt.UTC).isoformat()])
        digest = hashlib.sha256(said.encode()).hexdigest()
        once = Once(f"trigger:{digest}", digest, {"job_id": new.job_id})
    before = await run_in_threadpool(
        caller.state.ledger.jobs.create, principal.organization_id, [new], actor=principal.key_id,
        max_open=principal.max_open_jobs, once=once,
    )  # fmt: skip
    if before is not None:
        response.headers["Idempotent-Replayed"] = "true"
    job_id = str(before["job_id"]) if before is not None else new.job_id
    view = await _ended(caller, principal.organization_id, job_id, wait)
    response.headers["Location"] = f"/status/{job_id}?organization_id={principal.organization_id}"
    if view.status.is_final:
        response.status_code = 200
    runs = sorted({source.run_id for source in view.sources if source.run_id})
    return {"accepted": True, "job_id": job_id, "status": view.status.value, "run_ids": runs}


def _scope(name: str) -> Scope:
    try:
        return Scope(name.lower())
    except ValueError:
        known = ", ".join(scope.value for scope in Scope)
        raise Problem(422, "unknown_scope", f"There is no scope {name!r}; there are {known}.") from None


def _new_job(job: Job, scope: Scope, body: TriggerRequest, request_id: str) -> NewJob:
    request: dict[str, Any] = {"scope": scope.value}
    if body.run_time is not None:
        request |= {
            "run_time": body.run_time.isoformat(), "day": body.run_time.astimezone(_NEW_YORK).date().isoformat(),
        }  # fmt: skip
    source = PlannedSource(job.name, job.provider, "*")
    return NewJob(str(uuid.uuid4()), "trigger", job.name, request, [source], request_id, SCHEDULED)


async def _ended(caller: Caller, organization: OrganizationId, job_id: str, wait: int) -> JobView:
    ends = asyncio.get_running_loop().time() + wait
    while True:
        view = await run_in_threadpool(caller.state.ledger.jobs.view, organization, job_id)
        assert view is not None
        if view.status.is_final or asyncio.get_running_loop().time() >= ends:
            return view
        await asyncio.sleep(_POLL_SECONDS)
