"""What a folder of recordings holds: one row per file, the filings among them, and why a file is left out.

The folder's ``MANIFEST.csv`` says what each file is; what it does not say is read from the file itself. The rules:

* A recorded submissions answer is served byte for byte and never edited. A document is reachable through it when the
  answer has a row for its accession; then the document is served under the name that the row gives.
* A document without an accession number gets one from the recorded submissions of its company when exactly one row has
  its form and date. Otherwise, and when the company has no recorded submissions, it gets a number that cannot exist
  (prefix 9999999990), so that it can be reached; the row says so (``synthetic_accession``).
* A company with recorded files and without recorded submissions gets a submissions answer made from the recorded
  files, marked by a header.
* Left out, with the reason: copies of the same bytes, files whose company is not known, files that are no filings.

What does not belong here: HTTP, and the bodies (``corpus``).
"""

from __future__ import annotations

import csv
import datetime as dt
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from salescience_pipeline.sandbox.corpus_model import BadCorpus, Corpus, RecordedFile, RecordedFiling
from salescience_pipeline.sandbox.corpus_sgml import SgmlHeader, SgmlParty, own_name, read_documents, read_header

FILING_FOLDERS = (
    "corpus/filings/",
    "corpus/full_submission/",
    "corpus/ownership/",
    "groundtruth/sections_html/",
    "groundtruth/html_old/",
    "groundtruth/ownership/",
    "groundtruth/edgar_crawler/raw/",
)
"""Folders whose files are documents or complete submissions."""

LISTED_FOLDERS = (*FILING_FOLDERS, "corpus/", "groundtruth/sec_pairs/", "samples/sec/")
"""Folders whose files are accounted for."""

PLACEHOLDER = "9999999990"
"""Prefix of accession numbers made up for recorded files whose own is not known."""

_ACCESSION = re.compile(r"\d{10}-\d{2}-\d{6}", re.ASCII)


def read_corpus(root: Path) -> Corpus:
    """Read a folder.

    Raises:
        BadCorpus: when it has no ``MANIFEST.csv`` with the columns that say what a file is.
    """
    manifest = root / "MANIFEST.csv"
    if not manifest.is_file():
        raise BadCorpus(f"{root} is not a folder of recordings: it has no MANIFEST.csv.")
    with manifest.open(encoding="utf-8", newline="") as lines:
        table = list(csv.DictReader(lines))
    missing = {"path", "kind", "cik", "form", "accession", "filing_date", "period", "sha256"} - set(
        table[0] if table else ()
    )
    if missing:
        raise BadCorpus(f"The MANIFEST.csv of {root} lacks the columns {', '.join(sorted(missing))}.")
    corpus = Corpus(root)
    listed = [row for row in table if row["path"].startswith(LISTED_FOLDERS) and (root / row["path"]).is_file()]
    for row in listed:
        if row["path"].startswith("corpus/submissions/"):
            _add_submissions(corpus, row)
        elif row["path"].startswith("corpus/companyfacts/"):
            _add_facts(corpus, row)
    seen: dict[str, str] = {}
    for row in sorted(listed, key=lambda row: (not row["path"].startswith("corpus/"), row["path"])):
        _add(corpus, row, seen)
    corpus.files.sort(key=lambda file: file.path)
    return corpus


def _cik(row: dict[str, str]) -> int | None:
    return int(row["cik"]) if row["cik"].isdigit() else None


def _add_submissions(corpus: Corpus, row: dict[str, str]) -> None:
    path = corpus.root / row["path"]
    corpus.submissions[path.name] = path
    answer = json.loads(path.read_bytes())
    page = answer.get("filings", {}).get("recent", answer)
    match = re.match(r"CIK(\d{10})", path.name)
    if match is None:
        return
    cik = int(match[1])
    if "name" in answer:
        corpus.names[cik] = str(answer["name"])
    known = corpus.rows.setdefault(cik, {})
    for number, accession in enumerate(page.get("accessionNumber", ())):
        known.setdefault(accession, {name: values[number] for name, values in page.items()})


