"""What an extraction gives back: values with the places that they were read from, in the shape of the schema asked.

What does not belong here: finding them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any, TypeAlias

from salescience_pipeline.documents.errors import DocumentError

if TYPE_CHECKING:
    from salescience_pipeline.documents.document import Document

Scalar: TypeAlias = str | int | float | bool | None
CONTENT_MAX = 500
"""Characters of a citation's content."""


class InvalidSchema(DocumentError):
    """The schema cannot be read or asks for something that JSON Schema does not know."""

    name = "INVALID_SCHEMA"


@dataclass(frozen=True, slots=True)
class Citation:
    """Where a value stands.

    Attributes:
        start: first byte in the file.
        end: byte behind it.
        block: index of the block that holds it; None for what is not shown (hidden facts, XML).
        page: ordinal of its page.
        content: what stands there, shortened.
        kind: ``fact``, ``cell``, ``block`` or ``element``.
    """

    start: int
    end: int
    block: int | None
    page: int
    content: str
    kind: str

    def as_record(self) -> dict[str, object]:
        """The citation as JSON."""
        return {
            "start": self.start,
            "end": self.end,
            "block": self.block,
            "page": self.page,
            "content": self.content,
            "kind": self.kind,
        }


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value.

    Attributes:
        value: as JSON has it; None when nothing was found.
        confidence: 0 to 1; 0 when nothing was found.
        method: ``fact``, ``table``, ``key_value``, ``pattern``, ``section``, ``element``; ``none`` when nothing was found.
        citations: where it stands.
    """

    value: Scalar
    confidence: float = 0.0
    method: str = "none"
    citations: tuple[Citation, ...] = ()

    def as_record(self) -> dict[str, object]:
        """The value with its places as JSON."""
        return {
            "value": self.value,
            "confidence": round(self.confidence, 3),
            "method": self.method,
            "citations": [citation.as_record() for citation in self.citations],
        }


NOTHING = Leaf(None)
Tree: TypeAlias = "Leaf | dict[str, Tree] | list[Tree]"


@dataclass(frozen=True)
class Extraction:
    """The answer to one schema.

    Attributes:
        schema: the JSON Schema that was asked.
        result: values in the schema's shape.
    """

    schema: Mapping[str, Any]
    result: Tree

    def plain(self) -> Any:
        """The values alone: what the schema describes."""
        return _map(self.result, lambda leaf: leaf.value)

    def as_record(self) -> Any:
        """The values with places and confidence."""
        return _map(self.result, Leaf.as_record)

    def leaves(self) -> list[tuple[str, Leaf]]:
        """All values with their paths (``$.lines[0].name``)."""
        found: list[tuple[str, Leaf]] = []
        _walk(self.result, "$", found)
        return found


def _map(tree: Tree, write: Any) -> Any:
    if isinstance(tree, Leaf):
        return write(tree)
    if isinstance(tree, dict):
        return {name: _map(branch, write) for name, branch in tree.items()}
    return [_map(branch, write) for branch in tree]


def _walk(tree: Tree, path: str, found: list[tuple[str, Leaf]]) -> None:
    if isinstance(tree, Leaf):
        found.append((path, tree))
    elif isinstance(tree, dict):
        for name, branch in tree.items():
            _walk(branch, f"{path}.{name}", found)
    else:
        for index, branch in enumerate(tree):
            _walk(branch, f"{path}[{index}]", found)


class Places:
    """Gives places of a document their block and page."""

    def __init__(self, document: Document) -> None:
        """Look at ``document``; of a submission all its parts count, as one sequence of blocks."""
        self.blocks = document.blocks
        self._starts = list(accumulate((block.start for block in self.blocks), max))

    def cite(self, start: int, end: int, content: str, kind: str) -> Citation:
        """The citation of ``start`` to ``end``."""
        index = bisect_right(self._starts, start) - 1
        block = self.blocks[index] if 0 <= index < len(self.blocks) and start < self.blocks[index].end else None
        text = " ".join(content[: 4 * CONTENT_MAX].split())
        return Citation(
            start,
            end,
            block.index if block is not None else None,
            block.page if block is not None else 1,
            text if len(text) <= CONTENT_MAX else text[: CONTENT_MAX - 1] + "\u2026",
            kind,
        )
