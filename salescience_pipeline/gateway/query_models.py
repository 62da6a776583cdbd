"""The bodies of the query API; strict, as those of ``models``.

What does not belong here: judging and running a query (``query``, ``query_worker``).
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StringConstraints,
    model_validator,
)

from salescience_pipeline.gateway.models import WHOLE, OrganizationWords, Strict

MAX_ROWS, DEFAULT_ROWS = 10_000, 1_000
NAME = r"^[a-z0-9][a-z0-9_\-]{0,62}$"
"""What a saved question may be called."""


def _encodable(text: str) -> str:
    if "\x00" in text or any(0xD800 <= ord(character) <= 0xDFFF for character in text):
        raise ValueError("must be text without NUL")
    return text


_NO_NUL = Field(json_schema_extra={"pattern": r"^[^\x00]*$"})
Sql = Annotated[
    str, StringConstraints(strict=True, min_length=1, max_length=20_000), AfterValidator(_encodable), _NO_NUL
]
Text = Annotated[str, StringConstraints(strict=True, max_length=10_000), AfterValidator(_encodable), _NO_NUL]
Name = Annotated[str, StringConstraints(strict=True, pattern=NAME)]
Parameter = Text | StrictBool | Annotated[StrictInt, Field(ge=-(2**63), lt=2**63)] | StrictFloat | None


class QueryRequest(Strict):
    """A question: its SQL or the name of a saved one, the values of its parameters, and which rows of it."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": [name], "properties": {name: {"type": "string"}}} for name in ("sql", "saved")]
        }
    )
    sql: Sql | None = Field(
        None, description="One SELECT over the marts.", examples=["select * from mart_prices__daily"]
    )
    saved: Name | None = Field(None, description="The name of a saved question, instead of sql.")
    parameters: Annotated[list[Parameter], Field(max_length=100)] = Field(
        default=[], description="Values of the question marks, in order."
    )
    limit: Annotated[StrictInt, Field(ge=1, le=MAX_ROWS), WHOLE] = DEFAULT_ROWS
    cursor: Annotated[str, StringConstraints(strict=True, max_length=200)] | None = None
    format: Literal["json", "ndjson", "csv", "parquet", "arrow"] | None = Field(
        None, description="The form of the rows; without it, what `Accept` prefers."
    )
    organization_id: OrganizationWords | None = None

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        if (self.sql is None) == (self.saved is None):
            raise ValueError("needs either sql or saved")
        return self


class Column(BaseModel):
    """A column of an answer; the type is Arrow's name of it."""

    name: str
    type: str


class QueryAnswer(BaseModel):
    """A page of rows, each a list in the order of the columns; ``next`` is the cursor of the page behind it."""

    columns: list[Column]
    rows: list[list[Any]]
    row_count: int
    next: str | None
    version: int = Field(description="The published version of the warehouse that was read.")
    seconds: float
    note: str | None = Field(description="What is to be known about the data: that it is fictional, or recorded.")


class SaveQueryRequest(Strict):
    """A question to keep."""

    name: Name
    sql: Sql
    description: Annotated[str, StringConstraints(strict=True, max_length=500), AfterValidator(_encodable), _NO_NUL] = (
        ""
    )
    organization_id: OrganizationWords | None = None


class SavedQueryDocument(BaseModel):
    """A question that is kept."""

    name: str
    sql: str
    description: str
    created_at: dt.datetime


class SavedQueryList(BaseModel):
    """All of an organisation's."""

    queries: list[SavedQueryDocument]
