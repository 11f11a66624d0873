"""The demo from the first step to the last, in one function."""

from __future__ import annotations

import shutil
import sys
import time
import uuid
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from workbench.demo.brokers import KINDS, open_broker
from workbench.demo.embedded import EmbeddedStage
from workbench.demo.errors import BrokerMissing
from workbench.demo.feed import FleetFeed, SourceFeed
from workbench.demo.kept import EVENTS, LIVE, TRUTH, Kept
from workbench.demo.live import Live
from workbench.demo.narrator import last_line, result_lines, where_to_look
from workbench.demo.on_broker import CONFIG, LOG, BrokerStage
from workbench.demo.stage import ALERT_RATE, MODELS, Topics
from workbench.demo.tally import Tally
from worker.records import Output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from workbench.demo.brokers import Broker
    from workbench.demo.feed import Feed
    from workbench.demo.narrator import Narrator
    from workbench.demo.screen import Screen
    from workbench.demo.stage import Stage
    from workbench.demo.tally import Summary

RATE: Final = 600.0
"""Live records a second."""


@dataclass(frozen=True, slots=True)
class DemoSettings:
    """How the demo is to be: of the fleet, or of the records at `source`.

    `folder` keeps what is left of it; `environ` is what the programs run in; `kinds` of brokers
    are tried in their order before the log in memory.
    """

    seconds: float
    seed: int
    source: Path | None
    folder: Path
    environ: Mapping[str, str]
    kinds: Sequence[Callable[[], Broker]] = KINDS


def play(settings: DemoSettings, narrator: Narrator, screen: Screen) -> Summary:
    """Fill a topic, learn it, watch it, and say how that went; leaves nothing running.

    Raises BrokerFailed, StepFailed, and what brokers and files make a program raise.
    """
    feed, folder = _feed(settings), settings.folder
    _clear(folder)
    narrator.say(f"latentwatch demo, seed {settings.seed}; what is left of it is in {folder}\n")
    with ExitStack() as stack:
        broker = _broker(settings, narrator, stack)
        kind = broker.kind if broker else "embedded"
        topics = Topics(_topic(settings, kind))
        with narrator.step("topics", str(topics)):
            stage = stack.enter_context(closing(_stage(settings, broker, topics)))
        with narrator.step("fill", feed.about):
            stage.fill(_early(feed, topics))
        with narrator.step("train", _words("train", kind, topics), draws=True) as said:
            said.extend(stage.train(settings.seed).splitlines())
        with narrator.step("run", _words("run", kind, topics)) as said:
            said.append(f"metrics at {stage.watch()}")
        narrator.say(f"  {'live':<9} {feed.rate:.0f} records/s for {settings.seconds:g} s\n")
        tally = Tally(topics, feed.judged)
        with closing(Kept(folder)) as kept, closing(screen):
            Live(stage, feed, tally, kept, screen).run(settings.seconds)
    summary = tally.summary()
    servers = broker.bootstrap_servers if broker else None
    _tell(narrator, result_lines(summary, judged=feed.judged, alert_rate=ALERT_RATE))
    _tell(narrator, where_to_look(kind, topics, folder, servers, _program()))
    _tell(narrator, [last_line(kind, summary)])
    return summary


def _tell(narrator: Narrator, lines: Sequence[str]) -> None:
    narrator.say()
    for line in lines:
        narrator.say(line)


def _feed(settings: DemoSettings) -> Feed:
    if settings.source is not None:
        return SourceFeed(settings.source, RATE, settings.seconds, time.time())
    return FleetFeed(settings.seed, RATE, round(RATE * settings.seconds), time.time())


def _clear(folder: Path) -> None:
    """Take away what an earlier demo left; nothing else that may lie there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (EVENTS, LIVE, TRUTH, CONFIG, LOG):
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / MODELS, ignore_errors=True)


def _broker(settings: DemoSettings, narrator: Narrator, stack: ExitStack) -> Broker | None:
    """The best broker, None where there is none."""
    began = time.monotonic()
    try:
        broker = stack.enter_context(closing(open_broker(settings.kinds, narrator)))
    except BrokerMissing:
        narrator.trying("embedded")
        narrator.say("a log in memory, in this process; everything else is the real thing")
        return None
    except BaseException:
        narrator.say()
        raise
    narrator.say(f"{broker.bootstrap_servers}  ({time.monotonic() - began:.1f} s)")
    return broker


def _program() -> str:
    """What a user types to start latentwatch: its name, or where it is when no PATH leads there."""
    here = Path(sys.executable).with_name("latentwatch")
    if shutil.which("latentwatch") or not here.exists():
        return "latentwatch"
    return str(here.relative_to(Path.cwd())) if here.is_relative_to(Path.cwd()) else str(here)


def _topic(settings: DemoSettings, kind: str) -> str:
    """A name that nobody has on a broker of somebody else's."""
    name = "fleet" if settings.source is None else "records"
    return f"latentwatch-demo-{name}-{uuid.uuid4().hex[:6]}" if kind == "external" else name


def _words(word: str, kind: str, topics: Topics) -> str:
    where = "in this process, as" if kind == "embedded" else "its own process:"
    return f"{where} latentwatch {word} --topic {topics.input}"


def _stage(settings: DemoSettings, broker: Broker | None, topics: Topics) -> Stage:
    if broker is None:
        return EmbeddedStage(topics, settings.folder)
    return BrokerStage(broker.bootstrap_servers, topics, settings.folder, settings.environ)


def _early(feed: Feed, topics: Topics) -> Iterator[Output]:
    for stamp_ms, item in feed.early():
        yield Output(topics.input, item.key, item.value, timestamp=stamp_ms)
