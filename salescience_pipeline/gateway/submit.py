"""POST /submit: from companies to a durable job, answered at once from the lake where everything is fresh.

What does not belong here: which sources a company gets (``planning``), and giving chunks to runs (``ledger.dispatch``).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from salescience_pipeline.gateway.models import CompanyRequest, SubmitJobsRequest, SubmitJobsResponse
from salescience_pipeline.gateway.planning import Company, UnplannableCompany, job_sources, match_name
from salescience_pipeline.gateway.problems import Problem
from salescience_pipeline.gateway.state import Calling, State
from salescience_pipeline.identifiers import Cik, Ticker
from salescience_pipeline.ledger.job_model import Content, Creation, NewJob, Once, PlannedSource
from salescience_pipeline.ledger.job_rules import CHUNK_TICKERS, SourceStatus

if TYPE_CHECKING:
    from salescience_pipeline.acquisition.submissions import Found

T = TypeVar("T")
Lookup = tuple[str, tuple[Ticker, ...], int, str]
"""What may lie in the lake: a provider, tickers, years and a form."""
_SMALL = 5
"""Companies up to which a submission is planned on the loop, in well under a millisecond."""
INTERACTIVE = 10
"""The priority of what a person waits for; schedules have 0, backfills -10."""
router = APIRouter(tags=["jobs"])
IdempotencyHeader = Annotated[
    str | None,
    Header(alias="Idempotency-Key", min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$",
           description="Makes a repeated request the same one, for 24 hours."),
]  # fmt: skip


@router.post("/submit", status_code=202, response_model=SubmitJobsResponse)
async def submit(
    body: SubmitJobsRequest,
    caller: Calling,
    split: Annotated[str | None, Query(pattern="^company$", description="`company`: one job per company.")] = None,
    idempotency_key: IdempotencyHeader = None,
) -> Response:
    """Ask for filings and prices of companies; the answer names the job, which goes on by itself."""
    # What only computes stays on the loop; a thread is for what may wait for the database or the lake.
    quick = caller.principal is not None or caller.state.is_known(body.organization_id)
    principal = await _in(quick, caller.acting, "jobs:write", body.organization_id)
    state, ask = caller.state, (body.n_years, body.form_type)
    small = len(body.companies) <= _SMALL and all(company.ticker for company in body.companies)
    jobs = []
    for asked, sources in await _in(small, planned, state, body, bool(split)):
        known = small and not needs_a_look(state, sources, *ask)
        found = await _in(known, answered, state, sources, *ask)
        job_id = str(uuid.uuid4())
        jobs.append(NewJob(job_id, "submit", "submit", asked, found, caller.request_id, INTERACTIVE, body.user_id))
    answer: Mapping[str, Any] = {"job_ids": [job.job_id for job in jobs]}
    once = None
    if idempotency_key is not None:
        digest = hashlib.sha256(json.dumps([body.model_dump(), split], sort_keys=True).encode()).hexdigest()
        once = Once(idempotency_key, digest, answer)
    creation = Creation(principal.organization_id, jobs, principal.key_id, principal.max_open_jobs, once)
    before = await asyncio.wrap_future(state.creations.create(creation))
    headers = {}
    if before is not None:
        headers["Idempotent-Replayed"] = "true"
        answer = before
    headers["Location"] = f"/status/{answer['job_ids'][0]}?organization_id={principal.organization_id}"
    return JSONResponse(answer, 202, headers)


async def _in(here: bool, function: Callable[..., T], *arguments: object) -> T:
    """Call ``function`` here, or in a thread where it may wait."""
    return function(*arguments) if here else await run_in_threadpool(function, *arguments)


def planned(state: State, body: SubmitJobsRequest, split: bool) -> list[tuple[dict[str, Any], list[PlannedSource]]]:
    """What is asked and its sources, for each job that the body means.

    Raises:
        InvalidIdentifier: for a ticker or a CIK that is none.
        Problem: for a company that means nobody, several, or nothing that could be fetched.
    """
    companies = resolve(state, body.companies)
    jobs = []
    for group in [[company] for company in companies] if split else [companies]:
        try:
            sources = job_sources(group, n_years=body.n_years, form=body.form_type)
        except UnplannableCompany as error:
            raise Problem(422, "unplannable_company", str(error)) from None
        asked = {
            "n_years": body.n_years, "form_type": body.form_type, "companies": [_as_asked(company) for company in group],
        }  # fmt: skip
        jobs.append((asked, sources))
    return jobs


def _as_asked(company: Company) -> dict[str, Any]:
    return {"ticker": company.ticker, "cik": company.cik, "sec": company.sec, "yahoo": company.yahoo}


# -- who is meant -----------------------------------------------------------------------------------------------------
def resolve(state: State, companies: Sequence[CompanyRequest]) -> list[Company]:
    """Find out who is meant; SEC's list is read only when a company has no ticker.

    Raises:
        InvalidIdentifier: for a ticker or a CIK that is none.
        Problem: 404 for a name that means nobody, 422 for one that means several and for a company without any identifier.
    """
    listed = _listed(state) if any(company.ticker is None for company in companies) else []
    return [_resolve(company, listed) for company in companies]


def _listed(state: State) -> list[dict[str, str]]:
    from salescience_pipeline.lake.tables import Where  # noqa: PLC0415 - rarely needed, slow to import

    rows = state.services.tables.read(
        "core_sec__company_tickers", Where(values={"is_current": [True]}), columns=["ticker", "cik", "name"]
    )
    return [row for row in rows.to_pylist() if row["name"]]


def _resolve(company: CompanyRequest, listed: Sequence[Mapping[str, str]]) -> Company:
    cik = Cik(company.cik) if company.cik is not None else None
    if company.ticker is not None:
        return Company(Ticker(company.ticker), cik, company.sec, company.yahoo)
    if cik is not None:
        ticker = next((row["ticker"] for row in listed if row["cik"] == cik), None)
        return Company(Ticker(ticker) if ticker else None, cik, company.sec, company.yahoo)
    if company.name is None:
        raise Problem(422, "unplannable_company", "A company needs a ticker, a CIK or a name.")
    found = match_name(company.name, listed)
    if len({row["cik"] for row in found}) > 1:
        candidates = [{"name": row["name"], "ticker": row["ticker"], "cik": row["cik"]} for row in found[:10]]
        raise Problem(
            422, "ambiguous_company", f"{company.name!r} may mean several companies.", extra={"candidates": candidates}
        )
    if not found:
        hint = "" if listed else "; SEC's list of companies is not in the lake yet, so name its ticker"
        raise Problem(404, "unknown_company", f"No company called {company.name!r} is known{hint}.")
    return Company(Ticker(found[0]["ticker"]), Cik(found[0]["cik"]), company.sec, company.yahoo)


# -- what is there already ----------------------------------------------------------------------------------------------
def needs_a_look(state: State, sources: Sequence[PlannedSource], n_years: int, form: str) -> bool:
    """Whether the lake has to be looked at for these sources, because what it holds is not remembered."""
    return not all(state.remembered(key)[0] for key in _lookups(state, sources, n_years, form))


def _lookups(state: State, sources: Sequence[PlannedSource], n_years: int, form: str) -> list[Lookup]:
    """What to look up in the lake, one per provider; nothing where a run has to go anyway."""
    tickers = {
        provider: tuple(dict.fromkeys(Ticker(source.ticker) for source in sources if source.provider == provider))
        for provider in ("sec", "yahoo")
    }
    if max(map(len, tickers.values())) > CHUNK_TICKERS or not state.has_lake():
        return []
    return [(provider, names, n_years, form) for provider, names in tickers.items() if names]


def answered(state: State, sources: Sequence[PlannedSource], n_years: int, form: str) -> list[PlannedSource]:
    """The sources with their content where the lake holds all of a provider's, young enough; else as they were."""
    done: dict[str, list[PlannedSource]] = {}
    for lookup in _lookups(state, sources, n_years, form):
        found = _held(state, lookup)
        if found is None:
            continue
        provider = lookup[0]
        mine = [source for source in sources if source.provider == provider]
        filled = {source.key: _filled(source, found[Ticker(source.ticker)]) for source in mine}
        if all(filled.values()):
            done |= {key: value for key, value in filled.items() if value}
    return [item for source in sources for item in done.get(source.key, [source])]


