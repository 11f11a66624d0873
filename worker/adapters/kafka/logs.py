"""Keeps the client's own log, hundreds of lines while a broker is down, from drowning ours."""

from __future__ import annotations

import logging
import time

EVERY_S = 60.0
"""One line of the client from one place in its code in so many seconds."""


class _Seldom(logging.Handler):
    """Hands a record on to the root logger unless its place in the code spoke just now."""

    def __init__(self, every_s: float) -> None:
        super().__init__(logging.ERROR)
        self._every_s = every_s
        self._spoke: dict[tuple[str, int], float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        place, now = (record.pathname, record.lineno), time.monotonic()
        if now - self._spoke.get(place, -self._every_s) >= self._every_s:
            self._spoke[place] = now
            logging.getLogger().handle(record)


def quiet_client_logs(every_s: float = EVERY_S) -> None:
    """From now on the client logs errors only, each at most once in `every_s` seconds."""
    client = logging.getLogger("kafka")
    client.setLevel(logging.ERROR)
    client.propagate = False
    client.handlers = [_Seldom(every_s)]
