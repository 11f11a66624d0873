"""The model artefact: a detector as a folder of checked files, and the store's promises.

    manifest.json        what it is, from which data, and the hash of every other file
    weights.safetensors  every array
    golden.json          made-up rows and their scores: what loads must score them alike

No pickle anywhere. What fails a check is refused by name; a reader sees a whole version or none.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import msgspec
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from worker.model.schema import Columns, FeatureSchema
from worker.model.tensors import (
    DetectorConfig,
    TensorsInvalid,
    arrays_of,
    config_of,
    detector_from,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from worker.model.detector import Detector

FORMAT: Final = 2
"""Version of the artefact's format; another one is refused by name."""

MANIFEST: Final = "manifest.json"
WEIGHTS: Final = "weights.safetensors"
GOLDEN: Final = "golden.json"

WEIGHTS_BYTES_MAX: Final = 512 * 1024 * 1024
TEXT_BYTES_MAX: Final = 32 * 1024 * 1024
"""A file larger than this is refused unread; 1,500 features take some hundred kB."""

GOLDEN_TOLERANCE: Final = 1e-4
"""How far a golden score may be off, relative to 1 + the score: float32 on another machine."""


class ArtifactRejected(ValueError):  # noqa: N818 - reads as what it says
    """A stored model is not what it says, or not what this version can read."""

    exit_code = 65


class PartitionSpan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Offsets of one partition that training read: [start, end)."""

    partition: int
    start: int
    end: int


class DataSpan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the training data came from; times in milliseconds since the epoch, if known.

    topic and partitions are empty for a model that was trained from files.
    """

    source: str
    topic: str | None = None
    partitions: tuple[PartitionSpan, ...] = ()
    first_ms: int | None = None
    last_ms: int | None = None


class RowCounts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How many records were read and what became of them."""

    read: int
    sampled: int
    rejected: int
    skipped: int
    fit: int
    calibrate: int
    hold_out: int


class Verdict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the gate said of this version, with its reasons."""

    promoted: bool
    reasons: tuple[str, ...]


class Evaluation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Seen on the hold-out: how many of its rows would have been flagged."""

    rows: int
    flagged: int
    mean_error: float


class About(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is told of a model beside the model: all that training knows."""

    stream: str
    trained_at: str
    seed: int
    span: DataSpan
    rows: RowCounts
    evaluation: Evaluation
    verdict: Verdict
    libraries: dict[str, str]


class FileEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Name, size and content hash of one file beside the manifest."""

    name: str
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The artefact's own description."""

    format: int
    about: About
    schema: FeatureSchema
    detector: DetectorConfig
    files: tuple[FileEntry, ...]


class GoldenRows(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Made-up rows, as columns with None for NaN, and the scores that they had when saved."""

    numbers: list[list[float | None]]
    codes: list[list[int]]
    watched: list[list[int]]
    scores: list[float]

    def columns(self, schema: FeatureSchema) -> Columns:
        """The rows in a detector's layout. Raises ValueError where the shape is another."""
        count = len(self.scores)
        numbers = np.array(self.numbers, dtype=np.float64).reshape(count, len(schema.numbers))
        codes = np.array(self.codes, dtype=np.int64).reshape(count, len(schema.categories))
        watched = np.array(self.watched, dtype=np.int64).reshape(count, len(schema.watched))
        return Columns(numbers, codes, watched)


@dataclass(frozen=True)
class Artifact:
    """A detector and all that is told of it; `kind` names its network."""

    detector: Detector
    about: About
    kind: str = "autoencoder"


@dataclass(frozen=True)
class Pointer:
    """Which version of a stream is in use, since when and why; times as UTC ISO 8601."""

    version: str
    manifest_hash: str
    promoted_at: str
    why: str
    previous: str | None = None


class ArtifactReader(Protocol):
    """What a scorer needs of a store: the version in use, and each version's model."""

    def load(self, version: str) -> Artifact:
        """A checked version. Raises ArtifactRejected or Unreachable."""
        ...

    def current(self) -> Pointer | None:
        """The version in use, None before the first. Raises ArtifactRejected or Unreachable."""
        ...


class ArtifactStore(ArtifactReader, Protocol):
    """Versions of one stream's model and the pointer to the one in use."""

    def save(self, artifact: Artifact) -> str:
        """Store a version, checked and whole; its name. The pointer stays."""
        ...

    def versions(self) -> Sequence[str]:
        """All whole versions, oldest first."""
        ...

    def promote(self, version: str, why: str, *, expected: str | None) -> Pointer:
        """Point to `version` if the pointer still names `expected`, else raise PointerMoved."""
        ...


class PointerMoved(RuntimeError):  # noqa: N818 - reads as what it says
    """Somebody else promoted a version in the meantime."""

    exit_code = 75


def write_artifact(artifact: Artifact, folder: Path) -> None:
    """Write all files of an artefact into an existing, empty folder, the manifest last."""
    golden = msgspec.json.encode(_golden_rows(artifact.detector))
    weights = save(
        {name: np.ascontiguousarray(a) for name, a in arrays_of(artifact.detector).items()}
    )
    entries = []
    for name, content in ((WEIGHTS, weights), (GOLDEN, golden)):
        (folder / name).write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        entries.append(FileEntry(name=name, size=len(content), sha256=digest))
    manifest = Manifest(
        format=FORMAT,
        about=artifact.about,
        schema=artifact.detector.schema,
        detector=config_of(artifact.detector, artifact.kind),
        files=tuple(entries),
    )
    (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1))


