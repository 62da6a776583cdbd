"""Which form a document is, by what it says of itself; what else it is stands in :mod:`classify`.

What does not belong here: which document is which form (``classify``).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from salescience_pipeline.documents.document import Document

_FORM = re.compile(
    r"form\s+(10-?\s?k\s?405|10-?\s?ksb(?:40)?|10-?\s?kt?|10-?\s?qsb|10-?\s?qt?|8-?\s?k(?:12b|12g3|15d5)?|20-?\s?f|6-?\s?k|40-?\s?f"
    r"|11-?\s?k|s-?\s?[1348]|def\s?14a|13f(?:-hr)?|[345])(?![0-9a-z])\s*(/\s?a\b)?",
    re.IGNORECASE,
)
_SPACE = re.compile(r"\s+")
_DOCUMENT_TYPE = re.compile(rb"""name\s*=\s*["']dei:DocumentType["'][^>]*>(?:\s*<[^>]*>)*\s*([^<]{1,20})""")
_COVER_BLOCKS = 80


def normal_form(text: str) -> str:
    """``10 - k405`` -> ``10-K405``; ``8k/a`` -> ``8-K/A``."""
    form = _SPACE.sub("", text).upper()
    return re.sub(r"^(10|11|20|40|6|8)-?([KQF])", r"\1-\2", form)


def form_of(document: Document) -> tuple[str, str]:
    """The form type and where it was found: ``header``, ``hint``, ``dei`` or ``cover``; two empty strings when nowhere.

    Args:
        document: one document (of a submission its main one).
    """
    declared = document.part.type if document.part is not None else ""
    if declared:
        return normal_form(declared), "header"
    if document.hints.form:
        return normal_form(document.hints.form), "hint"
    named = document.source.data.find(b"dei:DocumentType")
    found = _DOCUMENT_TYPE.search(document.source.data, max(0, named - 20)) if named >= 0 else None
    if found is not None:
        return normal_form(found[1].decode(document.source.encoding, "replace")), "dei"
    for block in document.blocks[:_COVER_BLOCKS]:
        match = _FORM.search(block.text[:400])
        if match is not None and (len(block.text) < 200 or block.text.lstrip()[:4].lower() == "form"):
            return normal_form(match[1] + ("/A" if match[2] else "")), "cover"
    return "", ""
