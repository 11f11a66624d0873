"""A stored model: written, read back, and refused where it is not what it says."""

from __future__ import annotations

import hashlib
import json
import struct
from typing import TYPE_CHECKING

import numpy as np
import pytest
from safetensors.numpy import load_file, save

from tests.machines import ABOUT, SCHEMA, artifact, columns_of, detector, readings
from worker.model import artifact as under_test
from worker.model.artifact import (
    GOLDEN,
    MANIFEST,
    WEIGHTS,
    ArtifactRejected,
    read_artifact,
    read_manifest,
    write_artifact,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[np.generic]]
    Spoil = Callable[[Path], object]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A good artefact, to be spoilt."""
    found = tmp_path / "v1"
    found.mkdir()
    write_artifact(artifact(), found)
    return found


def refused(folder: Path, manifest_hash: str | None = None) -> str:
    """The message, which begins with the model's name."""
    with pytest.raises(ArtifactRejected) as caught:
        read_artifact(folder, manifest_hash)
    name, _, message = str(caught.value).partition(": ")
    assert name == f"model {folder.name}"
    return message


def edit_manifest(folder: Path, change: Callable[[dict[str, object]], object]) -> None:
    manifest = json.loads((folder / MANIFEST).read_bytes())
    change(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))


def replace_file(folder: Path, name: str, content: bytes) -> None:
    """Put other content into a file and its true size and hash into the manifest."""
    (folder / name).write_bytes(content)
    entry = {"name": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}

    def seal(manifest: dict[str, object]) -> None:
        files = manifest["files"]
        assert isinstance(files, list)
        manifest["files"] = [entry if file["name"] == name else file for file in files]

    edit_manifest(folder, seal)


def edit_weights(folder: Path, change: Callable[[Arrays], object]) -> None:
    arrays: Arrays = load_file(folder / WEIGHTS)
    change(arrays)
    replace_file(folder, WEIGHTS, save(arrays))


def edit_golden(folder: Path, change: Callable[[dict[str, list[object]]], object]) -> None:
    golden = json.loads((folder / GOLDEN).read_bytes())
    change(golden)
    replace_file(folder, GOLDEN, json.dumps(golden).encode())


def safetensors(**header: object) -> bytes:
    """A file with that header and eight bytes of data."""
    encoded = json.dumps(header).encode()
    return struct.pack("<Q", len(encoded)) + encoded + bytes(8)


def test_what_was_written_is_read_again(folder: Path) -> None:
    found = read_artifact(folder)
    rows = columns_of(readings(50, seed=6))
    np.testing.assert_array_equal(found.detector.score(rows).score, detector().score(rows).score)
    assert (found.about, found.kind, found.detector.schema) == (ABOUT, "autoencoder", SCHEMA)


def test_the_manifest_that_was_promoted_is_read(folder: Path) -> None:
    digest = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
    assert read_artifact(folder, digest).about == ABOUT


def test_the_same_detector_is_written_in_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    again = tmp_path / "v2"
    again.mkdir()
    write_artifact(artifact(), again)
    for name in (MANIFEST, WEIGHTS, GOLDEN):
        assert (again / name).read_bytes() == (folder / name).read_bytes()


def test_golden_rows_try_what_is_missing_new_and_changed(folder: Path) -> None:
    """Else a fault in the treatment of such values would load unseen."""
    golden = json.loads((folder / GOLDEN).read_bytes())
    assert any(value is None for row in golden["numbers"] for value in row)
    assert {code for row in golden["codes"] for code in row} >= {-1, 0, 3}
    assert {code for row in golden["watched"] for code in row} == {-1, 0, 1}


def test_another_manifest_than_the_promoted_one_is_refused(folder: Path) -> None:
    assert refused(folder, "0" * 64) == "the manifest is not the one that was promoted"


@pytest.mark.parametrize("content", [b"", b"model", b"[]", b"\xff{}", b"[" * 100_000, b"{}"])
def test_a_manifest_that_is_none_is_refused(folder: Path, content: bytes) -> None:
    (folder / MANIFEST).write_bytes(content)
    assert refused(folder).startswith("manifest: ")


def test_a_manifest_nested_too_deep_is_refused(folder: Path) -> None:
    (folder / MANIFEST).write_bytes(b'{"x":' + b"[" * 100_000)
    assert refused(folder).startswith("manifest: ")


@pytest.mark.parametrize("version", [0, 1, 3])
def test_another_format_is_refused_by_name_whatever_else_it_holds(
    folder: Path, version: int
) -> None:
    (folder / MANIFEST).write_text(json.dumps({"format": version, "layout": "unknown"}))
    assert refused(folder) == f"artefact format {version}, this version reads 2"


def test_a_manifest_with_unknown_members_is_refused(folder: Path) -> None:
    edit_manifest(folder, lambda manifest: manifest.update(extra=1))
    assert "`extra`" in refused(folder)


def test_a_manifest_with_a_broken_schema_is_refused(folder: Path) -> None:
    edit_manifest(folder, lambda manifest: manifest.update(schema={"features": []}))
    assert "at least one feature" in refused(folder)


