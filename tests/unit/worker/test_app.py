"""The worker put together, from its settings to its end, on the in-memory broker."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import threading
from importlib import import_module
from typing import TYPE_CHECKING
from urllib.request import urlopen

import msgspec
import pytest

import worker.app
from tests.machines import ABOUT, artifact, encoded, readings
from tests.waiting import wait_until
from worker.adapters.artifact_store import DirectoryArtifactStore
from worker.adapters.memory import (
    MemoryBroker,
    MemoryDelivery,
    MemoryExactlyOnce,
    MemoryRecordLog,
)
from worker.app import start_rule
from worker.app.run import slot_of
from worker.model.artifact import WEIGHTS, Artifact, ArtifactRejected
from worker.ports import Unreachable
from worker.records import Output
from worker.scorer import ScoringModel
from worker.settings import Settings, load_settings
from worker.waiting import StopAsked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from worker.adapters.clock import Stop
    from worker.adapters.kafka import KafkaConnection
    from worker.ports import LogEvents
    from worker.records import StartRule

RUN = import_module("worker.app.run")  # the package gives the function of that name
PARTS = import_module("worker.app.parts")

TOPIC = "machines"
TOPICS = (TOPIC, f"{TOPIC}.anomalies", f"{TOPIC}.dlq", f"{TOPIC}.scores")


@pytest.fixture(autouse=True)
def _process_state() -> Iterator[None]:
    """`run` takes over logging and signals, and a test gives them back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    caught = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for number, handler in caught.items():
        signal.signal(number, handler)


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> MemoryBroker:
    """A broker in memory, in the place of the Kafka adapters."""
    broker = MemoryBroker(dict.fromkeys(TOPICS, 1))

    def topic_state(_connection: object, names: Sequence[str], _timeout_s: float) -> dict[str, int]:
        if not broker.reachable:
            raise Unreachable("no broker answers at memory")
        return {name: 1 for name in names if name in TOPICS}

    def record_log(
        _connection: object,
        _timings: object,
        topic: str,
        group: str,
        start: StartRule,
        events: LogEvents,
    ) -> MemoryRecordLog:
        return MemoryRecordLog(broker, topic, group, start, events)

    def delivery(_publisher: object, log: MemoryRecordLog, _timings: object) -> MemoryDelivery:
        return MemoryDelivery(broker, log)

    monkeypatch.setattr(PARTS, "topic_state", topic_state)
    monkeypatch.setattr(RUN, "KafkaRecordLog", record_log)
    monkeypatch.setattr(RUN, "KafkaPublisher", lambda *_: None)
    monkeypatch.setattr(RUN, "KafkaAtLeastOnce", delivery)
    return broker


@pytest.fixture
def store(tmp_path: Path) -> DirectoryArtifactStore:
    return DirectoryArtifactStore(tmp_path, TOPIC)


def promote(store: DirectoryArtifactStore, model: Artifact | None = None) -> str:
    pointer = store.current()
    version = store.save(model or artifact())
    store.promote(version, "a test", expected=pointer.version if pointer else None)
    return version


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def settings(folder: Path, **given: object) -> Settings:
    named: dict[str, object] = {
        "topic": TOPIC,
        "store": folder,
        "http.host": "127.0.0.1",
        "http.port": free_port(),
        "output.scores": "all",
        "model_check_s": 0.05,
    }
    named |= {name.replace("__", "."): value for name, value in given.items()}
    return load_settings(named, config=None, environ={}).settings


def get(found: Settings, path: str) -> str:
    with urlopen(f"http://127.0.0.1:{found.http.port}{path}", timeout=5) as answer:
        body: bytes = answer.read()
        return body.decode()


