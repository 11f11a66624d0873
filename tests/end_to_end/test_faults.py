"""Workers and brokers of a real cluster are hurt on a seeded schedule; both modes hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench.faults.run import Plan, run, trained

if TYPE_CHECKING:
    from pathlib import Path

    from bench.stand.cluster import BrokerCluster

SECONDS = 40.0
FAULTS_MIN = 3
SEED = 2
KINDS = ("worker_kill", "broker_kill", "poison")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model."""
    return trained(tmp_path_factory.mktemp("faults"))


@pytest.mark.timeout(420)
@pytest.mark.parametrize("mode", ["at_least_once", "exactly_once"])
def test_a_mode_keeps_its_promise_under_faults(
    mode: str, own_cluster: BrokerCluster, store: Path, tmp_path: Path
) -> None:
    told: list[str] = []
    result = run(
        Plan(mode, SECONDS, SEED, KINDS), own_cluster, store, tmp_path / "logs", told.append
    )
    story = "\n".join([*told, *result.table(), result.last_line()])
    assert len(result.outcomes) >= FAULTS_MIN, story
    assert result.verdict.records > len(result.outcomes), story
    assert result.verdict.lost == [], story
    assert result.hung == 0, story
    if mode == "exactly_once":
        assert result.verdict.duplicated == [], story
        assert result.verdict.reordered == [], story
