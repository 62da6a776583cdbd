"""One pass over the bytes of an HTML document: paragraphs, images, rules and raw tables in reading order.

No tree is built. Tags are looked up by their spelling (:mod:`tags`); a stack of the open elements gives the style of the
text, and survives whatever order the tags come in. What the pieces are (headings, lists, page numbers) is decided in
:mod:`blocks`, what a table's cells are in :mod:`tables`.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field

from salescience_pipeline.documents.errors import CellCountExceeded, DocumentCorrupt
from salescience_pipeline.documents.source import Source
from salescience_pipeline.documents.tags import PLAIN, Op, Style, Tag, read_tag

_WINDOW = 1 << 20
_REMEMBERED = 30_000
_LINE_BREAK = b"\x00"
_TAG_REST = re.compile(rb"""[^<>"']*+(?:"[^"]*+"[^<>"']*+|'[^']*+'[^<>"']*+)*+>""")


@dataclass(slots=True, eq=False)
class RawCell:
    """A cell as it stands in the source: its runs of text with the style of the first that shows something."""

    start: int
    colspan: int
    rowspan: int
    runs: list[bytes] = field(default_factory=list)
    style: Style = PLAIN
    end: int = 0
    th: bool = False


@dataclass(slots=True, eq=False)
class RawTable:
    """A table as it stands in the source."""

    start: int
    page: int
    rows: list[list[RawCell]] = field(default_factory=list)
    end: int = 0
    n_cells: int = 0
    has_inner: bool = False
    links: list[tuple[int, str, bytes]] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Paragraph:
    """Text between two block boundaries.

    Attributes:
        text: what a reader sees, lines separated by newlines.
        style: that of its first run; bold, italic and underlined only when all of it is.
        element: name of the innermost block element.
        heading: 1 to 6 inside an HTML heading.
        in_list: whether it stands in a list element.
        preformatted: whether line breaks of the source count.
    """

    text: str
    start: int
    end: int
    page: int
    style: Style
    element: bytes
    heading: int = 0
    in_list: bool = False
    preformatted: bool = False
    links: tuple[tuple[int, str, str], ...] = ()


@dataclass(slots=True, eq=False)
class Image:
    """A picture, with its alternative text."""

    start: int
    end: int
    page: int
    text: str


@dataclass(slots=True, eq=False)
class Scan:
    """What the pass found."""

    items: list[Paragraph | RawTable | Image] = field(default_factory=list)
    page_starts: list[int] = field(default_factory=lambda: [0])
    anchors: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


_HIDING = re.compile(rb"<(!--|!\[CDATA\[|script\b|style\b|head\b|[a-z][a-z0-9.\-]*:header\b)", re.IGNORECASE)


def blank_hidden(source: Source) -> bytes:
    """The document with comments, scripts, styles, its head and the inline XBRL header turned into spaces.

    Offsets stay what they were. The content of a CDATA section is shown, its brackets are not.
    """
    data = source.data
    parts: list[bytes] = []
    position = 0
    missing: set[bytes] = set()
    for match in _HIDING.finditer(data):
        start, word = match.start(), match[1].lower()
        if start < position or word in missing:
            continue
        end = _hidden_end(data, match.end(), word)
        if end < 0:
            missing.add(word)
            continue
        parts += (data[position:start], b" " * (end - start))
        position = end
    return b"".join((*parts, data[position:])) if parts else data


def _hidden_end(data: bytes, position: int, word: bytes) -> int:
    """Offset behind the end of the hidden part that ``word`` opens; -1 when it has none."""
    if word == b"!--":
        end = data.find(b"-->", position)
        return end + 3 if end >= 0 else -1
    if word == b"![cdata[":
        return position
    if word == b"head":
        body = re.compile(rb"</head\s*>|<body\b", re.IGNORECASE).search(data, position)
        return -1 if body is None else body.end() if body[0][1:2] == b"/" else body.start()
    closing = re.compile(rb"</" + re.escape(word) + rb"\s*>", re.IGNORECASE).search(data, position)
    return -1 if closing is None else closing.end()


def plain(raw: bytes, encoding: str) -> str:
    """The text of joined runs as a browser shows it; line breaks become newlines."""
    text = raw.decode(encoding, "replace")
    if "&" in text:
        text = html.unescape(text)
    if "\x00" not in text:
        return " ".join(text.split())
    lines = [" ".join(line.split()) for line in text.split("\x00")]
    return "\n".join(lines).strip("\n")


class Scanner:
    """Reads one document; use :func:`scan`."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.encoding = source.encoding
        self.result = Scan()
        self.tags: dict[bytes, Tag] = {}
        self.stack: list[tuple[bytes, bool, Style]] = []
        self.style = PLAIN
        self.runs: list[tuple[bytes, Style]] = []
        self.run_start = 0
        self.boundary = 0
        self.page = 1
        self.tables: list[RawTable] = []
        self.cell: RawCell | None = None
        self.cells: list[RawCell | None] = []
        self.link: tuple[int, str] | None = None
        self.link_runs = 0
        self.links: list[tuple[int, str, str]] = []
        self.depth = 0
        self.pre = 0
        self.lists = 0
        self.headings: list[int] = []

    def run(self) -> Scan:
        """Scan the document.

        Raises:
            DocumentCorrupt: nested too deep.
            CellCountExceeded: a table with too many cells.
            DocumentTimeout: over the time that the limits allow.
        """
        data = blank_hidden(self.source)
        limits = self.source.limits
        deadline = limits.deadline()
        size = len(data)
        position = data.find(b"<")
        if position < 0:
            position = size
        self._text(data[:position], 0)
        while position < size:
            end = size if position + _WINDOW >= size else data.rfind(b"<", position + 1, position + _WINDOW)
            if end <= position:
                following = data.find(b"<", position + 1)
                end = following if following >= 0 else size
            self._window(data, position, end)
            position = end
            limits.check(deadline)
        self._finish(size)
        return self.result

    def _window(self, data: bytes, position: int, end: int) -> None:
        """Read ``data[position:end]``, which starts with ``<``.

        The loop is the hot path of the whole engine: one dictionary look-up per tag, one branch per kind of tag.
        """
        get = self.tags.get
        nothing, inline_open, inline_close = int(Op.NOTHING), int(Op.INLINE_OPEN), int(Op.INLINE_CLOSE)
        cell_open, cell_close = int(Op.CELL_OPEN), int(Op.CELL_CLOSE)
        stack = self.stack
        for piece in data[position + 1 : end].split(b"<"):
            start = position
            position += len(piece) + 1
            tag = get(piece)
            text = b""
            if tag is None:
                tag, text = self._read(piece)
            op = tag.op
            if op == inline_open:
                if not tag.self_closed:
                    stack.append((tag.name, False, self.style))
                    self.style = tag.merged.get(self.style) or tag.apply(self.style)
                if tag.anchor is not None:
                    self.result.anchors.setdefault(tag.anchor, start)
            elif op == inline_close:
                if stack and stack[-1][0] == tag.name:
                    self.style = stack.pop()[2]
                else:
                    self._close(tag.name, inline=True)
                if self.link is not None and tag.name == b"a":
                    self._end_link()
            elif op == cell_open:
                self._open_cell(tag, start)
            elif op == cell_close:
                if self.cell is not None:
                    self.cell.end = start
                    self._close(b"td", inline=False)
                    self.cell = None
            elif op != nothing:
                self._structure(op, tag, start, position - len(text))
            if text:
                self._text(text, position - len(text))

    def _read(self, piece: bytes) -> tuple[Tag, bytes]:
        """The tag at the start of ``piece`` (its ``<`` cut off) and the text behind it."""
        split = piece.find(b">") + 1
        if not split:
            return (LITERAL, b"<" + piece) if piece[:1].isspace() or piece[:1].isdigit() else (NOTHING, b"")
        raw = piece[:split]
        if (raw.count(b'"') & 1 or raw.count(b"'") & 1) and (match := _TAG_REST.match(piece)) is not None:
            split = match.end()
            raw = piece[:split]
        tag = self.tags.get(raw)
        if tag is None:
            tag = read_tag(raw, self.encoding)
            if tag.op == Op.LITERAL:
                return tag, b"<" + piece
            if len(self.tags) < _REMEMBERED and (tag.anchor is None or len(raw) < 40):
                self.tags[raw] = tag
        return tag, piece[split:]

    def _text(self, raw: bytes, start: int) -> None:
        style = self.style
        if style.hidden:
            return
        cell = self.cell
        if cell is not None:
            if cell.style is PLAIN and not raw.isspace():
                cell.style = style
            cell.runs.append(raw)
            return
        if self.tables and not raw.isspace() and not self.runs:
            # Text between the rows of a table: browsers show it before the table, a reader sees it where it is.
            self.boundary = start
        runs = self.runs
        if not runs:
            if raw.isspace():
                return
            self.run_start = start
        runs.append((raw, style))

    def _open_cell(self, tag: Tag, start: int) -> None:
        tables = self.tables
        if not tables:
            self._flush(start, start)
            return
        table = tables[-1]
        if self.cell is not None:
            self.cell.end = start
            self._close(b"td", inline=False)
        elif self.runs:
            self._flush(start, start)
        if not table.rows:
            table.rows.append([])
        cell = RawCell(start, tag.colspan, tag.rowspan, th=tag.name == b"th")
        table.rows[-1].append(cell)
        table.n_cells += 1
        if table.n_cells > self.source.limits.max_cells:
            raise CellCountExceeded(f"The table at byte {table.start} has more than {table.n_cells - 1:,} cells.")
        if tag.self_closed:
            cell.end = start
            self.cell = None
            return
        self.stack.append((b"td", True, self.style))
        self.style = tag.merged.get(self.style) or tag.apply(self.style)
        self.cell = cell

    def _structure(self, op: int, tag: Tag, start: int, end: int) -> None:  # noqa: C901, PLR0912 - one branch per kind
        """Everything but text, inline tags and cells."""
        if tag.anchor is not None:
            self.result.anchors.setdefault(tag.anchor, start)
        if tag.break_before:
            self._flush(start, start)
            self._new_page(start)
        if op == Op.BLOCK_OPEN:
            self._open_block(tag, start)
        elif op == Op.BLOCK_CLOSE:
            self._close_block(tag, start, end)
        elif op == Op.LINE_BREAK:
            if self.cell is not None:
                self.cell.runs.append(_LINE_BREAK)
            elif self.runs:
                self.runs.append((_LINE_BREAK, self.style))
        elif op == Op.LINK_OPEN:
            self.stack.append((b"a", False, self.style))
            self.style = tag.apply(self.style)
            if tag.href is not None and tag.href.startswith("#"):
                self.link = (start, tag.href[1:])
                self.link_runs = len(self.cell.runs) if self.cell is not None else len(self.runs)
        elif op == Op.ROW_OPEN or op == Op.ROW_CLOSE:
            if self.cell is not None:
                self.cell.end = start
                self._close(b"td", inline=False)
                self.cell = None
            if op == Op.ROW_OPEN and self.tables:
                self.tables[-1].rows.append([])
        elif op == Op.TABLE_OPEN:
            self._open_table(start)
        elif op == Op.TABLE_CLOSE:
            self._close_table(start, end)
        elif op == Op.IMAGE:
            if self.cell is None:
                self._flush(start, start)
            self.result.items.append(Image(start, end, self.page, tag.text))
        elif op == Op.PAGE:
            self._flush(start, start)
            self._new_page(end)
        elif op == Op.RULE:
            if self.cell is None:
                self._flush(start, end)
        if tag.break_after and (op == Op.RULE or op == Op.LINE_BREAK or tag.self_closed):
            self._flush(start, start)
            self._new_page(end)

    def _open_block(self, tag: Tag, start: int) -> None:
        cell = self.cell
        if cell is not None:
            if cell.runs and cell.runs[-1] != _LINE_BREAK:
                cell.runs.append(_LINE_BREAK)
        else:
            self._flush(start, start)
        if tag.self_closed:
            return
        name = tag.name
        if name == b"p" and self.stack and self.stack[-1][0] == b"p":
            self._close(b"p", inline=False)
        self.stack.append((name, True, self.style))
        if len(self.stack) > self.source.limits.max_depth:
            raise DocumentCorrupt(f"Elements are nested more than {self.source.limits.max_depth:,} deep at byte {start}.")
        self.style = tag.merged.get(self.style) or tag.apply(self.style)
        self.boundary = start
        if name == b"pre":
            self.pre += 1
        elif name == b"li":
            self.lists += 1
        elif tag.heading:
            self.headings.append(tag.heading)

    def _close_block(self, tag: Tag, start: int, end: int) -> None:
        cell = self.cell
        if cell is not None:
            if cell.runs and cell.runs[-1] != _LINE_BREAK:
                cell.runs.append(_LINE_BREAK)
        else:
            self._flush(start, end)
        name = tag.name
        self._close(name, inline=False)
        if name == b"pre":
            self.pre = max(0, self.pre - 1)
        elif name == b"li":
            self.lists = max(0, self.lists - 1)
        elif self.headings and len(name) == 2 and name[:1] == b"h":
            self.headings.pop()
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
            if entry[1] and (inline or entry[0] in (b"td", b"table")):
                return

    def _end_link(self) -> None:
        assert self.link is not None
        start, target = self.link
        runs = self.cell.runs if self.cell is not None else [run for run, _ in self.runs]
        text = plain(b"".join(runs[self.link_runs :]), self.encoding)
        self.links.append((start, target, text))
        self.link = None

    def _new_page(self, start: int) -> None:
        if start > self.result.page_starts[-1]:
            self.result.page_starts.append(start)
        self.page = len(self.result.page_starts)

    def _open_table(self, start: int) -> None:
        self._flush(start, start)
        if self.tables:
            self.tables[-1].has_inner = True
        self.cells.append(self.cell)
        self.cell = None
        self.tables.append(RawTable(start, self.page))
        self.stack.append((b"table", True, self.style))
        if len(self.stack) > self.source.limits.max_depth:
            raise DocumentCorrupt(f"Elements are nested more than {self.source.limits.max_depth:,} deep at byte {start}.")
        self.style = self.style._replace(centered=False) if self.style.centered else self.style

    def _close_table(self, start: int, end: int) -> None:
        if not self.tables:
            return
        if self.cell is not None:
            self.cell.end = start
            self._close(b"td", inline=False)
        self.cell = None
        self._flush(start, start)
        table = self.tables.pop()
        table.end = end
        self._close(b"table", inline=False)
        self.cell = self.cells.pop()
        self.result.items.append(table)
        self.boundary = end

    def _flush(self, start: int, end: int) -> None:
        """End the paragraph that is being collected; ``start`` and ``end`` are those of the tag that ends it."""
        runs = self.runs
        if not runs:
            return
        self.runs = []
        links, self.links = tuple(self.links), []
        self.link = None
        text = plain(b"".join([raw for raw, _ in runs]), self.encoding)
        preformatted = self.pre > 0
        if preformatted:
            joined = b"".join([raw for raw, _ in runs]).replace(_LINE_BREAK, b"\n")
            text = html.unescape(joined.decode(self.encoding, "replace"))
        if not text.strip():
            return
        style = runs[0][1]
        if len(runs) > 1:
            style = _common(runs)
        begin = self.boundary if self.boundary <= self.run_start else self.run_start
        self.result.items.append(
            Paragraph(
                text,
                begin,
                max(end, begin),
                self.page,
                style,
                next((name for name, block, _ in reversed(self.stack) if block), b""),
                self.headings[-1] if self.headings else 0,
                self.lists > 0,
                preformatted,
                links,
            )
        )
        self.boundary = end

    def _finish(self, size: int) -> None:
        while self.tables:
            self.result.warnings.append(f"The table at byte {self.tables[-1].start} is never closed.")
            self._close_table(size, size)
        self._flush(size, size)


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


LITERAL = Tag(Op.LITERAL, b"")
NOTHING = Tag(Op.NOTHING, b"")


def scan(source: Source) -> Scan:
    """Read the paragraphs, tables and images of an HTML document.

    Raises:
        DocumentCorrupt: elements nested deeper than the limits allow.
        CellCountExceeded: a table with more cells than the limits allow.
        DocumentTimeout: over the time that the limits allow.
    """
    return Scanner(source).run()


