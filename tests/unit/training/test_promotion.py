"""The gate, which so far lets everything through, and says what it saw."""

from __future__ import annotations

from tests.machines import artifact
from training.promotion import promote
from worker.model.artifact import Evaluation, Verdict

CANDIDATE = Evaluation(rows=200, flagged=3, mean_error=0.5)


def test_a_first_model_is_promoted() -> None:
    assert promote(CANDIDATE, None) == Verdict(
        promoted=True, reasons=("first model: 3 of 200 hold-out records flagged",)
    )


def test_a_later_one_is_promoted_beside_what_the_current_one_flagged() -> None:
    assert promote(CANDIDATE, artifact()) == Verdict(
        promoted=True,
        reasons=(
            "3 of 200 hold-out records flagged; the current model flagged 1 of 500 of its own",
        ),
    )