def _add_facts(corpus: Corpus, row: dict[str, str]) -> None:
    path = corpus.root / row["path"]
    cik = int(json.loads(path.read_bytes())["cik"])
    corpus.facts[cik] = path


def _add(corpus: Corpus, row: dict[str, str], seen: dict[str, str]) -> None:
    """Account for one file."""
    path = row["path"]
    file = RecordedFile(
        path, _kind(path), _cik(row), row["accession"] or None, row["form"] or None, sha256=row["sha256"]
    )
    corpus.files.append(file)
    if path.startswith("samples/sec/"):
        file.left_out = "a sample of the wire format, not part of the corpus"
    elif row["sha256"] in seen and path.startswith(FILING_FOLDERS):
        file.left_out = f"the same bytes as {seen[row['sha256']]}, which is served"
    elif file.kind == "submission":
        _place_submissions(file)
    elif file.kind == "companyfacts":
        _place_facts(corpus, file)
    elif path.startswith("groundtruth/sec_pairs/"):
        _place_pair(corpus, file, row)
    elif path.startswith(FILING_FOLDERS):
        _place_filing(corpus, file, row)
        if file.left_out is None:
            seen[row["sha256"]] = path
    else:
        file.left_out = "not a filing: an index, a list, a feed or an error that the sandbox serves as such"


def _kind(path: str) -> str:
    for prefix, kind in (
        ("corpus/submissions/", "submission"),
        ("corpus/companyfacts/", "companyfacts"),
        ("corpus/ownership/", "ownership"),
        ("groundtruth/ownership/", "ownership"),
        ("corpus/full_submission/", "full_submission"),
        ("groundtruth/sec_pairs/", "filing_file"),
        ("samples/", "sample"),
    ):
        if path.startswith(prefix):
            return kind
    return "filing" if path.startswith(FILING_FOLDERS) else path.split("/")[1]


def _place_submissions(file: RecordedFile) -> None:
    name = Path(file.path).name
    match = re.match(r"CIK(\d{10})", name)
    file.cik = int(match[1]) if match else file.cik
    file.url = f"/submissions/{name.replace('.later', '')}"
    if ".later" in name:
        file.kind = "later_submission"


def _place_facts(corpus: Corpus, file: RecordedFile) -> None:
    file.cik = next(cik for cik, path in corpus.facts.items() if path == corpus.root / file.path)
    file.url = f"/api/xbrl/companyfacts/CIK{file.cik:010d}.json"


def _place_pair(corpus: Corpus, file: RecordedFile, row: dict[str, str]) -> None:
    """The folder of one filing: its main document and what EDGAR made of it."""
    name = Path(file.path).name
    recorded = corpus.rows.get(file.cik or 0, {}).get(row["accession"])
    if recorded is None:
        file.left_out = "no recorded submissions answer has a row for its accession"
        return
    filing = _filing(corpus, row, recorded, None, corpus.root / file.path)
    filing.documents[name] = corpus.root / file.path
    file.url = f"/Archives/edgar/data/{file.cik}/{filing.folder}/{name}"
    if name == filing.primary:
        file.kind = "filing"
    else:
        file.left_out = "a file beside the main document; the submissions API names main documents only (it is served)"


