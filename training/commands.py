"""Training's words: train. The summary on stdout, progress on stderr and only on a terminal."""

from __future__ import annotations

import os
import re
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from training.app import inspect as inspect_stretch
from training.app import train as train_model
from training.dataset import Bounds
from training.retrain import Progress
from training.settings import (
    SettingsError,
    TrainSettings,
    lacks_a_name,
    leaves,
    load_train_settings,
)
from training.summary import (
    discovery_lines,
    discovery_table,
    outcome_lines,
    outcome_table,
    schema_from,
)
from worker.commands.options import AS_JSON, CONFIG, overrides, setting, warn
from worker.model.path import PathInvalid, parse_path
from worker.model.schema import FeatureSchema, Where

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NO_STREAM = "a FILE needs --stream NAME, LATENTWATCH_STREAM, or stream in latentwatch.toml"
NO_SOURCE = "give a FILE, --topic NAME, LATENTWATCH_TOPIC, or topic in latentwatch.toml"

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


class Duration(click.ParamType[float]):
    """A number and a unit: 30m, 12h, 7d; as seconds."""

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The seconds."""
        found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", str(value))
        if found is None:
            self.fail(f"{value!r} is not a duration such as 30m, 12h or 7d", param, ctx)
        return float(found.group(1)) * _UNITS[found.group(2)]


class Moment(click.ParamType[int]):
    """An ISO 8601 time, UTC where it names no zone; as milliseconds since the epoch."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """The milliseconds."""
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is not a time such as 2026-11-01T00:00:00Z", param, ctx)
        zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return round(zoned.timestamp() * 1000)


SETTINGS = leaves(TrainSettings)


@click.command()
@click.argument("file", required=False, type=click.Path(exists=True, path_type=Path))
@setting("--topic", "topic", SETTINGS)
@click.option(
    "--stream",
    help="Name of the model's folder in the store.  [env var: LATENTWATCH_STREAM; default: the"
    " topic]",
)
@setting("--store", "store", SETTINGS)
@setting("--bootstrap-servers", "kafka.bootstrap_servers", SETTINGS)
@click.option(
    "--last",
    type=Duration(),
    help="Only the newest stretch of the topic, as 7d, back from its newest record.",
)
@click.option("--from", "start", type=Moment(), help="Only from this time on.")
@click.option("--to", "end", type=Moment(), help="Only before this time.")
@click.option(
    "--time",
    "time_path",
    metavar="PATH",
    help="Path of the event time in a record.  [default: the time on the topic]",
)
@click.option("--where", "where_text", metavar="PATH=VALUE", help="Only records that hold this.")
@setting("--alert-rate", "training.alert_rate", SETTINGS)
@setting("--alerts-per-day", "training.alerts_per_day", SETTINGS)
@setting("--seed", "training.seed", SETTINGS)
@setting("--network", "training.network", SETTINGS)
@click.option(
    "--dry-run", is_flag=True, help="Only show what would be learned from: features and reasons."
)
@click.option(
    "--schema",
    "schema_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What --dry-run --json printed, edited, in place of finding it out.",
)
@CONFIG
@AS_JSON
def train(
    file: Path | None,
    config: Path | None,
    schema_file: Path | None,
    *,
    as_json: bool,
    dry_run: bool,
    **given: object,
) -> None:
    """Learn what is normal in a topic, a file or a folder of files, and promote the model.

    \b
    Examples:
      latentwatch train --topic readings --last 7d
      latentwatch train readings.csv --stream readings --time timestamp
      latentwatch train --topic readings --dry-run

    Files are those that latentwatch score takes. Says what was learned from, whether the model was
    promoted, and what it would have flagged in records that it had not seen.
    """
    _check_bounds(file, given)
    bounds, where = _bounds(given), _where(given)
    schema = _schema(schema_file)
    settings = _settings(file, config, given)
    if dry_run:
        with _progress() as progress:
            found = inspect_stretch(settings, file, bounds, where, schema, progress)
        table = discovery_table(found)
        click.echo(msgspec.json.encode(table).decode() if as_json else discovery_lines(found))
        return
    with _progress() as progress:
        outcome = train_model(settings, file, bounds, where, schema, progress)
    shown = msgspec.json.encode(outcome_table(outcome)).decode() if as_json else None
    click.echo(shown or outcome_lines(outcome, settings.stream))


def _settings(file: Path | None, config: Path | None, given: dict[str, object]) -> TrainSettings:
    """The settings, which name what there is to learn from unless it is the file."""
    try:
        loaded = load_train_settings(overrides(given), config=config, environ=os.environ)
    except SettingsError as error:
        if not lacks_a_name(error):
            raise
        raise click.UsageError(NO_STREAM if file else NO_SOURCE) from None
    if file is None and loaded.settings.topic is None:
        raise click.UsageError(NO_SOURCE)
    warn(loaded.warnings)
    return loaded.settings


def _check_bounds(file: Path | None, given: dict[str, object]) -> None:
    last, start, end = given["last"], given["start"], given["end"]
    if file is not None and given["topic"] is not None:
        raise click.UsageError("give either a FILE or --topic")
    if file is not None and any(bound is not None for bound in (last, start, end)):
        raise click.UsageError("--last, --from and --to bound a topic, not a FILE")
    if last is not None and start is not None:
        raise click.UsageError("--last and --from exclude each other")
    if isinstance(start, int) and isinstance(end, int) and start >= end:
        raise click.UsageError("--from must be before --to")


def _bounds(given: dict[str, object]) -> Bounds:
    start, end, last = given.pop("start"), given.pop("end"), given.pop("last")
    time_text = given.pop("time_path")
    try:
        path = parse_path(time_text) if isinstance(time_text, str) else None
    except PathInvalid as error:
        raise click.UsageError(str(error)) from None
    return Bounds(
        start_ms=start if isinstance(start, int) else None,
        end_ms=end if isinstance(end, int) else None,
        last_ms=round(last * 1000) if isinstance(last, float) else None,
        time=path,
    )


def _where(given: dict[str, object]) -> Where | None:
    text = given.pop("where_text")
    if not isinstance(text, str):
        return None
    why = ""
    for equals in (at for at, character in enumerate(text) if character == "="):
        try:
            return Where(path=text[:equals], value=text[equals + 1 :])
        except PathInvalid as error:  # perhaps a sign within the path: metrics[name="a"].kind=b
            why = why or f": {error}"
    msg = f"--where takes PATH=VALUE{why}"
    raise click.UsageError(msg)


def _schema(file: Path | None) -> FeatureSchema | None:
    if file is None:
        return None
    try:
        return schema_from(msgspec.json.decode(file.read_bytes()))
    except (ValueError, msgspec.MsgspecError) as error:
        raise click.UsageError(f"--schema {file}: {error}") from None


@contextmanager
def _progress() -> Iterator[Progress]:
    """Bars on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield Progress()
        return
    shown: dict[str, tuple[str, bool]] = {}

    def bar(label: str) -> Callable[[int, int], None]:
        def show(done: int, of: int) -> None:
            share = min(done / of, 1.0) if of else 1.0
            drawn = "#" * round(30 * share)
            line = f"\r{label:<8} [{drawn:<30}] {share:4.0%}"
            is_over = done >= of  # even where it has been drawn full, the line must end
            if shown.get(label) != (line, is_over):
                shown[label] = (line, is_over)
                click.echo(line, err=True, nl=is_over)

        return show

    yield Progress(reading=bar("reading"), fitting=bar("fitting"))
