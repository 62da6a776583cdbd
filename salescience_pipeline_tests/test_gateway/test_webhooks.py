"""Signed webhooks: what ends is told, at least once, to public addresses only, and the log says how it went."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from salescience_pipeline.gateway.state import State
from salescience_pipeline.gateway.webhook_delivery import Deliverer
from salescience_pipeline.gateway.webhook_target import TargetRefused, target_of
from salescience_pipeline.ledger import Ledger
from salescience_pipeline.ledger.job_model import Outcome
from salescience_pipeline.ledger.job_rules import SourceStatus
from salescience_pipeline.ledger.webhook_rules import MAX_ATTEMPTS, signature, wait_after
from salescience_pipeline.ledger.webhooks import DEAD, DELIVERED, LEASE, OLD_SECRET_LASTS, PENDING, Webhooks
from salescience_pipeline.settings import Settings, SettingsError
from salescience_pipeline_tests.clocks import Clock, until
from salescience_pipeline_tests.test_gateway.conftest import ACME, OTHER, new_job, submit
from salescience_pipeline_tests.test_gateway.receiver import Receiver, receiving
from salescience_pipeline_tests.test_gateway.serving import gateway

_SAID = {"actor": "test", "request_id": "request-1"}
_ORG = {"organization_id": "acme"}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hooks(ledger: Ledger, clock: Clock) -> Webhooks:
    """The webhooks of a ledger on either database, by the test's clock."""
    return Webhooks(ledger.engine, clock=clock, dice=random.Random(7))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


def _make(hooks: Webhooks, url: str = "https://example.com/h", events: Sequence[str] = ()) -> tuple[str, str]:
    row, secret = hooks.create(ACME, url, events=events, description="", **_SAID)
    return row.webhook_id, secret


def _end(ledger: Ledger, job: Any, *statuses: SourceStatus) -> None:
    """Let a run work on all of a job's chunks, and bring its sources to an end."""
    for provider in ("sec", "yahoo"):
        assert ledger.dispatch.claim(f"{job.job_id}:{provider}:0:1", "run-1") is not None
    outcomes = [Outcome(source.key, status) for source, status in zip(job.sources, statuses, strict=True)]
    assert ledger.jobs.settle(ACME, job.job_id, "run-1", outcomes) == len(outcomes)


# -- the outbox -----------------------------------------------------------------------------------------------------
def test_003_40_the_signature_is_that_of_standard_webhooks() -> None:
    """The published example of the specification's own libraries."""
    made = signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_003_40_what_ends_is_told_once_to_those_who_asked(ledger: Ledger, hooks: Webhooks) -> None:
    everything, _ = _make(hooks)
    only_failures, _ = _make(hooks, events=["job.failed"])
    hooks.create(OTHER, "https://example.com/o", events=[], description="", **_SAID)
    good, bad, open_ = new_job(), new_job(), new_job()
    for job in (good, bad, open_):
        submit(ledger, job)
    _end(ledger, good, SourceStatus.SUCCESS, SourceStatus.SKIPPED)
    _end(ledger, bad, SourceStatus.FAILED, SourceStatus.FAILED)
    told = {hook: [row.event for row in hooks.deliveries(ACME, hook)] for hook in (everything, only_failures)}
    assert sorted(told[everything]) == ["job.complete", "job.failed"]
    assert told[only_failures] == ["job.failed"]
    (message,) = hooks.deliveries(ACME, only_failures)
    assert message.body["data"] == {
        "job_id": bad.job_id, "kind": "submit", "name": "submit", "request_id": "request-1", "status": "failed",
        "organization_id": "acme",
    }  # fmt: skip
    assert hooks.deliveries(OTHER, everything) == []
    ledger.jobs.cancel(ACME, open_.job_id, **_SAID)
    assert hooks.deliveries(ACME, everything)[0].event == "job.cancelled"


def test_003_40_a_message_of_a_killed_process_goes_out_again(hooks: Webhooks, clock: Clock) -> None:
    hook, secret = _make(hooks)
    message = hooks.test(ACME, hook)
    (first,) = hooks.claim(limit=10)
    assert (first.delivery_id, first.secrets, first.attempt) == (message, (secret,), 1)
    assert hooks.claim(limit=10) == []
    # The process that took it is never heard of again.
    clock.now += LEASE
    (second,) = hooks.claim(limit=10)
    assert (second.delivery_id, second.attempt) == (message, 2)
    # It was only slow: what it says now is not heard.
    assert hooks.settle(first, status_code=500, error="late", milliseconds=1) is None
    assert hooks.settle(second, status_code=204, error=None, milliseconds=1) == DELIVERED
    clock.now += dt.timedelta(days=1)
    assert hooks.claim(limit=10) == []


def test_003_40_a_slow_receiver_delays_no_other(hooks: Webhooks) -> None:
    slow, _ = _make(hooks)
    for _ in range(30):
        hooks.test(ACME, slow)
    quick, _ = _make(hooks)
    message = hooks.test(ACME, quick)
    assert message in [sending.delivery_id for sending in hooks.claim(limit=20)]


