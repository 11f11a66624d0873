"""The word `run`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from worker.app import run as run_worker
from worker.commands.options import (
    CONFIG,
    DELIVERY,
    GROUP,
    SCORES,
    SERVERS,
    STORE,
    STREAM,
    TOPIC,
    setting,
    settings_from,
)

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@TOPIC
@STREAM
@STORE
@GROUP
@SERVERS
@SCORES
@DELIVERY
@setting("--from-beginning", "from_beginning")
@CONFIG
def run(config: Path | None, **given: object) -> None:
    """Watch a topic: score every record, publish what is odd.

    \b
    Examples:
      latentwatch run --topic readings
      latentwatch run --topic readings --store /models --scores all

    Every setting is also a variable (LATENTWATCH_KAFKA__BOOTSTRAP_SERVERS) or a line of the
    configuration file; the command line comes first. Needs the output topics: latentwatch topics
    create makes them, and latentwatch check says what is missing.
    """
    run_worker(settings_from(config, given).settings)
