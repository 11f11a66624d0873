"""How long discovery takes, and how much memory, from a file of records to the table of features.

Times what `train --dry-run` does, on 100,000 records of 50 paths of every kind; then once more, to
measure memory, on stretches up to four times as long as what is kept of them. The table shows
both; the last line is that of the 100,000 records.
"""

from __future__ import annotations

import random
import string
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from training.app import inspect
from training.dataset import Bounds
from training.retrain import Progress
from training.settings import load_train_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from training.discover import Discovery

RECORDS: Final = 100_000
KEPT: Final = 50_000
STRETCHES: Final = (50_000, 100_000, 200_000)
PATHS: Final = 50
MEGABYTE: Final = 2**20


def main() -> None:
    """Print the table and the last line."""
    records = int(sys.argv[1]) if len(sys.argv) > 1 else RECORDS
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "records.jsonl"
        write(file, records)
        seconds, found = timed(file, kept=200_000)
        features = len(found.schema.features) if found.schema else 0
        print(f"{records} records, {PATHS} paths: {features} features, {seconds:.2f} s of CPU")
        peak = peak_mb(file, kept=200_000)
        print(f"{'records':>9} {'kept':>7} {'peak MB':>8}")
        for stretch in STRETCHES:
            write(file, stretch)
            print(f"{stretch:9} {KEPT:7} {peak_mb(file, kept=KEPT):8.1f}")
    print(f"discovery: seconds={seconds:.2f} peak_mb={peak:.1f}")


def timed(file: Path, kept: int) -> tuple[float, Discovery]:
    """Seconds of CPU that discovery takes, and what it finds."""
    start = time.process_time()
    found = look(file, kept)
    return time.process_time() - start, found


def peak_mb(file: Path, kept: int) -> float:
    """Megabytes that discovery holds at most."""
    tracemalloc.start()
    look(file, kept)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / MEGABYTE


def look(file: Path, kept: int) -> Discovery:
    """What `train --dry-run` shows."""
    overrides = {"stream": "bench", "training.rows_max": kept}
    settings = load_train_settings(overrides, config=None, environ={}).settings
    return inspect(settings, file, Bounds(), None, None, Progress())


def write(file: Path, records: int) -> None:
    """Records with 50 paths: 30 numbers, 8 categories, ids, times, counters, constants, a list."""
    with file.open("wb") as lines:
        for record in made(records):
            lines.write(msgspec.json.encode(record) + b"\n")


def made(records: int) -> Iterator[dict[str, object]]:
    """The records, the same on every run."""
    dice = random.Random(0)
    words = ["".join(dice.choices(string.ascii_lowercase, k=6)) for _ in range(12)]
    for i in range(records):
        yield {
            "id": f"{dice.getrandbits(64):016x}",
            "at": 1_788_220_800_000 + 250 * i,
            "written": f"2026-09-01T{i // 3600 % 24:02}:{i // 60 % 60:02}:{i % 60:02}Z",
            "count": 3 * i,
            "host": {"name": dice.choice(words), "zone": "z1", "version": "1.2.3"},
            "tags": {f"t{n}": dice.choice(words[: n + 2]) for n in range(7)},
            "numbers": {f"n{n:02}": round(dice.gauss(n, 1), 3) for n in range(20)},
            "texts": {f"x{n}": str(round(dice.expovariate(1), 4)) for n in range(6)},
            "axes": [round(dice.gauss(0, 1), 3) for _ in range(3)],
            "points": [{"name": name, "value": dice.random()} for name in ("a", "b", "c", "d")],
            "flag": dice.random() < 0.3,
            "state": dice.choice([1, 2, 4, 200]),
            "on": dice.random() < 0.5,
        }


if __name__ == "__main__":
    main()
