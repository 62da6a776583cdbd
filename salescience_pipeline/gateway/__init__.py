"""The HTTP API over ledger and lake: FastAPI, without Dagster, stateless, many organisations.

``app`` is what ``uvicorn salescience_pipeline.gateway:app`` serves, made from the environment when it is first asked for;
``app.create_app`` makes one from settings. What does not belong here: fetching (runs do it) and anything of Dagster.
"""

from __future__ import annotations

from typing import Any

__all__ = ["app"]


def __getattr__(name: str) -> Any:
    if name != "app":
        raise AttributeError(name)
    from salescience_pipeline.gateway.app import create_app  # noqa: PLC0415 - importing the room reads no environment
    from salescience_pipeline.settings import Settings  # noqa: PLC0415

    made = create_app(Settings())
    globals()["app"] = made
    return made
