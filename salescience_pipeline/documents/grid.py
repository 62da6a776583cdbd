"""Cells of a table and where they stand, read while the document is scanned.

:class:`OpenTable` collects cells tag by tag and takes any markup. :class:`SimpleTables` reads the tables that filings
are full of (no table inside, nothing hidden) cell by cell, several times faster. Both give the same rows. What does not
belong here: which cells are headers or belong together (``tables``).
"""

from __future__ import annotations

import re

from salescience_pipeline.documents.errors import CellCountExceeded
from salescience_pipeline.documents.model import Cell
from salescience_pipeline.documents.scan_model import RawTable, plain
from salescience_pipeline.documents.tags import Tag, read_tag

_REMEMBERED = 50_000
_SHORT = 400
_MAX_COLUMNS = 3000
"""Columns behind which spans are no longer followed; no filing has a tenth of them."""
_HEAD = 30
_BREAK = b"\x00"
_TAG = re.compile(rb"<[^<>]*>")
_USUAL = re.compile(
    rb"([^>]*+>)(?:<div[^>]*+>)?<span[^>]*+>([^<]*+)(?:<ix:[^>]*+>([^<]*+)</ix:[^>]*+>([^<]*+))?</span>"
    rb"(?:<span[^>]*+>([^<]*+)</span>)?(?:</div>)?</td"
)
"""What nine cells of ten look like: one span of text, one fact in it or none, perhaps a second span for a mark."""
_SIMPLE = re.compile(rb"""(?: colspan="([1-9][0-9]?)")?(?: style="[^"&<>]*+")?>""")
"""Attributes of a cell that say nothing but how many columns it covers and how it looks."""
_BREAKING = re.compile(rb"<(?:br|/?div|/?p|/?li|/?h[1-6]|/?center|/?ul|/?ol|/?dt|/?dd|/?blockquote|hr)\b[^<>]*>")
_LINK = re.compile(rb"""<a\s[^<>]*?href\s*=\s*["']#([^"'<>]*)["'][^<>]*>(.*?)</a""", re.DOTALL)


class _Columns:
    """Physical columns of the row that is being read, with those that cells of earlier rows still cover."""

    __slots__ = ("column", "covered", "open_spans")

    def __init__(self) -> None:
        self.column = 0
        self.covered: dict[int, int] = {}
        self.open_spans = False

    def next_row(self) -> None:
        self.column = 0
        if self.open_spans:
            self.covered = {column: left - 1 for column, left in self.covered.items() if left > 1}
            self.open_spans = bool(self.covered)

    def place(self, colspan: int, rowspan: int) -> int:
        """The first column of the next cell."""
        column = self.column
        if self.open_spans:
            while self.covered.get(column, 0) > 0:
                column += 1
        if column + colspan > _MAX_COLUMNS:
            colspan = 1
        if rowspan > 1 and column < _MAX_COLUMNS:
            for covering in range(column, column + colspan):
                # Counted down at the end of this row already, hence one more than the rows below.
                self.covered[covering] = rowspan
            self.open_spans = True
        self.column = column + colspan
        return column


class OpenTable:
    """A table whose end tag has not come yet."""

    def __init__(self, raw: RawTable, encoding: str, max_cells: int) -> None:
        """Collect the cells of ``raw``."""
        self.raw = raw
        self.runs: list[bytes] | None = None
        self._encoding = encoding
        self._max_cells = max_cells
        self._columns = _Columns()
        self._row: list[Cell] = []
        self._place = (0, 0, 1, 1)

    def open_row(self) -> None:
        """A row begins; the one before ends."""
        if self._row:
            self.raw.rows.append(self._row)
            self._row = []
        self._columns.next_row()

    def open_cell(self, tag: Tag, start: int) -> None:
        """A cell begins.

        Raises:
            CellCountExceeded: when there are more than the limits allow.
        """
        self.raw.n_cells += 1
        if self.raw.n_cells > self._max_cells:
            raise CellCountExceeded(f"The table at byte {self.raw.start} has more than {self._max_cells:,} cells.")
        column = self._columns.place(tag.colspan, tag.rowspan)
        self._place = (start, column, tag.rowspan, tag.colspan)
        self.runs = []

    def close_cell(self, end: int) -> None:
        """The cell ends; one that shows nothing is forgotten."""
        runs, self.runs = self.runs, None
        if not runs:
            return
        text = plain(b"".join(runs), self._encoding).replace("\n", " ")
        if text:
            start, column, rowspan, colspan = self._place
            self._row.append(Cell(0, column, rowspan, colspan, text, False, start, end))

    def close(self, end: int) -> RawTable:
        """The table ends."""
        self.close_cell(end)
        self.open_row()
        self.raw.end = end
        return self.raw


