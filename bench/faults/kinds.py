"""The kinds of faults by name, and the seeded order in which they come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from bench.faults import on_brokers, on_surroundings, on_workers

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from bench.faults.stand import Fault, Stand

Hurts = Literal["worker", "broker", "other"]
"""Whose recovery a kind tells of: one worker's or one broker's fault, or something larger."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How to inject it; returns once the fault itself is over."""

    inject: Callable[[Stand, Fault], None]
    hurts: Hurts
    brokers: int = 1
    """In how large a cluster it makes sense."""


KINDS: Final[Mapping[str, Kind]] = {
    "worker_kill": Kind(on_workers.kill, "worker"),
    "worker_stop": Kind(on_workers.freeze, "worker"),
    "broker_kill": Kind(on_brokers.kill, "broker"),
    "broker_stop": Kind(on_brokers.freeze, "broker"),
    "two_brokers": Kind(on_brokers.two, "other", brokers=3),
    "all_brokers": Kind(on_brokers.every, "other"),
    "rolling": Kind(on_brokers.rolling, "other"),
    "scale": Kind(on_workers.scale, "worker"),
    "poison": Kind(on_surroundings.poison, "other"),
    "slow": Kind(on_workers.slow, "other"),
    "twins": Kind(on_workers.twins, "worker"),
    "anomalies_topic_deleted": Kind(on_surroundings.anomalies_topic_deleted, "other"),
    "bad_artefact": Kind(on_surroundings.bad_artefact, "other"),
    "store_unreadable": Kind(on_surroundings.store_unreadable, "other"),
}
NOT_BY_DEFAULT: Final = {"all_brokers"}
"""All replicas at once is more than is promised; it has to be asked for."""


def chosen(names: Sequence[str], brokers: int) -> list[str]:
    """The kinds to inject: those named, or all that are default in a cluster of that size.

    Raises ValueError for names that are none.
    """
    unknown = sorted(set(names) - set(KINDS))
    if unknown:
        raise ValueError(f"no fault is called {', '.join(unknown)}; there are: {', '.join(KINDS)}")
    if names:
        return list(names)
    fit = [name for name, kind in KINDS.items() if kind.brokers <= brokers]
    return [name for name in fit if name not in NOT_BY_DEFAULT]


def schedule(names: Sequence[str], rng: random.Random) -> Iterator[str]:
    """Kinds without end: every kind once in each round, each round in an order of its own."""
    while True:
        yield from rng.sample(list(names), len(names))
