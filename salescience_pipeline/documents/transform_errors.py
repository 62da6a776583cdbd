"""The one error of the inline XBRL transforms, apart from them so that both rule sets can raise it."""

from __future__ import annotations


class TransformError(ValueError):
    """The shown text is not what its format accepts."""
