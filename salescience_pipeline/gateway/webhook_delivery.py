"""Delivers webhooks' messages: takes what is due from the outbox, sends it signed, writes how it went.

Every gateway process does; a message is one process's for a minute. What does not belong here: the outbox (``ledger``), and
which addresses are allowed (``webhook_target``).
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
import time
from functools import cached_property
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool

from salescience_pipeline.gateway.state import State
from salescience_pipeline.gateway.webhook_target import Resolve, Target, TargetRefused, networks_of, resolve, target_of
from salescience_pipeline.ledger.webhook_rules import encoded, headers_of
from salescience_pipeline.ledger.webhooks import LEASE, Sending

if TYPE_CHECKING:
    import httpx

_log = logging.getLogger("salescience.gateway")
_LOOK_SECONDS = 0.5
_AT_ONCE = 20
_SEND_SECONDS, _CONNECT_SECONDS = 15.0, 5.0
assert LEASE.total_seconds() > 2 * _SEND_SECONDS
_GONE = 410
_USER_AGENT = "salescience-webhooks/1"


class Deliverer:
    """Sends the messages of one gateway process."""

    def __init__(self, state: State, *, resolver: Resolve = resolve) -> None:
        """Nothing is sent before :meth:`start`.

        Raises:
            SettingsError: for a network that is none.
        """
        self._state, self._resolve = state, resolver
        self._allowed = networks_of(state.settings.webhook_networks)
        self._task: asyncio.Task[None] | None = None
        self._under_way: set[asyncio.Task[None]] = set()

    @cached_property
    def client(self) -> httpx.AsyncClient:
        """One client; it obeys no proxy of the environment, follows no redirect and keeps no connection.

        A kept connection would be found by its address and answer for another name.
        """
        import httpx  # noqa: PLC0415 - a gateway without webhooks needs none

        limits = httpx.Limits(max_connections=_AT_ONCE, max_keepalive_connections=0)
        timeout = httpx.Timeout(_SEND_SECONDS, connect=_CONNECT_SECONDS)
        return httpx.AsyncClient(trust_env=False, follow_redirects=False, limits=limits, timeout=timeout)

    def start(self) -> None:
        """Begin to deliver, in the background."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Stop; what is under way goes out again from another process."""
        tasks = [task for task in (self._task, *self._under_way) if task is not None]
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        opened = self.__dict__.pop("client", None)
        if opened is not None:
            await opened.aclose()

    async def _run(self) -> None:
        while True:
            try:
                free = _AT_ONCE - len(self._under_way)
                taken = await run_in_threadpool(self._state.ledger.webhooks.claim, limit=free) if free else []
            except Exception as error:  # noqa: BLE001 - the database may be away; the next look may find it back
                taken = []
                _log.warning("webhooks could not be delivered: %s", type(error).__name__)
            for sending in taken:
                task = asyncio.get_running_loop().create_task(self.deliver(sending))
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)
            if not taken:
                await asyncio.sleep(_LOOK_SECONDS)

    def target_of(self, url: str) -> Target:
        """Where ``url`` leads now.

        Raises:
            TargetRefused: when nothing may be sent there.
        """
        return target_of(url, https_only=self._state.settings.is_live, allowed=self._allowed, resolver=self._resolve)

    async def deliver(self, sending: Sending) -> None:
        """Try one message and write how it went."""
        started = time.monotonic()
        status, error = await self._try(sending)
        took = (time.monotonic() - started) * 1_000
        try:
            await run_in_threadpool(
                self._state.ledger.webhooks.settle, sending, status_code=status, error=error, milliseconds=took,
                gone=status == _GONE,
            )  # fmt: skip
        except Exception as failure:  # noqa: BLE001 - untold, it is tried again when its minute is over
            _log.warning("a webhook's try could not be written down: %s", type(failure).__name__)

    async def _try(self, sending: Sending) -> tuple[int | None, str | None]:
        """The status that the receiver answered, and why the try does not count (None when it does)."""
        import httpx  # noqa: PLC0415

        body = encoded(sending.body)
        try:
            async with asyncio.timeout(_SEND_SECONDS):
                target = await run_in_threadpool(self.target_of, sending.url)
                headers = headers_of(sending.secrets, sending.delivery_id, dt.datetime.now(dt.UTC), body)
                headers |= {"host": target.host_header, "user-agent": _USER_AGENT, "accept-encoding": "identity"}
                sni = {"sni_hostname": target.host} if target.scheme == "https" else {}
                request = self.client.build_request("POST", target.url, headers=headers, content=body, extensions=sni)
                answer = await self.client.send(request, stream=True)
                # Nobody reads what the receiver says: its status is all.
                await answer.aclose()
        except TargetRefused as refused:
            return None, str(refused)
        except TimeoutError:
            return None, f"The receiver did not answer within {_SEND_SECONDS:g} s."
        except (httpx.HTTPError, httpx.InvalidURL) as failure:
            return None, f"The receiver could not be reached ({type(failure).__name__})."
        if 200 <= answer.status_code < 300:
            return answer.status_code, None
        note = "; redirects are not followed" if 300 <= answer.status_code < 400 else ""
        return answer.status_code, f"The receiver answered with status {answer.status_code}{note}."
