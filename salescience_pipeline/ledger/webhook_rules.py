"""How webhook messages are signed, when they are tried again, and what they say: pure functions.

The signature follows Standard Webhooks: HMAC-SHA256 over ``id.timestamp.body`` with a secret ``whsec_<base64>``, sent as
``v1,<base64>``; several signatures, parted by spaces, while a secret is being replaced.
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

What does not belong here: sending (``gateway.webhook_delivery``), and rows of messages (``webhooks``).
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import json
import random
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

EVENTS = ("job.complete", "job.partial", "job.failed", "job.cancelled")
"""What a webhook may hear of: a job has come to an end."""
TEST_EVENT = "webhook.test"
MAX_ATTEMPTS = 8
_FIRST_WAIT, _FACTOR = dt.timedelta(seconds=5), 4
_JITTER = 0.1
_PREFIX, _SECRET_BYTES = "whsec_", 32


def new_secret() -> str:
    """A secret for signatures: 256 random bits."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def payload_of(event: str, data: Mapping[str, Any], at: dt.datetime) -> dict[str, Any]:
    """What a message says: what happened, when, and ids to ask for more; no content, so that it may be read on its way."""
    return {"type": event, "timestamp": at.astimezone(dt.UTC).isoformat().replace("+00:00", "Z"), "data": dict(data)}


def encoded(payload: Mapping[str, Any]) -> bytes:
    """The bytes that are signed and sent: the same for every try."""
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """One signature.

    Args:
        secret: As :func:`new_secret` made it.
        message_id: The ``webhook-id`` header; the same for every try.
        timestamp: The ``webhook-timestamp`` header: seconds since 1970, of this try.
        body: The bytes that are sent.
    """
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    digest = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def headers_of(secrets_: Sequence[str], message_id: str, at: dt.datetime, body: bytes) -> dict[str, str]:
    """The headers of one try, signed with every secret that is valid now."""
    timestamp = int(at.timestamp())
    return {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signature(secret, message_id, timestamp, body) for secret in secrets_),
    }


def wait_after(attempts: int, dice: random.Random) -> dt.timedelta | None:
    """How long to wait after that many failed tries: 5 s, 20 s, 80 s ... 5.7 h; None when it is given up.

    A tenth is left to chance, so that receivers that come back are not met by everything at once.
    """
    if attempts >= MAX_ATTEMPTS:
        return None
    factor = float(_FACTOR ** (attempts - 1))
    return _FIRST_WAIT * (factor * (1 + _JITTER * dice.random()))
