"""GET /results/{job_id}: the envelopes of a job, streamed; and one source's content, with ETag and ranges.

A 50 MB filing passes through in pieces; nothing here holds one as a whole. What does not belong here: how a content is put
together (``acquisition.submissions``).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from salescience_pipeline.gateway import result_bodies
from salescience_pipeline.gateway.jobs import Organization, job_of
from salescience_pipeline.gateway.models import ProblemDocument, ResultsResponse
from salescience_pipeline.gateway.negotiation import FORMAT_PATTERN, FORMATS, format_of
from salescience_pipeline.gateway.problems import Problem, not_found
from salescience_pipeline.gateway.state import Caller, Calling
from salescience_pipeline.identifiers import OrganizationId
from salescience_pipeline.ledger.job_model import JobView

router = APIRouter(tags=["results"])
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
_SAFE = {
    "Cache-Control": "private, no-cache",
    # What companies file is shown to nobody as a page of ours.
    "Content-Security-Policy": "sandbox; default-src 'none'",
}
_MEDIA = {"json": "application/json", "pdf": "application/octet-stream"}
_WITH_CONTENT = frozenset(FORMATS) - {"csv"}
"""Formats that carry contents; a spreadsheet's cell ends after 32,767 characters."""
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The envelopes",
        "content": {media: {} for name, media in FORMATS.items() if name != "json"},
        "headers": {"ETag": {"schema": {"type": "string"}}},
    },
    304: {"description": "Nothing new since the ETag that `If-None-Match` names"},
}
_CONTENT: dict[int | str, dict[str, Any]] = {
    206: {"description": "The bytes of the range"},
    304: _ANSWERS[304],
    416: {"model": ProblemDocument, "description": "A range behind the end"},
}


@router.get("/results/{job_id}", response_model=ResultsResponse, responses=_ANSWERS)
def results(
    job_id: str,
    request: Request,
    caller: Calling,
    organization_id: Organization = None,
    partial: Annotated[bool, Query(description="Give what is finished instead of refusing until all is.")] = False,
    fields: Annotated[
        str | None, Query(pattern="^metadata$", description="`metadata`: leave the contents out.")
    ] = None,
    source: Annotated[str | None, Query(pattern="^(sec|yahoo)$", description="Only this provider's.")] = None,
    format_: Annotated[
        str | None,
        Query(alias="format", pattern=FORMAT_PATTERN, description="Goes before `Accept`; csv: one line per source."),
    ] = None,
) -> Response:
    """What came of a job's sources, once it is over: one document, or a row per source, streamed."""
    chosen_format = format_of(format_, request.headers.get("accept"))
    job = job_of(caller, "results:read", job_id, organization_id)
    if not job.status.is_final and not partial:
        raise Problem(
            409, "job_not_finished", f"The job is {job.status.value}; ask again, or with partial=true for what is there.",
            # Here "status" is the job's word, as the clients of POST /submit know it, and not the number again.
            headers={"Retry-After": "2"}, extra={"job_id": job.job_id, "status": job.status.value},
        )  # fmt: skip
    with_content = fields is None and chosen_format in _WITH_CONTENT and _may_read_content(caller)
    chosen = [item for item in job.sources if item.status.is_final and source in (None, item.provider)]
    tag = _tag([job.job_id, with_content, chosen_format, *((item.key, item.status, item.content) for item in chosen)])
    headers = {**_SAFE, "ETag": tag, "Vary": "Accept, Authorization"}
    if (note := caller.state.settings.provenance_note) is not None:
        headers["X-Data-Note"] = note
    if _unchanged(request, tag):
        return Response(status_code=304, headers=headers)
    if chosen_format != "json":
        headers["Content-Disposition"] = f'attachment; filename="{job.job_id}.{chosen_format}"'
    body = result_bodies.body_of(chosen_format, caller.state, job, chosen, with_content=with_content)
    _audit(caller, job, [item.key for item in chosen], content=with_content)
    media = FORMATS[chosen_format] + ("; charset=utf-8" if chosen_format == "csv" else "")
    return StreamingResponse(body, media_type=media, headers=headers)