def run_until(found: Settings, watched: Callable[[], object]) -> None:
    """Run the worker in this thread, while another one watches and then asks it to stop."""
    failures: list[BaseException] = []

    def watch() -> None:
        try:
            wait_until(lambda: is_served(found), what="the worker listens")
            watched()
        except BaseException as error:  # noqa: BLE001 - raised again below, in the test's thread
            failures.append(error)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    # Should the worker end by itself, a signal that comes late must not end the tests.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    thread = threading.Thread(target=watch)
    thread.start()
    try:
        worker.app.run(found)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        thread.join()
    if failures:
        raise failures[0]


def put(broker: MemoryBroker, values: Sequence[bytes | None]) -> None:
    broker.send([Output(TOPIC, b"k", value) for value in values])


def scored(broker: MemoryBroker) -> int:
    return len(broker.records(f"{TOPIC}.scores"))


class TestRunning:
    def test_it_watches_a_topic_until_it_is_asked_to_stop(
        self, broker: MemoryBroker, store: DirectoryArtifactStore, tmp_path: Path
    ) -> None:
        promote(store)
        found = settings(tmp_path, from_beginning=True)
        put(broker, [*encoded(readings(20, seed=8)), b"{", None])
        seen: dict[str, str] = {}

        def watched() -> None:
            wait_until(
                lambda: re.search(r"_processed_total\{.*invalid.*\} 1", get(found, "/metrics"))
            )
            wait_until(lambda: "latentwatch_ready 1.0" in get(found, "/metrics"))
            for path in ("/livez", "/readyz", "/status"):
                seen[path] = get(found, path)

        run_until(found, watched)
        assert (seen["/livez"], seen["/readyz"]) == ("alive\n", "running\n")
        status = msgspec.json.decode(seen["/status"])
        assert (status["topic"], status["group"]) == (TOPIC, f"latentwatch.{TOPIC}")
        assert (status["model"]["alert_rate"], status["model"]["supported_rate"]) == (0.01, 0.01)
        assert status["calibration"]["broken"] is None
        assert scored(broker) == 21
        assert len(broker.records(f"{TOPIC}.dlq")) == 1
        assert set(broker.group(f"latentwatch.{TOPIC}").committed.values()) == {22}
        assert broker.group(f"latentwatch.{TOPIC}").members == []

    def test_a_promoted_model_takes_over_while_it_runs(
        self, broker: MemoryBroker, store: DirectoryArtifactStore, tmp_path: Path
    ) -> None:
        promote(store)
        found = settings(tmp_path, from_beginning=True)

        def watched() -> None:
            put(broker, encoded(readings(3, seed=8)))
            wait_until(lambda: scored(broker) == 3)
            version = promote(store)
            # No further record comes: on an idle topic it takes over as well.
            wait_until(lambda: f'version="{version}"' in get(found, "/metrics"))
            put(broker, encoded(readings(1, seed=8)))
            wait_until(lambda: scored(broker) == 4)

        run_until(found, watched)

    def test_without_from_beginning_it_starts_where_training_ended(
        self, broker: MemoryBroker, store: DirectoryArtifactStore, tmp_path: Path
    ) -> None:
        promote(store)
        put(broker, encoded(readings(3, seed=8)) * 501)  # training read up to offset 1500
        run_until(settings(tmp_path), lambda: wait_until(lambda: scored(broker) == 3))
        ids = [msgspec.json.decode(r.value or b"")["id"] for r in broker.records(TOPICS[3])]
        assert ids == [f"{TOPIC}-0-{offset}" for offset in (1500, 1501, 1502)]

    def test_scores_of_flagged_records_alone_need_no_scores_topic(
        self,
        broker: MemoryBroker,
        store: DirectoryArtifactStore,
        tmp_path: Path,
    ) -> None:
        promote(store)
        odd = {**readings(1, seed=5)[0], "load": 1e12}
        put(broker, [*encoded(readings(5, seed=8)), *encoded([odd])])
        found = settings(
            tmp_path, from_beginning=True, output__scores="flagged", output__scores_topic="absent"
        )
        anomalies = TOPICS[1]
        run_until(found, lambda: wait_until(lambda: broker.records(anomalies)))
        assert scored(broker) == 0


