"""A whole training run on a stretch in memory, up to the pointer."""

from __future__ import annotations

import importlib.metadata
import math
import platform
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tests.telemetry import FEATURES, SMALL, START_MS, absurd, encoded, readings
from training.dataset import Bounds, DataUnusable
from training.retrain import Outcome, Plan, Progress, retrain
from worker.adapters.artifact_store import DirectoryArtifactStore
from worker.adapters.memory import MemoryBroker, MemoryRecordHistory
from worker.codec import JsonCodec
from worker.model.artifact import (
    DataSpan,
    PartitionSpan,
    PointerMoved,
    RowCounts,
    Verdict,
    read_manifest,
)
from worker.model.path import parse_path
from worker.model.schema import Where
from worker.records import Output

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from worker.model.artifact import Artifact
    from worker.model.schema import FeatureSchema

PLAN = Plan(stream="machine", topic="t", fit=SMALL)
CODEC = JsonCodec(record_bytes_max=10_000, depth_max=40, missing_share_max=0.5)


def history(values: Sequence[bytes | None], *, stamped: bool = True) -> MemoryRecordHistory:
    broker = MemoryBroker({"t": 1})
    stamps = [START_MS + 1000 * i if stamped else -1 for i in range(len(values))]
    broker.send([Output("t", b"k", v, (), at) for v, at in zip(values, stamps, strict=True)])
    return MemoryRecordHistory(broker, "t")


@pytest.fixture
def store(tmp_path: Path) -> DirectoryArtifactStore:
    return DirectoryArtifactStore(tmp_path, "machine")


def train(
    values: Sequence[bytes | None],
    store: DirectoryArtifactStore,
    plan: Plan = PLAN,
    *,
    stamped: bool = True,
) -> Outcome:
    return retrain(history(values, stamped=stamped), CODEC, store, plan)


def refusal(
    values: Sequence[bytes | None], store: DirectoryArtifactStore, plan: Plan = PLAN
) -> str:
    with pytest.raises(DataUnusable) as raised:
        train(values, store, plan)
    assert store.versions() == []
    assert store.current() is None
    return str(raised.value)


def paths(schema: FeatureSchema) -> set[str]:
    return {feature.path for feature in schema.features}


def reasons(outcome: Outcome) -> dict[str, str]:
    return {item.path: item.reason for item in outcome.left_out}


class Overtaken(DirectoryArtifactStore):
    """A store to which another run promotes its model while ours is being saved."""

    def __init__(self, root: Path, stream: str, other_run: Callable[[], Outcome]) -> None:
        super().__init__(root, stream)
        self._other_run = other_run
        self.overtaken_by = ""

    def save(self, artifact: Artifact) -> str:
        version = super().save(artifact)
        self.overtaken_by = self._other_run().version
        return version


