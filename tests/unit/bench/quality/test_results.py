"""Means, ranks and the last line from cells."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from bench.quality.regimes import REGIMES
from bench.quality.results import (
    RANKED,
    Results,
    Tabular,
    cost_line,
    flag_everything,
    last_line,
    skab_alarms,
)
from bench.quality.tables import TABLES_FOLLOW, Table, page

LINE = (
    r"quality: sets=\d+ auroc=N auprc=N knn_auroc=N knn_auprc=N own_vae_auroc=N p1_auroc=N"
    r" p1_auprc=N p3_auroc=N p3_auprc=N contaminated_auroc=N contaminated_auprc=N"
    r" iforest_contaminated_auroc=N iforest_contaminated_auprc=N mcd_contaminated_auroc=N"
    r" skab_f1=N rank=N best_peer_rank=N"
).replace("N", r"\d+\.\d\d")


def results() -> Results:
    """Two sets, two seeds; ours is the best everywhere, kNN the next, all others are level."""
    auroc = dict.fromkeys((*RANKED, "own_vae"), 0.5) | {"ours": 0.9, "knn": 0.7}
    found = {
        ("adbench", name, regime, method): [
            {"auroc": value - 0.1 * seed, "auprc": value / 2} for seed in (0, 1)
        ]
        for name in ("large", "small")
        for regime in REGIMES
        for method, value in auroc.items()
    }
    one = {"hits_0.01": 3.0, "false_0.01": 1.0, "positive": 4.0, "rows": 14.0}
    other = {"hits_0.01": 1.0, "false_0.01": 1.0, "positive": 4.0, "rows": 6.0}
    skab = {("skab", name, "own", "ours"): [cell] for name, cell in (("a", one), ("b", other))}
    cost = {"fit_seconds": 4.26, "rows_per_second": 300_000.4, "memory_mb": 55.5}
    return Results(found | skab | {("cost", "cost", "made", "ours"): [cost]})


PART = Tabular(results(), ["large"])


class TestTabular:
    def test_a_mean_is_over_seeds_and_sets_in_percent(self) -> None:
        assert PART.mean("clean", "ours", "auroc") == pytest.approx(85)

    def test_ranks_count_from_the_best_and_share_ties(self) -> None:
        ranks = PART.ranks("clean", "auroc")
        assert (ranks["ours"], ranks["knn"], ranks["mcd"]) == (1, 2, 6.5)

    def test_there_are_no_ranks_while_a_method_is_missing(self) -> None:
        cells = {key: cell for key, cell in results().cells.items() if key[3] != "lof"}
        assert math.isnan(Tabular(Results(cells), ["large"]).ranks("clean", "auroc")["ours"])


class TestSkab:
    def test_labels_of_all_files_are_pooled(self) -> None:
        assert skab_alarms(results(), "ours") == pytest.approx((8 / 14, 100 * 2 / 12, 50))

    def test_flagging_everything_misses_nothing(self) -> None:
        assert flag_everything(results()) == pytest.approx((16 / 28, 100, 0))

    def test_no_figure_while_a_file_is_missing(self) -> None:
        assert np.isnan(skab_alarms(results(), "knn")).all()


class TestLastLine:
    def test_it_has_every_field_in_order(self) -> None:
        assert re.fullmatch(LINE, last_line(PART))

    def test_it_says_percent_and_ranks(self) -> None:
        line = last_line(PART)
        assert "sets=1 auroc=85.00 auprc=45.00 knn_auroc=65.00" in line
        assert line.endswith("skab_f1=57.14 rank=1.00 best_peer_rank=2.00")

    def test_the_cost_has_its_own(self) -> None:
        assert cost_line(results()) == "cost: fit_seconds=4.3 rows_per_s=300000 memory_mb=56"


def test_a_table_is_shown_as_text_and_as_markdown() -> None:
    table = Table("Title", "Note.", ["set", "ours"], [["cardio", "1.00"]])
    assert table.text() == "== Title\nNote.\nset     ours\ncardio  1.00\n"
    assert table.markdown() == (
        "## Title\n\nNote.\n\n| set | ours |\n| --- | --: |\n| cardio | 1.00 |\n"
    )


def test_a_page_keeps_its_words_and_gets_new_tables() -> None:
    old = page(f"# Words\n\n{TABLES_FOLLOW}\n\nold tables\n", [], ["quality: sets=1"])
    assert old == f"# Words\n\n{TABLES_FOLLOW}\n\n```\nquality: sets=1\n```\n"
