"""The emulator as one ASGI application: which provider a request is for, what is counted, which fault or limit strikes.

A provider is a module of this package with a function ``provider(sandbox) -> Provider``, named in ``PROVIDERS``. What
does not belong here: wire formats (the providers' modules), the process around the application (``server``).
"""

from __future__ import annotations

import asyncio
import datetime as dt
import importlib
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Match, Route
from starlette.types import Message, Receive, Scope, Send

from salescience_pipeline.fiction.earnings import Earnings
from salescience_pipeline.fiction.happenings import Happening, Happenings, MovedEarnings, NewsEvent
from salescience_pipeline.fiction.news import Newsroom
from salescience_pipeline.fiction.sec_calendar import EASTERN
from salescience_pipeline.fiction.world import NOTE, World
from salescience_pipeline.sandbox.drift import answer_drifted
from salescience_pipeline.sandbox.faults import Call, Faults, Wire, act
from salescience_pipeline.sandbox.limits import Clock, Limit, Limits
from salescience_pipeline.sandbox.stats import Stats

PRICES_OUT = dt.time(17, 30)
"""When the end-of-day prices of a session are out, in New York."""

PROVIDERS = ("edgar", "yahoo", "tiingo", "finnhub", "polygon", "alphavantage", "reducto", "services")
"""Modules of this package that emulate a provider; the name is also the first segment of its paths."""


def _no_account(_: Request) -> str:
    return ""


def _no_symbol(_: Request) -> str | None:
    return None


@dataclass(frozen=True)
class Provider:
    """One emulated provider.

    ``routes`` have paths below ``/<name>`` and a ``name`` each: the endpoint kind in statistics and faults. Endpoints
    are ``async def (Request) -> Response`` and must be quick, because all providers share one event loop.
    """

    name: str
    routes: Sequence[Route]
    not_found: Callable[[Request], Response]
    """The answer for a path that the provider does not have."""
    limited: Callable[[str], Response]
    """The refusal for a window: ``block``, ``second``, ``minute``, ``hour``, ``day`` or ``symbols``."""
    limit: Limit = field(default_factory=Limit)
    """What the real provider enforces."""
    account: Callable[[Request], str] = _no_account
    """Whose budget a request uses."""
    symbol: Callable[[Request], str | None] = _no_symbol
    """The symbol that a request looks up, for quotas on distinct symbols."""
    root_paths: tuple[str, ...] = ()
    """Path prefixes, without the provider's segment, that are served too: for clients that know only a host."""
    reset: Callable[[], None] = field(default=lambda: None)
    """Forget sessions and the like."""
    refused: Callable[[str, Request], Response] | None = None
    """Instead of ``limited`` for a provider whose refusal depends on the request."""

    def refuse(self, window: str, request: Request) -> Response:
        """The refusal of a request for a window."""
        return self.limited(window) if self.refused is None else self.refused(window, request)


