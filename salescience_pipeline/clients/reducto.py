"""Reducto's API: upload, start a job, wait for it, take its result from the answer or from the address it names.

Everything goes through the transport: its gate, retries, redaction, timeouts and archive. What does not belong here:
which documents, and what the rows look like.
"""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from salescience_pipeline.clients.classify import Dialect, Reply, Verdict, by_shape, by_status
from salescience_pipeline.clients.errors import Contract
from salescience_pipeline.clients.model import Answer, AnswerClass, Content, PlannedRequest, Subject
from salescience_pipeline.clients.reducto_errors import ReductoJobError, job_error

_HOLDS_FOR_THE_DOCUMENT = {400, 413, 415, 422, 442}
_MAX_RESULT = 400_000_000
_NAME = re.compile(r"[^A-Za-z0-9._-]+")
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)


def _headers(key: str | None) -> Mapping[str, str]:
    # A presigned address takes no key.
    return {"Authorization": f"Bearer {key}"} if key else {}


def classify(reply: Reply) -> Verdict:
    """What an answer of Reducto means; a refused document is told apart from a refused key by its status."""
    if reply.status in _HOLDS_FOR_THE_DOCUMENT:
        return Verdict(AnswerClass.CONTRACT, f"refused the request: {_message(reply)}")
    return by_status(reply) or by_shape(reply)


def _message(reply: Reply) -> str:
    told = reply.json_or_none
    if isinstance(told, dict):
        error = told.get("error")
        inner = error.get("message") if isinstance(error, dict) else None
        for text in (inner, told.get("message"), told.get("detail")):
            if text:
                return str(text)[:200]
    return f"status {reply.status}"


DIALECT = Dialect("reducto", _headers, classify, needs_credential=True)


class Sender(Protocol):
    """What is needed of the transport."""

    def send(self, request: PlannedRequest) -> Answer:
        """The answer to a request, with retries."""
        ...


class Bell(Protocol):
    """What is needed of a listener for webhooks."""

    address: str

    def wait(self, job_id: str, seconds: float) -> bool:
        """Wait for a message about a job; whether one came."""
        ...


@dataclass(frozen=True, slots=True)
class Polling:
    """How often a job is looked at."""

    first: float = 0.25
    """Seconds before the second look; each pause is half as long again."""
    longest: float = 10.0
    patience: float = 900.0
    """Seconds after which a job is given up."""


