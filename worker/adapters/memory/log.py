"""A topic in memory read as one member of a group (RecordLog)."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from worker.records import Membership, Partition, Position, RawBatch

if TYPE_CHECKING:
    from worker.adapters.memory.broker import Group, MemoryBroker
    from worker.ports import LogEvents
    from worker.records import Lags, Record, StartRule

_numbers = itertools.count(1)


class MemoryRecordLog:
    """One member of `group` reading `topic`. Joins at the first poll, joins again when expelled."""

    def __init__(
        self, broker: MemoryBroker, topic: str, group: str, start: StartRule, events: LogEvents
    ) -> None:
        self.group = group
        self._broker = broker
        self._topic = topic
        self._start = start
        self._events = events
        self._member = f"member-{next(_numbers)}"
        self._generation = -1
        self._positions: dict[Partition, int] = {}
        self._reported: dict[Partition, int] = {}
        self._dirty = False
        self._paused = False

    def poll(self, records_max: int, timeout_s: float) -> RawBatch:
        """As the port says. Empty after any change of assignment and after a rewind."""
        with self._broker.lock:
            self._broker.require_reachable()
            if self._changed() or self._dirty:
                self._settle()
                return RawBatch()
            self._broker.lock.wait_for(lambda: self._changed() or self._waiting(), timeout_s)
            if self._changed():
                self._settle()
                return RawBatch()
            records = [] if self._paused else self._take(records_max)
            membership = Membership(self._generation, self._member)
            return RawBatch(records, self._advanced(), membership)

    def rewind(self) -> None:
        """As the port says; done by the next poll."""
        self._dirty = True

    def pause(self) -> None:
        """As the port says."""
        self._paused = True

    def resume(self) -> None:
        """As the port says."""
        self._paused = False

    def assigned(self) -> frozenset[Partition]:
        """As the port says."""
        return frozenset(self._positions)

    def lags(self) -> Lags:
        """As the port says."""
        return {p: self._broker.journal(p).end - at for p, at in self._positions.items()}

    def lose_membership(self) -> None:
        """The group gives us up without our knowing, as it does after a poll that came too late."""
        with self._broker.lock:
            self._group().leave(self._member)
            self._broker.lock.notify_all()

    def close(self) -> None:
        """As the port says."""
        self.lose_membership()
        self._positions = {}

    # --- inside; the broker's lock is held

    def _group(self) -> Group:
        return self._broker.group(self.group)

    def _changed(self) -> bool:
        group = self._group()
        return self._member not in group.members or group.generation != self._generation

    def _waiting(self) -> bool:
        """Whether there is anything to read."""
        if self._paused:
            return False
        return any(self._broker.journal(p).end > at for p, at in self._positions.items())

    def _settle(self) -> None:
        """Adopt the assignment and go to the committed position of every partition of it."""
        group = self._group()
        changed = self._changed()
        if changed and self._positions:
            lost = self._member not in group.members
            self._positions = {}
            self._events.rebalanced("lost" if lost else "revoked", 0)
        if self._member not in group.members:
            group.join(self._member)
            self._broker.lock.notify_all()
        self._generation = group.generation
        mine = group.range_of(self._member, self._broker.partitions(self._topic))
        if changed:
            self._events.rebalanced("assigned", len(mine))
        self._positions = {p: self._resume_at(p, group.committed.get(p)) for p in mine}
        # Stored at once, or a restart before the first batch would start at a later end.
        group.committed.update(self._positions)
        self._reported = dict(self._positions)
        self._dirty = False

    def _resume_at(self, partition: Partition, committed: int | None) -> int:
        journal = self._broker.journal(partition)
        wanted: int | None = committed
        if committed is None:
            if self._start == "end":
                return journal.end
            wanted = None if self._start == "beginning" else self._start.get(partition.partition)
        if wanted is None:
            return journal.beginning
        if journal.beginning <= wanted <= journal.end:
            return wanted
        self._events.offset_reset(partition)
        return journal.beginning

    def _take(self, records_max: int) -> list[Record]:
        taken: list[Record] = []
        for partition, position in self._positions.items():
            journal = self._broker.journal(partition)
            if position < journal.beginning:
                self._events.offset_reset(partition)
            found = journal.between(position, journal.end)
            room = records_max - len(taken)
            taken += found[:room]
            # Over the gap behind the last record too, where there is one.
            self._positions[partition] = found[room].offset if len(found) > room else journal.end
        return taken

    def _advanced(self) -> list[Position]:
        moved = {p: at for p, at in self._positions.items() if at != self._reported[p]}
        self._reported.update(moved)
        return [Position(p.topic, p.partition, at) for p, at in moved.items()]
