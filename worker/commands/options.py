"""Options that several words have: those of settings say what the settings themselves say."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

import click

from worker.settings import Settings, leaves, load_settings, variable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from worker.settings import Loaded

CONFIG = click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="TOML file with settings.  [env var: LATENTWATCH_CONFIG; default: latentwatch.toml, if"
    " there is one]",
)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="As one JSON object.")


SETTINGS = leaves(Settings)
"""Those of the worker, by their names."""

NUMBERS: Mapping[object, click.ParamType[Any]] = {int: click.INT, float: click.FLOAT}


def setting(
    flag: str, name: str, known: Mapping[str, Any] = SETTINGS
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """An option for one of the `known` settings: its meaning, its variable and its default."""
    info = known[name]
    default = "required" if info.is_required() else f"default: {_default(info.default)}"
    notes = [f"env var: {variable(name)}", *([default] if info.default is not None else [])]
    told = f"{(info.description or '').replace('`', '')}  [{'; '.join(notes)}]"
    if info.annotation is bool:
        return click.option(flag, _dest(name), is_flag=True, default=None, help=told)
    return click.option(flag, _dest(name), type=_kind(info.annotation), help=told)


def _kind(annotation: object) -> click.ParamType[Any] | None:
    """What is to be given: a choice, a number; None for a text."""
    if get_origin(annotation) is Literal:
        return click.Choice([*get_args(annotation)])
    kinds = (annotation, *get_args(annotation))  # a number, or a number or None
    return next((NUMBERS[kind] for kind in kinds if kind in NUMBERS), None)


def _dest(name: str) -> str:
    return name.replace(".", "__")


def _default(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


TOPIC = setting("--topic", "topic")
STREAM = setting("--stream", "stream")
STORE = setting("--store", "store")
GROUP = setting("--group", "group")
SERVERS = setting("--bootstrap-servers", "kafka.bootstrap_servers")
SCORES = setting("--scores", "output.scores")
DELIVERY = setting("--delivery", "delivery")


def overrides(given: Mapping[str, object]) -> dict[str, object]:
    """What the options gave, by the dotted names of the settings."""
    return {name.replace("__", "."): value for name, value in given.items()}


def settings_from(config: Path | None, given: Mapping[str, object]) -> Loaded[Settings]:
    """The worker's settings; says on stderr what a user should be warned of."""
    loaded = load_settings(overrides(given), config=config, environ=os.environ)
    warn(loaded.warnings)
    return loaded


def warn(warnings: tuple[str, ...]) -> None:
    """Say on stderr what a user should know."""
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
