"""A stretch as a table: the schema, found or given, and the columns that it reads."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import msgspec
import numpy as np

from training.dataset import SAMPLE_MIN, VALUES_MAX, DataUnusable
from training.discover import Discovery, as_given, discover, runs_of, with_all_categories
from worker.model.schema import MISSING_CODE, Columns, FeatureSchema
from worker.ports import RecordCodec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.dataset import Split, Stretch
    from worker.model.path import Path
    from worker.model.schema import Where
    from worker.records import JsonRecord

log = logging.getLogger(__name__)

EMPTY_SHARE_MIN: Final = 0.001
"""Records without any feature are a shape of their own where at least this share is so."""
EMPTY_SHARE_TOLD: Final = 0.2
"""Where so many records are, they may well be what somebody wants to have watched."""
USUAL_SHARE_MIN: Final = 0.02
"""It is usual to lack so many features where so large a share of the records does."""
TAIL_FALL: Final = 0.6
"""To lack more is usual as well while at most this share of the records that lack so many do: so
the counts fall where fields are missing by chance, and not where records are cut off."""
TAIL_STEPS: Final = 20
"""Steps in which all features are gone through for it; at least one feature each."""
DISCOVERY_RECORDS: Final = 10_000
"""Records that discovery looks at, in runs evenly over the stretch."""
DISCOVERY_VALUES: Final = 4_000_000
"""Values that these hold at most: parsed, one takes ten times what it takes in a table."""
_ROWS_AT_ONCE: Final = 4096


class Reader(RecordCodec, Protocol):
    """The worker's codec, which can also parse a single record."""

    def parse(self, value: bytes) -> JsonRecord:
        """The JSON object or array in a value. Raises a ValueError."""
        ...


@dataclass(frozen=True, slots=True)
class Look:
    """What to look for: the records that hold `where`, a `schema` to take in place of finding one.

    `time` is the path of the event time, which is no feature.
    """

    where: Where | None = None
    time: Path | None = None
    schema: FeatureSchema | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """The rows that can be learned from, and how many of the stretch's records cannot.

    `records[i]` is the place of row i in the stretch's records.
    """

    schema: FeatureSchema
    columns: Columns
    records: NDArray[np.intp]
    rejected: int
    skipped: int


def discovered(stretch: Stretch, reader: Reader, look: Look) -> tuple[FeatureSchema, Discovery]:
    """What the stretch holds. Raises DataUnusable, naming what was found, where no feature is."""
    few = stretch.rows_of(DISCOVERY_VALUES)
    sample = runs_of(stretch.records, min(DISCOVERY_RECORDS, few))
    parsed = [r for record in sample if (r := _parsed(record.value, reader)) is not None]
    found = discover(parsed, look.where, look.time)
    if look.schema is not None:
        given = msgspec.structs.replace(look.schema, where=look.where)
        found = as_given(given, found, parsed)
    if found.schema is None:
        msg = f"no usable features in {found.records} records of {stretch.read}"
        raise DataUnusable(f"{msg}; found:\n{_what_was_found(found, look.where)}")
    return found.schema, found


