"""Publishes the records of a file to a topic, at a rate, a slice at a time.

Knows nothing of files or of a client.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from worker.model.path import MISSING
from worker.model.times import time_ms
from worker.model.values import category_text
from worker.ports import OutputTooLarge, Unreadable
from worker.records import Output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from worker.model.path import Path
    from worker.ports import Clock, Publisher
    from worker.records import RawRecord

SLICE_RECORDS: Final = 5000
"""Sent and acknowledged at once: no more than these are in memory."""
SLICE_S: Final = 0.1
"""A slice at a given rate is no longer than this."""
FLUSH_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Addressing:
    """Where a record goes: the topic; the paths of its key and of its time, None for none.

    A record without a value at the path has no key, or the time of its publishing.
    """

    topic: str
    key: Path | None = None
    time: Path | None = None


RecordT = TypeVar("RecordT")


def replay(
    chunks: Iterable[Iterable[RecordT]],
    to_output: Callable[[RecordT], Output],
    publisher: Publisher,
    clock: Clock,
    rate: float | None,
) -> Iterator[int]:
    """Publish the records; after each slice how many are acknowledged by then.

    At `rate` records a second, None for as fast as it goes. Raises what the publisher raises, and
    Unreadable for a record that is too large to be sent.
    """
    began, done = clock.monotonic(), 0
    size = SLICE_RECORDS if rate is None else max(1, min(SLICE_RECORDS, int(rate * SLICE_S)))
    records = map(to_output, itertools.chain.from_iterable(chunks))
    while outputs := list(itertools.islice(records, size)):
        if rate is not None:
            clock.sleep(max(0.0, began + done / rate - clock.monotonic()))
        try:
            publisher.publish(outputs)
            publisher.flush(FLUSH_S)
        except OutputTooLarge as error:
            at = done + error.index
            raise Unreadable(f"record {at}, counted from 0, cannot be sent: {error}") from error
        done += len(outputs)
        yield done


def output_maker(
    addressing: Addressing, parse: Callable[[bytes], object]
) -> Callable[[RawRecord], Output]:
    """What makes an output of a record; one that `parse` refuses (ValueError) goes as it is."""

    def make(record: RawRecord) -> Output:
        value = record.value
        if value is None or (addressing.key is None and addressing.time is None):
            return Output(addressing.topic, None, value)
        try:
            parsed = parse(value)
        except ValueError:
            return Output(addressing.topic, None, value)
        key, stamp = _key(addressing.key, parsed), _stamp(addressing.time, parsed)
        return Output(addressing.topic, key, value, timestamp=stamp)

    return make


def _key(path: Path | None, record: object) -> bytes | None:
    found = MISSING if path is None else path.resolve(record)
    if found is None or found is MISSING:
        return None
    text = category_text(found)
    return None if text is None else text.encode("utf-8", "surrogatepass")


def _stamp(path: Path | None, record: object) -> int | None:
    if path is None:
        return None
    stamp = time_ms(path.resolve(record))
    return int(stamp) if stamp >= 0 else None  # NaN is not
