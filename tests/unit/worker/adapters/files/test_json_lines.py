"""Lines as records."""

from __future__ import annotations

import io

import pytest

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
