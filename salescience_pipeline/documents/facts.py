"""XBRL facts of a filing: inline (one document or a set) and plain instances, read from the bytes without a tree.

One pass over the inline tags gives every fact with its bytes; contexts and units come from :mod:`contexts`. A fact that
cannot be trusted (a prefix that nothing declares, a context that is missing, a text that its format refuses) becomes a
:class:`Problem`, not a fact. Text blocks stay byte ranges until asked for. Not here: what shown texts mean (``transforms``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from salescience_pipeline.documents.contexts import Context, read_contexts, read_units
from salescience_pipeline.documents.fact_model import Fact, FactSet, Footnote
from salescience_pipeline.documents.inline import Element, XbrlReader
from salescience_pipeline.documents.namespaces import XSI, Scope
from salescience_pipeline.documents.source import Source
from salescience_pipeline.documents.transform_errors import TransformError
from salescience_pipeline.documents.transforms import Transform, find_transform
from salescience_pipeline.documents.xmltext import FragmentWriter, plain_text, resolve_references

_TRUE = (b"true", b"1")
_XML_SPACE = " \t\r\n"
_XML_SPACES = re.compile("[ \t\r\n]+")
_PLAIN = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_FORMATTED_MAX = 10_000
"""Bytes: a format rewrites a word or a number; longer content under one is a mistake."""
_SHORT = 1000
_MAX_CHAIN = 500
_REMEMBERED = 20_000
"""Attribute values kept per document."""


class _Unusable(Exception):
    """A fact that has to be told as a problem: reason and message."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def read_facts(sources: Source | Sequence[Source]) -> FactSet:
    """All facts of one document or of the documents of one filing.

    Documents of one filing share contexts, units and continuations, as the inline XBRL specification has it. A document
    without XBRL gives no fact and no problem.

    Args:
        sources: one document, or the documents of an inline set in order.

    Raises:
        DocumentCorrupt: when inline elements are nested deeper than any filing nests them.
    """
    parts = (sources,) if isinstance(sources, Source) else tuple(sources)
    result = FactSet(parts)
    readers = [reader for index, source in enumerate(parts) if (reader := XbrlReader(source, index)).has_xbrl]
    continuations: dict[str, Element] = {}
    found = [(reader, reader.elements(continuations)) for reader in readers]
    for reader in readers:
        assert reader.scopes is not None
        place = (reader.source, reader.scopes, reader.dead)
        for context in read_contexts(*place, reader.resources).values():
            result.contexts.setdefault(context.id, context)
        for unit in read_units(*place, reader.resources).values():
            result.units.setdefault(unit.id, unit)
        result.schema_refs += tuple(reader.schema_refs)
    footnotes: dict[str, list[str]] = {}
    for reader in readers:
        for fact_id, footnote_id in reader.footnote_arcs:
            footnotes.setdefault(fact_id, []).append(footnote_id)
        if reader.dropped is not None:
            result.fragments[reader.index] = FragmentWriter(reader.source.encoding, reader.dropped)
    for reader, elements in found:
        _Builder(reader, result, continuations, footnotes).build(elements)
        result.problems += reader.problems
    return result


class _Texts(dict[bytes | None, Any]):
    """Values of attributes, decoded and trimmed; every value is worked out once. ``None`` (no attribute) stays None."""

    def __init__(self, encoding: str) -> None:
        super().__init__({None: None})
        self._encoding = encoding

    def __missing__(self, raw: bytes) -> str:
        text = raw.decode(self._encoding, "replace")
        text = (resolve_references(text) if "&" in text else text).strip()
        if len(self) < _REMEMBERED:
            self[raw] = text
        return text


