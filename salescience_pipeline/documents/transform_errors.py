"""The one error of the inline XBRL transforms, apart from them so that both rule sets can raise it.

What does not belong here: why a document as a whole is refused (``errors``).
"""

from __future__ import annotations


class TransformError(ValueError):
    """The shown text is not what its format accepts."""
