"""What Reducto's jobs answer: parse, extract, split, classify and pipelines over documents that were uploaded.

Values are found by their names in tables and lines, categories by the words of their criteria: enough for answers that are
about the document. What does not belong here: HTTP (``reducto``) and reading markup (``reducto_blocks``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from salescience_pipeline.sandbox.reducto_blocks import Piece, box, chunked, content_of, page_spans, read_pieces

CHUNK_MODES = ("disabled", "variable", "section", "page", "block", "page_sections")
TABLE_FORMATS = ("html", "json", "md", "jsonbbox", "dynamic", "csv")
_CREDITS_PER_PAGE, _CLASSIFY_PAGES = 0.5, 5
_WORD = re.compile(r"[a-z0-9]+")
_FOREIGN = ((b"%PDF-", "PDF"), (b"PK\x03\x04", "Office or ZIP"), (b"\x89PNG", "PNG"), (b"\xff\xd8\xff", "JPEG"))


class JobFailed(Exception):
    """A job that ends as failed; ``name`` is the API's name of the failure."""

    def __init__(self, name: str, message: str, code: int = 400) -> None:
        super().__init__(message)
        self.name, self.code = name, code


class Invalid(Exception):
    """A request that is refused with status 422; ``where`` leads to the field."""

    def __init__(self, message: str, *where: str | int, kind: str = "value_error") -> None:
        super().__init__(message)
        self.where, self.kind = where, kind


