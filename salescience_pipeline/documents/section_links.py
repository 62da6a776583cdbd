"""Where the links of a table of contents lead.

What does not belong here: which targets are headings (``headings``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from salescience_pipeline.documents.document import Document


def find_anchors(document: Document, targets: set[str]) -> dict[str, int]:
    """Where the named places are that links lead to.

    The name in quotation marks occurs only where the place is: a link to it has a number sign before the name.
    """
    data = document.source.data
    found: dict[str, int] = {}
    for target in targets:
        raw = target.encode(document.source.encoding, "replace")
        for quote in (b'"', b"'"):
            at = data.find(quote + raw + quote)
            if at >= 0:
                found[target] = data.rfind(b"<", 0, at) + document.base
                break
    return found
