"""Records that nobody can score and that nothing may choke on: not JSON, of wrong types, too deep.

Knows nothing of what becomes of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

TOMBSTONE: Final = "tombstone"
"""No value at all: the one kind that leaves no trace, since there is nothing to say of it."""

_DEPTH: Final = 200

POISONS: Final[Mapping[str, bytes | None]] = {
    "not JSON": b"\xff\xfe<pump>speed=1480</pump>",
    "cut off": b'{"machine":"pump-00","timestamp":"2026-01-01T00:00:00.000Z","motor":{"speed_r',
    "no object": b"1480.2",
    "text for a number": b'{"machine":"pump-00","motor":{"speed_rpm":"fast","current_a":{}}}',
    "empty": b"",
    "too deep": b'{"motor":' * _DEPTH + b"1" + b"}" * _DEPTH,
    TOMBSTONE: None,
}
"""A value of each kind, by its name."""
