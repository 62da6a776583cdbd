"""Keys of organisations: each has data keys of its own, wrapped by a master key, kept outside of every database.

What an organisation wrote is sealed with AES-256-GCM under its data key before it reaches the database
(https://csrc.nist.gov/pubs/sp/800/38/d/final). The data keys lie in a folder, each wrapped by a master key that comes from
the environment or a key management service. A copy of the database without the folder is unreadable, and when an
organisation's data keys are destroyed, so are all copies ever made of what they sealed. Therefore the folder must not be
copied together with the database. What does not belong here: which columns are sealed (``service_models``), and SQL.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import secrets
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy.exc import DontWrapMixin

from salescience_pipeline.identifiers import OrganizationId
from salescience_pipeline.ledger.errors import LedgerError

PREFIX = "sealed:1:"
"""What every sealed value begins with; the number is that of the format."""
_NONCE, _KEY = 12, 32
_TOMBSTONE = "SHREDDED"


class VaultError(DontWrapMixin, LedgerError):
    """What goes wrong with keys and sealed values; as it is also out of the middle of a statement of SQLAlchemy's."""


class KeyUnavailable(VaultError):
    """A value is sealed under a key that this process does not have."""


class SealBroken(VaultError):
    """A sealed value was changed, or moved to a place that it was not sealed for."""


class OrganizationShredded(VaultError):
    """The organisation's keys were destroyed; nothing of it can be read or written any more."""


class MasterKeys(Protocol):
    """Wraps and unwraps data keys; a key management service can stand behind it."""

    def wrap(self, key: bytes, context: str) -> tuple[str, bytes]:
        """The id of the master key in use, and ``key`` wrapped by it for ``context``."""
        ...

    def unwrap(self, master: str, wrapped: bytes, context: str) -> bytes:
        """The data key.

        Raises:
            KeyUnavailable: when there is no such master key, or the wrapping was not made by it for ``context``.
        """
        ...


class LocalMasterKeys:
    """Master keys in this process's memory; the first wraps, all of them unwrap."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """Know ``keys``, each 32 bytes.

        Raises:
            KeyUnavailable: when there is none, or one has another length.
        """
        if not keys or any(len(key) != _KEY for key in keys):
            raise KeyUnavailable("A master key is 32 bytes, written as base64; there must be at least one.")
        self._keys = {hashlib.sha256(b"salescience master" + key).hexdigest()[:16]: AESGCM(key) for key in keys}
        self._current = next(iter(self._keys))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Keys written as base64, separated by commas.

        Raises:
            KeyUnavailable: when they cannot be read; the text is not repeated.
        """
        try:
            keys = [base64.b64decode(part.strip(), altchars=b"-_", validate=True) for part in text.split(",")]
        except (binascii.Error, ValueError):
            raise KeyUnavailable("The master keys cannot be read; write each as base64 of 32 bytes.") from None
        return cls(keys)

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """The key in ``path``, which is made, readable by its owner alone, when it is not there."""
        if not path.exists():
            with suppress(FileExistsError):  # of several processes one makes it
                _create(path, base64.b64encode(secrets.token_bytes(_KEY)))
        return cls.parse(path.read_text("ascii").strip())

    def wrap(self, key: bytes, context: str) -> tuple[str, bytes]:
        """As the protocol says."""
        nonce = secrets.token_bytes(_NONCE)
        return self._current, nonce + self._keys[self._current].encrypt(nonce, key, context.encode())

    def unwrap(self, master: str, wrapped: bytes, context: str) -> bytes:
        """As the protocol says."""
        found = self._keys.get(master)
        if found is None:
            raise KeyUnavailable(
                f"A data key is wrapped by the master key {master[:16]}, which is not configured here."
            )
        try:
            return found.decrypt(wrapped[:_NONCE], wrapped[_NONCE:], context.encode())
        except InvalidTag as error:
            raise KeyUnavailable(
                f"A data key was not wrapped by the master key {master[:16]} for {context}."
            ) from error


