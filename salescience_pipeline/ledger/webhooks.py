"""Webhooks of organisations and their messages: an outbox that is written with what it tells about.

A message is made in the transaction in which a job ends, so that neither can be without the other. Whoever delivers takes it
for a minute, so that a killed process's messages go out again: at least once, under one id. What does not belong here:
HTTP and addresses (``gateway.webhook_delivery``), signatures and waits (``webhook_rules``).
"""

from __future__ import annotations

import datetime as dt
import json
import random
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from salescience_pipeline.identifiers import OrganizationId
from salescience_pipeline.ledger import audit_log, dead_letters
from salescience_pipeline.ledger.errors import LedgerError
from salescience_pipeline.ledger.scoping import looking, writing
from salescience_pipeline.ledger.sealing import Owned
from salescience_pipeline.ledger.service_models import Job, Webhook, WebhookAttempt, WebhookDelivery
from salescience_pipeline.ledger.webhook_rules import EVENTS, TEST_EVENT, new_secret, payload_of, wait_after

MAX_WEBHOOKS = 20
"""Webhooks of one organisation."""
LEASE = dt.timedelta(seconds=60)
"""How long a try may take before the message is somebody else's; longer than its timeout."""
OLD_SECRET_LASTS = dt.timedelta(hours=24)
_AT_ONCE_EACH = 5
"""Messages of one webhook that are taken at once: a slow receiver delays no other."""
PENDING, DELIVERED, DEAD = "pending", "delivered", "dead"


class TooManyWebhooks(LedgerError):
    """The organisation has as many webhooks as it may."""


@dataclass(frozen=True, slots=True)
class WebhookRow:
    """A webhook as its owner sees it; the secret is shown once, when it is made."""

    webhook_id: str
    url: str
    description: str
    events: Sequence[str]
    created_at: dt.datetime
    disabled_at: dt.datetime | None
    disabled_reason: str | None


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A message and how it fared."""

    delivery_id: str
    webhook_id: str
    event: str
    body: Mapping[str, Any]
    created_at: dt.datetime
    status: str
    attempts: int
    next_at: dt.datetime
    status_code: int | None
    error: str | None
    finished_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One try of a message."""

    at: dt.datetime
    milliseconds: float
    status_code: int | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Sending:
    """A message that is to be tried now, by whoever took it."""

    delivery_id: str
    organization_id: OrganizationId
    webhook_id: str
    url: str
    secrets: tuple[str, ...]
    body: Mapping[str, Any]
    attempt: int


def announce(
    connection: Connection, organization: OrganizationId, ended: Iterable[tuple[str, str]], now: dt.datetime
) -> None:
    """Make messages for jobs that ended, inside the transaction in which they do.

    Args:
        connection: Of that transaction.
        organization: Whose jobs they are.
        ended: (job id, status) of each.
        now: The moment.
    """
    jobs = dict(ended)
    hearing = select(Webhook.webhook_id, Webhook.events).where(
        Webhook.organization_id == str(organization), Webhook.disabled_at.is_(None)
    )
    hooks = connection.execute(hearing).all() if jobs else []
    if not hooks:
        return
    columns = (Job.job_id, Job.kind, Job.name, Job.request_id)
    mine = (Job.organization_id == str(organization), Job.job_id.in_(jobs))
    rows = []
    for job in connection.execute(select(*columns).where(*mine)).mappings():
        event = f"job.{jobs[job['job_id']]}"
        data = {**job, "status": jobs[job["job_id"]], "organization_id": str(organization)}
        rows += [_message(organization, hook.webhook_id, event, data, now) for hook in hooks if event in hook.events]
    if rows:
        connection.execute(insert(WebhookDelivery), rows)


def _message(
    organization: OrganizationId, webhook_id: str, event: str, data: Mapping[str, Any], now: dt.datetime
) -> dict[str, Any]:
    return {
        "delivery_id": str(uuid.uuid4()), "organization_id": str(organization), "webhook_id": webhook_id, "event": event,
        "body": Owned(organization, payload_of(event, data, now)), "created_at": now, "status": PENDING, "attempts": 0,
        "next_at": now,
    }  # fmt: skip


