"""Scores with the current model and swaps in a promoted one between batches.

A thread of its own looks at the store's pointer and loads and checks what is new; the loop only
picks up the finished model. What is refused is said once, tried again now and then, for its files
may be mended, and the current model stays.
"""

from __future__ import annotations

import logging
import random
import threading
from typing import TYPE_CHECKING

from worker.model.artifact import ArtifactRejected
from worker.ports import Unreachable
from worker.scorer.scoring import ScoringModel

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.model.artifact import ArtifactReader, Pointer
    from worker.ports import Metrics
    from worker.records import ModelNote

log = logging.getLogger(__name__)

JITTER = 0.2
"""Share by which the time between looks at the store varies, so that workers do not march."""
REFUSED_LOOKS = 10
"""A version that was refused is loaded again at every so many looks: its files may be whole now."""


class ReloadingScorer:
    """The model in use, kept up to date with the store's pointer."""

    def __init__(
        self,
        store: ArtifactReader,
        metrics: Metrics,
        first: ScoringModel,
        check_s: float,
        on_model: Callable[[ModelNote], None] = lambda _note: None,
    ) -> None:
        """Begin with `first`; `start` begins to look at the store every `check_s` seconds.

        `on_model` is told of each model that is taken into use.
        """
        self._on_model = on_model
        self._store = store
        self._metrics = metrics
        self._current = first
        self._next: ScoringModel | None = None
        self._refused: str | None = None
        self._looks_until_retry = 0
        self._in_doubt = False
        self._complained: tuple[str, bool] | None = None
        self._check_s = check_s
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="model-watch", daemon=True)
        self._loaded(first)

    def start(self) -> None:
        """Look at the store from now on."""
        self._thread.start()

    def close(self) -> None:
        """Stop looking; bounded by one look."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def current(self) -> ScoringModel:
        """The model for the next batch; a new one takes over here and nowhere else."""
        found, self._next = self._next, None
        if found is not None:
            log.info("model %s takes over from %s", found.note.version, self._current.note.version)
            self._current = found
            self._loaded(found)
        return self._current

    def look(self) -> None:
        """See whether the pointer names another version; load and check it if so.

        Never raises for what is in the store: what cannot be used is refused.
        """
        version = "(pointer)"
        try:
            pointer = self._store.current()
            if pointer is None or self._is_known(pointer):
                if pointer is None or self._complained != (pointer.version, True):
                    self._complained = None
                self._confirm(pointer)
                return
            version = pointer.version
            self._next = ScoringModel(self._store.load(version), version)
            self._refused = self._complained = None
        except (ArtifactRejected, Unreachable, OSError) as error:
            self._refuse(version, error)

    def _watch(self) -> None:
        while not self._stopped.wait(self._check_s * random.uniform(1 - JITTER, 1 + JITTER)):
            self.look()

    def _is_known(self, pointer: Pointer) -> bool:
        """Whether there is nothing to load: in use, about to be, or refused."""
        if pointer.version == self._current.note.version:
            self._next = None  # rolled back before the loop picked it up
            return True
        waiting = self._next
        if waiting is not None and waiting.note.version == pointer.version:
            return True
        if pointer.version != self._refused:
            return False
        self._looks_until_retry -= 1
        return self._looks_until_retry > 0

    def _confirm(self, pointer: Pointer | None) -> None:
        """After trouble: the store answers, and what it points to is in use."""
        if self._in_doubt and pointer is not None and pointer.version == self._version():
            self._in_doubt = False
            self._metrics.model_confirmed()
            log.info("the store answers, and model %s is the promoted one", pointer.version)

    def _refuse(self, version: str, error: Exception) -> None:
        """Say once what is wrong with a version, or that the store is out of reach."""
        is_bad = isinstance(error, ArtifactRejected)
        self._in_doubt = True
        if is_bad:
            self._refused = version
            self._looks_until_retry = REFUSED_LOOKS
        if (version, is_bad) == self._complained:
            return
        self._complained = (version, is_bad)
        self._metrics.model_refused(version, "rejected" if is_bad else "unreachable")
        log.error("model %s is refused, %s stays: %s", version, self._version(), error)

    def _version(self) -> str:
        return self._current.note.version

    def _loaded(self, model: ScoringModel) -> None:
        note = model.note
        self._in_doubt = False
        self._on_model(note)
        if note.alert_rate < note.supported_rate:
            log.warning(
                "model %s is asked for an alert rate of %g, and its calibration supports no less "
                "than %.2g: beyond that its threshold is extrapolated",
                note.version,
                note.alert_rate,
                note.supported_rate,
            )
        self._metrics.model_loaded(note.version, note.trained_at, note.threshold)
