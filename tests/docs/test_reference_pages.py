"""The generated reference pages are those of the code."""

from __future__ import annotations

import pytest

from tests.docs.reference_pages import FOLDER, PAGES
from worker.adapters.prometheus import METRICS, PREFIX
from worker.settings import Settings, leaves


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_current(name: str) -> None:
    """If not: python -m tests.docs.reference_pages."""
    assert (FOLDER / name).read_text(encoding="utf-8") == PAGES[name]()


@pytest.mark.parametrize("metric", [metric.name for metric in METRICS])
def test_every_metric_is_documented(metric: str) -> None:
    assert f"| `{PREFIX}{metric}` |" in (FOLDER / "metrics.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", leaves(Settings))
def test_every_setting_is_documented_with_its_meaning(name: str) -> None:
    page = (FOLDER / "settings.md").read_text(encoding="utf-8")
    (row,) = [line for line in page.splitlines() if line.startswith(f"| `{name}` |")]
    assert row.count(" | ") == 4
    assert row.endswith(". |")
