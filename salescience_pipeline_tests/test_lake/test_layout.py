"""Any string is refused or names one place inside the lake, and comes back from it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from salescience_pipeline.catalog.tables import TABLES
from salescience_pipeline.identifiers import InvalidIdentifier
from salescience_pipeline.lake.layout import Layout, OutsideLake

HOSTILE = [
    "../../etc/passwd",
    "..",
    ".",
    "",
    "/",
    "/etc",
    "a/b",
    "a\\b",
    "a\nb",
    "a\x00b",
    "%2e%2e%2f",
    "con",
    "core_sec__facts/../x",
    "core_sec__facts\n",
    "core_sec__" + "a" * 300,
    "\uff43ore_sec__facts",
    "a" * 64 + "/..",
    "A" * 64,
    "é" * 64,
]


@given(st.one_of(st.text(), st.from_regex(r"[0-9a-f]{60,70}"), st.sampled_from(HOSTILE)))
@example("0" * 64)
def test_threat_2_any_string_is_refused_as_a_digest_or_stays_inside_and_comes_back(text: str) -> None:
    layout = Layout(Path("/nowhere/lake"))
    try:
        path = layout.blob(text)
    except InvalidIdentifier:
        return
    assert os.path.realpath(path).startswith("/nowhere/lake/archive/blobs/")
    assert layout.digest_of(path) == text
    assert (layout.archive / layout.relative(path)) == path


@given(st.one_of(st.text(), st.from_regex(r"(core|raw)_[a-z]+__[a-z_/.]+"), st.sampled_from([*HOSTILE, *TABLES])))
def test_threat_2_any_string_is_refused_as_a_table_or_names_a_folder_of_its_own(text: str) -> None:
    layout = Layout(Path("/nowhere/lake"))
    try:
        path = layout.table(text)
    except InvalidIdentifier:
        return
    assert os.path.realpath(path) == f"/nowhere/lake/tables/{path.name}"
    assert path.name == text.strip()
    assert len(path.name) < 200


def test_every_table_of_the_catalogue_has_a_folder_and_a_lock() -> None:
    layout = Layout(Path("/nowhere/lake"))
    assert len({layout.table(name) for name in TABLES} | {layout.lock(name) for name in TABLES}) == 2 * len(TABLES)


def test_threat_2_a_link_that_leads_out_of_the_lake_is_refused(tmp_path: Path) -> None:
    layout, outside = Layout(tmp_path / "lake"), tmp_path / "outside"
    outside.mkdir()
    layout.tables.mkdir(parents=True)
    (layout.tables / "core_sec__facts").symlink_to(outside)
    (layout.blobs / "ab").mkdir(parents=True)
    (layout.blobs / "ab" / "cd").symlink_to(outside)
    with pytest.raises(OutsideLake):
        layout.table("core_sec__facts")
    with pytest.raises(OutsideLake):
        layout.blob("abcd" + "0" * 60)


def test_a_file_elsewhere_is_no_blob() -> None:
    layout = Layout(Path("/nowhere/lake"))
    misplaced = layout.blobs / "00" / "00" / f"{'ab' * 32}.zst"
    with pytest.raises(OutsideLake):
        layout.digest_of(misplaced)
    with pytest.raises(InvalidIdentifier):
        layout.digest_of(layout.blobs / "note.txt")
