"""EDGAR's bodies from a folder of recordings: the :class:`~salescience_pipeline.sandbox.edgar.Source` of the corpus.

What is recorded is served byte for byte under EDGAR's own addresses. What is made here to lead to it says so in the
header ``X-Sandbox-Synthetic``: submissions of companies that have none recorded, rows added to the ticker lists, folder
listings, complete submissions around recorded documents. What does not belong here: which file is what
(``corpus_files``), HTTP (``edgar``).
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from salescience_pipeline.sandbox.answers import Prepared, dumps
from salescience_pipeline.sandbox.app import Sandbox
from salescience_pipeline.sandbox.corpus_files import read_corpus, summary
from salescience_pipeline.sandbox.corpus_model import Corpus, RecordedFiling
from salescience_pipeline.sandbox.corpus_sgml import SgmlParty, envelope, read_documents
from salescience_pipeline.sandbox.edgar import content_type, data, www
from salescience_pipeline.sandbox.edgar_data import COLUMNS
from salescience_pipeline.sandbox.edgar_lists import Search

SYNTHETIC = "X-Sandbox-Synthetic"
"""Header of every answer that is not, or not only, what EDGAR once said; its value names what was made."""

_ERRORS = {
    "undeclared": "403_undeclared_automated_tool.html",
    "threshold": "403_rate_exceeded.html",
    "no_such_key": "404_submissions.xml",
    "access_denied": "403_fullindex_future.xml",
    "unavailable": "503_getcurrent.html",
}
_INDEXES: dict[tuple[bool, int, int, str], str] = {
    (True, 2020, 1, "form.20200318.idx"): "form.20200318.idx",
    (True, 2018, 4, "master.20181231.idx"): "master.20181231.idx",
    (True, 2018, 4, ""): "daily_index_2018_QTR4.htm",
    (False, 2021, 1, "form.idx"): "badform.idx.txt",
    (False, 2025, 1, "form.idx"): "empty-form.idx",
}
"""Address of an index (daily, year, quarter, name) -> its file; the full ones are cuttings, one broken, one empty."""


def _body(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


class CorpusSource:
    """EDGAR's answers from one folder."""

    def __init__(self, corpus: Corpus) -> None:
        self.corpus = corpus
        self.later = False
        """Whether the later snapshots of submissions are served in place of the first ones."""
        folder = corpus.root / "corpus"
        self._folder = folder
        found = {name: _body(folder / "errors" / file) for name, file in _ERRORS.items()}
        self.errors: Mapping[str, bytes] = {name: body for name, body in found.items() if body is not None}
        self._tickers = _ticker_lists(folder / "tickers")
        self.tickers_by_cik = _first_tickers(self._tickers)
        self.universe = self._universe()

    def _universe(self) -> list[dict[str, Any]]:
        """Every company of which something is recorded, each with a ticker, its own or one made of its number."""
        names = self._names()
        return [
            {"ticker": self.ticker(cik), "cik": cik, "name": names.get(cik, f"CIK {cik}")}
            for cik in sorted(self.corpus.reachable())
        ]

    def _names(self) -> dict[int, str]:
        names: dict[int, str] = {}
        for filing in sorted(self.corpus.filings.values(), key=lambda filing: filing.filed):
            names |= {party.cik: party.name for party in filing.parties if party.name}
        facts = {cik: str(json.loads(path.read_bytes())["entityName"]) for cik, path in self.corpus.facts.items()}
        return names | facts | self.corpus.names

    def ticker(self, cik: int) -> str:
        """The company's ticker in our canonical spelling; ``CIK1234567`` when it has none."""
        ticker = self.tickers_by_cik.get(cik)
        if ticker is None:
            return f"CIK{cik}"
        return re.sub(r"^([A-Z0-9]+)-([A-Z])$", r"\1.\2", ticker)

    # -- lists ----------------------------------------------------------------------------------------------------------

    def tickers(self, name: str) -> Prepared | None:
        """A recorded ticker list, with a row for every company that it lacks."""
        if name == "ticker.txt":
            rows = {entry["cik"]: self.tickers_by_cik.get(entry["cik"], entry["ticker"]) for entry in self.universe}
            text = "".join(f"{ticker.lower()}\t{cik}\n" for cik, ticker in sorted(rows.items()))
            return www(text.encode(), "text/plain", None, extra={SYNTHETIC: "list"})
        recorded = self._tickers.get(name)
        if recorded is None:
            return None
        body, ciks, count = recorded
        missing = [entry for entry in self.universe if entry["cik"] not in ciks]
        if name.endswith("_exchange.json"):
            added = [dumps([e["cik"], e["name"], self._listed(e), None]) for e in missing]
            end = body.rindex(b"]}")
        else:
            added = [
                dumps(str(count + n))
                + b":"
                + dumps({"cik_str": e["cik"], "ticker": self._listed(e), "title": e["name"]})
                for n, e in enumerate(missing)
            ]
            end = body.rindex(b"}")
        if added:
            comma = b"," if count else b""
            body = body[:end] + comma + b",".join(added) + body[end:]
        return www(body, "application/json", None, extra={SYNTHETIC: f"rows={len(added)}"})

    def _listed(self, entry: dict[str, Any]) -> str:
        return self.tickers_by_cik.get(entry["cik"], str(entry["ticker"]))

    def index(self, year: int, quarter: int, name: str, *, daily: bool) -> Prepared | None:
        """A recorded index."""
        file = _INDEXES.get((daily, year, quarter, name))
        body = _body(self._folder / "index" / file) if file else None
        if file is None or body is None:
            return None
        kind = "text/html" if file.endswith(".htm") else "text/plain"
        day = dt.datetime(year, 3 * quarter, 28, 3, tzinfo=dt.UTC)
        return www(body, kind, day, etag=kind == "text/plain")

    def feed(self, form: str, owner: str, start: int, count: int, now: dt.datetime) -> Prepared | None:
        """A recorded page of the feed: a hundred entries, all owners, of all forms or of form 4."""
        del now
        if count != 100 or owner != "include" or form not in {"", "4"}:
            return None
        name = f"start{start}{f'_type{form}' if form else ''}.atom"
        body = _body(self._folder / "current_atom" / name)
        return www(body, "application/atom+xml", None, extra={"Cache-Control": "no-cache"}) if body else None

    def search(self, wanted: Search) -> Prepared | None:
        """The recorded search with a hit if its words are asked for, else the one without."""
        for name in ("1_hit.json", "0_hits.json"):
            body = _body(self._folder / "efts" / name)
            if body is None:
                continue
            phrases = re.findall(r'"doc_text":\s*"([^"]+)"', body.decode("utf-8"))
            if name == "0_hits.json" or set(phrases) <= set(wanted.words):
                return www(body, "application/json", None)
        return None

    # -- data.sec.gov ---------------------------------------------------------------------------------------------------

    def submissions(self, cik: int) -> Prepared | None:
        """The recorded answer, or one made from the recorded filings of a company that has none."""
        name = f"CIK{cik:010d}.json"
        path = self.corpus.submissions.get(name.replace(".json", ".later.json")) if self.later else None
        path = path or self.corpus.submissions.get(name)
        if path is not None:
            return data(path.read_bytes(), shared=True)
        filings = self.corpus.of(cik)
        if not filings and cik not in self.corpus.facts:
            return None
        answer = self._submissions(cik, filings)
        made = "submissions, accession" if any(filing.synthetic for filing in filings) else "submissions"
        return data(dumps(answer), shared=True, extra={SYNTHETIC: made})

    def _submissions(self, cik: int, filings: list[RecordedFiling]) -> dict[str, Any]:
        parties = [party for filing in filings for party in filing.parties if party.cik == cik]
        best = max(parties, key=lambda party: (bool(party.sic), bool(party.state)), default=SgmlParty("FILER", cik, ""))
        ticker = self.tickers_by_cik.get(cik)
        owner = bool(parties) and all(party.role == "REPORTING-OWNER" for party in parties)
        columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
        for filing in filings:
            for name, value in zip(COLUMNS, self._row(filing), strict=True):
                columns[name].append(value)
        return {
            "cik": f"{cik:010d}",
            "entityType": "other" if owner else "operating",
            "sic": best.sic,
            "sicDescription": "",
            "ownerOrg": None,
            "insiderTransactionForOwnerExists": int(owner),
            "insiderTransactionForIssuerExists": int(any(party.role == "ISSUER" for party in parties)),
            "name": next((entry["name"] for entry in self.universe if entry["cik"] == cik), best.name),
            "tickers": [ticker] if ticker else [],
            "exchanges": [None] if ticker else [],
            "ein": None,
            "lei": None,
            "description": "",
            "website": "",
            "investorWebsite": "",
            "category": "",
            "fiscalYearEnd": best.year_end or None,
            "stateOfIncorporation": best.state,
            "stateOfIncorporationDescription": best.state,
            "addresses": {"mailing": {}, "business": {}},
            "phone": "",
            "flags": "",
            "formerNames": [],
            "filings": {"recent": columns, "files": []},
        }

    def _row(self, filing: RecordedFiling) -> tuple[Any, ...]:
        main = filing.whole or filing.documents.get(filing.primary)
        return (
            filing.accession,
            filing.filed.isoformat(),
            filing.period.isoformat() if filing.period else "",
            f"{filing.accepted:%Y-%m-%dT%H:%M:%S}.000Z",
            "",
            filing.form,
            "",
            "",
            "",
            "XBRL" if filing.xbrl else filing.form,
            main.stat().st_size if main else 0,
            int(filing.xbrl),
            int(filing.xbrl),
            filing.primary,
            filing.form,
        )

    def submissions_page(self, cik: int, number: int) -> Prepared | None:
        """A recorded older page; the ones that were not recorded do not exist here."""
        path = self.corpus.submissions.get(f"CIK{cik:010d}-submissions-{number:03d}.json")
        return data(path.read_bytes(), shared=True) if path is not None else None

    def company_facts(self, cik: int) -> Prepared | None:
        """Recorded company facts."""
        path = self.corpus.facts.get(cik)
        return data(path.read_bytes()) if path is not None else None

    def company_concept(self, cik: int, taxonomy: str, tag: str) -> Prepared | None:
        """One concept out of the recorded company facts, in the documented shape."""
        path = self.corpus.facts.get(cik)
        if path is None:
            return None
        facts = json.loads(path.read_bytes())
        concept = facts["facts"].get(taxonomy, {}).get(tag)
        if concept is None:
            return None
        body = {"cik": cik, "taxonomy": taxonomy, "tag": tag, "label": concept["label"]}
        body |= {"description": concept["description"], "entityName": facts["entityName"], "units": concept["units"]}
        return data(dumps(body), extra={SYNTHETIC: "concept"})

    def frame(self, taxonomy: str, tag: str, unit: str, period: str) -> Prepared | None:
        """Frames are not recorded."""
        del taxonomy, tag, unit, period
        return None

    # -- filings --------------------------------------------------------------------------------------------------------

    def _filing(self, cik: int, accession: str) -> RecordedFiling | None:
        filing = self.corpus.filings.get(accession)
        if filing is None:
            return None
        known = any(party.cik == cik for party in filing.parties)
        return filing if known or accession in self.corpus.rows.get(cik, {}) else None

    def folder(self, cik: int, accession: str) -> Prepared | None:
        """A recorded listing of a folder, or one of what is recorded of a filing."""
        recorded = _body(self._folder / "filing_index" / f"{accession}-index.json")
        if recorded is not None:
            return www(recorded, "application/json", None)
        filing = self._filing(cik, accession)
        if filing is None:
            return None
        names = [f"{accession}.txt"] if filing.whole is not None else []
        names += sorted(filing.inside | set(filing.documents))
        stamp = f"{filing.accepted:%Y-%m-%d %H:%M:%S}"
        items = [{"last-modified": stamp, "name": name, "type": "text.gif", "size": ""} for name in names]
        base = f"/Archives/edgar/data/{cik}"
        listing = {"directory": {"item": items, "name": f"{base}/{filing.folder}", "parent-dir": base}}
        return www(dumps(listing), "application/json", None, extra={SYNTHETIC: "listing"})

    def index_page(self, cik: int, accession: str) -> Prepared | None:
        """A recorded index page."""
        del cik
        body = _body(self._folder / "filing_index" / f"{accession}-index.html")
        return www(body, "text/html", None) if body is not None else None

    def index_headers(self, cik: int, accession: str) -> Prepared | None:
        """A recorded page of headers; its file is named after the company, so its content is asked."""
        del cik
        for path in sorted((self._folder / "filing_index").glob("*index-headers.html")):
            body = path.read_bytes()
            if accession.encode() in body[:300]:
                return www(body, "text/html", None)
        return None

    def submission(self, cik: int, accession: str) -> Prepared | None:
        """A recorded complete submission, or one made around a recorded main document and its exhibits."""
        filing = self._filing(cik, accession)
        if filing is None:
            return None
        if filing.whole is None:
            made = envelope(filing.accession, filing.form, filing.filed, filing.with_exhibits())
            extra = {SYNTHETIC: "submission"}
            return www(made, "text/plain", filing.accepted, etag=True, extra=extra) if made is not None else None
        return www(filing.whole.read_bytes(), "text/plain", filing.accepted, etag=True)

    def document(self, cik: int, accession: str, path: str) -> Prepared | None:
        """A recorded document, also out of a complete submission."""
        filing = self._filing(cik, accession)
        if filing is None:
            return None
        if path in filing.documents:
            return www(filing.documents[path].read_bytes(), content_type(path), filing.accepted)
        if filing.whole is not None and path == f"{accession}{filing.whole.suffix}":
            return www(filing.whole.read_bytes(), "text/plain", filing.accepted, etag=True)
        if filing.whole is not None and path in filing.inside:
            for document in read_documents(filing.whole.read_bytes()):
                if document.filename == path:
                    return www(document.content, content_type(path), filing.accepted)
        return None

    def truth(self, what: str, accession: str) -> dict[str, Any] | None:
        """Nothing is known about recorded filings beyond themselves."""
        del what, accession
        return None


