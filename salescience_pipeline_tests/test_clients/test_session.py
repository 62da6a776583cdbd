"""Yahoo's cookie and crumb: fetched once, shared, renewed once, through the gate, and never stored."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from salescience_pipeline.clients import yahoo
from salescience_pipeline.clients.errors import AuthFailed, RateLimited
from salescience_pipeline.clients.model import Answer, AnswerClass
from salescience_pipeline.clients.pool import Failed
from salescience_pipeline.identifiers import Ticker
from salescience_pipeline_tests.test_clients.conftest import Rig
from salescience_pipeline_tests.test_clients.wire_server import Asked, Say

MakeRig = Callable[..., Rig]
PROFILE = json.dumps({"quoteSummary": {"result": [{"price": {}}], "error": None}}).encode()
INVALID = json.dumps({"finance": {"result": None, "error": {"code": "Unauthorized", "description": "Invalid Crumb"}}})
TICKERS = [Ticker(f"T{number}") for number in range(12)]


class Yahoo:
    """Takes only the newest crumb, with the cookie it was made for."""

    def __init__(self) -> None:
        self.given = 0
        self.good = 0

    def __call__(self, asked: Asked, _before: int) -> Say:
        if asked.path == "/yahoo/":
            return Say(404, b"<html></html>", "text/html", {"Set-Cookie": "A3=d=abc&S=def; Path=/; HttpOnly"})
        if asked.path == "/yahoo/v1/test/getcrumb":
            assert asked.headers["Cookie"] == "A3=d=abc&S=def"
            self.given += 1
            return Say(body=f"crumb/{self.given:06}".encode(), media_type="text/plain;charset=utf-8")
        if asked.params.get("crumb") == f"crumb/{self.given:06}" and self.given >= self.good:
            assert asked.headers["Cookie"] == "A3=d=abc&S=def"
            return Say(body=PROFILE)
        return Say(401, INVALID.encode())


def test_one_session_serves_all_threads(rig: MakeRig) -> None:
    one = rig(Yahoo())
    outcomes = list(one.transport.send_all(map(yahoo.profile, TICKERS)))
    assert all(isinstance(outcome, Answer) for outcome in outcomes)
    assert (one.server.count("/yahoo/"), one.server.count("/yahoo/v1/test/getcrumb")) == (1, 1)
    assert len(one.server.asked) == len(TICKERS) + 2 == len(one.gate.acquired) == len(one.store.attempts)
    assert all("Mozilla" in asked.headers["User-Agent"] for asked in one.server.asked)


def test_session_answers_are_audited_without_their_bodies(rig: MakeRig) -> None:
    one = rig(Yahoo())
    one.transport.send(yahoo.profile(TICKERS[0]))
    cookie, crumb, profile = one.store.attempts
    assert [kept.request.endpoint for kept in one.store.attempts] == ["cookie", "crumb", "profile"]
    assert (cookie.body, crumb.body, crumb.complete) == (None, None, False)
    assert "crumb" not in profile.request.canonical_url
    assert set(one.store.bodies.values()) == {PROFILE}


def test_a_stale_crumb_is_renewed_once(rig: MakeRig) -> None:
    provider = Yahoo()
    one = rig(provider)
    one.transport.send(yahoo.profile(TICKERS[0]))
    provider.given += 1
    answer = one.transport.send(yahoo.profile(TICKERS[1]))
    assert (answer.answer_class, answer.attempts) == (AnswerClass.OK, 2)
    assert one.server.count("/yahoo/v1/test/getcrumb") == 2
    assert sum(one.clock.slept) == 0


def test_a_session_that_never_works_is_renewed_once_and_given_up(rig: MakeRig) -> None:
    provider = Yahoo()
    provider.good = 1000
    one = rig(provider)
    with pytest.raises(AuthFailed, match="does not accept our credentials"):
        one.transport.send(yahoo.profile(TICKERS[0]))
    assert one.server.count("/yahoo/v1/test/getcrumb") == 2
    with pytest.raises(AuthFailed):
        one.transport.send(yahoo.profile(TICKERS[1]))
    assert one.server.count("/yahoo/v1/test/getcrumb") == 2
    assert one.server.count("/yahoo/v10/finance/quoteSummary/T1") == 0


def test_charts_need_no_session(rig: MakeRig) -> None:
    import datetime as dt

    bars = {"chart": {"result": [{"meta": {}, "timestamp": [1], "indicators": {}}], "error": None}}
    one = rig(lambda _asked, _before: Say(body=json.dumps(bars).encode()))
    one.transport.send(yahoo.chart(TICKERS[0], dt.date(2026, 11, 2), dt.date(2026, 11, 20)))
    assert [asked.path for asked in one.server.asked] == ["/yahoo/v8/finance/chart/T0"]


def test_a_session_that_cannot_be_had_is_not_hammered(rig: MakeRig) -> None:
    def script(asked: Asked, _before: int) -> Say:
        if asked.path == "/yahoo/":
            return Say(404, b"", "text/html", {"Set-Cookie": "A3=abc"})
        return Say(200, b"Too Many Requests", "text/plain")

    one = rig(script)
    outcomes = list(one.transport.send_all(map(yahoo.profile, TICKERS)))
    assert [type(outcome.error) for outcome in outcomes if isinstance(outcome, Failed)] == [RateLimited] * len(TICKERS)
    assert one.server.count("/yahoo/v1/test/getcrumb") == 3
