"""Lines as records."""

from __future__ import annotations

import io

import pytest

from worker.adapters.files import json_lines
from worker.adapters.files.json_lines import line_count, line_values, read_lines
from worker.ports import Unreadable


def lines(content: bytes, name: str = "t.jsonl") -> list[bytes]:
    return [value for chunk in line_values(io.BytesIO(content), name) for value in chunk]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (b"{}\n", [b"{}"]),
        (b"{}\r\n[]", [b"{}", b"[]"]),
        (b"a\n\nb\n", [b"a", b"", b"b"]),
        (b"\xef\xbb\xbf{}\n", [b"{}"]),
    ],
)
def test_a_line_is_a_record(content: bytes, expected: list[bytes]) -> None:
    assert lines(content) == expected
    assert line_count(io.BytesIO(content), "t.jsonl") == len(expected)


class Piecewise(io.BytesIO):
    """Gives three bytes at a time."""

    def read1(self, _size: int | None = -1, /) -> bytes:
        return self.read(3)


def test_a_line_may_come_in_pieces() -> None:
    content = b"0123456789\r\n\n01\n0123"
    chunks = line_values(Piecewise(content), "t.jsonl")
    assert [line for chunk in chunks for line in chunk] == [b"0123456789", b"", b"01", b"0123"]


def test_of_a_line_without_end_the_beginning_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_lines, "LINE_BYTES_MAX", 10)
    content = b"0" * 100 + b"\n1\n" + b"2" * 100
    chunks = line_values(Piecewise(content), "t.jsonl")
    assert [line for chunk in chunks for line in chunk] == [b"0" * 10, b"1", b"2" * 10]


def test_a_huge_line_is_read_in_time_that_grows_with_its_length_alone() -> None:
    """Each byte is looked at once, and not again with every piece."""
    copied = 0

    class Piece(bytes):
        def __add__(self, other: bytes) -> bytes:  # type: ignore[override]
            nonlocal copied
            copied += len(self) + len(other)
            return Piece(bytes(self) + other)

    class Pieces(io.BytesIO):
        def read1(self, _size: int | None = -1, /) -> bytes:
            return Piece(self.read(1000))

    (line,) = [v for chunk in line_values(Pieces(b"0" * 10**6), "t") for v in chunk]
    assert (len(line), copied) == (10**6, 0)


def test_an_array_a_line_in_a_json_file_is_a_record_each() -> None:
    assert lines(b"[1, 2]\n[3, 4]\n", "t.json") == [b"[1, 2]", b"[3, 4]"]


def test_a_slow_stream_is_read_as_it_comes() -> None:
    class Slow(io.BytesIO):
        def read1(self, _size: int | None = -1, /) -> bytes:
            return self.readline()

    chunks = list(read_lines(Slow(b"a\nb\n"), "stdin"))
    assert [[(r.topic, r.offset, r.value) for r in chunk] for chunk in chunks] == [
        [("stdin", 0, b"a")],
        [("stdin", 1, b"b")],
    ]


def test_a_json_file_that_is_one_array_is_refused_with_the_command_that_mends_it() -> None:
    with pytest.raises(Unreadable, match=r"jq -c '\.\[\]' t\.json"):
        lines(b'[\n{"a":1},\n{"a":2}]\n', "t.json")


def test_an_array_in_the_first_line_of_json_lines_is_a_record_like_any() -> None:
    assert lines(b"[1]\n{}\n") == [b"[1]", b"{}"]