def _place_filing(corpus: Corpus, file: RecordedFile, row: dict[str, str]) -> None:
    """A document or a complete submission."""
    path = corpus.root / file.path
    data = path.read_bytes()
    header = read_header(data[:60_000]) if path.suffix in {".txt", ".nc"} else None
    if header is not None:
        file.accession = file.accession or header.accession
        file.form = file.form or header.form
        file.cik = file.cik if file.cik is not None else next((party.cik for party in header.parties), None)
    if file.cik is None:
        file.left_out = "neither the recording nor the document names the filer's CIK"
        return
    if "EX-" in (file.form or ""):
        _place_exhibit(corpus, file)
        return
    recorded = _recorded_row(corpus, file, data)
    if recorded is None and file.cik in corpus.rows and file.cik in corpus.names:
        file.left_out = (
            "no row of the recorded submissions of its company has its form and date, so nothing leads to it"
        )
        return
    if file.accession is None:
        file.accession = _made_up(corpus, file, row)
        file.synthetic_accession = True
    filing = _filing(corpus, row | {"accession": file.accession}, recorded, header, path, data)
    filing.synthetic = file.synthetic_accession
    base = f"/Archives/edgar/data/{file.cik}/{filing.folder}"
    if filing.whole == path:
        file.url = f"{base}/{filing.accession}{'.nc' if path.suffix == '.nc' else '.txt'}"
        file.main_url = f"{base}/{filing.primary.rpartition('/')[2]}"
    else:
        name = filing.primary.rpartition("/")[2]
        filing.documents[name] = path
        file.url = f"{base}/{name}"


def _place_exhibit(corpus: Corpus, file: RecordedFile) -> None:
    """An exhibit lies in the folder of the filing of the same company; nothing else tells which one."""
    owners = [f for f in corpus.filings.values() if any(party.cik == file.cik for party in f.parties)]
    if len(owners) != 1:
        file.left_out = "an exhibit, and nothing tells of which filing"
        return
    file.kind = "exhibit"
    filing, name = owners[0], Path(file.path).name
    filing.documents[name] = corpus.root / file.path
    filing.exhibits[name] = (file.form or "").rpartition(" ")[2]
    file.accession, file.synthetic_accession = filing.accession, filing.synthetic
    file.url = f"/Archives/edgar/data/{file.cik}/{filing.folder}/{name}"


def _recorded_row(corpus: Corpus, file: RecordedFile, data: bytes) -> dict[str, Any] | None:
    """The recorded submissions row of a file, found by accession, else by form and date if just one row fits."""
    known = corpus.rows.get(file.cik or 0, {})
    if file.accession is not None:
        return known.get(file.accession) or next(
            (rows[file.accession] for rows in corpus.rows.values() if file.accession in rows), None
        )
    notice = re.search(rb"<(?:\w+:)?noticeDate>(\d\d)/(\d\d)/(\d{4})<", data)
    period = re.search(rb"<periodOfReport>(\d{4}-\d\d-\d\d)<", data)
    column = "filingDate" if notice else "reportDate"
    day = b"-".join((notice[3], notice[1], notice[2])).decode() if notice else period[1].decode() if period else ""
    fits = [row for row in known.values() if day and row["form"] == file.form and row[column] == day]
    if len(fits) != 1:
        return None
    file.accession = str(fits[0]["accessionNumber"])
    return fits[0]


def _made_up(corpus: Corpus, file: RecordedFile, row: dict[str, str]) -> str:
    """A number that cannot exist; it depends on the file's own place, so it stays when files are added."""
    day = _filed(row, None, (corpus.root / file.path).read_bytes())
    serial = int(row["sha256"][:8] or "0", 16) % 1_000_000
    accession = f"{PLACEHOLDER}-{day.year % 100:02d}-{serial:06d}"
    while accession in corpus.filings:
        serial = (serial + 1) % 1_000_000
        accession = f"{PLACEHOLDER}-{day.year % 100:02d}-{serial:06d}"
    return accession


