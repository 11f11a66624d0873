"""Every setting of training: what it shares with the worker, and a section of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, Field, model_validator

from worker.settings import (
    CLOSED,
    TRAINING_SECTION,
    Count,
    Kafka,
    Limits,
    Loaded,
    Settings,
    SettingsError,
    Store,
    Topic,
    leaves,
    load,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


class Training(BaseModel):
    """How a model is trained; one setting for every stream."""

    model_config = CLOSED

    alert_rate: Annotated[float, Field(gt=0, lt=1)] = Field(
        1e-4, description="Share of normal records that may be flagged."
    )
    alerts_per_day: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="The same as a number a day; resolved to a rate by the stretch's own traffic.",
    )
    rows_max: Count = Field(
        200_000,
        description="Records kept of a stretch, fewer where they are wide; of a longer one an even"
        " sample.",
    )
    seed: int = Field(0, ge=0, description="Same data, seed and machine: same model.")
    threads: Count = Field(1, description="Threads of the network's training.")
    network: Literal["autoencoder", "variational"] = Field(
        "autoencoder",
        description="`variational` learns codes that lie like a standard normal distribution, for"
        " drawing new records from; it detects a little less.",
    )


class TrainSettings(BaseModel):
    """All settings of `train`; names and meanings outside `training` are the worker's."""

    model_config = CLOSED

    stream: Topic = Field(
        description="Name of the model's folder in the store; that of the topic, where none is"
        " given."
    )
    topic: Topic | None = Field(None, description="Topic to learn from, in place of a file.")
    store: Store = Field(Path("models"), description="Folder of the models.")
    kafka: Kafka = Field(default_factory=Kafka)
    limits: Limits = Field(default_factory=Limits)
    training: Training = Field(default_factory=Training)

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, data: dict[str, object]) -> dict[str, object]:
        """The stream is named like the topic unless it is named otherwise."""
        topic = data.get("topic")
        return {"stream": topic, **data} if topic is not None else data


def load_train_settings(
    overrides: Mapping[str, object], *, config: Path | None, environ: Mapping[str, str]
) -> Loaded[TrainSettings]:
    """Training's settings out of the same sources as the worker's; raises SettingsError."""
    own = set(leaves(TrainSettings))
    elsewhere = [name for name in leaves(Settings) if name not in own]
    return load(TrainSettings, overrides, config=config, environ=environ, elsewhere=elsewhere)


def lacks_a_name(error: SettingsError) -> bool:
    """Whether all that is wrong is that neither a stream nor a topic was named anywhere."""
    return [problem.partition(":")[0] for problem in error.problems] == ["stream"] and (
        "is required" in error.problems[0]
    )


__all__ = [
    "TRAINING_SECTION",
    "SettingsError",
    "TrainSettings",
    "Training",
    "lacks_a_name",
    "leaves",
    "load_train_settings",
]
