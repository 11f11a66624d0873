"""The path grammar: how a value inside a record is named, and how it is reached.

    fields.usage_user                        keys of nested objects
    "id.orig_h"                              a key that holds a dot (JSON string)
    readings[3]                              an element of an array, from 0
    metrics[name="cpu.load"].value           the named point of a list of points

Knows nothing of schemas or bytes: values are what a JSON parser gives.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final


class PathInvalid(ValueError):  # noqa: N818 - reads as what it says
    """The text is not a path; the message shows where it stops being one."""


@dataclass(frozen=True, slots=True)
class Key:
    """A member of an object."""

    name: str


@dataclass(frozen=True, slots=True)
class Index:
    """An element of an array, counted from 0."""

    at: int


@dataclass(frozen=True, slots=True)
class Named:
    """The first object of an array whose member `key` is the string `value`."""

    key: str
    value: str


Segment = Key | Index | Named


class Missing:
    """The type of MISSING."""

    def __repr__(self) -> str:
        """Show as its name."""
        return "MISSING"


MISSING: Final = Missing()
"""What a path gives where nothing is; unlike None, which is a JSON null."""

_BARE = re.compile(r'[^.\[\]"=]+')
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_DIGITS = re.compile(r"[0-9]{1,9}(?=\])")


@dataclass(frozen=True, slots=True)
class Path:
    """Segments from the record's top down to one value; never empty."""

    segments: tuple[Segment, ...]

    def __str__(self) -> str:
        """The text that parse_path turns back into this path."""
        return "".join(_shown(segment, first=i == 0) for i, segment in enumerate(self.segments))

    def resolve(self, record: object) -> object:
        """The value that the path leads to in `record`, or MISSING. Never raises."""
        value = record
        for segment in self.segments:
            value = _step(value, segment)
            if value is MISSING:
                return MISSING
        return value

    def obstacle(self, record: object) -> tuple[Path, object] | None:
        """What stands where the path needs an object or a list, and where that is; None if nothing.

        A null stands in nobody's way: it is an absent object.
        """
        value = record
        for depth, segment in enumerate(self.segments):
            if value is MISSING or value is None:
                return None
            if not isinstance(value, dict if isinstance(segment, Key) else list):
                return Path(self.segments[:depth]), value
            value = _step(value, segment)
        return None


def parse_path(text: str) -> Path:
    """The path that `text` writes. Raises PathInvalid."""
    segments: list[Segment] = []
    at = 0
    while at < len(text):
        segment, at = _parse_segment(text, at, first=not segments)
        segments.append(segment)
    if not segments:
        msg = "a path is not empty"
        raise PathInvalid(msg)
    return Path(tuple(segments))


def key_path(*names: str) -> Path:
    """The path along plain keys."""
    return Path(tuple(Key(name) for name in names))


def _parse_segment(text: str, at: int, *, first: bool) -> tuple[Segment, int]:
    if text[at] == "[":
        return _parse_selector(text, at + 1)
    if not first:
        if text[at] != ".":
            raise _invalid(text, at, "'.' or '['")
        at += 1
    name, at = _parse_name(text, at)
    return Key(name), at


def _parse_selector(text: str, at: int) -> tuple[Segment, int]:
    segment: Segment
    if digits := _DIGITS.match(text, at):
        segment, at = Index(int(digits.group())), digits.end()
    else:
        key, at = _parse_name(text, at)
        if text[at : at + 1] != "=":
            raise _invalid(text, at, "'='")
        value, at = _parse_name(text, at + 1)
        segment = Named(key, value)
    if text[at : at + 1] != "]":
        raise _invalid(text, at, "']'")
    return segment, at + 1


def _parse_name(text: str, at: int) -> tuple[str, int]:
    if quoted := _STRING.match(text, at):
        try:
            return str(json.loads(quoted.group())), quoted.end()
        except ValueError:
            raise _invalid(text, at, "a JSON string") from None
    if bare := _BARE.match(text, at):
        return bare.group(), bare.end()
    raise _invalid(text, at, "a name")


def _invalid(text: str, at: int, wanted: str) -> PathInvalid:
    return PathInvalid(f"not a path: {text!r}: {wanted} expected at position {at}")


def _shown(segment: Segment, *, first: bool) -> str:
    match segment:
        case Key(name):
            return ("" if first else ".") + _shown_name(name)
        case Index(at):
            return f"[{at}]"
        case Named(key, value):
            return f"[{_shown_name(key)}={_quoted(value)}]"


def _shown_name(name: str) -> str:
    return name if _BARE.fullmatch(name) and name.isprintable() else _quoted(name)


def _quoted(text: str) -> str:
    """As a JSON string; line breaks and their like are escaped, so that a path is one line."""
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _step(value: object, segment: Segment) -> object:
    match segment:
        case Key(name):
            return value.get(name, MISSING) if isinstance(value, dict) else MISSING
        case Index(at):
            return value[at] if isinstance(value, list) and at < len(value) else MISSING
        case Named(key, wanted):
            return _named(value, key, wanted)


def _named(value: object, key: str, wanted: str) -> object:
    if isinstance(value, list):
        for point in value:
            if isinstance(point, dict) and point.get(key) == wanted:
                return point
    return MISSING
