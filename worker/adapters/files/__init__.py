"""Files as logs: JSON lines, CSV and Parquet, a file or a folder of them; and values in memory.

Whatever the kind, a row is read as the JSON record that a producer would have sent for it, so that
a model scores the same values alike.
"""

from worker.adapters.files.history import FilesHistory, read_files
from worker.adapters.files.json_lines import read_lines
from worker.adapters.files.kinds import SUFFIXES, FileKindUnknown, ParquetNotInstalled
from worker.adapters.files.values import ValuesHistory

__all__ = [
    "SUFFIXES",
    "FileKindUnknown",
    "FilesHistory",
    "ParquetNotInstalled",
    "ValuesHistory",
    "read_files",
    "read_lines",
]
