"""A small reading of HTML and plain text as Reducto's chunks and blocks, so that the emulator answers about real documents.

Made for answers of the right shape and sensible content, with the standard library alone. What does not belong here: jobs,
HTTP, and any claim to be as good as the engine that the emulator is tested with.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

_SPACE = re.compile(r"\s+")
_PAGE_BREAK = re.compile(r"(?i)page-break-(?:before|after)\s*:\s*always|break-(?:before|after)\s*:\s*page")
_BLOCK_TAGS = frozenset(
    {
        "p",
        "div",
        "li",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "center",
        "blockquote",
        "pre",
        "section",
        "article",
        "dt",
        "dd",
    }
)
_HIDDEN = frozenset({"script", "style", "head", "title", "ix:header"})
_CHUNK = (250, 1500)
_HTML = re.compile(rb"(?i)<\s*(?:html|body|div|p|table|font|h[1-6])\b")


@dataclass(slots=True)
class Piece:
    """One block: type, text, place in the characters of the source, page from 1, and rows when it is a table."""

    kind: str
    text: str
    start: int
    end: int
    page: int
    rows: list[list[str]] = field(default_factory=list)


class _Reader(HTMLParser):
    """Turns markup into pieces; tables inside tables belong to the outer one."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[Piece] = []
        self.page = 1
        self._lines: list[int] = [0]
        self._words: list[str] = []
        self._began = 0
        self._tag = ""
        self._bold = self._plain = 0
        self._bold_depth = 0
        self._hidden: list[str] = []
        self._tables = 0
        self._rows: list[list[str]] = []
        self._cell: list[str] | None = None
        self._table_began = 0

    def read(self, markup: str) -> list[Piece]:
        """The pieces of a whole document."""
        at = 0
        for line in markup.split("\n"):
            at += len(line) + 1
            self._lines.append(at)
        self.feed(markup)
        self.close()
        self._flush(len(markup))
        return self.pieces

    def _here(self) -> int:
        line, column = self.getpos()
        return self._lines[line - 1] + column

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if self._hides(tag, given):
            return
        if tag in {"b", "strong"}:
            self._bold_depth += 1
        if tag == "table":
            if self._tables == 0:
                self._flush(self._here())
                self._rows, self._table_began = [], self._here()
            self._tables += 1
        elif self._tables:
            self._in_table(tag)
        else:
            self._in_text(tag, given)

    def _hides(self, tag: str, given: dict[str, str]) -> bool:
        """Whether a tag stands in a hidden part, or opens one."""
        if self._hidden:
            if tag == self._hidden[-1]:
                self._hidden.append(tag)
            return True
        if tag in _HIDDEN or "display:none" in given.get("style", "").replace(" ", ""):
            if tag not in {"br", "img", "hr", "input", "meta", "link"}:
                self._hidden.append(tag)
            return True
        return False

    def _in_text(self, tag: str, given: dict[str, str]) -> None:
        if tag == "br":
            self._words.append(" ")
        elif tag == "img":
            self._flush(self._here())
            self.pieces.append(Piece("Figure", given.get("alt", ""), self._here(), self._here() + 5, self.page))
        elif tag in _BLOCK_TAGS or tag == "hr":
            self._flush(self._here())
            self._tag = tag
            if tag == "hr" or _PAGE_BREAK.search(given.get("style", "")):
                self.page += 1

    def _in_table(self, tag: str) -> None:
        if tag == "tr" and self._tables == 1:
            self._rows.append([])
        elif tag in {"td", "th"} and self._tables == 1:
            if not self._rows:
                self._rows.append([])
            self._cell = []
        elif self._cell is not None:
            self._cell.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if self._hidden:
            if tag == self._hidden[-1]:
                self._hidden.pop()
            return
        if tag in {"b", "strong"}:
            self._bold_depth = max(0, self._bold_depth - 1)
        if tag in {"td", "th"} and self._tables == 1 and self._cell is not None:
            self._rows[-1].append(_folded("".join(self._cell)))
            self._cell = None
        elif tag == "table" and self._tables:
            self._tables -= 1
            if self._tables == 0:
                self._end_table()
        elif tag in _BLOCK_TAGS and not self._tables:
            self._flush(self._here())
            self._tag = ""

    def handle_data(self, data: str) -> None:
        if self._hidden:
            return
        if self._tables:
            if self._cell is not None:
                self._cell.append(data)
            return
        if data.strip():
            if not any(word.strip() for word in self._words):
                self._began = self._here()
            if self._bold_depth:
                self._bold += len(data)
            else:
                self._plain += len(data)
        self._words.append(data)

    def _end_table(self) -> None:
        rows = [[cell for cell in row if cell] for row in self._rows]
        rows = [row for row in rows if row]
        if rows:
            if len(rows) == 1 and len(rows[0]) == 1:
                self.pieces.append(Piece("Text", rows[0][0], self._table_began, self._here(), self.page))
            else:
                text = "\n".join(" | ".join(row) for row in rows)
                self.pieces.append(Piece("Table", text, self._table_began, self._here(), self.page, rows))
        self._rows = []

    def _flush(self, end: int) -> None:
        text = _folded("".join(self._words))
        bold = self._bold > 0 and self._plain == 0
        self._words, self._bold, self._plain = [], 0, 0
        if text:
            first = not any(piece.kind == "Title" for piece in self.pieces)
            self.pieces.append(Piece(_kind(text, self._tag, first, bold=bold), text, self._began, end, self.page))