@dataclass(frozen=True, slots=True)
class _Envelope:
    organization: OrganizationId
    version: int
    sealed: bytes


class Vault:
    """The data keys of all organisations below one folder; safe for threads and for processes that share the folder."""

    def __init__(self, folder: Path, masters: MasterKeys) -> None:
        """Nothing is made before the first value is sealed."""
        self._folder, self._masters = folder, masters
        self._lock = threading.Lock()
        self._keys: dict[tuple[OrganizationId, int], AESGCM] = {}
        self._newest: dict[OrganizationId, tuple[int, int]] = {}

    # -- values -----------------------------------------------------------------------------------------------------
    def seal(self, organization: OrganizationId, purpose: str, data: bytes) -> str:
        """``data`` as text that only the organisation's key opens, and only for the same purpose.

        Args:
            organization: Whose it is.
            purpose: Where it will stand (``jobs.request``).
            data: Any bytes.

        Raises:
            OrganizationShredded: when its keys were destroyed.
            KeyUnavailable: when its newest key cannot be unwrapped.
        """
        version = self._current(organization)
        nonce = secrets.token_bytes(_NONCE)
        coded = nonce + self._key(organization, version).encrypt(nonce, data, _context(organization, version, purpose))
        return f"{PREFIX}{organization}:{version}:{base64.urlsafe_b64encode(coded).decode()}"

    def open(self, text: str, purpose: str, *, owner: OrganizationId | None = None) -> bytes:
        """What was sealed.

        Args:
            text: What :meth:`seal` gave.
            purpose: The same as then.
            owner: Whose it must be; None when that is not known.

        Raises:
            SealBroken: when it was changed, moved, or belongs to somebody else.
            OrganizationShredded: when its key was destroyed.
            KeyUnavailable: when its key is not here, or cannot be unwrapped.
        """
        found = _read(text)
        if owner is not None and found.organization != owner:
            raise SealBroken(f"A value of {owner} is sealed as another organization's.")
        key = self._key(found.organization, found.version)
        context = _context(found.organization, found.version, purpose)
        try:
            return key.decrypt(found.sealed[:_NONCE], found.sealed[_NONCE:], context)
        except (InvalidTag, ValueError) as error:
            raise SealBroken(f"A value of {found.organization} for {purpose} was changed or moved.") from error

    @staticmethod
    def version_of(text: str) -> int:
        """The number of the data key that a sealed value was sealed with."""
        return _read(text).version

    # -- keys -------------------------------------------------------------------------------------------------------
    def rotate(self, organization: OrganizationId) -> int:
        """Make a new data key, which seals from now on; returns its number. Older ones still open what they sealed.

        Raises:
            OrganizationShredded: when its keys were destroyed.
        """
        if self.is_shredded(organization):
            raise OrganizationShredded(f"The keys of {organization} were destroyed; it can have no new one.")
        before = self._versions(organization)
        self._make(organization, (before[-1] if before else 0) + 1)
        return self._versions(organization)[-1]

    def rewrap(self) -> int:
        """Wrap every data key with the master key in use now; returns how many. The data keys stay the same."""
        done = 0
        for folder in sorted(self._folder.glob("*/")):
            organization = OrganizationId(folder.name)
            for version in self._versions(organization):
                path = self._path(organization, version)
                fresh = self._wrapped(organization, version, self._unwrapped(organization, version))
                temporary = path.with_suffix(f".{secrets.token_hex(4)}.tmp")
                _create(temporary, fresh)
                temporary.replace(path)
                _sync(folder)
                done += 1
        return done

    def destroy(self, organization: OrganizationId) -> int:
        """Destroy all data keys of an organisation, for ever; returns how many there were."""
        folder = self._folder / organization
        with suppress(FileExistsError):
            # First of all nobody may make a new one.
            _create(folder / _TOMBSTONE, b"")
        versions = self._versions(organization)
        for version in versions:
            path = self._path(organization, version)
            with path.open("r+b") as target:
                target.write(secrets.token_bytes(path.stat().st_size))
                target.flush()
                os.fsync(target.fileno())
            path.unlink()
        _sync(folder)
        with self._lock:
            self._newest.pop(organization, None)
            for known in [known for known in self._keys if known[0] == organization]:
                del self._keys[known]
        return len(versions)

    def is_shredded(self, organization: OrganizationId) -> bool:
        """Whether the organisation's keys were destroyed."""
        return (self._folder / organization / _TOMBSTONE).exists()

    def _path(self, organization: OrganizationId, version: int) -> Path:
        return self._folder / organization / f"{version}.key"

    def _versions(self, organization: OrganizationId) -> list[int]:
        names = (self._folder / organization).glob("*.key")
        return sorted(int(path.stem) for path in names if path.stem.isdigit())

    def _current(self, organization: OrganizationId) -> int:
        """The newest key's number; the first key is made here. The folder's own time says whether anything is new."""
        folder = self._folder / organization
        try:
            stamp = folder.stat().st_mtime_ns
        except FileNotFoundError:
            stamp = -1
        with self._lock:
            known = self._newest.get(organization)
        if known is not None and known[0] == stamp:
            return known[1]
        if self.is_shredded(organization):
            raise OrganizationShredded(f"The keys of {organization} were destroyed; it can write nothing any more.")
        versions = self._versions(organization)
        if not versions:
            self._make(organization, 1)
            return 1
        with self._lock:
            self._newest[organization] = (stamp, versions[-1])
        return versions[-1]

    def _key(self, organization: OrganizationId, version: int) -> AESGCM:
        if not self._path(organization, version).exists():
            # Another process may have destroyed it; what is remembered here must not outlive that.
            with self._lock:
                self._keys.pop((organization, version), None)
            if self.is_shredded(organization):
                raise OrganizationShredded(f"The keys of {organization} were destroyed; it can be read no more.")
            raise KeyUnavailable(f"The data key {version} of {organization} is not in the folder of keys.")
        with self._lock:
            known = self._keys.get((organization, version))
        if known is None:
            known = AESGCM(self._unwrapped(organization, version))
            with self._lock:
                self._keys[organization, version] = known
        return known

    def _make(self, organization: OrganizationId, version: int) -> None:
        wrapped = self._wrapped(organization, version, secrets.token_bytes(_KEY))
        with suppress(FileExistsError):  # of several processes one makes it
            _create(self._path(organization, version), wrapped)

    def _wrapped(self, organization: OrganizationId, version: int, key: bytes) -> bytes:
        master, wrapped = self._masters.wrap(key, f"{organization}:{version}")
        return json.dumps({"master": master, "wrapped": base64.b64encode(wrapped).decode()}).encode()

    def _unwrapped(self, organization: OrganizationId, version: int) -> bytes:
        held = json.loads(self._path(organization, version).read_bytes())
        return self._masters.unwrap(held["master"], base64.b64decode(held["wrapped"]), f"{organization}:{version}")


def _context(organization: OrganizationId, version: int, purpose: str) -> bytes:
    return json.dumps([organization, version, purpose]).encode()


def _read(text: str) -> _Envelope:
    try:
        organization, version, sealed = text.removeprefix(PREFIX).split(":")
        return _Envelope(OrganizationId(organization), int(version), base64.urlsafe_b64decode(sealed))
    except (ValueError, binascii.Error) as error:
        raise SealBroken("A sealed value cannot be read.") from error


def _create(path: Path, data: bytes) -> None:
    """Write a file for its owner alone, whole and durable, under a name that must be free.

    Raises:
        FileExistsError: when it is not.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as target:
            target.write(data)
            target.flush()
            os.fsync(target.fileno())
        os.link(temporary, path)
    finally:
        temporary.unlink()
    _sync(path.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
