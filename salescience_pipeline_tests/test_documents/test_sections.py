"""Sections: documents built from known items are cut where they were joined; what misleads a reader misleads no rule."""

# ruff: noqa: E501 - markup reads better unbroken

from __future__ import annotations

import html
import itertools
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salescience_pipeline.documents import Hints, parse
from salescience_pipeline.documents.items import FORM_8K, FORM_10K, FORM_10Q, ItemTable, header_item, items_of
from salescience_pipeline.documents.sections import Section, find_sections, section_text

WORDS = (
    "we sell turbines to utilities in several regions and service them for years",
    "our results depend on orders that customers may delay",
    "see Item 7 of this report and Note 4 for a discussion",
    "the company is party to claims in the ordinary course",
    "revenue grew by 4 percent while costs were flat",
    "a description is given in Part II, Item 8 under the caption Leases",
)


def sections_of(text: str, form: str = "10-K") -> tuple[Section, ...]:
    return find_sections(parse(text.encode(), Hints(form=form)))


def keys(sections: tuple[Section, ...]) -> list[tuple[str, str]]:
    return [(section.part, section.item) for section in sections]


def page(body: str) -> str:
    return f"<html><body>{body}</body></html>"


@dataclass(frozen=True)
class Built:
    """A document and the byte at which each of its items begins."""

    data: bytes
    starts: list[int]
    end: int


@st.composite
def filings(draw: st.DrawFn, table: ItemTable) -> tuple[Built, list[int]]:
    """A filing of some items of a form in order, with or without a table of contents, in one of several typographies."""
    count = len(table.items)
    chosen = sorted(draw(st.sets(st.integers(0, count - 1), min_size=3, max_size=count)))
    if table is FORM_8K:
        dotted = draw(st.booleans())
        chosen = [place for place in chosen if ("." in table.items[place].number) == dotted] or [draw(st.just(40))]
    word = draw(st.sampled_from(["Item", "ITEM", "Item No."]))
    mark = draw(st.sampled_from([". ", " - ", ": ", "&#160;&#160;", ".&nbsp;"]))
    style = draw(st.sampled_from(["<p><b>{}</b></p>", "<div style='font-weight:bold'>{}</div>", "<h3>{}</h3>",
                                  "<table><tr><td><b>{}</b></td></tr></table>"]))  # fmt: skip
    contents = draw(st.sampled_from(["none", "links", "pages"]))
    paragraphs = [draw(st.lists(st.sampled_from(WORDS), min_size=2, max_size=5)) for _ in chosen]

    def name(place: int) -> str:
        item = table.items[place]
        return f"{word} {item.number}{mark}{html.escape(item.title)}"

    parts = ["<html><body><p>ANNUAL REPORT</p>"]
    if contents != "none":
        rows = "".join(
            f"<tr><td><a href='#a{place}'>{name(place)}</a></td><td>{index}</td></tr>"
            if contents == "links"
            else f"<tr><td>{name(place)}</td><td>{index}</td></tr>"
            for index, place in enumerate(chosen, 2)
        )
        parts.append(f"<table>{rows}</table><hr style='page-break-after:always'/>")
    starts = []
    part = ""
    for place, texts in zip(chosen, paragraphs, strict=True):
        if table.items[place].part != part:
            part = table.items[place].part
            parts.append(f"<p><b>PART {part}</b></p>")
        parts.append(f"<a name='a{place}'></a>")
        starts.append(sum(len(piece.encode()) for piece in parts))
        parts.append(style.format(name(place)))
        parts += [f"<p>{text.capitalize()}, and more of it: {text}.</p>" * 3 for text in texts]
    parts.append("</body></html>")
    data = "".join(parts).encode()
    return Built(data, starts, len(data)), chosen


