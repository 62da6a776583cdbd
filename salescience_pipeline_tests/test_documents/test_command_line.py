"""The command line for single files: shapes of its answers, and one sentence with exit code 2 for what cannot be read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from salescience_pipeline.cli.documents import app
from salescience_pipeline.documents.schemas import SCHEMAS
from salescience_pipeline_tests.test_documents.look_alikes import inline_filing
from salescience_pipeline_tests.test_documents.small_filings import RISKS, STATEMENT


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def filing(tmp_path: Path) -> Path:
    path = tmp_path / "filing.htm"
    path.write_bytes(inline_filing())
    return path


@pytest.fixture
def annual(tmp_path: Path) -> Path:
    path = tmp_path / "annual.htm"
    path.write_text(RISKS.replace("<body>", "<body><p>FORM 10-K</p>"))
    return path


def test_sections_have_the_promised_shape_and_cut_the_file(annual: Path) -> None:
    found = json.loads(run("sections", annual).stdout)
    assert [entry["item"] for entry in found] == ["1A", "1B"]
    assert {"part", "item", "title", "start", "end", "text_length", "method", "confidence"} <= set(found[0])
    assert annual.read_bytes()[found[0]["start"] : found[0]["end"]].startswith(b"<p><b>Item 1A.")
    assert found[0]["part"] == "I"


def test_facts_are_one_object_per_line_with_the_promised_keys(filing: Path) -> None:
    lines = [json.loads(line) for line in run("facts", filing).stdout.splitlines()]
    assert lines
    assert all(
        list(line) == ["concept", "entity", "start", "end", "dimensions", "unit", "decimals", "value", "nil", "lang"]
        for line in lines
    )


def test_parse_answers_as_reducto_does(filing: Path) -> None:
    answer = json.loads(run("parse", filing).stdout)
    assert answer["response_type"] == "parse"
    assert answer["result"]["chunks"][0]["blocks"][0]["bbox"]["page"] == 1


def test_tables_classification_entities_and_values(filing: Path, annual: Path, tmp_path: Path) -> None:
    tables = json.loads(run("tables", filing).stdout)
    assert tables[0]["cells"][0]["text"]
    (what,) = json.loads(run("classify", annual).stdout)
    assert (what["form"], what["role"]) == ("10-K", "main")
    assert json.loads(run("entities", filing).stdout)["entities"][0]["canonical"]
    asked = tmp_path / "schema.json"
    asked.write_text(json.dumps({"type": "object", "properties": {"period_end": {"type": "string", "format": "date"}}}))
    leaf = json.loads(run("extract", filing, "--schema", asked).stdout)["period_end"]
    assert leaf["value"] == "2026-03-31"
    assert leaf["citations"][0]["start"] < leaf["citations"][0]["end"]
    answer = json.loads(run("extract", annual, "--schema", "risk_factors", "--reducto").stdout)
    assert answer["result"]["risk_factors"][0]["title"]["citations"]


def test_diff_search_index_and_view(annual: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.htm"
    other.write_text(annual.read_text().replace("There are two.", "There are three."))
    found = json.loads(run("diff", annual, other).stdout)
    assert [section["status"] for section in found["sections"]] == ["changed", "unchanged"]
    index = tmp_path / "index.sqlite"
    assert run("index", annual, "--index", index).exit_code == 0
    (hit, *_) = json.loads(run("search", "suppliers", "--index", index, "--mode", "bm25").stdout)
    assert hit["form"] == "10-K"
    assert json.loads(run("search", "suppliers", annual, "--item", "1A").stdout)[0]["start"] > 0
    page = tmp_path / "page.html"
    assert run("view", annual, "--out", page).exit_code == 0
    assert "Item 1A" in page.read_text()


@pytest.mark.parametrize("command", ["parse", "facts", "sections", "tables", "classify", "entities"])
def test_every_command_also_speaks_to_people(command: str, filing: Path) -> None:
    answer = run(command, filing, "--text")
    assert answer.exit_code == 0
    assert answer.stdout == "" or not answer.stdout.startswith(("{", "["))


BAD = {
    "empty": (b"", "DOCUMENT_EMPTY"),
    "pdf": (b"%PDF-1.7\n1 0 obj", "DOCUMENT_UNSUPPORTED"),
    "zip": (b"PK\x03\x04" + b"\0" * 100, "DOCUMENT_UNSUPPORTED"),
    "not found": (b"<html><head><title>404 Not Found</title></head><body>not found</body></html>", "NOT_FOUND"),
    "bomb": (
        b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><html>&b;</html>',
        "DOCUMENT_CORRUPT",
    ),
    "cells": (
        b"<html><body><table><tr>" + b"<td>1</td>" * 200_000 + b"</tr></table></body></html>",
        "CELL_COUNT_EXCEEDED",
    ),
    "nested": (b"<html><body>" + b"<div>" * 200_000 + b"x</body></html>", "DOCUMENT_CORRUPT"),
}


@pytest.mark.parametrize("command", ["parse", "sections", "tables", "classify", "entities", "view"])
@pytest.mark.parametrize("name", BAD)
def test_a_document_that_cannot_be_read_is_one_sentence(name: str, command: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.htm"
    data, error = BAD[name]
    path.write_bytes(data)
    answer = run(command, path)
    assert answer.exit_code == 2
    assert answer.stdout == ""
    assert f"({error})" in answer.stderr.replace("\n", " ")
    assert "Traceback" not in answer.stderr


def test_the_next_document_goes_on(annual: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.htm"
    bad.write_bytes(b"")
    answer = run("search", "suppliers", bad, annual)
    assert answer.exit_code == 0
    assert "DOCUMENT_EMPTY" in answer.stderr
    assert json.loads(answer.stdout)


@pytest.mark.parametrize(
    "arguments",
    [
        ("sections", "nowhere.htm"),
        ("extract", "{file}", "--schema", "profits"),
        ("search", "?!", "{file}"),
        ("search", "x", "{file}", "--mode", "magic"),
        ("parse", "{file}", "--chunk-mode", "x"),
        ("search", "x", "--index", "nowhere.sqlite"),
    ],
)
def test_a_wrong_question_is_one_sentence(arguments: tuple[str, ...], annual: Path) -> None:
    answer = run(*(argument.replace("{file}", str(annual)) for argument in arguments))
    assert answer.exit_code == 2
    assert answer.stderr.startswith("Error: ")
    assert "Traceback" not in answer.stderr


def test_every_ready_schema_can_be_asked_of_any_filing(filing: Path, tmp_path: Path) -> None:
    statement = tmp_path / "statement.htm"
    statement.write_text(STATEMENT)
    for name in SCHEMAS:
        for path in (filing, statement):
            assert run("extract", path, "--schema", name).exit_code == 0


def test_the_installed_command_needs_no_settings(annual: Path, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SALESCIENCE_")}
    answer = subprocess.run(
        [sys.executable, "-c", "from salescience_pipeline.cli import main; main()", "documents", "sections", str(annual)],
        capture_output=True, text=True, check=False, cwd=tmp_path, env=environment,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)[0]["item"] == "1A"
