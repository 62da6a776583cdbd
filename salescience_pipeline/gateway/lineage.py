"""/api/lineage: where a value came from, back to the bytes that a provider answered with.

What does not belong here: following the way (``acquisition.lineage``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, StringConstraints

from salescience_pipeline.gateway import results
from salescience_pipeline.gateway.models import ProblemDocument
from salescience_pipeline.gateway.problems import Problem, not_found
from salescience_pipeline.gateway.state import Caller, Calling

if TYPE_CHECKING:
    from salescience_pipeline.acquisition.lineage import ArchivedAnswer

router = APIRouter(prefix="/api/lineage", tags=["lineage"])
Digest = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the answer's bytes.")]
TableId = Annotated[
    str, Path(pattern=r"^[a-z]+_[a-z0-9]+__[a-z0-9_]+$", max_length=120, examples=["mart_prices__daily"])
]
Condition = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*:[^\x00-\x1f]*$", max_length=300)]
Organization = Annotated[str | None, Query(max_length=200, description="Who looks; the key's own by default.")]


class LineageRequest(BaseModel):
    """One request that an answer came from; the URL is the provider's own, without secrets."""

    request_id: str
    provider: str
    endpoint: str
    method: str
    url: str
    status: int | None
    answer_class: str
    attempt: int
    fetched_at: dt.datetime
    run_id: str
    content_type: str | None
    bytes: int


class LineageAnswer(BaseModel):
    """An archived answer: its digest, its size in bytes, the requests that brought it, and where its bytes are."""

    sha256: str
    size: int
    requests: list[LineageRequest]
    body: str


class LineageSpan(BaseModel):
    """The bytes of a filed document in which a value stands, and where they are (ask with that `Range`)."""

    sha256: str
    start: int
    end: int
    body: str
    range: str


class LineageRow(BaseModel):
    """One row of the table."""

    values: dict[str, Any]
    run_id: str | None
    fetched_at: dt.datetime | None
    answers: list[LineageAnswer]
    span: LineageSpan | None


class Lineage(BaseModel):
    """The rows that were asked for, each with what it was made of."""

    table: str
    rows: list[LineageRow]
    more: bool


@router.get("/{table}", response_model=Lineage)
def of_row(
    table: TableId,
    caller: Calling,
    where: Annotated[
        list[Condition], Query(min_length=1, max_length=10, description="`column:value`, all of which must hold.")
    ],
    organization_id: Organization = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Mapping[str, Any]:
    """Where rows of a table of the lake or of a mart came from: request, URL, moment, run, and the archived bytes."""
    from salescience_pipeline.acquisition.lineage import trace  # noqa: PLC0415 - Arrow, only when first needed
    from salescience_pipeline.acquisition.services import SelectionError  # noqa: PLC0415
    from salescience_pipeline.lake.errors import NothingPublished  # noqa: PLC0415

    principal = caller.acting("results:read", organization_id)
    conditions = dict(item.partition(":")[::2] for item in where)
    try:
        traced = trace(caller.state.services, table, conditions, principal.organization_id, limit=limit)
    except SelectionError as error:
        raise Problem(422, "invalid_lineage", str(error)) from None
    except NothingPublished as error:
        raise Problem(409, "nothing_published", str(error), headers={"Retry-After": "60"}) from None
    rows = [
        {
            "values": row.values, "run_id": row.run_id, "fetched_at": row.fetched_at,
            "answers": [_answer(answer) for answer in row.answers],
            "span": None if row.span is None else {
                **asdict(row.span), "body": _body_path(row.span.sha256), "range": f"bytes={row.span.start}-{row.span.end - 1}",
            },
        }
        for row in traced.rows
    ]  # fmt: skip
    return {"table": traced.table, "rows": rows, "more": traced.more}


@router.get("/answers/{sha256}", response_model=LineageAnswer)
def of_answer(sha256: Digest, caller: Calling, organization_id: Organization = None) -> Mapping[str, Any]:
    """The requests that brought an answer of that digest."""
    return _answer(_visible(caller, "results:read", sha256, organization_id)[0])


@router.get(
    "/answers/{sha256}/body",
    response_class=StreamingResponse,
    responses={206: {"description": "The bytes of the range"}, 416: {"model": ProblemDocument}},
)
def body(
    sha256: Digest,
    request: Request,
    caller: Calling,
    organization_id: Organization = None,
    range_: Annotated[str | None, Header(alias="Range", max_length=100)] = None,
) -> Response:
    """The bytes as the provider sent them."""
    from salescience_pipeline.clients.model import RawRef  # noqa: PLC0415

    answer, organization = _visible(caller, "results:content", sha256, organization_id)
    caller.state.ledger.audit.record(
        organization, actor=caller.principal.key_id if caller.principal else "local", action="lineage.read",
        target=sha256, request_id=caller.request_id,
    )  # fmt: skip
    pieces = caller.state.services.archive.pieces(RawRef(sha256, answer.size))
    return results.bytes_of(request, sha256, answer.size, range_, pieces, "application/octet-stream")


def _visible(caller: Caller, scope: str, sha256: str, organization_id: str | None) -> tuple[ArchivedAnswer, Any]:
    from salescience_pipeline.acquisition.lineage import answer_of  # noqa: PLC0415

    principal = caller.acting(scope, organization_id)
    found = answer_of(caller.state.services, sha256, principal.organization_id)
    if found is None:
        raise not_found()
    return found, principal.organization_id


def _answer(answer: ArchivedAnswer) -> dict[str, Any]:
    return {**asdict(answer), "body": _body_path(answer.sha256)}


def _body_path(sha256: str) -> str:
    return f"/api/lineage/answers/{sha256}/body"