class SimpleTables:
    """Reads the simple tables of one document."""

    def __init__(self, data: bytes, encoding: str, max_cells: int, *, has_comments: bool) -> None:
        """Prepare to read the tables of ``data``, a document with or without comments behind its root tag."""
        self._data = data
        self._encoding = encoding
        self._max_cells = max_cells
        self._has_comments = has_comments
        self._cells: dict[bytes, tuple[int, int, bool, bool]] = {}
        """Attributes of a cell -> columns, rows, whether it is closed at once, whether it is hidden."""
        self._known: dict[bytes, tuple[str, int, int, int]] = {}
        self._texts: dict[bytes, str] = {}
        self._displays = False
        """Whether the table that is being read says anywhere how something is displayed."""

    def read(self, raw: RawTable, begin: int, end: int) -> bool:
        """Fill ``raw`` with the cells between its start tag and its end tag.

        Args:
            raw: a table without rows.
            begin: byte behind the start tag.
            end: first byte of the end tag.

        Returns:
            False when the table is not simple after all; ``raw`` is then as it was.

        Raises:
            CellCountExceeded: when there are more cells than the limits allow.
        """
        body = self._data[begin:end]
        if self._has_comments and b"<!" in body:
            return False
        if b"href" in body:
            raw.links = [
                (
                    begin + match.start(),
                    match[1].decode(self._encoding, "replace"),
                    plain(_TAG.sub(b"", match[2]), self._encoding),
                )
                for match in _LINK.finditer(body)
            ]
        self._displays = b"display" in body
        columns = _Columns()
        position = begin
        for part in body.split(b"<tr"):
            cells = part.split(b"<td")
            if len(cells[0]) > _HEAD and b"<th" in cells[0]:
                raw.rows, raw.n_cells, raw.links = [], 0, []
                return False
            if len(cells) > 1:
                raw.n_cells += len(cells) - 1
                if raw.n_cells > self._max_cells:
                    raise CellCountExceeded(f"The table at byte {raw.start} has more than {self._max_cells:,} cells.")
                row = self._row(cells, position + len(cells[0]), columns)
                if row is None:
                    raw.rows, raw.n_cells, raw.links = [], 0, []
                    return False
                if row:
                    raw.rows.append(row)
                columns.next_row()
            position += len(part) + 3
        return True

    def _row(self, pieces: list[bytes], position: int, columns: _Columns) -> list[Cell] | None:
        """The cells that show something; None when a tag is not what it seems.

        Args:
            pieces: the row cut at ``<td``; the first piece, what stands before the first cell, is taken out.
            position: offset of the first ``<td``.
            columns: state of the physical columns.
        """
        row: list[Cell] = []
        known = self._known.get
        read = self._read_piece
        column = columns.column
        spanned = columns.open_spans
        del pieces[0]
        for piece in pieces:
            seen = known(piece) or read(piece)
            if seen is None:
                return None
            text, colspan, rowspan, end = seen
            if spanned or rowspan > 1:
                columns.column = column
                place = columns.place(colspan, rowspan)
                column = columns.column
                spanned = columns.open_spans
            else:
                place = column
                column += colspan
            if text:
                row.append(Cell(0, place, rowspan, colspan, text, False, position, position + 3 + end))
            position += len(piece) + 3
        columns.column = column
        return row

    def _read_piece(self, piece: bytes) -> tuple[str, int, int, int] | None:
        """Text, spans and end of the content of a cell; None when the cell needs the general reader.

        Args:
            piece: the bytes from behind ``<td`` up to the next cell.
        """
        usual = _USUAL.match(piece) if not self._displays or b"display" not in piece else None
        if usual is not None:
            attributes, before, inside, after, second = usual.groups()
        else:
            attributes = piece[: piece.find(b">") + 1]
        known = self._cells.get(attributes) or self._attributes(attributes)
        if known is None:
            return None
        colspan, rowspan, self_closed, hidden = known
        text: str | None = ""
        if usual is not None:
            end = usual.end() - 4
            if not hidden:
                content = before if inside is None else before + inside + after
                if second is not None:
                    content += second
                text = self._texts.get(content) or self._shown(content)
        else:
            end = piece.rfind(b"</td")
            if end < 0:
                end = len(piece)
            elif len(piece) - end > _HEAD and b"<th" in piece[end:]:
                return None
            if not self_closed and not hidden and end > len(attributes):
                text = self._unusual(piece[len(attributes) : end])
        if text is None:
            return None
        seen = (text, colspan, rowspan, end)
        # Padding, currency signs and brackets repeat; sentences and numbers do not.
        if len(text) < 3 and len(piece) < _SHORT and len(self._known) < _REMEMBERED:
            self._known[piece] = seen
        return seen

    def _attributes(self, attributes: bytes) -> tuple[int, int, bool, bool] | None:
        """Columns, rows, whether the cell is closed at once, whether it is hidden; None for attributes cut in two."""
        if attributes.count(b'"') & 1 or not attributes:
            return None
        simple = None if self._displays else _SIMPLE.fullmatch(attributes)
        if simple is not None:
            known = (int(simple[1] or 1), 1, False, False)
        else:
            tag = read_tag(b"td" + attributes, self._encoding)
            known = (tag.colspan, tag.rowspan, tag.self_closed, "hidden" in tag.changes)
        if len(self._cells) < _REMEMBERED:
            self._cells[attributes] = known
        return known

    def _unusual(self, content: bytes) -> str | None:
        """What the content of a cell shows; None when the general reader has to tell (something hidden, a picture)."""
        if self._displays and b"display" in content and b"none" in content:
            return None
        text = self._text(content)
        return text if text or b"<img" not in content else None

    def _text(self, content: bytes) -> str:
        """What a cell shows, on one line."""
        tags = content.count(b"<")
        if tags == 2 and b"<br" not in content:
            content = (
                content[content.find(b">") + 1 : content.rfind(b"<")] if content[:1] == b"<" else _TAG.sub(b"", content)
            )
        elif tags:
            if b"<br" in content or content.count(b"</div") + content.count(b"</p") > 1:
                content = _BREAKING.sub(_BREAK, content)
            content = _TAG.sub(b"", content)
        return self._shown(content)

    def _shown(self, content: bytes) -> str:
        """What content without tags shows."""
        known = self._texts.get(content)
        if known is None:
            known = plain(content, self._encoding)
            if "\n" in known:
                known = known.replace("\n", " ")
            if len(content) < 60 and len(self._texts) < _REMEMBERED:
                self._texts[content] = known
        return known
