"""Blocks, tables and pages of every kind of filing."""

# ruff: noqa: E501 - markup reads better unbroken

from __future__ import annotations

from decimal import Decimal

import pytest

from salescience_pipeline.documents import parse
from salescience_pipeline.documents.model import Block, BlockType
from salescience_pipeline.documents.numbers import shown_number
from salescience_pipeline.documents.tables import read_currency, read_scale
from salescience_pipeline_tests.test_documents.look_alikes import (
    OLD_HTML,
    STATEMENT,
    SUBMISSION,
    TYPEWRITTEN,
    inline_filing,
)


def html(body: str) -> bytes:
    return f"<html><body>{body}</body></html>".encode()


def told(blocks: list[Block]) -> list[tuple[str, str]]:
    return [(block.type.value, block.text) for block in blocks]


def test_a_statement_is_a_heading_a_line_and_a_grid() -> None:
    document = parse(inline_filing(STATEMENT))
    assert [block.type.value for block in document.blocks] == ["Section Header", "Text", "Table"]
    table = document.tables[0]
    assert table.grid() == [
        ["", "March 31, 2026", "December 31, 2025"],
        ["Current assets:", "", ""],
        ["Cash & equivalents", "$ 1,234.5", "$ 987"],
        ["Deficit", "(15,552)", "(19,154)"],
    ]
    assert table.header_rows == 1
    assert [cell.value for cell in table.cells if cell.row == 3] == [None, Decimal(-15552), Decimal(-19154)]
    assert (table.scale, table.currency, table.caption) == (1_000_000, "USD", "CONDENSED BALANCE SHEETS")


@pytest.mark.parametrize("write", [str.lower, str.upper], ids=["simple reader", "general reader"])
def test_spans_are_followed_by_both_readers(write: object) -> None:
    body = (
        '<table><tr><td rowspan="2">name</td><td colspan="2">three months</td><td>total</td></tr>'
        "<tr><td>2026</td><td>2025</td><td>all</td></tr><tr><td>sales</td><td>1</td><td>2</td><td>3</td></tr></table>"
    )
    table = parse(html(write(body))).tables[0]  # type: ignore[operator]
    assert [[text.lower() for text in row] for row in table.grid()] == [
        ["name", "three months", "", "total"],
        ["", "2026", "2025", "all"],
        ["sales", "1", "2", "3"],
    ]
    assert table.header_rows == 2
    assert [(cell.colspan, cell.rowspan) for cell in table.cells[:2]] == [(1, 2), (2, 1)]


def test_cells_point_to_their_bytes() -> None:
    data = html("<p>x</p><table><tr><td>a</td><td><b>1,000</b></td></tr><tr><td>b</td><td>2</td></tr></table>")
    for cell in parse(data).tables[0].cells:
        assert data[cell.start : cell.start + 3] == b"<td"
        assert cell.text.encode() in data[cell.start : cell.end]


def test_tables_that_only_arrange_text_become_text() -> None:
    body = (
        "<table><tr><td>\u2022</td><td>We may fail.</td></tr></table><table><tr><td><b>Item 1A.</b></td><td><b>Risk Factors</b></td></tr></table>"
        "<table><tr><td>One long sentence in a box.</td></tr></table><table><tr><td>[X]</td><td>ANNUAL REPORT</td></tr></table>"
    )
    assert told(parse(html(body)).blocks) == [
        ("List Item", "\u2022 We may fail."),
        ("Section Header", "Item 1A. Risk Factors"),
        ("Text", "One long sentence in a box."),
        ("Text", "[X] ANNUAL REPORT"),
    ]


def test_a_table_in_a_cell_stands_for_itself() -> None:
    body = "<table><tr><td>before<table><tr><td>a</td><td>1</td></tr><tr><td>b</td><td>2</td></tr></table></td></tr></table><p>after</p>"
    document = parse(html(body))
    assert [table.grid() for table in document.tables] == [[["a", "1"], ["b", "2"]]]
    assert "after" in [block.text for block in document.blocks]
    assert any("before" in block.text for block in document.blocks)


