"""Faults: as many of each kind, each what its name says, and no word of it in the record."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest

from workbench.demo.faults import (
    BROKEN,
    CATEGORY,
    CONSTANT,
    CONTAMINATED,
    KINDS,
    SHARE,
    SHIFT,
    SPIKE,
    STUCK,
    Reach,
    Saboteur,
)
from workbench.demo.fleet import BLOCK, FIRMWARE, MACHINES, Fleet, Readings

if TYPE_CHECKING:
    from collections.abc import Sequence

START_S = 1_790_000_000.0


class Spoiled(NamedTuple):
    """A live block, the same before, and what is normal."""

    block: Readings
    sound: Readings
    reach: Reach
    early: Sequence[Readings]

    def rows(self, kind: str) -> Sequence[int]:
        """Rows with such a fault."""
        return np.flatnonzero(self.block.faults == kind).tolist()

    def changed(self, row: int) -> list[int]:
        """The sensors that a fault touched, where it shows."""
        now, before = self.block.numbers[row], self.sound.numbers[row]
        return np.flatnonzero(np.nan_to_num(now) != np.nan_to_num(before)).tolist()


@pytest.fixture(scope="module")
def spoiled() -> Spoiled:
    fleet = Fleet(0, START_S)
    early = [fleet.block(number) for number in range(3)]
    reach = Reach.of(early)
    block = fleet.block(7)
    Saboteur(0, reach).spoil(block, 7)
    return Spoiled(block, fleet.block(7), reach, early)


def test_two_per_cent_are_faults_of_each_kind_as_many(spoiled: Spoiled) -> None:
    assert {kind: len(spoiled.rows(kind)) for kind in KINDS} == dict.fromkeys(KINDS, 20)
    assert len(KINDS) * 20 / BLOCK == SHARE


@pytest.mark.parametrize(
    ("share", "of_each"), [(0.0, 0), (0.0001, 1), (0.005, 5), (0.2, 200)], ids=str
)
def test_another_share_may_be_asked_for(share: float, of_each: int, spoiled: Spoiled) -> None:
    block = Fleet(0, START_S).block(7)
    Saboteur(0, spoiled.reach, share).spoil(block, 7)
    found = {kind: int(np.sum(block.faults == kind)) for kind in KINDS}
    assert found == dict.fromkeys(KINDS, of_each)


def test_the_same_seed_spoils_the_same_records(spoiled: Spoiled) -> None:
    again = Fleet(0, START_S).block(7)
    Saboteur(0, spoiled.reach).spoil(again, 7)
    assert again.values() == spoiled.block.values()


def test_sound_records_are_as_they_were(spoiled: Spoiled) -> None:
    now, before = spoiled.block.values(), spoiled.sound.values()
    touched = [row for row in range(BLOCK) if now[row] != before[row]]
    assert [row for row in touched if spoiled.block.faults[row] is None] == []


def test_no_record_tells_its_fault(spoiled: Spoiled) -> None:
    text = b"".join(spoiled.block.values())
    assert [word for word in (b"fault", b"label", b"spike", b"stuck") if word in text] == []


def test_a_spike_is_six_deviations_away(spoiled: Spoiled) -> None:
    for row in spoiled.rows(SPIKE):
        (sensor,) = spoiled.changed(row)
        away = spoiled.block.numbers[row, sensor] - spoiled.reach.means[sensor]
        assert abs(away) >= 6 * spoiled.reach.deviations[sensor]


def test_a_broken_relation_is_a_value_from_the_other_half(spoiled: Spoiled) -> None:
    for row in spoiled.rows(BROKEN):
        (sensor,) = spoiled.changed(row)
        ordered = spoiled.reach.ordered[sensor]
        middle = ordered[len(ordered) // 2]
        now, before = spoiled.block.numbers[row, sensor], spoiled.sound.numbers[row, sensor]
        assert now in ordered
        assert (now < middle) != (before <= middle)


def test_a_broken_relation_leaves_each_sensor_its_distribution() -> None:
    block = Fleet(0, START_S).block(0)
    reach = Reach.of([block])
    rng = np.random.default_rng(0)
    drawn = np.sort([reach.from_other_half(0, value, rng) for value in block.numbers[:, 0]])
    places = np.searchsorted(drawn, reach.ordered[0]) / len(drawn)
    assert np.abs(places - np.linspace(0, 1, len(places))).max() < 0.03


def test_a_level_shift_moves_two_sensors_of_a_machine_for_a_while(spoiled: Spoiled) -> None:
    rows = spoiled.rows(SHIFT)
    runs = {(spoiled.block.machines[row], *spoiled.changed(row)) for row in rows}
    assert len(runs) == len(rows) / 5
    for row in rows:
        sensors = spoiled.changed(row)
        assert len(sensors) == 2
        moved = (spoiled.block.numbers - spoiled.sound.numbers)[row, sensors]
        assert (np.abs(moved) >= 3 * spoiled.reach.deviations[sensors]).all()


def test_an_unseen_category_was_never_seen(spoiled: Spoiled) -> None:
    known = {value for block in spoiled.early for value in block.choices.ravel()}
    assert known == {"normal", "boost", "water", "brine"}
    for row in spoiled.rows(CATEGORY):
        assert len(set(spoiled.block.choices[row]) - known) == 1


def test_a_changed_constant_has_another_value(spoiled: Spoiled) -> None:
    rows = spoiled.rows(CONSTANT)
    assert FIRMWARE not in spoiled.block.constant[rows]


def test_a_stuck_sensor_repeats_its_last_sound_value(spoiled: Spoiled) -> None:
    rows = spoiled.rows(STUCK)
    assert np.diff(rows).tolist() == [MACHINES] * 19
    (sensor,) = spoiled.changed(rows[-1])
    before = spoiled.sound.numbers[rows[0] - MACHINES, sensor]
    assert set(spoiled.block.numbers[rows, sensor].tolist()) == {before}


def test_what_is_learned_from_holds_a_few_faults_but_no_value_of_the_live_ones(
    spoiled: Spoiled,
) -> None:
    fleet = Fleet(0, START_S)
    saboteur = Saboteur(0, spoiled.reach)
    blocks = [fleet.block(number) for number in range(10)]
    for number, block in enumerate(blocks):
        saboteur.contaminate(block, number)
    faults = [fault for block in blocks for fault in block.faults if fault]
    assert len(faults) == CONTAMINATED * 10 * BLOCK
    assert set(faults) == set(KINDS)
    words = {value for block in blocks for value in (*block.choices.ravel(), *block.constant)}
    live = {*spoiled.block.choices.ravel(), *spoiled.block.constant}
    assert words & live == {"normal", "boost", "water", "brine", FIRMWARE}
