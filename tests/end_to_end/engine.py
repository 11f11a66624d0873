"""A Docker engine for tests: the one that runs, else one of our own that is gone afterwards.

Our own has no way out and no rules in the firewall; nothing of it stays.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import docker
from docker.errors import DockerException

from tests.waiting import wait_until
from workbench.demo.guard import dismiss, guard

if TYPE_CHECKING:
    from collections.abc import Iterator

ANSWER_S = 10
START_S = 60.0
STOP_S = 60.0
CALL_S = 300  # of one call, such as one step of a build

_BRIDGE = "docker0"
_BRIDGE_FILTER = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")


class EngineMissing(Exception):  # noqa: N818 - named like BrokerMissing
    """No engine, or not what it would run, can be had here; the message says why."""


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine that answers."""

    address: str | None
    """For DOCKER_HOST; None where the default is right."""
    client: docker.DockerClient


@contextmanager
def open_engine() -> Iterator[Engine]:
    """The engine that runs already, else a new one; raises EngineMissing."""
    client = _connected(None)
    if client is not None:
        with _closing(Engine(os.environ.get("DOCKER_HOST"), client)) as engine:
            yield engine
        return
    if shutil.which("dockerd") is None:
        raise EngineMissing("no Docker engine answers, and there is no dockerd to start one")
    if os.geteuid() != 0:
        raise EngineMissing("no Docker engine answers, and only root may start one")
    with _own_engine() as engine:
        yield engine


def _connected(address: str | None) -> docker.DockerClient | None:
    try:
        client = (
            docker.from_env(timeout=ANSWER_S)
            if address is None
            else docker.DockerClient(base_url=address, timeout=CALL_S)
        )
    except DockerException:
        return None
    client.api.timeout = CALL_S
    return client


@contextmanager
def _closing(engine: Engine) -> Iterator[Engine]:
    try:
        yield engine
    finally:
        engine.client.close()


@contextmanager
def _own_engine() -> Iterator[Engine]:
    folder = Path(tempfile.mkdtemp(prefix="latentwatch-engine-"))
    had_bridge = _has_bridge()
    address = f"unix://{folder}/socket"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                "dockerd",
                f"--host={address}",
                f"--data-root={folder}/data",
                f"--exec-root={folder}/run",
                f"--pidfile={folder}/pid",
                "--iptables=false",
                "--ip-forward=false",
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the tests, which stop it in order
        )
    guardian = guard(
        'kill "$1"; while kill -0 "$1" 2>/dev/null; do sleep 1; done; rm -rf "$2"',
        str(process.pid),
        str(folder),
    )
    try:
        client = _started(process, address, folder / "log")
        with _closing(Engine(address, client)) as engine, _unfiltered_bridges():
            yield engine
    finally:
        _stop(process)
        dismiss(guardian)
        shutil.rmtree(folder)
        if _has_bridge() and not had_bridge and shutil.which("ip"):  # an engine leaves it behind
            subprocess.run(["ip", "link", "delete", _BRIDGE], check=True)


def _started(process: subprocess.Popen[bytes], address: str, log: Path) -> docker.DockerClient:
    wait_until(
        lambda: _answers(address) or process.poll() is not None, START_S, "the engine answers"
    )
    client = _connected(address)
    if process.poll() is not None or client is None:
        end = log.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise EngineMissing(f"a Docker engine does not start here; its log ends:\n{end}")
    return client


def _answers(address: str) -> bool:
    client = _connected(address)
    if client is None:
        return False
    client.close()
    return True


@contextmanager
def _unfiltered_bridges() -> Iterator[None]:
    """The firewall leaves alone what containers on one bridge send each other.

    It may drop that by default where another engine once ran, and ours has no rules to allow it.
    """
    before = _BRIDGE_FILTER.read_text(encoding="ascii") if _BRIDGE_FILTER.exists() else None
    if before is None:
        yield
        return
    _BRIDGE_FILTER.write_text("0", encoding="ascii")
    try:
        yield
    finally:
        _BRIDGE_FILTER.write_text(before, encoding="ascii")


def _has_bridge() -> bool:
    return Path("/sys/class/net", _BRIDGE).exists()


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
