"""Which kind a file is, by the end of its name, and which files a folder holds."""

from __future__ import annotations

import gzip
import os
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from worker.adapters.files.csv import csv_rows, csv_values
from worker.adapters.files.json_lines import line_count, line_values
from worker.ports import LatentwatchError, Unreachable, Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType


@dataclass(frozen=True, slots=True)
class TextKind:
    """How a kind of text is read from an open file, and how its records are counted."""

    values: Callable[[BinaryIO, str], Iterator[list[bytes]]]
    rows: Callable[[BinaryIO, str], int]


JSON_LINES: Final = TextKind(line_values, line_count)
CSV: Final = TextKind(csv_values, csv_rows)
TEXT_KINDS: Final[dict[str, TextKind]] = {
    ".jsonl": JSON_LINES,
    ".ndjson": JSON_LINES,
    ".json": JSON_LINES,
    ".csv": CSV,
    ".tsv": CSV,
}
PARQUET: Final = ".parquet"
GZIP: Final = ".gz"
SUFFIXES: Final = (*TEXT_KINDS, *(suffix + GZIP for suffix in TEXT_KINDS), PARQUET)
"""What a file's name may end with."""


class FileKindUnknown(LatentwatchError):  # noqa: N818 - reads as what it says
    """The name of a file does not say what it holds."""

    exit_code = 64


class ParquetNotInstalled(LatentwatchError):  # noqa: N818 - reads as what it says
    """pyarrow is not there."""

    exit_code = 78


def files_in(place: Path) -> list[Path]:
    """The file itself, or all of a folder that can be read, in the order of their names.

    What starts with a dot or an underscore is left out, as those who write such folders mean it.
    Raises FileKindUnknown, Unreachable.
    """
    if not place.is_dir():
        _kind(place)
        return [place]
    found = [path for path in place.rglob("*") if path.is_file() and _is_data(path, place)]
    if not found:
        raise Unreachable(f"no file of a known kind in {place}: {', '.join(SUFFIXES)}")
    return sorted(found)


def values_of(path: Path) -> Iterator[list[bytes]]:
    """The records of a file as JSON, in chunks.

    Raises Unreachable, Unreadable, FileKindUnknown, ParquetNotInstalled.
    """
    kind = _kind(path)
    with _readable(path):
        if kind is None:
            yield from _parquet().parquet_values(path)
        else:
            with _opened(path) as stream:
                yield from kind.values(stream, path.name)


def count_of(path: Path) -> int:
    """How many records values_of gives; raises what that does."""
    kind = _kind(path)
    with _readable(path):
        if kind is None:
            return int(_parquet().parquet_rows(path))
        with _opened(path) as stream:
            return kind.rows(stream, path.name)


def _kind(path: Path) -> TextKind | None:
    """What the file is, None for Parquet; one without any ending (a pipe) is JSON lines."""
    name = path.name.lower()
    suffix = Path(name.removesuffix(GZIP)).suffix
    if not suffix and not name.endswith(GZIP):
        return JSON_LINES
    if suffix == PARQUET and not name.endswith(GZIP):
        return None
    if suffix not in TEXT_KINDS:
        raise FileKindUnknown(f"{path}: its name should end with one of {', '.join(SUFFIXES)}")
    return TEXT_KINDS[suffix]


def _is_data(path: Path, folder: Path) -> bool:
    parts = path.relative_to(folder).parts
    is_hidden = any(part.startswith((".", "_")) for part in parts)
    return not is_hidden and path.name.lower().endswith(SUFFIXES)


def _opened(path: Path) -> BinaryIO:
    is_packed = path.name.lower().endswith(GZIP)
    return cast("BinaryIO", gzip.open(path) if is_packed else path.open("rb"))


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turns the errors of the file system and of unpacking into ours, with the path."""
    try:
        yield
    except (EOFError, zlib.error) as error:
        raise Unreadable(f"{path} is damaged: {error}") from error
    except OSError as error:
        if error.errno is None:  # of what was unpacked, not of the file system
            raise Unreadable(f"{path} is damaged: {error}") from error
        raise Unreachable(f"{path} cannot be read: {os.strerror(error.errno)}") from error


def _parquet() -> ModuleType:
    try:
        from worker.adapters.files import parquet  # noqa: PLC0415 - pyarrow is an extra
    except ModuleNotFoundError as error:
        if error.name != "pyarrow":
            raise
        raise ParquetNotInstalled(
            "reading Parquet needs pyarrow: pip install 'latentwatch[files]'"
        ) from error
    return parquet
