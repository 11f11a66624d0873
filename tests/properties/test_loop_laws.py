"""The loop's laws under any interleaving of work, failures, rebalances and crashes.

At every moment each record below a committed position has been told of, in its one right place; in
the end every record has been.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar, Final

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.loops import (
    ANOMALIES,
    BROKEN,
    GROUP,
    INPUT,
    NORMAL,
    ODD,
    SCORES,
    TOMBSTONE,
    ToyModel,
    ToyScorer,
    Worker,
    committed,
    dead_letter_ids,
    ids,
    lines,
    new_broker,
    put,
)
from worker.adapters.memory import MemoryDelivery, MemoryExactlyOnce
from worker.records import Partition

if TYPE_CHECKING:
    from collections.abc import Callable

PARTITIONS: Final = 3
LARGE: Final = b"{" + b"x" * 29_000
"""Broken, and too large for a dead letter with all its headers."""

VALUES: Final = st.lists(
    st.sampled_from([NORMAL, NORMAL, ODD, BROKEN, LARGE, TOMBSTONE]), min_size=1, max_size=8
)
PLACES: Final = st.integers(0, PARTITIONS - 1)
WHICH: Final = st.integers(0, PARTITIONS - 1)


class Died(Exception):  # noqa: N818 - what happened, not an error of anybody
    """The process ended here."""


class Loops(RuleBasedStateMachine):
    """Up to three workers of one group on a broker that makes trouble."""

    delivery: ClassVar[type[MemoryDelivery | MemoryExactlyOnce]] = MemoryDelivery

    @initialize()
    def begin(self) -> None:
        self.broker = new_broker(PARTITIONS, record_bytes_max=29_200)
        self.scorer = ToyScorer()
        self.ever: list[Worker] = []
        self.frozen: list[Worker] = []
        self.workers = [self._worker()]

    # --- work

    @rule(values=VALUES, partition=PLACES)
    def produce(self, values: list[bytes | None], partition: int) -> None:
        put(self.broker, values, partition)

    @rule(partition=PLACES, offsets=st.integers(1, 3))
    def leave_a_gap(self, partition: int, offsets: int) -> None:
        self.broker.skip(Partition(INPUT, partition), offsets)

    @rule(which=WHICH, times=st.integers(1, 3))
    def turn(self, which: int, times: int) -> None:
        self._one(which).turn(times)

    @rule(version=st.sampled_from(["v1", "v2"]))
    def promote(self, version: str) -> None:
        self.scorer.model = ToyModel(version)

    # --- trouble; `times` decides whether the turns after it come at once or later

    @rule(which=WHICH, written=st.booleans(), times=st.integers(1, 3))
    def fail_a_send(self, which: int, *, written: bool, times: int) -> None:
        self.broker.fail_next_send(written=written)
        self._busy(which).turn(times)

    @rule(which=WHICH, stored=st.booleans(), times=st.integers(1, 3))
    def fail_a_commit(self, which: int, *, stored: bool, times: int) -> None:
        self.broker.fail_next_commit(stored=stored)
        self._busy(which).turn(times)

    @rule(which=WHICH, times=st.integers(1, 3))
    def cut_the_line(self, which: int, times: int) -> None:
        self.broker.reachable = False
        self._one(which).turn(times)
        self.broker.reachable = True

    @rule(which=WHICH, times=st.integers(1, 3))
    def cut_the_line_while_scoring(self, which: int, times: int) -> None:
        self._while_scoring(which, lambda: setattr(self.broker, "reachable", False))
        self._one(which).turn(times)
        self.broker.reachable = True

    @rule()
    def rebalance(self) -> None:
        self.broker.rebalance(GROUP)

    @rule(which=WHICH)
    def rebalance_while_scoring(self, which: int) -> None:
        self._while_scoring(which, lambda: self.broker.rebalance(GROUP))

    @rule(which=WHICH)
    def expel(self, which: int) -> None:
        self._one(which).log.lose_membership()

    @rule(which=WHICH)
    def expel_while_scoring(self, which: int) -> None:
        self._while_scoring(which, self._one(which).log.lose_membership)

    # --- coming and going

    @precondition(lambda self: len(self.workers) < PARTITIONS)
    @rule()
    def start_one_more(self) -> None:
        self.workers.append(self._worker())

    @precondition(lambda self: len(self.workers) > 1)
    @rule(which=WHICH)
    def stop_one(self, which: int) -> None:
        self._remove(which).log.close()

    @rule(which=WHICH)
    def die_and_start_again(self, which: int) -> None:
        """Between two turns, with whatever failed before."""
        self._remove(which).log.lose_membership()
        self.workers.append(self._worker())

    @rule(which=WHICH)
    def die_while_scoring(self, which: int) -> None:
        def die() -> None:
            raise Died

        dying = self._busy(which)
        with suppress(Died):
            self._while_scoring(which, die)
        self.workers.remove(dying)
        dying.log.lose_membership()
        self.workers.append(self._worker())

    @rule(which=WHICH)
    def freeze(self, which: int) -> None:
        """Stand still until the group gives the worker up, while another one takes over."""
        frozen = self._remove(which)
        frozen.log.lose_membership()
        self.frozen.append(frozen)
        self.workers.append(self._worker())

    @precondition(lambda self: bool(self.frozen))
    @rule(times=st.integers(1, 3))
    def thaw(self, times: int) -> None:
        thawed = self.frozen.pop()
        thawed.turn(times)
        thawed.log.close()

    # --- laws

    @invariant()
    def nothing_below_a_committed_position_is_untold(self) -> None:
        told = self._told()
        for partition, position in committed(self.broker).items():
            journal = self.broker.journal(partition)
            for record in journal.between(0, position):
                assert told[f"{INPUT}-{record.partition}-{record.offset}"] == _places(record.value)

    @invariant()
    def nothing_is_told_that_was_not_there(self) -> None:
        there = {f"{INPUT}-{r.partition}-{r.offset}" for r in self.broker.records(INPUT)}
        assert set(self._told()) <= there

    @invariant()
    def what_was_counted_was_committed(self) -> None:
        """Nobody counts a batch that may still be read again."""
        counted = sum(
            sum(int(str(count)) for count in told)
            for worker in self.ever
            for told in worker.metrics.of("batch_processed")
        )
        ends = committed(self.broker)
        done = sum(len(self.broker.journal(p).between(0, at)) for p, at in ends.items())
        assert counted <= done

    def teardown(self) -> None:
        """Once all troubles are over everything is delivered, and every event is one record's."""
        self.broker.reachable = True
        self.broker._sends_to_fail.clear()
        self.broker._commits_to_fail.clear()
        for _ in range(200):
            if self._is_done():
                break
            for worker in self.workers:
                worker.turn()
        assert self._is_done()
        self.nothing_below_a_committed_position_is_untold()
        contents: dict[str, set[str]] = {}
        for event in lines(self.broker, ANOMALIES):
            contents.setdefault(str(event["id"]), set()).add(str(event["source"]))
        assert {len(sources) for sources in contents.values()} <= {1}

    # --- inside

    def _worker(self) -> Worker:
        worker = Worker(self.broker, scorer=self.scorer, delivery=self.delivery)
        self.ever.append(worker)
        return worker

    def _one(self, which: int) -> Worker:
        return self.workers[which % len(self.workers)]

    def _remove(self, which: int) -> Worker:
        return self.workers.pop(which % len(self.workers))

    def _busy(self, which: int) -> Worker:
        """The worker, which has taken its place in the group and has something to do."""
        worker = self._one(which)
        worker.turn()
        for partition in range(PARTITIONS):
            put(self.broker, [NORMAL, ODD], partition)
        return worker

    def _while_scoring(self, which: int, trouble: Callable[[], None]) -> None:
        """A turn in whose middle trouble comes."""
        worker = self._busy(which)
        self.scorer.model.before_scoring = trouble
        try:
            worker.turn()
        finally:
            self.scorer.model.before_scoring = lambda: None

    def _is_done(self) -> bool:
        ends = {p: self.broker.journal(p).end for p in self.broker.partitions(INPUT)}
        return dict(committed(self.broker)) == ends

    def _told(self) -> dict[str, set[str]]:
        """The topics that tell of each record; one that is told of nowhere is in none."""
        places: dict[str, set[str]] = defaultdict(set)
        for place, names in (
            ("scores", ids(self.broker, SCORES)),
            ("anomalies", ids(self.broker, ANOMALIES)),
            ("dead letters", dead_letter_ids(self.broker)),
        ):
            for name in names:
                places[name].add(place)
        return places


def _places(value: bytes | None) -> set[str]:
    """Where a record has to be told of."""
    if value is None:
        return set()
    if value == ODD:
        return {"scores", "anomalies"}
    return {"scores"} if value == NORMAL else {"scores", "dead letters"}


class LoopsExactlyOnce(Loops):
    """The same with outputs and positions in one transaction."""

    delivery = MemoryExactlyOnce

    @invariant()
    def nothing_is_told_twice(self) -> None:
        for names in (ids(self.broker, SCORES), dead_letter_ids(self.broker)):
            assert len(names) == len(set(names))

    @invariant()
    def nothing_is_told_that_is_not_committed(self) -> None:
        done = {
            f"{INPUT}-{record.partition}-{record.offset}"
            for partition, position in committed(self.broker).items()
            for record in self.broker.journal(partition).between(0, position)
        }
        assert set(self._told()) <= done


Loops.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
LoopsExactlyOnce.TestCase.settings = Loops.TestCase.settings
TestLoops = Loops.TestCase
TestLoopsExactlyOnce = LoopsExactlyOnce.TestCase
