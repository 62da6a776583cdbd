"""What the modules that make rows of documents share: columns in the making, and text that a table can hold.

What does not belong here: which rows there are (``document_rows``, ``document_graph_rows``).
"""

from __future__ import annotations

from typing import Any, TypeAlias

Columns: TypeAlias = dict[str, list[Any]]
"""Values by column, all lists of one length."""


def clean(text: str) -> str:
    """Text that UTF-8 can hold: a lone surrogate, written as a character reference, becomes a question mark."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
