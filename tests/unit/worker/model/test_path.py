"""Paths: how a value inside a record is named and reached."""

from __future__ import annotations

import pytest

from worker.model.path import MISSING, Index, Key, Named, Path, PathInvalid, key_path, parse_path

RECORD = {
    "fields": {"usage_user": 1.5, "none": None},
    "id.orig_h": "10.0.0.1",
    "readings": [1, 2, {"deep": True}],
    "metrics": [
        7,
        {"name": "cpu.load", "value": 0.5},
        {"name": "cpu.load", "value": 0.7},
        {"name": "mem", "value": 3},
    ],
}


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("a", (Key("a"),)),
        ("a.b c.d", (Key("a"), Key("b c"), Key("d"))),
        ('"id.orig_h"', (Key("id.orig_h"),)),
        ('a."b\\"c"', (Key("a"), Key('b"c'))),
        ('""', (Key(""),)),
        ("[3].a", (Index(3), Key("a"))),
        ("readings[3][0]", (Key("readings"), Index(3), Index(0))),
        ('m[name="cpu.load"].value', (Key("m"), Named("name", "cpu.load"), Key("value"))),
        ("m[name=mem]", (Key("m"), Named("name", "mem"))),
        ('m["a.b"="c"]', (Key("m"), Named("a.b", "c"))),
        ('m[2nd="x"]', (Key("m"), Named("2nd", "x"))),
        ("größe", (Key("größe"),)),
    ],
)
def test_a_text_names_its_segments(text: str, segments: tuple[Key | Index | Named, ...]) -> None:
    assert parse_path(text).segments == segments


@pytest.mark.parametrize(
    "text",
    [
        "a.b",
        '"id.orig_h".x',
        "readings[3]",
        'metrics[name="cpu.load"].value',
        '""',
        'm[2="x"]',
        '"a\\"b"',
        '"two\\nlines"',
        'm[k="\\u2028"]',
    ],
)
def test_a_path_is_shown_as_it_was_written(text: str) -> None:
    assert str(parse_path(text)) == text


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("a.", 2),
        (".a", 0),
        ("a..b", 2),
        ("a]", 1),
        ("a[", 2),
        ("a[]", 2),
        ("a[1", 3),
        ("a[-1]", 4),
        ("a[٣]", 3),
        ("a[1234567890]", 12),
        ("a[b]", 3),
        ("a[b=]", 4),
        ('a[b="c"', 7),
        ('a"b"', 1),
        ('"a\tb"', 0),
        ('"a', 0),
        ("a=b", 1),
    ],
)
def test_what_is_no_path_is_refused_at_the_place_where_it_stops_being_one(
    text: str, at: int
) -> None:
    with pytest.raises(PathInvalid, match=rf"expected at position {at}$"):
        parse_path(text)


def test_an_empty_text_is_no_path() -> None:
    with pytest.raises(PathInvalid, match="not empty"):
        parse_path("")


def test_key_path_takes_names_as_they_are() -> None:
    assert key_path("a.b", "c") == Path((Key("a.b"), Key("c")))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("fields.usage_user", 1.5),
        ("fields.none", None),
        ('"id.orig_h"', "10.0.0.1"),
        ("readings[1]", 2),
        ("readings[2].deep", True),
        ('metrics[name="cpu.load"].value', 0.5),
        ("metrics[name=mem].value", 3),
        ("fields", RECORD["fields"]),
        ("absent", MISSING),
        ("fields.absent.deeper", MISSING),
        ("fields.usage_user.deeper", MISSING),
        ("fields[0]", MISSING),
        ("readings[3]", MISSING),
        ("readings.deep", MISSING),
        ("metrics[name=disk]", MISSING),
        ("fields[name=mem]", MISSING),
    ],
)
def test_a_path_leads_to_a_value_or_to_nothing(text: str, value: object) -> None:
    assert parse_path(text).resolve(RECORD) == value


def test_nothing_is_not_the_same_as_null() -> None:
    assert repr(parse_path("a").resolve({})) == "MISSING"
    assert parse_path("a").resolve({"a": None}) is None
