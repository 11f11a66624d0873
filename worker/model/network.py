"""The trained autoencoder's forward pass in numpy: two stacks of dense layers.

The same weights in training's framework give the same numbers to 1e-5. Knows nothing of scaling.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats32 = NDArray[np.float32]


@dataclass(frozen=True)
class Layer:
    """weight: float32 (inputs, outputs), bias: float32 (outputs,)."""

    weight: Floats32
    bias: Floats32

    def __call__(self, x: Floats32) -> Floats32:
        """The affine map of rows: float32 (n, inputs) to (n, outputs)."""
        out: Floats32 = x @ self.weight
        out += self.bias
        return out


@dataclass(frozen=True)
class Network:
    """An encoder to the latent space and a decoder back; SiLU between layers, none at the ends."""

    encoder: tuple[Layer, ...]
    decoder: tuple[Layer, ...]

    @property
    def width(self) -> int:
        """Columns of a row."""
        return len(self.encoder[0].weight)

    @property
    def latent_width(self) -> int:
        """Numbers in a code."""
        return len(self.encoder[-1].bias)

    @property
    def activation_width(self) -> int:
        """Units of the first layer."""
        return len(self.encoder[0].bias)

    def activate(self, x: Floats32) -> Floats32:
        """What the first layer's units say, float32 (n, activation_width), of rows (n, width)."""
        first = self.encoder[0](x)
        return _silu(first) if len(self.encoder) > 1 else first

    def encode(self, x: Floats32) -> Floats32:
        """Codes, float32 (n, latent_width), of rows, float32 (n, width)."""
        return self.encode_activations(self.activate(x))

    def encode_activations(self, activations: Floats32) -> Floats32:
        """Codes of rows of which the first layer's activations are known."""
        rest = self.encoder[1:]
        return _forward(rest, activations) if rest else activations

    def decode(self, codes: Floats32) -> Floats32:
        """Rows, float32 (n, width), that codes stand for."""
        return _forward(self.decoder, codes)

    def rebuild(self, x: Floats32) -> Floats32:
        """Rows (n, width) as they come back from their codes."""
        return self.decode(self.encode(x))


def _forward(layers: tuple[Layer, ...], x: Floats32) -> Floats32:
    for layer in layers[:-1]:
        x = _silu(layer(x))
    return layers[-1](x)


def _silu(x: Floats32) -> Floats32:
    """X * sigmoid(x) in place; exp of a large negative x would overflow, so it is bounded."""
    gate = np.exp(-np.maximum(x, np.float32(-80)))
    gate += np.float32(1)
    x /= gate
    return x
