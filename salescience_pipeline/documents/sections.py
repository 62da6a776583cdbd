"""The items of a filing as byte spans of the file.

Headings, links of the table of contents and order decide together: every line that names an item is a candidate
(:mod:`headings`); lines of a table of contents are told apart by their company; the best chain of candidates in the
order of the form is taken, each item once; items that stand outside this order, are only linked or only have a title
come afterwards and with less confidence. A section runs from its heading to the next one; the last one to the end of
the document, or to the signatures of an 8-K. What does not belong here: the forms' own items (``items``).
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import replace
from itertools import accumulate
from typing import TYPE_CHECKING

from salescience_pipeline.documents.forms import form_of
from salescience_pipeline.documents.headings import find_headings
from salescience_pipeline.documents.item_lines import Candidate, IndexRow
from salescience_pipeline.documents.items import (
    FORM_8K,
    FORM_10K,
    FORM_10Q,
    FORM_20F,
    Item,
    ItemTable,
    items_of,
    title_words,
)
from salescience_pipeline.documents.model import Block, BlockType
from salescience_pipeline.documents.section_ends import Ends
from salescience_pipeline.documents.section_links import find_anchors
from salescience_pipeline.documents.section_model import Section, section_text
from salescience_pipeline.documents.section_order import GAP, best_chain, fits, inside, mark_lists, rows_of_parts
from salescience_pipeline.documents.source import Kind

if TYPE_CHECKING:
    from salescience_pipeline.documents.document import Document


_STRONG = 5.0
_ANCHOR_REACH = 1500
"""Bytes before and behind the start of a heading in which the anchor of its link stands."""
_FAR = 3000
"""Characters: a link that leads further away from the heading than a page contradicts it."""
_SHORT = frozenset({"1B", "4A", "9C", "16"})
_SHORT_MAX = 20_000
"""Characters: a section of one of these items that is longer holds more than the item."""
_LEADING_NUMBER = re.compile(r"[0-9]{1,2}[a-c]? ")
__all__ = ["Section", "find_sections", "section_text"]


def find_sections(document: Document) -> tuple[Section, ...]:
    """The items of a document in the order in which they stand; of a submission those of its main document.

    Args:
        document: a parsed document.

    Returns:
        Nothing for forms without items and for documents in which no item was found.

    Raises:
        DocumentError: when the document cannot be read (see :mod:`errors`).
    """
    document = document.main
    if document.source.kind is Kind.XML:
        return ()
    form, _ = form_of(document)
    table = items_of(form)
    if table is not None:
        return _Splitter(document, table).run()
    if form:
        return ()
    # Nothing says which form it is: the table whose items explain the document best, when it explains several.
    found = max(
        (_Splitter(document, guess).run() for guess in (FORM_10K, FORM_10Q, FORM_8K, FORM_20F)),
        key=lambda found: sum(section.confidence for section in found),
    )
    return tuple(
        replace(section, confidence=min(section.confidence, 0.6), reason="The document does not say which form it is.")
        for section in found
    )


def _same_title(words: str, item: Item) -> bool:
    """Whether a heading begins with the form's own words for an item."""
    return words.replace(" and ", " ").startswith(title_words(item.title).replace(" and ", " ")[:30])


