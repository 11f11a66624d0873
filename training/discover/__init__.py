"""Finds out what is a feature in a stream of JSON records, of which kind, and why the rest is not.

Decisions depend on the values, never on a list of names, and are taken on a sample of bounded size.
sample.py picks the records, columns.py flattens them into a column for each path, shapes.py says
how lists are entered; judge.py decides on one column by numbers.py and series.py, counters.py,
images.py and relations.py on several; decide.py puts it all together. given.py takes an edited
schema instead.
"""

from training.discover.decide import Discovery, LeftOut, discover
from training.discover.given import CATEGORIES_PENDING, as_given, with_all_categories
from training.discover.sample import runs_of

__all__ = [
    "CATEGORIES_PENDING",
    "Discovery",
    "LeftOut",
    "as_given",
    "discover",
    "runs_of",
    "with_all_categories",
]
