"""What is seen while records flow: a table that stays in its place, or now and then a line.

Makes text and hands it to whoever writes; knows nothing of brokers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from workbench.demo.tally import Event, Tally

FRAME_S: Final = 0.25
LINE_S: Final = 5.0
WINDOW_S: Final = 3.0
"""The rate shown is that of so many seconds."""
WIDTH_MIN: Final = 40
LINES_ABOVE: Final = 6
"""Lines of a terminal that are not for anomalies."""

_BOLD, _DIM, _RESET = "\x1b[1m", "\x1b[2m", "\x1b[0m"
_SEVERITY: Final = {"info": "\x1b[36m", "warning": "\x1b[33m", "critical": "\x1b[31m"}
_HIDE, _SHOW, _TO_END = "\x1b[?25l", "\x1b[?25h", "\x1b[K"


@dataclass(frozen=True, slots=True)
class Glance:
    """The figures of one moment; latencies in milliseconds, None before there are any."""

    elapsed_s: float
    of_s: float
    sent: int
    rate: float
    lag: int
    anomalies: int
    dead_letters: int
    p50_ms: float | None
    p99_ms: float | None
    last: Sequence[tuple[Event, str | None]]


class Screen(Protocol):
    """Shows a run while it goes on."""

    def show(self, tally: Tally, elapsed_s: float, of_s: float) -> None:
        """How it stands; called often, shown as often as is good."""
        ...

    def close(self) -> None:
        """Leave the last picture standing. Safe to call twice."""
        ...


class Pace:
    """When to show, and the figures that need a memory."""

    def __init__(self, first_s: float, every_s: float) -> None:
        self._next_s = first_s
        self._every_s = every_s
        self._seen: list[tuple[float, int]] = [(0.0, 0)]

    def is_due(self, elapsed_s: float) -> bool:
        """Whether the next picture is due; it then counts as shown."""
        if elapsed_s < self._next_s:
            return False
        self._next_s = elapsed_s + self._every_s
        return True

    def glance(self, tally: Tally, elapsed_s: float, of_s: float) -> Glance:
        """The figures now."""
        self._seen.append((elapsed_s, tally.sent))
        while len(self._seen) > 2 and self._seen[1][0] < elapsed_s - WINDOW_S:  # noqa: PLR2004
            self._seen.pop(0)
        (since_s, before), latencies = self._seen[0], tally.latencies_ms
        p50, p99 = np.percentile(latencies, [50, 99]).tolist() if latencies else (None, None)
        return Glance(
            elapsed_s=elapsed_s,
            of_s=of_s,
            sent=tally.sent,
            rate=(tally.sent - before) / max(elapsed_s - since_s, 0.1),
            lag=tally.lag,
            anomalies=tally.anomalies,
            dead_letters=tally.dead_letters,
            p50_ms=p50,
            p99_ms=p99,
            last=[(event, tally.labels.get(event.id)) for event in tally.last],
        )


class Plain:
    """A line every few seconds, for logs and pipes."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._pace = Pace(LINE_S, LINE_S)

    def show(self, tally: Tally, elapsed_s: float, of_s: float) -> None:
        """As the Protocol says."""
        if not self._pace.is_due(elapsed_s):
            return
        glance = self._pace.glance(tally, elapsed_s, of_s)
        self._write(f"  {elapsed_s:3.0f} s  " + "  ".join(figures(glance)) + "\n")
        if glance.last:
            self._write(f"         {told(*glance.last[-1])}\n")

    def close(self) -> None:
        """As the Protocol says."""


class Table:
    """A table that is drawn over itself: each picture is one write, and nothing is cleared first.

    `size` gives columns and rows of the terminal, which may change meanwhile.
    """

    def __init__(
        self,
        write: Callable[[str], object],
        size: Callable[[], tuple[int, int]],
        *,
        colour: bool,
    ) -> None:
        self._write = write
        self._size = size
        self._colour = colour
        self._pace = Pace(0.0, FRAME_S)
        self._drawn = 0

    def show(self, tally: Tally, elapsed_s: float, of_s: float) -> None:
        """As the Protocol says."""
        if not self._pace.is_due(elapsed_s):
            return
        columns, rows = self._size()
        lines = self._lines(self._pace.glance(tally, elapsed_s, of_s), columns, rows)
        up = f"\x1b[{self._drawn}A" if self._drawn else _HIDE
        # A line that becomes shorter is cut behind its end, so that nothing flickers.
        self._write("\r" + up + "".join(f"{line}{_TO_END}\n" for line in lines) + "\x1b[J")
        self._drawn = len(lines)

    def close(self) -> None:
        """As the Protocol says."""
        if self._drawn:
            self._write(_SHOW)
        self._drawn = 0

    def _lines(self, glance: Glance, columns: int, rows: int) -> list[str]:
        width = max(columns - 1, WIDTH_MIN)
        shown, last = figures(glance), glance.last[-max(rows - LINES_ABOVE, 1) :]
        lines = [
            self._painted(_progress(glance, width), _BOLD),
            f"  {'    '.join(shown[:3])}"[:width],
            f"  {'    '.join(shown[3:])}"[:width],
            self._painted("  last anomalies"[:width], _DIM),
        ]
        for event, label in reversed(last):
            line = f"  {told(event, label)}"[:width]
            lines.append(self._painted(line, _SEVERITY.get(event.severity, "")))
        return lines

    def _painted(self, text: str, how: str) -> str:
        return f"{how}{text}{_RESET}" if self._colour else text


def figures(glance: Glance) -> list[str]:
    """What is shown beside the anomalies, each wide enough not to move when it grows."""
    p50, p99 = (("-" if p is None else f"{p:.0f}") for p in (glance.p50_ms, glance.p99_ms))
    return [
        f"{glance.rate:4.0f} records/s",
        f"sent {glance.sent:>8,}",
        f"lag {glance.lag:>5,}",
        f"flagged {glance.anomalies:>5,}",
        f"dead letters {glance.dead_letters:>4,}",
        f"latency p50 {p50:>4} ms, p99 {p99:>4} ms",
    ]


def told(event: Event, label: str | None) -> str:
    """An anomaly in one line: which machine, how odd, why, and what it was where that is known."""
    moment = (event.event_time or "")[11:19]
    reasons = ", ".join(
        f"{feature.name} {_value(feature.value)} not {_value(feature.expected)}"
        f" ({feature.contribution:.0%})"
        for feature in event.features[:1]
    )
    truth = f"  <- {label}" if label else ""
    line = f"{moment} {event.source.key or event.id:<8} {event.score:5.1f} {reasons}{truth}"
    # Keys and values are anybody's: what would move the cursor is not for the terminal.
    return "".join(character if character.isprintable() else "?" for character in line)


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return "nothing" if value is None else str(value)[:24]


def _progress(glance: Glance, width: int) -> str:
    share = min(glance.elapsed_s / glance.of_s, 1.0) if glance.of_s else 1.0
    clock = f"  {min(glance.elapsed_s, glance.of_s):3.0f} of {glance.of_s:.0f} s "
    bar = max(min(width - len(clock), 60), 10)
    return clock + ("━" * round(share * bar)).ljust(bar, "─")
