"""A service behind the gateway that answers as the test tells it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from salescience_pipeline.settings import Settings


@dataclass
class Scripted:
    """A service that answers with the statuses it is told, then with 200; it keeps what reached it."""

    statuses: list[int] = field(default_factory=list)
    seen: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    looks: int = 0
    """Requests of the health monitor, which are answered well and not kept."""
    hold: float = 0.0
    at_once: int = 0
    most: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        if request.url.path == "/health":
            self.looks += 1
            await JSONResponse({"status": "healthy"})(scope, receive, send)
            return
        self.seen.append((request.method, str(request.url.path), dict(request.headers), await request.body()))
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(self.hold)
        self.at_once -= 1
        status = self.statuses.pop(0) if self.statuses else 200
        answer: Response = JSONResponse({"ok": True}, status_code=status, headers={"set-cookie": "a=b", "etag": '"x"'})
        if status == 302:
            answer = RedirectResponse("http://169.254.169.254/latest/meta-data", status_code=302)
        await answer(scope, receive, send)


def quick_settings(tmp_path: Path, **more: Any) -> Settings:
    """Settings of a gateway that loses no time between attempts and looks at its services once."""
    quick = {"upstream_retry_seconds": 0.01, "health_seconds": 3_600.0}
    return Settings(home=tmp_path / "home", **{**quick, **more})
