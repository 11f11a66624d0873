"""Runs a command in a terminal and draws what was to be seen there as a moving picture (SVG).

`python docs/picture.py docs/demo.svg make demo SEED=2` draws the one of the README. Waits are
shortened and all runs three times as fast. Understands as much of a terminal as the demo uses.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import sys
import termios
import time
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple

COLUMNS, ROWS = 100, 36
SPEED: Final = 3.0
WAIT_MAX_S: Final = 2.4
FRAME_S: Final = 1.0
HELD: Final = 9
"""Frames that the last picture stays."""
CHARACTER: Final = (7.25, 16)
MARGIN: Final = 14
COLOURS: Final = {"": "#c9d1d9", "1": "#ffffff", "2": "#8b949e"}
COLOURS_OF_SEVERITY: Final = {"31": "#ff7b72", "33": "#e3b341", "36": "#76d9e6"}
PAINT: Final = COLOURS | COLOURS_OF_SEVERITY
TOKEN: Final = re.compile(r"\x1b\[([?\d;]*)([A-Za-z])|([^\x1b])", re.DOTALL)


class Cell(NamedTuple):
    """A character and how it is painted."""

    character: str = " "
    how: str = ""


Line = tuple[Cell, ...]


class Terminal:
    """What stands on the screen; lines that have left it at the top are forgotten."""

    def __init__(self) -> None:
        self._lines: list[list[Cell]] = [[]]
        self._row = self._column = 0
        self._how = ""

    def feed(self, text: str) -> None:
        """Take what a program wrote."""
        for arguments, command, character in TOKEN.findall(text):
            if character:
                self._put(character)
            elif command == "m":
                self._how = arguments if arguments in PAINT else ""
            elif command == "A":
                self._row = max(self._row - int(arguments or 1), 0)
            elif command in "JK":
                del self._lines[self._row][self._column :]
                if command == "J":
                    del self._lines[self._row + 1 :]

    def picture(self) -> tuple[Line, ...]:
        """The lines from the top."""
        return tuple(tuple(line) for line in self._lines[-ROWS:])

    def _put(self, character: str) -> None:
        if character == "\r":
            self._column = 0
        elif character == "\n":
            self._go_down()
        else:
            if self._column == COLUMNS:
                self._go_down()
                self._column = 0
            line = self._lines[self._row]
            line.extend([Cell()] * (self._column - len(line)))
            line[self._column : self._column + 1] = [Cell(character, self._how)]
            self._column += 1

    def _go_down(self) -> None:
        self._row += 1
        if self._row == len(self._lines):
            self._lines.append([])


def record(command: list[str]) -> list[tuple[float, str]]:
    """Run the command; what it wrote, each time with the seconds since the start."""
    process, terminal = pty.fork()
    if process == 0:
        os.environ |= {"TERM": "xterm-256color"}
        os.execvp(command[0], command)  # noqa: S606 - the user's own command, without a shell
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    began, written = time.monotonic(), [(0.0, f"\x1b[1m$ {' '.join(command)}\x1b[0m\r\n")]
    while chunk := _read(terminal):
        written.append((time.monotonic() - began, chunk.decode(errors="replace")))
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    if code:
        sys.exit(f"{command[0]} ended with {code}")
    return written


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # how Linux says that the program has ended
        return b""


def frames(written: list[tuple[float, str]]) -> list[tuple[Line, ...]]:
    """What was to be seen, a picture each FRAME_S of the shortened time; the last as it ended."""
    terminal, seen = Terminal(), list[tuple[Line, ...]]()
    shown_s, before_s = 0.0, 0.0
    for at_s, text in written:
        shown_s += min(at_s - before_s, WAIT_MAX_S) / SPEED
        before_s = at_s
        while len(seen) * FRAME_S < shown_s:
            seen.append(terminal.picture())
        terminal.feed(text)
    return [*(picture for picture, _ in groupby(seen)), terminal.picture()]


def drawn(pictures: list[tuple[Line, ...]]) -> str:
    """The pictures one after the other, as SVG; a line that comes again is kept once."""
    names: dict[Line, str] = {}
    for picture in pictures:
        for line in picture:
            if line:
                names.setdefault(line, f"l{len(names)}")
    width = round(COLUMNS * CHARACTER[0] + 2 * MARGIN)
    height = ROWS * CHARACTER[1] + 2 * MARGIN
    length = (len(pictures) - 1 + HELD) * FRAME_S
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">',
            f"<style>{_style(length)}</style>",
            f'<rect width="{width}" height="{height}" rx="8" fill="#0d1117"/>',
            "<defs>",
            *(f'<text id="{name}">{_spans(line)}</text>' for line, name in names.items()),
            "</defs>",
            *(_frame(i, picture, names, len(pictures)) for i, picture in enumerate(pictures)),
            "</svg>",
            "",
        ]
    )


def _style(length: float) -> str:
    share = 100 * FRAME_S / length
    held = 100 * HELD * FRAME_S / length
    return (
        "text{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;"
        "white-space:pre;fill:#c9d1d9}"
        f"g{{visibility:hidden;animation:one {length:g}s infinite}}"
        f".end{{animation-name:end}}"
        f"@keyframes one{{0%,{share:.4f}%{{visibility:visible}}{share + 1e-4:.4f}%,"
        "100%{visibility:hidden}}"
        f"@keyframes end{{0%,{held:.4f}%{{visibility:visible}}{held + 1e-4:.4f}%,"
        "100%{visibility:hidden}}"
        "@media(prefers-reduced-motion){g{animation:none}.end{visibility:visible}}"
    )


def _frame(index: int, picture: tuple[Line, ...], names: dict[Line, str], count: int) -> str:
    kind = ' class="end"' if index == count - 1 else ""
    used = "".join(
        f'<use href="#{names[line]}" x="{MARGIN}" y="{MARGIN + (row + 1) * CHARACTER[1] - 4}"/>'
        for row, line in enumerate(picture)
        if line
    )
    return f'<g{kind} style="animation-delay:{index * FRAME_S:g}s">{used}</g>'


def _spans(line: Line) -> str:
    spans = []
    for how, cells in groupby(line, key=lambda cell: cell.how):
        text = escape("".join(cell.character for cell in cells), quote=False)
        spans.append(f'<tspan fill="{PAINT[how]}">{text}</tspan>' if how else text)
    return "".join(spans)


def main() -> None:
    """`picture.py FILE COMMAND...`."""
    place, *command = sys.argv[1:]
    Path(place).write_text(drawn(frames(record(command))), encoding="utf-8")


if __name__ == "__main__":
    main()
