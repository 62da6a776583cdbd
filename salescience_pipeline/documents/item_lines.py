"""Lines that name items: how they are read, and what is known about each of them.

What does not belong here: which of them begin a section (``section_order``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from salescience_pipeline.documents.items import ItemTable

_NUMBER = (
    r"[0-9]{1,2}(?![0-9])(?:\.[0-9]{2}(?![0-9]))?"
    r"(?:\s?\([A-Ka-k]\)|[A-Ka-k](?![A-Za-z])|\s[A-K](?=\s?[.:\-\u2013\u2014]))?"
)
ITEM_LINE = re.compile(
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
PART_AND_ITEM = re.compile(
    r"[\s\W_]{0,6}part\s+(?P<part>iv|i{1,3}|[1-4])[\s.,:;/|\-\u2013\u2014]{0,6}(?=items?\b)", re.IGNORECASE
)
"""A part and what stands before an item on the same line."""
_PART_XREF = re.compile(r"(?:of|hereof|incorporates?|in|and|to|is|item)\b", re.IGNORECASE)
_PARTS = {"1": "I", "2": "II", "3": "III", "4": "IV"}
SENTENCE = re.compile(
    r"(?:of|in|and|to|above|below|under|is|was|were|has|have|for|on|as|which|that|contains?|includes?|herein|hereof|are|will|shall"
    r"|may|or|with|from|by|see|per|does|should|entitled|captioned|the)\b"
)
OF_THIS = re.compile(
    r"\b(?:of|in|to) (?:this|our|its|the) (?:annual|quarterly|current|form|report|company|registrant|proxy|10-?[kq])",
    re.IGNORECASE,
)
CONTINUED = re.compile(r"\(?\s*(?:continued|cont['\u2019]?d\.?|con't)\s*\)?\s*\.?$", re.IGNORECASE)
PAGE_REFERENCE = re.compile(
    r"(?:\s|\.{2,}|\u2026|^)\(?(?:pages?\s*)?(?:[a-z]-)?[0-9]{1,3}(?:\s*[-\u2013,]\s*(?:[a-z]-)?[0-9]{1,3})*\)?\s*$|^(?:n/?a|none|\*+)$",
    re.IGNORECASE,
)
HEADING_MAX = 260
"""Characters: a longer line is no heading of its own."""


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

    @property
    def leads_elsewhere(self) -> bool:
        """Whether it links to a place or names a page."""
        return bool(self.targets) or PAGE_REFERENCE.search(self.title[-30:]) is not None


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
    if match is None or len(text) > HEADING_MAX:
        return ""
    rest = match["rest"].lstrip()
    if rest and (
        not match["after"] or (_PART_XREF.match(rest) and rest[:4].lower() != "item") or "," in match["after"]
    ):
        return ""
    return part_numeral(match["part"])


def part_numeral(text: str) -> str:
    """``2`` and ``ii`` as ``II``."""
    return _PARTS.get(text, text.upper())
