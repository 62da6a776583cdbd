"""The XBRL elements of one document: inline facts, continuations, exclusions, footnotes; elements of plain instances.

Only finds and pairs tags. What a fact means (names, contexts, values) is decided in :mod:`facts`. What does not belong
here: values and contexts (``facts``, ``contexts``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from salescience_pipeline.documents.errors import DocumentCorrupt
from salescience_pipeline.documents.fact_model import Problem
from salescience_pipeline.documents.namespaces import IX, DeadSpans, Scopes
from salescience_pipeline.documents.source import Kind, Source
from salescience_pipeline.documents.xmltext import REST_OF_TAG, raw_attributes

_FACTS = frozenset({b"nonFraction", b"nonNumeric", b"fraction"})
_RANGED = _FACTS | {b"continuation", b"footnote", b"exclude", b"hidden", b"numerator", b"denominator"}
_NOTED = frozenset({b"relationship", b"resources", b"references"})
_NOT_KEPT = frozenset({b"hidden", b"exclude"})
_MAX_NESTING = 500
_INSTANCE_ELEMENT = re.compile(
    rb"<((?:[A-Za-z_][\w.\-]*:)?[A-Za-z_][\w.\-]*)(\s[^<>]*?\bcontextRef\s*=" + REST_OF_TAG + rb")>"
)
_SCHEMA_REF = re.compile(rb"schemaRef\b[^<>]*?\bhref\s*=\s*[\"']([^\"']*)")


@dataclass(slots=True, eq=False)
class Element:
    """An XBRL element with its bytes: where it starts, where its content starts and ends, where it ends."""

    local: bytes
    attributes: dict[bytes, bytes]
    start: int
    content: int
    document: int
    hidden: bool = False
    content_end: int = -1
    end: int = -1
    excludes: tuple[tuple[int, int], ...] = ()
    terms: tuple[Element, ...] = ()
    """Numerator and denominator of a fraction."""

    def pieces(self) -> list[tuple[int, int, int]]:
        """(document, start, end) of the content without what is excluded from it."""
        if not self.excludes:
            return [(self.document, self.content, self.content_end)]
        found, position = [], self.content
        for start, end in sorted(self.excludes):
            if start > position:
                found.append((self.document, position, start))
            position = max(position, end)
        if position < self.content_end:
            found.append((self.document, position, self.content_end))
        return found


class XbrlReader:
    """Finds the XBRL elements of one document of a set."""

    def __init__(self, source: Source, index: int) -> None:
        """Look at the declarations of ``source``, the ``index``-th document of its set."""
        self.source = source
        self.index = index
        self.problems: list[Problem] = []
        self.schema_refs: list[str] = []
        self.footnotes: list[Element] = []
        self.footnote_arcs: list[tuple[str, str]] = []
        """(id of a fact, id of its footnote)."""
        self.dropped: re.Pattern[bytes] | None = None
        self.is_instance = source.kind is Kind.XML and source.root[0] == "xbrl"
        maybe_inline = source.kind in (Kind.XHTML, Kind.HTML, Kind.XML) and b"/inlineXBRL" in source.data
        self.scopes = Scopes(source) if maybe_inline or self.is_instance else None
        self.inline_prefixes = self.scopes.prefixes_of(IX) if self.scopes is not None and maybe_inline else ()
        self.dead = DeadSpans(source.data, source.first_marked) if self.has_xbrl else DeadSpans(b"")
        self.resources: list[tuple[int, int]] = []
        """Where contexts and units stand; known once the elements have been read."""

    @property
    def has_xbrl(self) -> bool:
        """Whether the document declares XBRL at all."""
        return bool(self.inline_prefixes) or self.is_instance

    def problem(self, reason: str, message: str, start: int) -> None:
        """Remember why something is not a fact."""
        self.problems.append(Problem(reason, message, start, self.index))

    def _references(self, start: int) -> None:
        """Remember the taxonomies that the document says it is written against."""
        end = self.source.data.find(b":references", start)
        for match in _SCHEMA_REF.finditer(self.source.data, start, end if end >= 0 else len(self.source.data)):
            self.schema_refs.append(match[1].decode("utf-8", "replace"))

    def elements(self, continuations: dict[str, Element]) -> list[Element]:
        """The fact elements in document order; continuations are added to the shared map.

        Raises:
            DocumentCorrupt: when inline elements are nested deeper than any filing nests them.
        """
        return self._inline(continuations) if self.inline_prefixes else self._instance()

    def _inline(self, continuations: dict[str, Element]) -> list[Element]:  # noqa: C901, PLR0912 - one pass over all tags
        prefixes = b"|".join(re.escape(prefix.encode()) for prefix in self.inline_prefixes)
        self.dropped = re.compile(rb"</?(?:" + prefixes + rb"):")
        name = rb"(?:" + prefixes + rb"):"
        # A start tag, together with its end tag when only text stands between as in nearly every fact; or an end tag.
        pattern = re.compile(
            rb"<(?:" + name + rb"([A-Za-z]++)(" + REST_OF_TAG + rb")>(?:(?<!/>)[^<]*+()</" + name + rb"\1>)?"
            rb"|/" + name + rb"([A-Za-z]++)" + REST_OF_TAG + rb">)"
        )
        has_dead = bool(self.dead.ends)
        found: list[Element] = []
        stack: list[Element] = []
        hidden = 0
        for match in pattern.finditer(self.source.data):
            local, raw, simple, closing = match.groups()
            start, end = match.span()
            if has_dead and self.dead.hides(start):
                continue
            if closing is not None:
                if closing in _RANGED:
                    hidden -= closing == b"hidden" and hidden > 0
                    self._close(stack, closing, start, end)
                elif closing == b"resources" and self.resources:
                    self.resources[-1] = (self.resources[-1][0], start)
                continue
            if local not in _RANGED and local not in _NOTED:
                continue
            attributes = raw_attributes(raw)
            if local in _NOTED:
                if local == b"relationship":
                    self._arcs(attributes)
                elif local == b"resources":
                    self.resources.append((end, len(self.source.data)))
                elif local == b"references":
                    self._references(end)
                continue
            content = match.end(2) + 1
            element = Element(local, attributes, start, content, self.index, hidden > 0)
            if simple is not None:
                element.content_end, element.end = match.start(3), end
                if local == b"exclude":
                    _exclude(stack, element)
            elif raw[-1:] == b"/":
                element.content_end = element.end = content
            else:
                stack.append(element)
                hidden += local == b"hidden"
            if local in _FACTS:
                found.append(element)
            elif local not in _NOT_KEPT:
                self._keep(element, stack, continuations)
            if len(stack) > _MAX_NESTING:
                raise DocumentCorrupt(f"Inline XBRL is nested more than {_MAX_NESTING} deep at byte {start}.")
        for element in stack:
            element.content_end = element.end = len(self.source.data)
            self.problem("nesting", f"The inline element at byte {element.start} is never closed.", element.start)
        return found

    def _keep(self, element: Element, stack: list[Element], continuations: dict[str, Element]) -> None:
        if element.local == b"continuation":
            continuations.setdefault(element.attributes.get(b"id", b"").decode("utf-8", "replace"), element)
        elif element.local == b"footnote":
            self.footnotes.append(element)
        else:
            for outer in reversed(stack):
                if outer.local == b"fraction":
                    outer.terms += (element,)
                    break

    def _close(self, stack: list[Element], local: bytes, start: int, end: int) -> None:
        """Close the innermost open element of this name; what was left open inside it ends there too."""
        for depth in range(len(stack) - 1, -1, -1):
            if stack[depth].local == local:
                element = stack[depth]
                for left in stack[depth + 1 :]:
                    left.content_end = left.end = start
                    self.problem("nesting", f"The inline element at byte {left.start} is never closed.", left.start)
                element.content_end, element.end = start, end
                del stack[depth:]
                if local == b"exclude":
                    _exclude(stack, element)
                return
        self.problem("nesting", f"The end tag at byte {start} closes nothing.", start)

    def _arcs(self, attributes: dict[bytes, bytes]) -> None:
        """Remember which facts a footnote relationship binds to which footnotes."""
        sources = attributes.get(b"fromRefs", b"").decode("utf-8", "replace").split()
        targets = attributes.get(b"toRefs", b"").decode("utf-8", "replace").split()
        self.footnote_arcs += [(source, target) for source in sources for target in targets]

    def _instance(self) -> list[Element]:
        """The facts of a plain instance: every element that refers to a context."""
        data = self.source.data
        self.resources.append((0, len(data)))
        self._references(0)
        found: list[Element] = []
        for match in _INSTANCE_ELEMENT.finditer(data):
            if self.dead.hides(match.start()):
                continue
            raw = match[2]
            attributes = raw_attributes(raw)
            element = Element(match[1], attributes, match.start(), match.end(), self.index)
            if raw.endswith(b"/"):
                element.content_end = element.end = match.end()
            else:
                closing = self._end_tag(match[1], match.end())
                if closing < 0:
                    self.problem("nesting", f"The element at byte {match.start()} is never closed.", match.start())
                    continue
                element.content_end = closing
                element.end = data.find(b">", closing) + 1
            found.append(element)
        return found

    def _end_tag(self, name: bytes, position: int) -> int:
        """Offset of the end tag of an element whose content starts at ``position``; -1 when there is none."""
        data = self.source.data
        tag = b"</" + name
        while (position := data.find(tag, position)) >= 0:
            if data[position + len(tag) : position + len(tag) + 1] in b"> \t\r\n" and not self.dead.hides(position):
                break
            position += 1
        return position


def _exclude(stack: list[Element], element: Element) -> None:
    """Take an element out of the content of those around it."""
    for outer in stack:
        outer.excludes += ((element.start, element.end),)
