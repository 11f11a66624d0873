"""The composition root: settings to adapters to what the words of the command do.

The one folder of the worker that names concrete parts.
"""

from worker.app.parts import (
    VERSION,
    codec_for,
    connection_of,
    current_model,
    require_topics,
    store_of,
    timings_of,
)
from worker.app.run import run, start_rule
from worker.app.score import score_files, score_records, score_stream, score_values

__all__ = [
    "VERSION",
    "codec_for",
    "connection_of",
    "current_model",
    "require_topics",
    "run",
    "score_files",
    "score_records",
    "score_stream",
    "score_values",
    "start_rule",
    "store_of",
    "timings_of",
]
