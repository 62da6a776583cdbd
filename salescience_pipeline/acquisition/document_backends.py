"""Who cuts a document into blocks, chosen by the settings: the engine here, or Reducto; one result model for both.

Facts, sections, tables and their places in the source always come from the engine, because no other backend reads inline
XBRL or knows the bytes; Reducto's blocks and chunks take the place of the engine's. In the sandbox's worlds Reducto is its
emulator, which needs no key. What does not belong here: which documents, and storing.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import pyarrow as pa

from salescience_pipeline.acquisition.document_rows import DOCUMENTS, Outcome, StoredDocument, arrow, listed, refused
from salescience_pipeline.acquisition.document_values import Columns
from salescience_pipeline.acquisition.document_worker import DocumentWorker
from salescience_pipeline.acquisition.services import Services
from salescience_pipeline.clients.errors import ProviderError, Retryable
from salescience_pipeline.clients.reducto import Reducto
from salescience_pipeline.clients.reducto_bell import Bell
from salescience_pipeline.clients.reducto_errors import JobErrorName, ReductoJobError

_BLOCKS, _CHUNKS = "doc_salescience__blocks", "doc_salescience__chunks"
_CONFIDENCE = {"high": 0.95, "low": 0.6}

_PASSING = frozenset({"AUTH_ERROR", *(name.value for name in JobErrorName if name.may_pass)}) - {"TIMEOUT"}
"""A wrong key is mended by the next run; a document that takes the API too long will do so again."""


class Backend(Protocol):
    """Turns a document into rows; never raises for what a document or a provider does."""

    name: str
    passing: frozenset[str]
    """Names of failures that say nothing about the document: it is read again by the next run."""

    def read(
        self, worker: DocumentWorker, data: bytes, stored: StoredDocument, beside: Sequence[bytes] = ()
    ) -> dict[str, pa.Table]:
        """The rows of a document by table, see :func:`document_rows.rows_of`; ``beside`` are the others of its inline set."""
        ...


class LocalBackend:
    """The engine, in a process that can be killed."""

    name = "local"
    passing = frozenset({"INTERNAL_ERROR"})

    def read(
        self, worker: DocumentWorker, data: bytes, stored: StoredDocument, beside: Sequence[bytes] = ()
    ) -> dict[str, pa.Table]:
        """The rows of a document by table."""
        return worker.read(data, stored, beside)


class ReductoBackend:
    """Blocks and chunks from Reducto, everything else from the engine."""

    name = "reducto"
    passing = _PASSING

    def __init__(self, client: Reducto) -> None:
        """Ask through ``client``."""
        self._client = client

    def read(
        self, worker: DocumentWorker, data: bytes, stored: StoredDocument, beside: Sequence[bytes] = ()
    ) -> dict[str, pa.Table]:
        """The rows of a document by table; a document that only the engine cannot read has the vendor's part."""
        own = worker.read(data, stored, beside)
        row = own[DOCUMENTS].to_pylist()[0]
        if row["error_name"] not in (None, "DOCUMENT_UNSUPPORTED"):
            # What the engine refuses as empty, hostile or too large is not sent to anybody.
            outcome = Outcome(self.name, row["error_name"], row["reason"], cpu_seconds=row["cpu_seconds"])
            return refused(stored, outcome)
        try:
            answer = self._client.parse(data, filename=stored.filename)
        except ReductoJobError as error:
            return refused(stored, Outcome(self.name, error.name, str(error), error.job_id))
        except ProviderError as error:
            name = "SERVICE_UNAVAILABLE" if isinstance(error, Retryable) else "AUTH_ERROR"
            return refused(stored, Outcome(self.name, name, str(error)))
        blocks, chunks = rows_of_response(answer, stored)
        outcome = Outcome(
            self.name,
            job_id=answer["job_id"],
            credits=(answer.get("usage") or {}).get("credits"),
            cpu_seconds=row["cpu_seconds"],
        )
        found = {name: row[name] for name in _FROM_ENGINE} | {
            "pages": (answer.get("usage") or {}).get("num_pages"),
            "block_count": blocks.num_rows,
            "chunk_count": chunks.num_rows,
        }
        return {**_without_blocks(own), _BLOCKS: blocks, _CHUNKS: chunks, DOCUMENTS: listed(stored, outcome, found)}


