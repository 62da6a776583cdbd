"""Layout of plain-text filings of the 1990s: paragraphs by blank lines, pages by ``<PAGE>``, tables by their columns.

The typewriter conventions are read, not guessed at: EDGAR's own ``<TABLE>``, ``<S>``, ``<C>`` and ``<CAPTION>`` tags
where they stand, otherwise at least two lines below each other that are cut into columns by gaps. What does not belong
here: markup (``scan``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from salescience_pipeline.documents.model import Cell
from salescience_pipeline.documents.scan_model import Paragraph, RawTable, Scan
from salescience_pipeline.documents.source import Limits, Source
from salescience_pipeline.documents.tags import PLAIN
from salescience_pipeline.documents.xmltext import unescaped

_LINE = re.compile(rb"[^\n]*\n?")
_PAGE = re.compile(r"\s*(?:<PAGE>|\x0c)", re.IGNORECASE)
_TABLE_OPEN = re.compile(r"\s*<TABLE>", re.IGNORECASE)
_TABLE_CLOSE = re.compile(r"\s*</TABLE>", re.IGNORECASE)
_MARKER = re.compile(
    r"\s*</?(?:S|C|CAPTION|FN|F[0-9]{1,2}|BTB|TEXT|PAGE|TABLE|DOCUMENT|LEGEND|MULTIPLIER)\b[^>]*>", re.IGNORECASE
)
_ANY_TAG = re.compile(r"<[^<>]{0,200}>")
_INLINE_TAG = re.compile(r"</?(?!(?:S|C|CAPTION|FN|TABLE|PAGE)\b)[A-Za-z][^<>]{0,200}>", re.IGNORECASE)
_TYPED_MIN = 200
_CELL = re.compile(r"\S+(?: \S+)*")
_RULE = re.compile(r"[\s\-=_.*+|]+")
_VALUE = re.compile(r"[(\-$]*\s*[0-9][0-9,.]*\s*%?\)?|-+|\$")
_LEADERS = re.compile(r"(?<=\S)(?:\s?\.){3,}")


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    start: int
    end: int


class TextReader:
    """Reads one plain text, or a piece of HTML that is laid out as plain text."""

    def __init__(self, data: bytes, encoding: str, *, base: int = 0, page: int = 1, markup: bool = False) -> None:
        """Prepare to read ``data``.

        Args:
            data: the text.
            encoding: its codec.
            base: offset of ``data`` in the document.
            page: page on which it begins.
            markup: whether character references and tags in it are those of HTML.
        """
        self.data = data
        self.encoding = encoding
        self.base = base
        self.first_page = page
        self.page = page
        self.markup = markup
        self.scan = Scan()
        self.lines: list[_Line] = []
        self.table: list[_Line] | None = None

    def run(self, limits: Limits) -> Scan:
        """Read it all.

        Raises:
            DocumentTimeout: over the time that the limits allow.
        """
        deadline = limits.deadline()
        for number, match in enumerate(_LINE.finditer(self.data)):
            if match.start() == match.end():
                break
            text = match[0].decode(self.encoding, "replace").rstrip().expandtabs(8)
            if self.markup:
                text = unescaped(_INLINE_TAG.sub("", text))
            self._line(_Line(text, self.base + match.start(), self.base + match.end()))
            if number % 20_000 == 0:
                limits.check(deadline)
        self._end_table(self.base + len(self.data))
        self._flush()
        return self.scan

    def _line(self, line: _Line) -> None:
        text = line.text
        if _PAGE.match(text):
            self._end_table(line.start)
            self._flush()
            if line.start > self.scan.page_starts[-1]:
                self.scan.page_starts.append(line.start)
            self.page = self.first_page + len(self.scan.page_starts) - 1
            return
        if _TABLE_OPEN.match(text):
            self._flush()
            self.table = []
        elif _TABLE_CLOSE.match(text):
            self._end_table(line.end)
        elif self.table is not None:
            self.table.append(line)
        elif not text.strip():
            self._flush()
        elif _RULE.fullmatch(text):
            self._flush(ruled=True)
        elif not _MARKER.fullmatch(text):
            self.lines.append(line)

    def _flush(self, *, ruled: bool = False) -> None:
        """End a paragraph; several lines that are cut into the same columns are a table, a ruled line is a heading."""
        lines, self.lines = self.lines, []
        if not lines:
            return
        cut = [_CELL_GAPS.split(line.text.strip()) for line in lines]
        if sum(len(cells) > 1 and _looks_like_row(cells) for cells in cut) >= max(2, 0.6 * len(lines)):
            self._add_table(lines, lines[0].start, lines[-1].end)
            return
        text = " ".join(" ".join(_ANY_TAG.sub(" ", line.text).split()) for line in lines).strip()
        if not text:
            return
        indent = len(lines[0].text) - len(lines[0].text.lstrip())
        width = len(lines[0].text.strip())
        centered = len(lines) <= 3 and indent >= 10 and abs((indent + width / 2) - 40) <= 8
        style = PLAIN._replace(centered=centered, underlined=ruled and len(lines) <= 2)
        self.scan.items.append(Paragraph(text, lines[0].start, lines[-1].end, self.page, style))

    def _end_table(self, end: int) -> None:
        lines, self.table = self.table, None
        if lines:
            self._add_table(lines, lines[0].start, end)

    def _add_table(self, lines: list[_Line], start: int, end: int) -> None:
        table = RawTable(start, self.page, end=end)
        ruled: list[tuple[int, int]] = []
        for line in lines:
            shown = _MARKER.sub(lambda match: " " * len(match[0]), line.text)
            if not shown.strip():
                continue
            if _RULE.fullmatch(shown):
                ruled = ruled or [match.span() for match in _RULED.finditer(shown)]
                continue
            shown = _LEADERS.sub(lambda match: " " * len(match[0]), shown)
            # Columns are characters here; a cell covers those that it is printed over.
            row = [
                Cell(
                    0,
                    match.start(),
                    1,
                    len(match[0]),
                    match[0],
                    False,
                    line.start + match.start(),
                    line.start + match.end(),
                )
                for match in _CELL.finditer(shown)
            ]
            table.n_cells += len(row)
            if row:
                table.rows.append(row)
        for row in table.rows:
            _widen(row, ruled if len(ruled) > 1 else [])
        if table.rows:
            self.scan.items.append(table)


def _widen(row: list[Cell], ruled: list[tuple[int, int]]) -> None:
    """Let values cover the whole column that they are printed in, so that short and long ones fall into one.

    Rules under the headings say where columns are; without them a value reaches a little to its left, where longer ones of
    its column begin.
    """
    before = 0
    for cell in row:
        left, right = cell.col, cell.col + cell.colspan
        if left > 0 and (_VALUE.fullmatch(cell.text) or ruled):
            under = [rule for rule in ruled if rule[0] < right + 1 and left < rule[1] + 1]
            if len(under) == 1:
                left, right = min(left, max(before, under[0][0])), max(right, under[0][1])
            elif not ruled:
                left = max(before + 1, left - _REACH)
            cell.col, cell.colspan = left, right - left
        before = right


_RULED = re.compile(r"[-=_]{3,}(?:[ ]?[-=_]+)*")
_REACH = 6
_CELL_GAPS = re.compile(r"\s{2,}|(?:\s?\.){4,}\s*")


def _looks_like_row(cells: list[str]) -> bool:
    return any(_VALUE.fullmatch(cell) for cell in cells[1:])


def scan_text(source: Source) -> Scan:
    """The paragraphs, tables and pages of a plain-text document.

    Raises:
        DocumentTimeout: over the time that the limits allow.
    """
    return TextReader(source.data, source.encoding).run(source.limits)


def is_typed(raw: bytes) -> bool:
    """Whether the text of one HTML element is laid out by line breaks and blank lines, as on a typewriter."""
    if len(raw) < _TYPED_MIN:
        return False
    lines = raw.count(b"\n")
    blank = raw.count(b"\n\n") + raw.count(b"\n\r\n") + raw.count(b"\n \n")
    return blank >= 2 and lines >= len(raw) / 110 and raw.count(b"   ") >= blank
