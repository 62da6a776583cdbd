"""What is known about a folder of recordings: its files, the filings among them, the submissions rows.

What does not belong here: how it is found out (``corpus_files``) and how it is served (``corpus``).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from salescience_pipeline.sandbox.corpus_sgml import SgmlParty


class BadCorpus(ValueError):
    """A folder that is not a corpus; the message says what is missing."""


@dataclass
class RecordedFile:
    """One recorded file: what it is, where it is served, or why it is not."""

    path: str
    kind: str
    cik: int | None = None
    accession: str | None = None
    form: str | None = None
    url: str | None = None
    """Path below the sandbox's EDGAR prefix at which the file's own bytes are served."""
    main_url: str | None = None
    """For a complete submission: where the client's usual way leads, the main document inside it."""
    left_out: str | None = None
    synthetic_accession: bool = False
    sha256: str | None = None

    def report(self) -> dict[str, Any]:
        """The row as JSON types."""
        return {
            "path": self.path,
            "kind": self.kind,
            "cik": self.cik,
            "accession": self.accession,
            "form": self.form,
            "url": self.url,
            "main_url": self.main_url or self.url,
            "sha256": self.sha256,
            "synthetic_accession": self.synthetic_accession,
            "left_out": self.left_out,
        }


@dataclass
class RecordedFiling:
    """One filing of which something is recorded."""

    accession: str
    form: str
    filed: dt.date
    period: dt.date | None
    accepted: dt.datetime
    parties: tuple[SgmlParty, ...]
    primary: str
    """Name of the main document; the accession with ``.txt`` when only the complete text exists."""
    documents: dict[str, Path] = field(default_factory=dict)
    """Recorded documents by name."""
    exhibits: dict[str, str] = field(default_factory=dict)
    """Type of each of them that is known to be an exhibit (``EX-99.1``)."""
    whole: Path | None = None
    """The recorded complete submission."""
    inside: frozenset[str] = frozenset()
    """Names of the documents inside it."""
    xbrl: bool = False
    synthetic: bool = False
    """Whether the accession number is made up."""

    @property
    def folder(self) -> str:
        """The accession without dashes."""
        return self.accession.replace("-", "")

    def with_exhibits(self) -> list[tuple[str, str, bytes]]:
        """Type, name and bytes of the main document and of its exhibits; nothing where no exhibit is recorded."""
        names = [self.primary.rpartition("/")[2], *sorted(self.exhibits)]
        if len(names) == 1 or any(name not in self.documents for name in names):
            return []
        return [(self.exhibits.get(name, self.form), name, self.documents[name].read_bytes()) for name in names]


@dataclass
class Corpus:
    """A folder of recordings, read once."""

    root: Path
    files: list[RecordedFile] = field(default_factory=list)
    filings: dict[str, RecordedFiling] = field(default_factory=dict)
    submissions: dict[str, Path] = field(default_factory=dict)
    """File name of a submissions answer or page -> file; later snapshots under ``....later.json``."""
    facts: dict[int, Path] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    rows: dict[int, dict[str, dict[str, Any]]] = field(default_factory=dict)
    """Recorded submissions rows: CIK -> accession -> row."""

    def reachable(self) -> set[int]:
        """CIKs under which something recorded is found."""
        ciks = {file.cik for file in self.files if file.left_out is None and file.cik is not None}
        return ciks | set(self.facts)

    def of(self, cik: int) -> list[RecordedFiling]:
        """The recorded filings of a party, newest first."""
        rows = [f for f in self.filings.values() if any(party.cik == cik for party in f.parties)]
        return sorted(rows, key=lambda filing: (filing.filed, filing.accession), reverse=True)
