"""Rows of what a document says about the world: entities and their relations, events, risk factors, extracted values.

Pure functions: the engine's answers in, columns of the ``doc_salescience__*`` tables out. What does not belong here: rows of
the document's own parts (blocks, sections, tables, facts), see :mod:`document_rows`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from salescience_pipeline.acquisition.document_values import Columns, clean
from salescience_pipeline.documents import Document
from salescience_pipeline.documents.classify import Classification
from salescience_pipeline.documents.entities import Entity, Graph, Mention, read_entities
from salescience_pipeline.documents.extract import extract
from salescience_pipeline.documents.extract_model import Leaf
from salescience_pipeline.documents.schemas import SCHEMAS

_PERIODIC = ("10-K", "10-Q", "20-F", "40-F")
_OWNERSHIP = frozenset({"3", "4", "5", "3/A", "4/A", "5/A"})
_OF_REPORTS = ("income_statement", "balance_sheet", "cash_flow", "shares", "auditor", "officers_and_directors")
_NOT_OF_A_NAME = re.compile(r"[^0-9a-z]+")


def graph_rows(document: Document, cik: str, what: Classification) -> dict[str, Columns]:
    """Columns by table, for the tables whose rows this module makes.

    Args:
        document: A parsed document.
        cik: Of the filer, for documents that do not name it themselves (an exhibit).
        what: What the document is.

    Raises:
        DocumentError: when a stage refuses the document.
    """
    graph = read_entities(document, filer_cik=cik)
    return {
        "entities": _entities(graph.entities),
        "mentions": _mentions(graph.entities),
        "relations": _relations(graph),
        "events": _events(document) if what.role == "main" and what.form.startswith("8-K") else _EVENTS.copy(),
        "risk_factors": _risk_factors(document) if _is_report(what) else _RISK_FACTORS.copy(),
        "extractions": _extractions(document, _schemas_for(what)),
    }


def _is_report(what: Classification) -> bool:
    return what.role == "main" and what.form.startswith(_PERIODIC)


def _schemas_for(what: Classification) -> Sequence[str]:
    """The ready schemas that a document can answer; events and risk factors have tables of their own."""
    if what.role == "exhibit":
        return ("subsidiaries",) if what.kind == "subsidiaries" else ()
    if what.role == "main" and what.form in _OWNERSHIP:
        return ("insider_transactions",)
    return (*_OF_REPORTS, "subsidiaries") if _is_report(what) else ()


# -- entities ----------------------------------------------------------------------------------------------------------


def entity_key(kind: str, name: str, cik: str | None) -> str:
    """What finds the same entity in other filings: ``company:0000320193``, ``person:jane roe``."""
    return f"{kind}:{cik.zfill(10)}" if cik else f"{kind}:{_NOT_OF_A_NAME.sub(' ', name.lower()).strip()}"


def _entities(entities: Sequence[Entity]) -> Columns:
    ciks = [entity.cik.zfill(10) if entity.cik else None for entity in entities]
    names = [clean(entity.canonical) for entity in entities]
    return {
        "entity_no": list(range(len(entities))),
        "entity_kind": [entity.kind for entity in entities],
        "canonical_name": names,
        "entity_key": [
            entity_key(entity.kind, name, cik) for entity, name, cik in zip(entities, names, ciks, strict=True)
        ],
        "entity_cik": ciks,
        "entity_ticker": [entity.ticker for entity in entities],
        "mention_count": [len(entity.mentions) for entity in entities],
    }


def _mentions(entities: Sequence[Entity]) -> Columns:
    found = [
        (number, place, mention)
        for number, entity in enumerate(entities)
        for place, mention in enumerate(entity.mentions)
    ]
    return {
        "entity_no": [number for number, _, _ in found],
        "mention_no": [place for _, place, _ in found],
        "text": [clean(mention.text) for _, _, mention in found],
        "char_start": [mention.start if mention.start >= 0 else None for _, _, mention in found],
        "char_end": [mention.end if mention.start >= 0 else None for _, _, mention in found],
        **_places(mention for _, _, mention in found),
    }


def _places(mentions: Iterable[Mention]) -> Columns:
    found = list(mentions)
    return {
        "block_no": [mention.block for mention in found],
        "read_from": [mention.method for mention in found],
        "confidence": [round(mention.confidence, 3) for mention in found],
        "src_start": [mention.source_start for mention in found],
        "src_end": [mention.source_end for mention in found],
    }


def _relations(graph: Graph) -> Columns:
    numbers = {id(entity): number for number, entity in enumerate(graph.entities)}
    relations = graph.relations
    return {
        "relation_no": list(range(len(relations))),
        "subject_no": [numbers[id(relation.subject)] for relation in relations],
        "predicate": [relation.predicate for relation in relations],
        "object_no": [numbers[id(relation.object)] for relation in relations],
        "relation_detail": [clean(relation.detail) for relation in relations],
        **_places(relation.source for relation in relations),
    }


# -- lists and values --------------------------------------------------------------------------------------------------


def _of_leaf(leaf: Leaf) -> dict[str, Any]:
    """Where a value was read."""
    place = leaf.citations[0]
    return {
        "read_from": leaf.method,
        "confidence": round(leaf.confidence, 3),
        "block_no": place.block,
        "page": place.page,
        "src_start": place.start,
        "src_end": place.end,
    }


def _columns(rows: Sequence[dict[str, Any]], names: Iterable[str]) -> Columns:
    return {name: [row[name] for row in rows] for name in names}


_SPAN = ("confidence", "block_no", "src_start", "src_end")
_EVENTS: Columns = {name: [] for name in ("event_no", "item", "title", "text", "read_from", *_SPAN)}
_RISK_FACTORS: Columns = {name: [] for name in ("risk_no", "risk_group", "title", "text", "text_length", *_SPAN)}
_EXTRACTIONS = ("schema_name", "json_path", "schema_sha256", "value_json", "read_from", "page", *_SPAN)


def _text(leaf: Leaf) -> str | None:
    return None if leaf.value is None else clean(str(leaf.value))


def _events(document: Document) -> Columns:
    found: Any = extract(document, "events_8k").result
    rows = [
        {"event_no": number, **_of_leaf(row["text"]), **{name: _text(row[name]) for name in ("item", "title", "text")}}
        for number, row in enumerate(row for row in found["events"] if row["text"].value)
    ]
    return _columns(rows, _EVENTS)


def _risk_factors(document: Document) -> Columns:
    found: Any = extract(document, "risk_factors").result
    rows = [
        {
            "risk_no": number,
            "risk_group": _text(row["group"]),
            "title": _text(row["title"]),
            "text": _text(row["text"]),
            "text_length": len(str(row["text"].value)),
            **_of_leaf(row["text"]),
            # From the title to the end of what stands below it.
            "src_start": row["title"].citations[0].start,
        }
        for number, row in enumerate(row for row in found["risk_factors"] if row["title"].value and row["text"].value)
    ]
    return _columns(rows, _RISK_FACTORS)


def _extractions(document: Document, names: Sequence[str]) -> Columns:
    rows = [
        {
            "schema_name": name,
            "json_path": path,
            "schema_sha256": _digest(name),
            "value_json": clean(json.dumps(leaf.value, ensure_ascii=False)),
            **_of_leaf(leaf),
        }
        for name in names
        for path, leaf in extract(document, name).leaves()
        if leaf.value is not None
    ]
    return _columns(rows, _EXTRACTIONS)


@lru_cache(maxsize=32)
def _digest(name: str) -> str:
    return hashlib.sha256(json.dumps(SCHEMAS[name], sort_keys=True).encode()).hexdigest()
