"""The bodies of requests and answers; strict, so that ``"yahoo": 0`` or a misspelt field is told and not guessed.

What does not belong here: what happens with them.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StringConstraints,
)
from pydantic.config import JsonDict

from salescience_pipeline.catalog.forms import FORMS

MAX_COMPANIES, MAX_YEARS = 500, 30
ORGANIZATION_PATTERN = r"^[a-z0-9][a-z0-9\-]{0,62}$"
TICKER_PATTERN = r"^[A-Za-z0-9^](\.?[A-Za-z0-9\-^=])*\.?$"
CIK_PATTERN = r"^0{0,9}[1-9][0-9]{0,9}$"
_TEXT: JsonDict = {"type": "string"}
_UNSET: JsonDict = {"anyOf": [{"type": "null"}, {"const": False}]}


def _writable(text: str) -> str:
    """Refuse what no database and no log line should hold."""
    if any(ord(character) < 32 or 0xD800 <= ord(character) <= 0xDFFF or ord(character) == 127 for character in text):
        raise ValueError("must not hold control characters")
    return text


def _whole(value: object) -> object:
    """JSON knows one kind of number: ``2.0`` is the integer 2."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _form(text: str) -> str:
    """A form type that EDGAR has; an amendment means its base form."""
    name = text.strip().upper().removesuffix("/A")
    if name not in FORMS:
        raise ValueError(f"is not a form type; known are {', '.join(sorted(FORMS))}")
    return name


_PRINTED = Field(json_schema_extra={"pattern": r"^[^\x00-\x1f\x7f]*$"})
Words = Annotated[
    str, StringConstraints(strict=True, min_length=1, max_length=200), AfterValidator(_writable), _PRINTED
]
# The identifiers' own types refuse what these patterns do not match, with a sentence of their own; here the contract says it.
OrganizationWords = Annotated[Words, Field(json_schema_extra={"pattern": ORGANIZATION_PATTERN})]
TickerWords = Annotated[Words, Field(json_schema_extra={"pattern": TICKER_PATTERN, "maxLength": 15})]
CikWords = Annotated[Words, Field(json_schema_extra={"pattern": CIK_PATTERN, "maxLength": 10})]
ShortWords = Annotated[
    str, StringConstraints(strict=True, min_length=1, max_length=127), AfterValidator(_writable), _PRINTED
]
WHOLE = BeforeValidator(_whole)
"""Behind the bounds of a strict integer: ``2.0`` is one in JSON, ``"2"`` and ``true`` are none."""
Form = Annotated[
    str,
    StringConstraints(strict=True, max_length=20),
    AfterValidator(_form),
    Field(json_schema_extra={"enum": sorted({*FORMS, *(f"{form}/A" for form in FORMS)})}),
]


class Strict(BaseModel):
    """A body without surprises."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CompanyRequest(Strict):
    """One company of a submission: at least one of name, ticker and CIK."""

    # A JSON schema cannot call functions, but it can say which fields belong together.
    model_config = ConfigDict(
        json_schema_extra={
            "allOf": [
                {"anyOf": [{"required": [field], "properties": {field: _TEXT}} for field in ("ticker", "cik", "name")]},
                {
                    "anyOf": [
                        {"required": ["sec"], "properties": {"sec": {"const": True}, "yahoo": _UNSET}},
                        {
                            "required": ["yahoo"],
                            "properties": {"yahoo": {"const": True}},
                            "anyOf": [
                                {"required": [field], "properties": {field: _TEXT}} for field in ("ticker", "name")
                            ],
                        },
                        {"properties": {"sec": {"type": "null"}, "yahoo": {"type": "null"}}},
                    ]
                },
            ]
        }
    )
    name: Words | None = Field(None, description="Its name, when nothing better is known; must mean one company.")
    ticker: TickerWords | None = Field(None, description="Its trading symbol.", examples=["AAPL"])
    cik: CikWords | None = Field(None, description="Its CIK at SEC, zeros in front optional.", examples=["320193"])
    sec: StrictBool | None = Field(
        None, description="Whether filings are wanted; neither flag: the identifiers decide."
    )
    yahoo: StrictBool | None = Field(None, description="Whether Yahoo's prices and profile are wanted.")


class SubmitJobsRequest(Strict):
    """A submission."""

    companies: Annotated[list[CompanyRequest], Field(min_length=1, max_length=MAX_COMPANIES)]
    n_years: Annotated[StrictInt, Field(ge=1, le=MAX_YEARS), WHOLE] = 1
    form_type: Form = "10-K"
    organization_id: OrganizationWords = Field(examples=["acme-corp"])
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
