"""Which prefix means what, and which language is spoken, at any byte of an XML document, without a tree.

Nearly all filings declare every prefix on the root element: then there is one map. Where an inner element declares
something else, the byte range of that element becomes a region with a map of its own. What does not belong here: which
elements matter (``inline``).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from salescience_pipeline.documents.source import Source, parse_attributes

IX = frozenset({"http://www.xbrl.org/2013/inlineXBRL", "http://www.xbrl.org/2008/inlineXBRL"})
XBRLI = "http://www.xbrl.org/2003/instance"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
XBRLDI = "http://xbrl.org/2006/xbrldi"
XML = "http://www.w3.org/XML/1998/namespace"

_DECLARES = re.compile(rb"xml(?:ns|:lang)")
_TAG = re.compile(rb"<([A-Za-z_][\w:.\-]*)(\s(?:[^<>\"']|\"[^\"<]*\"|'[^'<]*')*+)>")
_DEAD = re.compile(rb"<[!?]")
_DEAD_END = {b"<!--": b"-->", b"<![CDATA[": b"]]>", b"<?": b"?>"}
_MAX_REGIONS = 20_000


@dataclass(frozen=True, slots=True)
class Scope:
    """What is declared at a place: prefix (empty for the default namespace) -> URI, and the language."""

    prefixes: dict[str, str]
    lang: str | None


class Scopes:
    """The scopes of one document; ask :meth:`at` for the one that holds at an offset."""

    def __init__(self, source: Source) -> None:
        """Read the root's declarations and look for others behind it."""
        _, attributes, behind = source.root
        self.root = _declared(attributes, Scope({"xml": XML}, None))
        self._starts: list[int] = []
        self._regions: list[tuple[int, Scope]] = []
        data = source.data
        if any(self._declaring_tags(data, behind)):
            self._read_regions(source, behind)

    def _read_regions(self, source: Source, behind: int) -> None:
        """Turn every element that declares something new into a region; inner regions come after outer ones."""
        tags = [match for match, _ in zip(self._declaring_tags(source.data, behind), range(_MAX_REGIONS), strict=False)]
        if all(_declared(parse_attributes(match[2], source.encoding), self.root) is self.root for match in tags):
            # What is said again, most often the language, changes nothing: no need to look for where elements end.
            return
        ends = _element_ends(source.data, tags)
        events: list[tuple[int, Scope]] = [(0, self.root)]
        stack: list[tuple[int, Scope]] = []
        for match in tags:
            start = match.start()
            while stack and stack[-1][0] <= start:
                end, _ = stack.pop()
                events.append((end, stack[-1][1] if stack else self.root))
            outer = stack[-1][1] if stack else self.root
            inner = _declared(parse_attributes(match[2], source.encoding), outer)
            if inner is not outer:
                stack.append((ends[start], inner))
                events.append((start, inner))
        while stack:
            end, _ = stack.pop()
            events.append((end, stack[-1][1] if stack else self.root))
        events.sort(key=lambda event: event[0])
        self._starts = [start for start, _ in events]
        self._regions = events

    @staticmethod
    def _declaring_tags(data: bytes, position: int) -> Iterator[re.Match[bytes]]:
        """The start tags that declare a prefix or a language; found by the word, for nearly no tag does."""
        while (word := _DECLARES.search(data, position)) is not None:
            position = word.end()
            match = _TAG.match(data, data.rfind(b"<", 0, word.start()))
            if match is not None and match.end() > word.start():
                position = match.end()
                yield match

    def at(self, offset: int) -> Scope:
        """The scope that holds at byte ``offset``."""
        if not self._starts:
            return self.root
        return self._regions[bisect_right(self._starts, offset) - 1][1]

    @property
    def only(self) -> Scope | None:
        """The scope that holds everywhere; None where elements declare something of their own."""
        return None if self._starts else self.root

    @property
    def all_prefixes(self) -> set[tuple[str, str]]:
        """Every (prefix, URI) declared anywhere."""
        return {
            pair for scope in (self.root, *(scope for _, scope in self._regions)) for pair in scope.prefixes.items()
        }

    def prefixes_of(self, namespaces: frozenset[str]) -> tuple[str, ...]:
        """The prefixes that are bound to one of ``namespaces`` anywhere."""
        return tuple(sorted({prefix for prefix, uri in self.all_prefixes if uri in namespaces}))


def _declared(attributes: dict[str, str], outer: Scope) -> Scope:
    prefixes = {
        name[6:] if name != "xmlns" else "": value.strip()
        for name, value in attributes.items()
        if name == "xmlns" or name.startswith("xmlns:")
    }
    lang = attributes.get("xml:lang", outer.lang)
    if lang == outer.lang and all(outer.prefixes.get(prefix) == uri for prefix, uri in prefixes.items()):
        return outer
    return Scope({**outer.prefixes, **prefixes}, lang or None)


def _element_ends(data: bytes, tags: list[re.Match[bytes]]) -> dict[int, int]:
    """For each start tag (by its offset) the offset behind its element, found in one pass over the document."""
    ends = {match.start(): match.end() if match[2].endswith(b"/") else len(data) for match in tags}
    found: set[bytes] = {match[1] for match in tags}
    names = b"|".join(re.escape(name) for name in sorted(found, key=len, reverse=True))
    if not tags:
        return ends
    opened: dict[bytes, list[int]] = {}
    for match in re.compile(rb"<(/?)(" + names + rb")(?=[\s/>])([^<>]*)>").finditer(data, tags[0].start()):
        closing, name, rest = match.groups()
        if closing:
            if opened.get(name) and (start := opened[name].pop()) in ends:
                ends[start] = match.end()
        elif not rest.endswith(b"/"):
            opened.setdefault(name, []).append(match.start())
    return ends


class DeadSpans:
    """Comments, CDATA sections and processing instructions: bytes in which a tag is not a tag."""

    def __init__(self, data: bytes, position: int = 0) -> None:
        """Find them all from ``position`` on, front to back."""
        self.starts: list[int] = []
        self.ends: list[int] = []
        while (match := _DEAD.search(data, position)) is not None:
            start = match.start()
            for opening, closing in _DEAD_END.items():
                if data.startswith(opening, start):
                    end = data.find(closing, match.end())
                    position = len(data) if end < 0 else end + len(closing)
                    self.starts.append(start)
                    self.ends.append(position)
                    break
            else:
                position = match.end()

    def hides(self, offset: int) -> bool:
        """Whether ``offset`` lies inside one."""
        index = bisect_right(self.starts, offset) - 1
        return index >= 0 and offset < self.ends[index]
