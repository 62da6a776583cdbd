"""The document as Reducto would answer: ParseResponse, valid against the vendor's OpenAPI.

HTML has no printed pages: a page is what lies between two page breaks, and a bounding box says which share of the
page's bytes a block takes. The exact place stands in ``extra.source`` (bytes of the file). What does not belong here:
the API as such (``clients.reducto``).
"""

from __future__ import annotations

import hashlib
import uuid
from bisect import bisect_right
from dataclasses import dataclass
from typing import Any

from salescience_pipeline.documents.chunks import Chunk, chunk_blocks
from salescience_pipeline.documents.document import Document
from salescience_pipeline.documents.errors import InvalidOption
from salescience_pipeline.documents.model import Block, BlockType
from salescience_pipeline.documents.table_output import table_text, to_sentences

_CREDITS_PER_PAGE = 0.5


@dataclass(frozen=True, slots=True)
class ParseOptions:
    """What of Reducto's parse options the local engine honours; names and defaults are the vendor's.

    Attributes:
        chunk_mode: see :func:`chunks.chunk_blocks`.
        chunk_size: likewise.
        chunk_overlap: characters of the chunk before that are repeated in ``embed``.
        filter_blocks: block types that are left out of ``content`` and ``embed``.
        embedding_optimized: whether tables in ``embed`` become sentences.
        table_output_format: html, json, md, csv or dynamic.
        add_page_markers: whether ``content`` says where pages begin and end.
        page_range: first and last page, both included; None for all.
        return_citations: whether tables carry a citation per cell.
    """

    chunk_mode: str = "disabled"
    chunk_size: int | None = None
    chunk_overlap: int = 0
    filter_blocks: tuple[str, ...] = ()
    embedding_optimized: bool = False
    table_output_format: str = "dynamic"
    add_page_markers: bool = False
    page_range: tuple[int, int] | None = None
    return_citations: bool = False


def to_reducto(
    document: Document, options: ParseOptions | None = None, *, job_id: str | None = None, duration: float = 0.0
) -> dict[str, Any]:
    """The ParseResponse of a document.

    Args:
        document: a parsed document; of a submission all its parts in order.
        options: how to cut and write.
        job_id: the job that this answers; made from the document's bytes when absent.
        duration: seconds that the job took.

    Raises:
        DocumentError: see :mod:`errors`; InvalidOption for options that do not exist.
    """
    options = options or ParseOptions()
    known = {kind.value for kind in BlockType}
    for name in options.filter_blocks:
        if name not in known:
            raise InvalidOption(f"{name[:40]!r} is not a block type.")
    layout = document.layout
    _ = document.tables
    writer = _Writer(layout.page_starts, document.base + len(document.source.data), options)
    blocks = layout.blocks
    if options.page_range is not None:
        first, last = options.page_range
        if first < 1 or last < first:
            raise InvalidOption("The page range has to begin at 1 or later and end where it begins or later.")
        blocks = [block for block in blocks if first <= block.page <= last]
    chunks = chunk_blocks(blocks, options.chunk_mode, options.chunk_size)
    pages = sorted({block.page for block in blocks})
    return {
        "response_type": "parse",
        "job_id": job_id or _job_id(document),
        "duration": duration,
        "pdf_url": None,
        "studio_link": None,
        "usage": {
            "num_pages": len(pages),
            "credits": len(pages) * _CREDITS_PER_PAGE,
            "credit_breakdown": {"html_page": len(pages) * _CREDITS_PER_PAGE},
            "page_billing_breakdown": {str(page): ["html_page"] for page in pages},
        },
        "result": {"type": "full", "chunks": writer.chunks(chunks), "ocr": None, "custom": None},
    }


def _job_id(document: Document) -> str:
    digest = hashlib.sha256(document.source.data).hexdigest()
    return str(uuid.uuid5(uuid.NAMESPACE_OID, digest))