def test_the_manifest_alone_can_be_read(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    assert read_manifest(folder).schema == SCHEMA


@pytest.mark.parametrize("name", [MANIFEST, WEIGHTS, GOLDEN])
class TestFiles:
    """Each file must be there, plain, and of a size that can be read."""

    def test_an_absent_file_is_refused(self, folder: Path, name: str) -> None:
        (folder / name).unlink()
        assert refused(folder).endswith(f"{name} is missing")

    def test_a_link_is_refused(self, folder: Path, name: str) -> None:
        (folder / name).rename(folder.parent / name)
        (folder / name).symlink_to(folder.parent / name)
        assert refused(folder).endswith(f"{name} is a link")

    def test_a_folder_is_refused(self, folder: Path, name: str) -> None:
        (folder / name).unlink()
        (folder / name).mkdir()
        assert refused(folder).endswith(f"{name} is missing")

    def test_a_huge_file_is_refused_unread(
        self, folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        limit = 10_000_000
        monkeypatch.setattr(under_test, "WEIGHTS_BYTES_MAX", limit)
        monkeypatch.setattr(under_test, "TEXT_BYTES_MAX", limit)
        with (folder / name).open("wb") as stream:
            stream.truncate(limit + 1)
        assert refused(folder).endswith(f"{name} is larger than {limit} bytes")


@pytest.mark.parametrize("name", [WEIGHTS, GOLDEN])
class TestContent:
    """What the manifest says of a file must be true."""

    def test_a_truncated_file_is_refused(self, folder: Path, name: str) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[:-1])
        assert refused(folder) == f"{name} has another size than the manifest says"

    def test_a_changed_file_is_refused(self, folder: Path, name: str) -> None:
        content = bytearray((folder / name).read_bytes())
        content[-3] ^= 1
        (folder / name).write_bytes(content)
        assert refused(folder) == f"{name} has another hash than the manifest says"


def test_a_file_that_the_manifest_does_not_name_is_refused(folder: Path) -> None:
    edit_manifest(folder, lambda manifest: manifest.update(files=[]))
    assert refused(folder) == f"{WEIGHTS} has another size than the manifest says"


def weight(value: float) -> Callable[[Arrays], object]:
    def change(arrays: Arrays) -> None:
        arrays["encoder.0.weight"][0, 0] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (weight(np.nan), "encoder.0.weight holds what is not a finite number"),
        (weight(np.inf), "encoder.0.weight holds what is not a finite number"),
        (weight(5.0), "its golden rows score otherwise than when it was saved"),
        (
            lambda a: a.update({"activations.mean": a["activations.mean"][:-1]}),
            "activations.mean has the shape",
        ),
        (lambda a: a.pop("activations.mean"), "activations.mean is missing"),
    ],
)
def test_weights_that_are_not_those_of_a_detector_are_refused(
    folder: Path, change: Callable[[Arrays], object], message: str
) -> None:
    edit_weights(folder, change)
    assert refused(folder).startswith(message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", f"{WEIGHTS}: "),
        (b"\xff" * 9, f"{WEIGHTS}: "),
        (safetensors(a={"dtype": "F64", "shape": [2**62, 4], "data_offsets": [0, 8]}), WEIGHTS),
        (safetensors(a={"dtype": "F64", "shape": [10**12], "data_offsets": [0, 8]}), WEIGHTS),
        (safetensors(a={"dtype": "F64", "shape": [1], "data_offsets": [0, 10**12]}), WEIGHTS),
        (
            safetensors(a={"dtype": "BF16", "shape": [4], "data_offsets": [0, 8]}),
            f"{WEIGHTS} holds an array of type BF16",
        ),
        (
            safetensors(
                **{
                    "scaler.masked": {
                        "dtype": "I64",
                        "shape": [0, 10**18],
                        "data_offsets": [0, 0],
                    },
                    "a": {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]},
                }
            ),
            "scaler.masked has the shape (0, 1000000000000000000)",
        ),
    ],
)
def test_a_weights_file_that_lies_about_itself_is_refused(
    folder: Path, content: bytes, message: str
) -> None:
    replace_file(folder, WEIGHTS, content)
    assert refused(folder).startswith(message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda g: g["scores"].__setitem__(0, 99.0), "its golden rows score otherwise"),
        (lambda g: [rows.clear() for rows in g.values()], "its golden rows score otherwise"),
        (lambda g: g["scores"].pop(), ""),
        (lambda g: g["numbers"][0].append(1.0), ""),
        (lambda g: g["codes"][0].__setitem__(0, 2**70), ""),
        (lambda g: g.update(extra=1), "Object contains unknown field"),
        (lambda g: g.update(scores="none"), "Expected `array`"),
    ],
)
def test_golden_rows_that_are_none_are_refused(
    folder: Path, change: Callable[[dict[str, list[object]]], object], message: str
) -> None:
    edit_golden(folder, change)
    assert refused(folder).startswith(message)


def test_golden_scores_may_be_off_as_far_as_another_machine_rounds(folder: Path) -> None:
    edit_golden(folder, lambda g: g.update(scores=[float(str(s)) + 1e-5 for s in g["scores"]]))
    assert read_artifact(folder).about == ABOUT