class Reducto:
    """Reads documents through the API; safe for threads. ``credits`` is what it has cost so far."""

    def __init__(
        self,
        transport: Sender,
        *,
        polling: Polling | None = None,
        bell: Bell | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Nothing is sent yet; ``sleep`` must make ``clock`` advance.

        With a ``bell`` jobs are asked to ring it, and are then looked at when it rings and rarely in between.
        """
        self._transport, self._polling, self._bell = transport, polling or Polling(), bell
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self.credits = 0.0
        self.pages = 0

    def parse(self, data: bytes, *, filename: str, options: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Upload ``data``, parse it in a job of its own and wait for it.

        Args:
            data: The document, 100 MB at most.
            filename: Its name; the ending tells the API what it is.
            options: Parse options beside the input (``retrieval``, ``formatting``, ``settings``...); chunks of variable
                size by default.

        Returns:
            The ParseResponse; its result is full, also when the API left it at another address.

        Raises:
            JobRejected, JobInterrupted: when the job failed.
            ProviderError: when the API did not answer.
        """
        asked = {"retrieval": {"chunking": {"chunk_mode": "variable"}}, **(options or {})}
        file_id = self.upload(data, filename=filename)
        job_id = self.start("parse", {**asked, "input": file_id})
        return self.wait(job_id, subject=filename)

    def upload(self, data: bytes, *, filename: str) -> str:
        """Store a document at the API for a day; returns its ``reducto://`` id."""
        name = _NAME.sub("_", filename)[-100:] or "document"
        boundary = uuid.uuid5(uuid.NAMESPACE_OID, f"{name}{len(data)}").hex
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        body = head.encode() + data + f"\r\n--{boundary}--\r\n".encode()
        content = Content(body, f"multipart/form-data; boundary={boundary}")
        extension = name.rpartition(".")[2].lower() if "." in name else ""
        params = (("extension", extension),) if extension.isalnum() else ()
        answer = self._ask("upload", "/upload", name, content=content, params=params)
        return self._text(answer, "file_id", "upload")

    def start(self, what: str, body: Mapping[str, Any]) -> str:
        """Start a job (``parse``, ``extract``, ``split``, ``classify``); returns its id."""
        if self._bell is not None:
            options = {**(body.get("async") or {}), "webhook": {"mode": "direct", "url": self._bell.address}}
            body = {**body, "async": options}
        content = Content(json.dumps(body, sort_keys=True).encode(), "application/json")
        return self._text(self._ask(f"{what}_async", f"/{what}_async", "*", content=content), "job_id", what)

    def wait(self, job_id: str, *, subject: str = "*") -> dict[str, Any]:
        """Look at a job until it has ended, after a message or now and then; its result, fetched from where it is.

        Raises:
            JobRejected, JobInterrupted: when it failed, was cancelled, or took longer than the polling's patience.
            ProviderError: when the API did not answer.
        """
        if not _ID.fullmatch(job_id):
            raise _contract("job", subject, "sent a job id that is none")
        # The longest pause at once when somebody will ring: polling is then only for messages that got lost.
        pause = self._polling.first if self._bell is None else self._polling.longest
        until = self._clock() + self._polling.patience
        while True:
            state = self._ask("job", f"/job/{job_id}", subject)
            status = state.get("status")
            if status == "Completed":
                return self._whole(state.get("result"), subject)
            if status in {"Failed", "Cancelled"}:
                raise _failed(state, job_id)
            if self._clock() + pause > until:
                message = f"The job did not end within {self._polling.patience:g} seconds."
                raise job_error(message, name="TIMEOUT", job_id=job_id)
            if self._bell is None:
                self._sleep(pause)
            else:
                self._bell.wait(job_id, pause)
            pause = min(pause * 1.5, self._polling.longest)

    def _whole(self, response: Any, subject: str) -> dict[str, Any]:
        """The response with its result in it, and its cost added up."""
        if not isinstance(response, dict):
            raise _contract("job", subject, "says that the job is complete and sends no result")
        usage = response.get("usage") or {}
        with self._lock:
            self.credits += usage.get("credits") or 0.0
            self.pages += usage.get("num_pages") or 0
        result = response.get("result")
        if isinstance(result, dict) and result.get("type") == "url":
            result_id = str(result.get("result_id", ""))
            if not _ID.fullmatch(result_id):
                raise _contract("result", subject, "names a result that has no id")
            found = self._ask("result", f"/results/{result_id}", subject, address=str(result.get("url", "")))
            return {**response, "result": found}
        return response

    def _ask(
        self,
        endpoint: str,
        path: str,
        subject: str,
        *,
        content: Content | None = None,
        params: tuple[tuple[str, str], ...] = (),
        address: str = "",
    ) -> dict[str, Any]:
        request = PlannedRequest(
            "reducto", endpoint, "api", path, Subject(subject), params, content=content, address=address,
            max_bytes=_MAX_RESULT,
        )  # fmt: skip
        answer = self._transport.send(request)
        if answer.answer_class is AnswerClass.NOT_FOUND:
            raise _contract(endpoint, subject, "does not know the job or the document any more")
        value = json.loads(answer.body.read())
        if not isinstance(value, dict):
            raise _contract(endpoint, subject, "sent JSON that is no object")
        return value

    @staticmethod
    def _text(value: Mapping[str, Any], name: str, endpoint: str) -> str:
        text = value.get(name)
        if not isinstance(text, str) or not text:
            raise _contract(endpoint, "*", f"sent an answer without {name}")
        return text


def _contract(endpoint: str, subject: str, what: str) -> Contract:
    return Contract(f"Reducto {what} ({endpoint}).", provider="reducto", endpoint=endpoint, subject=subject)


def _failed(state: Mapping[str, Any], job_id: str) -> ReductoJobError:
    error = state.get("error") or {}
    name = error.get("name") or ("JOB_CANCELLED" if state.get("status") == "Cancelled" else "PROCESSING_FAILED")
    message = error.get("message") or state.get("reason") or "The job failed."
    return job_error(str(message)[:500], name=str(name), job_id=job_id, code=error.get("code"))
