"""What is known of a topic, and how the topics of our outputs are to be made.

Plain values; knows nothing of a client or of settings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Role = Literal["anomalies", "dead letters", "scores"]
Right = Literal["READ", "WRITE", "DESCRIBE"]

DAY_MS: Final = 86_400_000
RETENTION_MS: Final[dict[Role, int]] = {
    "anomalies": 30 * DAY_MS,
    "dead letters": 14 * DAY_MS,
    "scores": 7 * DAY_MS,
}
"""How long each kind of output is kept, unless somebody sets the topic otherwise."""


@dataclass(frozen=True, slots=True)
class TopicFacts:
    """What a cluster says of a topic: partitions, copies of each, and what we may do there.

    A topic that we may not even describe has no partitions and no rights. `rights` is None where
    the cluster does not tell.
    """

    partitions: int
    replication: int
    rights: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Kept:
    """How safe a topic's records are: copies of each, and how many there are before it counts.

    `in_sync` is None where the cluster does not tell.
    """

    copies: int
    in_sync: int | None


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """A topic to make; None leaves a number to the cluster. What is in it is never compacted."""

    name: str
    partitions: int | None
    replication: int | None
    retention_ms: int


def planned(
    role: Role, name: str, partitions: int | None, replication: int | None, like: TopicFacts | None
) -> TopicPlan:
    """How an output topic is to be: as was asked for, else as the input topic `like` is."""
    return TopicPlan(
        name=name,
        partitions=partitions or (like.partitions if like else None),
        replication=replication or (like.replication if like else None),
        retention_ms=RETENTION_MS[role],
    )