def _folded(text: str) -> str:
    return _SPACE.sub(" ", text).strip()


def _kind(text: str, tag: str, first: bool, *, bold: bool) -> str:
    """The type of a piece that is no table and no figure: the first rule that fits."""
    rules = (
        (re.fullmatch(r"(?:page )?[ivx\d-]{1,5}", text, re.IGNORECASE) is not None, "Page Number"),
        (tag == "h1" or (first and bold and len(text) < 120 and text.isupper()), "Title"),
        (tag in {"h2", "h3", "h4", "h5", "h6"} or (bold and len(text) < 160), "Section Header"),
        (tag == "li" or text[:2] in {"\u2022 ", "\u00b7 ", "- "}, "List Item"),
        (text.startswith("/s/"), "Signature"),
        (re.fullmatch(r"[A-Z][\w ]{1,40}: \S.{0,80}", text) is not None, "Key Value"),
    )
    return next((kind for fits, kind in rules if fits), "Text")


def read_pieces(data: bytes) -> list[Piece]:
    """The pieces of a document in reading order; of plain text its paragraphs, of which a form feed ends a page."""
    text = data.decode("utf-8", "replace")
    if _HTML.search(data):
        return _Reader().read(text)
    pieces: list[Piece] = []
    page = 1
    for match in re.finditer(r"\f|(?:(?!\n[ \t]*\n|\f).)+", text, re.DOTALL):
        if match[0] == "\f":
            page += 1
        elif words := _folded(match[0]):
            pieces.append(Piece(_kind(words, "", not pieces, bold=False), words, match.start(), match.end(), page))
    return pieces


def content_of(piece: Piece, table_format: str) -> str:
    """A piece as its block's content: headings as Markdown, tables in the format that was asked for."""
    if piece.kind == "Title":
        return f"# {piece.text}"
    if piece.kind == "Section Header":
        return f"## {piece.text}"
    if piece.kind != "Table":
        return piece.text
    if table_format == "html":
        rows = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in piece.rows
        )
        return f"<table>{rows}</table>"
    if table_format == "csv":
        return "\n".join(",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in piece.rows)
    width = max(map(len, piece.rows))
    lines = ["| " + " | ".join([*row, *[""] * (width - len(row))]) + " |" for row in piece.rows]
    return "\n".join([lines[0], "|" + " --- |" * width, *lines[1:]])


def box(piece: Piece, pages: dict[int, tuple[int, int]]) -> dict[str, Any]:
    """The share of its page's characters that a piece takes."""
    first, last = pages[piece.page]
    size = max(last - first, 1)
    top = min(max((piece.start - first) / size, 0.0), 1.0)
    height = min(max((piece.end - piece.start) / size, 0.0), 1.0 - top)
    return {
        "left": 0.0, "top": round(top, 6), "width": 1.0, "height": round(height, 6), "page": piece.page,
        "original_page": piece.page,
    }  # fmt: skip


def page_spans(pieces: Iterable[Piece]) -> dict[int, tuple[int, int]]:
    """First and last character of each page that shows something."""
    spans: dict[int, tuple[int, int]] = {}
    for piece in pieces:
        first, last = spans.get(piece.page, (piece.start, piece.end))
        spans[piece.page] = (min(first, piece.start), max(last, piece.end))
    return spans


def chunked(pieces: list[Piece], mode: str, size: int | None) -> list[list[Piece]]:
    """Pieces cut by a chunk mode; every piece is in exactly one chunk."""
    if mode == "disabled" or not pieces:
        return [pieces] if pieces else []
    if mode == "block":
        return [[piece] for piece in pieces]
    chunks: list[list[Piece]] = []
    smallest, largest = (size // 2, size) if size else _CHUNK
    for piece in pieces:
        heading = piece.kind in {"Title", "Section Header"}
        length = sum(len(other.text) for other in chunks[-1]) if chunks else 0
        fresh = not chunks
        if mode in {"page", "page_sections"}:
            fresh = fresh or piece.page != chunks[-1][-1].page
        if mode in {"section", "page_sections"}:
            fresh = fresh or (heading and chunks[-1][-1].kind not in {"Title", "Section Header"})
        if mode == "variable":
            fresh = fresh or length + len(piece.text) > largest or (heading and length > smallest)
        if fresh:
            chunks.append([])
        chunks[-1].append(piece)
    return chunks
