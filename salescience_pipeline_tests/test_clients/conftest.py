"""Fixtures of the clients' tests: a scripted server, an open gate, an archive in memory, a clock that only sleep moves."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator

import pytest

from salescience_pipeline.clients.transport import Transport
from salescience_pipeline_tests.clocks import Clock
from salescience_pipeline_tests.test_clients.wire_server import MemoryStore, OpenGate, Script, Server, make_transport


class Rig:
    """A transport with everything around it."""

    def __init__(self, script: Script, **options: object) -> None:
        self.server = Server(script)
        self.gate, self.store, self.clock = (
            OpenGate(),
            MemoryStore(),
            Clock(dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)),
        )
        self._transports: list[Transport] = []
        self.transport = self.another(**options)

    def another(self, **options: object) -> Transport:
        """One more transport on the same server, gate, archive and clock."""
        transport = make_transport(self.server.origin, self.gate, self.store, self.clock, **options)
        self._transports.append(transport)
        return transport

    def close(self) -> None:
        for transport in self._transports:
            transport.close()
        self.server.close()


@pytest.fixture
def rig() -> Iterator[Callable[..., Rig]]:
    """Make rigs; all are closed at the end."""
    made: list[Rig] = []

    def make(script: Script, **options: object) -> Rig:
        made.append(Rig(script, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()
