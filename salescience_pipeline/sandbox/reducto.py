"""Reducto as it answers: uploads, parse, extract, split and classify with their asynchronous jobs, webhooks and errors.

The wire format follows the vendor's OpenAPI document and the official client. Not there: editing (the sandbox has no PDF
engine and says so) and studio pipelines other than ``sandbox-parse``. What does not belong here: reading documents
(``reducto_blocks``) and the answers' content (``reducto_jobs``).

Any key is accepted, except one beginning with ``wrong``. Switches (``POST /_sandbox/switches {"reducto": {...}}``):
``job_seconds`` how long a job is pending, ``fail_with`` the name of the failure of every job, ``url_above`` bytes from
which a result is left at an address.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from salescience_pipeline.sandbox import reducto_jobs as work
from salescience_pipeline.sandbox.answers import dumps, json_answer
from salescience_pipeline.sandbox.app import Provider, Sandbox
from salescience_pipeline.sandbox.limits import Limit
from salescience_pipeline.sandbox.reducto_wire import (
    Endpoint,
    Refused,
    fetched,
    file_of,
    guarded,
    limited,
    not_found,
    object_of,
    origin_of,
    posted,
    unlocked,
)

VERSION = "sandbox"
_MAX_UPLOAD = 100_000_000
_URL_ABOVE = 6_000_000
_WEBHOOK_TRIES = 4
_KEPT = 2_000
_KINDS = {"parse": "Parse", "extract": "Extract", "split": "Split", "classify": "Classify", "pipeline": "Pipeline"}

_NEEDED: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "split": {"split_description": ("name", "description")},
    "classify": {"classification_schema": ("category", "criteria")},
    "pipeline": {"pipeline_id": ()},
}
"""Kind of job -> the fields that it needs beside its input, and what each entry of theirs needs."""


@dataclass(slots=True)
class Job:
    """One job and what came of it."""

    id: str
    kind: str
    config: str
    created_at: dt.datetime
    ready_at: float
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    pages: int = 0
    data: bytes = field(default=b"", repr=False)
    cancelled: bool = False


class Reducto:
    """The API over one sandbox; uploads and jobs are kept in memory, the oldest are forgotten."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.uploads: dict[str, bytes] = {}
        self.jobs: dict[str, Job] = {}
        self.results: dict[str, bytes] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def forget(self) -> None:
        """Drop uploads, jobs and results."""
        for kept in (self.uploads, self.jobs, self.results):
            kept.clear()

    # -- endpoints ----------------------------------------------------------------------------------------------------
    async def upload(self, request: Request) -> Response:
        """Take a file, or promise a presigned address for it."""
        data = file_of(request, await request.body())
        if data is not None and len(data) > _MAX_UPLOAD:
            raise Refused(413, "file_too_large", "Files above 100 MB need the presigned address.")
        extension = re.sub(r"[^a-z0-9]", "", request.query_params.get("extension", "").lower())
        file_id = f"reducto://{uuid.uuid4()}" + (f".{extension}" if extension else "")
        if data is not None:
            _keep(self.uploads, file_id, data)
            return json_answer(request, {"file_id": file_id})
        _keep(self.uploads, file_id, b"")
        return json_answer(request, {"file_id": file_id, "presigned_url": f"{origin_of(request)}/put/{file_id[10:]}"})

    async def put(self, request: Request) -> Response:
        """What a presigned address takes."""
        file_id = f"reducto://{request.path_params['name']}"
        if file_id not in self.uploads:
            raise Refused(403, "forbidden", "The presigned address is not valid.")
        self.uploads[file_id] = await request.body()
        return Response(status_code=200)

    async def delete_upload(self, request: Request) -> Response:
        """Forget an upload."""
        file_id = request.path_params["file_id"]
        if self.uploads.pop(file_id, None) is None:
            raise Refused(404, "not_found", "There is no such file.")
        return json_answer(request, {"file_id": file_id})

    def run(self, kind: str) -> Endpoint:
        """The synchronous endpoint of a kind of job."""

        async def endpoint(request: Request) -> Response:
            job = await self._work(kind, await object_of(request), request)
            if job.error is not None:
                raise Refused(job.error["code"], job.error["name"].lower(), job.error["message"])
            return json_answer(request, job.result)

        return endpoint

    def run_async(self, kind: str) -> Endpoint:
        """The asynchronous endpoint of a kind of job."""

        async def endpoint(request: Request) -> Response:
            body = await object_of(request)
            job = await self._work(kind, body, request)
            hook = (body.get("async") or {}).get("webhook") or body.get("webhook") or {}
            if isinstance(hook, Mapping) and hook.get("mode", "direct") == "direct" and hook.get("url"):
                metadata = (body.get("async") or {}).get("metadata")
                task = asyncio.create_task(self._tell(str(hook["url"]), job, metadata))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            return json_answer(request, {"job_id": job.id})

        return endpoint

    async def job(self, request: Request) -> Response:
        """How a job stands, with its result when it has ended."""
        job = self._job(request)
        status = self._status(job)
        shown: dict[str, Any] = {"status": "Failed" if status == "Cancelled" else status, "type": _KINDS[job.kind]}
        shown |= {"progress": 1.0 if status == "Completed" else 0.0, "created_at": job.created_at.isoformat()}
        if status == "Completed":
            shown |= {"result": job.result, "num_pages": job.pages, "total_pages": job.pages, "duration": 0.0}
        elif status == "Failed":
            assert job.error is not None
            shown |= {"reason": job.error["message"], "error": job.error}
        elif status == "Cancelled":
            error = {"code": 499, "message": "The job was cancelled.", "name": "JOB_CANCELLED", "job_id": job.id}
            shown |= {"reason": error["message"], "error": error}
        return json_answer(request, shown)

    async def delete_job(self, request: Request) -> Response:
        """Forget a job."""
        job = self._job(request)
        del self.jobs[job.id]
        return json_answer(request, {"job_id": job.id})

    async def cancel(self, request: Request) -> Response:
        """Stop a job that is still pending."""
        job = self._job(request)
        job.cancelled = job.cancelled or self._status(job) == "Pending"
        return json_answer(request, {"job_id": job.id, "status": self._status(job)})

    async def list_jobs(self, request: Request) -> Response:
        """The jobs, newest first."""
        try:
            limit = min(max(int(request.query_params.get("limit", "100")), 1), 500)
            first = int(request.query_params.get("cursor", "0"))
        except ValueError as error:
            raise work.Invalid("Input should be a valid integer", "query", "limit", kind="int_parsing") from error
        newest = list(reversed(self.jobs.values()))
        jobs = [
            {
                "job_id": job.id, "status": self._status(job), "type": _KINDS[job.kind], "raw_config": job.config,
                "created_at": job.created_at.isoformat(), "num_pages": job.pages, "total_pages": job.pages, "duration": 0.0,
            }
            for job in newest[first : first + limit]
        ]  # fmt: skip
        more = first + limit < len(newest)
        return json_answer(request, {"jobs": jobs, "next_cursor": str(first + limit) if more else None})

    async def result(self, request: Request) -> Response:
        """The body at the address of a result that was too large."""
        body = self.results.get(request.path_params["result_id"])
        if body is None:
            raise Refused(404, "not_found", "The result has expired.")
        return Response(body, media_type="application/json")

    async def version(self, request: Request) -> Response:
        """The version as a JSON string."""
        return json_answer(request, VERSION)

    async def webhook_portal(self, request: Request) -> Response:
        """Where webhooks would be configured."""
        return json_answer(request, f"{origin_of(request)}/webhooks")

    async def edit(self, request: Request) -> Response:
        """Refuse: forms are filled in PDF and Office files only."""
        await object_of(request)
        raise Refused(415, "document_unsupported", "The sandbox edits no documents: it reads HTML and text only.")

    # -- jobs ---------------------------------------------------------------------------------------------------------
    async def _work(self, kind: str, body: dict[str, Any], request: Request) -> Job:
        _check(kind, body)
        clock = self.sandbox.clock
        job = Job(
            id=str(uuid.uuid4()),
            kind=kind,
            config=json.dumps(body, sort_keys=True),
            created_at=clock.now(),
            ready_at=clock.monotonic() + float(self.sandbox.switch("reducto", "job_seconds", 0)),
        )
        _keep(self.jobs, job.id, job)
        if (name := self.sandbox.switch("reducto", "fail_with")) is not None:
            job.error = {"code": 500, "message": "The sandbox was told to fail.", "name": str(name), "job_id": job.id}
            return job
        try:
            job.data = await run_in_threadpool(self._document, body["input"], request)
            answer = await run_in_threadpool(_answer, kind, job, body)
        except work.JobFailed as failed:
            job.error = {"code": failed.code, "message": str(failed), "name": failed.name, "job_id": job.id}
            return job
        job.pages = answer["usage"]["num_pages"]
        job.result = self._where_it_fits(answer, body, request)
        return job

    def _document(self, given: Any, request: Request) -> bytes:
        """The bytes behind an input: an upload, the input of another job, or an address at this sandbox."""
        if isinstance(given, Mapping):
            given = given.get("file_id")
        if isinstance(given, list):
            return b"\f".join(self._document(one, request) for one in given)
        text = str(given)
        if text.startswith("reducto://"):
            if text not in self.uploads:
                raise work.JobFailed("NOT_FOUND", "There is no such upload.", 404)
            return self.uploads[text]
        if text.startswith("jobid://"):
            job = self.jobs.get(text.removeprefix("jobid://"))
            if job is None:
                raise work.JobFailed("NOT_FOUND", "There is no such job.", 404)
            if self._status(job) != "Completed":
                raise work.JobFailed("JOB_NOT_COMPLETE", "The job has not ended well.", 400)
            return job.data
        return fetched(text, request)

    def _where_it_fits(self, answer: dict[str, Any], body: Mapping[str, Any], request: Request) -> dict[str, Any]:
        """The answer, or the address of its result when that is large or when an address was asked for."""
        if answer["response_type"] == "pipeline":
            return answer
        result = dumps(answer["result"])
        forced = bool((body.get("settings") or {}).get("force_url_result") or body.get("force_url_result"))
        if not forced and len(result) <= int(self.sandbox.switch("reducto", "url_above", _URL_ABOVE)):
            return answer
        result_id = str(uuid.uuid4())
        _keep(self.results, result_id, result)
        address = f"{origin_of(request)}/results/{result_id}"
        return {**answer, "result": {"type": "url", "url": address, "result_id": result_id}}

    def _job(self, request: Request) -> Job:
        job = self.jobs.get(request.path_params["job_id"])
        if job is None:
            raise Refused(404, "not_found", "Job not found")
        return job

    def _status(self, job: Job) -> str:
        if job.cancelled:
            return "Cancelled"
        if self.sandbox.clock.monotonic() < job.ready_at or (job.result is None and job.error is None):
            return "Pending"
        return "Failed" if job.error is not None else "Completed"

    async def _tell(self, url: str, job: Job, metadata: Any) -> None:
        """Post to a webhook on this machine when the job has ended; again after a failure, ever later."""
        while self._status(job) == "Pending":
            await asyncio.sleep(0.02)
        body = dumps({"status": self._status(job), "job_id": job.id, "metadata": metadata})
        for attempt in range(_WEBHOOK_TRIES):
            if await run_in_threadpool(posted, url, body):
                return
            await asyncio.sleep(0.1 * 2**attempt)


