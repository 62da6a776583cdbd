"""The path grammar of the lake: which path a digest or a table name has, and the way back.

Only validated identifiers become paths, and every path is checked to stay below the root after links are resolved. What
does not belong here: creating, reading or deleting anything.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from salescience_pipeline.identifiers import Sha256, TableName
from salescience_pipeline.lake.errors import LakeError

BLOB_SUFFIX = ".zst"
TEMPORARY_SUFFIX = ".tmp"


class OutsideLake(LakeError, ValueError):
    """A path that leaves the lake's root, by its spelling or through a link."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths below one root.

    ``archive/audit.db`` the audit, ``archive/blobs/ab/cd/<sha256>.zst`` large bodies, ``archive/incoming`` files being
    written, ``tables/<name>`` one Delta table each, ``locks/<name>.lock`` whose turn it is to write.
    """

    root: Path

    @property
    def archive(self) -> Path:
        """Folder of the archive; ``RawRef.path`` is relative to it."""
        return self.root / "archive"

    @property
    def audit(self) -> Path:
        """The audit database."""
        return self.archive / "audit.db"

    @property
    def blobs(self) -> Path:
        """Folder of the large bodies."""
        return self.archive / "blobs"

    @property
    def incoming(self) -> Path:
        """Folder of bodies that are being written; on the file system of the blobs, so that a link can move them."""
        return self.archive / "incoming"

    @property
    def tables(self) -> Path:
        """Folder of the Delta tables."""
        return self.root / "tables"

    def blob(self, sha256: str) -> Path:
        """The path of the body with that digest.

        Raises:
            InvalidIdentifier: when ``sha256`` is not a digest.
            OutsideLake: when a link leads out of the lake.
        """
        digest = Sha256(sha256)
        return self._inside(self.blobs / digest[:2] / digest[2:4] / f"{digest}{BLOB_SUFFIX}")

    def table(self, name: str) -> Path:
        """The folder of the table of that name.

        Raises:
            InvalidIdentifier: when ``name`` is not a table name.
            OutsideLake: when a link leads out of the lake.
        """
        return self._inside(self.tables / TableName(name))

    def lock(self, name: str) -> Path:
        """The file in which writers of that table wait for each other.

        Raises:
            InvalidIdentifier: when ``name`` is not a table name.
        """
        return self._inside(self.root / "locks" / f"{TableName(name)}.lock")

    def digest_of(self, blob: Path) -> Sha256:
        """The digest whose body lies at ``blob``: the inverse of :meth:`blob`.

        Raises:
            OutsideLake: when ``blob`` is not a path that :meth:`blob` makes.
            InvalidIdentifier: when its name is not a digest.
        """
        digest = Sha256(blob.name.removesuffix(BLOB_SUFFIX))
        if self.blob(digest) != blob:
            raise OutsideLake(f"{blob.name!r} is not where the archive keeps a body.")
        return digest

    def relative(self, blob: Path) -> str:
        """The spelling of a blob's path in a ``RawRef``: below the archive, with forward slashes."""
        return blob.relative_to(self.archive).as_posix()

    def _inside(self, path: Path) -> Path:
        root = os.path.realpath(self.root)
        real = os.path.realpath(path)
        if os.path.commonpath((root, real)) != root:
            raise OutsideLake(f"{path.name!r} lies outside the lake.")
        return path