def test_headings_are_told_by_words_and_emphasis() -> None:
    body = (
        "<p><b>PART I</b></p><p><b>Item 1. Business</b></p><p style='font-weight:bold'>Our chairs</p><p><i>Their legs</i></p>"
        "<p>We make chairs.</p><p><b>Note.</b> A run-in heading is text, as the sentence goes on.</p><p>GENERAL</p><h2>Tagged</h2>"
    )
    blocks = parse(html(body)).blocks
    headings = {block.text: block.level for block in blocks if block.type is BlockType.SECTION_HEADER}
    assert list(headings) == ["PART I", "Item 1. Business", "Our chairs", "Their legs", "GENERAL", "Tagged"]
    assert headings["PART I"] == 1
    assert headings["Item 1. Business"] == 2
    assert 2 < headings["Our chairs"] < headings["Their legs"]


def test_page_furniture_is_told_by_place_and_repetition() -> None:
    pages = "".join(
        f"<p><b>Wrenfield Corp</b></p><p>Text of page {word}.</p><p>Wrenfield | Form 10-Q | {number}</p>"
        '<hr style="page-break-after:always"/>'
        for number, word in enumerate(("one", "two", "three", "four", "five"), start=1)
    )
    document = parse(html(pages))
    assert [block.type.value for block in document.blocks] == ["Header", "Text", "Page Number"] * 5
    assert [block.page for block in document.blocks if block.type is BlockType.TEXT] == [1, 2, 3, 4, 5]


def test_lone_numbers_that_count_up_are_page_numbers() -> None:
    body = "".join(f"<p>Some text about chairs.</p><p>{number}</p>" for number in range(3, 10))
    assert {block.text for block in parse(html(body)).blocks if block.type is BlockType.PAGE_NUMBER} == set("3456789")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("<p>/s/ Ann Wren</p>", "Signature"),
        ("<p>By: /s/ Ann Wren</p>", "Signature"),
        ("<ul><li>chairs</li></ul>", "List Item"),
        ("<p>(a) chairs of wood</p>", "List Item"),
        ("<p>Commission File Number: 001-99999</p>", "Key Value"),
        ('<p><img src="x.jpg" alt="Sales by year"/></p>', "Figure"),
        ("<p>We make chairs.</p>", "Text"),
    ],
)
def test_other_types(body: str, kind: str) -> None:
    assert [block.type.value for block in parse(html(body)).blocks] == [kind]


def test_old_html_with_everything_left_out() -> None:
    document = parse(OLD_HTML)
    assert told(document.blocks) == [
        ("Title", "FORM 10-K"),
        ("Section Header", "Item 1. Business"),
        ("Text", "Wrenfield makes café chairs — and tables too."),
        ("List Item", "chairs"),
        ("List Item", "tables"),
        ("Page Number", "1"),
        ("Table", "Year | Sales\n1998 | $ 12,000\n1997 | 11,500"),
        ("Text", "See the exhibit."),
    ]
    assert document.layout.page_starts[1] == OLD_HTML.index(b"\n<TABLE")
    link = document.blocks[-1].links[0]
    assert (link.text, link.target) == ("the exhibit", "x")
    assert document.anchors == {"x": OLD_HTML.index(b"<A NAME")}


def test_typewritten_filings_have_paragraphs_pages_and_tables() -> None:
    document = parse(TYPEWRITTEN)
    assert [block.page for block in document.blocks] == [1, 1, 1, 1, 2, 2, 2]
    assert (
        document.blocks[3].text == "Wrenfield makes chairs. It sells them in two countries and has done so since 1954."
    )
    assert {block.text for block in document.blocks if block.type is BlockType.SECTION_HEADER} >= {
        "ITEM 1. BUSINESS",
        "ITEM 8. FINANCIAL STATEMENTS",
    }
    assert document.tables[0].grid() == [
        ["", "1996", "1995"],
        ["Net sales", "$ 12,000", "$ 11,500"],
        ["Net loss", "(120)", "(80)"],
    ]
    for block in document.blocks:
        if block.table is None:
            assert TYPEWRITTEN[block.start : block.end].split()[0].decode() == block.text.split()[0]


