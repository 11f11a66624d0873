"""The composition root of the workbench: what each of its words puts together."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from workbench.demo.brokers import SERVERS_VARIABLE
from workbench.demo.interrupts import interruptible
from workbench.demo.narrator import Narrator
from workbench.demo.screen import Plain, Table
from workbench.demo.story import play

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from workbench.demo.screen import Screen
    from workbench.demo.story import DemoSettings

OWN_PREFIX = "LATENTWATCH_"
KEPT_PREFIX = "LATENTWATCH_KAFKA__"


def demo(settings: DemoSettings, write: Callable[[str], object], *, on_terminal: bool) -> None:
    """Play the demo, written to `write`; see workbench/demo/story.py for what is raised.

    Ended by a signal, it ends all that it started and raises KeyboardInterrupt.
    """
    environ = settings.environ
    screen: Screen = Plain(write)
    if on_terminal and environ.get("TERM") != "dumb":
        screen = Table(write, _size, colour=not environ.get("NO_COLOR"))
    narrator = Narrator(write)
    with interruptible():
        try:
            play(replace(settings, environ=_for_programs(environ)), narrator, screen)
        except KeyboardInterrupt:
            narrator.say("\ninterrupted; all that the demo started is stopped")
            raise


def _for_programs(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without settings that are meant for somebody else's topic."""
    is_external = bool(environ.get(SERVERS_VARIABLE))
    return {
        name: value
        for name, value in environ.items()
        if not name.startswith(OWN_PREFIX) or (is_external and name.startswith(KEPT_PREFIX))
    }


def _size() -> tuple[int, int]:
    return shutil.get_terminal_size()
