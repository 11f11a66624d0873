"""Finds numbers whose level depends on a category or on two; fits the figures of each group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from worker.model.groups import Groups, cell_count, cells

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from worker.model.schema import Columns, FeatureSchema

    Floats = NDArray[np.float64]
    Codes = NDArray[np.int64]

EXPLAINED_MIN: Final = 0.5
"""Share of the variance of a number's ranks that its groups must explain."""

GROUP_ROWS_MIN: Final = 12
"""Rows with a value that a group needs for figures of its own; the others have those of the first
category alone, or of all rows."""

COVERED_MIN: Final = 0.5
"""Share of a number's rows that must be in such groups."""

CELLS_MAX: Final = 16_384
"""Groups that two categories may make at most."""

VARIED_MIN: Final = 3
"""Different values of a number that can have a level."""

OUTER_SHARE: Final = 0.1
"""Share of a group's values at each end that does not shape its spread: they may be wrong ones."""

OUTER_DEVIATIONS: Final = 1.2816
"""Deviations from the median to that quantile, where values are normal."""

WANDER_MAX: Final = 1.0
"""Deviations between a group's medians in the first and in the second half of its rows, from which
on its level wanders (random steps: about 1.4). Where most levels do, as prices, they have left what
was learned when they are judged, and would be alarms for good."""

STILL_SHARE: Final = 1e-9
"""A number that moves by less than this share of its size does not change: it is rounded."""

STILL_UNIT: Final = 1e-4
"""Of a number that never changes, this share of its size is its unit: any change is a jump."""

FAR: Final = 3.0
"""A value beyond the others by more than this many times their range counts as lying there when
mean and deviation are taken: one absurd value does not make all others alike."""


def fit_groups(columns: Columns, schema: FeatureSchema) -> Groups:
    """The groups that these rows show; none where no category explains the most of a number."""
    sizes = tuple(len(feature.categories) for feature in schema.categories)
    found = [
        (j, by)
        for j, feature in enumerate(schema.numbers)
        if sizes and feature.kind == "number"
        if (by := _grouping(columns.numbers[:, j], columns.codes, sizes)) is not None
    ]
    if not found:
        return Groups()
    most = max(cell_count(by, sizes) for _, by in found)
    figures = [_figures(columns.numbers[:, j], columns.codes, by, sizes) for j, by in found]
    padded = [np.pad(f, ((0, 0), (0, most - f.shape[1])), mode="edge") for f in figures]
    return Groups(
        columns=np.array([j for j, _ in found], dtype=np.int64),
        by=np.array([by for _, by in found], dtype=np.int64),
        centre=np.array([f[0] for f in padded]),
        spread=np.array([f[1] for f in padded]),
    )


def _grouping(values: Floats, codes: Codes, sizes: tuple[int, ...]) -> Codes | None:
    """The categories that make the groups of a number: one, or two where the second adds as much.

    The second is looked for beside the best one: in what that leaves where it explains enough,
    else in the number itself.
    """
    present = ~np.isnan(values)
    known = values, codes = values[present], codes[present]
    if len(np.unique(values)) < VARIED_MIN:
        return None
    singles = [np.array([j, len(sizes)]) for j in range(len(sizes))]
    share, first = _best(values, codes, singles, sizes)
    alone = first if share >= EXPLAINED_MIN else None
    if alone is not None:
        centre, spread = _figures(values, codes, alone, sizes)
        cell = cells(codes, alone, sizes)
        with np.errstate(over="ignore"):
            values = (values - centre[cell]) / spread[cell]
    pairs = [np.array([first[0], j]) for j in range(len(sizes)) if j != first[0]]
    pairs = [by for by in pairs if cell_count(by, sizes) <= CELLS_MAX]
    share, both = _best(values, codes, pairs, sizes) if pairs else (0.0, first)
    by = both if share >= EXPLAINED_MIN else alone
    return by if by is not None and _is_settled(*known, by, sizes) else None


def _is_settled(values: Floats, codes: Codes, by: Codes, sizes: tuple[int, ...]) -> bool:
    """Whether the groups have the same levels in both halves of these rows, which are in time."""
    cell = cells(codes, by, sizes)
    order = np.argsort(cell, kind="stable")
    groups = np.split(values[order], np.cumsum(np.bincount(cell))[:-1])
    wandered = []
    for group in groups:
        if len(group) >= GROUP_ROWS_MIN:
            before, after = (_centre_and_spread(half)[0] for half in np.array_split(group, 2))
            spread = _centre_and_spread(group)[1]
            wandered.append(abs(before / 2 - after / 2) >= WANDER_MAX / 2 * spread)
    return bool(np.mean(wandered) < 0.5)  # noqa: PLR2004 - most groups


