"""Gathers settings from where they are written: command line, environment, a TOML file, defaults.

Works for any closed pydantic model; reads the environment that it is handed and one file.
"""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Generic, TypeVar, get_args

from pydantic import BaseModel, SecretBytes, SecretStr, ValidationError

from worker.ports import LatentwatchError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

PREFIX = "LATENTWATCH_"
CONFIG_VARIABLE = "LATENTWATCH_CONFIG"
CONFIG_FILE = "latentwatch.toml"
COMMAND_LINE = "command line"
DEFAULT = "default"
FILE_SUFFIX = "_file"
"""With it a secret's name means a file that holds the secret."""
HIDDEN = "**********"
"""What is shown in place of a secret."""
KNOWN_VARIABLES = frozenset(
    {
        CONFIG_VARIABLE,
        "LATENTWATCH_BROKER_JARS",
        "LATENTWATCH_REQUIRE_DOCKER",
        "LATENTWATCH_REQUIRE_KAFKA",
    }
)
"""Variables of the product that are no settings: where the file is, and what tests and demo use."""

ModelT = TypeVar("ModelT", bound=BaseModel)


class SettingsError(LatentwatchError, ValueError):
    """Settings that cannot be used (exit 78): one line for each problem, with its origin."""

    exit_code = 78

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        head = "1 setting is" if len(self.problems) == 1 else f"{len(self.problems)} settings are"
        super().__init__("\n  ".join([f"{head} wrong:", *self.problems]))


@dataclass(frozen=True, slots=True)
class Loaded(Generic[ModelT]):
    """Settings, where each came from by dotted name, and what a user should be warned of."""

    settings: ModelT
    origins: Mapping[str, str]
    warnings: tuple[str, ...]


def load(
    model_class: type[ModelT],
    overrides: Mapping[str, object],
    *,
    config: Path | None,
    environ: Mapping[str, str],
    elsewhere: Collection[str] = (),
) -> Loaded[ModelT]:
    """Settings out of `overrides` (dotted names; None is not given), `environ`, a file, defaults.

    The file is `config`, or what LATENTWATCH_CONFIG names, or ./latentwatch.toml if there is one.
    An empty variable counts as not set. `elsewhere` holds dotted names, or names of sections, that
    another program checks: they are passed over. Raises SettingsError with all problems at once.
    """
    gathered = _Gathered(leaves(model_class), frozenset(elsewhere))
    path = _config_path(config, environ)
    if path is not None:
        gathered.take_table(_read(path), f"file {path}")
    gathered.take_environment(environ)
    gathered.take_overrides(overrides)
    try:
        settings = model_class.model_validate(gathered.nested())
    except ValidationError as error:
        gathered.problems += [gathered.problem(detail) for detail in error.errors()]
    if gathered.problems:
        raise SettingsError(gathered.problems)
    return Loaded(settings, MappingProxyType(gathered.origins()), tuple(gathered.warnings))


def leaves(model_class: type[BaseModel], prefix: str = "") -> dict[str, FieldInfo]:
    """Every single setting by its dotted name, sections resolved, in the order of definition."""
    found: dict[str, FieldInfo] = {}
    for name, info in model_class.model_fields.items():
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found |= leaves(kind, f"{prefix}{name}.")
        else:
            found[prefix + name] = info
    return found


