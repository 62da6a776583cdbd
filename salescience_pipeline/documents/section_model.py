"""What a section is: one item of a filing, where it stands, and how sure that is.

What does not belong here: finding it (``sections``).
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from salescience_pipeline.documents.model import BlockType
from salescience_pipeline.documents.xmltext import TAG, shown_text

if TYPE_CHECKING:
    from salescience_pipeline.documents.document import Document

FURNITURE = (BlockType.HEADER, BlockType.FOOTER, BlockType.PAGE_NUMBER)
"""What stands on every page and belongs to no section."""


@dataclass(frozen=True, slots=True)
class Section:
    """One item of a filing.

    Attributes:
        part: roman numeral; empty for forms without parts.
        item: ``1A``, ``5.02``.
        title: as the filing words it, else the form's words.
        canonical: the form's words.
        start: first byte of its heading, in the file.
        end: byte behind it.
        text_length: characters that a reader sees, heading included.
        method: ``toc`` a link of the table of contents and the heading agree or only the link is there; ``pattern`` the
            heading; ``fallback`` a title without a number, or a heading out of order.
        confidence: 0 to 1; below 0.7 a person should look.
        incorporated_by_reference: whether its text says that the content stands in another document.
        reason: why the confidence is what it is, one sentence.
    """

    part: str
    item: str
    title: str
    canonical: str
    start: int
    end: int
    text_length: int
    method: str
    confidence: float
    incorporated_by_reference: bool = False
    reason: str = ""

    def as_record(self) -> dict[str, object]:
        """The section as ``salescience documents sections`` prints it."""
        return {
            "part": self.part or None,
            "item": self.item,
            "title": self.title,
            "start": self.start,
            "end": self.end,
            "text_length": self.text_length,
            "method": self.method,
            "confidence": round(self.confidence, 3),
            "incorporated_by_reference": self.incorporated_by_reference,
            "reason": self.reason,
        }


def section_text(document: Document, section: Section) -> str:
    """What a reader sees of a section, one block per line, without page numbers and running heads.

    Args:
        document: the document in which the section was found.
        section: one of its sections.
    """
    document = document.main
    blocks = document.blocks
    first = max(0, bisect_right(list(accumulate((block.start for block in blocks), max)), section.start) - 1)
    parts = []
    for block in blocks[first:]:
        if block.start >= section.end:
            break
        if block.type in FURNITURE or block.end <= section.start:
            continue
        if block.start >= section.start and block.end <= section.end:
            parts.append(block.text)
        else:
            raw = document.bytes_of(max(block.start, section.start), min(block.end, section.end))
            parts.append(shown_text(TAG.sub(b" ", raw), document.source.encoding))
    return "\n".join(part for part in parts if part)
