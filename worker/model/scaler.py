"""Columns (float64) to the network's input (float32) and back; fitted by training, frozen here.

The t view of a row: its numbers, then for each category its one-hot columns, then a mask column for
each feature that is missing often enough to mean something. Each is (value - mean) / deviation,
clipped softly beyond 5; heavy-tailed numbers are mapped to Gaussian quantiles instead.
The value of a number whose level depends on a category is its deviation from its group's centre.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from worker.model.groups import Groups
from worker.model.schema import MISSING_CODE, SETTLED_CODE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from worker.model.schema import Columns

    Codes = NDArray[np.int64]
    Floats = NDArray[np.float64]

SOFT_CLIP: Final = 5.0
"""Deviations after which a z value grows by its logarithm only (reference recipe, section 2)."""

_Z_MAX: Final = 1e300
_DOUBLE_MAX: Final = float(np.finfo(np.float64).max)


@dataclass(frozen=True)
class Scaler:
    """The fitted map of one schema's columns.

    centre, spread: float64 (d,), of every input column in its raw form (a one-hot or mask column
    is 0 or 1). heavy: int64 (h,), number columns in quantile form; knots, levels: float64 (h, m),
    values and the Gaussian quantiles that they map to, the last knot repeated to fill a row.
    masked: int64 (k,), the features with a mask column, numbers first, then categories.
    category_sizes: categories of each category feature. groups: the numbers that are first put on
    the level of their group; all figures of these here are in that form.
    """

    centre: Floats
    spread: Floats
    heavy: NDArray[np.int64]
    knots: Floats
    levels: Floats
    masked: NDArray[np.int64]
    category_sizes: tuple[int, ...]
    groups: Groups = field(default_factory=Groups)

    @cached_property
    def number_count(self) -> int:
        """Number columns of the schema."""
        return len(self.centre) - sum(self.category_sizes) - len(self.masked)

    @property
    def width(self) -> int:
        """d, the input columns."""
        return len(self.centre)

    @cached_property
    def owner(self) -> NDArray[np.int64]:
        """int64 (d,): the feature (numbers, then categories) that an input column belongs to."""
        numbers = np.arange(self.number_count)
        codes = self.number_count + np.arange(len(self.category_sizes))
        return np.concatenate([numbers, np.repeat(codes, self.category_sizes), self.masked])

    def raw(self, columns: Columns, shown: Codes | None = None) -> Floats:
        """float64 (n, d): values, one-hots and masks, NaN where a number is missing.

        `shown` are codes for the one-hots in place of the columns' own, which name the groups. A
        category that came after training and has settled stands at the centre of its columns:
        that is what the network, which learned with inputs left out, takes for not known.
        """
        if not self.category_sizes and not len(self.masked):
            return columns.numbers
        levelled = self.groups.level(columns.numbers, columns.codes, self.category_sizes)
        parts, start = [levelled], self.number_count
        shown = columns.codes if shown is None else shown
        for j, size in enumerate(self.category_sizes):
            codes = shown[:, j]
            one_hot = (codes[:, None] == np.arange(size)).astype(np.float64)
            one_hot[codes == SETTLED_CODE] = self.centre[start : start + size]
            parts.append(one_hot)
            start += size
        missing = np.hstack([np.isnan(columns.numbers), shown == MISSING_CODE])
        parts.append(missing[:, self.masked].astype(np.float64))
        return np.hstack(parts)

    def view(self, columns: Columns, shown: Codes | None = None) -> NDArray[np.float32]:
        """The t view, float32 (n, d); finite for any finite columns. `shown` as in `raw`."""
        raw = self.raw(columns, shown)
        with np.errstate(over="ignore"):  # a value near a double's end may leave it here
            view = soft_clip((raw - self.centre) / self.spread)
            for column, knots, levels in zip(self.heavy, self.knots, self.levels, strict=True):
                view[:, column] = _to_quantile(raw[:, column], knots, levels, self.spread[column])
        return _finite(view)

    def numbers_from(self, t_view: NDArray[np.float32], codes: Codes) -> Floats:
        """The finite values (n, numbers) that a t view stands for: the inverse of view.

        `codes`, int64 (n, categories), say which groups the rows belong to.
        """
        t_numbers = t_view[:, : self.number_count].astype(np.float64)
        spread, centre = self.spread[: self.number_count], self.centre[: self.number_count]
        with np.errstate(over="ignore"):  # brought back below
            values = soft_unclip(t_numbers) * spread + centre
            for column, knots, levels in zip(self.heavy, self.knots, self.levels, strict=True):
                values[:, column] = _from_quantile(
                    t_numbers[:, column], knots, levels, self.spread[column]
                )
        values = np.clip(values, -_DOUBLE_MAX, _DOUBLE_MAX)
        return self.groups.restore(values, codes, self.category_sizes)

    def deviations(self, codes: Codes) -> Floats:
        """One deviation of each number among rows like these, float64 (n, numbers)."""
        units = self.groups.units(codes, self.category_sizes, self.number_count)
        return units * self.spread[: self.number_count]

    def categories_from(self, t_view: NDArray[np.float32]) -> NDArray[np.int64]:
        """The likeliest code (n, categories) of each category feature in a t view."""
        start = self.number_count
        codes = np.empty((len(t_view), len(self.category_sizes)), dtype=np.int64)
        for j, size in enumerate(self.category_sizes):
            columns = slice(start, start + size)
            share = soft_unclip(t_view[:, columns].astype(np.float64)) * self.spread[columns]
            codes[:, j] = np.argmax(share + self.centre[columns], axis=1)
            start += size
        return codes


def soft_clip(z: Floats) -> Floats:
    """Identity up to SOFT_CLIP, logarithmic beyond: order is kept, reach is bounded."""
    size = np.abs(z)
    if not (size > SOFT_CLIP).any():
        return z
    beyond = np.log1p(np.clip(size - SOFT_CLIP, 0, _Z_MAX))
    return np.where(size <= SOFT_CLIP, z, np.sign(z) * (SOFT_CLIP + beyond))


def soft_unclip(clipped: Floats) -> Floats:
    """The inverse of soft_clip."""
    size = np.abs(clipped)
    beyond = np.expm1(np.clip(size - SOFT_CLIP, 0, np.log(_Z_MAX)))
    return np.where(size <= SOFT_CLIP, clipped, np.sign(clipped) * (SOFT_CLIP + beyond))


def _to_quantile(values: Floats, knots: Floats, levels: Floats, spread: float) -> Floats:
    above = np.log1p(np.clip((values - knots[-1]) / spread, 0, _Z_MAX))
    below = np.log1p(np.clip((knots[0] - values) / spread, 0, _Z_MAX))
    mapped: Floats = np.interp(values, knots, levels) + above - below
    return mapped


def _from_quantile(t: Floats, knots: Floats, levels: Floats, spread: float) -> Floats:
    limit = np.log(_Z_MAX) / 2
    above = np.expm1(np.clip(t - levels[-1], 0, limit)) * spread
    below = np.expm1(np.clip(levels[0] - t, 0, limit)) * spread
    mapped: Floats = np.interp(t, levels, knots) + above - below
    return mapped


def _finite(view: Floats) -> NDArray[np.float32]:
    """float32; a missing number stands at the centre, a rounded-up infinity at the far end."""
    return np.nan_to_num(view, nan=0.0, posinf=_Z_LOG_MAX, neginf=-_Z_LOG_MAX).astype(np.float32)


_Z_LOG_MAX: Final = SOFT_CLIP + float(np.log(_Z_MAX))
