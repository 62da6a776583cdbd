"""Comparison, search, entities and the page to look at: on filings made for it."""

# ruff: noqa: E501 - markup reads better unbroken

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from lxml import etree

from salescience_pipeline.documents import Document, Hints, parse
from salescience_pipeline.documents.compare import compare
from salescience_pipeline.documents.embed import LatentSemantics
from salescience_pipeline.documents.entities import read_entities
from salescience_pipeline.documents.errors import InvalidOption
from salescience_pipeline.documents.search import Filed, Filter, SearchError, SearchIndex, snippet
from salescience_pipeline.documents.view import to_page
from salescience_pipeline_tests.test_documents.look_alikes import SUBMISSION, inline_filing
from salescience_pipeline_tests.test_documents.small_filings import EX_21, FORM_4, STATEMENT


def filing(risk: str, business: str = "We build turbines for utilities and service them in the field.") -> Document:
    return parse(
        f"<html><body><p><b>Item 1. Business</b></p><p>{business}</p><p>Our plants are old.</p><p><b>Item 1A. Risk Factors</b></p>"
        f"<p><b>Orders may be delayed, which would reduce revenue.</b></p><p>{risk}</p><p><b>We depend on few suppliers of large castings.</b></p>"
        "<p>There are two of them and both are abroad.</p><p><b>Item 2. Properties</b></p><p>One plant in Leeds.</p></body></html>".encode(),
        Hints(form="10-K"),
    )


def test_a_filing_compared_with_itself_has_not_changed() -> None:
    found = compare(filing("Customers decide late."), filing("Customers decide late."))
    assert {section.status for section in found.sections} == {"unchanged"}
    assert {risk.kind for risk in found.risk_factors} == {"unchanged"}
    assert found.restated == ()


def test_a_reworded_paragraph_is_shown_with_both_places() -> None:
    old, new = filing("Customers decide late and cancel."), filing("Customers decide very late and cancel.")
    found = {section.item: section for section in compare(old, new).sections}
    assert {item: section.status for item, section in found.items()} == {
        "1": "unchanged",
        "1A": "changed",
        "2": "unchanged",
    }
    (change,) = found["1A"].changes
    assert change.kind == "changed"
    assert change.old is not None
    assert change.new is not None
    assert b"cancel" in old.bytes_of(change.old.start, change.old.end)
    assert b"very late" in new.bytes_of(change.new.start, change.new.end)
    assert Counter(risk.kind for risk in compare(old, new).risk_factors) == {"changed": 1, "unchanged": 1}


def test_what_came_and_went_is_told() -> None:
    old = filing("Customers decide late.")
    new = filing("Customers decide late.", "Software is what remains: all factories were sold to a competitor.")
    (section,) = (section for section in compare(old, new).sections if section.item == "1")
    assert sorted(change.kind for change in section.changes) == ["added", "removed"]


def test_a_fact_is_restated_when_its_value_differs_by_more_than_its_rounding() -> None:
    old = inline_filing()
    found = compare(parse(old), parse(old.replace(b">15,552<", b">15,600<"))).restated
    assert [(fact.concept, fact.old, fact.new) for fact in found] == [
        ("us-gaap:Deficit", "-15552000000", "-15600000000")
    ]
    assert found[0].change == pytest.approx(0.00309, abs=1e-5)
    assert compare(parse(old), parse(old)).restated == ()


TEXTS = (
    "Goodwill is tested for impairment every year on the first of October.",
    "An impairment charge was recorded because the carrying amount of goodwill exceeded its fair value.",
    "The board authorised the repurchase of shares up to two billion dollars.",
    "Shares repurchased under the program are held in treasury.",
    "Our information systems may be breached by criminals who want customer data.",
    "A breach of our information systems could expose customer data to criminals.",
    "Employees in Leeds are represented by a union.",
    "The union and the company agreed on wages for employees.",
)


@pytest.fixture
def index() -> SearchIndex:
    made = SearchIndex()
    made.add_texts(Filed("a", "WRNF", "10-K", "2026-02-01"), TEXTS[:4])
    made.add_texts(Filed("b", "QLL", "10-Q", "2026-05-01"), TEXTS[4:])
    return made


@pytest.mark.parametrize("mode", ["bm25", "vector", "hybrid"])
def test_every_mode_finds_what_a_query_is_about(index: SearchIndex, mode: str) -> None:
    hits = index.search("impairment of goodwill", mode=mode, k=2)
    assert {(hit.document, hit.start) for hit in hits} == {("a", 0), ("a", 1)}
    assert hits[0].score >= hits[1].score
    assert "[" in hits[0].snippet


def test_words_are_matched_by_their_stems(index: SearchIndex) -> None:
    assert {hit.start for hit in index.search("repurchasing", mode="bm25")} == {2, 3}


