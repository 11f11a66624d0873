"""Dead letters: what they say, how they are cut, how a record goes back."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from worker.letters import (
    ERROR_PREFIX,
    REPLAYS,
    VALUE_BYTES_KEPT,
    cut,
    error_headers,
    read_letter,
    sent_back,
)
from worker.records import Headers, Output, Record

ERRORS: Final = {
    "topic": "pumps",
    "partition": 2,
    "offset": 41,
    "timestamp": 1_767_225_600_123,
    "group": "latentwatch.pumps",
    "stage": "decode",
    "reason": "wrong_type",
    "exception.message": "flow: a number expected, an array found",
    "worker.version": "1.2.3",
    "model.version": "v7",
}
THEIRS: Final[Headers] = [("trace", b"1"), ("trace", b"2"), ("none", None)]
RECORD: Final = Record(
    "pumps.dlq", 0, 7, 1_767_225_600_123, b"pump-1", b"{", [*THEIRS, *error_headers(ERRORS)]
)


def test_a_letter_tells_what_its_headers_say() -> None:
    letter = read_letter(RECORD)
    assert (letter.topic, letter.partition, letter.offset) == ("pumps", 2, 41)
    assert (letter.timestamp, letter.group) == (1_767_225_600_123, "latentwatch.pumps")
    assert (letter.stage, letter.reason, letter.model) == ("decode", "wrong_type", "v7")
    assert letter.detail == "flow: a number expected, an array found"
    assert (letter.replays, letter.cut) == (0, {})


@given(
    st.lists(
        st.tuples(
            st.sampled_from([REPLAYS, *(ERROR_PREFIX + name for name in ERRORS), "other"]),
            st.none() | st.binary(max_size=30) | st.integers().map(lambda n: str(n).encode()),
        ),
        max_size=8,
    )
)
def test_whatever_stands_on_the_topic_can_be_read(headers: Headers) -> None:
    """Numbers that are none, or too large for anything, do not count."""
    letter = read_letter(RECORD._replace(headers=headers))
    assert max(abs(letter.offset), abs(letter.timestamp), abs(letter.replays)) < 10**19


def test_a_record_goes_back_as_it_was_and_is_counted() -> None:
    once = sent_back(RECORD, read_letter(RECORD), "pumps")
    assert once == Output("pumps", b"pump-1", b"{", [*THEIRS, (REPLAYS, b"1")], 1_767_225_600_123)
    again = RECORD._replace(headers=[*once.headers, *error_headers(ERRORS)])
    assert read_letter(again).replays == 1
    twice = sent_back(again, read_letter(again), "pumps")
    assert list(twice.headers) == [*THEIRS, (REPLAYS, b"2")]


def test_a_record_without_a_time_goes_back_without_one() -> None:
    """The letter itself has the time of its publishing, which was never the record's."""
    headers = error_headers({**ERRORS, "timestamp": -1})
    timeless = RECORD._replace(headers=headers)
    assert sent_back(timeless, read_letter(timeless), "pumps").timestamp is None


def test_what_was_cut_is_said_and_how_much() -> None:
    whole = Output("pumps.dlq", b"k" * 5000, b"v" * 50_000, RECORD.headers)
    smallest = whole
    while (smaller := cut(smallest)) is not None:
        smallest = smaller
    assert (len(smallest.key or b""), len(smallest.value or b"")) == (1024, VALUE_BYTES_KEPT)
    letter = read_letter(RECORD._replace(headers=smallest.headers))
    assert letter.reason == "wrong_type"
    assert {name: text for name, text in letter.cut.items() if "sha256" not in name} == {
        "truncated.value.bytes": "50000",
        "truncated.headers": "3",
        "truncated.headers.bytes": "16",
        "truncated.key.bytes": "5000",
    }


def test_what_is_small_is_not_cut() -> None:
    assert cut(replace(Output("t", b"k", b"v"), headers=error_headers(ERRORS))) is None
