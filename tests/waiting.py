"""Waiting in tests: for a condition, with a deadline, never for a time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

POLL_S = 0.02
T = TypeVar("T")


def wait_until(condition: Callable[[], T], timeout_s: float = 10.0, what: str = "") -> T:
    """What `condition` gives once that is true; AssertionError after `timeout_s` seconds."""
    deadline = time.monotonic() + timeout_s
    while not (seen := condition()):
        if time.monotonic() >= deadline:
            message = f"after {timeout_s} s still not so: {what or condition} (last: {seen!r})"
            raise AssertionError(message)
        time.sleep(POLL_S)
    return seen
