"""A batch of values to columns, row by row where the typed reader does not take them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from worker.codec.empties import EmptyRecords
from worker.codec.parse import RecordRejected, parse_record
from worker.codec.typed import TypedReader
from worker.model.path import MISSING
from worker.model.schema import MISSING_CODE, Columns
from worker.model.values import ValueRejected
from worker.ports import Decoded
from worker.records import Rejection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from worker.model.schema import FeatureSchema
    from worker.records import JsonRecord

STAGE: Final = "decode"
"""The stage that rejections from here carry."""


class NotOurs(Exception):  # noqa: N818 - a verdict, not an error
    """The record is of another type than the model was trained for."""


class JsonCodec:
    """Decodes JSON records. Remembers the compiled readers of the last schema only."""

    def __init__(self, *, record_bytes_max: int, depth_max: int, missing_share_max: float) -> None:
        """Limits: bytes of a value, nesting, and the share of features that may be missing."""
        self._record_bytes_max = record_bytes_max
        self._depth_max = depth_max
        self._missing_share_max = missing_share_max
        self._schema: FeatureSchema | None = None
        self._fast: TypedReader | None = None
        self._empties = EmptyRecords()

    def parse(self, value: bytes) -> JsonRecord:
        """The JSON object or array in a value. Raises RecordRejected."""
        return parse_record(value, self._record_bytes_max, self._depth_max)

    def decode(self, values: Sequence[bytes | None], schema: FeatureSchema) -> Decoded:
        """Read the schema's features from each value; never raises for what a value holds."""
        fast = self._prepared(schema)
        batch = _BatchColumns(schema, len(values))
        left = fast.read(values, batch.columns) if fast else range(len(values))
        for row in left:
            self._decode_row(row, values[row], batch)
        return self._finished(batch)

    def read(self, value: bytes, schema: FeatureSchema) -> list[object]:
        """The plain values at `schema.names` of an accepted record, None where absent."""
        record = self.parse(value)
        found = (steps.resolve(record) for steps in schema.steps)
        return [None if value is MISSING else value for value in found]

    def _prepared(self, schema: FeatureSchema) -> TypedReader | None:
        if self._schema is not schema:
            self._fast = TypedReader.compile(schema, self._record_bytes_max, self._depth_max)
            self._schema = schema
            self._empties = EmptyRecords()
        return self._fast

    def _decode_row(self, row: int, value: bytes | None, batch: _BatchColumns) -> None:
        if value is None:
            batch.skip(row)
            return
        try:
            batch.put(row, self.parse(value))
        except NotOurs:
            batch.skip(row)
        except ValueRejected as rejected:
            batch.reject(row, "wrong_type", str(rejected))
        except RecordRejected as rejected:
            batch.reject(row, rejected.reason, rejected.detail)

    def _finished(self, batch: _BatchColumns) -> Decoded:
        columns, schema = batch.columns, batch.schema
        gaps = np.hstack([np.isnan(columns.numbers), columns.codes == MISSING_CODE])
        missing = gaps.sum(1)
        features = len(schema.features)
        empty = 0
        short = missing > max(self._missing_share_max * features, schema.missing_usual)
        judged = batch.kept.copy()
        for row in np.flatnonzero(short & batch.kept):
            if missing[row] == features and schema.empty_records:
                batch.skip(int(row))
                empty += 1
                judged[row] = False
            else:
                detail = f"{missing[row]} of {features} features are missing"
                batch.reject(int(row), "missing_features", detail)
        rows = np.flatnonzero(batch.kept)
        self._empties.count(empty, len(rows) + empty)
        return Decoded(
            columns=columns if batch.kept.all() else columns.take(rows),
            rows=rows,
            rejections=sorted(batch.rejections, key=lambda rejection: rejection.row),
            skipped=sorted(batch.skipped),
            missing=int(missing[rows].sum()),
            missing_by_feature=_by_feature(schema, gaps[judged]),
        )


def _by_feature(schema: FeatureSchema, gaps: NDArray[np.bool_]) -> dict[str, int]:
    """How often each feature is missing, those that never are left out."""
    names = [feature.path for feature in (*schema.numbers, *schema.categories)]
    counts = gaps.sum(0).tolist()
    return {name: count for name, count in zip(names, counts, strict=True) if count}


class _BatchColumns:
    """The columns of a batch while they are filled."""

    def __init__(self, schema: FeatureSchema, rows: int) -> None:
        self.schema = schema
        self.columns = Columns(
            numbers=np.full((rows, len(schema.numbers)), np.nan),
            codes=np.full((rows, len(schema.categories)), MISSING_CODE, dtype=np.int64),
            watched=np.full((rows, len(schema.watched)), MISSING_CODE, dtype=np.int64),
        )
        self.kept: NDArray[np.bool_] = np.ones(rows, dtype=bool)
        self.rejections: list[Rejection] = []
        self.skipped: list[int] = []

    def put(self, row: int, record: JsonRecord) -> None:
        """Fill one row. Raises NotOurs, RecordRejected, ValueRejected; the row is then not used."""
        schema, columns = self.schema, self.columns
        if isinstance(record, list) != schema.reads_arrays:
            wanted = "array" if schema.reads_arrays else "object"
            raise RecordRejected(f"not_an_{wanted}", f"the value is JSON but not an {wanted}")
        if schema.where is not None and not schema.where.matches(record):
            raise NotOurs
        columns.numbers[row] = [f.number(f.value_in(record)) for f in schema.numbers]
        columns.codes[row] = [f.code(f.value_in(record)) for f in schema.categories]
        columns.watched[row] = [w.code(w.steps.resolve(record)) for w in schema.watched]

    def reject(self, row: int, reason: str, detail: str) -> None:
        """Leave the row out and say why."""
        self.kept[row] = False
        self.rejections.append(Rejection(row, STAGE, reason, detail))

    def skip(self, row: int) -> None:
        """Leave the row out, without blame."""
        self.kept[row] = False
        self.skipped.append(row)
