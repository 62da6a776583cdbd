"""Who, when, along which dimensions, in which unit: the contexts and units of an XBRL document.

Read from the bytes by their start tags; what does not belong here is the facts that refer to them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from types import MappingProxyType

from salescience_pipeline.documents.namespaces import XBRLDI, XBRLI, DeadSpans, Scope, Scopes
from salescience_pipeline.documents.source import Source
from salescience_pipeline.documents.xmltext import plain_text, raw_attributes


@dataclass(frozen=True, slots=True)
class Context:
    """One context.

    Attributes:
        id: as facts refer to it.
        entity: the identifier, for SEC filings the ten-digit CIK.
        scheme: URI of the identifier's scheme.
        start: first day as written (``2024-09-29``); None for an instant and for ever.
        end: last day, or the instant; None for ever.
        dimensions: axis -> member, both as prefixed names; a typed member is its text, None when it is nil.
        typed: the axes whose member is typed.
    """

    id: str
    entity: str
    scheme: str
    start: str | None
    end: str | None
    dimensions: MappingProxyType[str, str | None] = field(default_factory=lambda: MappingProxyType({}))
    typed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit: the measures above and below the line, as prefixed names."""

    id: str
    numerator: tuple[str, ...]
    denominator: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Local names only: ``USD``, ``USD/shares``, ``kWh*USD``."""
        over, under = (
            "*".join(name.rpartition(":")[2] for name in part) for part in (self.numerator, self.denominator)
        )
        return f"{over}/{under}" if under else over


_PART = re.compile(
    rb"<(?:([\w.\-]++):)?(identifier|startDate|endDate|instant|explicitMember|typedMember)\b([^<>]*+)>([^<]*+)"
)
_MEASURE = re.compile(rb"<(?:[\w.\-]+:)?(measure|unitNumerator|unitDenominator)\b[^<>]*>([^<]*)")
_TYPED_END = re.compile(rb"</(?:[\w.\-]+:)?typedMember\s*>")
_COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)
_QUOTED = re.compile(rb"""\b(dimension|scheme)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_USUAL_SIZE = 10_000
_NONE_TYPED: frozenset[str] = frozenset()
Regions = Sequence[tuple[int, int]]
"""Byte ranges in which contexts and units stand."""
_NIL = re.compile(rb"""<[^<>]*?\b([\w.\-]+):nil\s*=\s*["'](?:true|1)["']""")


def _elements(
    source: Source, scopes: Scopes, dead: DeadSpans, local: bytes, regions: Regions
) -> Iterator[tuple[str, bytes, int]]:
    """Id, content and offset of every ``xbrli:<local>`` element inside ``regions``."""
    data = source.data
    for prefix in scopes.prefixes_of(frozenset({XBRLI})):
        name = (prefix.encode() + b":" if prefix else b"") + local
        opening = re.compile(rb"<" + re.escape(name) + rb"(\s[^<>]*)>")
        closing = re.compile(rb"</" + re.escape(name) + rb"\s*>")
        usual = b"</" + name + b">"
        for first, last in regions:
            for match in opening.finditer(data, first, last):
                start, behind = match.span()
                if dead.hides(start) or scopes.at(start).prefixes.get(prefix) != XBRLI or match[1][-1:] == b"/":
                    continue
                end = data.find(usual, behind, behind + _USUAL_SIZE)
                if end < 0:
                    unusual = closing.search(data, behind)
                    if unusual is None:
                        return
                    end = unusual.start()
                body = data[behind:end]
                identifier = raw_attributes(match[1]).get(b"id", b"").decode("utf-8", "replace").strip()
                yield identifier, _COMMENT.sub(b"", body) if b"<!--" in body else body, start


def read_contexts(source: Source, scopes: Scopes, dead: DeadSpans, regions: Regions) -> dict[str, Context]:
    """All contexts of the document by id; of a repeated id the first."""
    found: dict[str, Context] = {}
    reader = _ContextReader(source.encoding)
    for identifier, body, offset in _elements(source, scopes, dead, b"context", regions):
        if identifier not in found:
            found[identifier] = reader.read(identifier, body, scopes.at(offset))
    return found


