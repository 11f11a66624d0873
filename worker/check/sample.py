"""Whether a model's features are found in a sample of records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from worker.model.path import MISSING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from worker.model.schema import Feature, FeatureSchema
    from worker.ports import RecordCodec

EXPECTED_MIN: Final = 5
"""A feature is missed where it should appear at least so often in the sample."""
NAMES_SHOWN: Final = 5


class Sample:
    """The newest records as the model would read them."""

    def __init__(
        self, schema: FeatureSchema, codec: RecordCodec, parse: Callable[[bytes], object]
    ) -> None:
        self._schema = schema
        self._codec = codec
        self._parse = parse
        self.said = ""

    def problem(self, values: Sequence[bytes | None], dead_letter_share_max: float) -> str:
        """What is wrong with them, else nothing, and `said` tells how they are."""
        decoded = self._codec.decode(values, self._schema)
        skipped, rejected = set(decoded.skipped), decoded.rejections
        ours = len(values) - len(skipped)
        if not ours:
            return f"none of the newest {len(values)} records is of the kind that the model knows"
        absent = self._absent([v for row, v in enumerate(values) if row not in skipped])
        if absent:
            return (
                f"{len(absent)} of the model's {len(self._schema.features)} features are in none"
                f" of the newest {ours} records: {_listed(absent)}"
            )
        letters = f"{len(rejected)} of the newest {ours} records would be dead letters"
        if len(rejected) > dead_letter_share_max * ours:
            return f"{letters}: {rejected[0].reason} ({rejected[0].detail})"
        self.said = f"all {len(self._schema.features)} are in the newest {ours} records"
        if rejected:
            self.said += f"; {len(rejected)} would be dead letters: {rejected[0].reason}"
        return ""

    def _absent(self, values: Sequence[bytes | None]) -> list[str]:
        """The features that are in no record, though they should be in some."""
        parsed = [record for value in values if (record := self._parsed(value)) is not None]
        return [
            feature.path
            for feature in self._schema.features
            if len(parsed) * (1 - feature.missing_share) >= EXPECTED_MIN
            and not any(_holds(feature, record) for record in parsed)
        ]

    def _parsed(self, value: bytes | None) -> object:
        try:
            return None if value is None else self._parse(value)
        except ValueError:
            return None


def _holds(feature: Feature, record: object) -> bool:
    value = feature.steps.resolve(record)
    return not (value is MISSING or value is None or value in feature.absent)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
