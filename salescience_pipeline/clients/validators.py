"""Conditional requests: what we send to learn whether an archived answer is still current, and what a 304 is worth.

What does not belong here: which endpoints honour it (their requests say so).
"""

from __future__ import annotations

from collections.abc import Mapping

from salescience_pipeline.clients.classify import Verdict
from salescience_pipeline.clients.model import AnswerClass, Stored

HEADERS = frozenset({"etag", "last-modified"})
"""Response headers without one of which nothing can be asked."""


def plain_etag(etag: str) -> str:
    """An ETag without the ``-gzip`` that a server adds when it compresses, and without the weakness mark."""
    return etag.removeprefix("W/").replace('-gzip"', '"')


def conditions(stored: Stored) -> dict[str, str]:
    """If-None-Match with both spellings of the tag (a server may know only one of them), and If-Modified-Since."""
    headers = {}
    if etag := stored.headers.get("etag"):
        plain = plain_etag(etag)
        headers["If-None-Match"] = ", ".join(dict.fromkeys((etag, plain, plain[:-1] + '-gzip"')))
    if modified := stored.headers.get("last-modified"):
        headers["If-Modified-Since"] = modified
    return headers


def judge_unchanged(headers: Mapping[str, str], asked: str) -> Verdict:
    """The verdict on a 304: the archived body is current, unless the answer names another version of it.

    Args:
        headers: The response headers, lower case.
        asked: The If-None-Match that was sent; empty when only a date was.
    """
    etag = headers.get("etag")
    if etag is None or not asked or plain_etag(etag) in map(plain_etag, asked.split(", ")):
        return Verdict(AnswerClass.UNCHANGED)
    return Verdict(AnswerClass.TRANSIENT, "says that nothing changed and names another version")
