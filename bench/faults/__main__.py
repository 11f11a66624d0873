"""The fault bench from the command line: a table, and the figures as one last line."""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from bench.faults.kinds import KINDS, NOT_BY_DEFAULT, chosen
from bench.faults.run import Plan, run, trained
from bench.stand.cluster import BrokerCluster
from bench.stand.programs import ROOT
from workbench.demo.jars import jars

LOGS = ROOT / ".cache" / "faults"


def main() -> int:
    """0 where the mode kept its promise, else 1."""
    options = _options()
    kinds = chosen(options.faults, options.brokers)
    plan = Plan(options.mode, options.seconds, options.seed, kinds)
    logs = LOGS / options.mode
    with tempfile.TemporaryDirectory(prefix="latentwatch-faults-") as folder:
        store = trained(Path(folder))
        with closing(BrokerCluster(options.brokers, jars())) as cluster:
            try:
                result = run(plan, cluster, store, logs, _say)
            finally:
                cluster.keep_logs(logs)
    exits = ", ".join(f"{code}: {times}" for code, times in sorted(result.exits.items()))
    print(*result.table(), f"exit codes of workers  {exits}", result.last_line(), sep="\n")
    return 0 if result.held else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench.faults", description=__doc__)
    parser.add_argument("--mode", choices=["at_least_once", "exactly_once"], required=True)
    parser.add_argument("--seconds", type=float, default=60.0, help="faults begin for so long")
    parser.add_argument("--seed", type=int, default=1, help="which faults, and in what order")
    parser.add_argument("--brokers", type=int, choices=[1, 3], default=3)
    parser.add_argument(
        "--faults",
        type=lambda text: [name for name in text.split(",") if name],
        default=[],
        help=f"of {', '.join(KINDS)}; comma between several; all but "
        f"{', '.join(sorted(NOT_BY_DEFAULT))} unless given",
    )
    found = parser.parse_args()
    try:
        chosen(found.faults, found.brokers)
    except ValueError as error:
        parser.error(str(error))
    return found


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
