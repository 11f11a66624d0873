"""What scaler and network make of records: the rows on which all else is measured and explained."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from worker.model.schema import SETTLED_CODE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from worker.model.network import Network
    from worker.model.scaler import Scaler
    from worker.model.schema import Columns

    Floats32 = NDArray[np.float32]


class Views(NamedTuple):
    """What scaler and network make of n rows.

    t_view (n, d), activations of the first layer (n, h), rebuilt (n, d).
    """

    t_view: Floats32
    activations: Floats32
    rebuilt: Floats32


def views_of(scaler: Scaler, network: Network, columns: Columns) -> Views:
    """Rows as the parts are measured on them.

    A missing number stands where the network expects it beside the others: what is not there
    deviates from nothing. (At the centre it would look like a broken relation.) A category that
    came after training and has settled counts as the one that the rest of its row suggests, except
    for the level of the row's numbers: it may have one of its own.
    """
    t_view = scaler.view(columns, _likeliest(scaler, network, columns))
    activations = network.activate(t_view)
    rebuilt = network.decode(network.encode_activations(activations))
    missing = np.isnan(columns.numbers)
    rows = np.flatnonzero(missing.any(axis=1))
    if len(rows):
        row, column = np.nonzero(missing)
        t_view[row, column] = rebuilt[row, column]
        activations[rows] = network.activate(t_view[rows])
        rebuilt[rows] = network.decode(network.encode_activations(activations[rows]))
    return Views(t_view, activations, rebuilt)


def _likeliest(scaler: Scaler, network: Network, columns: Columns) -> NDArray[np.int64]:
    """The codes, with a category of training in the place of each that has settled since."""
    settled = columns.codes == SETTLED_CODE
    rows = np.flatnonzero(settled.any(axis=1))
    if not len(rows):
        return columns.codes
    t_view = scaler.view(columns.take(rows))
    likeliest = scaler.categories_from(network.rebuild(t_view))
    codes = columns.codes.copy()
    codes[rows] = np.where(settled[rows], likeliest, codes[rows])
    return codes
