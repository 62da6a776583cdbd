"""From a raw table to a grid: which cells belong together, which columns there really are, which rows are headers.

Filings lay numbers out over several narrow columns ("$", "1,234", ")"), pad them with empty ones and span headings over
them. The grid has only rows and columns that show something, and one cell per shown value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from salescience_pipeline.documents.model import Cell, Table
from salescience_pipeline.documents.numbers import is_dash, is_year, shown_number
from salescience_pipeline.documents.scan_model import RawTable
from salescience_pipeline.documents.tags import Style

_PREFIXES = frozenset(
    {"$", "($", "$(", "(", "\u20ac", "\u00a3", "\u00a5", "US$", "C$", "A$", "HK$", "NT$", "R$", "RMB", "-", "- $"}
)
_SUFFIXES = frozenset({")", "%", ")%", "%)", "x", "]", "bps", "bp", "pts", "pt", ") %", "% )", "*", "**", "\u2020"})
_MARKS = _PREFIXES | _SUFFIXES
_MONEY = "$\u20ac\u00a3\u00a5"
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
_SIGNS = (
    ("HK$", "HKD"),
    ("NT$", "TWD"),
    ("US$", "USD"),
    ("C$", "CAD"),
    ("A$", "AUD"),
    ("R$", "BRL"),
    ("$", "USD"),
    ("\u20ac", "EUR"),
    ("\u00a3", "GBP"),
    ("\u00a5", "JPY"),
)
_WORDS = {
    "u.s. dollar": "USD",
    "us dollar": "USD",
    "canadian dollar": "CAD",
    "renminbi": "CNY",
    "euro": "EUR",
    "pounds sterling": "GBP",
    "yen": "JPY",
    "swiss franc": "CHF",
    **{code.lower(): code for code in ("USD", "CAD", "HKD", "AUD", "CNY", "EUR", "GBP", "JPY", "CHF")},
    "rmb": "CNY",
}
_NAMED_BY = (
    "dollar",
    "eur",
    "yen",
    "sterling",
    "franc",
    "renminbi",
    "rmb",
    "usd",
    "cad",
    "hkd",
    "aud",
    "cny",
    "gbp",
    "jpy",
    "chf",
)
"""One of these stands in every text that names a currency by a word; looking for them first is several times faster."""
_WORD = re.compile(rf"\b({'|'.join(map(re.escape, _WORDS))})s?\b", re.IGNORECASE)


def read_scale(text: str) -> int | None:
    """What ``text`` says numbers are to be multiplied by: 1000000 for "(in millions, except per share)"."""
    folded = text.lower()
    if "illion" not in folded and "housand" not in folded and "000" not in folded:
        return None
    match = _SCALE.search(folded)
    if match is None:
        return None
    word = next(group for group in match.groups() if group is not None)
    return _SCALES.get(word.rstrip("s") if word != "000" else word)


def read_currency(text: str) -> str | None:
    """ISO code of the currency that ``text`` names, by word or else by sign."""
    folded = text.lower()
    match = _WORD.search(text) if any(word in folded for word in _NAMED_BY) else None
    return _WORDS[match[1].lower()] if match is not None else currency_sign(text)


def currency_sign(text: str) -> str | None:
    """ISO code of the first currency sign in ``text``; a bare "$" is the US dollar."""
    for sign, code in _SIGNS:
        if sign in text:
            return code
    return None


def read_table(raw: RawTable, rows: list[list[Cell]], style_of: Callable[[Cell], Style]) -> Table:
    """The grid of a table.

    Args:
        raw: the table as it stands in the source.
        rows: its rows as :func:`joined_rows` gives them; ``row``, ``col`` and ``colspan`` of the cells become logical.
        style_of: how a cell looks.
    """
    columns = _columns(rows)
    header_rows = _header_rows(rows, style_of)
    memo: dict[tuple[int, int], tuple[int, int]] = {}
    cells: list[Cell] = []
    n_cols = 0
    n_rows = len(rows)
    for number, row in enumerate(rows):
        taken = -1
        for cell in row:
            left = cell.col
            key = (left, left + cell.colspan)
            hit = memo.get(key)
            if hit is None:
                hit = memo[key] = _touched(columns, *key)
            first, last = hit
            if first <= taken:
                first = taken + 1
            taken = max(first, last)
            cell.row = number
            cell.col = first
            cell.colspan = taken - first + 1
            if cell.rowspan > 1:
                cell.rowspan = min(cell.rowspan, n_rows - number)
            cell.header = number < header_rows
        n_cols = max(n_cols, taken + 1)
        cells += row
    return Table(cells, n_rows, n_cols, header_rows, raw.start, raw.end)


def _touched(columns: list[tuple[int, int]], left: int, right: int) -> tuple[int, int]:
    """The first and the last column that an interval touches."""
    hits = [index for index, column in enumerate(columns) if column[0] < right and left < column[1]]
    return (hits[0], hits[-1]) if hits else (len(columns), len(columns))


def joined_rows(raw: RawTable) -> list[list[Cell]]:
    """The rows of a table, "$" and ")" joined to their numbers."""
    return [_joined(row) if len(row) > 1 else row for row in raw.rows]


def _joined(row: list[Cell]) -> list[Cell]:
    """The row with currency signs and opening brackets joined to what follows, closing ones to what precedes."""
    for cell in row:
        if cell.text in _MARKS:
            break
    else:
        return row
    result: list[Cell] = []
    pending: Cell | None = None
    for cell in row:
        text = cell.text
        if pending is not None:
            if text not in _SUFFIXES and _is_value(text):
                mark = pending.text
                cell.text = f"{mark} {text}" if mark[-1:] in _MONEY or mark[-1:].isalpha() else mark + text
                cell.colspan += cell.col - pending.col
                cell.col, cell.start = pending.col, pending.start
            else:
                result.append(pending)
            pending = None
        elif text in _SUFFIXES and result and _is_value(result[-1].text):
            before = result[-1]
            before.text += text
            before.colspan = cell.col + cell.colspan - before.col
            before.end = cell.end
            continue
        if text in _PREFIXES:
            pending = cell
        else:
            result.append(cell)
    if pending is not None:
        result.append(pending)
    return result


def _is_value(text: str) -> bool:
    """Whether a text is a number or stands for one; an opening bracket may still lack its closing one."""
    if text[-1:].isdigit() or (text[:1] in "($" and text[1:2].isdigit()):
        return True
    return is_dash(text) or shown_number(text) is not None


def _columns(rows: list[list[Cell]]) -> list[tuple[int, int]]:
    """The disjoint column intervals of a table, left to right.

    Narrow cells say where columns are; a cell that covers several of the columns found so far spans them. Intervals are
    taken from the narrowest to the widest, so that headings that span columns come last.
    """
    widths: dict[tuple[int, int], int] = {}
    for row in rows:
        for cell in row:
            key = (cell.col, cell.col + cell.colspan)
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
                other != index and column[0] < merged[1] and merged[0] < column[1]
                for other, column in enumerate(columns)
            )
            if not clashes:
                columns[index] = merged
    return sorted(columns)


def _header_rows(rows: Sequence[Sequence[Cell]], style_of: Callable[[Cell], Style]) -> int:
    """How many rows at the top name columns: those before the first row that shows a value."""
    for number, row in enumerate(rows[:13]):
        if _shows_value(row):
            headers = number
            while headers and _is_subheading(rows[headers - 1], rows[headers]):
                headers -= 1
            return headers
    first = rows[0] if rows else []
    marked = len(first) > 1 and all(style_of(cell).bold for cell in first)
    return 1 if marked and len(rows) > 1 else 0


def _counts(text: str, index: int, cells: int) -> bool:
    """Whether a cell shows a value and not a label, a year or a date."""
    if is_dash(text):
        return index > 0 or cells == 1
    if is_year(text) or shown_number(text) is None:
        return False
    return index > 0 or cells == 1 or len(text) > 2


def _shows_value(row: Sequence[Cell]) -> bool:
    """Whether a row shows a number that is not part of a date or a year."""
    values = 0
    for index, cell in enumerate(row):
        text = cell.text
        if not text[-1:].isalpha() and _counts(text, index, len(row)):
            values += 1
    return values > 0


def _is_subheading(row: Sequence[Cell], following: Sequence[Cell]) -> bool:
    """Whether a row without values belongs to the body: one label in the first column, as "Current assets:"."""
    if len(row) != 1 or not following:
        return False
    cell = row[0]
    if cell.text.endswith(":"):
        return True
    if cell.col > following[0].col or cell.col + cell.colspan > following[min(1, len(following) - 1)].col + 1:
        return False
    return not _PERIOD_WORDS.search(cell.text) and read_scale(cell.text) is None
