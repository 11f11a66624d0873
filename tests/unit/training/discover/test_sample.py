"""Which records are looked at: runs of neighbours, of bounded number."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from tests.shapes.verdicts import kinds, reasons, schema_of
from training.discover import discover, runs_of
from training.discover.decide import SAMPLE_MAX
from training.discover.sample import CELLS_MAX, RECORDS_MIN, RUNS, sample_size


@pytest.mark.parametrize("most", [20, 100, 2000, 9999])
def test_runs_are_spread_from_the_first_item_to_the_last(most: int) -> None:
    picked = runs_of(range(10_000), most)
    assert len(picked) == most
    assert (picked[0], picked[-1]) == (0, 9999)
    assert picked == sorted(set(picked))
    breaks = sum(b - a > 1 for a, b in pairwise(picked))
    assert breaks <= RUNS - 1


@pytest.mark.parametrize("rows", [0, 1, 100])
def test_few_items_are_all_taken(rows: int) -> None:
    assert runs_of(range(rows), 100) == list(range(rows))


def test_no_more_records_are_looked_at_than_so_many() -> None:
    dice = random.Random(0)
    found = discover([{"x": dice.random()} for _ in range(SAMPLE_MAX + 500)])
    assert found.records == SAMPLE_MAX


@pytest.mark.parametrize(("paths", "looked_at"), [(10, 10_000), (500, 4_000), (5_000, 2_000)])
def test_of_wide_records_fewer_are_looked_at(paths: int, looked_at: int) -> None:
    wide: list[dict[str, object]] = [{"a": dict.fromkeys(map(str, range(paths)), 1)}] * 20_000
    assert sample_size(wide, SAMPLE_MAX) == looked_at
    assert looked_at in {SAMPLE_MAX, CELLS_MAX // paths, RECORDS_MIN}


def test_sources_that_take_turns_are_all_seen() -> None:
    """Every n-th record would be of the same host throughout."""
    dice = random.Random(0)
    found = discover([{"x": dice.random(), "host": f"h{i % 10}"} for i in range(100_000)])
    (host,) = schema_of(found).categories
    assert host.categories == tuple(f"h{n}" for n in range(10))


def test_a_counter_that_starts_again_is_one_in_a_long_stretch_too() -> None:
    dice = random.Random(0)
    found = discover([{"x": dice.random(), "seq": i % 256} for i in range(100_000)])
    assert kinds(found) == {"x": "number"}
    assert reasons(found)["seq"] == "grows or falls from record to record: a time or a counter"
