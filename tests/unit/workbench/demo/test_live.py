"""The live part against a stage of the test's own: what does not come out is found missing."""

from __future__ import annotations

from contextlib import closing
from itertools import repeat
from typing import TYPE_CHECKING

from tests.unit.workbench.demo.test_tally import TOPICS, scored
from workbench.demo.feed import Item
from workbench.demo.kept import EVENTS, LIVE, TRUTH, Kept
from workbench.demo.live import Live
from workbench.demo.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    import pytest

    from worker.records import Output, RawRecord


class Scorer:
    """A stage whose worker scores every record but those at the offsets in `swallows`."""

    topics = TOPICS

    def __init__(self, *swallows: int) -> None:
        self.sent: list[Output] = []
        self.finished = False
        self._swallows = swallows
        self._told = self._heard = 0

    def fill(self, outputs: Iterable[Output]) -> int:
        return len(list(outputs))

    def train(self, seed: int) -> str:
        return str(seed)

    def watch(self) -> str:
        return ""

    def send(self, outputs: Sequence[Output]) -> None:
        self.sent += outputs

    def arrived(self) -> Sequence[str]:
        ids = [f"fleet-0-{i}" for i in range(self._told, len(self.sent))]
        self._told = len(self.sent)
        return ids

    def received(self, timeout_s: float) -> Sequence[RawRecord]:
        assert timeout_s < 1
        new = range(self._heard, len(self.sent))
        self._heard = len(self.sent)
        return [scored(i) for i in new if i not in self._swallows]

    def finish(self) -> Sequence[RawRecord]:
        self.finished = True
        return self.received(0)

    def close(self) -> None:
        self.finished = True


class Feed:
    """Records without end, or so many."""

    about = ""
    judged = False

    def __init__(self, rate: float, count: int | None = None) -> None:
        self.rate = rate
        self._count = count

    def early(self) -> Iterator[tuple[int, Item]]:
        return iter(())

    def live(self) -> Iterator[Item]:
        item = Item(b"k", b"{}")
        return repeat(item) if self._count is None else repeat(item, self._count)


class Shown:
    """A screen that counts."""

    def __init__(self) -> None:
        self.times = 0

    def show(self, tally: Tally, elapsed_s: float, of_s: float) -> None:
        assert tally.sent > 0
        assert elapsed_s >= 0 < of_s
        self.times += 1

    def close(self) -> None: ...


def run(stage: Scorer, feed: Feed, folder: Path, seconds: float) -> Tally:
    tally, screen = Tally(TOPICS, judged=False), Shown()
    with closing(Kept(folder)) as kept:
        Live(stage, feed, tally, kept, screen).run(seconds)
    assert screen.times > 0
    return tally


def test_records_go_in_at_the_rate_that_was_asked_for(tmp_path: Path) -> None:
    stage = Scorer()
    tally = run(stage, Feed(rate=500), tmp_path, seconds=0.5)
    assert 200 <= tally.sent <= 251
    assert tally.summary().lost == 0
    assert stage.finished


def test_a_feed_that_ends_ends_the_run(tmp_path: Path) -> None:
    assert run(Scorer(), Feed(rate=1000, count=30), tmp_path, seconds=60).sent == 30


def test_what_does_not_come_out_in_time_is_lost(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("workbench.demo.live.ACCOUNT_TIMEOUT_S", 0.05)
    tally = run(Scorer(3, 5), Feed(rate=1000, count=30), tmp_path, seconds=60)
    assert tally.summary().lost == 2


def test_what_was_sent_is_kept_line_for_line_with_the_truth(tmp_path: Path) -> None:
    with closing(Kept(tmp_path)) as kept:
        kept.send([Item(b"k", b'{"a":1}', "spike", (0.5,)), Item(b"k", None), Item(b"k", b"")])
        kept.arrive(["t-0-0", "t-0-1", "t-1-0"])
        kept.event(scored(0))
    assert (tmp_path / LIVE).read_bytes() == b'{"a":1}\n\n'
    assert (tmp_path / TRUTH).read_bytes().splitlines() == [
        b'{"id":"t-0-0","fault":"spike","factors":{"load":0.5}}',
        b'{"id":"t-1-0","fault":null,"factors":{}}',
    ]
    assert (tmp_path / EVENTS).read_bytes().count(b"\n") == 1
