"""Kept results: a stopped run goes on, changed code starts anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from bench.quality.cells import Cells, Key, read_given, write_given
from bench.quality.plan import compute

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

KEY = Key("adbench", "valve1/0", "clean", 0, "all", "ours")


def cells(folder: Path, stamp: str = "1", **given: float) -> Cells:
    return Cells(folder, {"ours": stamp}, {str(KEY): given} if given else {})


class Counted(NamedTuple):
    """A task that leaves a line behind for each method computed."""

    seed: int
    log: Path
    methods: tuple[str, ...] = ("ours",)

    def key(self, method: str) -> Key:
        return KEY._replace(seed=self.seed, method=method)

    def only(self, methods: tuple[str, ...]) -> Counted:
        return self._replace(methods=methods)

    def compute(self, cells: Cells) -> None:
        for method in self.methods:
            cells.put(self.key(method), {"auroc": 0.5})
            with self.log.open("a") as out:
                out.write(f"{self.seed}\n")


def test_a_cell_is_there_for_the_next_run(tmp_path: Path) -> None:
    cells(tmp_path).put(KEY, {"auroc": 0.75})
    assert cells(tmp_path).get(KEY) == {"auroc": 0.75}


def test_changed_code_does_not_see_it(tmp_path: Path) -> None:
    cells(tmp_path, "1").put(KEY, {"auroc": 0.75})
    assert cells(tmp_path, "2").get(KEY) is None


def test_nothing_but_whole_cells_is_left_in_the_folder(tmp_path: Path) -> None:
    cells(tmp_path).put(KEY, {"auroc": 0.75})
    assert [path.name for path in tmp_path.rglob("*.*")] == ["valve1_0-clean-0-all.json"]


def test_what_came_with_the_bench_counts_where_nothing_was_computed(tmp_path: Path) -> None:
    with_given = cells(tmp_path, auroc=0.5)
    assert with_given.get(KEY) == {"auroc": 0.5}
    with_given.put(KEY, {"auroc": 0.75})
    assert with_given.get(KEY) == {"auroc": 0.75}


def test_a_file_of_cells_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "peers.json"
    kept = {"a/b": {"auroc": 0.123456789, "fit_seconds": 2.0}, "a/c": {"fit_seconds": 1.0}}
    write_given(path, {"pyod": "3"}, kept)
    short = {"auroc": 0.12346, "fit_seconds": 2.0}
    assert read_given(path) == ({"pyod": "3"}, {"a/b": short, "a/c": {"fit_seconds": 1.0}})


def test_a_stopped_run_goes_on_where_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, kept = tmp_path / "log", cells(tmp_path / "cells")
    compute([Counted(0, log)], kept, jobs=1)
    compute([Counted(0, log), Counted(1, log)], kept, jobs=1)
    compute([Counted(0, log), Counted(1, log)], kept, jobs=1)
    assert log.read_text().split() == ["0", "1"]
    assert capsys.readouterr().err.count("1/1") == 2
