"""How much work a document is: twice the document may be twice the work, whatever it is made of.

Counted are the lines that the engine executes, not seconds: a count is the same on every machine.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from salescience_pipeline.documents import Document, Hints, parse
from salescience_pipeline.documents.compare import compare
from salescience_pipeline.documents.entities import read_entities
from salescience_pipeline.documents.sections import find_sections

_GROWTH = 2.3


def lines_executed(work: Callable[[], object]) -> int:
    """Lines of the engine that ``work`` executes."""
    count = 0

    def inside(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return inside

    def called(frame: FrameType, event: str, argument: Any) -> Any:
        return inside if "/documents/" in frame.f_code.co_filename else None

    before = sys.gettrace()
    sys.settrace(called)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def understood(data: bytes) -> Document:
    document = parse(data, Hints(form="10-K"))
    _ = (document.blocks, document.tables, document.facts, document.places, document.anchors)
    find_sections(document)
    read_entities(document)
    return document


SHAPES: dict[str, Callable[[int], str]] = {
    "a layout table of linked rows": lambda n: (
        "<table>" + "".join(f'<tr><td><a href="#a{i}">Go to place {i}</a></td></tr>' for i in range(n)) + "</table>"
    ),
    "a wide table of spans": lambda n: (
        "<table>" + f"<tr>{'<td rowspan=3>1</td><td colspan=2>x</td>' * 8}</tr>" * (n // 8) + "</table>"
    ),
    "tables one after the other": lambda n: (
        "<p>Words.</p><table><tr><td>Sales</td><td>$</td><td>12</td></tr></table>" * n
    ),
    "elements that are never closed": lambda n: "<p><b><div>open " * n,
    "end tags that close nothing": lambda n: "<div>" + "text</p></b></td></table> " * n,
    "headings of items again and again": lambda n: "".join(
        f"<p><b>Item {i % 9 + 1}. Business</b></p><p>Text of it.</p>" for i in range(n)
    ),
    "signatures one after the other": lambda n: "<p>/s/ Ada Quill</p><p>Ada Quill, Director</p>" * n,
    "amounts and dates": lambda n: "<p>On May 4, 2026 we paid $1,200 or 5 %.</p>" * n,
    "page breaks": lambda n: '<p>Words.</p><p>12</p><hr style="page-break-after:always"/>' * n,
}


@pytest.mark.parametrize("shape", SHAPES)
def test_twice_the_document_is_twice_the_work(shape: str) -> None:
    def cost(n: int) -> int:
        data = f"<html><body>{SHAPES[shape](n)}</body></html>".encode()
        return lines_executed(lambda: understood(data))

    once, twice = cost(150), cost(300)
    assert once > 1000
    assert twice <= _GROWTH * once


def test_twice_the_filings_are_twice_the_work_to_compare() -> None:
    def cost(n: int) -> int:
        old = "".join(f"<p>A paragraph number {i} of the old filing.</p>" for i in range(n))
        new = "".join(f"<p>A paragraph number {2 * i} of the new filing.</p>" for i in range(n))
        first, second = (
            parse(f"<html><body><p><b>Item 1. Business</b></p>{text}</body></html>".encode(), Hints(form="10-K"))
            for text in (old, new)
        )
        return lines_executed(lambda: compare(first, second))

    # Above the size at which paragraphs are held against each other pair by pair.
    assert cost(600) <= _GROWTH * cost(300)
