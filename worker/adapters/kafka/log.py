"""A topic read as one member of a consumer group (RecordLog), and the commit of its positions.

Never trusts the client's positions across a change: everything fetched is dropped and reading goes
on from what is committed. Decodes nothing.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from typing import TYPE_CHECKING

from kafka import ConsumerRebalanceListener, TopicPartition
from kafka.errors import (
    KafkaError,
    LogTruncationError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)

from worker.adapters.kafka import private
from worker.adapters.kafka.client import bounded, open_consumer
from worker.adapters.kafka.errors import translated
from worker.adapters.kafka.fetch import fetch
from worker.adapters.kafka.offsets import Offsets
from worker.ports import LatentwatchError, MembershipLost, Retryable, Unreachable
from worker.records import Membership, Partition, Position, RawBatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from worker.adapters.kafka.client import KafkaConnection, KafkaTimings
    from worker.ports import LogEvents
    from worker.records import Lags, RawRecord, StartRule

log = logging.getLogger(__name__)

SILENCE_S = 2.0
"""Without a connection to any broker for so long, a poll says so instead of coming back empty."""


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # the client ships no types
    """Runs on the client's own thread, where waiting would stop the heartbeats: it only notes."""

    def __init__(self) -> None:
        self.changes: deque[tuple[str, frozenset[TopicPartition]]] = deque()

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self.changes.append(("revoked", frozenset(revoked)))

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self.changes.append(("assigned", frozenset(assigned)))

    def on_partitions_lost(self, lost: Iterable[TopicPartition]) -> None:
        self.changes.append(("lost", frozenset(lost)))


