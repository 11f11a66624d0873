"""The feature schema: what the model reads from a record, from where, and how it is parsed.

It travels in the model's manifest, so the worker reads records exactly as training did.
Knows nothing of bytes or of the network.
"""

from __future__ import annotations

import math
import re
import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal

import msgspec
import numpy as np

from worker.model.path import MISSING, Path, parse_path

if TYPE_CHECKING:
    from numpy.typing import NDArray

Kind = Literal["number", "boolean", "category"]
Parse = Literal["json", "text", "comma"]
"""json: as JSON types it; text: a number in a string ("0.005"); comma: the same with a decimal
comma ("0,005", "1.234,5")."""

Scalar = str | int | float | bool | None

MISSING_CODE: Final = -1
"""Code of a category or a watched value that is absent."""
SETTLED_CODE: Final = -2
"""Code of a value that training never saw and that came to stay: neither absent nor a signal."""
OPTIONAL_SHARE: Final = 0.1
"""A feature missing from a larger share of the training records may be missing from any record."""
_UNSEEN_CODES: Final = 1 << 30
_INTEGERS_END: Final = 1 << 63


class SchemaInvalid(ValueError):  # noqa: N818 - reads as what it says
    """The schema contradicts itself."""


class ValueRejected(ValueError):  # noqa: N818 - reads as what it says
    """A value is of a type that its feature cannot have."""


class Feature(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, dict=True):
    """One feature: a value in the record and how it becomes a number or a category code.

    `absent` lists the strings that stand for a missing value beside null; `categories` the values
    seen in training, as text; `lower` and `upper` bound the numbers seen there, and
    `missing_share` is the share of training records without a value.
    """

    path: str
    kind: Kind
    parse: Parse = "json"
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

    @property
    def is_category(self) -> bool:
        """Whether the value becomes a code and not a number."""
        return self.kind == "category"

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
            return _finite(value, self.path)
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
        number = parse_number(text, self.parse)
        if number is None:
            raise self._rejected(text, "a number in a string")
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
        return np.flatnonzero([feature.missing_share <= OPTIONAL_SHARE for feature in features])

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

    numbers: float64 (n, numbers), NaN where missing, never infinite; codes: int64
    (n, categories); watched: int64 (n, watched), see Feature.code and Watched.code.
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


def category_text(value: object) -> str | None:
    """A JSON scalar as the text that names a category; None for objects, lists and MISSING."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            # 1e3 names the same as 1000; beyond 2^63 no exact integer is meant any more.
            is_integer = value.is_integer() and abs(value) < _INTEGERS_END
            return str(int(value)) if is_integer else repr(value)
        case None:
            return "null"
        case _:
            return None


def parse_number(text: str, parse: Parse) -> float | None:
    """The finite number that a string writes, or None. Python's '1_0' and 'nan' are none."""
    plain = text.strip()
    if parse == "comma":
        if _GROUPED.fullmatch(plain):
            plain = _GROUPS.sub("", plain)
        plain = plain.replace(",", ".") if plain.count(",") <= 1 and "." not in plain else ""
    if not plain or not set(plain) <= _NUMBER_CHARACTERS:
        return None
    try:
        number = float(plain)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def json_type(value: object) -> str:
    """The JSON name of a value's type, for messages."""
    names: dict[type, str] = {
        str: "a string", bool: "a boolean", int: "a number", float: "a number",
        list: "an array", dict: "an object", type(None): "null",
    }  # fmt: skip
    return names.get(type(value), "nothing")


_NUMBER_CHARACTERS: Final = frozenset("0123456789+-.eE")
_GROUPED: Final = re.compile(
    r"[+-]?[0-9]{1,3}(?:(?:\.[0-9]{3})+,[0-9]+|(?:\.[0-9]{3}){2,}"
    "|(?:[ '\u00a0\u202f\u2019][0-9]{3})+(?:,[0-9]+)?)"
)
"""Thousands set apart, as where the comma is the decimal sign; '1.234' alone may be either."""
_GROUPS: Final = re.compile("[. '\u00a0\u202f\u2019]")


def _finite(value: float, path: str) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        msg = f"{path}: the number is too large"
        raise ValueRejected(msg)
    return number


def _value_code(text: str) -> int:
    return zlib.crc32(text.encode("utf-8", "surrogatepass")) % _UNSEEN_CODES
