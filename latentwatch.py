"""The one command `latentwatch`: which program each word starts; loads only that program.

Also the same from Python: `train` and `score`. Exit codes: every error that is raised on purpose
carries its own.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from click.shell_completion import CompletionItem, get_completion_class

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from training.retrain import Outcome

WORDS: Final = {
    "run": ("worker", "Watch a topic: score every record, publish what is odd."),
    "check": ("worker", "Say whether all is there that a worker needs, and what mends it."),
    "config": ("worker", "Show every setting, its value and where that came from."),
    "topics": ("worker", "Make and show the topics for what is put out."),
    "dlq": ("worker", "Count, show and send back records that could not be scored."),
    "score": ("worker", "Score a file with the current model."),
    "replay": ("worker", "Publish the records of a file to a topic."),
    "train": ("training", "Learn what is normal in a topic or a file."),
    "demo": ("workbench", "See it work: a fleet of machines, its faults found live."),
    "simulate": ("workbench", "Publish that fleet's readings to a topic."),
}
"""Each word, the program that it belongs to, and what it does."""

PROGRAM: Final = "latentwatch"
COMPLETE_VARIABLE: Final = "_LATENTWATCH_COMPLETE"
"""Set by the shell when it asks for completions; by this name click looks for it."""

EXIT_USAGE: Final = 64
EXIT_INTERNAL: Final = 70
EXIT_CONFIGURATION: Final = 78
EXIT_INTERRUPTED: Final = 130

log = logging.getLogger("latentwatch")


class _Words(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All words."""
        return [*WORDS, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a word, from its program's commands module."""
        if cmd_name not in WORDS:
            return super().get_command(ctx, cmd_name)
        commands = importlib.import_module(f"{WORDS[cmd_name][0]}.commands")
        command: click.Command = getattr(commands, cmd_name)
        return command

    def invoke(self, ctx: click.Context) -> object:
        """The word's command; whoever reads our output may stop when they have seen enough."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # caught here, as click would end with 1
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The list of words, without importing any program."""
        with formatter.section("Commands"):
            formatter.write_dl(self._told())

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The words that begin so, without importing any program; the options of the group."""
        words = [
            CompletionItem(word, help=does)
            for word, does in self._told()
            if word.startswith(incomplete)
        ]
        return words + click.Command.shell_complete(self, ctx, incomplete)

    def _told(self) -> list[tuple[str, str]]:
        """Each word and what it does."""
        own = [(word, command.get_short_help_str(80)) for word, command in self.commands.items()]
        return [(word, does) for word, (_, does) in WORDS.items()] + own


@click.group(cls=_Words, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="latentwatch", message="%(prog)s %(version)s")
def cli() -> None:
    """Learn what is normal on a Kafka topic, and flag what is not.

    \b
    Examples:
      latentwatch train --topic readings --last 7d
      latentwatch topics create --topic readings
      latentwatch check --topic readings
      latentwatch run --topic readings
    """


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what lets a shell complete words and options.

    \b
    Examples:
      source <(latentwatch completion bash)
      latentwatch completion zsh > ~/.zfunc/_latentwatch
      latentwatch completion fish > ~/.config/fish/completions/latentwatch.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - the shells are those that click knows
    click.echo(kind(cli, {}, PROGRAM, COMPLETE_VARIABLE).source())


def train(
    source: Path | str | Sequence[object],
    *,
    stream: str,
    store: Path | str = "models",
    time: str | None = None,
    **training: object,
) -> Outcome:
    """Learn from a file or a folder (a Path), or from records (mappings, or bytes that hold one).

    `time` is the path of the event time; `training` takes the settings of that section, as
    alert_rate=1e-3. The new model is stored and promoted. Raises DataUnusable, Unreachable,
    SettingsError.
    """
    from training.app import train as train_model
    from training.dataset import Bounds
    from training.retrain import Progress
    from training.settings import load_train_settings
    from worker.model.path import parse_path

    named = {f"training.{name}": value for name, value in training.items()}
    given = {"stream": stream, "store": store, **named}
    settings = load_train_settings(given, config=None, environ=os.environ).settings
    bounds = Bounds(time=None if time is None else parse_path(time))
    values = Path(source) if isinstance(source, str | Path) else _encoded(source)
    return train_model(settings, values, bounds, None, None, Progress())


def score(
    records: Path | str | Sequence[object],
    *,
    stream: str,
    store: Path | str = "models",
    every_record: bool = True,
) -> Iterator[dict[str, object]]:
    """Score a file or a folder (a Path), or records, with the stream's current model.

    Records are mappings, bytes that hold one, or None for a tombstone. Gives what `latentwatch
    score --all` prints for each, or, without `every_record`, the anomaly events. Raises Unreachable
    without a model or a file, ArtifactRejected, SettingsError.
    """
    from worker.app import score_files, score_values
    from worker.settings import load_score_settings

    given = {"stream": stream, "store": store}
    settings = load_score_settings(given, config=None, environ=os.environ).settings
    if isinstance(records, str | Path):
        return score_files(settings, Path(records), every_record=every_record)
    return score_values(settings, _encoded(records), every_record=every_record)


def _encoded(records: Sequence[object]) -> list[bytes | None]:
    """Records as values of a topic: bytes and None as they are, all else as JSON."""
    from msgspec import json

    return [r if r is None or isinstance(r, bytes) else json.encode(r) for r in records]


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit with its code (sysexits; see the README)."""
    sys.exit(_code(sys.argv[1:] if arguments is None else arguments))


def _code(arguments: list[str]) -> int:
    try:
        code = cli(arguments, prog_name=PROGRAM, standalone_mode=False)
    except click.UsageError as error:
        error.show()
        return EXIT_USAGE
    except (click.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    except ModuleNotFoundError as error:
        return _without_extra(error)
    except Exception as error:  # noqa: BLE001 - the outermost guard: says what and how to exit
        return _failed(error)
    return code if isinstance(code, int) else 0  # of a word that ends with a code of its own


def _failed(error: Exception) -> int:
    code = getattr(error, "exit_code", None)
    if isinstance(code, int):
        click.echo(f"latentwatch: {error}", err=True)
        return code
    log.critical("a defect ended the program", exc_info=error)
    return EXIT_INTERNAL


def _without_extra(error: ModuleNotFoundError) -> int:
    if error.name != "torch":
        raise error
    if COMPLETE_VARIABLE in os.environ:  # there is nothing to complete, and nobody to tell
        return EXIT_CONFIGURATION
    click.echo(
        "latentwatch: training is not installed here: pip install 'latentwatch[training]'", err=True
    )
    return EXIT_CONFIGURATION


if __name__ == "__main__":
    main()
