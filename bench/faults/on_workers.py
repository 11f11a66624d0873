"""Faults of workers: killed, frozen, slow, scaled, doubled."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.faults.stand import Fault, Stand

FREEZE_S = 9.0
"""Longer than the session time-out that the workers run with."""
SLOW_S = 12.0
SLOW_CYCLE_S = 1.0
SLOW_SHARE = 0.15
TWINS_S = 10.0


def kill(stand: Stand, fault: Fault) -> None:
    """One, two or three workers, of which some die at once."""
    count = stand.rng.randint(1, 3)
    stand.workers(count)
    victims = stand.rng.sample(stand.fleet.workers, stand.rng.randint(1, count))
    time.sleep(stand.rng.uniform(0, 0.5))  # anywhere in the turn of the loop
    fault.begins(f"{len(victims)} of {count}")
    for victim in victims:
        victim.kill()


def freeze(stand: Stand, fault: Fault) -> None:
    """A worker stands still until the group has given it up, then goes on as if nothing was."""
    count = stand.rng.randint(1, 2)
    stand.workers(count)
    victim = stand.rng.choice(stand.fleet.workers)
    fault.begins(f"1 of {count}, {FREEZE_S:g} s")
    victim.freeze()
    time.sleep(FREEZE_S)
    fault.goes_on()
    victim.thaw()


def slow(stand: Stand, fault: Fault) -> None:
    """Every worker gets a small share of the time only."""
    stand.workers(2)
    fault.begins(f"{SLOW_SHARE:.0%} for {SLOW_S:g} s")
    ends_at = fault.began + SLOW_S
    while time.monotonic() < ends_at:
        for worker in stand.fleet.workers:
            worker.freeze()
        time.sleep(SLOW_CYCLE_S * (1 - SLOW_SHARE))
        for worker in stand.fleet.workers:
            worker.thaw()
        time.sleep(SLOW_CYCLE_S * SLOW_SHARE)


def scale(stand: Stand, fault: Fault) -> None:
    """From one to three and back, each time asking in order."""
    stand.workers(1)
    fault.begins("1-3-1")
    stand.workers(3)
    fault.goes_on()
    stand.fleet.resize(1)


def twins(stand: Stand, fault: Fault) -> None:
    """A second process with the identity of one that runs."""
    stand.workers(2)
    fault.begins(f"{TWINS_S:g} s")
    twin = stand.fleet.one_more(0, "twin")
    time.sleep(TWINS_S)
    fault.goes_on()
    twin.stop()
    stand.fleet.codes.extend(twin.codes)
