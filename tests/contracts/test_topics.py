"""What the Kafka adapter says of topics and rights, and that it makes topics once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType

from tests.contracts.stands import new_name
from tests.waiting import wait_until
from workbench.demo.jars import jars
from workbench.demo.node import Node, NodeConfig, free_ports, new_cluster_id
from worker.adapters.kafka import (
    KafkaConnection,
    TopicRefused,
    brokers,
    create_topics,
    kept,
    may_join,
    metadata_level,
    retentions,
    topic_facts,
    topic_names,
    topic_state,
)
from worker.ports import NotPermitted, Unreachable
from worker.topics import DAY_MS, Kept, TopicFacts, TopicPlan, planned

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.contracts.stands import KafkaStand
    from tests.topics import TopicFactory
    from workbench.demo.brokers import MavenBroker

pytestmark = pytest.mark.kafka

TIMEOUT_S = 10.0
PRINCIPAL = "User:ANONYMOUS"


def plan(name: str) -> TopicPlan:
    return TopicPlan(name, partitions=2, replication=1, retention_ms=DAY_MS)


def test_a_topic_is_made_as_planned_and_ready_at_once(kafka_stand: KafkaStand) -> None:
    connection, name = kafka_stand.connection, new_name()
    assert create_topics(connection, [plan(name)], TIMEOUT_S) == {name}
    facts = topic_facts(connection, [name], TIMEOUT_S)[name]
    assert facts is not None
    assert (facts.partitions, facts.replication) == (2, 1)
    assert facts.rights is not None
    assert {"READ", "WRITE", "DESCRIBE"} <= facts.rights
    assert retentions(connection, [name], TIMEOUT_S) == {name: DAY_MS}
    assert name in topic_names(connection, TIMEOUT_S)


def test_how_a_topic_is_kept_and_which_release_keeps_it(
    kafka_stand: KafkaStand, topic_factory: TopicFactory
) -> None:
    topic, missing = topic_factory("kept", 1, {"min.insync.replicas": "2"}), new_name()
    found = kept(kafka_stand.connection, [topic, missing], TIMEOUT_S)
    assert found == {topic: Kept(copies=1, in_sync=2), missing: None}
    level = metadata_level(kafka_stand.connection, TIMEOUT_S)
    assert level is not None
    assert 20 < level < 100


def test_a_topic_that_is_there_stays_as_it_is(kafka_stand: KafkaStand) -> None:
    connection, name, other = kafka_stand.connection, new_name(), new_name()
    create_topics(connection, [plan(name)], TIMEOUT_S)
    again = replace(plan(name), partitions=5, retention_ms=7)
    assert create_topics(connection, [again, plan(other)], TIMEOUT_S) == {other}
    assert topic_state(connection, [name], TIMEOUT_S) == {name: 2}
    assert retentions(connection, [name], TIMEOUT_S) == {name: DAY_MS}


def test_numbers_that_nobody_named_are_the_clusters(kafka_stand: KafkaStand) -> None:
    name = new_name()
    create_topics(kafka_stand.connection, [planned("anomalies", name, None, None, None)], TIMEOUT_S)
    facts = topic_facts(kafka_stand.connection, [name], TIMEOUT_S)[name]
    assert facts is not None
    assert facts.partitions >= 1


def test_more_copies_than_brokers_are_refused_for_good(kafka_stand: KafkaStand) -> None:
    count = brokers(kafka_stand.connection, TIMEOUT_S)
    assert count >= 1
    greedy = replace(plan(new_name()), replication=count + 1)
    with pytest.raises(TopicRefused, match="was not made") as raised:
        create_topics(kafka_stand.connection, [greedy], TIMEOUT_S)
    assert raised.value.exit_code == 78


def test_a_topic_that_is_not_there_has_no_facts(kafka_stand: KafkaStand) -> None:
    name = new_name()
    assert topic_facts(kafka_stand.connection, [name], TIMEOUT_S) == {name: None}


def test_a_group_that_is_not_there_may_be_joined(kafka_stand: KafkaStand) -> None:
    assert may_join(kafka_stand.connection, new_name(), TIMEOUT_S)


def test_a_paused_broker_is_unreachable_within_the_time(own_broker: MavenBroker) -> None:
    own_broker.node.pause()
    connection = KafkaConnection(own_broker.bootstrap_servers, "contract")
    with pytest.raises(Unreachable):
        topic_facts(connection, ["t"], 1.0)


class _Guarded(NodeConfig):
    """A broker that lets everybody do what no rule is about."""

    def properties(self, data: Path) -> str:
        authorizer = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
        return (
            f"{super().properties(data)}authorizer.class.name={authorizer}\n"
            "allow.everyone.if.no.acl.found=true\n"
        )


@pytest.fixture
def guarded(tmp_path: Path, own_broker: MavenBroker) -> Iterator[KafkaAdminClient]:
    """An admin client of a broker with an authorizer; skipped where none can be started."""
    own_broker.close()
    port, controller = free_ports(2)
    node = Node(_Guarded(1, port, {1: controller}), jars(), tmp_path, new_cluster_id())
    node.start()
    admin = KafkaAdminClient(bootstrap_servers=node.config.address)
    yield admin
    admin.close()
    node.stop()


def rule(
    admin: KafkaAdminClient, kind: ResourceType, name: str, *, may: list[ACLOperation]
) -> None:
    """Of all that can be done there we may do this; what no rule is about stays free to all."""
    resource = ResourcePattern(kind, name)
    allowed = [ACL(PRINCIPAL, "*", each, ACLPermissionType.ALLOW, resource) for each in may]
    nobody = ACL("User:nobody", "*", ACLOperation.ALL, ACLPermissionType.ALLOW, resource)
    admin.create_acls([nobody, *allowed])


def test_what_we_may_not_is_seen(guarded: KafkaAdminClient) -> None:
    connection = KafkaConnection(guarded.config["bootstrap_servers"], "contract")
    create_topics(connection, [plan("hidden"), plan("readable")], TIMEOUT_S)
    read_only = [ACLOperation.READ, ACLOperation.DESCRIBE]
    rule(guarded, ResourceType.TOPIC, "readable", may=read_only)
    rule(guarded, ResourceType.GROUP, "group", may=[])
    rule(guarded, ResourceType.TOPIC, "forbidden", may=read_only)
    rule(guarded, ResourceType.TOPIC, "hidden", may=[])
    # The broker itself is nobody else than we are.
    among_brokers = [ACLOperation.CLUSTER_ACTION, ACLOperation.DESCRIBE]
    rule(guarded, ResourceType.CLUSTER, "kafka-cluster", may=among_brokers)

    def facts() -> dict[str, TopicFacts | None]:
        return dict(topic_facts(connection, ["hidden", "readable"], TIMEOUT_S))

    wait_until(lambda: facts()["hidden"] == TopicFacts(0, 0, frozenset()), what="the rules hold")
    assert facts()["readable"] == TopicFacts(2, 1, frozenset({"READ", "DESCRIBE"}))
    assert not may_join(connection, "group", TIMEOUT_S)
    with pytest.raises(NotPermitted, match="we may not describe the topic hidden"):
        topic_state(connection, ["hidden"], TIMEOUT_S)
    with pytest.raises(NotPermitted, match="forbidden was not made"):
        create_topics(connection, [plan("forbidden")], TIMEOUT_S)
