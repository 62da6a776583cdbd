"""A gateway on loopback for a test: real uvicorn in a thread, and an httpx client that talks to it."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn
from starlette.types import ASGIApp

from salescience_pipeline.gateway.app import create_app
from salescience_pipeline.gateway.connections import PatientProtocol
from salescience_pipeline.settings import Settings


@contextmanager
def served(app: ASGIApp, http: type[asyncio.Protocol] = PatientProtocol) -> Iterator[str]:
    """The origin of ``app``, served until the block ends, as ``salescience gateway`` serves it."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, http=http, log_level="warning", access_log=False, ws="none", proxy_headers=False,
        timeout_graceful_shutdown=2,
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server ended while it was starting"
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        listening.close()


@contextmanager
def gateway(settings: Settings, key: str | None = None) -> Iterator[httpx.Client]:
    """A client of a gateway of its own."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with served(create_app(settings)) as url, httpx.Client(base_url=url, headers=headers, timeout=30) as client:
        yield client
