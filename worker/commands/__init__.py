"""The worker's words. Results on stdout, everything else on stderr."""

from worker.commands.check import check
from worker.commands.config import config
from worker.commands.dlq import dlq
from worker.commands.replay import replay
from worker.commands.run import run
from worker.commands.score import score
from worker.commands.topics import topics

__all__ = ["check", "config", "dlq", "replay", "run", "score", "topics"]
