"""What this version of the engine makes of sample documents, as digests per table: ``golden.json`` beside this file.

``python -m salescience_pipeline_tests.test_acquisition.golden`` writes it anew, for a version that was raised on purpose. With
SALESCIENCE_CORPUS it has a second part over recorded filings, of which only the digests are kept.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

from salescience_pipeline.acquisition.document_rows import Outcome, StoredDocument, refused, rows_of
from salescience_pipeline.acquisition.parser_version import parser_version
from salescience_pipeline.catalog.tables import PROVENANCE
from salescience_pipeline.documents import DocumentError, Hints, parse
from salescience_pipeline_tests.test_documents.look_alikes import OLD_HTML, SUBMISSION, TYPEWRITTEN, inline_filing
from salescience_pipeline_tests.test_documents.small_filings import EX_21, FORM_4, RISKS, STATEMENT

GOLDEN = Path(__file__).with_name("golden.json")
_EVERY = 11
_DAY = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
_FOLDERS = ("corpus/filings", "corpus/full_submission", "groundtruth/html_old", "groundtruth/edgar_crawler/raw")
_NOT_OUTPUT = {*PROVENANCE, "parser_version", "cpu_seconds", "sha256"}

Sample = tuple[str, bytes, str, str]
"""Name, bytes, form, type of the document."""


def look_alikes() -> list[Sample]:
    """Documents of every kind, made for tests."""
    return [
        ("inline.htm", inline_filing(), "10-Q", "10-Q"),
        ("old.htm", OLD_HTML, "10-K", "10-K"),
        ("typed.txt", TYPEWRITTEN, "10-K", "10-K"),
        ("submission.txt", SUBMISSION, "", ""),
        ("statement.htm", STATEMENT.encode(), "10-K", "10-K"),
        ("risks.htm", RISKS.encode(), "10-K", "10-K"),
        ("form4.xml", FORM_4.encode(), "4", "4"),
        ("ex21.htm", EX_21.encode(), "10-K", "EX-21.1"),
        (
            "event.htm",
            b"<html><body><p><b>Item 8.01 Other Events.</b></p><p>It rained.</p></body></html>",
            "8-K",
            "8-K",
        ),
    ]


def recorded() -> list[Sample]:
    """Some recorded filings of every kind; none without the corpus."""
    root = os.environ.get("SALESCIENCE_CORPUS")
    if not root:
        return []
    wanted = {".htm", ".html", ".txt"}
    paths = [
        path
        for folder in _FOLDERS
        for path in sorted(Path(root, folder).rglob("*"))
        if path.suffix in wanted and path.stat().st_size < 1_500_000
    ][::_EVERY]
    return [(path.name, path.read_bytes(), "8-K" if "edgar_crawler" in path.parts else "", "") for path in paths]


def digests(samples: Iterable[Sample]) -> dict[str, str]:
    """A digest per table over what the engine makes of ``samples``."""
    found: dict[str, hashlib._Hash] = {}
    for name, data, form, kind in samples:
        stored = StoredDocument(
            "0009900001-26-000001", name, "0009900001", form, kind or None, "", len(data), _DAY,
            "golden",
        )  # fmt: skip
        try:
            tables = rows_of(parse(data, Hints(name, form, kind)), stored, Outcome())
        except DocumentError as error:
            tables = refused(stored, Outcome(error_name=error.name, reason=str(error)))
        for table, rows in tables.items():
            output = rows.drop_columns([column for column in rows.column_names if column in _NOT_OUTPUT])
            found.setdefault(table, hashlib.sha256()).update(json.dumps(output.to_pylist(), default=str).encode())
    return {table: digest.hexdigest()[:16] for table, digest in sorted(found.items())}


def golden() -> dict[str, object]:
    """What ``golden.json`` has to hold now; without the corpus its part over recorded filings stays."""
    known = json.loads(GOLDEN.read_text("utf-8")) if GOLDEN.exists() else {}
    samples = recorded()
    return {
        "version": parser_version(),
        "look_alikes": digests(look_alikes()),
        "recorded": digests(samples) if samples else known.get("recorded", {}),
    }


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(golden(), indent=2) + "\n", "utf-8")
