"""/dead-letters: what could not be done, with its reason, and the way back to work.

What does not belong here: burying (whoever gives up does that).
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel

from salescience_pipeline.gateway.jobs import Organization
from salescience_pipeline.gateway.problems import Problem, not_found
from salescience_pipeline.gateway.state import Caller, Calling, State
from salescience_pipeline.identifiers import OrganizationId
from salescience_pipeline.ledger.dead_letters import DEAD, DISCARDED, JOB, REQUEUED, WEBHOOK, Letter
from salescience_pipeline.ledger.job_model import NotRetryable
from salescience_pipeline.ledger.organizations import Principal

_BIGGEST_ID = 2**31 - 1


class LetterView(BaseModel):
    """A dead letter."""

    id: int
    kind: str
    origin: str
    at: dt.datetime
    reason: str
    status: str
    changed_at: dt.datetime


class LetterDetail(LetterView):
    """A dead letter with what stood in it."""

    body: str


class LetterList(BaseModel):
    """Dead letters, newest first."""

    dead_letters: list[LetterView]
    next: int | None


class NotRequeued(Exception):
    """What the letter was about cannot be tried again; the message is one sentence."""


def requeue(state: State, letter: Letter, *, actor: str, request_id: str) -> None:
    """Send what a letter is about on its way again and mark the letter.

    Raises:
        NotRequeued: when there is nothing left to try again, or the letter is not dead any more.
    """
    if letter.status != DEAD:
        raise NotRequeued(f"The letter was {letter.status} already.")
    said = {"actor": actor, "request_id": request_id}
    owner = None if letter.organization_id is None else OrganizationId(letter.organization_id)
    if letter.kind == WEBHOOK and owner is not None:
        if not state.ledger.webhooks.redeliver(owner, letter.origin.partition(":")[2], **said):
            raise NotRequeued("The webhook is gone, and its messages with it.")
    elif letter.kind == JOB and owner is not None:
        try:
            if state.ledger.jobs.retry(owner, json.loads(letter.body)["job_id"], **said) is None:
                raise NotRequeued("The job is gone.")
        except NotRetryable as error:
            raise NotRequeued(str(error)) from None
    else:
        from salescience_pipeline.gateway.intake import Unreadable, take_again  # noqa: PLC0415 - most never need it

        try:
            take_again(state, letter)
        except Unreadable as error:
            raise NotRequeued(f"It still cannot be taken in: {error}") from None
    state.ledger.dead_letters.mark(owner, letter.id, REQUEUED, **said)


def build_router(state: State) -> APIRouter:
    """The routes."""
    router = APIRouter(prefix="/dead-letters", tags=["dead letters"])

    def found(caller: Caller, scope: str, letter_id: str, organization_id: str | None) -> tuple[Principal, Letter]:
        principal = caller.reading(scope, organization_id)
        number = int(letter_id) if letter_id.isascii() and letter_id.isdigit() and len(letter_id) <= 10 else 0
        letter = None
        if 0 < number <= _BIGGEST_ID:
            letter = state.ledger.dead_letters.get(principal.organization_id, number)
        if letter is None:
            raise not_found()
        return principal, letter

    @router.get("", response_model=LetterList)
    def listed(
        caller: Calling,
        organization_id: Organization = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        cursor: Annotated[int | None, Query(ge=1, le=_BIGGEST_ID)] = None,
        kind: Annotated[str | None, Query(pattern="^(webhook|job|kafka)$")] = None,
        status: Annotated[str, Query(pattern="^(dead|requeued|discarded)$")] = DEAD,
    ) -> Mapping[str, Any]:
        """The organisation's dead letters, newest first."""
        principal = caller.acting("jobs:read", organization_id, missing="query/organization_id")
        rows = state.ledger.dead_letters.listed(
            principal.organization_id, limit=limit + 1, before=cursor, kind=kind, status=status
        )
        shown = rows[:limit]
        return {"dead_letters": [asdict(row) for row in shown], "next": shown[-1].id if len(rows) > limit else None}

    @router.get("/{letter_id}", response_model=LetterDetail)
    def one(letter_id: str, caller: Calling, organization_id: Organization = None) -> Mapping[str, Any]:
        """A dead letter with what stood in it."""
        return asdict(found(caller, "jobs:read", letter_id, organization_id)[1])

    @router.post("/{letter_id}/requeue", response_model=LetterDetail)
    def again(letter_id: str, caller: Calling, organization_id: Organization = None) -> Mapping[str, Any]:
        """Try again what it is about."""
        principal, letter = found(caller, "jobs:write", letter_id, organization_id)
        try:
            requeue(state, letter, actor=principal.key_id, request_id=caller.request_id)
        except NotRequeued as error:
            raise Problem(409, "not_requeued", str(error)) from None
        return asdict(found(caller, "jobs:read", letter_id, organization_id)[1])

    @router.delete("/{letter_id}", status_code=204)
    def discard(letter_id: str, caller: Calling, organization_id: Organization = None) -> None:
        """Let it go; it stays in the list of those that were discarded."""
        principal, letter = found(caller, "jobs:write", letter_id, organization_id)
        said = {"actor": principal.key_id, "request_id": caller.request_id}
        if not state.ledger.dead_letters.mark(principal.organization_id, letter.id, DISCARDED, **said):
            raise Problem(409, "not_discarded", f"The letter was {letter.status} already.")

    return router
