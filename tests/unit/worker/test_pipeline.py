"""The loop: what it promises turn by turn, on the in-memory broker."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from tests.loops import (
    ANOMALIES,
    BROKEN,
    DEAD_LETTERS,
    GROUP,
    INPUT,
    NORMAL,
    ODD,
    SCORES,
    SETTINGS,
    TOMBSTONE,
    FixedScorer,
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
from tests.machines import artifact, encoded, readings
from worker.adapters.clock import Stop, SystemClock
from worker.codec import JsonCodec
from worker.pipeline import BACK_OFF_LAST_S, Pipeline, process
from worker.ports import Fenced, NotPermitted, OutputTooLarge
from worker.records import Partition, Record
from worker.scorer import ScoringModel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from worker.adapters.memory import MemoryBroker
    from worker.ports import Delivery
    from worker.records import Membership, Output, Position

ONLY = Partition(INPUT, 0)
MIXED = [NORMAL, ODD, BROKEN, TOMBSTONE, NORMAL]


def desk(*values: bytes | None, record_bytes_max: int = 1 << 20) -> tuple[MemoryBroker, Worker]:
    """A broker with records on the input, and a worker that has joined the group."""
    broker = new_broker(record_bytes_max=record_bytes_max)
    put(broker, values)
    worker = Worker(broker)
    worker.turn()
    return broker, worker


class TestDelivering:
    def test_each_record_ends_where_it_belongs(self) -> None:
        broker, worker = desk(*MIXED)
        worker.turn()
        assert ids(broker, SCORES) == ["in-0-0", "in-0-1", "in-0-2", "in-0-4"]
        assert ids(broker, ANOMALIES) == ["in-0-1"]
        assert dead_letter_ids(broker) == ["in-0-2"]
        assert committed(broker) == {ONLY: 5}

    def test_scores_tell_what_became_of_a_record(self) -> None:
        broker, worker = desk(*MIXED)
        worker.turn()
        told = [(line["score"], line["kind"], line["rejected"]) for line in lines(broker, SCORES)]
        assert told == [
            (1, None, None),
            (99, "novel", None),
            (None, None, "not_json"),
            (1, None, None),
        ]

    def test_an_empty_poll_changes_nothing(self) -> None:
        broker, worker = desk()
        worker.turn(3)
        assert committed(broker) == {ONLY: 0}
        assert worker.metrics.of("batch_processed") == []

    def test_an_empty_poll_lets_a_promoted_model_take_over(self) -> None:
        _, worker = desk()
        before = worker.scorer.asked
        worker.turn(3)
        assert worker.scorer.asked == before + 3

    def test_gaps_without_records_are_committed_too(self) -> None:
        broker, worker = desk()
        broker.skip(ONLY, 7)
        worker.turn()
        assert committed(broker) == {ONLY: 7}
        assert worker.metrics.of("batch_processed") == [(0, 0, 0, 0)]

    def test_batches_are_as_large_as_allowed(self) -> None:
        broker, worker = desk(*[NORMAL] * 250)
        worker.turn(3)
        assert [told[0] for told in worker.metrics.of("batch_processed")] == [100, 100, 50]
        assert committed(broker) == {ONLY: 250}

    def test_a_batch_of_tombstones_alone_publishes_nothing(self) -> None:
        broker, worker = desk(TOMBSTONE, TOMBSTONE)
        worker.turn()
        assert [broker.records(topic) for topic in (SCORES, ANOMALIES, DEAD_LETTERS)] == [[]] * 3
        assert committed(broker) == {ONLY: 2}
        assert worker.metrics.of("batch_processed") == [(0, 0, 0, 2)]

    def test_a_real_model_goes_through_the_same_loop(self) -> None:
        odd = {**readings(1, seed=5)[0], "load": 1e9}
        values = [*encoded([*readings(50, seed=5), odd]), BROKEN, TOMBSTONE]
        records = [Record(INPUT, 0, i, -1, None, value) for i, value in enumerate(values)]
        model = ScoringModel(artifact(), "v1")
        codec = JsonCodec(record_bytes_max=100_000, depth_max=10, missing_share_max=0.5)
        processed = process(records, model, codec)
        assert len(processed.scores) == 51
        assert [rejection.row for rejection in processed.decoded.rejections] == [51]
        assert list(processed.decoded.skipped) == [52]
        (found,) = [anomaly for anomaly in processed.anomalies if anomaly.row == 50]
        assert found.features[0].name == "load"
        assert found.features[0].value == 1e9

    def test_a_real_model_takes_a_batch_without_records(self) -> None:
        codec = JsonCodec(record_bytes_max=100_000, depth_max=10, missing_share_max=0.5)
        assert len(process([], ScoringModel(artifact(), "v1"), codec).scores) == 0


class TestFailing:
    @pytest.mark.parametrize("written", [True, False])
    def test_after_a_failed_send_the_batch_is_read_again(self, *, written: bool) -> None:
        broker, worker = desk(*MIXED)
        broker.fail_next_send(written=written)
        worker.turn()
        assert committed(broker) == {ONLY: 0}
        worker.turn(2)
        assert committed(broker) == {ONLY: 5}
        assert ids(broker, ANOMALIES) == ["in-0-1"] * (2 if written else 1)

    @pytest.mark.parametrize("stored", [True, False])
    def test_after_a_failed_commit_only_what_is_uncommitted_is_read_again(
        self, *, stored: bool
    ) -> None:
        broker, worker = desk(*MIXED)
        broker.fail_next_commit(stored=stored)
        worker.turn(3)
        assert committed(broker) == {ONLY: 5}
        assert ids(broker, ANOMALIES) == ["in-0-1"] * (1 if stored else 2)

    def test_a_batch_that_belongs_to_another_member_is_dropped(self) -> None:
        broker, worker = desk(*MIXED)
        worker.scorer.model.before_scoring = once(worker.log.lose_membership)
        worker.turn()
        assert committed(broker) == {ONLY: 0}
        assert broker.records(ANOMALIES) == []
        assert worker.metrics.of("delivery_failed") == [("MembershipLost",)]
        worker.turn(2)
        assert committed(broker) == {ONLY: 5}
        assert ids(broker, ANOMALIES) == ["in-0-1"]

    def test_a_rebalance_in_the_middle_of_a_batch_commits_nothing(self) -> None:
        broker, worker = desk(*MIXED)
        worker.scorer.model.before_scoring = once(lambda: broker.rebalance(GROUP))
        worker.turn()
        assert committed(broker) == {ONLY: 0}
        worker.turn(2)
        assert committed(broker) == {ONLY: 5}

    def test_a_broker_out_of_reach_is_waited_for(self) -> None:
        broker, worker = desk(*MIXED)
        broker.reachable = False
        worker.turn(4)
        assert worker.watcher.told[-1] == (False, "the broker is out of reach")
        broker.reachable = True
        worker.turn(2)
        assert committed(broker) == {ONLY: 5}
        assert worker.watcher.told[-1] == (True, "running")

    def test_the_loop_never_says_that_records_flow_between_two_failures(self) -> None:
        broker, worker = desk(*MIXED)
        for _ in range(3):
            broker.fail_next_send(written=False)
        before = len(worker.watcher.told)
        worker.turn(6)  # each failure, and the empty poll that finds the place again
        assert {flows for flows, _ in worker.watcher.told[before:]} == {False}
        worker.turn()
        assert worker.watcher.told[-1] == (True, "running")

    def test_the_model_hears_of_every_batch_that_comes_again(self) -> None:
        broker, worker = desk(*MIXED)
        broker.fail_next_send(written=True)
        broker.fail_next_commit(stored=False)
        worker.turn(5)
        assert worker.scorer.model.undone == 2

    def test_a_new_value_that_is_read_again_and_again_is_as_new_as_before(self) -> None:
        """Else the retries of an outage would make it an accepted one, and its anomalies vanish."""
        broker = new_broker()
        put(broker, encoded([{**reading, "firmware": "9.9"} for reading in readings(60, seed=3)]))
        worker = Worker(broker)
        scorer = FixedScorer(ScoringModel(artifact(), "v1"))
        loop = Pipeline(replace(worker.pipeline._seams, scorer=scorer), SETTINGS)
        for _ in range(5):
            broker.fail_next_send(written=False)
        for _ in range(12):
            loop.turn()
        assert committed(broker) == {ONLY: 60}
        assert ids(broker, ANOMALIES) == [f"in-0-{offset}" for offset in range(60)]

    @pytest.mark.parametrize("error", [NotPermitted, Fenced])
    def test_what_no_retry_mends_ends_the_loop(self, error: type[Exception]) -> None:
        broker, worker = desk(*MIXED)
        loop = worker.with_seams(worker.log, Refusing(error("no")))
        with pytest.raises(error):
            loop.run(lambda: False)
        assert committed(broker) == {ONLY: 0}

    def test_a_defect_is_not_swallowed(self) -> None:
        _, worker = desk(*MIXED)
        loop = worker.with_seams(worker.log, Refusing(ZeroDivisionError("defect")))
        with pytest.raises(ZeroDivisionError):
            loop.turn()


class TestBackOff:
    def test_it_doubles_up_to_a_limit(self) -> None:
        broker, worker = desk(NORMAL)
        broker.reachable = False
        worker.turn(9)
        waits = pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5, 5])
        assert worker.clock.slept == waits
        assert worker.clock.slept[-1] == BACK_OFF_LAST_S

    def test_it_grows_while_every_delivery_fails_though_polls_succeed(self) -> None:
        broker, worker = desk(NORMAL)
        for _ in range(4):
            broker.fail_next_send(written=False)
        worker.turn(8)
        assert worker.clock.slept == pytest.approx([0.1, 0.2, 0.4, 0.8])

    def test_after_a_success_it_starts_over(self) -> None:
        broker, worker = desk(NORMAL)
        for _ in range(3):
            broker.fail_next_send(written=False)
        worker.turn(7)
        put(broker, [NORMAL])
        broker.fail_next_send(written=False)
        worker.turn()
        assert worker.clock.slept == pytest.approx([0.1, 0.2, 0.4, 0.1])

    def test_it_ends_early_when_the_program_is_asked_to_stop(self) -> None:
        broker, worker = desk(NORMAL)
        broker.reachable = False
        stop = Stop()
        seams = replace(worker.pipeline._seams, clock=SystemClock(stop))
        loop = Pipeline(seams, SETTINGS)
        loop._failures = 20  # the next wait is the longest
        stuck = worker.watcher.stuck

        def stuck_and_stopped(reason: str) -> None:
            stuck(reason)
            stop.set()

        worker.watcher.stuck = stuck_and_stopped  # type: ignore[method-assign]
        began = time.monotonic()
        loop.run(stop.is_set)
        assert time.monotonic() - began < BACK_OFF_LAST_S / 2
        assert worker.watcher.told[-1] == (False, "the broker is out of reach")


class TestStopping:
    def test_the_batch_in_hand_is_finished(self) -> None:
        broker, worker = desk(*MIXED)
        stop = Stop()
        worker.scorer.model.before_scoring = stop.set
        worker.pipeline.run(stop.is_set)
        assert committed(broker) == {ONLY: 5}

    def test_a_loop_that_is_stopped_before_its_first_turn_reads_nothing(self) -> None:
        broker, worker = desk(*MIXED)
        worker.pipeline.run(lambda: True)
        assert committed(broker) == {ONLY: 0}


class TestTooLarge:
    def test_a_dead_letter_that_does_not_fit_is_cut_and_delivered(self) -> None:
        broken = b"{" + b"x" * 29_000
        broker, worker = desk(NORMAL, broken, ODD, record_bytes_max=29_200)
        worker.turn()
        (letter,) = broker.records(DEAD_LETTERS)
        assert letter.value == broken[: 16 * 1024]
        headers = dict(letter.headers)
        assert headers["__latentwatch.errors.truncated.value.bytes"] == b"%d" % len(broken)
        assert headers["__latentwatch.errors.offset"] == b"1"
        assert ids(broker, ANOMALIES) == ["in-0-2"]
        assert committed(broker) == {ONLY: 3}

    def test_several_of_them_in_one_batch_too(self) -> None:
        broken = b"{" + b"x" * 29_000
        broker, worker = desk(*[broken] * 5, record_bytes_max=29_200)
        worker.turn()
        assert dead_letter_ids(broker) == [f"in-0-{i}" for i in range(5)]
        assert worker.metrics.of("batch_processed") == [(0, 0, 5, 0)]

    def test_many_that_a_broker_refuses_one_at_a_time_take_few_deliveries(self) -> None:
        """Else a batch of large records takes longer than a member may be away from its group."""
        broker, worker = desk(*[b"{" + b"x" * size for size in range(29_000, 29_100)])
        delivery = Narrow(worker.pipeline._seams.delivery, bytes_max=20_000)
        worker.with_seams(worker.log, delivery).turn()
        assert committed(broker) == {ONLY: 100}
        assert len(dead_letter_ids(broker)) == 100
        assert delivery.refused == 1

    def test_what_cannot_be_cut_any_further_ends_the_loop_uncommitted(self) -> None:
        broker, worker = desk(ODD)
        loop = worker.with_seams(worker.log, Refusing(OutputTooLarge(0, "too large")))
        with pytest.raises(OutputTooLarge):
            loop.turn()
        assert committed(broker) == {ONLY: 0}


class TestFlood:
    def test_beyond_the_rate_one_event_sums_up_the_batch(self) -> None:
        broker = new_broker()
        odd = [b'{"x": %d}' % x for x in range(10, 45)]
        put(broker, [NORMAL, *odd, BROKEN])
        worker = Worker(broker, replace(SETTINGS, events_per_s_max=2))
        worker.turn(2)
        *singly, summary = lines(broker, ANOMALIES)
        assert [event["score"] for event in singly] == list(range(25, 45))
        assert (summary["count"], summary["score_max"]) == (15, 24)
        assert committed(broker) == {ONLY: 37}
        flagged = [line["flagged"] for line in lines(broker, SCORES)]
        assert flagged == [False, *[True] * 35, False]
        assert len(worker.metrics.of("anomaly")) == 35
        assert worker.metrics.of("summed_up") == [(15,)]

    def test_a_batch_that_is_read_again_has_the_same_room(self) -> None:
        broker = new_broker()
        put(broker, [ODD] * 20)
        broker.fail_next_commit(stored=False)
        worker = Worker(broker, replace(SETTINGS, events_per_s_max=2))
        worker.turn(4)
        assert ids(broker, ANOMALIES) == [f"in-0-{i}" for i in range(20)] * 2
        assert worker.metrics.of("summed_up") == []

    def test_when_it_is_over_each_is_told_by_itself_again(self) -> None:
        broker = new_broker()
        worker = Worker(broker, replace(SETTINGS, events_per_s_max=1))
        put(broker, [ODD] * 20)
        worker.turn(2)
        worker.clock.sleep(60)
        put(broker, [ODD] * 3)
        worker.turn()
        assert ids(broker, ANOMALIES)[-3:] == ["in-0-20", "in-0-21", "in-0-22"]


class TestMetrics:
    def test_only_a_committed_batch_counts_and_only_once(self) -> None:
        broker, worker = desk(*MIXED)
        broker.fail_next_send(written=True)
        broker.fail_next_commit(stored=False)
        worker.turn(5)
        metrics = worker.metrics
        assert metrics.of("batch_processed") == [(2, 1, 1, 1)]
        assert metrics.of("anomaly") == [("critical", "x")]
        assert metrics.of("rejected") == [("not_json",)]
        assert metrics.of("scores") == [([1.0, 99.0, 1.0], [0.5, 49.5, 0.5], [0.25, 24.75, 0.25])]
        assert metrics.of("missing") == [(0, 3)]
        assert metrics.of("event_lag") == [(1_767_225_004_000, worker.clock.now())]
        assert metrics.of("delivery_failed") == [("Retryable",), ("Retryable",)]

    def test_every_poll_is_told_with_its_bytes_and_lags(self) -> None:
        _, worker = desk(NORMAL, TOMBSTONE, ODD)
        worker.turn()
        assert worker.metrics.of("batch_polled") == [
            (0, 0, {ONLY: 3}),
            (3, len(NORMAL) + len(ODD), {ONLY: 0}),
        ]

    def test_stages_are_told_in_their_order(self) -> None:
        _, worker = desk(NORMAL)
        worker.metrics.told.clear()
        worker.turn()
        assert [told[0] for told in worker.metrics.of("stage")] == [
            "poll",
            "decode",
            "score",
            "explain",
            "encode",
            "deliver",
        ]

    def test_whether_the_calibration_holds_is_told_of_what_was_delivered(self) -> None:
        broker, worker = desk(NORMAL, NORMAL)
        worker.scorer.model.broken = "too many"
        broker.fail_next_send(written=False)
        worker.turn(3)
        assert worker.metrics.of("calibration") == [(2.0, True)]
        assert worker.watcher.notes["calibration"] == {"ratio": 2.0, "broken": "too many"}

    def test_the_watcher_hears_of_every_turn(self) -> None:
        broker, worker = desk(NORMAL)
        broker.reachable = False
        worker.turn(3)
        assert worker.watcher.turns == 4


class TestModels:
    def test_a_batch_is_scored_and_told_of_with_one_model(self) -> None:
        """A model that comes while a batch is scored waits for the next one."""
        broker, worker = desk(*[ODD] * 250)
        first = worker.scorer.model
        first.before_scoring = lambda: setattr(worker.scorer, "model", ToyModel("v2"))
        worker.turn(3)
        versions = [str(line["model"]) for line in lines(broker, ANOMALIES)]
        assert [("v1" in version, "v2" in version) for version in versions] == [
            *[(True, False)] * 100,
            *[(False, True)] * 150,
        ]

    def test_a_batch_that_is_read_again_may_have_another_model(self) -> None:
        broker, worker = desk(ODD)
        broker.fail_next_send(written=False)
        worker.turn()
        worker.scorer.model = ToyModel("v2")
        worker.turn(2)
        (event,) = lines(broker, ANOMALIES)
        assert event["model"] == {"version": "v2", "trained_at": "2026-01-01T00:00:00Z"}


class TestHolding:
    """Too many dead letters: nothing is committed until another model comes."""

    @staticmethod
    def held() -> tuple[MemoryBroker, Worker]:
        broker = new_broker()
        put(broker, [*[NORMAL] * 100, *[BROKEN] * 30, *[NORMAL] * 70])
        strict = replace(SETTINGS, dead_letter_share_max=0.1, dead_letter_window=200)
        worker = Worker(broker, strict, ToyScorer())
        worker.turn(3)
        return broker, worker

    def test_what_came_before_is_delivered_and_the_rest_is_not(self) -> None:
        broker, worker = self.held()
        assert committed(broker) == {ONLY: 100}
        assert broker.records(DEAD_LETTERS) == []
        worker.turn(5)
        assert committed(broker) == {ONLY: 100}
        assert broker.records(DEAD_LETTERS) == []

    def test_it_says_so_once_and_is_not_ready(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.ERROR):
            _, worker = self.held()
            worker.turn(5)
        reason = (
            "dead letters would pass 10% of the last 200 records (30 in this batch, first:"
            " not_json); held until another model than v1"
        )
        assert [record.getMessage() for record in caplog.records] == [reason]
        assert worker.watcher.told[-1] == (False, reason)
        assert worker.metrics.of("delivery_failed") == [("dead_letter_limit",)]

    def test_the_reason_is_told_again_after_another_trouble(self) -> None:
        broker, worker = self.held()
        broker.reachable = False
        worker.turn()
        assert worker.watcher.told[-1] == (False, "the broker is out of reach")
        broker.reachable = True
        worker.turn(2)
        assert worker.watcher.told[-1][1].startswith("dead letters would pass")

    def test_it_stays_in_the_group_and_keeps_polling(self) -> None:
        broker, worker = self.held()
        polls = len(worker.metrics.of("batch_polled"))
        worker.turn(5)
        assert len(worker.metrics.of("batch_polled")) == polls + 5
        assert len(broker.group(GROUP).members) == 1

    def test_a_rebalance_meanwhile_lets_nothing_through(self) -> None:
        broker, worker = self.held()
        worker.log.resume()  # as a client does that forgets its pauses in a rebalance
        broker.rebalance(GROUP)
        worker.turn(5)
        assert committed(broker) == {ONLY: 100}
        worker.turn(5)
        assert committed(broker) == {ONLY: 100}

    def test_another_model_looks_at_the_same_records_again(self) -> None:
        _, worker = self.held()
        worker.scorer.model = ToyModel("v2")
        worker.turn(3)
        assert worker.metrics.of("delivery_failed") == [("dead_letter_limit",)] * 2
        assert worker.watcher.told[-1][1].endswith("held until another model than v2")

    def test_when_the_records_are_fine_by_it_the_stream_goes_on(self) -> None:
        broker, worker = self.held()
        broker.delete_before(ONLY, 130)  # the broken ones are gone: retention, or a repair
        worker.scorer.model = ToyModel("v2")
        worker.turn(3)
        assert committed(broker) == {ONLY: 200}
        assert worker.watcher.told[-1] == (True, "running")


@dataclass
class Narrow:
    """Takes no large output, and refuses the first of them, as a broker does."""

    delivery: Delivery
    bytes_max: int
    refused: int = 0

    def deliver(
        self,
        outputs: Sequence[Output],
        positions: Sequence[Position],
        membership: Membership | None,
    ) -> None:
        for index, output in enumerate(outputs):
            if output.size > self.bytes_max:
                self.refused += 1
                raise OutputTooLarge(index, "too large")
        self.delivery.deliver(outputs, positions, membership)

    def close(self) -> None:
        """Nothing to give up."""


@dataclass
class Refusing:
    """A delivery that never delivers."""

    error: Exception

    def deliver(
        self,
        outputs: Sequence[Output],
        positions: Sequence[Position],
        membership: Membership | None,
    ) -> None:
        del outputs, positions, membership
        raise self.error

    def close(self) -> None:
        """Nothing to give up."""


def once(act: Callable[[], None]) -> Callable[[], None]:
    """The act, the first time; nothing after that."""
    left = [act]
    return lambda: left.pop()() if left else None
