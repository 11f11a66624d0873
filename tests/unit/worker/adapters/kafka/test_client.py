"""Building clients and giving them up, without a broker."""

from __future__ import annotations

import gc
import logging
import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import kafka.producer.kafka
import pytest
from kafka.errors import KafkaTimeoutError

from tests.waiting import wait_until
from worker.adapters.kafka.client import (
    KafkaConnection,
    KafkaTimings,
    Producer,
    SafeNetClient,
    abandon,
    bounded,
    open_admin,
    open_consumer,
    open_producer,
)
from worker.adapters.kafka.delivery import KafkaPublisher
from worker.adapters.kafka.log import KafkaRecordLog
from worker.adapters.kafka.lookup import reachable, topic_state
from worker.ports import Retryable, Unreachable
from worker.records import Output, Partition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# The client leaves sockets that were refused to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

QUICK = KafkaTimings(connect_s=0.2, request_s=0.2, close_s=0.2)


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of somebody who takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def nobody() -> str:
    """An address where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return f"127.0.0.1:{port}"


class NoEvents:
    def rebalanced(self, kind: str, partitions: int) -> None: ...

    def offset_reset(self, partition: Partition) -> None: ...


def _held() -> tuple[int, int]:
    """Threads and descriptors of this process."""
    gc.collect()
    return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))


def test_an_option_that_the_client_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="no option sasl_passwort"):
        KafkaConnection("broker:9092", "me", {"sasl_passwort": "secret"})


def test_a_password_is_not_in_the_repr() -> None:
    connection = KafkaConnection("broker:9092", "me", {"sasl_plain_password": "secret"})
    assert "secret" not in repr(connection)


def test_the_default_timings_leave_room_to_retry() -> None:
    timings = KafkaTimings()
    assert timings.request_s < timings.delivery_s < timings.deadline_s < timings.poll_interval_max_s
    assert timings.heartbeat_s * 3 < timings.session_s


@pytest.mark.parametrize(
    "build",
    [
        lambda connection: open_consumer(connection, QUICK, "group"),
        lambda connection: open_producer(connection, QUICK, 1000, None),
        lambda connection: open_admin(connection, 0.2),
    ],
    ids=["consumer", "producer", "admin"],
)
def test_a_client_that_cannot_be_built_leaves_nothing_behind(
    build: Callable[[KafkaConnection], object], silent: str
) -> None:
    connection = KafkaConnection(silent, "me")
    with pytest.raises(KafkaTimeoutError):
        build(connection)
    before = _held()
    for _ in range(3):
        with pytest.raises(KafkaTimeoutError):
            build(connection)
    wait_until(lambda: _held() <= before, what="no more threads and descriptors than before")


def test_options_that_one_class_does_not_have_do_not_break_it(silent: str) -> None:
    connection = KafkaConnection(silent, "me", {"client_rack": "r1", "ssl_check_hostname": True})
    with pytest.raises(KafkaTimeoutError):
        open_producer(connection, QUICK, 1000, None)


def test_the_clients_log_outlives_a_producer(monkeypatch: pytest.MonkeyPatch) -> None:
    gc.collect()  # other tests' producers, which are the client's own, take the log with them
    client_log = logging.getLogger("kafka.producer.kafka")
    monkeypatch.setattr("kafka.producer.kafka.log", client_log)
    producer = Producer(bootstrap_servers="127.0.0.1:1", api_version=(4, 0))
    abandon(producer, 3.0)
    del producer
    gc.collect()
    assert kafka.producer.kafka.log is client_log


def test_a_producer_with_unsent_records_is_given_up_in_time() -> None:
    producer = Producer(
        bootstrap_servers="127.0.0.1:1", api_version=(4, 0), kafka_client=SafeNetClient
    )
    producer._accumulator.append(
        kafka.TopicPartition("topic", 0), None, b"key", b"value", [], abort_on_new_batch=False
    )
    began = time.monotonic()
    abandon(producer, 1.0)
    assert time.monotonic() - began < 5
    assert not producer._sender.is_alive()


def test_a_broker_that_is_down_is_not_ready_instead_of_an_error() -> None:
    client = SafeNetClient(bootstrap_servers="127.0.0.1:1")
    assert client.await_ready("no-such-node", timeout_ms=10) is False
    client.close()


def test_a_broker_that_left_the_cluster_is_not_an_error() -> None:
    client = SafeNetClient(bootstrap_servers="127.0.0.1:1")
    client.maybe_connect(4711)
    client.close()


def test_a_bounded_call_gives_its_result_or_its_error() -> None:
    assert bounded(lambda: 42, 1.0) == 42
    with pytest.raises(ZeroDivisionError):
        bounded(lambda: 1 // 0, 1.0)


def test_a_bounded_call_that_never_ends_is_left() -> None:
    release = threading.Event()
    with pytest.raises(TimeoutError):
        bounded(release.wait, 0.05)
    release.set()


def test_reachable_tells_a_listener_from_nobody(silent: str, nobody: str) -> None:
    assert reachable(silent, 1.0)
    assert reachable(f"{nobody}, {silent}", 1.0)
    assert not reachable(nobody, 1.0)


@pytest.mark.parametrize("address", ["", "host", "host:port", "nowhere.invalid:9092"])
def test_an_address_that_is_none_is_not_reachable(address: str) -> None:
    assert not reachable(address, 0.2)


def test_looking_up_topics_without_a_broker_is_unreachable(silent: str, nobody: str) -> None:
    for servers in (nobody, silent):
        with pytest.raises(Unreachable):
            topic_state(KafkaConnection(servers, "me"), ["topic"], 0.2)


def test_a_log_without_a_broker_is_unreachable(silent: str) -> None:
    with pytest.raises(Unreachable):
        KafkaRecordLog(
            KafkaConnection(silent, "me"), QUICK, "topic", "group", "beginning", NoEvents()
        )


def test_publishing_without_a_broker_is_retryable(silent: str) -> None:
    publisher = KafkaPublisher(KafkaConnection(silent, "me"), QUICK)
    with pytest.raises(Retryable):
        publisher.publish([Output("topic", None, b"value")])
    publisher.close()
