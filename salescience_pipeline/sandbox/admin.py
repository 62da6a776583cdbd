"""The sandbox's own paths below ``/_sandbox``: health, counters, faults, limits, events of the world, leases.

They speak JSON, are not counted and never fail on purpose. What does not belong here: anything a provider would answer.

| path | does |
|---|---|
| GET health | says that the server is up, and its process id |
| GET stats[?paths&arrivals] | requests, statuses, connections, the worst sliding second: per provider and endpoint |
| POST reset [{"only": [...]}] | forgets counters, faults, use of limits, switches, events and sessions, or some of them |
| GET world; POST {"events": [...], "at": moment or null}; DELETE | who exists; what happened to them, see below |
| GET faults; POST a rule or a list; DELETE [?id=] | see :mod:`.faults` |
| GET limits; POST "real", "off" or {provider: "real", null or {figures}}; DELETE | see :mod:`.limits` |
| GET switches; POST {provider: {name: value}}; DELETE | what a provider's module lets be changed, see there |
| GET clock; POST {"advance": seconds} | time for limits and expiring sessions; the market's date stays |
| GET lease; POST {"pid": n}; DELETE {"pid": n} | processes for which a server started with --exit-with-leases runs |

Events of prices are ``{kind, ticker, date, value}`` with the kinds of ``world.PRICE_EVENTS`` (split, dividend, delisting,
recycled_ticker); the others are those of :mod:`.happenings`: moved earnings dates, late, corrected and doubled news, and
fields of answers that are renamed, removed, added or change their type. ``at`` is the moment of the market's date up to
which news and results are out and a quote is taken.
"""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from salescience_pipeline.fiction.happenings import KINDS, Happening
from salescience_pipeline.fiction.world import PriceEvent
from salescience_pipeline.sandbox.answers import dumps
from salescience_pipeline.sandbox.app import Sandbox
from salescience_pipeline.sandbox.faults import BadRule

_RESETS = ("stats", "faults", "limits", "switches", "events", "providers")


class _Refusal(ValueError):
    """A request to the sandbox itself that makes no sense."""


def _say(value: Any, status: int = 200) -> Response:
    return Response(dumps(value), status, media_type="application/json")


async def _body(request: Request) -> Any:
    raw = await request.body()
    if not raw:
        return {}
    try:
        return json.loads(raw)
    except ValueError as error:
        raise _Refusal(f"The body is not JSON: {error}.") from error


def _object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _Refusal("The body must be a JSON object.")
    return value


def _event(spec: Any) -> PriceEvent:
    spec = _object(spec)
    try:
        return PriceEvent(
            kind=str(spec["kind"]),
            ticker=str(spec["ticker"]),
            date=dt.date.fromisoformat(str(spec["date"])),
            value=float(spec.get("value", 0.0)),
        )
    except KeyError as error:
        raise _Refusal(f"An event needs {error}.") from error


