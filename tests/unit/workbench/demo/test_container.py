"""A broker in a container: every way in which an engine is of no use is a reason, not an error."""

from __future__ import annotations

import socketserver
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, ClassVar

import pytest

from workbench.demo.brokers import ExternalBroker, docker, open_broker
from workbench.demo.container import IMAGE
from workbench.demo.errors import BrokerMissing
from workbench.demo.node import free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from workbench.demo.brokers import Broker

pytest.importorskip("docker")


class Heard:
    """A brokers.Told that remembers."""

    def __init__(self) -> None:
        self.tried: list[str] = []
        self.reasons: dict[str, str] = {}

    def trying(self, kind: str) -> None:
        self.tried.append(kind)

    def missing(self, kind: str, reason: str) -> None:
        self.reasons[kind] = reason


class Engine(BaseHTTPRequestHandler):
    """As much of a Docker engine as it takes to have no image and to get none."""

    protocol_version = "HTTP/1.1"
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        if self.path.endswith("/version"):
            self._answer(b'{"ApiVersion":"1.44","MinAPIVersion":"1.24","Version":"25"}')
        else:
            self._answer(b"[]")

    def do_POST(self) -> None:
        self.asked.append(self.path)
        self._stream(b'{"status":"Pulling"}\r\n', b'{"error":"no route to the registry"}\r\n')

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as inherited
        """Nothing."""

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, *parts: bytes) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in (*parts, b""):
            self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))


@contextmanager
def serving(handler: type[socketserver.BaseRequestHandler]) -> Iterator[str]:
    """The address of a server, as DOCKER_HOST wants it."""
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"tcp://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def next_kind() -> Broker:
    return ExternalBroker("127.0.0.1:1")


def test_an_engine_that_is_not_there_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/socket")
    heard = Heard()
    assert open_broker([docker, next_kind], heard).bootstrap_servers == "127.0.0.1:1"
    assert heard.tried == ["docker", "next_kind"]
    assert heard.reasons == {"docker": "no Docker engine answers"}


def test_a_port_where_nobody_listens_is_no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = free_ports(1)
    monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{port}")
    with pytest.raises(BrokerMissing, match="no Docker engine answers"):
        docker()


def test_an_engine_that_cannot_pull_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = Heard()
    with serving(Engine) as address:
        monkeypatch.setenv("DOCKER_HOST", address)
        assert open_broker([docker, next_kind], heard).kind == "external"
    assert heard.reasons == {
        "docker": f"a Docker engine runs but cannot pull {IMAGE}: no route to the registry"
    }
    name, tag = IMAGE.split(":")
    (path,) = Engine.asked
    assert f"tag={tag}" in path
    assert f"fromImage={name.replace('/', '%2F')}" in path


def test_an_engine_that_takes_too_long_to_pull_is_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Slow(Engine):
        def do_POST(self) -> None:
            self._stream(b'{"status":"Pulling"}\r\n')

    monkeypatch.setattr("workbench.demo.container.PULL_TIMEOUT_S", 0.0)
    with serving(Slow) as address:
        monkeypatch.setenv("DOCKER_HOST", address)
        with pytest.raises(BrokerMissing, match="needs over 0 s to pull"):
            docker()


# The engine's library leaves its socket to the collector when it is not understood.
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_a_port_that_speaks_something_else_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    class Other(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(1)
            self.request.sendall(b"220 mail\r\n")

    with serving(Other) as address:
        monkeypatch.setenv("DOCKER_HOST", address)
        with pytest.raises(BrokerMissing, match="the Docker engine cannot be used"):
            docker()