_Lists = dict[str, tuple[bytes, set[int], int]]


def _ticker_lists(folder: Path) -> _Lists:
    """Name of a recorded list -> (its bytes, the CIKs in it, its rows)."""
    lists: _Lists = {}
    for name in ("company_tickers.json", "company_tickers_exchange.json"):
        body = _body(folder / name)
        if body is None:
            empty = b'{"fields":["cik","name","ticker","exchange"],"data":[]}'
            body = empty if name.endswith("_exchange.json") else b"{}"
        rows = _pairs(name, body)
        lists[name] = (body, {cik for cik, _ in rows}, len(rows))
    return lists


def _pairs(name: str, body: bytes) -> list[tuple[int, str]]:
    value = json.loads(body)
    if name.endswith("_exchange.json"):
        return [(int(row[0]), str(row[2])) for row in value["data"]]
    return [(int(row["cik_str"]), str(row["ticker"])) for row in value.values()]


def _first_tickers(lists: _Lists) -> dict[int, str]:
    """CIK -> its first ticker, of the newer list before the older one."""
    tickers: dict[int, str] = {}
    for name in ("company_tickers_exchange.json", "company_tickers.json"):
        for cik, ticker in _pairs(name, lists[name][0]):
            tickers.setdefault(cik, ticker)
    return tickers


