"""The values behind the table of metrics, and how a scrape sees them.

Knows names only as keys of the table.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.utils import floatToGoString

from worker.adapters.prometheus.table import METRICS, PREFIX, Labels, Metric

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import ArrayLike, NDArray
    from prometheus_client.core import Metric as Family

FEATURE_LABELS_MAX = 50
"""So many features get series of their own; further ones share `other`."""


@dataclass(slots=True)
class Histogram:
    """Counts between bounds, each bucket holding its upper bound; filled in bulk."""

    bounds: NDArray[np.float64]
    counts: NDArray[np.int64] = field(init=False)
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = np.zeros(len(self.bounds) + 1, np.int64)

    def observe(self, values: ArrayLike) -> None:
        """Count each value; one that is not finite counts as beyond the last bound, unsummed."""
        array = np.asarray(values, np.float64)
        at = np.searchsorted(self.bounds, array)
        self.counts += np.bincount(at, minlength=len(self.counts))
        self.total += float(np.sum(array, where=np.isfinite(array)))

    def buckets(self) -> list[tuple[str, float]]:
        """Upper bounds and cumulated counts as exposed."""
        names = [*map(floatToGoString, self.bounds.tolist()), "+Inf"]
        return list(zip(names, np.cumsum(self.counts).tolist(), strict=True))


class Series:
    """The values behind METRICS as a collector; callers hold `lock` around the changes of an event.

    The client's own metric classes have no bulk observe, and add `_created` series unless a global
    switch is thrown.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._plain: dict[str, dict[Labels, float]] = {}
        self._bounds: dict[str, NDArray[np.float64]] = {}
        self._histograms: dict[str, dict[Labels, Histogram]] = {}
        for metric in METRICS:
            if metric.kind == "histogram":
                bounds = self._bounds[metric.name] = np.asarray(metric.buckets, np.float64)
                self._histograms[metric.name] = {at: Histogram(bounds) for at in metric.known}
            else:
                self._plain[metric.name] = dict.fromkeys(metric.known, 0.0)

    def add(self, name: str, amount: float, *labels: str) -> None:
        """Count."""
        series = self._plain[name]
        series[labels] = series.get(labels, 0.0) + amount

    def set(self, name: str, value: float, *labels: str) -> None:
        """Give a gauge its value."""
        self._plain[name][labels] = float(value)

    def replace(self, name: str, values: Mapping[Labels, float]) -> None:
        """Give a gauge its values; series of other labels end."""
        self._plain[name] = dict(values)

    def observe(self, name: str, values: ArrayLike, *labels: str) -> None:
        """Add values to a histogram."""
        series = self._histograms[name]
        if labels not in series:
            series[labels] = Histogram(self._bounds[name])
        series[labels].observe(values)

    def bounded(self, name: str, feature: str) -> str:
        """The label for a feature: its name while there is room, else `other`; also for none."""
        known = self._plain[name]
        is_shown = (feature,) in known or len(known) <= FEATURE_LABELS_MAX
        return feature if feature and is_shown else "other"

    def collect(self) -> Iterator[Family]:
        """All families as of one moment."""
        with self.lock:
            families = [self._family(metric) for metric in METRICS]
        yield from families

    def _family(self, metric: Metric) -> Family:
        name = PREFIX + metric.name
        if metric.kind == "histogram":
            histogram = HistogramMetricFamily(name, metric.help, labels=metric.labels)
            for labels, values in self._histograms[metric.name].items():
                histogram.add_metric(labels, values.buckets(), values.total)
            return histogram
        kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
        family = kind(name, metric.help, labels=metric.labels)
        for labels, value in self._plain[metric.name].items():
            family.add_metric(labels, value)
        return family
