"""How many records one core decodes, and how many rows it scores, in a second.

Times are CPU seconds of the process with one thread, so a busy machine changes little; the median
of many runs counts. Prints a table and one last line.
"""

# ruff: noqa: E402 - the variables are read once, when numpy is loaded

from __future__ import annotations

import os

# A second thread would be a second core.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"

import statistics
import time
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from training.discover import discover
from training.fit import FitSettings, fit_detector
from worker.codec import JsonCodec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from worker.model.schema import Columns, FeatureSchema

FEATURES = 20
HOSTS = 200
TRAINING_RECORDS = 20_000
BATCHES = 25
BATCH_RECORDS = 2_000
RUNS = 9
FIRST_MS = 1_750_000_000_000
TARGETS = {"decoded": 400_000, "scored": 150_000}
SEED = 5


class Measured(NamedTuple):
    """Records a second in each run."""

    name: str
    rates: Sequence[float]

    @property
    def median(self) -> float:
        """What counts."""
        return statistics.median(self.rates)


def telemetry(count: int, seed: int) -> list[bytes]:
    """Records as a fleet of hosts sends them: a time, a host, and floats that hang together."""
    causes = np.random.default_rng(SEED).normal(size=(5, FEATURES))
    rng = np.random.default_rng(seed)
    values = np.tanh(rng.normal(size=(count, len(causes))) @ causes) * 40 + 60
    values += rng.normal(size=values.shape)
    hosts = rng.integers(HOSTS, size=count)
    encode = msgspec.json.Encoder().encode
    return [
        encode(
            {
                "timestamp": FIRST_MS + 1000 * i,
                "host": f"host-{hosts[i]:03d}.rack-{hosts[i] % 7}.example",
                **{f"sensor_{j:02d}": round(float(x), 4) for j, x in enumerate(row)},
            }
        )
        for i, row in enumerate(values)
    ]


def measure(name: str, work: Callable[[], None]) -> Measured:
    """Do the work RUNS times, after once for the caches."""
    work()
    rates = []
    for _ in range(RUNS):
        began = time.process_time()
        work()
        rates.append(BATCHES * BATCH_RECORDS / (time.process_time() - began))
    return Measured(name, rates)


def main() -> None:
    """Train on one stretch, then measure decoding and scoring of another."""
    codec = JsonCodec(record_bytes_max=1 << 20, depth_max=64, missing_share_max=0.5)
    training = telemetry(TRAINING_RECORDS, seed=1)
    schema = _schema(codec, training)
    learned = codec.decode(training, schema).columns
    half = np.arange(len(learned)) % 2 == 0
    detector = fit_detector(learned.take(half), learned.take(~half), schema, FitSettings())

    stream = telemetry(BATCHES * BATCH_RECORDS, seed=2)
    batches = [stream[i : i + BATCH_RECORDS] for i in range(0, len(stream), BATCH_RECORDS)]
    columns: list[Columns] = [codec.decode(batch, schema).columns for batch in batches]

    def decode() -> None:
        for batch in batches:
            codec.decode(batch, schema)

    def score() -> None:
        for batch in columns:
            detector.score(batch)

    _print([measure("decoded", decode), measure("scored", score)], stream)


def _schema(codec: JsonCodec, records: Sequence[bytes]) -> FeatureSchema:
    schema = discover([codec.parse(record) for record in records]).schema
    if schema is None or len(schema.numbers) != FEATURES or len(schema.features) != FEATURES:
        raise AssertionError("the records were made to have exactly the measured features")
    return schema


def _print(measured: Sequence[Measured], stream: Sequence[bytes]) -> None:
    size = statistics.mean(map(len, stream))
    print(f"{FEATURES} features, records of {size:.0f} bytes, batches of {BATCH_RECORDS}, 1 thread")
    print(f"{'':10}{'median/s':>12}{'least/s':>12}{'most/s':>12}{'target/s':>12}")
    for name, rates in measured:
        median = statistics.median(rates)
        numbers = (median, min(rates), max(rates), TARGETS[name])
        print(f"{name:10}" + "".join(f"{number:>12,.0f}" for number in numbers))
    fields = " ".join(f"{each.name}_per_s={each.median:.0f}" for each in measured)
    print(f"throughput: {fields}")


if __name__ == "__main__":
    main()
