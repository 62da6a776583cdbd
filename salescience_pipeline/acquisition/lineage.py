"""The way of a value back to where it came from: a row of a table or a mart, the answers it was made of, their bytes.

Every row of the lake names the digest of the answer it was read from, every mart carries those digests on, and the archive
has each answer with its request. What an organisation's own request brought is shown to that organisation alone. What does
not belong here: who may ask (the gateway), and how tables are made.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from salescience_pipeline.acquisition.services import SelectionError, Services
from salescience_pipeline.catalog.exhibits import exhibit_number
from salescience_pipeline.catalog.tables import PROVENANCE, TABLES
from salescience_pipeline.identifiers import InvalidIdentifier, OrganizationId, Sha256, TableName
from salescience_pipeline.lake.archive import EMPTY_SHA256
from salescience_pipeline.lake.audit import AuditRow
from salescience_pipeline.lake.selection import Where

MAX_ROWS, MAX_ANSWERS = 100, 20
_DIGEST = re.compile(r"(?:.*_)?raw_sha256|sha256")
_SHOWN = 200
_DOCUMENTS = "core_sec__documents"


@dataclass(frozen=True, slots=True)
class RequestOfAnswer:
    """One request that an answer came from; the URL is the provider's own, without secrets."""

    request_id: str
    provider: str
    endpoint: str
    method: str
    url: str
    status: int | None
    answer_class: str
    attempt: int
    fetched_at: str
    run_id: str
    content_type: str | None
    bytes: int


