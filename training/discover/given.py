"""A schema that somebody wrote down, in place of what was found, completed from the records."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import msgspec

from training.discover.decide import Discovery, LeftOut
from worker.model.path import MISSING, parse_path
from worker.model.values import category_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from worker.model.schema import Feature, FeatureSchema, Watched
    from worker.model.values import Scalar
    from worker.records import JsonRecord

CATEGORIES_PENDING: Final = ("",)
"""Stands for the categories of a feature that somebody wrote down; the data has the real ones."""
NO_VALUE: Final = "no value in the records to learn from"
ALL_KEPT_MAX: Final = 50
"""Of more categories those that stand in a single record are left away: damage looks like it."""


def as_given(schema: FeatureSchema, found: Discovery, records: Sequence[JsonRecord]) -> Discovery:
    """What was found, but with the features and constants of `schema`.

    A constant of the value null is given the value that the records hold most often there. Numbers
    that no record holds are left out, while there are other features.
    """
    ours = [r for r in records if schema.where is None or schema.where.matches(r)]
    watched = tuple(_filled_in(constant, ours) for constant in schema.watched)
    blank = {f.path for f in schema.numbers if not _is_held(f, ours)}
    features = tuple(f for f in schema.features if f.path not in blank) or schema.features
    given = msgspec.structs.replace(schema, features=features, watched=watched)
    paths = {_plain(path) for path in given.names}
    known = _kinds(found.schema) if found.schema else {}
    left_out = {item.path: item.reason for item in found.left_out}
    left_out |= dict.fromkeys(found.reasons, "not in the schema that was given")
    left_out |= {_plain(path): NO_VALUE for path in blank}
    return replace(
        found,
        schema=given,
        reasons={
            path: found.reasons[_plain(path)] if known.get(_plain(path)) == kind else "as given"
            for path, kind in _kinds(given).items()
        },
        left_out=tuple(LeftOut(p, why) for p, why in sorted(left_out.items()) if p not in paths),
    )


def with_all_categories(schema: FeatureSchema, records: Iterable[JsonRecord]) -> FeatureSchema:
    """The schema with every category that any of the records holds, not only the sample's."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for record in records:
        if schema.where is None or schema.where.matches(record):
            for feature in schema.categories:
                text = category_text(feature.steps.resolve(record))
                if text is not None and text != "null" and text not in feature.absent:
                    counts[feature.path][text] += 1
    features = [
        msgspec.structs.replace(feature, categories=_kept(counts[feature.path], feature.categories))
        if feature.is_category
        else feature
        for feature in schema.features
    ]
    return msgspec.structs.replace(schema, features=tuple(features))


def _kept(counts: Counter[str], known: tuple[str, ...]) -> tuple[str, ...]:
    often = {text for text, count in counts.items() if count > 1}
    kept = set(counts) if len(counts) <= ALL_KEPT_MAX else often
    wanted = kept.union(known).difference(CATEGORIES_PENDING)
    # The commonest first, not by their names: another name for a category is no other model.
    seen = [text for text, _ in counts.most_common() if text in wanted]
    return (*seen, *sorted(wanted.difference(seen))) or CATEGORIES_PENDING


def _filled_in(constant: Watched, records: Sequence[JsonRecord]) -> Watched:
    """With the commonest value, where none was given, and the share of the others."""
    held = [v for r in records if (v := constant.steps.resolve(r)) is not MISSING]
    value = _commonest(held) if constant.value is None else constant.value
    filled = msgspec.structs.replace(constant, value=value)
    others = sum(filled.code(v) != 0 for v in held)
    return msgspec.structs.replace(filled, other_share=others / max(len(held), 1))


def _is_held(feature: Feature, records: Sequence[JsonRecord]) -> bool:
    return any((v := feature.steps.resolve(r)) is not MISSING and v is not None for r in records)


def _commonest(held: Sequence[object]) -> Scalar:
    scalars = [(type(v), v) for v in held if isinstance(v, str | int | float)]
    return Counter(scalars).most_common(1)[0][0][1] if scalars else None


def _kinds(schema: FeatureSchema) -> dict[str, str]:
    """What each path of a schema is read as."""
    features = {f.path: f"{f.kind} {f.parse} {f.unit}" for f in schema.features}
    return {**features, **{constant.path: "watched" for constant in schema.watched}}


def _plain(path: str) -> str:
    return str(parse_path(path))