@dataclass
class Sandbox:
    """Everything that the emulated providers share."""

    world: World
    kind: str = "fictional"
    """``fictional`` or ``corpus``."""
    corpus: Path | None = None
    """Folder of recorded filings and answers, in the corpus world."""
    clock: Clock = field(default_factory=Clock)
    stats: Stats = field(default_factory=Stats)
    faults: Faults = field(default_factory=Faults)
    switches: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Settings of providers that may change while the server runs (``POST /_sandbox/switches``)."""
    universe: list[dict[str, Any]] | None = None
    """Companies as ``{ticker, cik, name}`` when they are not the world's (a provider of the corpus sets it)."""
    watchlist: list[str] | None = None
    """Tickers to begin with, when they are not the world's."""
    admin: list[Route] = field(default_factory=list)
    """Switches below ``/_sandbox`` that a provider adds to the general ones (known truth, what a corpus holds)."""
    leases: set[int] = field(default_factory=set)
    """Processes for which the server is kept running."""
    happenings: Happenings = field(default_factory=Happenings)
    at: dt.datetime | None = None
    """The moment of ``today`` at which news, results and quotes are looked at, when it was set by hand."""
    limits: Limits = field(init=False)
    earnings: Earnings = field(init=False)
    news: Newsroom = field(init=False)
    providers: dict[str, Provider] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._given_closed = self.world.today_closed
        self.limits = Limits(self.clock)
        self.earnings = Earnings(self.world, self.happenings, self.moment)
        self.news = Newsroom(self.world, self.earnings, self.happenings, self.moment)

    def moment(self) -> dt.datetime:
        """Up to when things have happened, in UTC.

        That is the moment set by hand, or now. A date that was given is looked at when it is over, whatever the clock
        says, and so is one that has passed since the start.
        """
        if self.at is not None:
            return self.at
        now = self.clock.now()
        if not self.world.frozen and now.astimezone(EASTERN).date() == self.world.today:
            return now
        return dt.datetime.combine(self.world.today, dt.time(23, 59, 59), EASTERN).astimezone(dt.UTC)

    def set_moment(self, text: str | None) -> None:
        """Look at the market at this moment, or with ``None`` as usual.

        Raises:
            ValueError: for a text that is no moment with an offset, or one that is not on the market's date in New York.
        """
        if text is None:
            self.at = None
            return
        at = dt.datetime.fromisoformat(text)
        if at.tzinfo is None:
            raise ValueError(f"The moment {text!r} needs an offset from UTC.")
        if at.astimezone(EASTERN).date() != self.world.today:
            raise ValueError(f"The moment {text!r} is not on {self.world.today}, the market's date in New York.")
        self.at = at.astimezone(dt.UTC)

    def follow_the_clock(self) -> None:
        """Let the day's end-of-day prices come out when it is time; a date that was given alone is looked at before."""
        if self.at is not None or not self.world.frozen:
            local = self.moment().astimezone(EASTERN)
            self.world.close_today(local.date() >= self.world.today and local.time() >= PRICES_OUT)
        else:
            self.world.close_today(self._given_closed)

    def understand(self, spec: Mapping[str, Any]) -> Happening:
        """Read an event that is not one of prices, and check it against this market.

        Raises:
            ValueError: when it makes no sense.
        """
        happening = self.happenings.read(spec)
        if isinstance(happening, MovedEarnings):
            return self.earnings.check(happening)
        if isinstance(happening, NewsEvent):
            return self.news.check(happening)
        provider = self.providers.get(happening.provider)
        if provider is None:
            raise ValueError(f"{happening.provider!r} is not a provider of the sandbox.")
        names = {route.name for route in provider.routes}
        if happening.endpoint != "*" and happening.endpoint not in names:
            raise ValueError(f"{provider.name} has no endpoint {happening.endpoint!r}: use {', '.join(sorted(names))}.")
        return happening

    def switch(self, provider: str, name: str, default: Any = None) -> Any:
        """The current value of a provider's switch."""
        return self.switches.get(provider, {}).get(name, default)

    def load(self, names: Sequence[str] = PROVIDERS) -> None:
        """Build the providers."""
        for name in names:
            module = importlib.import_module(f"{__package__}.{name}")
            self.providers[name] = module.provider(self)

    def set_limits(self, wanted: Mapping[str, Any] | str) -> None:
        """Put limits in force: ``real``, ``off``, or per provider ``real``, ``None`` or single figures.

        Raises:
            ValueError: for an unknown provider or limit.
        """
        if isinstance(wanted, str):
            if wanted not in {"real", "off"}:
                raise ValueError(f"Limits are real, off or an object, not {wanted!r}.")
            wanted = dict.fromkeys(self.providers, wanted)
        chosen: dict[str, Limit | None] = {}
        for name, value in wanted.items():
            if name not in self.providers:
                raise ValueError(f"{name!r} is not a provider of the sandbox.")
            real = self.providers[name].limit
            if value == "real":
                chosen[name] = real
            elif value in (None, "off"):
                chosen[name] = None
            elif isinstance(value, Mapping):
                chosen[name] = Limit.of(value)
            else:
                raise ValueError(f"The limits of {name} are real, off or an object, not {value!r}.")
        for name, limit in chosen.items():
            self.limits.set(name, limit)

    def describe(self) -> dict[str, Any]:
        """Who exists, as JSON types."""
        world = self.world
        if self.kind == "fictional":
            note = NOTE
            companies = [{"ticker": c.ticker, "cik": c.cik, "name": c.name} for c in world.all]
            watchlist, indices = list(world.watchlist), list(world.indices)
        else:
            note = "Recorded data: filings and answers as their publishers gave them."
            companies, watchlist, indices = [], [], []
        watchlist = watchlist if self.watchlist is None else self.watchlist
        return {
            "world": self.kind,
            "seed": world.seed,
            "today": world.today.isoformat(),
            "note": note,
            "watchlist": watchlist,
            "active": watchlist[: min(100, (len(watchlist) + 1) // 2)],
            "indices": indices,
            "companies": companies if self.universe is None else self.universe,
        }


class Application:
    """The ASGI callable; ``wires`` maps an open connection to its transport, for the faults below HTTP."""

    def __init__(self, sandbox: Sandbox, admin: Sequence[Route] = ()) -> None:
        self.sandbox = sandbox
        self.wires: dict[tuple[str, int], Wire] = {}
        self._admin = list(admin)
        self._rooted = [(path, p) for p in sandbox.providers.values() for path in p.root_paths]
        self._mark = (b"x-sandbox", sandbox.kind.encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            return

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), self._mark]
            await send(message)

        path: str = scope["path"]
        head = path.split("/", 2)[1] if path.startswith("/") else ""
        if head == "_sandbox":
            await self._own(scope, receive, marked)
        elif (provider := self.sandbox.providers.get(head)) is not None:
            if path == f"/{head}":
                scope = {**scope, "path": f"{path}/"}
            await self._provide(provider, {**scope, "root_path": f"/{head}"}, receive, marked)
        else:
            for prefix, rooted in self._rooted:
                if path.startswith(prefix):
                    await self._provide(rooted, dict(scope), receive, marked)
                    return
            names = ", ".join(f"/{name}" for name in self.sandbox.providers)
            answer = PlainTextResponse(f"The sandbox serves {names} and /_sandbox/health.\n", 404)
            await answer(scope, receive, marked)

    async def _own(self, scope: Scope, receive: Receive, send: Send) -> None:
        route, found = _route(self._admin, scope)
        if route is None:
            await PlainTextResponse("The sandbox has no such switch.\n", 404)(scope, receive, send)
        else:
            await route.handle({**scope, **found}, receive, send)

    async def _provide(self, provider: Provider, scope: Scope, receive: Receive, send: Send) -> None:
        sandbox = self.sandbox
        route, found = _route(provider.routes, scope)
        endpoint = route.name if route is not None else "other"
        scope.update(found)
        client = tuple(scope.get("client") or ("", 0))
        query = scope["query_string"].decode("latin-1")
        url = f"{scope['path']}?{query}" if query else scope["path"]
        meters = sandbox.stats.arrive(provider.name, endpoint, url, sandbox.clock.monotonic(), client)
        told = False

        def tell(status: str) -> None:
            nonlocal told
            if not told:
                told = True
                for meter in meters:
                    meter.statuses[status] += 1

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start" and rule is None:
                tell(str(message["status"]))
            await send(message)

        async def proper(out: Send) -> None:
            await self._answer(provider, route, scope, receive, out)

        delay, rule = sandbox.faults.pick(provider.name, endpoint, url)
        if delay:
            await asyncio.sleep(delay)
        if rule is None:
            await proper(counted)
            tell("disconnected")
            return
        status = ""

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        for meter in meters:
            meter.faults += 1
        call = Call(
            send=observed,
            receive=receive,
            wire=self.wires.get(client),
            proper=proper,
            limited=lambda: provider.refuse(rule.params.get("window", "second"), Request(scope)),
            blocked=lambda: provider.refuse("block", Request(scope)),
        )
        word: str | None = rule.kind
        try:
            word = await act(rule, call)
        finally:
            tell(word or status)

    async def _answer(
        self, provider: Provider, route: Route | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """What the provider says when no fault strikes: a refusal by limit, or the answer."""
        started = False

        async def noted(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        request = Request(scope, receive)
        try:
            self.sandbox.follow_the_clock()
            refused = self.sandbox.limits.check(provider.name, provider.account(request), provider.symbol(request))
            if refused is not None:
                await provider.refuse(refused, request)(scope, receive, noted)
            elif route is None:
                await provider.not_found(request)(scope, receive, noted)
            elif changes := self.sandbox.happenings.changes(provider.name, route.name):
                await answer_drifted(route.handle, changes, scope, receive, noted)
            else:
                await route.handle(scope, receive, noted)
        except Exception:  # noqa: BLE001 - a server answers 500 and goes on
            traceback.print_exc(file=sys.stderr)
            if not started:
                await PlainTextResponse("The sandbox failed; its log says why.\n", 500)(scope, receive, send)


def _route(routes: Sequence[Route], scope: Scope) -> tuple[Route | None, Scope]:
    """The first route that fits path and method, else one that fits the path, with what it adds to the scope."""
    partial: tuple[Route | None, Scope] = (None, {})
    for route in routes:
        match, found = route.matches(scope)
        if match is Match.FULL:
            return route, dict(found)
        if match is Match.PARTIAL and partial[0] is None:
            partial = (route, dict(found))
    return partial


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def build(
    *,
    kind: str = "fictional",
    seed: int = 7,
    companies: int = 12,
    today: dt.date | None = None,
    corpus: Path | None = None,
    limits: Mapping[str, Any] | str = "off",
    providers: Sequence[str] = PROVIDERS,
) -> Sandbox:
    """Put a sandbox together: the world, then every provider over it."""
    sandbox = Sandbox(world=World(seed, companies, today), kind=kind, corpus=corpus)
    sandbox.load(providers)
    sandbox.set_limits(limits)
    return sandbox
