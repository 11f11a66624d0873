"""Filling in cells: what a peer cannot learn stops nobody else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bench.quality.cells import Cells, Key
from bench.quality.peers import PeerFailed
from bench.quality.plan import fill

if TYPE_CHECKING:
    from pathlib import Path

METHODS = ("knn", "mcd", "ours")


@dataclass(frozen=True)
class Rows:
    """Rows that one peer cannot learn."""

    methods: tuple[str, ...] = METHODS

    def key(self, method: str) -> Key:
        return Key("part", "name", "regime", 0, "all", method)

    def only(self, methods: tuple[str, ...]) -> Rows:
        return replace(self, methods=methods)

    def compute(self, cells: Cells) -> None:
        for method in self.methods:
            if method == "mcd":
                raise PeerFailed("mcd: the matrix is equal to 0")
            cells.put(self.key(method), {"auroc": 0.5})


def test_a_peer_that_cannot_learn_has_an_empty_cell_and_the_others_theirs(tmp_path: Path) -> None:
    cells, rows = Cells(tmp_path, dict.fromkeys(METHODS, "1")), Rows()
    fill(rows, cells)
    found = {method: cells.get(rows.key(method)) for method in METHODS}
    assert found == {"knn": {"auroc": 0.5}, "mcd": {}, "ours": {"auroc": 0.5}}
