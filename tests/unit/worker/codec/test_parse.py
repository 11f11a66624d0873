"""One value's bytes to a JSON object or array, or the reason why not."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from worker.codec.parse import REASONS, RecordRejected, depth_of, parse_record

if TYPE_CHECKING:
    from worker.records import JsonRecord

DEEP = 3


def parse(value: bytes, bytes_max: int = 100_000, depth_max: int = DEEP) -> JsonRecord:
    return parse_record(value, bytes_max, depth_max)


@pytest.mark.parametrize(
    ("value", "record"),
    [
        (b"{}", {}),
        (b' {"a": 1}\n', {"a": 1}),
        (b'{"a": {"b": [1]}}', {"a": {"b": [1]}}),
        ('{"größe": "\\u00e9\\ud83d\\ude00"}'.encode(), {"größe": "é😀"}),
        (b"[1, []]", [1, []]),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b'{"a": "{[{[{["}', {"a": "{[{[{["}),
        (b'{"a": "\\"{[{["}', {"a": '"{[{['}),
        (b'{"a": "\\\\", "b": "[[[["}', {"a": "\\", "b": "[[[["}),
        (b'\x00{[{[{"a": 1}', {"a": 1}),
    ],
)
def test_a_json_object_or_array_is_a_record(value: bytes, record: JsonRecord) -> None:
    assert parse(value) == record


@pytest.mark.parametrize("number", ["1e400", "-1e999", "9" * 5000, "-" + "9" * 5000])
def test_a_number_beyond_a_double_is_infinite_whatever_reads_it(number: str) -> None:
    value = f'{{"a": {number}, "b": "x"}}'.encode()
    assert parse(value) == {"a": math.copysign(math.inf, -1 if number[0] == "-" else 1), "b": "x"}


@pytest.mark.parametrize(
    ("value", "reason", "detail"),
    [
        (b"", "empty", "no bytes"),
        (b"{" + b" " * 100_000 + b"}", "too_large", "100002 bytes"),
        (b'{"a":{"b":{"c":[]}}}', "too_deep", "deeper than 3"),
        (b"hello", "not_json", ""),
        (b"{", "not_json", ""),
        (b'{"a": NaN}', "not_json", ""),
        (b'{"a": 01}', "not_json", ""),
        (b"{} {}", "not_json", ""),
        (b"\x00\x00\x00\x00\x07", "not_json", ""),
        (b'{"a": "\xff"}', "not_json", ""),
        (b'{"a": "\\ud800"}', "not_json", ""),
        (b'\xef\xbb\xbf{"a": 1}', "not_json", ""),
        (b'{"a": 1e400, "b": NaN}', "not_json", "NaN is not JSON"),
        (b'{"a": 1e400, "b": "\\ud800"}', "not_json", "surrogate"),
        (b'{"a": 1e400, "b": "\xff"}', "not_json", ""),
        (b'{"a": 1e400, oops', "not_json", ""),
        (b'{"a": 1e400} {}', "not_json", ""),
        (b"null", "not_an_object", ""),
        (b"1e400", "not_an_object", ""),
    ],
)
def test_what_is_no_record_is_rejected_with_a_reason(
    value: bytes, reason: str, detail: str
) -> None:
    with pytest.raises(RecordRejected) as caught:
        parse(value)
    assert caught.value.reason == reason
    assert detail in caught.value.detail
    assert reason in REASONS


@pytest.mark.parametrize("start", [b"[", b'{"a":', b"[1e400,"])
def test_nesting_beyond_the_parser_is_too_deep(start: bytes) -> None:
    with pytest.raises(RecordRejected) as caught:
        parse(start * 50_000, bytes_max=10**6, depth_max=10**6)
    assert caught.value.reason == "too_deep"


def test_a_rejection_without_detail_says_its_reason() -> None:
    assert str(RecordRejected("empty")) == "empty"


@pytest.mark.parametrize(
    ("value", "depth"),
    [
        (b"1", 0),
        (b"[]", 1),
        (b"[][][][]", 1),
        (b'{"a":[{}]}', 3),
        (b'"[[[["', 0),
        (b'"[[[[', 0),
        (b'"\\"[[[["', 0),
        (b'"[[[[\\', 0),
        (b'"\\\\"[[[[', 4),
        (b'["]]]", [["}"]]]', 3),
        (b"]][[", 0),
    ],
)
def test_depth_counts_brackets_outside_of_strings(value: bytes, depth: int) -> None:
    crowded = b"[]" * 9 + value  # so that counting the opening brackets is never enough
    limits = range(8)
    assert [depth_of(crowded, enough) > enough for enough in limits] == [
        max(depth, 1) > enough for enough in limits
    ]
