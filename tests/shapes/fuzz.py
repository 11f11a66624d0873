"""Damaged records, by a seed: junk of every kind, and copies of real records with parts broken."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.shapes.shape import Dice, Record

ODD_KEYS: Final = (
    "",
    ".",
    "a.b",
    '"',
    "[0]",
    "x=y",
    "__proto__",
    "\u0000",
    "ключ",
    "k" * 300,
    "\\",
)
ODD_TEXTS: Final = ("", "-", "null", "NaN", "1e999", "0x1F", "1,5", "true", "\u202e", "'; --", "0")


def with_damage(records: Sequence[Record], share: float, dice: Dice) -> list[Record]:
    """The records, with so large a share of damaged ones more, put in at random places."""
    mixed = list(records)
    for _ in range(round(share * len(records))):
        mixed.insert(dice.randrange(len(mixed) + 1), damaged(dice.choice(records), dice))
    return mixed


def damaged(record: Record, dice: Dice) -> Record:
    """Junk, or a broken copy of the record."""
    if dice.random() < 0.3:
        return {_key(dice): _junk(dice, 3) for _ in range(dice.randrange(12))}
    copied: Record = copy.deepcopy(record)
    share = dice.choice([0.02, 0.3, 1.0])
    broken = _broken(copied, share, dice)
    return broken if isinstance(broken, dict) else {_key(dice): broken}


def _broken(value: Any, share: float, dice: Dice) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        items = list(value.items())
        if dice.random() < share:
            dice.shuffle(items)
        return {
            _key(dice) if dice.random() < share / 4 else key: _broken_child(child, share, dice)
            for key, child in items
            if dice.random() >= share / 4
        }
    if isinstance(value, list):
        kept = [_broken_child(child, share, dice) for child in value if dice.random() >= share / 4]
        return kept * dice.randrange(1, 4) if dice.random() < share / 4 else kept
    return value


def _broken_child(value: Any, share: float, dice: Dice) -> Any:  # noqa: ANN401 - any JSON
    if dice.random() < share / 2:
        return _changed(value, dice)
    return _broken(value, share, dice)


def _changed(value: Any, dice: Dice) -> Any:  # noqa: ANN401 - any JSON
    """Another value: junk, or near the old one."""
    ways: list[Callable[[], Any]] = [
        lambda: _junk(dice, 2),
        lambda: None,
        lambda: [value],
        lambda: {"value": value},
        lambda: str(value),
        lambda: value * dice.choice([-1, 1000, 0]) if isinstance(value, int | float) else "",
    ]
    return dice.choice(ways)()


def _junk(dice: Dice, depth: int) -> Any:  # noqa: ANN401 - any JSON
    ways: list[Callable[[], Any]] = [
        lambda: None,
        lambda: dice.random() < 0.5,
        lambda: dice.choice([0, -1, 1, 2**31, 2**63, 2**64, 10**400, -(10**30)]),
        lambda: dice.choice([0.0, -0.0, 1e308, 5e-324, float("inf"), dice.gauss(0, 1e6)]),
        lambda: dice.choice(ODD_TEXTS),
        lambda: "".join(chr(dice.randrange(32, 0xD7FF)) for _ in range(dice.randrange(40))),
        lambda: _nested(dice.randrange(1, 80)),
    ]
    if depth > 0:
        ways.append(lambda: [_junk(dice, depth - 1) for _ in range(dice.randrange(6))])
        ways.append(lambda: {_key(dice): _junk(dice, depth - 1) for _ in range(dice.randrange(6))})
    return dice.choice(ways)()


def _nested(depth: int) -> Any:  # noqa: ANN401 - any JSON
    value: Any = 1
    for level in range(depth):
        value = {"n": value} if level % 2 else [value]
    return value


def _key(dice: Dice) -> str:
    if dice.random() < 0.5:
        return dice.choice(ODD_KEYS)
    return "".join(chr(dice.randrange(97, 123)) for _ in range(dice.randrange(1, 9)))
