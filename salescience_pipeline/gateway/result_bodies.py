"""The bodies of GET /results: envelopes as one JSON document or as lines, and a table with a row per source.

Every body is made source by source while it is sent; none is ever whole in memory. What does not belong here: who may
read it, and headers (``results``).
"""

from __future__ import annotations

import codecs
import csv
import datetime as dt
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from salescience_pipeline.gateway.problems import Problem
from salescience_pipeline.gateway.state import State
from salescience_pipeline.ledger.job_model import JobView, SourceView

if TYPE_CHECKING:
    import pyarrow as pa

MAX_CELL_BYTES = 100_000_000
"""A content that is larger than this is not put into a cell of a table, which has to be made as a whole."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_TEXTS = ("ticker", "cik", "accession", "form", "url", "sha256")
_DATES = ("filing_date", "report_date")
_CSV_COLUMNS = ("ticker", "cik", "accession", "form", *_DATES, "url", "fetched_at", "sha256")


def body_of(
    format_: str, state: State, job: JobView, sources: Sequence[SourceView], *, with_content: bool
) -> Iterator[bytes]:
    """The body in ``format_`` (a name of ``negotiation.FORMATS``), in pieces.

    Raises:
        Problem: 413 before the first piece, when a content is too large for a cell.
    """
    if format_ == "csv":
        return iter((_csv(sources).encode(),))
    if format_ in ("arrow", "parquet"):
        large = next((item for item in sources if item.content and item.content.size > MAX_CELL_BYTES), None)
        if with_content and large is not None:
            raise Problem(
                413, "content_too_large",
                f"{large.key} is too large for a table; ask for it by itself, or for fields=metadata.",
            )  # fmt: skip
        return _table(format_, state, sources, with_content=with_content)
    if format_ == "ndjson":
        return _lines(state, job, sources, with_content=with_content)
    return _envelopes(state, job, sources, with_content=with_content)


def pieces(state: State, source: SourceView) -> Iterator[bytes]:
    """The content's bytes: a filing's from the archive, anything else from the results."""
    from salescience_pipeline.clients.model import RawRef  # noqa: PLC0415 - with the lake, when first needed

    assert source.content is not None
    if source.provider == "sec":
        return state.services.archive.pieces(RawRef(source.content.sha256, source.content.size))
    return state.results.pieces(source.content.sha256)


# -- envelopes ----------------------------------------------------------------------------------------------------------
def _envelopes(state: State, job: JobView, sources: Sequence[SourceView], *, with_content: bool) -> Iterator[bytes]:
    yield b'{"job_id":' + _json(job.job_id) + b',"results":{'
    separator = b""
    for source in sources:
        if source.content is None:
            continue
        yield separator + _json(source.key) + b":{"
        yield from _envelope(state, source, with_content=with_content)
        separator = b","
    errors = {
        source.key: {"status": source.status.value, "error_class": source.error_class, "error": source.error}
        for source in sources
        if source.content is None
    }
    yield b"}" + (b',"errors":' + _json(errors) if errors else b"") + b"}"


def _lines(state: State, job: JobView, sources: Sequence[SourceView], *, with_content: bool) -> Iterator[bytes]:
    """One envelope per line, with its key and its status; of a source without content, why there is none."""
    for source in sources:
        about = {"job_id": job.job_id, "key": source.key, "status": source.status.value}
        if source.content is None:
            yield _json({**about, "error_class": source.error_class, "error": source.error}) + b"\n"
            continue
        yield _json(about)[:-1] + b","
        yield from _envelope(state, source, with_content=with_content)
        yield b"\n"


def _envelope(state: State, source: SourceView, *, with_content: bool) -> Iterator[bytes]:
    """The envelope without its opening brace."""
    assert source.content is not None
    yield b'"content":'
    if with_content:
        yield from _content(state, source)
    else:
        yield b"null"
    about = {"content_type": source.content.kind, "source": source.provider, "metadata": dict(source.details)}
    yield b"," + _json(about)[1:]


def _content(state: State, source: SourceView) -> Iterator[bytes]:
    assert source.content is not None
    if source.content.kind == "json":
        yield from pieces(state, source)
        return
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    yield b'"'
    for piece in pieces(state, source):
        yield _json(decoder.decode(piece))[1:-1]
    yield _json(decoder.decode(b"", final=True))[1:-1] + b'"'


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str).encode()


# -- a row per source ---------------------------------------------------------------------------------------------------
def _csv(sources: Sequence[SourceView]) -> str:
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(["key", "source", "status", "content_type", "bytes", *_CSV_COLUMNS, "error"])
    for item in sources:
        kind, size = (item.content.kind, item.content.size) if item.content else ("", "")
        values = [item.key, item.provider, item.status.value, kind, size]
        values += [item.details.get(name) or "" for name in _CSV_COLUMNS]
        writer.writerow([_harmless(value) for value in [*values, item.error or ""]])
    return written.getvalue()


def _harmless(value: object) -> object:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


class _Sink(io.RawIOBase):
    """A file that hands on what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._at = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def write(self, data: Any) -> int:
        part = bytes(data)
        self._parts.append(part)
        self._at += len(part)
        return len(part)

    def drain(self) -> bytes:
        """What was written since the last time."""
        found, self._parts = b"".join(self._parts), []
        return found


