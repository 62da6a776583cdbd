"""The text of a document as it flows: open elements and their style, paragraphs, pages, tables that are being read.

:class:`Flow` takes tags and text in the order in which they come and survives any order. Who feeds it is :mod:`scan`.
What does not belong here: what a piece of text is (``blocks``).
"""

from __future__ import annotations

import re

from salescience_pipeline.documents.errors import DocumentCorrupt
from salescience_pipeline.documents.grid import OpenTable
from salescience_pipeline.documents.model import Cell
from salescience_pipeline.documents.scan_model import Image, Paragraph, RawTable, Scan, plain
from salescience_pipeline.documents.source import Source
from salescience_pipeline.documents.tags import NOTHING, PLAIN, Op, Style, Tag, read_tag
from salescience_pipeline.documents.text_layout import TextReader, is_typed

_REMEMBERED = 30_000
_LONG = 200
_LINE_BREAK = b"\x00"
_TAG_REST = re.compile(rb"""[^<>"']*+(?:"[^"]*+"[^<>"']*+|'[^']*+'[^<>"']*+)*+>""")
_PARAGRAPH = frozenset({b"p"})
_CLOSES: dict[bytes, frozenset[bytes]] = {
    **dict.fromkeys((b"p", b"div", b"center", b"ul", b"ol", b"dl", b"pre", b"blockquote"), _PARAGRAPH),
    **dict.fromkeys((b"h1", b"h2", b"h3", b"h4", b"h5", b"h6"), _PARAGRAPH),
    b"li": frozenset({b"li", b"p"}),
    b"dt": frozenset({b"dt", b"dd", b"p"}),
    b"dd": frozenset({b"dt", b"dd", b"p"}),
}
_LITERAL = Tag(Op.LITERAL, b"")
_COMMENT = Tag(Op.HIDDEN, b"!--")


