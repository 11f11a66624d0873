"""Training's words: train. The summary on stdout, progress on stderr and only on a terminal."""

from __future__ import annotations

import os
import re
import sys
import time
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
from training.settings import load_train_settings
from training.summary import (
    discovery_lines,
    discovery_table,
    outcome_lines,
    outcome_table,
    schema_from,
)
from worker.model.path import PathInvalid, parse_path
from worker.model.schema import FeatureSchema, Where

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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


@click.command()
@click.argument("file", required=False, type=click.Path(exists=True, path_type=Path))
@click.option("--topic", help="Topic to learn from, in place of a file.")
@click.option("--stream", help="Name of the model in the store.  [default: the topic]")
@click.option(
    "--store",
    envvar="LATENTWATCH_STORE",
    show_envvar=True,
    help="Folder of the models.  [default: models]",
)
@click.option("--bootstrap-servers", help="Brokers, host:port.  [default: localhost:9092]")
@click.option("--last", type=Duration(), help="Only the newest stretch of the topic, as 7d.")
@click.option("--from", "start", type=Moment(), help="Only from this time on.")
@click.option("--to", "end", type=Moment(), help="Only before this time.")
@click.option("--time", "time_path", help="Path of the event time in a record.")
@click.option("--where", "where_text", metavar="PATH=VALUE", help="Only records that hold this.")
@click.option("--alert-rate", type=float, help="Share of normal records that may be flagged.")
@click.option("--alerts-per-day", type=float, help="The same as a number a day.")
@click.option("--seed", type=int, help="Same data, seed and machine: same model.")
@click.option(
    "--dry-run", is_flag=True, help="Only show what would be learned from: features and reasons."
)
@click.option(
    "--schema",
    "schema_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What --dry-run --json printed, edited, in place of finding it out.",
)
@click.option("--json", "as_json", is_flag=True, help="The summary as one JSON object.")
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    envvar="LATENTWATCH_CONFIG",
    show_envvar=True,
    help="TOML file with settings; else ./latentwatch.toml, if there is one.",
)
def train(
    file: Path | None,
    config: Path | None,
    schema_file: Path | None,
    *,
    as_json: bool,
    dry_run: bool,
    **given: object,
) -> None:
    """Learn what is normal in a topic or a file of JSON lines, and promote the model.

    \b
    Examples:
      latentwatch train --topic readings --last 7d
      latentwatch train readings.jsonl --stream readings --time timestamp
      latentwatch train --topic readings --dry-run
    """
    _check_source(file, given)
    bounds = _bounds(given)
    where, schema = _where(given), _schema(schema_file)
    loaded = load_train_settings(_overrides(given), config=config, environ=os.environ)
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}", err=True)
    settings = loaded.settings
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


def _check_source(file: Path | None, given: dict[str, object]) -> None:
    if (file is None) == (given["topic"] is None):
        msg = "give either a FILE or --topic"
        raise click.UsageError(msg)
    if file is not None and given["stream"] is None:
        msg = "a FILE needs --stream NAME"
        raise click.UsageError(msg)
    if file is not None and any(given[name] is not None for name in ("last", "start", "end")):
        msg = "--last, --from and --to bound a topic, not a FILE"
        raise click.UsageError(msg)
    if given["last"] is not None and given["start"] is not None:
        msg = "--last and --from exclude each other"
        raise click.UsageError(msg)


def _bounds(given: dict[str, object]) -> Bounds:
    start, end, last = given.pop("start"), given.pop("end"), given.pop("last")
    time_text = given.pop("time_path")
    if isinstance(last, float):
        until = end if isinstance(end, int) else round(time.time() * 1000)
        start = until - round(last * 1000)
    try:
        path = parse_path(time_text) if isinstance(time_text, str) else None
    except PathInvalid as error:
        raise click.UsageError(str(error)) from None
    return Bounds(
        start_ms=start if isinstance(start, int) else None,
        end_ms=end if isinstance(end, int) else None,
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


def _overrides(given: dict[str, object]) -> dict[str, object]:
    names = {
        "bootstrap_servers": "kafka.bootstrap_servers",
        "alert_rate": "training.alert_rate",
        "alerts_per_day": "training.alerts_per_day",
        "seed": "training.seed",
    }
    return {names.get(name, name): value for name, value in given.items()}


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
