"""What the way in which the cluster keeps its topics allows to be promised of delivery."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from worker.check.points import Point

if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.check.points import Surroundings, Wanted
    from worker.topics import Kept

COPIES: Final = 3
IN_SYNC: Final = 2
"""With so many copies, so many of them there before a record counts, any one broker may be lost."""
OFFSETS_TOPIC: Final = "__consumer_offsets"
TRANSACTIONS_TOPIC: Final = "__transaction_state"


def promise(wanted: Wanted, around: Surroundings) -> Point:
    """A point that says it. Raises Unreachable or NotPermitted."""
    exactly = wanted.delivery == "exactly_once"
    internal = [OFFSETS_TOPIC, *([TRANSACTIONS_TOPIC] if exactly else [])]
    found = around.kept([wanted.topic, *wanted.outputs, *internal])
    kept = {name: how for name, how in found.items() if how is not None}
    weak = _weak(kept)
    safe = "holds whichever one broker is lost" if not weak else f"holds while no disk is: {weak}"
    said = [f"{wanted.delivery} {safe}"]
    few = any(how.copies < COPIES for how in kept.values())
    bug = exactly and around.may_lose_markers()
    if bug:
        when = "when a broker crashes" if few else "when all brokers crash at once"
        said.append(f"brokers of 4.3 and later may lose the end of a transaction {when}")
    is_short = exactly and (weak or (bug and few))
    return Point("delivery", "warned" if is_short else "ok", "; ".join(said))


def _weak(kept: Mapping[str, Kept]) -> str:
    """The topics of which one broker may be all there is, by what they lack."""
    few = [name for name, how in kept.items() if how.copies < COPIES]
    lax = [
        name
        for name, how in kept.items()
        if name not in few and how.in_sync is not None and how.in_sync < IN_SYNC
    ]
    parts = []
    if few:
        parts.append(f"fewer than {COPIES} copies of {', '.join(few)}")
    if lax:
        parts.append(f"min.insync.replicas below {IN_SYNC} for {', '.join(lax)}")
    return "; ".join(parts)
