"""Apache Kafka in a container, where a Docker engine answers and has or gets the image soon.

Everything else that may go wrong with an engine is a reason to try the next kind of broker.
"""

from __future__ import annotations

import shutil
import socket
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from workbench.demo.errors import BrokerMissing
from workbench.demo.guard import dismiss, guard
from workbench.demo.jars import KAFKA_VERSION
from workbench.demo.node import free_ports
from workbench.demo.probe import answers

if TYPE_CHECKING:
    from collections.abc import Iterator

IMAGE = f"apache/kafka:{KAFKA_VERSION}"
PULL_TIMEOUT_S = 90.0
START_TIMEOUT_S = 60.0
_ENGINE_TIMEOUT_S = 20
_LISTENING_TIMEOUT_S = 5.0
_DEFAULT_ADDRESS = "unix:///var/run/docker.sock"
_PORT = 9094
_POLL_S = 0.2


class ContainerBroker:
    """One node from the official image; runs when it is built, gone when closed."""

    kind = "docker"

    def __init__(self) -> None:
        with _as_missing():
            _require_image()
            self._container = self._started()
        self._guard = _guarded(self._container.get_wrapped_container().id)
        try:
            self._wait_until_it_answers()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the container and remove what it kept. Safe to call twice."""
        with suppress(_engine_error(), OSError):
            self._container.stop()
        if self._guard is not None:
            dismiss(self._guard)
        self._guard = None

    def _started(self) -> Any:  # noqa: ANN401 - testcontainers ships no types
        from testcontainers.core.config import testcontainers_config  # noqa: PLC0415 - an extra
        from testcontainers.core.container import DockerContainer  # noqa: PLC0415
        from testcontainers.core.docker_client import DockerClient  # noqa: PLC0415

        # Its reaper is one more image to pull; our guard does the same.
        testcontainers_config.ryuk_disabled = True
        (port,) = free_ports(1)
        host = DockerClient().host()
        self.bootstrap_servers = f"{host}:{port}"
        container = DockerContainer(IMAGE).with_bind_ports(_PORT, port)
        for name, value in _environment(self.bootstrap_servers).items():
            container = container.with_env(name, value)
        return container.start()

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not answers(self.bootstrap_servers, timeout_s=5.0):
            with _as_missing():
                wrapped = self._container.get_wrapped_container()
                wrapped.reload()
                if wrapped.status != "running" or time.monotonic() > deadline:
                    log = wrapped.logs(tail=20).decode(errors="replace")
                    raise BrokerMissing(f"the container {wrapped.status}, its log ends:\n{log}")
            time.sleep(_POLL_S)


def _require_image() -> None:
    """Raises BrokerMissing unless the engine has the image, or gets it in time."""
    import docker  # noqa: PLC0415 - an extra

    if not _is_listening(docker.utils.kwargs_from_env().get("base_url")):
        raise BrokerMissing("no Docker engine answers")
    engine = docker.from_env(timeout=_ENGINE_TIMEOUT_S)
    try:
        if not engine.images.list(IMAGE):
            _pull(engine)
    finally:
        engine.close()


def _is_listening(address: str | None) -> bool:
    """Whether anybody takes a connection there; the engine's library leaks when nobody does."""
    place = urlsplit(address or _DEFAULT_ADDRESS)
    try:
        if place.hostname and place.port:
            socket.create_connection((place.hostname, place.port), _LISTENING_TIMEOUT_S).close()
        elif place.scheme.endswith("unix"):
            with socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(_LISTENING_TIMEOUT_S)
                probe.connect(place.path)
    except OSError:
        return False
    return True


def _pull(engine: Any) -> None:  # noqa: ANN401 - the engine's library ships no types
    deadline = time.monotonic() + PULL_TIMEOUT_S
    for event in engine.api.pull(IMAGE, stream=True, decode=True):
        if "error" in event:
            raise BrokerMissing(f"a Docker engine runs but cannot pull {IMAGE}: {event['error']}")
        if time.monotonic() > deadline:
            raise BrokerMissing(
                f"a Docker engine runs but needs over {PULL_TIMEOUT_S:.0f} s to pull {IMAGE}"
            )


@contextmanager
def _as_missing() -> Iterator[None]:
    """What the engine or its library raises, as BrokerMissing."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise BrokerMissing("testcontainers is not installed") from error
    except (_engine_error(), OSError) as error:  # OSError: what its HTTP library raises is one
        raise BrokerMissing(f"the Docker engine cannot be used: {_first_line(error)}") from error


def _engine_error() -> type[Exception]:
    try:
        from docker.errors import DockerException  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        return ModuleNotFoundError
    else:
        found: type[Exception] = DockerException
        return found


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines() or [type(error).__name__]
    return lines[0][:200]


def _guarded(container_id: str) -> Any:  # noqa: ANN401
    if shutil.which("docker") is None:
        return None
    return guard('docker rm --force --volumes "$1"', container_id)


def _environment(advertised: str) -> dict[str, str]:
    """All that the image needs: naming any property replaces its own configuration."""
    return {
        "CLUSTER_ID": "bGF0ZW50d2F0Y2gtZGVtbw",
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENERS": f"INTERNAL://:9092,CONTROLLER://:9093,EXTERNAL://:{_PORT}",
        "KAFKA_ADVERTISED_LISTENERS": f"INTERNAL://localhost:9092,EXTERNAL://{advertised}",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,INTERNAL:PLAINTEXT,"
        "EXTERNAL:PLAINTEXT",
        "KAFKA_INTER_BROKER_LISTENER_NAME": "INTERNAL",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS": "1000",
        "KAFKA_NUM_PARTITIONS": "4",
        "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS": "4",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS": "4",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR": "1",
    }
