"""Spans of OpenTelemetry from the caller's request to the provider's answer, when the extra ``otel`` is installed and wanted.

Off by default and then free: nothing of OpenTelemetry is imported. A trace's id is the digest of the request id, so that
gateway, runs and their threads write into one trace without handing anything on; a ``traceparent`` of the caller's becomes
a link. Attributes are named after the semantic conventions; URLs are those without secrets, and of an exception only the
class is told. What does not belong here: log lines (``logs``).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span, SpanContext, Tracer

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


class Said(Protocol):
    """What can be said about a span that is open."""

    def say(self, name: str | None = None, **attributes: Any) -> None:
        """Name it anew, or add attributes (``_`` stands for the dots)."""
        ...


class _Silent:
    """Stands for a span where nobody traces."""

    def say(self, name: str | None = None, **attributes: Any) -> None:
        """Nothing is written."""


class _Open:
    """An open span."""

    def __init__(self, span: Span) -> None:
        self._span = span

    def say(self, name: str | None = None, **attributes: Any) -> None:
        """As the protocol says."""
        if name is not None:
            self._span.update_name(name)
        self._span.set_attributes(_attributes(attributes))


_SILENCE: AbstractContextManager[Said] = nullcontext(_Silent())
_tracer: Tracer | None = None


def enable(service: str, *, endpoint: str | None = None, exporter: SpanExporter | None = None) -> SpanProcessor:
    """Trace from now on in this process.

    Args:
        service: The name of this process among others.
        endpoint: Where an OTLP collector takes traces over HTTP, as ``http://127.0.0.1:4318/v1/traces``.
        exporter: Takes the spans instead (tests).

    Raises:
        ImportError: when the extra ``otel`` is not installed.
    """
    global _tracer  # noqa: PLW0603 - a process has one tracer
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - the extra
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor  # noqa: PLC0415

    made: SpanProcessor
    if exporter is not None:
        made = SimpleSpanProcessor(exporter)
    else:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

        made = BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint))
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(made)
    _tracer = provider.get_tracer("salescience")
    return made


def disable() -> None:
    """Trace no more."""
    global _tracer  # noqa: PLW0603
    _tracer = None


def is_on() -> bool:
    """Whether this process traces."""
    return _tracer is not None


def span(
    name: str, request_id: str | None, *, kind: str = "internal", traceparent: str | None = None, **attributes: Any
) -> AbstractContextManager[Said]:
    """A span around a block; nothing where nobody traces.

    Args:
        name: Of few kinds: never an id in it.
        request_id: The request that it belongs to, which says the trace; None for the span that is open around it.
        kind: ``server``, ``client`` or ``internal``.
        traceparent: What the caller's own trace calls itself.
        attributes: What to say about it (``_`` stands for the dots).
    """
    if _tracer is None:
        return _SILENCE
    return _spanning(_tracer, name, request_id, kind, traceparent, attributes)


@contextmanager
def _spanning(
    tracer: Tracer, name: str, request_id: str | None, kind: str, traceparent: str | None, attributes: Mapping[str, Any]
) -> Iterator[Said]:
    from opentelemetry import trace  # noqa: PLC0415

    around = trace.get_current_span().get_span_context()
    context = None
    if request_id is not None and around.trace_id != _trace_id(request_id):
        context = trace.set_span_in_context(trace.NonRecordingSpan(_root(request_id)))
    links = [trace.Link(found)] if (found := _context_of(traceparent)) is not None else []
    said = _attributes({**attributes, "salescience_request_id": request_id})
    with tracer.start_as_current_span(
        name, context, kind=trace.SpanKind[kind.upper()], attributes=said, links=links, record_exception=False,
        set_status_on_exception=False,
    ) as opened:  # fmt: skip
        try:
            yield _Open(opened)
        except BaseException as error:
            # The text of an exception may hold anything.
            opened.set_attribute("error.type", type(error).__name__)
            opened.set_status(trace.StatusCode.ERROR)
            raise


def _attributes(given: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name.replace("__", "\0").replace("_", ".").replace("\0", "_"): v for name, v in given.items() if v is not None
    }


def _trace_id(request_id: str) -> int:
    return int.from_bytes(hashlib.sha256(request_id.encode()).digest()[:16], "big")


def _root(request_id: str) -> SpanContext:
    """Where every span of a request begins, in every process alike."""
    from opentelemetry.trace import SpanContext, TraceFlags  # noqa: PLC0415

    digest = hashlib.sha256(request_id.encode()).digest()
    return SpanContext(
        _trace_id(request_id), int.from_bytes(digest[16:24], "big"), is_remote=True, trace_flags=TraceFlags(1)
    )


def _context_of(traceparent: str | None) -> SpanContext | None:
    from opentelemetry.trace import SpanContext, TraceFlags  # noqa: PLC0415

    match = _TRACEPARENT.fullmatch(traceparent or "")
    if match is None:
        return None
    found = SpanContext(int(match[1], 16), int(match[2], 16), is_remote=True, trace_flags=TraceFlags(int(match[3], 16)))
    return found if found.is_valid else None
