"""The stands that the contract suites run on: always memory, a real broker under `kafka`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contracts.stands import KafkaStand, MemoryStand, Stand

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def exactly_once() -> bool:
    """How members of the stands deliver; a module that wants it otherwise says so."""
    return False


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.kafka)])
def stand(request: pytest.FixtureRequest, exactly_once: bool) -> Iterator[Stand]:  # noqa: FBT001 - by name
    """Each test runs once on every stand."""
    made: Stand = MemoryStand(exactly_once=exactly_once)
    if request.param == "kafka":
        made = _on_kafka(request, exactly_once=exactly_once)
    yield made
    made.close()


@pytest.fixture
def kafka_stand(request: pytest.FixtureRequest, exactly_once: bool) -> Iterator[KafkaStand]:  # noqa: FBT001 - by name
    """For what only the real adapter promises."""
    made = _on_kafka(request, exactly_once=exactly_once)
    yield made
    made.close()


def _on_kafka(request: pytest.FixtureRequest, *, exactly_once: bool) -> KafkaStand:
    topics = request.getfixturevalue("topic_factory")
    servers = request.getfixturevalue("broker").bootstrap_servers
    return KafkaStand(servers, topics, exactly_once=exactly_once)
