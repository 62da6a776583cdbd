"""The archive of raw answers: every attempt and every body, verbatim, durable when ``put`` returns.

Bodies of 64 kB and more are files named by their SHA-256, compressed with zstd level 3 (167 MB per CPU second at a ratio
of 3.7; level 9 costs 4.5 times as much for 2 %). Smaller ones lie in the audit database: a file system needs 4 kB and an
inode for 120 bytes of quote, and a hundred times the work. What does not belong here: HTTP, parsing, and deleting anything
that was acknowledged.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Self
from urllib.parse import parse_qsl, urlsplit

import zstandard

from salescience_pipeline.clients.model import AnswerClass, Attempt, Body, PlannedRequest, RawRef, Stored
from salescience_pipeline.identifiers import RequestId, Sha256
from salescience_pipeline.lake.audit import Audit, AuditRow, BodyRow, Newest, stamp
from salescience_pipeline.lake.durable import fsync
from salescience_pipeline.lake.errors import CorruptBlob, storage_error
from salescience_pipeline.lake.layout import TEMPORARY_SUFFIX, Layout

INLINE_BELOW = 64_000
"""Bodies of fewer bytes than this lie in the audit database."""
MEMORY_BELOW = 64_000_000
"""Bodies of fewer bytes than this are opened in memory; larger ones through a temporary file."""
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
"""Digest of no bytes: what an attempt without a body refers to."""

_LEVEL = 3
_CHUNK = 1 << 20
_SECRET_HEADERS = frozenset({"authorization", "cookie", "set-cookie", "proxy-authorization", "x-api-key"})


class Archive:
    """The archive below ``root``; implements the transport's ``AnswerStore``.

    Safe for many threads and for several processes at once. Use it as a context manager, or ``close()`` it.
    """

    def __init__(self, root: Path, clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)) -> None:
        """Nothing is created until the first write.

        Args:
            root: The lake's root (``Settings.lake_dir``).
            clock: The time in UTC; only the age of abandoned files is measured with it.
        """
        self.layout = Layout(root)
        self.audit = Audit(self.layout.audit)
        self._clock = clock
        self._spooling = threading.Lock()
        self._spool: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database and delete the temporary copies of large bodies that :meth:`open` made."""
        self.audit.close()
        if self._spool is not None:
            self._spool.cleanup()
            self._spool = None

    def put(self, attempt: Attempt, run_id: str, organization_id: str | None) -> RawRef:
        """Keep the attempt's audit row and its body; returns only when both are on disk.

        The same body again is not stored again, unless what is stored was found to be damaged.

        Args:
            attempt: One try, with or without a body.
            run_id: The run that made it.
            organization_id: Whose request it was; None for shared market data.

        Raises:
            CorruptBlob: when the body's bytes do not have the digest it carries.
            StorageFull: when the disk is full; neither row nor body is visible.
            StorageFailed: when the disk fails otherwise.
        """
        row = _row(attempt, run_id, organization_id)
        if attempt.body is None:
            self.audit.add(row, None)
            return RawRef(EMPTY_SHA256, 0)
        known = self._known(attempt.body.sha256)
        kept = known if known is not None else self._keep(attempt.body)
        self.audit.add(row, kept if known is None else None)
        return RawRef(kept.sha256, kept.size, kept.path)

    def keep(self, body: Body) -> RawRef:
        """Keep bytes that were cut out of an archived answer, as a document of a complete submission; no request is told of.

        The same bytes again are not stored again.

        Raises:
            CorruptBlob, StorageFull, StorageFailed: as :meth:`put`.
        """
        kept = self._known(body.sha256)
        if kept is None:
            kept = self._keep(body)
            self.audit.add_body(kept)
        return RawRef(kept.sha256, kept.size, kept.path)

    def latest(self, request: PlannedRequest) -> Stored | None:
        """The newest complete answer to that request (ok, empty or not found) whose body is not known to be damaged."""
        newest = self.audit.newest(request.canonical_url)
        return _stored(newest) if newest is not None else None

    def all_at(self, request: PlannedRequest) -> list[tuple[PlannedRequest, Stored]]:
        """Every complete answer at the request's address, with the parameters that it was asked with, the oldest first.

        A replay needs them where a dataset is made of many answers of one address: yesterday's range and today's.
        """
        address = request.canonical_url.partition("?")[0]
        return [
            (replace(request, params=tuple(parse_qsl(urlsplit(row.canonical_url).query))), _stored(row))
            for row in self.audit.all_at(address)
        ]

    def open(self, ref: RawRef) -> Body:
        """The body that ``ref`` names, its digest checked on the way.

        Bodies of 64 MB and more are written to a temporary file, which lives until :meth:`close`.

        Raises:
            CorruptBlob: when the body is missing or its bytes have another digest; from then on ``latest`` passes it over
                and the next ``put`` of the same content replaces it.
            InvalidIdentifier: when ``ref.sha256`` is not a digest.
        """
        if ref.sha256 == EMPTY_SHA256:
            return Body(b"")
        row = self._located(ref)
        try:
            if row.size < MEMORY_BELOW:
                return Body(b"".join(self._verified(row)), sha256=row.sha256)
            return self._spooled(row)
        except CorruptBlob:
            self.audit.mark_damaged(row.sha256)
            raise

    def pieces(self, ref: RawRef) -> Iterator[bytes]:
        """The body in pieces of up to a megabyte, whatever its size; the last one comes only when the digest is right.

        Raises:
            CorruptBlob: as :meth:`open`, at the end of what could be read.
            InvalidIdentifier: when ``ref.sha256`` is not a digest.
        """
        if ref.sha256 == EMPTY_SHA256:
            return
        row, held = self._located(ref), b""
        try:
            for piece in self._verified(row):
                if held:
                    yield held
                held = piece
        except CorruptBlob:
            self.audit.mark_damaged(row.sha256)
            raise
        yield held

    def check(self, row: BodyRow) -> None:
        """Read one body through and compare its digest.

        Raises:
            CorruptBlob: when it is missing or damaged; that is remembered, as in :meth:`open`.
        """
        try:
            for _ in self._verified(row):
                pass
        except CorruptBlob:
            self.audit.mark_damaged(row.sha256)
            raise

    def sweep(self, older_than: dt.timedelta = dt.timedelta(hours=1)) -> int:
        """Delete files that an interrupted write left behind, once they are ``older_than``; returns how many."""
        limit = (self._clock() - older_than).timestamp()
        swept = 0
        for path in self.layout.incoming.glob(f"*{TEMPORARY_SUFFIX}"):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < limit:
                    path.unlink()
                    swept += 1
        return swept

    def _known(self, sha256: str) -> BodyRow | None:
        """The place of a body that is stored and, as far as is known, sound."""
        row = self.audit.body(Sha256(sha256))
        if row is None or row.damaged:
            return None
        if row.path is not None and not self.layout.blob(row.sha256).exists():
            self.audit.mark_damaged(row.sha256)
            return None
        return row

    def _keep(self, body: Body) -> BodyRow:
        """Make the bytes durable where that is a file, and say where they are."""
        if body.size < INLINE_BELOW:
            data = body.read()
            if hashlib.sha256(data).hexdigest() != body.sha256:
                raise CorruptBlob(body.sha256, "the bytes to be stored have another digest")
            return BodyRow(body.sha256, body.size, None, zstandard.ZstdCompressor(_LEVEL).compress(data), damaged=False)
        final = self.layout.blob(body.sha256)
        try:
            self._write_blob(body, final)
        except OSError as error:
            raise storage_error(error, "storing a body") from error
        return BodyRow(body.sha256, body.size, self.layout.relative(final), None, damaged=False)

    def _write_blob(self, body: Body, final: Path) -> None:
        self.layout.incoming.mkdir(parents=True, exist_ok=True)
        temporary = self.layout.incoming / f"{uuid.uuid4().hex}{TEMPORARY_SUFFIX}"
        try:
            with temporary.open("xb") as target, body.open() as source:
                digest = _compress(source, target, body.size)
                if digest != body.sha256:
                    raise CorruptBlob(body.sha256, "the bytes to be stored have another digest")
                target.flush()
                os.fsync(target.fileno())
            _make_durable_folder(final.parent, self.layout.archive)
            if self.audit.body(body.sha256) is not None:
                # Known and yet to be stored means damaged or lost: the one case in which a name is used again.
                temporary.replace(final)
            else:
                with suppress(FileExistsError):  # somebody stored the same content in the meantime
                    os.link(temporary, final)
            fsync(final.parent)
        finally:
            temporary.unlink(missing_ok=True)

    def _located(self, ref: RawRef) -> BodyRow:
        row = self.audit.body(Sha256(ref.sha256))
        if row is None:
            raise CorruptBlob(ref.sha256, "the archive does not hold it")
        return row

    def _verified(self, row: BodyRow) -> Iterator[bytes]:
        """The decompressed bytes in pieces; raises at the end when digest or size differ."""
        digest, size = hashlib.sha256(), 0
        try:
            for piece in self._pieces(row):
                digest.update(piece)
                size += len(piece)
                yield piece
        except FileNotFoundError as error:
            raise CorruptBlob(row.sha256, "its file is missing") from error
        except (zstandard.ZstdError, OSError) as error:
            raise CorruptBlob(row.sha256, "its stored bytes cannot be read") from error
        if size != row.size or digest.hexdigest() != row.sha256:
            raise CorruptBlob(row.sha256, "its stored bytes have another digest")

    def _pieces(self, row: BodyRow) -> Iterator[bytes]:
        decompressor = zstandard.ZstdDecompressor()
        if row.data is not None:
            yield decompressor.decompress(row.data, max_output_size=row.size)
            return
        with self.layout.blob(row.sha256).open("rb") as source:
            yield from decompressor.read_to_iter(source, read_size=_CHUNK, write_size=_CHUNK)

    def _spooled(self, row: BodyRow) -> Body:
        with self._spooling:
            if self._spool is None:
                self._spool = tempfile.TemporaryDirectory(prefix="salescience-")
            folder = Path(self._spool.name)
        path = folder / f"{row.sha256}-{uuid.uuid4().hex}"
        try:
            with path.open("xb") as target:
                for piece in self._verified(row):
                    target.write(piece)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return Body(path=path, sha256=row.sha256)


