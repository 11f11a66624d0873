"""A broker that is killed under the adapter: nothing hangs, nothing is lost, nothing piles up."""

from __future__ import annotations

import gc
import logging
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.contracts.stands import TIMINGS, WAIT_S, KafkaStand, new_name, publish, values
from tests.topics import TopicFactory
from tests.waiting import wait_until
from worker.ports import LatentwatchError, MembershipLost, Retryable, Unreachable
from worker.records import Output

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.demo.brokers import MavenBroker

pytestmark = [
    pytest.mark.kafka,
    # The client leaves sockets that were refused to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.timeout(240),
]


@pytest.fixture(autouse=True)
def _client_is_silent() -> Iterator[None]:
    """What the client logs of a dead broker is much, and pytest would keep its sockets with it."""
    client = logging.getLogger("kafka")
    before = client.level
    client.setLevel(logging.CRITICAL + 1)
    yield
    client.setLevel(before)
    gc.collect()


@pytest.fixture
def alone(own_broker: MavenBroker) -> Iterator[KafkaStand]:
    """A stand on a broker of its own."""
    topics = TopicFactory(own_broker.bootstrap_servers)
    stand = KafkaStand(own_broker.bootstrap_servers, topics)
    yield stand
    stand.close()
    topics.close()


def test_a_killed_broker_costs_time_but_no_record(
    alone: KafkaStand, own_broker: MavenBroker
) -> None:
    topic, out = alone.topic(), alone.topic()
    publish(alone, topic, "ab")
    member = alone.member(topic, new_name())
    batch = member.batch()
    own_broker.node.kill()

    began = time.monotonic()
    for _ in range(2):
        with pytest.raises((Retryable, MembershipLost)):
            member.deliver(batch, [Output(out, None, b"1")])
    assert time.monotonic() - began < 2 * (TIMINGS.deadline_s + TIMINGS.close_s)
    with pytest.raises(Retryable):
        wait_until(lambda: member.poll().records, WAIT_S)
    threads = threading.active_count()
    for _ in range(3):
        member.log.rewind()
        with pytest.raises(Retryable):
            wait_until(lambda: member.poll().records, WAIT_S)
    assert threading.active_count() <= threads

    own_broker.node.start()
    read: list[str] = []

    def delivered() -> bool:
        try:
            polled = member.poll()
            read.extend(values(polled.records))
            if polled.records:
                member.deliver(polled, [Output(out, None, b"1")])
        except (Retryable, MembershipLost):
            member.log.rewind()
            read.clear()
        return read == ["a", "b"]

    wait_until(delivered, 60.0, "both records, delivered")
    assert "1" in values(alone.member(out, new_name()).consume(1))


def test_a_log_closes_in_time_without_its_broker(
    alone: KafkaStand, own_broker: MavenBroker
) -> None:
    member = alone.member(alone.topic(), new_name())
    member.join()
    own_broker.node.kill()
    began = time.monotonic()
    member.close()
    assert time.monotonic() - began < 3 * TIMINGS.close_s


def test_a_history_without_its_broker_gives_up(alone: KafkaStand, own_broker: MavenBroker) -> None:
    topic = alone.topic()
    publish(alone, topic, "ab")
    history = alone.history(topic)
    span = history.span(None, None)
    own_broker.node.kill()
    with pytest.raises(Unreachable):
        list(history.read(span))
    with pytest.raises(LatentwatchError):
        history.span(None, None)
