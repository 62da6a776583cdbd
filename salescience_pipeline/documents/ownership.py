"""Ownership forms (3, 4, 5) as EDGAR's XML has them: owners and transactions with the bytes of every value.

The elements are read from the bytes: a tree would not say where they stand. Entities are refused before
(:mod:`source`), and nothing outside the file is ever read. What does not belong here: the rows of the lake
(``tidy.insiders``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from salescience_pipeline.documents.source import Source
from salescience_pipeline.documents.xmltext import TAG, plain_text


@dataclass(frozen=True, slots=True)
class Element:
    """One element: the bytes of its content."""

    source: Source
    start: int
    end: int

    def all(self, name: str) -> Iterator[Element]:
        """The elements of that name inside, in order; those of the forms do not nest in themselves."""
        data = self.source.data
        opening = re.compile(rb"<" + name.encode() + rb"(?:\s[^<>]*)?>")
        closing = re.compile(rb"</" + name.encode() + rb"\s*>")
        position = self.start
        while (match := opening.search(data, position, self.end)) is not None:
            if match[0].endswith(b"/>"):
                position = match.end()
                continue
            end = closing.search(data, match.end(), self.end)
            if end is None:
                return
            yield Element(self.source, match.end(), end.start())
            position = end.end()

    def first(self, name: str) -> Element | None:
        """The first element of that name inside."""
        return next(self.all(name), None)

    def value(self, *path: str) -> Element | None:
        """The element at a path, its ``value`` where it has one."""
        element: Element | None = self
        for name in path:
            element = element.first(name) if element is not None else None
        return (element.first("value") or element) if element is not None else None

    @property
    def text(self) -> str:
        """What it says, white space folded."""
        return " ".join(
            plain_text(TAG.sub(b" ", self.source.data[self.start : self.end]), self.source.encoding).split()
        )


@dataclass(frozen=True)
class OwnershipForm:
    """One form."""

    root: Element

    @cached_property
    def owners(self) -> list[Element]:
        """The reporting owners."""
        return list(self.root.all("reportingOwner"))

    @cached_property
    def transactions(self) -> list[tuple[Element, bool]]:
        """The transactions and holdings of both tables in order, and whether they are of derivatives."""
        found = [(element, False) for element in self.root.all("nonDerivativeTransaction")]
        found += [(element, True) for element in self.root.all("derivativeTransaction")]
        return sorted(found, key=lambda pair: pair[0].start)


def read_ownership(source: Source) -> OwnershipForm | None:
    """The form, or None when the document is something else."""
    if b"<ownershipDocument" not in source.data[:5000]:
        return None
    root = Element(source, 0, len(source.data)).first("ownershipDocument")
    return OwnershipForm(root) if root is not None else None
