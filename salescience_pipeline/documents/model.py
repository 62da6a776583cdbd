"""What the engine knows about a document: blocks, tables, cells and the document that holds them.

Every thing carries ``start`` and ``end``: byte offsets into the source, so that whatever is derived from it can be
cited. Sections and facts have models of their own (:mod:`fact_model`). What does not belong here: how they are found.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from salescience_pipeline.documents.numbers import shown_number


class BlockType(StrEnum):
    """The twelve block types of Reducto's parse result."""

    HEADER = "Header"
    FOOTER = "Footer"
    TITLE = "Title"
    SECTION_HEADER = "Section Header"
    PAGE_NUMBER = "Page Number"
    LIST_ITEM = "List Item"
    FIGURE = "Figure"
    TABLE = "Table"
    KEY_VALUE = "Key Value"
    TEXT = "Text"
    COMMENT = "Comment"
    SIGNATURE = "Signature"


@dataclass(slots=True, eq=False)
class Cell:
    """A cell of a table that shows something; what belongs together ("$" and "1,234" and ")") is one cell.

    Attributes:
        row: row among the rows that show something, from 0.
        col: column among the columns that show something, from 0.
        rowspan: rows that it covers.
        colspan: columns that it covers.
        text: what a reader sees, white space folded.
        header: whether it stands in a header row.
        start: first byte of the cell's element.
        end: byte behind its content.
    """

    row: int
    col: int
    rowspan: int
    colspan: int
    text: str
    header: bool
    start: int
    end: int

    @property
    def value(self) -> Decimal | None:
        """The number that the cell shows: parentheses negate, currency and percent signs are ignored, None for text."""
        return shown_number(self.text)


@dataclass(slots=True, eq=False)
class Table:
    """A table as a grid of cells.

    Attributes:
        cells: in reading order; empty ones are left out.
        n_rows: rows that show something.
        n_cols: columns that show something.
        header_rows: rows at the top that name columns.
        caption: the heading or sentence above it, as far as it names the table.
        scale: what the numbers are to be multiplied by (1000000 for "in millions"); None when nothing says so.
        currency: ISO code of the money in it; None when nothing says so.
        start: first byte of the table's element.
        end: byte behind it.
        index: position among the tables of the document.
    """

    cells: list[Cell]
    n_rows: int
    n_cols: int
    header_rows: int
    start: int
    end: int
    index: int = 0
    caption: str = ""
    scale: int | None = None
    currency: str | None = None

    def grid(self) -> list[list[str]]:
        """The texts as rows of equal length; a spanning cell stands in its first place only."""
        rows = [[""] * self.n_cols for _ in range(self.n_rows)]
        for cell in self.cells:
            rows[cell.row][cell.col] = cell.text
        return rows

    @property
    def text(self) -> str:
        """One line per row, cells separated by a bar."""
        rows: list[list[str]] = [[] for _ in range(self.n_rows)]
        for cell in self.cells:
            rows[cell.row].append(cell.text)
        return "\n".join(" | ".join(row) for row in rows)


@dataclass(frozen=True, slots=True)
class Link:
    """A link inside the document: what it shows and the anchor it leads to."""

    text: str
    target: str
    start: int


@dataclass(slots=True, eq=False)
class Block:
    """A piece of the document that a reader sees as one thing.

    Attributes:
        type: one of the twelve.
        text: what a reader sees; lines of a block that breaks them are separated by a newline.
        start: first byte of the innermost element that holds it.
        end: byte behind it.
        page: ordinal of the page, from 1.
        level: of a heading, 1 is the highest; 0 for everything else.
        high_confidence: whether the type was clear.
        bold: whether all of it is bold.
        italic: likewise.
        underlined: likewise.
        centered: whether it is centred.
        size: font size of its first characters in points; 0 when the document does not say.
        table: the table, for tables.
        links: links inside it that lead to a place in the document.
        index: position among the blocks of the document.
    """

    type: BlockType
    text: str
    start: int
    end: int
    page: int = 1
    level: int = 0
    high_confidence: bool = True
    bold: bool = False
    italic: bool = False
    underlined: bool = False
    centered: bool = False
    size: float = 0.0
    table: Table | None = None
    links: tuple[Link, ...] = ()
    index: int = 0


@dataclass(slots=True, eq=False)
class Layout:
    """What one pass over the bytes found.

    Attributes:
        blocks: in reading order.
        page_starts: byte at which each page begins; the first is 0.
        warnings: what was odd, one sentence each.
    """

    blocks: list[Block] = field(default_factory=list)
    page_starts: list[int] = field(default_factory=lambda: [0])
    warnings: list[str] = field(default_factory=list)

    @property
    def tables(self) -> list[Table]:
        """The tables in reading order."""
        return [block.table for block in self.blocks if block.table is not None]
