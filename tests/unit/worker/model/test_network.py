"""The forward pass in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from training.networks import Autoencoder, NetworkSettings
from worker.model.network import Layer, Network


def random_network(width: int) -> tuple[Autoencoder, Network]:
    torch.manual_seed(3)
    trained = Autoencoder(width, NetworkSettings(hidden=24))
    return trained, trained.export()


@pytest.mark.parametrize("width", [1, 5, 40])
@pytest.mark.parametrize("rows", [1, 300])
def test_numpy_and_torch_give_the_same_numbers(width: int, rows: int) -> None:
    trained, network = random_network(width)
    x = np.random.default_rng(0).normal(scale=5, size=(rows, width)).astype(np.float32)
    with torch.no_grad():
        codes = trained.encoder(torch.from_numpy(x)).numpy()
        rebuilt = trained(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(network.encode(x), codes, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(network.decode(network.encode(x)), rebuilt, rtol=1e-5, atol=1e-5)


def test_the_widths_are_those_of_the_outer_layers() -> None:
    _, network = random_network(5)
    assert (network.width, network.latent_width) == (5, 5)


def test_the_activations_are_those_of_the_first_layer() -> None:
    trained, network = random_network(5)
    x = np.random.default_rng(0).normal(size=(30, 5)).astype(np.float32)
    with torch.no_grad():
        wanted = trained.encoder[:2](torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(network.activate(x), wanted, rtol=1e-5, atol=1e-5)
    assert network.activation_width == wanted.shape[1] == 24
    np.testing.assert_array_equal(
        network.encode_activations(network.activate(x)), network.encode(x)
    )


def test_the_input_is_left_as_it_was() -> None:
    _, network = random_network(5)
    x = np.ones((4, 5), dtype=np.float32)
    network.decode(network.encode(x))
    np.testing.assert_array_equal(x, np.ones((4, 5)))


def test_silu_stands_between_layers_and_not_after_the_last() -> None:
    one, none = np.ones((1, 1), np.float32), np.zeros(1, np.float32)
    two_layers = Network((Layer(one, none), Layer(one, none)), (Layer(one, none),))
    x = np.array([[0.0], [2.0], [-2.0], [-1000.0], [1000.0]], dtype=np.float32)
    expected = [0.0, 2 / (1 + np.exp(-2)), -2 / (1 + np.exp(2)), 0.0, 1000.0]
    np.testing.assert_allclose(two_layers.encode(x)[:, 0], expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(two_layers.decode(x), x)
