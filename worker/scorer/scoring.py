"""One version of the model in use: what it scores, explains, and has come to accept."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from worker.model.calibration_watch import SCORE, CalibrationWatch
from worker.model.reasons import anomalies
from worker.records import ModelNote
from worker.scorer.upgrades import Upgrades

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from worker.model.artifact import Artifact
    from worker.model.calibration_watch import CalibrationState
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
        self._settled: Columns | None = None
        self._calibration = CalibrationWatch(artifact.detector.calibration)
        self.artifact = artifact
        calibration = artifact.detector.calibration
        self._note = ModelNote(
            version=version,
            trained_at=artifact.about.trained_at,
            alert_rate=calibration.alert_rate,
            threshold=calibration.threshold,
            supported_rate=calibration.supported_rate,
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
                "%s of %s stands in most records now; it is not flagged again until the next model",
                "no value" if upgrade.is_absence else "a new value",
                upgrade.path,
            )
        self._settled = settled
        return self._detector.score(settled)

    def explain(
        self, columns: Columns, scores: Scores, read: Callable[[int], Sequence[object]]
    ) -> list[Anomaly]:
        """The flagged rows of the batch that was scored last, explained as it was scored."""
        settled = columns if self._settled is None else self._settled
        return anomalies(self._detector, settled, scores, read)

    def delivered(self, scores: Scores) -> CalibrationState:
        """The batch of these scores was delivered; says once when the calibration breaks."""
        before = self._calibration.state.broken
        state = self._calibration.saw(scores.score)
        if state.broken and not before:
            log.warning(
                "the calibration of model %s no longer holds: %s records reach score %g; what is "
                "normal has changed, or what was learned was not, and scores and alert rate do not "
                "mean what they say until the next model",
                self._note.version,
                state.broken,
                SCORE,
            )
        if before and not state.broken:
            log.info("the calibration of model %s holds again", self._note.version)
        return state

    def undo(self) -> None:
        """The batch that was scored last comes again; read twice, a new value is no less new."""
        self._upgrades.undo()