def test_003_40_waits_grow_and_end() -> None:
    waits = [wait_after(number, random.Random(7)) for number in range(1, MAX_ATTEMPTS)]
    seconds = [wait.total_seconds() for wait in waits if wait is not None]
    assert all(5 * 4**place <= wait <= 5.5 * 4**place for place, wait in enumerate(seconds))
    assert wait_after(MAX_ATTEMPTS, random.Random(7)) is None


def test_003_40_after_the_last_try_it_is_a_dead_letter_and_can_be_sent_again(
    ledger: Ledger, hooks: Webhooks, clock: Clock
) -> None:
    hook, _ = _make(hooks)
    message = str(hooks.test(ACME, hook))
    for number in range(1, MAX_ATTEMPTS + 1):
        (sending,) = hooks.claim(limit=10)
        status = hooks.settle(sending, status_code=503, error="The receiver answered with status 503.", milliseconds=2)
        assert status == (PENDING if number < MAX_ATTEMPTS else DEAD)
        clock.now += dt.timedelta(hours=6)
    assert hooks.claim(limit=10) == []
    found = hooks.delivery(ACME, message)
    assert found is not None
    assert [tried.status_code for tried in found[1]] == [503] * MAX_ATTEMPTS
    (letter,) = ledger.dead_letters.listed(ACME)
    assert (letter.kind, letter.origin, letter.reason) == ("webhook", f"webhook:{message}", found[0].error)
    assert ledger.dead_letters.listed(OTHER) == []
    assert hooks.redeliver(OTHER, message, **_SAID) is False
    assert hooks.redeliver(ACME, message, **_SAID)
    (again,) = hooks.claim(limit=10)
    assert (again.delivery_id, again.attempt) == (message, 1)


def test_003_40_both_secrets_sign_for_a_day_after_a_change(hooks: Webhooks, clock: Clock) -> None:
    hook, old = _make(hooks)
    new = hooks.rotate(ACME, hook, **_SAID)
    assert hooks.rotate(OTHER, hook, **_SAID) is None
    hooks.test(ACME, hook)
    assert hooks.claim(limit=1)[0].secrets == (new, old)
    clock.now += OLD_SECRET_LASTS
    assert hooks.claim(limit=1)[0].secrets == (new,)


def test_003_40_who_is_gone_hears_no_more(hooks: Webhooks) -> None:
    hook, _ = _make(hooks)
    for _ in range(2):
        hooks.test(ACME, hook)
    first, _second = hooks.claim(limit=2)
    assert hooks.settle(first, status_code=410, error="Gone.", milliseconds=1, gone=True) == DEAD
    row = hooks.get(ACME, hook)
    assert row is not None
    assert row.disabled_at is not None
    assert hooks.delete(OTHER, hook, **_SAID) is False
    assert hooks.delete(ACME, hook, **_SAID)
    assert (hooks.listed(ACME), hooks.deliveries(ACME, hook)) == ([], [])


# -- over the wire --------------------------------------------------------------------------------------------------


