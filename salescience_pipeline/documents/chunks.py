"""Cut a document's blocks into chunks, by Reducto's chunk modes, and into the passages that are searched.

What does not belong here: finding chunks again (``search``).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from itertools import groupby

from salescience_pipeline.documents.errors import InvalidOption
from salescience_pipeline.documents.model import Block, BlockType
from salescience_pipeline.documents.section_model import FURNITURE

CHUNK_MODES = ("disabled", "variable", "section", "page", "block", "page_sections")
_SMALLEST, _LARGEST = 250, 1500
_HEADINGS = (BlockType.TITLE, BlockType.SECTION_HEADER)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive blocks that are read, embedded and found together."""

    blocks: tuple[Block, ...]

    @property
    def start(self) -> int:
        """First byte of its first block."""
        return self.blocks[0].start

    @property
    def end(self) -> int:
        """Byte behind its last block."""
        return max(block.end for block in self.blocks)

    @property
    def text(self) -> str:
        """The blocks' texts, separated by blank lines."""
        return "\n\n".join(block.text for block in self.blocks if block.text)


def chunk_blocks(blocks: Iterable[Block], mode: str = "disabled", chunk_size: int | None = None) -> list[Chunk]:
    """Cut ``blocks`` into chunks; every block is in exactly one.

    Args:
        blocks: in reading order.
        mode: ``disabled`` one chunk; ``block`` one per block; ``page`` one per page; ``section`` a new one at every
            heading that follows text; ``page_sections`` both; ``variable`` 250 to 1,500 characters, preferably cut at
            headings; a block is never cut.
        chunk_size: with ``variable``, the size to aim at in characters.

    Raises:
        InvalidOption: for another mode, or a size that is not positive.
    """
    if mode not in CHUNK_MODES:
        raise InvalidOption(f"The chunk mode {mode[:40]!r} is not one of {', '.join(CHUNK_MODES)}.")
    if chunk_size is not None and chunk_size <= 0:
        raise InvalidOption("The chunk size has to be positive.")
    blocks = list(blocks)
    if mode == "variable":
        return _by_size(blocks, chunk_size)
    return _cut(blocks, _RULES[mode])


def passages(
    blocks: Iterable[Block],
    section_of: Callable[[Block], Hashable],
    mode: str = "variable",
    chunk_size: int | None = None,
) -> list[Chunk]:
    """Cut ``blocks`` into what is searched: chunks with text, without headers, footers and numbers of pages.

    A passage belongs to one section, so that a filter by section neither loses nor adds anything.

    Args:
        blocks: in reading order.
        section_of: which section a block stands in.
        mode: see :func:`chunk_blocks`.
        chunk_size: see :func:`chunk_blocks`.

    Raises:
        InvalidOption: as :func:`chunk_blocks`.
    """
    readable = (block for block in blocks if block.type not in FURNITURE and block.text.strip())
    return [
        chunk for _, of_one in groupby(readable, key=section_of) for chunk in chunk_blocks(of_one, mode, chunk_size)
    ]


def _starts_section(before: Block, block: Block) -> bool:
    return block.type in _HEADINGS and before.type not in _HEADINGS


def _starts_page(before: Block, block: Block) -> bool:
    return block.page != before.page


_RULES: dict[str, Callable[[Block, Block], bool]] = {
    "disabled": lambda _before, _block: False,
    "block": lambda _before, _block: True,
    "page": _starts_page,
    "section": _starts_section,
    "page_sections": lambda before, block: _starts_page(before, block) or _starts_section(before, block),
}


def _cut(blocks: list[Block], starts_new: Callable[[Block, Block], bool]) -> list[Chunk]:
    chunks: list[Chunk] = []
    current: list[Block] = []
    for block in blocks:
        if current and starts_new(current[-1], block):
            chunks.append(Chunk(tuple(current)))
            current = []
        current.append(block)
    if current:
        chunks.append(Chunk(tuple(current)))
    return chunks


def _by_size(blocks: list[Block], chunk_size: int | None) -> list[Chunk]:
    smallest, largest = (_SMALLEST, _LARGEST) if chunk_size is None else (chunk_size // 2, chunk_size)
    chunks: list[Chunk] = []
    current: list[Block] = []
    size = 0
    for block in blocks:
        length = len(block.text)
        full = size + length > largest
        at_heading = size >= smallest and _starts_section(current[-1], block) if current else False
        # A heading is never left alone at the end of a chunk.
        if current and (full or at_heading) and current[-1].type not in _HEADINGS:
            chunks.append(Chunk(tuple(current)))
            current, size = [], 0
        current.append(block)
        size += length
    if current:
        chunks.append(Chunk(tuple(current)))
    return chunks
