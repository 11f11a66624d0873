"""The fault bench counts what it should, and its schedule follows the seed."""

from __future__ import annotations

import itertools
import json
import random
from typing import TYPE_CHECKING

import pytest

from bench.faults.feeder import Fed
from bench.faults.kinds import KINDS, chosen, schedule
from bench.faults.monitor import recovery
from bench.faults.oracle import judge
from bench.faults.stand import Names
from bench.faults.topics import Read, java_hash

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.faults.oracle import Verdict
    from bench.faults.records import Kind

NAMES = Names("in")


def score(
    offset: int, *, flagged: bool = False, rejected: str | None = None, partition: int = 0
) -> Read:
    line = {"id": f"in-0-{offset}", "flagged": flagged, "rejected": rejected}
    return Read(partition, offset, json.dumps(line).encode(), ())


def letter(offset: int) -> Read:
    prefix = "__latentwatch.errors."
    origin = [(f"{prefix}partition", b"0"), (f"{prefix}offset", str(offset).encode())]
    return Read(0, offset, b"{", origin)


def event(offset: int) -> Read:
    return Read(0, offset, json.dumps({"id": f"in-0-{offset}"}).encode(), ())


def verdict(
    kinds: Sequence[Kind],
    scores: Sequence[Read],
    letters: Sequence[Read] = (),
    events: Sequence[Read] = (),
) -> Verdict:
    fed = {(0, offset): Fed(kind, 0.0) for offset, kind in enumerate(kinds)}
    topics = {NAMES.scores: scores, NAMES.dead_letters: letters, NAMES.anomalies: events}
    return judge(topics.__getitem__, NAMES, fed, events_count=True)


def test_nothing_is_wrong_where_all_came_out_once_in_order() -> None:
    found = verdict(
        ["scored", "rejected", "skipped", "scored"],
        [score(0), score(1, rejected="not_json"), score(3, flagged=True)],
        [letter(1)],
        [event(3)],
    )
    assert (found.records, found.lost, found.duplicated, found.reordered) == (4, [], [], [])


def test_a_record_that_came_out_nowhere_is_lost() -> None:
    assert verdict(["scored", "scored"], [score(1)]).lost == [(0, 0)]


def test_a_rejected_record_without_its_dead_letter_is_lost() -> None:
    assert verdict(["rejected"], [score(0, rejected="not_json")]).lost == [(0, 0)]


def test_a_flagged_record_without_its_event_is_lost() -> None:
    assert verdict(["scored"], [score(0, flagged=True)]).lost == [(0, 0)]


def test_every_copy_too_many_is_counted() -> None:
    found = verdict(["scored", "rejected"], [score(0)] * 3, [letter(1)] * 2)
    assert found.duplicated == [(0, 0), (0, 0), (0, 1)]


def test_a_later_record_first_is_reordered_within_a_pair_of_partitions_only() -> None:
    kinds: list[Kind] = ["scored", "scored"]
    assert verdict(kinds, [score(1), score(0)]).reordered == [(0, 0)]
    assert verdict(kinds, [score(1, partition=1), score(0)]).reordered == []


def test_what_is_read_again_is_no_disorder() -> None:
    kinds: list[Kind] = ["scored", "scored"]
    assert verdict(kinds, [score(0), score(1), score(0), score(1)]).reordered == []


def test_what_is_repeated_into_another_partition_is_doubled_but_in_no_order() -> None:
    found = verdict(["scored", "scored"], [score(1), score(0), score(0, partition=1)])
    assert (found.duplicated, found.reordered) == ([(0, 0)], [])


@pytest.mark.parametrize(
    ("arrivals", "steps", "expected"),
    [
        ([9.0, 10.0, 10.5, 11.0], [10.0], 0.0),
        ([9.8, 10.2, 14.0, 14.1], [10.0], 4.0),
        ([2.0, 9.8, 10.2, 10.4], [10.0], 0.0),
        ([9.8, 21.0, 21.2], [10.0, 19.0], 11.0),
        ([9.8, 16.0, 16.5, 17.0, 17.5, 18.2, 18.9, 22.0], [10.0, 19.0], 6.0),
    ],
    ids=["no hole", "one", "one before", "over two steps", "one after each step"],
)
def test_recovery_is_the_longest_way_from_a_step_to_the_end_of_its_hole(
    arrivals: list[float], steps: list[float], expected: float
) -> None:
    assert recovery([arrivals], steps) == pytest.approx(expected)


def test_each_round_has_every_kind_once_in_an_order_of_the_seed() -> None:
    kinds = chosen([], brokers=3)
    first = list(itertools.islice(schedule(kinds, random.Random(1)), 2 * len(kinds)))
    assert first == list(itertools.islice(schedule(kinds, random.Random(1)), 2 * len(kinds)))
    assert sorted(first[: len(kinds)]) == sorted(first[len(kinds) :]) == sorted(kinds)


def test_all_brokers_at_once_has_to_be_asked_for() -> None:
    assert set(KINDS) - set(chosen([], brokers=3)) == {"all_brokers"}
    assert chosen(["all_brokers"], brokers=3) == ["all_brokers"]


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="no fault is called nonsense"):
        chosen(["nonsense"], brokers=3)


def test_the_hash_is_that_of_java() -> None:
    assert java_hash("hello") == 99162322
