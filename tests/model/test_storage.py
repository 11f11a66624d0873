"""Laws of stored models: what is loaded scores as what was saved did, also years later."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from tests.machines import artifact, codec, columns_of, detector, readings
from tests.model.make_golden import FOLDER, RECORDED, Recorded
from worker.adapters.artifact_store import DirectoryArtifactStore
from worker.model.artifact import (
    FORMAT,
    GOLDEN_TOLERANCE,
    MANIFEST,
    ArtifactRejected,
    read_artifact,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_a_saved_detector_scores_as_before(tmp_path: Path) -> None:
    store = DirectoryArtifactStore(tmp_path, "machines")
    loaded = store.load(store.save(artifact())).detector
    rows = columns_of(readings(200, seed=7))
    before, after = detector().score(rows), loaded.score(rows)
    np.testing.assert_array_equal(after.score, before.score)
    np.testing.assert_array_equal(after.kinds, before.kinds)
    np.testing.assert_array_equal(after.latent_distance, before.latent_distance)
    np.testing.assert_array_equal(after.reconstruction_error, before.reconstruction_error)


def test_a_version_with_another_manifest_than_the_pointer_names_is_refused(tmp_path: Path) -> None:
    store = DirectoryArtifactStore(tmp_path, "machines")
    version = store.save(artifact())
    store.promote(version, "first", expected=None)
    path = store.path(version) / MANIFEST
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(ArtifactRejected, match="the manifest is not the one that was promoted"):
        store.load(version)


def test_a_stored_model_still_scores_as_recorded() -> None:
    folder = FOLDER / f"format-{FORMAT}"
    found = read_artifact(folder)
    wanted = msgspec.json.decode((folder / RECORDED).read_bytes(), type=Recorded)
    decoded = codec().decode([value.encode() for value in wanted.values], found.detector.schema)
    scores = found.detector.score(decoded.columns)
    np.testing.assert_allclose(scores.score, wanted.scores, rtol=GOLDEN_TOLERANCE, atol=1e-4)
    assert [scores.kind(row) for row in range(len(scores))] == wanted.kinds
    assert (found.about.stream, found.about.trained_at) == ("pumps", "2026-01-02T03:04:05Z")


@pytest.mark.parametrize("version", range(1, FORMAT))
def test_a_stored_model_of_an_older_format_is_refused_by_name(version: int) -> None:
    told = f"artefact format {version}, this version reads {FORMAT}$"
    with pytest.raises(ArtifactRejected, match=told):
        read_artifact(FOLDER / f"format-{version}")


def test_the_next_format_is_refused_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    shutil.copytree(FOLDER / f"format-{FORMAT}", folder)
    manifest = json.loads((folder / MANIFEST).read_bytes())
    (folder / MANIFEST).write_text(json.dumps({**manifest, "format": FORMAT + 1}))
    with pytest.raises(ArtifactRejected, match=r"artefact format 3, this version reads 2$"):
        read_artifact(folder)


def test_the_stored_model_has_a_number_with_a_level_for_each_category() -> None:
    detector = read_artifact(FOLDER / f"format-{FORMAT}").detector
    columns = detector.scaler.groups.columns
    assert [detector.schema.numbers[j].path for j in columns] == ["pressure"]


def test_the_stored_model_knows_what_is_odd() -> None:
    """Else the one above would also pass with a model that tells nothing."""
    content = (FOLDER / f"format-{FORMAT}" / RECORDED).read_bytes()
    wanted = msgspec.json.decode(content, type=Recorded)
    is_flagged = [kind is not None for kind in wanted.kinds]
    assert is_flagged[15:] == [True] * 5 + [False]
    assert sum(is_flagged[:15]) <= 1