@dataclass(frozen=True, slots=True)
class ArchivedAnswer:
    """The bytes of an answer by their digest, and the requests that brought them, the oldest first."""

    sha256: str
    size: int
    requests: tuple[RequestOfAnswer, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes of a filed document in which a value stands: the first, and the one behind the last."""

    sha256: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class TracedRow:
    """One row: its values, who wrote it, the answers it was made of, and its place in a document if it has one."""

    values: Mapping[str, Any]
    run_id: str | None
    fetched_at: dt.datetime | None
    answers: tuple[ArchivedAnswer, ...]
    span: Span | None


@dataclass(frozen=True, slots=True)
class Traced:
    """The rows that were asked for; ``more`` says that there are others."""

    table: str
    rows: tuple[TracedRow, ...]
    more: bool


def answer_of(services: Services, sha256: str, organization: OrganizationId | None) -> ArchivedAnswer | None:
    """The archived answer of that digest as ``organization`` may see it; None when there is none that it may.

    Raises:
        InvalidIdentifier: when ``sha256`` is no digest.
    """
    digest = Sha256(sha256)
    audit = services.archive.audit
    mine = None if organization is None else str(organization)
    rows = audit.with_body(digest, limit=MAX_ANSWERS, organization=mine)
    for submission in _submissions_of(services, digest) if not rows else ():
        # A document that was cut out of a complete submission came with that one's request.
        rows += audit.with_body(submission, limit=MAX_ANSWERS, organization=mine)
    if not rows:
        return None
    body = audit.body(digest)
    return ArchivedAnswer(digest, body.size if body is not None else 0, tuple(map(_request, rows[:MAX_ANSWERS])))


def _submissions_of(services: Services, digest: str) -> list[str]:
    """Digests of the complete submissions that a document was cut from."""
    if not services.tables.exists(_DOCUMENTS):
        return []
    found = services.tables.read(_DOCUMENTS, Where(values={"sha256": [digest]}), columns=["submission_sha256"])
    return sorted({text for text in found["submission_sha256"].to_pylist() if text})


def _request(row: AuditRow) -> RequestOfAnswer:
    kept = {name: getattr(row, name) for name in RequestOfAnswer.__slots__ if name != "url"}
    return RequestOfAnswer(**kept, url=row.canonical_url)


def trace(
    services: Services,
    table: str,
    conditions: Mapping[str, str],
    organization: OrganizationId | None,
    *,
    limit: int = MAX_ROWS,
) -> Traced:
    """Rows of ``table`` and where each came from.

    Args:
        services: The open rooms.
        table: A table of the lake, or a mart of the published warehouse.
        conditions: Column -> the value it must have, as text; at least one.
        organization: Who looks.
        limit: Rows at most.

    Raises:
        SelectionError: for a table or a column that is none, a value that its column cannot have, or no condition.
        NothingPublished: for a mart, when none is published.
    """
    if not conditions:
        raise SelectionError("Say which row: at least one column and its value.")
    try:
        name = TableName(table)
    except InvalidIdentifier as error:
        raise SelectionError(str(error)) from None
    found = _of_mart(services, name, conditions, limit) if name not in TABLES else _of_lake(services, name, conditions)
    mine = [
        row for row in found.to_pylist() if row.get("organization_id") in (None, organization and str(organization))
    ]
    known: dict[str, ArchivedAnswer | None] = {}
    documents = _documents(services, mine[:limit])

    def answers(digests: Sequence[str]) -> tuple[ArchivedAnswer, ...]:
        for digest in digests:
            if digest not in known:
                known[digest] = answer_of(services, digest, organization)
        return tuple(answer for digest in digests if (answer := known[digest]) is not None)

    rows = tuple(_traced(row, answers(_digests(row, documents)), documents) for row in mine[:limit])
    return Traced(name, rows, len(mine) > limit)


def _of_lake(services: Services, name: TableName, conditions: Mapping[str, str]) -> pa.Table:
    schema = TABLES[name].schema
    where = Where(values={column: [_typed(name, schema, column, text)] for column, text in conditions.items()})
    return services.tables.read(name, where)


def _of_mart(services: Services, name: TableName, conditions: Mapping[str, str], limit: int) -> pa.Table:
    # The name is an identifier, and exists; the columns are compared with the mart's own; values are parameters.
    marts = services.warehouse.query(
        "select 1 from information_schema.tables where table_schema = 'main' and table_name = ?", [name]
    )
    if not marts.rows.num_rows:
        raise SelectionError(f"There is no table or published mart {name}.")
    schema = services.warehouse.query(f"select * from {name} limit 0").rows.schema  # noqa: S608 - an identifier
    values = [_typed(name, schema, column, text) for column, text in conditions.items()]
    matches = " and ".join(f'"{column}" = ?' for column in conditions)
    return services.warehouse.query(f"select * from {name} where {matches}", values, max_rows=limit + 1).rows  # noqa: S608


def _typed(table: str, schema: pa.Schema, column: str, text: str) -> Any:
    """``text`` as a value of its column."""
    if column not in schema.names:
        raise SelectionError(f"{table} has no column {column[:60]!r}; it has {', '.join(schema.names)}.")
    kind = schema.field(column).type
    try:
        if pa.types.is_date(kind):
            return dt.date.fromisoformat(text)
        if pa.types.is_timestamp(kind):
            moment = dt.datetime.fromisoformat(text)
            return moment if moment.tzinfo is not None else moment.replace(tzinfo=dt.UTC)
        if pa.types.is_boolean(kind):
            return {"true": True, "false": False}[text.lower()]
        if pa.types.is_integer(kind):
            return int(text)
        if pa.types.is_floating(kind):
            return float(text)
    except (ValueError, KeyError):
        raise SelectionError(f"{text[:60]!r} is no value of {column}, which is {kind}.") from None
    return text


# -- what a row was made of ---------------------------------------------------------------------------------------------
def _documents(services: Services, rows: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str | None], str]:
    """(accession, file name) and (accession, None) -> digest, for rows that name a filing."""
    accessions = sorted({row["accession"] for row in rows if row.get("accession")})
    if not accessions or not services.tables.exists(_DOCUMENTS):
        return {}
    stored = services.tables.read(
        _DOCUMENTS,
        Where(values={"accession": accessions}),
        columns=["accession", "filename", "document_type", "sha256"],
    )
    found: dict[tuple[str, str | None], str] = {}
    for row in stored.to_pylist():
        found[row["accession"], row["filename"]] = row["sha256"]
        # A row that names no file was read from the main document.
        if exhibit_number(row["document_type"] or "") is None:
            found.setdefault((row["accession"], None), row["sha256"])
    return found


def _document_of(row: Mapping[str, Any], documents: Mapping[tuple[str, str | None], str]) -> str | None:
    return documents.get((row.get("accession") or "", row.get("filename")))


def _digests(row: Mapping[str, Any], documents: Mapping[tuple[str, str | None], str]) -> list[str]:
    named = [value for column, value in row.items() if _DIGEST.fullmatch(column) and isinstance(value, str)]
    document = _document_of(row, documents)
    # A row that names its own answers needs no guess by its filing.
    every = named if named or document is None else [document]
    return [digest for digest in dict.fromkeys(every) if digest != EMPTY_SHA256 and _is_digest(digest)]


def _is_digest(text: str) -> bool:
    return re.fullmatch(Sha256.pattern, text) is not None


def _traced(
    row: Mapping[str, Any], answers: tuple[ArchivedAnswer, ...], documents: Mapping[tuple[str, str | None], str]
) -> TracedRow:
    digest, start, end = _document_of(row, documents), row.get("src_start"), row.get("src_end")
    return TracedRow(
        values={name: _short(value) for name, value in row.items() if name not in PROVENANCE or name == "source"},
        run_id=row.get("run_id"),
        fetched_at=row.get("fetched_at"),
        answers=answers,
        span=None if digest is None or start is None or end is None else Span(digest, start, end),
    )


def _short(value: Any) -> Any:
    """Long texts by their beginning: this says where a value came from, and does not bring it."""
    return f"{value[:_SHOWN]}..." if isinstance(value, str) and len(value) > _SHOWN else value