def test_003_40_a_gateway_delivers_signed_messages_and_keeps_the_log(tmp_path: Path, receiver: Receiver) -> None:
    settings = Settings(home=tmp_path, webhook_networks=["127.0.0.0/8"])
    receiver.answers += [(302, "http://169.254.169.254/latest"), 204]
    with gateway(settings) as client:
        made = client.post(
            "/webhooks", params=_ORG, json={"url": f"{receiver.url}/in?a=b", "events": ["job.cancelled"]}
        )
        assert made.status_code == 201, made.text
        hook = made.json()
        assert made.headers["Location"] == f"/webhooks/{hook['webhook_id']}"
        body = {"companies": [{"ticker": "AAPL"}], **_ORG}
        job = client.post("/submit", json=body).json()["job_ids"][0]
        client.delete(f"/jobs/{job}", params=_ORG)
        # The first answer was a redirect, which is an error like any other; the second try comes by itself.
        first, second = until(lambda: len(receiver.came) == 2 and receiver.came)
        assert (first.path, first.payload["data"]["job_id"]) == ("/in?a=b", job)
        assert first.body == second.body
        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        assert first.is_signed_with(hook["secret"])
        assert not first.is_signed_with("whsec_" + "A" * 44)
        path = f"/webhooks/{hook['webhook_id']}"
        (row,) = until(
            lambda: client.get(f"{path}/deliveries", params={**_ORG, "status": "delivered"}).json()["deliveries"]
        )
        log = client.get(f"/webhooks/deliveries/{row['delivery_id']}", params=_ORG).json()["log"]
        assert [tried["status_code"] for tried in log] == [302, 204]
        assert "redirects are not followed" in log[0]["error"]
        shown = client.get(path, params=_ORG)
        assert hook["secret"] not in shown.text + client.get("/webhooks", params=_ORG).text
        assert client.post(f"/webhooks/deliveries/{row['delivery_id']}/redeliver", params=_ORG).status_code == 202
        assert until(lambda: len(receiver.came) == 3 and receiver.came)[2].headers["webhook-id"] == row["delivery_id"]
        rotated = client.post(f"{path}/rotate", params=_ORG).json()["secret"]
        assert client.post(f"{path}/test", params=_ORG).status_code == 202
        test = until(lambda: len(receiver.came) == 4 and receiver.came)[3]
        assert test.payload["type"] == "webhook.test"
        assert test.is_signed_with(rotated)
        assert test.is_signed_with(hook["secret"])
        assert client.delete(path, params=_ORG).status_code == 204
        assert client.get(path, params=_ORG).status_code == 404
        for other in (path, f"{path}/deliveries", f"/webhooks/deliveries/{row['delivery_id']}"):
            assert client.get(other, params={"organization_id": "other"}).status_code == 404


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/x", "http://127.1/x", "http://0x7f000001/x", "http://2130706433/x", "http://0/x",
        "http://localhost:8100/x", "http://[::1]/x", "http://[::ffff:127.0.0.1]/x", "http://169.254.169.254/latest",
        "http://[fd00:ec2::254]/x", "http://[fec0::1]/x", "http://100.64.0.1/x", "http://10.0.0.1/x", "http://192.168.1.1/x",
        "http://[64:ff9b::7f00:1]/x", "http://[2002:7f00:1::]/x", "http://224.0.0.1/x", "http://[fe80::1]/x",
        "http://user:pass@example.com/x", "http://example.com:22/x", "ftp://example.com/x", "http://[3fff::1]/x",
        "http://192.88.99.1/x", "file:///etc/passwd",
        "https://example.com/x#frag", "https://exa mple.com/", "https:///nothing", "https://ex\u0430mple.com/",
        "https://example.com:99999/", "http://nobody.invalid/x",
    ],
)  # fmt: skip
def test_threat_3_a_webhook_leads_to_public_addresses_only(api: httpx.Client, url: str) -> None:
    refused = api.post("/webhooks", params=_ORG, json={"url": url})
    said = (refused.status_code, refused.json()["code"])
    assert said in ((403, "webhook_refused"), (422, "invalid_request")), refused.text
    assert api.get("/webhooks", params=_ORG).json()["webhooks"] == []


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A gateway whose operator has opened no network."""
    with gateway(Settings(home=tmp_path_factory.mktemp("api"))) as client:
        yield client


def test_threat_3_a_name_that_changes_its_mind_is_judged_at_every_try(tmp_path: Path, receiver: Receiver) -> None:
    port = int(receiver.url.rpartition(":")[2])
    url = f"http://hooks.example.com:{port}/in"
    answers = {"public": ["93.184.215.14"], "mixed": ["93.184.215.14", "127.0.0.1"], "private": ["127.0.0.1"]}
    assert target_of(url, https_only=False, resolver=lambda *_: answers["public"]).address == "93.184.215.14"
    for kind in ("mixed", "private"):
        with pytest.raises(TargetRefused, match="not a public one"):
            target_of(url, https_only=False, resolver=lambda *_, kind=kind: answers[kind])
    with pytest.raises(TargetRefused, match="https"):
        target_of(url, https_only=True, resolver=lambda *_: answers["public"])
    # What was made while the name was public is refused when it is not any more, and nothing is sent.
    state = State(Settings(home=tmp_path))
    hook, _ = _make(state.ledger.webhooks, url)
    message = str(state.ledger.webhooks.test(ACME, hook))
    _deliver(state, Deliverer(state, resolver=lambda *_: answers["private"]))
    found = state.ledger.webhooks.delivery(ACME, message)
    assert found is not None
    assert [(tried.status_code, tried.error) for tried in found[1]] == [
        (None, "The host of the webhook is not a public one.")
    ]
    assert receiver.came == []
    state.close()


def test_threat_3_the_connection_goes_to_the_address_that_was_judged(tmp_path: Path, receiver: Receiver) -> None:
    port = int(receiver.url.rpartition(":")[2])
    state = State(Settings(home=tmp_path, webhook_networks=["127.0.0.0/8"]))
    hook, _ = _make(state.ledger.webhooks, f"http://hooks.invalid:{port}/in")
    state.ledger.webhooks.test(ACME, hook)
    # No resolver but ours knows this name: were it resolved again, nothing would arrive.
    _deliver(state, Deliverer(state, resolver=lambda *_: ["127.0.0.1"]))
    assert receiver.came[0].headers["host"] == f"hooks.invalid:{port}"
    state.close()


def _deliver(state: State, deliverer: Deliverer) -> None:
    async def all_of_it() -> None:
        for sending in state.ledger.webhooks.claim(limit=10):
            await deliverer.deliver(sending)
        await deliverer.stop()

    asyncio.run(all_of_it())


def test_a_network_that_is_none_is_told_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="SALESCIENCE_WEBHOOK_NETWORKS"):
        Deliverer(State(Settings(home=tmp_path, webhook_networks=["10.0.0.1/8"])))
