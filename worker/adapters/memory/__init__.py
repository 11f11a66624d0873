"""The log seams in memory: for tests, which can make trouble on purpose, and for the demo."""

from worker.adapters.memory.broker import MemoryBroker
from worker.adapters.memory.delivery import MemoryDelivery, MemoryExactlyOnce, MemoryPublisher
from worker.adapters.memory.history import MemoryRecordHistory
from worker.adapters.memory.log import MemoryRecordLog

__all__ = [
    "MemoryBroker",
    "MemoryDelivery",
    "MemoryExactlyOnce",
    "MemoryPublisher",
    "MemoryRecordHistory",
    "MemoryRecordLog",
]