class _Splitter:
    """Finds the items of one document."""

    def __init__(self, document: Document, table: ItemTable) -> None:
        self.document = document
        self.table = table
        self.blocks: list[Block] = document.blocks
        # An inner table stands before the outer one that began earlier; places are looked up by bisection.
        self.starts = list(accumulate((block.start for block in self.blocks), max))
        self.end = document.base + len(document.source.data)
        self.ends = Ends(self.blocks, self.starts, table, self.end)
        self.listed_items: set[int] = set()
        self.astray: set[int] = set()

    def run(self) -> tuple[Section, ...]:
        document = self.document
        headings = find_headings(
            self.blocks,
            self.table,
            document.bytes_of,
            encoding=document.source.encoding,
            typewritten=document.source.kind is Kind.TEXT,
        )
        self.headings = headings
        headings.candidates.sort(key=lambda candidate: candidate.start)
        headings.parts.sort()
        listed = mark_lists(headings)
        self.parts = [part for part in headings.parts if not inside(part[0], self._listed_spans(listed))]
        usable = [candidate for candidate in headings.candidates if candidate not in listed]
        chain = best_chain(usable, self.table, self._part_bonus)
        self._add_linked(chain)
        self._add_strays(chain, usable)
        self._add_titled(chain)
        return self._sections(chain)

    def _listed_spans(self, listed: set[Candidate]) -> list[tuple[int, int]]:
        """Byte spans of the lists of items, whose "PART I" is no heading."""
        spans = [(self.blocks[index].start, self.blocks[index].end) for index in self.headings.index_blocks]
        ordered = sorted((candidate for candidate in listed), key=lambda candidate: candidate.start)
        run: list[Candidate] = []
        for candidate in ordered:
            if run and candidate.text - run[-1].text > 4 * GAP:
                spans.append((run[0].start - 200, run[-1].start + 1))
                run = []
            run.append(candidate)
        if run:
            spans.append((run[0].start - 200, run[-1].start + 1))
        return spans

    def _part_bonus(self, candidate: Candidate, place: int) -> float:
        """Whether the heading of a part that stands last before a candidate is that of its item."""
        index = bisect_right(self.parts, (candidate.start, "~"))
        if not index:
            return 0.0
        before, wanted = self.parts[index - 1][1], self.table.items[place].part
        return (
            0.5
            if before == wanted
            else -0.5
            if len(self.table.by_number[self.table.items[place].number]) == 1
            else -2.0
        )

    # -- what the headings leave open -------------------------------------------------------------------------------------

    def _add_linked(self, chain: dict[int, Candidate]) -> None:
        """Items that a list of items names and whose heading was not found by its number.

        A link leads to the content. A row without a link that says all there is ("Item 6. Reserved | Not applicable") is
        itself what the filing says about the item.
        """
        rows = rows_of_parts(self.headings.index_rows)
        self.listed_items = {place for place, _ in rows}
        self._check_links(chain, rows)
        missing = [(place, row) for place, row in rows if place not in chain]
        anchors = find_anchors(self.document, {target for _, row in missing for target in row.targets})
        for place, row in missing:
            byte = next((anchors[target] for target in row.targets if target in anchors), None)
            candidate = self._linked(place, row.title, byte) if byte is not None else None
            if candidate is not None and place not in chain:
                chain[place] = candidate
        said = self._statements(chain)
        for place, row in missing:
            if place not in chain and row.block in said:
                at = self.headings.text_at[row.block]
                chain[place] = Candidate(
                    (place,), row.start, row.block, row.title, 1.0, True, True, method="fallback", text=at, end=row.end
                )

    def _check_links(self, chain: dict[int, Candidate], rows: list[tuple[int, IndexRow]]) -> None:
        """Compare headings with where the table of contents links to: nearly always right in front of the heading."""
        data, base = self.document.source.data, self.document.base
        astray: list[tuple[int, IndexRow]] = []
        for place, row in rows:
            candidate = chain.get(place)
            if candidate is None or not row.targets or row.start > candidate.start:
                continue
            begin, end = candidate.start - base - _ANCHOR_REACH, candidate.start - base + _ANCHOR_REACH
            names = (b'"' + target.encode(self.document.source.encoding, "replace") + b'"' for target in row.targets)
            candidate.agreed = any(data.find(name, max(0, begin), end) >= 0 for name in names)
            if not candidate.agreed:
                astray.append((place, row))
        anchors = find_anchors(self.document, {target for _, row in astray for target in row.targets})
        for place, row in astray:
            bytes_ = [anchors[target] for target in row.targets if target in anchors]
            if bytes_:
                at = self._text_at(chain[place].start)
                distance = min(abs(self._text_at(byte) - at) for byte in bytes_)
                chain[place].agreed = distance < GAP
                self.astray |= {place} if distance > _FAR else set()

    def _statements(self, chain: dict[int, Candidate]) -> set[int]:
        """The tables of items that say something about them, and are no table of contents in front of the content."""
        first = min((candidate.start for candidate in chain.values()), default=self.end)
        found = set()
        for index in self.headings.index_blocks:
            rows = [row for row in self.headings.index_rows if row.block == index]
            leading = sum(row.leads_elsewhere for row in rows)
            elsewhere = sum(any(item in chain for item in row.items) for row in rows)
            if rows and (rows[0].start > first or (2 * leading < len(rows) and 2 * elsewhere < len(rows))):
                found.add(index)
        return found

    def _linked(self, place: int, title: str, byte: int) -> Candidate | None:
        """The block that a link of a list of items means; None when it leads into such a list."""
        index = bisect_left(self.starts, byte)
        # The anchor may be inside the block that it means.
        if index and self.blocks[index - 1].end > byte and self.blocks[index - 1].table is None:
            index -= 1
        if index >= len(self.blocks) or index in self.headings.index_blocks:
            return None
        near = self.blocks[index : index + 3]
        position = next((k for k, block in enumerate(near) if self._says(place, block)), None)
        block = near[position or 0]
        return Candidate(
            (place,), block.start, block.index, title or block.text[:200], 4.0, position is not None, True,
            method="toc", text=self.headings.text_at[min(index + (position or 0), len(self.headings.text_at) - 1)],
        )  # fmt: skip

    def _says(self, place: int, block: Block) -> bool:
        """Whether a block is a heading that words the item's title."""
        return len(block.text) < 250 and place in self.table.titled(title_words(block.text))

    def _add_strays(self, chain: dict[int, Candidate], usable: list[Candidate]) -> None:
        """Items whose heading is as clear as can be but does not stand where the form wants it."""
        taken = {candidate.start for candidate in chain.values()}
        for candidate in usable:
            if candidate.start in taken or candidate.weight < _STRONG or not candidate.titled or not candidate.alone:
                continue
            for place in candidate.group or candidate.items:
                if place in chain or self._part_bonus(candidate, place) < -1:
                    continue
                chain[place] = replace(candidate, method="fallback")
                taken.add(candidate.start)

    def _add_titled(self, chain: dict[int, Candidate]) -> None:
        """Items without a number: their title as a heading, if the table of contents lists them or no item has a number."""
        numbered = len(chain)
        wanted = {place for place in range(len(self.table.items)) if place not in chain}
        if numbered >= 3:
            wanted &= self.listed_items
        if not wanted or self.table is FORM_8K:
            return
        ordered = sorted((candidate.start, place) for place, candidate in chain.items())
        for index, block in enumerate(self.blocks):
            if (
                block.type is not BlockType.SECTION_HEADER
                or len(block.text) > 160
                or index in self.headings.index_blocks
            ):
                continue
            words = _LEADING_NUMBER.sub("", title_words(block.text))
            for place in self.table.titled(words) & wanted:
                if not _same_title(words, self.table.items[place]) or not fits(ordered, block.start, place):
                    continue
                wanted.discard(place)
                ordered = sorted([*ordered, (block.start, place)])
                chain[place] = Candidate(
                    (place,), block.start, index, block.text[:200], 2.0, True, True,
                    method="fallback", text=self.headings.text_at[index],
                )  # fmt: skip

    # -- spans and confidence -----------------------------------------------------------------------------------------

    def _sections(self, chain: dict[int, Candidate]) -> tuple[Section, ...]:
        if not chain:
            return ()
        by_start: dict[int, list[int]] = {}
        for place, candidate in chain.items():
            by_start.setdefault(candidate.start, []).append(place)
        order = sorted(by_start)
        stops = sorted({self.blocks[candidate.block].start for candidate in chain.values() if candidate.end})
        flowing = [start for start in order if not chain[by_start[start][0]].end]
        found = []
        for start in order:
            end = chain[by_start[start][0]].end
            if not end:
                following = bisect_right(flowing, start)
                if following < len(flowing):
                    end = self.ends.before(start, flowing[following])
                else:
                    end = self.ends.last(start, by_start[start])
                end = next((stop for stop in stops if start < stop < end), end)
            found += [self._section(place, chain[place], end, chain) for place in sorted(by_start[start])]
        return tuple(found)

    def _section(self, place: int, candidate: Candidate, end: int, chain: dict[int, Candidate]) -> Section:
        item = self.table.items[place]
        text_length = (
            len(candidate.title) if candidate.end else max(0, self._text_at(end) - self._text_at(candidate.start))
        )
        confidence, reason = self._confidence(place, candidate, chain)
        method = "toc" if candidate.method == "pattern" and candidate.agreed else candidate.method
        if item.number in _SHORT and text_length > _SHORT_MAX:
            confidence, reason = min(confidence, 0.4), "It may be too long: this item is short in nearly every filing."
        part = item.part
        if item.number == "14" and self.table is FORM_10K and self._is_list_of_exhibits(candidate):
            # Before 2003 the exhibits were Item 14 and made up Part IV.
            part = "IV"
        return Section(
            part,
            item.number,
            candidate.title or item.title,
            item.title,
            candidate.start,
            end,
            text_length,
            method,
            confidence,
            self.ends.points_elsewhere(candidate.block, end, text_length),
            reason,
        )

    def _is_list_of_exhibits(self, candidate: Candidate) -> bool:
        before = bisect_right(self.parts, (candidate.start, "~"))
        return candidate.title[:8].lower() == "exhibits" or bool(before and self.parts[before - 1][1] == "IV")

    def _text_at(self, byte: int) -> int:
        """Characters of text before a byte; inside a block in proportion to its bytes."""
        index = bisect_right(self.starts, byte) - 1
        if index < 0:
            return 0
        before, behind = self.headings.text_at[index], self.headings.text_at[index + 1]
        block = self.blocks[index]
        share = min(1.0, (byte - block.start) / max(1, block.end - block.start))
        return before + round((behind - before) * share)

    def _confidence(self, place: int, candidate: Candidate, chain: dict[int, Candidate]) -> tuple[float, str]:
        """How sure a section is, and what speaks against it."""
        if candidate.end:
            return 0.5, "Only the row of an index says something about the item."
        if candidate.method == "toc":
            base, reason = (0.85, "Found by a link of the table of contents; the heading has no number.")
            if not candidate.titled:
                base, reason = 0.6, "Found by a link of the table of contents; the place does not say the title."
        elif candidate.method == "fallback":
            base, reason = (
                (0.65, "The heading stands outside the order of the form.")
                if candidate.weight >= _STRONG
                else (0.5, "Found by its title alone; the heading has no number.")
            )
        elif place in self.astray:
            base, reason = 0.6, "The table of contents links to another place."
        elif candidate.agreed and candidate.titled:
            base, reason = 0.99, ""
        elif candidate.titled:
            base, reason = (0.97, "") if candidate.alone else (0.9, "Number and title open a paragraph.")
        else:
            base, reason = 0.75, "The heading has the number but not the title of the item."
        missing = self._next_missing(place, chain)
        if missing:
            return min(
                base, 0.4
            ), f"It may be too long: item {missing}, which the table of contents lists next, was not found."
        if candidate.group:
            base, reason = min(base, 0.9), "One heading opens several items."
        return base, reason

    def _next_missing(self, place: int, chain: dict[int, Candidate]) -> str:
        """The item that is listed right behind this one and was not found; empty when there is none."""
        following = place + 1
        while following < len(self.table.items) and following not in chain:
            if following in self.listed_items:
                return self.table.items[following].number
            following += 1
        return ""
