"""Error codes that a broker answers with, one by one, and what delivering makes of each.

On a mock of a broker, which answers what it is told to; it has no groups, so a stand-in for the
record log vouches for the membership.
"""

from __future__ import annotations

import logging
import time
from contextlib import closing
from typing import TYPE_CHECKING, Final, cast

import pytest
from kafka.net.connection import KafkaConnection as Wire
from kafka.structs import ConsumerGroupMetadata

from tests.contracts.stands import new_name
from tests.mock_cluster import MockCluster
from worker.adapters.kafka import (
    KafkaConnection,
    KafkaExactlyOnce,
    KafkaPublisher,
    KafkaTimings,
)
from worker.ports import (
    Fenced,
    LatentwatchError,
    MembershipLost,
    NotPermitted,
    OutputTooLarge,
    Retryable,
)
from worker.records import Membership, Output, Position

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from worker.adapters.kafka import KafkaRecordLog

pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.timeout(60),
]

PRODUCE: Final = 0
FIND_COORDINATOR: Final = 10
INIT_PRODUCER_ID: Final = 22
ADD_PARTITIONS: Final = 24
ADD_OFFSETS: Final = 25
END_TXN: Final = 26
TXN_OFFSET_COMMIT: Final = 28

TIMINGS = KafkaTimings(
    request_s=1.0, delivery_s=2.0, deadline_s=4.0, connect_s=4.0, close_s=1.0, transaction_s=60.0
)
BOUND_S = TIMINGS.connect_s + TIMINGS.delivery_s + TIMINGS.deadline_s + TIMINGS.close_s + 5.0
FOREVER = 500
TIMES = 8
"""More often than the client splits a batch that is too large."""

RETRIED: Final = {
    "not the leader": (PRODUCE, 6),
    "too few replicas in sync": (PRODUCE, 19),
    "too few replicas in sync, after the append": (PRODUCE, 20),
    "time-out of the broker": (PRODUCE, 7),
    "broken disk": (PRODUCE, 56),
    "coordinator not there, produce": (FIND_COORDINATOR, 15),
    "transactions: another is ending": (ADD_PARTITIONS, 51),
    "partitions: not the coordinator": (ADD_PARTITIONS, 16),
    "partitions: coordinator is loading": (ADD_PARTITIONS, 14),
    "offsets: not the coordinator": (ADD_OFFSETS, 16),
    "offsets: another is ending": (ADD_OFFSETS, 51),
    "commit of offsets: coordinator is loading": (TXN_OFFSET_COMMIT, 14),
    "commit of offsets: coordinator not there": (TXN_OFFSET_COMMIT, 15),
    "commit of offsets: not the coordinator": (TXN_OFFSET_COMMIT, 16),
    "commit of offsets: unknown partition": (TXN_OFFSET_COMMIT, 3),
    "end: another is ending": (END_TXN, 51),
    "end: not the coordinator": (END_TXN, 16),
    "end: coordinator not there": (END_TXN, 15),
    "start: coordinator is loading": (INIT_PRODUCER_ID, 14),
    "start: another is ending": (INIT_PRODUCER_ID, 51),
    "start: not the coordinator": (INIT_PRODUCER_ID, 16),
}
"""What the client mends by itself: slower, and no error."""

REFUSED: Final = {
    "sequence out of order": (PRODUCE, 45, Retryable),
    "unknown producer": (PRODUCE, 59, Retryable),
    "an older epoch": (PRODUCE, 47, Fenced),
    "no right to write": (PRODUCE, 29, NotPermitted),
    "record too large": (PRODUCE, 10, OutputTooLarge),
    "record refused": (PRODUCE, 87, LatentwatchError),
    "partitions: fenced": (ADD_PARTITIONS, 90, Fenced),
    "partitions: no right to write": (ADD_PARTITIONS, 29, NotPermitted),
    "partitions: no right to the id": (ADD_PARTITIONS, 53, NotPermitted),
    "partitions: id maps to another producer": (ADD_PARTITIONS, 49, Retryable),
    "offsets: fenced": (ADD_OFFSETS, 90, Fenced),
    "offsets: no right to the group": (ADD_OFFSETS, 30, NotPermitted),
    "offsets: no right to the id": (ADD_OFFSETS, 53, NotPermitted),
    "commit of offsets: older generation": (TXN_OFFSET_COMMIT, 22, MembershipLost),
    "commit of offsets: unknown member": (TXN_OFFSET_COMMIT, 25, MembershipLost),
    "commit of offsets: rebalance": (TXN_OFFSET_COMMIT, 27, MembershipLost),
    "commit of offsets: name taken": (TXN_OFFSET_COMMIT, 82, Fenced),
    "commit of offsets: fenced": (TXN_OFFSET_COMMIT, 90, Fenced),
    "commit of offsets: older epoch": (TXN_OFFSET_COMMIT, 47, Fenced),
    "commit of offsets: no right to the group": (TXN_OFFSET_COMMIT, 30, NotPermitted),
    "end: fenced": (END_TXN, 90, Fenced),
    "end: older epoch": (END_TXN, 47, Fenced),
    "end: not in that state": (END_TXN, 48, Retryable),
    "end: no right to the id": (END_TXN, 53, NotPermitted),
    "end: unknown": (END_TXN, -1, Retryable),
    "start: no right to the id": (INIT_PRODUCER_ID, 53, NotPermitted),
    "start: time-out too long for the broker": (INIT_PRODUCER_ID, 50, LatentwatchError),
}
"""What ends the transaction, and the error that says what to do."""


