"""Record shapes that people have on their topics, made up, with what discovery owes each.

shape.py says what a shape is, fuzz.py damages records; each other module holds shapes of a kind.
"""

from tests.shapes.business import BUSINESS
from tests.shapes.changes import CHANGES
from tests.shapes.clusters import CLUSTERS
from tests.shapes.devices import DEVICES
from tests.shapes.field import FIELD
from tests.shapes.logs import LOGS
from tests.shapes.metrics import METRICS
from tests.shapes.oddities import ODDITIES, WIDE
from tests.shapes.services import SERVICES
from tests.shapes.shape import Shape
from tests.shapes.typed import TYPED

SHAPES: tuple[Shape, ...] = (
    *METRICS,
    *CLUSTERS,
    *DEVICES,
    *FIELD,
    *LOGS,
    *TYPED,
    *SERVICES,
    *BUSINESS,
    *CHANGES,
    *ODDITIES,
)

__all__ = ["SHAPES", "WIDE", "Shape"]
