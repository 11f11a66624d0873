"""The word `score`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click
import msgspec

from worker.app import score_files, score_stream
from worker.commands.options import CONFIG, STORE, overrides, warn
from worker.settings import load_score_settings

if TYPE_CHECKING:
    from collections.abc import Iterable
    from io import BufferedReader


@click.command()
@click.argument("file", type=click.Path(exists=True, allow_dash=True))
@click.option(
    "--stream",
    required=True,
    envvar="LATENTWATCH_STREAM",
    show_envvar=True,
    help="Name of the model's folder in the store.",
)
@STORE
@click.option("--all", "every_record", is_flag=True, help="A line for every record, in order.")
@CONFIG
def score(file: str, config: Path | None, *, every_record: bool, **given: object) -> None:
    """Score a file or a folder of files with the stream's current model.

    \b
    Examples:
      latentwatch score readings.csv --stream readings
      latentwatch score readings.parquet --stream readings --all > scores.jsonl
      tail -f readings.jsonl | latentwatch score - --stream readings --all

    The kind follows from the name: .jsonl, .ndjson, .json (a record a line), .csv, .tsv, also
    with .gz, and .parquet; a folder is read in the order of its names, and - is JSON lines on
    standard input. Prints the anomaly events; with --all one line for each record: index, score,
    flagged, latent_distance, reconstruction_error, kind, rejected.
    """
    loaded = load_score_settings(overrides(given), config=config, environ=os.environ)
    warn(loaded.warnings)
    if file == "-":
        stream = cast("BufferedReader", sys.stdin.buffer)
        _print_lines(score_stream(loaded.settings, stream, "stdin", every_record=every_record))
    else:
        _print_lines(score_files(loaded.settings, Path(file), every_record=every_record))


def _print_lines(lines: Iterable[dict[str, object]]) -> None:
    encode = msgspec.json.Encoder().encode
    out = sys.stdout.buffer
    for line in lines:
        out.write(encode(line))
        out.write(b"\n")
        out.flush()
