"""Publishing to a broker in memory; delivery at least once, and exactly once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from worker.adapters.memory.broker import MemoryBroker
    from worker.adapters.memory.log import MemoryRecordLog
    from worker.records import Membership, Output, Position


class MemoryPublisher:
    """Writes when flushed."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker
        self._queued: list[Output] = []

    def publish(self, outputs: Iterable[Output]) -> None:
        """As the port says."""
        self._queued += outputs

    def flush(self, timeout_s: float) -> None:  # noqa: ARG002 - nothing to wait for here
        """As the port says."""
        queued, self._queued = self._queued, []
        self._broker.send(queued)

    def close(self) -> None:
        """As the port says."""
        self._queued = []


class MemoryDelivery:
    """Nothing is lost; what was written before a failure is written again."""

    def __init__(self, broker: MemoryBroker, record_log: MemoryRecordLog) -> None:
        self._broker = broker
        self._group = record_log.group

    def deliver(
        self,
        outputs: Sequence[Output],
        positions: Sequence[Position],
        membership: Membership | None,
    ) -> None:
        """As the port says."""
        self._broker.require_member(self._group, membership)
        self._broker.send(outputs)
        self._broker.commit(self._group, positions, membership)

    def close(self) -> None:
        """As the port says: there is nothing to give up."""


class MemoryExactlyOnce:
    """Outputs and positions at one stroke, or neither."""

    def __init__(self, broker: MemoryBroker, record_log: MemoryRecordLog) -> None:
        self._broker = broker
        self._group = record_log.group

    def deliver(
        self,
        outputs: Sequence[Output],
        positions: Sequence[Position],
        membership: Membership | None,
    ) -> None:
        """As the port says."""
        self._broker.transact(self._group, outputs, positions, membership)

    def close(self) -> None:
        """As the port says: there is nothing to give up."""
