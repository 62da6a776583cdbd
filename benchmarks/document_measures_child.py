"""What the process that measures memory imports: the engine and nothing of the peers."""

from __future__ import annotations

from salescience_pipeline.documents import Document, parse


def understand(data: bytes) -> Document:
    """Blocks, tables, facts and their places."""
    document = parse(data)
    _ = (document.blocks, document.tables, document.facts, document.places)
    return document
