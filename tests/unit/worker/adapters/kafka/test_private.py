"""The client's private parts are as private.py expects: what a new version must be held against.

The clients here are told the broker's version, so that they do not look for one.
"""

from __future__ import annotations

import asyncio
import inspect
import socket
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.coordinator.consumer import ConsumerCoordinator
from kafka.errors import SaslAuthenticationFailedError
from kafka.future import Future
from kafka.net.transport import KafkaTCPTransport
from kafka.producer.sender import Sender
from kafka.producer.transaction_manager import TxnRequestHandler

from worker.adapters.kafka import private
from worker.adapters.kafka.client import Producer, SafeNetClient, abandon

if TYPE_CHECKING:
    from collections.abc import Iterator

# The client leaves sockets that were refused to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

PARTITION = TopicPartition("topic", 0)
NOBODY = {"bootstrap_servers": "127.0.0.1:1", "api_version": (4, 0)}


@pytest.fixture
def consumer() -> Iterator[KafkaConsumer]:
    made = KafkaConsumer(**NOBODY, group_id="group", kafka_client=SafeNetClient)
    made.assign([PARTITION])
    yield made
    made.close(autocommit=False, timeout_ms=0)


@pytest.fixture
def producer() -> Iterator[Producer]:
    made = Producer(**NOBODY, kafka_client=SafeNetClient)
    yield made
    abandon(made, 3.0)


def _parsed() -> Fetcher.PartitionRecords:
    """Records of a fetch that the consumer is in the middle of."""
    return Fetcher.PartitionRecords(7, PARTITION, records=None)


def test_the_version_is_one_that_private_was_read_against() -> None:
    assert tuple(int(part) for part in version("kafka-python").split(".")[:2]) == (3, 0)


def test_a_place_is_read_without_asking_the_broker(consumer: KafkaConsumer) -> None:
    assert private.place(consumer, PARTITION) == (None, None)
    consumer.seek(PARTITION, 12)
    consumer._subscription.assignment[PARTITION].highwater = 20
    assert private.place(consumer, PARTITION) == (12, 20)


def test_a_partition_that_is_not_ours_has_no_place(consumer: KafkaConsumer) -> None:
    assert private.place(consumer, TopicPartition("other", 0)) == (None, None)


def test_a_topic_that_the_client_has_not_looked_up_has_no_partitions(
    consumer: KafkaConsumer,
) -> None:
    assert private.partitions(consumer, "topic") == 0


def test_an_offset_request_that_timed_out_is_not_asked_again(
    consumer: KafkaConsumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    coordinator = consumer._coordinator
    coordinator._offset_fetch_futures[frozenset([PARTITION])] = object()
    pending: list[int] = []

    def fetch(partitions: list[TopicPartition], timeout_ms: float) -> dict[TopicPartition, object]:
        pending.append(len(coordinator._offset_fetch_futures))
        assert (partitions, timeout_ms) == ([PARTITION], 1000.0)
        return {}

    monkeypatch.setattr(coordinator, "fetch_committed_offsets", fetch)
    assert private.committed(consumer, [PARTITION], 1.0) == {}
    assert pending == [0]


def test_the_client_still_keeps_offset_requests_by_their_partitions() -> None:
    source = inspect.getsource(ConsumerCoordinator.fetch_committed_offsets_async)
    assert "self._offset_fetch_futures[future_key] = future" in source


def test_parsed_records_are_seen_and_dropped(consumer: KafkaConsumer) -> None:
    consumer._fetcher._next_partition_records = _parsed()
    consumer._fetcher._paused_partition_records[PARTITION] = parked = _parsed()
    assert private.parsing(consumer) == (PARTITION, 7)
    private.drop_fetched(consumer)
    assert private.parsing(consumer) is None
    assert consumer._fetcher._paused_partition_records == {}
    assert not parked


def test_nothing_is_parsed_at_first(consumer: KafkaConsumer) -> None:
    private.drop_fetched(consumer)
    assert private.parsing(consumer) is None


def test_a_consumer_without_a_broker_is_not_connected(consumer: KafkaConsumer) -> None:
    assert not private.connected(consumer)


def test_a_poll_waits_while_a_heartbeat_is_not_answered(
    consumer: KafkaConsumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as a broker stands still; the client alone goes round thousands of times."""
    coordinator, fetch = consumer._coordinator, Future()
    monkeypatch.setattr(coordinator, "poll", lambda **_: True)
    monkeypatch.setattr(coordinator, "time_to_next_heartbeat", lambda: 0)
    private.wait_calmly(consumer)
    consumer.seek(PARTITION, 0)
    consumer._fetcher._fetch_futures.append(fetch)
    assert consumer.poll(timeout_ms=3 * private.POLL_STEP_S * 1000) == {}
    assert 1 <= len(fetch._callbacks) <= 4


def test_a_poll_does_not_wait_longer_than_until_a_heartbeat_is_due(
    consumer: KafkaConsumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer._coordinator, "time_to_next_heartbeat", lambda: 0.7)
    private.wait_calmly(consumer)
    assert consumer._coordinator.time_to_next_poll() == 0.7


def test_a_sender_is_stopped_at_once(producer: Producer) -> None:
    assert producer._sender.is_alive()
    assert private.stop_sender(producer)
    assert not producer._sender.is_alive()


def test_whoever_waits_for_a_request_of_a_stopped_sender_is_told(producer: Producer) -> None:
    private.stop_sender(producer)
    manager = producer._transaction_manager
    failed: list[BaseException] = []

    class Waiting:
        priority = 0

        def fail(self, error: BaseException) -> None:
            failed.append(error)

    manager._pending_requests.append((0, 0, Waiting()))
    private.fail_pending(producer)
    assert [str(error) for error in failed] == ["KafkaError: the producer was given up"]
    assert callable(TxnRequestHandler.fail)


def test_the_sender_has_what_stopping_it_takes() -> None:
    assert callable(Sender.force_close)


def test_the_size_of_a_record_covers_its_parts() -> None:
    size = private.record_size(b"k" * 10, b"v" * 1000, [("name", b"h" * 50)])
    assert 1064 < size < 1064 + 150


class _Listener:
    """What a transport hands on to; the client's own objects have the same names."""

    def __init__(self) -> None:
        self.heard: list[bytes | str] = []

    def data_received(self, data: bytes) -> None:
        self.heard.append(data)

    def connection_lost(self, _error: object) -> None:
        self.heard.append("end")


class _Net:
    async def wait_read(self, _sock: socket.socket) -> None:
        """At once: the test has both the answer and the end there before."""

    def unregister_event(self, _sock: socket.socket, _event: int) -> None:
        """Nothing was registered."""


def test_what_comes_with_the_end_of_a_connection_is_heard() -> None:
    """A broker that refuses us answers and hangs up; both may be read at once."""
    listener = _Listener()
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        theirs, _ = server.accept()
        theirs.sendall(b"no")
        theirs.close()
        ours.settimeout(0)
        transport = KafkaTCPTransport(_Net(), ours)
        transport.set_protocol(listener)
        transport._read = True
        asyncio.run(transport._read_from_sock())
    assert listener.heard == [b"no", "end"]


def test_a_client_that_was_refused_does_not_try_again() -> None:
    client = SafeNetClient(**NOBODY)
    try:
        connection = client._manager.get_connection("bootstrap-0")
        connection.close(SaslAuthenticationFailedError("no"))
        with pytest.raises(SaslAuthenticationFailedError, match="no"):
            client._manager.get_connection("bootstrap-0")
    finally:
        client.close()