class Flow:
    """Takes the tags and the text of one document."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.encoding = source.encoding
        self.result = Scan(style_of=self._style_of)
        self.tags: dict[bytes, Tag] = {}
        self.data = source.data
        self.missing: set[bytes] = set()
        """Hidden parts whose end does not come any more."""
        # The open elements: name, whether it is a block, the style around it.
        self.stack: list[tuple[bytes, bool, Style]] = []
        self.style = PLAIN
        self.runs: list[tuple[bytes, Style]] = []
        self.run_start = 0
        self.boundary = 0
        self.page = 1
        self.tables: list[OpenTable] = []
        self.cell: list[bytes] | None = None
        """The runs of the cell that is being read."""
        self.link: tuple[int, str, int] | None = None
        self.links: list[tuple[int, str, str]] = []
        self.pre = 0
        self.headings: list[int] = []
        self.lists = False
        """Whether any list element has been seen."""
        self.breaking: list[int] = []
        """Depths of the open elements behind which a new page begins."""

    def _read(self, piece: bytes) -> tuple[Tag, bytes]:
        """The tag at the start of ``piece`` (its ``<`` cut off) and the text behind it."""
        if piece[:3] == b"!--":
            return _COMMENT, b""
        split = piece.find(b">") + 1
        if not split:
            return (_LITERAL, b"<" + piece) if not piece[:1].isalpha() and piece[:1] not in b"/!?" else (NOTHING, b"")
        raw = piece[:split]
        tag = self.tags.get(raw)
        if tag is None:
            if (raw.count(b'"') & 1 or raw.count(b"'") & 1) and (match := _TAG_REST.match(piece)) is not None:
                split = match.end()
                raw = piece[:split]
            # Every spelling of an inline tag is another one, and only its header means something here.
            ignored = raw[:3] == b"ix:" and raw[3:9] != b"header"
            tag = NOTHING if ignored else read_tag(raw, self.encoding)
            if tag.op == Op.LITERAL:
                return tag, b"<" + piece
            # Tags that mean nothing here and are all different would only cost memory; their end tags are few.
            if (tag is not NOTHING or raw[:1] == b"/") and len(self.tags) < _REMEMBERED:
                self.tags[raw] = tag
        return tag, piece[split:]

    def _text(self, raw: bytes, start: int) -> None:
        style = self.style
        if style.hidden:
            return
        if self.cell is not None:
            self.cell.append(raw)
            return
        runs = self.runs
        if not runs:
            if raw.isspace():
                return
            self.run_start = start
        runs.append((raw, style))

    def _structure(self, op: int, tag: Tag, start: int, end: int) -> None:  # noqa: C901, PLR0912 - one branch per kind
        """Everything but text and inline tags."""
        if tag.break_before:
            self._flush(start, start)
            self._new_page(start)
        if op == Op.BLOCK_OPEN:
            self._open_block(tag, start)
        elif op == Op.BLOCK_CLOSE:
            self._close_block(tag, start, end)
        elif op == Op.CELL_OPEN:
            self._open_cell(tag, start)
        elif op == Op.CELL_CLOSE:
            self._close_cell(start)
        elif op == Op.LINE_BREAK:
            self._break_line()
        elif op == Op.LINK_OPEN:
            self.stack.append((b"a", False, self.style))
            self.style = tag.apply(self.style)
            if tag.href is not None and tag.href.startswith("#"):
                self.link = (start, tag.href[1:], len(self.cell if self.cell is not None else self.runs))
        elif op in (Op.ROW_OPEN, Op.ROW_CLOSE):
            self._close_cell(start)
            if op == Op.ROW_OPEN and self.tables:
                self.tables[-1].open_row()
        elif op == Op.TABLE_OPEN:
            self._open_table(tag, start)
        elif op == Op.TABLE_CLOSE:
            self._close_table(start, end)
        elif op == Op.IMAGE:
            if self.cell is None:
                self._flush(start, start)
            if not self.style.hidden:
                self.result.items.append(Image(start, end, self.page, tag.text))
        elif op == Op.PAGE or (op == Op.RULE and self.cell is None):
            self._flush(start, end)
            if op == Op.PAGE:
                self._new_page(end)
        if tag.break_after and op in (Op.RULE, Op.LINE_BREAK):
            self._flush(start, start)
            self._new_page(end)

    def _break_line(self) -> None:
        if self.cell is not None:
            self.cell.append(_LINE_BREAK)
        elif self.runs:
            self.runs.append((_LINE_BREAK, self.style))

    def _push(self, name: bytes, tag: Tag, start: int) -> None:
        self.stack.append((name, True, self.style))
        if len(self.stack) > self.source.limits.max_depth:
            raise DocumentCorrupt(
                f"Elements are nested more than {self.source.limits.max_depth:,} deep at byte {start}."
            )
        self.style = tag.merged.get(self.style) or tag.apply(self.style)

    def _open_block(self, tag: Tag, start: int) -> None:
        if self.cell is None:
            if self.runs:
                self._flush(start, start)
        elif self.cell and self.cell[-1] != _LINE_BREAK:
            self.cell.append(_LINE_BREAK)
        if tag.self_closed:
            if tag.break_after:
                self._new_page(start)
            return
        name = tag.name
        closes = _CLOSES.get(name)
        if closes is not None:
            self._close_implied(closes)
        self._push(name, tag, start)
        self.boundary = start
        if tag.break_after:
            self.breaking.append(len(self.stack))
        if name == b"li":
            self.lists = True
        elif name == b"pre":
            self.pre += 1
        elif tag.heading:
            self.headings.append(tag.heading)

    def _close_implied(self, names: frozenset[bytes]) -> None:
        """End tags that HTML lets authors leave out: a paragraph ends where the next block begins, an item at the next."""
        for name, is_block, _ in reversed(self.stack[-50:]):
            if is_block:
                if name in names:
                    self._close(name, inline=False)
                return

    def _close_block(self, tag: Tag, start: int, end: int) -> None:
        if self.cell is None:
            if self.runs:
                self._flush(start, end)
        elif self.cell and self.cell[-1] != _LINE_BREAK:
            self.cell.append(_LINE_BREAK)
        name = tag.name
        if self.stack and self.stack[-1][0] == name:
            self.style = self.stack.pop()[2]
        else:
            self._close(name, inline=False)
        if name == b"pre":
            self.pre = max(0, self.pre - 1)
        elif self.headings and len(name) == 2 and name[:1] == b"h":
            self.headings.pop()
        if self.breaking and len(self.stack) < self.breaking[-1]:
            while self.breaking and len(self.stack) < self.breaking[-1]:
                self.breaking.pop()
            self._new_page(end)
        self.boundary = end

    def _close(self, name: bytes, *, inline: bool) -> None:
        """Close the innermost open element ``name`` and what was left open inside it.

        An inline end tag reaches no further than the block that it stands in; an end tag that closes nothing is ignored.
        """
        stack = self.stack
        for depth in range(len(stack) - 1, max(-1, len(stack) - 200), -1):
            entry = stack[depth]
            if entry[0] == name:
                self.style = entry[2]
                del stack[depth:]
                return
            if entry[1] and (inline or (entry[0] in (b"td", b"table") and name != b"table")):
                return

    def _end_link(self) -> None:
        assert self.link is not None
        start, target, first = self.link
        runs = self.cell if self.cell is not None else [run for run, _ in self.runs]
        found = (start, target, plain(b"".join(runs[first:]), self.encoding).replace("\n", " "))
        if self.cell is not None and self.tables:
            self.tables[-1].raw.links.append(found)
        else:
            self.links.append(found)
        self.link = None

    def _new_page(self, start: int) -> None:
        if start > self.result.page_starts[-1]:
            self.result.page_starts.append(start)
        self.page = len(self.result.page_starts)

    def _open_cell(self, tag: Tag, start: int) -> None:
        if not self.tables:
            self._flush(start, start)
            return
        self._close_cell(start)
        self._flush(start, start)
        table = self.tables[-1]
        table.open_cell(tag, start)
        if tag.self_closed:
            table.close_cell(start)
            return
        self._push(b"td", tag, start)
        self.cell = table.runs

    def _close_cell(self, end: int) -> None:
        if self.cell is not None and self.tables:
            self.tables[-1].close_cell(end)
            self._close(b"td", inline=False)
        self.cell = None

    def _open_table(self, tag: Tag, start: int) -> None:
        self._flush(start, start)
        if self.tables:
            # The text around an inner table is a cell of the outer one; the inner table stands for itself.
            self.tables[-1].raw.has_inner = True
            self.tables[-1].close_cell(start)
        raw = RawTable(start, self.page, self.style)
        self.tables.append(OpenTable(raw, self.encoding, self.source.limits.max_cells))
        self._push(b"table", tag, start)
        self.cell = None

    def _close_table(self, start: int, end: int) -> None:
        if not self.tables:
            return
        self._close_cell(start)
        self._flush(start, start)
        table = self.tables.pop()
        self._close(b"table", inline=False)
        self.result.items.append(table.close(end))
        self.boundary = end

    def _flush(self, start: int, end: int) -> None:
        """End the paragraph that is being collected; ``start`` and ``end`` are those of the tag that ends it."""
        runs = self.runs
        if not runs:
            return
        self.runs = []
        links, self.links = self.links, []
        self.link = None
        raw = runs[0][0] if len(runs) == 1 else b"".join([run for run, _ in runs])
        loose = self.pre or (self.tables and self.cell is None)
        if (loose and b"\n" in raw) or (len(raw) > _LONG and is_typed(raw)):
            self._typed(self.run_start, max(start, self.run_start))
            self.boundary = end
            return
        text = plain(raw, self.encoding)
        if not text or text.isspace():
            return
        begin = self.boundary if self.boundary <= self.run_start else self.run_start
        self.result.items.append(
            Paragraph(
                text,
                begin,
                max(end, begin),
                self.page,
                runs[0][1] if len(runs) == 1 else _common(runs),
                self.headings[-1] if self.headings else 0,
                self.lists and any(name == b"li" for name, _, _ in self.stack[-30:]),
                tuple(links),
            )
        )
        self.boundary = end

    def _typed(self, start: int, end: int) -> None:
        """Read a piece that is laid out as plain text (``<pre>``, or a whole old filing in one element)."""
        reader = TextReader(self.data[start:end], self.encoding, base=start, page=self.page, markup=True)
        found = reader.run(self.source.limits)
        self.result.items += found.items
        for page_start in found.page_starts[1:]:
            self._new_page(page_start)

    def _finish(self, size: int) -> None:
        while self.tables:
            self.result.warnings.append(f"The table at byte {self.tables[-1].raw.start} is never closed.")
            self._close_table(size, size)
        self._flush(size, size)

    def _style_of(self, table: RawTable, cell: Cell) -> Style:
        """How the first text of a cell looks."""
        style = table.style
        for piece in self.data[cell.start : cell.end].split(b"<")[1:]:
            tag, text = self._read(piece)
            if tag.op in (Op.INLINE_OPEN, Op.BLOCK_OPEN, Op.CELL_OPEN, Op.LINK_OPEN) and not tag.self_closed:
                style = tag.apply(style)
            if text and plain(text, self.encoding):
                break
        return style


def _common(runs: list[tuple[bytes, Style]]) -> Style:
    """The style of the first run that shows something; emphasis only when every such run has it."""
    shown = [style for raw, style in runs if raw != _LINE_BREAK and raw.strip() and raw.strip() != b"&#160;"]
    if not shown:
        return runs[0][1]
    first = shown[0]
    if all(style is first for style in shown):
        return first
    return first._replace(
        bold=all(style.bold for style in shown),
        italic=all(style.italic for style in shown),
        underlined=all(style.underlined for style in shown),
    )