class KafkaRecordLog:
    """One member of `group` reading `topic`. Joins at the first poll; assigned by range.

    Raises Unreachable or NotPermitted when it cannot be made.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        timings: KafkaTimings,
        topic: str,
        group: str,
        start: StartRule,
        events: LogEvents,
    ) -> None:
        self._timings = timings
        self._events = events
        self._listener = _Listener()
        self._owned: list[TopicPartition] = []
        self._refused: dict[TopicPartition, int | None] = {}
        self._reported: dict[TopicPartition, int] = {}
        self._dirty = False
        self._is_assigned_anew = False
        self._paused = False
        self._closed = False
        self._heard_at = time.monotonic()
        self._before_settling: Callable[[], None] = lambda: None
        try:
            self._consumer = open_consumer(connection, timings, group)
            self._consumer.subscribe([topic], listener=self._listener)
            private.learn_topics(self._consumer, timings.request_s)
        except KafkaError as error:
            raise translated(error, "connecting", otherwise=Unreachable) from error
        known = private.partitions(self._consumer, topic)
        self._offsets = Offsets(self._consumer, start, known, timings.request_s)

    # --- the port

    def poll(self, records_max: int, timeout_s: float) -> RawBatch:
        """As the port says. Empty after any change of assignment and after a rewind."""
        if self._dirty:
            # Polling keeps us in the group whatever becomes of the rewind; its records are dropped.
            records_max, timeout_s = 1, 0.0
        fetched = self._fetch(records_max, timeout_s)
        self._take_changes()
        if self._dirty:
            self._settle()
            return RawBatch()
        # Taken now, since a member that falls out of the group later must not be able to commit:
        # the broker accepts a commit without generation and member from anybody.
        membership = self._membership()
        if membership is None or self._listener.changes:
            self._dirty = True
            return RawBatch()
        records = [record for of_partition in fetched.values() for record in of_partition]
        return RawBatch(records, self._advanced(), membership)

    def rewind(self) -> None:
        """As the port says; done by the next poll."""
        self._dirty = True

    def pause(self) -> None:
        """As the port says."""
        self._paused = True
        self._consumer.pause(*self._owned)

    def resume(self) -> None:
        """As the port says."""
        self._paused = False
        self._consumer.resume(*self._owned)

    def assigned(self) -> frozenset[Partition]:
        """As the port says; empty between the loss of an assignment and the next."""
        return frozenset(Partition(*partition) for partition in self._owned)

    def lags(self) -> Lags:
        """As the port says; a partition of which nothing was fetched yet is left out.

        Counted to the end of the log, open transactions included. While paused it stands still.
        """
        places = {tp: private.place(self._consumer, tp) for tp in self._owned}
        return {
            Partition(*tp): max(0, at.highwater - at.position)
            for tp, at in places.items()
            if at.highwater is not None and at.position is not None
        }

    def close(self) -> None:
        """As the port says."""
        if self._closed:
            return
        self._closed = True
        close_s = self._timings.close_s
        try:
            bounded(
                lambda: self._consumer.close(autocommit=False, timeout_ms=close_s * 1000),
                2 * close_s,
            )
        except (KafkaError, TimeoutError) as error:
            log.warning("leaving the group did not finish: %r", error)

    # --- for the delivery adapters

    def before_settling(self, prepare: Callable[[], None]) -> None:
        """Have `prepare` called, in a poll, each time before it asks what is committed.

        What it raises the poll raises, and the next poll calls it again.
        """
        self._before_settling = prepare

    def require(self, membership: Membership | None) -> None:
        """Raise MembershipLost unless we still are the member that polled the batch."""
        ours = self._membership()
        if membership is None or ours is None:
            raise MembershipLost("we are not in the group")
        if (ours.generation, ours.member) != (membership.generation, membership.member):
            raise MembershipLost(
                f"polled in generation {membership.generation}, now {ours.generation}"
            )

    def commit(
        self, positions: Sequence[Position], membership: Membership | None, timeout_s: float
    ) -> None:
        """Commit as the member that polled. Raises MembershipLost, Retryable or NotPermitted."""
        self.require(membership)
        try:
            self._offsets.commit(
                {TopicPartition(p.topic, p.partition): p.offset for p in positions}, timeout_s
            )
        except KafkaError as error:
            raise translated(error, "committing") from error

    # --- inside

    def _fetch(
        self, records_max: int, timeout_s: float
    ) -> Mapping[TopicPartition, Sequence[RawRecord]]:
        try:
            fetched = fetch(self._consumer, records_max, timeout_s)
        except NoOffsetForPartitionError:
            return self._needs_settling({})  # newly assigned: the start rule says where
        except OffsetOutOfRangeError as error:
            return self._needs_settling(dict.fromkeys(error.args[0]))
        except LogTruncationError as error:
            cut = error.divergent_offsets
            return self._needs_settling({tp: at.offset if at else 0 for tp, at in cut.items()})
        except LatentwatchError:
            self._dirty = True
            raise
        self._require_contact(fetched, timeout_s)
        return fetched

    def _needs_settling(
        self, refused: Mapping[TopicPartition, int | None]
    ) -> Mapping[TopicPartition, Sequence[RawRecord]]:
        self._dirty = True
        self._refused.update(refused)
        return {}

    def _require_contact(self, fetched: object, timeout_s: float) -> None:
        now = time.monotonic()
        if fetched or private.connected(self._consumer):
            self._heard_at = now
        elif now - self._heard_at > max(SILENCE_S, timeout_s):
            raise Retryable("no broker is connected")

    def _take_changes(self) -> None:
        """Tell of every change of assignment since the last poll; any makes us settle anew."""
        while self._listener.changes:
            kind, partitions = self._listener.changes.popleft()
            if not self._owned and kind != "assigned":
                continue  # nothing was ours: the first join revokes an empty assignment
            self._owned = sorted(partitions) if kind == "assigned" else []
            self._dirty = True
            # An assignment is told once we stand in it: what comes from then on is not missed.
            self._is_assigned_anew = kind == "assigned"
            if not self._is_assigned_anew:
                self._events.rebalanced(kind, 0)

    def _settle(self) -> None:
        """Drop what was fetched and go to the committed position of every partition that is ours.

        Stays dirty, so that it is done again, unless all of it succeeded.
        """
        private.drop_fetched(self._consumer)
        self._before_settling()
        try:
            starts = self._offsets.starts(self._owned, self._refused)
        except KafkaError as error:
            problem = translated(error, "going back to the committed offsets")
            if isinstance(problem, MembershipLost):
                return  # the next poll joins again
            raise problem from error
        for partition, start in starts.items():
            self._consumer.seek(partition, start.offset)
            if start.moved:
                self._events.offset_reset(Partition(*partition))
        self._refused.clear()
        if self._paused:
            self._consumer.pause(*self._owned)
        self._reported = {partition: start.offset for partition, start in starts.items()}
        self._dirty = bool(self._listener.changes)
        if self._is_assigned_anew and not self._dirty:
            self._is_assigned_anew = False
            self._events.rebalanced("assigned", len(self._owned))

    def _membership(self) -> Membership | None:
        group = self._consumer.group_metadata()
        if group.generation_id < 0 or not group.member_id:
            return None
        return Membership(group.generation_id, group.member_id, detail=group)

    def _advanced(self) -> list[Position]:
        """Positions that moved since the last batch, over records, markers or gaps."""
        moved = []
        for partition in self._owned:
            position = private.place(self._consumer, partition).position
            if position is not None and position != self._reported.get(partition):
                self._reported[partition] = position
                moved.append(Position(partition.topic, partition.partition, position))
        return moved
