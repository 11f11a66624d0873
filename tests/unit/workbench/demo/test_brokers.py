"""Choosing a broker: the first kind that can be had, and what is said where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from workbench.demo.brokers import SERVERS_VARIABLE, ExternalBroker, external, maven, open_broker
from workbench.demo.errors import BrokerFailed, BrokerMissing
from workbench.demo.node import NodeConfig, free_ports, new_cluster_id

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.demo.brokers import Broker


def missing() -> Broker:
    raise BrokerMissing("none of this kind")


def broken() -> Broker:
    raise BrokerFailed("it broke")


def there() -> Broker:
    return ExternalBroker("127.0.0.1:1")


def test_the_first_kind_that_can_be_had_is_taken() -> None:
    assert open_broker([missing, there, broken]).bootstrap_servers == "127.0.0.1:1"


def test_where_no_kind_can_be_had_every_reason_is_given() -> None:
    with pytest.raises(BrokerMissing, match="none of this kind; none of this kind"):
        open_broker([missing, missing])


def test_a_kind_that_breaks_is_not_passed_over() -> None:
    with pytest.raises(BrokerFailed, match="it broke"):
        open_broker([broken, there])


def test_a_named_broker_that_does_not_answer_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = free_ports(1)
    monkeypatch.setenv(SERVERS_VARIABLE, f"127.0.0.1:{port}")
    with pytest.raises(BrokerFailed, match=f"no broker answers at 127.0.0.1:{port}"):
        external()


def test_without_the_variable_there_is_no_external_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SERVERS_VARIABLE, raising=False)
    with pytest.raises(BrokerMissing, match=SERVERS_VARIABLE):
        external()


def test_without_java_there_is_no_broker_of_our_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BrokerMissing, match="java"):
        maven()


def test_free_ports_differ_and_stay_below_those_of_the_kernel() -> None:
    ports = free_ports(5)
    assert len(set(ports)) == 5
    assert max(ports) < 32768


def test_a_cluster_id_has_the_form_of_kafka() -> None:
    assert {len(new_cluster_id()) for _ in range(200)} == {22}
    assert not any(new_cluster_id().startswith("-") for _ in range(200))


def test_one_of_three_nodes_replicates_to_all_and_waits_for_two(tmp_path: Path) -> None:
    config = NodeConfig(node_id=2, port=20002, voters={1: 21001, 2: 21002, 3: 21003})
    lines = config.properties(tmp_path).splitlines()
    voters = "1@127.0.0.1:21001,2@127.0.0.1:21002,3@127.0.0.1:21003"
    assert f"controller.quorum.voters={voters}" in lines
    assert "listeners=PLAINTEXT://127.0.0.1:20002,CONTROLLER://127.0.0.1:21002" in lines
    assert "transaction.state.log.replication.factor=3" in lines
    assert "transaction.state.log.min.isr=2" in lines
