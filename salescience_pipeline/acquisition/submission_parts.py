"""From the answer that is a complete submission to answers that are its documents: the main one and the wanted exhibits.

Each document is kept in the archive under a digest of its own, beside the submission that it was cut from, so that whoever
reads a document finds it as if it had been fetched by itself. What does not belong here: which exhibits are wanted
(``catalog.exhibits``), and the envelope (``documents.submission``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from salescience_pipeline.catalog.exhibits import exhibit_number
from salescience_pipeline.clients.edgar_api import document
from salescience_pipeline.clients.model import Answer, AnswerClass, Body, RawRef
from salescience_pipeline.documents.submission import Part, read_submission
from salescience_pipeline.identifiers import FileName, InvalidIdentifier


class Keeper(Protocol):
    """The archive, as far as it is needed here."""

    def keep(self, body: Body) -> RawRef:
        """Keep bytes that were cut out of an archived answer."""
        ...


def cut_submissions(answers: Sequence[Answer], keeper: Keeper) -> list[Answer]:
    """``answers`` with each complete submission replaced by one answer per document that is wanted of it.

    A submission was asked for with exhibits when its subject names them; any other answer stays as it is.

    Raises:
        LakeError: when a document cannot be kept.
    """
    found: list[Answer] = []
    for answer in answers:
        wanted = answer.request.subject.details.get("exhibits")
        cuts = answer.request.endpoint == "full_submission" and wanted is not None
        if not cuts or answer.answer_class not in (AnswerClass.OK, AnswerClass.UNCHANGED):
            found.append(answer)
        else:
            found += _cut(answer, frozenset((wanted or "").split()), keeper)
    return found


def _cut(answer: Answer, wanted: frozenset[str], keeper: Keeper) -> Iterator[Answer]:
    data = answer.body.read()
    subject = answer.request.subject
    assert subject.cik is not None
    assert subject.accession is not None
    for part, name in _wanted_parts(read_submission(data).parts, subject.details["filename"], wanted):
        body = Body(data[part.start : part.end])
        details = dict(subject.details) | {
            "filename": name,
            "document_type": part.type or subject.details["document_type"],
            "submission_sha256": answer.ref.sha256,
        }
        if part.sequence is not None:
            details["sequence"] = str(part.sequence)
        about = replace(subject, details=details)
        request = document(subject.cik, subject.accession, name, about)
        yield replace(answer, request=request, body=body, ref=keeper.keep(body))


def _wanted_parts(parts: Sequence[Part], main: str, wanted: frozenset[str]) -> Iterator[tuple[Part, FileName]]:
    """The main document, by its name or as the first one, and the exhibits that are wanted and can be read."""
    readable = [part for part in parts if not part.encoded and part.end > part.start]
    first = next((part for part in readable if part.filename == main), next(iter(readable), None))
    names: set[str] = set()
    for part in readable:
        if part is first:
            # The name under which the list of filings knows it, also where the envelope has none.
            name = FileName(main)
        elif exhibit_number(part.type) not in wanted:
            continue
        else:
            try:
                name = FileName(part.filename)
            except InvalidIdentifier:
                continue
        if name not in names:
            names.add(name)
            yield part, name
