"""Where a partition is read from after a change of assignment; plain arithmetic on offsets."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from worker.records import StartRule


class Bounds(NamedTuple):
    """What a partition holds now: its first offset, and one past its last."""

    beginning: int
    end: int


class Start(NamedTuple):
    """The offset to read next; `moved` when the one wanted is no longer in the log."""

    offset: int
    moved: bool


def first_start(rule: StartRule, partition: int, bounds: Bounds) -> Start:
    """Where a partition without a committed offset starts."""
    if rule == "end":
        return Start(bounds.end, moved=False)
    wanted = None if rule == "beginning" else rule.get(partition)
    if wanted is None:
        return Start(bounds.beginning, moved=False)
    return _within(wanted, bounds)


def next_start(committed: int, bounds: Bounds, valid_to: int | None) -> Start:
    """Where a partition goes on whose position the broker refused.

    `valid_to` is where the log was cut and written anew, if it was: from there on other records
    stand under the same offsets.
    """
    if valid_to is not None and committed > valid_to:
        return Start(max(valid_to, bounds.beginning), moved=True)
    return _within(committed, bounds)


def _within(offset: int, bounds: Bounds) -> Start:
    inside = bounds.beginning <= offset <= bounds.end
    return Start(offset if inside else bounds.beginning, moved=not inside)
