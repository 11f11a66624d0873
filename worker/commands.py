"""The worker's words: run, score. Results on stdout, everything else on stderr."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click
import msgspec

from worker.app import run as run_worker
from worker.app import score_stream
from worker.settings import load_score_settings, load_settings

if TYPE_CHECKING:
    from io import BufferedReader

    from worker.settings import ScoreSettings

CONFIG = click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    envvar="LATENTWATCH_CONFIG",
    show_envvar=True,
    help="TOML file with settings; else ./latentwatch.toml, if there is one.",
)
STORE = click.option(
    "--store",
    envvar="LATENTWATCH_STORE",
    show_envvar=True,
    help="Folder of the models.  [default: models]",
)


@click.command()
@click.option("--topic", envvar="LATENTWATCH_TOPIC", show_envvar=True, help="Topic to watch.")
@click.option("--stream", help="Name of the model in the store.  [default: the topic]")
@STORE
@click.option("--group", help="Consumer group.  [default: latentwatch.<stream>]")
@click.option("--bootstrap-servers", help="Brokers, host:port.  [default: localhost:9092]")
@click.option("--scores", type=click.Choice(["flagged", "all"]), help="Which scores to publish.")
@click.option(
    "--from-beginning",
    is_flag=True,
    default=None,
    help="Without committed offsets start at the topic's beginning.",
)
@CONFIG
def run(config: Path | None, **given: object) -> None:
    """Watch a topic: score every record, publish what is odd.

    \b
    Examples:
      latentwatch run --topic readings
      latentwatch run --topic readings --store /models --scores all

    Every setting is also a variable (LATENTWATCH_KAFKA__BOOTSTRAP_SERVERS) or a line of the
    configuration file; the command line comes first.
    """
    names = {"bootstrap_servers": "kafka.bootstrap_servers", "scores": "output.scores"}
    overrides = {names.get(name, name): value for name, value in given.items()}
    loaded = load_settings(overrides, config=config, environ=os.environ)
    _warn(loaded.warnings)
    run_worker(loaded.settings)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@STORE
@click.option("--stream", required=True, help="Name of the model in the store.")
@click.option("--all", "every_record", is_flag=True, help="A line for every record, in order.")
@CONFIG
def score(file: str, config: Path | None, *, every_record: bool, **given: object) -> None:
    """Score a file of JSON lines (or - for standard input) with the stream's current model.

    \b
    Examples:
      latentwatch score readings.jsonl --stream readings
      tail -f readings.jsonl | latentwatch score - --stream readings --all

    Prints the anomaly events; with --all one line for each record: index, score, flagged,
    latent_distance, reconstruction_error, kind, rejected.
    """
    loaded = load_score_settings(given, config=config, environ=os.environ)
    _warn(loaded.warnings)
    if file == "-":
        _print_scores(
            cast("BufferedReader", sys.stdin.buffer),
            "stdin",
            loaded.settings,
            every_record=every_record,
        )
    else:
        path = Path(file)
        with path.open("rb") as stream:
            _print_scores(stream, path.name, loaded.settings, every_record=every_record)


def _print_scores(
    stream: BufferedReader, name: str, settings: ScoreSettings, *, every_record: bool
) -> None:
    encode = msgspec.json.Encoder().encode
    out = sys.stdout.buffer
    for line in score_stream(settings, stream, name, every_record=every_record):
        out.write(encode(line))
        out.write(b"\n")
        out.flush()


def _warn(warnings: tuple[str, ...]) -> None:
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
