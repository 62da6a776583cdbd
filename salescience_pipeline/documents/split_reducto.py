"""Sections and classification as Reducto would answer: SplitResponse and ClassifyResponse.

What does not belong here: finding either (``sections``, ``classify``).
"""

from __future__ import annotations

import hashlib
import uuid
from bisect import bisect_right
from typing import Any

from salescience_pipeline.documents.classify import classify
from salescience_pipeline.documents.document import Document
from salescience_pipeline.documents.sections import find_sections

_HIGH = 0.7
_CREDITS_PER_PAGE = 0.5
_CLASSIFY_PAGES = 5


def _job(document: Document, what: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, hashlib.sha256(document.source.data).hexdigest() + what))


def to_split(document: Document, *, job_id: str | None = None, duration: float = 0.0) -> dict[str, Any]:
    """The answer to ``POST /split``: the items of the form as splits, with the pages that they stand on.

    Args:
        document: a parsed document.
        job_id: the job that this answers; made from the document's bytes when absent.
        duration: seconds that the job took.

    Raises:
        DocumentError: when the document cannot be read.
    """
    starts = document.layout.page_starts
    splits = []
    for section in find_sections(document):
        first = bisect_right(starts, section.start)
        last = bisect_right(starts, max(section.start, section.end - 1))
        splits.append(
            {
                "name": f"{section.part and f'Part {section.part} '}Item {section.item}",
                "pages": list(range(first, last + 1)),
                "conf": "high" if section.confidence >= _HIGH else "low",
                "partitions": None,
            }
        )
    pages = len(starts)
    return {
        "response_type": "split",
        "job_id": job_id or _job(document, "split"),
        "duration": duration,
        "usage": {"num_pages": pages, "credits": pages * _CREDITS_PER_PAGE},
        "result": {"section_mapping": {split["name"]: split["pages"] for split in splits}, "splits": splits},
    }


def to_classification(document: Document, *, job_id: str | None = None, duration: float = 0.0) -> dict[str, Any]:
    """The answer to ``POST /classify``: the form (or the exhibit's number) as the category, its reason as the criterion.

    Args:
        document: a parsed document; of a submission its main one is judged.
        job_id: the job that this answers; made from the document's bytes when absent.
        duration: seconds that the job took.

    Raises:
        DocumentError: when the document cannot be read.
    """
    what = classify(document)
    category = f"EX-{what.exhibit}" if what.exhibit else what.form or what.kind or "unknown"
    criterion = {"criterion": what.reason, "confidence": "high" if what.confidence >= _HIGH else "low"}
    judged = {"category": category, "confidence": what.confidence, "criteria_confidence": [criterion]}
    pages = min(len(document.layout.page_starts), _CLASSIFY_PAGES)
    return {
        "response_type": "classify",
        "job_id": job_id or _job(document, "classify"),
        "duration": duration,
        "result": {"category": category},
        "response_confidence": {"categories": [judged]},
        "usage": {"num_pages": pages, "num_categories": 1, "credits": pages * _CREDITS_PER_PAGE},
    }
