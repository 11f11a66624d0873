"""A broker in memory: partitioned logs, groups with committed offsets, and troubles to order.

What a group does to its members is kept as Kafka does it; how records travel is not modelled.
"""

from __future__ import annotations

import threading
import time
import zlib
from bisect import bisect_left
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

from worker.ports import MembershipLost, OutputTooLarge, Retryable, Unreachable
from worker.records import Partition, Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from worker.records import Membership, Output, Position

RECORD_OVERHEAD_BYTES = 70
"""About what Kafka adds to a record's key, value and headers."""


class Journal:
    """One partition: records in order of their offsets, which may have gaps."""

    def __init__(self) -> None:
        self.beginning = 0
        self.end = 0
        self._records: list[Record] = []

    def append(self, record: Record) -> None:
        """Put a record at the end; its offset is `end`."""
        self._records.append(record)
        self.end += 1

    def skip(self, offsets: int) -> None:
        """Move the end on without records, as transaction markers do."""
        self.end += offsets

    def delete_before(self, offset: int) -> None:
        """Forget the oldest records, as retention does."""
        self.beginning = max(self.beginning, min(offset, self.end))
        del self._records[: self._index(self.beginning)]

    def between(self, first: int, end: int) -> list[Record]:
        """Records with offsets in [first, end)."""
        return self._records[self._index(first) : self._index(end)]

    def first_at(self, at_ms: int) -> int:
        """Offset of the first record at or after a time; the end where there is none."""
        return next((r.offset for r in self._records if r.timestamp >= at_ms), self.end)

    def _index(self, offset: int) -> int:
        return bisect_left(self._records, offset, key=lambda record: record.offset)


class Group:
    """A consumer group: who is in it, in which generation, and what it has committed."""

    def __init__(self) -> None:
        self.generation = 0
        self.members: list[str] = []
        self.committed: dict[Partition, int] = {}

    def join(self, member: str) -> None:
        """Take a member in; the others have to notice the new generation."""
        self.members.append(member)
        self.generation += 1

    def leave(self, member: str) -> None:
        """Let a member go, whether it knows or not."""
        if member in self.members:
            self.members.remove(member)
            self.generation += 1

    def range_of(self, member: str, partitions: Sequence[Partition]) -> list[Partition]:
        """The member's share: consecutive partitions, the first members one more where needed."""
        size, larger = divmod(len(partitions), len(self.members))
        at = self.members.index(member)
        first = at * size + min(at, larger)
        return list(partitions[first : first + size + (at < larger)])


