"""The query API: one SELECT over the published marts, in pages and formats, and the questions that organisations keep.

The SQL itself is read and run by ``query_worker`` in a process of its own; nothing here looks inside. Only the marts are
served: the schemas ``lake`` and ``staging`` are views over Parquet files, and a process that may open files could be talked
into opening others. What does not belong here: limits of the operating system and the allow-list (the worker has them).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, FastAPI, Path, Query, Request, Response

from salescience_pipeline.gateway.negotiation import FORMATS, format_of
from salescience_pipeline.gateway.problems import Problem, not_found
from salescience_pipeline.gateway.query_models import (
    NAME,
    QueryAnswer,
    QueryRequest,
    SavedQueryDocument,
    SavedQueryList,
    SaveQueryRequest,
)
from salescience_pipeline.gateway.query_pool import Asked, Workers
from salescience_pipeline.gateway.state import Caller, Calling
from salescience_pipeline.ledger.organizations import Principal
from salescience_pipeline.ledger.saved_queries import QueryExists, SavedQueryRow, TooManyQueries

if TYPE_CHECKING:
    from salescience_pipeline.lake.warehouse import Published

SCOPE = "query:run"
_MEDIA = {**FORMATS, "csv": f"{FORMATS['csv']}; charset=utf-8"}
_STATUS = {"query_timeout": 408, "query_too_large": 413, "row_too_large": 413}
_MAX_OFFSET = 10_000_000
_FORMATS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The rows, and in X-Next-Cursor where the next page begins",
        "content": {media: {} for name, media in FORMATS.items() if name != "json"},
    }
}


@asynccontextmanager
async def _life(app: FastAPI) -> AsyncIterator[None]:
    app.state.query_workers = Workers()
    yield
    app.state.query_workers.close()


router = APIRouter(tags=["query"], lifespan=_life)
Organization = Annotated[
    str | None,
    Query(
        max_length=200,
        description="Whose they are; the key's own by default.",
    ),
]
Name = Annotated[str, Path(pattern=NAME, description="The question's name.")]


@router.post("/api/query", response_model=QueryAnswer, responses=_FORMATS)
def query(body: QueryRequest, request: Request, caller: Calling) -> Response:
    """Ask the newest published marts one question.

    Two questions of one organisation run at once; each has ten seconds. A cursor stays with the version that its first
    page was read from; rows come in the same order on every page when the question has an ORDER BY.
    """
    format_ = format_of(body.format, request.headers.get("accept"))
    principal = caller.acting(SCOPE, body.organization_id)
    sql = _sql_of(body, caller, principal)
    digest = hashlib.sha256(json.dumps([sql, body.parameters]).encode()).hexdigest()
    published, offset = _place(caller, body.cursor, digest)
    workers: Workers = request.app.state.query_workers
    asked = Asked(str(published.path), sql, tuple(body.parameters), body.limit, offset, format_)
    header, rows = workers.ask(str(principal.organization_id), asked)
    code = header.get("code")
    caller.state.ledger.audit.record(
        principal.organization_id, actor=principal.key_id, action="query.run", target=body.saved or "sql",
        request_id=caller.request_id, detail={"sql_sha256": digest, "rows": header.get("rows"), "refused": code},
    )  # fmt: skip
    if code is not None:
        raise Problem(_STATUS.get(code, 422), code, str(header["detail"]))
    following = _cursor(published.version, offset + header["rows"], digest) if header["more"] else None
    return _response(format_, header, rows, published.version, following, caller.state.settings.provenance_note)


def _response(
    format_: str, header: Mapping[str, Any], rows: bytes, version: int, following: str | None, note: str | None
) -> Response:
    headers = {"Cache-Control": "private, no-store", "Vary": "Accept", "X-Warehouse-Version": str(version)}
    if following is not None:
        headers["X-Next-Cursor"] = following
    if note is not None:
        headers["X-Data-Note"] = note
    if format_ != "json":
        headers["Content-Disposition"] = f'attachment; filename="answer.{format_}"'
        return Response(rows, media_type=_MEDIA[format_], headers=headers)
    about = {
        "row_count": header["rows"], "next": following, "version": version, "seconds": header["seconds"], "note": note,
    }  # fmt: skip
    start = json.dumps({"columns": header["columns"]}).encode()[:-1]
    content = start + b',"rows":' + rows + b"," + json.dumps(about).encode()[1:]
    return Response(content, media_type=_MEDIA["json"], headers=headers)


def _sql_of(body: QueryRequest, caller: Caller, principal: Principal) -> str:
    if body.sql is not None:
        return body.sql
    assert body.saved is not None
    found = caller.state.ledger.queries.get(principal.organization_id, body.saved)
    if found is None:
        raise not_found()
    return found.sql


def _place(caller: Caller, cursor: str | None, digest: str) -> tuple[Published, int]:
    """The published version to read and the first row: the cursor's, or the newest and 0.

    Raises:
        Problem: 409 when nothing is published or the cursor's version is gone, 404 for a cursor of another question.
    """
    from salescience_pipeline.lake.errors import NothingPublished  # noqa: PLC0415 - Arrow, only when first needed
    from salescience_pipeline.lake.warehouse import Warehouse  # noqa: PLC0415

    warehouse = Warehouse(caller.state.settings.warehouse_dir)
    if cursor is None:
        try:
            return warehouse.current(), 0
        except NothingPublished as error:
            raise Problem(409, "nothing_published", str(error), headers={"Retry-After": "60"}) from None
    version, offset = _position(cursor, digest)
    found = next((one for one in warehouse.versions() if one.version == version), None)
    if found is None:
        raise Problem(409, "cursor_expired", "The version that the first page was read from is gone; begin again.")
    return found, offset


def _cursor(version: int, offset: int, digest: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([version, offset, digest[:16]]).encode()).decode()


def _position(cursor: str, digest: str) -> tuple[int, int]:
    try:
        version, offset, of = json.loads(base64.urlsafe_b64decode(cursor.encode("ascii")))
        known = type(version) is int and type(offset) is int and 0 <= offset <= _MAX_OFFSET and of == digest[:16]
    except (ValueError, TypeError, binascii.Error, RecursionError):
        known = False
    if not known:
        raise Problem(404, "invalid_cursor", "The cursor is none that this question was given.")
    return version, offset


# -- saved questions ----------------------------------------------------------------------------------------------------
@router.get("/api/queries", response_model=SavedQueryList)
def listed(caller: Calling, organization_id: Organization = None) -> Mapping[str, Any]:
    """The questions that the organisation keeps, by name."""
    principal = caller.acting(SCOPE, organization_id)
    rows = caller.state.ledger.queries.listed(principal.organization_id)
    return {"queries": [_document(row) for row in rows]}


@router.post("/api/queries", status_code=201, response_model=SavedQueryDocument)
def save(body: SaveQueryRequest, caller: Calling, response: Response) -> Mapping[str, Any]:
    """Keep a question under a name."""
    principal = caller.acting(SCOPE, body.organization_id)
    try:
        row = caller.state.ledger.queries.create(
            principal.organization_id, body.name, body.sql, description=body.description, actor=principal.key_id,
            request_id=caller.request_id,
        )  # fmt: skip
    except QueryExists as error:
        raise Problem(409, "query_exists", str(error)) from None
    except TooManyQueries as error:
        raise Problem(429, "too_many_queries", str(error)) from None
    response.headers["Location"] = f"/api/queries/{row.name}"
    return _document(row)


@router.get("/api/queries/{name}", response_model=SavedQueryDocument)
def one(name: Name, caller: Calling, organization_id: Organization = None) -> Mapping[str, Any]:
    """One question."""
    principal = caller.acting(SCOPE, organization_id)
    row = caller.state.ledger.queries.get(principal.organization_id, name)
    if row is None:
        raise not_found()
    return _document(row)


@router.delete("/api/queries/{name}", status_code=204, response_class=Response)
def delete(name: Name, caller: Calling, organization_id: Organization = None) -> None:
    """Forget a question."""
    principal = caller.acting(SCOPE, organization_id)
    queries = caller.state.ledger.queries
    if not queries.delete(principal.organization_id, name, actor=principal.key_id, request_id=caller.request_id):
        raise not_found()


def _document(row: SavedQueryRow) -> dict[str, Any]:
    return {"name": row.name, "sql": row.sql, "description": row.description, "created_at": row.created_at}
