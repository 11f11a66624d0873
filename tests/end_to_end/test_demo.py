"""The demo as a newcomer runs it: the whole way, on each kind of log, and nothing left running."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.conftest import ROOT
from tests.waiting import wait_until
from workbench.demo.brokers import SERVERS_VARIABLE
from workbench.demo.kept import EVENTS, LIVE, TRUTH
from workbench.demo.node import OWNER_FLAG

if TYPE_CHECKING:
    from workbench.demo.brokers import Broker, MavenBroker

SECONDS = 12
PLAY_S = 240
NO_ENGINE = "unix:///nowhere/docker.sock"

pytestmark = pytest.mark.timeout(300)  # a training and a run, on a machine that may be busy


def environment(**changes: str) -> dict[str, str]:
    """Ours, without a broker and without a Docker engine, but for the changes."""
    known = {name: value for name, value in os.environ.items() if name != SERVERS_VARIABLE}
    return {**known, "DOCKER_HOST": NO_ENGINE, **changes}


def command(folder: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "latentwatch", "demo", "--folder", str(folder), *options]


def play(folder: Path, environ: dict[str, str], *options: str) -> tuple[str, dict[str, str]]:
    """What the demo says, and the figures of its last line."""
    done = subprocess.run(
        command(folder, "--seconds", str(SECONDS), *options),
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=PLAY_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    name, *fields = done.stdout.splitlines()[-1].split()
    assert name == "demo:"
    return done.stdout, dict(field.split("=") for field in fields)


def running(word: str) -> list[str]:
    """Command lines of processes that hold the word."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = process.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it ended meanwhile
            continue
        if word in line:
            found.append(line)
    return found


def test_faults_are_found_and_every_record_is_accounted_for(broker: Broker, tmp_path: Path) -> None:
    environ = environment(**{SERVERS_VARIABLE: broker.bootstrap_servers})
    said, figures = play(tmp_path, environ, "--seed", "2")
    assert figures["broker"] == "external"
    assert (figures["lost"], figures["duplicated"]) == ("0", "0")
    assert int(figures["records"]) >= 500 * SECONDS
    assert float(figures["recall"]) >= 0.85
    assert float(figures["precision"]) >= 0.85
    assert int(figures["dead_letters"]) > 0
    assert "seed 2" in said
    assert running(str(tmp_path)) == []
    kept = [(tmp_path / name).read_bytes().count(b"\n") for name in (LIVE, TRUTH, EVENTS)]
    assert kept[0] == kept[1]
    assert kept[2] == int(figures["anomalies"])
    truth = msgspec.json.decode((tmp_path / TRUTH).read_bytes().splitlines()[0])
    assert set(truth["factors"]) == {"load", "ambient", "wear", "density"}


def test_where_nothing_can_be_had_the_log_in_memory_serves(tmp_path: Path) -> None:
    """With the user's own records, as a table, so that nothing is known of what is wrong."""
    table = tmp_path / "readings.csv"
    rows = [f"{math.sin(i / 7):.4f},{math.sin(i / 5):.4f},{i % 3}" for i in range(1500)]
    table.write_text("\n".join(["a,b,c", *rows, ""]))
    environ = environment(PATH=str(tmp_path))
    said, figures = play(tmp_path / "demo", environ, "--source", str(table))
    assert figures["broker"] == "embedded"
    shares = [float(figures[name]) for name in ("recall", "precision", "stuck_recall")]
    assert [math.isnan(share) for share in shares] == [True] * 3
    assert (figures["lost"], figures["duplicated"]) == ("0", "0")
    for reason in (SERVERS_VARIABLE, "no Docker engine answers", "no java on the PATH"):
        assert reason in said


@pytest.mark.parametrize(("ending", "at"), [(signal.SIGINT, b"  run"), (signal.SIGTERM, b"  live")])
def test_an_ended_demo_leaves_nothing_running(
    own_broker: MavenBroker, tmp_path: Path, ending: signal.Signals, at: bytes
) -> None:
    """`own_broker` only makes sure that the demo can have one, too."""
    own_broker.close()
    said = tmp_path / "said"
    with said.open("wb") as output:
        demo = subprocess.Popen(
            command(tmp_path / "demo", "--seconds", "600"),
            cwd=ROOT,
            env=environment(),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    config = str(tmp_path / "demo" / "latentwatch.toml")

    def has_come() -> bool:
        return demo.poll() is not None or (at in said.read_bytes() and bool(running(config)))

    wait_until(has_come, PLAY_S, "a worker runs")
    assert demo.poll() is None, said.read_text()
    assert len(running(f"{OWNER_FLAG}{demo.pid}")) == 1
    demo.send_signal(ending)
    demo.send_signal(signal.SIGINT)
    assert demo.wait(60) == 130
    assert "all that the demo started is stopped" in said.read_text()
    assert running(f"{OWNER_FLAG}{demo.pid}") == []
    assert running(config) == []
