"""Files of JSON lines as logs."""

from __future__ import annotations

import io
import os
import threading
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.adapters.files import VALUES_AT_ONCE, JsonLinesHistory, ValuesHistory, read_lines
from worker.ports import RecordHistory, Unreachable
from worker.records import Partition, RawRecord, Record

if TYPE_CHECKING:
    from pathlib import Path


def history(path: Path, content: bytes) -> RecordHistory:
    file = path / "pumps.jsonl"
    file.write_bytes(content)
    return JsonLinesHistory(file)


def records(found: RecordHistory) -> list[RawRecord]:
    """All of them."""
    return [record for chunk in found.read(found.span(None, None)) for record in chunk]


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"a", [b"a"]),
        (b"a\n", [b"a"]),
        (b"a\nb", [b"a", b"b"]),
        (b"a\r\nb\r\n", [b"a", b"b"]),
        (b"\n\na\n\n", [b"", b"", b"a", b""]),
        (b"\xff\x00\n", [b"\xff\x00"]),
    ],
)
def test_every_line_is_a_record(tmp_path: Path, content: bytes, lines: list[bytes]) -> None:
    found = history(tmp_path, content)
    assert records(found) == [
        Record("pumps.jsonl", 0, offset, -1, None, line) for offset, line in enumerate(lines)
    ]
    assert found.span(None, None) == {Partition("pumps.jsonl", 0): (0, len(lines))}


def test_a_part_of_a_file_is_read_by_its_line_numbers(tmp_path: Path) -> None:
    found = history(tmp_path, b"a\nb\nc\nd\n")
    chunks = found.read({Partition("pumps.jsonl", 0): (1, 3)})
    assert [record.value for chunk in chunks for record in chunk] == [b"b", b"c"]


def test_of_another_file_nothing_is_read(tmp_path: Path) -> None:
    found = history(tmp_path, b"a\n")
    assert list(found.read({Partition("other", 0): (0, 9)})) == []
    found.close()


def test_lines_longer_than_what_is_read_at_once_stay_whole(tmp_path: Path) -> None:
    long = b"x" * 3_000_000
    found = history(tmp_path, long + b"\nshort\n" + long)
    assert [record.value for record in records(found)] == [long, b"short", long]


@pytest.mark.parametrize("bounds", [(0, None), (None, 0)])
def test_neither_files_nor_values_know_times(
    tmp_path: Path, bounds: tuple[int | None, int | None]
) -> None:
    for found in (history(tmp_path, b""), ValuesHistory([], "values")):
        with pytest.raises(ValueError, match="without timestamps"):
            found.span(*bounds)


def test_values_are_records_in_their_order() -> None:
    values = [b"%d" % at if at % 7 else None for at in range(VALUES_AT_ONCE + 10)]
    found = ValuesHistory(values, "values")
    assert records(found) == [
        Record("values", 0, offset, -1, None, value) for offset, value in enumerate(values)
    ]
    assert [
        record.value for chunk in found.read({Partition("values", 0): (1, 3)}) for record in chunk
    ] == [b"1", b"2"]
    found.close()
    assert list(found.read({Partition("other", 0): (0, 9)})) == []


@pytest.mark.parametrize("name", ["absent.jsonl", "."])
def test_what_cannot_be_opened_is_named(tmp_path: Path, name: str) -> None:
    found = JsonLinesHistory(tmp_path / name)
    with pytest.raises(Unreachable, match="cannot be read: "):
        found.span(None, None)
    with pytest.raises(Unreachable, match="cannot be read: "):
        list(found.read({}))


def test_what_comes_slowly_is_handed_on_as_it_comes() -> None:
    source, sink = os.pipe()
    go_on = threading.Event()

    def write() -> None:
        with os.fdopen(sink, "wb", buffering=0) as pipe:
            pipe.write(b"a\nb")
            go_on.wait(10)
            pipe.write(b"c\n")

    writer = threading.Thread(target=write)
    writer.start()
    with os.fdopen(source, "rb") as stream:
        chunks = read_lines(stream, "-")
        assert [record.value for record in next(chunks)] == [b"a"]
        go_on.set()
        assert [(r.offset, r.value) for r in next(chunks)] == [(1, b"bc")]
        assert list(chunks) == []
    writer.join()


@given(
    st.lists(st.text("ab\r", max_size=5).map(str.encode), max_size=8),
    st.sampled_from([b"", b"\n"]),
)
def test_lines_come_out_as_they_went_in(lines: list[bytes], end: bytes) -> None:
    content = b"\n".join(lines) + (end if lines else b"")
    stream = cast("io.BufferedReader", io.BufferedReader(io.BytesIO(content)))
    found = [record for chunk in read_lines(stream, "f") for record in chunk]
    wanted = lines if end or not lines or lines[-1] else lines[:-1]
    assert [record.offset for record in found] == list(range(len(wanted)))
    assert [record.value for record in found] == [line.removesuffix(b"\r") for line in wanted]