class _Builder:
    """Turns the elements of one document into facts."""

    def __init__(
        self,
        reader: XbrlReader,
        result: FactSet,
        continuations: dict[str, Element],
        footnotes: dict[str, list[str]],
    ) -> None:
        assert reader.scopes is not None
        self.reader = reader
        self.source = reader.source
        self.encoding = reader.source.encoding
        self.scopes = reader.scopes
        self.result = result
        self.continuations = continuations
        self.footnotes = footnotes
        self.texts = _Texts(reader.source.encoding)
        self.names: dict[bytes, tuple[str, str]] = {}
        self.formats: dict[bytes, tuple[str, Transform]] = {}
        self.contexts: dict[bytes | None, Context] = {}
        """Contexts by the bytes that refer to them."""
        self.scope: Scope | None = None
        self.nil_names = [f"{prefix}:nil".encode() for prefix in self.scopes.prefixes_of(frozenset({XSI})) if prefix]
        """How an attribute that says that there is no value may be spelt."""

    def build(self, elements: list[Element]) -> None:
        """Append the facts and footnotes of this document to the set."""
        self._footnotes()
        make = self._inline_fact if self.reader.inline_prefixes else self._instance_fact
        # Taken off the list one by one, so that an element is gone when its fact is there.
        elements.reverse()
        only = self.scopes.only
        while elements:
            element = elements.pop()
            scope = only or self.scopes.at(element.start)
            if scope is not self.scope:
                self.scope = scope
                self.names.clear()
                self.formats.clear()
            try:
                self.result.facts.append(make(element, scope))
            except _Unusable as error:
                self.reader.problem(error.reason, str(error), element.start)

    def _footnotes(self) -> None:
        for element in self.reader.footnotes:
            attributes = element.attributes
            identifier = self.texts[attributes.get(b"id", b"")]
            text = "".join(plain_text(self.source.data[a:b], self.encoding) for _, a, b in element.pieces())
            lang = attributes.get(b"xml:lang")
            scope_lang = self.scopes.at(element.start).lang
            self.result.footnotes[identifier] = Footnote(
                identifier,
                " ".join(text.split()),
                self.texts[lang] if lang is not None else scope_lang,
                element.start,
                element.end,
                self.reader.index,
            )

    def _name(self, raw: bytes, scope: Scope) -> tuple[str, str]:
        """The prefixed name and its namespace.

        Raises:
            _Unusable: when nothing declares the prefix.
        """
        known = self.names.get(raw)
        if known is None:
            name = self.texts[raw]
            prefix, _, local = name.rpartition(":")
            namespace = scope.prefixes.get(prefix)
            if not local or namespace is None:
                raise _Unusable("prefix", f"The name {name[:80]!r} has a prefix that nothing declares.")
            known = self.names[raw] = (name, namespace)
        return known

    def _is_nil(self, attributes: dict[bytes, bytes], scope: Scope) -> bool:
        """Whether an attribute ``nil`` of the schema-instance namespace is true, whatever its prefix."""
        for name in self.nil_names:
            if attributes.get(name) in _TRUE:
                return scope.prefixes.get(name[:-4].decode()) == XSI
        return False

    def _inline_fact(self, element: Element, scope: Scope) -> Fact:
        get = element.attributes.get
        texts = self.texts
        raw_name = get(b"name", b"")
        concept, namespace = self.names.get(raw_name) or self._name(raw_name, scope)
        raw_context = get(b"contextRef")
        context = self.contexts.get(raw_context)
        if context is None:
            if (context := self.result.contexts.get(texts[raw_context])) is None:
                raise _Unusable("context", f"{concept} refers to a context that does not exist.")
            self.contexts[raw_context] = context
        numeric = element.local != b"nonNumeric"
        nil = self._is_nil(element.attributes, scope)
        unit = decimals = precision = None
        if numeric:
            unit = self.result.units.get(texts[get(b"unitRef")])
            if unit is None:
                raise _Unusable("unit", f"{concept} refers to a unit that does not exist.")
            decimals, precision = texts[get(b"decimals")], texts[get(b"precision")]
        raw_format = get(b"format")
        format_name = transform = None
        if raw_format is not None and not nil:
            format_name, transform = self.formats.get(raw_format) or self._format(raw_format, scope)
        ranges = self._ranges(element)
        value: str | None = None
        if nil:
            value = ""
        elif element.local == b"fraction":
            value = self._fraction(element)
        elif numeric:
            value = self._number(ranges, get(b"scale"), get(b"sign") == b"-", transform)
        elif transform is not None:
            value = self._transformed(ranges, transform)
        identifier = texts[get(b"id")]
        return Fact(
            concept,
            namespace,
            context,
            unit,
            decimals,
            precision,
            nil,
            None if numeric else texts[get(b"xml:lang")] or scope.lang,
            format_name,
            texts[get(b"scale")],
            texts[get(b"sign")],
            get(b"escape") in _TRUE,
            element.hidden,
            numeric,
            identifier,
            len(self.result.facts),
            element.start,
            element.end,
            ranges,
            element.document,
            tuple(self.footnotes.get(identifier, ())) if identifier else (),
            value,
            self.result,
        )

    def _format(self, raw: bytes, scope: Scope) -> tuple[str, Transform]:
        known = self.formats.get(raw)
        if known is None:
            name, namespace = self._name(raw, scope)
            transform = find_transform(namespace, name.rpartition(":")[2])
            if transform is None:
                raise _Unusable("format", f"The format {name[:80]!r} is not known.")
            known = self.formats[raw] = (name, transform)
        return known

    def _ranges(self, element: Element) -> tuple[tuple[int, int, int], ...]:
        """The content of the element and of the chain that continues it.

        Raises:
            _Unusable: when a link of the chain is missing or the chain bites its tail.
        """
        following = element.attributes.get(b"continuedAt")
        if following is None and not element.excludes:
            return ((element.document, element.content, element.content_end),)
        pieces = element.pieces()
        seen: set[str] = set()
        while following is not None:
            identifier = following.decode("utf-8", "replace")
            link = self.continuations.get(identifier)
            if link is None or identifier in seen or len(seen) >= _MAX_CHAIN:
                what = "does not exist" if link is None else "leads back to itself or never ends"
                raise _Unusable("continuation", f"The continuation {identifier[:80]!r} {what}.")
            seen.add(identifier)
            pieces += link.pieces()
            following = link.attributes.get(b"continuedAt")
        return tuple(pieces)

    def _content(self, ranges: tuple[tuple[int, int, int], ...]) -> str:
        if len(ranges) == 1:
            document, start, end = ranges[0]
            if end - start < _SHORT:
                source = self.result.sources[document]
                raw = source.data[start:end]
                return raw.decode() if raw.isalnum() else plain_text(raw, source.encoding)
        if sum(end - start for _, start, end in ranges) > _FORMATTED_MAX:
            raise _Unusable("value", "The content is too long for a number or a formatted text.")
        sources = self.result.sources
        return "".join(plain_text(sources[d].data[a:b], sources[d].encoding) for d, a, b in ranges)

    def _transformed(self, ranges: tuple[tuple[int, int, int], ...], transform: Transform) -> str:
        text = self._content(ranges)
        if not text.isascii() or not text.isalnum():
            text = _XML_SPACES.sub(" ", text).strip(" ")
        try:
            return transform(text)
        except TransformError as error:
            raise _Unusable("value", str(error)) from error

    def _number(
        self,
        ranges: tuple[tuple[int, int, int], ...],
        scale: bytes | None,
        negative: bool,
        transform: Transform | None,
    ) -> str:
        """The decimal number that the content shows under format, scale and sign, written without an exponent."""
        text = self._content(ranges)
        if transform is None:
            text = text.strip(_XML_SPACE)
        else:
            try:
                text = transform(text)
            except TransformError as error:
                raise _Unusable("value", str(error)) from error
        if _PLAIN.fullmatch(text) is None:
            return self._unusual_number(text, scale, negative)
        if scale is not None and scale != b"0" and text != "0":
            text = _scaled(text, scale)
        return f"-{text}" if negative and text.strip("0.") else text

    def _unusual_number(self, text: str, scale: bytes | None, negative: bool) -> str:
        if text in ("INF", "-INF", "NaN"):
            return {"INF": "-INF", "-INF": "INF"}.get(text, text) if negative else text
        try:
            number = Decimal(text)
        except InvalidOperation as error:
            raise _Unusable("value", f"{text[:60]!r} is not a number.") from error
        if not number.is_finite() or abs(number.adjusted()) > 400:
            raise _Unusable("value", f"{text[:60]!r} is not a number.")
        digits = f"{abs(number):f}"
        digits = _scaled(digits, scale) if scale is not None else digits
        return f"-{digits}" if (number < 0) != negative and digits.strip("0.") else digits

    def _fraction(self, element: Element) -> str:
        """``numerator/denominator`` as two numbers."""
        terms = {term.local: term for term in element.terms}
        if terms.keys() != {b"numerator", b"denominator"}:
            raise _Unusable("value", "A fraction needs one numerator and one denominator.")
        texts = []
        for local in (b"numerator", b"denominator"):
            term = terms[local]
            raw_format = term.attributes.get(b"format")
            transform = self._format(raw_format, self.scope)[1] if raw_format is not None and self.scope else None
            scale, sign = term.attributes.get(b"scale"), term.attributes.get(b"sign")
            texts.append(self._number(tuple(term.pieces()), scale, sign == b"-", transform))
        return "/".join(texts)

    def _instance_fact(self, element: Element, scope: Scope) -> Fact:
        attributes = element.attributes
        texts = self.texts
        concept, namespace = self._name(element.local, scope)
        context = self.result.contexts.get(texts[attributes.get(b"contextRef")])
        if context is None:
            raise _Unusable("context", f"{concept} refers to a context that does not exist.")
        unit_ref = texts[attributes.get(b"unitRef")]
        unit = self.result.units.get(unit_ref) if unit_ref is not None else None
        if unit_ref is not None and unit is None:
            raise _Unusable("unit", f"{concept} refers to a unit that does not exist.")
        nil = self._is_nil(attributes, scope)
        numeric = unit is not None
        ranges = ((element.document, element.content, element.content_end),)
        identifier = texts[attributes.get(b"id")]
        return Fact(
            concept,
            namespace,
            context,
            unit,
            texts[attributes.get(b"decimals")],
            texts[attributes.get(b"precision")],
            nil,
            None if numeric else texts[attributes.get(b"xml:lang")] or scope.lang,
            None,
            None,
            None,
            False,
            False,
            numeric,
            identifier,
            len(self.result.facts),
            element.start,
            element.end,
            ranges,
            element.document,
            tuple(self.footnotes.get(identifier, ())) if identifier else (),
            "" if nil else self._content(ranges).strip(_XML_SPACE) if numeric else None,
            self.result,
        )


def _scaled(text: str, raw_scale: bytes) -> str:
    """``text`` times ten to the scale, without an exponent and without zeros that the scale made superfluous."""
    try:
        scale = int(raw_scale)
    except ValueError as error:
        raise _Unusable("value", f"The scale {raw_scale[:20]!r} is not a whole number.") from error
    if abs(scale) > 400:
        raise _Unusable("value", f"The scale {scale} is out of range.")
    whole, _, fraction = text.partition(".")
    if scale >= 0:
        whole, fraction = whole + fraction[:scale].ljust(scale, "0"), fraction[scale:]
    else:
        padded = whole.rjust(-scale + 1, "0")
        whole, fraction = padded[:scale], padded[scale:] + fraction
    whole = whole.lstrip("0") or "0"
    return f"{whole}.{fraction}" if fraction.strip("0") else whole