@pytest.mark.parametrize("table", [FORM_10K, FORM_10Q, FORM_8K], ids=lambda table: table.form)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_every_item_of_a_built_filing_is_found_where_it_begins(table: ItemTable, data: st.DataObject) -> None:
    built, chosen = data.draw(filings(table))
    found = find_sections(parse(built.data, Hints(form=table.form)))
    assert keys(found) == [(table.items[place].part, table.items[place].number) for place in chosen]
    assert [section.start for section in found] == pytest.approx(built.starts, abs=40)
    for section, following in itertools.pairwise(found):
        assert section.start < section.end <= following.start
    assert found[-1].end == built.end


@given(text=st.text(st.sampled_from(list("Item 1A.7Pat \n<>/bp&;(),NoIVX-")), max_size=400))
@settings(max_examples=200, deadline=None)
def test_whatever_a_document_says_its_sections_are_in_order_and_inside_it(text: str) -> None:
    data = f"<html><body><p>x</p>{text}</body></html>".encode()
    for form in ("10-K", "10-Q", "8-K", "20-F"):
        found = find_sections(parse(data, Hints(form=form)))
        assert len({(section.part, section.item) for section in found}) == len(found)
        for section in found:
            assert 0 <= section.start < section.end <= len(data)
            assert 0 <= section.confidence <= 1


LONG = "<p>" + "The company makes things and sells them to customers. " * 8 + "</p>"


def test_one_heading_that_opens_two_items_gives_both() -> None:
    found = sections_of(
        page(f"<p><b>Items 1 and 2. Business and Properties</b></p>{LONG}<p><b>Item 3. Legal Proceedings</b></p>{LONG}")
    )
    assert keys(found) == [("I", "1"), ("I", "2"), ("I", "3")]
    assert found[0].start == found[1].start
    assert found[0].end == found[1].end == found[2].start


def test_a_range_of_items_is_counted_out() -> None:
    found = sections_of(
        page(
            f"<p><b>Item 9. Changes in Accountants</b></p>{LONG}<p><b>Items 10 through 14</b></p><p>See the proxy.</p>"
        )
    )
    assert [section.item for section in found] == ["9", "10", "11", "12", "13", "14"]


def test_part_one_and_part_two_of_a_quarterly_report_are_told_apart_by_their_titles() -> None:
    found = sections_of(
        page(
            f"<p><b>Item 1. Financial Statements</b></p>{LONG}<p><b>Item 2. Management's Discussion and Analysis</b></p>{LONG}"
            f"<p><b>Item 1. Legal Proceedings</b></p>{LONG}<p><b>Item 2. Unregistered Sales of Equity Securities</b></p>{LONG}"
        ),
        "10-Q",
    )
    assert keys(found) == [("I", "1"), ("I", "2"), ("II", "1"), ("II", "2")]


def test_part_and_item_on_one_line_are_both_read() -> None:
    found = sections_of(
        page(
            f"<p><b>Part I, Item 1. Financial Statements</b></p>{LONG}<p>Part II, Item 1A of our annual report describes risks.</p>{LONG}"
            f"<p><b>PART II - ITEM 2: UNREGISTERED SALES</b></p>{LONG}"
        ),
        "10-Q",
    )
    assert keys(found) == [("I", "1"), ("II", "2")]


def test_a_bare_number_takes_its_title_from_the_next_line() -> None:
    found = sections_of(
        page(
            f"<p><b>PART II</b></p><p><b>Item 1.</b></p><p><b>Legal Proceedings</b></p>{LONG}<p><b>Item 6.</b></p><p>Exhibits</p>{LONG}"
        ),
        "10-Q",
    )
    assert keys(found) == [("II", "1"), ("II", "6")]


def test_a_repeated_heading_does_not_move_the_item() -> None:
    body = f"<p><b>Item 7. Management's Discussion and Analysis</b></p>{LONG * 3}"
    data = page(
        f"<p><b>Item 1. Business</b></p>{LONG}{body}<p><b>Item 7. Management's Discussion and Analysis (continued)</b></p>{LONG}"
        f"<p><b>Item 7. Management's Discussion and Analysis</b></p>{LONG}<p><b>Item 8. Financial Statements</b></p>{LONG}"
    )
    found = sections_of(data)
    assert [section.item for section in found] == ["1", "7", "8"]
    assert found[1].start == data.index("<p><b>Item 7")


