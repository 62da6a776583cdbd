"""The transport against a real server that misbehaves: attempts, retries, completeness, caps, refusals."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from salescience_pipeline.clients import tiingo
from salescience_pipeline.clients.errors import (
    AuthFailed,
    Blocked,
    CircuitOpen,
    Contract,
    NotConfigured,
    NotEntitled,
    QuotaExhausted,
    RateLimited,
    TooLarge,
    Transient,
)
from salescience_pipeline.clients.model import AnswerClass, Attempt, PlannedRequest, RawRef, Subject
from salescience_pipeline.clients.retry import RetryRule
from salescience_pipeline.clients.transport import Timeouts
from salescience_pipeline.identifiers import Ticker
from salescience_pipeline_tests.test_clients.conftest import Rig
from salescience_pipeline_tests.test_clients.exchanges import (
    FACTS,
    FACTS_BODY,
    INDEX,
    INDEX_BODY,
    PAGE,
    PAGE_BODY,
    PRICES,
    always,
    first,
    page,
)
from salescience_pipeline_tests.test_clients.wire_server import Asked, Say, make_transport

MakeRig = Callable[..., Rig]


def test_an_attempt_is_sent_as_the_provider_wants_it_and_archived_whole(rig: MakeRig) -> None:
    one = rig(always(Say(body=FACTS_BODY, gzipped=True, headers={"Set-Cookie": "spy=1", "ETag": '"v1"'})))
    answer = one.transport.send(FACTS)
    (asked,) = one.server.asked
    (kept,) = one.store.attempts
    assert asked.path == "/edgar/api/xbrl/companyfacts/CIK0009900001.json"
    assert asked.headers["User-Agent"] == "Sandbox sandbox@example.com"
    assert asked.headers["Accept-Encoding"] == "gzip, deflate"
    assert asked.headers["X-Request-ID"] == kept.request_id == answer.request_id
    assert (answer.answer_class, answer.status, answer.attempts) == (AnswerClass.OK, 200, 1)
    assert answer.body.read() == FACTS_BODY
    assert (kept.complete, kept.attempt, kept.error) == (True, 1, None)
    assert kept.headers["etag"] == '"v1"'
    assert "set-cookie" not in kept.headers
    assert one.gate.reported == [("sec", AnswerClass.OK, None)]
    assert one.gate.departed == [1], "the gate hears when the bytes have left"
    assert one.transport.usage.requests == {"sec": 1}
    assert one.transport.usage.bytes == len(gzip.compress(FACTS_BODY))


def test_the_symbol_goes_to_the_gate_because_some_plans_count_symbols(rig: MakeRig) -> None:
    row = {"date": "2026-11-20T00:00:00.000Z", "close": 1.0, "adjClose": 1.0, "divCash": 0.0, "splitFactor": 1.0}
    one = rig(always(Say(body=json.dumps([row]).encode())))
    one.transport.send(PRICES)
    assert one.gate.acquired == [("tiingo", "ALDRN")]
    assert one.server.asked[0].headers["Authorization"] == "Token sandbox"


def test_a_failing_server_is_asked_three_times_with_doubling_waits(rig: MakeRig) -> None:
    one = rig(first(Say(503, b"busy", "text/plain"), Say(502, b"", "text/plain"), Say(body=FACTS_BODY)))
    answer = one.transport.send(FACTS)
    assert answer.attempts == 3
    assert one.clock.slept == [1.0, 2.0]
    assert [kept.answer_class for kept in one.store.attempts] == ["transient", "transient", "ok"]
    assert [kept.attempt for kept in one.store.attempts] == [1, 2, 3]
    assert len({kept.request_id for kept in one.store.attempts}) == 1
    assert [kept.complete for kept in one.store.attempts] == [False, False, True]


def test_after_three_failures_the_error_says_which_request_and_can_be_asked_again(rig: MakeRig) -> None:
    one = rig(always(Say(503, b"busy", "text/plain")))
    with pytest.raises(
        Transient, match=r"^SEC EDGAR answered with status 503 \(companyfacts, ALDRN, .*attempt 3\)\.$"
    ) as caught:
        one.transport.send(FACTS)
    assert (caught.value.attempts, caught.value.status, caught.value.subject) == (3, 503, "ALDRN")
    assert len(one.server.asked) == len(one.store.attempts) == 3


def test_retry_after_is_honoured_in_seconds_and_as_a_date(rig: MakeRig) -> None:
    one = rig(
        first(
            Say(429, b"{}", headers={"Retry-After": "7"}),
            Say(429, b"{}", headers={"Retry-After": "Fri, 20 Nov 2026 12:00:20 GMT"}),
            Say(body=FACTS_BODY),
        )
    )
    one.transport.send(FACTS)
    assert one.clock.slept == [7.0, 13.0]
    assert [told for _, _, told in one.gate.reported[:2]] == [
        dt.datetime(2026, 11, 20, 12, 0, 7, tzinfo=dt.UTC),
        dt.datetime(2026, 11, 20, 12, 0, 20, tzinfo=dt.UTC),
    ]


def test_a_pause_longer_than_our_patience_is_an_error_that_says_until_when(rig: MakeRig) -> None:
    one = rig(always(Say(429, b"{}", headers={"Retry-After": "3600"})))
    with pytest.raises(RateLimited) as caught:
        one.transport.send(FACTS)
    assert caught.value.retry_at == dt.datetime(2026, 11, 20, 13, 0, tzinfo=dt.UTC)
    assert len(one.server.asked) == 1
    assert one.clock.slept == []


def test_a_block_page_and_a_spent_quota_burn_no_retries(rig: MakeRig) -> None:
    block = b"<!DOCTYPE html><html><head><title>Request Rate Threshold Exceeded</title></head><body></body></html>"
    one = rig(always(Say(403, block, "text/html")))
    with pytest.raises(Blocked) as caught:
        one.transport.send(FACTS)
    assert caught.value.retry_at == one.clock.now + dt.timedelta(seconds=600)
    spent = b'{"detail": "Error: You have run over your hourly request allocation."}'
    two = rig(always(Say(429, spent)))
    with pytest.raises(QuotaExhausted) as quota:
        two.transport.send(PRICES)
    assert quota.value.retry_at == dt.datetime(2026, 11, 20, 13, 0, tzinfo=dt.UTC)
    assert (len(one.server.asked), len(two.server.asked)) == (1, 1)
    assert one.gate.reported[0][1] is AnswerClass.BLOCKED


@pytest.mark.parametrize(
    ("request_", "bad"),
    [
        (PAGE, page(cut_at=3000)),
        (PAGE, page(announce=len(PAGE_BODY) + 5)),
        (PAGE, page(gzipped=True, cut_at=100)),
        (PAGE, page(body=PAGE_BODY[:3000])),
        (PAGE, page(body=b"")),
        (PAGE, page(reset=True)),
        (FACTS, Say(body=FACTS_BODY[:-3])),
        (FACTS, Say(body=b"<!DOCTYPE html><html><body>Try later</body></html>", media_type="text/html")),
        (FACTS, Say(body=b"<html>not json</html>")),
        (INDEX, Say(body=INDEX_BODY, media_type="text/plain", framed=False)),
        (FACTS, Say(body=FACTS_BODY, headers={"Content-Encoding": "br"})),
        (FACTS, Say(body=b"\x1f\x8b garbage", headers={"Content-Encoding": "gzip"})),
        (FACTS, Say(body=gzip.compress(FACTS_BODY)[:-8], headers={"Content-Encoding": "gzip"})),
    ],
    ids=[
        "short of its length",
        "longer announced",
        "cut while compressed",
        "no end tag",
        "empty",
        "reset",
        "cut JSON",
        "page for JSON",
        "page called JSON",
        "no frame",
        "encoding not asked for",
        "not gzip",
        "no gzip trailer",
    ],
)
def test_what_is_not_whole_is_never_stored_and_asked_for_again(
    rig: MakeRig, request_: PlannedRequest, bad: Say
) -> None:
    good = {"html": PAGE_BODY, "json": FACTS_BODY, "text": INDEX_BODY}[request_.expect]
    media_type = {"html": "text/html", "json": "application/json", "text": "text/plain"}[request_.expect]
    one = rig(first(bad, Say(body=good, media_type=media_type)))
    answer = one.transport.send(request_)
    assert answer.body.read() == good
    cut, whole = one.store.attempts
    assert (cut.answer_class, cut.complete, cut.body) == (AnswerClass.TRANSIENT, False, None)
    assert cut.error is not None
    assert cut.error.endswith(".")
    assert whole.complete
    assert set(one.store.bodies.values()) == {good}


def test_a_body_that_is_always_cut_is_an_error_and_leaves_nothing(rig: MakeRig) -> None:
    one = rig(always(page(cut_at=3000)))
    with pytest.raises(Transient, match=r"broke off|announced"):
        one.transport.send(PAGE)
    assert one.store.bodies == {}
    assert len(one.store.attempts) == 3
    assert one.store.latest(PAGE) is None


def test_threat_8_a_decompression_bomb_is_stopped_early_and_not_asked_for_again(rig: MakeRig) -> None:
    bomb = gzip.compress(b" " * 60_000_000)
    one = rig(always(Say(body=bomb, headers={"Content-Encoding": "gzip"})))
    with pytest.raises(TooLarge, match="expands more than 100 times"):
        one.transport.send(FACTS)
    assert (len(one.server.asked), one.store.bodies) == (1, {})
    assert one.gate.reported[0][1] is AnswerClass.CONTRACT


def test_the_cap_on_decoded_bytes_holds_for_every_request(rig: MakeRig) -> None:
    one = rig(always(Say(body=FACTS_BODY)), max_body_bytes=len(FACTS_BODY) - 1)
    with pytest.raises(TooLarge, match="sent more than the 54 bytes allowed"):
        one.transport.send(FACTS)
    assert rig(always(Say(body=FACTS_BODY)), max_body_bytes=len(FACTS_BODY)).transport.send(FACTS).status == 200


def test_a_large_body_lives_in_a_spool_file_as_long_as_somebody_holds_it(rig: MakeRig, tmp_path: Path) -> None:
    one = rig(always(page(gzipped=True)), spool_dir=tmp_path / "spool", spool_above=1000)
    answer = one.transport.send(PAGE)
    assert answer.body.path is not None
    assert answer.body.path.parent == tmp_path / "spool"
    assert answer.body.read() == PAGE_BODY
    one.store.attempts.clear()
    del answer
    assert list((tmp_path / "spool").iterdir()) == []


def test_a_cut_large_body_leaves_no_spool_file(rig: MakeRig, tmp_path: Path) -> None:
    one = rig(always(page(cut_at=3000)), spool_dir=tmp_path, spool_above=1000)
    with pytest.raises(Transient):
        one.transport.send(PAGE)
    assert list(tmp_path.iterdir()) == []


def test_silence_and_dripping_end_in_a_timeout_that_is_no_missing_data(rig: MakeRig) -> None:
    never = threading.Event()
    quick = Timeouts(connect=1.0, read=0.15, total=0.3)
    silent = rig(always(page(wait_for=never)), timeouts=quick, retry=RetryRule(attempts=1))
    with pytest.raises(Transient, match="did not answer in time"):
        silent.transport.send(PAGE)
    dripping = rig(always(page(drip=0.01)), timeouts=quick, retry=RetryRule(attempts=1))
    with pytest.raises(Transient, match=r"took longer than 0\.3 seconds"):
        dripping.transport.send(PAGE)
    never.set()
    assert [kept.status for kept in (*silent.store.attempts, *dripping.store.attempts)] == [None, 200]


def test_a_provider_that_is_not_there_is_a_transient_failure(rig: MakeRig) -> None:
    one = rig(always(page()))
    one.server.close()
    one.server.close = lambda: None  # type: ignore[method-assign]
    with pytest.raises(Transient, match="could not be reached"):
        one.transport.send(PAGE)
    assert [kept.status for kept in one.store.attempts] == [None, None, None]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_threat_20_redirects_are_not_followed(rig: MakeRig, status: int) -> None:
    elsewhere = rig(always(page()))
    one = rig(always(Say(status, headers={"Location": elsewhere.server.origin + "/edgar/evil"})))
    with pytest.raises(Contract, match="redirects elsewhere"):
        one.transport.send(PAGE)
    assert (len(one.server.asked), elsewhere.server.asked) == (1, [])


def test_a_path_cannot_lead_to_another_host_or_out_of_its_folder(rig: MakeRig) -> None:
    one = rig(always(page()))
    for path in (
        "//evil.example/x",
        "/a/../../b",
        "/a b",
        "evil.example",
        "/a\\b",
        "/a?token=x",
        "/a#b",
        "@evil.example/",
    ):
        with pytest.raises(ValueError, match="path that may be asked for"):
            one.transport.send(PlannedRequest("sec", "document", "www", path, Subject("*"), expect="html"))
    assert one.server.asked == []


def test_a_missing_setting_is_said_in_one_sentence_before_anything_is_sent(rig: MakeRig) -> None:
    one = rig(always(Say(body=FACTS_BODY)), credentials={})
    with pytest.raises(NotConfigured, match=r"^SEC EDGAR needs SALESCIENCE_EDGAR_CONTACT, .*\.$"):
        one.transport.send(FACTS)
    with pytest.raises(NotConfigured, match="SALESCIENCE_TIINGO_TOKEN"):
        one.transport.send(PRICES)
    assert (one.server.asked, one.gate.acquired, one.store.attempts) == ([], [], [])


def test_a_wrong_key_halts_the_provider(rig: MakeRig) -> None:
    one = rig(always(Say(401, b'{"detail": "Invalid token."}')))
    for _ in range(3):
        with pytest.raises(AuthFailed, match="does not accept our credentials"):
            one.transport.send(PRICES)
    assert len(one.server.asked) == 1


def test_a_plan_without_the_endpoint_halts_the_endpoint_only(rig: MakeRig) -> None:
    def script(asked: Asked, _before: int) -> Say:
        if asked.path == "/tiingo/tiingo/daily/prices":
            return Say(403, b'{"detail": "You do not have permission to access this."}')
        return Say(body=b"[]")

    one = rig(script)
    bulk = tiingo.eod_bulk(dt.date(2026, 11, 20), [Ticker("ALDRN"), Ticker("CALDQ")])
    for _ in range(2):
        with pytest.raises(NotEntitled):
            one.transport.send(bulk)
    assert one.transport.send(PRICES).answer_class is AnswerClass.OK_EMPTY
    assert len(one.server.asked) == 2


def test_our_own_breaker_is_sat_out_and_costs_no_attempt(rig: MakeRig) -> None:
    one = rig(always(Say(body=FACTS_BODY)))
    one.gate.refuse(one.clock.now + dt.timedelta(seconds=60))
    answer = one.transport.send(FACTS)
    assert (one.clock.slept, answer.attempts) == ([60.0], 1)


def test_a_breaker_that_stays_open_ends_our_patience(rig: MakeRig) -> None:
    one = rig(always(Say(body=FACTS_BODY)))
    for seconds in (60, 120, 180):
        one.gate.refuse(one.clock.now + dt.timedelta(seconds=seconds))
    with pytest.raises(CircuitOpen) as caught:
        one.transport.send(FACTS)
    assert (caught.value.endpoint, caught.value.subject, caught.value.attempts) == ("companyfacts", "ALDRN", 0)
    assert one.clock.slept == [60.0]
    assert (one.server.asked, one.store.attempts) == ([], [])


class FullDisk:
    """An archive that cannot keep anything."""

    def put(self, attempt: Attempt, run_id: str, organization_id: str | None) -> RawRef:
        raise OSError(28, "No space left on device")

    def latest(self, request: PlannedRequest) -> None:
        return None


def test_a_full_disk_is_no_provider_failure_and_the_gate_still_learns_the_outcome(rig: MakeRig) -> None:
    one = rig(always(Say(body=FACTS_BODY)))
    with make_transport(one.server.origin, one.gate, FullDisk(), one.clock) as transport:
        with pytest.raises(OSError, match="No space left"):
            transport.send(FACTS)
        with pytest.raises(OSError, match="No space left"):
            list(transport.send_all([FACTS]))
    assert [outcome for _, outcome, _ in one.gate.reported] == [AnswerClass.OK, AnswerClass.OK]


def test_the_run_and_the_organisation_stand_in_the_audit(rig: MakeRig) -> None:
    seen = []

    class Noting:
        def put(self, attempt: Attempt, run_id: str, organization_id: str | None) -> RawRef:
            seen.append((run_id, organization_id))
            return RawRef("", 0)

        def latest(self, request: PlannedRequest) -> None:
            return None

    one = rig(always(Say(body=FACTS_BODY)))
    with make_transport(one.server.origin, one.gate, Noting(), one.clock, organization_id="acme") as transport:
        transport.send(FACTS)
    assert seen == [("run-1", "acme")]