def _answer(kind: str, job: Job, body: Mapping[str, Any]) -> dict[str, Any]:
    if kind == "pipeline":
        parsed = work.parse(job.data, {}, job_id=job.id, duration=0.0)
        result = {"parse": parsed, "extract": None, "split": None}
        return {"response_type": "pipeline", "job_id": job.id, "usage": parsed["usage"], "result": result}
    make = {"parse": work.parse, "extract": work.extract, "split": work.split, "classify": work.classify}[kind]
    return make(job.data, body, job_id=job.id, duration=0.0)


def _check(kind: str, body: Mapping[str, Any]) -> None:
    """Refuse a body that lacks what the kind of job needs.

    Raises:
        Invalid: naming the field.
        Refused: for a pipeline that does not exist.
    """
    for name in ("input", *_NEEDED.get(kind, {})):
        if not body.get(name):
            raise work.Invalid("Field required", "body", name, kind="missing")
    for name, fields in _NEEDED.get(kind, {}).items():
        for position, entry in enumerate(body[name] if fields else ()):
            missing = [wanted for wanted in fields if not isinstance(entry, Mapping) or wanted not in entry]
            if missing:
                raise work.Invalid("Field required", "body", name, position, missing[0], kind="missing")
    if kind == "parse":
        work.check_parse_options(body, "body")
    if kind == "pipeline" and body["pipeline_id"] != "sandbox-parse":
        raise Refused(404, "not_found", "There is no such pipeline; the sandbox has sandbox-parse.")


