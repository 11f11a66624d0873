"""Columns of Arrow as JSON values: what each type's values become, at any depth.

Knows nothing of files. Needs pyarrow, an extra.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping

    Convert = Callable[[Any], object]
    Rules = tuple[tuple[Callable[[Any], bool], Callable[[Any], Any]], ...]

_TYPES: Final = pa.types


def json_values(column: Any) -> list[object]:  # noqa: ANN401 - pyarrow ships no types
    """The column's values as JSON has them, None where there is nothing: null, NaN.

    Times are ISO 8601 text to the microsecond, in UTC where the column has a zone; durations are
    seconds; an infinite number is text, as JSON has none and it is to be noticed.
    """
    coarse = _coarse(column.type)
    plain = column if coarse == column.type else column.cast(coarse, safe=False)
    convert = _converter(column.type)
    values: list[object] = plain.to_pylist()
    return values if convert is None else [convert(value) for value in values]


def _coarse(kind: Any) -> Any:  # noqa: ANN401
    """The type with times that Python can hold."""
    return next((make(kind) for fits, make in _COARSE if fits(kind)), kind)


def _coarse_field(field: Any) -> Any:  # noqa: ANN401
    return field.with_type(_coarse(field.type))


_COARSE: Final[Rules] = (
    (_TYPES.is_timestamp, lambda kind: pa.timestamp("us", tz="UTC" if kind.tz else None)),
    (_TYPES.is_time, lambda _: pa.time64("us")),
    (_TYPES.is_duration, lambda _: pa.duration("us")),
    (_TYPES.is_list, lambda kind: pa.list_(_coarse_field(kind.value_field))),
    (_TYPES.is_large_list, lambda kind: pa.large_list(_coarse_field(kind.value_field))),
    (
        _TYPES.is_fixed_size_list,
        lambda kind: pa.list_(_coarse_field(kind.value_field), kind.list_size),
    ),
    (_TYPES.is_map, lambda kind: pa.map_(kind.key_field, _coarse_field(kind.item_field))),
    (_TYPES.is_struct, lambda kind: pa.struct([_coarse_field(field) for field in kind])),
)


def _converter(kind: Any) -> Convert | None:  # noqa: ANN401
    """What makes a JSON value of a value that Python has; None where it is one already."""
    return next((make(kind) for fits, make in _CONVERTERS if fits(kind)), None)


def _list_converter(kind: Any) -> Convert | None:  # noqa: ANN401
    inner = _converter(kind.value_type)
    if inner is None:
        return None
    return lambda value: None if value is None else [inner(each) for each in value]


def _struct_converter(kind: Any) -> Convert:  # noqa: ANN401
    inner = {field.name: _converter(field.type) for field in kind}
    return lambda value: None if value is None else _object(value, inner)


def _map_converter(kind: Any) -> Convert:  # noqa: ANN401
    inner = _converter(kind.item_type)

    def convert(value: Any) -> object:  # noqa: ANN401
        if value is None:
            return None
        return _object({str(name): each for name, each in value}, dict.fromkeys(dict(value), inner))

    return convert


def _object(members: Mapping[str, Any], converters: Mapping[str, Convert | None]) -> object:
    """The members that are there."""
    made = {}
    for name, value in members.items():
        convert = converters.get(name)
        made[name] = value if convert is None else convert(value)
    return {name: value for name, value in made.items() if value is not None}


def _number(value: float | None) -> object:
    if value is None or math.isnan(value):
        return None
    return value if math.isfinite(value) else str(value)


def _seconds(value: dt.timedelta | None) -> float | None:
    return None if value is None else value.total_seconds()


def _iso(value: dt.date | dt.time | None) -> str | None:
    return None if value is None else value.isoformat().replace("+00:00", "Z")


_CONVERTERS: Final[Rules] = (
    (_TYPES.is_floating, lambda _: _number),
    (_TYPES.is_duration, lambda _: _seconds),
    (_TYPES.is_temporal, lambda _: _iso),
    (_TYPES.is_dictionary, lambda kind: _converter(kind.value_type)),
    (_TYPES.is_list, _list_converter),
    (_TYPES.is_large_list, _list_converter),
    (_TYPES.is_fixed_size_list, _list_converter),
    (_TYPES.is_map, _map_converter),
    (_TYPES.is_struct, _struct_converter),
)