def test_a_sentence_that_mentions_an_item_is_no_heading() -> None:
    found = sections_of(
        page(
            f"<p><b>Item 1. Business</b></p>{LONG}<p>Item 1A of this report describes risks.</p>"
            f"<p>Item 3, Legal Proceedings, in our last report says more.</p>{LONG}<p><b>Item 2. Properties</b></p>{LONG}"
        )
    )
    assert [section.item for section in found] == ["1", "2"]


def test_items_out_of_the_forms_order_are_found_and_doubted() -> None:
    found = sections_of(
        page(
            f"<p><b>PART I</b></p><p><b>Item 2. Management's Discussion and Analysis</b></p>{LONG}"
            f"<p><b>Item 1. Financial Statements</b></p>{LONG}<p><b>Item 3. Quantitative and Qualitative Disclosures</b></p>{LONG}"
        ),
        "10-Q",
    )
    assert [section.item for section in found] == ["2", "1", "3"]
    assert min(section.confidence for section in found) < 0.7 < max(section.confidence for section in found)


def test_links_of_the_table_of_contents_lead_to_items_without_numbers() -> None:
    found = sections_of(
        page(
            "<table><tr><td>Item 1.</td><td><a href='#b'>Business</a></td><td>3</td></tr>"
            "<tr><td>Item 1A.</td><td><a href='#r'>Risk Factors</a></td><td>9</td></tr>"
            "<tr><td>Item 2.</td><td><a href='#p'>Properties</a></td><td>20</td></tr></table>"
            f"<div id='b'></div><h2>Our business</h2>{LONG}<div id='r'></div><h2>Risk factors</h2>{LONG}<p id='p'><b>Properties</b></p>{LONG}"
        )
    )
    assert [(section.item, section.method) for section in found] == [("1", "toc"), ("1A", "toc"), ("2", "toc")]


def test_an_index_that_only_says_not_applicable_is_what_the_filing_says() -> None:
    found = sections_of(
        page(
            f"<p><b>Item 1. Business</b></p>{LONG}<table><tr><td>Item 1B</td><td>Unresolved Staff Comments</td><td>Not applicable</td></tr>"
            "<tr><td>Item 4</td><td>Mine Safety Disclosures</td><td>Not applicable</td></tr>"
            "<tr><td>Item 6</td><td>[Reserved]</td><td>Not applicable</td></tr></table>"
        )
    )
    assert [section.item for section in found] == ["1", "1B", "4", "6"]
    assert all(section.confidence <= 0.5 for section in found[1:])
    assert found[0].end <= found[1].start


def test_a_missing_item_that_the_contents_list_makes_the_one_before_doubtful() -> None:
    rows = "".join(f"<tr><td>Item {number}</td><td>{title}</td><td>{at}</td></tr>" for number, title, at in
                   (("1", "Business", 3), ("1A", "Risk Factors", 8), ("2", "Properties", 20)))  # fmt: skip
    found = sections_of(
        page(f"<table>{rows}</table><p><b>Item 1. Business</b></p>{LONG}{LONG}<p><b>Item 2. Properties</b></p>{LONG}")
    )
    assert [section.item for section in found] == ["1", "2"]
    assert found[0].confidence < 0.5
    assert "1A" in found[0].reason


def test_content_that_stands_elsewhere_is_said_to() -> None:
    found = sections_of(
        page(
            f"<p><b>Item 10. Directors</b></p><p>The information is incorporated herein by reference to the proxy.</p>"
            f"<p><b>Item 15. Exhibits</b></p>{LONG}"
        )
    )
    assert [section.incorporated_by_reference for section in found] == [True, False]


