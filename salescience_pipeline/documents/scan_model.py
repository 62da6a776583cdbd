"""What one pass over a document yields before anybody says what it is: paragraphs, images, tables as they are laid out.

What does not belong here: the reading of it (``scan``, ``text_layout``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from salescience_pipeline.documents.model import Cell
from salescience_pipeline.documents.tags import PLAIN, Style
from salescience_pipeline.documents.xmltext import unescaped

LINE_BREAK = "\x00"
"""Stands for a line break in joined runs: no document holds it, and it is not white space."""


@dataclass(slots=True, eq=False)
class RawTable:
    """A table as it stands in the source.

    Attributes:
        start: first byte of its element.
        page: ordinal of the page it stands on.
        style: that of the text around it.
        rows: the cells that show something, row by row; rows that show nothing are left out. ``col`` and ``colspan`` of
            a cell are physical columns here.
        end: byte behind its element.
        n_cells: cells of any kind.
        has_inner: whether other tables stand in its cells.
        links: (offset, target, text) of the links inside it that lead to a place in the document.
    """

    start: int
    page: int
    style: Style = PLAIN
    rows: list[list[Cell]] = field(default_factory=list)
    end: int = 0
    n_cells: int = 0
    has_inner: bool = False
    links: list[tuple[int, str, str]] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Paragraph:
    """Text between two block boundaries.

    Attributes:
        text: what a reader sees, lines separated by newlines.
        start: first byte of the innermost element that holds it.
        end: byte behind it.
        page: ordinal of the page.
        style: that of its first run; bold, italic and underlined only when all of it is.
        heading: 1 to 6 inside an HTML heading, else 0.
        in_list: whether it stands in a list element.
        links: (offset, target, text) of the links inside it that lead to a place in the document.
    """

    text: str
    start: int
    end: int
    page: int
    style: Style
    heading: int = 0
    in_list: bool = False
    links: tuple[tuple[int, str, str], ...] = ()


@dataclass(slots=True, eq=False)
class Image:
    """A picture, with its alternative text."""

    start: int
    end: int
    page: int
    text: str


def _plain_style(_table: RawTable, _cell: Cell) -> Style:
    return PLAIN


@dataclass(slots=True, eq=False)
class Scan:
    """What the pass found.

    Attributes:
        items: in reading order.
        page_starts: byte at which each page begins; the first is 0.
        warnings: what was odd, one sentence each.
        style_of: how the first text of a cell looks; worked out when asked, for few cells matter.
    """

    items: list[Paragraph | RawTable | Image] = field(default_factory=list)
    page_starts: list[int] = field(default_factory=lambda: [0])
    warnings: list[str] = field(default_factory=list)
    style_of: Callable[[RawTable, Cell], Style] = _plain_style


def plain(raw: bytes, encoding: str) -> str:
    """The text of joined runs as a browser shows it; line breaks become newlines, empty lines at the ends go."""
    if b"&" in raw:
        # Half of all references in a filing are this one; resolving references one by one is slow.
        raw = raw.replace(b"&#160;", b" ")
    text = raw.decode(encoding, "replace")
    if "&" in text:
        text = unescaped(text)
    if LINE_BREAK not in text:
        return " ".join(text.split())
    lines = [" ".join(line.split()) for line in text.split(LINE_BREAK)]
    return "\n".join(lines).strip("\n")
