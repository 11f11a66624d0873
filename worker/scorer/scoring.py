"""One version of the model in use: what it scores, explains, and has come to accept."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from worker.model.explain import anomalies
from worker.records import ModelNote
from worker.scorer.upgrades import Upgrades

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from worker.model.artifact import Artifact
    from worker.model.detector import Scores
    from worker.model.schema import Columns, FeatureSchema
    from worker.records import Anomaly

log = logging.getLogger(__name__)


class ScoringModel:
    """One version of the model in use, and the new values that it has come to accept."""

    def __init__(self, artifact: Artifact, version: str) -> None:
        """Take a checked artefact into use under its version's name."""
        self._detector = artifact.detector
        self._upgrades = Upgrades(artifact.detector.schema)
        self.artifact = artifact
        calibration = artifact.detector.calibration
        self._note = ModelNote(
            version=version,
            trained_at=artifact.about.trained_at,
            alert_rate=calibration.alert_rate,
            threshold=calibration.threshold,
        )

    @property
    def note(self) -> ModelNote:
        """What events tell of it."""
        return self._note

    @property
    def schema(self) -> FeatureSchema:
        """What to read from a record."""
        return self._detector.schema

    def score(self, columns: Columns) -> Scores:
        """Scores of a batch's rows, in the order in which the records came."""
        settled, accepted = self._upgrades.settle(columns)
        for upgrade in accepted:
            log.warning(
                "a new value of %s stands in most records now; it is not flagged again until the "
                "next model",
                upgrade.path,
            )
        return self._detector.score(settled)

    def explain(
        self, columns: Columns, scores: Scores, read: Callable[[int], Sequence[object]]
    ) -> list[Anomaly]:
        """The flagged rows, explained."""
        return anomalies(self._detector, columns, scores, read)

    def undo(self) -> None:
        """The batch that was scored last comes again; read twice, a new value is no less new."""
        self._upgrades.undo()
