"""Read the documents that lie in the archive and were not read yet by this version of the engine, and store what was found.

One document at a time goes into a process that can be killed (:mod:`document_worker`), a few beside each other; rows
are written in batches while others are still being read, and completeness after the rows it tells about. So a killed
run is continued by the next one, and one adversarial document never stops the others. What does not belong here:
reading a document (``documents``), and the rows made of it (``document_rows``).
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, as_completed, wait
from dataclasses import dataclass, field, replace
from queue import SimpleQueue

import pyarrow as pa

from salescience_pipeline.acquisition.acquire import watchers
from salescience_pipeline.acquisition.document_backends import Backend, backend_of
from salescience_pipeline.acquisition.document_rows import DOCUMENTS, PARTS, Outcome, StoredDocument, refused
from salescience_pipeline.acquisition.document_worker import Budget, DocumentWorker
from salescience_pipeline.acquisition.outcome import Failure, Status, TableTotals
from salescience_pipeline.acquisition.parser_version import parser_version
from salescience_pipeline.acquisition.services import SelectionError, Services
from salescience_pipeline.clients.model import RawRef
from salescience_pipeline.identifiers import Accession, Sha256, Ticker
from salescience_pipeline.lake.errors import CorruptBlob
from salescience_pipeline.lake.tables import Slice, Where
from salescience_pipeline.ledger.completeness import State

_STORED = "core_sec__documents"
_FLUSH_DOCUMENTS, _FLUSH_ROWS = 100, 400_000
_INLINE = b"/inlineXBRL"
"""What the namespace of inline XBRL ends with, in every version."""


_Read = tuple[StoredDocument, dict[str, pa.Table]]


@dataclass
class Processed:
    """What came of processing the documents of some companies."""

    stored: int = 0
    """Documents in the archive."""
    current: int = 0
    """Of them read before by this version."""
    read: int = 0
    refused: list[tuple[StoredDocument, str, str]] = field(default_factory=list)
    """Documents that could not be read: which, the name of the failure, the sentence."""
    failures: list[Failure] = field(default_factory=list)
    """Documents that the next run tries again."""
    tables: dict[str, TableTotals] = field(default_factory=dict)
    states: list[State] = field(default_factory=list)
    found: Counter[str] = field(default_factory=Counter)
    """Blocks, facts, sections... over all documents that were read."""
    credits: float = 0.0
    seconds: float = 0.0

    def sentence(self) -> str:
        """What happened, for logs and for people."""
        if self.stored == self.current:
            return f"{DOCUMENTS}: nothing to read, all {self.stored:,} documents are current."
        counts = ", ".join(f"{self.found[name]:,} {name}" for name in ("sections", "facts", "tables", "blocks"))
        refused = f"; {len(self.refused):,} refused" if self.refused else ""
        return f"{DOCUMENTS}: {self.read:,} documents read ({counts}){refused}, {self.current:,} were current."

    def open_partitions(self) -> frozenset[str]:
        """Tickers with a document that has to be tried again."""
        return frozenset(failure.partition for failure in self.failures)


Progress = Callable[[int, int, str], None]
"""Told after each document: how many of how many are done, and the accession of the last."""


def process(
    services: Services,
    tickers: Sequence[Ticker],
    *,
    run_id: str,
    accessions: Sequence[Accession] = (),
    force: bool = False,
    budget: Budget | None = None,
    backend: Backend | None = None,
    progress: Progress | None = None,
) -> Processed:
    """Read what is not read yet of the companies behind ``tickers``.

    Args:
        services: The open rooms.
        tickers: Whose documents.
        run_id: Who writes.
        accessions: Only these filings.
        force: Read again also what this version has read.
        budget: What one document may cost.
        backend: Who cuts documents into blocks; by default as the settings say.
        progress: Told after each document.

    Returns:
        What came of it; documents that failed are in it, not raised.

    Raises:
        SelectionError: without tickers.
        LakeError: when rows cannot be stored; what was committed before stays.
    """
    if not tickers:
        raise SelectionError(f"{DOCUMENTS} needs at least one ticker.")
    return _Processing(services, tickers, run_id, budget or Budget(), backend or backend_of(services, run_id)).run(
        accessions, progress, force=force
    )


def waiting_documents(
    services: Services,
    tickers: Sequence[Ticker],
    backend: Backend,
    *,
    accessions: Sequence[Accession] = (),
    force: bool = False,
) -> tuple[dict[str, Ticker], list[StoredDocument], int]:
    """Whose ticker each CIK is, the documents to read, and how many there are altogether."""
    owners = {str(cik): ticker for ticker, cik in reversed(list(services.ciks(tickers).items()))}
    values: dict[str, list[str]] = {"cik": list(owners)}
    if accessions:
        values["accession"] = [str(accession) for accession in accessions]
    rows = services.tables.read(_STORED, Where(values=values)).to_pylist() if owners else []
    done = services.tables.read(
        DOCUMENTS,
        Where(values=values),
        columns=["accession", "filename", "sha256", "parser_version", "backend", "error_name"],
    ).to_pylist()
    known = {
        (row["accession"], row["filename"], row["sha256"])
        for row in done
        if row["parser_version"] == parser_version()
        and row["backend"] == backend.name
        and row["error_name"] not in backend.passing
    }
    documents = [
        StoredDocument(
            accession=row["accession"], filename=row["filename"], cik=row["cik"], form=row["form"],
            document_type=row["document_type"], sha256=row["sha256"], bytes=row["bytes"], fetched_at=row["fetched_at"],
            run_id="", source=row["source"], organization_id=row["organization_id"],
        )
        for row in rows
    ]  # fmt: skip
    waiting = {
        document.accession
        for document in documents
        if force or (document.accession, document.filename, document.sha256) not in known
    }
    # A filing is replaced as a whole, so all its documents are read again with the one that is new.
    return owners, [document for document in documents if document.accession in waiting], len(documents)


class _Processing:
    """The state of one call of :func:`process`."""

    def __init__(
        self, services: Services, tickers: Sequence[Ticker], run_id: str, budget: Budget, backend: Backend
    ) -> None:
        self.services, self.tickers, self.run_id = services, tickers, run_id
        self.budget, self.backend = budget, backend
        self.result = Processed()
        self.batch: list[_Read] = []
        self.batch_rows = 0

    def run(self, accessions: Sequence[Accession], progress: Progress | None, *, force: bool) -> Processed:
        began = time.monotonic()
        self.owners, waiting, self.result.stored = waiting_documents(
            self.services, self.tickers, self.backend, accessions=accessions, force=force
        )
        self.result.current = self.result.stored - len(waiting)
        done = 0
        for filing in self._read_all(waiting):
            for stored, rows in filing:
                self._take(stored, rows)
            done += len(filing)
            if len(self.batch) >= _FLUSH_DOCUMENTS or self.batch_rows >= _FLUSH_ROWS:
                self._flush()
            for watcher in watchers():
                watcher.progress(DOCUMENTS, done, len(waiting), filing[0][0].accession)
            if progress is not None:
                progress(done, len(waiting), filing[0][0].accession)
        self._flush()
        self.result.seconds = time.monotonic() - began
        return self.result

    def _read_all(self, waiting: Sequence[StoredDocument]) -> Iterator[list[_Read]]:
        """The documents of each filing with their rows, filing by filing as they come."""
        filings: dict[str, list[StoredDocument]] = defaultdict(list)
        for stored in waiting:
            filings[stored.accession].append(replace(stored, run_id=self.run_id))
        if not filings:
            return
        units = list(filings.values())
        count = min(self.services.settings.document_workers, len(units))
        owned = [DocumentWorker(self.budget) for _ in range(count)]
        workers: SimpleQueue[DocumentWorker] = SimpleQueue()
        for worker in owned:
            workers.put(worker)

        def read(filing: list[StoredDocument]) -> list[_Read]:
            worker = workers.get()
            try:
                return self._read_filing(worker, filing)
            finally:
                workers.put(worker)

        try:
            with ThreadPoolExecutor(count, thread_name_prefix="documents") as pool:
                running: set[Future[list[_Read]]] = set()
                for unit in units:
                    running.add(pool.submit(read, unit))
                    # Bounded, so that the rows of a thousand filings never wait in memory together.
                    if len(running) >= 3 * count:
                        done, running = wait(running, return_when=FIRST_COMPLETED)
                        yield from (future.result() for future in done)
                yield from (future.result() for future in as_completed(running))
        finally:
            for worker in owned:
                worker.close()

    def _read_filing(self, worker: DocumentWorker, filing: Sequence[StoredDocument]) -> list[_Read]:
        """The documents of one filing; those with inline XBRL are one set, whose facts are read together."""
        found: list[_Read] = []
        opened: list[tuple[StoredDocument, bytes]] = []
        for stored in filing:
            try:
                data = self.services.archive.open(RawRef(Sha256(stored.sha256), stored.bytes)).read()
            except CorruptBlob as error:
                found.append((stored, refused(stored, Outcome(self.backend.name, "DOCUMENT_CORRUPT", str(error)))))
            else:
                opened.append((stored, data))
        inline = [data for _, data in opened if _INLINE in data] if len(opened) > 1 else []
        for stored, data in opened:
            beside = [other for other in inline if other is not data] if _INLINE in data else []
            found.append((stored, self.backend.read(worker, data, stored, beside)))
        return found

    def _take(self, stored: StoredDocument, rows: dict[str, pa.Table]) -> None:
        row = rows[DOCUMENTS].to_pylist()[0]
        for name in ("block", "table", "cell", "fact", "section", "chunk"):
            self.result.found[f"{name}s"] += row[f"{name}_count"]
        self.result.credits += row["credits"] or 0
        if row["error_name"] is None:
            self.result.read += 1
        else:
            self.result.refused.append((stored, row["error_name"], row["reason"]))
            if row["error_name"] in self.backend.passing:
                self.result.failures.append(
                    Failure(stored.accession, str(self.owners[stored.cik]), row["error_name"], row["reason"], True)
                )
        self.batch.append((stored, rows))
        self.batch_rows += sum(table.num_rows for table in rows.values())

    def _flush(self) -> None:
        """Write the parts, then the list of documents, then completeness: a crash in between costs work, never rows."""
        if not self.batch:
            return
        filings = Slice(values={"accession": sorted({stored.accession for stored, _ in self.batch})})
        for name in (*PARTS, DOCUMENTS):
            rows = pa.concat_tables([rows[name] for _, rows in self.batch])
            commit = self.services.tables.write(name, rows, covers=filings)
            total = self.result.tables.setdefault(name, TableTotals())
            total.rows += rows.num_rows
            total.commits += not commit.unchanged
            total.bytes += commit.bytes
            total.version = commit.version
            if total.sample is None and rows.num_rows:
                total.sample = rows.slice(0, 400)
        self._record()
        self.batch, self.batch_rows = [], 0

    def _record(self) -> None:
        rows: Mapping[tuple[str, str], list[dict[str, object]]] = defaultdict(list)
        for stored, found in self.batch:
            rows[self.owners[stored.cik], stored.accession] += found[DOCUMENTS].to_pylist()
        now = self.services.now()
        states = [
            State(DOCUMENTS, partition, accession, *_judged(documents)).stamped(
                checked_at=now, run_id=self.run_id, source=self.backend.name
            )
            for (partition, accession), documents in rows.items()
        ]
        self.services.ledger.completeness.record(states)
        self.result.states += states


def _judged(documents: Sequence[Mapping[str, object]]) -> tuple[Status, int, None, None, str | None]:
    """Status, rows and reason of a filing; one refused document makes it failed, its row says whether for good."""
    bad = [row for row in documents if row["error_name"]]
    reason = f"{bad[0]['error_name']}: {bad[0]['reason']}" if bad else None
    return Status.FAILED if bad else Status.COMPLETE, len(documents), None, None, reason
