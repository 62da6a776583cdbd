"""The lake copied to an object store and back; the store is fsspec's, in memory, and a folder."""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path

import fsspec
import pytest
from deltalake import DeltaTable
from pyarrow import fs

from salescience_pipeline.clients.model import AnswerClass, Attempt, Body, PlannedRequest, Subject
from salescience_pipeline.identifiers import RequestId
from salescience_pipeline.lake.archive import Archive
from salescience_pipeline.lake.mirror import Mirrored, MirrorFailed, pull, push, store_at
from salescience_pipeline.lake.tables import Tables
from salescience_pipeline_tests.test_lake.rows import NOW, PRICES, closes, price, table

BODY = b"an answer that is large enough for a file of its own " * 20_000


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """A lake with a table of two commits and an archive of one answer."""
    root = tmp_path / "lake"
    tables = Tables(root)
    for ticker in ("A", "B"):
        tables.write(PRICES, table(PRICES, [price(ticker)]))
    with Archive(root) as archive:
        request = PlannedRequest("sec", "document", "www", "/x.htm", Subject("a"), immutable=True, expect="html")
        attempt = Attempt(RequestId.new(), request, AnswerClass.OK, 1, NOW, 1.0, 200, body=Body(BODY), complete=True)
        archive.put(attempt, "run", None)
    return root


@pytest.fixture
def memory() -> tuple[fs.FileSystem, str]:
    """A store in memory, and a folder of it that no other test uses."""
    return fs.PyFileSystem(fs.FSSpecHandler(fsspec.filesystem("memory"))), f"bucket-{uuid.uuid4().hex}/lake"


def test_001_30_the_lake_goes_to_a_store_and_comes_back(
    lake: Path, memory: tuple[fs.FileSystem, str], tmp_path: Path
) -> None:
    first = push(lake, *memory)
    assert first.copied > 4
    assert first.kept == 0
    again = push(lake, *memory)
    # The audit is a snapshot each time; all else is written once.
    assert (again.copied, again.kept) == (1, first.copied - 1)
    Tables(lake).write(PRICES, table(PRICES, [price("C")]))
    more = push(lake, *memory)
    assert more.copied == 3, "the new file, its commit, and the audit"
    restored = tmp_path / "restored"
    assert pull(restored, *memory).copied == first.copied + 2
    assert closes(Tables(restored)) == closes(Tables(lake))
    assert len(closes(Tables(restored))) == 3
    with Archive(restored) as archive:
        ((_, rows),) = [(seq, row) for seq, row in archive.audit.answers()]
        digest = hashlib.sha256(BODY).hexdigest()
        assert rows.body_sha256 == digest
        assert archive.layout.blob(digest).stat().st_size == Archive(lake).layout.blob(digest).stat().st_size
    with pytest.raises(MirrorFailed, match="a lake in"):
        pull(restored, *memory)


def test_001_30_the_copy_is_a_table_where_it_is(lake: Path, tmp_path: Path) -> None:
    (lake / "locks").mkdir(exist_ok=True)
    (lake / "locks" / "x.lock").touch()
    (lake / "tables" / PRICES / f"half.{1}.tmp").write_bytes(b"half a file")
    store, folder = store_at(f"file://{tmp_path / 'copy'}")
    assert isinstance(push(lake, store, folder), Mirrored)
    copied = DeltaTable(str(tmp_path / "copy" / "tables" / PRICES))
    assert copied.version() == DeltaTable(str(lake / "tables" / PRICES)).version()
    for path in (lake / "archive" / "blobs").rglob("*.zst"):
        assert (tmp_path / "copy" / path.relative_to(lake)).read_bytes() == path.read_bytes()
    names = {path.name for path in (tmp_path / "copy").rglob("*") if path.is_file()}
    assert not [name for name in names if name.endswith((".lock", ".tmp", "-wal"))]


def test_001_30_a_broken_copy_never_names_a_file_that_is_not_there(lake: Path, tmp_path: Path) -> None:
    """A commit comes after everything that it names: whatever was copied when it broke is a whole table or none."""
    blocked = tmp_path / "copy" / "tables" / PRICES / "_delta_log"
    blocked.parent.mkdir(parents=True)
    blocked.write_text("in the way")
    store, folder = store_at(f"file://{tmp_path / 'copy'}")
    with pytest.raises(MirrorFailed, match="goes on from here"):
        push(lake, store, folder)
    data = list((lake / "tables" / PRICES).glob("*.parquet"))
    assert all((blocked.parent / path.name).exists() for path in data)
    blocked.unlink()
    assert push(lake, store, folder).kept >= len(data)
    assert DeltaTable(str(blocked.parent)).version() == DeltaTable(str(lake / "tables" / PRICES)).version()


@pytest.mark.parametrize("url", ["nonsense", "", "http://example.com/x", "s3:/"])
def test_001_30_an_address_that_is_none_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(MirrorFailed, match="no address of an object store"):
        store_at(url)


def test_001_30_the_addresses_of_the_clouds_are_understood() -> None:
    store, folder = store_at("s3://key:hush@bucket/lake?endpoint_override=127.0.0.1:9000&scheme=http&region=us-east-1")
    assert (store.type_name, folder) == ("s3", "bucket/lake")
    store, folder = store_at("gs://anonymous@bucket/lake")
    assert (store.type_name, folder) == ("gcs", "bucket/lake")


def test_001_30_nothing_at_an_address(memory: tuple[fs.FileSystem, str], tmp_path: Path) -> None:
    with pytest.raises(MirrorFailed, match="nothing at that address"):
        pull(tmp_path / "lake", *memory)
