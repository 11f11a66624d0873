"""Faults of brokers: killed, frozen, restarted in turn, several at once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bench.faults.topics import GROUPS, TRANSACTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.faults.stand import Fault, Stand

DOWN_S = (1.0, 12.0)
"""Back before the cluster has noticed, and after."""
FREEZE_S = 12.0
TWO_DOWN_S = 8.0
ALL_DOWN_S = 16.0


def kill(stand: Stand, fault: Fault) -> None:
    """The node of some role dies and comes back."""
    role, number = _chosen(stand)
    down_s = stand.rng.choice(DOWN_S)
    fault.begins(f"{role}, down {down_s:g} s")
    _down(stand, fault, [number], down_s)


def freeze(stand: Stand, fault: Fault) -> None:
    """The node of some role stands still, its connections open, and goes on."""
    role, number = _chosen(stand)
    fault.begins(f"{role}, {FREEZE_S:g} s")
    stand.cluster.nodes[number].pause()
    try:
        time.sleep(FREEZE_S)
    finally:
        fault.goes_on()
        stand.cluster.nodes[number].resume()


def two(stand: Stand, fault: Fault) -> None:
    """Two nodes die at once: no majority, nothing is acknowledged."""
    numbers = stand.rng.sample(sorted(stand.cluster.nodes), 2)
    fault.begins(f"down {TWO_DOWN_S:g} s")
    _down(stand, fault, numbers, TWO_DOWN_S)


def every(stand: Stand, fault: Fault) -> None:
    """All nodes die at once."""
    fault.begins(f"down {ALL_DOWN_S:g} s")
    _down(stand, fault, sorted(stand.cluster.nodes), ALL_DOWN_S)


def rolling(stand: Stand, fault: Fault) -> None:
    """Every node, or every worker, is asked to end and started again, one after another."""
    what = stand.rng.choice(["brokers", "workers"])
    if what == "workers":
        stand.workers(3)
    fault.begins(what)
    if what == "workers":
        for worker in stand.fleet.workers:
            fault.goes_on()
            worker.restart()
            stand.flows()
        return
    for number, node in stand.cluster.nodes.items():
        fault.goes_on()
        node.stop()
        stand.cluster.start([number])
        stand.is_whole()


def _chosen(stand: Stand) -> tuple[str, int]:
    names = stand.names
    roles = {
        "leader": lambda: stand.topics.leader(names.scores, stand.rng.randrange(4)),
        "group coordinator": lambda: stand.topics.coordinator(GROUPS, names.group),
    }
    if stand.mode == "exactly_once":
        roles["transaction coordinator"] = lambda: stand.topics.coordinator(
            TRANSACTIONS, names.transactional_id(0)
        )
    role = stand.rng.choice(sorted(roles))
    return role, roles[role]()


def _down(stand: Stand, fault: Fault, numbers: Sequence[int], down_s: float) -> None:
    for number in numbers:
        stand.cluster.nodes[number].kill()
    time.sleep(down_s)
    fault.goes_on()
    stand.cluster.start(numbers)