class Pages:
    """Where the pages of a document begin and end, in bytes of its source."""

    def __init__(self, starts: list[int], end: int) -> None:
        """Of the first byte of each page, in order, and the document's end."""
        self.starts, self.ends = starts, [*starts[1:], end]

    def bbox(self, start: int, end: int, page: int = 0) -> dict[str, Any]:
        """The share of its page's bytes that lies before and in ``start`` to ``end``; ``page`` counts from 1, 0 is unknown."""
        page = page or max(1, bisect_right(self.starts, start))
        top, bottom = self.starts[page - 1], self.ends[page - 1]
        size = max(1, bottom - top)
        begin = min(max((start - top) / size, 0.0), 1.0)
        finish = min(max((end - top) / size, begin), 1.0)
        return {
            "left": 0.0,
            "top": round(begin, 6),
            "width": 1.0,
            "height": round(finish - begin, 6),
            "page": page,
            "original_page": page,
        }


class _Writer:
    """Writes chunks and blocks of one document."""

    def __init__(self, page_starts: list[int], end: int, options: ParseOptions) -> None:
        self.pages = Pages(page_starts, end)
        self.options = options

    def chunks(self, chunks: list[Chunk]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        before = ""
        page = 0
        for chunk in chunks:
            contents = [(block, self.content(block)) for block in chunk.blocks]
            parts: list[str] = []
            for block, content in contents:
                if block.type.value in self.options.filter_blocks:
                    continue
                if self.options.add_page_markers and block.page != page:
                    parts += ([f"[[END OF PAGE {page}]]"] if page else []) + [f"[[START OF PAGE {block.page}]]"]
                    page = block.page
                parts.append(content)
            if self.options.add_page_markers and page and chunk is chunks[-1]:
                parts.append(f"[[END OF PAGE {page}]]")
            text = "\n\n".join(part for part in parts if part)
            embed = self.embed(chunk) if self.options.embedding_optimized else text
            if self.options.chunk_overlap > 0 and before:
                embed = f"{before[-self.options.chunk_overlap :]}\n\n{embed}"
            before = text
            found.append(
                {
                    "content": text,
                    "embed": embed,
                    "enriched": None,
                    "enrichment_success": False,
                    "blocks": [self.block(block, content) for block, content in contents],
                }
            )
        return found

    def content(self, block: Block) -> str:
        """The block as Markdown: headings marked, tables in the format that was asked for."""
        if block.table is not None:
            return table_text(block.table, self.options.table_output_format)
        if block.type is BlockType.TITLE:
            return f"# {_one_line(block.text)}"
        if block.type is BlockType.SECTION_HEADER:
            return f"{'#' * min(6, block.level + 1)} {_one_line(block.text)}"
        if block.type is BlockType.FIGURE and not block.text:
            return "[figure]"
        return block.text

    def embed(self, chunk: Chunk) -> str:
        """The chunk's text for embedding: tables as sentences."""
        parts = [
            to_sentences(block.table) if block.table is not None else block.text
            for block in chunk.blocks
            if block.type.value not in self.options.filter_blocks
        ]
        return "\n\n".join(part for part in parts if part)

    def block(self, block: Block, content: str) -> dict[str, Any]:
        extra: dict[str, Any] = {"source": {"start": block.start, "end": block.end}}
        if block.level:
            extra["level"] = block.level
        if block.table is not None:
            extra["table"] = {
                "rows": block.table.n_rows,
                "columns": block.table.n_cols,
                "header_rows": block.table.header_rows,
                "caption": block.table.caption,
                "scale": block.table.scale,
                "currency": block.table.currency,
            }
            if self.options.return_citations:
                extra["cell_citations"] = [
                    {
                        "text": cell.text,
                        "row_idx": cell.row,
                        "col_idx": cell.col,
                        "bbox": self.pages.bbox(cell.start, cell.end, block.page),
                        "source": {"start": cell.start, "end": cell.end},
                    }
                    for cell in block.table.cells
                ]
        return {
            "type": block.type.value,
            "bbox": self.pages.bbox(block.start, block.end, block.page),
            "content": content,
            "image_url": None,
            "chart_data": None,
            "confidence": "high" if block.high_confidence else "low",
            "granular_confidence": {
                "parse_confidence": 0.95 if block.high_confidence else 0.6,
                "extract_confidence": None,
            },
            "extra": extra,
        }


def _one_line(text: str) -> str:
    return " ".join(text.split())
