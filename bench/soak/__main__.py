"""The soak from the command line: a kill every 20 s, one worker that is spared, its figures.

Of three workers two are killed in turn; every third kill is a broker's. The first worker sees each
rebalance and each outage, so what leaks in it shows.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from bench.faults.oracle import judge
from bench.faults.run import Plan, opened, trained
from bench.soak.sample import Sample, ends, sample
from bench.stand.cluster import BrokerCluster
from bench.stand.programs import ROOT
from workbench.demo.jars import jars

if TYPE_CHECKING:
    from bench.faults.oracle import Verdict
    from bench.faults.stand import Stand

LOGS = ROOT / ".cache" / "soak"
WORKERS = 3
KILL_EVERY_S = 20.0
BROKER_EVERY = 3
DOWN_S = 1.0
SAMPLE_S = 1.0
GROWTH_MAX = Sample(memory_mb=20, threads=2, descriptors=10)
"""By how much the spared worker may have grown; clients come and go with each outage."""


def main() -> int:
    """0 where nothing grew and nothing was lost, else 1."""
    options = _options()
    plan = Plan(options.mode, options.seconds, options.seed, ())
    with tempfile.TemporaryDirectory(prefix="latentwatch-soak-") as folder:
        store = trained(Path(folder))
        with closing(BrokerCluster(3, jars())) as cluster:
            try:
                with opened(plan, cluster, store, LOGS) as stand:
                    stand.workers(WORKERS)
                    spared = stand.fleet.workers[0].pid
                    kills, samples = _soak(stand, spared, options.seconds)
                    stand.feeder.stop()
                    drained = stand.drains()
                    lived = stand.fleet.workers[0].pid == spared
                    stand.fleet.resize(0)
                    verdict = judge(
                        stand.topics.read, stand.names, stand.feeder.fed, events_count=True
                    )
            finally:
                cluster.keep_logs(LOGS)
    first, last = ends(samples)
    _tell(plan, kills, verdict, first, last)
    flat = all(b - a <= most for a, b, most in zip(first, last, GROWTH_MAX, strict=True))
    once = options.mode != "exactly_once" or not (verdict.duplicated or verdict.reordered)
    return 0 if flat and once and lived and drained and not verdict.lost else 1


def _soak(stand: Stand, spared: int, seconds: float) -> tuple[int, list[Sample]]:
    """Kill and sample until the time is over."""
    samples: list[Sample] = []
    began = time.monotonic()
    next_kill, kills = began + KILL_EVERY_S, 0
    victims = itertools.cycle(stand.fleet.workers[1:])
    while (now := time.monotonic()) < began + seconds:
        samples.append(sample(spared))
        if now >= next_kill:
            next_kill += KILL_EVERY_S
            kills += 1
            if kills % BROKER_EVERY == 0:
                number = stand.rng.choice(sorted(stand.cluster.nodes))
                stand.cluster.nodes[number].kill()
                time.sleep(DOWN_S)
                stand.cluster.start([number])
            else:
                next(victims).kill()
        if len(samples) % 60 == 0:
            found = samples[-1]
            print(
                f"{now - began:6.0f} s  {kills} kills  {found.memory_mb:.0f} MB"
                f"  {found.threads:.0f} threads  {found.descriptors:.0f} descriptors",
                flush=True,
            )
        time.sleep(SAMPLE_S)
    return kills, samples


def _tell(plan: Plan, kills: int, verdict: Verdict, first: Sample, last: Sample) -> None:
    grown = " ".join(
        f"{name}={before:.0f}..{after:.0f}"
        for name, before, after in zip(Sample._fields, first, last, strict=True)
    )
    print(
        f"soak: mode={plan.mode} seconds={plan.seconds:.0f} kills={kills}"
        f" records={verdict.records} lost={len(verdict.lost)}"
        f" duplicated={len(verdict.duplicated)} reordered={len(verdict.reordered)} {grown}"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench.soak", description=__doc__)
    parser.add_argument("--mode", choices=["at_least_once", "exactly_once"], default="exactly_once")
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
