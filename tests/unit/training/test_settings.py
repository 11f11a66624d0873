"""Training's settings: the worker's sources and names, and a section of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from training.settings import TrainSettings, load_train_settings
from worker.settings import SettingsError, leaves

if TYPE_CHECKING:
    from collections.abc import Mapping


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No latentwatch.toml of the place where the tests run is seen."""
    monkeypatch.chdir(tmp_path)


def settings(
    overrides: Mapping[str, object], environ: Mapping[str, str] | None = None
) -> TrainSettings:
    return load_train_settings(overrides, config=None, environ=environ or {}).settings


def problems(
    overrides: Mapping[str, object], environ: Mapping[str, str] | None = None
) -> list[str]:
    with pytest.raises(SettingsError) as raised:
        load_train_settings(overrides, config=None, environ=environ or {})
    return list(raised.value.problems)


def toml(text: str) -> None:
    Path("latentwatch.toml").write_text(text, encoding="utf-8")


class TestDefaults:
    def test_a_stream_is_enough(self) -> None:
        found = settings({"stream": "machine"})
        assert found.topic is None
        assert found.store == Path("models")
        assert found.training.alert_rate == 1e-4
        assert found.training.alerts_per_day is None
        assert (found.training.seed, found.training.threads) == (0, 1)
        assert found.training.rows_max == 200_000

    def test_the_stream_is_named_like_the_topic(self) -> None:
        assert settings({"topic": "readings"}).stream == "readings"

    def test_unless_it_is_named_otherwise(self) -> None:
        assert settings({"topic": "readings", "stream": "machine"}).stream == "machine"

    def test_every_setting_says_what_it_is(self) -> None:
        assert [name for name, info in leaves(TrainSettings).items() if not info.description] == []


class TestSources:
    def test_the_command_line_comes_before_the_environment_before_the_file(self) -> None:
        toml("[training]\nseed = 1\nthreads = 1\nrows_max = 1\n")
        environ = {"LATENTWATCH_TRAINING__SEED": "2", "LATENTWATCH_TRAINING__THREADS": "2"}
        found = settings({"stream": "s", "training.seed": 3}, environ).training
        assert (found.seed, found.threads, found.rows_max) == (3, 2, 1)

    def test_the_workers_own_settings_are_passed_over(self) -> None:
        toml('watchdog_s = 600\n[output]\nscores = "all"\n[http]\nport = 1\n')
        environ = {"LATENTWATCH_GROUP": "g", "LATENTWATCH_OUTPUT__TOPIC": "o"}
        assert settings({"stream": "s"}, environ).stream == "s"

    def test_the_broker_is_shared_with_the_worker(self) -> None:
        toml('topic = "readings"\n[kafka]\nbootstrap_servers = "kafka:9092"\n')
        assert settings({}).kafka.bootstrap_servers == "kafka:9092"


class TestProblems:
    def test_neither_stream_nor_topic(self) -> None:
        (problem,) = problems({})
        assert problem.startswith("stream: is required: ")

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("training.alert_rate", 0.0),
            ("training.alert_rate", 1.0),
            ("training.alerts_per_day", 0.0),
            ("training.alerts_per_day", float("inf")),
            ("training.seed", -1),
            ("training.rows_max", 0),
            ("training.threads", 0),
        ],
    )
    def test_a_value_out_of_range_is_named(self, name: str, value: object) -> None:
        (problem,) = problems({"stream": "s", name: value})
        assert problem.startswith(f"{name}: ")
        assert problem.endswith(f"got {value!r} (command line)")

    def test_all_of_them_come_at_once(self) -> None:
        toml("[training]\nalert_rat = 1\nsead = 2\n")
        environ = {"LATENTWATCH_TRAINING__THREDS": "1", "LATENTWATCH_KAFKA__SERVERS": "x"}
        found = problems({"stream": "s", "training.seed": -5}, environ)
        assert [problem.split(":")[0] for problem in found] == [
            "training.alert_rat",
            "training.sead",
            "kafka.servers",
            "training.threds",
            "training.seed",
        ]
