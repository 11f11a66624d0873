"""One poll of the client's consumer; its failures tell unreadable bytes from a bad line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafka.errors import (
    CorruptRecordError,
    KafkaError,
    LogTruncationError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    UnsupportedCodecError,
)

from worker.adapters.kafka import private
from worker.adapters.kafka.errors import translated
from worker.ports import LatentwatchError, Retryable, Unreadable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kafka import KafkaConsumer, TopicPartition

    from worker.records import RawRecord

ABOUT_POSITIONS = (NoOffsetForPartitionError, OffsetOutOfRangeError, LogTruncationError)
ABOUT_BYTES = (CorruptRecordError, UnsupportedCodecError)


def fetch(
    consumer: KafkaConsumer,
    records_max: int,
    timeout_s: float,
    otherwise: type[LatentwatchError] = Retryable,
) -> Mapping[TopicPartition, Sequence[RawRecord]]:
    """What one poll gives. Errors about positions pass as they are, for the caller to mend.

    Raises Unreadable with partition and offset, NotPermitted, and `otherwise` for the rest.
    """
    try:
        fetched: Mapping[TopicPartition, Sequence[RawRecord]] = consumer.poll(
            timeout_ms=timeout_s * 1000, max_records=records_max
        )
    except ABOUT_POSITIONS:
        raise
    except Exception as error:
        # Codecs and the record parser raise what they like, and unless what was parsed is dropped
        # the next poll spins on its rest for ever.
        parsing = private.parsing(consumer)
        private.drop_fetched(consumer)
        if isinstance(error, ABOUT_BYTES) or (parsing and not isinstance(error, KafkaError)):
            raise Unreadable(f"{_where(parsing)} cannot be read: {error!r}") from error
        if isinstance(error, KafkaError):
            raise translated(error, "polling", otherwise) from error
        raise
    return fetched


def _where(parsing: tuple[TopicPartition, int] | None) -> str:
    if parsing is None:
        return "a record"
    partition, offset = parsing
    return f"{partition.topic}, partition {partition.partition}, offset {offset} or soon after it,"
