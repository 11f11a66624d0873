"""What a run leaves behind for the user: the events, what was sent, and the truth about it."""

from __future__ import annotations

from collections import deque
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

import msgspec

from workbench.demo.fleet import FACTORS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from workbench.demo.feed import Item
    from worker.records import RawRecord

EVENTS: Final = "events.jsonl"
LIVE: Final = "live.jsonl"
TRUTH: Final = "truth.jsonl"
"""Line for line about LIVE: the record's id, what is wrong with it, the factors behind it."""


class Kept:
    """The files, open until they are closed; `folder` must be there.

    Records without a value or with line breaks in it are left out: a line holds none of them.
    """

    def __init__(self, folder: Path) -> None:
        self._closing = ExitStack()
        open_file = self._closing.enter_context
        self._events = open_file((folder / EVENTS).open("wb"))
        self._live = open_file((folder / LIVE).open("wb"))
        self._truth = open_file((folder / TRUTH).open("wb"))
        self._on_the_way: deque[Item] = deque()

    def send(self, items: Sequence[Item]) -> None:
        """The items were sent."""
        self._on_the_way.extend(items)

    def arrive(self, ids: Sequence[str]) -> None:
        """The first of those on the way have got these ids."""
        for record_id in ids:
            item = self._on_the_way.popleft()
            if item.value is None or b"\n" in item.value:
                continue
            factors = dict(zip(FACTORS, item.factors, strict=False))
            truth = {"id": record_id, "fault": item.label, "factors": factors}
            self._live.write(item.value + b"\n")
            self._truth.write(msgspec.json.encode(truth) + b"\n")

    def event(self, record: RawRecord) -> None:
        """An anomaly has come out."""
        self._events.write((record.value or b"") + b"\n")

    def close(self) -> None:
        """All is written."""
        self._closing.close()
