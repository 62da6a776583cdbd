"""Which version of the engine reads documents: light, because the definitions say it without loading the engine.

What does not belong here: anything that imports the engine.
"""

from __future__ import annotations

PARSER_VERSION = "4"
"""Raised when what is understood of some document changes: every stored document is then read again.

A test holds the output for sample documents against what this version gave, so that a change cannot be forgotten; an edit that
changes no output (a faster loop, a comment) leaves the version and the stored rows alone.
"""


def parser_version() -> str:
    """The version that is written beside every document and that says whether it has to be read again."""
    return PARSER_VERSION
