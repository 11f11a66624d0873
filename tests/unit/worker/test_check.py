"""What `check` says of each state of the things around a worker, and what mends it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

import pytest

from worker.check import Point, Wanted, check, exit_code
from worker.codec import JsonCodec
from worker.model.artifact import ArtifactRejected
from worker.model.schema import Feature, FeatureSchema, Where
from worker.ports import LatentwatchError, Model, NotPermitted, Unreachable
from worker.records import ModelNote, Record
from worker.topics import Kept, TopicFacts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from worker.records import RawRecord

WANTED = Wanted("t", ["t.anomalies", "t.dlq"], "g", dead_letter_share_max=0.2)
SAFE = Kept(copies=3, in_sync=2)
ALL = TopicFacts(3, 1, frozenset({"READ", "WRITE", "DESCRIBE"}))
SCHEMA = FeatureSchema(
    features=(
        Feature(path="a", kind="number"),
        Feature(path="b.c", kind="number", absent=("-",)),
        Feature(path="rare", kind="number", missing_share=0.99),
    )
)
GOOD = {"a": 1, "b": {"c": 2}}


@dataclass
class FakeModel:
    """A loaded model, as far as check looks at it."""

    schema: FeatureSchema = SCHEMA
    note: ModelNote = field(
        default_factory=lambda: ModelNote("v1", "2026-11-01T00:00:00Z", 1e-4, 3)
    )


@dataclass
class FakeAround:
    """Surroundings where all is well unless a test says otherwise."""

    cluster: str | LatentwatchError = "one broker"
    found: Mapping[str, TopicFacts | None] = field(default_factory=dict)
    others: str | None = None
    joins: bool | LatentwatchError = True
    copies: Mapping[str, Kept | None] | LatentwatchError = field(default_factory=dict)
    new_release: bool = False
    loaded: FakeModel | Exception = field(default_factory=FakeModel)
    records: Sequence[object] = (GOOD,) * 20

    def brokers(self) -> str:
        if isinstance(self.cluster, LatentwatchError):
            raise self.cluster
        return self.cluster

    def topics(self, names: Sequence[str]) -> Mapping[str, TopicFacts | None]:
        return {name: self.found.get(name, ALL) for name in names}

    def near(self, _name: str) -> str | None:
        return self.others

    def may_join(self, _group: str) -> bool:
        if isinstance(self.joins, LatentwatchError):
            raise self.joins
        return self.joins

    def kept(self, names: Sequence[str]) -> Mapping[str, Kept | None]:
        if isinstance(self.copies, LatentwatchError):
            raise self.copies
        return {name: self.copies.get(name, SAFE) for name in names}

    def may_lose_markers(self) -> bool:
        return self.new_release

    def model(self) -> Model:
        if isinstance(self.loaded, Exception):
            raise self.loaded
        return cast("Model", self.loaded)

    def newest(self, records_max: int) -> Sequence[RawRecord]:
        values = [r if isinstance(r, bytes) else json.dumps(r).encode() for r in self.records]
        return [Record("t", 0, i, -1, None, v) for i, v in enumerate(values[-records_max:])]


class FakeMends:
    broker = "another broker"
    outputs = "make the outputs"
    train = "train"

    def topic(self, near: str | None) -> str:
        return f"look at {near}" if near else "make the input"

    def right(self, right: str, kind: str, name: str) -> str:
        return f"allow {right} {kind} {name}"


def points(around: FakeAround) -> list[Point]:
    codec = JsonCodec(record_bytes_max=1000, depth_max=10, missing_share_max=0.5)
    return check(WANTED, around, codec, codec.parse, FakeMends())


def failures(around: FakeAround) -> list[tuple[str, str, str | None, int]]:
    return [(p.name, p.detail, p.mend, p.exit_code) for p in points(around) if p.status == "failed"]


def features(*records: object) -> Point:
    return points(FakeAround(records=records))[-1]


def test_where_all_is_well_every_point_is_ok() -> None:
    found = points(FakeAround())
    assert [(p.name, p.status, p.detail) for p in found] == [
        ("broker", "ok", "one broker"),
        ("topic t", "ok", "3 partitions, replication 1"),
        ("topic t.anomalies", "ok", "3 partitions, replication 1"),
        ("topic t.dlq", "ok", "3 partitions, replication 1"),
        ("rights", "ok", "read t, write t.anomalies, write t.dlq, join g"),
        ("delivery", "ok", "at_least_once holds whichever one broker is lost"),
        ("model", "ok", "v1, trained 2026-11-01T00:00:00Z, 3 features, alert rate 0.0001"),
        ("features", "ok", "all 3 are in the newest 20 records"),
    ]
    assert exit_code(found) == 0


def delivery(around: FakeAround, mode: str = "exactly_once") -> tuple[str, str]:
    """Status and detail of that point."""
    codec = JsonCodec(record_bytes_max=1000, depth_max=10, missing_share_max=0.5)
    found = check(replace(WANTED, delivery=mode), around, codec, codec.parse, FakeMends())
    assert exit_code(found) == 0
    (point,) = (point for point in found if point.name == "delivery")
    return point.status, point.detail


def test_one_copy_of_a_topic_is_a_warning_where_exactly_once_is_wanted() -> None:
    once = FakeAround(copies={"t.dlq": Kept(1, 1), "__transaction_state": Kept(1, 1)})
    few = "holds while no disk is: fewer than 3 copies of t.dlq"
    assert delivery(once) == ("warned", f"exactly_once {few}, __transaction_state")
    assert delivery(once, "at_least_once") == ("ok", f"at_least_once {few}")


def test_records_that_count_with_one_copy_are_a_warning_too() -> None:
    lax = FakeAround(copies={"t": Kept(3, 1), "t.dlq": Kept(3, None)})
    said = "exactly_once holds while no disk is: min.insync.replicas below 2 for t"
    assert delivery(lax) == ("warned", said)


def test_brokers_that_may_lose_the_end_of_a_transaction_are_named() -> None:
    """A warning below three copies; above, for a crash of all of them alone."""
    new = FakeAround(new_release=True)
    lose = "brokers of 4.3 and later may lose the end of a transaction"
    held = "exactly_once holds whichever one broker is lost"
    assert delivery(new) == ("ok", f"{held}; {lose} when all brokers crash at once")
    new.copies = {"t": Kept(1, 1)}
    status, said = delivery(new)
    assert status == "warned"
    assert said.endswith(f"; {lose} when a broker crashes")
    assert "transaction" not in delivery(new, "at_least_once")[1]


def test_a_topic_that_is_not_there_yet_is_not_judged() -> None:
    assert delivery(FakeAround(copies={"__transaction_state": None}))[0] == "ok"


def test_who_may_not_know_how_topics_are_kept_is_told_so() -> None:
    hidden = FakeAround(copies=NotPermitted("we may not look"))
    assert delivery(hidden) == ("skipped", "we may not look")


def test_without_a_broker_the_model_is_looked_at_all_the_same() -> None:
    found = points(FakeAround(cluster=Unreachable("nobody answers")))
    assert [p.status for p in found] == ["failed", "skipped", "skipped", "skipped", "ok", "skipped"]
    assert (found[0].detail, found[0].mend) == ("nobody answers", "another broker")
    assert exit_code(found) == 69


def test_a_missing_input_topic_is_to_be_made() -> None:
    around = FakeAround(found={"t": None})
    assert failures(around) == [("topic t", "there is no such topic", "make the input", 69)]
    assert points(around)[-1].status == "skipped"


def test_a_misspelt_input_topic_is_looked_up_among_the_others() -> None:
    around = FakeAround(found={"t": None}, others="tt")
    assert failures(around) == [
        ("topic t", "there is no such topic; there is tt", "look at tt", 69)
    ]


def test_a_missing_output_topic_is_to_be_made() -> None:
    found = failures(FakeAround(found={"t.dlq": None}))
    assert found == [("topic t.dlq", "there is no such topic", "make the outputs", 69)]


def test_each_missing_right_has_its_own_command() -> None:
    no_write = replace(ALL, rights=frozenset({"READ", "DESCRIBE"}))
    around = FakeAround(found={"t": TopicFacts(0, 0, frozenset()), "t.dlq": no_write}, joins=False)
    assert failures(around) == [
        ("rights", "we may not read the topic t", "allow READ topic t", 77),
        ("rights", "we may not write the topic t.dlq", "allow WRITE topic t.dlq", 77),
        ("rights", "we may not read the group g", "allow READ group g", 77),
    ]
    assert points(around)[-1].status == "skipped"


def test_rights_that_the_cluster_does_not_tell_are_taken_for_granted() -> None:
    assert failures(FakeAround(found={"t": replace(ALL, rights=None)})) == []


def test_a_group_that_cannot_be_looked_up_is_said() -> None:
    around = FakeAround(joins=NotPermitted("no"))
    assert failures(around) == [("rights", "no", "another broker", 77)]


@pytest.mark.parametrize(
    ("error", "code"), [(Unreachable("none"), 69), (ArtifactRejected("bad hash"), 65)]
)
def test_a_model_that_does_not_load_is_to_be_trained(error: Exception, code: int) -> None:
    around = FakeAround(loaded=error)
    assert failures(around) == [("model", str(error), "train", code)]


def test_an_alert_rate_beyond_what_the_calibration_supports_is_said() -> None:
    note = ModelNote("v1", "2026-11-01T00:00:00Z", 1e-4, 4, supported_rate=1 / 300)
    (model,) = [p for p in points(FakeAround(loaded=FakeModel(note=note))) if p.name == "model"]
    assert model.detail == (
        "v1, trained 2026-11-01T00:00:00Z, 3 features, alert rate 0.0001, extrapolated: its"
        " calibration supports no less than 0.0033"
    )


def test_an_empty_topic_is_no_failure() -> None:
    assert features() == Point(
        "features", "ok", "the topic holds no record yet to look for them in"
    )


def test_features_that_are_in_no_record_are_named() -> None:
    found = features(*[{"a": 1, "b": {"c": "-"}}] * 20)
    assert found.status == "failed"
    assert found.detail == "1 of the model's 3 features are in none of the newest 20 records: b.c"
    assert (found.mend, found.exit_code) == ("train", 65)


def test_a_feature_that_training_seldom_saw_may_be_absent() -> None:
    assert features(*[GOOD] * 20).status == "ok"


def test_more_dead_letters_than_the_limit_are_a_failure() -> None:
    found = features(*[GOOD] * 7, *[b"no json"] * 3)
    assert found.status == "failed"
    assert found.detail.startswith("3 of the newest 10 records would be dead letters: not_json (")


def test_fewer_dead_letters_are_told() -> None:
    found = features(*[GOOD] * 9, b"no json")
    assert found.status == "ok"
    assert found.detail == "all 3 are in the newest 10 records; 1 would be dead letters: not_json"


def test_a_topic_without_a_record_of_the_models_kind_is_a_failure() -> None:
    schema = FeatureSchema(features=SCHEMA.features, where=Where(path="type", value="x"))
    found = points(FakeAround(loaded=FakeModel(schema)))[-1]
    assert found.status == "failed"
    assert found.detail == "none of the newest 20 records is of the kind that the model knows"


@pytest.mark.parametrize(
    ("codes", "expected"),
    [([65, 69], 69), ([78, 65, 77], 77), ([78, 65], 65), ([78], 78), ([70], 70), ([], 0)],
)
def test_the_exit_code_is_of_what_has_to_be_mended_first(codes: list[int], expected: int) -> None:
    assert exit_code([Point("p", "failed", "", None, code) for code in codes]) == expected
