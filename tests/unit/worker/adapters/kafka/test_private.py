"""The client's private parts are as private.py expects: what a new version must be held against.

The clients here are told the broker's version, so that they do not look for one.
"""

from __future__ import annotations

import inspect
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.coordinator.consumer import ConsumerCoordinator
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
