"""What was put together for a client from several tables, kept under its SHA-256: an answer never changes once given.

Filings are not copied here (the archive has them). What does not belong here: how an answer is put together.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import zstandard

from salescience_pipeline.identifiers import Sha256
from salescience_pipeline.lake.errors import CorruptBlob, storage_error

_LEVEL, _CHUNK = 3, 1 << 16


class Results:
    """The results below ``root`` (the lake's root); safe for many processes."""

    def __init__(self, root: Path) -> None:
        """Nothing is created until the first write."""
        self._folder = root / "results"

    def put(self, data: bytes) -> str:
        """Keep ``data``; returns its digest. The same again is not stored again.

        Raises:
            StorageFull, StorageFailed: when the disk fails; nothing is visible.
        """
        digest = hashlib.sha256(data).hexdigest()
        final = self._path(digest)
        if final.exists():
            return digest
        temporary = final.with_name(f"{uuid.uuid4().hex}.tmp")
        try:
            final.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("xb") as target:
                target.write(zstandard.ZstdCompressor(_LEVEL).compress(data))
                target.flush()
                os.fsync(target.fileno())
            temporary.replace(final)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise storage_error(error, "storing a result") from error
        return digest

    def pieces(self, sha256: str) -> Iterator[bytes]:
        """The bytes in pieces; the last one comes only when the digest is right.

        Raises:
            CorruptBlob: when it is missing or damaged.
            InvalidIdentifier: when ``sha256`` is not a digest.
        """
        digest, held = hashlib.sha256(), b""
        try:
            with self._path(sha256).open("rb") as source:
                for piece in zstandard.ZstdDecompressor().read_to_iter(source, read_size=_CHUNK, write_size=_CHUNK):
                    if held:
                        yield held
                    digest.update(piece)
                    held = piece
        except FileNotFoundError as error:
            raise CorruptBlob(sha256, "its file is missing") from error
        except zstandard.ZstdError as error:
            raise CorruptBlob(sha256, "its stored bytes cannot be read") from error
        if digest.hexdigest() != sha256:
            raise CorruptBlob(sha256, "its stored bytes have another digest")
        if held:
            yield held

    def _path(self, sha256: str) -> Path:
        digest = Sha256(sha256)
        return self._folder / digest[:2] / f"{digest}.zst"
