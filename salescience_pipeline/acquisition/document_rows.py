"""From a parsed document to rows of the ``doc_salescience__*`` tables: pure functions, the engine's model in, Arrow out.

All rows of one document carry its accession and file name, so that they are replaced together. What does not belong here:
which documents are processed, and where the rows go.
"""

from __future__ import annotations

import datetime as dt
import json
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from salescience_pipeline.acquisition.document_graph_rows import graph_rows
from salescience_pipeline.acquisition.document_values import Columns, clean
from salescience_pipeline.acquisition.parser_version import parser_version
from salescience_pipeline.catalog.tables import TABLES
from salescience_pipeline.documents import Document
from salescience_pipeline.documents.chunks import passages
from salescience_pipeline.documents.classify import classify
from salescience_pipeline.documents.fact_model import Fact
from salescience_pipeline.documents.forms import form_of
from salescience_pipeline.documents.model import Block, Table
from salescience_pipeline.documents.sections import Section, find_sections, section_text

DOCUMENTS = "doc_salescience__documents"
PARTS: tuple[str, ...] = tuple(name for name in TABLES if name.startswith("doc_salescience__") and name != DOCUMENTS)
"""The tables that hold what was found in a document, without the one that lists the documents."""
_HIGH, _LOW = 0.95, 0.6
"""Confidence of a block, as the engine's own parse result gives it."""


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document in the archive, and who fetched it: what every row of it carries."""

    accession: str
    filename: str
    cik: str
    form: str
    document_type: str | None
    sha256: str
    bytes: int
    fetched_at: dt.datetime
    run_id: str
    source: str = "sec"
    organization_id: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a document, beside what was found in it."""

    backend: str = "local"
    error_name: str | None = None
    reason: str | None = None
    job_id: str | None = None
    credits: float | None = None
    cpu_seconds: float | None = None


def rows_of(document: Document, stored: StoredDocument, outcome: Outcome) -> dict[str, pa.Table]:
    """Everything that was found in ``document``, by table; the list of documents has one row.

    Raises:
        DocumentError: when a stage refuses the document.
    """
    tables = document.tables
    table_numbers = {id(table): number for number, table in enumerate(tables)}
    blocks = document.blocks
    what = classify(document)
    # The items are those of the form; what an exhibit numbers in the same way is something else.
    items = () if what.role == "exhibit" else find_sections(document)
    sections = sorted(items, key=lambda section: (section.start, section.end))
    found = {
        "blocks": _blocks(blocks, sections, table_numbers),
        "sections": _sections(document, sections),
        "tables": _tables(tables),
        "cells": _cells(tables),
        "facts": _facts(document, blocks, table_numbers),
        "fact_dimensions": _dimensions(document),
        "chunks": _chunks(blocks, sections),
        **graph_rows(document, stored.cik, what),
    }
    rows = {f"doc_salescience__{what}": arrow(f"doc_salescience__{what}", made, stored) for what, made in found.items()}
    form, _ = form_of(document.main)
    counts = {
        "pages": len(document.layout.page_starts),
        "block_count": len(blocks),
        "table_count": len(tables),
        "cell_count": sum(len(table.cells) for table in tables),
        "fact_count": len(document.facts),
        "fact_problem_count": len(document.facts.problems),
        "section_count": len(sections),
        "chunk_count": rows["doc_salescience__chunks"].num_rows,
        "lowest_confidence": min((section.confidence for section in sections), default=None),
        "kind": document.source.kind.value,
        "detected_form": form or None,
        "document_role": what.role,
        "exhibit_number": what.exhibit or None,
        "exhibit_kind": what.kind or None,
        "warnings": list(document.warnings),
    }
    return {**rows, DOCUMENTS: listed(stored, outcome, counts)}


def refused(stored: StoredDocument, outcome: Outcome) -> dict[str, pa.Table]:
    """The rows of a document that could not be read: one that says why, and none in the other tables."""
    return {name: TABLES[name].empty() for name in PARTS} | {DOCUMENTS: listed(stored, outcome, {})}


