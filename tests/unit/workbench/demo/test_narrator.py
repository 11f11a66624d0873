"""How the demo is told: the steps, the choice of a broker, the result in one line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.workbench.demo.test_tally import TOPICS, book, event, hear, scored
from workbench.demo.narrator import Narrator, last_line, result_lines, where_to_look

LAST = re.compile(
    r"demo: broker=(docker|maven|external|embedded) records=\d+ anomalies=\d+"
    r" recall=(\d\.\d+|nan) precision=(\d\.\d+|nan) stuck_recall=(\d\.\d+|nan)"
    r" dead_letters=\d+ lost=\d+ duplicated=\d+ p99_ms=(\d+|nan)"
)


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def narrator(told: list[str]) -> Narrator:
    return Narrator(told.append)


def test_the_choice_of_a_broker_gives_every_reason(narrator: Narrator, told: list[str]) -> None:
    narrator.trying("external")
    narrator.missing("external", "not set")
    narrator.trying("maven")
    narrator.missing("maven", "Maven could not:\nmany\nlines")
    lines = "".join(told).splitlines()
    assert lines == [
        "  broker    external no: not set",
        " " * 12 + "maven    no: Maven could not: ...",
    ]


def test_a_step_says_how_long_it_took_and_what_came_of_it(
    narrator: Narrator, told: list[str]
) -> None:
    with narrator.step("train", "learning") as found:
        found.append("x" * 200)
    first, second = "".join(told).splitlines()
    assert re.fullmatch(r"  train     learning  \(\d+\.\d s\)", first)
    assert len(second) == 100


def test_a_step_that_fails_leaves_a_whole_line(narrator: Narrator, told: list[str]) -> None:
    with pytest.raises(KeyError), narrator.step("train", "learning"):
        raise KeyError
    assert "".join(told) == "  train     learning\n"


@pytest.mark.parametrize("judged", [True, False])
def test_the_last_line_holds_all_figures(*, judged: bool) -> None:
    summary = hear(book("spike", judged=judged), scored(0, flagged=True), event(0)).summary()
    assert LAST.fullmatch(last_line("maven", summary))


def test_where_no_anomaly_was_seen_there_is_no_latency() -> None:
    summary = hear(book(None), scored(0)).summary()
    assert last_line("maven", summary).endswith("p99_ms=nan")


def test_the_result_has_a_row_for_every_kind() -> None:
    summary = hear(book("spike", None), scored(0, flagged=True), scored(1), event(0)).summary()
    lines = result_lines(summary, judged=True, alert_rate=1e-3)
    rows = {line[2:22].strip(): line[22:].split()[:3] for line in lines}
    assert rows["spike"] == ["1", "1", "1.0000"]
    assert rows["stuck sensor"] == ["0", "0", "-"]
    assert rows["sound"] == ["1", "0", "0.0000"]


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("external", "the topics stay on b:1 until you delete them"),
        ("maven", "the topics are gone, and the broker with them"),
    ],
)
def test_what_is_left_is_named(kind: str, says: str) -> None:
    lines = where_to_look(kind, TOPICS, Path("d"), "b:1", "bin/latentwatch")
    assert [line for line in lines if says in line]
    assert "    bin/latentwatch score d/live.jsonl --stream fleet --store d/models" in lines
