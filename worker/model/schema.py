"""The feature schema: what the model reads from a record, from where, and how it is parsed.

It travels in the model's manifest, so the worker reads records exactly as training did.
Knows nothing of bytes or of the network.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal

import msgspec
import numpy as np

from worker.model.path import MISSING, Key, Path, parse_path
from worker.model.values import (
    Parse,
    Scalar,
    ValueRejected,
    category_text,
    finite,
    json_type,
    parse_number,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

Kind = Literal["number", "boolean", "category"]

MISSING_CODE: Final = -1
"""Code of a category or a watched value that is absent."""
SETTLED_CODE: Final = -2
"""Code of a value that training never saw and that came to stay: neither absent nor a signal."""
SETTLED_NUMBER: Final = math.copysign(math.nan, -1)
"""In the place of a number whose absence came to stay: a NaN like any other, but for its sign."""
OPTIONAL_SHARE: Final = 0.1
"""A feature missing from a larger share of the training records may be missing from any record."""
NEVER_ABSENT_SHARE: Final = 0.02
"""One missing from a smaller share is there in every record; damage alone makes for as much."""
_UNSEEN_CODES: Final = 1 << 30


class SchemaInvalid(ValueError):  # noqa: N818 - reads as what it says
    """The schema contradicts itself."""


class Feature(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, dict=True):
    """One feature: a value in the record and how it becomes a number or a category code.

    `absent` lists the strings that stand for a missing value beside null; `unit` is what stands
    beside every number ("12.5 ms"); `categories` the values seen in training, as text; `lower` and
    `upper` bound the numbers seen there, and `missing_share` is the share of training records
    without a value.
    """

    path: str
    kind: Kind
    parse: Parse = "json"
    unit: str = ""
    absent: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    lower: float | None = None
    upper: float | None = None
    missing_share: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what cannot be read. Raises PathInvalid or SchemaInvalid."""
        parse_path(self.path)
        if (self.kind == "category") != bool(self.categories):
            msg = f"feature {self.path}: categories belong to the kind 'category', and only there"
            raise SchemaInvalid(msg)
        if len(set(self.categories)) != len(self.categories):
            msg = f"feature {self.path}: a category stands twice"
            raise SchemaInvalid(msg)
        if self.unit and (self.parse == "json" or self.kind != "number"):
            msg = f"feature {self.path}: a unit stands beside numbers in a string only"
            raise SchemaInvalid(msg)

    @property
    def is_category(self) -> bool:
        """Whether the value becomes a code and not a number."""
        return self.kind == "category"

    @property
    def is_expected(self) -> bool:
        """Whether nearly all training records had it."""
        return self.missing_share <= OPTIONAL_SHARE

    @property
    def is_always_there(self) -> bool:
        """Whether all training records had it: that it is absent is a signal then."""
        return self.missing_share == 0

    def value_in(self, record: object) -> object:
        """What a record holds there, MISSING where nothing is.

        Raises ValueRejected where (nearly) every record has the feature and something else than an
        object or a list stands in its way: that is no absent value, but a wrong one.
        """
        value = self.steps.resolve(record)
        if value is MISSING and self.missing_share <= NEVER_ABSENT_SHARE:
            found = self.steps.obstacle(record)
            if found is not None:
                at, instead = found
                raise ValueRejected(
                    f"{self.path}: {json_type(instead)} found at {at}, which leads to it"
                )
        return value

    @cached_property
    def steps(self) -> Path:
        """The path in parsed form."""
        return parse_path(self.path)

    @cached_property
    def codes(self) -> dict[str, int]:
        """The code of each known category."""
        return {text: code for code, text in enumerate(self.categories)}

    def number(self, value: object) -> float:
        """The value as a float, NaN where it is absent. Raises ValueRejected."""
        if value is MISSING or value is None or (isinstance(value, str) and value in self.absent):
            return math.nan
        if self.kind == "boolean":
            return self._boolean(value)
        if self.parse == "json":
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise self._rejected(value, "a number")
            return finite(value, self.path)
        if not isinstance(value, str):
            raise self._rejected(value, "a number in a string")
        return self._text_number(value)

    def code(self, value: object) -> int:
        """The category's code; MISSING_CODE, or one from len(categories) up for an unseen one.

        Equal unseen values have equal codes. Raises ValueRejected for an object or a list.
        """
        if value is MISSING or value is None or (isinstance(value, str) and value in self.absent):
            return MISSING_CODE
        text = category_text(value)
        if text is None:
            raise self._rejected(value, "a category")
        known = self.codes.get(text)
        return len(self.categories) + _value_code(text) if known is None else known

    def _boolean(self, value: object) -> float:
        if not isinstance(value, bool):
            raise self._rejected(value, "true or false")
        return float(value)

    def _text_number(self, text: str) -> float:
        number = parse_number(text, self.parse, self.unit)
        if number is None:
            wanted = "a number in a string"
            raise self._rejected(text, f"{wanted} with {self.unit}" if self.unit else wanted)
        return number

    def _rejected(self, value: object, wanted: str) -> ValueRejected:
        return ValueRejected(f"{self.path}: {wanted} expected, {json_type(value)} found")


