"""The workbench's words: demo."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from workbench.app import demo as play_demo
from workbench.demo.story import DemoSettings


@click.command()
@click.option(
    "--seconds",
    type=click.FloatRange(min=1),
    default=45,
    show_default=True,
    envvar="DEMO_SECONDS",
    show_envvar=True,
    help="How long records flow, set-up apart.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--source",
    type=click.Path(exists=True, path_type=Path),
    help="Your own records instead of a simulated fleet: a file, or a folder of files.",
)
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".cache/demo"),
    show_default=True,
    help="Takes the model, the events, and what was sent.",
)
def demo(seconds: float, seed: int, source: Path | None, folder: Path) -> None:
    """See it work: fill a topic, learn it, and watch faults being found live.

    \b
    Examples:
      latentwatch demo
      latentwatch demo --seconds 120 --seed 3
      latentwatch demo --source readings.jsonl

    Takes the best broker that can be had: the one that LATENTWATCH_KAFKA__BOOTSTRAP_SERVERS names,
    a container, one from Kafka's jars, else a log in memory. The last line is for programs.
    """
    settings = DemoSettings(seconds, seed, source, folder, os.environ)
    play_demo(settings, _write, on_terminal=sys.stdout.isatty())


def _write(text: str) -> None:
    click.echo(text, nl=False)
