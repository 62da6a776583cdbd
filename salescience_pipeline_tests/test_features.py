"""Every row of the source systems has its test or its reason, and the page that lists them is current."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from salescience_pipeline_tests import features


def test_every_row_has_a_test_or_a_reason() -> None:
    missing = [row for row, tests in features.proofs().items() if not tests and row not in features.NOT_MET]
    assert missing == []


def test_what_is_named_is_there() -> None:
    known = set(features.tests())
    assert {test for tests in features.PROVED.values() for test in tests} <= known
    assert set(features.PROVED) | set(features.NOT_MET) <= set(features.ROWS)
    named = {row for test in known for row in features.ids_of(test.rpartition("::")[2])}
    # Of the third source only the rows of the service side stand in the table.
    assert {row for row in named if not row.startswith("003-")} <= set(features.ROWS)


def test_names_carry_ids() -> None:
    assert features.ids_of("test_001_06_and_14_and_004_02_a_job_of_50_mb") == ["001-06", "001-14", "004-02"]
    assert features.ids_of("test_2000_011_rows_1000_01") == []


def test_the_page_is_current() -> None:
    assert features.PAGE.read_text(encoding="utf-8") == features.page(), (
        "python -m salescience_pipeline_tests.features --write"
    )


def test_a_run_says_what_passed(tmp_path: Path) -> None:
    """A run of one test leaves its outcome where the table reads it."""
    node = "salescience_pipeline_tests/test_features.py::test_names_carry_ids"
    told = tmp_path / "features.json"
    program = "import sys, pytest; sys.exit(pytest.main(sys.argv[1:]))"
    subprocess.run(
        [sys.executable, "-c", program, "-q", "-p", "no:cacheprovider", node, f"--features-file={told}"],
        check=True, capture_output=True, cwd=features.ROOT,
    )  # fmt: skip
    assert json.loads(told.read_text()) == {"test_features.py::test_names_carry_ids": "passed"}
    assert "000-01  not run" in features.table({})
