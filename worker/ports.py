"""The seams of the worker as Protocols, and the errors that tell its loop what to do.

    LatentwatchError
    ├── Retryable          nothing was committed: rewind, back off, try again
    ├── MembershipLost     the batch belongs to another member now: drop it, rewind
    ├── Unreachable        broker, topic or store is not there (exit 69 once waiting is over)
    ├── NotPermitted       authentication or authorisation failed (exit 77)
    ├── Fenced             another process runs under our identity: end (exit 75)
    ├── OutputTooLarge     one output does not fit: shrink it and deliver again
    └── Unreadable         the log holds bytes that no client can read: end (exit 65)

All else is a defect: it ends the process, and the supervisor restarts it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from worker.model.calibration_watch import CalibrationState
    from worker.model.detector import Scores
    from worker.model.schema import Columns, FeatureSchema
    from worker.records import (
        Anomaly,
        Lags,
        Membership,
        ModelNote,
        Output,
        Partition,
        Position,
        RawBatch,
        RawRecord,
        Rejection,
    )


class LatentwatchError(Exception):
    """Anything that the product raises on purpose; the message is written for its user.

    `exit_code` is what a program ends with when nobody handles it (sysexits).
    """

    exit_code = 70


class Retryable(LatentwatchError):  # noqa: N818 - says what the caller should do, not that it is an error
    """Publishing or committing did not finish; nothing counts as done."""

    exit_code = 75


class MembershipLost(LatentwatchError):  # noqa: N818 - as above
    """The group gave our partitions to somebody else since the poll."""

    exit_code = 75


class Unreachable(LatentwatchError):  # noqa: N818 - as above
    """Something that we depend on is not there."""

    exit_code = 69


class NotPermitted(LatentwatchError):  # noqa: N818 - as above
    """The broker refuses us: wrong credentials or a missing right."""

    exit_code = 77


class Fenced(LatentwatchError):  # noqa: N818 - as above
    """A twin took over our identity."""

    exit_code = 75


class OutputTooLarge(LatentwatchError):  # noqa: N818 - as above
    """One output is larger than the client or the broker takes; no position was committed.

    `index` is its place in the outputs of that call; sending it again unchanged cannot succeed.
    """

    def __init__(self, index: int, message: str) -> None:
        super().__init__(message)
        self.index = index


class Unreadable(LatentwatchError):  # noqa: N818 - as above
    """A record cannot be read at all: a broken checksum, a codec that is not installed."""

    exit_code = 65


class RecordLog(Protocol):
    """A partitioned log read as one member of a group. Used from one thread only."""

    def poll(self, records_max: int, timeout_s: float) -> RawBatch:
        """At most `records_max` records, waiting at most about `timeout_s` for the first.

        After any change of assignment everything buffered is dropped and every assigned partition
        goes on from its committed position (or the start rule); such a poll may come back empty,
        and then without a membership, which all others have.
        A record that was polled but whose batch was never committed is polled again after that.
        Raises Retryable when the log is out of reach for now, NotPermitted, and Unreadable with
        the partition and the offset.
        """
        ...

    def rewind(self) -> None:
        """Forget what was polled since the last commit: the next poll starts at the committed."""
        ...

    def pause(self) -> None:
        """Stop fetching but stay in the group; poll then returns nothing and keeps us alive."""
        ...

    def resume(self) -> None:
        """Undo pause."""
        ...

    def assigned(self) -> frozenset[Partition]:
        """The partitions that are ours now."""
        ...

    def lags(self) -> Lags:
        """How far behind we are, as of the last poll; no request is made."""
        ...

    def close(self) -> None:
        """Leave the group. Bounded in time; safe to call twice; commits nothing."""
        ...


class Delivery(Protocol):
    """The one seam that carries the delivery promise; the loop does not know which one."""

    def deliver(
        self,
        outputs: Sequence[Output],
        positions: Sequence[Position],
        membership: Membership | None,
    ) -> None:
        """Make `outputs` durable, then `positions`, or neither position.

        Returns only when every output is acknowledged and the positions are committed.
        Raises Retryable, MembershipLost or OutputTooLarge (nothing committed; some outputs may
        have been written), Fenced or NotPermitted.
        Each wait inside has a deadline.
        """
        ...

    def close(self) -> None:
        """Give up what is not acknowledged. Bounded in time; safe to call twice."""
        ...


class Publisher(Protocol):
    """Plain publishing without positions: replay, tests, demo."""

    def publish(self, outputs: Iterable[Output]) -> None:
        """Queue for sending."""
        ...

    def flush(self, timeout_s: float) -> None:
        """Return only when all that was queued is acknowledged.

        Else raise Retryable, NotPermitted or OutputTooLarge, and forget what was queued.
        """
        ...

    def close(self) -> None:
        """Give up what is not acknowledged. Bounded in time."""
        ...


class RecordHistory(Protocol):
    """A bounded stretch of a log, read without a group: it ends, it never waits for more."""

    def span(self, start_ms: int | None, end_ms: int | None) -> Mapping[Partition, tuple[int, int]]:
        """First offset and one past the last of each partition for records in [start, end) by time.

        None means the log's beginning, or its end as of this call.
        """
        ...

    def read(self, span: Mapping[Partition, tuple[int, int]]) -> Iterable[Sequence[RawRecord]]:
        """All records in the span, in chunks, in order within each partition.

        Bounded by position: ends on topics with transaction markers, gaps and compaction too.
        """
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


class LogEvents(Protocol):
    """What a RecordLog tells of besides records, from its own thread, after a poll.

    Every Metrics is one.
    """

    def rebalanced(self, kind: str, partitions: int) -> None:
        """The assignment changed: `assigned`, `revoked` or `lost`; how many we hold now."""
        ...

    def offset_reset(self, partition: Partition) -> None:
        """A position was no longer in the log and had to be moved."""
        ...


class Clock(Protocol):
    """The only source of time in the loop."""

    def monotonic(self) -> float:
        """Seconds that never jump."""
        ...

    def now(self) -> float:
        """Seconds since the epoch."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait; returns early when the program is asked to stop."""
        ...


