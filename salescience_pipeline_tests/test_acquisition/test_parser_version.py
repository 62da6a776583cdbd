"""The version of the engine is raised when its output changes, and only then."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from salescience_pipeline.acquisition.parser_version import parser_version
from salescience_pipeline_tests.test_acquisition import golden

ADVICE = (
    "What the engine understands has changed in {tables}. If that is meant, raise PARSER_VERSION, so that stored documents are "
    "read again, and run `python -m salescience_pipeline_tests.test_acquisition.golden` with SALESCIENCE_CORPUS set."
)


def changed(kept: dict[str, str], now: dict[str, str]) -> str:
    return ", ".join(sorted(name for name in {*kept, *now} if kept.get(name) != now.get(name)))


@pytest.mark.corpus
def test_the_output_is_that_of_the_version_that_is_written_beside_it() -> None:
    kept = json.loads(golden.GOLDEN.read_text("utf-8"))
    tables = changed(kept["look_alikes"], golden.digests(golden.look_alikes()))
    assert not tables, ADVICE.format(tables=tables)
    if samples := golden.recorded():
        tables = changed(kept["recorded"], golden.digests(samples))
        assert not tables, ADVICE.format(tables=tables)
    assert kept["version"] == parser_version(), "The version was raised: write the golden output anew."


def test_every_table_has_a_sample_that_would_tell_of_a_change() -> None:
    first = golden.digests(golden.look_alikes())
    nothing = golden.digests([("empty.htm", b"<p> </p>", "", "")])
    assert changed(first, nothing).count("doc_salescience__") == len(first) == len(nothing)
    assert Path(golden.GOLDEN).exists()