def _best(
    values: Floats, codes: Codes, groupings: list[Codes], sizes: tuple[int, ...]
) -> tuple[float, Codes]:
    """The largest share that one of the groupings explains, and that grouping."""
    _, places = np.unique(values, return_inverse=True)
    shares = [_explained(places, cells(codes, by, sizes), _known(by, sizes)) for by in groupings]
    at = int(np.argmax(shares))
    return shares[at], groupings[at]


def _explained(places: Codes, cell: Codes, known: NDArray[np.bool_]) -> float:
    """Share of the variance of ranks that is between groups, less what chance would explain.

    `places` are the values in their order. Each group weighs the same, however many rows it has:
    else a level that one row in ten has would explain little, however far away it is. Ranks, since
    groups may lie decades apart. 0 where too few rows are in groups that have figures.
    """
    sizes = np.bincount(cell, minlength=len(known))
    own = known & (sizes >= GROUP_ROWS_MIN)
    kept = own[cell]
    if own.sum() < 2 or kept.mean() < COVERED_MIN:  # noqa: PLR2004 - one group explains nothing
        return 0.0
    places, cell = places[kept], (np.cumsum(own) - 1)[cell[kept]]
    sizes = sizes[own]
    weight = 1 / (len(sizes) * sizes[cell])
    at_place = np.bincount(places, weights=weight)
    ranks = (np.cumsum(at_place) - at_place / 2)[places]
    means = np.bincount(cell, weights=ranks) / sizes
    within = np.bincount(cell, weights=np.square(ranks - means[cell])) / (sizes - 1)
    total = (weight * np.square(ranks - means.mean())).sum()
    return 1 - float(within.mean() / total) if total > 0 else 0.0


def _known(by: Codes, sizes: tuple[int, ...]) -> NDArray[np.bool_]:
    """Which groups have nothing but known codes."""
    shape = [sizes[j] + 1 for j in by if j < len(sizes)]
    known = np.ones(shape, dtype=bool)
    for axis, size in enumerate(shape):
        np.moveaxis(known, axis, 0)[size - 1] = False
    return known.ravel()


def _figures(values: Floats, codes: Codes, by: Codes, sizes: tuple[int, ...]) -> Floats:
    """Centre and spread of each group, float64 (2, groups)."""
    present = ~np.isnan(values)
    values, codes = values[present], codes[present]
    figures = np.repeat(_centre_and_spread(values)[:, None], cell_count(by, sizes), axis=1)
    if by[1] < len(sizes):
        alone = _figures(values, codes, np.array([by[0], len(sizes)]), sizes)
        figures = np.repeat(alone, sizes[by[1]] + 1, axis=1)
    cell = cells(codes, by, sizes)
    order = np.argsort(cell, kind="stable")
    counts = np.bincount(cell, minlength=figures.shape[1])
    ends = np.cumsum(counts)
    for at in np.flatnonzero((counts >= GROUP_ROWS_MIN) & _known(by, sizes)):
        figures[:, at] = _centre_and_spread(values[order[ends[at] - counts[at] : ends[at]]])
    return figures


def _centre_and_spread(values: Floats) -> Floats:
    """Median and robust deviation; the deviation, or the unit of a jump, where hardly any moves."""
    ordered = np.sort(values)
    last = len(ordered) - 1
    low, centre, high = (
        ordered[round(share * last)] for share in (OUTER_SHARE, 0.5, 1 - OUTER_SHARE)
    )
    spread = (high / 2 - low / 2) / OUTER_DEVIATIONS
    size = abs(centre)
    if spread <= STILL_SHARE * size:
        with np.errstate(over="ignore", invalid="ignore"):
            reach = FAR * (size or 1.0)
            spread = np.std(np.clip(values, centre - reach, centre + reach))
    if not STILL_SHARE * size < spread < np.inf:
        spread = STILL_UNIT * (size or 1.0)
    return np.array([centre, max(spread, np.finfo(np.float64).tiny)])
