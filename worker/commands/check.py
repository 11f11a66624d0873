"""The word `check`."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import click
import msgspec

from worker.app.check import check_surroundings
from worker.check import Point, exit_code
from worker.commands.options import (
    AS_JSON,
    CONFIG,
    DELIVERY,
    GROUP,
    SCORES,
    SERVERS,
    STORE,
    STREAM,
    TOPIC,
    overrides,
)
from worker.settings import SettingsError, load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MARKS = {"ok": "ok", "warned": "WARN", "failed": "FAILED", "skipped": "-"}


@click.command()
@TOPIC
@STREAM
@STORE
@GROUP
@SERVERS
@SCORES
@DELIVERY
@CONFIG
@AS_JSON
def check(config: Path | None, *, as_json: bool, **given: object) -> None:
    """Say whether all is there that a worker needs, and what mends it where not.

    \b
    Examples:
      latentwatch check --topic readings
      latentwatch check --topic readings --json

    Looks once and waits for nothing: settings, broker, topics, rights, the model, and whether its
    features are found in the newest records. Ends with 0 when a worker can run, else with the code
    of what has to be mended first: 69 (broker, topic or model is not there), 77 (a right is
    missing), 65 (model and records do not fit), 78 (settings).
    """
    points = _points(config, given)
    click.echo(_as_json(points) if as_json else _table(points))
    click.get_current_context().exit(exit_code(points))


def _points(config: Path | None, given: dict[str, object]) -> list[Point]:
    try:
        loaded = load_settings(overrides(given), config=config, environ=os.environ)
    except SettingsError as error:
        return [
            Point("settings", "failed", problem, _mend(problem), error.exit_code)
            for problem in error.problems
        ]
    warned = [f"; warning: {warning}" for warning in loaded.warnings]
    points = check_surroundings(loaded, str(config) if config else None)
    return [Point("settings", "ok", "all valid" + "".join(warned)), *points]


def _mend(problem: str) -> str:
    """What to type against a wrong setting, by where it came from."""
    if variable := re.search(r"\(environment (\w+)\)$", problem):
        return f"unset {variable.group(1)}"
    if file := re.search(r"\(file (.+)\)$", problem):
        return f"${{EDITOR:-vi}} {file.group(1)}"
    if problem.startswith("topic: is required"):
        return "latentwatch check --topic NAME"
    return "latentwatch check --help"


def _table(points: Sequence[Point]) -> str:
    width = max(len(point.name) for point in points)
    lines = []
    for point in points:
        lines.append(f"{MARKS[point.status]:<6}  {point.name:<{width}}  {point.detail}")
        if point.mend:
            lines.append(f"{'':6}  {'':{width}}  -> {point.mend}")
    failed = sum(point.status == "failed" for point in points)
    looked = sum(point.status != "skipped" for point in points)
    end = f"{failed} of {looked} points failed" if failed else "a worker can run"
    return "\n".join([*lines, end])


def _as_json(points: Sequence[Point]) -> str:
    return msgspec.json.encode({"exit_code": exit_code(points), "points": points}).decode()
