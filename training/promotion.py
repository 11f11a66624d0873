"""The gate: whether a new model takes over from the current one, and why.

So far everything that could be built and verified is promoted; the seam is here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.model.artifact import Verdict

if TYPE_CHECKING:
    from worker.model.artifact import Artifact, Evaluation


def promote(candidate: Evaluation, current: Artifact | None) -> Verdict:
    """The verdict on a model with this evaluation beside the one in use, if there is one."""
    seen = f"{candidate.flagged} of {candidate.rows} hold-out records flagged"
    if current is None:
        return Verdict(promoted=True, reasons=(f"first model: {seen}",))
    before = current.about.evaluation
    was = f"the current model flagged {before.flagged} of {before.rows} of its own"
    return Verdict(promoted=True, reasons=(f"{seen}; {was}",))