def listed(stored: StoredDocument, outcome: Outcome, found: Mapping[str, Any]) -> pa.Table:
    """The row of the list of documents."""
    counted = dict.fromkeys((name for name in TABLES[DOCUMENTS].column_names if name.endswith("_count")), 0)
    row: dict[str, Any] = {
        **counted,
        **found,
        "form": stored.form,
        "document_type": stored.document_type,
        "sha256": stored.sha256,
        "bytes": stored.bytes,
        "status": "failed" if outcome.error_name else "complete",
        "error_name": outcome.error_name,
        "reason": outcome.reason,
        "backend": outcome.backend,
        "job_id": outcome.job_id,
        "credits": outcome.credits,
        "cpu_seconds": outcome.cpu_seconds,
        "parser_version": parser_version(),
    }
    return arrow(DOCUMENTS, {name: [value] for name, value in row.items()}, stored)


def arrow(name: str, columns: Columns, stored: StoredDocument) -> pa.Table:
    """Columns with the document's own and the provenance columns added, in the catalogue's schema; absent ones are null."""
    schema = TABLES[name].schema
    count = max((len(values) for values in columns.values()), default=0)
    own = {
        "accession": stored.accession,
        "filename": stored.filename,
        "cik": stored.cik,
        "source": stored.source,
        "fetched_at": stored.fetched_at,
        "raw_sha256": stored.sha256,
        "run_id": stored.run_id,
        "organization_id": stored.organization_id,
    }
    if "form" in schema.names:
        own["form"] = stored.form
    arrays = [
        pa.array(columns[field.name], field.type)
        if field.name in columns
        else pa.repeat(pa.scalar(own.get(field.name), field.type), count)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _section_at(sections: Sequence[Section], starts: Sequence[int], byte: int) -> int | None:
    index = bisect_right(starts, byte) - 1
    return index if index >= 0 and byte < sections[index].end else None


def _blocks(blocks: Sequence[Block], sections: Sequence[Section], numbers: Mapping[int, int]) -> Columns:
    starts = [section.start for section in sections]
    return {
        "block_no": list(range(len(blocks))),
        "block_type": [block.type.value for block in blocks],
        # The cells of a table stand in a table of their own.
        "text": ["" if block.table is not None else clean(block.text) for block in blocks],
        "page": [block.page for block in blocks],
        "level": [block.level for block in blocks],
        "confidence": [_HIGH if block.high_confidence else _LOW for block in blocks],
        "section_no": [_section_at(sections, starts, block.start) for block in blocks],
        "table_no": [None if block.table is None else numbers[id(block.table)] for block in blocks],
        "src_start": [block.start for block in blocks],
        "src_end": [block.end for block in blocks],
    }


def _sections(document: Document, sections: Sequence[Section]) -> Columns:
    return {
        "section_no": list(range(len(sections))),
        "part": [section.part or None for section in sections],
        "item": [section.item for section in sections],
        "title": [clean(section.title) for section in sections],
        "canonical_title": [section.canonical for section in sections],
        "text": [clean(section_text(document, section)) for section in sections],
        "text_length": [section.text_length for section in sections],
        "detection": [section.method for section in sections],
        "confidence": [round(section.confidence, 3) for section in sections],
        "confidence_reason": [section.reason or None for section in sections],
        "is_incorporated_by_reference": [section.incorporated_by_reference for section in sections],
        "src_start": [section.start for section in sections],
        "src_end": [section.end for section in sections],
    }


def _tables(tables: Sequence[Table]) -> Columns:
    return {
        "table_no": list(range(len(tables))),
        "row_count": [table.n_rows for table in tables],
        "column_count": [table.n_cols for table in tables],
        "header_rows": [table.header_rows for table in tables],
        "caption": [clean(table.caption) or None for table in tables],
        "multiplier": [table.scale for table in tables],
        "currency": [table.currency for table in tables],
        "src_start": [table.start for table in tables],
        "src_end": [table.end for table in tables],
    }


def _cells(tables: Sequence[Table]) -> Columns:
    cells = [(at, number, cell) for at, table in enumerate(tables) for number, cell in enumerate(table.cells)]
    values = [cell.value for _, _, cell in cells]
    return {
        "table_no": [at for at, _, _ in cells],
        "cell_no": [number for _, number, _ in cells],
        "row_no": [cell.row for _, _, cell in cells],
        "column_no": [cell.col for _, _, cell in cells],
        "rowspan": [cell.rowspan for _, _, cell in cells],
        "colspan": [cell.colspan for _, _, cell in cells],
        "is_header": [cell.header for _, _, cell in cells],
        "text": [clean(cell.text) for _, _, cell in cells],
        "shown_value": [None if value is None else float(value) for value in values],
        "src_start": [cell.start for _, _, cell in cells],
        "src_end": [cell.end for _, _, cell in cells],
    }


def _day(text: str | None) -> dt.date | None:
    """A date of a context; a time of day behind it is left out, and what is no date is null."""
    try:
        return dt.date.fromisoformat(text[:10]) if text else None
    except ValueError:
        return None


def _exact(fact: Fact) -> str | None:
    return None if fact.escaped or fact.nil else clean(fact.value)


def _number(fact: Fact) -> float | None:
    number = fact.number
    return None if number is None else float(number)


def _facts(document: Document, blocks: Sequence[Block], numbers: Mapping[int, int]) -> Columns:
    facts, places = document.facts.facts, document.places
    cell_numbers = {id(cell): number for table in document.tables for number, cell in enumerate(table.cells)}
    starts = [block.start for block in blocks]
    names = [fact.concept.rpartition(":") for fact in facts]
    return {
        "fact_no": list(range(len(facts))),
        "taxonomy": [prefix for prefix, _, _ in names],
        "concept": [local for _, _, local in names],
        "namespace": [fact.namespace for fact in facts],
        "entity": [fact.context.entity for fact in facts],
        "context_id": [fact.context.id for fact in facts],
        "period_start": [_day(fact.context.start) for fact in facts],
        "period_end": [_day(fact.context.end) for fact in facts],
        "dimensions": [
            json.dumps(dict(fact.context.dimensions), sort_keys=True) if fact.context.dimensions else "{}"
            for fact in facts
        ],
        "unit": [None if fact.unit is None else fact.unit.text for fact in facts],
        "value": [_number(fact) for fact in facts],
        "exact_value": [_exact(fact) for fact in facts],
        "decimals": [fact.decimals for fact in facts],
        "is_nil": [fact.nil for fact in facts],
        "lang": [fact.lang for fact in facts],
        "transform": [fact.format for fact in facts],
        "is_text_block": [fact.escaped for fact in facts],
        "is_hidden": [fact.hidden for fact in facts],
        "is_continued": [fact.continued for fact in facts],
        "footnote_ids": [list(fact.footnotes) for fact in facts],
        "table_no": [None if place.table is None else numbers[id(place.table)] for place in places],
        "cell_no": [None if place.cell is None else cell_numbers[id(place.cell)] for place in places],
        "block_no": [None if fact.hidden else _block_at(blocks, starts, fact.start) for fact in facts],
        "src_start": [fact.start for fact in facts],
        "src_end": [fact.end for fact in facts],
    }


def _block_at(blocks: Sequence[Block], starts: Sequence[int], byte: int) -> int | None:
    index = bisect_right(starts, byte) - 1
    return index if index >= 0 and byte < blocks[index].end else None


def _dimensions(document: Document) -> Columns:
    found = [
        (number, axis, member, axis in fact.context.typed)
        for number, fact in enumerate(document.facts)
        for axis, member in fact.context.dimensions.items()
    ]
    return {
        "fact_no": [number for number, _, _, _ in found],
        "axis": [axis for _, axis, _, _ in found],
        "member": [member for _, _, member, _ in found],
        "is_typed": [typed for _, _, _, typed in found],
    }


def _chunks(blocks: Sequence[Block], sections: Sequence[Section]) -> Columns:
    starts = [section.start for section in sections]
    numbers = {id(block): number for number, block in enumerate(blocks)}
    cut = passages(blocks, lambda block: _section_at(sections, starts, block.start))
    chunks = [(chunk, clean(chunk.text)) for chunk in cut]
    chunks = [(chunk, text) for chunk, text in chunks if text]
    return {
        "chunk_no": list(range(len(chunks))),
        "text": [text for _, text in chunks],
        "text_length": [len(text) for _, text in chunks],
        "section_no": [_section_at(sections, starts, chunk.start) for chunk, _ in chunks],
        "first_block": [numbers[id(chunk.blocks[0])] for chunk, _ in chunks],
        "last_block": [numbers[id(chunk.blocks[-1])] for chunk, _ in chunks],
        "page": [chunk.blocks[0].page for chunk, _ in chunks],
        "src_start": [chunk.start for chunk, _ in chunks],
        "src_end": [chunk.end for chunk, _ in chunks],
    }
