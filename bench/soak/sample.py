"""What a process uses, as the kernel counts it."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Sample(NamedTuple):
    """Resident memory, threads and open descriptors at a moment."""

    memory_mb: float
    threads: float
    descriptors: float


def sample(pid: int) -> Sample:
    """Of a process that lives; FileNotFoundError or ProcessLookupError where it does not."""
    process = Path("/proc") / str(pid)
    lines = (process / "status").read_text(encoding="utf-8").splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return Sample(
        memory_mb=int(fields["VmRSS"].split()[0]) / 1024,
        threads=int(fields["Threads"]),
        descriptors=len(list((process / "fd").iterdir())),
    )


def ends(samples: Sequence[Sample]) -> tuple[Sample, Sample]:
    """The medians of the second and of the last fifth: what grows, grows from one to the other.

    The first fifth is a process that still warms up.
    """
    fifth = max(1, len(samples) // 5)
    return _median(samples[fifth : 2 * fifth] or samples), _median(samples[-fifth:])


def _median(samples: Sequence[Sample]) -> Sample:
    return Sample(*(statistics.median(values) for values in zip(*samples, strict=True)))
