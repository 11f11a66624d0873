"""The one command `latentwatch`: which program each word starts; loads only that program.

Also the exit codes: every error that is raised on purpose carries its own.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
from typing import Final

import click

WORDS: Final = {
    "run": ("worker", "Watch a topic: score every record, publish what is odd."),
    "score": ("worker", "Score a file of JSON lines with the current model."),
    "train": ("training", "Learn what is normal in a topic or a file."),
}
"""Each word, the program that it belongs to, and what it does."""

EXIT_USAGE: Final = 64
EXIT_INTERNAL: Final = 70
EXIT_CONFIGURATION: Final = 78
EXIT_INTERRUPTED: Final = 130

log = logging.getLogger("latentwatch")


class _Words(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """All words."""
        return list(WORDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command of a word, from its program's commands module."""
        if cmd_name not in WORDS:
            return None
        commands = importlib.import_module(f"{WORDS[cmd_name][0]}.commands")
        command: click.Command = getattr(commands, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The list of words, without importing any program."""
        with formatter.section("Commands"):
            formatter.write_dl([(word, does) for word, (_, does) in WORDS.items()])


@click.group(cls=_Words, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="latentwatch", message="%(prog)s %(version)s")
def cli() -> None:
    """Learn what is normal on a Kafka topic, and flag what is not.

    \b
    Examples:
      latentwatch train --topic readings --last 7d
      latentwatch run --topic readings
    """


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit with its code (sysexits; see the README)."""
    sys.exit(_code(sys.argv[1:] if arguments is None else arguments))


def _code(arguments: list[str]) -> int:
    try:
        cli(arguments, prog_name="latentwatch", standalone_mode=False)
    except click.UsageError as error:
        error.show()
        return EXIT_USAGE
    except (click.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except ModuleNotFoundError as error:
        return _without_extra(error)
    except Exception as error:  # noqa: BLE001 - the outermost guard: says what and how to exit
        return _failed(error)
    return 0


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
    click.echo(
        "latentwatch: training is not installed here: pip install 'latentwatch[training]'", err=True
    )
    return EXIT_CONFIGURATION


if __name__ == "__main__":
    main()
