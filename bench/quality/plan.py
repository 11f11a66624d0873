"""Which cells a run needs, and getting those that are missing, some at a time.

A task is one split with the methods to be tried on it; every part of the bench has its own kind.
"""

from __future__ import annotations

import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from bench.quality import cost, kdd, tabular, telemetry
from bench.quality.own import OWN
from bench.quality.peers import NETWORKS, PeerFailed
from bench.quality.regimes import FULL, QUICK, REGIMES
from bench.quality.sources import ROWS_MIN, adbench_files, adbench_size

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from bench.quality.cells import Cells, Key
    from bench.quality.regimes import Caps

PARTS: Final = (tabular.PART, *telemetry.FAMILIES, kdd.PART, cost.PART)


class Task(Protocol):
    """One split, and the methods that are to be tried on it."""

    @property
    def methods(self) -> tuple[str, ...]:
        """To be tried."""
        ...

    def key(self, method: str) -> Key:
        """Of the method's cell."""
        ...

    def only(self, methods: tuple[str, ...]) -> Task:
        """The same split for these methods."""
        ...

    def compute(self, cells: Cells) -> None:
        """Fill in the cells of the methods."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked for; empty `sets` means all of them."""

    data: Path
    quick: bool
    methods: tuple[str, ...]
    parts: tuple[str, ...] = PARTS
    sets: tuple[str, ...] = ()
    regimes: tuple[str, ...] = REGIMES

    @property
    def caps(self) -> Caps:
        """On rows."""
        return QUICK if self.quick else FULL

    @property
    def seeds(self) -> tuple[int, ...]:
        """One after the other, so that a stopped run has whole seeds."""
        return (0,) if self.quick else (0, 1, 2)

    def names(self) -> list[str]:
        """ADBench sets; the small ones, whose copies of judged rows flatter, in a full run only."""
        files = adbench_files(self.data)
        names = large_names(self.data, files) if self.quick else list(files)
        return [name for name in names if name in (self.sets or names)]

    def tasks(self) -> Iterator[Task]:
        """All that the run needs, whether kept or not.

        Telemetry and KDD Cup 99 are tried with every seed by ours and with the first by peers; a
        quick run does without the peers that are networks there.
        """
        for seed in self.seeds:
            yield from self._tabular(seed)
            tried = self._plain if seed == 0 else self._ours
            if self.quick:
                tried = tuple(method for method in tried if method not in NETWORKS)
            families = tuple(f for f in telemetry.FAMILIES if f in self.parts)
            yield from telemetry.tasks(self.data, families, seed, self.caps.train, tried)
            if kdd.PART in self.parts:
                for role in kdd.ROLES:
                    yield kdd.Task(self.data, role, seed, self.caps, tried)
        if cost.PART in self.parts:
            yield cost.Task(self._ours if self.quick else self.methods)

    def _tabular(self, seed: int) -> Iterator[Task]:
        files = adbench_files(self.data)
        for regime in self.regimes if tabular.PART in self.parts else ():
            tried = self._plain if self.quick and regime != "clean" else self.methods
            for name in self.names():
                yield tabular.Task(files[name], name, regime, seed, self.caps, tried)

    @property
    def _plain(self) -> tuple[str, ...]:
        """Without the variational network, which is tried where the comparison needs it."""
        return tuple(method for method in self.methods if method != "own_vae")

    @property
    def _ours(self) -> tuple[str, ...]:
        return tuple(method for method in self.methods if method == OWN[0])


def large_names(data: Path, names: Iterable[str]) -> list[str]:
    """The ADBench sets among them that count in the headline."""
    files = adbench_files(data)
    return [name for name in names if adbench_size(files[name]) >= ROWS_MIN]


def fill(task: Task, cells: Cells) -> None:
    """Fill in a task's cells; of a peer that cannot learn these rows an empty one is kept."""
    try:
        task.compute(cells)
    except PeerFailed:
        for method in task.methods:
            if cells.get(task.key(method)) is None:
                _fill_one(task.only((method,)), method, cells)


def _fill_one(task: Task, method: str, cells: Cells) -> None:
    try:
        task.compute(cells)
    except PeerFailed as error:
        print(f"  {task.key(method)} has no result: {error}", file=sys.stderr, flush=True)
        cells.put(task.key(method), {})


def compute(tasks: Sequence[Task], cells: Cells, jobs: int) -> None:
    """Compute what has no cell yet, in so many processes of one thread each."""
    wanted = [(t, tuple(m for m in t.methods if cells.get(t.key(m)) is None)) for t in tasks]
    missing = [task.only(methods) for task, methods in wanted if methods]
    began = time.monotonic()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max(1, min(jobs, len(missing))), mp_context=context) as pool:
        running = {pool.submit(fill, task, cells): task for task in missing}
        for done, future in enumerate(as_completed(running), start=1):
            future.result()
            task = running[future]
            told = f"{time.monotonic() - began:6.0f} s  {done}/{len(missing)}"
            names = ", ".join(task.methods)
            print(f"{told}  {task.key('')}{names}", file=sys.stderr, flush=True)
