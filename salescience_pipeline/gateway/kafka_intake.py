"""A group of consumers that takes a topic's messages in: offsets are committed after the rows, never before.

A killed or replaced consumer's messages are delivered again, and found to be there already. What nobody can read becomes a
dead letter (and a message of ``<topic>.dlq``) and stops nothing; what cannot be taken in now is tried again in its turn.
What does not belong here: what a message means (``intake``).
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from salescience_pipeline.gateway.intake import Message, Unreadable, take_in
from salescience_pipeline.gateway.state import State
from salescience_pipeline.identifiers import OrganizationId
from salescience_pipeline.ledger.dead_letters import KAFKA
from salescience_pipeline.settings import Settings, SettingsError

if TYPE_CHECKING:
    import confluent_kafka as kafka

_log = logging.getLogger("salescience.intake")
_AT_ONCE = 50
"""Messages between two commits of offsets: what a kill makes the broker deliver again at most."""
_POLL_SECONDS, _WAITS = 0.5, (1.0, 2.0, 5.0, 10.0, 30.0)
_FLUSH_SECONDS = 10.0


def client_config(settings: Settings) -> dict[str, Any]:
    """The settings of librdkafka: where the brokers are, and what the operator adds (SASL, TLS).

    Raises:
        SettingsError: without brokers, without an organisation in the live world, or with a connection string that is none.
    """
    hub = {} if settings.event_hub_connection is None else event_hub(settings.event_hub_connection.get_secret_value())
    if not settings.kafka_servers and not hub:
        raise SettingsError("The intake needs SALESCIENCE_KAFKA_SERVERS, the brokers as host:port,host:port.")
    if settings.is_live and settings.kafka_organization is None:
        raise SettingsError("The intake needs SALESCIENCE_KAFKA_ORGANIZATION: whose topic it is.")
    brokers = {"bootstrap.servers": settings.kafka_servers} if settings.kafka_servers else {}
    added = {name: value.get_secret_value() for name, value in settings.kafka_config.items()}
    return {"client.id": "salescience", **hub, **brokers, **added}


def event_hub(connection: str) -> dict[str, str]:
    """The settings of librdkafka for a namespace of Azure Event Hubs, from its connection string.

    https://learn.microsoft.com/azure/event-hubs/apache-kafka-configurations

    Raises:
        SettingsError: when it names no namespace or no key; the text is not repeated.
    """
    parts = dict(part.partition("=")[::2] for part in connection.strip().split(";") if part)
    found = re.fullmatch(r"sb://([A-Za-z0-9.-]+)/?", parts.get("Endpoint", ""))
    if found is None or not parts.get("SharedAccessKey"):
        raise SettingsError(
            "SALESCIENCE_EVENT_HUB_CONNECTION must be a connection string: "
            "Endpoint=sb://NAME.servicebus.windows.net/;SharedAccessKeyName=...;SharedAccessKey=..."
        )
    return {
        "bootstrap.servers": f"{found[1]}:9093",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "PLAIN",
        "sasl.username": "$ConnectionString",
        "sasl.password": connection.strip(),
    }


class Intake:
    """One consumer of the group."""

    def __init__(self, state: State) -> None:
        """Connects to the brokers in the background.

        Raises:
            SettingsError: when the extra is not installed, or the settings do not say enough.
        """
        try:
            import confluent_kafka  # noqa: PLC0415 - an extra
        except ImportError:
            raise SettingsError('The intake needs the extra: pip install "salescience-pipeline[kafka]".') from None
        settings, config = state.settings, client_config(state.settings)
        self._state, self._kafka = state, confluent_kafka
        self._topic = settings.kafka_topic
        self._organization = OrganizationId(settings.kafka_organization or "local")
        self._consumer: kafka.Consumer = confluent_kafka.Consumer(
            {
                "auto.offset.reset": "earliest", **config, "group.id": settings.kafka_group, "enable.auto.commit": False,
                "enable.auto.offset.store": False, "on_commit": _told,
            }
        )  # fmt: skip
        self._producer: kafka.Producer = confluent_kafka.Producer({"enable.idempotence": True, **config})
        self.taken = 0

    def run(self, stop: threading.Event) -> None:
        """Take messages in until ``stop`` is set."""
        state, failed = self._state, 0
        state.ensure(self._organization)
        self._consumer.subscribe([self._topic])
        try:
            while not stop.is_set():
                batch = self._consumer.consume(_AT_ONCE, timeout=_POLL_SECONDS)
                failed = 0 if self._take(batch) else failed + 1
                if failed:
                    stop.wait(_WAITS[min(failed, len(_WAITS)) - 1])
        finally:
            self._consumer.close()

    def _take(self, batch: Sequence[kafka.Message]) -> bool:
        """Take a batch in and commit how far it came; False when something has to wait."""
        done: dict[int, int] = {}
        held: dict[int, int] = {}
        for raw in batch:
            if raw.error() is not None:
                _log.warning("the broker says: %s", raw.error())
                continue
            message = _message(raw)
            if message.partition in held:
                continue
            try:
                self._one(message)
            except Exception as error:  # noqa: BLE001 - the database is away, or the organisation has too much open
                _log.warning("message %s has to wait: %s", message.origin, type(error).__name__)
                held[message.partition] = message.offset
                continue
            done[message.partition] = message.offset + 1
        self._commit(done)
        for partition, offset in held.items():
            self._go_back(partition, offset)
        return not held

    def _one(self, message: Message) -> None:
        try:
            take_in(self._state, self._organization, message)
        except Unreadable as reason:
            _log.warning("message %s is a dead letter: %s", message.origin, reason)
            self._state.ledger.dead_letters.bury(
                kind=KAFKA, origin=message.origin, reason=str(reason), organization=self._organization,
                body=message.value[:_KEPT_BYTES].decode("utf-8", "replace").replace("\0", "\ufffd"),
            )  # fmt: skip
            self._forward(message, str(reason))
        self.taken += 1

    def _forward(self, message: Message, reason: str) -> None:
        """Show a dead message to those who watch the topic of dead ones; what counts is the row."""
        headers: list[tuple[str, str | bytes | None]] = [("reason", reason), ("origin", message.origin)]
        try:
            self._producer.produce(f"{self._topic}.dlq", message.value[:_KEPT_BYTES], headers=headers)
            left = self._producer.flush(_FLUSH_SECONDS)
        except (self._kafka.KafkaException, BufferError) as error:
            _log.warning("%s.dlq did not take a message: %s", self._topic, type(error).__name__)
        else:
            if left:
                _log.warning("%d messages for %s.dlq are not out yet", left, self._topic)

    def _commit(self, done: Mapping[int, int]) -> None:
        offsets = [self._kafka.TopicPartition(self._topic, partition, offset) for partition, offset in done.items()]
        if not offsets:
            return
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except self._kafka.KafkaException as error:
            # The partition is somebody else's by now: it gets these messages again and finds them taken in.
            _log.warning("offsets could not be committed: %s", error.args[0])

    def _go_back(self, partition: int, offset: int) -> None:
        try:
            self._consumer.seek(self._kafka.TopicPartition(self._topic, partition, offset))
        except self._kafka.KafkaException as error:
            _log.warning("partition %d was taken away: %s", partition, error.args[0])


_KEPT_BYTES = 900_000
"""Of a dead message; a broker takes a million with its headers."""


def _told(error: Any, _offsets: Any) -> None:
    if error is not None:
        _log.warning("offsets were not committed: %s", error)


def _message(raw: kafka.Message) -> Message:
    pairs: Any = raw.headers() or ()
    asked = next((value for name, value in pairs if name.lower() == "x-request-id"), None)
    return Message(
        str(raw.topic()), raw.partition() or 0, raw.offset() or 0, bytes(raw.value() or b""),
        asked.decode("ascii", "replace") if isinstance(asked, bytes) else None,
    )  # fmt: skip
