"""The nightly housekeeping: what it keeps, what it tells, and that one damaged table does not stop the others."""

from __future__ import annotations

import datetime as dt
import os

import pytest

from salescience_pipeline.acquisition.housekeeping import keep_house
from salescience_pipeline.acquisition.services import Services
from salescience_pipeline.lake.errors import UnknownTable
from salescience_pipeline.orchestration.maintenance import ANSWERS, JOB
from salescience_pipeline_tests.test_lake.rows import FACTS, PRICES, attempt, days, fact, price, table
from salescience_pipeline_tests.test_orchestration.conftest import Runner, failure_of


def _fill(services: Services) -> None:
    """Two tables; the one of prices was written twenty times, and a writer was interrupted yesterday."""
    for number, day in enumerate(days(20)):
        # The size at which files are left alone is far above these: they are written as small ones.
        services.tables.write(PRICES, table(PRICES, [price(f"T{number:02d}", day)]))
    services.tables.write(FACTS, table(FACTS, [fact(1, "Assets", None, 1.0)]))
    services.archive.put(attempt(), run_id="run-1", organization_id=None)
    left = services.archive.layout.incoming / "interrupted.tmp"
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_bytes(b"half")
    yesterday = (dt.datetime.now(dt.UTC) - dt.timedelta(days=1)).timestamp()
    os.utime(left, (yesterday, yesterday))


def test_a_round_keeps_every_table_copies_the_audit_and_sweeps(services: Services, runner: Runner) -> None:
    _fill(services)
    before = services.tables.read(PRICES).sort_by("ticker")
    result = runner.run(JOB)
    assert result.success
    (told,) = result.asset_materializations_for_node("keep_lake")
    assert told.asset_key.to_user_string() == ANSWERS
    assert told.metadata["rows_copied"].value == 1
    assert told.metadata["files_swept"].value == 1
    kept = {row.data["table"]: row.data for row in told.metadata["tables"].records}
    assert set(kept) == {PRICES, FACTS, ANSWERS}
    assert kept[PRICES]["files_after"] == 1
    assert services.tables.read(PRICES).sort_by("ticker").equals(before)
    assert services.tables.row_count(ANSWERS) == 1


def test_a_second_round_finds_nothing_to_do(services: Services) -> None:
    _fill(services)
    keep_house(services)
    versions = {name: services.tables.version(name) for name in (PRICES, FACTS, ANSWERS)}
    again = keep_house(services)
    assert versions == {name: services.tables.version(name) for name in versions}
    assert (again.answers_exported, again.files_swept, again.failed) == (0, 0, ())
    assert [kept.rows_rewritten for kept in again.tables] == [0, 0, 0]
    assert again.sentence.startswith("3 tables kept")


def test_a_damaged_table_is_named_and_the_others_are_kept(services: Services, runner: Runner) -> None:
    _fill(services)
    services.tables.write(FACTS, table(FACTS, [fact(2, "Assets", None, 1.0)]))
    log = services.archive.layout.table(FACTS) / "_delta_log" / "00000000000000000001.json"
    log.write_text("{")
    result = runner.run(JOB)
    assert not result.success
    assert FACTS in str(failure_of(result))
    assert services.tables.row_count(ANSWERS) == 1
    assert len(services.tables.file_uris(PRICES)) == 1


def test_what_cannot_be_asked_for_touches_nothing(services: Services) -> None:
    _fill(services)
    with pytest.raises(UnknownTable):
        keep_house(services, ["no_such_table"])
    with pytest.raises(ValueError, match="at least 24 hours"):
        keep_house(services, grace=dt.timedelta(hours=1))
    assert services.tables.version(ANSWERS) is None
