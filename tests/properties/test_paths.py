"""Paths and their texts, event times: what holds for any."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from tests.properties.records import json_texts
from worker.codec import RecordRejected, parse_record
from worker.model.path import Index, Key, Named, Path, PathInvalid, parse_path
from worker.model.times import time_ms

names = st.text(max_size=8) | st.text('0123456789.[]="\\ \n', max_size=8)
segments = st.one_of(
    names.map(Key), st.integers(0, 999_999_999).map(Index), st.builds(Named, names, names)
)
paths = st.lists(segments, min_size=1, max_size=4).map(lambda found: Path(tuple(found)))


@given(paths)
def test_a_path_is_the_same_after_being_written(path: Path) -> None:
    assert parse_path(str(path)) == path


@given(st.text(max_size=20) | st.text('ab1.[]="\\', max_size=12))
def test_any_text_is_a_path_or_refused(text: str) -> None:
    try:
        path = parse_path(text)
    except PathInvalid:
        return
    assert parse_path(str(path)) == path


@given(paths, st.lists(json_texts, max_size=3))
def test_a_path_leads_somewhere_or_nowhere_but_never_raises(path: Path, texts: list[str]) -> None:
    for text in texts:
        try:
            record = parse_record(f'{{"a": {text}}}'.encode("utf-8", "surrogatepass"), 10_000, 20)
        except RecordRejected:
            continue
        path.resolve(record)
        Path((Key("a"), *path.segments)).resolve(record)


@given(
    st.none()
    | st.booleans()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.text()
    | st.text("0123456789-T:.+Z eW", max_size=30)
    | st.datetimes().map(str)
    | st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat())
    | st.lists(st.integers())
)
def test_any_value_is_a_time_or_none(value: object) -> None:
    moment = time_ms(value)
    assert math.isnan(moment) or math.isfinite(moment)


@given(st.integers(1_000_000_000, 4_000_000_000))
def test_a_time_is_the_same_in_every_unit(seconds: int) -> None:
    expected = seconds * 1000.0
    for units in (seconds, seconds * 10**3, seconds * 10**6, seconds * 10**9):
        assert math.isclose(time_ms(units), expected, rel_tol=1e-12)
        assert math.isclose(time_ms(str(units)), expected, rel_tol=1e-12)
