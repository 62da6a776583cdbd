"""/webhooks: an organisation's addresses that hear of its jobs, with the log of what they were told.

What does not belong here: sending (``webhook_delivery``) and signing (``ledger.webhook_rules``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field, StringConstraints

from salescience_pipeline.gateway.jobs import Organization, cursor_of, is_id, position_of
from salescience_pipeline.gateway.models import Strict, Words
from salescience_pipeline.gateway.problems import Problem, not_found
from salescience_pipeline.gateway.state import Calling
from salescience_pipeline.gateway.webhook_target import TargetRefused, networks_of, target_of
from salescience_pipeline.ledger.webhooks import TooManyWebhooks

JobEnd = Literal["job.complete", "job.partial", "job.failed", "job.cancelled"]


class WebhookRequest(Strict):
    """An address that wants to hear of jobs."""

    url: Annotated[str, StringConstraints(strict=True, max_length=2_000, pattern=r"^https?://[!-~]+$")] = Field(
        description="Where messages go: https, a public host, no credentials.", examples=["https://example.com/hooks"]
    )
    events: Annotated[list[JobEnd], Field(max_length=4)] = Field([], description="Which ends it hears of; none: all.")
    description: Words | None = None


class WebhookView(BaseModel):
    """A webhook."""

    webhook_id: str
    url: str
    description: str
    events: list[str]
    created_at: dt.datetime
    disabled_at: dt.datetime | None
    disabled_reason: str | None


class WebhookMade(WebhookView):
    """A new webhook with its secret, which is shown this once."""

    secret: str


class WebhookSecret(BaseModel):
    """A new secret, shown this once; the old one signs as well for a day."""

    webhook_id: str
    secret: str


class WebhookList(BaseModel):
    """An organisation's webhooks, oldest first."""

    webhooks: list[WebhookView]


class DeliveryView(BaseModel):
    """A message and how it fared."""

    delivery_id: str
    webhook_id: str
    event: str
    body: dict[str, Any]
    created_at: dt.datetime
    status: str
    attempts: int
    next_at: dt.datetime
    status_code: int | None
    error: str | None
    finished_at: dt.datetime | None


class AttemptView(BaseModel):
    """One try."""

    at: dt.datetime
    milliseconds: float
    status_code: int | None
    error: str | None


class DeliveryDetail(DeliveryView):
    """A message with its tries."""

    log: list[AttemptView]


class DeliveryList(BaseModel):
    """Messages, newest first."""

    deliveries: list[DeliveryView]
    next: str | None


class DeliveryQueued(BaseModel):
    """A message that goes out soon."""

    delivery_id: str


router = APIRouter(prefix="/webhooks", tags=["webhooks"])


@router.post("", status_code=201, response_model=WebhookMade)
def create(
    body: WebhookRequest, response: Response, caller: Calling, organization_id: Organization = None
) -> Mapping[str, Any]:
    """Hear of jobs that end; every message is signed (Standard Webhooks) with the secret of this answer."""
    principal = caller.acting("webhooks:write", organization_id, missing="query/organization_id")
    try:
        target_of(
            body.url,
            https_only=caller.state.settings.is_live,
            allowed=networks_of(caller.state.settings.webhook_networks),
        )
    except TargetRefused as refused:
        raise Problem(403, "webhook_refused", str(refused)) from None
    try:
        row, secret = caller.state.ledger.webhooks.create(
            principal.organization_id, body.url, events=body.events, description=body.description or "",
            actor=principal.key_id, request_id=caller.request_id,
        )  # fmt: skip
    except TooManyWebhooks as error:
        raise Problem(409, "too_many_webhooks", str(error)) from None
    response.headers["Location"] = f"/webhooks/{row.webhook_id}"
    return {**asdict(row), "secret": secret}


@router.get("", response_model=WebhookList)
def listed(caller: Calling, organization_id: Organization = None) -> Mapping[str, Any]:
    """The organisation's webhooks."""
    principal = caller.acting("webhooks:read", organization_id, missing="query/organization_id")
    return {"webhooks": [asdict(row) for row in caller.state.ledger.webhooks.listed(principal.organization_id)]}