class _Admin:
    """The endpoints, over one sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    async def health(self, _: Request) -> Response:
        return _say({"status": "ok", "world": self.sandbox.kind, "pid": os.getpid()})

    async def stats(self, request: Request) -> Response:
        wanted = request.query_params
        return _say(self.sandbox.stats.report(paths="paths" in wanted, arrivals="arrivals" in wanted))

    async def reset(self, request: Request) -> Response:
        only = _object(await _body(request)).get("only", _RESETS)
        unknown = [name for name in only if name not in _RESETS]
        if unknown:
            raise _Refusal(f"There is no {unknown[0]!r} to reset: use {', '.join(_RESETS)}.")
        sandbox = self.sandbox
        if "stats" in only:
            sandbox.stats.reset()
        if "faults" in only:
            sandbox.faults.clear()
        if "limits" in only:
            sandbox.limits.reset()
        if "switches" in only:
            sandbox.switches.clear()
        if "events" in only:
            self._nothing_happened()
        if "providers" in only:
            for provider in sandbox.providers.values():
                provider.reset()
        return _say({"reset": list(only)})

    async def world(self, request: Request) -> Response:
        sandbox, world = self.sandbox, self.sandbox.world
        if request.method == "DELETE":
            self._nothing_happened()
        elif request.method == "POST":
            body = _object(await _body(request))
            for event in [self._understood(spec) for spec in body.get("events", ())]:
                if isinstance(event, PriceEvent):
                    world.add_event(event)
                else:
                    sandbox.happenings.add(event)
            if "at" in body:
                sandbox.set_moment(body["at"])
        events: list[dict[str, Any]] = [
            {"kind": e.kind, "ticker": e.ticker, "date": e.date.isoformat(), "value": e.value} for e in world.events
        ]
        events += [happening.report() for happening in sandbox.happenings.all]
        at = None if sandbox.at is None else sandbox.at.isoformat()
        return _say(sandbox.describe() | {"events": events, "at": at})

    def _understood(self, spec: Any) -> PriceEvent | Happening:
        spec = _object(spec)
        return self.sandbox.understand(spec) if spec.get("kind") in KINDS else _event(spec)

    def _nothing_happened(self) -> None:
        self.sandbox.world.clear_events()
        self.sandbox.happenings.clear()
        self.sandbox.set_moment(None)

    async def faults(self, request: Request) -> Response:
        faults = self.sandbox.faults
        if request.method == "DELETE":
            wanted = request.query_params.get("id")
            faults.clear(int(wanted) if wanted else None)
        elif request.method == "POST":
            body = await _body(request)
            rules = [faults.add(_object(spec)) for spec in (body if isinstance(body, list) else [body])]
            return _say({"faults": [rule.report() for rule in rules]}, 201)
        return _say({"faults": faults.report()})

    async def limits(self, request: Request) -> Response:
        if request.method == "POST":
            body = await _body(request)
            self.sandbox.set_limits(body if isinstance(body, str) else _object(body))
        elif request.method == "DELETE":
            self.sandbox.set_limits("off")
        return _say({"limits": self.sandbox.limits.report()})

    async def switches(self, request: Request) -> Response:
        switches = self.sandbox.switches
        if request.method == "DELETE":
            switches.clear()
        elif request.method == "POST":
            for name, values in _object(await _body(request)).items():
                if name not in self.sandbox.providers:
                    raise _Refusal(f"{name!r} is not a provider of the sandbox.")
                switches.setdefault(name, {}).update(_object(values))
        return _say({"switches": switches})

    async def clock(self, request: Request) -> Response:
        clock = self.sandbox.clock
        if request.method == "POST":
            clock.advance(float(_object(await _body(request)).get("advance", 0)))
        return _say({"now": clock.now().isoformat(), "monotonic": clock.monotonic(), "ahead": clock.offset})

    async def lease(self, request: Request) -> Response:
        leases = self.sandbox.leases
        if request.method != "GET":
            pid = _object(await _body(request)).get("pid")
            if isinstance(pid, bool) or not isinstance(pid, int) or pid <= 0:
                raise _Refusal(f"A lease names a process by its id, not {pid!r}.")
            (leases.add if request.method == "POST" else leases.discard)(pid)
        return _say({"leases": sorted(leases)})


def _guarded(endpoint: Callable[[Request], Any]) -> Callable[[Request], Any]:
    """Turn what the caller got wrong into a 400 with one sentence."""

    async def answer(request: Request) -> Response:
        try:
            response: Response = await endpoint(request)
        except (BadRule, ValueError, TypeError) as error:
            return _say({"error": str(error)}, 400)
        return response

    return answer


def routes(sandbox: Sandbox) -> list[Route]:
    """The routes of one sandbox's switches."""
    admin = _Admin(sandbox)
    change = ["GET", "POST", "DELETE"]
    table: list[tuple[str, Callable[[Request], Any], list[str]]] = [
        ("health", admin.health, ["GET"]),
        ("stats", admin.stats, ["GET"]),
        ("reset", admin.reset, ["POST"]),
        ("world", admin.world, change),
        ("faults", admin.faults, change),
        ("limits", admin.limits, change),
        ("switches", admin.switches, change),
        ("clock", admin.clock, ["GET", "POST"]),
        ("lease", admin.lease, change),
    ]
    own = [
        Route(f"/_sandbox/{name}", _guarded(endpoint), methods=methods, name=name) for name, endpoint, methods in table
    ]
    return own + sandbox.admin
