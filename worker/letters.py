"""Dead letters: what their headers say, how one is cut that does not fit, how one goes back.

A letter is the record as it was, with our headers after its own. Knows nothing of a client, nor
of why a record was rejected.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from worker.records import Output

if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.records import Headers, RawRecord

ERROR_PREFIX: Final = "__latentwatch.errors."
REPLAYS: Final = "__latentwatch.replays"
"""How often a record was sent back from the dead letters; it stays with the record."""

VALUE_BYTES_KEPT: Final = 16 * 1024
"""Bytes kept of a value that did not fit whole."""
KEY_BYTES_KEPT: Final = 1024
"""Bytes kept of a key that did not fit, and characters shown of one."""

_CUT: Final = "truncated."
_DIGITS_MAX: Final = 19
"""More stand in none of our headers: a number of 64 bits has no more."""


@dataclass(frozen=True, slots=True)
class Letter:
    """What a dead letter says of the record that it was.

    `replays`: how often the record had been sent back before it was rejected. `cut` tells what
    was left out, by the names of our headers; such a letter is not the whole record any more.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    group: str
    stage: str
    reason: str
    detail: str
    model: str
    replays: int
    cut: Mapping[str, str]


def error_headers(fields: Mapping[str, object]) -> Headers:
    """Our headers, as UTF-8 text."""
    return [
        (ERROR_PREFIX + name, str(value).encode("utf-8", "backslashreplace"))
        for name, value in fields.items()
    ]


def own_headers(record: RawRecord) -> Headers:
    """The record's headers, less those that claim to be ours: they tell of an older rejection."""
    return [header for header in record.headers if not header[0].startswith(ERROR_PREFIX)]


def read_letter(record: RawRecord) -> Letter:
    """What a record of the dead-letter topic says; what it does not say is empty, 0 or -1."""
    said = {
        name.removeprefix(ERROR_PREFIX): (value or b"").decode("utf-8", "replace")
        for name, value in record.headers
        if name.startswith(ERROR_PREFIX)
    }
    return Letter(
        topic=said.get("topic", ""),
        partition=_whole(said.get("partition"), -1),
        offset=_whole(said.get("offset"), -1),
        timestamp=_whole(said.get("timestamp"), -1),
        group=said.get("group", ""),
        stage=said.get("stage", ""),
        reason=said.get("reason", ""),
        detail=said.get("exception.message", ""),
        model=said.get("model.version", ""),
        replays=_replays(record),
        cut={name: value for name, value in said.items() if name.startswith(_CUT)},
    )


def sent_back(record: RawRecord, letter: Letter, topic: str) -> Output:
    """The record that a letter was, with its own headers, counted as sent back once more."""
    headers = [header for header in own_headers(record) if header[0] != REPLAYS]
    count = (REPLAYS, b"%d" % (letter.replays + 1))
    stamp = letter.timestamp if letter.timestamp >= 0 else None
    return Output(topic, record.key, record.value, [*headers, count], stamp)


def cut(letter: Output) -> Output | None:
    """A smaller letter: its value cut, then without the record's headers, then its key cut.

    Headers say what is missing and how much. None when it is as small as can be.
    """
    for shorten in (_with_short_value, _without_headers, _with_noted_short_key):
        smaller = shorten(letter)
        if smaller is not None:
            return smaller
    return None


def with_short_key(output: Output) -> Output | None:
    """The key cut, None where it is short already."""
    key = output.key or b""
    return replace(output, key=key[:KEY_BYTES_KEPT]) if len(key) > KEY_BYTES_KEPT else None


def _with_noted_short_key(letter: Output) -> Output | None:
    shorter = with_short_key(letter)
    if shorter is None:
        return None
    return replace(shorter, headers=[*letter.headers, *_missing("key", letter.key or b"")])


def _with_short_value(letter: Output) -> Output | None:
    value = letter.value or b""
    if len(value) <= VALUE_BYTES_KEPT:
        return None
    headers = [*letter.headers, *_missing("value", value)]
    return replace(letter, value=value[:VALUE_BYTES_KEPT], headers=headers)


def _without_headers(letter: Output) -> Output | None:
    """Our own headers only: those that came with the record may be what is too large."""
    ours = [header for header in letter.headers if _is_ours(header[0])]
    theirs = [header for header in letter.headers if not _is_ours(header[0])]
    if not theirs:
        return None
    size = sum(len(name.encode("utf-8", "surrogatepass")) + len(v or b"") for name, v in theirs)
    note = {f"{_CUT}headers": len(theirs), f"{_CUT}headers.bytes": size}
    return replace(letter, headers=[*ours, *error_headers(note)])


def _missing(part: str, whole: bytes) -> Headers:
    """The size and the hash of what was cut, so that the whole is known again when it is found."""
    digest = hashlib.sha256(whole).hexdigest()
    return error_headers(
        {f"{_CUT}{part}.bytes": len(whole), f"{_CUT}{part}.sha256": digest},
    )


def _is_ours(name: str) -> bool:
    return name.startswith(ERROR_PREFIX)


def _replays(record: RawRecord) -> int:
    counts = [value or b"" for name, value in record.headers if name == REPLAYS]
    return _whole(counts[-1].decode("utf-8", "replace"), 0) if counts else 0


def _whole(text: str | None, otherwise: int) -> int:
    """The number that a header writes, which may be anybody's."""
    if text is None or not text.isascii():
        return otherwise
    digits = text.removeprefix("-")
    if not digits.isdecimal() or len(digits) > _DIGITS_MAX:
        return otherwise
    return int(text)
