"""The audit held against what was written down of it elsewhere, by an attacker who may do everything in the database."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from sqlalchemy import text

from salescience_pipeline.acquisition.housekeeping import keep_house
from salescience_pipeline.acquisition.services import Services
from salescience_pipeline.identifiers import OrganizationId
from salescience_pipeline.ledger import Ledger
from salescience_pipeline.ledger.anchors import AnchorBroken, Anchors
from salescience_pipeline.ledger.audit_log import Verdict
from salescience_pipeline.ledger.ledger import anchors_of_settings
from salescience_pipeline.ledger.vault import LocalMasterKeys
from salescience_pipeline.settings import Settings
from salescience_pipeline_tests.commands import environment, salescience
from salescience_pipeline_tests.test_gateway.conftest import ACME

MONDAY = dt.date(2026, 11, 16)
OTHER = OrganizationId("other")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger of two chains, whose triggers an attacker has taken away."""
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as opened:
        _add(opened, 3)
        opened.audit.record(OTHER, actor="b", action="x", target="1", request_id="r")
        with opened.engine.begin() as connection:
            connection.execute(text("DROP TRIGGER audit_log_no_update"))
            connection.execute(text("DROP TRIGGER audit_log_no_delete"))
        yield opened


@pytest.fixture
def anchors(tmp_path: Path) -> Anchors:
    return Anchors(tmp_path / "anchors", LocalMasterKeys([b"k" * 32]))


def _add(ledger: Ledger, entries: int) -> None:
    for number in range(entries):
        ledger.audit.record(ACME, actor="a", action="x", target=str(number), request_id="r")


def _verdict(ledger: Ledger, anchors: Anchors) -> Verdict:
    return next(found for found in ledger.audit.verify(anchors=anchors.read()) if found.organization_id == "acme")


def _attack(ledger: Ledger, statement: str) -> None:
    with ledger.engine.begin() as connection:
        connection.execute(text(statement))


def _make_anew(ledger: Ledger, entries: int) -> None:
    """A chain of other entries that is sound in itself."""
    _attack(ledger, "DELETE FROM audit_log WHERE organization_id = 'acme'")
    for number in range(entries):
        ledger.audit.record(ACME, actor="somebody else", action="x", target=str(number), request_id="r")


def test_003_37_threat_17_a_chain_made_anew_and_a_cut_tail_show_at_their_place(
    ledger: Ledger, anchors: Anchors
) -> None:
    assert [(head.organization_id, head.seq) for head in ledger.audit.heads()] == [("acme", 3), ("other", 1)]
    assert anchors.write(ledger.audit.heads(), MONDAY) is not None
    _add(ledger, 2)
    assert anchors.write(ledger.audit.heads(), MONDAY + dt.timedelta(days=1)) is not None
    assert _verdict(ledger, anchors).broken_at is None
    _attack(ledger, "DELETE FROM audit_log WHERE organization_id = 'acme' AND seq > 3")
    cut = _verdict(ledger, anchors)
    assert (cut.broken_at, cut.reason) == (4, "the entries up to 5, which the anchor of 2026-11-17 names, are gone")
    _make_anew(ledger, 6)
    # Without anchors nothing is wrong with it.
    assert ledger.audit.verify()[0].broken_at is None
    forged = _verdict(ledger, anchors)
    assert (forged.broken_at, forged.reason) == (3, "it is not the entry that the anchor of 2026-11-16 names")
    _attack(ledger, "DELETE FROM audit_log WHERE organization_id = 'acme'")
    assert _verdict(ledger, anchors).broken_at == 1


@pytest.mark.parametrize("tampering", ["delete", "edit", "exchange", "insert"])
def test_003_37_threat_17_a_file_of_anchors_that_was_touched_is_named(
    ledger: Ledger, anchors: Anchors, tmp_path: Path, tampering: str
) -> None:
    days = [MONDAY + dt.timedelta(days=number) for number in range(3)]
    written = [anchors.write(ledger.audit.heads(), day) for day in days]
    first, second, third = (path for path in written if path is not None)
    assert anchors.write(ledger.audit.heads(), MONDAY) is None
    match tampering:
        case "delete":
            second.unlink()
        case "edit":
            table = pq.read_table(second)
            forged = table.set_column(3, "hash", [["f" * 64] * table.num_rows]).replace_schema_metadata(
                table.schema.metadata
            )
            pq.write_table(forged, second)
        case "exchange":
            shutil.copy(first, second)
        case "insert":
            stranger = Anchors(tmp_path / "elsewhere", LocalMasterKeys([b"e" * 32]))
            made = stranger.write(ledger.audit.heads(), days[-1] + dt.timedelta(days=1))
            assert made is not None
            shutil.copy(made, first.parent)
    with pytest.raises(AnchorBroken, match=r"2026-11-1\d"):
        anchors.read()
    assert third.exists()


def test_003_37_anchors_outlive_a_master_key(ledger: Ledger, tmp_path: Path) -> None:
    old, new = b"o" * 32, b"n" * 32
    Anchors(tmp_path / "anchors", LocalMasterKeys([old])).write(ledger.audit.heads(), MONDAY)
    assert Anchors(tmp_path / "anchors", LocalMasterKeys([new, old])).sign_again() == 1
    (kept,) = Anchors(tmp_path / "anchors", LocalMasterKeys([new])).read()
    assert kept.day == MONDAY
    with pytest.raises(AnchorBroken, match="not signed"):
        Anchors(tmp_path / "anchors", LocalMasterKeys([old])).read()


def test_003_37_the_daily_housekeeping_anchors_and_verify_reads_it(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with Services(settings) as services:
        _add(services.ledger, 3)
        assert keep_house(services).chains_anchored == 1
        assert keep_house(services).chains_anchored == 0
        (anchor,) = anchors_of_settings(settings).read()
        assert [(head.organization_id, head.seq) for head in anchor.heads] == [("acme", 3)]
        sound = salescience("audit", "verify", "--json", env=environment(tmp_path))
        assert (sound.returncode, json.loads(sound.stdout)[0]["broken_at"]) == (0, None)
        _attack(services.ledger, "DROP TRIGGER audit_log_no_delete")
        _make_anew(services.ledger, 4)
    broken = salescience("audit", "verify", "--json", env=environment(tmp_path))
    assert broken.returncode == 1
    assert json.loads(broken.stdout)[0]["broken_at"] == 3
