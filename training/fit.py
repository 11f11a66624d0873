"""Fits a detector: scaler, network, reference, and the curves that turn distances into rarity."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from training.centres import fit_centres, fit_ellipsoid
from training.densities import fit_marginals
from training.networks import NetworkSettings, train_autoencoder
from training.scales import fit_scaler
from training.tails import fit_curve, fit_exponential_curve
from worker.model.calibration import SCORE_WATCHED, Calibration
from worker.model.detector import PARTS, Detector
from worker.model.views import views_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.model.schema import Columns, FeatureSchema

RARITY_SCALE: Final = 1 / math.log(10)
"""Scale of a tail in which a rarity is what it says: where no row tells another one."""


@dataclass(frozen=True)
class FitSettings:
    """How a detector is fitted; one setting for every data set.

    alert_rate: share of normal records that may be flagged; centres: of the joint space, and never
    more than half of the rows; threads: 1 gives the same scores on every run.
    """

    alert_rate: float = 1e-4
    seed: int = 0
    centres: int = 320
    threads: int = 1
    network: NetworkSettings = field(default_factory=NetworkSettings)


def fit_detector(
    fit: Columns,
    calibrate: Columns,
    schema: FeatureSchema,
    settings: FitSettings,
    on_step: Callable[[int, int], None] = lambda _step, _steps: None,
) -> Detector:
    """A detector that learned `fit` and whose rarities are those of `calibrate`.

    Both need at least one row, and every number column of `fit` one value.
    """
    torch.set_num_threads(settings.threads)
    rng = np.random.default_rng(settings.seed)
    scaler = fit_scaler(fit, schema)
    t_view = scaler.view(fit)
    network = train_autoencoder(t_view, settings.network, settings.seed, on_step).export()
    t_view, activations, rebuilt = views_of(scaler, network, fit)
    count = max(1, min(settings.centres, len(fit) // 2))
    curve = fit_curve(np.zeros(1))
    unfitted = Detector(
        schema=schema,
        scaler=scaler,
        network=network,
        marginals=fit_marginals(t_view, scaler.width - len(scaler.masked)),
        joints=fit_centres(np.hstack([rebuilt, 2 * (t_view - rebuilt)]), count, rng),
        activations=fit_ellipsoid(activations),
        part_tails=(curve,) * len(PARTS),
        unseen_shares=np.zeros(len(schema.features)),
        calibration=Calibration(curve, curve, curve, settings.alert_rate),
    )
    return _calibrated(unfitted, fit, calibrate)


def _calibrated(detector: Detector, fit: Columns, calibrate: Columns) -> Detector:
    """The part curves from the rows that were learned, all else from the others.

    What is calibrated is what is scored: the fused parts and the rarities added to them.
    """
    measured = detector.measure(calibrate)
    fitted = replace(
        detector,
        part_tails=tuple(fit_exponential_curve(part) for part in detector.measure(fit)),
        unseen_shares=detector.unseen(calibrate).mean(axis=0),
    )
    raw = fitted.fuse(measured) + fitted.surprises(calibrate).rarities.sum(axis=1)
    score = fit_curve(raw, RARITY_SCALE)
    return replace(
        fitted,
        calibration=Calibration(
            score=score,
            latent=fit_curve(measured.latent),
            error=fit_curve(measured.error),
            alert_rate=detector.calibration.alert_rate,
            reached=float((score(raw) >= SCORE_WATCHED).mean()),
        ),
    )
