"""The errors of the lake: one sentence each, with a class that says what a caller can do about it.

What does not belong here: errors of providers (``clients.errors``) and of the service database (``ledger.errors``).
"""

from __future__ import annotations

import errno
import os
import re

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class LakeError(Exception):
    """Anything the lake refuses or cannot do."""


class CorruptBlob(LakeError):
    """A stored body is missing or does not have the bytes its digest promises; fetch it again and it heals."""

    def __init__(self, sha256: str, why: str) -> None:
        """Name the digest, so that the answer can be found and fetched again."""
        super().__init__(f"The archived body {sha256} is damaged: {why}.")
        self.sha256 = sha256


class StorageFull(LakeError):
    """The disk, a quota or a file-size limit is exhausted; nothing of the write is visible."""


class StorageFailed(LakeError):
    """The disk or its file system failed in another way; nothing of the write is visible."""


class UnknownTable(LakeError):
    """A table name that the catalogue does not hold."""


class BadRows(LakeError, ValueError):
    """Rows that the catalogue forbids; nothing was written."""

    def __init__(self, table: str, message: str, columns: tuple[str, ...] = ()) -> None:
        """Name the table and the columns at fault."""
        super().__init__(f"{table}: {message}")
        self.table, self.columns = table, columns


class MissingColumn(BadRows):
    """A column of the catalogue is not there."""


class UnknownColumn(BadRows):
    """A column that the catalogue does not hold."""


class WrongType(BadRows):
    """A column has another type than the catalogue says."""


class NullInRequired(BadRows):
    """A null where the catalogue requires a value."""


class DuplicateKey(BadRows):
    """Two rows of one write have the same key."""


class OutsideSlice(BadRows):
    """A row lies outside the slice that the write says it covers."""


class BadFilter(LakeError, ValueError):
    """A filter or slice names a column that the table does not have, or a value of another type."""


class WriteConflict(LakeError):
    """Other writers kept winning until the attempts were used up; nothing of this write is visible."""


class SchemaConflict(LakeError):
    """The stored table has columns that the catalogue does not allow it to have."""


class DamagedTable(LakeError):
    """The log of a table cannot be read; its files are untouched."""

    def __init__(self, table: str, why: str) -> None:
        """Of which table, and what the reader of logs says."""
        super().__init__(f"The log of the table {table} cannot be read: {why}.")
        self.table, self.why = table, why


class NothingPublished(LakeError):
    """There is no warehouse yet."""


class NotPublishable(LakeError):
    """A build that is not a finished, readable DuckDB file; what was published before stays."""


def storage_error(error: Exception, doing: str) -> LakeError:
    """The lake's error for one of the operating system's, SQLite's or delta-rs'.

    Args:
        error: What was raised.
        doing: What was being done, as the end of a sentence ("storing an answer").
    """
    number = getattr(error, "errno", None)
    if number is None and (told := re.search(r"os error (\d+)", str(error))):
        number = int(told.group(1))  # delta-rs tells of the operating system's errors in words only
    full = number in _FULL or getattr(error, "sqlite_errorname", "") == "SQLITE_FULL"
    reason = os.strerror(number) if number else str(error).split("\n", maxsplit=1)[0][:300]
    kind = StorageFull if full else StorageFailed
    return kind(f"The lake failed while {doing}: {reason}; nothing of it was kept.")
