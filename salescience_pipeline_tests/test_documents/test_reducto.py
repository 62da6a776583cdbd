"""The answer in Reducto's shape, and chunks."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from salescience_pipeline.documents import parse
from salescience_pipeline.documents.chunks import CHUNK_MODES, chunk_blocks, passages
from salescience_pipeline.documents.errors import InvalidOption
from salescience_pipeline.documents.extract import extract
from salescience_pipeline.documents.extract_reducto import to_reducto as extract_answer
from salescience_pipeline.documents.model import Block, BlockType
from salescience_pipeline.documents.reducto import ParseOptions, to_reducto
from salescience_pipeline.documents.sections import find_sections
from salescience_pipeline.documents.split_reducto import to_classification, to_split
from salescience_pipeline.documents.table_output import FORMATS, table_text
from salescience_pipeline_tests.test_documents.look_alikes import (
    OLD_HTML,
    STATEMENT,
    SUBMISSION,
    TYPEWRITTEN,
    corpus,
    inline_filing,
)

OWN_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["job_id", "duration", "usage", "result"],
    "properties": {
        "result": {
            "required": ["type", "chunks"],
            "properties": {
                "chunks": {
                    "items": {
                        "required": ["content", "embed", "enriched", "blocks"],
                        "properties": {"blocks": {"items": {"required": ["type", "bbox", "content"]}}},
                    }
                }
            },
        }
    },
}


def _json_schema(node: Any) -> Any:
    """OpenAPI 3.0 says ``nullable`` where JSON Schema wants a type of its own."""
    if isinstance(node, list):
        return [_json_schema(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: _json_schema(value) for key, value in node.items()}
    if node.pop("nullable", False):
        return {"anyOf": [node, {"type": "null"}]}
    return node


def response_schema(name: str = "ParseResponse") -> dict[str, Any]:
    """The vendor's schema; without the recorded data, what of it we know by heart."""
    folder = corpus()
    if folder is None:
        return OWN_SCHEMA if name == "ParseResponse" else {"type": "object", "required": ["result"]}
    path = folder / "groundtruth/reducto_openapi/reducto-document-api-openapi.original.yml"
    return {
        "$ref": f"#/components/schemas/{name}",
        "components": _json_schema(yaml.safe_load(path.read_text()))["components"],
    }


@pytest.mark.corpus
@pytest.mark.parametrize("mode", CHUNK_MODES)
def test_every_answer_fits_the_vendors_schema(mode: str) -> None:
    validator = Draft202012Validator(response_schema())
    for data in (inline_filing(), OLD_HTML, TYPEWRITTEN, SUBMISSION):
        options = ParseOptions(chunk_mode=mode, embedding_optimized=True, return_citations=True, add_page_markers=True)
        answer = to_reducto(parse(data), options)
        assert [error.message for error in validator.iter_errors(answer)] == []
        types = [block["type"] for chunk in answer["result"]["chunks"] for block in chunk["blocks"]]
        assert types == [block.type.value for block in parse(data).blocks]


def test_blocks_say_where_they_are() -> None:
    answer = to_reducto(parse(OLD_HTML))
    blocks = [block for chunk in answer["result"]["chunks"] for block in chunk["blocks"]]
    for block in blocks:
        box, place = block["bbox"], block["extra"]["source"]
        assert 0 <= box["top"] <= box["top"] + box["height"] <= 1.000001
        assert (box["left"], box["width"]) == (0, 1)
        assert 0 <= place["start"] < place["end"] <= len(OLD_HTML)
    assert [block["bbox"]["page"] for block in blocks] == [1, 1, 1, 1, 1, 1, 2, 2]
    assert answer["usage"] == {
        "num_pages": 2,
        "credits": 1.0,
        "credit_breakdown": {"html_page": 1.0},
        "page_billing_breakdown": {"1": ["html_page"], "2": ["html_page"]},
    }


def test_the_same_document_is_the_same_job() -> None:
    assert to_reducto(parse(OLD_HTML))["job_id"] == to_reducto(parse(OLD_HTML))["job_id"]
    assert to_reducto(parse(OLD_HTML), job_id="mine")["job_id"] == "mine"


@pytest.mark.parametrize("mode", CHUNK_MODES)
def test_every_block_is_in_exactly_one_chunk(mode: str) -> None:
    blocks = parse(SUBMISSION).blocks
    chunks = chunk_blocks(blocks, mode)
    assert [block for chunk in chunks for block in chunk.blocks] == blocks


def test_chunk_modes_cut_where_they_say() -> None:
    body = "".join(f"<h2>Part {n}</h2><h3>Sub {n}</h3><p>{'words ' * 60}</p><p>{'more ' * 60}</p>" for n in range(6))
    blocks = parse(f"<html><body>{body}</body></html>".encode()).blocks
    assert len(chunk_blocks(blocks, "disabled")) == 1
    assert len(chunk_blocks(blocks, "block")) == 24
    assert [chunk.blocks[0].text for chunk in chunk_blocks(blocks, "section")] == [f"Part {n}" for n in range(6)]
    sizes = [len(chunk.text) for chunk in chunk_blocks(blocks, "variable")]
    assert all(250 <= size <= 1600 for size in sizes)
    assert max(len(chunk.text) for chunk in chunk_blocks(blocks, "variable", 400)) < 800
    assert chunk_blocks([], "variable") == []


