"""The bench as a command: computes what is missing, prints tables and one last line."""

# ruff: noqa: E402 - the variables are read once, when numpy is loaded

from __future__ import annotations

import os

# A second thread would be a second core; child processes inherit this.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"

from dataclasses import replace
from pathlib import Path

import click

from bench.quality import cost, own
from bench.quality.cells import Cells, read_given, write_given
from bench.quality.methods import METHODS
from bench.quality.peers import PEERS, PYTHON, ROOT, peer_process
from bench.quality.plan import PARTS, Plan, compute, large_names
from bench.quality.regimes import PROTOCOL, REGIMES
from bench.quality.results import Results, Tabular, cost_line, last_line
from bench.quality.sources import NoData, require
from bench.quality.tables import page, tables

GIVEN = Path(__file__).with_name("peers.json")


def _several(choices: tuple[str, ...]) -> click.Choice[str]:
    return click.Choice(choices)


@click.command()
@click.option("--quick", is_flag=True, help="One seed, at most 5,000 training rows.")
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=ROOT.parent / "shared" / "data",
    help="Folder with adbench, skab, smd, asd, smap and kddcup99.",
)
@click.option("--parts", multiple=True, type=_several(PARTS), help="Only these; may repeat.")
@click.option("--sets", multiple=True, help="Only these ADBench sets; may repeat.")
@click.option("--regimes", multiple=True, type=_several(REGIMES), help="Only these; may repeat.")
@click.option("--methods", multiple=True, type=_several(METHODS), help="Only these; may repeat.")
@click.option("--jobs", default=os.cpu_count() or 1, help="Processes at a time, a thread each.")
@click.option(
    "--markdown", type=click.Path(dir_okay=False, path_type=Path), help="Write the tables there."
)
@click.option("--keep-peers", is_flag=True, help="Write the peers' cells beside the bench.")
@click.option("--fresh-peers", is_flag=True, help="Do without the cells beside the bench.")
def main(  # noqa: PLR0913 - one for each option
    *,
    quick: bool,
    data: Path,
    parts: tuple[str, ...],
    sets: tuple[str, ...],
    regimes: tuple[str, ...],
    methods: tuple[str, ...],
    jobs: int,
    markdown: Path | None,
    keep_peers: bool,
    fresh_peers: bool,
) -> None:
    """How well anomalies are told from normal rows: ours beside nine peers, on public data.

    What is kept is not computed again, unless the code or the libraries behind it changed.
    """
    plan = Plan(
        data=data,
        quick=quick,
        methods=methods or METHODS,
        parts=parts or PARTS,
        sets=sets,
        regimes=regimes or REGIMES,
    )
    plan = replace(plan, parts=_computable(plan))
    tasks = list(plan.tasks())
    _, given = read_given(GIVEN)
    cells = Cells(ROOT / ".cache" / "quality", _stamps(), {} if fresh_peers else given)
    peers = [task.key(method) for task in tasks for method in task.methods if method in PEERS]
    if not PYTHON.exists() and any(cells.get(key) is None for key in peers):
        raise click.ClickException("the peers have no environment: run `make setup-peers`")
    compute(tasks, cells, jobs)
    if keep_peers:
        found = {str(key): cell for key in peers if (cell := cells.get(key)) is not None}
        write_given(GIVEN, peer_process().versions, given | found)
    results = Results.of(tasks, cells)
    _print(plan, Tabular(results, large_names(data, results.names("adbench"))), markdown)


def _computable(plan: Plan) -> tuple[str, ...]:
    """The parts less those without data, which are told. Raises NoData where none is left."""
    needing = [part for part in plan.parts if part != cost.PART]
    found = require(plan.data, needing) if needing else []
    if "adbench" in found and not plan.names():
        raise NoData(f"none of the sets asked for is in {plan.data / 'adbench'}")
    return tuple(part for part in plan.parts if part in {*found, cost.PART})


def _stamps() -> dict[str, str]:
    """Of ours what its code says; of the peers what is installed, nothing where nothing is."""
    stamps = dict.fromkeys(own.OWN, f"{PROTOCOL}-{own.stamp()}")
    if PYTHON.exists():
        stamps |= dict.fromkeys(PEERS, f"{PROTOCOL}-{peer_process().stamp}")
    return stamps


def _print(plan: Plan, part: Tabular, markdown: Path | None) -> None:
    found = tables(plan, part)
    lines = [cost_line(part.results)] if "cost" in plan.parts else []
    lines += [last_line(part)] if "adbench" in plan.parts else []
    print("\n".join([*(table.text() for table in found), *lines]))
    if markdown is not None:
        before = markdown.read_text(encoding="utf-8") if markdown.exists() else ""
        markdown.write_text(page(before, found, lines), encoding="utf-8")


if __name__ == "__main__":
    main()