def test_a_current_report_ends_at_its_signatures() -> None:
    data = page(f"<p>Item 8.01. Other Events</p>{LONG}<p><b>SIGNATURES</b></p><p>Pursuant to the requirements...</p>")
    document = parse(data.encode(), Hints(form="8-K"))
    (section,) = find_sections(document)
    assert section.end == data.index("<p><b>SIGNATURES")
    assert section_text(document, section).startswith("Item 8.01. Other Events\nThe company makes")


def test_plain_text_and_its_wrapped_lines() -> None:
    data = (
        "FORM 10-Q\n\nPART I - FINANCIAL INFORMATION\nITEM 1.   FINANCIAL STATEMENTS\n\nSales were 5. They are shown in\n"
        "Item 7 of the annual report, and were compared with those of the year before that.\n\n"
        "Item 2.  Management's Discussion and Analysis of Financial\n         Condition\n\nSales rose.\n\n"
        "PART II - OTHER INFORMATION\n\nItem 6.  Exhibits and Reports on Form 8-K\n\nNone.\n"
    )
    found = find_sections(parse(data.encode()))
    assert keys(found) == [("I", "1"), ("I", "2"), ("II", "6")]
    assert [section.start for section in found] == [data.index("ITEM 1."), data.index("Item 2."), data.index("Item 6.")]


def test_offsets_of_a_submission_are_those_of_the_file() -> None:
    body = page(
        f"<p>Item 5.02. Departure of Directors</p>{LONG}<p>Item 9.01. Financial Statements and Exhibits</p>{LONG}"
    )
    data = (
        "<SEC-DOCUMENT>0000000000-26-000001.txt : 20260302\n<SEC-HEADER>\nCONFORMED SUBMISSION TYPE:\t8-K\n</SEC-HEADER>\n"
        f"<DOCUMENT>\n<TYPE>8-K\n<SEQUENCE>1\n<TEXT>\n{body}\n</TEXT>\n</DOCUMENT>\n</SEC-DOCUMENT>\n"
    )
    found = find_sections(parse(data.encode()))
    assert [section.item for section in found] == ["5.02", "9.01"]
    assert [section.start for section in found] == [data.index("<p>Item 5.02"), data.index("<p>Item 9.01")]


def test_without_a_form_the_items_decide_and_are_doubted() -> None:
    found = find_sections(parse(page(f"<p><b>Item 2.02. Results of Operations</b></p>{LONG}").encode()))
    assert [section.item for section in found] == ["2.02"]
    assert found[0].confidence <= 0.6


def test_forms_without_items_have_none() -> None:
    assert sections_of(page(f"<p><b>Item 1. Business</b></p>{LONG}"), "4") == ()
    assert items_of("10-K405") is items_of("10-K/A")


@pytest.mark.parametrize(
    ("title", "old", "item"),
    [
        ("Acquisition or disposition of assets", True, "2"),
        ("Results of Operations and Financial Condition", False, "2.02"),
        ("Departure of Directors or Principal Officers; Election of Directors", False, "5.02"),
        ("7", True, "7"),
        ("Nothing of the kind", True, None),
    ],
)
def test_titles_of_submission_headers_name_items(title: str, old: bool, item: str | None) -> None:
    assert header_item(title, old_numbering=old) == item


@pytest.mark.parametrize(
    "body",
    [
        "<p>Item 1. Business</p>" * 30_000,
        "<p>" + "Item 1. Business<br>" * 60_000 + "</p>",
        "<table>" + "<tr><td><a href='#x'>Item 1.</a></td><td>Business</td></tr>" * 20_000 + "</table>",
        "PART I\n" * 200_000,
        "Item " * 400_000,
        "\n \n" * 500_000 + "Item 1. Business",
    ],
    ids=["headings", "lines", "rows", "parts", "words", "blank lines"],
)
def test_threat_22_documents_made_to_hurt_cost_little(body: str) -> None:
    document = parse(page(body).encode(), Hints(form="10-K"))
    _ = document.blocks
    before = document.source.limits.clock()
    found = find_sections(document)
    assert document.source.limits.clock() - before < 5.0
    assert all(section.start < section.end for section in found)


