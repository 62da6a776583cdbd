"""SEC EDGAR's recipes: which requests each dataset needs.

What does not belong here: addresses and the meaning of answers (``edgar_api``), sending (``transport``), rows
(``tidy.filings`` and its neighbours).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from salescience_pipeline.catalog.datasets import DATASETS, DEFAULT_FORMS, OWNERSHIP_FORMS
from salescience_pipeline.catalog.exhibits import DEFAULT_EXHIBITS, MAX_SUBMISSION_BYTES, may_have_exhibits, numbers_for
from salescience_pipeline.clients.edgar_api import (
    DIALECT,
    base_form,
    company_facts,
    company_tickers,
    daily_index,
    document,
    full_submission,
    is_business_day,
    submissions,
)
from salescience_pipeline.clients.errors import Contract, NotArchived, ProviderError, TooLarge
from salescience_pipeline.clients.model import Answer, AnswerClass, PlannedRequest, Subject
from salescience_pipeline.clients.plan import FilingRef, Known, Recipe, Refusal, RequestPlan, Selection
from salescience_pipeline.clients.planning import OneWave, has_data, is_fresh, is_settled, json_of, years_before
from salescience_pipeline.identifiers import Cik, FileName, InvalidIdentifier, Ticker, parse_date

__all__ = ["COMPANY_FACTS", "COMPANY_TICKERS", "DAILY_INDEX", "DIALECT", "DOCUMENTS", "OWNERSHIP", "SUBMISSIONS"]

_PAGE_NAME = re.compile(r"CIK[0-9]{10}-submissions-[0-9]{3}\.json", re.ASCII)
_PAGE_SLACK = dt.timedelta(days=2)
"""``filingFrom`` and ``filingTo`` of an older page are off by a day or two (measured)."""
_NAMED_DOCUMENTS_SINCE = dt.date(2001, 7, 1)
"""Before, filings were one text file, and the submissions page names no main document."""
_EXHIBITS = "exhibits"
"""The detail of a subject that names the numbers of the exhibits that its filing is asked for."""


@dataclass(frozen=True, slots=True)
class CompanyTickers(OneWave):
    """One list for the whole market, asked for with its validators."""

    def plan(self, selection: Selection, known: Known) -> RequestPlan:
        """One request, or none while the list is fresh."""
        fresh = is_fresh("*", DATASETS[selection.dataset].refresh_after, selection, known)
        requests = () if fresh else (company_tickers(),)
        return RequestPlan(
            selection.dataset,
            "sec",
            requests,
            minimum=len(requests),
            why="The list is current." if fresh else "One list names every ticker.",
            fresh=("*",) if fresh else (),
        )


@dataclass(frozen=True, slots=True)
class _Company:
    """The tickers of a selection that belong to one company."""

    cik: Cik
    tickers: tuple[Ticker, ...]

    def subject(self) -> Subject:
        """One subject for all of them: its key is the first, ``also`` names the others."""
        first, *others = self.tickers
        return Subject(first, ticker=first, cik=self.cik, details={"also": " ".join(others)} if others else {})


def _companies(selection: Selection, known: Known) -> tuple[list[_Company], list[Refusal]]:
    by_cik: dict[Cik, list[Ticker]] = {}
    refused = []
    for ticker in dict.fromkeys(selection.tickers):
        cik = known.ciks.get(ticker)
        if cik is None:
            refused.append(Refusal(ticker, "not_found", f"{ticker} is not in SEC's list of tickers."))
        else:
            by_cik.setdefault(cik, []).append(ticker)
    return [_Company(cik, tuple(tickers)) for cik, tickers in by_cik.items()], refused


@dataclass(frozen=True, slots=True)
class Submissions(OneWave):
    """One page per company, and the older pages that the look-back needs."""

    def plan(self, selection: Selection, known: Known) -> RequestPlan:
        """One request per company that is not fresh, whatever number of tickers it has."""
        cutoff = years_before(known.today, selection.n_years)
        companies, refused = _companies(selection, known)
        max_age = DATASETS[selection.dataset].refresh_after
        requests: list[PlannedRequest] = []
        fresh: list[str] = []
        for company in companies:
            if all(is_fresh(ticker, max_age, selection, known, reach=cutoff) for ticker in company.tickers):
                fresh.extend(company.tickers)
            else:
                requests.append(submissions(company.cik, company.subject(), cutoff, known.today))
        return RequestPlan(
            selection.dataset,
            "sec",
            tuple(requests),
            minimum=len(requests),
            why="One page per company; older pages follow where the look-back reaches behind it.",
            fresh=tuple(fresh),
            refused=tuple(refused),
        )

    def follow_ups(self, answer: Answer, selection: Selection, known: Known) -> tuple[PlannedRequest, ...]:
        """The older pages that may hold filings since the cutoff, if the newest page does not reach back to it."""
        request = answer.request
        if request.endpoint != "submissions" or not has_data(answer):
            return ()
        cutoff = years_before(known.today, selection.n_years)
        filings = json_of(answer).get("filings") or {}
        dates = (filings.get("recent") or {}).get("filingDate") or []
        if dates and min(dates) < cutoff.isoformat():
            return ()
        return tuple(_older_pages(filings.get("files") or [], request, cutoff))


def _older_pages(files: list[dict[str, object]], request: PlannedRequest, cutoff: dt.date) -> Iterator[PlannedRequest]:
    for page in files:
        name = str(page.get("name", ""))
        try:
            ends = parse_date(str(page.get("filingTo", "")))
        except InvalidIdentifier:
            ends = dt.date.max - _PAGE_SLACK
        # The name comes from outside: only a page of this very company is asked for.
        own = _PAGE_NAME.fullmatch(name) and name.startswith(f"CIK{request.subject.cik}-")
        if own and ends + _PAGE_SLACK >= cutoff:
            yield PlannedRequest(
                "sec",
                "submissions_page",
                "data",
                f"/submissions/{name}",
                request.subject,
                first_date=request.first_date,
                last_date=request.last_date,
            )


@dataclass(frozen=True, slots=True)
class DailyIndex(OneWave):
    """One index per business day."""

    def plan(self, selection: Selection, known: Known) -> RequestPlan:
        """One request per business day that is not settled; other days have no index and need none."""
        requests: list[PlannedRequest] = []
        fresh: list[str] = []
        refused: list[Refusal] = []
        for day in sorted(set(selection.dates)):
            if day > known.today:
                refused.append(Refusal(f"*|{day}", "missing", f"The index of {day} is not made before that day ends."))
            elif not is_business_day(day) or (not selection.force and is_settled(f"*|{day}", known)):
                fresh.append(f"*|{day}")
            else:
                requests.append(daily_index(day))
        return RequestPlan(
            selection.dataset,
            "sec",
            tuple(requests),
            minimum=len(requests),
            why="One index per business day names every filing of the day.",
            fresh=tuple(fresh),
            refused=tuple(refused),
        )


@dataclass(frozen=True, slots=True)
class Documents(OneWave):
    """Documents that are filed once and never change: each is fetched once, for ever.

    Where exhibits are wanted of a filing that may have some, its complete submission is fetched in place of its main
    document: one request all the same, where a list of its files and each exhibit by itself would take three and more.
    """

    default_forms: tuple[str, ...]
    xml_only: bool = False
    """Whether only XML can be read (ownership forms before 2003 are text or a page)."""

    def plan(self, selection: Selection, known: Known) -> RequestPlan:
        """One request per filing of the chosen forms and years that is not stored as wanted, also when ``force`` is set."""
        cutoff = years_before(known.today, selection.n_years)
        requests: dict[tuple[str, str], PlannedRequest] = {}
        fresh: list[str] = []
        refused: list[Refusal] = []
        for ref in self._chosen(selection, known, cutoff):
            name = self._filename(ref)
            if isinstance(name, Refusal):
                refused.append(name)
                continue
            exhibits = self._exhibits(ref, name, selection)
            if _is_stored(ref, name, known, with_exhibits=bool(exhibits)):
                fresh.append(ref.accession)
            else:
                # A filing with several filers is one document: the first filer's address serves all.
                requests.setdefault((ref.accession, name), self._request(ref, name, exhibits))
        return RequestPlan(
            selection.dataset,
            "sec",
            tuple(requests.values()),
            minimum=len(requests),
            why="One request per document that is not stored, or per filing where its exhibits are wanted too; what was filed "
            "never changes.",
            fresh=tuple(dict.fromkeys(fresh)),
            refused=tuple(refused),
        )

    def follow_ups(self, answer: Answer, selection: Selection, known: Known) -> tuple[PlannedRequest, ...]:  # noqa: ARG002
        """The main document by itself where there is no complete submission, as in a folder of recordings."""
        missing = answer.answer_class is AnswerClass.NOT_FOUND
        return (_alone(answer.request),) if missing and _brings_exhibits(answer.request) else ()

    def fallbacks(
        self, request: PlannedRequest, error: ProviderError | NotArchived, selection: Selection, known: Known
    ) -> tuple[PlannedRequest, ...]:
        """The main document by itself where the complete submission cannot be taken, or was never fetched (in a replay)."""
        del selection, known
        if not _brings_exhibits(request) or not isinstance(error, TooLarge | Contract | NotArchived):
            return ()
        return (_alone(request, sought=not isinstance(error, NotArchived)),)

    def _chosen(self, selection: Selection, known: Known, cutoff: dt.date) -> Iterator[FilingRef]:
        forms = {base_form(form) for form in selection.forms or self.default_forms}
        wanted = set(selection.tickers)
        ciks = {known.ciks[ticker] for ticker in wanted if ticker in known.ciks}
        for ref in known.filings:
            if (ref.ticker in wanted or ref.cik in ciks) and base_form(ref.form) in forms and ref.filing_date >= cutoff:
                yield ref

    def _filename(self, ref: FilingRef) -> FileName | Refusal:
        name = ref.primary_document
        if name is None and ref.filing_date < _NAMED_DOCUMENTS_SINCE and not self.xml_only:
            return FileName(f"{ref.accession}.txt")
        if name is None:
            reason = f"SEC names no main document for {ref.accession} ({ref.form} of {ref.filing_date})."
            return Refusal(ref.accession, "missing", reason)
        if self.xml_only and not name.lower().endswith(".xml"):
            return Refusal(ref.accession, "not_found", f"{ref.accession} ({ref.form}) was filed without XML.")
        return name

    def _exhibits(self, ref: FilingRef, name: FileName, selection: Selection) -> frozenset[str]:
        """The numbers of the exhibits that the filing is asked for; none where the whole text is the document anyway."""
        if self.xml_only or name == f"{ref.accession}.txt" or (ref.size or 0) > MAX_SUBMISSION_BYTES:
            return frozenset()
        form = base_form(ref.form)
        if not may_have_exhibits(form, ref.items):
            return frozenset()
        return numbers_for(form, DEFAULT_EXHIBITS if selection.exhibits is None else selection.exhibits)

    def _request(self, ref: FilingRef, name: FileName, exhibits: frozenset[str]) -> PlannedRequest:
        details = {
            "form": ref.form,
            "filename": name,
            "document_type": ref.form,
            "filing_date": ref.filing_date.isoformat(),
        }
        if exhibits:
            details[_EXHIBITS] = " ".join(sorted(exhibits))
        subject = Subject(ref.accession, ticker=ref.ticker, cik=ref.cik, accession=ref.accession, details=details)
        if exhibits or name == f"{ref.accession}.txt":
            return full_submission(ref.cik, ref.accession, subject)
        return document(ref.cik, ref.accession, name, subject)


def _is_stored(ref: FilingRef, name: FileName, known: Known, *, with_exhibits: bool) -> bool:
    """Whether a filing needs no request; one that was stored without its exhibits needs one, once."""
    if (ref.accession, name) in known.documents:
        return not with_exhibits or ref.accession in known.with_exhibits
    return is_settled(ref.accession, known)


def _brings_exhibits(request: PlannedRequest) -> bool:
    return request.endpoint == "full_submission" and _EXHIBITS in request.subject.details


def _alone(request: PlannedRequest, *, sought: bool = True) -> PlannedRequest:
    """The request for the main document of a complete submission; ``sought`` says that its exhibits are done with."""
    subject = request.subject
    assert subject.cik is not None
    assert subject.accession is not None
    details = {name: value for name, value in subject.details.items() if sought or name != _EXHIBITS}
    name = FileName(details["filename"])
    return document(subject.cik, subject.accession, name, replace(subject, details=details))


@dataclass(frozen=True, slots=True)
class CompanyFacts(OneWave):
    """One file of figures per company."""

    def plan(self, selection: Selection, known: Known) -> RequestPlan:
        """One request per company that is not fresh."""
        companies, refused = _companies(selection, known)
        max_age = DATASETS[selection.dataset].refresh_after
        requests: list[PlannedRequest] = []
        fresh: list[str] = []
        for company in companies:
            if all(is_fresh(ticker, max_age, selection, known) for ticker in company.tickers):
                fresh.extend(company.tickers)
            else:
                requests.append(company_facts(company.cik, company.subject()))
        return RequestPlan(
            selection.dataset,
            "sec",
            tuple(requests),
            minimum=len(requests),
            why="One file holds every figure of a company.",
            fresh=tuple(fresh),
            refused=tuple(refused),
        )


COMPANY_TICKERS: Recipe = CompanyTickers()
SUBMISSIONS: Recipe = Submissions()
DAILY_INDEX: Recipe = DailyIndex()
DOCUMENTS: Recipe = Documents(DEFAULT_FORMS)
OWNERSHIP: Recipe = Documents(OWNERSHIP_FORMS, xml_only=True)
COMPANY_FACTS: Recipe = CompanyFacts()
