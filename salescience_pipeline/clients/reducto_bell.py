"""Reducto's webhooks: a small listener that wakes those who wait for a job.

The API does not sign what it posts to an address of one's own, so a message is a hint and nothing more: whoever was
told looks at the job, over the way that carries the key. The path holds a secret, so that nobody else rings. A message
that is lost costs time and no job, because waiting goes on looking now and then. What does not belong here: asking for
the job (``reducto``).
"""

from __future__ import annotations

import json
import secrets
import threading
from collections import OrderedDict
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_BODY_MAX = 65_536
_KEPT = 10_000
_SECONDS_PER_MESSAGE = 10


class Bell:
    """Takes webhooks on a port of this machine; safe for threads. Use as a context manager, or :meth:`close` it."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0, *, public_url: str = "") -> None:
        """Listen.

        Args:
            host: Address to bind.
            port: Port to bind; 0 takes a free one.
            public_url: Under which address the API reaches this port; by default the one that is bound, which suits an API on
                the same machine.

        Raises:
            OSError: when the port is taken.
        """
        self._path = f"/reducto/{secrets.token_urlsafe(24)}"
        self._told: OrderedDict[str, None] = OrderedDict()
        self._changed = threading.Condition()
        self._server = ThreadingHTTPServer((host, port), self._handler())
        self._server.daemon_threads = True
        bound = f"http://{host}:{self._server.server_address[1]}"
        self.address = (public_url.rstrip("/") or bound) + self._path
        """What the API has to be given."""
        threading.Thread(target=self._server.serve_forever, args=(0.1,), name="reducto-webhooks", daemon=True).start()

    def __enter__(self) -> Bell:
        """The bell itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening."""
        self.close()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def wait(self, job_id: str, seconds: float) -> bool:
        """Wait until a message about a job has come, or for ``seconds``; whether one has come since it was last asked for."""
        with self._changed:
            told = self._changed.wait_for(lambda: job_id in self._told, seconds)
            self._told.pop(job_id, None)
            return told

    def ring(self, message: Mapping[str, Any]) -> None:
        """Take one message; one without a job is left alone."""
        job_id = message.get("job_id")
        if isinstance(job_id, str):
            with self._changed:
                self._told[job_id] = None
                # Jobs that nobody here waits for, for instance those of an earlier process, are forgotten in time.
                while len(self._told) > _KEPT:
                    self._told.popitem(last=False)
                self._changed.notify_all()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        bell = self

        class Handler(BaseHTTPRequestHandler):
            timeout = _SECONDS_PER_MESSAGE

            def do_POST(self) -> None:
                status = 404
                if secrets.compare_digest(self.path.encode(), bell._path.encode()):
                    status = 200 if self._taken() else 400
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def _taken(self) -> bool:
                length = self.headers.get("Content-Length", "")
                if not length.isdecimal() or int(length) > _BODY_MAX:
                    return False
                try:
                    message = json.loads(self.rfile.read(int(length)))
                except ValueError:
                    return False
                if isinstance(message, dict):
                    bell.ring(message)
                return isinstance(message, dict)

            def log_message(self, *_: object) -> None:
                """The address is a secret: nothing of a request goes to standard error."""

        return Handler
