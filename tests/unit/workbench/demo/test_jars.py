"""Where the broker's jars are looked for, and what is said where they cannot be had."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conftest import ROOT
from workbench.demo.errors import BrokerFailed, BrokerMissing
from workbench.demo.jars import JARS_VARIABLE, KAFKA_VERSION, jars, jars_folder

if TYPE_CHECKING:
    from pathlib import Path


def test_in_a_checkout_the_jars_belong_to_its_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(JARS_VARIABLE, raising=False)
    assert jars_folder() == ROOT / ".cache" / f"kafka-{KAFKA_VERSION}" / "lib"


def test_a_named_folder_with_the_jars_is_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / f"kafka_2.13-{KAFKA_VERSION}.jar").touch()
    monkeypatch.setenv(JARS_VARIABLE, str(tmp_path))
    assert jars() == tmp_path


def test_a_named_folder_without_the_jars_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(JARS_VARIABLE, str(tmp_path))
    with pytest.raises(BrokerFailed, match="which has no kafka_"):
        jars()


def test_without_jars_and_maven_the_reason_is_given(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(JARS_VARIABLE, raising=False)
    monkeypatch.setattr("workbench.demo.jars.jars_folder", lambda: tmp_path / "lib")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BrokerMissing, match="no mvn on the PATH"):
        jars()