@router.get("/results/{job_id}/{key}", response_class=StreamingResponse, responses=_CONTENT)
@router.head("/results/{job_id}/{key}", response_class=StreamingResponse, include_in_schema=False)
def content(
    job_id: str,
    key: str,
    request: Request,
    caller: Calling,
    organization_id: Organization = None,
    range_: Annotated[str | None, Header(alias="Range", max_length=100)] = None,
) -> Response:
    """One source's content as it is, in pieces."""
    job = job_of(caller, "results:content", job_id, organization_id)
    found = next((item for item in job.sources if item.key == key), None)
    if found is None or found.content is None:
        raise not_found()
    media = _MEDIA.get(found.content.kind, "text/plain; charset=utf-8")
    pieces = result_bodies.pieces(caller.state, found)
    response = bytes_of(request, found.content.sha256, found.content.size, range_, pieces, media)
    if response.status_code < 300:
        _audit(caller, job, [key], content=True)
    return response


def bytes_of(
    request: Request, sha256: str, size: int, range_: str | None, pieces: Iterator[bytes], media: str
) -> Response:
    """Bytes that never change, under their digest: whole or a range of them, or that the client has them already.

    Raises:
        Problem: 416 for a range behind the end.
    """
    tag = f'"{sha256}"'
    headers = {**_SAFE, "ETag": tag, "Accept-Ranges": "bytes"}
    if _unchanged(request, tag):
        return Response(status_code=304, headers=headers)
    first, last, code = _span(range_, size) if request.headers.get("if-range", tag) == tag else (0, size - 1, 200)
    headers["Content-Length"] = str(last - first + 1)
    if code == 206:
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    if request.method == "HEAD":
        return Response(status_code=code, headers=headers, media_type=media)
    return StreamingResponse(_cut(pieces, first, last), status_code=code, headers=headers, media_type=media)


def _may_read_content(caller: Caller) -> bool:
    return caller.principal is None or caller.principal.may("results:content")


def _audit(caller: Caller, job: JobView, keys: Sequence[str], *, content: bool) -> None:
    caller.state.ledger.audit.record(
        OrganizationId(job.organization_id),
        actor=caller.principal.key_id if caller.principal else "local",
        action="results.read",
        target=job.job_id,
        request_id=caller.request_id,
        detail={"sources": len(keys), "first": keys[0] if keys else None, "content": content},
    )


def _tag(values: Sequence[Any]) -> str:
    return f'"{hashlib.sha256(repr(values).encode()).hexdigest()}"'


def _unchanged(request: Request, tag: str) -> bool:
    wanted = request.headers.get("if-none-match", "")
    return wanted == "*" or tag in (part.strip().removeprefix("W/") for part in wanted.split(","))


def _span(text: str | None, size: int) -> tuple[int, int, int]:
    """First and last byte of a range, and the status; what is no single range of bytes means the whole.

    Raises:
        Problem: 416 for a range behind the end.
    """
    match = _RANGE.fullmatch(text or "")
    if match is None or not (match[1] or match[2]):
        return 0, size - 1, 200
    if not match[1]:
        first, last = max(size - int(match[2]), 0), size - 1
    else:
        first, last = int(match[1]), min(int(match[2]) if match[2] else size - 1, size - 1)
    if first > last or first >= size:
        raise Problem(
            416, "range_not_satisfiable", f"The content has {size} bytes.", headers={"Content-Range": f"bytes */{size}"}
        )
    return first, last, 206


def _cut(pieces: Iterator[bytes], first: int, last: int) -> Iterator[bytes]:
    at = 0
    for piece in pieces:
        part = piece[max(first - at, 0) : last + 1 - at] if at <= last else b""
        at += len(piece)
        if part:
            yield part
