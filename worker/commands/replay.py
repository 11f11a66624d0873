"""The word `replay`."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from worker.app.replay import replay_files
from worker.commands.options import AS_JSON, CONFIG, SERVERS, settings_from
from worker.model.path import PathInvalid, parse_path
from worker.ports import LatentwatchError
from worker.replay import Addressing

if TYPE_CHECKING:
    from worker.model.path import Path as ValuePath


def _path(_ctx: click.Context, _param: click.Parameter, text: str | None) -> ValuePath | None:
    """The parsed path of an option."""
    try:
        return None if text is None else parse_path(text)
    except PathInvalid as error:
        raise click.BadParameter(str(error)) from None


@click.command()
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@click.option("--topic", required=True, help="Topic to publish to; it must be there.")
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True),
    help="Records a second.  [default: as fast as it goes]",
)
@click.option(
    "--key", metavar="PATH", callback=_path, help="Path of the key in a record.  [default: no keys]"
)
@click.option(
    "--time",
    "time_path",
    metavar="PATH",
    callback=_path,
    help="Path of the time in a record.  [default: the time of publishing]",
)
@SERVERS
@CONFIG
@AS_JSON
def replay(
    file: Path,
    rate: float | None,
    key: ValuePath | None,
    time_path: ValuePath | None,
    config: Path | None,
    *,
    as_json: bool,
    **given: object,
) -> None:
    """Publish the records of a file, or of a folder of files, to a topic.

    \b
    Examples:
      latentwatch replay readings.csv --topic readings
      latentwatch replay readings.parquet --topic readings --rate 500 --key machine.id --time at

    Files are those that latentwatch score takes. Prints how many records the broker acknowledged,
    also after Ctrl-C, which ends with 130. With --time a record that is older than the topic keeps
    its records is soon removed again.
    """
    settings = settings_from(config, given).settings
    addressing = Addressing(settings.topic, key, time_path)
    tally = _Tally(str(file), settings.topic, as_json=as_json)
    was_stopped = False
    try:
        for done, is_stopped in replay_files(settings, file, addressing, rate):
            tally.show(done)
            was_stopped = is_stopped
    except LatentwatchError:
        if tally.done:
            tally.end()
        raise
    tally.end()
    if was_stopped:
        raise click.Abort


class _Tally:
    """How many are acknowledged: a line that changes, on a terminal, and one at the end."""

    def __init__(self, source: str, topic: str, *, as_json: bool) -> None:
        self._source = source
        self._topic = topic
        self._as_json = as_json
        self._began = time.monotonic()
        self.done = 0
        self._is_shown = False

    def show(self, done: int) -> None:
        """So many by now."""
        self.done = done
        if sys.stderr.isatty():
            self._is_shown = True
            click.echo(
                f"\r{done:,} records acknowledged, {self._rate():,.0f}/s ", nl=False, err=True
            )

    def end(self) -> None:
        """It is over, one way or another."""
        seconds = time.monotonic() - self._began
        if self._is_shown:
            click.echo(err=True)
        if self._as_json:
            found = {"topic": self._topic, "acknowledged": self.done, "seconds": seconds}
            click.echo(msgspec.json.encode(found))
        else:
            click.echo(
                f"{self.done} records of {self._source} acknowledged on {self._topic}"
                f" in {seconds:.1f} s"
            )

    def _rate(self) -> float:
        return self.done / max(time.monotonic() - self._began, 1e-9)
