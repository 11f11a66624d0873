"""Looks at one thing after the other, each once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from worker.check.points import Point
from worker.check.promise import promise
from worker.check.sample import Sample
from worker.ports import LatentwatchError, NotPermitted, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from worker.check.points import Mends, Surroundings, Wanted
    from worker.ports import Model, RecordCodec
    from worker.topics import Right, TopicFacts

SAMPLE_RECORDS: Final = 500


def check(
    wanted: Wanted,
    around: Surroundings,
    codec: RecordCodec,
    parse: Callable[[bytes], object],
    mends: Mends,
) -> list[Point]:
    """All points, in the order in which they follow from each other. Waits for nothing.

    `parse` gives the JSON object in a value or raises ValueError.
    """
    points = [_broker(around, mends)]
    facts = _topics(wanted, around, mends, points)
    if facts is not None:
        _rights(wanted, around, mends, facts, points)
        if all(facts.values()):
            points.append(_promise(wanted, around, mends))
    model = _model(around, mends, points)
    readable = facts is not None and _may(facts[wanted.topic], "READ")
    if model is None or not readable:
        points.append(Point("features", "skipped", "needs the topic and the model"))
    else:
        points.append(_features(wanted, around, Sample(model.schema, codec, parse), mends))
    return points


def _failed(name: str, error: Exception, mend: str) -> Point:
    code = getattr(error, "exit_code", 70)
    return Point(name, "failed", str(error), mend, code)


def _broker(around: Surroundings, mends: Mends) -> Point:
    try:
        return Point("broker", "ok", around.brokers())
    except LatentwatchError as error:
        return _failed("broker", error, mends.broker)


def _topics(
    wanted: Wanted, around: Surroundings, mends: Mends, points: list[Point]
) -> Mapping[str, TopicFacts | None] | None:
    """Adds a point for each topic; what was found, None where nobody could be asked."""
    names = [wanted.topic, *wanted.outputs]
    if points[-1].status == "failed":
        points.extend(Point(f"topic {name}", "skipped", "needs the broker") for name in names)
        return None
    try:
        facts = around.topics(names)
        near = None if facts[wanted.topic] else around.near(wanted.topic)
    except LatentwatchError as error:
        points.append(_failed("topics", error, mends.broker))
        return None
    points.append(_topic(wanted.topic, facts[wanted.topic], mends.topic(near), near))
    points.extend(_topic(name, facts[name], mends.outputs) for name in wanted.outputs)
    return facts


def _topic(name: str, found: TopicFacts | None, mend: str, near: str | None = None) -> Point:
    if found is None:
        hint = f"; there is {near}" if near else ""
        absent = Unreachable(f"there is no such topic{hint}")
        return _failed(f"topic {name}", absent, mend)
    if not found.partitions:  # which the rights say
        return Point(f"topic {name}", "skipped", "we may not see it")
    count = f"{found.partitions} partition" + ("s" if found.partitions != 1 else "")
    return Point(f"topic {name}", "ok", f"{count}, replication {found.replication}")


def _rights(
    wanted: Wanted,
    around: Surroundings,
    mends: Mends,
    facts: Mapping[str, TopicFacts | None],
    points: list[Point],
) -> None:
    """Adds a point for each right that is missing, or one that says what we may."""
    needed: dict[str, Right] = {wanted.topic: "READ", **dict.fromkeys(wanted.outputs, "WRITE")}
    missing = [
        _refused(right, "topic", name, mends)
        for name, right in needed.items()
        if facts[name] and not _may(facts[name], right)
    ]
    try:
        if not around.may_join(wanted.group):
            missing.append(_refused("READ", "group", wanted.group, mends))
    except LatentwatchError as error:
        missing.append(_failed("rights", error, mends.broker))
    there = [f"{right.lower()} {name}" for name, right in needed.items() if facts[name]]
    all_of = ", ".join([*there, f"join {wanted.group}"])
    points.extend(missing or [Point("rights", "ok", all_of)])


def _may(found: TopicFacts | None, right: Right) -> bool:
    return found is not None and (found.rights is None or right in found.rights)


def _refused(right: Right, kind: Literal["topic", "group"], name: str, mends: Mends) -> Point:
    error = NotPermitted(f"we may not {right.lower()} the {kind} {name}")
    return _failed("rights", error, mends.right(right, kind, name))


def _promise(wanted: Wanted, around: Surroundings, mends: Mends) -> Point:
    try:
        return promise(wanted, around)
    except NotPermitted as error:
        return Point("delivery", "skipped", str(error))
    except LatentwatchError as error:
        return _failed("delivery", error, mends.broker)


def _model(around: Surroundings, mends: Mends, points: list[Point]) -> Model | None:
    try:
        model = around.model()
    except (LatentwatchError, ValueError) as error:  # ArtifactRejected is a ValueError
        points.append(_failed("model", error, mends.train))
        return None
    note, features = model.note, len(model.schema.features)
    detail = (
        f"{note.version}, trained {note.trained_at}, {features} features, alert rate"
        f" {note.alert_rate:g}"
    )
    if note.alert_rate < note.supported_rate:
        detail += f", extrapolated: its calibration supports no less than {note.supported_rate:.2g}"
    points.append(Point("model", "ok", detail))
    return model


def _features(wanted: Wanted, around: Surroundings, sample: Sample, mends: Mends) -> Point:
    try:
        records = around.newest(SAMPLE_RECORDS)
    except LatentwatchError as error:
        return _failed("features", error, mends.train)
    if not records:
        return Point("features", "ok", "the topic holds no record yet to look for them in")
    problem = sample.problem([record.value for record in records], wanted.dead_letter_share_max)
    if problem:
        return Point("features", "failed", problem, mends.train, 65)
    return Point("features", "ok", sample.said)