def _table(format_: str, state: State, sources: Sequence[SourceView], *, with_content: bool) -> Iterator[bytes]:
    """An Arrow stream with a batch, or a Parquet file with a row group, per source."""
    import pyarrow as pa  # noqa: PLC0415 - only who asks for a table waits for it
    import pyarrow.parquet as pq  # noqa: PLC0415

    texts = [pa.field(name, pa.string()) for name in ("error_class", "error", *_TEXTS)]
    schema = pa.schema([
        pa.field("key", pa.string(), nullable=False), pa.field("source", pa.string(), nullable=False),
        pa.field("status", pa.string(), nullable=False), pa.field("content_type", pa.string()),
        pa.field("bytes", pa.int64()), *texts, *(pa.field(name, pa.date32()) for name in _DATES),
        pa.field("fetched_at", pa.timestamp("us", tz="UTC")), pa.field("content", pa.large_string()),
    ])  # fmt: skip
    sink = _Sink()
    make: Callable[..., Any] = pq.ParquetWriter if format_ == "parquet" else pa.ipc.new_stream
    options = {"compression": "zstd"} if format_ == "parquet" else {}
    with make(sink, schema, **options) as writer:
        for source in sources:
            writer.write_batch(_batch(schema, state, source, with_content=with_content))
            yield sink.drain()
    yield sink.drain()


def _batch(schema: pa.Schema, state: State, source: SourceView, *, with_content: bool) -> pa.RecordBatch:
    import pyarrow as pa  # noqa: PLC0415

    about = source.details
    row: dict[str, Any] = {
        "key": source.key, "source": source.provider, "status": source.status.value, "error_class": source.error_class,
        "error": source.error, "fetched_at": _read(dt.datetime.fromisoformat, about, "fetched_at"),
        **{name: None if about.get(name) is None else str(about[name]) for name in _TEXTS},
        **{name: _read(dt.date.fromisoformat, about, name) for name in _DATES},
    }  # fmt: skip
    if source.content is not None:
        row |= {"content_type": source.content.kind, "bytes": source.content.size, "sha256": source.content.sha256}
        if with_content:
            row["content"] = b"".join(pieces(state, source)).decode("utf-8", "replace")
    return pa.RecordBatch.from_pylist([row], schema=schema)


def _read(parse: Callable[[str], Any], about: Mapping[str, Any], name: str) -> Any:
    """A value of the metadata as its type; what is not of that type is left out of a typed column."""
    try:
        return parse(str(about[name])) if about.get(name) is not None else None
    except ValueError:
        return None