@pytest.mark.parametrize("mode", ["bm25", "vector", "hybrid"])
def test_filters_hold_in_every_mode(index: SearchIndex, mode: str) -> None:
    query = "goodwill shares systems union employees customer"
    assert {hit.document for hit in index.search(query, mode=mode, where=Filter(ticker="qll"))} == {"b"}
    assert {hit.document for hit in index.search(query, mode=mode, where=Filter(form="10-K"))} == {"a"}
    assert {hit.document for hit in index.search(query, mode=mode, where=Filter(since="2026-03-01"))} == {"b"}
    assert {hit.document for hit in index.search(query, mode=mode, where=Filter(until="2026-03-01"))} == {"a"}
    assert index.search(query, mode=mode, where=Filter(item="1A")) == []


def test_chunks_know_their_item_and_their_bytes() -> None:
    made = filing("Customers decide late.")
    with SearchIndex() as index:
        assert index.add(made, Filed("x", "WRNF", "10-K"), chunk_mode="block") == len(made.blocks)
        (hit,) = index.search("castings", mode="bm25", where=Filter(item="1a"))
        assert b"castings" in made.bytes_of(hit.start, hit.end)
        assert hit.item == "1A"


def test_indexing_again_replaces_and_a_file_keeps(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    with SearchIndex(path) as index:
        index.add_texts(Filed("a"), TEXTS)
        index.search("union", mode="vector")
        index.add_texts(Filed("a"), TEXTS[:2])
        assert len(index) == 2
        assert index.search("union", mode="bm25") == []
    with SearchIndex(path) as index:
        assert index.search("goodwill", mode="hybrid")[0].document == "a"


def test_an_embedder_of_ones_own_is_used() -> None:
    class Lengths:
        name = "lengths"

        def embed(self, texts: object) -> np.ndarray:
            return np.array([[1.0, 0.0] if "union" in text else [0.0, 1.0] for text in texts], dtype=np.float32)  # type: ignore[attr-defined]

    index = SearchIndex(embedder=Lengths())
    index.add_texts(Filed("a"), TEXTS)
    assert {hit.start for hit in index.search("the union", mode="vector")} == {6, 7}


@pytest.mark.parametrize(("query", "options"), [("", {}), ("?!", {}), ("x", {"mode": "magic"}), ("x", {"k": 0})])
def test_a_question_that_cannot_be_asked_is_refused(index: SearchIndex, query: str, options: dict) -> None:
    with pytest.raises(InvalidOption):
        index.search(query, **options)


@pytest.mark.parametrize(
    "query", ['"', "a AND b OR", "NEAR(x y)", "text:goodwill", "goodwill*", "x'; drop table chunks; --"]
)
def test_a_query_is_words_and_never_syntax(index: SearchIndex, query: str) -> None:
    try:
        index.search(query)
    except InvalidOption:
        assert not any(character.isalnum() for character in query)
    assert len(index) == len(TEXTS)


def test_a_file_that_is_no_index_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    path.write_bytes(b"not a database, but long enough to be taken for one" * 40)
    with pytest.raises(SearchError):
        SearchIndex(path)


def test_a_model_survives_its_bytes() -> None:
    model = LatentSemantics.learn(TEXTS, dimensions=4)
    again = LatentSemantics.from_bytes(model.to_bytes())
    assert again.name == model.name
    np.testing.assert_allclose(again.embed(TEXTS), model.embed(TEXTS))
    np.testing.assert_allclose(np.linalg.norm(model.embed(TEXTS), axis=1), 1, rtol=1e-5)
    assert not model.embed(["zzz"]).any()


def test_a_snippet_shows_the_words_where_they_are_dense() -> None:
    text = (
        "goodwill once. " + "filler words here. " * 40 + "impairment of goodwill and goodwill again. " + "more. " * 60
    )
    shown = snippet(text, {"goodwill", "impairment"})
    assert "[impairment] of [goodwill]" in shown
    assert len(shown) < 320


def test_entities_come_from_where_they_are_certain() -> None:
    graph = read_entities(parse(FORM_4.encode()))
    assert [(r.subject.canonical, r.predicate, r.object.canonical, r.detail) for r in graph.relations] == [
        ("Quill Ada", "officer_of", "Wrenfield Corp", "CEO"),
        ("Quill Ada", "owner_of", "Wrenfield Corp", "reporting owner"),
    ]
    assert next(entity.cik for entity in graph.entities if entity.kind == "company") == "0000000099"


def test_a_submission_relates_its_filer_to_subsidiaries_auditor_and_officers() -> None:
    head = "<SEC-DOCUMENT>x.txt\n<SEC-HEADER>\nCONFORMED SUBMISSION TYPE:\t10-K\nCOMPANY CONFORMED NAME:\tWRENFIELD CORP\nCENTRAL INDEX KEY:\t0000000099\n</SEC-HEADER>\n"
    data = head + "".join(
        f"<DOCUMENT>\n<TYPE>{kind}\n<SEQUENCE>{number}\n<TEXT>\n{text}\n</TEXT>\n</DOCUMENT>\n"
        for number, (kind, text) in enumerate((("10-K", STATEMENT), ("EX-21.1", EX_21)), 1)
    )
    made = parse(data.encode())
    graph = read_entities(made)
    told = {(relation.subject.canonical, relation.predicate) for relation in graph.relations}
    assert told == {
        ("Ada Quill", "officer_of"), ("Wrenfield Turbines, Inc.", "subsidiary_of"),
        ("Wrenfield GmbH", "subsidiary_of"), ("Wrenfield Services LLC", "subsidiary_of"), ("Marsh & Weller LLP", "auditor_of"),
    }  # fmt: skip
    assert {relation.object.cik for relation in graph.relations} == {"0000000099"}
    dates = {entity.canonical: entity for entity in graph.entities if entity.kind == "date"}
    mention = dates["September 9, 1999"].mentions[0]
    assert made.blocks[mention.block].text[mention.start : mention.end] == "September 9, 1999"


def test_the_page_shows_items_and_facts_and_runs_nothing() -> None:
    hostile = filing("<script>alert(1)</script><img src=x onerror=alert(1)> &lt;script&gt; late.")
    page = to_page(hostile)
    tree = etree.HTML(page)
    assert tree.xpath("//script | //img | //*[@onerror]") == []
    assert [heading.text.split()[3] for heading in tree.xpath("//h2")] == ["1", "1A", "2"]
    assert "default-src 'none'" in page
    shown = to_page(parse(inline_filing()))
    assert "us-gaap:Eps" in shown
    assert "<mark" in shown
    assert "</html>" in to_page(parse(SUBMISSION))


SIGNED = """<html><body><p>FORM 10-K</p><p>Signatures</p><table>
<tr><td>/s/ Ada Quill</td><td>/s/ Boris Alder</td></tr>
<tr><td>Ada Quill \u2013 Executive Vice President and</td><td>Boris Alder \u2013 Director</td></tr>
<tr><td>Chief Financial Officer</td><td></td></tr></table>
<p>/s/ Cora Finch</p><p>Cora Finch</p><p>Senior Director of Corporate Accounting</p></body></html>"""


def test_signatures_side_by_side_keep_their_own_titles() -> None:
    graph = read_entities(parse(SIGNED.encode()), filer_cik="0000000099")
    found = {(r.subject.canonical, r.predicate, r.detail) for r in graph.relations}
    assert found == {
        ("Ada Quill", "officer_of", "Executive Vice President and Chief Financial Officer"),
        ("Boris Alder", "director_of", "Director"),
    } | {triple for triple in found if triple[0] == "Cora Finch"}
    # An employee with the word in his title is no member of the board.
    assert ("Cora Finch", "director_of") not in {(name, predicate) for name, predicate, _ in found}
    assert {r.object.cik for r in graph.relations} == {"0000000099"}


def test_an_exhibit_speaks_of_subsidiaries_and_of_nobody_who_signed_it() -> None:
    lists = "<html><body><p>Exhibit 21.1</p><p>Subsidiaries of Wrenfield Corp</p><table><tr><td>Name</td><td>State</td></tr>"
    data = (
        lists
        + "<tr><td>Wrenfield GmbH</td><td>Germany</td></tr></table><p>/s/ Ada Quill</p><p>President</p></body></html>"
    )
    graph = read_entities(parse(data.encode(), Hints(document_type="EX-21.1")), filer_cik="0000000099")
    assert [(r.subject.canonical, r.predicate, r.object.canonical, r.detail) for r in graph.relations] == [
        ("Wrenfield GmbH", "subsidiary_of", "CIK 0000000099", "Germany")
    ]


@pytest.mark.parametrize(
    ("markup", "told"),
    [
        (
            "<p>/s/ Ada Quill, President, Chief<br/>Executive Officer</p>",
            ("Ada Quill", "President, Chief Executive Officer"),
        ),
        (
            "<table><tr><td>/s/ ADA QUILL</td></tr><tr><td>Officer</td></tr></table>",
            ("Ada Quill", "Officer"),
        ),
        (
            "<table><tr><td>/s/ ADA QUILL (Ada Quill)</td><td>Controller and Officer</td></tr></table>",
            ("Ada Quill", "Controller and Officer"),
        ),
        (
            "<table><tr><td>Name</td><td>Age</td><td>Position</td></tr><tr><td>Ada Quill</td><td>51</td>"
            "<td>Chief Engineer since May 2020. Prior to that she was President of Alder Corp.</td></tr></table>",
            ("Ada Quill", "Chief Engineer"),
        ),
    ],
)
def test_a_name_and_an_office_are_told_apart(markup: str, told: tuple[str, str]) -> None:
    graph = read_entities(parse(f"<html><body><p>FORM 10-K</p>{markup}</body></html>".encode()), filer_cik="0000000099")
    assert [(r.subject.canonical, r.detail) for r in graph.relations if r.predicate == "officer_of"] == [told]
