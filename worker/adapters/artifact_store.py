"""Model versions as folders below a root, and the pointer to the one in use.

    <root>/<stream>/versions/<UTC time>-<8 hex>/   immutable once it is there
    <root>/<stream>/current.json                   replaced in one step, under a lock

Readers take no lock and need no right to write. What is inside a version is worker/model's.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import secrets
import shutil
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from worker.model.artifact import (
    MANIFEST,
    Artifact,
    ArtifactRejected,
    Pointer,
    PointerMoved,
    read_artifact,
    write_artifact,
)
from worker.ports import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_STREAM = re.compile(r"[A-Za-z0-9._-]{1,249}")
_VERSION = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")
_HASH = re.compile(r"[0-9a-f]{64}")
_LOCK_PAUSE_S = 0.02


class DirectoryArtifactStore:
    """worker.model.artifact.ArtifactStore over a directory, local or mounted.

    Raises ValueError for a stream name that is no plain folder name. An operation of the file
    system that fails raises Unreachable with the path; what is not there yet is no failure.
    """

    def __init__(
        self,
        root: Path,
        stream: str,
        *,
        now: Callable[[], float] = time.time,
        lock_timeout_s: float = 10.0,
    ) -> None:
        if not _STREAM.fullmatch(stream) or stream in {".", ".."}:
            raise ValueError(
                f"stream {stream!r}: a name has 1 to 249 letters, digits, dots, dashes, underscores"
            )
        self._folder = root / stream
        self._versions = self._folder / "versions"
        self._pointer = self._folder / "current.json"
        self._now = now
        self._lock_timeout_s = lock_timeout_s

    @property
    def place(self) -> Path:
        """The stream's folder, for messages."""
        return self._folder

    def save(self, artifact: Artifact) -> str:
        """Store a version, read back and checked before it appears; its name."""

        def write_checked(folder: Path) -> None:
            write_artifact(artifact, folder)
            read_artifact(folder)

        return self.save_files(write_checked)

    def save_files(self, write: Callable[[Path], None]) -> str:
        """Store what `write` puts into an empty folder, manifest included, as a new version.

        The version appears whole, synced to disk, or, when `write` raises, not at all.
        """
        stamp = datetime.fromtimestamp(self._now(), UTC).strftime("%Y%m%dT%H%M%SZ")
        version = f"{stamp}-{secrets.token_hex(4)}"
        unfinished = self._versions / f".unfinished-{version}"
        with _reachable(unfinished):
            unfinished.mkdir(parents=True)
        try:
            write(unfinished)
            with _reachable(unfinished):
                _sync_tree(unfinished)
                unfinished.rename(self._versions / version)
                _sync(self._versions)
                _sync(self._folder)
        except BaseException:  # an interrupt, too, leaves nothing behind
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
        return version

    def load(self, version: str) -> Artifact:
        """A checked version; the one in use must also be the very one that was promoted.

        Raises ArtifactRejected or Unreachable.
        """
        folder = self.path(version)
        pointer = self.current()
        promoted = pointer.manifest_hash if pointer and pointer.version == version else None
        with _reachable(folder):
            return read_artifact(folder, promoted)

    def path(self, version: str) -> Path:
        """The folder of a version. Raises ArtifactRejected where there is none of that name."""
        folder = self._versions / version
        with _reachable(folder):
            if not _VERSION.fullmatch(version) or not folder.is_dir():
                raise ArtifactRejected(f"there is no model version {version!r} in {self._versions}")
        return folder

    def versions(self) -> list[str]:
        """All whole versions, oldest first; within one second in no particular order."""
        with _reachable(self._versions):
            try:
                names = [entry.name for entry in self._versions.iterdir()]
            except FileNotFoundError:
                return []
        return sorted(name for name in names if _VERSION.fullmatch(name))

    def manifest_hash(self, version: str) -> str:
        """SHA-256 of a version's manifest. Raises ArtifactRejected or Unreachable."""
        manifest = self.path(version) / MANIFEST
        with _reachable(manifest):
            try:
                return hashlib.sha256(manifest.read_bytes()).hexdigest()
            except FileNotFoundError as error:
                raise ArtifactRejected(f"model {version}: {MANIFEST} is missing") from error

    def current(self) -> Pointer | None:
        """The version in use, None before the first. Raises ArtifactRejected or Unreachable."""
        with _reachable(self._pointer):
            try:
                content = self._pointer.read_bytes()
            except FileNotFoundError:
                return None
        try:
            pointer = msgspec.json.decode(content, type=Pointer)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ArtifactRejected(f"{self._pointer} is malformed: {error}") from error
        if not _VERSION.fullmatch(pointer.version) or not _HASH.fullmatch(pointer.manifest_hash):
            raise ArtifactRejected(f"{self._pointer} is malformed: no version name or no hash")
        return pointer

    def promote(self, version: str, why: str, *, expected: str | None) -> Pointer:
        """Point to `version` if the pointer still names `expected`, else raise PointerMoved.

        Of several at once exactly one succeeds. Raises ArtifactRejected where the version or the
        pointer is no good, Unreachable also when the lock is not free in time.
        """
        manifest_hash = self.manifest_hash(version)
        with self._locked():
            before = self.current()
            found = before.version if before else None
            if found != expected:
                raise PointerMoved(f"the version in use is {found}, not {expected}")
            at = datetime.fromtimestamp(self._now(), UTC).isoformat(timespec="seconds")
            pointer = Pointer(version, manifest_hash, at.replace("+00:00", "Z"), why, found)
            with _reachable(self._pointer):
                self._replace_pointer(msgspec.json.encode(pointer))
        return pointer

    def _replace_pointer(self, content: bytes) -> None:
        fresh = self._folder / ".current.json.new"  # one name is enough under the lock
        fresh.write_bytes(content)
        _sync(fresh)
        fresh.replace(self._pointer)
        _sync(self._folder)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """The pointer is ours to change. Never waits without end: a lock on a mount may stay."""
        path = self._folder / ".lock"
        with _reachable(path):
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            deadline = time.monotonic() + self._lock_timeout_s
            while not _try_lock(handle, path):
                if time.monotonic() > deadline:
                    raise Unreachable(f"{path} was locked for {self._lock_timeout_s:g} s")
                time.sleep(_LOCK_PAUSE_S)
            yield
        finally:
            os.close(handle)  # which unlocks


def _try_lock(handle: int, path: Path) -> bool:
    with _reachable(path):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def _sync_tree(folder: Path) -> None:
    """Everything below and the folder itself is on disk."""
    for entry in folder.rglob("*"):
        _sync(entry)
    _sync(folder)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _reachable(path: Path) -> Iterator[None]:
    """Turns an error of the file system into Unreachable with the path."""
    try:
        yield
    except OSError as error:
        raise Unreachable(f"model store: {error.filename or path}: {error.strerror}") from error
