"""How the program logs: JSON lines for machines, plain lines for a terminal, floods held back.

Knows nothing of what is logged.
"""

from __future__ import annotations

import logging
import sys
import time
import traceback
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FLOOD_LINES_MAX = 5
FLOOD_WINDOW_S = 60.0

_STANDARD = frozenset(
    vars(logging.LogRecord("", 0, "", 0, "", (), None)) | {"message": "", "asctime": ""}
)
"""What the library itself puts on a record; everything else came as `extra`."""


def configure(service: Mapping[str, str], stream: TextIO | None = None) -> None:
    """Log to `stream` (standard error): JSON lines, or plain ones if it is a terminal.

    `service` is on every JSON line, for instance {"service.version": "0.1.0"}. A line logged with
    `extra={"per_record": True}` stands for one record of many: of each message only a few a minute
    are written, the next one says how many were held back. The Kafka client, which repeats itself
    while a broker is away, is held back in the same way.
    """
    out = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(out)
    handler.setFormatter(PlainFormatter() if out.isatty() else JsonFormatter(service))
    handler.addFilter(FloodGate())
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    logging.getLogger("kafka").setLevel(logging.WARNING)


class FloodGate(logging.Filter):
    """Lets through `lines_max` lines of each repeated message in `window_s` seconds."""

    def __init__(
        self,
        lines_max: int = FLOOD_LINES_MAX,
        window_s: float = FLOOD_WINDOW_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._lines_max = lines_max
        self._window_s = window_s
        self._monotonic = monotonic
        self._windows: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is written; one that follows held-back lines gets `held_back`."""
        if not (getattr(record, "per_record", False) or record.name.partition(".")[0] == "kafka"):
            return True
        # By place, not by text: the client writes names and numbers into its messages.
        place = (record.pathname, str(record.lineno))
        now_s = self._monotonic()
        start_s, lines = self._windows.get(place, (now_s, 0))
        if now_s - start_s >= self._window_s:
            if lines > self._lines_max:
                record.held_back = lines - self._lines_max
            start_s, lines = now_s, 0
        self._windows[place] = (start_s, lines + 1)
        return lines < self._lines_max


class JsonFormatter(logging.Formatter):
    """One JSON object a line: timestamp (UTC), level, event, logger, what came as `extra`."""

    def __init__(self, service: Mapping[str, str]) -> None:
        super().__init__()
        self._service = dict(service)

    def format(self, record: logging.LogRecord) -> str:
        """The line; a value that JSON does not know is written as text."""
        line: dict[str, object] = {
            "timestamp": _timestamp(record),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "logger": record.name,
            **self._service,
            **_extra(record),
        }
        if record.exc_info:
            line["exception"] = _stack(record)
        return msgspec.json.encode(line, enc_hook=str).decode()


class PlainFormatter(logging.Formatter):
    """A line for people: time (UTC), level, message, what came as `extra`, the stack below."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        extra = "".join(f" {name}={value}" for name, value in _extra(record).items())
        line = f"{_timestamp(record)} {record.levelname:<8} {record.getMessage()}{extra}"
        return f"{line}\n{_stack(record)}" if record.exc_info else line


def _timestamp(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _extra(record: logging.LogRecord) -> dict[str, object]:
    hidden = _STANDARD | {"per_record"}
    return {name: value for name, value in vars(record).items() if name not in hidden}


def _stack(record: logging.LogRecord) -> str:
    assert record.exc_info is not None  # noqa: S101 - both callers have looked
    return "".join(traceback.format_exception(*record.exc_info)).rstrip()
