"""The one command: its words, their help, their completion, and how it ends."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

import latentwatch
from tests.conftest import ROOT
from worker.settings import Settings, leaves, variable

if TYPE_CHECKING:
    from collections.abc import Iterator

WORKERS = [word for word, (program, _) in latentwatch.WORDS.items() if program == "worker"]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of the place where the tests run are seen."""
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    for name in leaves(Settings):
        monkeypatch.delenv(variable(name), raising=False)


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        latentwatch.main(list(arguments))
    assert isinstance(ended.value.code, int)
    return ended.value.code


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command of the worker with its words, and what latentwatch.py has itself."""
    context = click.Context(latentwatch.cli)
    for word in [*WORKERS, *latentwatch.cli.commands]:
        command = latentwatch.cli.get_command(context, word)
        assert command is not None
        yield word, command
        if isinstance(command, click.Group):
            yield from ((f"{word} {name}", inner) for name, inner in command.commands.items())


COMMANDS = dict(commands())


def test_the_words_are_told_without_loading_a_program() -> None:
    code = "import sys, latentwatch as l; l._code(['--help']); print('worker' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    told = dict(re.findall(r"^  ([a-z]+) +([A-Z].*)$", done.stdout, flags=re.MULTILINE))
    assert list(told) == [*latentwatch.WORDS, "completion"]
    assert done.stdout.endswith("False\n")


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    version = importlib.metadata.version("latentwatch")
    assert capsys.readouterr().out == f"latentwatch {version}\n"


@pytest.mark.parametrize("words", COMMANDS)
def test_help_shows_examples_of_the_word_before_its_options(
    words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*words.split(), "--help") == 0
    before, options = capsys.readouterr().out.split("\nOptions:\n")
    examples = before.split("Examples:\n")[1]
    assert f"latentwatch {words}" in examples
    assert "--help" in options


@pytest.mark.parametrize("words", COMMANDS)
def test_every_option_says_what_it_is_for(words: str) -> None:
    options = [p for p in COMMANDS[words].params if isinstance(p, click.Option)]
    assert [option.name for option in options if not option.help] == []


@pytest.mark.parametrize("words", COMMANDS)
def test_an_option_for_a_setting_names_its_variable_and_its_default(words: str) -> None:
    for option in COMMANDS[words].params:
        name = (option.name or "").replace("__", ".")
        if isinstance(option, click.Option) and option.envvar is None and name in leaves(Settings):
            if (words, name) == ("replay", "topic"):  # which is always to be named
                continue
            info = leaves(Settings)[name]
            default = "required" if info.is_required() else f"default: {info.default}".lower()
            assert f"[env var: {variable(name)}; {default}]" in (option.help or "")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--nonsense"], 64),
        (["nonsense"], 64),
        (["check", "--nonsense"], 64),
        (["score", "no-such-file", "--stream", "s"], 64),
        (["replay", str(ROOT / "README.md"), "--topic", "t", "--key", "a..b"], 64),
        (["config", "show"], 78),
        (["config", "show", "--topic", "t", "--scores", "flagged"], 0),
        (["check"], 78),
        (["topics", "show", "--topic", "t", "--bootstrap-servers", "127.0.0.1:1"], 69),
        (["check", "--topic", "t", "--bootstrap-servers", "127.0.0.1:1"], 69),
        (["score", str(ROOT / "README.md"), "--stream", "s"], 69),
        (["completion", "tcsh"], 64),
    ],
)
def test_it_ends_with_the_code_of_what_went_wrong(arguments: list[str], code: int) -> None:
    assert run(*arguments) == code


def test_config_show_tells_where_each_value_came_from(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LATENTWATCH_KAFKA__CLIENT_ID", "me")
    assert run("config", "show", "--topic", "readings") == 0
    rows = [line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines()]
    assert {row[0] for row in rows} == set(leaves(Settings))
    assert ["topic", "readings", "command line"] in rows
    assert ["kafka.client_id", "me", "environment LATENTWATCH_KAFKA__CLIENT_ID"] in rows
    assert ["output.topic", "readings.anomalies", "default"] in rows


def test_check_says_what_mends_a_setting_by_where_it_came_from(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LATENTWATCH_HTTP__PORT", "-1")
    Path("own.toml").write_text("watchdog_s = 0\n", encoding="utf-8")
    assert run("check", "--config", "own.toml") == 78
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("-> ")[1] for line in lines if "-> " in line] == [
        "latentwatch check --topic NAME",
        "unset LATENTWATCH_HTTP__PORT",
        "${EDITOR:-vi} own.toml",
    ]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_the_shells_script(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("completion", shell) == 0
    script = capsys.readouterr().out
    assert "_LATENTWATCH_COMPLETE" in script
    assert "latentwatch" in script


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("t", ["topics", "train"]),
        ("comp", ["completion"]),
        ("topics ", ["create", "show"]),
        ("config show --conf", ["--config"]),
        ("run --scores a", ["all"]),
    ],
)
def test_words_options_and_choices_are_completed(
    typed: str,
    offered: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    line = f"latentwatch {typed}"
    monkeypatch.setenv("_LATENTWATCH_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(line.count(" ")))
    assert run() == 0
    lines = capsys.readouterr().out.splitlines()
    assert [found.split(",")[1] for found in lines] == offered
