"""Splits: what trains, what is judged, by rule and on the public sets where they are at hand."""

from __future__ import annotations

import numpy as np
import pytest

from bench.quality.regimes import REGIMES, Caps, split_of
from bench.quality.sources import Labelled, adbench, adbench_files, servers, skab
from tests.conftest import ROOT

PUBLIC = ROOT.parent / "shared" / "data"
WIDE_OPEN = Caps(train=10_000, test=10_000)

needs_data = pytest.mark.skipif(not PUBLIC.exists(), reason="the public data sets are not here")


def table(rows: int = 1000, anomalies: int = 100) -> Labelled:
    """Rows that tell their place, the anomalies first."""
    values = np.arange(rows, dtype=np.float64)[:, None] * [1.0, 0.0]
    return Labelled(values, (np.arange(rows) < anomalies).astype(np.int64))


class TestClean:
    split = split_of(table(), "clean", 0, WIDE_OPEN)

    def test_the_first_half_of_the_normal_rows_trains(self) -> None:
        assert self.split.train[:, 0].tolist() == list(range(100, 550))

    def test_all_others_are_judged(self) -> None:
        assert sorted(self.split.test[:, 0]) == [*range(100), *range(550, 1000)]
        assert int(self.split.label.sum()) == 100

    def test_peers_see_z_scores_of_the_training_rows_and_zero_for_a_constant(self) -> None:
        train, test = self.split.standardised()
        assert train[:, 0].mean() == pytest.approx(0)
        assert train[:, 0].std() == pytest.approx(1)
        assert (test[:, 1] == 0).all()


class TestMixed:
    @pytest.mark.parametrize(("regime", "spent"), [("p1", 5), ("p3", 14)])
    def test_that_share_of_the_training_rows_is_anomalous_and_not_judged(
        self, regime: str, spent: int
    ) -> None:
        split = split_of(table(), regime, 0, WIDE_OPEN)
        learned = set(split.train[:, 0])
        assert len(learned & set(range(100))) == spent
        assert not learned & set(split.test[:, 0])
        assert (len(split.train), int(split.label.sum())) == (450 + spent, 100 - spent)

    def test_at_most_half_of_the_anomalies_are_spent(self) -> None:
        split = split_of(table(anomalies=10), "p3", 0, WIDE_OPEN)
        assert int(split.label.sum()) == 5


class TestContaminated:
    def test_a_bootstrap_of_all_rows_trains_and_all_are_judged(self) -> None:
        split = split_of(table(), "contaminated", 0, WIDE_OPEN)
        assert len(split.train) == len(split.test) == 1000
        assert len(set(split.train[:, 0])) == pytest.approx(632, abs=40)


@pytest.mark.parametrize("regime", REGIMES)
class TestEvery:
    def test_no_more_rows_than_the_caps_allow(self, regime: str) -> None:
        split = split_of(table(), regime, 0, Caps(train=100, test=50))
        assert (len(split.train), len(split.test)) == (100, 50)

    def test_the_seed_alone_decides(self, regime: str) -> None:
        caps = Caps(train=100, test=50)
        first, again, other = (split_of(table(), regime, seed, caps) for seed in (1, 1, 2))
        assert (first.train == again.train).all()
        assert (first.train != other.train).any()


@needs_data
class TestPublic:
    @pytest.mark.parametrize(
        ("name", "rows", "width", "anomalies"),
        [("cardio", 1831, 21, 176), ("pageblocks", 5393, 10, 510), ("http", 50_000, 3, None)],
    )
    def test_adbench_has_its_documented_size(
        self, name: str, rows: int, width: int, anomalies: int | None
    ) -> None:
        found = adbench(adbench_files(PUBLIC)[name], seed=0)
        assert found.rows.shape == (rows, width)
        assert anomalies in {None, int(found.label.sum())}

    def test_a_small_set_is_drawn_up_to_a_thousand_rows(self) -> None:
        assert len(adbench(adbench_files(PUBLIC)["glass"], seed=0).rows) == 1000

    def test_skab_has_its_published_split(self) -> None:
        files = list(skab(PUBLIC))
        judged = np.concatenate([each.label for each in files])
        assert [len(files), len(judged)] == [34, 23_801]
        assert judged.mean() == pytest.approx(0.537, abs=5e-4)
        assert {each.train.shape for each in files} == {(400, 8)}

    @pytest.mark.parametrize(("family", "entities", "width"), [("smd", 4, 38), ("asd", 6, 19)])
    def test_servers_are_all_there(self, family: str, entities: int, width: int) -> None:
        found = list(servers(PUBLIC, family))
        assert len(found) == entities
        assert all(each.test.shape == (len(each.label), width) for each in found)
