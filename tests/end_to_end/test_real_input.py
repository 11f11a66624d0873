"""Real telemetry on a real topic, trained from it and watched: the same as scoring it by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench.real_input import Compared, watch
from bench.stand.telemetry import own_telemetry, public_telemetry
from bench.stand.topics import Cluster

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.demo.brokers import Broker

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def compared(
    broker: Broker, shared_data: Path | None, tmp_path_factory: pytest.TempPathFactory
) -> list[Compared]:
    """The public sets where they lie beside the checkout, else the stand-ins, brought through."""
    folder = tmp_path_factory.mktemp("real_input")
    sets = public_telemetry(shared_data) or own_telemetry(folder / "data")
    return [watch(each, Cluster(broker.bootstrap_servers), folder) for each in sets]


def test_every_record_comes_out_once_and_nothing_else_does(compared: list[Compared]) -> None:
    counted = [(each.missing, each.extra, each.doubled) for each in compared]
    assert counted == [(0, 0, 0), (0, 0, 0)]


def test_scores_and_events_are_those_of_scoring_by_hand(compared: list[Compared]) -> None:
    assert max(each.max_difference for each in compared) <= 1e-5


def test_labelled_anomalies_rank_high(compared: list[Compared]) -> None:
    aurocs = {each.name: each.auroc for each in compared}
    assert aurocs.keys() == {"skab", "smd"}
    assert min(aurocs.values()) >= 0.88, aurocs


def test_anomalies_are_put_out(compared: list[Compared]) -> None:
    assert sum(each.events for each in compared) >= 50
