"""Where partitions start, by plain arithmetic."""

from __future__ import annotations

import pytest

from worker.adapters.kafka.starts import Bounds, Start, first_start, next_start

BOUNDS = Bounds(beginning=10, end=20)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("beginning", Start(10, moved=False)),
        ("end", Start(20, moved=False)),
        ({}, Start(10, moved=False)),
        ({1: 15}, Start(10, moved=False)),
        ({0: 10}, Start(10, moved=False)),
        ({0: 15}, Start(15, moved=False)),
        ({0: 20}, Start(20, moved=False)),
        ({0: 9}, Start(10, moved=True)),
        ({0: 21}, Start(10, moved=True)),
    ],
)
def test_the_first_start_follows_the_rule_within_the_log(
    rule: str | dict[int, int], expected: Start
) -> None:
    assert first_start(rule, 0, BOUNDS) == expected  # type: ignore[arg-type]  # a literal as text


@pytest.mark.parametrize(
    ("committed", "valid_to", "expected"),
    [
        (15, None, Start(15, moved=False)),
        (5, None, Start(10, moved=True)),
        (25, None, Start(10, moved=True)),
        (15, 12, Start(12, moved=True)),
        (15, 15, Start(15, moved=False)),
        (15, 0, Start(10, moved=True)),
    ],
)
def test_a_refused_position_goes_on_at_what_is_left(
    committed: int, valid_to: int | None, expected: Start
) -> None:
    assert next_start(committed, BOUNDS, valid_to) == expected
