"""The word `config`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import msgspec

from worker.commands.options import (
    AS_JSON,
    CONFIG,
    GROUP,
    SCORES,
    SERVERS,
    STORE,
    STREAM,
    TOPIC,
    settings_from,
)
from worker.settings import presentable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@click.group()
def config() -> None:
    """The worker's settings.

    \b
    Examples:
      latentwatch config show --topic readings
      latentwatch config show --topic readings --config production.toml --json
    """


@config.command()
@TOPIC
@STREAM
@STORE
@GROUP
@SERVERS
@SCORES
@CONFIG
@AS_JSON
def show(config: Path | None, *, as_json: bool, **given: object) -> None:
    """Every setting of the worker with its value and where that came from; secrets are hidden.

    \b
    Examples:
      latentwatch config show --topic readings
      latentwatch config show --topic readings --config production.toml --json
    """
    loaded = settings_from(config, given)
    values = presentable(loaded.settings)
    click.echo(_as_json(values, loaded.origins) if as_json else _table(values, loaded.origins))


def _as_json(values: Mapping[str, object], origins: Mapping[str, str]) -> str:
    found = {name: {"value": value, "origin": origins[name]} for name, value in values.items()}
    return msgspec.json.encode(found).decode()


def _table(values: Mapping[str, object], origins: Mapping[str, str]) -> str:
    rows = [(name, _text(value), origins[name]) for name, value in values.items()]
    name_width = max(len(name) for name, _, _ in rows)
    text_width = max(len(text) for _, text, _ in rows)
    return "\n".join(
        f"{name:<{name_width}}  {text:<{text_width}}  {origin}" for name, text, origin in rows
    )


def _text(value: object) -> str:
    """As it would be written in a variable."""
    if isinstance(value, float):
        return f"{value:g}"
    return str(value).lower() if isinstance(value, bool) else str(value)
