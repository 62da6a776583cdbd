"""From a raw table to a grid: which cells belong together, which columns there really are, which rows are headers.

Filings lay numbers out over several narrow columns ("$", "1,234", ")"), pad them with empty ones and span headings over
them. The grid has only rows and columns that show something, and one cell per shown value.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from salescience_pipeline.documents.model import Cell, Table
from salescience_pipeline.documents.numbers import is_dash, is_year, shown_number
from salescience_pipeline.documents.scan import RawCell, RawTable, plain

_PREFIXES = frozenset({"$", "($", "$(", "(", "\u20ac", "\u00a3", "\u00a5", "US$", "C$", "A$", "HK$", "NT$", "R$", "RMB", "-", "- $"})
_SUFFIXES = frozenset({")", "%", ")%", "%)", "x", "]", "bps", "bp", "pts", "pt", ") %", "% )", "*", "**", "\u2020"})
_PERIOD_WORDS = re.compile(
    r"\b(?:january|february|march|april|may|june|july|august|september|october|november|december|"
    r"(?:jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\.?|months|weeks|quarters?|years?|fiscal|ended|ending|q[1-4])\b",
    re.IGNORECASE,
)
_SCALE = re.compile(
    r"\b(?:in|of|\(|expressed in|amounts? in|dollars? in|\$ in|\$)\s*(?:u\.?s\.?\s*)?(?:dollars?\s*,?\s*)?(?:in\s+)?"
    r"(thousands|millions|billions|trillions)\b|\((thousands|millions|billions)\)|\$(000|million|billion)s?\b|"
    r"\b(thousands|millions|billions) of (?:u\.?s\.? )?(?:dollars|euros?|yen|shares)",
    re.IGNORECASE,
)
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12, "000": 10**3}
_CURRENCIES = (
    (re.compile(r"US\$|U\.S\. dollars?|\bUSD\b", re.IGNORECASE), "USD"),
    (re.compile(r"C\$|\bCAD\b|Canadian dollars?", re.IGNORECASE), "CAD"),
    (re.compile(r"HK\$|\bHKD\b"), "HKD"),
    (re.compile(r"A\$|\bAUD\b"), "AUD"),
    (re.compile(r"\bRMB\b|\bCNY\b|renminbi", re.IGNORECASE), "CNY"),
    (re.compile(r"\u20ac|\bEUR\b|\beuros?\b", re.IGNORECASE), "EUR"),
    (re.compile(r"\u00a3|\bGBP\b|pounds sterling", re.IGNORECASE), "GBP"),
    (re.compile(r"\u00a5|\bJPY\b|\byen\b", re.IGNORECASE), "JPY"),
    (re.compile(r"\bCHF\b|Swiss francs?", re.IGNORECASE), "CHF"),
    (re.compile(r"\$"), "USD"),
)


def read_scale(text: str) -> int | None:
    """What ``text`` says numbers are to be multiplied by: 1000000 for "(in millions, except per share)"."""
    match = _SCALE.search(text)
    if match is None:
        return None
    word = next(group for group in match.groups() if group is not None).lower()
    return _SCALES.get(word.rstrip("s") if word != "000" else word)


def read_currency(text: str) -> str | None:
    """ISO code of the first currency that ``text`` names by sign or word."""
    for pattern, code in _CURRENCIES:
        if pattern.search(text):
            return code
    return None


class _Placed:
    """A cell that shows something, with the physical columns ``left`` to ``right`` that it covers."""

    __slots__ = ("end", "left", "raw", "right", "rowspan", "start", "text")

    def __init__(self, raw: RawCell, left: int, text: str) -> None:
        self.raw = raw
        self.left = left
        self.right = left + raw.colspan
        self.rowspan = raw.rowspan
        self.text = text
        self.start = raw.start
        self.end = raw.end


class TableReader:
    """Turns the raw tables of one document into grids; remembers the texts that cells repeat."""

    def __init__(self, encoding: str) -> None:
        """``encoding`` is the codec of the document."""
        self._encoding = encoding
        self._texts: dict[bytes, str] = {}

    def text(self, cell: RawCell) -> str:
        """What a cell shows, on one line."""
        runs = cell.runs
        if not runs:
            return ""
        raw = runs[0] if len(runs) == 1 else b"".join(runs)
        known = self._texts.get(raw)
        if known is None:
            known = plain(raw, self._encoding).replace("\n", " ")
            if len(raw) < 40 and len(self._texts) < 50_000:
                self._texts[raw] = known
        return known

    def place(self, raw: RawTable) -> list[list[_Placed]]:
        """The rows that show something, every cell with its physical columns, "$" and ")" joined to their numbers."""
        rows: list[list[_Placed]] = []
        covered: dict[int, int] = {}
        for raw_row in raw.rows:
            row: list[_Placed] = []
            column = 0
            for cell in raw_row:
                while covered and covered.get(column, 0) > 0:
                    column += 1
                if cell.runs and (text := self.text(cell)):
                    row.append(_Placed(cell, column, text))
                if cell.rowspan > 1:
                    for covering in range(column, column + cell.colspan):
                        covered[covering] = cell.rowspan
                column += cell.colspan
            if covered:
                covered = {column: left - 1 for column, left in covered.items() if left > 1}
            if row:
                rows.append(_joined(row))
        return rows

    def read(self, raw: RawTable, rows: list[list[_Placed]]) -> Table:
        """The grid of a table whose placed rows are ``rows``."""
        columns = _columns(rows)
        lookup = _column_lookup(columns)
        cells: list[Cell] = []
        for number, row in enumerate(rows):
            taken = -1
            for placed in row:
                first, last = lookup(placed.left, placed.right)
                first = max(first, taken + 1)
                last = max(first, last)
                if first >= len(columns):
                    columns.append((placed.left, placed.right))
                rowspan = min(placed.rowspan, len(rows) - number)
                cells.append(
                    Cell(number, first, rowspan, last - first + 1, placed.text, False, placed.start, placed.end)
                )
                taken = last
        header_rows = _header_rows(rows)
        for made in cells:
            if made.row >= header_rows:
                break
            made.header = True
        n_cols = max((cell.col + cell.colspan for cell in cells), default=0)
        return Table(cells, len(rows), n_cols, header_rows, raw.start, raw.end)


def _joined(row: list[_Placed]) -> list[_Placed]:
    """The row with currency signs and opening brackets joined to what follows, closing ones to what precedes."""
    if len(row) == 1:
        return row
    result: list[_Placed] = []
    pending: _Placed | None = None
    for placed in row:
        text = placed.text
        if text in _SUFFIXES and result and pending is None and _is_value(result[-1].text):
            before = result[-1]
            before.text += text
            before.right, before.end = placed.right, placed.end
            continue
        if pending is not None:
            if text in _SUFFIXES or not _is_value(text):
                result.append(pending)
            else:
                placed.text = pending.text + (" " if pending.text[-1:].isalpha() or pending.text[-1:] in "$\u20ac\u00a3\u00a5" else "") + text
                placed.left, placed.start = pending.left, pending.start
            pending = None
        if placed.text in _PREFIXES:
            pending = placed
        else:
            result.append(placed)
    if pending is not None:
        result.append(pending)
    return result


def _is_value(text: str) -> bool:
    """Whether a text is a number or stands for one; an opening bracket may still lack its closing one."""
    return text[-1:].isdigit() or is_dash(text) or shown_number(text) is not None or text[:1] in "($" and text[1:2].isdigit()


def _columns(rows: list[list[_Placed]]) -> list[tuple[int, int]]:
    """The disjoint column intervals of a table, left to right.

    Narrow cells say where columns are; a cell that covers several of the columns found so far spans them. Intervals are
    taken from the narrowest to the widest, so that headings that span columns come last.
    """
    widths: dict[tuple[int, int], int] = {}
    for row in rows:
        for placed in row:
            key = (placed.left, placed.right)
            widths[key] = widths.get(key, 0) + 1
    columns: list[tuple[int, int]] = []
    for left, right in sorted(widths, key=lambda key: (key[1] - key[0], -widths[key])):
        hits = [index for index, column in enumerate(columns) if column[0] < right and left < column[1]]
        if not hits:
            columns.append((left, right))
        elif len(hits) == 1:
            index = hits[0]
            merged = (min(left, columns[index][0]), max(right, columns[index][1]))
            clashes = any(
                other != index and column[0] < merged[1] and merged[0] < column[1] for other, column in enumerate(columns)
            )
            if not clashes:
                columns[index] = merged
    return sorted(columns)


def _column_lookup(columns: list[tuple[int, int]]):  # type: ignore[no-untyped-def]
    """A function from a physical interval to the first and last column that it touches."""
    memo: dict[tuple[int, int], tuple[int, int]] = {}

    def lookup(left: int, right: int) -> tuple[int, int]:
        known = memo.get((left, right))
        if known is None:
            hits = [index for index, column in enumerate(columns) if column[0] < right and left < column[1]]
            known = memo[left, right] = (hits[0], hits[-1]) if hits else (len(columns), len(columns))
        return known

    return lookup


def _header_rows(rows: Sequence[Sequence[_Placed]]) -> int:
    """How many rows at the top name columns: those before the first row that shows a value."""
    for number, row in enumerate(rows):
        if number > 12:
            break
        if _shows_value(row):
            while number and _is_subheading(rows[number - 1], rows[number]):
                number -= 1
            return number
    first = rows[0] if rows else []
    marked = len(first) > 1 and all(placed.raw.th or placed.raw.style.bold for placed in first)
    return 1 if marked and len(rows) > 1 else 0


def _shows_value(row: Sequence[_Placed]) -> bool:
    """Whether a row shows a number that is not part of a date or a year."""
    values = 0
    for index, placed in enumerate(row):
        text = placed.text
        if index == 0 and len(row) > 1 and not _is_value(text):
            continue
        if is_year(text) or _PERIOD_WORDS.search(text):
            continue
        if is_dash(text) or (shown_number(text) is not None and (index > 0 or len(row) == 1 or len(text) > 2)):
            values += 1
    return values > 0


def _is_subheading(row: Sequence[_Placed], following: Sequence[_Placed]) -> bool:
    """Whether a row without values belongs to the body: one label in the first column, as "Current assets:"."""
    if len(row) != 1 or not following:
        return False
    placed = row[0]
    if placed.text.endswith(":"):
        return True
    if placed.left > following[0].left or placed.right > following[min(1, len(following) - 1)].left + 1:
        return False
    return not _PERIOD_WORDS.search(placed.text) and read_scale(placed.text) is None
