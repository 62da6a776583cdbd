"""Places where an item of a form may begin: every line that names an item, judged by its words and its looks.

A candidate is only a possibility. Which of them are the items is decided by all of them together (:mod:`sections`).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field

from salescience_pipeline.documents.items import ItemTable, title_words
from salescience_pipeline.documents.model import Block, BlockType

_NUMBER = r"[0-9]{1,2}(?:\.[0-9]{2})?(?:\s?\([A-Ka-k]\)|[A-Ka-k](?![A-Za-z])|\s[A-K](?=\s?[.:\-\u2013\u2014]))?"
_ITEM = re.compile(
    rf"[\s\W_]{{0,8}}(?P<word>items?)(?:\s*(?:no|number)\b\.?|\s*\#)?[\s.:\-\u2013\u2014]{{0,4}}"
    rf"(?P<numbers>(?:{_NUMBER}|[IVX]{{1,4}}(?=[\s.:\-\u2013\u2014]|$))"
    rf"(?:\(T\))?(?:[\s.]*(?:,|;|and|&|through|thru|to|/|-|\u2013|\u2014)+\s*(?:and\s+)?(?:items?\s*)?{_NUMBER}(?![\w%]))*)(?P<after>.?)",
    re.IGNORECASE | re.DOTALL,
)
_ONE = re.compile(
    r"(?P<link>(?:through|thru|to|-|\u2013|\u2014)\s*(?:items?\s*)?)?(?P<digits>[0-9]{1,2}(?:\.[0-9]{2})?)\s?\(?(?P<letter>[A-Ka-k](?![A-Za-z]))?\)?"
)
_ROMAN = {"I": "1", "II": "2", "III": "3", "IV": "4", "V": "5", "VI": "6", "VII": "7", "VIII": "8", "IX": "9"}
_ROMAN_NUMBER = re.compile(r"[IVX]{1,4}", re.IGNORECASE)
_PART = re.compile(
    r"[\s\W_]{0,6}part\s+(?P<part>iv|i{1,3}|[1-4])(?P<after>[\s.:,\-\u2013\u2014]*)(?P<rest>.{0,40})",
    re.IGNORECASE | re.DOTALL,
)
_PART_XREF = re.compile(r"(?:of|hereof|incorporates?|in|and|to|is|item)\b", re.IGNORECASE)
_PARTS = {"1": "I", "2": "II", "3": "III", "4": "IV"}
_SENTENCE = re.compile(
    r"(?:of|in|and|to|above|below|under|is|was|were|has|have|for|on|as|which|that|contains?|includes?|herein|hereof|are|will|shall"
    r"|may|or|with|from|by|see|per|does|should|entitled|captioned|the)\b"
)
_OF_THIS = re.compile(
    r"\b(?:of|in|to) (?:this|our|its|the) (?:annual|quarterly|current|form|report|company|registrant|proxy|10-?[kq])",
    re.IGNORECASE,
)
_CONTINUED = re.compile(r"\(?\s*(?:continued|cont['\u2019]?d\.?|con't)\s*\)?\s*\.?$", re.IGNORECASE)
PAGE_REFERENCE = re.compile(
    r"(?:\s|\.{2,}|\u2026|^)\(?(?:pages?\s*)?(?:[a-z]-)?[0-9]{1,3}(?:\s*[-\u2013,]\s*(?:[a-z]-)?[0-9]{1,3})*\)?\s*$|^(?:n/?a|none|\*+)$",
    re.IGNORECASE,
)
_SHOWN_WORD = re.compile(rb"(?:(?!&nbsp;|&#160;|&#xa0;)[^\s])+", re.IGNORECASE)
_BLANK_LINE = re.compile(rb"\n[ \t\r]*\n[ \t]*(?:item|part)\b", re.IGNORECASE)
_TYPED_MIN = 150
"""Characters: a shorter block of an HTML document holds no second heading."""
_HEADING_MAX = 260
_MOST = 4000
"""Candidates per document; a document with more of them is made to hurt, and the first ones do."""


@dataclass(slots=True, eq=False)
class Candidate:
    """A line that names one or several items.

    Attributes:
        items: places in the item table that it may begin; several where parts repeat numbers.
        start: first byte.
        block: index of its block.
        title: what it says behind the number.
        weight: how much it looks like a heading.
        titled: whether its words are those of the item's title.
        alone: whether it stands alone, as headings do.
        group: the items that one heading opens together ("Items 1 and 2").
        page_reference: whether it ends in a page number, as in a table of contents.
        method: ``pattern``, ``toc`` or ``fallback``.
        text: position in the text of the document, in characters.
        agreed: whether a link of the table of contents leads here.
    """

    items: tuple[int, ...]
    start: int
    block: int
    title: str
    weight: float
    titled: bool
    alone: bool
    group: tuple[int, ...] = ()
    page_reference: bool = False
    method: str = "pattern"
    text: int = 0
    agreed: bool = False
    end: int = 0
    """Byte behind the section where that is known; 0 when the next heading ends it."""


@dataclass(frozen=True, slots=True)
class IndexRow:
    """A row of a table that lists items: a table of contents, or a cross-reference index.

    Attributes:
        items: places in the item table that it may mean.
        title: what it says behind the number.
        targets: where its links lead.
        start: first byte.
        end: byte behind it.
        block: index of the table's block.
    """

    items: tuple[int, ...]
    title: str
    targets: tuple[str, ...]
    start: int
    end: int
    block: int


@dataclass(slots=True)
class Headings:
    """What the blocks of a document name.

    Attributes:
        candidates: by position.
        parts: (byte, roman numeral) of the headings of parts, by position.
        text_at: characters of text before each block, and of all blocks at the end.
        index_rows: rows of tables that list items.
        index_blocks: indexes of blocks that are such a table.
    """

    candidates: list[Candidate] = field(default_factory=list)
    parts: list[tuple[int, str]] = field(default_factory=list)
    text_at: list[int] = field(default_factory=list)
    index_rows: list[IndexRow] = field(default_factory=list)
    index_blocks: set[int] = field(default_factory=set)


def read_numbers(text: str, table: ItemTable) -> tuple[str, ...]:
    """``1``, ``1A``, ``1 and 2``, ``10 through 14`` as item numbers of the table; empty when one of them is none."""
    if _ROMAN_NUMBER.fullmatch(text):
        number = _ROMAN.get(text.upper(), "")
        return (number,) if number in table.by_number else ()
    found: list[str] = []
    for match in _ONE.finditer(text):
        number = match["digits"].lstrip("0") + (match["letter"] or "").upper()
        if number not in table.by_number and match["letter"]:
            number = match["digits"].lstrip("0")
        if number not in table.by_number:
            return tuple(found) if found else ()
        if match["link"] and found:
            first, last = table.by_number[found[-1]][0], table.by_number[number][0]
            if not first < last:
                return tuple(found)
            found += [item.number for item in table.items[first + 1 : last] if item.number[-1:].isdigit()]
        found.append(number)
    return tuple(dict.fromkeys(found))


def read_part(text: str) -> str:
    """The roman numeral of a heading of a part; empty when the text is none."""
    match = _PART.match(text)
    if match is None or len(text) > _HEADING_MAX:
        return ""
    rest = match["rest"].lstrip()
    if rest and (
        not match["after"] or (_PART_XREF.match(rest) and not rest[:4].lower() == "item") or "," in match["after"]
    ):
        return ""
    return _PARTS.get(match["part"], match["part"].upper())


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
            offset = 0
            for line in text.split("\n"):
                self._line(block, index, line, offset, characters)
                offset += len(line) + 1
            return
        self._line(block, index, text, 0, characters)
        if self.typewritten and (
            b"tem" in (raw := self.bytes_of(block.start, block.end)) or b"TEM" in raw or b"PART" in raw
        ):
            self._typed_lines(block, index, raw, characters)

    def _typed_lines(self, block: Block, index: int, raw: bytes, characters: int) -> None:
        """Headings on a further line of a typed paragraph, as "PART I" right above "ITEM 1. BUSINESS".

        A sentence that is wrapped before "Item 7" looks alike: such a line has to say the item's title too. Text that was
        typed and then called HTML has such paragraphs as well; there the line has to follow a blank one.
        """
        position = raw.find(b"\n") + 1
        while 0 < position < len(raw):
            end = raw.find(b"\n", position)
            end = end if end >= 0 else len(raw)
            line = " ".join(raw[position:end].decode(self.encoding, "replace").split())
            if not self.typewritten and raw[:position].rstrip(b" \t\r\n").count(b"\n") == raw[:position].count(b"\n") - 1:
                position = end + 1
                continue
            before = len(self.found.candidates)
            self._line(block, index, line, 0, characters)
            for candidate in self.found.candidates[before:]:
                candidate.start = block.start + position
                candidate.weight = min(candidate.weight, 4.0) if candidate.titled else 0.5
            if self.found.parts and self.found.parts[-1][0] == block.start and read_part(line):
                self.found.parts[-1] = (block.start + position, self.found.parts[-1][1])
            position = end + 1

    def _locate(self, block: Block, offset: int) -> int:
        """The byte at which a line inside a block begins: where the words of the lines before it have passed."""
        words = sum(len(line.split()) for line in block.text[:offset].split("\n"))
        position = block.start
        for piece in self.bytes_of(block.start, block.end).split(b"<"):
            shown = piece[piece.find(b">") + 1 :]
            for match in _SHOWN_WORD.finditer(shown):
                if words == 0:
                    return position + len(piece) - len(shown) + match.start()
                words -= 1
            position += len(piece) + 1
        return block.start

    def _line(self, block: Block, index: int, line: str, offset: int, characters: int) -> None:
        head = line[:12].lower()
        if "item" in head:
            match = _ITEM.match(line[:400])
            if match is not None:
                self._item(block, index, line, offset, characters, match)
        elif "part" in head:
            part = read_part(line)
            if part:
                start = block.start if not offset else self._locate(block, offset)
                self.found.parts.append((start, part))
                # "PART I. ITEM 1. FINANCIAL STATEMENTS" on one line.
                position = line.lower().find("item", 5, 80)
                if position > 0 and (match := _ITEM.match(line[position : position + 400])) is not None:
                    self._item(block, index, line[position:], offset, characters, match)

    def _item(self, block: Block, index: int, line: str, offset: int, characters: int, match: re.Match[str]) -> None:
        text = match["numbers"]
        numbers = read_numbers(text, self.table)
        if not numbers:
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
        judged = self._judge(block, index, line, raw, title, numbers, offset)
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
                block.start if not offset else self._locate(block, offset),
                index,
                title[:200],
                weight,
                titled,
                alone,
                groups,
                PAGE_REFERENCE.search(title[-30:]) is not None and len(line) < _HEADING_MAX,
                text=characters + offset,
            )
        )

    def _judge(  # noqa: C901, PLR0911, PLR0912 - one question per rule, in the order that a reader asks them
        self, block: Block, index: int, line: str, raw: str, title: str, numbers: tuple[str, ...], offset: int
    ) -> tuple[tuple[int, ...], float, bool, bool] | None:
        """Items, weight, titled, alone; None for a sentence that only mentions an item."""
        places = self.table.by_number[numbers[0]]
        alone = len(line) <= _HEADING_MAX
        emphasised = block.bold or block.underlined or block.type in (BlockType.SECTION_HEADER, BlockType.TITLE)
        if _CONTINUED.search(title[-24:]) or _CONTINUED.match(title):
            return None
        behind = raw.lstrip()
        if behind[:1].islower() and _SENTENCE.match(behind) and not (emphasised and alone and behind.isupper()):
            return None
        if (raw[:1] in ',;)"\u201d' or behind[:1] in '"\u201c') and not (emphasised and alone and raw[:1] == ","):
            return None
        if not alone and _OF_THIS.search(line[:160]) and not emphasised:
            return None
        words = title_words(title)
        if not words:
            follower = self._following(block, index, line, offset)
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
                if line.rstrip().endswith((".", ",", ";")) and _OF_THIS.search(line) and not emphasised:
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

    def _following(self, block: Block, index: int, line: str, offset: int) -> str:
        """The words behind a bare "Item 2.": the next line, or the next block."""
        rest = block.text[offset + len(line) + 1 :]
        if rest.strip():
            return rest[:200]
        for other in self.blocks[index + 1 : index + 3]:
            if other.text.strip() and other.type is not BlockType.PAGE_NUMBER:
                return other.text[:200]
        return ""

    def _table(self, block: Block, index: int) -> int:
        """Rows of a table that name items; returns the length of its text."""
        assert block.table is not None
        length = 0
        rows: dict[int, None] = {}
        for cell in block.table.cells:
            text = cell.text
            length += len(text) + 3
            if text[:4].lower() == "item" or (text[:5] == "PART " and "tem" in text.lower()):
                rows[cell.row] = None
        if rows and len(self.found.candidates) < _MOST:
            self._item_rows(block, index, rows)
        return length

    def _item_rows(self, block: Block, index: int, rows: dict[int, None]) -> None:
        """Three rows and more that name items are a list of items; fewer may be headings set as a table."""
        table = block.table
        assert table is not None
        by_row: dict[int, list[int]] = {}
        for position, cell in enumerate(table.cells):
            by_row.setdefault(cell.row, []).append(position)
        read = []
        for row in rows:
            cells = [table.cells[position] for position in by_row[row]]
            text = " ".join(cell.text for cell in cells)
            at = text.lower().find("item")
            match = _ITEM.match(text[at : at + 400])
            numbers = read_numbers(match["numbers"], self.table) if match is not None else ()
            if match is None or not numbers:
                continue
            title = text[at + match.end("numbers") :].strip(" .:;-\u2013\u2014)")
            last = table.cells[by_row[row][-1] + 1] if by_row[row][-1] + 1 < len(table.cells) else None
            until = last.start if last is not None else table.end
            targets = tuple(link.target for link in block.links if cells[0].start <= link.start < until)
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
            judged = self._judge(block, index, text, text[match.end("numbers") :], title, numbers, 0)
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


def block_at(starts: list[int], byte: int) -> int:
    """Index of the block that holds ``byte`` or is the first behind it.

    Args:
        starts: first bytes of the blocks, ascending.
        byte: a place in the document.
    """
    return max(0, bisect_right(starts, byte) - 1)
