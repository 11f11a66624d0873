"""KDD Cup 99 with its categories: learn normal connections, or attacks with the roles swapped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from bench.quality import methods, sources
from bench.quality.cells import Key
from bench.quality.metrics import auroc, average_precision, f1_at_count
from bench.quality.problems import Problem, Rows
from bench.quality.regimes import scale_of
from worker.model.schema import Columns, Feature, FeatureSchema

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from bench.quality.cells import Cells
    from bench.quality.regimes import Caps
    from bench.quality.sources import Floats, Labels

PART: Final = "kddcup99"
ROLES: Final = {"normal": 0, "attacks": 1}
"""Which connections are learned; the others are the anomalies. "attacks" is DAGMM's protocol."""

_NUMERIC: Final = [i for i in range(sources.KDD_WIDTH) if i not in sources.KDD_SYMBOLIC]


class Task(NamedTuple):
    """One role, and the methods that are to be tried on it."""

    data: Path
    role: str
    seed: int
    caps: Caps
    methods: tuple[str, ...]

    def key(self, method: str) -> Key:
        """Of the method's cell."""
        return Key(PART, PART, self.role, self.seed, str(self.caps.train), method)

    def only(self, methods: tuple[str, ...]) -> Task:
        """The same role for these methods."""
        return self._replace(methods=methods)

    def compute(self, cells: Cells) -> None:
        """Fill in the cells of the methods."""
        table, attack = sources.kddcup99(self.data)
        label = (attack != ROLES[self.role]).astype(np.int64)
        train, test = _split(label, self.seed, self.caps)
        problem = problem_of([table[i] for i in train], [table[i] for i in test])
        for method in self.methods:
            scored = methods.score(method, problem, self.seed)
            cell = {
                "auroc": auroc(label[test], scored.score),
                "auprc": average_precision(label[test], scored.score),
                "f1": f1_at_count(label[test], scored.score),
            }
            cells.put(self.key(method), cell | scored.cost())


def _split(label: Labels, seed: int, caps: Caps) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """At most half of the connections of the role, and a sample of all others."""
    rng = np.random.default_rng(seed)
    learned = rng.permutation(np.flatnonzero(label == 0))
    train = learned[: min(caps.train, len(learned) // 2)]
    test = rng.permutation(np.setdiff1d(np.arange(len(label)), train))[: caps.test]
    return train, test


def problem_of(train: list[list[str]], test: list[list[str]]) -> Problem:
    """Categories as such for ours, and as a column each for the peers; numbers for both."""
    schema = _schema(train)
    learned, judged = _columns(train, schema), _columns(test, schema)
    wide = (_one_hot(learned, schema), _one_hot(judged, schema))
    centre, spread = scale_of(wide[0])
    first, second = ((rows - centre) / spread for rows in wide)
    return Problem(schema, Rows(learned, first), Rows(judged, second))


def _schema(train: list[list[str]]) -> FeatureSchema:
    numbers = tuple(Feature(path=f"column_{i}", kind="number") for i in _NUMERIC)
    categories = tuple(
        Feature(
            path=f"column_{i}",
            kind="category",
            categories=tuple(sorted({row[i] for row in train})),
        )
        for i in sources.KDD_SYMBOLIC
    )
    return FeatureSchema(features=numbers + categories)


def _columns(table: list[list[str]], schema: FeatureSchema) -> Columns:
    codes: NDArray[np.int64] = np.array(
        [[feature.code(row[i]) for i, feature in _placed(schema)] for row in table],
        dtype=np.int64,
    )
    numbers = np.array([[float(row[i]) for i in _NUMERIC] for row in table])
    return Columns(numbers, codes, np.empty((len(table), 0), dtype=np.int64))


def _placed(schema: FeatureSchema) -> list[tuple[int, Feature]]:
    return list(zip(sources.KDD_SYMBOLIC, schema.categories, strict=True))


def _one_hot(columns: Columns, schema: FeatureSchema) -> Floats:
    """An unseen category is a row of zeros."""
    blocks = [columns.numbers]
    for place, feature in enumerate(schema.categories):
        known = np.arange(len(feature.categories))
        blocks.append((columns.codes[:, place, None] == known).astype(np.float64))
    return np.hstack(blocks)
