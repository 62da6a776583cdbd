"""The items of a filing as byte spans of the file.

Headings, links of the table of contents and order decide together: every line that names an item is a candidate
(:mod:`headings`); lines of a table of contents are told apart by their company; the best chain of candidates in the order
of the form is taken, each item once; items that stand outside this order, are only linked or only have a title come
afterwards and with less confidence. A section runs from its heading to the next one; the last one to the end of the
document, or to the signatures of an 8-K.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from salescience_pipeline.documents.forms import form_of
from salescience_pipeline.documents.headings import Candidate, Headings, IndexRow, find_headings, read_part
from salescience_pipeline.documents.items import FORM_8K, FORM_10K, FORM_10Q, FORM_20F, ItemTable, items_of, title_words
from salescience_pipeline.documents.model import Block, BlockType
from salescience_pipeline.documents.source import Kind

if TYPE_CHECKING:
    from salescience_pipeline.documents.document import Document


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


_GAP = 300
"""Characters between two headings of a list of items; sections are nearly always longer."""
_LIST_LENGTH = 4
_STRONG = 5.0
_FURNITURE = (BlockType.HEADER, BlockType.FOOTER, BlockType.PAGE_NUMBER)
_SIGNATURE = re.compile(r"[\s\W]*signatures?[\s\W]*(?:page)?[\s\W]*$", re.IGNORECASE)
_SIGNED = re.compile(r"[\s\W]*(?:pursuant to the requirements of the securities|signatures?\b)", re.IGNORECASE)
_BY_REFERENCE = re.compile(
    r"incorporated\s+(?:herein\s+)?by\s+reference|by\s+reference\s+(?:is\s+made\s+)?(?:to|from)|incorporates?\s+by\s+reference",
    re.IGNORECASE,
)


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
    found = max((_Splitter(document, guess).run() for guess in (FORM_10K, FORM_10Q, FORM_8K, FORM_20F)), key=_weight)
    return tuple(
        replace(section, confidence=min(section.confidence, 0.6), reason="The document does not say which form it is.")
        for section in found
    )


def _weight(sections: tuple[Section, ...]) -> float:
    return sum(section.confidence for section in sections)


class _Splitter:
    """Finds the items of one document."""

    def __init__(self, document: Document, table: ItemTable) -> None:
        self.document = document
        self.table = table
        self.blocks: list[Block] = document.blocks
        self.starts = [block.start for block in self.blocks]
        self.end = document.base + len(document.source.data)

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
        listed = _mark_lists(headings)
        self.parts = [part for part in headings.parts if not _inside(part[0], self._listed_spans(listed))]
        usable = [candidate for candidate in headings.candidates if candidate not in listed]
        chain = _best_chain(usable, self.table, self._part_bonus)
        self._add_linked(chain)
        self._add_strays(chain, usable)
        self._add_titled(chain)
        return self._sections(chain)

    # -- parts --------------------------------------------------------------------------------------------------------

    def _listed_spans(self, listed: set[Candidate]) -> list[tuple[int, int]]:
        """Byte spans of the lists of items, whose "PART I" is no heading."""
        spans = [(self.blocks[index].start, self.blocks[index].end) for index in self.headings.index_blocks]
        ordered = sorted((candidate for candidate in listed), key=lambda candidate: candidate.start)
        run: list[Candidate] = []
        for candidate in ordered:
            if run and candidate.text - run[-1].text > 4 * _GAP:
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
        rows = _rows_of_parts(self.headings.index_rows)
        self.listed_items = {place for place, _ in rows}
        missing = [(place, row) for place, row in rows if place not in chain]
        anchors = _anchors(self.document, {target for _, row in missing for target in row.targets})
        for place, row in missing:
            byte = next((anchors[target] for target in row.targets if target in anchors), None)
            candidate = self._linked(place, row.title, byte) if byte is not None else None
            if candidate is not None and place not in chain:
                chain[place] = candidate
        first = min((candidate.start for candidate in chain.values()), default=self.end)
        for place, row in missing:
            # A list in front of all content is a table of contents, not a place where something is said.
            if place not in chain and row.start > first:
                at = self.headings.text_at[row.block]
                chain[place] = Candidate(
                    (place,), row.start, row.block, row.title, 1.0, True, True, method="fallback", text=at, end=row.end
                )

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
            words = title_words(block.text)
            for place in self.table.titled(words) & wanted:
                canonical = title_words(self.table.items[place].title)
                if not words.startswith(canonical[:30]) or not _fits(ordered, block.start, place):
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
        rows = [candidate.block for candidate in chain.values() if candidate.end]
        stop = self.blocks[min(rows)].start if rows else self.end
        flowing = [start for start in order if not chain[by_start[start][0]].end]
        found = []
        for start in order:
            end = chain[by_start[start][0]].end
            if not end:
                following = bisect_right(flowing, start)
                if following < len(flowing):
                    end = self._trimmed(start, flowing[following])
                else:
                    end = self._last_end(start)
                end = stop if start < stop < end else end
            found += [self._section(place, chain[place], end, chain) for place in sorted(by_start[start])]
        return tuple(found)

    def _trimmed(self, start: int, end: int) -> int:
        """Where a section ends whose successor begins at ``end``: what opens the successor's page is not part of it.

        On a page that opens with a link back to the table of contents that is the heading of the next part, or that link.
        """
        link = part = 0
        position = bisect_left(self.starts, end) - 1
        while position >= 0 and (block := self.blocks[position]).start > start:
            if len(block.text) < 120 and read_part(block.text):
                part = block.start
            elif block.links and len(block.text) < 40 and block.links[0].start > start:
                link = link or block.links[0].start
            elif block.type not in _FURNITURE:
                break
            position -= 1
        return (part or link) if link else end

    def _last_end(self, start: int) -> int:
        if not self.table.ends_at_signature:
            return self.end
        index = bisect_left(self.starts, start) + 1
        for position in range(index, len(self.blocks)):
            text = self.blocks[position].text
            if len(text) < 40 and _SIGNATURE.match(text):
                return self.blocks[position].start
            if _SIGNED.match(text) and ("exchange act" in text[:400].lower() or "duly caused" in text[:600].lower()):
                return self.blocks[position].start
        return self.end

    def _section(self, place: int, candidate: Candidate, end: int, chain: dict[int, Candidate]) -> Section:
        item = self.table.items[place]
        text_length = len(candidate.title) if candidate.end else max(0, self._text_at(end) - candidate.text)
        confidence, reason = self._confidence(place, candidate, chain)
        method = "toc" if candidate.method == "pattern" and candidate.agreed else candidate.method
        return Section(
            item.part,
            item.number,
            candidate.title or item.title,
            item.title,
            candidate.start,
            end,
            text_length,
            method,
            confidence,
            self._by_reference(candidate, end, text_length),
            reason,
        )

    def _text_at(self, byte: int) -> int:
        index = bisect_left(self.starts, byte)
        return self.headings.text_at[min(index, len(self.headings.text_at) - 1)]

    def _by_reference(self, candidate: Candidate, end: int, text_length: int) -> bool:
        """A short section that refers to another document."""
        if text_length > 4000:
            return False
        first = candidate.block
        last = bisect_left(self.starts, end)
        return any(_BY_REFERENCE.search(block.text) for block in self.blocks[first:last])

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


def _inside(byte: int, spans: Iterable[tuple[int, int]]) -> bool:
    return any(start <= byte < end for start, end in spans)


def _fits(ordered: list[tuple[int, int]], start: int, place: int) -> bool:
    """Whether an item at ``start`` keeps the order of those found."""
    position = bisect_left(ordered, (start, place))
    before = ordered[position - 1][1] if position else -1
    after = ordered[position][1] if position < len(ordered) else 1_000
    return before < place < after


def _mark_lists(headings: Headings) -> set[Candidate]:
    """The candidates that are lines of a list of items (a table of contents, a cross-reference list) and no headings."""
    candidates = headings.candidates
    runs: list[list[Candidate]] = []
    run: list[Candidate] = []
    for candidate in candidates:
        if run and candidate.text - run[-1].text - len(run[-1].title) > _GAP:
            runs.append(run)
            run = []
        run.append(candidate)
    if run:
        runs.append(run)
    listed: set[Candidate] = set()
    for run in sorted(runs, key=lambda each: -len({each_.items for each_ in each})):
        keys = {candidate.items for candidate in run}
        if len(keys) < _LIST_LENGTH:
            if len(run) >= 2 and (all(candidate.page_reference for candidate in run) or _repeated(run, candidates)):
                listed.update(run)
            continue
        pages = sum(candidate.page_reference for candidate in run)
        ids = set(map(id, run))
        elsewhere = {
            item
            for candidate in candidates
            if id(candidate) not in ids and candidate not in listed and candidate.weight >= 3
            for item in candidate.group or candidate.items
        }
        covered = sum(any(item in elsewhere for item in key) for key in keys)
        if pages >= 0.6 * len(run) or covered >= 0.5 * len(keys):
            listed.update(run)
    return listed


def _repeated(run: list[Candidate], candidates: list[Candidate]) -> bool:
    """Whether every line of a short list comes again further down, as clear as here."""
    later = {candidate.items for candidate in candidates if candidate.start > run[-1].start and candidate.weight >= run[0].weight}
    return all(candidate.items in later for candidate in run)


def _best_chain(candidates: list[Candidate], table: ItemTable, bonus: object) -> dict[int, Candidate]:
    """The candidates of greatest weight that follow the order of the form, each item once: item -> candidate.

    Dynamic programming over the candidates by position: the best chain that ends at or before each item of the form.
    """
    size = len(table.items)
    best: list[tuple[float, object]] = [(0.0, None)] * (size + 1)
    for candidate in candidates:
        updates = []
        for item in candidate.items:
            places = candidate.group or (item,)
            gain = candidate.weight + bonus(candidate, item)  # type: ignore[operator]
            if gain <= 0:
                continue
            total = best[places[0]][0] + gain + 0.01 * (len(places) - 1)
            updates.append((places, total, (best[places[0]][1], candidate, places)))
        for places, total, link in updates:
            for end in range(places[-1] + 1, size + 1):
                if total <= best[end][0]:
                    break
                best[end] = (total, link)
    chain: dict[int, Candidate] = {}
    link = best[size][1]
    while link is not None:
        link, candidate, places = link  # type: ignore[misc]
        for place in places:
            chain[place] = candidate
    return chain


def _rows_of_parts(rows: list[IndexRow]) -> list[tuple[int, IndexRow]]:
    """The rows of lists of items with one item each: of several possible ones the one that keeps the order."""
    found = []
    last = -1
    for row in rows:
        last = next((place for place in row.items if place > last), row.items[0])
        found.append((last, row))
    return found


def _anchors(document: Document, targets: set[str]) -> dict[str, int]:
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
