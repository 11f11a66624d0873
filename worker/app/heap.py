"""One heap for all threads, so that what one of them frees another can use."""

from __future__ import annotations

import ctypes
from typing import Final

M_ARENA_MAX: Final = -8
"""Of glibc's mallopt(3): how many heaps the allocator keeps beside each other."""


def share_one_heap() -> None:
    """Ask glibc for a single heap; to be called before threads start, does nothing elsewhere.

    With a heap each, the client's threads hand buffers of megabytes to one another, and each heap
    keeps the holes: a worker that could not deliver was seen to grow by 200 MB that way, of which
    Python held 40 (docs/limits.md).
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return
    mallopt(M_ARENA_MAX, 1)
