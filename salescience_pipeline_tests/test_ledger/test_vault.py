"""Keys of organisations: made once, wrapped, rotated, destroyed; and values that open for nobody else."""

from __future__ import annotations

import base64
import json
import threading
from pathlib import Path

import pytest

from salescience_pipeline.identifiers import OrganizationId
from salescience_pipeline.ledger.vault import (
    PREFIX,
    KeyUnavailable,
    LocalMasterKeys,
    OrganizationShredded,
    SealBroken,
    Vault,
)

ACME, OTHER = OrganizationId("acme"), OrganizationId("other")
FIRST, SECOND = b"1" * 32, b"2" * 32
_SECRET = b"only-for-acme-7f3a"


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A vault with one master key."""
    return Vault(tmp_path / "keys", LocalMasterKeys([FIRST]))


def test_003_34_what_is_sealed_opens_for_its_organisation_and_its_place_only(vault: Vault) -> None:
    sealed = vault.seal(ACME, "jobs.request", _SECRET)
    assert vault.open(sealed, "jobs.request") == vault.open(sealed, "jobs.request", owner=ACME) == _SECRET
    assert vault.seal(ACME, "jobs.request", _SECRET) != sealed
    with pytest.raises(SealBroken, match="another organization's"):
        vault.open(sealed, "jobs.request", owner=OTHER)
    with pytest.raises(SealBroken, match="changed or moved"):
        vault.open(sealed, "tasks.payload")
    # Somebody else's name on it does not make it open with somebody else's key.
    vault.seal(OTHER, "jobs.request", b"x")
    with pytest.raises(SealBroken, match="changed or moved"):
        vault.open(sealed.replace(":acme:", ":other:"), "jobs.request")


@pytest.mark.parametrize(
    "text", [PREFIX, f"{PREFIX}acme:1:", f"{PREFIX}acme:x:AAAA", f"{PREFIX}../x:1:AAAA", f"{PREFIX}acme:1:A"]
)
def test_003_34_what_is_no_sealed_value_is_told(vault: Vault, text: str) -> None:
    vault.seal(ACME, "x", b"x")
    with pytest.raises(SealBroken):
        vault.open(text, "x")


def test_003_34_every_changed_byte_is_found(vault: Vault) -> None:
    head, _, coded = vault.seal(ACME, "x", _SECRET).rpartition(":")
    data = base64.urlsafe_b64decode(coded)
    for at in range(len(data)):
        changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        with pytest.raises(SealBroken):
            vault.open(f"{head}:{base64.urlsafe_b64encode(changed).decode()}", "x")


def test_003_34_data_keys_lie_wrapped_and_for_their_owner_alone(vault: Vault, tmp_path: Path) -> None:
    vault.seal(ACME, "x", _SECRET)
    path = tmp_path / "keys" / "acme" / "1.key"
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert len(base64.b64decode(json.loads(path.read_text())["wrapped"])) == 12 + 32 + 16
    assert [item.name for item in path.parent.iterdir()] == ["1.key"]
    # A key that is put where another organisation's should lie does not unwrap.
    (tmp_path / "keys" / "other").mkdir()
    (tmp_path / "keys" / "other" / "1.key").write_bytes(path.read_bytes())
    with pytest.raises(KeyUnavailable, match="for other:1"):
        vault.seal(OTHER, "x", b"x")


def test_003_34_rotation_seals_anew_and_still_opens_the_old(vault: Vault) -> None:
    before = vault.seal(ACME, "x", _SECRET)
    assert vault.rotate(ACME) == 2
    after = vault.seal(ACME, "x", _SECRET)
    assert (Vault.version_of(before), Vault.version_of(after)) == (1, 2)
    assert vault.open(before, "x") == vault.open(after, "x") == _SECRET


def test_003_34_a_master_key_is_replaced_without_touching_what_is_sealed(tmp_path: Path) -> None:
    sealed = Vault(tmp_path, LocalMasterKeys([FIRST])).seal(ACME, "x", _SECRET)
    Vault(tmp_path, LocalMasterKeys([FIRST])).seal(OTHER, "x", b"x")
    with pytest.raises(KeyUnavailable, match="not configured here"):
        Vault(tmp_path, LocalMasterKeys([SECOND])).open(sealed, "x")
    both = Vault(tmp_path, LocalMasterKeys([SECOND, FIRST]))
    assert both.open(sealed, "x") == _SECRET
    assert both.rewrap() == 2
    assert Vault(tmp_path, LocalMasterKeys([SECOND])).open(sealed, "x") == _SECRET
    with pytest.raises(KeyUnavailable):
        Vault(tmp_path, LocalMasterKeys([FIRST])).open(sealed, "x")


def test_003_34_destroyed_keys_open_nothing_in_any_process(vault: Vault, tmp_path: Path) -> None:
    elsewhere = Vault(tmp_path / "keys", LocalMasterKeys([FIRST]))
    vault.rotate(ACME)
    sealed, other = vault.seal(ACME, "x", _SECRET), vault.seal(OTHER, "x", b"y")
    assert elsewhere.open(sealed, "x") == _SECRET
    assert vault.destroy(ACME) == 1
    for process in (vault, elsewhere):
        with pytest.raises(OrganizationShredded):
            process.open(sealed, "x")
        with pytest.raises(OrganizationShredded):
            process.seal(ACME, "x", b"new")
        assert process.open(other, "x") == b"y"
    assert vault.destroy(ACME) == 0
    with pytest.raises(OrganizationShredded):
        vault.rotate(ACME)
    assert [item.name for item in (tmp_path / "keys" / "acme").iterdir()] == ["SHREDDED"]


def test_003_34_many_at_once_make_one_key(tmp_path: Path) -> None:
    vaults = [Vault(tmp_path, LocalMasterKeys([FIRST])) for _ in range(8)]
    barrier, sealed = threading.Barrier(8), []

    def work(vault: Vault) -> None:
        barrier.wait()
        sealed.append(vault.seal(ACME, "x", _SECRET))

    threads = [threading.Thread(target=work, args=(vault,)) for vault in vaults]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sealed) == 8
    assert [vaults[0].open(text, "x") for text in sealed] == [_SECRET] * 8
    assert {Vault.version_of(text) for text in sealed} == {1}


@pytest.mark.parametrize("text", ["", "short", "A" * 43, "!" * 44, base64.b64encode(b"x" * 31).decode()])
def test_003_34_master_keys_that_are_none_are_refused_without_being_shown(text: str) -> None:
    with pytest.raises(KeyUnavailable) as caught:
        LocalMasterKeys.parse(text)
    assert not text or text not in str(caught.value)
    assert not text or "32 bytes" in str(caught.value)


def test_003_34_the_master_key_of_who_sets_none_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "a" / "master.key"
    LocalMasterKeys.from_file(path)
    before = path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    LocalMasterKeys.from_file(path)
    assert path.read_bytes() == before
