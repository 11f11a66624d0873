"""What every module owes its reader, where no linter says it."""

from __future__ import annotations

import ast
from functools import cache
from typing import TYPE_CHECKING

import pytest

from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAMS = ("worker", "training", "workbench")
EVERYTHING = (*PROGRAMS, "bench", "tests")
FORBIDDEN_NAMES = {"utils", "common", "helpers", "core", "base", "manager"}
UNFINISHED = ("TO" + "DO", "FIX" + "ME", "X" + "XX")  # taken apart, or this file would be found

# Commands hand the environment over to settings; everybody else gets what settings made of it.
READS_ENVIRONMENT = {
    "workbench/demo/brokers.py": "chooses a broker before there are settings",
    "workbench/demo/jars.py": "the folder of the broker's jars belongs to no program",
}

SETTINGS = ("settings", "commands")

# A handler for everything hides defects; one that ends with a bare `raise` only tidies up.
CATCHES_EVERYTHING = {
    "bench/quality/peer_worker.py": "a peer's library may raise anything; its name is told",
    "worker/adapters/kafka/client.py": "hands the error over to the thread that waits for it",
}

# Where results are written for people; all else logs.
SPEAKS = {"commands", "commands.py"}


def modules(*packages: str) -> list[str]:
    """Paths of all modules, from the root of the checkout."""
    found = [path for package in packages for path in (ROOT / package).rglob("*.py")]
    return sorted(str(path.relative_to(ROOT)) for path in found)


@cache
def tree(path: str) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"), path)


def calls(path: str, *names: str) -> list[str]:
    """Where one of the names is called, as `path:line`."""
    found = [node for node in ast.walk(tree(path)) if isinstance(node, ast.Call)]
    return [f"{path}:{node.lineno}" for node in found if ast.unparse(node.func) in names]


@pytest.mark.parametrize("path", modules(*EVERYTHING))
def test_a_module_says_what_it_is_for(path: str) -> None:
    assert ast.get_docstring(tree(path))


@pytest.mark.parametrize("path", modules(*EVERYTHING))
def test_nothing_is_left_unfinished(path: str) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    assert [word for word in UNFINISHED if word in text] == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    parts = {path: {*path.removesuffix(".py").split("/")} for path in modules(*EVERYTHING)}
    assert [path for path, names in parts.items() if names & FORBIDDEN_NAMES] == []


def test_only_commands_speak() -> None:
    silent = [path for path in modules(*PROGRAMS) if not SPEAKS & set(path.split("/"))]
    assert [place for path in silent for place in calls(path, "print", "click.echo")] == []


def test_only_settings_and_those_who_call_them_read_the_environment() -> None:
    readers = {path for path in modules(*PROGRAMS) if _reads_environment(tree(path))}
    own = {path for path in readers if path.partition("/")[2].startswith(SETTINGS)}
    assert readers - own == set(READS_ENVIRONMENT)


def test_only_listed_modules_catch_everything() -> None:
    catchers = {path for path in modules(*PROGRAMS, "bench") if any(_swallowers(tree(path)))}
    assert catchers == set(CATCHES_EVERYTHING)


@pytest.mark.parametrize("path", modules(*PROGRAMS))
def test_what_is_public_says_what_it_promises(path: str) -> None:
    silent = [name for name, node in _public(tree(path)) if not ast.get_docstring(node)]
    assert silent == []


def test_tests_wait_for_conditions() -> None:
    """A fixed sleep is too long on most days and too short on the one that matters."""
    sleepers = [path for path in modules("tests") if path != "tests/waiting.py"]
    assert [place for path in sleepers for place in calls(path, "time.sleep", "sleep")] == []


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_architecture_page_names_every_module(program: str) -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert [name for name in _rooms(ROOT / program) if f"`{program}/{name}`" not in page] == []


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_architecture_page_names_no_module_that_is_gone(program: str) -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = {word for word in page.split("`")[1::2] if word.startswith(f"{program}/")}
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def _rooms(folder: Path) -> list[str]:
    """Modules and folders right inside a program and inside its folders of modules."""
    found = []
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        is_module = path.suffix == ".py" and path.name != "__init__.py"
        is_package = (path / "__init__.py").is_file()
        if (is_module or is_package) and name.count("/") < 2 and "__pycache__" not in name:
            found.append(name + "/" if is_package else name)
    return found


def _reads_environment(module: ast.Module) -> bool:
    for node in ast.walk(module):
        if isinstance(node, ast.Attribute) and ast.unparse(node) in {"os.environ", "os.getenv"}:
            return True
        if isinstance(node, ast.ImportFrom) and node.module == "os":
            return any(name.name in {"environ", "getenv"} for name in node.names)
    return False


def _swallowers(module: ast.Module) -> Iterator[ast.ExceptHandler]:
    for node in ast.walk(module):
        if isinstance(node, ast.ExceptHandler) and _is_broad(node) and not _reraises(node):
            yield node


def _is_broad(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(ast.unparse(each) in {"Exception", "BaseException"} for each in caught)


def _reraises(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def _public(
    scope: ast.Module | ast.ClassDef,
) -> Iterator[tuple[str, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Public classes, functions and methods, those of private classes left out."""
    for node in scope.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if node.name.startswith("_"):
                continue
            yield node.name, node
            if isinstance(node, ast.ClassDef):
                yield from _public(node)