def flattened(settings: BaseModel, prefix: str = "") -> dict[str, object]:
    """The values in force by dotted name."""
    found: dict[str, object] = {}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            found |= flattened(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found


def presentable(settings: BaseModel) -> dict[str, object]:
    """The values in force by dotted name as JSON has them, secrets hidden."""
    return {name: _presentable(value) for name, value in flattened(settings).items()}


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper().replace(".", "__")


def _config_path(config: Path | None, environ: Mapping[str, str]) -> Path | None:
    if config is not None:
        return config
    if environ.get(CONFIG_VARIABLE):
        return Path(environ[CONFIG_VARIABLE])
    return Path(CONFIG_FILE) if Path(CONFIG_FILE).exists() else None


def _read(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError([f"file {path} cannot be read: {error.strerror}"]) from error
    except ValueError as error:  # TOML's and UTF-8's errors
        raise SettingsError([f"file {path} is not TOML: {error}"]) from error


@dataclass(slots=True)
class _Gathered:
    """What the sources gave so far; a later source replaces an earlier one's value."""

    leaves: Mapping[str, FieldInfo]
    elsewhere: frozenset[str]
    values: dict[str, tuple[object, str]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def take_table(self, table: Mapping[str, object], origin: str, prefix: str = "") -> None:
        """A table of the file."""
        for key, value in table.items():
            name = prefix + key
            if isinstance(value, dict) and name in self._sections() | self._sections_elsewhere():
                self.take_table(value, origin, f"{name}.")
            else:
                self._take(name, value, origin)

    def take_environment(self, environ: Mapping[str, str]) -> None:
        """Variables with our prefix; a foreign one on the top level is only warned of."""
        for key in sorted(environ):
            value = environ[key]
            if not key.startswith(PREFIX) or key in KNOWN_VARIABLES or not value:
                continue
            name = key.removeprefix(PREFIX).lower().replace("__", ".")
            if self._is_foreign(name) and "." not in name:
                self.warnings.append(f"environment {key} is no setting and has no effect")
            else:
                self._take(name, value, f"environment {key}")

    def take_overrides(self, overrides: Mapping[str, object]) -> None:
        """What the command line gave."""
        for name, value in overrides.items():
            if value is not None:
                self._take(name, value, COMMAND_LINE)

    def nested(self) -> dict[str, object]:
        """The values as the model takes them, with every section there, if only empty."""
        root: dict[str, object] = {}
        for name in self.leaves:
            *sections, last = name.split(".")
            table = root
            for section in sections:
                inner = table.setdefault(section, {})
                assert isinstance(inner, dict)  # noqa: S101 - leaves and sections never share a name
                table = inner
            if name in self.values:
                table[last] = self.values[name][0]
        return root

    def origins(self) -> dict[str, str]:
        """Where each setting's value came from."""
        return {
            name: self.values[name][1] if name in self.values else DEFAULT for name in self.leaves
        }

    def problem(self, detail: ErrorDetails) -> str:
        """One line for one finding of the model."""
        name = ".".join(map(str, detail["loc"]))
        if detail["type"] == "missing":
            return (
                f"{name}: is required: give it on the command line, as {variable(name)},"
                f" or in {CONFIG_FILE}"
            )
        message = detail["msg"].removeprefix("Value error, ")
        if name not in self.leaves:
            return f"{name}: {message}"
        origin = self.values[name][1] if name in self.values else DEFAULT
        shown = HIDDEN if _is_secret(self.leaves[name]) else _shown(detail["input"])
        return f"{name}: {message}; got {shown} ({origin})"

    def _take(self, name: str, value: object, origin: str) -> None:
        secret = name.removesuffix(FILE_SUFFIX)
        if name in self.leaves:
            self.values[name] = (value, origin)
        elif secret in self.leaves and _is_secret(self.leaves[secret]):
            self._take_file(secret, str(value), origin)
        elif name in self._sections():
            self.problems.append(f"{name}: is a section, not a single setting ({origin})")
        elif self._is_foreign(name):
            near = difflib.get_close_matches(name, self.leaves, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            self.problems.append(f"{name}: no such setting{hint} ({origin})")

    def _take_file(self, secret: str, path: str, origin: str) -> None:
        """A secret out of a file, without the line's end that editors leave there."""
        try:
            content = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "is not UTF-8"
            self.problems.append(f"{secret}: file {path} cannot be read: {reason} ({origin})")
        else:
            self.values[secret] = (content, f"file {path} ({origin})")

    def _is_foreign(self, name: str) -> bool:
        """Whether a name is neither ours nor another program's."""
        ours = name in self.leaves or name in self._sections()
        return not (ours or any(above in self.elsewhere for above in _with_parents(name)))

    def _sections(self) -> set[str]:
        return {above for name in self.leaves for above in _with_parents(name) if above != name}

    def _sections_elsewhere(self) -> set[str]:
        """Sections of which other programs know single settings."""
        return {a for name in self.elsewhere for a in _with_parents(name)} - self.elsewhere


def _with_parents(name: str) -> Iterator[str]:
    """`a.b.c`, `a.b`, `a`."""
    while name:
        yield name
        name = name.rpartition(".")[0]


def _presentable(value: object) -> object:
    if isinstance(value, SecretStr | SecretBytes):
        return HIDDEN if value.get_secret_value() else ""
    return str(value) if isinstance(value, Path) else value


def _is_secret(info: FieldInfo) -> bool:
    """Whether a setting is, or may be, a secret."""
    kinds = (info.annotation, *get_args(info.annotation))
    return any(kind in (SecretStr, SecretBytes) for kind in kinds)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."  # noqa: PLR2004 - a line on a terminal
