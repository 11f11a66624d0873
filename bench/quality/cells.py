"""Results kept one by one, so that a stopped run goes on where it was.

A cell is what one method reached on one split: named numbers. Whose code or libraries changed is
told by the stamp under which its cells are kept.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

Cell = dict[str, float]


class Key(NamedTuple):
    """Which split and which method; `rows` tells the cap on training rows where it bites."""

    part: str
    name: str
    regime: str
    seed: int
    rows: str
    method: str

    def __str__(self) -> str:
        """As it stands in files."""
        return "/".join(map(str, self))


@dataclass(frozen=True)
class Cells:
    """Cells in a folder, one file each, written whole or not at all.

    stamps: of each method, what its results depend on; given: cells that came with the bench, which
    count where the folder has none.
    """

    folder: Path
    stamps: Mapping[str, str]
    given: Mapping[str, Cell] = field(default_factory=dict)

    def get(self, key: Key) -> Cell | None:
        """The cell, None where it has yet to be computed."""
        path = self._path(key)
        if path is not None and path.exists():
            found: Cell = json.loads(path.read_text(encoding="utf-8"))
            return found
        return self.given.get(str(key))

    def put(self, key: Key, cell: Cell) -> None:
        """Keep a cell. Raises KeyError for a method without a stamp."""
        path = self._path(key)
        if path is None:
            raise KeyError(key.method)
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(f".{os.getpid()}.new")
        fresh.write_text(json.dumps(cell), encoding="utf-8")
        fresh.replace(path)

    def _path(self, key: Key) -> Path | None:
        stamp = self.stamps.get(key.method)
        if stamp is None:
            return None
        file = "-".join(map(str, key[1:-1])).replace("/", "_") + ".json"
        return self.folder / f"{key.method}-{stamp}" / key.part / file


def read_given(path: Path) -> tuple[dict[str, str], dict[str, Cell]]:
    """Versions and cells of a file that write_given wrote; nothing where there is none."""
    if not path.exists():
        return {}, {}
    content = json.loads(path.read_text(encoding="utf-8"))
    names: list[str] = content["numbers"]
    cells = {
        key: {name: value for name, value in zip(names, row, strict=False) if value is not None}
        for key, row in content["cells"].items()
    }
    return content["versions"], cells


def write_given(path: Path, versions: Mapping[str, str], cells: Mapping[str, Cell]) -> None:
    """A line a cell, in order, so that versions of the file can be compared."""
    counts = Counter(name for cell in cells.values() for name in cell)
    names = sorted(counts, key=lambda name: (-counts[name], name))
    lines = [
        f"{json.dumps(key)}: {json.dumps(_row(cell, names), separators=(',', ':'))}"
        for key, cell in sorted(cells.items())
    ]
    head = f'{{"versions": {json.dumps(dict(versions))},\n"numbers": {json.dumps(names)},\n'
    path.write_text(head + '"cells": {\n' + ",\n".join(lines) + "\n}}\n", encoding="utf-8")


def _row(cell: Cell, names: Sequence[str]) -> list[float | None]:
    """As far as the last number that it has; five digits are plenty."""
    numbers = [cell.get(name) for name in names]
    while numbers and numbers[-1] is None:
        numbers.pop()
    return [None if number is None else float(f"{number:.5g}") for number in numbers]