class MemoryBroker:
    """All topics and groups. `lock` guards everything, and is notified of every change."""

    def __init__(
        self, topics: Mapping[str, int] | None = None, record_bytes_max: int = 1 << 20
    ) -> None:
        self.lock = threading.Condition(threading.RLock())
        self.reachable = True
        self._record_bytes_max = record_bytes_max
        self._topics: dict[str, list[Journal]] = {}
        self._groups: dict[str, Group] = {}
        self._sends_to_fail: deque[bool] = deque()
        self._commits_to_fail: deque[bool] = deque()
        self._unkeyed = 0
        for name, partitions in (topics or {}).items():
            self.create_topic(name, partitions)

    # --- topics and records

    def create_topic(self, name: str, partitions: int) -> None:
        """Make a topic; nothing else does."""
        with self.lock:
            self._topics[name] = [Journal() for _ in range(partitions)]

    def partitions(self, topic: str) -> list[Partition]:
        """All partitions of a topic. Raises Unreachable when there is no such topic."""
        if topic not in self._topics:
            raise Unreachable(f"there is no topic {topic}")
        return [Partition(topic, number) for number in range(len(self._topics[topic]))]

    def journal(self, partition: Partition) -> Journal:
        """What a partition holds."""
        return self._topics[partition.topic][partition.partition]

    def records(self, topic: str) -> list[Record]:
        """All records of a topic, one partition after the other."""
        with self.lock:
            journals = [self.journal(partition) for partition in self.partitions(topic)]
            return [record for j in journals for record in j.between(j.beginning, j.end)]

    def send(self, outputs: Sequence[Output]) -> None:
        """Append all or none.

        Raises OutputTooLarge, or Retryable where topic or broker are out of reach or as ordered.
        """
        with self.lock:
            written = self._next_send(outputs)
            if written is not False:
                self._append(outputs)
            if written is not None:
                raise Retryable("a send failed, as ordered")

    def require_reachable(self) -> None:
        """Raise Retryable while the broker is out of reach."""
        if not self.reachable:
            raise Retryable("the broker is out of reach")

    # --- groups

    def group(self, name: str) -> Group:
        """The group of that name; there is one as soon as somebody asks."""
        return self._groups.setdefault(name, Group())

    def commit(
        self, group: str, positions: Sequence[Position], membership: Membership | None
    ) -> None:
        """Store positions for a member that is still what it was when it polled them."""
        with self.lock:
            self.require_member(group, membership)
            stored = self._commits_to_fail.popleft() if self._commits_to_fail else None
            if stored is not False:
                self._store(group, positions)
            if stored is not None:
                raise Retryable("a commit failed, as ordered")

    def transact(
        self,
        group: str,
        outputs: Sequence[Output],
        positions: Sequence[Position],
        membership: Membership | None,
    ) -> None:
        """Append all outputs and store all positions, or neither of them.

        Raises what `send` and `commit` raise; an ordered failure of a send leaves nothing, one of
        a commit leaves all or nothing.
        """
        with self.lock:
            self.require_member(group, membership)
            if self._next_send(outputs) is not None:
                raise Retryable("a send failed, as ordered")
            stored = self._commits_to_fail.popleft() if self._commits_to_fail else None
            if stored is not False:
                self._append(outputs)
                self._store(group, positions)
            if stored is not None:
                raise Retryable("a transaction failed, as ordered")

    def require_member(self, group: str, membership: Membership | None) -> None:
        """Raise MembershipLost unless the group still knows exactly this member."""
        with self.lock:
            self.require_reachable()
            now = self.group(group)
            if membership is None or membership.member not in now.members:
                raise MembershipLost("we are not in the group")
            if membership.generation != now.generation:
                raise MembershipLost(
                    f"polled in generation {membership.generation}, now {now.generation}"
                )

    # --- troubles

    def fail_next_send(self, *, written: bool) -> None:
        """The next send raises Retryable, with its records written or not."""
        self._sends_to_fail.append(written)

    def fail_next_commit(self, *, stored: bool) -> None:
        """The next commit raises Retryable, with its positions stored or not."""
        self._commits_to_fail.append(stored)

    def rebalance(self, group: str) -> None:
        """Start a new generation of a group with the members that it has."""
        with self._changing():
            self.group(group).generation += 1

    def skip(self, partition: Partition, offsets: int) -> None:
        """Leave a gap at the end of a partition, as transaction markers do."""
        with self._changing():
            self.journal(partition).skip(offsets)

    def delete_before(self, partition: Partition, offset: int) -> None:
        """Take away the oldest records of a partition, as retention does."""
        with self._changing():
            self.journal(partition).delete_before(offset)

    # --- inside

    def _next_send(self, outputs: Sequence[Output]) -> bool | None:
        """Whether a send that has to fail is to be written, None for one that need not fail."""
        self.require_reachable()
        for index, output in enumerate(outputs):
            self._require_fits(index, output)
            if output.topic not in self._topics:
                raise Retryable(f"there is no topic {output.topic}")
        return self._sends_to_fail.popleft() if outputs and self._sends_to_fail else None

    def _store(self, group: str, positions: Sequence[Position]) -> None:
        of_group = self.group(group).committed
        of_group.update({Partition(p.topic, p.partition): p.offset for p in positions})

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with self.lock:
            yield
            self.lock.notify_all()

    def _append(self, outputs: Sequence[Output]) -> None:
        with self._changing():
            for output in outputs:
                partition = self._partition_for(output)
                journal = self.journal(partition)
                stamp = output.timestamp if output.timestamp is not None else _now_ms()
                journal.append(
                    Record(*partition, journal.end, stamp, output.key, output.value, output.headers)
                )

    def _partition_for(self, output: Output) -> Partition:
        """The same for equal keys; in turn for records without one."""
        partitions = self.partitions(output.topic)
        if output.key is not None:
            return partitions[zlib.crc32(output.key) % len(partitions)]
        self._unkeyed += 1
        return partitions[self._unkeyed % len(partitions)]

    def _require_fits(self, index: int, output: Output) -> None:
        headers = sum(len(name) + len(value or b"") for name, value in output.headers)
        size = len(output.key or b"") + len(output.value or b"") + headers + RECORD_OVERHEAD_BYTES
        if size > self._record_bytes_max:
            raise OutputTooLarge(index, f"{size} bytes; at most {self._record_bytes_max} fit")


def _now_ms() -> int:
    return int(time.time() * 1000)
