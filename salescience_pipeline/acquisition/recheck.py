"""Documents fetched again and held against what was kept: whether somebody changed them, here or at the source.

What was filed never changes, so a difference is a finding; how many of the words differ is told by the fingerprint. A few
documents a week, chosen by the week, cover all of them in time. A document that was cut from a complete submission is cut
from it again: whether SEC serves the same bytes at the document's own address, nobody promises. What does not belong here:
the archive's own digests, which every reading checks.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from salescience_pipeline.acquisition.confidence import DOCUMENTS
from salescience_pipeline.acquisition.fingerprint import BITS, distance, simhash
from salescience_pipeline.acquisition.quality import Finding, store_findings
from salescience_pipeline.acquisition.services import Services
from salescience_pipeline.acquisition.submission_parts import cut_submissions
from salescience_pipeline.clients.edgar_api import document, full_submission
from salescience_pipeline.clients.model import Answer, PlannedRequest, RawRef, Subject
from salescience_pipeline.clients.pool import Failed
from salescience_pipeline.identifiers import Accession, Cik, FileName
from salescience_pipeline.lake.errors import LakeError

RECHECK = "documents_are_as_filed"
SAMPLE = 5


@dataclass(frozen=True, slots=True)
class Rechecked:
    """What a recheck came to."""

    asked: int
    """Requests that were made; documents of one submission take one."""
    findings: list[Finding]


def sample_of(documents: list[dict[str, Any]], week: tuple[int, int], size: int) -> list[dict[str, Any]]:
    """``size`` of the documents, others each week; the same ones however often it is asked."""

    def place(row: Mapping[str, Any]) -> str:
        return hashlib.sha256(f"{week}|{row['accession']}|{row['filename']}".encode()).hexdigest()

    return sorted(documents, key=place)[:size]


def recheck(services: Services, *, run_id: str, size: int = SAMPLE) -> Rechecked:
    """Fetch ``size`` stored documents again and compare them; what differs is a finding, and both versions are kept."""
    columns = ["accession", "filename", "cik", "sha256", "bytes", "submission_sha256"]
    year, week, _ = services.today().isocalendar()
    rows = sample_of(services.tables.read(DOCUMENTS, columns=columns).to_pylist(), (year, week), size)
    requests: dict[str, PlannedRequest] = {}
    asked: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        request = _request(row)
        requests.setdefault(request.canonical_url, request)
        asked[request.canonical_url].append(row)
    findings = []
    with services.transport(run_id) as transport:
        for outcome in transport.send_all(tuple(requests.values())):
            for row in asked[outcome.request.canonical_url]:
                finding = _compared(services, row, outcome)
                findings += [finding] if finding is not None else []
    store_findings(services, RECHECK, DOCUMENTS, findings, run_id)
    return Rechecked(len(requests), findings)


def _compared(services: Services, row: Mapping[str, Any], outcome: Answer | Failed) -> Finding | None:
    what, today = f"{row['filename']} of {row['accession']}", services.today()
    if not isinstance(outcome, Answer):
        told = f"{what} could not be fetched again: {outcome.error}"
        return Finding(row["accession"], today, told, row["filename"])
    again = _cut(services, row, outcome) if row["submission_sha256"] is not None else outcome
    if again is None:
        told = f"{what} is not in its submission any more."
        return Finding(row["accession"], today, told, row["filename"])
    return _changed(services, row, again, today) if again.ref.sha256 != row["sha256"] else None


def _cut(services: Services, row: Mapping[str, Any], answer: Answer) -> Answer | None:
    """The document of that name out of the submission, as it was cut when it was stored."""
    details = {"filename": row["filename"], "document_type": "", "exhibits": ""}
    subject = replace(answer.request.subject, details=details)
    asked = replace(answer, request=replace(answer.request, subject=subject))
    return next(iter(cut_submissions([asked], services.archive)), None)


def _request(row: Mapping[str, Any]) -> PlannedRequest:
    """The request for a document as it is now: neither the archive nor a validator may answer it."""
    cik, accession, name = Cik(row["cik"]), Accession(row["accession"]), FileName(row["filename"])
    subject = Subject(accession, cik=cik, accession=accession, details={"filename": name})
    made = (
        full_submission(cik, accession, subject)
        if name == f"{accession}.txt" or row["submission_sha256"] is not None
        else document(cik, accession, name, subject)
    )
    return replace(made, immutable=False, conditional=False)


def _changed(services: Services, row: Mapping[str, Any], answer: Answer, today: dt.date) -> Finding:
    what = f"{row['filename']} of {row['accession']}"
    try:
        kept = services.archive.open(RawRef(row["sha256"], row["bytes"])).read()
    except LakeError as error:
        return Finding(row["accession"], today, f"{what} cannot be compared: {error}", row["filename"])
    apart = distance(simhash(kept), simhash(answer.body.read()))
    words = "the same words in other bytes" if apart == 0 else f"words that are {apart} of {BITS} bits apart"
    told = f"{what} is not what it was when it was fetched: {words}, {answer.body.size:,} bytes instead of {row['bytes']:,}."
    return Finding(row["accession"], today, told, row["filename"], float(apart), 0.0)