@router.get("/{webhook_id}", response_model=WebhookView)
def one(webhook_id: str, caller: Calling, organization_id: Organization = None) -> Mapping[str, Any]:
    """A webhook."""
    principal = caller.reading("webhooks:read", organization_id)
    row = caller.state.ledger.webhooks.get(principal.organization_id, webhook_id) if is_id(webhook_id) else None
    if row is None:
        raise not_found()
    return asdict(row)


@router.delete("/{webhook_id}", status_code=204)
def delete(webhook_id: str, caller: Calling, organization_id: Organization = None) -> None:
    """Forget a webhook, with its messages."""
    principal = caller.reading("webhooks:write", organization_id)
    said = {"actor": principal.key_id, "request_id": caller.request_id}
    if not (is_id(webhook_id) and caller.state.ledger.webhooks.delete(principal.organization_id, webhook_id, **said)):
        raise not_found()


@router.post("/{webhook_id}/rotate", response_model=WebhookSecret)
def rotate(webhook_id: str, caller: Calling, organization_id: Organization = None) -> Mapping[str, Any]:
    """Give it a new secret; for a day messages carry the old signature too."""
    principal = caller.reading("webhooks:write", organization_id)
    said = {"actor": principal.key_id, "request_id": caller.request_id}
    secret = (
        caller.state.ledger.webhooks.rotate(principal.organization_id, webhook_id, **said)
        if is_id(webhook_id)
        else None
    )
    if secret is None:
        raise not_found()
    return {"webhook_id": webhook_id, "secret": secret}


@router.post("/{webhook_id}/test", status_code=202, response_model=DeliveryQueued)
def try_out(webhook_id: str, caller: Calling, organization_id: Organization = None) -> Mapping[str, Any]:
    """Send a message that says nothing else than that messages arrive."""
    principal = caller.reading("webhooks:write", organization_id)
    delivery_id = (
        caller.state.ledger.webhooks.test(principal.organization_id, webhook_id) if is_id(webhook_id) else None
    )
    if delivery_id is None:
        raise not_found()
    return {"delivery_id": delivery_id}


@router.get("/{webhook_id}/deliveries", response_model=DeliveryList)
def deliveries(
    webhook_id: str,
    caller: Calling,
    organization_id: Organization = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    status: Annotated[str | None, Query(pattern="^(pending|delivered|dead)$")] = None,
) -> Mapping[str, Any]:
    """What it was told and how that went, newest first."""
    principal = caller.reading("webhooks:read", organization_id)
    organization = principal.organization_id
    if not is_id(webhook_id) or caller.state.ledger.webhooks.get(organization, webhook_id) is None:
        raise not_found()
    before = None if cursor is None else position_of(cursor)
    rows = caller.state.ledger.webhooks.deliveries(
        organization, webhook_id, limit=limit + 1, before=before, status=status
    )
    shown = rows[:limit]
    more = cursor_of(shown[-1].created_at, shown[-1].delivery_id) if len(rows) > limit else None
    return {"deliveries": [asdict(row) for row in shown], "next": more}


@router.get("/deliveries/{delivery_id}", response_model=DeliveryDetail)
def delivery(delivery_id: str, caller: Calling, organization_id: Organization = None) -> Mapping[str, Any]:
    """One message with its tries."""
    principal = caller.reading("webhooks:read", organization_id)
    found = (
        caller.state.ledger.webhooks.delivery(principal.organization_id, delivery_id) if is_id(delivery_id) else None
    )
    if found is None:
        raise not_found()
    row, log = found
    return {**asdict(row), "log": [asdict(tried) for tried in log]}


@router.post("/deliveries/{delivery_id}/redeliver", status_code=202, response_model=DeliveryQueued)
def redeliver(delivery_id: str, caller: Calling, organization_id: Organization = None) -> Mapping[str, Any]:
    """Send a message again, under the same id."""
    principal = caller.reading("webhooks:write", organization_id)
    said = {"actor": principal.key_id, "request_id": caller.request_id}
    if not (
        is_id(delivery_id) and caller.state.ledger.webhooks.redeliver(principal.organization_id, delivery_id, **said)
    ):
        raise not_found()
    return {"delivery_id": delivery_id}
