"""The topics of our outputs: which the settings ask for, made and shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.adapters.kafka import create_topics, quiet_client_logs, retentions, topic_facts
from worker.app.parts import LOOK_UP_S, connection_of
from worker.ports import NotPermitted, Unreachable
from worker.topics import planned

if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.settings import Settings
    from worker.topics import Role, TopicFacts


@dataclass(frozen=True, slots=True)
class TopicRow:
    """A topic as it is: what it is for, None for what is missing or not told."""

    topic: str
    role: str
    partitions: int | None
    replication: int | None
    retention_ms: int | None


@dataclass(frozen=True, slots=True)
class TopicMade:
    """An output topic after `create`: whether it was made or had been there, and how it is."""

    topic: str
    role: str
    made: bool
    partitions: int
    replication: int


def outputs_of(settings: Settings) -> dict[str, Role]:
    """The output topics that the settings ask for, and what each is for."""
    output = settings.output
    named: dict[str, Role] = {output.topic: "anomalies", output.dead_letter_topic: "dead letters"}
    return {**named, output.scores_topic: "scores"} if output.scores == "all" else named


def create_outputs(
    settings: Settings, partitions: int | None, replication: int | None
) -> list[TopicMade]:
    """Make the output topics that are missing, like the input topic where nothing else is asked.

    Raises Unreachable, NotPermitted, TopicRefused.
    """
    quiet_client_logs()
    connection, outputs = connection_of(settings.kafka), outputs_of(settings)
    before = topic_facts(connection, [settings.topic, *outputs], LOOK_UP_S)
    like = before[settings.topic]
    if like is None and partitions is None:
        raise Unreachable(
            f"no topic {settings.topic} at {connection.bootstrap_servers} to take the number of"
            " partitions from: give --partitions N"
        )
    plans = [
        planned(role, name, partitions, replication, like)
        for name, role in outputs.items()
        if before[name] is None
    ]
    made = create_topics(connection, plans, LOOK_UP_S)
    after = topic_facts(connection, outputs, LOOK_UP_S)
    return [_made(name, role, after, made) for name, role in outputs.items()]


def show_topics(settings: Settings) -> list[TopicRow]:
    """The input topic and the output topics as they are. Raises Unreachable, NotPermitted."""
    quiet_client_logs()
    connection = connection_of(settings.kafka)
    roles = {settings.topic: "input", **outputs_of(settings)}
    facts = topic_facts(connection, roles, LOOK_UP_S)
    there = [name for name, found in facts.items() if found]
    kept = retentions(connection, there, LOOK_UP_S)
    return [_row(name, role, facts[name], kept.get(name)) for name, role in roles.items()]


def _row(name: str, role: str, found: TopicFacts | None, retention_ms: int | None) -> TopicRow:
    if found is None:
        return TopicRow(name, role, None, None, None)
    return TopicRow(name, role, found.partitions, found.replication, retention_ms)


def _made(
    name: str, role: str, facts: Mapping[str, TopicFacts | None], made: frozenset[str]
) -> TopicMade:
    found = facts[name]
    if found is None:
        raise NotPermitted(f"{name} was made, but we may not see it")
    return TopicMade(name, role, name in made, found.partitions, found.replication)
