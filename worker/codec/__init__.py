"""Bytes to columns: every record is decoded, skipped, or rejected with a reason.

parse.py reads one value, records.py turns a batch into columns and is the definition, typed.py is
a compiled short cut for the records that are plainly as expected.
"""

from worker.codec.parse import REASONS, RecordRejected, parse_record
from worker.codec.records import STAGE, JsonCodec

__all__ = ["REASONS", "STAGE", "JsonCodec", "RecordRejected", "parse_record"]