class TestManifest:
    @pytest.fixture
    def outcome(self, store: DirectoryArtifactStore) -> Outcome:
        values: list[bytes | None] = [*encoded(readings(500)), None, b"not JSON", b"[1]", b""]
        return train(values, store)

    def test_it_counts_what_became_of_every_record(
        self, outcome: Outcome, store: DirectoryArtifactStore
    ) -> None:
        about = store.load(outcome.version).about
        assert about.rows == outcome.rows
        assert about.rows == RowCounts(
            read=504, sampled=504, rejected=3, skipped=1, fit=300, calibrate=100, hold_out=100
        )

    def test_it_names_the_stretch(self, outcome: Outcome, store: DirectoryArtifactStore) -> None:
        about = store.load(outcome.version).about
        assert about.stream == "machine"
        assert about.span == DataSpan(
            source="t",
            topic="t",
            partitions=(PartitionSpan(partition=0, start=0, end=504),),
            first_ms=START_MS,
            last_ms=START_MS + 503_000,
        )

    def test_it_names_seed_time_and_libraries(
        self, outcome: Outcome, store: DirectoryArtifactStore
    ) -> None:
        about = store.load(outcome.version).about
        assert about.seed == SMALL.seed
        age_s = (datetime.now(UTC) - datetime.fromisoformat(about.trained_at)).total_seconds()
        assert 0 <= age_s < 60
        assert about.libraries == {
            "python": platform.python_version(),
            **{n: importlib.metadata.version(n) for n in ("latentwatch", "torch", "numpy")},
        }

    def test_it_holds_the_schema_with_bounds_of_the_numbers(
        self, outcome: Outcome, store: DirectoryArtifactStore
    ) -> None:
        schema = read_manifest(store.path(outcome.version)).schema
        assert schema == outcome.schema
        loads = [float(str(reading["load"])) for reading in readings(500)]
        (load,) = (feature for feature in schema.features if feature.path == "load")
        assert (load.lower, load.upper) == (min(loads), max(loads))
        assert load.missing_share == 0

    def test_it_holds_evaluation_verdict_and_alert_rate(
        self, outcome: Outcome, store: DirectoryArtifactStore
    ) -> None:
        loaded = store.load(outcome.version)
        evaluation = loaded.about.evaluation
        assert (evaluation.rows, evaluation.flagged) == (
            outcome.backtest.rows,
            outcome.backtest.flagged,
        )
        assert evaluation.rows == 100
        seen = evaluation.flagged
        assert loaded.about.verdict == Verdict(
            promoted=True, reasons=(f"first model: {seen} of 100 hold-out records flagged",)
        )
        assert loaded.detector.calibration.alert_rate == outcome.alert_rate == SMALL.alert_rate
        assert outcome.supported_rate == 5 / 100

    def test_the_model_finds_the_absurd(
        self, outcome: Outcome, store: DirectoryArtifactStore
    ) -> None:
        detector = store.load(outcome.version).detector
        decoded = CODEC.decode(encoded([*readings(200, seed=9), absurd()]), detector.schema)
        scores = detector.score(decoded.columns)
        assert scores.flagged[-1]
        assert scores.flagged[:-1].mean() < 0.1

    def test_what_is_no_feature_is_told_with_reasons(self, outcome: Outcome) -> None:
        assert paths(outcome.schema) == set(FEATURES)
        assert reasons(outcome) == {
            "at": "grows or falls from record to record: a time or a counter",
            "id": "a text with too many different values",
        }


class TestPointer:
    def test_the_first_model_has_no_predecessor(self, store: DirectoryArtifactStore) -> None:
        outcome = train(encoded(readings(300)), store)
        pointer = store.current()
        assert pointer is not None
        assert pointer.version == outcome.version
        assert pointer.previous is None
        assert pointer.why == "; ".join(outcome.verdict.reasons)

    def test_the_second_follows_the_first(self, store: DirectoryArtifactStore) -> None:
        first = train(encoded(readings(300)), store)
        second = train(encoded(readings(300, seed=1)), store)
        pointer = store.current()
        assert pointer is not None
        assert (pointer.version, pointer.previous) == (second.version, first.version)
        assert "the current model flagged" in pointer.why
        assert set(store.versions()) == {first.version, second.version}

    def test_whoever_promotes_meanwhile_wins(
        self, tmp_path: Path, store: DirectoryArtifactStore
    ) -> None:
        """The slower of two runs keeps its version in the store and is told to try again."""
        slow = Overtaken(tmp_path, "machine", lambda: train(encoded(readings(300)), store))
        with pytest.raises(PointerMoved, match="not None") as raised:
            train(encoded(readings(300, seed=1)), slow)
        assert raised.value.exit_code == 75
        pointer = store.current()
        assert pointer is not None
        assert pointer.version == slow.overtaken_by
        assert len(store.versions()) == 2

    def test_the_same_stretch_and_seed_give_the_same_scores(
        self, tmp_path: Path, store: DirectoryArtifactStore
    ) -> None:
        other = DirectoryArtifactStore(tmp_path / "other", "machine")
        values = encoded(readings(300))
        new = encoded(readings(100, seed=5))
        found = []
        for place in (store, other):
            detector = place.load(train(values, place).version).detector
            found.append(detector.score(CODEC.decode(new, detector.schema).columns).score.tolist())
        assert found[0] == found[1]

    def test_another_seed_gives_another_model(self, store: DirectoryArtifactStore) -> None:
        values, new = encoded(readings(300)), encoded(readings(50, seed=5))
        found = []
        for seed in (0, 1):
            version = train(values, store, replace(PLAN, fit=replace(SMALL, seed=seed))).version
            detector = store.load(version).detector
            found.append(detector.score(CODEC.decode(new, detector.schema).columns).score.tolist())
        assert found[0] != found[1]


