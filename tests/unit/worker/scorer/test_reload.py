"""The model in use follows the store's pointer."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field, replace

import pytest

from tests.loops import RecordingMetrics
from tests.machines import artifact
from tests.waiting import wait_until
from worker.model.artifact import Artifact, ArtifactRejected, Pointer
from worker.ports import Unreachable
from worker.scorer import ReloadingScorer, ScoringModel
from worker.scorer.reload import REFUSED_LOOKS

TRAINED_AT = "2026-01-02T03:04:05Z"


@dataclass
class FakeStore:
    """Points where it is told to; every version holds the same model, or is faulty."""

    version: str | None = "v1"
    pointer_fault: Exception | None = None
    faults: dict[str, Exception] = field(default_factory=dict)
    loaded: list[str] = field(default_factory=list)
    looked: threading.Event = field(default_factory=threading.Event)

    def current(self) -> Pointer | None:
        self.looked.set()
        if self.pointer_fault is not None:
            raise self.pointer_fault
        return None if self.version is None else Pointer(self.version, "0" * 64, TRAINED_AT, "")

    def load(self, version: str) -> Artifact:
        self.loaded.append(version)
        if version in self.faults:
            raise self.faults[version]
        return artifact()


@dataclass
class Desk:
    """A scorer, its store, and what the metrics were told."""

    store: FakeStore = field(default_factory=FakeStore)
    metrics: RecordingMetrics = field(default_factory=RecordingMetrics)

    def __post_init__(self) -> None:
        first = ScoringModel(artifact(), "v1")
        self.scorer = ReloadingScorer(self.store, self.metrics, first, check_s=0.01)

    def look(self) -> str:
        """Look at the store, and the version that the next batch is scored with."""
        self.scorer.look()
        return self.scorer.current().note.version

    @property
    def refused(self) -> list[tuple[object, ...]]:
        return self.metrics.of("model_refused")


def test_the_first_model_is_in_use_and_told_of() -> None:
    desk = Desk()
    assert desk.scorer.current().note.version == "v1"
    assert desk.metrics.of("model_loaded") == [("v1", TRAINED_AT, 2.0)]


@pytest.mark.parametrize("version", ["v1", None])
def test_without_news_nothing_is_loaded(version: str | None) -> None:
    desk = Desk(FakeStore(version))
    before = desk.scorer.current()
    desk.scorer.look()
    assert desk.scorer.current() is before
    assert desk.store.loaded == []


def test_a_promoted_model_takes_over_when_the_next_batch_asks(
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk = Desk()
    before = desk.scorer.current()
    desk.store.version = "v2"
    with caplog.at_level(logging.INFO):
        desk.scorer.look()
        assert before.note.version == "v1"
        assert desk.metrics.of("model_loaded") == [("v1", TRAINED_AT, 2.0)]
        assert desk.scorer.current().note.version == "v2"
    assert desk.metrics.of("model_loaded")[1:] == [("v2", TRAINED_AT, 2.0)]
    assert caplog.messages == ["model v2 takes over from v1"]


def test_a_model_that_waits_is_loaded_once() -> None:
    desk = Desk()
    desk.store.version = "v2"
    desk.scorer.look()
    desk.scorer.look()
    assert desk.store.loaded == ["v2"]
    assert desk.scorer.current() is desk.scorer.current()


def test_of_two_promoted_before_a_batch_the_later_one_takes_over() -> None:
    desk = Desk()
    for version in ("v2", "v3"):
        desk.store.version = version
        desk.scorer.look()
    assert desk.scorer.current().note.version == "v3"


def test_a_promotion_taken_back_before_a_batch_changes_nothing() -> None:
    desk = Desk()
    before = desk.scorer.current()
    for version in ("v2", "v1"):
        desk.store.version = version
        desk.scorer.look()
    assert desk.scorer.current() is before
    assert desk.store.loaded == ["v2"]


def test_a_faulty_model_is_refused_once_and_the_current_one_stays(
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk = Desk(FakeStore("v2", faults={"v2": ArtifactRejected("model v2: no weights")}))
    with caplog.at_level(logging.ERROR):
        assert [desk.look(), desk.look(), desk.look()] == ["v1"] * 3
    assert desk.store.loaded == ["v2"]
    assert desk.refused == [("v2", "rejected")]
    assert caplog.messages == ["model v2 is refused, v1 stays: model v2: no weights"]


def test_after_a_faulty_model_a_good_one_takes_over() -> None:
    desk = Desk(FakeStore("v2", faults={"v2": ArtifactRejected("no weights")}))
    assert desk.look() == "v1"
    desk.store.version = "v3"
    assert desk.look() == "v3"
    desk.store.version = "v2"
    assert desk.look() == "v3"
    assert desk.refused == [("v2", "rejected")] * 2


@pytest.mark.parametrize("fault", [Unreachable("gone"), OSError("gone")])
def test_a_model_out_of_reach_is_tried_again_and_told_of_once(fault: Exception) -> None:
    desk = Desk(FakeStore("v2", faults={"v2": fault}))
    assert [desk.look(), desk.look()] == ["v1", "v1"]
    assert desk.refused == [("v2", "unreachable")]
    desk.store.faults.clear()
    assert desk.look() == "v2"


def test_a_model_that_comes_into_reach_but_is_faulty_is_refused() -> None:
    desk = Desk(FakeStore("v2", faults={"v2": Unreachable("gone")}))
    desk.look()
    desk.store.faults["v2"] = ArtifactRejected("no weights")
    assert [desk.look(), desk.look()] == ["v1", "v1"]
    assert desk.refused == [("v2", "unreachable"), ("v2", "rejected")]
    assert desk.store.loaded == ["v2", "v2"]


def test_a_refused_model_is_tried_again_now_and_then_and_told_of_once() -> None:
    """Its files may have been completed since."""
    desk = Desk(FakeStore("v2", faults={"v2": ArtifactRejected("no weights")}))
    for _ in range(2 * REFUSED_LOOKS):
        assert desk.look() == "v1"
    assert desk.store.loaded == ["v2"] * 2
    assert desk.refused == [("v2", "rejected")]
    desk.store.faults.clear()
    assert [desk.look() for _ in range(REFUSED_LOOKS)][-1] == "v2"
    assert desk.metrics.told[-1] == ("model_loaded", "v2", TRAINED_AT, 2.0)


def test_after_an_outage_the_model_in_use_is_confirmed_once() -> None:
    desk = Desk(FakeStore(pointer_fault=Unreachable("gone")))
    desk.look()
    desk.store.pointer_fault = None
    assert [desk.look(), desk.look()] == ["v1", "v1"]
    assert desk.metrics.of("model_confirmed") == [()]


def test_a_pointer_that_is_gone_confirms_nothing() -> None:
    desk = Desk(FakeStore(pointer_fault=Unreachable("gone")))
    desk.look()
    desk.store.pointer_fault, desk.store.version = None, None
    desk.look()
    assert desk.metrics.of("model_confirmed") == []


def test_a_promotion_taken_back_after_a_refusal_confirms_the_model_in_use() -> None:
    desk = Desk(FakeStore("v2", faults={"v2": ArtifactRejected("no weights")}))
    desk.look()
    assert desk.metrics.of("model_confirmed") == []
    desk.store.version = "v1"
    desk.look()
    assert desk.metrics.of("model_confirmed") == [()]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [(Unreachable("gone"), "unreachable"), (ArtifactRejected("not JSON"), "rejected")],
)
def test_a_pointer_that_cannot_be_read_is_told_of_once_each_time(
    fault: Exception, reason: str
) -> None:
    desk = Desk(FakeStore(pointer_fault=fault))
    assert [desk.look(), desk.look()] == ["v1", "v1"]
    assert desk.refused == [("(pointer)", reason)]
    desk.store.pointer_fault = None
    assert desk.look() == "v1"
    desk.store.pointer_fault = fault
    assert desk.look() == "v1"
    assert desk.refused == [("(pointer)", reason)] * 2


def test_the_store_is_watched_until_the_scorer_is_closed() -> None:
    desk = Desk()
    desk.scorer.start()
    desk.store.version = "v2"
    wait_until(lambda: desk.scorer.current().note.version == "v2", what="v2 took over")
    desk.scorer.close()
    desk.store.looked.clear()
    assert not desk.store.looked.wait(0.1)
    assert "model-watch" not in {thread.name for thread in threading.enumerate()}


def test_a_scorer_that_never_started_can_be_closed() -> None:
    desk = Desk()
    desk.scorer.close()
    assert desk.scorer.current().note.version == "v1"


def test_each_model_that_is_taken_into_use_is_told_of() -> None:
    told: list[str] = []
    store = FakeStore()
    first = ScoringModel(artifact(), "v1")
    scorer = ReloadingScorer(
        store, RecordingMetrics(), first, 1, lambda note: told.append(note.version)
    )
    store.version = "v2"
    scorer.look()
    assert told == ["v1"]
    scorer.current()
    assert told == ["v1", "v2"]


@pytest.mark.parametrize(("alert_rate", "warnings"), [(0.01, 0), (0.009, 1)])
def test_an_alert_rate_beyond_what_the_calibration_supports_is_warned_of(
    alert_rate: float, warnings: int, caplog: pytest.LogCaptureFixture
) -> None:
    """It has 500 records, five of which show a rate of 1 %."""
    made = artifact()
    calibration = replace(made.detector.calibration, alert_rate=alert_rate)
    asked = Artifact(replace(made.detector, calibration=calibration), made.about)
    ReloadingScorer(FakeStore(), RecordingMetrics(), ScoringModel(asked, "v1"), 1)
    found = [m for m in caplog.messages if "its calibration supports no less than 0.01" in m]
    assert len(found) == warnings
