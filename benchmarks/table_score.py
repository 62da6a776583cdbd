"""How alike two tables are, by the scheme that Reducto published with RD-TableBench.

Cells are compared by edit distance (1 for equal, -1 for nothing in common), rows and columns are aligned so that the sum is
largest, with gaps at the ends free, and the sum is related to that of a perfect match. Written from the published
description.
"""

from __future__ import annotations

from functools import lru_cache

ROW_MATCH = 5.0
ROW_GAP = -3.0
COLUMN_GAP = -1.0


def normal(text: str) -> str:
    """What of a cell is compared: no white space, no hyphens, one spelling of quotes and dashes, lower case."""
    for old, new in (
        ("\u2019", "'"),
        ("\u2018", "'"),
        ("\u201c", '"'),
        ("\u201d", '"'),
        ("\u2014", ""),
        ("\u2013", ""),
    ):
        text = text.replace(old, new)
    return "".join(text.split()).replace("-", "").replace("$", "").lower()


@lru_cache(maxsize=200_000)
def cell_score(left: str, right: str) -> float:
    """1 for equal cells, down to -1."""
    if left == right:
        return 1.0
    longest = max(len(left), len(right))
    return 1.0 - 2.0 * _distance(left, right) / longest


def _distance(left: str, right: str) -> int:
    if len(left) < len(right):
        left, right = right, left
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, start=1):
        before, row[0] = row[0], i
        for j, b in enumerate(right, start=1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    return row[-1]


def _align(scores: list[list[float]], gap: float) -> float:
    """The best sum of an order-keeping pairing; gaps cost, except at the ends."""
    width = len(scores[0]) if scores else 0
    row = [0.0] * (width + 1)
    for i, line in enumerate(scores, start=1):
        last = i == len(scores)
        before = row[0]
        row[0] = 0.0
        for j in range(1, width + 1):
            skip_left = row[j] + (0.0 if j == width else gap)
            skip_right = row[j - 1] + (0.0 if last else gap)
            before, row[j] = row[j], max(before + line[j - 1], skip_left, skip_right)
    return row[-1]


def _row_score(left: list[str], right: list[str]) -> float:
    total = _align([[cell_score(a, b) for b in right] for a in left], COLUMN_GAP)
    return ROW_MATCH * total / max(len(left), len(right), 1)


def table_score(left: list[list[str]], right: list[list[str]]) -> float:
    """Likeness of two grids between 0 and 1."""
    a = [[normal(text) for text in row] for row in left]
    b = [[normal(text) for text in row] for row in right]
    if not a or not b:
        return float(a == b)
    best = ROW_MATCH * max(len(a), len(b))
    return max(0.0, _align([[_row_score(x, y) for y in b] for x in a], ROW_GAP) / best)
