"""What the pieces of a page are: headings and their levels, lists, page furniture, figures, signatures, tables.

Rules read what a reader sees (words, emphasis, place on the page) and know no company. Layout tables that only hold
text side by side become text; a bullet and its sentence become a list item; a heading cut into two cells a heading.
What does not belong here: reading markup (``scan``, ``flow``), and which heading begins an item (``sections``).
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from functools import partial
from itertools import pairwise

from salescience_pipeline.documents.model import Block, BlockType, Cell, Layout, Link
from salescience_pipeline.documents.numbers import is_dash, shown_number
from salescience_pipeline.documents.scan_model import Image, Paragraph, RawTable, Scan
from salescience_pipeline.documents.tables import currency_sign, joined_rows, read_currency, read_scale, read_table

_BULLET = re.compile(
    r"(?:[\u2022\u25cf\u25e6\u25aa\u25ab\u25a0\u25a1\u2610\u2611\u2612\u2043\u2219\u27a2\u2756\u2713\u2714\uf0b7\uf0a7\u00b7\u25cb\u25c6]|[-\u2013\u2014*](?=\s))\s*"
)
_ENUMERATED = re.compile(r"\(?(?:[0-9]{1,2}|[a-zA-Z]|[ivxIVX]{1,5})[.)]\s+\S")
_NOTE = re.compile(r"(?:\([0-9a-zA-Z]{1,2}\)|[*\u2020\u2021]{1,3})\s*\S")
_PAGE_NUMBER = re.compile(
    r"(?:page\s*)?[-\u2013\u2014]?\s*(?:[A-Z]{1,2}-)?(?:[0-9]{1,4}|[ivxl]{1,6})\s*[-\u2013\u2014]?(?:\s*of\s*[0-9]{1,4})?",
    re.IGNORECASE,
)
_PAGE_TAIL = re.compile(
    r".{3,90}[|\u2022\u00b7]\s*(?:page\s*)?(?:[A-Z]-)?[0-9]{1,4}|(?:page\s*)?[0-9]{1,4}\s*[|].{3,90}",
    re.IGNORECASE | re.DOTALL,
)
_ITEM = re.compile(r"(?:part\s+[ivx]+\b|item\s*(?:no\.?\s*)?[0-9]{1,2}(?:\.[0-9]{2})?[a-c]?\b)", re.IGNORECASE)
_SIGNATURE = re.compile(r"(?:by:?\s*)?/s/", re.IGNORECASE)
_KEY_VALUE = re.compile(r"[A-Z][^:.;?!]{1,45}:\s+\S[^.;]{0,80}")
_CONTENTS = re.compile(r"(?:back to |return to )?(?:table of contents|index|contents)", re.IGNORECASE)
_FORM = re.compile(r"form\s+(?:[0-9]{1,2}-?[a-z]{1,4}|[0-9]{1,3})(?:/a)?(?:\s|$)", re.IGNORECASE)
_TICK_BOX = re.compile(r"\[ ?[xX\u221a]? ?\]|\( ?[xX]? ?\)")
_LONE_NUMBER = re.compile(r"[-\u2013\u2014]?\s*(?:F-)?[0-9]{1,3}\s*[-\u2013\u2014]?")
_SEE_NOTES = re.compile(
    r"(?:see|refer to|the) (?:the )?(?:accompanying )?notes?\b|(?:see|the) accompanying", re.IGNORECASE
)
_DIGITS = re.compile(r"[0-9]+")
_HEADING_MAX = 250
_SENTENCES_MAX = 600
_FURNITURE_MAX = 160
_SENTENCE_END = (".", ";", ",")


class BlockBuilder:
    """Turns what one pass found into blocks; use :func:`build_blocks`."""

    def __init__(self, scan: Scan) -> None:
        self.scan = scan
        self.blocks: list[Block] = []

    def build(self) -> Layout:
        """The blocks with their types, levels and the descriptions of the tables."""
        for item in self.scan.items:
            if isinstance(item, Paragraph):
                self.blocks.append(self._paragraph(item))
            elif isinstance(item, RawTable):
                self._table(item)
            else:
                self.blocks.append(self._image(item))
        _mark_furniture(self.blocks, len(self.scan.page_starts))
        _set_levels(self.blocks)
        self._describe_tables()
        for index, block in enumerate(self.blocks):
            block.index = index
        return Layout(self.blocks, self.scan.page_starts, self.scan.warnings)

    def _image(self, image: Image) -> Block:
        return Block(BlockType.FIGURE, image.text, image.start, image.end, image.page, high_confidence=True)

    def _paragraph(self, item: Paragraph) -> Block:
        style = item.style
        block = Block(
            BlockType.TEXT,
            item.text,
            item.start,
            item.end,
            item.page,
            bold=style.bold,
            italic=style.italic,
            underlined=style.underlined,
            centered=style.centered,
            size=style.size,
            links=tuple(Link(text, target, start) for start, target, text in item.links),
        )
        block.type, block.high_confidence = _text_type(block, item.heading, item.in_list)
        return block

    def _table(self, raw: RawTable) -> None:
        if not raw.rows:
            return
        rows = joined_rows(raw)
        texts = [[cell.text for cell in row] for row in rows]
        if raw.has_inner or _is_layout(texts):
            self._layout_table(raw, rows)
            return
        table = read_table(raw, rows, partial(self.scan.style_of, raw))
        links = tuple(Link(text, target, start) for start, target, text in raw.links)
        self.blocks.append(Block(BlockType.TABLE, table.text, raw.start, raw.end, raw.page, table=table, links=links))

    def _layout_table(self, raw: RawTable, rows: list[list[Cell]]) -> None:
        """A table that only arranges text: one block per row, with a heading, a list item or text in it."""
        places = sorted(raw.links)
        starts = [start for start, _, _ in places]
        for row in rows:
            text = " ".join(cell.text for cell in row)
            inside = places[bisect_left(starts, row[0].start) : bisect_right(starts, row[-1].end)]
            shown = [cell for cell in row if len(cell.text) > 2] or row[:1]
            styles = [self.scan.style_of(raw, cell) for cell in shown]
            block = Block(
                BlockType.TEXT,
                text,
                row[0].start if len(rows) > 1 else raw.start,
                row[-1].end if len(rows) > 1 else raw.end,
                raw.page,
                bold=all(style.bold for style in styles),
                italic=all(style.italic for style in styles),
                underlined=all(style.underlined for style in styles),
                centered=styles[0].centered,
                size=styles[0].size,
                links=tuple(Link(words, target, start) for start, target, words in inside),
            )
            block.type, block.high_confidence = _text_type(block, 0, in_list=False)
            self.blocks.append(block)

    def _describe_tables(self) -> None:
        """Give every table the caption, scale and currency that it or the lines above it say."""
        number = 0
        above: list[Block] = []
        for block in self.blocks:
            table = block.table
            if table is None:
                above = [*above[-3:], block]
                continue
            table.index = number
            number += 1
            near = [
                other
                for other in above
                if other.type not in (BlockType.HEADER, BlockType.FOOTER, BlockType.PAGE_NUMBER)
            ]
            head = " ".join(cell.text for cell in table.cells[:40] if cell.row <= table.header_rows)
            words = [head, *(other.text for other in reversed(near) if len(other.text) < _SENTENCES_MAX)]
            table.scale = next((scale for text in words if (scale := read_scale(text)) is not None), None)
            table.currency = next((code for text in words if (code := read_currency(text))), None) or currency_sign(
                " ".join(cell.text for cell in table.cells[:80] if cell.row >= table.header_rows)
            )
            table.caption = next((other.text for other in reversed(near) if _names(other)), "")[:300]
            above = []


def _names(block: Block) -> bool:
    return block.type in (BlockType.SECTION_HEADER, BlockType.TITLE) or block.text.rstrip().endswith(":")


def _is_layout(rows: list[list[str]]) -> bool:
    """Whether a table only arranges text: bullets with their sentences, one cell, a heading in two cells."""
    if all(len(row) == 1 for row in rows):
        return True
    if len(rows) <= 2 and all(_ITEM.match(row[0]) and len(row) <= 3 for row in rows):
        return not shown_number(rows[0][-1])
    marked = 0
    for row in rows:
        if len(row) == 1:
            marked += len(row[0]) > 60
            continue
        first = row[0]
        is_mark = len(first) <= 6 and (
            _TICK_BOX.fullmatch(first)
            or _BULLET.fullmatch(first)
            or _NOTE.fullmatch(first + " x")
            or _ENUMERATED.fullmatch(first + " x")
            or is_dash(first)
        )
        marked += bool(is_mark) and len(row) == 2 and not shown_number(row[1])
    return marked == len(rows)


def _text_type(  # noqa: PLR0911 - one way out per type
    block: Block, heading: int, in_list: bool
) -> tuple[BlockType, bool]:
    """The type of a piece of text, as far as it can be told without its neighbours; and whether that was clear."""
    text = block.text
    first = text[:1]
    if first in "bB/" and _SIGNATURE.match(text):
        return BlockType.SIGNATURE, True
    if first in "[(" and _TICK_BOX.match(text):
        return BlockType.TEXT, True
    if not first.isalnum() and _BULLET.match(text) and len(text) > 2:
        return BlockType.LIST_ITEM, True
    if heading and len(text) <= _HEADING_MAX:
        return BlockType.SECTION_HEADER, True
    is_heading, clear = _heading(block)
    if is_heading:
        return BlockType.SECTION_HEADER, clear
    if in_list or (_ENUMERATED.match(text) and not block.bold):
        return BlockType.LIST_ITEM, in_list
    if len(text) < 130 and _KEY_VALUE.fullmatch(text):
        return BlockType.KEY_VALUE, False
    return BlockType.TEXT, True


def _heading(block: Block) -> tuple[bool, bool]:  # noqa: PLR0911 - one way out per rule
    """Whether a piece of text is a heading, and whether that was clear."""
    text = block.text
    if len(text) > _HEADING_MAX or text.lower() == text.upper():
        return False, True
    ends_sentence = text.endswith(_SENTENCE_END) and not _ITEM.match(text)
    if _ITEM.match(text) and len(text) < 150 and (block.bold or block.underlined or text.isupper() or "\n" not in text):
        return not text.endswith((",", ";")), block.bold
    if text.startswith("(") or (text.endswith(":") and not block.bold):
        return False, True
    if block.bold:
        return not ends_sentence or len(text) < 80, not ends_sentence
    if (block.italic or block.underlined) and len(text) < 120 and not ends_sentence:
        return True, len(text) < 80
    if len(text) < 120 and not ends_sentence and text.isupper() and sum(map(str.isalpha, text)) >= 4:
        return True, block.centered
    return False, True


def _mark_furniture(blocks: list[Block], n_pages: int) -> None:
    """Tell headers, footers and page numbers: what stands at the edge of a page and repeats, or counts."""
    if n_pages < 2:
        _mark_counted_pages(blocks)
        return
    tops: list[list[Block]] = []
    bottoms: list[list[Block]] = []
    start = 0
    for position in range(1, len(blocks) + 1):
        if position == len(blocks) or blocks[position].page != blocks[start].page:
            page = blocks[start:position]
            tops.append(page[:3])
            bottoms.append(page[-3:])
            start = position
    # Once per page: three lines of a list at the foot of one page repeat nothing.
    top_counts = Counter(shape for edge in tops for shape in {_shape(block) for block in edge})
    bottom_counts = Counter(shape for edge in bottoms for shape in {_shape(block) for block in edge})
    for index, edge in enumerate(bottoms):
        for block in reversed(edge):
            kind = _furniture(block, bottom_counts, BlockType.FOOTER, n_pages)
            if kind is None:
                break
            block.type, block.level = kind, 0
        for block in tops[index]:
            kind = _furniture(block, top_counts, BlockType.HEADER, n_pages)
            if kind is None:
                break
            block.type, block.level = kind, 0


def _mark_counted_pages(blocks: list[Block]) -> None:
    """Page numbers of documents without page breaks: lone numbers that count up by one through the document."""
    lone = [
        block for block in blocks if block.table is None and len(block.text) <= 8 and _LONE_NUMBER.fullmatch(block.text)
    ]
    numbers = [int(_DIGITS.search(block.text)[0]) for block in lone]  # type: ignore[index]
    following = sum(after - before == 1 for before, after in pairwise(numbers))
    if following >= max(4, 0.7 * (len(lone) - 1)):
        for block in lone:
            block.type, block.level = BlockType.PAGE_NUMBER, 0


def _shape(block: Block) -> str:
    """The text with its numbers taken out; empty for what cannot be furniture."""
    if len(block.text) > _FURNITURE_MAX or block.type is BlockType.FIGURE:
        return ""
    # "Item 3" and "Item 4" at the top of two pages repeat nothing; the page numbers behind them may differ.
    item = _ITEM.match(block.text)
    kept = item.end() if item is not None else 0
    return block.text[:kept] + _DIGITS.sub("#", block.text[kept:])


def _furniture(block: Block, counts: Counter[str], kind: BlockType, n_pages: int) -> BlockType | None:
    text = block.text
    if len(text) > _FURNITURE_MAX or block.type is BlockType.FIGURE:
        return None
    if _PAGE_NUMBER.fullmatch(text) or _PAGE_TAIL.fullmatch(text):
        return BlockType.PAGE_NUMBER
    if _CONTENTS.fullmatch(text) and block.links:
        return kind
    if _SEE_NOTES.match(text) or (_ITEM.match(text) and counts[_shape(block)] < 3):
        return None
    repeats = counts[_shape(block)]
    if block.table is not None and repeats < 4:
        return None
    return kind if repeats >= max(3, min(6, n_pages // 8)) else None


_Emphasis = tuple[bool, bool, bool, bool, bool, float]


def _emphasis(block: Block) -> _Emphasis:
    """How strongly a heading is set off; smaller is stronger."""
    return (
        not block.bold,
        not block.text.isupper(),
        not block.centered,
        block.italic,
        block.underlined,
        -block.size,
    )


def _set_levels(blocks: list[Block]) -> None:
    """Heading levels: parts and items first, then by how strongly a heading is set off, in order of first appearance."""
    ranks: dict[_Emphasis, int] = {}
    for block in blocks:
        if block.type is not BlockType.SECTION_HEADER:
            continue
        text = block.text
        if block.page == 1 and block.centered and _FORM.match(text):
            block.type, block.level = BlockType.TITLE, 1
        elif text[:4].lower() == "part" and _ITEM.match(text):
            block.level = 1
        elif _ITEM.match(text):
            block.level = 2
        else:
            ranks.setdefault(_emphasis(block), 0)
    for rank, key in enumerate(sorted(ranks)):
        ranks[key] = min(6, 3 + rank)
    for block in blocks:
        if block.type is BlockType.SECTION_HEADER and not block.level:
            block.level = ranks[_emphasis(block)]


def build_blocks(scan: Scan) -> Layout:
    """The blocks of a document whose bytes :func:`scan.scan` has read.

    Args:
        scan: paragraphs, images and raw tables in reading order.
    """
    return BlockBuilder(scan).build()
