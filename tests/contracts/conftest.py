"""The stands that the contract suites run on: always memory, a real broker under `kafka`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contracts.stands import KafkaStand, MemoryStand, Stand

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.kafka)])
def stand(request: pytest.FixtureRequest) -> Iterator[Stand]:
    """Each test runs once on every stand."""
    made = MemoryStand() if request.param == "memory" else _on_kafka(request)
    yield made
    made.close()


@pytest.fixture
def kafka_stand(request: pytest.FixtureRequest) -> Iterator[KafkaStand]:
    """For what only the real adapter promises."""
    made = _on_kafka(request)
    yield made
    made.close()


def _on_kafka(request: pytest.FixtureRequest) -> KafkaStand:
    topics = request.getfixturevalue("topic_factory")
    return KafkaStand(request.getfixturevalue("broker").bootstrap_servers, topics)
