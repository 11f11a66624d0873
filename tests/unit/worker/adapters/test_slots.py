"""Slots: names that no two living workers of a host share."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from worker.adapters import slots
from worker.adapters.slots import take_slot

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

HOLD = """
import sys, pathlib
from worker.adapters.slots import take_slot
print(take_slot(pathlib.Path(sys.argv[1]), "group", "host").name, flush=True)
sys.stdin.read()
"""


def test_each_takes_the_first_that_is_free(tmp_path: Path) -> None:
    first, second = (take_slot(tmp_path / "slots", "group", "host") for _ in range(2))
    assert (first.name, second.name) == ("host-0", "host-1")
    first.release()
    again = take_slot(tmp_path / "slots", "group", "host")
    assert again.name == "host-0"
    second.release()
    again.release()


def test_a_name_returns_once_it_was_there_before(tmp_path: Path) -> None:
    first = take_slot(tmp_path, "group", "host")
    assert not first.returns
    first.release()
    second = take_slot(tmp_path, "group", "host")
    assert second.returns
    second.release()


def test_groups_do_not_take_each_others_names(tmp_path: Path) -> None:
    one, other = take_slot(tmp_path, "a/b", "host"), take_slot(tmp_path, "a.b", "host")
    assert (one.name, other.name) == ("host-0", "host-0")
    one.release()
    other.release()


def test_a_process_that_is_killed_leaves_its_name_to_the_next(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as held:
        assert held.stdout is not None
        assert held.stdout.readline() == "host-0\n"
        beside = take_slot(tmp_path, "group", "host")
        assert beside.name == "host-1"
        held.kill()
    after = take_slot(tmp_path, "group", "host")
    assert after.name == "host-0"
    beside.release()
    after.release()


def test_without_a_folder_a_name_is_used_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    first, second = (take_slot(tmp_path / "file", "group", "host") for _ in range(2))
    assert first.name != second.name
    assert not first.returns
    assert "no slot by lock" in caplog.text


def test_when_all_are_taken_a_name_is_used_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots, "SLOTS_MAX", 1)
    first, second = (take_slot(tmp_path, "group", "host") for _ in range(2))
    assert (first.name, second.returns) == ("host-0", False)
    assert second.name.startswith("host-")
    first.release()


def test_a_link_in_the_place_of_a_lock_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    folder = tmp_path / "slots"
    folder.mkdir()
    (folder / "group.host-0.lock").symlink_to(target)
    assert not take_slot(folder, "group", "host").returns
    assert not target.exists()