class TestStarting:
    def test_it_waits_alive_but_not_ready_until_everything_is_there(
        self, broker: MemoryBroker, store: DirectoryArtifactStore, tmp_path: Path
    ) -> None:
        broker.reachable = False
        found = settings(tmp_path, from_beginning=True)
        put_later = encoded(readings(2, seed=8))

        def reason() -> str:
            return str(msgspec.json.decode(get(found, "/status"))["reason"])

        def watched() -> None:
            wait_until(lambda: reason() == "no broker answers at memory")
            broker.reachable = True
            wait_until(lambda: "no promoted model" in reason())
            promote(store)
            put(broker, put_later)
            wait_until(lambda: scored(broker) == 2)

        run_until(found, watched)

    def test_where_the_promoted_model_is_damaged_it_starts_with_the_one_before(
        self,
        broker: MemoryBroker,
        store: DirectoryArtifactStore,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        older, newer = promote(store), promote(store)
        weights = store.path(newer) / WEIGHTS
        whole = weights.read_bytes()
        weights.write_bytes(whole[:-1])
        found = settings(tmp_path, from_beginning=True)
        put(broker, encoded(readings(2, seed=8)))

        def watched() -> None:
            wait_until(lambda: scored(broker) == 2)
            metrics = get(found, "/metrics")
            assert f'version="{older}"' in metrics
            assert "latentwatch_model_last_reload_successful 0.0" in metrics
            weights.write_bytes(whole)
            wait_until(lambda: f'version="{newer}"' in get(found, "/metrics"))
            assert "latentwatch_model_last_reload_successful 1.0" in get(found, "/metrics")

        run_until(found, watched)
        assert f"starting with the previous model {older}" in capsys.readouterr().err

    def test_where_that_is_damaged_as_well_it_does_not(
        self, broker: MemoryBroker, store: DirectoryArtifactStore, tmp_path: Path
    ) -> None:
        del broker
        versions = [promote(store), promote(store)]
        for version in versions:
            (store.path(version) / WEIGHTS).write_bytes(b"")
        with pytest.raises(ArtifactRejected, match=versions[1]) as raised:
            worker.app.run(settings(tmp_path))
        assert raised.value.exit_code == 65

    def test_a_first_model_that_is_damaged_has_none_before_it(
        self, broker: MemoryBroker, store: DirectoryArtifactStore, tmp_path: Path
    ) -> None:
        del broker
        version = promote(store)
        (store.path(version) / WEIGHTS).write_bytes(b"")
        with pytest.raises(ArtifactRejected, match=version):
            worker.app.run(settings(tmp_path))

    def test_a_missing_topic_is_named(self, broker: MemoryBroker, tmp_path: Path) -> None:
        del broker
        found = settings(tmp_path, startup_timeout_s=0, output__topic="alarms", topic="pumps")
        with pytest.raises(
            Unreachable, match=re.escape("no topic alarms, pumps, pumps.dlq, pumps.")
        ):
            worker.app.run(found)

    def test_it_can_be_asked_to_stop_before_it_has_started(
        self, broker: MemoryBroker, tmp_path: Path
    ) -> None:
        broker.reachable = False
        found = settings(tmp_path)
        run_until(found, lambda: None)

    def test_a_second_signal_ends_it_at_once(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        ended: list[int] = []

        def stuck(_settings: object, _clock: object, stop: Stop, *_: object) -> None:
            wait_until(stop.is_set, what="the first signal")
            os.kill(os.getpid(), signal.SIGTERM)
            wait_until(lambda: ended, what="the second signal")
            raise StopAsked

        found = settings(tmp_path)
        monkeypatch.setattr(os, "_exit", ended.append)
        monkeypatch.setattr(RUN, "_start", stuck)
        run_until(found, lambda: None)
        assert ended == [143]

    def test_a_loop_that_stands_still_ends_the_process(
        self,
        monkeypatch: pytest.MonkeyPatch,
        broker: MemoryBroker,
        store: DirectoryArtifactStore,
        tmp_path: Path,
    ) -> None:
        promote(store)
        put(broker, encoded(readings(1, seed=8)))
        ended: list[int] = []
        monkeypatch.setattr(os, "_exit", ended.append)
        monkeypatch.setattr(
            ScoringModel, "score", lambda *_: wait_until(lambda: ended, what="the watchdog bites")
        )
        found = settings(
            tmp_path,
            from_beginning=True,
            watchdog_s=1.5,
            kafka__max_poll_interval_s=1.4,
            kafka__deliver_deadline_s=1.2,
            kafka__delivery_timeout_s=1.1,
            kafka__request_timeout_s=1,
            kafka__session_timeout_s=0.5,
            kafka__heartbeat_s=0.1,
        )
        with pytest.raises(AttributeError):  # the loop's thread goes on, here, with no scores
            worker.app.run(found)
        assert ended == [70]


class TestSlot:
    def test_a_name_that_is_given_returns(self, tmp_path: Path) -> None:
        for delivery in ("at_least_once", "exactly_once"):
            slot = slot_of(settings(tmp_path, slot="pump-3", delivery=delivery))
            assert slot is not None
            assert (slot.name, slot.returns) == ("pump-3", True)

    def test_exactly_once_takes_a_free_one_of_this_host(self, tmp_path: Path) -> None:
        slot = slot_of(settings(tmp_path, delivery="exactly_once", slot_folder=tmp_path / "slots"))
        assert slot is not None
        assert slot.name == f"{os.uname().nodename}-0"
        slot.release()

    def test_at_least_once_needs_none(self, tmp_path: Path) -> None:
        assert slot_of(settings(tmp_path)) is None

    def test_exactly_once_is_delivered_under_group_and_slot(
        self,
        monkeypatch: pytest.MonkeyPatch,
        broker: MemoryBroker,
        store: DirectoryArtifactStore,
        tmp_path: Path,
    ) -> None:
        promote(store)
        put(broker, encoded(readings(2, seed=8)))
        names: list[object] = []

        def delivery(
            connection: KafkaConnection, _timings: object, log: MemoryRecordLog, name: str
        ) -> MemoryExactlyOnce:
            names.extend([connection.instance, name])
            return MemoryExactlyOnce(broker, log)

        monkeypatch.setattr(RUN, "KafkaExactlyOnce", delivery)
        found = settings(
            tmp_path, from_beginning=True, delivery="exactly_once", slot="s", group="g"
        )
        run_until(found, lambda: wait_until(lambda: scored(broker) == 2))
        assert names == ["s", "g-s"]


class TestStartRule:
    def rule(self, tmp_path: Path, model: Artifact, **given: object) -> StartRule:
        return start_rule(settings(tmp_path, **given), ScoringModel(model, "v1"))

    def test_where_training_on_the_same_topic_ended(self, tmp_path: Path) -> None:
        assert self.rule(tmp_path, artifact()) == {0: 1500}

    def test_at_the_end_for_a_model_from_elsewhere(self, tmp_path: Path) -> None:
        assert self.rule(tmp_path, artifact(), topic="pumps", stream="machines") == "end"

    def test_at_the_end_for_a_model_from_files(self, tmp_path: Path) -> None:
        span = msgspec.structs.replace(ABOUT.span, topic=None, partitions=())
        about = msgspec.structs.replace(ABOUT, span=span)
        assert self.rule(tmp_path, Artifact(artifact().detector, about)) == "end"

    def test_at_the_beginning_where_that_is_asked_for(self, tmp_path: Path) -> None:
        assert self.rule(tmp_path, artifact(), from_beginning=True) == "beginning"


def is_served(found: Settings) -> bool:
    try:
        return bool(get(found, "/status"))
    except OSError:
        return False
