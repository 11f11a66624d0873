"""Every setting of the worker: typed, frozen, with its default and its reason.

Where values are written and how they are gathered is sources.py's.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from worker.settings.security import Security
from worker.settings.sources import (
    COMMAND_LINE,
    DEFAULT,
    Loaded,
    SettingsError,
    flattened,
    leaves,
    load,
    presentable,
    variable,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "AUTO",
    "COMMAND_LINE",
    "DEFAULT",
    "Http",
    "Kafka",
    "Limits",
    "Loaded",
    "Output",
    "ScoreSettings",
    "Security",
    "Settings",
    "SettingsError",
    "flattened",
    "leaves",
    "load",
    "load_score_settings",
    "load_settings",
    "presentable",
    "variable",
]

AUTO = "auto"
TRAINING_SECTION = "training"
"""The section of the same file and environment that `train` checks."""


def _is_topic(name: object) -> bool:
    """Whether a broker takes it; what it takes is a legal folder name as well."""
    is_name = isinstance(name, str) and re.fullmatch(r"[a-zA-Z0-9._-]{1,249}", name)
    return bool(is_name) and name not in {".", ".."}


def _legal_topic(name: str) -> str:
    if not _is_topic(name):
        raise ValueError(
            "needs 1 to 249 letters, digits, dots, dashes or underscores, and not . or .. alone"
        )
    return name


def _folder(value: object) -> object:
    if "://" in str(value):
        raise ValueError("the store is a folder; addresses of object stores are not taken")
    return value


Topic = Annotated[str, AfterValidator(_legal_topic)]
Store = Annotated[Path, BeforeValidator(_folder)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Text = Annotated[str, Field(min_length=1)]

CLOSED = ConfigDict(frozen=True, extra="forbid", validate_default=True)
"""Frozen, no unknown names, and defaults are checked against what was given beside them."""


def _needs(value: float, info: ValidationInfo, *, above: str) -> float:
    """`value`, if it is above an earlier setting of its section."""
    limit = info.data.get(above)
    if limit is not None and value <= limit:
        raise ValueError(f"must be above {above} ({limit:g})")
    return value


class Kafka(BaseModel):
    """The broker and the times that bound every wait for it."""

    model_config = CLOSED

    bootstrap_servers: Annotated[str, Field(pattern=r"^[^\s,]+(,[^\s,]+)*$")] = Field(
        "localhost:9092", description="Brokers to ask first: `host:port`, comma between several."
    )
    client_id: Text = Field(
        "latentwatch", description="Name in the broker's logs, metrics and quotas."
    )
    session_timeout_s: Seconds = Field(
        10, description="A worker that is silent for so long loses its partitions."
    )
    heartbeat_s: Seconds = Field(
        3, description="Time between signs of life; below half of `session_timeout_s`."
    )
    max_poll_interval_s: Seconds = Field(
        60,
        description="A worker that takes longer for one batch loses its partitions; above"
        " `session_timeout_s`. A stuck worker delays every rebalance by up to this.",
    )
    request_timeout_s: Annotated[float, Field(ge=1, le=300)] = Field(
        5, description="Wait for one answer of a broker."
    )
    delivery_timeout_s: Seconds = Field(
        8,
        description="Wait for the acknowledgement of one record, retries included; above"
        " `request_timeout_s`.",
    )
    deliver_deadline_s: Seconds = Field(
        10,
        description="Wait for a whole batch to be published and committed; above"
        " `delivery_timeout_s`, below `max_poll_interval_s`.",
    )
    transaction_timeout_s: Seconds = Field(
        90,
        description="A transaction that is open for so long is ended by the broker; above"
        " `deliver_deadline_s`, and longer than any outage of the broker that is to be survived."
        " What a worker that never comes back left open holds readers up for so long.",
    )
    poll_records_max: Count = Field(2000, description="Records of one batch at most.")
    security: Security = Field(default_factory=Security)

    @field_validator("heartbeat_s")
    @classmethod
    def _two_in_a_session(cls, value: float, info: ValidationInfo) -> float:
        session_s = info.data.get("session_timeout_s")
        if session_s is not None and value >= session_s / 2:
            raise ValueError(f"must be below half of session_timeout_s ({session_s:g})")
        return value

    @field_validator("max_poll_interval_s")
    @classmethod
    def _above_session(cls, value: float, info: ValidationInfo) -> float:
        return _needs(value, info, above="session_timeout_s")

    @field_validator("delivery_timeout_s")
    @classmethod
    def _above_request(cls, value: float, info: ValidationInfo) -> float:
        return _needs(value, info, above="request_timeout_s")

    @field_validator("deliver_deadline_s")
    @classmethod
    def _between(cls, value: float, info: ValidationInfo) -> float:
        interval_s = info.data.get("max_poll_interval_s")
        if interval_s is not None and value >= interval_s:
            raise ValueError(f"must be below max_poll_interval_s ({interval_s:g})")
        return _needs(value, info, above="delivery_timeout_s")

    @field_validator("transaction_timeout_s")
    @classmethod
    def _above_deadline(cls, value: float, info: ValidationInfo) -> float:
        return _needs(value, info, above="deliver_deadline_s")


class Output(BaseModel):
    """What is published, and where."""

    model_config = CLOSED

    topic: Topic = Field("<topic>.anomalies", description="Topic for anomalies.")
    dead_letter_topic: Topic = Field(
        "<topic>.dlq", description="Topic for records that cannot be scored."
    )
    scores_topic: Topic = Field("<topic>.scores", description="Topic for scores.")
    scores: Literal["flagged", "all"] = Field(
        "flagged",
        description="`all`: the score of every record goes to the scores topic, too.",
    )
    include_record: bool = Field(
        default=False,
        description="Put the original record into the anomaly; it may hold personal data.",
    )

    @field_validator("dead_letter_topic", "scores_topic")
    @classmethod
    def _own_topic(cls, value: str, info: ValidationInfo) -> str:
        for other in ("topic", "dead_letter_topic"):
            if other != info.field_name and info.data.get(other) == value:
                raise ValueError(f"must differ from output.{other}")
        return value


class Limits(BaseModel):
    """From where on a record, or a stretch of them, is not scored."""

    model_config = CLOSED

    record_bytes_max: Count = Field(
        1024 * 1024, description="A larger record goes to the dead-letter topic."
    )
    depth_max: Annotated[int, Field(ge=1, le=500)] = Field(
        64, description="A record nested deeper goes to the dead-letter topic."
    )
    missing_share_max: Share = Field(
        0.5,
        description="A record that lacks a larger share of the features, and more than is usual,"
        " goes to the dead-letter topic; up to it they are imputed.",
    )
    dead_letter_share_max: Share = Field(
        0.2,
        description="When a larger share of recent records would be dead-lettered, the worker"
        " holds them uncommitted and is not ready.",
    )
    dead_letter_window: Count = Field(
        10_000, description="How many recent records that share is taken of."
    )
    events_per_s_max: Count = Field(
        100,
        description="Anomalies published each by itself, a second, with ten seconds' worth in hand;"
        " those beyond, in a flood, are summed up in one event for a batch.",
    )


class Http(BaseModel):
    """Where metrics and health are served."""

    model_config = CLOSED

    host: Text = Field("0.0.0.0", description="Address to listen on.")  # noqa: S104 - probes come from outside
    port: Annotated[int, Field(ge=0, le=65535)] = Field(
        9108, description="Port to listen on; 0 takes any free one."
    )


class Settings(BaseModel):
    """All settings of the worker. Defaults that hold `<topic>` or `<stream>` are filled in."""

    model_config = CLOSED

    topic: Topic = Field(description="Topic to watch.")
    stream: Topic = Field("<topic>", description="Name of the model's folder in the store.")
    store: Store = Field(Path("models"), description="Folder of the models.")
    group: Text = Field(
        "latentwatch.<stream>", description="Consumer group; another one starts over."
    )
    delivery: Literal["at_least_once", "exactly_once"] = Field(
        "at_least_once",
        description="`exactly_once`: what is published and how far was read go into one"
        " transaction; readers with isolation level read_committed see each output once.",
    )
    slot: Topic = Field(
        AUTO,
        description="Name of this worker among those of its group, one that it has again after a"
        " restart and nobody else has meanwhile. `auto`: for `exactly_once` the first free of"
        " `<host>-0`, `<host>-1` and so on, by a lock in `slot_folder`; else none.",
    )
    slot_folder: Path = Field(
        Path("/tmp/latentwatch"),  # noqa: S108 - empty files that are only locked
        description="Folder of the locks, on this host alone.",
    )
    kafka: Kafka = Field(default_factory=Kafka)
    output: Output = Field(default_factory=Output)
    limits: Limits = Field(default_factory=Limits)
    http: Http = Field(default_factory=Http)
    startup_timeout_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        60, description="How long `run` waits for broker, topics and model before it gives up."
    )
    watchdog_s: Seconds = Field(
        120,
        description="A loop that stands still for so long ends the process; above"
        " `kafka.max_poll_interval_s`.",
    )
    model_check_s: Seconds = Field(5, description="Time between looks for a promoted model.")
    from_beginning: bool = Field(
        default=False,
        description="Without committed offsets start at the topic's beginning, not where the"
        " model's training ended.",
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, data: dict[str, Any]) -> dict[str, Any]:
        """Defaults that follow from the topic; a bad topic is reported once, not with each."""
        topic = data.get("topic")
        topic = topic if _is_topic(topic) else "x"
        filled = {"stream": topic, **data}
        filled = {"group": f"latentwatch.{filled['stream']}", **filled}
        output = data.get("output", {})
        if isinstance(output, dict):
            suffixes = {"topic": "anomalies", "dead_letter_topic": "dlq", "scores_topic": "scores"}
            named = {name: f"{topic}.{suffix}" for name, suffix in suffixes.items()}
            filled["output"] = {**named, **output}
        return filled

    @field_validator("output")
    @classmethod
    def _not_the_input(cls, value: Output, info: ValidationInfo) -> Output:
        topics = {name: getattr(value, name) for name in Output.model_fields if "topic" in name}
        same = [
            f"output.{name}" for name, topic in topics.items() if topic == info.data.get("topic")
        ]
        if same:
            raise ValueError(f"{', '.join(same)} must differ from the input topic")
        return value

    @field_validator("watchdog_s")
    @classmethod
    def _patient_enough(cls, value: float, info: ValidationInfo) -> float:
        kafka = info.data.get("kafka")
        if kafka is not None and value <= kafka.max_poll_interval_s:
            raise ValueError(
                f"must be above kafka.max_poll_interval_s ({kafka.max_poll_interval_s:g})"
            )
        return value


class ScoreSettings(BaseModel):
    """What scoring without a broker needs; names and meanings are those of Settings."""

    model_config = CLOSED

    stream: Topic = Field(description="Name of the model's folder in the store.")
    store: Store = Field(Path("models"), description="Folder of the models.")
    limits: Limits = Field(default_factory=Limits)


def load_settings(
    overrides: Mapping[str, object], *, config: Path | None, environ: Mapping[str, str]
) -> Loaded[Settings]:
    """The worker's settings; see sources.load for where they come from and what is raised."""
    return load(Settings, overrides, config=config, environ=environ, elsewhere=[TRAINING_SECTION])


def load_score_settings(
    overrides: Mapping[str, object], *, config: Path | None, environ: Mapping[str, str]
) -> Loaded[ScoreSettings]:
    """What scoring without a broker needs, out of the same sources."""
    elsewhere = [*leaves(Settings), TRAINING_SECTION]
    return load(ScoreSettings, overrides, config=config, environ=environ, elsewhere=elsewhere)