class Metrics(Protocol):
    """One method an event; metric names exist only in the adapter."""

    def batch_polled(self, records: int, size_bytes: int, lags: Lags) -> None:
        """A poll came back, perhaps empty."""
        ...

    def batch_processed(self, *, normal: int, anomalies: int, invalid: int, skipped: int) -> None:
        """A batch was delivered and committed, so counted once however often it was tried."""
        ...

    def anomaly(self, severity: str, feature: str) -> None:
        """One anomaly was published; `feature` is the one that contributed most."""
        ...

    def summed_up(self, anomalies: int) -> None:
        """So many of a batch's anomalies were told in one event, beyond the limit of a flood."""
        ...

    def rejected(self, reason: str) -> None:
        """One record went to the dead-letter topic."""
        ...

    def scores(
        self,
        score: NDArray[np.float64],
        latent: NDArray[np.float64],
        error: NDArray[np.float64],
    ) -> None:
        """Scores, latent distances and reconstruction errors of a delivered batch."""
        ...

    def calibration(self, ratio: float | None, *, is_broken: bool) -> None:
        """Observed over expected share above score 2, None where not known yet."""
        ...

    def missing(self, values: int, of_values: int) -> None:
        """How many feature values of a delivered batch had to be imputed."""
        ...

    def features_missing(self, records: Mapping[str, int]) -> None:
        """In how many records of a batch each feature was missing, if in any.

        Records that are rejected for what they lack count too, and those of a batch that is held
        back for its dead letters.
        """
        ...

    def event_lag(self, newest_ms: int, now_s: float) -> None:
        """Timestamp of the newest record of a delivered batch."""
        ...

    def stage(self, name: str, seconds: float) -> None:
        """Time spent in one stage (poll, decode, score, explain, encode, deliver) of a batch."""
        ...

    def delivery_failed(self, reason: str) -> None:
        """A batch was not delivered and will be read again."""
        ...

    def rebalanced(self, kind: str, partitions: int) -> None:
        """The assignment changed: `assigned`, `revoked` or `lost`; how many we hold now."""
        ...

    def offset_reset(self, partition: Partition) -> None:
        """A position was no longer in the log and had to be moved."""
        ...

    def model_loaded(self, version: str, trained_at: str, threshold: float) -> None:
        """A model is in use from now on."""
        ...

    def model_refused(self, version: str, reason: str) -> None:
        """A promoted model failed its checks; the current one stays."""
        ...

    def model_confirmed(self) -> None:
        """After trouble with the store or a version: the model in use is the promoted one."""
        ...

    def ready(self, *, is_ready: bool) -> None:
        """Whether records flow."""
        ...


