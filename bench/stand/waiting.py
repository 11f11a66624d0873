"""Waiting for a condition outside of this process, with a deadline."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

POLL_S = 0.05
Seen = TypeVar("Seen")


def wait_for(condition: Callable[[], Seen], timeout_s: float, what: str) -> Seen:
    """What `condition` gives once that is true; TimeoutError naming `what` after `timeout_s`."""
    ends_at = time.monotonic() + timeout_s
    while not (seen := condition()):
        if time.monotonic() >= ends_at:
            raise TimeoutError(f"after {timeout_s:g} s still not so: {what} (last: {seen!r})")
        time.sleep(POLL_S)
    return seen
