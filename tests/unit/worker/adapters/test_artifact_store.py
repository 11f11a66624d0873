"""The directory of model versions."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from worker.adapters.artifact_store import DirectoryArtifactStore
from worker.model.artifact import (
    About,
    Artifact,
    ArtifactRejected,
    ArtifactStore,
    DataSpan,
    Evaluation,
    Pointer,
    PointerMoved,
    RowCounts,
    Verdict,
)
from worker.model.calibration import Calibration, TailCurve
from worker.model.detector import Detector
from worker.model.marginals import Marginals
from worker.model.network import Layer, Network
from worker.model.reference import Centres, Ellipsoid
from worker.model.scaler import Scaler
from worker.model.schema import Columns, Feature, FeatureSchema
from worker.ports import Unreachable

if TYPE_CHECKING:
    from multiprocessing.synchronize import Barrier
    from pathlib import Path

NOW_S = 1_788_220_800.0
ABOUT = About(
    stream="s",
    trained_at="2026-09-01T00:00:00Z",
    seed=0,
    span=DataSpan(source="made up"),
    rows=RowCounts(read=9, sampled=9, rejected=0, skipped=0, fit=5, calibrate=2, hold_out=2),
    evaluation=Evaluation(rows=2, flagged=0, mean_error=0.1),
    verdict=Verdict(promoted=True, reasons=()),
    libraries={},
)


ONE = np.ones((1, 1), np.float32)


def small_artifact() -> Artifact:
    """A model of one number that is as good as none, but whole."""
    ones, none = ONE, np.zeros(1, np.float32)
    nothing = np.empty((0, 0))
    curve = TailCurve(np.array([0.0, 1.0]), np.array([0.1, 1.0]), scale=1.0, shape=0.0, rows=100)
    detector = Detector(
        schema=FeatureSchema(features=(Feature(path="x", kind="number"),)),
        scaler=Scaler(
            centre=np.zeros(1),
            spread=np.ones(1),
            heavy=np.empty(0, np.int64),
            knots=nothing,
            levels=nothing,
            masked=np.empty(0, np.int64),
            category_sizes=(),
        ),
        network=Network((Layer(ones, none),), (Layer(ones, none),)),
        marginals=Marginals(none, np.ones(1, np.float32), np.zeros((1, 4), np.float32)),
        joints=Centres(np.zeros((1, 2), np.float32), none),
        activations=Ellipsoid(none, ones),
        part_tails=(curve,) * 6,
        unseen_shares=np.zeros(1),
        calibration=Calibration(curve, curve, curve, alert_rate=0.01),
    )
    return Artifact(detector, ABOUT)


@pytest.fixture
def store(tmp_path: Path) -> DirectoryArtifactStore:
    return DirectoryArtifactStore(tmp_path / "models", "s", now=lambda: NOW_S)


def write(folder: Path) -> None:
    (folder / "manifest.json").write_bytes(b"{}")
    (folder / "deeper").mkdir()
    (folder / "deeper" / "weights").write_bytes(b"abc")


def pointer_file(tmp_path: Path) -> Path:
    return tmp_path / "models" / "s" / "current.json"


def versions_folder(tmp_path: Path) -> Path:
    return tmp_path / "models" / "s" / "versions"


class Crashed(BaseException):
    """Neither an error nor anything that is caught."""


class TestSave:
    def test_a_version_is_named_by_time_and_holds_what_was_written(
        self, store: DirectoryArtifactStore, tmp_path: Path
    ) -> None:
        version = store.save_files(write)
        assert re.fullmatch(r"20260901T000000Z-[0-9a-f]{8}", version)
        assert store.path(version) == versions_folder(tmp_path) / version
        assert (store.path(version) / "deeper" / "weights").read_bytes() == b"abc"
        assert store.versions() == [version]
        assert store.current() is None

    def test_others_may_read_it_as_far_as_the_umask_allows(
        self, store: DirectoryArtifactStore
    ) -> None:
        before = os.umask(0o022)
        try:
            version = store.save_files(write)
        finally:
            os.umask(before)
        assert store.path(version).stat().st_mode & 0o777 == 0o755

    @pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, Crashed])
    def test_a_failure_while_writing_leaves_nothing(
        self, store: DirectoryArtifactStore, tmp_path: Path, error: type[BaseException]
    ) -> None:
        def fail(folder: Path) -> None:
            write(folder)
            raise error

        with pytest.raises(error):
            store.save_files(fail)
        assert store.versions() == []
        assert list(versions_folder(tmp_path).iterdir()) == []

    def test_a_version_is_not_seen_while_it_is_written(self, store: DirectoryArtifactStore) -> None:
        seen: list[list[str]] = []

        def look(folder: Path) -> None:
            write(folder)
            seen.append(store.versions())

        store.save_files(look)
        assert seen == [[]]

    def test_what_a_killed_writer_left_is_ignored(
        self, store: DirectoryArtifactStore, tmp_path: Path
    ) -> None:
        left = versions_folder(tmp_path) / ".unfinished-20260801T000000Z-00000000"
        left.mkdir(parents=True)
        write(left)
        version = store.save_files(write)
        assert store.versions() == [version]

    def test_versions_are_listed_oldest_first(self, tmp_path: Path) -> None:
        times = iter([NOW_S + 60, NOW_S, NOW_S + 86400])
        store = DirectoryArtifactStore(tmp_path, "s", now=lambda: next(times))
        second, first, third = (store.save_files(write) for _ in range(3))
        assert store.versions() == [first, second, third]

    def test_two_at_once_are_two_versions(self, store: DirectoryArtifactStore) -> None:
        with ThreadPoolExecutor(4) as pool:
            saved = list(pool.map(lambda _: store.save_files(write), range(8)))
        assert sorted(saved) == store.versions()
        assert len(set(saved)) == 8


class TestRead:
    def test_an_empty_store_has_nothing_and_is_no_error(
        self, store: DirectoryArtifactStore
    ) -> None:
        assert store.versions() == []
        assert store.current() is None

    @pytest.mark.parametrize(
        "version", ["", ".", "..", "../s", "/etc", "20260901T000000Z-0000000g", "x\0y"]
    )
    def test_a_name_that_is_no_versions_never_becomes_a_path(
        self, store: DirectoryArtifactStore, version: str
    ) -> None:
        with pytest.raises(ArtifactRejected, match="there is no model version"):
            store.path(version)

    def test_a_version_that_is_not_there_is_named(self, store: DirectoryArtifactStore) -> None:
        with pytest.raises(ArtifactRejected, match="20260901T000000Z-00000000"):
            store.load("20260901T000000Z-00000000")

    @pytest.mark.parametrize("stream", ["", ".", "..", "a/b", "a b", "ä", "x" * 250, "a\n"])
    def test_a_stream_that_is_no_folder_name_is_refused(self, tmp_path: Path, stream: str) -> None:
        with pytest.raises(ValueError, match="1 to 249 letters"):
            DirectoryArtifactStore(tmp_path, stream)

    def test_streams_share_a_root_and_nothing_else(self, tmp_path: Path) -> None:
        one = DirectoryArtifactStore(tmp_path, "one")
        two = DirectoryArtifactStore(tmp_path, "two")
        one.promote(one.save_files(write), "first", expected=None)
        assert two.versions() == []
        assert two.current() is None

    def test_a_root_that_is_no_folder_is_unreachable(self, tmp_path: Path) -> None:
        (tmp_path / "models").write_bytes(b"")
        store = DirectoryArtifactStore(tmp_path / "models", "s")
        for ask in (store.versions, store.current, lambda: store.save_files(write)):
            with pytest.raises(Unreachable, match=r"model store: .*models"):
                ask()

    def test_the_hash_is_that_of_the_manifest(self, store: DirectoryArtifactStore) -> None:
        version = store.save_files(write)
        assert store.manifest_hash(version) == hashlib.sha256(b"{}").hexdigest()

    def test_a_version_without_a_manifest_is_refused(self, store: DirectoryArtifactStore) -> None:
        version = store.save_files(lambda folder: (folder / "other").touch())
        with pytest.raises(ArtifactRejected, match=r"manifest\.json is missing"):
            store.manifest_hash(version)

    def test_a_manifest_changed_after_promotion_is_refused(
        self, store: DirectoryArtifactStore
    ) -> None:
        version = store.save_files(write)
        store.promote(version, "first", expected=None)
        (store.path(version) / "manifest.json").write_bytes(b"{ }")
        with pytest.raises(ArtifactRejected, match="not the one that was promoted"):
            store.load(version)


class TestWholeModels:
    def test_what_was_saved_is_loaded_and_scores_alike(self, store: DirectoryArtifactStore) -> None:
        saved = small_artifact()
        version = store.save(saved)
        loaded = store.load(version)
        columns = Columns(
            np.array([[0.0], [3.0], [99.0]]),
            np.empty((3, 0), np.int64),
            np.empty((3, 0), np.int64),
        )
        expected = saved.detector.score(columns).score
        assert loaded.detector.score(columns).score.tolist() == expected.tolist()
        assert loaded.about == ABOUT

    def test_what_could_not_be_loaded_is_not_saved(self, store: DirectoryArtifactStore) -> None:
        whole = small_artifact()
        broken = replace(whole.detector, activations=Ellipsoid(np.full(1, np.nan, np.float32), ONE))
        with pytest.raises(ArtifactRejected):
            store.save(replace(whole, detector=broken))
        assert store.versions() == []

    @pytest.mark.parametrize("name", ["manifest.json", "weights.safetensors", "golden.json"])
    def test_a_file_that_was_changed_or_is_gone_is_refused_by_version(
        self, store: DirectoryArtifactStore, name: str
    ) -> None:
        version = store.save(small_artifact())
        store.promote(version, "first", expected=None)
        path = store.path(version) / name
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.raises(ArtifactRejected, match=version):
            store.load(version)
        path.unlink()
        with pytest.raises(ArtifactRejected, match=version):
            store.load(version)


class TestPointer:
    def test_names_version_hash_time_reason_and_the_one_before(
        self, store: DirectoryArtifactStore
    ) -> None:
        port: ArtifactStore = store
        first, second = store.save_files(write), store.save_files(write)
        port.promote(first, "first model", expected=None)
        pointer = port.promote(second, "better", expected=first)
        digest = hashlib.sha256(b"{}").hexdigest()
        assert pointer == Pointer(second, digest, "2026-09-01T00:00:00Z", "better", first)
        assert port.current() == pointer

    @pytest.mark.parametrize("expected", ["20260901T000000Z-00000000", "nonsense"])
    def test_a_first_promotion_that_expects_another_one_is_refused(
        self, store: DirectoryArtifactStore, expected: str
    ) -> None:
        version = store.save_files(write)
        with pytest.raises(PointerMoved, match=f"in use is None, not {expected}"):
            store.promote(version, "x", expected=expected)
        assert store.current() is None

    def test_a_promotion_that_is_too_late_is_refused_and_changes_nothing(
        self, store: DirectoryArtifactStore
    ) -> None:
        first, second = store.save_files(write), store.save_files(write)
        pointer = store.promote(first, "first", expected=None)
        with pytest.raises(PointerMoved):
            store.promote(second, "late", expected=None)
        assert store.current() == pointer

    def test_what_is_not_there_is_not_promoted(self, store: DirectoryArtifactStore) -> None:
        with pytest.raises(ArtifactRejected):
            store.promote("20260901T000000Z-00000000", "x", expected=None)
        assert store.current() is None

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"{",
            b"\xff",
            b"[]",
            b'{"version": "20260901T000000Z-00000000"}',
            json.dumps(
                {"version": "../x", "manifest_hash": "0" * 64, "promoted_at": "", "why": ""}
            ).encode(),
            json.dumps(
                {
                    "version": "20260901T000000Z-00000000",
                    "manifest_hash": "0",
                    "promoted_at": "",
                    "why": "",
                }
            ).encode(),
        ],
    )
    def test_a_malformed_pointer_is_refused_with_its_path(
        self, store: DirectoryArtifactStore, tmp_path: Path, content: bytes
    ) -> None:
        version = store.save_files(write)
        pointer_file(tmp_path).write_bytes(content)
        with pytest.raises(ArtifactRejected, match=r"current\.json is malformed"):
            store.current()
        with pytest.raises(ArtifactRejected, match=r"current\.json is malformed"):
            store.promote(version, "x", expected=None)

    def test_a_replacement_that_was_cut_off_is_never_read(
        self, store: DirectoryArtifactStore, tmp_path: Path
    ) -> None:
        first, second = store.save_files(write), store.save_files(write)
        pointer = store.promote(first, "first", expected=None)
        pointer_file(tmp_path).with_name(".current.json.new").write_bytes(b"{half")
        assert store.current() == pointer
        assert store.promote(second, "next", expected=first) == store.current()

    def test_of_many_threads_exactly_one_wins(self, store: DirectoryArtifactStore) -> None:
        versions = [store.save_files(write) for _ in range(6)]
        start = threading.Barrier(len(versions))

        def attempt(version: str) -> str | None:
            start.wait(10)
            try:
                return store.promote(version, "race", expected=None).version
            except PointerMoved:
                return None

        with ThreadPoolExecutor(len(versions)) as pool:
            won = [version for version in pool.map(attempt, versions) if version]
        current = store.current()
        assert current
        assert won == [current.version]

    def test_of_several_processes_exactly_one_wins(
        self, store: DirectoryArtifactStore, tmp_path: Path
    ) -> None:
        versions = [store.save_files(write) for _ in range(3)]
        context = multiprocessing.get_context("spawn")
        start = context.Barrier(len(versions))
        processes = [
            context.Process(target=promote_in_process, args=(tmp_path, version, start))
            for version in versions
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join(60)
        assert sorted(process.exitcode or 0 for process in processes) == [0, 3, 3]
        current = store.current()
        assert current
        assert current.version == versions[[p.exitcode for p in processes].index(0)]

    def test_a_lock_that_stays_is_not_waited_for_without_end(self, tmp_path: Path) -> None:
        holder = DirectoryArtifactStore(tmp_path, "s")
        version = holder.save_files(write)
        waiting = DirectoryArtifactStore(tmp_path, "s", lock_timeout_s=0.05)
        with holder._locked(), pytest.raises(Unreachable, match=r"was locked for 0\.05 s"):
            waiting.promote(version, "x", expected=None)
        assert waiting.promote(version, "x", expected=None).version == version


def promote_in_process(root: Path, version: str, start: Barrier) -> None:
    """Ends with 3 where somebody else was first."""
    store = DirectoryArtifactStore(root / "models", "s")
    start.wait(60)
    try:
        store.promote(version, "race", expected=None)
    except PointerMoved:
        raise SystemExit(3) from None