class _ContextReader:
    """Reads contexts; remembers the texts that a document repeats (its CIK, its dates, its members)."""

    def __init__(self, encoding: str) -> None:
        self.encoding = encoding
        self.texts: dict[bytes, str] = {}
        self.periods: dict[bytes, tuple[str, str, str | None, str | None]] = {}
        self.scope: Scope | None = None
        self.segments: dict[bytes, tuple[MappingProxyType[str, str | None], frozenset[str]]] = {}
        """What the segments say in this scope."""

    def text(self, raw: bytes) -> str:
        known = self.texts.get(raw)
        if known is None:
            known = self.texts[raw] = plain_text(raw, self.encoding).strip()
        return known

    def quoted(self, raw: bytes) -> str:
        """The value of the attribute ``dimension`` or ``scheme``."""
        known = self.texts.get(raw)
        if known is None:
            match = _QUOTED.search(raw)
            value = (match[2] or match[3] or b"") if match is not None else b""
            known = self.texts[raw] = plain_text(value, self.encoding).strip()
        return known

    def read(self, identifier: str, body: bytes, scope: Scope) -> Context:
        """The context with this content.

        A filing repeats its segments with other dates and its dates with other segments, so each is read once.
        """
        opening = body.find(b"segment")
        begin = body.rfind(b"<", 0, opening) if opening >= 0 else -1
        closing = body.rfind(b"segment>") if begin >= 0 else -1
        if closing <= opening or b"scenario" in body:
            entity, scheme, start, end, dimensions, typed = self._parts(body, scope)
            return Context(
                identifier, entity, scheme, start, end, MappingProxyType(dimensions), frozenset(typed) or _NONE_TYPED
            )
        rest = body[:begin] + body[closing:]
        around = self.periods.get(rest)
        if around is None:
            around = self.periods[rest] = self._parts(rest, scope)[:4]
        if scope is not self.scope:
            self.scope = scope
            self.segments.clear()
        segment = body[begin:closing]
        inside = self.segments.get(segment)
        if inside is None:
            dimensions, typed = self._parts(segment, scope)[4:]
            inside = MappingProxyType(dimensions), frozenset(typed) or _NONE_TYPED
            self.segments[segment] = inside
        return Context(identifier, *around, *inside)

    def _parts(
        self, body: bytes, scope: Scope
    ) -> tuple[str, str, str | None, str | None, dict[str, str | None], set[str]]:
        entity = scheme = ""
        start: str | None = None
        end: str | None = None
        dimensions: dict[str, str | None] = {}
        typed: set[str] = set()
        for index, (prefix, local, raw, content) in enumerate(_PART.findall(body)):
            if local == b"explicitMember":
                if scope.prefixes.get(prefix.decode()) == XBRLDI:
                    dimensions[self.quoted(raw)] = self.text(content)
            elif local == b"identifier":
                entity, scheme = self.text(content), self.quoted(raw)
            elif local == b"startDate":
                start = self.text(content)
            elif local != b"typedMember":
                end = self.text(content)
            elif scope.prefixes.get(prefix.decode()) == XBRLDI:
                match = next(islice(_PART.finditer(body), index, None))
                axis = self.quoted(raw)
                typed.add(axis)
                dimensions[axis] = _typed_value(body, match, self.encoding)
        return entity, scheme, start, end, dimensions, typed


def _typed_value(body: bytes, match: re.Match[bytes], encoding: str) -> str | None:
    """The text of a typed member: that of the one element inside."""
    closing = _TYPED_END.search(body, match.end())
    content = body[match.start(4) : closing.start() if closing is not None else len(body)]
    nil = _NIL.search(content)
    return None if nil is not None else plain_text(content, encoding).strip()


def read_units(source: Source, scopes: Scopes, dead: DeadSpans, regions: Regions) -> dict[str, Unit]:
    """All units of the document by id; of a repeated id the first."""
    found: dict[str, Unit] = {}
    for identifier, body, _offset in _elements(source, scopes, dead, b"unit", regions):
        parts: dict[bytes, list[str]] = {b"unitNumerator": [], b"unitDenominator": []}
        part = parts[b"unitNumerator"]
        for local, content in _MEASURE.findall(body):
            if local == b"measure":
                part.append(plain_text(content, source.encoding).strip())
            else:
                part = parts[local]
        found.setdefault(identifier, Unit(identifier, tuple(parts[b"unitNumerator"]), tuple(parts[b"unitDenominator"])))
    return found
