"""Alerts: the lines that figures cross, one incident however often they do, and one message each way."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from pathlib import Path

import pytest

from salescience_pipeline.gateway.alerting import Limits, Seen, Watch, judge, slowest
from salescience_pipeline.gateway.app import create_app
from salescience_pipeline.gateway.observing import BUCKETS
from salescience_pipeline.gateway.operations import exposition
from salescience_pipeline.gateway.state import State
from salescience_pipeline.gateway.upstreams import Upstreams
from salescience_pipeline.ledger import Ledger
from salescience_pipeline.ledger.alerts import QUIET, Alerts
from salescience_pipeline.ledger.job_rules import SourceStatus
from salescience_pipeline.settings import Settings
from salescience_pipeline_tests.clocks import Clock
from salescience_pipeline_tests.test_gateway.conftest import ACME
from salescience_pipeline_tests.test_gateway.receiver import receiving
from salescience_pipeline_tests.test_gateway.test_source_rows import _ended

WELL = Seen(ended=100, failed=10, requests=100, slowest_seconds=1.0, heartbeat_age=60.0, away=())


@pytest.mark.parametrize(
    ("seen", "names"),
    [
        (WELL, set()),
        (Seen(100, 11, 100, 1.0, None, ()), {"jobs-fail"}),
        (Seen(9, 9, 0, 0.0, None, ()), set()),
        (Seen(0, 0, 20, 2.5, None, ()), {"slow"}),
        (Seen(0, 0, 19, 10.0, None, ()), set()),
        (Seen(0, 0, 0, 0.0, 61.0, ("polygon", "research")), {"run-silent", "away:polygon", "away:research"}),
    ],
)
def test_001_28_failure_rate_and_latency_have_their_lines(seen: Seen, names: set[str]) -> None:
    wrong = judge(seen, Limits())
    assert set(wrong) == names
    assert all(sentence.endswith(".") for sentence in wrong.values())


def test_001_28_the_95th_percentile_is_the_bound_of_its_bucket() -> None:
    counts = dict.fromkeys((*BUCKETS, float("inf")), 0)
    assert slowest(list(counts.values())) == 0.0
    counts |= {0.1: 95, 2.5: 5}
    assert slowest(list(counts.values())) == 0.1
    counts |= {0.1: 94, 2.5: 6}
    assert slowest(list(counts.values())) == 2.5


def test_001_28_what_comes_and_goes_is_one_incident_and_told_once_each_way(tmp_path: Path) -> None:
    clock = Clock()
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        alerts = Alerts(ledger.engine, clock=clock)
        (begun,) = alerts.see({"slow": "It is slow."})
        # Nobody was told yet: it comes again, as the same one.
        assert alerts.see({"slow": "It is slow."}) == [begun]
        alerts.told(begun)
        for _ in range(10):
            clock.now += QUIET - dt.timedelta(seconds=1)
            assert alerts.see({}) == []
            assert alerts.see({"slow": "It is slow."}) == []
        assert [incident.name for incident in alerts.open()] == ["slow"]
        clock.now += QUIET
        (over,) = alerts.see({})
        assert (over.began_at, over.over_at) == (begun.began_at, clock.now)
        alerts.told(over)
        assert alerts.see({}) == alerts.open() == []
        (again,) = alerts.see({"slow": "It is slow."})
        assert again.began_at > begun.began_at


@pytest.fixture
def failing(tmp_path: Path) -> Settings:
    """A ledger in which half of the last jobs failed."""
    settings = Settings(home=tmp_path)
    settings.root.mkdir(parents=True)
    with Ledger.open(settings.ledger_url) as ledger:
        ledger.organizations.ensure(ACME)
        for number in range(10):
            _ended(ledger, number, SourceStatus.FAILED if number % 2 else SourceStatus.SKIPPED)
    return settings


def test_001_28_a_failing_hour_is_one_row_and_one_message(failing: Settings) -> None:
    with receiving() as receiver:
        receiver.answers.extend([503, 204])
        settings = failing.model_copy(update={"alert_url": Settings(alert_url=f"{receiver.url}/hook").alert_url})
        app, other = create_app(settings), create_app(settings)
        for _ in range(3):
            asyncio.run(app.state.monitor.tick())
            # Another gateway over the same database sees the same, and tells nobody.
            asyncio.run(other.state.monitor.tick())
        state: State = app.state.gateway
        assert [incident.name for incident in state.ledger.alerts.open()] == ["jobs-fail"]
        assert 'salescience_alert{alert="jobs-fail"} 1\n' in "".join(exposition(state))
        for one in (app, other):
            one.state.gateway.close()
    # The first was not taken (503), so it went out again, and then never more.
    assert len(receiver.came) == 2
    payload = receiver.came[-1].payload
    assert payload["text"] == "[firing] 5 of the 10 jobs that ended in the last hour failed."
    assert (payload["alert"], payload["status"], payload["over_at"]) == ("jobs-fail", "firing", None)
    assert payload["began_at"].endswith("Z")


def test_001_28_the_address_stands_in_no_log(failing: Settings, caplog: pytest.LogCaptureFixture) -> None:
    nobody = Settings(alert_url="http://127.0.0.1:9/hush-token")
    state = State(failing.model_copy(update={"alert_url": nobody.alert_url}))
    try:
        with caplog.at_level(logging.DEBUG):
            asyncio.run(Watch(state, Upstreams(state, {})).look())
        assert len(state.ledger.alerts.see({"jobs-fail": ""})) == 1, "it was not taken, so it is still to be told"
    finally:
        state.close()
    assert "could not be sent (ConnectError)" in caplog.text
    assert "hush-token" not in caplog.text + repr(nobody)
