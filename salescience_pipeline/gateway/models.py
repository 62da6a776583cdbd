"""The bodies of requests and answers; strict, so that ``"yahoo": 0`` or a misspelt field is told and not guessed.

What does not belong here: what happens with them.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StrictInt, StringConstraints

from salescience_pipeline.catalog.forms import FORMS

MAX_COMPANIES, MAX_YEARS = 500, 30


def _writable(text: str) -> str:
    """Refuse what no database and no log line should hold."""
    if any(ord(character) < 32 or 0xD800 <= ord(character) <= 0xDFFF or ord(character) == 127 for character in text):
        raise ValueError("must not hold control characters")
    return text


def _form(text: str) -> str:
    """A form type that EDGAR has; an amendment means its base form."""
    name = text.strip().upper().removesuffix("/A")
    if name not in FORMS:
        raise ValueError(f"is not a form type; known are {', '.join(sorted(FORMS))}")
    return name


Words = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=200), AfterValidator(_writable)]
ShortWords = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=127), AfterValidator(_writable)]
Form = Annotated[str, StringConstraints(strict=True, max_length=20), AfterValidator(_form)]


class Strict(BaseModel):
    """A body without surprises."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CompanyRequest(Strict):
    """One company of a submission: at least one of name, ticker and CIK."""

    name: Words | None = Field(None, description="Its name, when nothing better is known; must mean one company.")
    ticker: Words | None = Field(None, description="Its trading symbol.", examples=["AAPL"])
    cik: Words | None = Field(None, description="Its CIK at SEC, zeros in front optional.", examples=["320193"])
    sec: StrictBool | None = Field(
        None, description="Whether filings are wanted; neither flag: the identifiers decide."
    )
    yahoo: StrictBool | None = Field(None, description="Whether Yahoo's prices and profile are wanted.")


class SubmitJobsRequest(Strict):
    """A submission."""

    companies: Annotated[list[CompanyRequest], Field(min_length=1, max_length=MAX_COMPANIES)]
    n_years: Annotated[StrictInt, Field(ge=1, le=MAX_YEARS)] = 1
    form_type: Form = "10-K"
    organization_id: Words
    user_id: ShortWords | None = None


class SubmitJobsResponse(BaseModel):
    """The ids under which status and results are found."""

    job_ids: list[str]


class JobStatusResponse(BaseModel):
    """Where a job and each of its sources stand."""

    job_id: str
    status: str
    sources: dict[str, str]


class JobListing(BaseModel):
    """One job in a list."""

    job_id: str
    kind: str
    name: str
    status: str
    user_id: str | None
    created_at: dt.datetime
    updated_at: dt.datetime


class JobList(BaseModel):
    """A page of jobs, newest first; ``next`` is the cursor of the page behind it."""

    jobs: list[JobListing]
    next: str | None


class Result(BaseModel):
    """The envelope of one source."""

    content: Any = Field(description="The filing's text, or an object.")
    content_type: str = Field(description="html, xml, text or json.")
    source: str = Field(description="sec or yahoo.")
    metadata: dict[str, Any]


class ResultsResponse(BaseModel):
    """The envelopes of a job; ``errors`` stands there only when a source has none."""

    job_id: str
    results: dict[str, Result]
    errors: dict[str, dict[str, Any]] | None = None


class ProblemDocument(BaseModel):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int | str
    code: str
    detail: str
    request_id: str
