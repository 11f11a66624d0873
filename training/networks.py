"""The autoencoder in torch: how it is built, trained, and handed over to numpy."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from worker.model.network import Layer, Network

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


LOG_VARIANCE_MAX = 8.0
"""Keeps the first steps of a variational network finite."""


@dataclass(frozen=True)
class NetworkSettings:
    """Shape and training of the network (reference recipe, sections 2 and 9).

    hidden: width of the outer hidden layer, the inner one has half; latent_max: numbers in a code
    at most; noise, mask: deviation of the Gaussian noise and share of inputs set to 0 that the
    network learns to undo; drop: the worst share of each batch that teaches nothing after the
    first eighth of the steps, so that anomalies among the rows are not learned; variational: learn
    a distribution for each code, held near a standard normal one, whose mean is the code later.
    """

    hidden: int = 96
    latent_max: int = 32
    steps: int = 400
    batch_rows: int = 256
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    noise: float = 0.1
    mask: float = 0.1
    drop: float = 0.45
    variational: bool = False

    @property
    def kind(self) -> str:
        """The network's name in an artefact."""
        return "variational" if self.variational else "autoencoder"

    def latent_width(self, width: int) -> int:
        """Numbers in a code for rows of `width` columns: wide on purpose, the noise binds it."""
        return max(2, min(self.latent_max, width))


class Autoencoder(nn.Module):
    """Dense layers down to the code and back, SiLU between."""

    def __init__(self, width: int, settings: NetworkSettings) -> None:
        """Layers for rows of `width` columns; drawn from torch's current seed."""
        super().__init__()
        hidden, code = settings.hidden, settings.latent_width(width)
        self.encoder = _stack(width, hidden, hidden // 2, code)
        self.decoder = _stack(code, hidden // 2, hidden, width)
        self.log_variance = nn.Linear(hidden // 2, code) if settings.variational else None

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """The rows as the decoder gives them back."""
        rebuilt: torch.Tensor = self.decoder(self.encoder(rows))
        return rebuilt

    def drawn(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Rows as decoded from a code that is drawn, and each one's divergence, in nats.

        The divergence is that of the code's distribution from a standard normal one (Kingma and
        Welling 2014, appendix B). A plain network draws nothing: its divergence is 0.
        """
        inner = self.encoder[:-1](rows)
        mean = self.encoder[-1](inner)
        if self.log_variance is None:
            return self.decoder(mean), torch.zeros(len(rows))
        log_variance = self.log_variance(inner).clamp(-LOG_VARIANCE_MAX, LOG_VARIANCE_MAX)
        code = mean + torch.exp(log_variance / 2) * torch.randn_like(mean)
        divergence = (mean**2 + log_variance.exp() - 1 - log_variance).sum(1) / 2
        return self.decoder(code), divergence

    def export(self) -> Network:
        """The same weights as a numpy network; of a variational one the mean is the code."""
        return Network(encoder=_exported(self.encoder), decoder=_exported(self.decoder))


def train_autoencoder(
    rows: NDArray[np.float32],
    settings: NetworkSettings,
    seed: int,
    on_step: Callable[[int, int], None] = lambda _step, _steps: None,
) -> Autoencoder:
    """Train on float32 rows (n, d); a number of steps, not of epochs, so cost does not grow with n.

    The same rows, seed, machine and thread count give the same weights. `on_step(done, of)` is
    told of progress.
    """
    torch.manual_seed(seed)
    table = torch.from_numpy(np.ascontiguousarray(rows))
    model = Autoencoder(table.shape[1], settings)
    optimiser = torch.optim.AdamW(
        model.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.learning_rate, total_steps=settings.steps
    )
    for step in range(settings.steps):
        batch = table[torch.randint(0, len(table), (settings.batch_rows,))]
        loss = _loss(model, batch, settings, trim=step >= settings.steps // 8)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch types it in part
        optimiser.step()
        schedule.step()
        on_step(step + 1, settings.steps)
    return model.eval()


def _loss(
    model: Autoencoder, batch: torch.Tensor, settings: NetworkSettings, *, trim: bool
) -> torch.Tensor:
    noisy = batch + settings.noise * torch.randn_like(batch)
    noisy = noisy * (torch.rand_like(noisy) > settings.mask)
    rebuilt, divergence = model.drawn(noisy)
    by_row = nn.functional.smooth_l1_loss(rebuilt, batch, reduction="none").mean(1)
    by_row = by_row + divergence / batch.shape[1]  # the evidence bound, for a column
    if trim and settings.drop:
        by_row = by_row[by_row <= by_row.detach().quantile(1 - settings.drop)]
    return by_row.mean()


def _stack(*widths: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.SiLU()]
    return nn.Sequential(*layers[:-1])


def _exported(stack: nn.Sequential) -> tuple[Layer, ...]:
    return tuple(
        Layer(
            weight=np.ascontiguousarray(layer.weight.detach().numpy().T),
            bias=layer.bias.detach().numpy().copy(),
        )
        for layer in stack
        if isinstance(layer, nn.Linear)
    )
