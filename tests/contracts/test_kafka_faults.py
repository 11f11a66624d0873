"""A broker that is killed under the adapter: nothing hangs, nothing is lost, nothing piles up."""

from __future__ import annotations

import gc
import logging
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tests.contracts.stands import TIMINGS, WAIT_S, KafkaStand, Member, new_name, publish, values
from tests.topics import TopicFactory
from tests.waiting import wait_until
from worker.ports import LatentwatchError, MembershipLost, Retryable, Unreachable
from worker.records import Output

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.demo.brokers import MavenBroker
    from worker.records import RawBatch

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
def alone(own_broker: MavenBroker, exactly_once: bool) -> Iterator[KafkaStand]:  # noqa: FBT001 - by name
    """A stand on a broker of its own."""
    topics = TopicFactory(own_broker.bootstrap_servers)
    stand = KafkaStand(own_broker.bootstrap_servers, topics, exactly_once=exactly_once)
    yield stand
    stand.close()
    topics.close()


@pytest.mark.parametrize("exactly_once", [False, True])
def test_a_killed_broker_costs_time_but_no_record(
    alone: KafkaStand, own_broker: MavenBroker
) -> None:
    topic, out = alone.topic(), alone.topic()
    publish(alone, topic, "ab")
    member = alone.member(topic, new_name())
    batch = _first_batch(member)
    own_broker.node.kill()

    began = time.monotonic()
    for _ in range(2):
        with pytest.raises((Retryable, MembershipLost)):
            member.deliver(batch, [Output(out, None, b"1")])
    assert time.monotonic() - began < 2 * (TIMINGS.deadline_s + TIMINGS.close_s)
    with pytest.raises(Retryable):
        wait_until(lambda: member.poll().records, WAIT_S)
    # No call that the client would never have answered is left waiting on a thread of its own.
    wait_until(lambda: not _calls_under_way(), what="the calls of the client have ended")
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


def _first_batch(member: Member) -> RawBatch:
    """Of a broker that has only begun, and may take long for its own first topics."""
    found: list[RawBatch] = []

    def polled() -> bool:
        with suppress(Retryable):
            found.append(member.batch())
        return bool(found)

    wait_until(polled, 60.0, "a first batch")
    return found[0]


def _calls_under_way() -> list[str]:
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name == "kafka-bounded"]


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