@dataclass(frozen=True, slots=True)
class Decoded:
    """A batch as columns: which rows of the batch can be scored, and what became of the others.

    `rows[i]` is the row in the batch of row i of `columns`; `skipped` holds the rows that are none
    of the model's business (tombstones, other record types), `missing` how many feature values
    had to be left out of the rows in `columns`; `missing_by_feature` in how many records each was
    missing, those that are rejected for it included.
    """

    columns: Columns
    rows: NDArray[np.intp]
    rejections: Sequence[Rejection]
    skipped: Sequence[int]
    missing: int
    missing_by_feature: Mapping[str, int] = field(default_factory=dict)


class RecordCodec(Protocol):
    """Bytes to columns. Total: every record is decoded, skipped, or rejected with a reason."""

    def decode(self, values: Sequence[bytes | None], schema: FeatureSchema) -> Decoded:
        """Read the schema's features from each value. Never raises for what a value holds."""
        ...

    def read(self, value: bytes, schema: FeatureSchema) -> Sequence[object]:
        """The plain values at `schema.names` of a record that decode accepted, None if absent."""
        ...


class Model(Protocol):
    """A loaded model, as far as the loop needs it."""

    @property
    def note(self) -> ModelNote:
        """What events tell of it."""
        ...

    @property
    def schema(self) -> FeatureSchema:
        """What to read from a record."""
        ...

    def score(self, columns: Columns) -> Scores:
        """Scores of a batch's rows; a row's score does not depend on the rows beside it."""
        ...

    def explain(
        self, columns: Columns, scores: Scores, read: Callable[[int], Sequence[object]]
    ) -> list[Anomaly]:
        """The flagged rows, explained; `read(i)` gives the plain values of row i."""
        ...

    def delivered(self, scores: Scores) -> CalibrationState:
        """A batch was delivered with these scores; whether they still mean what they say."""
        ...

    def undo(self) -> None:
        """The batch that was scored last was not delivered and comes again: it was never seen."""
        ...


class Scorer(Protocol):
    """Holds the model in use; swaps in a promoted one between batches, never inside one."""

    def current(self) -> Model:
        """The model for the next batch; one batch uses one model. No I/O on the caller's thread."""
        ...


class Encoder(Protocol):
    """What is put out, as bytes with headers; knows the topics."""

    def anomaly(self, record: RawRecord, anomaly: Anomaly, model: ModelNote) -> Output:
        """The anomaly event of a record."""
        ...

    def flood(
        self, records: Sequence[RawRecord], anomalies: Sequence[Anomaly], model: ModelNote
    ) -> Output:
        """One event for many anomalies; `records[i]` is the record of `anomalies[i]`."""
        ...

    def dead_letter(self, record: RawRecord, rejection: Rejection, model: ModelNote) -> Output:
        """The record as it was, with what was wrong in its headers."""
        ...

    def scores(
        self, records: Sequence[RawRecord], decoded: Decoded, scores: Scores
    ) -> list[Output]:
        """A line for each record that was scored or rejected, in their order; [] when not asked."""
        ...

    def shrunk(self, output: Output) -> Output | None:
        """A smaller stand-in for an output that did not fit, None when it is as small as can be."""
        ...
