"""A row of Parquet is the JSON record that a producer would have sent."""

from __future__ import annotations

import datetime as dt
import decimal
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from worker.adapters.files.parquet import parquet_rows, parquet_values
from worker.ports import Unreadable

if TYPE_CHECKING:
    from pathlib import Path

NANOSECONDS = 1_700_000_000_123_456_789
SHOWN = "2023-11-14T22:13:20.123456"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "t.parquet"


def write(path: Path, columns: dict[str, Any], row_group_size: int = 1000) -> None:
    pq.write_table(pa.table(columns), path, row_group_size=row_group_size)


def read(path: Path) -> list[bytes]:
    return [value for chunk in parquet_values(path) for value in chunk]


def test_values_keep_their_types(path: Path) -> None:
    write(path, {"i": [7], "f": [1.0], "b": [True], "s": ["é"], "d": [decimal.Decimal("1.10")]})
    assert read(path) == ['{"i":7,"f":1.0,"b":true,"s":"é","d":1.10}'.encode()]


def test_a_null_and_nan_are_absent_and_infinity_is_no_number(path: Path) -> None:
    write(path, {"a": [1.0, float("nan"), None, float("-inf")], "b": [1, 2, None, 4]})
    assert read(path) == [b'{"a":1.0,"b":1}', b'{"b":2}', b"{}", b'{"a":"-inf","b":4}']


@pytest.mark.parametrize(
    ("value", "kind", "shown"),
    [
        (NANOSECONDS, pa.timestamp("ns"), SHOWN),
        (NANOSECONDS, pa.timestamp("ns", tz="Europe/Berlin"), SHOWN + "Z"),
        (NANOSECONDS // 10**6, pa.timestamp("ms", tz="UTC"), SHOWN[:-3] + "000Z"),
        (dt.date(2026, 1, 2), pa.date32(), "2026-01-02"),
        (61, pa.time32("s"), "00:01:01"),
        (1500, pa.duration("ms"), 1.5),
        (b"ab", pa.binary(), "YWI="),
    ],
)
def test_times_are_iso_text_and_durations_seconds(
    path: Path, value: object, kind: object, shown: object
) -> None:
    write(path, {"t": pa.array([value, None], kind)})
    assert [msgspec.json.decode(value) for value in read(path)] == [{"t": shown}, {}]


def test_what_is_nested_is_converted_as_well(path: Path) -> None:
    write(
        path,
        {
            "s": pa.array(
                [{"x": 1.5, "y": None, "t": NANOSECONDS}],
                pa.struct({"x": pa.float64(), "y": pa.int64(), "t": pa.timestamp("ns")}),
            ),
            "l": pa.array([[NANOSECONDS]], pa.list_(pa.timestamp("ns"))),
            "m": pa.array([[("k", float("nan")), ("n", 1.0)]], pa.map_(pa.string(), pa.float64())),
            "d": pa.array(["x"]).dictionary_encode(),
        },
    )
    expected = {"s": {"x": 1.5, "t": SHOWN}, "l": [SHOWN], "m": {"n": 1.0}, "d": "x"}
    assert [msgspec.json.decode(value) for value in read(path)] == [expected]


def test_row_groups_come_in_their_order(path: Path) -> None:
    write(path, {"i": list(range(25))}, row_group_size=10)
    assert read(path) == [f'{{"i":{i}}}'.encode() for i in range(25)]
    assert parquet_rows(path) == 25


def test_what_is_no_parquet_is_refused(path: Path) -> None:
    path.write_bytes(b"PAR1 and something else")
    for reader in (read, parquet_rows):
        with pytest.raises(Unreadable, match="no Parquet file, or a damaged one"):
            reader(path)
