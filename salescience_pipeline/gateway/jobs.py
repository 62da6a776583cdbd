"""Where a job stands, what happens to it, and what its owner may do about it.

What does not belong here: making a job (``submit``), and its results (``results``).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import datetime as dt
import json
import re
import time
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from salescience_pipeline.gateway.models import JobList, JobStatusResponse
from salescience_pipeline.gateway.problems import Problem, not_found
from salescience_pipeline.gateway.state import Caller, Calling
from salescience_pipeline.identifiers import OrganizationId
from salescience_pipeline.ledger.job_model import Event, JobView

router = APIRouter(tags=["jobs"])
Organization = Annotated[
    str | None,
    Query(
        max_length=200,
        description="Whose job it is; compulsory where no API key says it.",
    ),
]
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_POLL_SECONDS, _COMMENT_SECONDS, _STREAM_SECONDS = 0.25, 15.0, 900.0


def is_id(text: str) -> bool:
    """Whether ``text`` is spelt like the ids that this service gives."""
    return _ID.fullmatch(text) is not None


def job_of(caller: Caller, scope: str, job_id: str, organization_id: str | None) -> JobView:
    """The caller's job.

    Raises:
        Problem: 404 when there is none, whether it does not exist or is somebody else's.
    """
    principal = caller.reading(scope, organization_id)
    job = caller.state.ledger.jobs.view(principal.organization_id, job_id) if is_id(job_id) else None
    if job is None:
        raise not_found()
    return job


@router.get("/status/{job_id}", response_model=JobStatusResponse)
def status(job_id: str, caller: Calling, organization_id: Organization = None) -> Mapping[str, Any]:
    """The job's status and that of each source."""
    job = job_of(caller, "jobs:read", job_id, organization_id)
    return {
        "job_id": job.job_id,
        "status": job.status.value,
        "sources": {source.key: source.status.value for source in job.sources},
    }


@router.get("/jobs", response_model=JobList)
def listed(
    caller: Calling,
    organization_id: Organization = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Mapping[str, Any]:
    """The organisation's jobs, newest first."""
    principal = caller.acting("jobs:read", organization_id, missing="query/organization_id")
    before = None if cursor is None else position_of(cursor)
    rows = caller.state.ledger.jobs.listed(principal.organization_id, limit=limit + 1, before=before)
    shown = rows[:limit]
    more = cursor_of(shown[-1]["created_at"], shown[-1]["job_id"]) if len(rows) > limit else None
    return {"jobs": shown, "next": more}


def cursor_of(moment: dt.datetime, job_id: str) -> str:
    """Where a page ended, as text for the next question."""
    return base64.urlsafe_b64encode(json.dumps([moment.isoformat(), job_id]).encode()).decode()


def position_of(cursor: str) -> tuple[dt.datetime, str]:
    """Where the last page ended.

    Raises:
        Problem: 422 for a cursor that no page had.
    """
    try:
        moment, job_id = json.loads(base64.urlsafe_b64decode(cursor.encode("ascii")))
        found = dt.datetime.fromisoformat(moment)
        known = found.tzinfo is not None and isinstance(job_id, str) and is_id(job_id)
    except (ValueError, TypeError, binascii.Error):
        known = False
    if not known:
        raise Problem(404, "invalid_cursor", "The cursor is none that this service gave.")
    return found, job_id


def _cancelled(caller: Caller, job_id: str, organization_id: str | None) -> Mapping[str, Any]:
    job = job_of(caller, "jobs:write", job_id, organization_id)
    principal = caller.acting("jobs:write", job.organization_id)
    caller.state.ledger.jobs.cancel(
        principal.organization_id, job_id, actor=principal.key_id, request_id=caller.request_id
    )
    return status(job_id, caller, job.organization_id)


@router.delete("/jobs/{job_id}", response_model=JobStatusResponse)
def delete(job_id: str, caller: Calling, organization_id: Organization = None) -> Mapping[str, Any]:
    """Cancel what is not finished; what is, stays."""
    return _cancelled(caller, job_id, organization_id)


@router.post("/jobs/{job_id}/cancel", response_model=JobStatusResponse)
def cancel(job_id: str, caller: Calling, organization_id: Organization = None) -> Mapping[str, Any]:
    """Cancel what is not finished; what is, stays."""
    return _cancelled(caller, job_id, organization_id)


@router.post("/jobs/{job_id}/retry", status_code=202, response_model=JobStatusResponse)
def retry(job_id: str, caller: Calling, organization_id: Organization = None) -> Mapping[str, Any]:
    """Try again what failed or was cancelled; what came through is not fetched twice."""
    job = job_of(caller, "jobs:write", job_id, organization_id)
    principal = caller.acting("jobs:write", job.organization_id)
    caller.state.ledger.jobs.retry(
        principal.organization_id, job_id, actor=principal.key_id, request_id=caller.request_id
    )
    return status(job_id, caller, job.organization_id)


@router.get(
    "/jobs/{job_id}/events",
    response_class=StreamingResponse,
    responses={200: {"description": "Events", "content": {"text/event-stream": {}}}},
)
def events(
    job_id: str,
    caller: Calling,
    organization_id: Organization = None,
    last_event_id: Annotated[str | None, Header(pattern="^[0-9]{1,18}$")] = None,
) -> Response:
    """Everything that happens to the job, as server-sent events; `Last-Event-ID` goes on where a connection broke."""
    job = job_of(caller, "jobs:read", job_id, organization_id)
    after = int(last_event_id or 0)
    return StreamingResponse(
        _stream(caller, OrganizationId(job.organization_id), job_id, after),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _stream(caller: Caller, organization: OrganizationId, job_id: str, after: int) -> AsyncIterator[str]:
    ledger, spoken = caller.state.ledger, time.monotonic()
    ends = spoken + _STREAM_SECONDS
    while time.monotonic() < ends:
        found = await run_in_threadpool(ledger.jobs.events, organization, job_id, after=after)
        for event in found:
            after, spoken = event.seq, time.monotonic()
            yield _frame(event)
        if not found:
            job = await run_in_threadpool(ledger.jobs.view, organization, job_id)
            if job is None or job.status.is_final:
                # The last event may have been written between the two looks.
                for event in await run_in_threadpool(ledger.jobs.events, organization, job_id, after=after):
                    yield _frame(event)
                return
            if time.monotonic() - spoken > _COMMENT_SECONDS:
                spoken = time.monotonic()
                yield ": still here\n\n"
            await asyncio.sleep(_POLL_SECONDS)


def _frame(event: Event) -> str:
    data = {"status": event.status, "at": event.at.isoformat().replace("+00:00", "Z")}
    if event.key is not None:
        data["source"] = event.key
    return f"id: {event.seq}\nevent: {event.kind}\ndata: {json.dumps(data)}\n\n"
