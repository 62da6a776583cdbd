"""Idempotency keys: a repeated request is the same one, and gets the same answer.

Used inside the transaction that makes what the answer names, while the organisation's turn is held
(``audit_log.take_turn``), so that of several at once one makes it and the others find it. What does not belong here:
what is made once.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from salescience_pipeline.identifiers import OrganizationId
from salescience_pipeline.ledger.job_model import IdempotencyConflict, Once
from salescience_pipeline.ledger.service_models import IdempotencyKey


def said_before(
    connection: Connection, organization: OrganizationId, once: Once, now: dt.datetime
) -> Mapping[str, Any] | IdempotencyConflict | None:
    """What the key was answered with before, as long as that is remembered; None when it is new."""
    mine = (IdempotencyKey.organization_id == str(organization), IdempotencyKey.key == once.key)
    connection.execute(delete(IdempotencyKey).where(*mine, IdempotencyKey.created_at < now - once.lifetime))
    found = connection.execute(select(IdempotencyKey.body_sha256, IdempotencyKey.answer).where(*mine)).first()
    if found is None:
        return None
    if found.body_sha256 != once.body_sha256:
        return IdempotencyConflict("This Idempotency-Key was used with another request body.")
    return dict(found.answer)


def keep_answer(connection: Connection, organization: OrganizationId, once: Once, now: dt.datetime) -> None:
    """Remember the answer for those who ask again."""
    connection.execute(
        insert(IdempotencyKey).values(
            organization_id=str(organization), key=once.key, body_sha256=once.body_sha256, answer=dict(once.answer),
            created_at=now,
        )
    )  # fmt: skip
