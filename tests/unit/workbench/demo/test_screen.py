"""What is seen while records flow: a table that is drawn over itself, or a line now and then."""

from __future__ import annotations

import pytest

from tests.unit.workbench.demo.test_tally import TOPICS, book, event, hear, scored
from workbench.demo.screen import Plain, Table
from workbench.demo.tally import Event, Feature, Source, Tally

HEIGHT = 5


class Written:
    """Takes what is written, a piece for each call."""

    def __init__(self) -> None:
        self.pieces: list[str] = []

    def __call__(self, text: str) -> None:
        self.pieces.append(text)


@pytest.fixture
def written() -> Written:
    return Written()


def table(written: Written, *, columns: int = 100, rows: int = 40, colour: bool = False) -> Table:
    return Table(written, lambda: (columns, rows), colour=colour)


@pytest.fixture
def tally() -> Tally:
    return hear(book("spike"), scored(0, flagged=True), event(0))


def test_a_picture_is_one_write_over_the_one_before(written: Written, tally: Tally) -> None:
    screen = table(written)
    screen.show(tally, 1.0, 10.0)
    screen.show(tally, 2.0, 10.0)
    first, second = written.pieces
    assert first.count("\n") == second.count("\n") == HEIGHT
    assert second.startswith(f"\r\x1b[{HEIGHT}A")
    assert "\x1b[2J" not in second


def test_pictures_come_no_faster_than_they_can_be_seen(written: Written, tally: Tally) -> None:
    screen = table(written)
    for hundredth in range(100):
        screen.show(tally, hundredth / 100, 10.0)
    assert len(written.pieces) == 4


def test_the_cursor_is_hidden_and_comes_back(written: Written, tally: Tally) -> None:
    screen = table(written)
    screen.show(tally, 1.0, 10.0)
    screen.close()
    screen.close()
    assert "\x1b[?25l" in written.pieces[0]
    assert written.pieces[1:] == ["\x1b[?25h"]


def test_no_line_is_wider_than_the_terminal(written: Written, tally: Tally) -> None:
    table(written, columns=60).show(tally, 1.0, 10.0)
    lines = written.pieces[0].replace("\x1b[K", "").split("\n")[1:-1]
    assert [line for line in lines if len(line) >= 60] == []


def test_there_are_no_more_anomalies_than_rows(written: Written) -> None:
    tally = hear(book(*[None] * 8), *(event(i) for i in range(8)))
    table(written, rows=8).show(tally, 1.0, 10.0)
    assert written.pieces[0].count("\n") == 6


def test_colours_only_where_they_are_wanted(tally: Tally) -> None:
    plain, painted = Written(), Written()
    table(plain).show(tally, 1.0, 10.0)
    table(painted, colour=True).show(tally, 1.0, 10.0)
    assert "m" not in {piece[-1:] for piece in plain.pieces[0].split("\x1b[")[1:] if piece}
    assert "\x1b[33m" not in plain.pieces[0]
    assert "\x1b[33m" in painted.pieces[0]


def test_an_anomaly_is_shown_with_its_reason_and_the_truth(written: Written, tally: Tally) -> None:
    table(written).show(tally, 1.0, 10.0)
    assert "00:00:00 pump       4.0 a 1 not 2 (100%)  <- spike" in written.pieces[0]


def test_what_a_record_holds_cannot_move_the_cursor(written: Written) -> None:
    tally = Tally(TOPICS, judged=False)
    evil = Feature("a", "\x1b[2J\n", None, 1.0)
    tally.last.append(Event("x-0-0", None, 3.0, "info", "novel", Source("k\x07"), [evil]))
    table(written).show(tally, 1.0, 10.0)
    assert "k? " in written.pieces[0]
    assert "a ?[2J? not nothing" in written.pieces[0]


def test_without_a_terminal_there_is_a_line_every_five_seconds(
    written: Written, tally: Tally
) -> None:
    screen = Plain(written)
    for second in range(12):
        screen.show(tally, float(second), 20.0)
    screen.close()
    text = "".join(written.pieces)
    assert [line[:8] for line in text.splitlines()[::2]] == ["    5 s ", "   10 s "]
    assert "\x1b" not in text
    assert "latency p50   20 ms, p99   20 ms" in text
