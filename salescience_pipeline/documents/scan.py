"""One pass over the bytes of an HTML document: paragraphs, images and tables in reading order.

No tree is built. Tags are looked up by their spelling (:mod:`tags`) and handed to :mod:`flow`; simple tables are read
in one go (:mod:`grid`). What the pieces are (headings, lists, page numbers) is decided in :mod:`blocks`, what the
columns of a table are in :mod:`tables`. What does not belong here: the meaning of what is found (``blocks``,
``tables``).
"""

from __future__ import annotations

import re

from salescience_pipeline.documents.flow import Flow
from salescience_pipeline.documents.grid import SimpleTables
from salescience_pipeline.documents.scan_model import RawTable, Scan
from salescience_pipeline.documents.source import Source

_WINDOW = 1 << 17
_SMALL_WINDOW = 1 << 9
_TABLE = re.compile(rb"<(/?)table")
_HIDDEN_ENDS = {
    b"script": re.compile(rb"</script\s*>", re.IGNORECASE),
    b"style": re.compile(rb"</style\s*>", re.IGNORECASE),
    b"head": re.compile(rb"</head\s*>|<body\b", re.IGNORECASE),
    b"header": re.compile(rb"</[A-Za-z][\w.\-]*:header\s*>", re.IGNORECASE),
    b"!--": re.compile(rb"-->"),
}


class Scanner(Flow):
    """Reads one document; use :func:`scan`."""

    def run(self) -> Scan:
        """Scan the document.

        Raises:
            DocumentCorrupt: nested too deep.
            CellCountExceeded: a table with too many cells.
            DocumentTimeout: over the time that the limits allow.
        """
        data = self.data
        limits = self.source.limits
        deadline = limits.deadline()
        size = len(data)
        position = data.find(b"<")
        if position < 0:
            position = size
        self._text(data[:position], 0)
        # The reader of simple tables expects their tags in lower case.
        if self.source.first_upper >= size:
            simple = SimpleTables(data, self.encoding, limits.max_cells, has_comments=self.source.first_marked < size)
            table = -1
            for match in _TABLE.finditer(data, position):
                close = match.start()
                if close < position:
                    continue
                if table < position:
                    table = table if match[1] else close
                    continue
                limits.check(deadline)
                if not match[1]:
                    # A table inside the table.
                    position = self._windows(position, _nest_end(data, table))
                    continue
                end = data.find(b">", close) + 1 or size
                if table > position:
                    position = self._windows(position, table)
                    if position > table:
                        continue
                if self.tables or self.cell is not None or not self._simple_table(simple, table, close, end):
                    self._windows(table, end)
                position = data.find(b"<", end)
                position = position if position >= 0 else size
                if position > end:
                    self._text(data[end:position], end)
        self._windows(position, size)
        self._finish(size)
        return self.result

    def _simple_table(self, simple: SimpleTables, start: int, close: int, end: int) -> bool:
        """Read a table in one go; False when it has to be read tag by tag."""
        begin = self.data.find(b">", start) + 1
        head = self.data[start + 1 : begin]
        if head.count(b'"') & 1 or begin > close:
            return False
        tag, _ = self._read(head)
        style = self.style
        if style.hidden or tag.break_before or tag.break_after or tag.changes.get("hidden"):
            return False
        self._flush(start, start)
        table = RawTable(start, self.page, style, end=end)
        if not simple.read(table, begin, close):
            return False
        self.result.items.append(table)
        self.boundary = end
        return True

    def _windows(self, position: int, end: int) -> int:
        """Read ``data[position:end]``, which starts with ``<``, a piece at a time so that memory stays bounded.

        Returns:
            Where to go on: ``end``, or further away.
        """
        limits = self.source.limits
        deadline = limits.deadline()
        data = self.data
        size = _WINDOW
        while position < end:
            stop = end
            if position + size < end:
                stop = data.rfind(b"<", position + 1, position + size)
                if stop < 0:
                    stop = data.find(b"<", position + size, end)
                    stop = stop if stop >= 0 else end
                limits.check(deadline)
            position = self._window(position, stop)
            # Something hidden makes the rest of a window void: small windows where that happens often.
            size = min(size * 2, _WINDOW) if position == stop else _SMALL_WINDOW
        return position

    def _window(self, position: int, end: int) -> int:  # noqa: C901, PLR0912, PLR0915 - the hot path, calls cost
        """Read a window; returns where to go on, which is further away when something hidden reaches out of it.

        The hot path: one dictionary look-up per tag, one branch per kind of tag.
        """
        get = self.tags.get
        stack = self.stack
        for piece in self.data[position + 1 : end].split(b"<"):
            start = position
            position += len(piece) + 1
            tag = get(piece)
            text = b""
            if tag is None:
                split = piece.find(b">") + 1
                tag = get(piece[:split])
                if tag is None:
                    tag, text = self._read(piece)
                else:
                    text = piece[split:]
            op = tag.op
            if op == 1:  # Op.INLINE_OPEN; the comparison with a plain int is what makes the loop fast
                if not tag.self_closed:
                    style = self.style
                    stack.append((tag.name, False, style))
                    self.style = tag.merged.get(style) or tag.apply(style)
            elif op == 2:  # Op.INLINE_CLOSE
                if stack and stack[-1][0] == tag.name:
                    self.style = stack.pop()[2]
                else:
                    self._close(tag.name, inline=True)
                if self.link is not None and tag.name == b"a":
                    self._end_link()
            elif op == 17:  # Op.HIDDEN
                following = self._hidden_end(tag.name, piece, start)
                if following > position:
                    behind = self.data.find(b"<", following)
                    behind = behind if behind >= 0 else len(self.data)
                    if behind > following:
                        self._text(self.data[following:behind], following)
                    return behind
                text = self.data[following:position] if following >= 0 else b""
            elif op == 3:  # Op.BLOCK_OPEN
                if tag.break_before:
                    self._structure(op, tag, start, position - len(text))
                else:
                    self._open_block(tag, start)
            elif op == 4:  # Op.BLOCK_CLOSE
                self._close_block(tag, start, position - len(text))
            elif op:
                self._structure(op, tag, start, position - len(text))
            if text and not self.style.hidden:
                if self.cell is not None:
                    self.cell.append(text)
                elif self.runs:
                    self.runs.append((text, self.style))
                else:
                    self._text(text, position - len(text))
        return position

    def _hidden_end(self, name: bytes, piece: bytes, start: int) -> int:
        """Where a comment, script, style, head or header that starts at ``start`` ends; -1 when it never does."""
        if name in self.missing:
            return -1
        inside = start + (4 if name == b"!--" else piece.find(b">") + 2)
        match = _HIDDEN_ENDS[name].search(self.data, inside)
        if match is None:
            self.missing.add(name)
            return -1
        return match.start() if match[0][:5].lower() == b"<body" else match.end()


def _nest_end(data: bytes, position: int) -> int:
    """Offset behind the tables that nest at ``position``: where as many have ended as have begun."""
    depth = 0
    for match in _TABLE.finditer(data, position):
        depth += -1 if match[1] else 1
        if depth == 0:
            end = data.find(b"<", match.end())
            return end if end >= 0 else len(data)
    return len(data)


def scan(source: Source) -> Scan:
    """Read the paragraphs, tables and images of an HTML document.

    Raises:
        DocumentCorrupt: elements nested deeper than the limits allow.
        CellCountExceeded: a table with more cells than the limits allow.
        DocumentTimeout: over the time that the limits allow.
    """
    return Scanner(source).run()
