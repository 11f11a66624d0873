"""Records without any feature are told of when they are most."""

from __future__ import annotations

import logging

import pytest

from worker.codec import JsonCodec
from worker.codec.empties import WINDOW
from worker.model.schema import Feature, FeatureSchema, Where

SCHEMA = FeatureSchema(features=(Feature(path="a", kind="number"),), empty_records=True)
WARNED = (
    "1000 of the last 1000 records hold none of the model's features and were skipped: has their"
    " shape changed?"
)


def empty(count: int) -> list[bytes | None]:
    return [b"{}"] * count


def full(count: int) -> list[bytes | None]:
    return [b'{"a": 1}'] * count


def test_most_records_without_features_are_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    codec = JsonCodec(record_bytes_max=100, depth_max=5, missing_share_max=0.5)
    for batch in [empty(500)] * 6:
        codec.decode(batch, SCHEMA)
    assert caplog.messages == [WARNED]
    codec.decode(full(WINDOW), SCHEMA)
    codec.decode(full(WINDOW), SCHEMA)
    assert caplog.messages[1:] == ["most records hold the model's features again"]


@pytest.mark.parametrize(
    ("batch", "schema"),
    [
        ([*empty(WINDOW // 2), *full(WINDOW // 2)], SCHEMA),
        (
            empty(2 * WINDOW),
            FeatureSchema(
                features=SCHEMA.features, empty_records=True, where=Where(path="t", value="x")
            ),
        ),
        ([None] * 2 * WINDOW, SCHEMA),
    ],
    ids=["half of them", "of another type", "tombstones"],
)
def test_others_are_not(
    caplog: pytest.LogCaptureFixture, batch: list[bytes | None], schema: FeatureSchema
) -> None:
    codec = JsonCodec(record_bytes_max=100, depth_max=5, missing_share_max=0.5)
    codec.decode(batch, schema)
    assert caplog.messages == []
