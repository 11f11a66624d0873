"""Files and folders as a RecordHistory: the kind by the name, the order by the names."""

from __future__ import annotations

import gzip
import sys
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from worker.adapters.files import (
    SUFFIXES,
    FileKindUnknown,
    FilesHistory,
    ParquetNotInstalled,
    ValuesHistory,
    read_files,
)
from worker.ports import Unreachable, Unreadable
from worker.records import Partition

if TYPE_CHECKING:
    from pathlib import Path

RECORDS = [b'{"a":1,"b":"x"}', b'{"a":2}']
CSV = b"a,b\n1,x\n2,\n"


def write(path: Path) -> Path:
    """The same two records, in the kind that the name says."""
    path.parent.mkdir(exist_ok=True)
    name = path.name.lower().removesuffix(".gz")
    if name.endswith(".parquet"):
        pq.write_table(pa.table({"a": [1, 2], "b": ["x", None]}), path)
        return path
    content = CSV if name.endswith((".csv", ".tsv")) else b"".join(r + b"\n" for r in RECORDS)
    content = content.replace(b",", b"\t") if name.endswith(".tsv") else content
    path.write_bytes(gzip.compress(content) if path.name.endswith(".gz") else content)
    return path


def read(place: Path) -> list[bytes | None]:
    history = FilesHistory(place)
    return [r.value for chunk in history.read(history.span(None, None)) for r in chunk]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_kind_gives_the_same_records(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"t{suffix.upper() if suffix == '.csv' else suffix}")
    assert read(path) == RECORDS
    assert FilesHistory(path).span(None, None) == {Partition(path.name, 0): (0, 2)}


def test_a_file_without_an_ending_is_json_lines(tmp_path: Path) -> None:
    assert read(write(tmp_path / "pipe")) == RECORDS


@pytest.mark.parametrize("name", ["t.xlsx", "t.txt", "t.parquet.gz", "t.gz"])
def test_an_unknown_ending_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(FileKindUnknown, match=r"should end with one of \.jsonl") as raised:
        read(tmp_path / name)
    assert raised.value.exit_code == 64


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path: Path) -> None:
    for name in ("b.csv", "a.parquet", "c/d.jsonl.gz", "notes.txt", ".hidden.csv", "_tmp.csv"):
        write(tmp_path / name)
    found = [(r.topic, r.offset) for chunk in read_files(tmp_path) for r in chunk]
    assert found == [(name, i) for name in ("a.parquet", "b.csv", "c/d.jsonl.gz") for i in (0, 1)]
    assert read(tmp_path) == RECORDS * 3


def test_a_folder_without_a_file_to_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="no file of a known kind"):
        read(tmp_path)


def test_only_the_span_is_read(tmp_path: Path) -> None:
    history = FilesHistory(write(tmp_path / "t.csv"))
    spans = [{Partition("t.csv", 0): (1, 2)}, {Partition("t.csv", 0): (0, 1)}, {}]
    found = [[r.value for chunk in history.read(span) for r in chunk] for span in spans]
    assert found == [RECORDS[1:], RECORDS[:1], []]


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_a_file_that_is_not_there_is_unreachable(tmp_path: Path, name: str) -> None:
    with pytest.raises(Unreachable, match="cannot be read: No such file or directory"):
        read(tmp_path / name)


@pytest.mark.parametrize("content", [b"no gzip at all", gzip.compress(CSV * 1000)[:-20]])
def test_a_damaged_archive_is_unreadable(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t.csv.gz").write_bytes(content)
    with pytest.raises(Unreadable, match=r"t\.csv\.gz is damaged"):
        read(tmp_path / "t.csv.gz")


def test_without_pyarrow_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "t.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for name in ("parquet", "arrow"):
        monkeypatch.delitem(sys.modules, f"worker.adapters.files.{name}", raising=False)
        monkeypatch.delattr(f"worker.adapters.files.{name}", raising=False)
    with pytest.raises(ParquetNotInstalled, match=r"pip install 'latentwatch\[files\]'") as raised:
        read(path)
    assert raised.value.exit_code == 78


def test_neither_files_nor_values_can_be_bounded_by_time(tmp_path: Path) -> None:
    for history in (FilesHistory(tmp_path / "t.csv"), ValuesHistory([b"{}"], "t")):
        with pytest.raises(ValueError, match="cannot be bounded by time"):
            history.span(0, None)


def test_values_in_memory_are_read_alike() -> None:
    history = ValuesHistory([b"{}", None, b"[]"], "t")
    span = history.span(None, None)
    assert span == {Partition("t", 0): (0, 3)}
    found = [(r.offset, r.value) for chunk in history.read(span) for r in chunk]
    assert found == [(0, b"{}"), (1, None), (2, b"[]")]