def _date(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return None


def _filed(row: dict[str, str], header: SgmlHeader | None, data: bytes) -> dt.date:
    """The filing date: of the header, of the manifest, of a signature.

    Where only a year is known, the earliest day that can be: its first one, or the end of the period reported on.
    """
    if header is not None and header.filed is not None:
        return header.filed
    signed = re.search(rb"<signatureDate>(\d{4}-\d\d-\d\d)<", data)
    day = _date(row["filing_date"]) or (_date(signed[1].decode()) if signed else None)
    if day is not None:
        return day
    period = _date(row["period"])
    year = row["filing_date"] or _year_of(row["accession"])
    first = dt.date(int(year), 1, 1) if year.isdigit() else None
    known = [known for known in (first, period) if known is not None]
    return max(known) if known else dt.date(1993, 1, 1)


def _year_of(accession: str) -> str:
    if not _ACCESSION.fullmatch(accession or ""):
        return ""
    short = int(accession[11:13])
    return str(1900 + short if short > 80 else 2000 + short)


def _filing(
    corpus: Corpus,
    row: dict[str, str],
    recorded: dict[str, Any] | None,
    header: SgmlHeader | None,
    path: Path,
    data: bytes = b"",
) -> RecordedFiling:
    """The filing that a file belongs to, made when it is the first of it."""
    accession = row["accession"]
    whole = header is not None
    filing = corpus.filings.get(accession)
    if filing is None:
        filed = dt.date.fromisoformat(recorded["filingDate"]) if recorded else _filed(row, header, data)
        accepted = header.accepted if header is not None else None
        filing = corpus.filings[accession] = RecordedFiling(
            accession=accession,
            form=(header.form if header is not None else "") or row["form"],
            filed=filed,
            period=(header.period if header is not None else None) or _date(row["period"]) or _period_of(data),
            accepted=accepted or dt.datetime.combine(filed, dt.time(), tzinfo=dt.UTC),
            parties=_parties(row, header, data),
            primary="",
            xbrl=b"inlineXBRL" in data[:20_000],
        )
    if whole:
        names = [document.filename for document in read_documents(data)]
        filing.whole, filing.inside = path, frozenset(filter(None, names))
        first = names[0] if names else ""
        filing.primary = _recorded_name(recorded) or filing.primary or first or f"{accession}.txt"
    elif not filing.primary or recorded is not None:
        # Without a name of its own, the recording's file name serves: any name is as good, as EDGAR's is not known.
        filing.primary = _recorded_name(recorded) or own_name(data) or path.name
    return filing


def _period_of(data: bytes) -> dt.date | None:
    match = re.search(rb"<periodOfReport>(\d{4}-\d\d-\d\d)<", data)
    return _date(match[1].decode()) if match else None


def _recorded_name(recorded: dict[str, Any] | None) -> str:
    return str(recorded["primaryDocument"]).rpartition("/")[2] if recorded else ""


def _parties(row: dict[str, str], header: SgmlHeader | None, data: bytes) -> tuple[SgmlParty, ...]:
    """Who a filing belongs to: by its header, by the ownership XML, by the manifest."""
    parties = list(header.parties) if header is not None else []
    known = {party.cik for party in parties}
    for tag, role in ((b"issuerCik", "ISSUER"), (b"rptOwnerCik", "REPORTING-OWNER")):
        for match in re.finditer(rb"<" + tag + rb">\s*(\d{1,10})\s*<", data):
            if int(match[1]) not in known:
                known.add(int(match[1]))
                parties.append(SgmlParty(role, int(match[1]), _ownership_name(data, tag)))
    cik = _cik(row)
    if cik is not None and cik not in known:
        parties.append(SgmlParty("FILER", cik, row["company"]))
    return tuple(parties)


def _ownership_name(data: bytes, tag: bytes) -> str:
    name = re.search(rb"<" + tag.replace(b"Cik", b"Name") + rb">([^<]+)<", data)
    return name[1].decode("utf-8", "replace").strip() if name else ""


def summary(files: Iterable[RecordedFile]) -> dict[str, Any]:
    """Counts of a manifest: files, served and left out, by kind and by reason."""
    kinds: dict[str, dict[str, int]] = {}
    reasons: dict[str, int] = {}
    for file in files:
        entry = kinds.setdefault(file.kind, {"files": 0, "served": 0, "left_out": 0})
        entry["files"] += 1
        entry["left_out" if file.left_out else "served"] += 1
        if file.left_out:
            reason = re.sub(r"as \S+, which", "as another, which", file.left_out)
            reasons[reason] = reasons.get(reason, 0) + 1
    return {"kinds": kinds, "reasons": reasons}
