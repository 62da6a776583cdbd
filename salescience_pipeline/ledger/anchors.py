"""Anchors of the audit: each day the newest digest of every organisation's chain, in a Parquet file outside the database.

Who can write to the database can make a whole chain anew, digest by digest, or cut off its tail; what they cannot change is
what was written down elsewhere. Each file is signed by the master keys and names the digest of the file before it, so that
one that was changed or taken out shows too. Keep copies where nobody can delete them: that the newest files are gone is
seen nowhere else. What does not belong here: the chains (``audit_log``), and when an anchor is made.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from salescience_pipeline.ledger.errors import LedgerError
from salescience_pipeline.ledger.vault import KeyUnavailable, MasterKeys

FIRST = "0" * 64
"""What the first file names as the one before it."""
_CONTEXT = "audit anchor "


class AnchorBroken(LedgerError):
    """A file of anchors was changed, taken out, or not signed by a master key that is here."""


@dataclass(frozen=True, slots=True)
class Head:
    """The newest entry of an organisation's chain."""

    organization_id: str
    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class Anchor:
    """What one day's file says."""

    day: dt.date
    heads: tuple[Head, ...]
    previous: str
    """The digest of the file before it."""

    @property
    def digest(self) -> str:
        """Over all that it says."""
        listed = [
            self.day.isoformat(),
            self.previous,
            [[head.organization_id, head.seq, head.hash] for head in self.heads],
        ]
        return hashlib.sha256(json.dumps(listed, separators=(",", ":")).encode()).hexdigest()


class Anchors:
    """The files of one folder, named by their days."""

    def __init__(self, folder: Path, masters: MasterKeys) -> None:
        """Nothing is made before the first anchor is written."""
        self._folder, self._masters = folder, masters

    def write(self, heads: Sequence[Head], day: dt.date) -> Path | None:
        """Write the day's file; None when it is there already, since what was anchored is not anchored anew.

        Raises:
            AnchorBroken: when the files before it are not sound.
        """
        before = self.read()
        path = self._folder / f"{day.isoformat()}.parquet"
        if path.exists():
            return None
        anchor = Anchor(
            day, tuple(sorted(heads, key=lambda head: head.organization_id)), before[-1].digest if before else FIRST
        )
        self._put(path, anchor)
        return path

    def read(self) -> list[Anchor]:
        """All anchors, oldest first.

        Raises:
            AnchorBroken: naming the first file that is not what was written, or that does not follow the one before it.
        """
        found: list[Anchor] = []
        for path in sorted(self._folder.glob("*.parquet")):
            anchor = self._get(path)
            if anchor.previous != (found[-1].digest if found else FIRST):
                raise AnchorBroken(f"The anchor {path.name} does not follow the one before it: a file was taken out.")
            found.append(anchor)
        return found

    def sign_again(self) -> int:
        """Sign all files with the newest master key, before an old one goes; returns how many.

        Raises:
            AnchorBroken: as :meth:`read`; nothing was signed.
        """
        anchors = self.read()
        for anchor in anchors:
            self._put(self._folder / f"{anchor.day.isoformat()}.parquet", anchor)
        return len(anchors)

    def _put(self, path: Path, anchor: Anchor) -> None:
        import pyarrow as pa  # noqa: PLC0415 - the gateway answers before Arrow is loaded
        import pyarrow.parquet as pq  # noqa: PLC0415

        master, signature = self._masters.wrap(bytes.fromhex(anchor.digest), _CONTEXT + anchor.day.isoformat())
        table = pa.table(
            {
                "day": pa.array([anchor.day] * len(anchor.heads), pa.date32()),
                "organization_id": pa.array([head.organization_id for head in anchor.heads], pa.string()),
                "seq": pa.array([head.seq for head in anchor.heads], pa.int64()),
                "hash": pa.array([head.hash for head in anchor.heads], pa.string()),
            }
        ).replace_schema_metadata(
            {
                "day": anchor.day.isoformat(),
                "previous": anchor.previous,
                "master_key": master,
                "signature": base64.b64encode(signature).decode(),
            }
        )
        self._folder.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(f".{os.getpid()}.tmp")
        pq.write_table(table, beside)
        beside.replace(path)

    def _get(self, path: Path) -> Anchor:
        import pyarrow as pa  # noqa: PLC0415
        import pyarrow.parquet as pq  # noqa: PLC0415

        try:
            table = pq.read_table(path)
            held = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
            heads = [Head(row["organization_id"], row["seq"], row["hash"]) for row in table.to_pylist()]
            anchor = Anchor(dt.date.fromisoformat(held["day"]), tuple(heads), held["previous"])
            signature = base64.b64decode(held["signature"], validate=True)
            signed = self._masters.unwrap(held["master_key"], signature, _CONTEXT + anchor.day.isoformat())
        except (pa.ArrowException, KeyError, ValueError, binascii.Error, OSError) as error:
            raise AnchorBroken(f"The anchor {path.name} cannot be read.") from error
        except KeyUnavailable as error:
            raise AnchorBroken(f"The anchor {path.name} is not signed by a master key that is here.") from error
        if signed.hex() != anchor.digest or path.stem != anchor.day.isoformat():
            raise AnchorBroken(f"The anchor {path.name} was changed.")
        return anchor