class TestStretch:
    def test_of_files_the_span_names_no_topic(self, store: DirectoryArtifactStore) -> None:
        outcome = train(encoded(readings(300)), store, replace(PLAN, topic=None), stamped=False)
        assert store.load(outcome.version).about.span == DataSpan(source="t")
        assert outcome.backtest.per_day is None

    def test_a_field_may_give_the_event_time(self, store: DirectoryArtifactStore) -> None:
        often = replace(SMALL, alert_rate=0.3)
        plan = replace(PLAN, bounds=Bounds(time=parse_path("at")), fit=often)
        outcome = train(encoded(reversed(readings(300))), store, plan, stamped=False)
        span = store.load(outcome.version).about.span
        assert (span.first_ms, span.last_ms) == (START_MS, START_MS + 299_000)
        assert reasons(outcome)["at"] == "the event time"
        tried = outcome.backtest
        assert tried.flagged > 0
        assert tried.per_day == pytest.approx(tried.flagged / tried.rows * 300 / 299 * 86_400)

    def test_where_picks_the_records_that_count(self, store: DirectoryArtifactStore) -> None:
        others = [{"site": "south", "humidity": i % 7} for i in range(300)]
        mixed = [r for pair in zip(readings(300), others, strict=True) for r in pair]
        outcome = train(
            encoded(mixed), store, replace(PLAN, where=Where(path="site", value="north"))
        )
        assert outcome.schema.where == Where(path="site", value="north")
        assert paths(outcome.schema) == set(FEATURES)
        assert (outcome.rows.read, outcome.rows.skipped) == (600, 300)
        assert not outcome.schema.empty_records

    def test_a_long_stretch_is_sampled(self, store: DirectoryArtifactStore) -> None:
        outcome = train(encoded(readings(1000)), store, replace(PLAN, rows_max=300))
        assert (outcome.rows.read, outcome.rows.sampled) == (1000, 250)

    def test_poison_among_the_records_is_counted_and_passed_over(
        self, store: DirectoryArtifactStore
    ) -> None:
        poison: list[bytes | None] = [
            b"\xff\xfe",
            b"{" * 50,
            b'{"load": 1e999}',
            b'{"load": ' + b"9" * 400 + b"}",
            b'{"load": ' + b"9" * 5000 + b"}",
            b'{"load": NaN}',
            b'{"load": "high"}',
            b"null",
            b'"text"',
            b"x" * 20_000,
            None,
        ]
        outcome = train([*poison, *encoded(readings(1000))], store)
        assert paths(outcome.schema) == set(FEATURES)
        assert (outcome.rows.rejected, outcome.rows.skipped) == (10, 1)

    def test_a_missing_share_is_kept_for_every_feature(self, store: DirectoryArtifactStore) -> None:
        records = readings(400)
        for record in records[::4]:
            del record["load"], record["mode"]
        shares = {f.path: f.missing_share for f in train(encoded(records), store).schema.features}
        assert shares == {**dict.fromkeys(FEATURES, 0.0), "load": 0.25, "mode": 0.25}

    def test_records_without_any_feature_are_a_shape_where_there_are_some(
        self, store: DirectoryArtifactStore
    ) -> None:
        deletes = [{"op": "delete", "site": "north"}] * 20
        outcome = train(encoded([*readings(400), *deletes]), store)
        assert outcome.schema.empty_records
        assert (outcome.rows.skipped, outcome.rows.rejected) == (20, 0)

    @pytest.mark.parametrize(("deletes", "told"), [(99, 0), (100, 1)])
    def test_many_such_records_are_told_of(
        self,
        store: DirectoryArtifactStore,
        caplog: pytest.LogCaptureFixture,
        deletes: int,
        told: int,
    ) -> None:
        train(encoded([*readings(400), *[{"op": "delete"}] * deletes]), store)
        why = "100 of 500 records hold none of the features: they are skipped, here and by the"
        assert [m.startswith(why) for m in caplog.messages] == [True] * told

    def test_records_with_something_else_in_the_place_of_an_object_are_unreadable(
        self, store: DirectoryArtifactStore
    ) -> None:
        damaged: list[dict[str, object]] = [{"v": {"a": i * i % 97 / 7}} for i in range(400)]
        damaged[7] = {"v": 7}
        assert train(encoded(damaged), store).rows.rejected == 1

    def test_but_not_where_that_is_usual(self, store: DirectoryArtifactStore) -> None:
        made: list[dict[str, object]] = [
            {"x": i % 13 / 7, "v": {"a": i * i % 97 / 7} if i % 10 else "none"} for i in range(400)
        ]
        outcome = train(encoded(made), store)
        assert (paths(outcome.schema), outcome.rows.rejected) == ({"x", "v.a"}, 0)

    def test_records_that_are_arrays_are_learned(self, store: DirectoryArtifactStore) -> None:
        values = [b"[%d, %d, 1]" % (i * i % 997, i * 7 % 13) for i in range(400)]
        outcome = train(values, store)
        assert paths(outcome.schema) == {"[0]", "[1]"}
        assert [watched.path for watched in outcome.schema.watched] == ["[2]"]
        assert outcome.rows.rejected == 0

    def test_records_of_several_types_are_learned_together(
        self, store: DirectoryArtifactStore
    ) -> None:
        """None of them is refused for lacking what the others have."""
        made: list[dict[str, object]] = []
        for i in range(200):
            made.append({"type": "cpu", "busy": i * 7 % 13, "idle": i * 5 % 11})
            made.append({"type": "disk", "free": i * 3 % 17, "read": i * 9 % 19})
            made.append({"type": "net", "in": i * 7 % 23, "out": i * 5 % 29})
        outcome = train(encoded(made), store)
        assert paths(outcome.schema) == {"type", "busy", "idle", "free", "read", "in", "out"}
        assert (outcome.rows.rejected, outcome.rows.skipped) == (0, 0)
        assert outcome.types == ("type", ("cpu", "disk", "net"))
        decoded = CODEC.decode(
            encoded([{"type": "net", "in": 3, "out": 4}, {"busy": 1}]), outcome.schema
        )
        assert decoded.rows.tolist() == [0]
        assert [rejection.reason for rejection in decoded.rejections] == ["missing_features"]

    def test_without_such_records_they_are_none(self, store: DirectoryArtifactStore) -> None:
        assert not train(encoded(readings(400)), store).schema.empty_records

    def test_a_single_one_of_very_many_is_none_either(self, store: DirectoryArtifactStore) -> None:
        values = encoded([*readings(1200), {"op": "delete"}])
        assert not train(values, store).schema.empty_records

    def test_a_number_that_is_blank_where_the_network_learns_is_left_out(
        self, store: DirectoryArtifactStore
    ) -> None:
        records = readings(1000)
        for record in records[100:150]:  # a block that calibrates
            record["visit"] = len(str(record["id"])) + float(str(record["load"]))
        outcome = train(encoded(records), store)
        assert reasons(outcome)["visit"] == "no value in the records to learn from"
        assert paths(outcome.schema) == set(FEATURES)

    def test_progress_goes_to_the_end(self, store: DirectoryArtifactStore) -> None:
        told: dict[str, list[tuple[int, int]]] = {"reading": [], "fitting": []}
        progress = Progress(
            reading=lambda done, of: told["reading"].append((done, of)),
            fitting=lambda done, of: told["fitting"].append((done, of)),
        )
        retrain(history(encoded(readings(300))), CODEC, store, PLAN, progress)
        assert told["reading"][-1] == (300, 300)
        assert told["fitting"][-1] == (SMALL.network.steps, SMALL.network.steps)


