"""What the README and the guides say: every command is one, every snippet runs."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import click
import jsonschema
import pytest

import latentwatch
from tests.telemetry import readings

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "docs" / "quickstart.md",
    ROOT / "docs" / "dead-letters.md",
    ROOT / "docs" / "limits.md",
    ROOT / "deploy" / "README.md",
]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
DRAWING = {"svg", "style", "rect", "defs", "text", "tspan", "g", "use"}
LINK = re.compile(r"\]\((?!https?:)([^)#]+)\)")


def blocks(page: Path, language: str) -> list[str]:
    return [text for kind, text in BLOCK.findall(page.read_text("utf-8")) if kind == language]


def commands() -> Iterator[list[str]]:
    """Every `latentwatch ...` line of a plain block, without its comment and its pipes."""
    for page in PAGES:
        for block in blocks(page, ""):
            for line in block.splitlines():
                if line.startswith("latentwatch "):
                    plain = re.split(r"\s[<|]\s", line, maxsplit=1)[0]
                    yield shlex.split(plain, comments=True)[1:]


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_a_command_is_understood(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for word in words:
        if re.search(r"\.(csv|jsonl|json)$", word):
            Path(word).touch()
    command: click.Command = latentwatch.cli
    context = click.Context(command, info_name="latentwatch")
    rest = list(words)
    while isinstance(command, click.Group):
        inner = command.get_command(context, rest.pop(0))
        assert inner is not None
        command = inner
    assert command.make_context(command.name, rest).command is command


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    gone = [
        link for link in LINK.findall(page.read_text("utf-8")) if not (page.parent / link).exists()
    ]
    assert gone == []


def test_the_make_targets_are_there() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    named = {
        t for page in PAGES for t in re.findall(r"\bmake ([a-z-]+)\b", page.read_text("utf-8"))
    }
    assert {target for target in named if f"\n{target}:" not in makefile} == set()


def test_the_event_of_the_readme_is_one() -> None:
    schema = json.loads((ROOT / "worker" / "schemas" / "anomaly.v1.json").read_text("utf-8"))
    (event,) = blocks(ROOT / "README.md", "json")
    jsonschema.validate(json.loads(event), schema)


def test_the_python_of_the_readme_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (snippet,) = blocks(ROOT / "README.md", "python")
    exec(compile(snippet, "README.md", "exec"), {"records": readings(300)})  # noqa: S102 - our own
    assert len(capsys.readouterr().out.splitlines()) == 300


def test_the_pictures_are_small_and_harmless() -> None:
    """A page is soon loaded, and GitHub shows an SVG that runs nothing and asks for nothing."""
    pictures = sorted((ROOT / "docs").glob("*.svg"))
    assert [picture.name for picture in pictures] == ["demo.svg"]
    for picture in pictures:
        text = picture.read_text("utf-8")
        assert len(text.encode()) < 80_000
        elements = list(ET.fromstring(text).iter())  # noqa: S314 - our own
        assert {element.tag.partition("}")[2] for element in elements} <= DRAWING
        assert all(element.get("href", "#").startswith("#") for element in elements)
        assert "url(" not in text
