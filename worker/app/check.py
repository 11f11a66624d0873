"""What `check` looks at, on the real cluster and store, and the commands that mend it."""

from __future__ import annotations

import difflib
import itertools
import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from worker.adapters.kafka import (
    KafkaRecordHistory,
    brokers,
    kept,
    may_join,
    metadata_level,
    quiet_client_logs,
    topic_facts,
    topic_names,
)
from worker.app.parts import (
    LOOK_UP_S,
    codec_for,
    connection_of,
    current_model,
    store_of,
    timings_of,
)
from worker.app.topics import outputs_of
from worker.check import Point, Wanted, check
from worker.settings import COMMAND_LINE, flattened

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from worker.ports import Model
    from worker.records import RawRecord
    from worker.settings import Loaded, Settings
    from worker.topics import Kept, Right, TopicFacts

LOSES_MARKERS = 30
"""Metadata level of Kafka 4.3, which drops the end of a transaction whose partition has no leader
(KAFKA-20734), as 4.4 does; 4.2.1 does not."""
ANONYMOUS = "ANONYMOUS"
"""Who we are to a cluster that asks for no proof."""

SERVERS = "kafka.bootstrap_servers"
OPTIONS = {
    "stream": "--stream",
    "store": "--store",
    "group": "--group",
    SERVERS: "--bootstrap-servers",
    "output.scores": "--scores",
    "delivery": "--delivery",
}
"""Options of the command line that a command that mends has to carry on."""


def check_surroundings(loaded: Loaded[Settings], config: str | None) -> list[Point]:
    """All points for a worker with these settings; `config` is the file named on the command line.

    Each look has a deadline, and nothing is waited for.
    """
    quiet_client_logs()
    settings = loaded.settings
    wanted = Wanted(
        topic=settings.topic,
        outputs=list(outputs_of(settings)),
        group=settings.group,
        dead_letter_share_max=settings.limits.dead_letter_share_max,
        delivery=settings.delivery,
    )
    codec = codec_for(settings.limits)
    return check(wanted, _Around(settings), codec, codec.parse, _Commands(loaded, config))


class _Around:
    """worker.check.Surroundings on the real cluster and store."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._connection = connection_of(settings.kafka)

    def brokers(self) -> str:
        """How many, and where they were asked."""
        count = brokers(self._connection, LOOK_UP_S)
        servers = self._connection.bootstrap_servers
        return f"{servers} answers for a cluster of {count}"

    def topics(self, names: Sequence[str]) -> Mapping[str, TopicFacts | None]:
        """What the cluster says of each topic."""
        return topic_facts(self._connection, names, LOOK_UP_S)

    def near(self, name: str) -> str | None:
        """A topic that is there and has nearly that name."""
        names = topic_names(self._connection, LOOK_UP_S)
        return next(iter(difflib.get_close_matches(name, names, n=1)), None)

    def may_join(self, group: str) -> bool:
        """Whether we may read as a member of the group."""
        return may_join(self._connection, group, LOOK_UP_S)

    def kept(self, names: Sequence[str]) -> Mapping[str, Kept | None]:
        """How safe the records of each topic are."""
        return kept(self._connection, names, LOOK_UP_S)

    def may_lose_markers(self) -> bool:
        """Whether any broker knows the first release that can."""
        level = metadata_level(self._connection, LOOK_UP_S)
        return level is not None and level >= LOSES_MARKERS

    def model(self) -> Model:
        """The promoted model."""
        return current_model(store_of(self._settings))

    def newest(self, records_max: int) -> Sequence[RawRecord]:
        """The newest records: of each partition its share, so that none is forgotten."""
        timings = replace(timings_of(self._settings.kafka), history_stall_s=LOOK_UP_S)
        history = KafkaRecordHistory(self._connection, timings, self._settings.topic)
        try:
            whole = history.span(None, None)
            share = max(1, records_max // max(1, len(whole)))
            newest = {p: (max(first, end - share), end) for p, (first, end) in whole.items()}
            return list(itertools.chain.from_iterable(history.read(newest)))
        finally:
            history.close()


@dataclass(frozen=True, slots=True)
class _Commands:
    """worker.check.Mends: what to type, with those settings that were given on the command line."""

    loaded: Loaded[Settings]
    config: str | None

    @property
    def broker(self) -> str:
        """Look again, at another broker."""
        again = self._command("check", ("stream", "store", "group", "output.scores", "delivery"))
        return f"{again} --bootstrap-servers HOST:PORT"

    @property
    def outputs(self) -> str:
        """Make the output topics."""
        return self._command("topics create", (SERVERS, "output.scores"))

    @property
    def train(self) -> str:
        """Train a model."""
        return self._command("train", ("stream", "store", SERVERS))

    def topic(self, near: str | None) -> str:
        """Make the input topic, or look again at one of nearly that name."""
        if near is not None:
            return self._command("check", OPTIONS, near)
        return f"kafka-topics.sh {self._server} --create --topic {self._topic}"

    def right(self, right: Right, kind: Literal["topic", "group"], name: str) -> str:
        """Allow something."""
        operation = f"--operation {right.capitalize()} --{kind} {shlex.quote(name)}"
        who = f"--allow-principal User:{ANONYMOUS}"
        return f"kafka-acls.sh {self._server} --add {who} {operation}"

    @property
    def _topic(self) -> str:
        return self.loaded.settings.topic

    @property
    def _server(self) -> str:
        return f"--bootstrap-server {self.loaded.settings.kafka.bootstrap_servers}"

    def _command(self, words: str, carried: Collection[str], topic: str | None = None) -> str:
        parts = ["latentwatch", *words.split(), "--topic", topic or self._topic]
        values = flattened(self.loaded.settings)
        for name, option in OPTIONS.items():
            if name in carried and self.loaded.origins[name] == COMMAND_LINE:
                parts += [option, str(values[name])]
        return shlex.join([*parts, "--config", self.config] if self.config else parts)