def _stored(row: Newest) -> Stored:
    return Stored(
        ref=RawRef(row.sha256 or EMPTY_SHA256, row.size, row.path),
        answer_class=AnswerClass(row.answer_class),
        fetched_at=dt.datetime.fromisoformat(row.fetched_at),
        request_id=RequestId(row.request_id),
        status=row.status,
        headers=json.loads(row.headers),
    )


def _row(attempt: Attempt, run_id: str, organization_id: str | None) -> AuditRow:
    headers = _safe_headers(attempt.headers)
    fetched_at = attempt.started_at + dt.timedelta(milliseconds=attempt.elapsed_ms)
    return AuditRow(
        request_id=attempt.request_id,
        attempt=attempt.attempt,
        provider=attempt.request.provider,
        endpoint=attempt.request.endpoint,
        method=attempt.request.method,
        canonical_url=attempt.request.canonical_url,
        status=attempt.status,
        answer_class=attempt.answer_class.value,
        started_at=stamp(attempt.started_at),
        fetched_at=stamp(fetched_at),
        elapsed_ms=attempt.elapsed_ms,
        bytes=attempt.body.size if attempt.body is not None else 0,
        content_type=headers.get("content-type"),
        etag=headers.get("etag"),
        last_modified=headers.get("last-modified"),
        headers=json.dumps(headers, sort_keys=True),
        body_sha256=attempt.body.sha256 if attempt.body is not None else None,
        error=attempt.error,
        complete=attempt.complete,
        run_id=run_id,
        organization_id=organization_id,
    )


def _safe_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Lower-case names, without those that carry credentials: the second lock on a door that the transport shut."""
    return {name.lower(): value for name, value in headers.items() if name.lower() not in _SECRET_HEADERS}


def _compress(source: object, target: object, size: int) -> str:
    """Copy ``source`` to ``target`` compressed; returns the SHA-256 of the plain bytes."""
    digest = hashlib.sha256()
    with zstandard.ZstdCompressor(_LEVEL).stream_writer(target, size=size, closefd=False) as writer:  # type: ignore[arg-type]
        while piece := source.read(_CHUNK):  # type: ignore[attr-defined]
            digest.update(piece)
            writer.write(piece)
    return digest.hexdigest()


def _make_durable_folder(folder: Path, root: Path) -> None:
    """Create ``folder`` below ``root`` and make the names of new folders survive a power failure."""
    missing = []
    while folder != root and not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for new in reversed(missing):
        new.mkdir(exist_ok=True)
        fsync(new.parent)
