"""The tables of a run, as text and as markdown."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from bench.quality import cost, kdd, tabular, telemetry
from bench.quality.methods import ALERT_RATE, ALERT_RATES
from bench.quality.results import RANKED, flag_everything, skab_alarms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.quality.plan import Plan
    from bench.quality.results import Results, Tabular

PUBLISHED_SETS: Final = 17
PUBLISHED: Final = {
    "kNN": {"clean": (79.98, 59.58), "contaminated": (67.94, 28.86)},
    "DTE-NP": {"clean": (79.83, 59.37), "contaminated": (67.16, 27.54)},
    "MCD": {"clean": (74.13, 47.84), "contaminated": (76.92, 38.44)},
    "IForest": {"clean": (74.61, 49.48), "contaminated": (75.06, 41.58)},
}
"""Means over the same 17 sets, training on up to 50,000 rows (Livernoche et al., ICLR 2024)."""

TABLES_FOLLOW: Final = "<!-- What follows is written by python -m bench.quality --markdown. -->"

_MINUTES_A_DAY: Final = 1440
_OTHER_RATES: Final = tuple(rate for rate in ALERT_RATES if rate != ALERT_RATE)


@dataclass(frozen=True)
class Table:
    """A title, what to know about it, and rows of text under a header."""

    title: str
    note: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        """As it stands in a document."""
        lines = [self.header, ["---", *("--:" for _ in self.header[1:])], *self.rows]
        table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        return f"## {self.title}\n\n{self.note}\n\n{table}\n"

    def text(self) -> str:
        """As it is printed."""
        lines = [self.header, *self.rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        shown = [
            "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])])
            for line in lines
        ]
        return "\n".join([f"== {self.title}", self.note, *shown, ""])


def page(before: str, found: Sequence[Table], lines: Sequence[str]) -> str:
    """A page with these tables and lines at its end, in place of those of an earlier run."""
    head = before.partition(TABLES_FOLLOW)[0].rstrip()
    parts = [table.markdown() for table in found]
    return "\n".join([head, "", TABLES_FOLLOW, "", *parts, "```", *lines, "```", ""])


def tables(plan: Plan, part: Tabular) -> list[Table]:
    """All tables for which there are cells."""
    results = part.results
    found = []
    if part.large:
        found = [_means(plan, part), _ranks(plan, part)]
        found += [_by_set(part, regime) for regime in plan.regimes]
    if results.names("skab"):
        found.append(_skab(results))
    if any(map(results.names, telemetry.ROWS_A_DAY)):
        found.append(_servers(plan, results))
    if results.names(kdd.PART):
        found.append(_kdd(plan, results))
    if results.names(cost.PART):
        found.append(_cost(results))
    return found


def _means(plan: Plan, part: Tabular) -> Table:
    methods = part.results.methods(tabular.PART)
    rows = [
        [m, *(pair(part.mean(r, m, "auroc"), part.mean(r, m, "auprc")) for r in plan.regimes)]
        for m in methods
    ]
    if len(part.large) == PUBLISHED_SETS:
        unknown = (math.nan, math.nan)
        rows += [
            [f"published {name}", *(pair(*known.get(r, unknown)) for r in plan.regimes)]
            for name, known in PUBLISHED.items()
        ]
    names = part.results.names(tabular.PART)
    if len(names) > len(part.large):
        rows += [
            [
                f"{m}, all {len(names)} sets",
                *(
                    pair(part.mean_of_all(r, m, "auroc"), part.mean_of_all(r, m, "auprc"))
                    for r in plan.regimes
                ),
            ]
            for m in methods
        ]
    note = (
        f"AUROC/AUPRC in percent, mean over the {len(part.large)} sets with at least 1,000 rows and"
        f" seeds {', '.join(map(str, plan.seeds))}; at most {plan.caps.train:,} rows train and"
        f" {plan.caps.test:,} are judged. p1, p3: clean rows with 1 % and 3 % of anomalies among"
        " them, which are not judged then. Where smaller sets are counted in, copies of judged rows"
        " train. Published figures are from training on up to 50,000 rows."
    )
    return Table("ADBench, means", note, ["method", *plan.regimes], rows)


def _ranks(plan: Plan, part: Tabular) -> Table:
    ranks = [(part.ranks(r, "auroc"), part.ranks(r, "auprc")) for r in plan.regimes]
    rows = []
    for method in RANKED:
        fit, rate = (
            part.values(part.large, plan.regimes[0], method, number)
            for number in ("fit_seconds", "rows_per_second")
        )
        found = [pair(auroc[method], auprc[method]) for auroc, auprc in ranks]
        rows.append([method, *found, number(np.mean(fit), 2), number(np.median(rate), 0)])
    note = (
        "Mean rank over the sets by AUROC/AUPRC among the ten. CPU seconds of one thread to learn,"
        f" mean over sets, and rows scored in one, median ({plan.regimes[0]})."
    )
    header = ["method", *plan.regimes, "fit s", "rows/s"]
    return Table("ADBench, mean ranks and cost", note, header, rows)


def _by_set(part: Tabular, regime: str) -> Table:
    methods = part.results.methods(tabular.PART, regime)
    rows = []
    for name in sorted(part.results.names(tabular.PART)):
        found = [
            [100 * part.results.mean(tabular.PART, name, regime, m, n) for n in ("auroc", "auprc")]
            for m in methods
        ]
        shown = name if name in part.large else f"{name} (small)"
        rows.append([shown, *(pair(*both) for both in found)])
    return Table(f"ADBench, {regime}", "AUROC/AUPRC in percent.", ["set", *methods], rows)


def _skab(results: Results) -> Table:
    rows = []
    for method in results.methods("skab"):
        f1, false, missed = skab_alarms(results, method)
        others = [skab_alarms(results, method, rate).f1 for rate in _OTHER_RATES]
        means = [
            float(np.mean(results.over_names("skab", "own", method, n)))
            for n in ("auroc", "auprc", "best_f1")
        ]
        alarms = [number(f1, 3), number(false, 1), number(missed, 1)]
        rows.append([method, *alarms, *(number(x, 3) for x in (*others, *means))])
    f1, false, missed = flag_everything(results)
    alarms = [number(f1, 3), number(false, 1), number(missed, 1)]
    rows.append(["flagging all", *alarms, *("-" for _ in range(len(_OTHER_RATES) + 3))])
    note = (
        f"{len(results.names('skab'))} files; the first 400 rows of each train, the others are"
        f" judged, labels pooled. Flagged is what is rarer than {ALERT_RATE:g} by held-out training"
        " rows alone; F1 at other rates beside it. AUROC, AUPRC and oracle F1 (threshold from the"
        " labels): means of files."
    )
    header = [
        *("method", "F1", "FAR %", "MAR %"),
        *(f"F1 at {rate:g}" for rate in _OTHER_RATES),
        *("AUROC", "AUPRC", "oracle F1"),
    ]
    return Table("SKAB", note, header, rows)


def _servers(plan: Plan, results: Results) -> Table:
    rows = [
        [f"{family}, {method}", *_server_numbers(results, family, method)]
        for family in telemetry.ROWS_A_DAY
        for method in results.methods(family)
    ]
    note = (
        "Row by row, no point adjusted; means over entities, at most"
        f" {plan.caps.train:,} training rows. Oracle F1 takes its threshold from the labels. Events"
        " found, and the mean delay of those in minutes, where each entity has"
        f" {telemetry.FALSE_ALARMS_A_DAY:g} false alarm a day (a run of flagged rows outside all"
        " events); a row of SMAP is counted as a minute."
    )
    header = ["family, method", "AUROC", "AUPRC", "oracle F1", "events found", "delay min"]
    return Table("Servers and spacecraft", note, header, rows)


def _server_numbers(results: Results, family: str, method: str) -> list[str]:
    means = [
        np.mean(results.over_names(family, "own", method, n)) for n in ("auroc", "auprc", "best_f1")
    ]
    events, found, delay = (
        float(np.sum(results.over_names(family, "own", method, n)))
        for n in ("events", "found", "delay")
    )
    minutes = _MINUTES_A_DAY / telemetry.ROWS_A_DAY[family]
    mean_delay = delay / found * minutes if found else math.nan
    shares = [f"{found:.0f}/{events:.0f}", number(mean_delay, 0)]
    return [*(number(mean, 3) for mean in means), *shares]


def _kdd(plan: Plan, results: Results) -> Table:
    rows = [
        [
            f"{role}, {method}",
            *(
                number(results.mean(kdd.PART, kdd.PART, role, method, n), 3)
                for n in ("auroc", "auprc", "f1")
            ),
        ]
        for role in kdd.ROLES
        for method in results.methods(kdd.PART, role)
    ]
    note = (
        "The connections named are learned, the others are the anomalies; at most"
        f" {plan.caps.train:,} train, {plan.caps.test:,} are judged. Ours reads the seven symbolic"
        " columns as categories, peers a column for each value. F1: when as many connections are"
        " flagged as there are anomalies."
    )
    return Table("KDD Cup 99", note, ["learned, method", "AUROC", "AUPRC", "F1"], rows)


def _cost(results: Results) -> Table:
    rows = []
    for method in results.methods(cost.PART):
        fit, rate, memory = (
            results.mean(cost.PART, cost.PART, "made", method, n)
            for n in ("fit_seconds", "rows_per_second", "memory_mb")
        )
        rows.append([method, number(fit, 1), number(rate, 0), number(memory, 0)])
    (learned, wide), (table, narrow) = cost.LEARNED, cost.SCORED
    note = (
        f"CPU seconds of one thread to learn {learned:,} rows of {wide} numbers; rows of {narrow}"
        f" numbers scored in one, after {table:,} were learned; what learning adds to the process"
        " at its peak."
    )
    return Table("Cost", note, ["method", "fit s", "rows/s", "memory MB"], rows)


def number(value: float | np.floating, digits: int) -> str:
    """A number as it stands in a table; a dash where there is none."""
    return "-" if math.isnan(value) else f"{value:,.{digits}f}"


def pair(first: float, second: float) -> str:
    """Two numbers with two digits."""
    return "-" if math.isnan(first) else f"{first:.2f}/{second:.2f}"
