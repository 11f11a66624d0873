"""CSV: the first line names the columns, every other one is a record with these names as its keys.

A cell that is a JSON number is a number (with a decimal comma, where semicolons stand between the
cells), one that reads true or false is a boolean, an empty one is absent, and all else is text.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import msgspec

from worker.ports import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO

ROWS_AT_ONCE = 4096
DELIMITERS: Final = ",;\t|"
SNIFFED_LINES: Final = 20

_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_COMMA_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*),[0-9]+")
_LITERALS: Final = {
    "true": b"true", "True": b"true", "TRUE": b"true",
    "false": b"false", "False": b"false", "FALSE": b"false",
}  # fmt: skip
"""As JSON, Python and spreadsheets write them."""
_encode: Final = msgspec.json.Encoder().encode


def csv_values(stream: BinaryIO, name: str) -> Iterator[list[bytes]]:
    """The rows of an open stream as JSON records, in chunks.

    A row that cannot be one (more cells than columns, bytes that are not UTF-8) comes as its own
    text, which no reader takes for a record. Raises Unreadable where the file is no such table.
    """
    with _table(stream, name) as (keys, rows, delimiter):
        chunk: list[bytes] = []
        for row in rows:
            chunk.append(_record(keys, row, delimiter))
            if len(chunk) == ROWS_AT_ONCE:
                yield chunk
                chunk = []
        if chunk:
            yield chunk


def csv_rows(stream: BinaryIO, name: str) -> int:
    """How many records csv_values gives; raises what that does."""
    with _table(stream, name) as (_, rows, _):
        return sum(1 for _ in rows)


@contextmanager
def _table(
    stream: BinaryIO, name: str
) -> Iterator[tuple[Sequence[bytes], Iterator[list[str]], str]]:
    """What stands before each cell, the rows that are not empty, what stands between cells."""
    encoding = _encoding(stream)
    text = io.TextIOWrapper(stream, encoding=encoding, errors="surrogateescape", newline="")
    try:
        lines = _lines(text, name)
        head = list(itertools.islice(lines, SNIFFED_LINES))
        delimiter = _delimiter(head)
        reader = csv.reader(
            itertools.chain(head, lines), delimiter=delimiter, skipinitialspace=True
        )
        rows = _guarded(reader, name)
        yield _keys(next(rows, []), name), filter(None, rows), delimiter
    finally:
        text.detach()  # the stream is closed by whoever opened it


def _lines(text: io.TextIOWrapper, name: str) -> Iterator[str]:
    try:
        for line in text:  # noqa: UP028 - `yield from` would close the text when we are closed
            yield line
    except UnicodeDecodeError as error:  # UTF-16 that is cut; UTF-8 escapes what it cannot read
        raise Unreadable(f"{name} is not the UTF-16 that it begins as: {error}") from error


def _guarded(reader: Iterator[list[str]], name: str) -> Iterator[list[str]]:
    try:
        yield from reader
    except csv.Error as error:
        at = f"{name}, line {getattr(reader, 'line_num', '?')}"
        raise Unreadable(f"{at}: {error}; is a quote open?") from error


def _encoding(stream: BinaryIO) -> str:
    """UTF-8, or UTF-16 where the first bytes say so, as spreadsheets write it."""
    peek = getattr(stream, "peek", None)
    head: bytes = peek(2)[:2] if peek else b""
    return "utf-16" if head in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"


def _delimiter(lines: Sequence[str]) -> str:
    """The one that cuts most lines into as many cells as the first, and that into most."""
    return max(DELIMITERS, key=lambda delimiter: _fitness(lines, delimiter))


def _fitness(lines: Sequence[str], delimiter: str) -> tuple[float, int]:
    """Where there is one column only, that which stands nowhere fits best."""
    try:
        rows = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
        widths = [len(row) for row in rows if row]
    except csv.Error:
        return 0.0, 0
    if not widths or widths[0] == 1:
        return 0.0, all(delimiter not in line for line in lines)
    return widths.count(widths[0]) / len(widths), widths[0]


def _keys(names: Sequence[str], name: str) -> list[bytes]:
    """The names as the JSON text that stands before each cell; a column without one is counted."""
    if not names:
        raise Unreadable(f"{name} is empty: its first line should name the columns")
    if all(_NUMBER.fullmatch(text) for text in names):
        raise Unreadable(f"{name}: its first line holds numbers, it should name the columns")
    named = [text.strip() or f"column_{i}" for i, text in enumerate(names, start=1)]
    twice = sorted({text for text in named if named.count(text) > 1})
    if twice:
        raise Unreadable(f"{name}: more than one column is called {', '.join(twice)}")
    try:
        return [_encode(text) + b":" for text in named]
    except UnicodeEncodeError:
        raise Unreadable(
            f"{name}: the names of its columns are not UTF-8:"
            f" iconv -f LATIN1 -t UTF-8 {name} > utf8.csv"
        ) from None


def _record(keys: Sequence[bytes], row: Sequence[str], delimiter: str) -> bytes:
    if len(row) > len(keys):
        return _as_it_was(row, delimiter)
    try:
        cell_of = _comma_cell if delimiter == ";" else _cell
        members = [
            key + cell_of(cell)
            for key, cell in zip(keys, row, strict=False)
            if cell and not cell.isspace()
        ]
    except UnicodeEncodeError:
        return _as_it_was(row, delimiter)
    return b"{" + b",".join(members) + b"}"


def _cell(cell: str) -> bytes:
    plain = cell.strip()
    if _NUMBER.fullmatch(plain):
        return plain.encode()
    literal = _LITERALS.get(plain)
    return _encode(cell) if literal is None else literal


def _comma_cell(cell: str) -> bytes:
    plain = cell.strip()
    return plain.replace(",", ".").encode() if _COMMA_NUMBER.fullmatch(plain) else _cell(cell)


def _as_it_was(row: Sequence[str], delimiter: str) -> bytes:
    return delimiter.join(row).encode("utf-8", "surrogateescape")
