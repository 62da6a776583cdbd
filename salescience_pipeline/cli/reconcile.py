"""In equals out: every recorded file that the corpus sandbox serves, held against what the lake holds afterwards.

What does not belong here: what the corpus sandbox serves (``sandbox``), and reading a document (``documents``).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from salescience_pipeline.acquisition.services import Services
from salescience_pipeline.catalog.exhibits import exhibit_number
from salescience_pipeline.cli.console import err, out, show_rows

_OWNERSHIP = frozenset({"3", "4", "5"})
_TABLE_OF = {
    "submission": "core_sec__companies",
    "later_submission": "core_sec__companies",
    "companyfacts": "core_sec__facts",
}


def reconcile(services: Services) -> bool:
    """Print what went in, what landed, and each file left out with its reason; whether nothing is unexplained."""
    assert services.sandbox is not None
    files: list[Mapping[str, Any]] = services.sandbox.get("/_sandbox/corpus/manifest")["files"]
    arrived = _arrived(services)
    rows_of = _rows_by_key(services)
    stored = services.tables.read("core_sec__documents", columns=["sha256", "accession", "document_type"]).to_pylist()
    documents = {row["sha256"] for row in stored}
    with_exhibits = {row["accession"] for row in stored if exhibit_number(row["document_type"] or "") is not None}
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    reasons: Counter[str] = Counter()
    lost: list[tuple[str, str]] = []
    for file in files:
        kind = str(file["kind"])
        counts[kind]["in"] += 1
        if file["left_out"]:
            counts[kind]["left out"] += 1
            reasons[_general(str(file["left_out"]))] += 1
        elif file["sha256"] in documents or (kind == "exhibit" and file["accession"] in with_exhibits):
            # An exhibit that was recorded with the marks of its submission landed without them.
            counts[kind]["landed"] += 1
        elif why := _missing(file, arrived, rows_of):
            counts[kind]["lost"] += 1
            lost.append((str(file["path"]), why))
        else:
            counts[kind]["landed"] += 1
    columns = ("kind", "in", "landed", "left out", "lost")
    rows = [(kind, *(found[name] for name in columns[1:])) for kind, found in sorted(counts.items())]
    total = ("total", *(sum(found[name] for found in counts.values()) for name in columns[1:]))
    show_rows("Recorded files: what went in and what landed", columns, [*rows, total], numbers=columns[1:])
    show_rows("Left out, and why", ("files", "reason"), [(count, why) for why, count in reasons.most_common()])
    for path, why in lost[:20]:
        err.print(f"[red]{path}[/red]: {why}", highlight=False)
    if not lost:
        out.print("[green]In equals out: every recorded file landed or is left out for a reason.[/green]")
    return not lost


def _general(reason: str) -> str:
    """The reason without the name of the one file that it mentions."""
    return "the same bytes as another file, which is served" if reason.startswith("the same bytes as") else reason


def _arrived(services: Services) -> dict[str, set[str]]:
    """Digests of the complete answers in the archive by path (without host)."""
    found: dict[str, set[str]] = defaultdict(set)
    for row in (row for _, row in services.archive.audit.answers()):
        if row.complete and row.status == 200 and row.body_sha256:
            found[_place("/" + row.canonical_url.split("/", 3)[3])].add(row.body_sha256)
    return found


def _place(path: str) -> str:
    """The path without the filer: a filing of several filers is one, and is fetched under the address of one of them."""
    return re.sub(r"^/Archives/edgar/data/[0-9]+/", "/Archives/edgar/data/", path)


def _rows_by_key(services: Services) -> dict[str, set[str]]:
    """What the tables hold: accessions of documents and forms, companies with filings and with facts."""
    read = services.tables.read
    return {
        "core_sec__documents": set(read("core_sec__documents", columns=["accession"])["accession"].to_pylist()),
        "ownership": set(read("core_sec__insider_transactions", columns=["accession"])["accession"].to_pylist()),
        "core_sec__companies": set(read("core_sec__companies", columns=["cik"])["cik"].to_pylist()),
        "core_sec__facts": set(read("core_sec__facts", columns=["cik"])["cik"].to_pylist()),
        "settled": {
            state.subject
            for state in services.ledger.completeness.states("core_sec__insider_transactions")
            if state.status == "complete"
        },
    }


def _missing(file: Mapping[str, Any], arrived: Mapping[str, set[str]], rows_of: Mapping[str, set[str]]) -> str | None:
    """Why a served file did not land; None when its bytes are in the archive and its rows in their table."""
    path, kind = str(file["main_url"] or file["url"]), str(file["kind"])
    # A complete submission may have been fetched for the document in it, or that document by itself.
    whole = file["sha256"] in arrived.get(_place(str(file["url"])), ())
    digests = {file["sha256"]} if whole else arrived.get(_place(path))
    if not digests:
        return f"nothing was received from {path}"
    if file["main_url"] == file["url"] and file["sha256"] not in digests:
        return f"other bytes than recorded came from {path}"
    if kind in _TABLE_OF:
        cik = str(file["cik"]).zfill(10)
        return None if cik in rows_of[_TABLE_OF[kind]] else f"{_TABLE_OF[kind]} has no row of {cik}"
    if file["form"] in _OWNERSHIP:
        # A form that reports no securities is read and has no line.
        landed = file["accession"] in rows_of["ownership"] | rows_of["settled"]
        return None if landed else "core_sec__insider_transactions does not know the form"
    return None if file["accession"] in rows_of["core_sec__documents"] else "core_sec__documents does not know it"
