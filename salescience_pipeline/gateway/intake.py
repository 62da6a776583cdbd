"""What a message of a topic means: a submission or a task, as over HTTP, made once however often it is delivered.

A message acts for the organisation that its topic belongs to, by configuration: whoever may write to the topic may act for
it, and for no other. What does not belong here: brokers and offsets (``kafka_intake``).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from salescience_pipeline.gateway.middleware import MAX_BODY_BYTES
from salescience_pipeline.gateway.models import SubmitJobsRequest
from salescience_pipeline.gateway.problems import Problem
from salescience_pipeline.gateway.state import State
from salescience_pipeline.gateway.submit import answered, planned
from salescience_pipeline.gateway.tasks import SERVICES, OrchestrateRequest, split
from salescience_pipeline.identifiers import InvalidIdentifier, OrganizationId, RequestId
from salescience_pipeline.ledger.dead_letters import Letter
from salescience_pipeline.ledger.job_model import NewJob, Once
from salescience_pipeline.ledger.organizations import MAX_OPEN_JOBS

BACKGROUND = 0
"""The priority of jobs from a topic: nobody sits in front of them."""
_REMEMBERED = dt.timedelta(days=30)
"""How long a place in a topic is known to have been taken in: longer than a group of consumers stands still."""


class Unreadable(ValueError):
    """A message that means nothing here, now and when it is read again; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message and its place in its topic."""

    topic: str
    partition: int
    offset: int
    value: bytes
    request_id: str | None = None
    """The ``x-request-id`` header of the message, if it has one."""

    @property
    def origin(self) -> str:
        """Its place, as dead letters name it."""
        return f"kafka:{self.topic}-{self.partition}-{self.offset}"


def take_in(state: State, organization: OrganizationId, message: Message) -> str:
    """Make what a message asks for; the id of the job or task, the same one when it is delivered again.

    Raises:
        Unreadable: when it can never be taken in.
        TooManyOpenJobs: when it cannot be taken in now.
    """
    body = _body_of(message, organization)
    digest = hashlib.sha256(message.value).hexdigest()
    # With the digest: a topic that was deleted and made again has the same places and other messages.
    key = f"{message.origin}:{digest[:16]}"
    request_id = _request_id(message)
    try:
        if "companies" in body:
            return _submit(state, organization, body, key, digest, request_id)
        return _orchestrate(state, organization, body, key, digest, request_id)
    except ValidationError as error:
        first = error.errors()[0]
        where = "/".join(str(part) for part in first["loc"])
        raise Unreadable(f"{where or 'message'}: {first['msg']}.") from None
    except InvalidIdentifier as error:
        raise Unreadable(str(error)) from None
    except Problem as problem:
        raise Unreadable(problem.detail) from None


def take_again(state: State, letter: Letter) -> str:
    """Try a dead letter of a topic once more, as the message that it was.

    Raises:
        Unreadable: when it still means nothing, or belongs to nobody.
    """
    place, _, offset = letter.origin.removeprefix("kafka:").rpartition("-")
    topic, _, partition = place.rpartition("-")
    if letter.organization_id is None:
        raise Unreadable("It belongs to no organisation.")
    message = Message(topic, int(partition), int(offset), letter.body.encode("utf-8", "surrogateescape"))
    return take_in(state, OrganizationId(letter.organization_id), message)


def _body_of(message: Message, organization: OrganizationId) -> dict[str, Any]:
    if len(message.value) > MAX_BODY_BYTES:
        raise Unreadable(
            f"A message may have {MAX_BODY_BYTES:,} bytes at most, and this one has {len(message.value):,}."
        )
    try:
        body = json.loads(message.value)
    except (ValueError, RecursionError):
        raise Unreadable("The message is not JSON.") from None
    if not isinstance(body, dict):
        raise Unreadable("The message is not a JSON object.")
    if body.get("organization_id", str(organization)) != str(organization):
        raise Unreadable("The message names another organisation than its topic belongs to.")
    return body


def _request_id(message: Message) -> str:
    try:
        return str(RequestId(message.request_id or ""))
    except InvalidIdentifier:
        return str(RequestId.new())


def _submit(
    state: State, organization: OrganizationId, body: Mapping[str, Any], key: str, digest: str, request_id: str
) -> str:
    wanted = SubmitJobsRequest.model_validate({"organization_id": str(organization), **body})
    ((asked, sources),) = planned(state, wanted, False)
    found = answered(state, sources, wanted.n_years, wanted.form_type)
    job = NewJob(str(uuid.uuid4()), "submit", "submit", asked, found, request_id, BACKGROUND, wanted.user_id)
    once = Once(key, digest, {"job_ids": [job.job_id]}, _REMEMBERED)
    before = state.ledger.jobs.create(organization, [job], actor="kafka", max_open=MAX_OPEN_JOBS, once=once)
    return job.job_id if before is None else str(before["job_ids"][0])


def _orchestrate(
    state: State, organization: OrganizationId, body: Mapping[str, Any], key: str, digest: str, request_id: str
) -> str:
    wanted = OrchestrateRequest.model_validate(
        {name: value for name, value in body.items() if name != "organization_id"}
    )
    payload = wanted.model_dump(mode="json")["payload"]
    calls = split(payload, tuple(dict.fromkeys((*SERVICES, *state.settings.services))))
    return state.ledger.tasks.create(
        organization, name=wanted.task_name, description=wanted.task_description, payload=payload, calls=calls,
        actor="kafka", request_id=request_id, once=Once(key, digest, {"task_id": str(uuid.uuid4())}, _REMEMBERED),
    )  # fmt: skip
