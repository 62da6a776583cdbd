"""Filings for the pages: what was read of one, section by section, and the search over all of them.

What does not belong here: markup, and reading documents (the engine has done it; the marts hold it).
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from salescience_pipeline.identifiers import Accession

if TYPE_CHECKING:
    import duckdb

    from salescience_pipeline.gateway.page_data import Market, Row

_SECONDS = 5.0
_MAX_WORDS = 8
_AROUND = 160
_MAX_PLACES = 200
_FILING = "select * from mart_filings__filings where accession = ? limit 1"
_DOCUMENTS = """
select filename, document_type, kind, status, reason, bytes, pages, table_count, fact_count, section_count, raw_sha256, form,
    company, cik, filing_date, report_date
from mart_documents__documents where accession = ? order by section_count desc nulls last, filename
"""
_CONTENTS = """
select filename, section_no, part, item, coalesce(canonical_title, title, 'Untitled') as title, text_length,
    text_length_change, confidence, is_incorporated_by_reference
from mart_documents__sections where accession = ? order by filename, section_no
"""
_TEXT = "select text from mart_documents__sections where accession = ? and filename = ? and section_no = ?"
# Every word must be there; of those that have all, the ones come first that have the words as they were written, then those
# that speak of them most for their length (the saturating count of BM25, without its weights of rare words).
_SEARCH = """
with found as (
    select accession, filename, section_no, item, coalesce(canonical_title, title) as title, form, filing_date, company, cik,
        text, text_length, lower(text) as low
    from mart_documents__sections
    where ($form is null or form = $form) and ($cik is null or cik = $cik)
        and list_bool_and(list_transform($words, lambda word: contains(lower(text), word)))
)
select * exclude (low, text_length), text_length,
    list_sum(list_transform($words, lambda word: (length(low) - length(replace(low, word, ''))) / length(word))) as hits,
    contains(low, $phrase) as as_written
from found
order by as_written desc, hits / (hits + 1.2 * (0.25 + 0.75 * text_length / 5000.0)) desc, filing_date desc, section_no
limit $most
"""


@dataclass(frozen=True, slots=True)
class Hit:
    """A section that has the words, and the place to show."""

    row: Mapping[str, Any]
    snippet: str


class TooSlow(Exception):
    """The search was given up; narrower words or a form make it faster."""


def words_of(text: str) -> list[str]:
    """The words that a section must have, in lower case: what stands between spaces, without what surrounds it."""
    parts = (part.strip("\"'.,;:!?()") for part in text.lower().split())
    return list(dict.fromkeys(part for part in parts if part))[:_MAX_WORDS]


def snippet(text: str, words: Sequence[str], phrase: str) -> str:
    """The piece of ``text`` with ``phrase``, else the one with the most of the words; cut at spaces."""
    low = text.lower()
    place = low.find(phrase)
    if place < 0:
        starts = [found.start() for word in words for found in islice(re.finditer(re.escape(word), low), _MAX_PLACES)]
        near = {at: sum(word in low[at : at + _AROUND] for word in words) for at in starts}
        place = max(sorted(near), key=near.__getitem__, default=0)
    start, end = max(place - _AROUND // 2, 0), place + _AROUND
    if start:
        start = low.find(" ", start) + 1
    if end < len(text):
        end = max(low.rfind(" ", start, end), start + 1)
    shown = re.sub(r"\s+", " ", text[start:end]).strip()
    return f"{'… ' if start else ''}{shown}{' …' if end < len(text) else ''}"


@contextmanager
def _bounded(connection: duckdb.DuckDBPyConnection, *, seconds: float = _SECONDS) -> Iterator[None]:
    """Interrupt what takes longer than a person waits."""
    import duckdb  # noqa: PLC0415 - with the pages, when first needed

    timer = threading.Timer(seconds, connection.interrupt)
    timer.start()
    try:
        yield
    except duckdb.InterruptException:
        raise TooSlow from None
    finally:
        timer.cancel()


def search(market: Market, text: str, *, form: str | None = None, cik: str | None = None, most: int = 20) -> list[Hit]:
    """Sections that have every word of ``text``, the best first.

    Raises:
        TooSlow: after five seconds.
    """
    words, phrase = words_of(text), re.sub(r"\s+", " ", text.lower()).strip()
    if not words:
        return []
    given = {"words": words, "phrase": phrase, "form": form or None, "cik": cik or None, "most": most}
    with _bounded(market.connection):
        rows = market.rows("mart_documents__sections", _SEARCH, given)
    return [
        Hit({name: value for name, value in row.items() if name != "text"}, snippet(row["text"], words, phrase))
        for row in rows
    ]


def filing(market: Market, accession: Accession, document: str | None, number: int | None) -> dict[str, Any] | None:
    """Everything that a filing's page shows: the filing, its documents, its contents, and the text of one section.

    Args:
        market: The published marts.
        accession: Which filing.
        document: The file name of the section to read; the first document that has one by default.
        number: The section to read; the first by default.
    """
    about = market.rows("mart_filings__filings", _FILING, [accession])
    documents = market.rows("mart_documents__documents", _DOCUMENTS, [accession])
    if not about and not documents:
        return None
    contents = market.rows("mart_documents__sections", _CONTENTS, [accession])
    here = _chosen(contents, document, number)
    text = ""
    if here is not None:
        key = [accession, here["filename"], here["section_no"]]
        text = str(market.rows("mart_documents__sections", _TEXT, key)[0]["text"] or "")
    at = contents.index(here) if here is not None else 0
    return {
        "filing": about[0] if about else documents[0],
        "documents": documents,
        "contents": contents,
        "here": here,
        "paragraphs": [part.strip() for part in text.split("\n") if part.strip()],
        "before": contents[at - 1] if at > 0 else None,
        "after": contents[at + 1] if here is not None and at + 1 < len(contents) else None,
    }


def _chosen(contents: Sequence[Row], document: str | None, number: int | None) -> Row | None:
    asked = [row for row in contents if document in (None, row["filename"]) and number in (None, row["section_no"])]
    # An old link may name a section that a newer reading does not have: the filing is shown from its start.
    return next(iter(asked or contents), None)
