"""The autoencoder, and the same network in numpy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from training.networks import Autoencoder, NetworkSettings, train_autoencoder

SETTINGS = NetworkSettings(hidden=24, latent_max=4, steps=60, batch_rows=64)
WIDTH = 6


def rows(count: int, seed: int = 0) -> np.ndarray:
    """Rows of six columns that two numbers determine."""
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(count, 2))
    mix = np.random.default_rng(99).normal(size=(2, WIDTH))
    return (factors @ mix + rng.normal(scale=0.05, size=(count, WIDTH))).astype(np.float32)


def error(model: Autoencoder, table: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        rebuilt = model(torch.from_numpy(table)).numpy()
    return np.asarray(np.sqrt(((rebuilt - table) ** 2).mean(axis=1)))


def weights(model: Autoencoder) -> list[torch.Tensor]:
    return [weight.detach() for weight in model.parameters()]


def farthest(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one - other).max())


class TestExport:
    @pytest.mark.parametrize("width", [1, 2, 40])
    @pytest.mark.parametrize("reach", [1.0, 100.0])
    def test_numpy_gives_the_same_numbers_to_1e_5(self, width: int, reach: float) -> None:
        torch.manual_seed(3)
        model = Autoencoder(width, NetworkSettings()).eval()
        network = model.export()
        table = np.random.default_rng(1).normal(scale=reach, size=(500, width))
        x = table.astype(np.float32)
        with torch.no_grad():
            codes = model.encoder(torch.from_numpy(x))
            rebuilt = model.decoder(codes).numpy()
        assert farthest(network.encode(x), codes.numpy()) <= 1e-5 * reach
        assert farthest(network.decode(network.encode(x)), rebuilt) <= 1e-5 * reach

    def test_a_trained_network_too(self) -> None:
        model = train_autoencoder(rows(400), SETTINGS, seed=0)
        network, x = model.export(), rows(100, seed=5)
        with torch.no_grad():
            rebuilt = model(torch.from_numpy(x)).numpy()
        assert farthest(network.decode(network.encode(x)), rebuilt) <= 1e-5

    def test_later_training_does_not_change_what_was_exported(self) -> None:
        model = Autoencoder(WIDTH, SETTINGS)
        network = model.export()
        before = network.encode(rows(10)).copy()
        with torch.no_grad():
            for weight in model.parameters():
                weight.add_(1)
        assert (network.encode(rows(10)) == before).all()

    def test_it_names_its_widths(self) -> None:
        network = Autoencoder(WIDTH, SETTINGS).export()
        assert (network.width, network.latent_width) == (WIDTH, 4)
        assert [len(layer.bias) for layer in network.encoder] == [24, 12, 4]
        assert [len(layer.bias) for layer in network.decoder] == [12, 24, WIDTH]


class TestVariational:
    SETTINGS = replace(SETTINGS, variational=True, steps=300)

    def test_its_mean_is_the_code(self) -> None:
        model = train_autoencoder(rows(400), self.SETTINGS, seed=0)
        network, x = model.export(), rows(100, seed=5)
        with torch.no_grad():
            codes = model.encoder(torch.from_numpy(x)).numpy()
        assert farthest(network.encode(x), codes) <= 1e-5

    def test_its_codes_lie_nearer_to_a_standard_normal_distribution(self) -> None:
        """A number of the code that carries nothing lies at 0; none lies far out."""
        table = 5 * rows(1000)
        plain, variational = (
            np.abs(train_autoencoder(table, settings, seed=0).export().encode(table)).max()
            for settings in (replace(self.SETTINGS, variational=False), self.SETTINGS)
        )
        assert variational < plain

    def test_a_code_near_normal_costs_nothing(self) -> None:
        model = Autoencoder(WIDTH, self.SETTINGS)
        mean, log_variance = model.encoder[-1], model.log_variance
        assert isinstance(mean, nn.Linear)
        assert log_variance is not None
        with torch.no_grad():
            for weights_of in (*mean.parameters(), *log_variance.parameters()):
                weights_of.zero_()
            _, divergence = model.drawn(torch.from_numpy(rows(10)))
            assert divergence.abs().max() == 0
            mean.bias.add_(2.0)
            _, divergence = model.drawn(torch.from_numpy(rows(10)))
        assert divergence.tolist() == pytest.approx([0.5 * 4 * 2.0**2] * 10)

    def test_the_same_seed_gives_the_same_weights(self) -> None:
        first, second = (train_autoencoder(rows(300), self.SETTINGS, seed=7) for _ in range(2))
        for one, other in zip(weights(first), weights(second), strict=True):
            assert torch.equal(one, other)

    def test_each_kind_has_its_name(self) -> None:
        assert (SETTINGS.kind, self.SETTINGS.kind) == ("autoencoder", "variational")


class TestTraining:
    def test_the_same_seed_gives_the_same_weights(self) -> None:
        first, second = (train_autoencoder(rows(300), SETTINGS, seed=7) for _ in range(2))
        for one, other in zip(weights(first), weights(second), strict=True):
            assert torch.equal(one, other)

    def test_another_seed_gives_others(self) -> None:
        first, second = (train_autoencoder(rows(300), SETTINGS, seed=seed) for seed in (7, 8))
        assert not torch.equal(weights(first)[0], weights(second)[0])

    def test_it_learns_what_determines_the_rows(self) -> None:
        torch.manual_seed(0)
        untrained = Autoencoder(WIDTH, SETTINGS)
        trained = train_autoencoder(rows(1000), replace(SETTINGS, steps=300), seed=0)
        new = rows(300, seed=2)
        assert error(trained, new).mean() < 0.5 * error(untrained, new).mean()

    def test_anomalies_among_the_rows_are_hardly_learned(self) -> None:
        table = rows(1000)
        odd = np.random.default_rng(4).normal(scale=3, size=(50, WIDTH)).astype(np.float32)
        table[:50] = odd
        model = train_autoencoder(table, replace(SETTINGS, steps=300), seed=0)
        assert error(model, odd).mean() > 2 * error(model, rows(300, seed=2)).mean()

    @pytest.mark.parametrize("drop", [0.0, 0.15])
    def test_fewer_rows_than_a_batch_are_enough(self, drop: float) -> None:
        model = train_autoencoder(rows(3), replace(SETTINGS, steps=8, drop=drop), seed=0)
        assert np.isfinite(error(model, rows(3))).all()

    def test_rows_that_are_all_alike_give_finite_weights(self) -> None:
        same = np.ones((100, WIDTH), dtype=np.float32)
        assert np.isfinite(error(train_autoencoder(same, SETTINGS, seed=0), same)).all()

    def test_progress_is_told_step_by_step(self) -> None:
        told: list[tuple[int, int]] = []
        settings = replace(SETTINGS, steps=5)
        train_autoencoder(rows(50), settings, 0, lambda done, of: told.append((done, of)))
        assert told == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]

    @pytest.mark.parametrize(("width", "expected"), [(1, 2), (3, 3), (32, 32), (500, 32)])
    def test_a_code_is_as_wide_as_the_rows_within_bounds(self, width: int, expected: int) -> None:
        assert NetworkSettings().latent_width(width) == expected