def read_artifact(folder: Path, manifest_hash: str | None = None) -> Artifact:
    """The artefact in a folder, after every check. Raises ArtifactRejected, or OSError.

    Checked: format version, the manifest's hash where one is given, each file's size and hash,
    types, shapes and finiteness of the arrays, and the golden rows' scores.
    """
    manifest = read_manifest(folder, manifest_hash)
    try:
        arrays = _arrays(_content(folder, manifest, WEIGHTS))
        golden = msgspec.json.decode(_content(folder, manifest, GOLDEN), type=GoldenRows)
        detector = detector_from(arrays, manifest.detector, manifest.schema)
        _check_golden(detector, golden)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
        msg = f"model {folder.name}: {error}"
        raise ArtifactRejected(msg) from error
    return Artifact(detector, manifest.about, manifest.detector.kind)


def read_manifest(folder: Path, manifest_hash: str | None = None) -> Manifest:
    """The manifest alone. Raises ArtifactRejected, or OSError."""
    content = _bounded(folder / MANIFEST)
    if manifest_hash is not None and hashlib.sha256(content).hexdigest() != manifest_hash:
        msg = f"model {folder.name}: the manifest is not the one that was promoted"
        raise ArtifactRejected(msg)
    try:
        found = msgspec.json.decode(content, type=_Versioned).format
        if found != FORMAT:
            msg = f"model {folder.name}: artefact format {found}, this version reads {FORMAT}"
            raise ArtifactRejected(msg)
        return msgspec.json.decode(content, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        msg = f"model {folder.name}: manifest: {error}"
        raise ArtifactRejected(msg) from error


class _Versioned(msgspec.Struct):
    """The one field that every format of the manifest has."""

    format: int


def _arrays(content: bytes) -> dict[str, NDArray[np.generic]]:
    try:
        return load(content)
    except SafetensorError as error:
        msg = f"{WEIGHTS}: {error}"
        raise TensorsInvalid(msg) from error
    except KeyError as error:
        msg = f"{WEIGHTS} holds an array of type {error.args[0]}"
        raise TensorsInvalid(msg) from error


def _content(folder: Path, manifest: Manifest, name: str) -> bytes:
    entry = next((entry for entry in manifest.files if entry.name == name), None)
    content = _bounded(folder / name)
    if entry is None or len(content) != entry.size:
        msg = f"{name} has another size than the manifest says"
        raise TensorsInvalid(msg)
    if hashlib.sha256(content).hexdigest() != entry.sha256:
        msg = f"{name} has another hash than the manifest says"
        raise TensorsInvalid(msg)
    return content


def _bounded(path: Path) -> bytes:
    if path.is_symlink() or not path.is_file():
        fault = "is a link" if path.is_symlink() else "is missing"
        msg = f"model {path.parent.name}: {path.name} {fault}"
        raise ArtifactRejected(msg)
    bytes_max = WEIGHTS_BYTES_MAX if path.name == WEIGHTS else TEXT_BYTES_MAX
    if path.stat().st_size > bytes_max:
        msg = f"model {path.parent.name}: {path.name} is larger than {bytes_max} bytes"
        raise ArtifactRejected(msg)
    return path.read_bytes()


def _golden_rows(detector: Detector, count: int = 16) -> GoldenRows:
    """Rows drawn around the scaler's centre: nothing of the training data is in them."""
    rng = np.random.default_rng(0)
    scaler, schema = detector.scaler, detector.schema
    t_view = rng.normal(scale=2, size=(count, scaler.width)).astype(np.float32)
    codes = np.zeros((count, len(schema.categories)), dtype=np.int64)
    for j, feature in enumerate(schema.categories):
        codes[:, j] = rng.integers(-1, len(feature.categories) + 1, count)
    numbers = scaler.numbers_from(t_view, codes)
    numbers[rng.random(numbers.shape) < 0.1] = np.nan  # noqa: PLR2004 - a tenth is missing
    watched = rng.integers(-1, 2, (count, len(schema.watched)))
    scores = detector.score(Columns(numbers, codes, watched)).score
    shown = [[None if np.isnan(v) else float(v) for v in row] for row in numbers]
    return GoldenRows(
        numbers=shown, codes=codes.tolist(), watched=watched.tolist(), scores=scores.tolist()
    )


def _check_golden(detector: Detector, golden: GoldenRows) -> None:
    wanted = np.array(golden.scores)
    scores = detector.score(golden.columns(detector.schema)).score
    off = np.abs(scores - wanted) / (1 + np.abs(wanted))
    if not len(wanted) or not (off <= GOLDEN_TOLERANCE).all():
        msg = (
            f"its golden rows score otherwise than when it was saved (by {off.max(initial=0):.1e})"
        )
        raise TensorsInvalid(msg)
