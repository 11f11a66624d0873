"""Scoring without a broker: records of files, of a stream or in memory, with the current model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.adapters.clock import Stop, SystemClock
from worker.adapters.files import ValuesHistory, read_files, read_lines
from worker.app.parts import codec_for, current_model, store_of
from worker.events import anomaly_event, utc
from worker.pipeline import Processed, process

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from io import BufferedReader
    from pathlib import Path

    from worker.ports import Clock
    from worker.records import RawRecord
    from worker.settings import ScoreSettings


def score_records(
    settings: ScoreSettings, chunks: Iterable[Sequence[RawRecord]], *, every_record: bool
) -> Iterator[dict[str, object]]:
    """Score records with the stream's current model: events, or a line for every record.

    Raises Unreachable without a model, ArtifactRejected.
    """
    model = current_model(store_of(settings))
    codec = codec_for(settings.limits)
    clock = SystemClock(Stop())
    index = 0
    for records in chunks:
        processed = process(records, model, codec)
        if every_record:
            yield from _lines(records, processed, index)
        else:
            yield from _events(records, processed, clock)
        index += len(records)


def score_files(
    settings: ScoreSettings, place: Path, *, every_record: bool
) -> Iterator[dict[str, object]]:
    """Score a file or a folder of files; see score_records."""
    return score_records(settings, read_files(place), every_record=every_record)


def score_stream(
    settings: ScoreSettings, stream: BufferedReader, name: str, *, every_record: bool
) -> Iterator[dict[str, object]]:
    """Score JSON lines as they come; see score_records."""
    return score_records(settings, read_lines(stream, name), every_record=every_record)


def score_values(
    settings: ScoreSettings, values: Sequence[bytes | None], *, every_record: bool
) -> Iterator[dict[str, object]]:
    """Score values in memory; see score_records."""
    history = ValuesHistory(values, settings.stream)
    chunks = history.read(history.span(None, None))
    return score_records(settings, chunks, every_record=every_record)


def _events(
    records: Sequence[RawRecord], processed: Processed, clock: Clock
) -> Iterator[dict[str, object]]:
    for found in processed.anomalies:
        record = records[int(processed.decoded.rows[found.row])]
        note = processed.model.note
        yield anomaly_event(record, found, note, detected_at=utc(clock.now()))


def _lines(
    records: Sequence[RawRecord], processed: Processed, first_index: int
) -> Iterator[dict[str, object]]:
    """One line for each record, in order; a skipped one has no score and no reason."""
    decoded, scores = processed.decoded, processed.scores
    at = {int(row): i for i, row in enumerate(decoded.rows)}
    reasons = {rejection.row: rejection.reason for rejection in decoded.rejections}
    for row in range(len(records)):
        i = at.get(row)
        yield {
            "index": first_index + row,
            "score": None if i is None else float(scores.score[i]),
            "flagged": i is not None and bool(scores.flagged[i]),
            "latent_distance": None if i is None else float(scores.latent_distance[i]),
            "reconstruction_error": None if i is None else float(scores.reconstruction_error[i]),
            "kind": None if i is None else scores.kind(i),
            "rejected": reasons.get(row),
        }
