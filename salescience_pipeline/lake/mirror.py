"""A copy of the lake in an object store (S3, Google Cloud Storage, Azure), or from there back: another place, and a backup.

Only what is new travels. Of each table the commits are noted first and copied last, so that a copy made beside writers is at
every moment a whole table of some version, which other programs can read where it is. The audit travels as a snapshot of its
database. What does not belong here: working in an object store; the lake itself is a local folder.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyarrow import fs

from salescience_pipeline.lake.errors import LakeError
from salescience_pipeline.lake.layout import TEMPORARY_SUFFIX, Layout

_LOG = "_delta_log"
_CHUNK = 8 * 1024 * 1024
_LEFT_OUT = frozenset({"locks", "incoming"})
"""Folders that mean something to the processes of one machine only."""


class MirrorFailed(LakeError):
    """The object store could not be reached, or did not take or give a file."""


@dataclass(frozen=True, slots=True)
class Mirrored:
    """What one copying came to."""

    copied: int
    kept: int
    """Files that were there already."""
    bytes: int


def store_at(url: str) -> tuple[fs.FileSystem, str]:
    """The store that ``url`` names and the folder in it; credentials are those of the machine, as its tools find them.

    Args:
        url: ``s3://bucket/folder`` (``?endpoint_override=host:port&scheme=http`` for another than Amazon's),
            ``gs://bucket/folder``, ``abfs://container@account/folder``, or ``file:///folder``.

    Raises:
        MirrorFailed: for an address that is none of these; it is not repeated, since it may hold a key.
    """
    try:
        store, folder = fs.FileSystem.from_uri(url)
    except (pa.ArrowException, ValueError, OSError) as error:
        raise MirrorFailed(
            "This is no address of an object store, as s3://bucket/folder or gs://bucket/folder."
        ) from error
    return store, folder


def push(lake: Path, store: fs.FileSystem, folder: str) -> Mirrored:
    """Copy what is new in the lake to ``folder`` of ``store``; nothing there is deleted.

    Raises:
        MirrorFailed: when the store does not take a file; what was copied stays, and another call goes on.
    """
    layout = Layout(lake)
    there = _sizes(store, folder)
    copied = kept = size = 0
    with _stored(), tempfile.TemporaryDirectory() as scratch:
        for path in _in_order(lake):
            name = path.relative_to(lake).as_posix()
            source = _snapshot(path, Path(scratch)) if path == layout.audit else path
            length = source.stat().st_size
            if there.get(name) == length and not _changes(name):
                kept += 1
                continue
            target = f"{folder}/{name}"
            # Bytes travel as they are: Arrow would compress what is called .zst once more.
            store.create_dir(target.rpartition("/")[0], recursive=True)
            with source.open("rb") as reading, store.open_output_stream(target, compression=None) as writing:
                while part := reading.read(_CHUNK):
                    writing.write(part)
            copied, size = copied + 1, size + length
    return Mirrored(copied, kept, size)


def pull(lake: Path, store: fs.FileSystem, folder: str) -> Mirrored:
    """Copy what is in ``folder`` of ``store`` into an empty lake.

    Raises:
        MirrorFailed: when the lake holds something already, or the store does not give a file.
    """
    if lake.exists() and any(lake.iterdir()):
        raise MirrorFailed(f"There is a lake in {lake} already; a copy comes back into an empty one only.")
    copied = size = 0
    with _stored():
        names = sorted(_sizes(store, folder), key=lambda name: (_LOG in name, name))
        if not names:
            raise MirrorFailed("There is nothing at that address.")
        for name in names:
            target = (lake / name).resolve()
            if not target.is_relative_to(lake.resolve()):
                raise MirrorFailed("The store holds a name that leads out of the lake.")
            target.parent.mkdir(parents=True, exist_ok=True)
            beside = target.with_name(f"{target.name}.{os.getpid()}{TEMPORARY_SUFFIX}")
            with store.open_input_stream(f"{folder}/{name}", compression=None) as reading, beside.open("wb") as writing:
                while part := reading.read(_CHUNK):
                    writing.write(part)
                    size += len(part)
            beside.replace(target)
            copied += 1
    return Mirrored(copied, 0, size)


def _in_order(lake: Path) -> list[Path]:
    """The files of the lake in the order in which they may arrive: what a commit names comes before the commit.

    Commits are noted first: one that is made while the rest is listed may name files that are not in the list.
    """
    commits = sorted(path for path in lake.glob(f"tables/*/{_LOG}/**/*") if path.is_file())
    others = [
        path
        for path in sorted(lake.rglob("*"))
        if path.is_file()
        and _LOG not in path.parts
        and not _LEFT_OUT & set(path.relative_to(lake).parts)
        and not path.name.endswith((TEMPORARY_SUFFIX, ".lock", "-wal", "-shm"))
    ]
    return [*others, *commits]


def _changes(name: str) -> bool:
    """Whether a file of that name may change and keep its length; all others are written once."""
    return name.endswith(("audit.db", "_last_checkpoint"))


def _snapshot(database: Path, scratch: Path) -> Path:
    """A consistent copy of a SQLite database that others may be writing to."""
    copy = scratch / database.name
    with contextlib.closing(sqlite3.connect(database)) as reading, contextlib.closing(sqlite3.connect(copy)) as writing:
        reading.backup(writing)
    return copy


def _sizes(store: fs.FileSystem, folder: str) -> dict[str, int]:
    """The files below ``folder`` by their names in it."""
    with _stored():
        found = store.get_file_info(fs.FileSelector(folder, recursive=True, allow_not_found=True))
    prefix = folder.strip("/") + "/"
    return {info.path.strip("/").removeprefix(prefix): info.size for info in found if info.type == fs.FileType.File}


@contextlib.contextmanager
def _stored() -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, sqlite3.Error) as error:
        raise MirrorFailed(
            f"The lake could not be copied ({type(error).__name__}); another try goes on from here."
        ) from error
