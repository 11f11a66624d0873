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


def setting(flag: str, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """An option for a setting: its meaning, its variable and its default beside it."""
    info = leaves(Settings)[name]
    default = "required" if info.is_required() else f"default: {_default(info.default)}"
    told = f"{(info.description or '').replace('`', '')}  [env var: {variable(name)}; {default}]"
    if info.annotation is bool:
        return click.option(flag, _dest(name), is_flag=True, default=None, help=told)
    is_choice = get_origin(info.annotation) is Literal
    kind = click.Choice([*get_args(info.annotation)]) if is_choice else None
    return click.option(flag, _dest(name), type=kind, help=told)


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
