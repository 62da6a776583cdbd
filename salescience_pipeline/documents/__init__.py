"""Read SEC filings: parse once, then ask for blocks, tables, facts. A library: knows no Dagster, no HTTP and no lake.

>>> from salescience_pipeline.documents import parse
>>> document = parse(b"<html><body><h1>Risk Factors</h1><p>We may fail.</p></body></html>")
>>> [(block.type.value, block.text) for block in document.blocks]
[('Section Header', 'Risk Factors'), ('Text', 'We may fail.')]

What does not belong here: where a document comes from, and where what was found is kept.
"""

from __future__ import annotations

from salescience_pipeline.documents.document import Document, Hints, Place, parse
from salescience_pipeline.documents.errors import DocumentError
from salescience_pipeline.documents.source import Kind, Limits

__all__ = ["Document", "DocumentError", "Hints", "Kind", "Limits", "Place", "parse"]