def open_corpus(sandbox: Sandbox) -> tuple[CorpusSource, list[Route]]:
    """The source over the sandbox's folder and the switches for it.

    The sandbox is told who exists. Switches: ``GET /_sandbox/corpus/manifest`` (one row per recorded file),
    ``GET`` and ``POST /_sandbox/corpus`` (``{"later": true}`` serves the later snapshots).

    Raises:
        ValueError: when the sandbox has no folder, or the folder is no corpus.
    """
    if sandbox.corpus is None:
        raise ValueError("The corpus world needs a folder of recordings.")
    source = CorpusSource(read_corpus(sandbox.corpus))
    sandbox.universe = source.universe
    sandbox.watchlist = [entry["ticker"] for entry in source.universe]

    async def manifest(_: Request) -> Response:
        files = source.corpus.files
        body = {"files": [file.report() | {"ticker": _ticker(file.cik)} for file in files], "summary": summary(files)}
        return Response(dumps(body), media_type="application/json")

    def _ticker(cik: int | None) -> str | None:
        return source.ticker(cik) if cik is not None else None

    async def switch(request: Request) -> Response:
        if request.method == "POST":
            try:
                wanted = json.loads(await request.body() or b"{}")
            except ValueError:
                wanted = None
            if not isinstance(wanted, dict) or not isinstance(wanted.get("later"), bool):
                return Response(dumps({"error": 'Send {"later": true} or {"later": false}.'}), 400,
                                media_type="application/json")  # fmt: skip
            source.later = wanted["later"]
        return Response(dumps({"later": source.later}), media_type="application/json")

    return source, [
        Route("/_sandbox/corpus/manifest", manifest, name="corpus_manifest"),
        Route("/_sandbox/corpus", switch, methods=["GET", "POST"], name="corpus"),
    ]
