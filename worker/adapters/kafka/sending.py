"""Outputs as the client sends them, and what became of each; knows nothing of transactions."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from kafka.errors import KafkaError

from worker.adapters.kafka import private
from worker.adapters.kafka.errors import TOO_LARGE
from worker.ports import OutputTooLarge

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kafka import KafkaProducer
    from kafka.producer.future import FutureRecordMetadata

    from worker.records import Output

REQUEST_BYTES_MAX = 1 << 20
"""Largest record that we try to send; a broker's own default takes twelve bytes more."""
COMPRESSION = "lz4"
AHEAD_MAX_MS = 30 * 60 * 1000
"""Kafka 4 refuses records stamped more than an hour ahead; half of that leaves room for clocks."""


def require_fit(outputs: Iterable[Output], bytes_max: int, first: int = 0) -> None:
    """Raise OutputTooLarge for one that the client would not take; the first has index `first`."""
    for index, output in enumerate(outputs, start=first):
        size = private.record_size(output.key, output.value, _headers(output))
        if size > bytes_max:
            raise OutputTooLarge(index, f"a record of {size} bytes; at most {bytes_max} are sent")


def send(producer: KafkaProducer, output: Output) -> FutureRecordMetadata:
    """Queue one output. Raises KafkaError.

    The client cannot send a header without a value: None becomes empty. A timestamp far in the
    future, which the broker would refuse for ever, becomes the time of sending.
    """
    return producer.send(
        output.topic,
        key=output.key,
        value=output.value,
        headers=_headers(output),
        timestamp_ms=_timestamp(output),
    )


def acknowledge(
    producer: KafkaProducer, sent: Sequence[FutureRecordMetadata], timeout_s: float
) -> None:
    """Return only when each of `sent` is acknowledged. Raises OutputTooLarge or KafkaError.

    Only every record's own outcome counts: the client's flush fails for batches that it had to
    split, and says nothing of records that were given up.
    """
    ends_at, index = time.monotonic() + timeout_s, 0
    try:
        with suppress(KafkaError):
            producer.flush(max(0.0, timeout_s))
        for index, record in enumerate(sent):  # noqa: B007 - names the one that failed
            record.get(max(0.0, ends_at - time.monotonic()))
    except TOO_LARGE as error:
        raise OutputTooLarge(index, f"the broker takes no record so large: {error}") from error


def _headers(output: Output) -> list[tuple[str, bytes]]:
    return [(name, value if value is not None else b"") for name, value in output.headers]


def _timestamp(output: Output) -> int | None:
    stamp = output.timestamp
    if stamp is None or stamp < 0 or stamp > time.time() * 1000 + AHEAD_MAX_MS:
        return None
    return stamp