class TestAlertsPerDay:
    def test_they_become_a_rate_by_the_streams_own_traffic(
        self, store: DirectoryArtifactStore
    ) -> None:
        outcome = train(encoded(readings(400)), store, replace(PLAN, alerts_per_day=86.4))
        assert outcome.alert_rate == pytest.approx(1e-3, rel=0.01)
        calibration = store.load(outcome.version).detector.calibration
        assert calibration.threshold == pytest.approx(-math.log10(outcome.alert_rate))

    def test_more_than_half_of_all_records_are_never_asked_for(
        self, store: DirectoryArtifactStore
    ) -> None:
        outcome = train(encoded(readings(300)), store, replace(PLAN, alerts_per_day=1e9))
        assert outcome.alert_rate == 0.5

    def test_without_times_they_cannot_be_resolved(self, store: DirectoryArtifactStore) -> None:
        plan = replace(PLAN, alerts_per_day=5.0)
        with pytest.raises(DataUnusable, match="alerts a day need event times"):
            train(encoded(readings(300)), store, plan, stamped=False)


class TestUnusable:
    def test_an_empty_stretch(self, store: DirectoryArtifactStore) -> None:
        assert refusal([], store) == "the stretch is empty: no records in t[0] 0..0"

    def test_too_few_records(self, store: DirectoryArtifactStore) -> None:
        values = [*encoded(readings(99)), b"garbage"]
        assert refusal(values, store) == (
            "the stretch is too short: 99 usable records of 100 that were read, at least 100 are"
            " needed"
        )

    def test_nothing_but_garbage(self, store: DirectoryArtifactStore) -> None:
        values = [b"\xff", b"{", b"1", None] * 100
        assert refusal(values, store) == (
            "no usable features in 0 records of 400; found:\n  no JSON objects with values in them"
        )

    def test_constant_records(self, store: DirectoryArtifactStore) -> None:
        assert refusal(encoded([{"a": 1, "b": {"c": "x"}}] * 300), store) == (
            "no usable features in 300 records of 300; found:\n  a: a constant\n  b.c: a constant"
        )

    def test_records_without_usable_features(self, store: DirectoryArtifactStore) -> None:
        values = encoded([{"at": START_MS + i, "id": f"r{i}", "tags": []} for i in range(300)])
        assert refusal(values, store) == (
            "no usable features in 300 records of 300; found:\n"
            "  at: grows or falls from record to record: a time or a counter\n"
            "  id: a text with too many different values\n"
            "  tags: an array of varying length"
        )

    def test_a_where_that_nothing_matches(self, store: DirectoryArtifactStore) -> None:
        plan = replace(PLAN, where=Where(path="site", value="east"))
        assert refusal(encoded(readings(300)), store, plan) == (
            "no usable features in 0 records of 300; found:\n  no record that holds east at site"
        )

    def test_a_single_feature_without_a_value_where_the_network_learns(
        self, store: DirectoryArtifactStore
    ) -> None:
        records: list[dict[str, object]] = [{"a": 1} for _ in range(400)]
        for i in range(40, 60):  # the first block that calibrates
            records[i]["b"] = i * i % 17
        lenient = JsonCodec(record_bytes_max=10_000, depth_max=40, missing_share_max=1)
        with pytest.raises(DataUnusable) as raised:
            retrain(history(encoded(records)), lenient, store, PLAN)
        assert str(raised.value) == (
            "no usable features; found:\n  b: no value in the records to learn from"
        )


class TestGate:
    def test_a_model_that_is_kept_back_is_stored_but_not_used(
        self, store: DirectoryArtifactStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        verdict = Verdict(promoted=False, reasons=("it flags too much",))
        monkeypatch.setattr("training.retrain.promote", lambda *_: verdict)
        outcome = train(encoded(readings(300)), store)
        assert outcome.verdict == verdict
        assert store.versions() == [outcome.version]
        assert store.current() is None


def test_a_damaged_current_model_keeps_no_good_one_out(store: DirectoryArtifactStore) -> None:
    first = train(encoded(readings(300)), store).version
    weights = store.path(first) / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    second = train(encoded(readings(300)), store)
    pointer = store.current()
    assert pointer is not None
    assert (pointer.version, pointer.previous) == (second.version, first)
