"""Tables as text: HTML, Markdown, CSV, JSON, and the sentences that search engines can use.

What does not belong here: understanding a table (``tables``).
"""

from __future__ import annotations

import csv
import html
import io
import json
from collections.abc import Callable

from salescience_pipeline.documents.errors import InvalidOption
from salescience_pipeline.documents.model import Cell, Table


def _rows(table: Table) -> list[list[Cell]]:
    rows: list[list[Cell]] = [[] for _ in range(table.n_rows)]
    for cell in table.cells:
        rows[cell.row].append(cell)
    return rows


def to_html(table: Table) -> str:
    """An HTML table; spans are kept, places that show nothing are empty cells."""
    covered: dict[int, int] = {}
    parts = ["<table>"]
    for number, row in enumerate(_rows(table)):
        name = "th" if number < table.header_rows else "td"
        parts.append("<tr>")
        column = 0
        starting = {cell.col: cell for cell in row}
        while column < table.n_cols:
            cell = starting.get(column)
            if cell is None:
                if covered.get(column, 0) <= number:
                    parts.append(f"<{name}></{name}>")
                column += 1
                continue
            spans = f' colspan="{cell.colspan}"' if cell.colspan > 1 else ""
            spans += f' rowspan="{cell.rowspan}"' if cell.rowspan > 1 else ""
            parts.append(f"<{name}{spans}>{html.escape(cell.text, quote=False)}</{name}>")
            for spanned in range(column, column + cell.colspan):
                covered[spanned] = number + cell.rowspan
            column += max(1, cell.colspan)
        parts.append("</tr>")
    return "".join([*parts, "</table>"])


def to_markdown(table: Table) -> str:
    """A pipe table; the first row is the header, as Markdown knows no table without one."""
    grid = [[text.replace("|", "\\|").replace("\n", " ") for text in row] for row in table.grid()]
    if not grid:
        return ""
    lines = ["| " + " | ".join(row) + " |" for row in grid]
    lines.insert(1, "|" + " --- |" * table.n_cols)
    return "\n".join(lines)


def to_csv(table: Table) -> str:
    """Comma-separated values, one line per row."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(table.grid())
    return buffer.getvalue().rstrip("\n")


def to_json(table: Table) -> str:
    """The grid as a JSON list of rows."""
    return json.dumps(table.grid(), ensure_ascii=False)


def _dynamic(table: Table) -> str:
    """Markdown for a plain grid, HTML where cells span."""
    spanning = any(cell.colspan > 1 or cell.rowspan > 1 for cell in table.cells)
    return to_html(table) if spanning else to_markdown(table)


FORMATS: dict[str, Callable[[Table], str]] = {
    "html": to_html,
    "json": to_json,
    "md": to_markdown,
    "csv": to_csv,
    "dynamic": _dynamic,
}
"""Reducto's table output formats, without the one that needs printed positions (``jsonbbox``)."""


def table_text(table: Table, output_format: str) -> str:
    """The table in one of :data:`FORMATS`.

    Raises:
        InvalidOption: for any other format.
    """
    write = FORMATS.get(output_format)
    if write is None:
        raise InvalidOption(f"The table format {output_format[:40]!r} is not one of {', '.join(FORMATS)}.")
    return write(table)


def to_sentences(table: Table) -> str:
    """One line per row: its label and every value with the words above it, for embedding."""
    heads: dict[int, list[str]] = {}
    lines = [table.caption] if table.caption else []
    for number, row in enumerate(_rows(table)):
        if number < table.header_rows:
            for cell in row:
                for column in range(cell.col, cell.col + max(1, cell.colspan)):
                    heads.setdefault(column, []).append(cell.text)
            continue
        if not row:
            continue
        label, values = (row[0].text, row[1:]) if row[0].col == 0 else ("", row)
        told = [f"{' '.join(heads.get(cell.col, ()))} {cell.text}".strip() for cell in values]
        lines.append(f"{label}: {'; '.join(told)}" if told and label else label or "; ".join(told))
    return "\n".join(lines)


def to_record(table: Table) -> dict[str, object]:
    """The table with all its cells as JSON; places are bytes of the file."""
    return {
        "index": table.index,
        "caption": table.caption,
        "rows": table.n_rows,
        "columns": table.n_cols,
        "header_rows": table.header_rows,
        "scale": table.scale,
        "currency": table.currency,
        "start": table.start,
        "end": table.end,
        "cells": [
            {
                "row": cell.row,
                "col": cell.col,
                "rowspan": cell.rowspan,
                "colspan": cell.colspan,
                "text": cell.text,
                "value": str(cell.value) if cell.value is not None else None,
                "header": cell.header,
                "start": cell.start,
                "end": cell.end,
            }
            for cell in table.cells
        ],
    }
