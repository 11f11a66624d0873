"""Writes the reference pages from the code: `python -m tests.docs.reference_pages`.

A test compares what stands in docs/reference with what this writes.
"""

from __future__ import annotations

from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Literal, Union, get_args, get_origin

from pydantic import SecretStr

from worker.adapters.prometheus import METRICS, PREFIX
from worker.settings import Settings, leaves, variable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pydantic.fields import FieldInfo

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"

_KINDS: Mapping[type, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Path: "path",
    SecretStr: "secret",
}
_BOUNDS = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}

_SETTINGS_HEAD = """\
# Settings of the worker

Generated from `worker/settings`; `python -m tests.docs.reference_pages` writes it anew.

A setting is taken from the first of these that has it:

1. the command line,
2. its environment variable (an empty one counts as not set),
3. the TOML file: `--config FILE`, else what `LATENTWATCH_CONFIG` names, else `./latentwatch.toml`
   if it exists,
4. its default.

A name with a dot is a key of a table in the file: `kafka.client_id` is `client_id` below `[kafka]`.
Names that are no settings are refused in the file and in nested variables (with `__`), all at once,
and the program ends with 78; another variable that starts with `LATENTWATCH_` is only warned of.
A secret may be given as a file instead, by its name with `_file`: `kafka.security.password_file`,
`LATENTWATCH_KAFKA__SECURITY__PASSWORD_FILE`; a line's end at the file's end is no part of it.
The table `[training]` belongs to `latentwatch train`, which checks it.
"""

_METRICS_HEAD = """\
# Metrics of the worker

Generated from `worker/adapters/prometheus`; `python -m tests.docs.reference_pages` writes it anew.

Served on `/metrics`, beside those of the process and of Python (`process_*`, `python_*`). Gauges
that nothing has set yet are absent, and so are the series of labels that have not been seen, but
for those that are known in advance: these start at 0.

Shares are left to the query. Flagged, of the records that were scored:

```promql
sum(rate(latentwatch_records_processed_total{result="anomaly"}[15m]))
  / sum(rate(latentwatch_records_processed_total{result=~"normal|anomaly"}[15m]))
```

Observed against expected share above score 2, over all workers:

```promql
sum(rate(latentwatch_records_above_score_2_total[6h]))
  / (0.01 * sum(rate(latentwatch_score_count[6h])))
```

Features that have gone from the topic, to be alerted of; a day ago tells what is usual:

```promql
(sum by (feature) (rate(latentwatch_feature_missing_records_total[15m]))
  / ignoring(feature) group_left sum(rate(latentwatch_records_processed_total[15m]))) > 0.5
unless
(sum by (feature) (rate(latentwatch_feature_missing_records_total[15m] offset 1d))
  / ignoring(feature) group_left sum(rate(latentwatch_records_processed_total[15m] offset 1d)))
  > 0.5
```

Each worker tests it on the records of its own partitions. While this is 1, it is no wave of
anomalies but a broken calibration, to be answered with a new model:

```promql
max(latentwatch_calibration_broken) == 1
```
"""


def settings_page() -> str:
    """docs/reference/settings.md."""
    rows = (
        (
            f"`{name}`",
            f"`{variable(name)}`",
            _kind(info),
            "required" if info.is_required() else f"`{_default(info)}`",
            info.description or "",
        )
        for name, info in leaves(Settings).items()
    )
    head = ("setting", "variable", "kind", "default", "meaning")
    return f"{_SETTINGS_HEAD}\n{_table(head, rows)}"


def metrics_page() -> str:
    """docs/reference/metrics.md."""
    rows = (
        (
            f"`{PREFIX}{metric.name}`",
            metric.kind,
            ", ".join(f"`{label}`" for label in metric.labels),
            metric.help,
        )
        for metric in METRICS
    )
    return f"{_METRICS_HEAD}\n{_table(('metric', 'type', 'labels', 'meaning'), rows)}"


PAGES: Mapping[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "metrics.md": metrics_page,
}


def _kind(info: FieldInfo) -> str:
    kind = _plain(info.annotation)
    bounds = [
        f"{words} {getattr(constraint, name)}"
        for name, words in _BOUNDS.items()
        for constraint in info.metadata
        if getattr(constraint, name, None) is not None
    ]
    return ", ".join([kind, *bounds])


def _plain(annotation: object) -> str:
    """A type in a reader's words; that a setting need not be given is the default's to say."""
    choices = [choice for choice in get_args(annotation) if choice is not NoneType]
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{choice}`" for choice in choices)
    if isinstance(annotation, UnionType) or get_origin(annotation) is Union:
        return _plain(choices[0])
    if get_origin(annotation) is Annotated:
        return _plain(choices[0])
    assert isinstance(annotation, type), annotation
    return _KINDS[annotation]


def _default(info: FieldInfo) -> object:
    if info.default is None:
        return "none"
    return str(info.default).lower() if isinstance(info.default, bool) else info.default


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main() -> None:
    """Write all pages."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