class Vouches:
    """In the place of a record log whose member is never lost."""

    def require(self, membership: Membership | None) -> None:
        """It is."""

    def before_settling(self, prepare: Callable[[], None]) -> None:
        """Nothing is ever settled here."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[MockCluster]:
    with closing(MockCluster()) as made:
        yield made


@pytest.fixture(autouse=True)
def _plain(cluster: MockCluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The mock answers the client's first question, which versions there are, in old words only."""
    init = Wire.__init__

    def in_old_words(self: Wire, *arguments: object, **options: object) -> None:
        init(self, *arguments, **options)
        self._api_versions_idx = 2

    monkeypatch.setattr(Wire, "__init__", in_old_words)
    client = logging.getLogger("kafka")
    level = client.level
    client.setLevel(logging.CRITICAL + 1)
    yield
    client.setLevel(level)
    for api in (*range(4), FIND_COORDINATOR, *range(INIT_PRODUCER_ID, TXN_OFFSET_COMMIT + 1)):
        cluster.forget(api)


class Deliveries:
    """Delivers to a new topic under a new name."""

    def __init__(self, cluster: MockCluster) -> None:
        self.topic = new_name()
        cluster.create(self.topic)
        self.connection = KafkaConnection(cluster.bootstrap_servers, "injected")
        log = cast("KafkaRecordLog", Vouches())
        self.delivery = KafkaExactlyOnce(
            self.connection, TIMINGS, log, new_name(), compression=None
        )
        group = ConsumerGroupMetadata(new_name(), 1, "member", None, None)
        self._membership = Membership(1, "member", detail=group)

    def one(self) -> None:
        """Deliver three outputs and a position."""
        outputs = [Output(self.topic, None, value) for value in (b"a", b"b", b"c")]
        self.delivery.deliver(outputs, [Position(self.topic, 0, 3)], self._membership)


@pytest.fixture
def deliveries(cluster: MockCluster) -> Iterator[Deliveries]:
    made = Deliveries(cluster)
    yield made
    made.delivery.close()


@pytest.mark.parametrize("what", RETRIED)
def test_what_passes_costs_time_only(
    cluster: MockCluster, deliveries: Deliveries, what: str
) -> None:
    api, code = RETRIED[what]
    if api in (PRODUCE, ADD_PARTITIONS, ADD_OFFSETS, END_TXN, TXN_OFFSET_COMMIT):
        deliveries.one()
    producer = deliveries.delivery._producer
    cluster.push(api, code, code)
    deliveries.one()
    assert producer in (None, deliveries.delivery._producer)


@pytest.mark.parametrize("what", REFUSED)
def test_what_does_not_pass_ends_the_transaction_and_the_next_one_succeeds(
    cluster: MockCluster, deliveries: Deliveries, what: str
) -> None:
    api, code, expected = REFUSED[what]
    cluster.push(api, *[code] * TIMES)
    with pytest.raises(LatentwatchError) as raised:
        deliveries.one()
    assert type(raised.value) is expected
    assert deliveries.delivery._producer is None
    cluster.forget(api)
    deliveries.one()


@pytest.mark.parametrize(
    ("api", "code"),
    [(PRODUCE, 7), (PRODUCE, 19), (TXN_OFFSET_COMMIT, 14), (END_TXN, 51), (INIT_PRODUCER_ID, 14)],
)
def test_what_never_passes_ends_in_time_and_is_tried_again(
    cluster: MockCluster, deliveries: Deliveries, api: int, code: int
) -> None:
    """A transaction is never committed with a record missing, and no call waits for ever."""
    if api != INIT_PRODUCER_ID:
        deliveries.one()
    cluster.push(api, *[code] * FOREVER)
    began = time.monotonic()
    with pytest.raises(Retryable):
        deliveries.one()
    assert time.monotonic() - began < BOUND_S
    cluster.forget(api)
    deliveries.one()


@pytest.mark.parametrize(
    ("code", "expected"),
    [(45, Retryable), (29, NotPermitted), (10, OutputTooLarge), (87, LatentwatchError)],
)
def test_publishing_without_transactions_tells_the_same(
    cluster: MockCluster, deliveries: Deliveries, code: int, expected: type[LatentwatchError]
) -> None:
    publisher = KafkaPublisher(deliveries.connection, TIMINGS, compression=None)
    cluster.push(PRODUCE, *[code] * TIMES)
    publisher.publish([Output(deliveries.topic, None, b"a")])
    with pytest.raises(LatentwatchError) as raised:
        publisher.flush(TIMINGS.deadline_s)
    cluster.forget(PRODUCE)
    assert type(raised.value) is expected
    publisher.publish([Output(deliveries.topic, None, b"a")])
    publisher.flush(TIMINGS.deadline_s)
    publisher.close()
