"""A small line chart as a PNG data URI, for asset metadata where a picture says more than a table.

Dagster renders Markdown images from PNG data URIs. A plotting library would cost every run process a second of imports,
for a line of 480 by 120 pixels. What does not belong here: charts of the pages (``gateway.page_chart``).
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence

_WIDTH, _HEIGHT, _MARGIN = 480, 120, 6
_BACKGROUND, _LINE, _BASE = (250, 250, 252), (79, 67, 221), (220, 220, 228)


def line_chart_png(values: Sequence[float]) -> bytes:
    """A PNG of 480 x 120 pixels with ``values`` from left to right, scaled to their own range.

    Raises:
        ValueError: for fewer than two values.
    """
    if len(values) < 2:
        raise ValueError("A line needs at least two values.")
    pixels = [bytearray(bytes(_BACKGROUND) * _WIDTH) for _ in range(_HEIGHT)]
    low, high = min(values), max(values)
    spread = (high - low) or 1.0

    def height(value: float) -> int:
        return round((_HEIGHT - 1 - 2 * _MARGIN) * (1 - (value - low) / spread)) + _MARGIN

    def paint(x: int, y: int, colour: tuple[int, int, int]) -> None:
        if 0 <= y < _HEIGHT:
            pixels[y][3 * x : 3 * x + 3] = bytes(colour)

    for x in range(_WIDTH):
        paint(x, height(values[0]), _BASE)
    before = height(values[0])
    for x in range(_WIDTH):
        place = x * (len(values) - 1) / (_WIDTH - 1)
        left = min(int(place), len(values) - 2)
        now = height(values[left] + (values[left + 1] - values[left]) * (place - left))
        for y in range(min(before, now), max(before, now) + 2):
            paint(x, y, _LINE)
        before = now
    return _png(pixels)


def _png(rows: Sequence[bytearray]) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", _WIDTH, _HEIGHT, 8, 2, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def markdown_image(png: bytes, alt: str) -> str:
    """The picture as Markdown with the bytes inside."""
    return f"![{alt}](data:image/png;base64,{base64.b64encode(png).decode()})"