def rows_max(schema: FeatureSchema) -> int:
    """Rows that a table of this schema may have, so that it holds VALUES_MAX values at most.

    A category counts once for each of its values, which are columns of the network's input.
    """
    width = len(schema.names) + sum(len(feature.categories) for feature in schema.categories)
    return max(VALUES_MAX // width, SAMPLE_MIN)


def table_of(stretch: Stretch, reader: Reader, schema: FeatureSchema) -> Table:
    """The stretch in columns; the schema gains what only all the rows tell.

    That is every category, bounds, missing shares, and whether records without any feature are a
    shape of their own.
    """
    everything = (
        r for record in stretch.records if (r := _parsed(record.value, reader)) is not None
    )
    schema = _with_usual(with_all_categories(schema, everything), stretch, reader)
    lenient = msgspec.structs.replace(schema, empty_records=True)
    parts: list[Columns] = []
    places: list[NDArray[np.intp]] = []
    rejected = skipped = empty = 0
    for start in range(0, len(stretch.records), _ROWS_AT_ONCE):
        values = [r.value for r in stretch.records[start : start + _ROWS_AT_ONCE]]
        decoded = reader.decode(values, lenient)
        parts.append(decoded.columns)
        places.append(decoded.rows + start)
        rejected += len(decoded.rejections)
        skipped += len(decoded.skipped)
        empty += sum(_is_ours(values[row], reader, schema) for row in decoded.skipped)
    columns = Columns(
        np.concatenate([part.numbers for part in parts]),
        np.concatenate([part.codes for part in parts]),
        np.concatenate([part.watched for part in parts]),
    )
    if empty >= EMPTY_SHARE_TOLD * len(stretch.records):
        log.warning(
            "%d of %d records hold none of the features: they are skipped, here and by the worker",
            empty,
            len(stretch.records),
        )
    is_shape = empty >= max(1, EMPTY_SHARE_MIN * len(stretch.records))
    complete = msgspec.structs.replace(_described(schema, columns), empty_records=is_shape)
    return Table(complete, columns, np.concatenate(places), rejected, skipped)


def learnable(schema: FeatureSchema, split: Split) -> tuple[FeatureSchema, Split, dict[str, str]]:
    """Without the numbers that hold no value where the network learns, and those by path.

    Raises DataUnusable where nothing is left.
    """
    kept = np.asarray(~np.isnan(split.fit.numbers).all(axis=0))
    why = "no value in the records to learn from"
    blank = {f.path: why for f, is_kept in zip(schema.numbers, kept, strict=True) if not is_kept}
    features = tuple(feature for feature in schema.features if feature.path not in blank)
    if not features:
        raise DataUnusable(f"no usable features; found:\n  {', '.join(sorted(blank))}: {why}")
    usual = max(0, schema.missing_usual - len(blank))
    narrower = msgspec.structs.replace(schema, features=features, missing_usual=usual)
    return narrower, split.with_numbers(kept), blank


def _parsed(value: bytes | None, reader: Reader) -> JsonRecord | None:
    """The record in a value; None where there is none, which is counted when it is decoded."""
    if value is None:
        return None
    try:
        return reader.parse(value)
    except ValueError:
        return None


def _what_was_found(found: Discovery, where: Where | None) -> str:
    if found.left_out:
        return "\n".join(f"  {item.path}: {item.reason}" for item in found.left_out)
    if where is not None and not found.records:
        return f"  no record that holds {where.value} at {where.path}"
    return "  no JSON objects with values in them"


def _is_ours(value: bytes | None, reader: Reader, schema: FeatureSchema) -> bool:
    """Whether a skipped record was skipped for having no feature at all."""
    if value is None:
        return False
    return schema.where is None or schema.where.matches(reader.parse(value))


def _with_usual(schema: FeatureSchema, stretch: Stretch, reader: Reader) -> FeatureSchema:
    """The schema with how many features are commonly missing in a sample, of records that have any.

    Without it the records of one type among several would be refused for what the others have. How
    often each is missing is filled in as well: what is seldom so has nothing else in its way.
    """
    most = len(schema.features) - 1
    lenient = msgspec.structs.replace(
        schema,
        features=tuple(msgspec.structs.replace(f, missing_share=1.0) for f in schema.features),
        missing_usual=most,
        empty_records=True,
    )
    sample = runs_of(stretch.records, DISCOVERY_RECORDS)
    columns = reader.decode([record.value for record in sample], lenient).columns
    missing = np.isnan(columns.numbers).sum(1) + (columns.codes == MISSING_CODE).sum(1)
    return msgspec.structs.replace(
        _described(lenient, columns), missing_usual=_usual(missing, most), empty_records=False
    )


def _usual(missing: NDArray[np.int64], most: int) -> int:
    """How many features records commonly lack, `most` at most: with the tail, and a step beyond.

    A record with more missing by chance than any before it is no damage.
    """
    reached = np.bincount(missing, minlength=most + 2)[::-1].cumsum()[::-1] / max(len(missing), 1)
    usual = int((reached[1 : most + 1] >= USUAL_SHARE_MIN).sum())
    step = -(-most // TAIL_STEPS)
    tail = usual
    while tail and tail + step <= most and 0 < reached[tail + step] <= TAIL_FALL * reached[tail]:
        tail += step
    return min(tail + step, most) if tail > usual else usual


def _described(schema: FeatureSchema, columns: Columns) -> FeatureSchema:
    """The schema with bounds of its number features, and all missing shares, filled in."""
    if not len(columns):
        return schema
    missing = np.isnan(columns.numbers)
    lower = np.where(missing, np.inf, columns.numbers).min(axis=0)
    upper = np.where(missing, -np.inf, columns.numbers).max(axis=0)
    known = {
        feature.path: msgspec.structs.replace(
            feature,
            lower=float(lower[j]) if lower[j] <= upper[j] else None,
            upper=float(upper[j]) if lower[j] <= upper[j] else None,
            missing_share=float(missing[:, j].mean()),
        )
        for j, feature in enumerate(schema.numbers)
    }
    for j, feature in enumerate(schema.categories):
        share = float((columns.codes[:, j] < 0).mean())
        known[feature.path] = msgspec.structs.replace(feature, missing_share=share)
    features = tuple(known[feature.path] for feature in schema.features)
    return msgspec.structs.replace(schema, features=features)
