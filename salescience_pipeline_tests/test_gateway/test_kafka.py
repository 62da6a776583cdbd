"""Messages of a topic, on librdkafka's own mock broker: rows before offsets, nothing twice, and poison stops nothing."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import confluent_kafka as kafka
import pytest

from salescience_pipeline.gateway.dead_letters import NotRequeued, requeue
from salescience_pipeline.gateway.kafka_intake import Intake, client_config
from salescience_pipeline.gateway.state import State
from salescience_pipeline.identifiers import OrganizationId
from salescience_pipeline.ledger import Ledger
from salescience_pipeline.ledger.job_rules import TaskStatus
from salescience_pipeline.settings import Settings, SettingsError, World
from salescience_pipeline_tests.clocks import until
from salescience_pipeline_tests.commands import PROJECT, SALESCIENCE, environment

_LOCAL = OrganizationId("local")
_TIMES = {"session.timeout.ms": "3000", "heartbeat.interval.ms": "300"}
_topics = (f"events-{number}" for number in itertools.count())


class Broker:
    """A mock cluster inside a producer, and the address at which other processes find it."""

    def __init__(self) -> None:
        self._producer = kafka.Producer(
            {"bootstrap.servers": "unused", "test.mock.num.brokers": 1, "message.max.bytes": 2_000_000}
        )
        brokers = self._producer.list_topics(timeout=20).brokers.values()
        self.servers = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)

    def send(self, topic: str, *values: bytes, headers: list[tuple[str, str | bytes | None]] | None = None) -> None:
        """Put messages into partitions in turns, and wait until they are there."""
        for value in values:
            self._producer.produce(topic, value, headers=headers or [])
        assert self._producer.flush(20) == 0

    def committed(self, settings: Settings) -> int:
        """Offsets that the group has committed, over all partitions."""
        looking = kafka.Consumer({"bootstrap.servers": self.servers, "group.id": settings.kafka_group})
        topic = looking.list_topics(settings.kafka_topic, timeout=20).topics[settings.kafka_topic]
        asked = [kafka.TopicPartition(settings.kafka_topic, partition) for partition in topic.partitions]
        found = looking.committed(asked, timeout=20)
        looking.close()
        return sum(max(place.offset, 0) for place in found)

    def read(self, topic: str, count: int) -> list[Any]:
        """The first ``count`` messages of a topic."""
        reader = kafka.Consumer(
            {"bootstrap.servers": self.servers, "group.id": "reader", "auto.offset.reset": "earliest", **_TIMES}
        )
        reader.subscribe([topic])
        read: list[Any] = []
        while len(read) < count:
            read += [message for message in reader.consume(count, timeout=1.0) if message.error() is None]
        reader.close()
        return read


@pytest.fixture(scope="module")
def broker() -> Broker:
    return Broker()


@pytest.fixture
def settings(tmp_path: Path, broker: Broker) -> Settings:
    """A world of its own, with a topic of its own."""
    return Settings(
        home=tmp_path, use_kafka=True, kafka_servers=broker.servers, kafka_topic=next(_topics), kafka_config=_TIMES
    )


@contextmanager
def _consuming(settings: Settings) -> Iterator[State]:
    """A consumer of the group in a thread, and its state."""
    state, stop = State(settings), threading.Event()
    thread = threading.Thread(target=Intake(state).run, args=(stop,))
    thread.start()
    try:
        yield state
    finally:
        stop.set()
        thread.join(timeout=60)
        assert not thread.is_alive()
        state.close()


def _task(number: int) -> bytes:
    ids = (f"{number:08d}-0000-4000-8000-00000000000{place}" for place in range(2))
    call = dict(zip(("scenario_id", "business_type_id"), ids, strict=True))
    return json.dumps({"task_name": f"task {number}", "payload": [{"revenue": call}]}).encode()


def _names(ledger: Ledger) -> list[str]:
    return sorted(row["task_name"] for row in ledger.tasks.listed(_LOCAL, limit=1_000))


def test_002_12_messages_become_tasks_and_jobs_once_and_offsets_follow(broker: Broker, settings: Settings) -> None:
    topic = settings.kafka_topic
    broker.send(topic, *(_task(number) for number in range(100)))
    broker.send(topic, b'{"companies": [{"ticker": "AAPL"}]}', headers=[("X-Request-ID", "from-the-topic-1")])
    with _consuming(settings) as state:
        until(lambda: broker.committed(settings) == 101)
        assert _names(state.ledger) == sorted(f"task {number}" for number in range(100))
        (job,) = state.ledger.jobs.listed(_LOCAL)
        assert (job["request_id"], job["priority"]) == ("from-the-topic-1", 0)
    # Another group reads all of it again: as after a consumer that died before it could commit.
    again = settings.model_copy(update={"kafka_group": "again"})
    with _consuming(again) as state:
        until(lambda: broker.committed(again) == 101)
        assert len(_names(state.ledger)) == 100
        assert len(state.ledger.jobs.listed(_LOCAL)) == 1


def test_002_13_threat_19_poison_is_a_dead_letter_and_blocks_nothing(broker: Broker, settings: Settings) -> None:
    topic = settings.kafka_topic
    poison = {
        b"\xff\xfe not json": "not JSON",
        b"[1, 2]": "not a JSON object",
        b'{"neither": 1}': "task_name",
        b'{"companies": [{"ticker": "../../etc"}]}': "ticker",
        b'{"companies": [{"ticker": "AAPL"}], "organization_id": "somebody-else"}': "another organisation",
        _task(1).replace(b"revenue", b"unheard-of"): "unheard-of",
        b'{"task_name": "' + b"x" * 1_000_001 + b'"}': "at most",
    }
    broker.send(topic, _task(1), *poison, _task(2))
    with _consuming(settings) as state:
        until(lambda: broker.committed(settings) == len(poison) + 2)
        assert _names(state.ledger) == ["task 1", "task 2"]
        assert state.ledger.jobs.listed(_LOCAL) == []
        letters = state.ledger.dead_letters.listed(_LOCAL)
        assert len(letters) == len(poison)
        for words in poison.values():
            assert any(words.lower() in letter.reason.lower() for letter in letters), (words, letters)
        assert all(letter.origin.startswith(f"kafka:{topic}-") for letter in letters)
        shown = broker.read(f"{topic}.dlq", len(poison))
        assert {dict(message.headers())["origin"].decode() for message in shown} == {
            letter.origin for letter in letters
        }
        # What means nothing still means nothing; what has a meaning by now is taken in.
        (unheard,) = [letter for letter in letters if "unheard-of" in letter.reason]
        with pytest.raises(NotRequeued, match="unheard-of"):
            requeue(state, unheard, actor="t", request_id="request-1")
    known = State(settings.model_copy(update={"services": {"unheard-of": "http://127.0.0.1:1"}}))
    requeue(known, unheard, actor="t", request_id="request-1")
    assert _names(known.ledger) == ["task 1", "task 1", "task 2"]
    later = known.ledger.dead_letters.get(_LOCAL, unheard.id)
    assert later is not None
    assert later.status == "requeued"
    known.close()


def test_002_12_a_consumer_killed_in_the_middle_loses_and_doubles_nothing(broker: Broker, settings: Settings) -> None:
    broker.send(settings.kafka_topic, *(_task(number) for number in range(300)))
    env = environment(
        settings.home,
        KAFKA_BOOTSTRAP_SERVERS=broker.servers,
        KAFKA_TOPIC=settings.kafka_topic,
        SALESCIENCE_KAFKA_CONFIG=json.dumps(_TIMES),
    )
    with Ledger.of(settings) as ledger, (settings.home / "intake.log").open("wb") as log:
        process = subprocess.Popen([*SALESCIENCE, "intake"], cwd=PROJECT, env=env, stdout=log, stderr=log)
        until(lambda: len(_names(ledger)) >= 60 or process.poll() is not None)
        assert process.poll() is None, (settings.home / "intake.log").read_text()
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        # Two others share the partitions from now on; one of them leaves again in good order.
        with _consuming(settings) as state:
            with _consuming(settings):
                until(lambda: len(_names(ledger)) >= 150)
            until(lambda: broker.committed(settings) == 300)
        assert _names(ledger) == sorted(f"task {number}" for number in range(300))
        statuses = {row["status"] for row in ledger.tasks.listed(_LOCAL, limit=1_000)}
        assert statuses == {TaskStatus.PENDING.value}
        assert state.ledger.dead_letters.listed(None) == []


def test_002_22_settings_reach_the_client(tmp_path: Path) -> None:
    plain = Settings(home=tmp_path, kafka_servers="a:1,b:2", kafka_config={"sasl.password": "hush"})
    assert client_config(plain) == {"bootstrap.servers": "a:1,b:2", "client.id": "salescience", "sasl.password": "hush"}
    assert "hush" not in repr(plain)
    with pytest.raises(SettingsError, match="SALESCIENCE_KAFKA_SERVERS"):
        client_config(Settings(home=tmp_path))
    with pytest.raises(SettingsError, match="SALESCIENCE_KAFKA_ORGANIZATION"):
        client_config(
            Settings(home=tmp_path, world=World.LIVE, edgar_contact="Acme a@example.com", kafka_servers="a:1")
        )
