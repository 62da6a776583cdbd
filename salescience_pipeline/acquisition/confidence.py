"""How far a fetched document can be trusted, from 0 to 1, by a formula that everybody can follow.

``0`` where the document was not answered in full or its bytes are not those that were received; otherwise ``0.4`` for having
come whole, and the rest for what speaks for its content::

    0.4 + 0.3 * size + 0.15 * sections + 0.15 * facts

*size*: 1 while the length lies within three deviations of the issuer's other reports of the form (median and MAD of the
logarithm), 0 from nine on; of exhibits and of forms that tell of an event the length tells nothing. *sections*: the items
found, of as many as the issuer's documents of the form and type usually have.
*facts*: the share of XBRL figures on which the document and SEC's own company facts agree. What nobody can say counts 0.8.
What does not belong here: judging a value (``quality``), and fetching again (``recheck``).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import pyarrow as pa

from salescience_pipeline.acquisition.asking import ask
from salescience_pipeline.acquisition.fingerprint import simhash
from salescience_pipeline.acquisition.services import Services
from salescience_pipeline.catalog.forms import ANNUAL_FORMS
from salescience_pipeline.catalog.tables import TABLES
from salescience_pipeline.clients.edgar_api import base_form
from salescience_pipeline.clients.model import RawRef
from salescience_pipeline.lake.errors import LakeError
from salescience_pipeline.lake.tables import Slice, Where

CONFIDENCE, DOCUMENTS = "ops_salescience__retrieval_confidence", "core_sec__documents"
DOUBTFUL = 0.7
"""Below it a document needs a look: a cut one loses its size alone, or its sections and figures together."""
WHOLE, SIZE, SECTIONS, FACTS, UNKNOWN = 0.4, 0.3, 0.15, 0.15, 0.8
_NEAR, _FAR, _LEAST_SPREAD, _LEAST_OTHERS, _LEAST_FACTS = 3.0, 9.0, 0.15, 2, 10
_PERIODIC = frozenset({*ANNUAL_FORMS, "10-Q"})
_COLUMNS = ["accession", "filename", "cik", "form", "document_type", "sha256", "bytes", "raw_sha256", "fetched_at"]
_NEW_FINGERPRINTS = 500
"""Documents whose words are fingerprinted in one evening, a minute or two of work; the others follow on the next ones."""
_AT_ONCE = 200
"""Documents whose figures are compared at once: some hundred thousand rows."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known about one document; None where nobody can say."""

    is_whole: bool
    """Whether the provider's answer was complete, and successful."""
    is_intact: bool
    """Whether the archive still holds the bytes that were received."""
    size: float | None = None
    sections: float | None = None
    facts: float | None = None


def confidence(evidence: Evidence) -> float:
    """The formula of this module; see its description."""
    if not (evidence.is_whole and evidence.is_intact):
        return 0.0
    parts = ((SIZE, evidence.size), (SECTIONS, evidence.sections), (FACTS, evidence.facts))
    return WHOLE + sum(weight * (UNKNOWN if part is None else part) for weight, part in parts)


def size_part(length: int, others: Sequence[int]) -> float | None:
    """How usual ``length`` (bytes) is among the issuer's ``others`` of the form; None for fewer than two of them."""
    if len(others) < _LEAST_OTHERS or length <= 0:
        return None
    logs = [math.log(other) for other in others if other > 0]
    middle = median(logs)
    spread = max(1.4826 * median(abs(log - middle) for log in logs), _LEAST_SPREAD)
    far = abs(math.log(length) - middle) / spread
    return min(max((_FAR - far) / (_FAR - _NEAR), 0.0), 1.0)


def section_part(found: int, others: Sequence[int]) -> float | None:
    """How many of the usual items were found; None for fewer than two others, or when those have none."""
    usual = median(others) if len(others) >= _LEAST_OTHERS else 0
    return min(found / usual, 1.0) if usual else None


