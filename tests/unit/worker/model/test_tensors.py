"""A detector as arrays and scalars, and what is refused on the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from tests.machines import SCHEMA, columns_of, detector, readings
from worker.model.schema import FeatureSchema
from worker.model.tensors import (
    WIDTH_MAX,
    CurveConfig,
    DetectorConfig,
    TensorsInvalid,
    arrays_of,
    config_of,
    detector_from,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[np.generic]]


def with_array(name: str, change: Callable[[NDArray[np.generic]], object]) -> Arrays:
    """The arrays of a good detector, one of them changed."""
    arrays = arrays_of(detector())
    return {**arrays, name: np.asarray(change(arrays[name].copy()))}


def with_value(value: float) -> Callable[[NDArray[np.generic]], object]:
    """Put `value` into the middle of an array."""

    def changed(array: NDArray[np.generic]) -> NDArray[np.generic]:
        array.reshape(-1)[array.size // 2] = value
        return array

    return changed


def config(**changes: object) -> DetectorConfig:
    return msgspec.structs.replace(config_of(detector(), "autoencoder"), **changes)


def refused(arrays: Arrays, scalars: DetectorConfig) -> str:
    with pytest.raises(TensorsInvalid) as caught:
        detector_from(arrays, scalars, SCHEMA)
    return str(caught.value)


def test_the_same_arrays_make_a_detector_with_the_same_scores() -> None:
    rows = columns_of(readings(50, seed=4))
    again = detector_from(arrays_of(detector()), config(), SCHEMA)
    np.testing.assert_array_equal(again.score(rows).score, detector().score(rows).score)
    assert config_of(again, "autoencoder") == config()


@pytest.mark.parametrize("name", sorted(arrays_of(detector())))
def test_every_array_is_needed(name: str) -> None:
    arrays = arrays_of(detector())
    del arrays[name]
    assert refused(arrays, config()) == f"{name} is missing"


@pytest.mark.parametrize("name", sorted(arrays_of(detector())))
def test_every_array_has_a_shape(name: str) -> None:
    wrong = refused(with_array(name, lambda array: array[None]), config())
    assert wrong.startswith(f"{name} has the shape (1, ")


@pytest.mark.parametrize("name", sorted(arrays_of(detector())))
def test_no_array_holds_text(name: str) -> None:
    wrong = refused(with_array(name, lambda array: array.astype("S9")), config())
    assert wrong.startswith(f"{name} holds")


FLOATS = sorted(name for name, a in arrays_of(detector()).items() if a.dtype.kind == "f" and a.size)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", FLOATS)
def test_every_number_is_finite(name: str, value: float) -> None:
    wrong = refused(with_array(name, with_value(value)), config())
    assert wrong == f"{name} holds what is not a finite number"


@pytest.mark.parametrize("name", ["encoder.0.weight", "activations.whitener", "joints.penalty"])
def test_weights_are_of_single_precision(name: str) -> None:
    wrong = refused(with_array(name, lambda array: array.astype(np.float64)), config())
    assert wrong == f"{name} is float64, not float32"


@pytest.mark.parametrize("name", ["scaler.heavy", "scaler.masked", "groups.columns", "groups.by"])
@pytest.mark.parametrize("value", [-1, 8])
def test_indices_name_columns_that_there_are(name: str, value: int) -> None:
    assert refused(with_array(name, with_value(value)), config()).startswith(
        f"{name} does not hold indices below"
    )


def test_indices_are_whole_numbers() -> None:
    arrays = with_array("scaler.masked", lambda array: array.astype(np.float64))
    assert refused(arrays, config()) == "scaler.masked does not hold indices below 8"


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("scaler.spread", with_value(0.0), "the scaler's spread is not positive"),
        ("groups.spread", with_value(0.0), "a group's spread is not positive"),
        ("groups.by", lambda a: a * 0 + 2, "groups.by names no category"),
        ("scaler.knots", lambda a: a[:, :-1], "the scaler's knots and levels do not fit"),
        ("joints.centres", lambda a: a[:0], "joints has no centres"),
        ("marginals.step", with_value(0.0), "the marginals have no grid"),
        ("marginals.rarities", lambda a: a[:, :3], "the marginals have no grid"),
        ("joints.centres", lambda a: np.repeat(a, 2000, axis=0), "joints.centres has the shape"),
        ("curve.error.values", with_value(-9.0), "the curve error does not rise"),
        ("curve.marginal.rarities", lambda a: a[::-1], "the curve marginal does not rise"),
        ("unseen_shares", with_value(1.5), "unseen_shares are not between 0 and 1"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(
    name: str, change: Callable[[NDArray[np.generic]], object], message: str
) -> None:
    assert refused(with_array(name, change), config()).startswith(message)


def test_every_group_that_the_categories_make_has_figures() -> None:
    arrays = with_array("groups.centre", lambda array: array[:, :-1])
    arrays["groups.spread"] = arrays["groups.spread"][:, :-1]
    told = "groups.centre has fewer groups than the categories make"
    assert refused(arrays, config()) == told


def test_a_quantile_map_has_knots() -> None:
    arrays = with_array("scaler.knots", lambda array: array[:, :0])
    arrays["scaler.levels"] = arrays["scaler.knots"]
    assert refused(arrays, config()) == "the scaler's knots and levels do not fit each other"


def test_a_curve_has_knots() -> None:
    arrays = with_array("curve.latent.values", lambda array: array[:0])
    arrays["curve.latent.rarities"] = arrays["curve.latent.values"]
    assert refused(arrays, config()) == "the curve latent does not rise"


@pytest.mark.parametrize(
    "scalars",
    [
        CurveConfig(scale=0.0, shape=0.0, rows=9),
        CurveConfig(scale=1.0, shape=-0.1, rows=9),
        CurveConfig(scale=1.0, shape=0.0, rows=0),
        None,
    ],
)
def test_a_curve_rises_beyond_its_knots_too(scalars: CurveConfig | None) -> None:
    curves = {name: curve for name, curve in config().curves.items() if name != "joint"}
    if scalars is not None:
        curves["joint"] = scalars
    assert refused(arrays_of(detector()), config(curves=curves)) == "the curve joint does not rise"


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.5])
def test_an_alert_rate_is_a_share(rate: float) -> None:
    wrong = refused(arrays_of(detector()), config(alert_rate=rate))
    assert wrong == f"alert_rate {rate} is not between 0 and 1"


@pytest.mark.parametrize("reached", [-0.1, 1.5])
def test_what_reached_the_watched_score_is_a_share(reached: float) -> None:
    wrong = refused(arrays_of(detector()), config(reached=reached))
    assert wrong == f"reached {reached} is not between 0 and 1"


@pytest.mark.parametrize(
    ("encoder", "decoder"),
    [
        ((), ()),
        ((13,), (13, 32, 13)),
        ((12, 32, 5), (5, 32, 13)),
        ((13, 32, 5), (5, 32, 12)),
        ((13, 32, 5), (6, 32, 13)),
    ],
)
def test_the_layers_lead_from_the_input_to_the_code_and_back(
    encoder: tuple[int, ...], decoder: tuple[int, ...]
) -> None:
    assert detector().scaler.width == 13
    wrong = refused(arrays_of(detector()), config(encoder=encoder, decoder=decoder))
    assert wrong == f"layers {encoder} and {decoder} do not lead from 13 columns and back"


@pytest.mark.parametrize("width", [0, -32, 33, 10**30])
def test_the_layers_are_as_wide_as_the_manifest_says(width: int) -> None:
    wrong = refused(arrays_of(detector()), config(encoder=(13, width, 13), decoder=(13, 13)))
    assert wrong == f"encoder.0.weight has the shape (13, 32), not (13, {width})"


def test_the_arrays_belong_to_the_schema() -> None:
    other = FeatureSchema(features=SCHEMA.features[:-1], watched=SCHEMA.watched)
    with pytest.raises(TensorsInvalid, match=r"scaler\.masked"):
        detector_from(arrays_of(detector()), config(), other)
    assert WIDTH_MAX == 65_536