def _section(body: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    value: Any = body
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
        if value is None:
            return {}
    if not isinstance(value, Mapping):
        raise Invalid("Input should be a valid dictionary", *names, kind="dict_type")
    return value


def check_parse_options(options: Mapping[str, Any], *where: str) -> None:
    """Refuse options that the API does not have.

    Raises:
        Invalid: naming the field.
    """
    mode = _section(options, "retrieval", "chunking").get("chunk_mode", "disabled")
    if mode not in CHUNK_MODES:
        allowed = ", ".join(f"'{name}'" for name in CHUNK_MODES)
        raise Invalid(f"Input should be {allowed}", *where, "retrieval", "chunking", "chunk_mode", kind="literal_error")
    form = _section(options, "formatting").get("table_output_format", "dynamic")
    if form not in TABLE_FORMATS:
        allowed = ", ".join(f"'{name}'" for name in TABLE_FORMATS)
        raise Invalid(f"Input should be {allowed}", *where, "formatting", "table_output_format", kind="literal_error")


def pieces_of(data: bytes, options: Mapping[str, Any]) -> list[Piece]:
    """The pieces of a document on the pages that were asked for.

    Raises:
        JobFailed: for a document that cannot be read.
    """
    if not data.strip():
        raise JobFailed("DOCUMENT_EMPTY", "The document is empty.")
    for magic, what in _FOREIGN:
        if data.startswith(magic):
            raise JobFailed("DOCUMENT_UNSUPPORTED", f"The sandbox reads HTML and text, and this is {what}.", 415)
    pieces = read_pieces(data)
    if not pieces:
        raise JobFailed("DOCUMENT_EMPTY", "The document shows nothing.")
    wanted = _section(options, "settings").get("page_range")
    if isinstance(wanted, Mapping):
        first, last = wanted.get("start") or 1, wanted.get("end") or pieces[-1].page
        pieces = [piece for piece in pieces if first <= piece.page <= last]
        if not pieces:
            raise JobFailed("INVALID_CONFIG", "The page range holds no page of the document.")
    return pieces


def parse(data: bytes, options: Mapping[str, Any], *, job_id: str, duration: float) -> dict[str, Any]:
    """A ParseResponse whose result is full."""
    pieces = pieces_of(data, options)
    chunking = _section(options, "retrieval", "chunking")
    hidden = set(_section(options, "retrieval").get("filter_blocks") or ())
    form = _section(options, "formatting").get("table_output_format", "dynamic")
    spans = page_spans(pieces)
    chunks = []
    for group in chunked(pieces, chunking.get("chunk_mode", "disabled"), chunking.get("chunk_size")):
        blocks = [_block(piece, spans, form) for piece in group]
        text = "\n\n".join(block["content"] for block in blocks if block["type"] not in hidden)
        chunks.append({"content": text, "embed": text, "enriched": None, "enrichment_success": False, "blocks": blocks})
    return {
        "response_type": "parse",
        "job_id": job_id,
        "duration": duration,
        "usage": usage(pieces),
        "result": {"type": "full", "chunks": chunks},
    }


def _block(piece: Piece, spans: dict[int, tuple[int, int]], form: str) -> dict[str, Any]:
    sure = piece.kind in {"Text", "Table", "Title", "Figure"}
    return {
        "type": piece.kind,
        "bbox": box(piece, spans),
        "content": content_of(piece, form),
        "confidence": "high" if sure else "low",
        "granular_confidence": {"parse_confidence": 0.9 if sure else 0.6, "extract_confidence": None},
    }


def usage(pieces: Sequence[Piece]) -> dict[str, Any]:
    """What a job over these pieces costs: text formats are charged by the half credit."""
    pages = sorted({piece.page for piece in pieces})
    return {
        "num_pages": len(pages),
        "credits": len(pages) * _CREDITS_PER_PAGE,
        "credit_breakdown": {"html_page": len(pages) * _CREDITS_PER_PAGE},
        "page_billing_breakdown": {str(page): ["html_page"] for page in pages},
    }


# -- extract -----------------------------------------------------------------------------------------------------------


def extract(data: bytes, body: Mapping[str, Any], *, job_id: str, duration: float) -> dict[str, Any]:
    """An extract response: values of the schema's leaves, with citations when they were asked for."""
    pieces = pieces_of(data, {"settings": _section(body, "settings")})
    spans = page_spans(pieces)
    schema = _section(body, "instructions", "schema")
    cited = bool(_section(body, "settings", "citations").get("enabled"))
    fields = 0

    def leaf(name: str, wanted: Mapping[str, Any]) -> Any:
        nonlocal fields
        fields += 1
        value, piece = _find(pieces, f"{name} {wanted.get('description', '')}", name, wanted.get("type"))
        if not cited:
            return value
        citations = [] if piece is None else [_citation(piece, spans, value)]
        return {"value": value, "citations": citations}

    result = _filled(schema, "", leaf)
    counted = {"num_pages": len(spans), "num_fields": fields, "credits": len(spans) * 2 * _CREDITS_PER_PAGE}
    answer = {"job_id": job_id, "duration": duration, "usage": counted}
    if cited:
        return {"response_type": "v3_extract", "result": result, **answer}
    return {"response_type": "extract", "result": [result], "citations": None, **answer}


def _filled(schema: Mapping[str, Any], name: str, leaf: Callable[[str, Mapping[str, Any]], Any]) -> Any:
    if schema.get("type") == "object" or "properties" in schema:
        return {key: _filled(part, key, leaf) for key, part in schema.get("properties", {}).items()}
    if schema.get("type") == "array":
        return [_filled(schema.get("items", {}), name, leaf)]
    return leaf(name, schema)


def _citation(piece: Piece, spans: dict[int, tuple[int, int]], value: Any) -> dict[str, Any]:
    block = {"type": piece.kind, "content": piece.text[:2000], "bbox": box(piece, spans)}
    return {
        **block,
        "content": str(value),
        "confidence": "high",
        "granular_confidence": {"extract_confidence": 0.8, "parse_confidence": 0.9},
        "parentBlock": block,
    }


def _words(text: str) -> set[str]:
    return {
        word.rstrip("s") for word in _WORD.findall(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).lower()) if len(word) > 1
    }


