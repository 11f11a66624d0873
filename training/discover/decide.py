"""The decision: a schema for a stream of records, and a reason for every path that is not in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from training.discover.columns import Flat, flatten
from training.discover.counters import counters_by_key
from training.discover.images import earlier_images
from training.discover.judge import GROWS, TIME, TOO_MANY, NumberFeature, judge
from training.discover.relations import naming, record_types, unrelated
from training.discover.sample import runs_of, sample_size
from training.discover.times import are_times_near, is_midnight, moment_of
from worker.model.schema import Feature, FeatureSchema, Watched, Where
from worker.model.values import category_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from training.discover.judge import Verdict
    from worker.model.path import Path
    from worker.records import JsonRecord

EVENT_TIME: Final = "the event time"
SAMPLE_MAX: Final = 10_000
"""Records looked at, at most; fewer where they have many paths."""
WHOLE_RECORD: Final = "[]"
"""What stands for the path of a record that is an array as a whole."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A path that is no feature, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Discovery:
    """What was found in a sample of `records` records.

    schema: None where no feature was found. reasons: why each feature and constant is one, by
    path. types: where records of several types were seen, the path that tells them apart and its
    values, in order.
    """

    schema: FeatureSchema | None
    reasons: dict[str, str]
    left_out: tuple[LeftOut, ...]
    types: tuple[str, tuple[str, ...]] | None
    records: int


def discover(
    records: Sequence[JsonRecord], where: Where | None = None, time: Path | None = None
) -> Discovery:
    """Look at records, in the order of their time; only those that match `where` count.

    Records are objects or arrays, whatever most of them are; the others are damage.
    """
    kind = list if 2 * sum(isinstance(r, list) for r in records) > len(records) else dict
    ours = [r for r in records if isinstance(r, kind) and (where is None or where.matches(r))]
    if not ours:
        return Discovery(None, {}, (), None, 0)
    sample = runs_of(ours, sample_size(ours, SAMPLE_MAX))
    return _Decision(flatten(sample), where, time).made()


class _Decision:
    """The verdicts on all columns of one sample, first each alone, then together."""

    def __init__(self, flat: Flat, where: Where | None, time: Path | None) -> None:
        self._flat = flat
        self._where = where
        self._verdicts: dict[Path, Verdict] = {}
        for path, column in flat.columns.items():
            self._verdicts[path] = EVENT_TIME if path == time else judge(column)

    def made(self) -> Discovery:
        """The decision."""
        self._leave_out_times()
        self._leave_out_images()
        self._leave_out_numbers()
        types = self._take_types_apart()
        features = tuple(f for v in self._verdicts.values() if (f := _feature(v)) is not None)
        watched = tuple(v for v in self._verdicts.values() if isinstance(v, Watched))
        return Discovery(
            schema=FeatureSchema(features=features, watched=watched, where=self._where)
            if features
            else None,
            reasons={
                str(p): _reason(v) for p, v in self._verdicts.items() if not isinstance(v, str)
            },
            left_out=self._left_out(),
            types=types,
            records=self._flat.records,
        )

    def _left_out(self) -> tuple[LeftOut, ...]:
        """What is neither a feature nor watched; where there is no feature nothing is watched."""
        is_empty = all(_feature(verdict) is None for verdict in self._verdicts.values())
        left_out = dict(self._flat.not_entered)
        for path, verdict in self._verdicts.items():
            left_out.pop(path, None)
            if isinstance(verdict, str):
                left_out[path] = verdict
            elif is_empty:
                left_out[path] = "a constant"
        told = (LeftOut(str(p) or WHOLE_RECORD, why) for p, why in left_out.items())
        return tuple(sorted(told, key=_by_path))

    def _leave_out_times(self) -> None:
        """Epochs that only the other times of the records tell from counts and constants."""
        known = [
            p
            for p, v in self._verdicts.items()
            if isinstance(v, str) and v in {EVENT_TIME, TIME, GROWS}
        ]
        columns = self._flat.columns
        found = (moment_of(columns[path].values) for path in known)
        moments = sorted({moment for moment in found if moment is not None})
        for path, verdict in self._verdicts.items():
            if isinstance(verdict, str) or (
                isinstance(verdict, Watched) and not is_midnight(verdict.value)
            ):
                continue
            if are_times_near(columns[path].values, moments):
                self._verdicts[path] = TIME

    def _leave_out_images(self) -> None:
        for older, newer in earlier_images(self._flat).items():
            depth = len(older.segments)
            for path in self._verdicts:
                if path.segments[:depth] == older.segments:
                    self._verdicts[path] = f"an earlier image of {newer}"

    def _leave_out_numbers(self) -> None:
        numbers = {p: v for p, v in self._verdicts.items() if isinstance(v, NumberFeature)}
        for path in unrelated(self._flat, numbers):
            self._verdicts[path] = "whole numbers drawn at random: an identifier"
            del numbers[path]
        texts = [path for path, verdict in self._verdicts.items() if verdict == TOO_MANY]
        for path, text in naming(self._flat, numbers, texts).items():
            self._verdicts[path] = f"names the same things as {text}: an identifier"
            del numbers[path]
        for path in counters_by_key(self._flat, numbers):
            self._verdicts[path] = (
                "only grows among the records of one key: a counter, whose differences would be a"
                " feature"
            )

    def _take_types_apart(self) -> tuple[str, tuple[str, ...]] | None:
        """The types seen; what tells them apart stays a feature if each of them has others."""
        held = [p for p, verdict in self._verdicts.items() if _feature(verdict) is not None]
        types = record_types(self._flat, [self._flat.columns[path] for path in held])
        if types is None:
            return None
        path = types.column.path
        if types.has_empty:
            self._verdicts[path] = "tells records of different types apart"
        return str(path), tuple(category_text(value) or "" for value in types.values)


def _by_path(item: LeftOut) -> str:
    return item.path


def _feature(verdict: Verdict) -> Feature | None:
    if isinstance(verdict, NumberFeature):
        return verdict.feature
    return verdict if isinstance(verdict, Feature) else None


def _reason(verdict: Verdict) -> str:
    match verdict:
        case Watched():
            return "(nearly) always the same value"
        case NumberFeature(feature=feature):
            if feature.unit:
                return f"numbers in {feature.unit}, written as text"
            return "numbers" if feature.parse == "json" else "numbers written as text"
        case Feature(kind="category"):
            return "few values that come again"
        case _:
            return "true or false"
