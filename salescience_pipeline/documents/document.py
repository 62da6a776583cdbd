"""The document as the rest of the system sees it: :func:`parse` once, then ask for blocks, tables, facts, parts.

Every answer is worked out when it is first asked for and kept. All offsets are bytes of the file that was given to
:func:`parse`, also those of a document inside a submission (for UTF-16 files: of its UTF-8 copy, see ``Source``). What
does not belong here: a rule of reading; each has a module of its own.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

from salescience_pipeline.documents.blocks import build_blocks
from salescience_pipeline.documents.collector import paused
from salescience_pipeline.documents.errors import DocumentError
from salescience_pipeline.documents.fact_model import FactSet
from salescience_pipeline.documents.facts import read_facts
from salescience_pipeline.documents.model import Block, Cell, Layout, Link, Table
from salescience_pipeline.documents.scan import scan
from salescience_pipeline.documents.source import Kind, Limits, Source, read_source
from salescience_pipeline.documents.submission import Part, Submission, read_submission
from salescience_pipeline.documents.text_layout import scan_text


@dataclass(frozen=True, slots=True)
class Hints:
    """What the caller knows about a document; everything is optional and nothing is believed over the bytes.

    Attributes:
        name: file name, for messages.
        form: form type, for the later stages.
        document_type: type of a part of a submission (``EX-21.1``).
    """

    name: str = ""
    form: str = ""
    document_type: str = ""


class Place(NamedTuple):
    """Where a fact stands."""

    table: Table | None
    cell: Cell | None


class Document:
    """One document, or a submission with documents inside.

    Attributes:
        source: its bytes; for a part of a submission only the part's.
        base: where ``source.data`` begins in the file.
        hints: what the caller knew.
        part: its entry in the submission, None outside of one.
        beside: other inline documents of the filing, whose contexts, units and continuations its facts may use.
    """

    def __init__(
        self,
        source: Source,
        hints: Hints,
        *,
        base: int = 0,
        part: Part | None = None,
        beside: tuple[Source, ...] = (),
    ) -> None:
        """Use :func:`parse`."""
        self.source = source
        self.beside = beside
        self.hints = hints
        self.base = base
        self.part = part

    @cached_property
    def submission(self) -> Submission | None:
        """Header and list of parts, when the file is a full submission."""
        return read_submission(self.source.data) if self.source.kind is Kind.SUBMISSION else None

    @cached_property
    def failures(self) -> dict[int, DocumentError]:
        """Parts of a submission that cannot be read: index in the submission -> why. The others go on."""
        _ = self.parts
        return self._failures

    @cached_property
    def parts(self) -> tuple[Document, ...]:
        """The readable documents of a submission in order; just this document when it is none."""
        self._failures: dict[int, DocumentError] = {}
        if self.submission is None:
            return (self,)
        found = []
        for index, part in enumerate(self.submission.parts):
            if part.encoded:
                continue
            hints = Hints(part.filename, self.hints.form or self.submission.form, part.type)
            try:
                source = read_source(
                    self.source.data[part.start : part.end], name=part.filename, limits=self.source.limits
                )
            except DocumentError as error:
                self._failures[index] = error
                continue
            found.append(Document(source, hints, base=part.start, part=part))
        return tuple(found)

    @property
    def main(self) -> Document:
        """The first document of a submission (this one when it is none).

        Raises:
            DocumentError: when the submission holds nothing that can be read.
        """
        if not self.parts:
            raise next(iter(self.failures.values()), DocumentError("The submission holds no readable document."))
        return self.parts[0]

    @cached_property
    def layout(self) -> Layout:
        """Blocks, pages and anchors of this document; of a submission those of its parts one after the other.

        Raises:
            DocumentError: see :mod:`errors`.
        """
        if self.submission is not None:
            return _joined([part.layout for part in self.parts])
        kind = self.source.kind
        with paused():
            found = scan_text(self.source) if kind is Kind.TEXT else scan(self.source)
            layout = build_blocks(found)
        return _shifted(layout, self.base) if self.base else layout

    @property
    def blocks(self) -> list[Block]:
        """The blocks in reading order."""
        return self.layout.blocks

    @cached_property
    def tables(self) -> list[Table]:
        """The tables in reading order; scale and currency as their facts say where the words around say nothing."""
        tables = self.layout.tables
        if self.submission is None and len(self.facts):
            _learn_from_facts(self)
        return tables

    @cached_property
    def facts(self) -> FactSet:
        """The XBRL facts of this document; of a submission those of its documents as one inline set."""
        with paused():
            facts = read_facts([*(part.source for part in self.parts), *self.beside])
        if self.beside:
            count = len(self.parts)
            facts.facts = [fact for fact in facts.facts if fact.document < count]
            facts.problems = [problem for problem in facts.problems if problem.document < count]
        for fact in facts:
            base = self.parts[fact.document].base
            if base:
                fact.start += base
                fact.end += base
        if any(part.base for part in self.parts):
            facts.problems = [
                replace(problem, start=problem.start + self.parts[problem.document].base) for problem in facts.problems
            ]
        return facts

    @cached_property
    def anchors(self) -> dict[str, int]:
        """Where the links of this document lead: name or id of an element -> its first byte."""
        wanted = {link.target for block in self.blocks for link in block.links}
        if not wanted:
            return {}
        data = self.source.data
        found: dict[str, int] = {}
        for match in _ANCHOR.finditer(data):
            name = match[1].decode(self.source.encoding, "replace")
            if name in wanted:
                found.setdefault(name, data.rfind(b"<", 0, match.start()) + self.base)
        return found

    @cached_property
    def places(self) -> list[Place]:
        """For every fact of :attr:`facts`, in order, the table and cell that it stands in."""
        tables = self.layout.tables
        starts = [table.start for table in tables]
        cell_starts: dict[int, list[int]] = {}
        found = []
        for fact in self.facts:
            start = fact.start
            index = bisect_right(starts, start) - 1
            # An inner table begins later than the outer one and may have ended: then the outer one is meant.
            while index >= 0 and tables[index].end <= start and index and tables[index - 1].end > start:
                index -= 1
            place = _NOWHERE
            if index >= 0 and start < tables[index].end:
                table = tables[index]
                cells = cell_starts.get(index)
                if cells is None:
                    cells = cell_starts[index] = [cell.start for cell in table.cells]
                position = bisect_right(cells, start) - 1
                if position >= 0 and start < table.cells[position].end:
                    place = Place(table, table.cells[position])
            found.append(place)
        return found

    def bytes_of(self, start: int, end: int) -> bytes:
        """The bytes of the document between two offsets."""
        return self.source.data[start - self.base : end - self.base]

    @property
    def warnings(self) -> list[str]:
        """What was odd, one sentence each."""
        return self.layout.warnings


_NOWHERE = Place(None, None)
_SCALE = re.compile(r"[0-9]{1,3}")
_ANCHOR = re.compile(rb"""\s(?:id|name)\s*=\s*["']([^"'<>]+)["']""", re.IGNORECASE)


def _learn_from_facts(document: Document) -> None:
    """Fill in what tables do not say in words: the facts in their cells carry scale and unit."""
    scales: dict[int, Counter[str]] = {}
    currencies: dict[int, Counter[str]] = {}
    for fact, place in zip(document.facts, document.places, strict=True):
        table, unit = place.table, fact.unit
        if table is None or unit is None or not unit.numerator:
            continue
        measure = unit.numerator[0]
        if measure.startswith("iso4217:"):
            counts = currencies.get(table.index)
            if counts is None:
                counts = currencies[table.index] = Counter()
                scales[table.index] = Counter()
            counts[measure[8:]] += 1
            if fact.scale and not unit.denominator:
                scales[table.index][fact.scale] += 1
    for table in document.layout.tables:
        printed = [text for text, _ in scales.get(table.index, Counter[str]()).most_common() if _SCALE.fullmatch(text)]
        if printed:
            table.scale = 10 ** min(int(printed[0]), 15)
        if table.index in currencies:
            table.currency = currencies[table.index].most_common(1)[0][0]


def _shifted(layout: Layout, base: int) -> Layout:
    """The layout with every offset moved by ``base``."""
    for block in layout.blocks:
        block.start += base
        block.end += base
        if block.links:
            block.links = tuple(Link(link.text, link.target, link.start + base) for link in block.links)
        if block.table is not None:
            block.table.start += base
            block.table.end += base
            for cell in block.table.cells:
                cell.start += base
                cell.end += base
    layout.page_starts = [start + base for start in layout.page_starts]
    return layout


def _joined(layouts: list[Layout]) -> Layout:
    """Layouts one after the other; pages go on counting, the blocks stay the parts' own."""
    joined = Layout(page_starts=[])
    for layout in layouts:
        pages = len(joined.page_starts)
        for block in layout.blocks:
            joined.blocks.append(replace(block, page=block.page + pages, index=len(joined.blocks)))
        joined.page_starts += layout.page_starts
        joined.warnings += layout.warnings
    joined.page_starts = joined.page_starts or [0]
    return joined


def parse(
    data: bytes, hints: Hints | None = None, *, limits: Limits | None = None, beside: Sequence[bytes] = ()
) -> Document:
    """Judge a document and make it ready to be asked.

    Args:
        data: the file as delivered by EDGAR: HTML, inline XBRL, plain text, a full submission, an XBRL instance.
        hints: what the caller knows.
        limits: how much the document may cost.
        beside: the other documents of its inline XBRL set: the facts of a set share contexts, units and continuations. One that
            cannot be read is left out.

    Raises:
        DocumentError: empty, unsupported, corrupt, too large, or an error page (see :mod:`errors`). What costs too much
            later on is raised by the answer that is asked for.
    """
    hints = hints or Hints()
    others = []
    for other in beside:
        with suppress(DocumentError):
            others.append(read_source(other, limits=limits))
    return Document(read_source(data, name=hints.name, limits=limits), hints, beside=tuple(others))
