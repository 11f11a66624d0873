"""Tells the steps of the demo: what is done, how long it took, and what came of it.

Makes text and hands it to whoever writes.
"""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from workbench.demo.kept import EVENTS, LIVE, TRUTH
from workbench.demo.stage import MODELS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from workbench.demo.stage import Topics
    from workbench.demo.tally import KindCount, Summary

INDENT: Final = " " * 12
LINES_MAX: Final = 12
"""Lines shown of what a step has to say; the rest is for those who run it themselves."""
WIDTH: Final = 88


class Narrator:
    """Writes a line for each step; also hears how the choice of a broker goes (brokers.Told)."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._is_first = True

    def say(self, text: str = "") -> None:
        """A line as it is."""
        self._write(text + "\n")

    @contextmanager
    def step(self, name: str, doing: str, *, draws: bool = False) -> Iterator[list[str]]:
        """A step that takes its time; what it puts into the list follows, a line each.

        `draws`: what runs meanwhile may write to the terminal itself.
        """
        self._write(f"  {name:<9} {doing}" + ("\n" if draws else ""))
        began, found = time.monotonic(), list[str]()
        try:
            yield found
        except BaseException:
            self.say()
            raise
        took = f"({time.monotonic() - began:.1f} s)"
        self.say(INDENT + took if draws else f"  {took}")
        for line in found[:LINES_MAX]:
            self.say(INDENT + _cut(line))

    def trying(self, kind: str) -> None:
        """A kind of broker is tried."""
        name = "broker" if self._is_first else ""
        self._is_first = False
        self._write(f"  {name:<9} {kind:<9}")

    def missing(self, kind: str, reason: str) -> None:
        """It cannot be had."""
        del kind
        first, *more = reason.splitlines() or [""]
        self.say(_cut(f"no: {first}") + (" ..." if more else ""))


def result_lines(summary: Summary, *, judged: bool, alert_rate: float) -> list[str]:
    """The summary for people."""
    lines = _verdict_lines(summary, alert_rate) if judged else _plain_lines(summary)
    sent = f"{summary.records:,} records sent, {summary.tombstones} of them tombstones"
    latency = "latency from sending a record to seeing its anomaly"
    return [
        *lines,
        "",
        f"  {sent}: {summary.lost} lost, {summary.duplicated} doubled",
        f"  {latency}: p50 {_ms(summary.p50_ms)}, p99 {_ms(summary.p99_ms)}",
    ]


def last_line(kind: str, summary: Summary) -> str:
    """All figures in one line, for programs."""
    p99 = "nan" if math.isnan(summary.p99_ms) else f"{summary.p99_ms:.0f}"
    return (
        f"demo: broker={kind} records={summary.records} anomalies={summary.anomalies}"
        f" recall={summary.recall:.3f} precision={summary.precision:.3f}"
        f" stuck_recall={summary.stuck_recall:.3f} dead_letters={summary.dead_letters}"
        f" lost={summary.lost} duplicated={summary.duplicated} p99_ms={p99}"
    )


def where_to_look(
    kind: str, topics: Topics, folder: Path, bootstrap_servers: str | None, program: str
) -> list[str]:
    """What is left, and what to do next; `program` is what starts latentwatch here."""
    left = "the topics are gone, and the broker with them"
    if kind == "external":
        left = f"the topics stay on {bootstrap_servers} until you delete them: {topics}"
    model = f"--stream {topics.input} --store {folder / MODELS}"
    return [
        "  where to look next",
        f"    {folder / EVENTS}: every anomaly, explained",
        f"    {folder / LIVE}: what was sent; line for line {TRUTH} says what was wrong, if known",
        f"    {left}",
        "  what to try next",
        f"    {program} score {folder / LIVE} {model}",
        "    make demo SOURCE=FILE: the same with records of yours",
        f"    {program} train --topic TOPIC: your own topic; the README says how it goes on",
    ]


def _verdict_lines(summary: Summary, alert_rate: float) -> list[str]:
    figures = f"recall {summary.recall:.3f}, precision {summary.precision:.3f}"
    return [
        f"  {'':<20} {'sent':>8} {'found':>8}   share",
        *(_row(count) for count in summary.faults),
        _row(summary.poison) + "   in the dead letters",
        _row(summary.sound) + f"   false alarms; {alert_rate:g} were asked for",
        "",
        f"  {figures}; the stuck sensor apart: a record alone hardly shows it",
    ]


def _plain_lines(summary: Summary) -> list[str]:
    share = summary.anomalies / summary.records if summary.records else 0.0
    flagged = f"{summary.anomalies:,} of {summary.records:,} records flagged ({share:.2%})"
    return [f"  {flagged}, {summary.dead_letters:,} dead letters"]


def _row(count: KindCount) -> str:
    return f"  {count.kind:<20} {count.sent:>8,} {count.found:>8,}   {_share(count)}"


def _share(count: KindCount) -> str:
    return f"{count.found / count.sent:.4f}" if count.sent else "     -"


def _cut(line: str) -> str:
    return line if len(line) <= WIDTH else line[: WIDTH - 3].rstrip() + "..."


def _ms(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.0f} ms"
