"""The word `topics`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import msgspec

from worker.app.topics import create_outputs, show_topics
from worker.commands.options import AS_JSON, CONFIG, SCORES, SERVERS, TOPIC, settings_from
from worker.topics import DAY_MS

if TYPE_CHECKING:
    from pathlib import Path

    from worker.app.topics import TopicMade, TopicRow


@click.group()
def topics() -> None:
    """The topics for what a worker puts out: make and show them.

    \b
    Examples:
      latentwatch topics create --topic readings
      latentwatch topics show --topic readings
    """


@topics.command(short_help="Make the output topics that are missing.")
@TOPIC
@SERVERS
@SCORES
@click.option(
    "--partitions",
    type=click.IntRange(min=1),
    help="Partitions of a topic that is made.  [default: as many as the input topic has]",
)
@click.option(
    "--replication-factor",
    type=click.IntRange(min=1),
    help="Copies of each partition.  [default: as many as the input topic has]",
)
@CONFIG
@AS_JSON
def create(
    config: Path | None,
    partitions: int | None,
    replication_factor: int | None,
    *,
    as_json: bool,
    **given: object,
) -> None:
    """Make the output topics that are missing; what is there stays as it is.

    \b
    Examples:
      latentwatch topics create --topic readings
      latentwatch topics create --topic readings --scores all --partitions 6

    Those are the topics for anomalies (kept for 30 days) and for dead letters (14 days), and with
    --scores all the one for scores (7 days). The input topic is not made.
    """
    made = create_outputs(settings_from(config, given).settings, partitions, replication_factor)
    if as_json:
        click.echo(msgspec.json.encode(made))
    else:
        click.echo("\n".join(_made_line(topic) for topic in made))


@topics.command(short_help="Show the input topic and the output topics.")
@TOPIC
@SERVERS
@SCORES
@CONFIG
@AS_JSON
def show(config: Path | None, *, as_json: bool, **given: object) -> None:
    """The input topic and the output topics as they are.

    \b
    Examples:
      latentwatch topics show --topic readings
      latentwatch topics show --topic readings --json
    """
    rows = show_topics(settings_from(config, given).settings)
    click.echo(msgspec.json.encode(rows) if as_json else _table(rows))


def _made_line(topic: TopicMade) -> str:
    what = "made" if topic.made else "is there already"
    partitions = f"{topic.partitions} partition" + ("s" if topic.partitions != 1 else "")
    return f"{topic.topic} ({topic.role}): {what}, {partitions}, replication {topic.replication}"


def _table(rows: list[TopicRow]) -> str:
    head = ("topic", "for", "partitions", "replication", "kept for")
    cells = [head, *(_cells(row) for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )


def _cells(row: TopicRow) -> tuple[str, ...]:
    if row.partitions is None:
        return row.topic, row.role, "missing", "", ""
    return row.topic, row.role, str(row.partitions), str(row.replication), _kept(row.retention_ms)


def _kept(retention_ms: int | None) -> str:
    if retention_ms is None:
        return "not told"
    return "ever" if retention_ms < 0 else f"{retention_ms / DAY_MS:g} days"
