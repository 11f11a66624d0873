"""What docs/reliability.md names, tests and settings, is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text("utf-8")
FAULTS = PAGE.partition("### Row by row")[2]
TESTS = ROOT / "tests"


def test_every_test_that_is_named_exists() -> None:
    written = "\n".join(path.read_text("utf-8") for path in TESTS.rglob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert [name for name in sorted(named) if f"def {name}(" not in written] == []


def test_every_module_of_tests_that_is_named_exists() -> None:
    named = set(re.findall(r"`((?:\w+/)*test_\w+\.py)`", PAGE))
    places = (TESTS, TESTS / "contracts")
    assert [n for n in sorted(named) if not any((place / n).exists() for place in places)] == []


def test_every_row_of_the_faults_is_there_once() -> None:
    rows = [int(row) for row in re.findall(r"^\| (\d+) \|", FAULTS, re.MULTILINE)]
    assert rows == list(range(1, 37))


def test_every_setting_that_is_named_is_one() -> None:
    reference = (ROOT / "docs" / "reference" / "settings.md").read_text("utf-8")
    named = set(re.findall(r"`((?:kafka|limits|output)\.\w+|\w+_timeout_s|watchdog_s)`", PAGE))
    shown = [name for name in sorted(named) if not re.search(rf"`(\w+\.)?{name}`", reference)]
    assert shown == []