def test_exhibits_of_an_older_report_are_item_14_of_part_four() -> None:
    body = "<p><b>PART III</b></p><p><b>Item 13. Certain Relationships</b></p><p>None.</p><p><b>{}</b></p><p><b>{}</b></p><p>List</p>"
    old = sections_of(page(body.format("PART IV", "Item 14. Exhibits, Schedules and Reports on Form 8-K")))
    new = sections_of(page(body.format("", "Item 14. Principal Accountant Fees and Services")))
    assert keys(old) == [("III", "13"), ("IV", "14")]
    assert keys(new) == [("III", "13"), ("III", "14")]


def test_items_of_regulation_ab_are_no_part_of_the_item_before_them() -> None:
    document = parse(
        page(
            "<p>PART I</p><p><b>Item 1B. Unresolved Staff Comments</b></p><p>None.</p><p><b>Item 4. Mine Safety Disclosures</b></p>"
            "<p>Not applicable.</p><p>Substitute information provided in accordance with General Instruction J(2) to Form 10-K:</p>"
            "<p><b>Item 1112(b) of Regulation AB, Significant Obligor Financial Information</b></p><p>No obligor is significant.</p>"
            "<p><b>Item 1117 of Regulation AB, Legal Proceedings</b></p><p>Nothing to report.</p>"
            "<p>PART II</p><p><b>Item 9B. Other Information</b></p><p>None.</p>"
        ).encode(),
        Hints(form="10-K"),
    )
    found = find_sections(document)
    assert keys(found) == [("I", "1B"), ("I", "4"), ("II", "9B")]
    assert section_text(document, found[1]) == "Item 4. Mine Safety Disclosures\nNot applicable."


def test_the_summary_ends_where_the_financial_statements_begin() -> None:
    document = parse(
        page(
            "<p><b>Item 15. Exhibits</b></p><p>A list.</p><p><b>Item 16. Form 10-K Summary</b></p><p>None.</p>"
            "<p><b>INDEX TO CONSOLIDATED FINANCIAL STATEMENTS</b></p><p>Balance sheets and what belongs to them.</p>"
        ).encode(),
        Hints(form="10-K"),
    )
    assert section_text(document, find_sections(document)[-1]) == "Item 16. Form 10-K Summary\nNone."


def test_titles_without_numbers_may_leave_out_an_and_or_bear_a_bare_number() -> None:
    titles = ("Business", "2. Properties", "Legal Proceedings", "15. Exhibits, Financial Statement Schedules")
    found = sections_of(page("".join(f"<p><b>{title}</b></p><p>{' '.join(WORDS)}</p>" for title in titles)))
    assert [section.item for section in found] == ["1", "2", "3", "15"]
    assert all(section.confidence < 0.7 for section in found)


def test_items_at_the_top_of_typed_pages_are_no_running_heads() -> None:
    titles = ("BUSINESS", "PROPERTIES", "LEGAL PROCEEDINGS", "SUBMISSION OF MATTERS TO A VOTE OF SECURITY HOLDERS")
    pages = "\n<PAGE>\n".join(
        f"{'ITEM ' + str(number):^60}\n\n{title:^60}\n\n{WORDS[0]}\nand {WORDS[3]}\n\n{number:>40}"
        for number, title in enumerate(titles, 1)
    )
    assert [section.item for section in sections_of(f"FORM 10-K\n<PAGE>\n{pages}\n")] == ["1", "2", "3", "4"]


def test_what_is_incorporated_into_an_item_by_reference_stands_elsewhere() -> None:
    said = "It is in the annual report under Risk. That information is incorporated into this item by reference."
    (section,) = sections_of(page(f"<p><b>Item 1A. Risk Factors</b></p><p>{said}</p>"))
    assert section.incorporated_by_reference
