"""What the archive answers: documents for ever, unchanged lists, damaged bodies, replay."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from salescience_pipeline.clients.errors import NotArchived
from salescience_pipeline.clients.model import AnswerClass
from salescience_pipeline_tests.test_clients.conftest import Rig
from salescience_pipeline_tests.test_clients.exchanges import (
    FACTS,
    FACTS_BODY,
    INDEX,
    INDEX_BODY,
    PAGE,
    PAGE_BODY,
    always,
    page,
)
from salescience_pipeline_tests.test_clients.wire_server import Asked, Say

MakeRig = Callable[..., Rig]


def test_a_document_is_fetched_once_for_ever(rig: MakeRig) -> None:
    one = rig(always(page()))
    one.transport.send(PAGE)
    again = one.another().send(PAGE)
    assert (again.attempts, again.answer_class, again.body.read()) == (0, AnswerClass.OK, PAGE_BODY)
    assert len(one.server.asked) == len(one.store.attempts) == 1


def test_a_damaged_archived_document_is_fetched_again(rig: MakeRig) -> None:
    one = rig(always(page()))
    ref = one.transport.send(PAGE).ref
    one.store.bodies[ref.sha256] = b"rotten"
    assert one.transport.send(PAGE).body.read() == PAGE_BODY
    assert len(one.server.asked) == 2
    assert one.transport.send(PAGE).attempts == 0


def _validating(etag: str) -> Callable[[Asked, int], Say]:
    """Answers 304 to whoever knows ``etag`` in exactly this spelling."""

    def script(asked: Asked, _before: int) -> Say:
        headers = {"ETag": etag, "Last-Modified": "Thu, 19 Nov 2026 22:00:00 GMT"}
        known = [tag.strip() for tag in asked.headers.get("If-None-Match", "").split(",")]
        return Say(304, headers=headers) if etag in known else Say(200, INDEX_BODY, "text/plain", headers)

    return script


def test_an_unchanged_answer_comes_from_the_archive(rig: MakeRig) -> None:
    one = rig(_validating('"v1-gzip"'))
    before = one.transport.send(INDEX)
    one.clock.sleep(60)
    after = one.transport.send(INDEX)
    assert (after.answer_class, after.status, after.attempts) == (AnswerClass.UNCHANGED, 304, 1)
    assert (after.body.read(), after.ref, after.fetched_at) == (INDEX_BODY, before.ref, before.fetched_at)
    assert one.server.asked[1].headers["If-Modified-Since"] == "Thu, 19 Nov 2026 22:00:00 GMT"
    assert [kept.answer_class for kept in one.store.attempts] == ["ok", "unchanged"]


@pytest.mark.parametrize(("then", "now"), [('"v1"', '"v1-gzip"'), ('"v1-gzip"', '"v1"')])
def test_the_gzip_mark_of_an_etag_does_not_count(rig: MakeRig, then: str, now: str) -> None:
    one = rig(_validating(then))
    one.transport.send(INDEX)
    one.server.script = _validating(now)
    assert one.transport.send(INDEX).answer_class is AnswerClass.UNCHANGED


def test_a_304_about_another_version_is_not_believed(rig: MakeRig) -> None:
    one = rig(_validating('"v1"'))
    one.transport.send(INDEX)

    def confused(asked: Asked, _before: int) -> Say:
        headers = {"ETag": '"v2"'}
        return (
            Say(304, headers=headers)
            if "If-None-Match" in asked.headers
            else Say(200, INDEX_BODY, "text/plain", headers)
        )

    one.server.script = confused
    answer = one.transport.send(INDEX)
    assert (answer.answer_class, answer.attempts, answer.headers["etag"]) == (AnswerClass.OK, 2, '"v2"')


def test_an_unchanged_answer_whose_bytes_are_damaged_is_fetched_whole(rig: MakeRig) -> None:
    one = rig(_validating('"v1"'))
    ref = one.transport.send(INDEX).ref
    one.store.bodies[ref.sha256] = b"rotten"
    answer = one.transport.send(INDEX)
    assert (answer.answer_class, answer.attempts, answer.body.read()) == (AnswerClass.OK, 2, INDEX_BODY)


def test_replay_asks_nobody(rig: MakeRig) -> None:
    one = rig(always(Say(body=FACTS_BODY)))
    live = one.transport.send(FACTS)
    one.clock.sleep(3600)
    replay = one.another(mode="replay", credentials={})
    again = replay.send(FACTS)
    assert (again.body.read(), again.attempts, again.fetched_at) == (FACTS_BODY, 0, live.fetched_at)
    with pytest.raises(NotArchived, match="holds no sound answer to SEC EDGAR document"):
        replay.send(PAGE)
    one.store.bodies[live.ref.sha256] = b"rotten"
    with pytest.raises(NotArchived):
        replay.send(FACTS)
    assert len(one.server.asked) == len(one.store.attempts) == 1
