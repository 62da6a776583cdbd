"""What the routes share: settings, ledger, the rooms of the lake (opened when first needed), and who is asking.

One per process and without any state of a client: two gateways on one database are one gateway. What does not belong
here: a route.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from salescience_pipeline.gateway.hosts import is_loopback
from salescience_pipeline.gateway.observing import HttpFigures
from salescience_pipeline.gateway.problems import Problem
from salescience_pipeline.gateway.rates import Rates
from salescience_pipeline.identifiers import InvalidIdentifier, OrganizationId
from salescience_pipeline.ledger.checkpointing import Checkpointer
from salescience_pipeline.ledger.group_commit import GroupCommit
from salescience_pipeline.ledger.ledger import Ledger
from salescience_pipeline.ledger.organizations import KEY_PREFIX, SCOPES, Limits, Principal
from salescience_pipeline.settings import Settings, SettingsError

if TYPE_CHECKING:
    from salescience_pipeline.acquisition.services import Services
    from salescience_pipeline.gateway.tokens import Tokens
    from salescience_pipeline.lake.results import Results

_ANSWER_SECONDS, _NO_ANSWER_SECONDS = 30.0, 3.0
LOCAL = OrganizationId("local")
"""The organisation of requests that name none, where no key is needed."""
_MAX_KEY = 200
_REMEMBER_SECONDS = 2.0
"""How long a key's owner is remembered; a revoked key works that much longer at most."""


class State:
    """The open rooms of one gateway process."""

    def __init__(self, settings: Settings, *, alone: bool = False) -> None:
        """Nothing is opened yet; ``alone`` says that the process is a gateway and nothing else.

        Raises:
            SettingsError: for an origin list that allows everybody, and for tokens that anybody could make.
        """
        if "*" in settings.gateway_origins:
            raise SettingsError("SALESCIENCE_GATEWAY_ORIGINS must name its origins; * is refused.")
        self.settings, self.is_alone = settings, alone
        self.needs_key = settings.gateway_auth in ("api_key", "jwt") or (
            settings.gateway_auth == "auto" and settings.is_live
        )
        self.tokens = self._open_tokens() if settings.gateway_auth == "jwt" else None
        self.figures = HttpFigures()
        self.rates = Rates(lambda: self.ledger.request_limits, settings.requests_per_minute)
        self._lock = threading.Lock()
        self._principals: dict[str, tuple[float, Principal]] = {}
        self._known: set[str] = set()
        self._has_lake, self._look_again = False, 0.0
        self.reading = threading.BoundedSemaphore(2)
        self._answers: dict[object, tuple[float, Any]] = {}

    def _open_tokens(self) -> Tokens:
        from salescience_pipeline.gateway import jwks, tokens  # noqa: PLC0415 - only where tokens are taken

        keys = jwks.KeySet(tokens.source_of(self.settings))
        return tokens.Tokens(tokens.rules_of(self.settings), keys, self._limits_of)

    def _limits_of(self, organization: OrganizationId) -> Limits | None:
        return self.ledger.organizations.limits_of(organization)

    @cached_property
    def ledger(self) -> Ledger:
        """The service database, migrated."""
        self.settings.root.mkdir(parents=True, exist_ok=True)
        return Ledger.of(self.settings)

    @cached_property
    def creations(self) -> GroupCommit:
        """Where new jobs go: written together, answered once they are committed."""
        return GroupCommit(self.ledger.jobs)

    @cached_property
    def checkpoints(self) -> Checkpointer:
        """Keeps the ledger's log short beside the writers."""
        return Checkpointer(self.ledger.engine)

    @cached_property
    def services(self) -> Services:
        """Lake and planner; imported when first needed, so that the gateway answers before Arrow is loaded."""
        from salescience_pipeline.acquisition.services import Services  # noqa: PLC0415

        opened = Services(self.settings)
        opened.ledger = self.ledger
        return opened

    @cached_property
    def results(self) -> Results:
        """What was put together for clients."""
        from salescience_pipeline.lake.results import Results  # noqa: PLC0415

        return Results(self.settings.lake_dir)

    def close(self) -> None:
        """Close what was opened."""
        creations = self.__dict__.pop("creations", None)
        if creations is not None:
            creations.close()
        checkpoints = self.__dict__.pop("checkpoints", None)
        if checkpoints is not None:
            checkpoints.stop()
        opened = self.__dict__.pop("services", None)
        if opened is not None:
            opened.close()
        ledger = self.__dict__.pop("ledger", None)
        if ledger is not None:
            ledger.close()

    def principal_of(self, key: str) -> Principal | None:
        """Whose API key (or token, where tokens are taken) it is, remembered for two seconds.

        Raises:
            Problem: 503 while the keys that a token is judged by cannot be had.
        """
        now = time.monotonic()
        with self._lock:
            found = self._principals.get(key)
            if found is not None and found[0] > now:
                return found[1]
        if self.tokens is not None and not key.startswith(KEY_PREFIX):
            principal = self.tokens.principal_of(key)
        else:
            principal = self.ledger.organizations.principal_of(key) if len(key) <= _MAX_KEY else None
        with self._lock:
            if len(self._principals) > 10_000:
                self._principals.clear()
            if principal is not None:
                self._principals[key] = (now + _REMEMBER_SECONDS, principal)
            else:
                self._principals.pop(key, None)
        return principal

    def has_lake(self) -> bool:
        """Whether anything was ever stored; asked of the disk once a second until it is so."""
        now = time.monotonic()
        if not self._has_lake and now > self._look_again:
            self._has_lake = self.settings.root.joinpath("lake", "tables").exists()
            self._look_again = now + 1.0
        return self._has_lake

    def remembers(self, key: str) -> bool:
        """Whether the owner of ``key`` is remembered, so that nobody has to be asked."""
        found = self._principals.get(key)
        return found is not None and found[0] > time.monotonic() + 0.1

    def remembered(self, key: object) -> tuple[bool, Any]:
        """Whether the answer to ``key`` is remembered, and the answer."""
        with self._lock:
            until, answer = self._answers.get(key, (0.0, None))
        return until > time.monotonic(), answer

    def remember(self, key: object, answer: Any) -> None:
        """Remember an answer of the lake for some seconds; that there is none, for less."""
        seconds = _ANSWER_SECONDS if answer is not None else _NO_ANSWER_SECONDS
        with self._lock:
            if len(self._answers) > 5_000:
                self._answers.clear()
            self._answers[key] = (time.monotonic() + seconds, answer)

    def is_known(self, organization: str) -> bool:
        """Whether this process has made the row of an organisation that needs no key."""
        return organization in self._known

    def ensure(self, organization: OrganizationId) -> None:
        """Make the row of an organisation that needs no key, once per process."""
        if organization not in self._known:
            self.ledger.organizations.ensure(organization)
            self._known.add(organization)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking: the key's owner, or anybody on this machine where no key is needed."""

    state: State
    principal: Principal | None
    request_id: str

    def acting(self, scope: str, organization: str | None = None, *, missing: str | None = None) -> Principal:
        """The principal for a request that needs ``scope`` and names ``organization``.

        Args:
            scope: What the route needs.
            organization: What body or query say; the key's own organisation is the only one it may name.
            missing: The name of the parameter to ask for when it is missing and no key says it.

        Raises:
            Problem: 403 for a key without the scope or for another organisation, 422 for no organisation at all.
        """
        if self.principal is not None:
            if not self.principal.may(scope):
                raise Problem(403, "scope_missing", f"The key lacks the scope {scope}.")
            if organization is not None and organization != self.principal.organization_id:
                raise Problem(
                    403, "organization_mismatch", "The key belongs to another organization than the one named."
                )
            return self.principal
        if organization is None and missing is not None:
            raise Problem(422, "invalid_request", f"{missing}: Field required.")
        named = LOCAL if organization is None else OrganizationId(organization)
        self.state.ensure(named)
        return Principal(named, "local", frozenset(SCOPES))

    def reading(self, scope: str, organization: str | None) -> Principal:
        """As :meth:`acting`, for looking at one thing: somebody else's is not there.

        Raises:
            Problem: 404 for another organisation than the key's or one that cannot be, and those of :meth:`acting`.
        """
        if self.principal is not None and organization not in (None, str(self.principal.organization_id)):
            self.acting(scope)
            raise Problem(404, "not_found", "There is no such thing, or it is not yours.")
        try:
            return self.acting(scope, organization, missing="query/organization_id")
        except InvalidIdentifier:
            raise Problem(404, "not_found", "There is no such thing, or it is not yours.") from None


