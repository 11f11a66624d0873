"""The word `dlq`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from worker.app.dlq import (
    letter_at,
    list_letters,
    newest_letters,
    preview,
    replay_group,
    replay_letters,
)
from worker.commands.dlq_text import (
    groups_json,
    groups_table,
    letter_json,
    letter_text,
    tally_json,
    tally_text,
)
from worker.commands.options import AS_JSON, CONFIG, GROUP, SERVERS, TOPIC, setting, settings_from
from worker.ports import LatentwatchError
from worker.resend import Choice

if TYPE_CHECKING:
    from pathlib import Path

    from worker.resend import Tally

LETTERS = setting("--dead-letter-topic", "output.dead_letter_topic")
REASON = click.option(
    "--reason", "reasons", multiple=True, help="Only letters of this reason; may be given again."
)


@click.group()
def dlq() -> None:
    """Dead letters, the records that could not be scored: count, show and send back.

    \b
    Examples:
      latentwatch dlq list --topic readings
      latentwatch dlq show --topic readings -n 3 --reason wrong_type
      latentwatch dlq replay --topic readings --dry-run
    """


@dlq.command(name="list")
@TOPIC
@LETTERS
@SERVERS
@CONFIG
@AS_JSON
def list_(config: Path | None, *, as_json: bool, **given: object) -> None:
    """How many letters there are, by topic and reason.

    \b
    Examples:
      latentwatch dlq list --topic readings
      latentwatch dlq list --topic readings --json

    newest: timestamp of the newest record. cut: letters that were too large to be kept whole. came
    back: letters of records that had been sent back before, and how often at most.
    """
    settings = settings_from(config, given).settings
    groups, topic = list_letters(settings), settings.output.dead_letter_topic
    click.echo(groups_json(topic, groups) if as_json else groups_table(topic, groups))


@dlq.command()
@TOPIC
@LETTERS
@SERVERS
@click.option(
    "-n",
    "--newest",
    "count",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="So many letters, the newest first.",
)
@REASON
@click.option("--at", metavar="PARTITION:OFFSET", help="The one letter at this place instead.")
@CONFIG
@click.option("--json", "as_json", is_flag=True, help="As JSON lines, whole.")
def show(
    config: Path | None,
    count: int,
    reasons: tuple[str, ...],
    at: str | None,
    *,
    as_json: bool,
    **given: object,
) -> None:
    """Show letters: what was wrong, where they came from, and what is in them.

    \b
    Examples:
      latentwatch dlq show --topic readings
      latentwatch dlq show --topic readings -n 5 --reason not_json
      latentwatch dlq show --topic readings --at 0:1234 --json

    Ends with 65 where there is no such letter.
    """
    place = None if at is None else _place(at)
    settings = settings_from(config, given).settings
    if place is None:
        records = newest_letters(settings, count, frozenset(reasons))
    else:
        found = letter_at(settings, *place)
        records = [] if found is None else [found]
    if not records:
        raise NoSuchLetter(f"no such letter on {settings.output.dead_letter_topic}")
    told = [letter_json(r) if as_json else letter_text(r) for r in records]
    click.echo(("\n" if as_json else "\n\n").join(told))


@dlq.command()
@TOPIC
@LETTERS
@SERVERS
@GROUP
@click.option(
    "--to", metavar="TOPIC", help="Topic to send to; it must be there.  [default: the input topic]"
)
@REASON
@click.option(
    "--replays-max",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="Leave a letter that was sent back so often and always came again.",
)
@click.option("--again", is_flag=True, help="Also what was sent or passed over before.")
@click.option("--dry-run", is_flag=True, help="Say what would be sent, and send nothing.")
@CONFIG
@AS_JSON
def replay(  # noqa: PLR0913 - one for each option
    config: Path | None,
    to: str | None,
    reasons: tuple[str, ...],
    replays_max: int,
    *,
    again: bool,
    dry_run: bool,
    as_json: bool,
    **given: object,
) -> None:
    """Send letters back as the records that they were, once the cause is mended.

    \b
    Examples:
      latentwatch dlq replay --topic readings --dry-run
      latentwatch dlq replay --topic readings
      latentwatch dlq replay --topic readings --reason missing_features --to readings.mended

    May be repeated: a group of its own (for each --to another) remembers how far it came, so that
    a letter is sent once, or again only where a replay was killed between sending and remembering.
    A record keeps its key, time and headers, less those about its error; the header
    __latentwatch.replays counts how often it was sent back. Left where they are: letters that were
    cut, of records of another topic (without --to), of other reasons, and those that came back
    --replays-max times.
    """
    settings = settings_from(config, given).settings
    goal = to or settings.topic
    if goal == settings.output.dead_letter_topic:
        raise click.UsageError("--to must not be the topic of the dead letters")
    came_from = settings.topic if to is None else None
    choice = Choice(goal, came_from, frozenset(reasons), replays_max)
    if dry_run:
        planned = preview(settings, choice, again=again)
        _tell(planned, goal, "would be sent", as_json=as_json)
        return
    tally, was_stopped = None, False
    try:
        for tally, was_stopped in replay_letters(settings, choice, again=again):  # noqa: B007 - the last ones
            pass
    except LatentwatchError:
        if tally is not None:
            _tell(tally, goal, "sent", as_json=as_json)
        raise
    if tally is not None:
        _tell(tally, goal, "sent", as_json=as_json)
    if not as_json:
        click.echo(f"remembered by the group {replay_group(settings, goal)}")
    if was_stopped:
        raise click.Abort


class NoSuchLetter(LatentwatchError):  # noqa: N818 - named like the errors of ports
    """Nothing is there that could be shown (exit 65)."""

    exit_code = 65


def _place(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([0-9]{1,9}):([0-9]{1,18})", text)
    if found is None:
        raise click.BadParameter("PARTITION:OFFSET is expected, as 0:1234", param_hint="--at")
    return int(found[1]), int(found[2])


def _tell(tally: Tally, goal: str, done: str, *, as_json: bool) -> None:
    click.echo(tally_json(tally, goal) if as_json else tally_text(tally, goal, done))