def store_confidence(services: Services, run_id: str) -> pa.Table:
    """Judge every fetched document and store the verdicts in place of the last ones; returns them.

    A document's words are fingerprinted once, when it is first judged.
    """
    documents = services.tables.read(DOCUMENTS, columns=_COLUMNS).to_pylist()
    if not documents:
        return TABLES[CONFIDENCE].empty()
    known = {row["sha256"]: row for row in services.tables.read(CONFIDENCE).to_pylist()}
    facts = {row["accession"]: row["fact_score"] for row in known.values() if row["fact_score"] is not None}
    facts |= _facts(services, sorted({row["accession"] for row in documents} - facts.keys()))
    sections = _sections(services)
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in documents:
        groups[_kind(row)].append(row)
    now, rows = services.now(), []
    fingerprints = {digest: row["text_fingerprint"] for digest, row in known.items() if row["text_fingerprint"]}
    new = [row for row in documents if row["sha256"] not in fingerprints][:_NEW_FINGERPRINTS]
    fingerprints |= {row["sha256"]: _fingerprint(services, row) for row in new}
    for row in documents:
        key = (row["accession"], row["filename"])
        others = [other for other in groups[_kind(row)] if other is not row]
        counted = [sections[name] for other in others if (name := (other["accession"], other["filename"])) in sections]
        body = services.archive.audit.body(row["sha256"])
        evidence = Evidence(
            is_whole=body is not None,
            is_intact=body is not None and not body.damaged,
            size=size_part(row["bytes"], [other["bytes"] for other in others]) if _is_report(row) else None,
            sections=section_part(sections[key], counted) if key in sections else None,
            facts=facts.get(row["accession"]) if _is_report(row) else None,
        )
        rows.append(
            {
                "accession": row["accession"], "filename": row["filename"], "cik": row["cik"], "form": row["form"],
                "sha256": row["sha256"], "score": round(confidence(evidence), 4), "is_intact": evidence.is_intact,
                "size_score": evidence.size, "section_score": evidence.sections, "fact_score": evidence.facts,
                "text_fingerprint": fingerprints.get(row["sha256"]),
                "checked_at": now, "source": "quality", "fetched_at": row["fetched_at"], "raw_sha256": row["raw_sha256"],
                "run_id": run_id,
            }
        )  # fmt: skip
    made = pa.Table.from_pylist(rows, schema=TABLES[CONFIDENCE].schema)
    services.tables.write(CONFIDENCE, made, Slice(values={"cik": sorted({row["cik"] for row in documents})}))
    return made


def _kind(row: Mapping[str, Any]) -> tuple[str, str, str]:
    """What a document is compared with: the issuer's others of the form, exhibits with exhibits of their type."""
    return row["cik"], base_form(row["form"]), row["document_type"] or row["form"]


def _is_report(row: Mapping[str, Any]) -> bool:
    """Whether it is a report that comes every year or quarter: those of an issuer are about as long as each other."""
    form = base_form(row["form"])
    return form in _PERIODIC and base_form(row["document_type"] or form) == form


def _fingerprint(services: Services, row: Mapping[str, Any]) -> str | None:
    try:
        return f"{simhash(services.archive.open(RawRef(row['sha256'], row['bytes'])).read()):016x}"
    except LakeError:
        return None


def _sections(services: Services) -> dict[tuple[str, str], int]:
    """Items found in each document that was read."""
    columns = ["accession", "filename", "status", "section_count"]
    rows = services.tables.read("doc_salescience__documents", columns=columns).to_pylist()
    return {(row["accession"], row["filename"]): row["section_count"] for row in rows if row["status"] == "complete"}


def _facts(services: Services, accessions: Sequence[str]) -> dict[str, float]:
    """Share of the figures without dimensions on which a document and SEC's company facts agree, by accession."""
    shares: dict[str, float] = {}
    for start in range(0, len(accessions), _AT_ONCE):
        where = Where(values={"accession": list(accessions[start : start + _AT_ONCE])})
        names = ["accession", "concept", "period_start", "period_end", "value"]
        here = services.tables.read("doc_salescience__facts", where, columns=[*names, "dimensions"])
        if not here.num_rows:
            continue
        rows = ask(
            """
            with told as (select distinct accession, concept, period_start, period_end, value from reported),
            shown as (
                select distinct accession, concept, period_start, period_end, value from here
                where dimensions = '{}' and value is not null),
            pairs as (
                select told.accession, bool_or(abs(told.value - shown.value) <= 1e-6 * greatest(abs(told.value), 1)) as agrees
                from told join shown on shown.accession = told.accession and shown.concept = told.concept
                 and shown.period_end = told.period_end and shown.period_start is not distinct from told.period_start
                group by told.accession, told.concept, told.period_start, told.period_end)
            select accession, avg(agrees::int) as share from pairs group by accession having count(*) >= $least
            """.replace("$least", str(_LEAST_FACTS)),
            here=here,
            reported=services.tables.read("core_sec__facts", where, columns=names),
        )
        shares |= {row["accession"]: row["share"] for row in rows}
    return shares