def test_contents_are_marked_filtered_and_overlapped() -> None:
    options = ParseOptions(
        chunk_mode="page", filter_blocks=("Page Number", "List Item"), add_page_markers=True, chunk_overlap=12
    )
    first, second = to_reducto(parse(OLD_HTML), options)["result"]["chunks"]
    assert first["content"].startswith("[[START OF PAGE 1]]\n\n# FORM 10-K\n\n### Item 1. Business")
    assert "chairs\n\ntables" not in first["content"]
    assert second["content"].endswith("[[END OF PAGE 2]]")
    assert second["embed"].startswith(first["content"][-12:])


def test_page_ranges_and_bad_options() -> None:
    document = parse(OLD_HTML)
    answer = to_reducto(document, ParseOptions(page_range=(2, 9)))
    assert answer["usage"]["num_pages"] == 1
    for options in (
        ParseOptions(chunk_mode="paragraph"),
        ParseOptions(chunk_size=0),
        ParseOptions(filter_blocks=("Chapter",)),
        ParseOptions(page_range=(0, 3)),
        ParseOptions(table_output_format="pdf"),
    ):
        with pytest.raises(InvalidOption) as caught:
            to_reducto(document, options)
        assert caught.value.name == "INVALID_CONFIG"


@pytest.mark.parametrize("output_format", FORMATS)
def test_tables_are_written_in_every_format(output_format: str) -> None:
    table = parse(inline_filing(STATEMENT)).tables[0]
    text = table_text(table, output_format)
    assert text.index("March 31, 2026") < text.index("Cash &") < text.index("(15,552)") < text.index("(19,154)")


def test_html_tables_keep_spans() -> None:
    body = '<table><tr><td></td><td colspan="2">Months &lt; 3</td></tr><tr><td>a</td><td>1</td><td>2</td></tr></table>'
    table = parse(f"<html><body>{body}</body></html>".encode()).tables[0]
    assert table_text(table, "dynamic") == (
        '<table><tr><th></th><th colspan="2">Months &lt; 3</th></tr><tr><td>a</td><td>1</td><td>2</td></tr></table>'
    )


@pytest.mark.corpus
@pytest.mark.parametrize("data", [inline_filing(), OLD_HTML, TYPEWRITTEN, SUBMISSION])
def test_sections_kind_and_values_fit_the_vendors_schema(data: bytes) -> None:
    document = parse(data)
    values = extract(document, "balance_sheet")
    answers = {
        "SplitResponse": to_split(document),
        "ClassifyResponse": to_classification(document),
        "V3ExtractResponse": extract_answer(document, values),
        "ExtractResponse": extract_answer(document, values, citations=False),
    }
    for name, answer in answers.items():
        validator = Draft202012Validator(response_schema(name))
        assert [error.message for error in validator.iter_errors(answer)] == [], name
    assert len(answers["SplitResponse"]["result"]["splits"]) == len(find_sections(document))


def test_a_split_names_the_pages_of_its_item() -> None:
    rule = '<hr style="page-break-after:always"/>'
    first, second = "<p><b>Item 1. Business</b></p><p>We mine.</p>", "<p><b>Item 1A. Risk Factors</b></p><p>Few.</p>"
    told = f"{first}{rule}<p>More.</p>{rule}{second}"
    answer = to_split(parse(f"<html><body><p>FORM 10-K</p>{told}</body></html>".encode()))
    assert answer["result"]["section_mapping"] == {"Part I Item 1": [1, 2], "Part I Item 1A": [3]}
    kind = to_classification(parse(f"<html><body><p>FORM 10-K</p>{told}</body></html>".encode()))
    assert kind["result"] == {"category": "10-K"}
    assert kind["response_confidence"]["categories"][0]["criteria_confidence"][0]["confidence"] == "high"


@pytest.mark.parametrize("mode", CHUNK_MODES)
def test_passages_stay_in_their_section_and_hold_no_page_furniture(mode: str) -> None:
    kinds = (BlockType.SECTION_HEADER, BlockType.TEXT, BlockType.PAGE_NUMBER, BlockType.FOOTER, BlockType.TEXT)
    blocks = [Block(kinds[n % 5], f"block {n}", n * 10, n * 10 + 9, n // 5 + 1) for n in range(40)]
    found = passages(blocks, lambda block: block.start // 120, mode)
    read = [block for chunk in found for block in chunk.blocks]
    assert read == [block for block in blocks if block.type not in (BlockType.PAGE_NUMBER, BlockType.FOOTER)]
    assert all(len({block.start // 120 for block in chunk.blocks}) == 1 for chunk in found)