@pytest.mark.parametrize("wrap", ["<html><body><pre>{}</pre></body></html>", "<html><body><div>{}</div></body></html>"])
def test_typewritten_text_in_html_is_read_as_such(wrap: str) -> None:
    text = TYPEWRITTEN.decode().replace("two\ncountries", "two\ncountries &amp; more") * 2
    data = wrap.format(text).encode()
    document = parse(data)
    assert len(document.tables) == 2
    assert any(
        block.text.startswith("Wrenfield makes chairs. It sells them in two countries & more")
        for block in document.blocks
    )
    item = next(block for block in document.blocks if block.text.startswith("ITEM 8"))
    assert data[item.start : item.end].strip() == b"ITEM 8.  FINANCIAL STATEMENTS"


def test_submissions_go_part_by_part() -> None:
    document = parse(SUBMISSION)
    assert document.submission is not None
    assert document.submission.form == "8-K"
    assert document.submission.items == (
        "Results of Operations and Financial Condition",
        "Financial Statements and Exhibits",
    )
    assert document.submission.skipped == 1
    assert [part.hints.document_type for part in document.parts] == ["8-K", "EX-99.1"]
    assert {index: error.name for index, error in document.failures.items()} == {3: "DOCUMENT_UNSUPPORTED"}
    assert [block.index for block in document.blocks] == list(range(len(document.blocks)))
    assert document.blocks[-1].text == "See the exhibit."
    assert SUBMISSION[document.blocks[-1].start : document.blocks[-1].end].startswith(b"<P>See")
    assert document.main.bytes_of(*_span(document.main.blocks[0])).startswith(b"<p>Form")
    assert document.blocks[-1].page > document.parts[0].blocks[-1].page


def _span(block: Block) -> tuple[int, int]:
    return block.start, block.end


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("$ 1,234.5", "1234.5"),
        ("(19,154)", "-19154"),
        ("$ (5)", "-5"),
        ("(5.2)%", "-5.2"),
        ("5.2 %", "5.2"),
        ("\u2013 3", "-3"),
        ("1,234 (1)", "1234"),
        ("March 31", None),
        ("\u2014", None),
        ("1.2.3", None),
        ("", None),
    ],
)
def test_shown_numbers(text: str, number: str | None) -> None:
    assert shown_number(text) == (Decimal(number) if number is not None else None)


def test_scale_and_currency_are_read_from_words() -> None:
    assert read_scale("(In millions, except per share data)") == 1_000_000
    assert read_scale("Dollars in thousands") == 1_000
    assert read_scale("($000s omitted)") == 1_000
    assert read_scale("millions of people came") is None
    assert read_currency("€ 5") == "EUR"
    assert read_currency("C$ 5") == "CAD"
    assert read_currency("five") is None


def test_the_end_of_a_list_at_the_foot_of_a_page_is_no_footer() -> None:
    names = "".join(f"<p>Harbour Trust 20{number}-1</p>" for number in range(10, 20))
    rule = '<hr style="page-break-after:always"/>'
    types = told(parse(html(f"<p>First page.</p>{rule}<p>Second page.</p>{rule}{names}")).blocks)
    assert [kind for kind, text in types if text.startswith("Harbour")] == ["Text"] * 10
    footers = "".join(f"<p>Words of page {number}.</p><p>Harbour Trust Annual Report</p>{rule}" for number in "abcd")
    types = told(parse(html(footers)).blocks)
    assert [kind for kind, text in types if text == "Harbour Trust Annual Report"] == ["Footer"] * 4