class Watched(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, dict=True):
    """A path that held one value in (nearly) all training records: another one is a signal.

    `other_share` is the share of training records that held another value.
    """

    path: str
    value: Scalar
    other_share: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what is not a path. Raises PathInvalid."""
        parse_path(self.path)

    @cached_property
    def steps(self) -> Path:
        """The path in parsed form."""
        return parse_path(self.path)

    def code(self, value: object) -> int:
        """0 for the usual value, MISSING_CODE where absent, else a code of the other value.

        An object, a list or null there counts as another value, never as an error.
        """
        if value is MISSING:
            return MISSING_CODE
        text = category_text(value)
        if text == category_text(self.value) and isinstance(value, bool) == isinstance(
            self.value, bool
        ):
            return 0
        return 1 + _value_code(text if text is not None else json_type(value))


class Where(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, dict=True):
    """Which records of a mixed topic belong to the model: those that hold `value` at `path`."""

    path: str
    value: str

    def __post_init__(self) -> None:
        """Refuse what is not a path. Raises PathInvalid."""
        parse_path(self.path)

    @cached_property
    def steps(self) -> Path:
        """The path in parsed form."""
        return parse_path(self.path)

    def matches(self, record: object) -> bool:
        """Whether the record belongs; numbers and booleans compare by their JSON text."""
        return category_text(self.steps.resolve(record)) == self.value


class FeatureSchema(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, dict=True
):
    """All features of a model, the constants that it watches, and which records it is for.

    `empty_records` says that training saw records without any of the features (a change event of
    a delete): such a record is skipped, where otherwise it is rejected. `missing_usual` is how many
    features training records commonly lacked, as those of one type lack what another has.
    """

    features: tuple[Feature, ...]
    watched: tuple[Watched, ...] = ()
    where: Where | None = None
    empty_records: bool = False
    missing_usual: int = 0

    def __post_init__(self) -> None:
        """Refuse what contradicts itself. Raises SchemaInvalid."""
        if not self.features:
            msg = "a schema has at least one feature"
            raise SchemaInvalid(msg)
        texts = [*(f.path for f in self.features), *(w.path for w in self.watched)]
        paths = [str(parse_path(text)) for text in texts]
        if len(set(paths)) != len(paths):
            twice = sorted({p for p in paths if paths.count(p) > 1})
            msg = f"paths stand twice: {', '.join(twice)}"
            raise SchemaInvalid(msg)
        if len({isinstance(parse_path(text).segments[0], Key) for text in texts}) > 1:
            msg = "some paths begin with a key, some with a place: a record is either"
            raise SchemaInvalid(msg)

    @property
    def reads_arrays(self) -> bool:
        """Whether a record is an array, whose places are named, and no object."""
        return not isinstance(self.features[0].steps.segments[0], Key)

    @cached_property
    def numbers(self) -> tuple[Feature, ...]:
        """The features that become float columns, in column order."""
        return tuple(f for f in self.features if not f.is_category)

    @cached_property
    def categories(self) -> tuple[Feature, ...]:
        """The features that become code columns, in column order."""
        return tuple(f for f in self.features if f.is_category)

    @cached_property
    def expected(self) -> NDArray[np.int64]:
        """Places, numbers first, then categories, of the features that nearly all records have."""
        features = (*self.numbers, *self.categories)
        return np.flatnonzero([feature.is_expected for feature in features])

    @cached_property
    def always_there(self) -> NDArray[np.bool_]:
        """Bool, numbers first, then categories: the features that every training record had."""
        features = (*self.numbers, *self.categories)
        return np.array([feature.is_always_there for feature in features], dtype=bool)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Paths in the order in which results are reported: numbers, categories, watched."""
        features = (*self.numbers, *self.categories)
        return (*(f.path for f in features), *(w.path for w in self.watched))

    @cached_property
    def steps(self) -> tuple[Path, ...]:
        """The parsed paths, in the order of names."""
        return tuple(parse_path(name) for name in self.names)


@dataclass(frozen=True, slots=True)
class Columns:
    """Records as columns, one row each, in the schema's column order.

    numbers: float64 (n, numbers), NaN where missing (SETTLED_NUMBER where that came to stay), never
    infinite; codes: int64 (n, categories); watched: int64 (n, watched), see Feature.code and
    Watched.code.
    """

    numbers: NDArray[np.float64]
    codes: NDArray[np.int64]
    watched: NDArray[np.int64]

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.numbers)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_] | slice) -> Columns:
        """The rows picked, in the order asked for."""
        return Columns(self.numbers[rows], self.codes[rows], self.watched[rows])


def _value_code(text: str) -> int:
    return zlib.crc32(text.encode("utf-8", "surrogatepass")) % _UNSEEN_CODES
