"""Which exhibits are kept beside the main document of a filing, and whether a filing can have them.

An exhibit is named ``FORM:NUMBER`` by the number of Item 601 of Regulation S-K (of Form 20-F: its own list). All come with
the complete submission, one request in place of the one for the main document; see ``clients.edgar``. What does not belong
here: how exhibits are read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

DEFAULT_EXHIBITS: tuple[str, ...] = (
    "10-K:13",
    "10-K:21",
    "10-KT:13",
    "10-KT:21",
    "20-F:8",
    "40-F:99",
    "8-K:99",
    "6-K:99",
)
"""Reports that a 10-K incorporates by reference (13), lists of subsidiaries (21; of a 20-F 8), press releases and what else is
attached to current reports (99), the parts of a 40-F (99)."""

MAX_SUBMISSION_BYTES = 100_000_000
"""A complete submission above this (SEC tells the size beforehand) is not fetched for its exhibits; its main document is.
A 10-K has 19 MB in the median and 59 MB at most of 52 recorded ones, an 8-K with exhibits 0.6 MB."""

_SPEC = re.compile(r"[A-Z0-9][A-Z0-9 /-]{0,19}:[1-9][0-9]{0,2}", re.ASCII)
_TYPE = re.compile(r"EX-0*([1-9][0-9]{0,2})(?![0-9])", re.IGNORECASE)
_WITH_EXHIBITS = ("9.01", "7")
"""The item of an 8-K that lists its exhibits, in the numbering since and before August 2004."""


def is_exhibit_spec(text: str) -> bool:
    """Whether ``text`` is a form and the number of an exhibit, as ``10-K:21``."""
    return _SPEC.fullmatch(text) is not None


def numbers_for(base_form: str, exhibits: Sequence[str]) -> frozenset[str]:
    """The numbers of the exhibits that are wanted of a form; ``base_form`` is without the amendment suffix."""
    pairs = (spec.rpartition(":") for spec in exhibits)
    return frozenset(number for form, _, number in pairs if form == base_form)


def may_have_exhibits(base_form: str, items: Sequence[str]) -> bool:
    """Whether a filing can have any: an 8-K whose items are known says so by one of them."""
    return base_form != "8-K" or not items or any(item in _WITH_EXHIBITS for item in items)


def exhibit_number(document_type: str) -> str | None:
    """The number of an exhibit by its type: ``21`` for ``EX-21.1``; None for what is no exhibit."""
    match = _TYPE.match(document_type)
    return match[1] if match is not None else None
