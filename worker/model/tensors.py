"""A detector as named arrays and plain settings, and back: what the artefact's files hold.

Every array is checked for type, shape and finiteness on the way back, before anything is built.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from worker.model.calibration import Calibration, TailCurve
from worker.model.detector import PARTS, Detector
from worker.model.groups import Groups, cell_count
from worker.model.marginals import Marginals
from worker.model.network import Layer, Network
from worker.model.reference import Centres, Ellipsoid
from worker.model.scaler import Scaler

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from worker.model.schema import FeatureSchema

    Arrays = Mapping[str, NDArray[np.generic]]

WIDTH_MAX: Final = 65_536
"""Input columns, layer widths and centres of a model at most."""

_POINTS_MIN: Final = 4
"""Points of a density: two that training saw, and one beyond each."""


class TensorsInvalid(ValueError):  # noqa: N818 - reads as what it says
    """The arrays do not make a detector."""


class CurveConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The scalars of a TailCurve."""

    scale: float
    shape: float
    rows: int


class DetectorConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The scalars of a Detector: widths of the layers, input side first, and the curves.

    `kind` names the network: a plain autoencoder or a variational one, whose mean is the code.
    """

    kind: str
    encoder: tuple[int, ...]
    decoder: tuple[int, ...]
    curves: dict[str, CurveConfig]
    alert_rate: float
    reached: float


def arrays_of(detector: Detector) -> dict[str, NDArray[np.generic]]:
    """Every array of a detector by its dotted name."""
    arrays: dict[str, NDArray[np.generic]] = {}
    for name in ("centre", "spread", "heavy", "knots", "levels", "masked"):
        arrays[f"scaler.{name}"] = getattr(detector.scaler, name)
    for name in ("columns", "by", "centre", "spread"):
        arrays[f"groups.{name}"] = getattr(detector.scaler.groups, name)
    for side in ("encoder", "decoder"):
        for i, layer in enumerate(getattr(detector.network, side)):
            arrays[f"{side}.{i}.weight"] = layer.weight
            arrays[f"{side}.{i}.bias"] = layer.bias
    for name in ("low", "step", "rarities"):
        arrays[f"marginals.{name}"] = getattr(detector.marginals, name)
    arrays["joints.centres"] = detector.joints.centres
    arrays["joints.penalty"] = detector.joints.penalty
    arrays["activations.mean"] = detector.activations.mean
    arrays["activations.whitener"] = detector.activations.whitener
    arrays["unseen_shares"] = detector.unseen_shares
    for name, curve in _curves(detector).items():
        arrays[f"curve.{name}.values"] = curve.values
        arrays[f"curve.{name}.rarities"] = curve.rarities
    return arrays


def config_of(detector: Detector, kind: str) -> DetectorConfig:
    """The scalars of a detector."""
    network = detector.network
    return DetectorConfig(
        kind=kind,
        encoder=(network.width, *(len(layer.bias) for layer in network.encoder)),
        decoder=(network.latent_width, *(len(layer.bias) for layer in network.decoder)),
        curves={
            name: CurveConfig(scale=curve.scale, shape=curve.shape, rows=curve.rows)
            for name, curve in _curves(detector).items()
        },
        alert_rate=detector.calibration.alert_rate,
        reached=detector.calibration.reached,
    )


def detector_from(arrays: Arrays, config: DetectorConfig, schema: FeatureSchema) -> Detector:
    """The detector that the arrays hold. Raises TensorsInvalid."""
    check = _Checked(arrays)
    scaler = _scaler(check, schema)
    width = _width(config, scaler.width)
    units = config.encoder[1]
    curves = {name: _curve(check, name, config) for name in _CURVES}
    if not 0 < config.alert_rate < 1:
        msg = f"alert_rate {config.alert_rate} is not between 0 and 1"
        raise TensorsInvalid(msg)
    if not 0 <= config.reached <= 1:
        msg = f"reached {config.reached} is not between 0 and 1"
        raise TensorsInvalid(msg)
    return Detector(
        schema=schema,
        scaler=scaler,
        network=Network(
            encoder=_layers(check, "encoder", config.encoder),
            decoder=_layers(check, "decoder", config.decoder),
        ),
        marginals=_marginals(check, width - len(scaler.masked)),
        joints=_centres(check, "joints", 2 * width),
        activations=Ellipsoid(
            mean=check.floats32("activations.mean", (units,)),
            whitener=check.floats32("activations.whitener", (units, units)),
        ),
        part_tails=tuple(curves[name] for name in PARTS),
        unseen_shares=_shares(check, len(schema.features)),
        calibration=Calibration(
            score=curves["calibrated.score"],
            latent=curves["calibrated.latent"],
            error=curves["calibrated.error"],
            alert_rate=config.alert_rate,
            reached=config.reached,
        ),
    )


_CURVES: Final = (*PARTS, "calibrated.score", "calibrated.latent", "calibrated.error")


def _curves(detector: Detector) -> dict[str, TailCurve]:
    calibration = detector.calibration
    curves = (*detector.part_tails, calibration.score, calibration.latent, calibration.error)
    return dict(zip(_CURVES, curves, strict=True))


class _Checked:
    """Arrays handed out only when type, shape and content are as asked for."""

    def __init__(self, arrays: Arrays) -> None:
        self._arrays = arrays

    def floats64(self, name: str, shape: tuple[int | None, ...]) -> NDArray[np.float64]:
        """A finite float64 array; None in the shape stands for any length up to WIDTH_MAX."""
        return self._get(name, shape).astype(np.float64, casting="safe")

    def floats32(self, name: str, shape: tuple[int | None, ...]) -> NDArray[np.float32]:
        """A finite float32 array."""
        found = self._get(name, shape)
        if found.dtype != np.float32:
            msg = f"{name} is {found.dtype}, not float32"
            raise TensorsInvalid(msg)
        return found.astype(np.float32)

    def indices(
        self, name: str, below: int, shape: tuple[int | None, ...] = (None,)
    ) -> NDArray[np.int64]:
        """An int64 array of indices in [0, below), one-dimensional unless a shape is given."""
        found = self._get(name, shape)
        if found.dtype != np.int64 or (found.size and not 0 <= found.min() <= found.max() < below):
            msg = f"{name} does not hold indices below {below}"
            raise TensorsInvalid(msg)
        return found.astype(np.int64)

    def _get(self, name: str, shape: tuple[int | None, ...]) -> NDArray[np.generic]:
        found = self._arrays.get(name)
        if found is None:
            msg = f"{name} is missing"
            raise TensorsInvalid(msg)
        fits = len(found.shape) == len(shape) and all(
            is_size <= WIDTH_MAX if size is None else is_size == size
            for is_size, size in zip(found.shape, shape, strict=True)
        )
        if not fits:
            msg = f"{name} has the shape {found.shape}, not {shape}"
            raise TensorsInvalid(msg)
        if found.dtype.kind not in "fi" or not np.isfinite(found).all():
            msg = f"{name} holds what is not a finite number"
            raise TensorsInvalid(msg)
        return found


def _scaler(check: _Checked, schema: FeatureSchema) -> Scaler:
    sizes = tuple(len(feature.categories) for feature in schema.categories)
    masked = check.indices("scaler.masked", len(schema.features))
    width = len(schema.numbers) + sum(sizes) + len(masked)
    heavy = check.indices("scaler.heavy", max(len(schema.numbers), 1))
    scaler = Scaler(
        centre=check.floats64("scaler.centre", (width,)),
        spread=check.floats64("scaler.spread", (width,)),
        heavy=heavy,
        knots=check.floats64("scaler.knots", (len(heavy), None)),
        levels=check.floats64("scaler.levels", (len(heavy), None)),
        masked=masked,
        category_sizes=sizes,
        groups=_groups(check, len(schema.numbers), sizes),
    )
    if not (scaler.spread > 0).all():
        msg = "the scaler's spread is not positive"
        raise TensorsInvalid(msg)
    if scaler.knots.shape != scaler.levels.shape or scaler.knots.size < len(heavy):
        msg = "the scaler's knots and levels do not fit each other"
        raise TensorsInvalid(msg)
    return scaler


def _groups(check: _Checked, numbers: int, sizes: tuple[int, ...]) -> Groups:
    columns = check.indices("groups.columns", numbers)
    by = check.indices("groups.by", len(sizes) + 1, (len(columns), 2))
    centre = check.floats64("groups.centre", (len(columns), None))
    groups = Groups(columns, by, centre, check.floats64("groups.spread", centre.shape))
    if (by[:, 0] == len(sizes)).any():
        msg = "groups.by names no category"
        raise TensorsInvalid(msg)
    if max((cell_count(row, sizes) for row in by), default=0) > centre.shape[1]:
        msg = "groups.centre has fewer groups than the categories make"
        raise TensorsInvalid(msg)
    if not (groups.spread > 0).all():
        msg = "a group's spread is not positive"
        raise TensorsInvalid(msg)
    return groups


def _width(config: DetectorConfig, width: int) -> int:
    """`width`, which the layers must lead from and back to."""
    encoder, decoder = config.encoder, config.decoder
    joined = len(encoder) > 1 and len(decoder) > 1 and encoder[-1] == decoder[0]
    if not joined or encoder[0] != width or decoder[-1] != width:
        msg = f"layers {encoder} and {decoder} do not lead from {width} columns and back"
        raise TensorsInvalid(msg)
    return width


def _layers(check: _Checked, side: str, widths: tuple[int, ...]) -> tuple[Layer, ...]:
    return tuple(
        Layer(
            weight=check.floats32(f"{side}.{i}.weight", pair),
            bias=check.floats32(f"{side}.{i}.bias", pair[1:]),
        )
        for i, pair in enumerate(pairwise(widths))
    )


def _marginals(check: _Checked, columns: int) -> Marginals:
    marginals = Marginals(
        low=check.floats32("marginals.low", (columns,)),
        step=check.floats32("marginals.step", (columns,)),
        rarities=check.floats32("marginals.rarities", (columns, None)),
    )
    if not (marginals.step > 0).all() or marginals.rarities.shape[1] < _POINTS_MIN:
        msg = "the marginals have no grid"
        raise TensorsInvalid(msg)
    return marginals


def _centres(check: _Checked, name: str, width: int) -> Centres:
    centres = check.floats32(f"{name}.centres", (None, width))
    if not len(centres):
        msg = f"{name} has no centres"
        raise TensorsInvalid(msg)
    return Centres(centres, check.floats32(f"{name}.penalty", (len(centres),)))


def _shares(check: _Checked, features: int) -> NDArray[np.float64]:
    shares = check.floats64("unseen_shares", (features,))
    if not ((shares >= 0) & (shares <= 1)).all():
        msg = "unseen_shares are not between 0 and 1"
        raise TensorsInvalid(msg)
    return shares


def _curve(check: _Checked, name: str, config: DetectorConfig) -> TailCurve:
    scalars = config.curves.get(name)
    values = check.floats64(f"curve.{name}.values", (None,))
    rarities = check.floats64(f"curve.{name}.rarities", (len(values),))
    rising = len(values) > 0 and (np.diff(values) > 0).all() and (np.diff(rarities) > 0).all()
    if scalars is None or not rising or scalars.scale <= 0 or scalars.shape < 0 or scalars.rows < 1:
        msg = f"the curve {name} does not rise"
        raise TensorsInvalid(msg)
    return TailCurve(values, rarities, scalars.scale, scalars.shape, scalars.rows)