def _held(state: State, lookup: Lookup) -> dict[Ticker, list[Found]] | None:
    """What the lake holds, if all of it is fresh; remembered for seconds, while freshness is a matter of hours.

    The ledger knows what was answered before. Else the lake is read, for two requests at once at most: who comes third goes
    on to a run, which finds the same.
    """
    known: bool
    found: dict[Ticker, list[Found]] | None
    known, found = state.remembered(lookup)
    if known:
        return found
    from salescience_pipeline.acquisition import kept_answers  # noqa: PLC0415 - after the gateway answers

    found, is_worth_reading = kept_answers.find(state.services, *lookup)
    if found is None and is_worth_reading:
        if not state.reading.acquire(blocking=False):
            return None
        try:
            found = kept_answers.read(state.services, state.results, *lookup)
        finally:
            state.reading.release()
    state.remember(lookup, found)
    return found


def _filled(source: PlannedSource, found: Sequence[Found]) -> list[PlannedSource] | None:
    """The source with what was found; None when something is missing, so that a run has to look."""
    if source.ordinal is None and source.provider == "sec":
        several = [replace(source, key=f"{source.key}:{place}", ordinal=place) for place in range(len(found))]
        pairs = (
            list(zip(several, found, strict=True)) if found and found[0].status == "success" else [(source, found[0])]
        )
    else:
        pairs = [(source, found[source.ordinal or 0])] if len(found) > (source.ordinal or 0) else []
    if not pairs or any(item.status == "failed" for _, item in pairs):
        return None
    return [
        replace(
            target, status=SourceStatus(item.status), details=item.details, error=item.error,
            content=Content(item.sha256, item.kind or "json", item.size) if item.sha256 else None,
        )
        for target, item in pairs
    ]  # fmt: skip
