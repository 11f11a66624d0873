"""Where the demo is played, as a Protocol: topics, a training and a worker that can be started.

Whether they are processes beside a Kafka broker or threads over a log in memory is the stages'.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from worker.records import Output, RawRecord

PARTITIONS: Final = 4
ALERT_RATE: Final = 1e-3
MODELS: Final = "models"
"""Folder of the models inside the demo's own."""


@dataclass(frozen=True, slots=True)
class Topics:
    """The names of the topics, which follow from that of the input as everywhere."""

    input: str

    @property
    def anomalies(self) -> str:
        """Anomaly events."""
        return f"{self.input}.anomalies"

    @property
    def dead_letters(self) -> str:
        """Records that cannot be scored."""
        return f"{self.input}.dlq"

    @property
    def scores(self) -> str:
        """A line for every record."""
        return f"{self.input}.scores"

    @property
    def outputs(self) -> tuple[str, str, str]:
        """All that the worker writes to."""
        return (self.anomalies, self.dead_letters, self.scores)

    def __str__(self) -> str:
        suffixes = (name.removeprefix(f"{self.input}.") for name in self.outputs)
        return f"{self.input} {self.input}.{{{','.join(suffixes)}}}"


class Stage(Protocol):
    """One set of topics with a training and a worker. Used from one thread only.

    Every method may raise what the broker makes a program raise: Retryable, Unreachable,
    NotPermitted.
    """

    @property
    def topics(self) -> Topics:
        """Made, empty and ready when the stage is built."""
        ...

    def fill(self, outputs: Iterable[Output]) -> int:
        """Put records into the input topic; returns once they are there, with their number."""
        ...

    def train(self, seed: int) -> str:
        """Learn from all that the input topic holds; what is to be told of it.

        Raises StepFailed.
        """
        ...

    def watch(self) -> str:
        """Start the worker where the training ended; the address of its metrics, once it is ready.

        Raises StepFailed.
        """
        ...

    def send(self, outputs: Sequence[Output]) -> None:
        """Send records to the input topic, without waiting for them to be there."""
        ...

    def arrived(self) -> Sequence[str]:
        """The ids that records sent since the last call have got, in the order of sending."""
        ...

    def received(self, timeout_s: float) -> Sequence[RawRecord]:
        """What has come to the output topics since the last call.

        Waits at most about so long for the first. Raises StepFailed when the worker has ended.
        """
        ...

    def finish(self) -> Sequence[RawRecord]:
        """End the worker as an operator would, and give all that it left behind."""
        ...

    def close(self) -> None:
        """End whatever runs and let go of connections. Bounded in time; safe to call twice."""
        ...