def _find(pieces: Sequence[Piece], described: str, name: str, kind: Any) -> tuple[Any, Piece | None]:
    """The value whose label shares most words with the field's name, and where it stands."""
    wanted, hints = _words(name), _words(described)
    best: tuple[float, Any, Piece | None] = (0.0, None, None)
    for piece in pieces:
        for label, shown in _pairs(piece):
            own = _words(label)
            if not own or not wanted <= own | hints or not wanted & own:
                continue
            value = _typed(shown, kind)
            score = len(wanted & own) / len(own | wanted)
            if value is not None and score > best[0]:
                best = (score, value, piece)
    return best[1], best[2]


def _pairs(piece: Piece) -> list[tuple[str, str]]:
    if piece.kind == "Table":
        return [(row[0], cell) for row in piece.rows for cell in row[1:] if any(char.isalnum() for char in cell)]
    label, colon, value = piece.text.partition(":")
    return [(label, value.strip())] if colon and len(label) < 80 else []


def _typed(shown: str, kind: Any) -> Any:
    if kind not in {"number", "integer"}:
        return shown
    digits = shown.strip("$€£ ()%").replace(",", "")
    try:
        value = float(digits)
    except ValueError:
        return None
    value = -value if shown.strip().startswith(("(", "$ (")) else value
    return int(value) if kind == "integer" or value.is_integer() else value


# -- split, classify ---------------------------------------------------------------------------------------------------


def split(data: bytes, body: Mapping[str, Any], *, job_id: str, duration: float) -> dict[str, Any]:
    """A split response: the pages on which a heading shares the words of a part's name."""
    pieces = pieces_of(data, {"settings": {}})
    pages = sorted({piece.page for piece in pieces})
    starts: list[tuple[int, str]] = []
    for part in body["split_description"]:
        wanted = _words(part["name"])
        found = [
            piece.page for piece in pieces if piece.kind != "Table" and wanted and wanted <= _words(piece.text[:200])
        ]
        if found:
            starts.append((found[-1], part["name"]))
    starts.sort()
    splits = []
    for part in body["split_description"]:
        at = next((index for index, (_, name) in enumerate(starts) if name == part["name"]), None)
        if at is None:
            splits.append({"name": part["name"], "pages": [], "conf": "low", "partitions": None})
            continue
        until = starts[at + 1][0] if at + 1 < len(starts) else pages[-1]
        covered = [page for page in pages if starts[at][0] <= page <= until]
        splits.append({"name": part["name"], "pages": covered, "conf": "high", "partitions": None})
    return {
        "response_type": "split", "job_id": job_id, "duration": duration, "usage": usage(pieces),
        "result": {"section_mapping": {entry["name"]: entry["pages"] for entry in splits}, "splits": splits},
    }  # fmt: skip


def classify(data: bytes, body: Mapping[str, Any], *, job_id: str, duration: float) -> dict[str, Any]:
    """A classify response: the category most of whose criteria have their words on the first pages."""
    pieces = [piece for piece in pieces_of(data, {}) if piece.page <= _CLASSIFY_PAGES]
    there = _words(" ".join(piece.text for piece in pieces))
    judged = []
    for category in body["classification_schema"]:
        criteria = [
            {"criterion": text, "confidence": "high" if _words(text) and _words(text) <= there else "low"}
            for text in category["criteria"]
        ]
        shares = [len(_words(text) & there) / max(len(_words(text)), 1) for text in category["criteria"]]
        confidence = round(sum(shares) / max(len(shares), 1), 3)
        judged.append({"category": category["category"], "confidence": confidence, "criteria_confidence": criteria})
    best = max(judged, key=lambda category: category["confidence"])
    pages = len({piece.page for piece in pieces})
    return {
        "response_type": "classify", "job_id": job_id, "duration": duration,
        "result": {"category": best["category"]}, "response_confidence": {"categories": judged},
        "usage": {"num_pages": pages, "num_categories": len(judged), "credits": pages * _CREDITS_PER_PAGE},
    }  # fmt: skip