def _keep(kept: dict[str, Any], key: str, value: Any) -> None:
    kept[key] = value
    while len(kept) > _KEPT:
        del kept[next(iter(kept))]


def provider(sandbox: Sandbox) -> Provider:
    """Reducto over the sandbox; its documents are what is uploaded to it."""
    api = Reducto(sandbox)

    def route(path: str, endpoint: Endpoint, method: str, name: str) -> Route:
        return Route(path, guarded(endpoint), methods=[method], name=name)

    routes = [
        route("/upload", api.upload, "POST", "upload"),
        route("/upload/{file_id:path}", api.delete_upload, "DELETE", "delete_upload"),
        Route("/put/{name:path}", unlocked(api.put), methods=["PUT"], name="put"),
        route("/job/{job_id}", api.job, "GET", "job"),
        route("/job/{job_id}", api.delete_job, "DELETE", "delete_job"),
        route("/cancel/{job_id}", api.cancel, "POST", "cancel"),
        route("/jobs", api.list_jobs, "GET", "jobs"),
        Route("/results/{result_id}", unlocked(api.result), methods=["GET"], name="result"),
        Route("/version", unlocked(api.version), methods=["GET"], name="version"),
        route("/configure_webhook", api.webhook_portal, "POST", "configure_webhook"),
        route("/edit", api.edit, "POST", "edit"),
        route("/edit_async", api.edit, "POST", "edit_async"),
    ]
    for kind in _KINDS:
        routes += [
            route(f"/{kind}", api.run(kind), "POST", kind),
            route(f"/{kind}_async", api.run_async(kind), "POST", f"{kind}_async"),
        ]
    return Provider(
        name="reducto",
        routes=routes,
        not_found=not_found,
        limited=limited,
        limit=Limit(per_second=1_000),
        account=lambda request: request.headers.get("authorization", ""),
        reset=api.forget,
    )
