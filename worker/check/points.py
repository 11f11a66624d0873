"""What was looked at and how it is; what is looked at, and what mends it, as seams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from worker.ports import Model
    from worker.records import RawRecord
    from worker.topics import Kept, Right, TopicFacts

EXIT_ORDER: Final = (69, 77, 65, 78)
"""Which failure a program hears of when there are several: what the others may follow from."""

Status = Literal["ok", "warned", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Point:
    """One thing that was looked at: how it is, and, where it failed, the command that mends it."""

    name: str
    status: Status
    detail: str
    mend: str | None = None
    exit_code: int = 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a worker with these settings needs."""

    topic: str
    outputs: Sequence[str]
    group: str
    dead_letter_share_max: float
    delivery: str = "at_least_once"


class Mends(Protocol):
    """The commands that mend, as they are to be typed here."""

    @property
    def broker(self) -> str:
        """Look again, at another broker."""
        ...

    @property
    def outputs(self) -> str:
        """Make the output topics."""
        ...

    @property
    def train(self) -> str:
        """Train a model."""
        ...

    def topic(self, near: str | None) -> str:
        """Make the input topic, or look again at one of nearly that name."""
        ...

    def right(self, right: Right, kind: Literal["topic", "group"], name: str) -> str:
        """Allow something."""
        ...


class Surroundings(Protocol):
    """What is looked at. Every method raises Unreachable or NotPermitted where it cannot answer."""

    def brokers(self) -> str:
        """What answers, in words."""
        ...

    def topics(self, names: Sequence[str]) -> Mapping[str, TopicFacts | None]:
        """What the cluster says of each topic."""
        ...

    def near(self, name: str) -> str | None:
        """A topic that is there and has nearly that name."""
        ...

    def may_join(self, group: str) -> bool:
        """Whether we may read as a member of the group."""
        ...

    def kept(self, names: Sequence[str]) -> Mapping[str, Kept | None]:
        """How safe the records of each topic are, None where there is none that we may see."""
        ...

    def may_lose_markers(self) -> bool:
        """Whether the brokers are of a release that can lose the end of a transaction."""
        ...

    def model(self) -> Model:
        """The promoted model. Raises also what loading raises, with its own exit code."""
        ...

    def newest(self, records_max: int) -> Sequence[RawRecord]:
        """The newest records of the input topic. Raises also Unreadable."""
        ...


def exit_code(points: Sequence[Point]) -> int:
    """What a program ends with: 0, or the code of the failure that comes first in EXIT_ORDER."""
    codes = {point.exit_code for point in points if point.status == "failed"}
    return next((code for code in (*EXIT_ORDER, *sorted(codes)) if code in codes), 0)
