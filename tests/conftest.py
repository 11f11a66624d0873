"""What every test may ask for: a broker, topics on it, the data that lies beside the checkout."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest
from hypothesis import settings

from bench.stand.cluster import BrokerCluster
from tests.topics import TopicFactory
from tests.waiting import wait_until
from workbench.demo.brokers import MavenBroker, maven, open_broker
from workbench.demo.errors import BrokerMissing
from workbench.demo.jars import jars
from workbench.demo.node import OWNER_FLAG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from workbench.demo.brokers import Broker

Opened = TypeVar("Opened")

ROOT = Path(__file__).resolve().parents[1]
REQUIRE_VARIABLE = "LATENTWATCH_REQUIRE_KAFKA"
BROKER_FIXTURES = {"broker", "own_broker", "own_cluster", "topic_factory"}

# A generated case may be slow on a busy machine with nothing wrong; `timeout` holds all the same.
settings.register_profile("latentwatch", deadline=None)
settings.load_profile("latentwatch")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever asks for a broker is marked `kafka`; all of end_to_end carries that mark."""
    for item in items:
        if BROKER_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker("kafka")
        if "end_to_end" in item.path.parts:
            item.add_marker("end_to_end")


@pytest.fixture(scope="session", autouse=True)
def _nothing_survives() -> Iterator[None]:
    """No broker that this run started is left when it ends."""
    yield
    wait_until(lambda: not _started_here(), what="all brokers started by this run have ended")


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    """A broker for all tests of the run; nobody may stop or hurt it."""
    with closing(_or_skip(open_broker)) as opened:
        yield opened


@pytest.fixture
def own_broker() -> Iterator[MavenBroker]:
    """A broker for one test alone, whose `node` it may stop, kill and pause."""
    with closing(_or_skip(maven)) as opened:
        assert isinstance(opened, MavenBroker)
        yield opened


@pytest.fixture(scope="module")
def own_cluster() -> Iterator[BrokerCluster]:
    """Three brokers for the tests of one module, which may hurt them and leave all running."""
    with closing(_or_skip(lambda: BrokerCluster(3, jars()))) as opened:
        yield opened


@pytest.fixture(scope="session")
def topic_factory(broker: Broker) -> Iterator[TopicFactory]:
    """Makes new topics on the shared broker."""
    factory = TopicFactory(broker.bootstrap_servers)
    yield factory
    factory.close()


@pytest.fixture(scope="session")
def shared_data() -> Path | None:
    """The folder `shared` beside the checkout, with real data sets; None where there is none."""
    folder = ROOT.parent / "shared"
    return folder if folder.is_dir() else None


def _or_skip(opener: Callable[[], Opened]) -> Opened:
    try:
        return opener()
    except BrokerMissing as error:
        if os.environ.get(REQUIRE_VARIABLE) == "1":
            pytest.fail(f"{REQUIRE_VARIABLE}=1, but there is no broker: {error}")
        pytest.skip(f"no broker: {error}")


def _started_here() -> list[str]:
    """Command lines of running JVMs that this process started."""
    flag = f"{OWNER_FLAG}{os.getpid()}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            arguments = process.read_bytes().split(b"\0")
        except OSError:  # it ended meanwhile
            continue
        if flag in arguments:
            found.append(b" ".join(arguments).decode(errors="replace"))
    return found
