"""Looks whether everything is there that a worker needs, once: what is, what is not, what mends it.

Knows nothing of a client or of settings; what it looks at is handed to it.
"""

from worker.check.look import check
from worker.check.points import Mends, Point, Surroundings, Wanted, exit_code

__all__ = ["Mends", "Point", "Surroundings", "Wanted", "check", "exit_code"]
