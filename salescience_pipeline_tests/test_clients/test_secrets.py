"""No secret anywhere: every provider through every way to fail, then a search of everything that was written."""

from __future__ import annotations

import datetime as dt
import io
import json
import logging
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from pydantic import SecretStr

from salescience_pipeline.catalog.indicators import INDICATORS
from salescience_pipeline.clients import alphavantage, edgar_api, finnhub, polygon, tiingo, yahoo
from salescience_pipeline.clients.errors import ProviderError
from salescience_pipeline.clients.model import PlannedRequest, RawRef, Subject
from salescience_pipeline.clients.pool import Failed
from salescience_pipeline.clients.retry import RetryRule
from salescience_pipeline.clients.transport import Timeouts
from salescience_pipeline.identifiers import Cik, Ticker
from salescience_pipeline.lake.archive import Archive
from salescience_pipeline_tests.test_clients.conftest import Rig
from salescience_pipeline_tests.test_clients.wire_server import Asked, Say, make_transport

CANARY = "CANARY-4f1c9e7a22"
COOKIE, CRUMB = "d=COOKIE&S=CANARY-5500", "CRUMB/CANARY.77"
SECRETS = (CANARY, COOKIE, CRUMB)
TICKER = Ticker("ALDRN")


def _requests() -> dict[str, PlannedRequest]:
    cik = Cik("9900001")
    return {
        "sec": edgar_api.company_facts(cik, Subject("ALDRN", ticker=TICKER, cik=cik)),
        "tiingo": tiingo.eod_range(TICKER, dt.date(2026, 11, 2), dt.date(2026, 11, 20)),
        "yahoo": yahoo.profile(TICKER),
        "finnhub": finnhub.metric(TICKER),
        "polygon": polygon.news(dt.date(2026, 11, 20), dt.date(2026, 11, 20)),
        "alphavantage": alphavantage.indicator(TICKER, INDICATORS["SMA"]),
    }


def _echo(asked: Asked) -> bytes:
    """A body that repeats everything that was sent, as some providers do with the key."""
    return json.dumps({"detail": f"you sent {asked.headers} and {asked.params}", "padding": "x" * 70_000}).encode()


WAYS: dict[str, Callable[[Asked], Say]] = {
    "ok": lambda asked: Say(body=json.dumps([{"echo": str(asked.headers)}]).encode()),
    "ok with an echo": lambda asked: Say(body=_echo(asked)),
    "large echo": lambda asked: Say(body=_echo(asked) * 80, media_type="text/plain"),
    "400": lambda asked: Say(400, _echo(asked)),
    "401": lambda asked: Say(401, _echo(asked)),
    "403": lambda asked: Say(403, _echo(asked)),
    "404": lambda asked: Say(404, _echo(asked), "text/plain"),
    "429": lambda asked: Say(429, _echo(asked), headers={"Retry-After": "1"}),
    "500": lambda asked: Say(500, _echo(asked)),
    "redirect": lambda asked: Say(302, _echo(asked), headers={"Location": f"/login?token={CANARY}&crumb={CRUMB}"}),
    "cut": lambda asked: Say(body=_echo(asked), cut_at=500),
    "cut error": lambda asked: Say(500, _echo(asked), cut_at=5000),
    "timeout": lambda asked: Say(body=_echo(asked), drip=0.05),
    "reset": lambda _asked: Say(reset=True),
    "bad header": lambda asked: Say(headers={"ETag": f'"{CANARY}"', "Set-Cookie": f"x={CANARY}"}, body=_echo(asked)),
}


@pytest.fixture
def everything_logged() -> Iterator[io.StringIO]:
    """All log records of the process, at the finest level, with tracebacks."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.mark.parametrize("way", [*WAYS, "no connection"])
@pytest.mark.parametrize("provider", ["sec", "tiingo", "yahoo", "finnhub", "polygon", "alphavantage"])
def test_threat_6_the_canary_is_nowhere(
    rig: Callable[..., Rig], tmp_path: Path, everything_logged: io.StringIO, provider: str, way: str
) -> None:
    def script(asked: Asked, _before: int) -> Say:
        if asked.path == "/yahoo/":
            return Say(404, b"<html></html>", "text/html", {"Set-Cookie": f"A3={COOKIE}; Path=/; Secure"})
        if asked.path.endswith("getcrumb"):
            return Say(body=CRUMB.encode(), media_type="text/plain")
        return WAYS[way](asked)

    one = rig(script)
    request = _requests()[provider]
    lake = tmp_path / "lake"
    shown = io.StringIO()
    if way == "no connection":
        one.server.close()
        one.server.close = lambda: None  # type: ignore[method-assign]
    with (
        Archive(lake) as archive,
        make_transport(
            one.server.origin,
            one.gate,
            archive,
            one.clock,
            credentials={
                "sec": SecretStr(f"Company {CANARY}"),
                **dict.fromkeys(("tiingo", "finnhub", "polygon", "alphavantage"), SecretStr(CANARY)),
            },
            retry=RetryRule(attempts=2),
            timeouts=Timeouts(connect=1.0, read=0.5, total=0.3),
            spool_dir=tmp_path / "spool",
            spool_above=100_000,
        ) as transport,
    ):
        try:
            answer = transport.send(request)
            shown.write(f"{answer!r} {answer.headers} {answer.body.read()!r}")
        except ProviderError as error:
            shown.write("".join(traceback.format_exception(error)) + repr(error) + repr(vars(error)))
        for outcome in transport.send_all([request]):
            shown.write(repr(outcome))
            if isinstance(outcome, Failed):
                shown.write("".join(traceback.format_exception(outcome.error)))
        asked = [asked for asked in one.server.asked if _carries_a_secret(f"{asked.headers} {asked.params}")]
        assert asked or way == "no connection", "the canary never left, so this proves nothing"
        rows = list(archive.audit.answers())
        assert rows
        shown.write(repr(rows) + repr(one.gate.reported))
        for row in archive.audit.bodies():
            shown.write(repr(archive.open(RawRef(row.sha256, row.size, row.path)).read()))
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert written, "nothing was archived, so this proves nothing"
    for path in written:
        assert not _carries_a_secret(path.read_bytes().decode("latin-1")), path
    assert not _carries_a_secret(shown.getvalue())
    assert not _carries_a_secret(everything_logged.getvalue())


def _carries_a_secret(text: str) -> bool:
    return any(spelled in text for secret in SECRETS for spelled in (secret, quote(secret, safe="")))


def test_addresses_logged_by_the_http_library_carry_no_key(
    rig: Callable[..., Rig], everything_logged: io.StringIO
) -> None:
    def script(asked: Asked, _before: int) -> Say:
        if asked.path == "/yahoo/":
            return Say(404, b"", "text/html", {"Set-Cookie": f"A3={COOKIE}"})
        return Say(body=CRUMB.encode(), media_type="text/plain") if "crumb" in asked.path else Say(500, b"{}")

    one = rig(script, retry=RetryRule(attempts=1))
    with pytest.raises(ProviderError):
        one.transport.send(yahoo.profile(TICKER))
    assert one.server.asked[-1].params["crumb"] == CRUMB
    assert "crumb=[secret]" in everything_logged.getvalue()
    assert CRUMB not in everything_logged.getvalue()
