"""Verification finds what was harmed, says where, and is silent about a lake that is well."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from deltalake import write_deltalake

from salescience_pipeline.lake.archive import Archive
from salescience_pipeline.lake.tables import Tables
from salescience_pipeline.lake.verify import Report, verify
from salescience_pipeline_tests.test_lake.rows import COMPANIES, DIGEST, PRICES, attempt, price, table

LARGE = b"0123456789" * 10_000


@pytest.fixture
def lake(tmp_path: Path) -> tuple[Archive, Tables]:
    tables = Tables(tmp_path)
    with Archive(tmp_path) as archive:
        assert archive.put(attempt("/small", b"an answer"), "run", None).sha256 == DIGEST
        archive.put(attempt("/large", LARGE), "run", None)
        archive.put(attempt("/failed", None, complete=False, error="The host hung up."), "run", None)
        tables.write(PRICES, table(PRICES, [price("A"), price("B")]))
        tables.write(COMPANIES, table(COMPANIES, [{"cik": "0000000001", "name": "One"}]))
    return archive, tables


def kinds(report: Report) -> list[tuple[str, str]]:
    return [(problem.where, problem.kind) for problem in report.problems]


def test_an_empty_lake_is_well(tmp_path: Path) -> None:
    report = verify(Archive(tmp_path), Tables(tmp_path))
    assert report.ok
    assert not list(tmp_path.iterdir())


def test_a_sound_lake_is_well_and_counted(lake: tuple[Archive, Tables]) -> None:
    told: list[tuple[str, int, int]] = []
    report = verify(*lake, progress=lambda *step: told.append(step))
    assert report.ok, report.problems
    assert (report.archive.answers, report.archive.bodies, report.archive.bytes) == (3, 2, len(LARGE) + 9)
    assert {(one.name, one.rows, one.files) for one in report.tables} == {(PRICES, 2, 1), (COMPANIES, 1, 1)}
    assert [step for step in told if step[0] == "archive"] == [("archive", 1, 2), ("archive", 2, 2)]
    assert told[-1][1] == told[-1][2]
    assert json.loads(json.dumps(report.to_dict()))["ok"] is True


def test_leftovers_of_killed_writers_are_counted_and_no_problem(lake: tuple[Archive, Tables]) -> None:
    archive, tables = lake
    orphan = archive.layout.blob("ab" * 32)
    orphan.parent.mkdir(parents=True)
    orphan.write_bytes(b"whatever")
    (archive.layout.incoming / "half.tmp").write_bytes(b"ha")
    report = verify(archive, tables)
    assert report.ok
    assert (report.archive.orphans, report.archive.unfinished) == (1, 1)


def test_a_damaged_and_a_lost_body_are_named(lake: tuple[Archive, Tables]) -> None:
    archive, tables = lake
    ref = archive.put(attempt("/large2", LARGE + b"2"), "run", None)
    archive.layout.blob(ref.sha256).unlink()
    (blob,) = (path for path in archive.layout.blobs.rglob("*.zst"))
    content = bytearray(blob.read_bytes())
    content[len(content) // 2] ^= 1
    blob.write_bytes(content)
    report = verify(archive, tables)
    assert kinds(report) == [("archive", "damaged body")] * 2
    messages = " ".join(problem.message for problem in report.problems)
    assert blob.name.removesuffix(".zst") in messages
    assert ref.sha256 in messages
    assert archive.latest(attempt("/large").request) is None


def test_a_foreign_file_among_the_blobs_is_named(lake: tuple[Archive, Tables]) -> None:
    archive, tables = lake
    (archive.layout.blobs / "notes.txt").write_text("hello")
    (archive.layout.blobs / f"{'cd' * 32}.zst").write_bytes(b"misplaced")
    assert kinds(verify(archive, tables)) == [("archive", "foreign file")] * 2


def test_rows_of_an_unknown_answer_are_found(lake: tuple[Archive, Tables]) -> None:
    archive, tables = lake
    tables.write(PRICES, table(PRICES, [price("C") | {"raw_sha256": "cd" * 32}]))
    report = verify(archive, tables)
    assert kinds(report) == [(PRICES, "raw answer")]
    assert "cd" * 32 in report.problems[0].message


def test_duplicate_keys_and_nulls_written_by_others_are_found(lake: tuple[Archive, Tables]) -> None:
    archive, tables = lake
    write_deltalake(tables.uri(PRICES), table(PRICES, [price("B")] * 2), mode="append")
    report = verify(archive, tables)
    assert kinds(report) == [(PRICES, "duplicate key")]
    assert "ticker='B'" in report.problems[0].message


def test_a_lost_a_cut_and_a_swapped_data_file_are_named(lake: tuple[Archive, Tables]) -> None:
    archive, tables = lake
    (prices,) = map(Path, tables.file_uris(PRICES))
    (companies,) = map(Path, tables.file_uris(COMPANIES))
    good = prices.read_bytes()
    prices.unlink()
    assert kinds(verify(archive, tables)) == [(PRICES, "unreadable file")]
    prices.write_bytes(good[:-100])
    assert kinds(verify(archive, tables)) == [(PRICES, "unreadable file")]
    other = Tables(archive.layout.root / "other")
    other.write(PRICES, table(PRICES, [price("A"), price("B"), price("C")]))
    prices.write_bytes(Path(other.file_uris(PRICES)[0]).read_bytes())
    assert kinds(verify(archive, tables)) == [(PRICES, "row count")]
    prices.write_bytes(companies.read_bytes())
    assert (PRICES, "null") in kinds(verify(archive, tables))


def test_many_problems_of_a_kind_are_counted_and_not_listed(lake: tuple[Archive, Tables]) -> None:
    archive, tables = lake
    rows = [price(f"T{number}") | {"raw_sha256": f"{number:064x}"} for number in range(50)]
    tables.write(PRICES, table(PRICES, rows))
    report = verify(archive, tables)
    assert len(report.problems) == 21
    assert report.problems[-1].message == "30 more of this kind."
