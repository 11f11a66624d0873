"""New values that come to stay."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.model.schema import MISSING_CODE, SETTLED_CODE, Columns, Feature, FeatureSchema, Watched
from worker.scorer.upgrades import WINDOW_RECORDS, Upgrade, Upgrades

SCHEMA = FeatureSchema(
    features=(
        Feature(path="x", kind="number"),
        Feature(path="s", kind="category", categories=("a", "b")),
    ),
    watched=(Watched(path="v", value=1),),
)
HALF = WINDOW_RECORDS // 2
NEW, OTHER = 700, 800


def columns(codes: list[int], watched: list[int]) -> Columns:
    return Columns(
        np.zeros((len(codes), 1)), np.array([codes], dtype=np.int64).T, np.array([watched]).T
    )


def settle(upgrades: Upgrades, watched: list[int]) -> tuple[list[int], list[Upgrade]]:
    """The watched codes of one batch as they are scored, and what was accepted."""
    settled, accepted = upgrades.settle(columns([0] * len(watched), watched))
    return settled.watched[:, 0].tolist(), accepted


def test_known_values_stay_as_they_are() -> None:
    codes, watched = [0, 1, MISSING_CODE] * 200, [0, MISSING_CODE, 0] * 200
    settled, accepted = Upgrades(SCHEMA).settle(columns(codes, watched))
    assert settled.codes[:, 0].tolist() == codes
    assert settled.watched[:, 0].tolist() == watched
    assert accepted == []


def test_a_new_value_settles_once_it_stood_in_more_than_half_of_the_window() -> None:
    codes, accepted = settle(Upgrades(SCHEMA), [NEW] * 300)
    assert codes == [NEW] * HALF + [SETTLED_CODE] * (300 - HALF)
    assert accepted == [Upgrade("v", HALF)]


def test_an_unseen_category_settles_as_a_watched_value_does() -> None:
    settled, accepted = Upgrades(SCHEMA).settle(columns([NEW] * 300, [0] * 300))
    assert settled.codes[:, 0].tolist() == [NEW] * HALF + [SETTLED_CODE] * (300 - HALF)
    assert accepted == [Upgrade("s", HALF)]


def test_it_is_announced_once_and_stays_settled() -> None:
    upgrades = Upgrades(SCHEMA)
    settle(upgrades, [NEW] * 300)
    assert settle(upgrades, [0] * 1000) == ([0] * 1000, [])
    assert settle(upgrades, [NEW, 0, NEW]) == ([SETTLED_CODE, 0, SETTLED_CODE], [])


def test_half_of_the_records_are_not_most() -> None:
    codes, accepted = settle(Upgrades(SCHEMA), [NEW, 0] * 500)
    assert (codes, accepted) == ([NEW, 0] * 500, [])


@pytest.mark.parametrize(("pause", "settles"), [(HALF - 1, True), (HALF, False)])
@pytest.mark.parametrize("size", [1, WINDOW_RECORDS + 1])
def test_the_window_is_as_long_as_it_says(size: int, pause: int, *, settles: bool) -> None:
    """One such record at its far end and half a window of them at its near end are most."""
    upgrades, accepted = Upgrades(SCHEMA), []
    stream = [NEW] + [0] * pause + [NEW] * HALF
    for at in range(0, len(stream), size):
        accepted += settle(upgrades, stream[at : at + size])[1]
    assert [upgrade.path for upgrade in accepted] == ["v"] * settles


def test_a_burst_that_is_over_does_not_settle_later() -> None:
    upgrades = Upgrades(SCHEMA)
    settle(upgrades, [NEW] * HALF)
    assert settle(upgrades, [0] * WINDOW_RECORDS)[1] == []
    assert settle(upgrades, [NEW]) == ([NEW], [])


def test_each_new_value_settles_by_itself() -> None:
    upgrades = Upgrades(SCHEMA)
    codes, accepted = settle(upgrades, [NEW] * 150 + [OTHER] * 150)
    assert codes[HALF:150] == [SETTLED_CODE] * (150 - HALF)
    assert codes[150 : 150 + HALF] == [OTHER] * HALF
    assert codes[150 + HALF :] == [SETTLED_CODE] * (150 - HALF)
    assert accepted == [Upgrade("v", HALF), Upgrade("v", 150 + HALF)]


@given(
    st.lists(st.tuples(st.sampled_from([0, 0, NEW, OTHER]), st.integers(1, 180)), max_size=6),
    st.lists(st.integers(1, 300), min_size=1, max_size=8),
)
def test_the_size_of_batches_makes_no_difference(
    runs: list[tuple[int, int]], sizes: list[int]
) -> None:
    stream = [code for code, length in runs for _ in range(length)]
    whole, _ = settle(Upgrades(SCHEMA), stream)
    in_parts: list[int] = []
    upgrades, at, turn = Upgrades(SCHEMA), 0, 0
    while at < len(stream):
        size = sizes[turn % len(sizes)]
        in_parts += settle(upgrades, stream[at : at + size])[0]
        at, turn = at + size, turn + 1
    assert in_parts == whole


def test_the_columns_given_are_not_changed() -> None:
    given_columns = columns([NEW] * 300, [NEW] * 300)
    Upgrades(SCHEMA).settle(given_columns)
    assert given_columns.codes[:, 0].tolist() == [NEW] * 300
    assert given_columns.watched[:, 0].tolist() == [NEW] * 300


@pytest.mark.parametrize("rows", [0, 1])
def test_small_batches_are_taken(rows: int) -> None:
    assert settle(Upgrades(SCHEMA), [NEW] * rows) == ([NEW] * rows, [])


def test_a_schema_without_such_values_gives_its_columns_back() -> None:
    numbers = FeatureSchema(features=(Feature(path="x", kind="number"),))
    plain = Columns(np.zeros((3, 1)), np.empty((3, 0), np.int64), np.empty((3, 0), np.int64))
    settled, accepted = Upgrades(numbers).settle(plain)
    assert settled is plain
    assert accepted == []


def gone(absent: list[bool], missing_share: float = 0.0) -> tuple[list[bool], list[Upgrade]]:
    """Where the absence of a number settled, and what was accepted, in batches of 70 records."""
    feature = Feature(path="x", kind="number", missing_share=missing_share)
    upgrades = Upgrades(FeatureSchema(features=(feature,)))
    numbers = np.where(absent, np.nan, 1.0)[:, None]
    none = np.empty((len(numbers), 0), np.int64)
    settled, accepted = [], []
    for start in range(0, len(numbers), 70):
        batch = Columns(numbers[start:], none[start:], none[start:]).take(slice(0, 70))
        given, found = upgrades.settle(batch)
        np.testing.assert_array_equal(given.numbers, batch.numbers)
        settled += (np.isnan(given.numbers) & np.signbit(given.numbers))[:, 0].tolist()
        accepted += [(u.path, u.row + start, u.is_absence) for u in found]
    return settled, [Upgrade(*found) for found in accepted]


def test_the_absence_of_a_number_that_was_always_there_settles_in_the_same_way() -> None:
    settled, accepted = gone([False] * 100 + [True] * 200 + [False] * 300 + [True])
    assert settled == [False] * (100 + HALF) + [True] * (200 - HALF) + [False] * 300 + [True]
    assert accepted == [Upgrade("x", 100 + HALF, is_absence=True)]


def test_one_that_training_saw_missing_has_nothing_to_settle() -> None:
    assert gone([True] * 300, missing_share=1e-4) == ([False] * 300, [])


def test_a_number_that_is_absent_now_and_then_does_not_settle() -> None:
    assert gone([i % 3 == 0 for i in range(900)]) == ([False] * 900, [])


def test_the_absence_of_a_category_that_was_always_there_settles_too() -> None:
    settled, accepted = Upgrades(SCHEMA).settle(columns([MISSING_CODE] * 300, [0] * 300))
    assert settled.codes[:, 0].tolist() == [MISSING_CODE] * HALF + [SETTLED_CODE] * (300 - HALF)
    assert accepted == [Upgrade("s", HALF, is_absence=True)]


def test_an_absence_that_is_read_again_is_no_older() -> None:
    upgrades = Upgrades(SCHEMA)
    absent = Columns(
        np.full((HALF, 1), np.nan), np.zeros((HALF, 1), np.int64), np.zeros((HALF, 1), np.int64)
    )
    for _ in range(3):
        settled, accepted = upgrades.settle(absent)
        assert not np.signbit(settled.numbers).any()
        assert accepted == []
        upgrades.undo()
