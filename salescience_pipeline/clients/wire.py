"""Receiving a body: decoded as it comes, counted, capped, hashed, kept in memory while small and in a file when large.

Decoding is done here and not by the HTTP library, for three reasons: the cap must hold *inside* one compressed chunk
(64 kB of a bomb are 64 MB), the trailer of a gzip stream must be seen to be there, and the bytes on the wire must be
counted against Content-Length. What does not belong here: sockets, and what the bytes mean.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import weakref
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from salescience_pipeline.clients.model import Body

SPOOL_ABOVE = 4_000_000
"""Bytes above which a body moves from memory to a file."""
RATIO_CAP = 100.0
"""Decoded bytes per byte on the wire; real answers reach 15."""
RATIO_FLOOR = 10_000_000
"""Decoded bytes below which the ratio is nobody's concern: ten megabytes are no bomb."""
_PIECE = 1_000_000


class TooBig(Exception):
    """The body exceeds its cap or expands like a bomb; the message is the rest of a sentence."""


class Cut(Exception):
    """The body ended early or is not encoded as it says; the message is the rest of a sentence."""


class SpooledBody(Body):
    """A body in a file that lives exactly as long as this object."""

    __slots__ = ("__weakref__",)

    def __init__(self, path: Path, sha256: str) -> None:
        super().__init__(path=path, sha256=sha256)
        weakref.finalize(self, path.unlink, missing_ok=True)


class Receiver:
    """Takes the raw chunks of one body; :meth:`finish` gives the verified result."""

    def __init__(
        self,
        *,
        encoding: str,
        max_bytes: int,
        spool_dir: Path | None,
        spool_above: int = SPOOL_ABOVE,
        secrets: Sequence[bytes] = (),
    ) -> None:
        """Prepare for a body in ``encoding`` (a Content-Encoding) of at most ``max_bytes`` decoded bytes.

        ``secrets`` are overwritten wherever they stand in the body, as a provider may echo the key it was given.

        Raises:
            Cut: when the encoding is none that we asked for.
        """
        self.raw_bytes = self.size = 0
        self._inflate = _decoder(encoding)
        self._max_bytes, self._spool_dir, self._spool_above = max_bytes, spool_dir, spool_above
        self._secrets, self._held = tuple(secrets), b""
        self._hash = hashlib.sha256()
        self._chunks: list[bytes] = []
        self._file: tempfile._TemporaryFileWrapper[bytes] | None = None

    def feed(self, raw: bytes) -> None:
        """Take the next chunk as it came over the wire.

        Raises:
            TooBig: when a cap is passed.
            Cut: when the encoding is broken.
        """
        self.raw_bytes += len(raw)
        for piece in self._inflate.pieces(raw):
            self.size += len(piece)
            if self.size > self._max_bytes:
                raise TooBig(f"sent more than the {self._max_bytes:,} bytes allowed")
            if self.size > RATIO_FLOOR and self.size > RATIO_CAP * self.raw_bytes:
                raise TooBig(f"sent a body that expands more than {RATIO_CAP:.0f} times")
            self._keep(self._scrubbed(piece))

    def finish(self, content_length: int | None) -> Body:
        """The whole body.

        Raises:
            Cut: when fewer or more bytes came than announced, or the compressed stream has no end.
        """
        if content_length is not None and content_length != self.raw_bytes:
            raise Cut(f"announced {content_length:,} bytes and sent {self.raw_bytes:,}")
        if not self._inflate.is_complete(self.raw_bytes):
            raise Cut("sent a compressed body without its end")
        return self.partial()

    def partial(self) -> Body:
        """What has come so far, for telling what an error is about; never to be taken for the whole."""
        if self._held:
            held, self._held = self._held, b""
            self._keep(held)
        if self._file is None:
            return Body(b"".join(self._chunks), sha256=self._hash.hexdigest())
        self._file.flush()
        path = Path(self._file.name)
        self._file.close()
        return SpooledBody(path, self._hash.hexdigest())

    def discard(self) -> None:
        """Drop everything, the spool file too."""
        self._chunks.clear()
        if self._file is not None:
            self._file.close()
            Path(self._file.name).unlink(missing_ok=True)
            self._file = None

    def _scrubbed(self, piece: bytes) -> bytes:
        """Overwrite secrets, holding back as many bytes as a secret could reach over into the next piece."""
        if not self._secrets:
            return piece
        data = self._held + piece
        for secret in self._secrets:
            if secret in data:
                data = data.replace(secret, b"*" * len(secret))
        keep = min(max(map(len, self._secrets)) - 1, len(data))
        self._held = data[len(data) - keep :] if keep else b""
        return data[: len(data) - keep]

    def _keep(self, data: bytes) -> None:
        self._hash.update(data)
        if self._file is None and self.size > self._spool_above:
            if self._spool_dir is not None:
                self._spool_dir.mkdir(parents=True, exist_ok=True)
            # Closed and removed by SpooledBody or by discard().
            self._file = tempfile.NamedTemporaryFile(  # noqa: SIM115
                dir=self._spool_dir, prefix=f"spool-{os.getpid()}-", delete=False
            )
            for chunk in self._chunks:
                self._file.write(chunk)
            self._chunks.clear()
        if self._file is not None:
            self._file.write(data)
        else:
            self._chunks.append(data)


class _Plain:
    """No compression."""

    def pieces(self, raw: bytes) -> Iterator[bytes]:
        yield raw

    def is_complete(self, _raw_bytes: int) -> bool:
        return True


class _Zlib:
    """gzip (several members allowed) or deflate, in pieces of bounded size."""

    def __init__(self, make: Callable[[bytes], zlib._Decompress], *, members: bool) -> None:
        self._make, self._members = make, members
        self._stream: zlib._Decompress | None = None

    def pieces(self, raw: bytes) -> Iterator[bytes]:
        pending = False
        while raw or pending:
            if self._stream is None or self._stream.eof:
                if self._stream is not None and not self._members:
                    raise Cut("sent bytes after the end of a compressed body")
                self._stream = self._make(raw)
            try:
                piece = self._stream.decompress(raw, _PIECE)
            except zlib.error as error:
                raise Cut("sent a body that cannot be decompressed") from error
            raw = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
            # A full piece may leave output inside the stream although all input is used up.
            pending = len(piece) == _PIECE and not self._stream.eof
            if piece:
                yield piece

    def is_complete(self, raw_bytes: int) -> bool:
        return raw_bytes == 0 if self._stream is None else self._stream.eof


def _deflate_stream(first: bytes) -> zlib._Decompress:
    # "deflate" means zlib by the standard and a bare stream by habit: the first byte tells.
    return zlib.decompressobj(zlib.MAX_WBITS if first[0] & 0x0F == 8 else -zlib.MAX_WBITS)


def _decoder(encoding: str) -> _Plain | _Zlib:
    name = encoding.strip().lower()
    if name in {"", "identity"}:
        return _Plain()
    if name in {"gzip", "x-gzip"}:
        return _Zlib(lambda _first: zlib.decompressobj(zlib.MAX_WBITS | 16), members=True)
    if name == "deflate":
        return _Zlib(_deflate_stream, members=False)
    raise Cut(f"sent a body encoded as {encoding[:20]!r}, which was not asked for")
