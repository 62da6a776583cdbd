"""Values out of cells and blocks, with their places: what the lists of :mod:`extract_rows` are made of.

What does not belong here: which of them a question wants.
"""

from __future__ import annotations

from typing import TypeAlias

from salescience_pipeline.documents.extract_figures import Figures
from salescience_pipeline.documents.extract_model import Leaf, Scalar
from salescience_pipeline.documents.model import Block, Cell

Row: TypeAlias = dict[str, Leaf]
"""A row of a list: name of a column -> value."""


def of_cell(
    figures: Figures, cell: Cell, method: str = "table", confidence: float = 0.85, value: Scalar = None
) -> Leaf:
    """The text of a cell, or a value read from it."""
    return Leaf(
        cell.text if value is None else value,
        confidence,
        method,
        (figures.places.cite(cell.start, cell.end, cell.text, "cell"),),
    )


def of_block(figures: Figures, block: Block, value: Scalar, confidence: float, method: str = "pattern") -> Leaf:
    """A value read from a block."""
    return Leaf(value, confidence, method, (figures.places.cite(block.start, block.end, block.text, "block"),))


def rows_of(block: Block) -> list[list[Cell]]:
    """The cells of a table block, row by row."""
    rows: dict[int, list[Cell]] = {}
    assert block.table is not None
    for cell in block.table.cells:
        rows.setdefault(cell.row, []).append(cell)
    return list(rows.values())
