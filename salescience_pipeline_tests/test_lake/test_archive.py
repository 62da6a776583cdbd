"""The archive keeps every attempt and every body, says so only when it is true, and notices when bytes rot."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salescience_pipeline.clients.model import AnswerClass, Body, RawRef
from salescience_pipeline.identifiers import InvalidIdentifier
from salescience_pipeline.lake.archive import EMPTY_SHA256, INLINE_BELOW, MEMORY_BELOW, Archive
from salescience_pipeline.lake.audit import Audit
from salescience_pipeline.lake.errors import CorruptBlob, StorageFailed, StorageFull
from salescience_pipeline_tests.test_lake.rows import NOW, attempt, finish, start

LARGE = b"0123456789" * 10_000


def blob_files(archive: Archive) -> list[Path]:
    return [path for path in archive.layout.blobs.rglob("*") if path.is_file()]


@given(
    st.lists(
        st.one_of(st.binary(max_size=200), st.integers(INLINE_BELOW - 2, INLINE_BELOW + 2).map(lambda n: b"x" * n)),
        max_size=8,
    )
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_body_comes_back_as_it_was(tmp_path: Path, bodies: list[bytes]) -> None:
    with Archive(tmp_path / os.urandom(8).hex()) as archive:
        refs = [archive.put(attempt(f"/{at}", body), "run", None) for at, body in enumerate(bodies)]
        for at, (body, ref) in enumerate(zip(bodies, refs, strict=True)):
            assert ref.sha256 == hashlib.sha256(body).hexdigest()
            assert ref.size == len(body)
            assert (ref.path is None) == (len(body) < INLINE_BELOW)
            assert archive.open(ref).read() == body
            stored = archive.latest(attempt(f"/{at}").request)
            assert stored is not None
            assert stored.ref == ref
        assert archive.audit.counts() == (len(bodies), len(set(bodies)))
        assert len(blob_files(archive)) == len({body for body in bodies if len(body) >= INLINE_BELOW})


def test_known_content_is_stored_once_and_counted_every_time(tmp_path: Path) -> None:
    with Archive(tmp_path) as archive:
        first = archive.put(attempt("/a", LARGE), "run", None)
        written = blob_files(archive)[0].stat().st_mtime_ns
        assert archive.put(attempt("/b", LARGE), "run", None) == first
        assert [path.stat().st_mtime_ns for path in blob_files(archive)] == [written]
        assert archive.audit.counts() == (2, 1)


def test_a_body_in_a_file_is_archived_and_a_huge_one_opened_through_a_file(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    with spool.open("wb") as target:
        for _ in range(MEMORY_BELOW // len(LARGE) + 1):
            target.write(LARGE)
    with spool.open("rb") as source:
        digest = hashlib.file_digest(source, "sha256").hexdigest()
    with Archive(tmp_path / "lake") as archive:
        ref = archive.put(attempt("/huge", Body(path=spool, sha256=digest)), "run", None)
        opened = archive.open(ref)
        assert opened.path is not None
        assert opened.size == spool.stat().st_size
        with opened.open() as source:
            assert hashlib.file_digest(source, "sha256").hexdigest() == digest
    assert not opened.path.exists()


def test_a_body_that_lies_about_its_digest_is_not_stored(tmp_path: Path) -> None:
    with Archive(tmp_path) as archive:
        for body in (b"small", LARGE):
            with pytest.raises(CorruptBlob):
                archive.put(attempt("/lie", Body(body, sha256="0" * 64)), "run", None)
        assert archive.audit.counts() == (0, 0)
        assert not blob_files(archive)
        assert not list(archive.layout.incoming.iterdir())


def test_the_newest_complete_success_is_the_latest(tmp_path: Path) -> None:
    with Archive(tmp_path) as archive:
        request = attempt().request
        assert archive.latest(request) is None
        archive.put(attempt(body=b"first", started_at=NOW), "run", None)
        archive.put(attempt(body=b"cut", complete=False, started_at=NOW + dt.timedelta(hours=1)), "run", None)
        archive.put(
            attempt(body=b"busy", answer_class=AnswerClass.RATE_LIMITED, started_at=NOW + dt.timedelta(hours=2)),
            "run",
            None,
        )
        archive.put(
            attempt(body=None, answer_class=AnswerClass.UNCHANGED, started_at=NOW + dt.timedelta(hours=3)), "run", None
        )
        archive.put(attempt(body=None, answer_class=AnswerClass.TRANSIENT, complete=False, error="reset"), "run", None)
        stored = archive.latest(request)
        assert stored is not None
        assert archive.open(stored.ref).read() == b"first"
        assert stored.fetched_at == NOW + dt.timedelta(milliseconds=12.5)
        assert stored.headers["etag"] == '"1"'
        archive.put(attempt(body=b"second", started_at=NOW + dt.timedelta(hours=4)), "run", None)
        # Stored later and fetched earlier, as a slow process would.
        archive.put(attempt(body=b"late", started_at=NOW - dt.timedelta(hours=4)), "run", None)
        stored = archive.latest(request)
        assert stored is not None
        assert archive.open(stored.ref).read() == b"second"


def test_an_empty_answer_and_none_at_all_have_the_digest_of_no_bytes(tmp_path: Path) -> None:
    with Archive(tmp_path) as archive:
        assert archive.put(attempt("/empty", b""), "run", None).sha256 == EMPTY_SHA256
        ref = archive.put(attempt("/none", None, complete=False), "run", None)
        assert ref == RawRef(EMPTY_SHA256, 0)
        assert archive.open(ref).read() == b""


def test_the_audit_row_says_everything_and_no_secret(tmp_path: Path) -> None:
    with Archive(tmp_path) as archive:
        headers = {
            "Content-Type": "text/html",
            "Set-Cookie": "CANARY",
            "Authorization": "CANARY",
            "Last-Modified": "then",
        }
        archive.put(attempt(body=b"x", headers=headers, error="a sentence"), "run-7", "acme")
        ((_, row),) = archive.audit.answers()
        assert (row.provider, row.endpoint, row.method, row.status, row.attempt) == (
            "sec",
            "submissions",
            "GET",
            200,
            1,
        )
        assert row.canonical_url == "https://data.sec.gov/submissions/CIK0000000001.json"
        assert (row.run_id, row.organization_id, row.error, row.bytes) == ("run-7", "acme", "a sentence", 1)
        assert (row.content_type, row.last_modified, row.complete) == ("text/html", "then", True)
        assert row.started_at == "2026-11-20T12:00:00.000000+00:00"
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and b"CANARY" in path.read_bytes()]


def test_a_moment_without_a_zone_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with Archive(tmp_path) as archive:
        with pytest.raises(ValueError, match="zone"):
            archive.put(attempt(body=LARGE, started_at=dt.datetime(2026, 1, 1)), "run", None)  # noqa: DTZ001
        assert archive.audit.counts() == (0, 0)
        assert not blob_files(archive)


@pytest.mark.parametrize("harm", ["flip", "cut", "empty", "delete", "other"])
def test_a_damaged_blob_is_named_passed_over_and_healed(tmp_path: Path, harm: str) -> None:
    with Archive(tmp_path) as archive:
        older = archive.put(attempt(body=b"older"), "run", None)
        ref = archive.put(attempt(body=LARGE, started_at=NOW + dt.timedelta(days=1)), "run", None)
        (blob,) = blob_files(archive)
        good = blob.read_bytes()
        if harm == "flip":
            blob.write_bytes(good[:20] + bytes([good[20] ^ 255]) + good[21:])
        elif harm == "cut":
            blob.write_bytes(good[:-5])
        elif harm == "empty":
            blob.write_bytes(b"")
        elif harm == "delete":
            blob.unlink()
        else:
            other = archive.put(attempt("/other", LARGE + b"!"), "run", None)
            blob.write_bytes(archive.layout.blob(other.sha256).read_bytes())
        with pytest.raises(CorruptBlob, match=ref.sha256) as caught:
            archive.open(ref)
        assert caught.value.sha256 == ref.sha256
        stored = archive.latest(attempt().request)
        assert stored is not None
        assert stored.ref == older
        assert archive.put(attempt(body=LARGE, started_at=NOW + dt.timedelta(days=2)), "run", None) == ref
        assert archive.open(ref).read() == LARGE


def test_a_damaged_small_body_is_named_and_healed(tmp_path: Path) -> None:
    with Archive(tmp_path) as archive:
        ref = archive.put(attempt(body=b"small"), "run", None)
        with sqlite3.connect(archive.layout.audit) as connection:
            connection.execute("update bodies set data = x'00'")
        connection.close()
        with pytest.raises(CorruptBlob, match=ref.sha256):
            archive.open(ref)
        assert archive.latest(attempt().request) is None
        archive.put(attempt(body=b"small"), "run", None)
        assert archive.open(ref).read() == b"small"


def test_what_was_never_stored_cannot_be_opened(tmp_path: Path) -> None:
    with Archive(tmp_path) as archive:
        with pytest.raises(CorruptBlob, match="does not hold"):
            archive.open(RawRef("ab" * 32, 5))
        with pytest.raises(InvalidIdentifier):
            archive.open(RawRef("../../etc/passwd", 5))


def test_many_threads_share_one_archive(tmp_path: Path) -> None:
    with Archive(tmp_path) as archive:
        bodies = [f"{number % 40}".encode() * (2 if number % 2 else 50_000) for number in range(200)]

        def put(number: int) -> RawRef:
            ref = archive.put(attempt(f"/{number}", bodies[number]), "run", None)
            assert archive.open(ref).read() == bodies[number]
            return ref

        with ThreadPoolExecutor(8) as pool:
            refs = list(pool.map(put, range(200)))
        assert archive.audit.counts() == (200, len(set(bodies)))
        assert [archive.open(ref).read() for ref in refs] == bodies


def test_many_processes_open_an_empty_archive_at_once_and_lose_nothing(tmp_path: Path) -> None:
    writers = [start("put_answers", tmp_path, name, 20, 200_000 if name == "d" else 100) for name in "abcddd"]
    said = [finish(writer).split() for writer in writers]
    assert said[3] == said[4] == said[5]
    with Archive(tmp_path) as archive:
        assert archive.audit.counts() == (120, 80)
        for digests in said:
            assert len(digests) == 20
            assert not archive.audit.missing(digests)
        for row in archive.audit.bodies():
            archive.check(row)
        assert not list(archive.layout.incoming.iterdir())


@pytest.mark.parametrize(("size", "kills"), [(300, 6), (400_000, 8)])
def test_what_was_acknowledged_survives_kill_nine(tmp_path: Path, size: int, kills: int) -> None:
    acknowledged: list[str] = []
    for kill in range(kills):
        writer = start("put_answers", tmp_path, f"k{kill}", 10_000, size)
        assert writer.stdout is not None
        acknowledged += [writer.stdout.readline().strip() for _ in range(3 + 5 * kill)]
        writer.kill()
        rest = writer.communicate()[0].split("\n")
        acknowledged += rest[:-1]
    assert len(acknowledged) >= sum(3 + 5 * kill for kill in range(kills))
    with Archive(tmp_path, clock=lambda: dt.datetime.now(dt.UTC) + dt.timedelta(hours=2)) as archive:
        assert not archive.audit.missing(acknowledged)
        assert not archive.audit.check()
        for row in archive.audit.bodies():
            archive.check(row)
        archive.sweep()
        assert not archive.layout.incoming.exists() or not list(archive.layout.incoming.iterdir())


def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    assert finish(start("put_limited", tmp_path, 200_000, 2_000_000)).split() == ["StorageFull"]
    with Archive(tmp_path) as archive:
        assert archive.audit.counts() == (1, 1)
        assert not blob_files(archive)
        assert not list(archive.layout.incoming.iterdir())


def test_a_full_database_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    said = finish(start("put_limited", tmp_path, 70_000, 60_000)).split()
    assert said in ([StorageFull.__name__], [StorageFailed.__name__])
    with Archive(tmp_path) as archive:
        assert archive.audit.counts() == (1, 1)
        assert archive.latest(attempt("/limited").request) is None
        archive.put(attempt("/after", os.urandom(60_000)), "run", None)
        assert archive.audit.counts() == (2, 2)


def test_the_sweeper_takes_only_old_leftovers(tmp_path: Path) -> None:
    archive = Archive(tmp_path, clock=lambda: NOW)
    archive.layout.incoming.mkdir(parents=True)
    for name, age in (("old.tmp", 7200), ("new.tmp", 60)):
        path = archive.layout.incoming / name
        path.write_bytes(b"half")
        os.utime(path, times=(NOW.timestamp() - age,) * 2)
    assert archive.sweep() == 1
    assert [path.name for path in archive.layout.incoming.iterdir()] == ["new.tmp"]


def test_a_child_of_a_fork_uses_connections_of_its_own(tmp_path: Path) -> None:
    with Archive(tmp_path) as archive:
        archive.put(attempt("/parent", b"parent"), "run", None)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                archive.put(attempt("/child", b"child"), "run", None)
                status = 0
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        archive.put(attempt("/parent2", b"parent2"), "run", None)
        assert archive.audit.counts() == (3, 3)


def test_an_archive_of_another_version_is_refused_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("create table answers (request_id text)")
        other.commit()
    with pytest.raises(StorageFailed, match="has format 0"):
        Audit(path).counts()
