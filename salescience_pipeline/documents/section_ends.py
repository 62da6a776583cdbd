"""Where a section ends, and whether its text only points to another document. Where sections begin stands in sections."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable

from salescience_pipeline.documents.item_lines import read_part
from salescience_pipeline.documents.items import FORM_10K, ItemTable
from salescience_pipeline.documents.model import Block
from salescience_pipeline.documents.section_model import FURNITURE

_SIGNATURE = re.compile(r"[\s\W]*signatures?[\s\W]*(?:page)?[\s\W]*$", re.IGNORECASE)
_SIGNED = re.compile(r"[\s\W]*(?:pursuant to the requirements of the securities|signatures?\b)", re.IGNORECASE)
_STATEMENTS = re.compile(
    r"[\s\W]*(?:index to |list of |consolidated |audited )*(?:financial statements|financial pages)\W*$"
    r"|[\s\W]*report of independent (?:registered|auditors|certified|public)",
    re.IGNORECASE,
)
"""What opens the pages of a report's financial statements, where they follow its last item."""
_BY_REFERENCE = re.compile(
    r"incorporat(?:ed|es|ing)\s+(?:\w+\s+){0,5}by\s+reference|by\s+reference\s+(?:is\s+made\s+)?(?:to|from)",
    re.IGNORECASE,
)
_SUBSTITUTE = re.compile(
    r"[\s\W]*(?:items?\s+11[0-9]{2}\b.{0,60}\bof\s+regulation\s+ab\b"
    r"|(?:substitute|additional) (?:information|disclosure).{0,60}general\s+instruction\s+j\b)",
    re.IGNORECASE | re.DOTALL,
)
"""Issuers of asset-backed securities answer items of Regulation AB instead of most of the form's own."""
_REFERENCE_MAX = 4000
"""Characters: a longer section says something itself."""


class Ends:
    """Ends of the sections of one document."""

    def __init__(self, blocks: list[Block], starts: list[int], table: ItemTable, end: int) -> None:
        """Blocks in reading order, where they start (ascending), the items of the form, the end of the document."""
        self._blocks = blocks
        self._starts = starts
        self._table = table
        self._end = end
        reports = table is FORM_10K
        self._substitutes = [block.start for block in blocks if reports and _SUBSTITUTE.match(block.text[:200])]

    def before(self, start: int, following: int) -> int:
        """The end of the section at ``start`` whose successor begins at ``following``."""
        position = bisect_right(self._substitutes, start)
        if position < len(self._substitutes) and self._substitutes[position] < following:
            return self._substitutes[position]
        return self._trimmed(start, following)

    def _trimmed(self, start: int, end: int) -> int:
        """What opens the successor's page is not part of the section.

        On a page that opens with a link back to the table of contents that is the heading of the next part, or that link.
        """
        link = part = 0
        position = bisect_left(self._starts, end) - 1
        while position >= 0 and (block := self._blocks[position]).start > start:
            if len(block.text) < 120 and read_part(block.text):
                part = block.start
            elif block.links and len(block.text) < 40 and block.links[0].start > start:
                link = link or block.links[0].start
            elif block.type not in FURNITURE:
                break
            position -= 1
        return (part or link) if link else end

    def last(self, start: int, places: Iterable[int]) -> int:
        """The end of the last section.

        Lists of exhibits run to the end of the document: schedules and signatures are filed under them. The summary of an
        annual report ends at the signatures or where the financial statements begin, the items of a current report at the
        signatures.
        """
        summary = all(self._table.items[place].number == "16" for place in places)
        if not self._table.ends_at_signature and not summary:
            return self._end
        for position in range(bisect_right(self._starts, start), len(self._blocks)):
            block = self._blocks[position]
            text = block.text
            if len(text) < 40 and _SIGNATURE.match(text):
                return block.start
            if _SIGNED.match(text) and ("exchange act" in text[:400].lower() or "duly caused" in text[:600].lower()):
                return block.start
            if summary and block.level and len(text) < 120 and _STATEMENTS.match(text):
                return block.start
        return self._end

    def points_elsewhere(self, first: int, end: int, text_length: int) -> bool:
        """Whether a short section refers to another document.

        Args:
            first: index of its first block.
            end: byte behind it.
            text_length: its characters.
        """
        if text_length > _REFERENCE_MAX:
            return False
        return any(_BY_REFERENCE.search(block.text) for block in self._blocks[first : bisect_left(self._starts, end)])
