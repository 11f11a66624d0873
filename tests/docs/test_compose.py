"""docker-compose.yml, deploy/ and .env.example: valid, and of one mind with the settings."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import ROOT
from training.settings import TrainSettings, load_train_settings
from workbench.demo.jars import KAFKA_VERSION
from worker.settings import Kafka, Settings, leaves, load_settings, variable

if TYPE_CHECKING:
    from collections.abc import Mapping

OURS = ("topics", "worker", "training", "simulator")
KNOWN = {variable(name) for model in (Settings, TrainSettings) for name in leaves(model)}


def tool(name: str) -> str:
    """A program that came with the development tools."""
    return str(Path(sys.executable).with_name(name))


def run(*command: str, cwd: Path = ROOT) -> str:
    environ = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        command, cwd=cwd, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@functools.cache
def services() -> Mapping[str, Any]:
    """Every service as compose understands it, with nothing but the defaults."""
    options = ["--profile", "*", "--env-file", "/dev/null"]
    shown = run(tool("docker-compose"), *options, "config", "--no-env-resolution", "--format=json")
    found: Mapping[str, Any] = json.loads(shown)["services"]
    return found


def example(*, with_suggestions: bool = False) -> dict[str, str]:
    """The variables of .env.example; with those that stand behind a # as well."""
    pattern = r"^#?([A-Z_]+)=(.*)$" if with_suggestions else r"^([A-Z_]+)=(.*)$"
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    return dict(re.findall(pattern, text, re.MULTILINE))


def ours(names: object) -> set[str]:
    assert isinstance(names, dict)
    return {name for name in names if name.startswith("LATENTWATCH_")}


def test_compose_takes_the_file_with_the_example_as_settings(tmp_path: Path) -> None:
    shutil.copy(ROOT / "docker-compose.yml", tmp_path)
    shutil.copy(ROOT / ".env.example", tmp_path / ".env")
    run(tool("docker-compose"), "--profile", "*", "config", "--quiet", cwd=tmp_path)


def test_the_dockerfile_has_nothing_to_complain_about() -> None:
    assert run(tool("hadolint"), "deploy/Dockerfile") == ""


@pytest.mark.parametrize("service", OURS)
def test_a_service_is_given_settings_that_exist(service: str) -> None:
    assert ours(services()[service]["environment"]) - KNOWN == set()


@pytest.mark.parametrize("service", ["worker", "training"])
def test_what_compose_sets_is_not_offered_for_change(service: str) -> None:
    """Beside the topic, which it takes from there; any other would be without effect."""
    fixed = ours(services()[service]["environment"])
    assert fixed & ours(example(with_suggestions=True)) == {"LATENTWATCH_TOPIC"}


@pytest.mark.parametrize("with_suggestions", [False, True])
def test_the_example_can_be_used_as_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, with_suggestions: bool
) -> None:
    monkeypatch.chdir(tmp_path)  # where no latentwatch.toml is
    environ = example(with_suggestions=with_suggestions)
    assert load_settings({}, config=None, environ=environ).warnings == ()
    assert load_train_settings({}, config=None, environ=environ).warnings == ()


def test_the_example_holds_defaults() -> None:
    """So that a copy of it changes nothing, but for the topic that it must name."""
    environ = example()
    worker = load_settings({}, config=None, environ=environ).settings
    training = load_train_settings({}, config=None, environ=environ).settings
    topic = environ["LATENTWATCH_TOPIC"]
    assert worker == Settings.model_validate({"topic": topic})
    assert training == TrainSettings.model_validate({"topic": topic})


def test_every_other_variable_of_the_example_is_read_by_compose() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    script = (ROOT / "deploy" / "kafka" / "create-topics.sh").read_text(encoding="utf-8")
    read = set(re.findall(r"\$\{([A-Z_]+)", text + script))
    assert set(example()) - KNOWN - read == set()


@pytest.mark.parametrize("service", OURS)
def test_a_service_may_do_little(service: str) -> None:
    found = services()[service]
    assert found["read_only"] is True
    assert found["cap_drop"] == ["ALL"]
    assert found["security_opt"] == ["no-new-privileges:true"]


def test_ports_are_open_on_this_machine_alone() -> None:
    ports = [port for service in services().values() for port in service.get("ports", [])]
    assert {port.get("host_ip") for port in ports} == {"127.0.0.1"}


def test_workers_can_be_many() -> None:
    """No name and no single port that two of them would fight for; no right to write models."""
    worker = services()["worker"]
    assert "container_name" not in worker
    (port,) = worker["ports"]
    assert port["published"] == "9108-9117"
    (models,) = worker["volumes"]
    assert models["read_only"] is True


def test_a_worker_has_time_to_finish_its_batch() -> None:
    grace = re.fullmatch(r"(\d+)s", services()["worker"]["stop_grace_period"])
    assert grace is not None
    assert int(grace.group(1)) >= 2 * Kafka().deliver_deadline_s


def test_the_broker_is_the_one_of_the_tests() -> None:
    for service in ("kafka", "topics"):
        assert services()[service]["image"] == f"apache/kafka:{KAFKA_VERSION}"


@pytest.mark.parametrize("service", ["worker", "training", "simulator"])
def test_an_image_is_built_from_a_target_that_is_there(service: str) -> None:
    build = services()[service]["build"]
    text = (ROOT / build["dockerfile"]).read_text(encoding="utf-8")
    assert re.search(rf"^FROM \S+ AS {build['target']}$", text, re.MULTILINE)
    declared = set(re.findall(r"^ARG ([A-Z_]+)", text, re.MULTILINE))
    assert set(build["args"]) - declared == set()