def state_of(request: Request) -> State:
    """The process's rooms."""
    state: State = request.app.state.gateway
    return state


def caller_of(request: Request) -> Caller:
    """Find out who is asking.

    Raises:
        Problem: 401 without a key or token that works, 403 for a request from elsewhere where no key is needed, 503 while
            tokens cannot be judged.
    """
    state, request_id = state_of(request), str(request.state.request_id)
    key = _key_of(request)
    if key is not None:
        principal = state.principal_of(key)
        if principal is not None:
            return Caller(state, principal, request_id)
    named = "API key" if state.tokens is None else "API key or token"
    if state.needs_key or key is not None:
        raise Problem(
            401, "key_invalid" if key is not None else "key_missing",
            f"The {named} does not work." if key is not None else f"An {named} is needed: Authorization: Bearer <key>.",
            headers={"WWW-Authenticate": "Bearer"},
        )  # fmt: skip
    # Without keys the machine itself is the wall: nothing from another one, and no page that rebinds its name to us.
    host = request.url.hostname or ""
    client = request.client.host if request.client else ""
    served = request.scope.get("server") or ("", 0)
    if not (is_loopback(host) and is_loopback(client) and is_loopback(str(served[0]))):
        raise Problem(403, "loopback_only", "Without API keys only programs on this machine are answered.")
    return Caller(state, None, request_id)


def _key_of(request: Request) -> str | None:
    scheme, _, credential = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and credential:
        return credential.strip()
    return request.headers.get("x-api-key")


async def caller_now(request: Request) -> Caller:
    """As :func:`caller_of`, in a thread only where the database has to be asked; counts the request.

    Raises:
        Problem: as :func:`caller_of`, and 429 when the organisation made as many requests in this minute as it may.
    """
    key, state = _key_of(request), state_of(request)
    known = key is None or state.remembers(key)
    caller = caller_of(request) if known else await run_in_threadpool(caller_of, request)
    if caller.principal is not None and not state.rates.spend(caller.principal.organization_id):
        owner = caller.principal
        await run_in_threadpool(state.rates.take, owner.organization_id, owner.requests_per_minute)
    return caller


Calling = Annotated[Caller, Depends(caller_now)]
