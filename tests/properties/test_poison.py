"""Whatever stands on a topic, each record of it ends in exactly one place."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.loops import (
    ANOMALIES,
    INPUT,
    SCORES,
    SETTINGS,
    FixedScorer,
    Worker,
    committed,
    dead_letter_ids,
    lines,
    new_broker,
)
from tests.machines import artifact, readings
from tests.properties.records import json_texts
from worker.codec import JsonCodec
from worker.letters import ERROR_PREFIX, REPLAYS
from worker.pipeline import Pipeline
from worker.records import Output, Partition
from worker.scorer import ScoringModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.machines import Reading

RECORD_BYTES_MAX: Final = 40_000
"""Of a log that takes no larger records, so that outputs have to be cut."""

NORMAL: Final = readings(20, seed=5)


def _with_members(reading: Reading, members: dict[str, str]) -> bytes:
    """A reading with some members written otherwise, or twice."""
    text = msgspec.json.encode(reading).decode()[:-1]
    added = "".join(f",{msgspec.json.encode(name).decode()}:{raw}" for name, raw in members.items())
    return (text + added + "}").encode("utf-8", "surrogatepass")


members = st.dictionaries(
    st.sampled_from(["load", "motor", "firmware", "state", "door_open", "site", "é", ""]),
    json_texts,
    max_size=3,
)
near_readings = st.builds(_with_members, st.sampled_from(NORMAL), members)
"""Readings as the model expects them but for some members of any kind."""


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A reading in which some bytes are others, gone, or too many."""
    value = bytearray(draw(near_readings))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(value)))
        value[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(value)


values = (
    st.none()
    | st.binary(max_size=20)
    | json_texts.map(lambda text: text.encode("utf-8", "surrogatepass"))
    | near_readings
    | near_readings.map(lambda value: b"\0\0\0\0\7" + value)
    | damaged()
    | st.integers(0, 60_000).map(lambda size: b'{"note":"' + b"x" * size + b'"}')
)
names = st.text(max_size=5) | st.sampled_from(
    ["traceparent", "tracestate", REPLAYS, ERROR_PREFIX + "reason", ERROR_PREFIX + "offset"]
)
contents = st.none() | st.binary(max_size=20) | st.integers(0, 60_000).map(bytes)
records = st.builds(
    Output,
    topic=st.just(INPUT),
    key=st.none() | st.binary(max_size=8) | st.integers(0, 60_000).map(bytes),
    value=values,
    headers=st.lists(st.tuples(names, contents), max_size=4),
    timestamp=st.none() | st.sampled_from([-1, 0, 4_102_444_800_000, 2**62]),
)


@settings(max_examples=60)
@given(st.lists(records, min_size=1, max_size=12))
def test_every_record_ends_in_exactly_one_place(sent: Sequence[Output]) -> None:
    broker = new_broker(record_bytes_max=RECORD_BYTES_MAX)
    broker._append(sent)
    worker = Worker(broker)
    seams = replace(
        worker.pipeline._seams,
        scorer=FixedScorer(ScoringModel(artifact(), "v1")),
        codec=JsonCodec(record_bytes_max=30_000, depth_max=5, missing_share_max=0.5),
    )
    loop = Pipeline(seams, replace(SETTINGS, records_max=5))
    for _ in range(2 + len(sent) // 5):
        loop.turn()
    assert dict(committed(broker)) == {Partition(INPUT, 0): len(sent)}

    told = lines(broker, SCORES)
    scored = [str(line["id"]) for line in told if line["rejected"] is None]
    rejected = [str(line["id"]) for line in told if line["rejected"] is not None]
    assert sorted(rejected) == sorted(dead_letter_ids(broker))
    (_, _, _, skipped) = (
        sum(int(str(counts[i])) for counts in worker.metrics.of("batch_processed"))
        for i in range(4)
    )
    assert max(Counter([*scored, *rejected]).values(), default=1) == 1
    assert len(scored) + len(rejected) + skipped == len(sent)
    tombstones = {f"{INPUT}-0-{i}" for i, each in enumerate(sent) if each.value is None}
    assert not tombstones & {*scored, *rejected}
    flagged = {str(line["id"]) for line in told if line["flagged"]}
    assert {str(event["id"]) for event in lines(broker, ANOMALIES)} == flagged
