"""The vocabulary of the worker: what is read, where it stood, and what is put out.

Plain values, nearly without behaviour; knows nothing of Kafka, JSON or the model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

Headers = Sequence[tuple[str, bytes | None]]

JsonRecord = dict[str, object] | list[object]
"""A record as its bytes say it: an object, or an array, whose places are its values."""


class Partition(NamedTuple):
    """One partition of a topic."""

    topic: str
    partition: int


class Position(NamedTuple):
    """The offset to read next in a partition: every record below it is dealt with."""

    topic: str
    partition: int
    offset: int


class RawRecord(Protocol):
    """One record as the log holds it; a client's own record class fits without copying."""

    @property
    def topic(self) -> str:
        """Topic that it was read from."""
        ...

    @property
    def partition(self) -> int:
        """Partition of the topic."""
        ...

    @property
    def offset(self) -> int:
        """Offset in the partition."""
        ...

    @property
    def timestamp(self) -> int:
        """Milliseconds since the epoch; -1 where the log has none."""
        ...

    @property
    def key(self) -> bytes | None:
        """Key as bytes, None where there is none."""
        ...

    @property
    def value(self) -> bytes | None:
        """Value as bytes; None is a tombstone."""
        ...

    @property
    def headers(self) -> Headers:
        """Headers in their order; a name may stand more than once."""
        ...


class Record(NamedTuple):
    """A RawRecord of our own, for files and the in-memory log."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Membership:
    """Proof of which member of the group polled a batch; whoever commits must still be it.

    `detail` is the client's own group metadata, opaque to everyone but the adapter that made it.
    """

    generation: int
    member: str
    detail: object = None


@dataclass(frozen=True, slots=True)
class RawBatch:
    """What one poll gave: records in order within each partition, and where to go on after them.

    `positions` may move on without any record, over transaction markers and gaps.
    """

    records: Sequence[RawRecord] = ()
    positions: Sequence[Position] = ()
    membership: Membership | None = None


@dataclass(frozen=True, slots=True)
class Rejection:
    """A record that cannot be scored: its row in the batch, the stage and the reason.

    `reason` is one of a small fixed set (a metric label); `detail` says more, for people.
    """

    row: int
    stage: str
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class FeatureShare:
    """One feature's part in an anomaly: its value, what was expected, its share of the oddness."""

    name: str
    value: object
    expected: object
    contribution: float


@dataclass(frozen=True, slots=True)
class Anomaly:
    """A flagged record, explained: `row` in its batch, the features that matter most first.

    score: -log10 of its tail probability; kind: one of the detector's kinds; the contributions of
    `features` are non-negative and sum to 1.
    """

    row: int
    score: float
    kind: str
    latent_distance: float
    reconstruction_error: float
    features: Sequence[FeatureShare]


@dataclass(frozen=True, slots=True)
class ModelNote:
    """What is told of the model beside a score: times as UTC ISO 8601.

    supported_rate: the smallest alert rate that its calibration shows, 0 where that is not known.
    """

    version: str
    trained_at: str
    alert_rate: float
    threshold: float
    supported_rate: float = 0.0


@dataclass(frozen=True, slots=True)
class Output:
    """A record to publish. `timestamp` in milliseconds, None for the time of publishing."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    timestamp: int | None = None

    @property
    def size(self) -> int:
        """Bytes of key, value and headers, about as a broker counts them."""
        headers = sum(len(name) + len(value or b"") for name, value in self.headers)
        return len(self.key or b"") + len(self.value or b"") + headers


Lags = Mapping[Partition, int]
"""Records between our position and the log's end, for each assigned partition."""

StartRule = Literal["beginning", "end"] | Mapping[int, int]
"""Where a partition without a committed position starts: at the log's beginning, its end, or the
offset given for it; one not named, or an offset no longer in the log, starts at the beginning."""


_REGISTRY_PREFIX_BYTES = 5


def payload(value: bytes) -> bytes:
    """A value less the five bytes that schema-registry serialisers put first; JSON has no such."""
    return value[_REGISTRY_PREFIX_BYTES:] if value[:1] == b"\0" else value
