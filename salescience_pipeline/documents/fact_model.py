"""What an XBRL fact is once it was read: the fact, its problems, its footnotes, and the set they belong to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from salescience_pipeline.documents.contexts import Context, Unit
from salescience_pipeline.documents.source import Source
from salescience_pipeline.documents.xmltext import FragmentWriter, plain_text


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in the XBRL of a document that is not a fact because it cannot be trusted."""

    reason: str
    """One of prefix, context, unit, format, value, continuation, nesting, kind."""
    message: str
    start: int
    document: int = 0
    """Index of the document in its set."""


@dataclass(slots=True, eq=False)
class Fact:
    """One fact where it stands in its document.

    Attributes:
        concept: prefixed name as written, ``us-gaap:Assets``.
        namespace: what its prefix means there.
        context: who, when, which dimensions.
        unit: None for what is not numeric.
        decimals: as written (``-6``, ``INF``); None when absent.
        precision: likewise.
        nil: whether the value is said to be nothing.
        lang: language of a text; None for numbers.
        format: prefixed name of the transform, None without.
        scale: power of ten, as written.
        sign: ``-`` when the shown number is to be negated.
        escaped: whether the value is markup (a text block).
        hidden: whether it stands in the hidden part of the header.
        numeric: whether it is a number.
        ix_id: the element's id.
        footnotes: ids of its footnotes.
        order: position among the facts of the set, from 0.
        start: first byte of the element.
        end: byte behind it.
        ranges: byte ranges of the content, continuations included and exclusions taken out.
        document: index of the document in its set.
    """

    concept: str
    namespace: str
    context: Context
    unit: Unit | None
    decimals: str | None
    precision: str | None
    nil: bool
    lang: str | None
    format: str | None
    scale: str | None
    sign: str | None
    escaped: bool
    hidden: bool
    numeric: bool
    ix_id: str | None
    order: int
    start: int
    end: int
    ranges: tuple[tuple[int, int, int], ...]
    """(document, start, end) of each piece."""
    document: int
    footnotes: tuple[str, ...]
    _value: str | None
    _set: FactSet = field(repr=False)

    @property
    def value(self) -> str:
        """The lexical value: a plain decimal number, a text, or the markup of a text block. Empty when nil."""
        if self._value is None:
            self._value = self._set.text_of(self)
        return self._value

    @property
    def continued(self) -> bool:
        """Whether the text goes on in another place."""
        return len({piece[0] for piece in self.ranges}) > 1 or any(piece[1] >= self.end for piece in self.ranges)

    @property
    def number(self) -> Decimal | None:
        """The value as a number; None for texts and nil."""
        return Decimal(self.value) if self.numeric and not self.nil and self.value not in _SPECIAL else None

    def as_record(self) -> dict[str, object]:
        """The fact as one JSON line of ``salescience documents facts``."""
        context = self.context
        return {
            "concept": self.concept,
            "entity": context.entity,
            "start": context.start,
            "end": context.end,
            "dimensions": dict(context.dimensions),
            "unit": self.unit.text if self.unit is not None else None,
            "decimals": self.decimals,
            "value": self.value,
            "nil": self.nil,
            "lang": self.lang,
        }


_SPECIAL = frozenset({"", "INF", "-INF", "NaN"})


@dataclass(frozen=True, slots=True)
class Footnote:
    """A footnote of facts."""

    id: str
    text: str
    lang: str | None
    start: int
    end: int
    document: int = 0


@dataclass(eq=False)
class FactSet:
    """The facts of one document or of one inline set, in document order."""

    sources: tuple[Source, ...]
    facts: list[Fact] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    contexts: dict[str, Context] = field(default_factory=dict)
    units: dict[str, Unit] = field(default_factory=dict)
    footnotes: dict[str, Footnote] = field(default_factory=dict)
    schema_refs: tuple[str, ...] = ()
    fragments: dict[int, FragmentWriter] = field(default_factory=dict, repr=False)
    """Per inline document of the set: who writes its text blocks."""

    def __iter__(self) -> Iterator[Fact]:
        return iter(self.facts)

    def __len__(self) -> int:
        return len(self.facts)

    def text_of(self, fact: Fact) -> str:
        """The text of a fact whose value was left as byte ranges."""
        parts = []
        for document, start, end in fact.ranges:
            source = self.sources[document]
            raw = source.data[start:end]
            writer = self.fragments.get(document)
            if fact.escaped and writer is not None:
                parts.append(writer.text(raw))
            else:
                parts.append(plain_text(raw, source.encoding))
        return "".join(parts)

    def json_lines(self) -> Iterator[str]:
        """One JSON object per fact, see :meth:`Fact.as_record`."""
        for fact in self.facts:
            yield json.dumps(fact.as_record(), ensure_ascii=False)
