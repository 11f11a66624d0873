"""Publishing the records of a file: in slices, at a rate, with keys and times from the records."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from worker.model.path import parse_path
from worker.ports import OutputTooLarge, Retryable, Unreadable
from worker.records import Output, Record
from worker.replay import SLICE_RECORDS, Addressing, output_maker, replay

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from worker.records import RawRecord


@dataclass
class FakeClock:
    """Time passes only by sleeping."""

    at: float = 100.0

    def monotonic(self) -> float:
        return self.at

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


@dataclass
class FakePublisher:
    """Notes when how much was acknowledged; can fail at a flush or for a record's size."""

    clock: FakeClock
    fails_at_flush: int = -1
    too_large: bytes | None = None
    flushed: list[tuple[float, int]] = field(default_factory=list)
    queued: list[Output] = field(default_factory=list)
    values: list[bytes | None] = field(default_factory=list)

    def publish(self, outputs: Iterable[Output]) -> None:
        for index, output in enumerate(outputs):
            if output.value is not None and output.value == self.too_large:
                raise OutputTooLarge(index, "a record of 9 bytes; at most 8 are sent")
            self.queued.append(output)

    def flush(self, timeout_s: float) -> None:
        assert timeout_s > 0
        if len(self.flushed) == self.fails_at_flush:
            raise Retryable("broker gone")
        self.flushed.append((self.clock.at, len(self.queued)))
        self.values += [output.value for output in self.queued]
        self.queued.clear()

    def close(self) -> None: ...


def records(count: int, chunk: int = 1000) -> Iterator[Sequence[RawRecord]]:
    for at in range(0, count, chunk):
        rows = range(at, min(at + chunk, count))
        yield [Record("f", 0, i, -1, None, str(i).encode()) for i in rows]


def parsed(_value: bytes) -> object:
    raise AssertionError("without a path no record is parsed")


TO_OUTPUT = output_maker(Addressing("t"), parsed)


def test_all_records_are_acknowledged_slice_by_slice() -> None:
    clock = FakeClock()
    publisher = FakePublisher(clock)
    done = list(replay(records(SLICE_RECORDS + 10), TO_OUTPUT, publisher, clock, None))
    assert done == [SLICE_RECORDS, SLICE_RECORDS + 10]
    assert publisher.values == [str(i).encode() for i in range(SLICE_RECORDS + 10)]
    assert clock.at == 100.0


@pytest.mark.parametrize(("rate", "slices"), [(1000.0, 3), (20.0, 5), (0.5, 3)])
def test_a_rate_is_kept(rate: float, slices: int) -> None:
    clock = FakeClock()
    publisher = FakePublisher(clock)
    size = max(1, int(rate / 10))
    assert (
        list(replay(records(slices * size), TO_OUTPUT, publisher, clock, rate))[-1] == slices * size
    )
    assert [sent for _, sent in publisher.flushed] == [size] * slices
    due = [100 + i * size / rate for i in range(slices)]
    assert [at for at, _ in publisher.flushed] == pytest.approx(due)


def test_what_fails_was_not_counted() -> None:
    clock = FakeClock()
    publisher = FakePublisher(clock, fails_at_flush=1)
    done: list[int] = []
    with pytest.raises(Retryable):
        done.extend(replay(records(300), TO_OUTPUT, publisher, clock, 1000))
    assert publisher.values == [str(i).encode() for i in range(100)]
    assert done == [100]


def test_a_record_that_is_too_large_is_named() -> None:
    clock = FakeClock()
    publisher = FakePublisher(clock, too_large=b"207")
    with pytest.raises(
        Unreadable, match="record 207, counted from 0, cannot be sent: a record of 9"
    ):
        list(replay(records(300), TO_OUTPUT, publisher, clock, 1000))


def made(value: bytes, key: str | None = None, time: str | None = None) -> Output:
    def parse(_value: bytes) -> object:
        if value == b"poison":
            raise ValueError
        return {"k": {"id": 7}, "o": {"x": 1}, "n": None, "at": "2026-01-01T00:00:00Z", "s": "ä"}

    addressing = Addressing(
        "t", None if key is None else parse_path(key), None if time is None else parse_path(time)
    )
    return output_maker(addressing, parse)(Record("f", 0, 0, -1, None, value))


@pytest.mark.parametrize(
    ("path", "key"),
    [("k.id", b"7"), ("s", "ä".encode()), ("o", None), ("n", None), ("missing", None)],
)
def test_the_key_is_the_text_of_the_value_at_its_path(path: str, key: bytes | None) -> None:
    assert made(b"{}", key=path) == Output("t", key, b"{}")


@pytest.mark.parametrize(("path", "stamp"), [("at", 1_767_225_600_000), ("s", None), ("no", None)])
def test_the_time_is_that_of_the_record(path: str, stamp: int | None) -> None:
    assert made(b"{}", time=path) == Output("t", None, b"{}", timestamp=stamp)


def test_a_record_that_cannot_be_parsed_goes_as_it_is() -> None:
    assert made(b"poison", key="k.id", time="at") == Output("t", None, b"poison")
