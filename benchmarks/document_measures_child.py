"""What the process that measures memory imports: the engine and nothing of the peers."""

from __future__ import annotations

from salescience_pipeline.documents import Document, parse
from salescience_pipeline.documents.sections import find_sections


def understand(data: bytes) -> Document:
    """Blocks, tables, sections, facts and their places."""
    document = parse(data)
    _ = (document.blocks, document.tables, document.facts, document.places)
    find_sections(document)
    return document
