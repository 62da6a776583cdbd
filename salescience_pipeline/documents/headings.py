"""Places where an item of a form may begin: every line that names an item, judged by its words and its looks.

A candidate is only a possibility. Which of them are the items is decided by all of them together (:mod:`sections`).
What does not belong here: choosing among the candidates (``section_order``).
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from itertools import islice

from salescience_pipeline.documents.item_lines import (
    CONTINUED,
    HEADING_MAX,
    ITEM_LINE,
    OF_THIS,
    PAGE_REFERENCE,
    PART_AND_ITEM,
    SENTENCE,
    Candidate,
    Headings,
    IndexRow,
    part_numeral,
    read_numbers,
    read_part,
)
from salescience_pipeline.documents.items import ItemTable, title_words
from salescience_pipeline.documents.model import Block, BlockType

_SHOWN_WORD = re.compile(rb"(?:(?!&nbsp;|&#160;|&#xa0;)[^\s])+", re.IGNORECASE)
_BLANK_LINE = re.compile(rb"\n[ \t\r]*\n[ \t]*(?:item|part)\b", re.IGNORECASE)
_TYPED_MIN = 40
"""Characters: a shorter block of an HTML document holds no second heading."""
_MOST = 1500
"""Candidates per document; a document with more of them is made to hurt, and the first ones do."""


def find_headings(
    blocks: list[Block],
    table: ItemTable,
    bytes_of: Callable[[int, int], bytes],
    *,
    encoding: str = "utf-8",
    typewritten: bool = False,
) -> Headings:
    """Every place where an item may begin.

    Args:
        blocks: of the document, in reading order.
        table: the items of its form.
        bytes_of: the bytes of the document between two offsets.
        encoding: codec of these bytes.
        typewritten: whether the document is plain text, where the lines of a paragraph are only in the bytes.
    """
    return _Finder(blocks, table, bytes_of, encoding, typewritten).run()


class _Finder:
    def __init__(
        self,
        blocks: list[Block],
        table: ItemTable,
        bytes_of: Callable[[int, int], bytes],
        encoding: str,
        typewritten: bool,
    ) -> None:
        self.blocks = blocks
        self.table = table
        self.bytes_of = bytes_of
        self.encoding = encoding
        self.typewritten = typewritten
        self.found = Headings()
        self._words: Iterator[int] = iter(())
        self._passed = -1
        self._byte = 0

    def run(self) -> Headings:
        found = self.found
        characters = 0
        furniture = (BlockType.HEADER, BlockType.FOOTER, BlockType.PAGE_NUMBER)
        for index, block in enumerate(self.blocks):
            found.text_at.append(characters)
            if block.table is not None:
                length = self._table(block, index)
            else:
                text = block.text
                length = len(text)
                if block.type not in furniture and len(found.candidates) < _MOST:
                    self._text(block, index, text, characters)
            characters += length + 1
        found.text_at.append(characters)
        return found

    def _text(self, block: Block, index: int, text: str, characters: int) -> None:
        if "\n" in text:
            offset = words = 0
            self._words = iter(())
            self._passed = -1
            for line in text.split("\n"):
                self._line(block, index, line, words, characters + offset)
                offset += len(line) + 1
                words += len(line.split())
            return
        self._line(block, index, text, 0, characters)
        if (self.typewritten or len(text) > _TYPED_MIN) and (
            text.find("tem ", 8) > 0 or "TEM" in text or "PART" in text
        ):
            raw = self.bytes_of(block.start, block.end)
            if self.typewritten or _BLANK_LINE.search(raw) is not None:
                self._typed_lines(block, index, raw, characters)

    def _typed_lines(self, block: Block, index: int, raw: bytes, characters: int) -> None:
        """Headings on a further line of a typed paragraph, as "PART I" right above "ITEM 1. BUSINESS".

        A sentence that is wrapped before "Item 7" looks alike: such a line has to say the item's title too. Text that was
        typed and then called HTML has such paragraphs as well; there the line has to follow a blank one.
        """
        position = raw.find(b"\n") + 1
        below_blank = False
        while 0 < position < len(raw) and len(self.found.candidates) < _MOST:
            end = raw.find(b"\n", position)
            end = end if end >= 0 else len(raw)
            line = " ".join(raw[position:end].decode(self.encoding, "replace").split())
            if line and (self.typewritten or below_blank):
                before, parts = len(self.found.candidates), len(self.found.parts)
                self._line(block, index, line, 0, characters)
                for candidate in self.found.candidates[before:]:
                    candidate.start = block.start + position
                    candidate.weight = min(candidate.weight, 4.0) if candidate.titled else 0.5
                    self._place_again(candidate, block)
                self.found.parts[parts:] = [(block.start + position, part) for _, part in self.found.parts[parts:]]
            below_blank = not line
            position = end + 1

    def _place_again(self, candidate: Candidate, block: Block) -> None:
        """Forget that the joined lines ("PART I ITEM 1.") named the item at the start of their block."""
        for other in self.found.candidates[-20:]:
            if other is not candidate and other.start == block.start and other.items == candidate.items:
                candidate.weight = other.weight
                self.found.candidates.remove(other)
                return

    def _locate(self, block: Block, words: int) -> int:
        """The byte of a word of a block, counted from 0; asked for in ascending order, so that the block is read once."""
        if self._passed < 0:
            self._words = self._word_starts(block)
        while self._passed < words:
            byte = next(self._words, -1)
            if byte < 0:
                return block.start
            self._byte = byte
            self._passed += 1
        return self._byte

    def _word_starts(self, block: Block) -> Iterator[int]:
        position = block.start
        for piece in self.bytes_of(block.start, block.end).split(b"<"):
            shown = piece.find(b">") + 1
            for match in _SHOWN_WORD.finditer(piece, shown):
                yield position + match.start()
            position += len(piece) + 1

    def _line(self, block: Block, index: int, line: str, words: int, characters: int) -> None:
        head = line[:12].lower()
        match = ITEM_LINE.match(line[:400]) if "item" in head else None
        if match is not None:
            self._item(block, index, line, words, characters, match)
        elif "part" in head:
            self._part(block, index, line, words, characters)

    def _part(self, block: Block, index: int, line: str, words: int, characters: int) -> None:
        """The heading of a part, which may open an item on the same line ("PART I, ITEM 1. FINANCIAL STATEMENTS")."""
        both = PART_AND_ITEM.match(line)
        found = len(self.found.candidates)
        if both is not None and (match := ITEM_LINE.match(line[both.end() : both.end() + 400])) is not None:
            self._item(block, index, line[both.end() :], words, characters, match)
        part = (
            part_numeral(both["part"]) if both is not None and len(self.found.candidates) > found else read_part(line)
        )
        if part and len(self.found.parts) < _MOST:
            self.found.parts.append((block.start if not words else self._locate(block, words), part))

    def _item(self, block: Block, index: int, line: str, words: int, characters: int, match: re.Match[str]) -> None:
        text = match["numbers"]
        numbers = read_numbers(text, self.table)
        if not numbers or len(self.found.candidates) >= _MOST:
            return
        if (
            len(numbers) > 1
            and match["word"].lower() == "item"
            and "item" not in text.lower()
            and match["after"] not in " .:\t\n"
        ):
            numbers = numbers[:1]
        raw = line[match.end("numbers") :]
        title = raw.strip(" \t.:;-\u2013\u2014)*\u00b7\u2022")
        judged = self._judge(block, index, line, raw, title, numbers)
        if judged is None:
            return
        items, weight, titled, alone = judged
        groups: tuple[int, ...] = ()
        if len(numbers) > 1:
            chosen = [self.table.by_number[number] for number in numbers]
            # Numbers that parts share are read in one part: that of the first.
            groups = tuple(min(places, key=lambda place: abs(place - items[0])) for places in chosen)
            items = groups[:1]
        self.found.candidates.append(
            Candidate(
                items,
                block.start if not words else self._locate(block, words),
                index,
                title[:200],
                weight,
                titled,
                alone,
                groups,
                PAGE_REFERENCE.search(title[-30:]) is not None and len(line) < HEADING_MAX,
                text=characters,
            )
        )

    def _judge(  # noqa: C901, PLR0911, PLR0912 - one question per rule, in the order that a reader asks them
        self, block: Block, index: int, line: str, raw: str, title: str, numbers: tuple[str, ...]
    ) -> tuple[tuple[int, ...], float, bool, bool] | None:
        """Items, weight, titled, alone; None for a sentence that only mentions an item."""
        places = self.table.by_number[numbers[0]]
        alone = len(line) <= HEADING_MAX
        emphasised = block.bold or block.underlined or line.isupper()
        if CONTINUED.search(title[-24:]) or CONTINUED.match(title):
            return None
        behind = raw.lstrip()
        if behind[:1].islower() and SENTENCE.match(behind) and not (emphasised and alone and behind.isupper()):
            return None
        quoted = raw.startswith((",", ";", ")", '"', "\u201d")) or behind.startswith(('"', "\u201c"))
        if quoted and not (emphasised and alone and raw[0] == ","):
            return None
        if not alone and OF_THIS.search(line[:160]) and not emphasised:
            return None
        words = title_words(title)
        if not words:
            follower = self._following(block, index, line)
            words = title_words(follower)
            hits = self.table.titled(words)
            matching = tuple(place for place in places if place in hits)
            if matching:
                return matching, 5.5, True, alone
            return places, 3.0, False, alone
        hits = self.table.titled(words)
        matching = tuple(place for place in places if place in hits)
        if matching:
            if alone:
                weight = 6.0 if emphasised or len(line) < 120 else 5.5
                if line.rstrip().endswith((".", ",", ";")) and OF_THIS.search(line) and not emphasised:
                    weight = 2.0
            else:
                weight = 4.5
            return matching, weight, True, alone
        if hits and not alone:
            return None
        if hits and len(places) == 1 and len(numbers) == 1:
            # Another item's title under this number: old forms and slips of the pen have that, but it proves little.
            return places, 2.5, False, alone
        if hits:
            return None
        if not alone:
            # A run-in heading without a known title: "Item 5. On May 1 the company announced".
            return places, 2.5 if self.table.ends_at_signature or emphasised else 1.0, False, False
        return places, 4.0 if emphasised else 3.0, False, alone

    def _following(self, block: Block, index: int, line: str) -> str:
        """The words behind a bare "Item 2.": the next line, or the next block."""
        rest = block.text[block.text.find(line) + len(line) :][:400].strip()
        if rest:
            return rest[:200]
        for other in self.blocks[index + 1 : index + 3]:
            if other.text.strip() and other.type is not BlockType.PAGE_NUMBER:
                return other.text[:200]
        return ""

    def _table(self, block: Block, index: int) -> int:
        """Rows of a table that name items; returns the length of its text."""
        assert block.table is not None
        shown = block.text
        if "tem" not in shown and "TEM" not in shown:
            return len(shown)
        rows: dict[int, None] = {}
        for cell in block.table.cells:
            text = cell.text
            if text[:4].lower() == "item" or (text[:5] == "PART " and "tem" in text.lower()):
                rows[cell.row] = None
        if rows and len(self.found.candidates) + len(self.found.index_rows) < _MOST:
            self._item_rows(block, index, rows)
        return len(shown)

    def _item_rows(self, block: Block, index: int, rows: dict[int, None]) -> None:
        """Three rows and more that name items are a list of items; fewer may be headings set as a table."""
        table = block.table
        assert table is not None
        by_row: dict[int, list[int]] = {}
        for position, cell in enumerate(table.cells):
            by_row.setdefault(cell.row, []).append(position)
        link_starts = [link.start for link in block.links]
        read = []
        for row in islice(rows, _MOST):
            cells = [table.cells[position] for position in by_row[row]]
            text = " ".join(cell.text for cell in cells)
            at = text.lower().find("item")
            match = ITEM_LINE.match(text[at : at + 400])
            numbers = read_numbers(match["numbers"], self.table) if match is not None else ()
            if match is None or not numbers:
                continue
            title = text[at + match.end("numbers") :].strip(" .:;-\u2013\u2014)")
            following = table.cells[by_row[row][-1] + 1] if by_row[row][-1] + 1 < len(table.cells) else None
            until = following.start if following is not None else table.end
            first, last = bisect_left(link_starts, cells[0].start), bisect_left(link_starts, until)
            targets = tuple(link.target for link in block.links[first:last])
            read.append((numbers, title, targets, until, cells, text[at:], match))
        listed = {number for numbers, *_ in read for number in numbers}
        if len(listed) >= 3:
            self.found.index_blocks.add(index)
        for numbers, title, targets, until, cells, text, match in read:
            places = self.table.by_number[numbers[0]]
            hits = self.table.titled(title_words(title))
            chosen = tuple(place for place in places if place in hits) or places
            if len(listed) >= 3:
                for number in numbers:
                    which = chosen if number == numbers[0] else self.table.by_number[number]
                    self.found.index_rows.append(IndexRow(which, title[:200], targets, cells[0].start, until, index))
                continue
            judged = self._judge(block, index, text, text[match.end("numbers") :], title, numbers)
            if judged is not None:
                items, weight, titled, alone = judged
                groups = tuple(self.table.by_number[number][0] for number in numbers) if len(numbers) > 1 else ()
                self.found.candidates.append(
                    Candidate(
                        groups[:1] or items,
                        cells[0].start,
                        index,
                        title[:200],
                        min(weight, 5.0),
                        titled,
                        alone,
                        groups,
                        PAGE_REFERENCE.search(title[-30:]) is not None,
                        text=self.found.text_at[-1],
                    )
                )
