"""Which version of the engine reads documents: light, because the definitions say it without loading the engine."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

_HERE = Path(__file__).parent


@lru_cache(maxsize=1)
def parser_version() -> str:
    """A digest of the engine's source and of what makes rows of it: when either changes, documents are read again."""
    digest = hashlib.sha256()
    for path in [*sorted((_HERE.parent / "documents").glob("*.py")), _HERE / "document_rows.py"]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]
