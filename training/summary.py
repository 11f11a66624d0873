"""What a training run is told as: lines for people, objects for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from training.discover import CATEGORIES_PENDING
from worker.model.schema import Feature, FeatureSchema, Kind, Watched
from worker.model.values import Parse, Scalar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from training.backtest import Backtest, Oddity
    from training.discover import Discovery, LeftOut
    from training.retrain import Outcome
    from worker.model.artifact import RowCounts
    from worker.records import FeatureShare

LEFT_OUT_SHOWN = 8
FEATURES_SHOWN = 3
SHORT_MAX = 60


def discovery_table(found: Discovery) -> dict[str, object]:
    """A discovery as plain values; schema_from reads it back, edited or not."""
    schema = found.schema
    features = schema.features if schema else ()
    watched = schema.watched if schema else ()
    return {
        "features": [_feature_row(feature, found.reasons) for feature in features],
        "watched": [
            {"path": w.path, "value": w.value, "reason": found.reasons[w.path]} for w in watched
        ],
        "left_out": [{"path": item.path, "reason": item.reason} for item in found.left_out],
    }


def schema_from(table: dict[str, object]) -> FeatureSchema:
    """The schema that an edited discovery table asks for; the data fills in what it leaves open.

    Raises SchemaInvalid, PathInvalid or msgspec.ValidationError for what cannot be read.
    """
    rows = msgspec.convert(table, type=_Table)
    features = [_feature_from(row) for row in rows.features]
    watched = [Watched(path=row.path, value=row.value) for row in rows.watched]
    return FeatureSchema(features=tuple(features), watched=tuple(watched))


class _FeatureRow(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One line of the features; `reason` is for people."""

    path: str
    kind: Kind
    parse: Parse = "json"
    unit: str = ""
    absent: tuple[str, ...] = ()
    reason: str = ""


class _WatchedRow(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One line of the constants; without a value the commonest in the data is taken."""

    path: str
    value: Scalar = None
    reason: str = ""


class _Table(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    features: list[_FeatureRow]
    watched: list[_WatchedRow] = []
    left_out: list[object] = []


def discovery_lines(found: Discovery) -> str:
    """A discovery as a table for people."""
    table = [
        *((row["path"], str(row["kind"]), row["reason"]) for row in _rows(found, "features")),
        *((row["path"], "watched", row["reason"]) for row in _rows(found, "watched")),
        *((item.path, "left out", item.reason) for item in found.left_out),
    ]
    width = max((len(str(path)) for path, _, _ in table), default=0)
    lines = [f"{path!s:<{width}}  {kind:<9} {reason}" for path, kind, reason in table]
    return "\n".join([*lines, *_types_lines(found.types)])


def outcome_table(outcome: Outcome) -> dict[str, object]:
    """A run as plain values."""
    backtest = outcome.backtest
    return {
        "version": outcome.version,
        "promoted": outcome.verdict.promoted,
        "reasons": outcome.verdict.reasons,
        "rows": outcome.rows,
        "alert_rate": outcome.alert_rate,
        "supported_rate": outcome.supported_rate,
        "backtest": {
            "rows": backtest.rows,
            "flagged": backtest.flagged,
            "per_day": backtest.per_day,
            "oddest": [
                {"at": odd.at, "time": odd.time, "anomaly": odd.anomaly} for odd in backtest.oddest
            ],
        },
        "schema": outcome.schema,
        "left_out": [{"path": item.path, "reason": item.reason} for item in outcome.left_out],
    }


def outcome_lines(outcome: Outcome, stream: str) -> str:
    """A run for people: what was learned, and what the model would have flagged."""
    verdict = "promoted" if outcome.verdict.promoted else "kept back"
    lines = [
        f"model {outcome.version} of {stream}: {verdict}",
        *(f"  {reason}" for reason in outcome.verdict.reasons),
        _rows_line(outcome.rows),
        _schema_line(outcome),
        *_left_out_lines(outcome.left_out),
        *_types_lines(outcome.types),
        f"  alert rate {outcome.alert_rate:g} of normal records{_support(outcome)}",
        *_backtest_lines(outcome.backtest),
    ]
    return "\n".join(lines)


def _rows(found: Discovery, name: str) -> Sequence[dict[str, object]]:
    rows: Sequence[dict[str, object]] = discovery_table(found)[name]  # type: ignore[assignment]
    return rows


def _feature_row(feature: Feature, reasons: dict[str, str]) -> dict[str, object]:
    row: dict[str, object] = {"path": feature.path, "kind": feature.kind}
    if feature.parse != "json":
        row["parse"] = feature.parse
    if feature.unit:
        row["unit"] = feature.unit
    if feature.absent:
        row["absent"] = feature.absent
    return {**row, "reason": reasons[feature.path]}


def _feature_from(row: _FeatureRow) -> Feature:
    categories = CATEGORIES_PENDING if row.kind == "category" else ()
    return Feature(
        path=row.path,
        kind=row.kind,
        parse=row.parse,
        unit=row.unit,
        absent=row.absent,
        categories=categories,
    )


def _types_lines(types: tuple[str, tuple[str, ...]] | None) -> list[str]:
    if types is None:
        return []
    path, values = types
    shown = ", ".join(_short(value) for value in values)
    told = f"  records of several types, told apart by {path}: {shown};"
    return [f"{told} --where {path}={values[0]} learns one of them alone"]


def _rows_line(rows: RowCounts) -> str:
    return (
        f"  learned from {rows.fit} of {rows.read} records"
        f" ({rows.rejected} unreadable, {rows.skipped} skipped),"
        f" calibrated on {rows.calibrate}, judged on {rows.hold_out}"
    )


def _schema_line(outcome: Outcome) -> str:
    schema = outcome.schema
    return (
        f"  {len(schema.features)} features ({len(schema.numbers)} numbers,"
        f" {len(schema.categories)} categories), {len(schema.watched)} constants watched,"
        f" {len(outcome.left_out)} paths left out"
    )


def _left_out_lines(left_out: Sequence[LeftOut]) -> list[str]:
    lines = [f"    - {item.path}: {item.reason}" for item in left_out[:LEFT_OUT_SHOWN]]
    if len(left_out) > LEFT_OUT_SHOWN:
        lines.append(f"    - and {len(left_out) - LEFT_OUT_SHOWN} more (--dry-run shows them)")
    return lines


def _support(outcome: Outcome) -> str:
    told = (
        f"; the {outcome.rows.calibrate} calibration records support {outcome.supported_rate:.1g}"
    )
    is_supported = outcome.alert_rate >= outcome.supported_rate
    return told if is_supported else f"{told}, beyond that it is extrapolated"


def _backtest_lines(backtest: Backtest) -> list[str]:
    a_day = "" if backtest.per_day is None else f", about {backtest.per_day:.1f} a day"
    head = f"  backtest: {backtest.flagged} of {backtest.rows} hold-out records flagged{a_day}"
    return [f"{head}; the oddest:", *(_oddity_line(odd) for odd in backtest.oddest)]


def _oddity_line(odd: Oddity) -> str:
    why = ", ".join(_why(feature) for feature in odd.anomaly.features[:FEATURES_SHOWN])
    return f"    {odd.anomaly.score:5.2f}  {odd.time or odd.at}  {why}"


def _why(feature: FeatureShare) -> str:
    value, expected = _short(feature.value), _short(feature.expected)
    return f"{feature.name} {value} (expected {expected}; {feature.contribution:.0%})"


def _short(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    text = str(value)
    line = text if text.isprintable() else repr(text)
    return line if len(line) <= SHORT_MAX else f"{line[:SHORT_MAX]}..."