_FROM_ENGINE = (
    "kind", "detected_form", "warnings", "table_count", "cell_count", "fact_count", "fact_problem_count", "section_count",
    "lowest_confidence",
)  # fmt: skip


def _without_blocks(rows: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
    """The engine's rows without their places in the engine's blocks, which another backend's blocks replace; bytes stay."""
    found = {}
    for name, table in rows.items():
        for column in set(_IN_BLOCKS) & set(table.column_names):
            at = table.schema.get_field_index(column)
            table = table.set_column(at, table.schema.field(at), pa.nulls(table.num_rows, table.schema.field(at).type))  # noqa: PLW2901
        found[name] = table
    return found


_IN_BLOCKS = ("block_no", "char_start", "char_end")


def rows_of_response(answer: Mapping[str, Any], stored: StoredDocument) -> tuple[pa.Table, pa.Table]:
    """Blocks and chunks of a ParseResponse whose result is full."""
    blocks: Columns = {name: [] for name in ("block_no", "block_type", "text", "page", "level", "confidence")}
    blocks |= {"src_start": [], "src_end": []}
    chunks: Columns = {name: [] for name in ("chunk_no", "text", "text_length", "first_block", "last_block", "page")}
    for chunk in answer["result"]["chunks"]:
        first = len(blocks["block_no"])
        for block in chunk["blocks"]:
            extra = block.get("extra") or {}
            source = extra.get("source") or {}
            blocks["block_no"].append(len(blocks["block_no"]))
            blocks["block_type"].append(block["type"])
            blocks["text"].append(block["content"])
            blocks["page"].append(block["bbox"]["page"])
            blocks["level"].append(extra.get("level") or 0)
            blocks["confidence"].append(_confidence(block))
            blocks["src_start"].append(source.get("start"))
            blocks["src_end"].append(source.get("end"))
        if chunk["content"] and len(blocks["block_no"]) > first:
            chunks["chunk_no"].append(len(chunks["chunk_no"]))
            chunks["text"].append(chunk["content"])
            chunks["text_length"].append(len(chunk["content"]))
            chunks["first_block"].append(first)
            chunks["last_block"].append(len(blocks["block_no"]) - 1)
            chunks["page"].append(blocks["page"][first])
    return arrow(_BLOCKS, blocks, stored), arrow(_CHUNKS, chunks, stored)


def _confidence(block: Mapping[str, Any]) -> float:
    exact = (block.get("granular_confidence") or {}).get("parse_confidence")
    return float(exact) if exact is not None else _CONFIDENCE.get(block.get("confidence") or "", 0.6)


class _Opening:
    """Reducto, with the way out opened when the first document needs it."""

    name = "reducto"
    passing = _PASSING

    def __init__(self, services: Services, run_id: str) -> None:
        self._services, self._run_id = services, run_id
        self._lock = threading.Lock()
        self._opened: ReductoBackend | None = None

    def read(
        self, worker: DocumentWorker, data: bytes, stored: StoredDocument, beside: Sequence[bytes] = ()
    ) -> dict[str, pa.Table]:
        with self._lock:
            if self._opened is None:
                settings = self._services.settings
                url, port = settings.reducto_webhook_url, settings.reducto_webhook_port
                bell = Bell(port=port, public_url=url) if url else None
                self._opened = ReductoBackend(Reducto(self._services.transport(self._run_id), bell=bell))
        return self._opened.read(worker, data, stored, beside)


def backend_of(services: Services, run_id: str) -> Backend:
    """The backend that the settings name."""
    return _Opening(services, run_id) if services.settings.documents_backend == "reducto" else LocalBackend()
