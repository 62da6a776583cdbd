"""The engine on recorded filings; without SALESCIENCE_CORPUS the same questions are asked of our look-alikes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from lxml import etree

from salescience_pipeline.documents import Document, parse
from salescience_pipeline.documents.fact_model import Fact
from salescience_pipeline_tests.test_documents.look_alikes import (
    OLD_HTML,
    SUBMISSION,
    TYPEWRITTEN,
    corpus,
    inline_filing,
)

IX = "{http://www.xbrl.org/2013/inlineXBRL}"


def filings(pattern: str, most: int) -> list[bytes]:
    """Up to ``most`` recorded files, spread over the folder; our look-alikes without a corpus."""
    folder = corpus()
    if folder is None:
        return [inline_filing(), OLD_HTML, TYPEWRITTEN, SUBMISSION]
    paths = sorted(path for path in Path(folder).glob(pattern) if path.stat().st_size < 1_000_000)
    return [path.read_bytes() for path in paths[:: max(1, len(paths) // most)][:most]]


@pytest.mark.corpus
@pytest.mark.parametrize("pattern", ["corpus/filings/8-K/*", "groundtruth/html_old/*", "corpus/full_submission/*"])
def test_every_kind_of_filing_goes_through(pattern: str) -> None:
    for data in filings(pattern, 8):
        document = parse(data)
        assert document.blocks
        _check_places(document, data)


def _check_places(document: Document, data: bytes) -> None:
    before = 0
    for part in document.parts:
        for block in part.blocks:
            assert part.base <= block.start < block.end <= part.base + len(part.source.data)
            assert block.text.strip() or block.type.value == "Figure"
            if block.table is not None:
                assert all(
                    0 <= cell.row < block.table.n_rows and 0 <= cell.col < block.table.n_cols
                    for cell in block.table.cells
                )
        pages = [block.page for block in part.blocks]
        assert pages == sorted(pages)
        before = max(before, part.base)
    assert before <= len(data)


@pytest.mark.corpus
def test_facts_are_those_that_lxml_sees() -> None:
    for data in filings("corpus/filings/10-Q/*", 2):
        if b"/inlineXBRL" not in data or data.lstrip().startswith(b"<SEC"):
            continue
        tree = etree.fromstring(data.lstrip(), etree.XMLParser(huge_tree=True))
        expected = Counter(
            str(element.get("name")) for local in ("nonFraction", "nonNumeric") for element in tree.iter(IX + local)
        )
        facts = parse(data).facts
        assert Counter(fact.concept for fact in facts) == expected
        assert facts.problems == []


@pytest.mark.corpus
def test_the_numbers_of_a_statement_stand_in_the_cells_that_show_them() -> None:
    for data in filings("corpus/filings/10-Q/*", 2):
        document = parse(data)
        in_cells = [
            (fact, place.cell)
            for fact, place in zip(document.facts, document.places, strict=True)
            if place.cell is not None
        ]
        for fact, cell in in_cells:
            if fact.numeric and not fact.nil and fact.document == 0:
                shown = "".join(etree.HTML(document.bytes_of(fact.start, fact.end)).itertext())
                assert " ".join(shown.split()) in cell.text


def _row(fact: Fact) -> tuple[object, ...]:
    context = fact.context
    return (
        fact.ix_id,
        fact.concept,
        context.entity,
        context.start,
        context.end,
        tuple(sorted(context.dimensions.items())),
        fact.unit.text if fact.unit is not None else None,
        fact.decimals,
        fact.number if fact.number is not None else fact.value,
        fact.nil,
        fact.lang,
    )


@pytest.mark.corpus
def test_facts_are_those_of_edgars_own_instance() -> None:
    folder = corpus()
    if folder is None:
        facts = parse(inline_filing()).facts
        assert len({_row(fact) for fact in facts}) == len(facts) == 10
        return
    for instance in (folder / "groundtruth/sec_pairs").glob("*_htm.xml"):
        ours = parse(instance.with_name(instance.name.replace("_htm.xml", ".htm")).read_bytes()).facts
        theirs = parse(instance.read_bytes()).facts
        assert ours.problems == theirs.problems == []
        assert Counter(map(_row, ours)) == Counter(map(_row, theirs))
