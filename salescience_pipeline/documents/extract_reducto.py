"""An extraction as Reducto would answer: ExtractResponse in its third version, with a citation behind every value.

What does not belong here: extracting (``extract``).
"""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

from salescience_pipeline.documents.document import Document
from salescience_pipeline.documents.extract_model import Citation, Extraction, Leaf, Tree
from salescience_pipeline.documents.reducto import Pages

_HIGH = 0.7
_CREDITS_PER_PAGE = 1.0


def to_reducto(
    document: Document,
    extraction: Extraction,
    *,
    citations: bool = True,
    job_id: str | None = None,
    duration: float = 0.0,
) -> dict[str, Any]:
    """The answer to ``POST /extract``.

    Args:
        document: the document that was asked.
        extraction: what was found.
        citations: with them every leaf is an object with value and citations; without, the result is a list of one
            object with bare values.
        job_id: the job that this answers; made from the document's bytes when absent.
        duration: seconds that the job took.
    """
    writer = _Writer(document)
    digest = hashlib.sha256(document.source.data).hexdigest()
    pages = len(document.layout.page_starts)
    return {
        "response_type": "v3_extract" if citations else "extract",
        "job_id": job_id or str(uuid.uuid5(uuid.NAMESPACE_OID, digest + "extract")),
        "duration": duration,
        "studio_link": None,
        "usage": {"num_pages": pages, "num_fields": len(extraction.leaves()), "credits": pages * _CREDITS_PER_PAGE},
        "result": writer.tree(extraction.result) if citations else [extraction.plain()],
    }


class _Writer:
    def __init__(self, document: Document) -> None:
        self.blocks = document.blocks
        self.pages = Pages(document.layout.page_starts, document.base + len(document.source.data))

    def tree(self, tree: Tree) -> Any:
        if isinstance(tree, Leaf):
            return {"value": tree.value, "citations": [self.citation(each, tree.confidence) for each in tree.citations]}
        if isinstance(tree, dict):
            return {name: self.tree(branch) for name, branch in tree.items()}
        return [self.tree(branch) for branch in tree]

    def citation(self, citation: Citation, confidence: float) -> dict[str, Any]:
        block = self.blocks[citation.block] if citation.block is not None else None
        kind = block.type.value if block is not None else "Text"
        clear = block is None or block.high_confidence
        found: dict[str, Any] = {
            "type": kind,
            "content": citation.content,
            "bbox": self.pages.bbox(citation.start, citation.end),
            "confidence": "high" if confidence >= _HIGH else "low",
            "granular_confidence": {
                "extract_confidence": round(confidence, 3),
                "parse_confidence": 0.95 if clear else 0.6,
            },
            "extra": {"source": {"start": citation.start, "end": citation.end}},
        }
        if block is not None:
            found["parentBlock"] = {
                "type": kind,
                "content": block.text[:2000],
                "bbox": self.pages.bbox(block.start, block.end),
            }
        return found