class Webhooks:
    """The webhooks and messages of all organisations; every method is one transaction."""

    def __init__(self, engine: Engine, *, clock: Callable[[], dt.datetime], dice: random.Random | None = None) -> None:
        """Use the migrated database behind ``engine``."""
        self._engine, self._clock, self._dice = engine, clock, dice or random.Random()  # noqa: S311 - waits, not secrets

    # -- the owner's side -------------------------------------------------------------------------------------------
    def create(
        self,
        organization: OrganizationId,
        url: str,
        *,
        events: Sequence[str],
        description: str,
        actor: str,
        request_id: str,
    ) -> tuple[WebhookRow, str]:
        """Make a webhook; returns it and its secret, for the only time.

        Raises:
            TooManyWebhooks: when the organisation has :data:`MAX_WEBHOOKS` already.
        """
        now, secret = self._clock(), new_secret()
        wanted = list(dict.fromkeys(events)) or list(EVENTS)
        row = WebhookRow(str(uuid.uuid4()), url, description, wanted, now, None, None)
        with writing(self._engine, organization) as connection:
            count = select(func.count()).select_from(Webhook).where(Webhook.organization_id == str(organization))
            audit_log.take_turn(connection, [organization])
            if (connection.scalar(count) or 0) >= MAX_WEBHOOKS:
                raise TooManyWebhooks(f"{organization} may have {MAX_WEBHOOKS} webhooks; delete some of them.")
            values = {name: getattr(row, name) for name in WebhookRow.__slots__}
            connection.execute(insert(Webhook).values(organization_id=str(organization), secret=secret, **values))
            self._note(connection, organization, actor, "webhook.create", row.webhook_id, request_id)
        return row, secret

    def listed(self, organization: OrganizationId) -> list[WebhookRow]:
        """The organisation's webhooks, oldest first."""
        query = select(Webhook).where(Webhook.organization_id == str(organization))
        with looking(self._engine, organization) as connection:
            rows = connection.execute(query.order_by(Webhook.created_at, Webhook.webhook_id)).mappings()
            return [WebhookRow(**{name: row[name] for name in WebhookRow.__slots__}) for row in rows]

    def get(self, organization: OrganizationId, webhook_id: str) -> WebhookRow | None:
        """The webhook, or None when the organisation has none of that id."""
        return next((row for row in self.listed(organization) if row.webhook_id == webhook_id), None)

    def delete(self, organization: OrganizationId, webhook_id: str, *, actor: str, request_id: str) -> bool:
        """Forget a webhook with its messages; False when the organisation has none of that id."""
        of_delivery = (WebhookDelivery.organization_id == str(organization), WebhookDelivery.webhook_id == webhook_id)
        with writing(self._engine, organization) as connection:
            if connection.execute(delete(Webhook).where(*_is(organization, webhook_id))).rowcount == 0:
                return False
            theirs = select(WebhookDelivery.delivery_id).where(*of_delivery)
            connection.execute(delete(WebhookAttempt).where(WebhookAttempt.delivery_id.in_(theirs)))
            connection.execute(delete(WebhookDelivery).where(*of_delivery))
            self._note(connection, organization, actor, "webhook.delete", webhook_id, request_id)
        return True

    def rotate(self, organization: OrganizationId, webhook_id: str, *, actor: str, request_id: str) -> str | None:
        """Give a webhook a new secret; the old one signs as well for a day. None when there is no such webhook."""
        now, secret = self._clock(), new_secret()
        with writing(self._engine, organization) as connection:
            mine = select(Webhook.secret).where(*_is(organization, webhook_id))
            before = connection.scalar(mine.with_for_update())
            if before is None:
                return None
            values = {"secret": secret, "previous_secret": before, "previous_until": now + OLD_SECRET_LASTS}
            connection.execute(update(Webhook).where(*_is(organization, webhook_id)).values(**values))
            self._note(connection, organization, actor, "webhook.rotate", webhook_id, request_id)
        return secret

    def test(self, organization: OrganizationId, webhook_id: str) -> str | None:
        """Make a message that says nothing but that messages arrive; its id, or None when there is no such webhook."""
        with writing(self._engine, organization) as connection:
            if connection.scalar(select(Webhook.webhook_id).where(*_is(organization, webhook_id))) is None:
                return None
            data = {"organization_id": str(organization), "webhook_id": webhook_id}
            row = _message(organization, webhook_id, TEST_EVENT, data, self._clock())
            connection.execute(insert(WebhookDelivery), [row])
        return str(row["delivery_id"])

    def deliveries(
        self,
        organization: OrganizationId,
        webhook_id: str,
        *,
        limit: int = 50,
        before: tuple[dt.datetime, str] | None = None,
        status: str | None = None,
    ) -> list[DeliveryRow]:
        """Messages of a webhook, newest first, those before ``before`` (created at, id)."""
        query = select(WebhookDelivery).where(
            WebhookDelivery.organization_id == str(organization), WebhookDelivery.webhook_id == webhook_id
        )
        if before is not None:
            moment, last = WebhookDelivery.created_at, WebhookDelivery.delivery_id
            query = query.where((moment < before[0]) | ((moment == before[0]) & (last < before[1])))
        if status is not None:
            query = query.where(WebhookDelivery.status == status)
        query = query.order_by(WebhookDelivery.created_at.desc(), WebhookDelivery.delivery_id.desc()).limit(limit)
        with looking(self._engine, organization) as connection:
            return [_delivery(row) for row in connection.execute(query).mappings()]

    def delivery(self, organization: OrganizationId, delivery_id: str) -> tuple[DeliveryRow, list[AttemptRow]] | None:
        """A message with its tries, or None when the organisation has none of that id."""
        tries = select(WebhookAttempt).where(
            WebhookAttempt.organization_id == str(organization), WebhookAttempt.delivery_id == delivery_id
        )
        with looking(self._engine, organization) as connection:
            query = select(WebhookDelivery).where(*_is_delivery(organization, delivery_id))
            row = connection.execute(query).mappings().first()
            if row is None:
                return None
            rows = connection.execute(tries.order_by(WebhookAttempt.id)).mappings()
            attempts = [AttemptRow(**{name: tried[name] for name in AttemptRow.__slots__}) for tried in rows]
        return _delivery(row), attempts

    def redeliver(self, organization: OrganizationId, delivery_id: str, *, actor: str, request_id: str) -> bool:
        """Send a message again, under its id, from the first try on; False when there is none of that id."""
        now = self._clock()
        values = {"status": PENDING, "attempts": 0, "next_at": now, "finished_at": None, "error": None}
        with writing(self._engine, organization) as connection:
            mine = update(WebhookDelivery).where(*_is_delivery(organization, delivery_id))
            found = connection.execute(mine.values(**values)).rowcount == 1
            if found:
                self._note(connection, organization, actor, "webhook.redeliver", delivery_id, request_id)
        return found

    def _note(
        self,
        connection: Connection,
        organization: OrganizationId,
        actor: str,
        action: str,
        target: str,
        request_id: str,
    ) -> None:
        audit_log.append(
            connection, organization, at=self._clock(), actor=actor, action=action, target=target, request_id=request_id
        )

    # -- the deliverer's side ---------------------------------------------------------------------------------------
    def claim(self, *, limit: int) -> list[Sending]:
        """Take messages that are due, oldest first, a few of each webhook; they are the caller's for a minute."""
        now = self._clock()
        place = (
            func.row_number()
            .over(
                partition_by=WebhookDelivery.webhook_id, order_by=(WebhookDelivery.next_at, WebhookDelivery.delivery_id)
            )
            .label("place")
        )
        due = (WebhookDelivery.status == PENDING, WebhookDelivery.next_at <= now)
        ranked = select(WebhookDelivery.delivery_id, place).where(*due).subquery()
        heads = select(ranked.c.delivery_id).where(ranked.c.place <= _AT_ONCE_EACH)
        with looking(self._engine, None) as connection:
            # Most looks find nothing; they should wait for no writer.
            if connection.scalar(select(WebhookDelivery.delivery_id).where(*due).limit(1)) is None:
                return []
        with writing(self._engine, None) as connection:
            chosen = select(
                WebhookDelivery, Webhook.url, Webhook.secret, Webhook.previous_secret, Webhook.previous_until
            )
            chosen = chosen.join(
                Webhook,
                (Webhook.organization_id == WebhookDelivery.organization_id)
                & (Webhook.webhook_id == WebhookDelivery.webhook_id),
            ).where(*due, WebhookDelivery.delivery_id.in_(heads), Webhook.disabled_at.is_(None))
            chosen = chosen.order_by(WebhookDelivery.next_at).limit(limit)
            rows = connection.execute(chosen.with_for_update(of=WebhookDelivery, skip_locked=True)).mappings().all()
            taken = update(WebhookDelivery).where(WebhookDelivery.delivery_id.in_([row["delivery_id"] for row in rows]))
            connection.execute(taken.values(next_at=now + LEASE, attempts=WebhookDelivery.attempts + 1))
        return [_sending(row, now) for row in rows]

    def settle(
        self, sending: Sending, *, status_code: int | None, error: str | None, milliseconds: float, gone: bool = False
    ) -> str | None:
        """Write how a try went; the message's status afterwards, None when somebody else has it by now.

        Args:
            sending: What was tried.
            status_code: What the receiver answered, if it did.
            error: Why it does not count, None when the message was taken.
            milliseconds: How long it took.
            gone: The receiver wants nothing more (410): the webhook is disabled.
        """
        now = self._clock()
        wait = None if error is None or gone else wait_after(sending.attempt, self._dice)
        status = DELIVERED if error is None else DEAD if wait is None else PENDING
        values: dict[str, Any] = {"status": status, "status_code": status_code, "error": error and error[:200]}
        values |= {"next_at": now + wait} if wait is not None else {"finished_at": now}
        organization = sending.organization_id
        mine = (*_is_delivery(organization, sending.delivery_id), WebhookDelivery.attempts == sending.attempt)
        with writing(self._engine, organization) as connection:
            open_ = update(WebhookDelivery).where(*mine, WebhookDelivery.status == PENDING)
            if connection.execute(open_.values(**values)).rowcount == 0:
                return None
            connection.execute(
                insert(WebhookAttempt).values(
                    organization_id=str(organization), delivery_id=sending.delivery_id, at=now, milliseconds=milliseconds,
                    status_code=status_code, error=error and error[:200],
                )
            )  # fmt: skip
            if gone:
                hook = update(Webhook).where(*_is(organization, sending.webhook_id))
                connection.execute(hook.values(disabled_at=now, disabled_reason="The receiver answered 410 Gone."))
            if status == DEAD:
                dead_letters.bury(
                    connection, kind=dead_letters.WEBHOOK, origin=f"webhook:{sending.delivery_id}", reason=error or "",
                    body=json.dumps(dict(sending.body)), organization=organization, now=now,
                )  # fmt: skip
        return status


def _is(organization: OrganizationId, webhook_id: str) -> tuple[Any, ...]:
    return Webhook.organization_id == str(organization), Webhook.webhook_id == webhook_id


def _is_delivery(organization: OrganizationId, delivery_id: str) -> tuple[Any, ...]:
    return WebhookDelivery.organization_id == str(organization), WebhookDelivery.delivery_id == delivery_id


def _delivery(row: Mapping[Any, Any]) -> DeliveryRow:
    return DeliveryRow(**{name: row[name] for name in DeliveryRow.__slots__})


def _sending(row: Mapping[Any, Any], now: dt.datetime) -> Sending:
    valid: tuple[str, ...] = (row["secret"],)
    if row["previous_secret"] is not None and row["previous_until"] > now:
        valid = (*valid, row["previous_secret"])
    return Sending(
        row["delivery_id"], OrganizationId(row["organization_id"]), row["webhook_id"], row["url"], valid, row["body"],
        row["attempts"] + 1,
    )  # fmt: skip
