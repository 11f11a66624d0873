"""What is told over HTTP."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry, Gauge

from worker.adapters.http import AddressUnavailable, Health, HttpServer
from worker.ports import LatentwatchError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LIMIT_S = 120.0


class ManualClock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.at_s = 1_788_220_800.0

    def monotonic(self) -> float:
        return self.at_s

    def now(self) -> float:
        return self.at_s

    def sleep(self, seconds: float) -> None:
        self.at_s += seconds


class Served:
    """A server and what it shows."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.health = Health(self.clock, LIMIT_S)
        registry = CollectorRegistry()
        Gauge("latentwatch_example", "An example.", registry=registry).set(7)
        self.server = HttpServer("127.0.0.1", 0, registry, self.health)

    def get(
        self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> tuple[int, str, str]:
        """Status, content type, body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        try:
            connection.request(method, path, headers=dict(headers or {}))
            response = connection.getresponse()
            body = response.read().decode()
            return response.status, response.getheader("Content-Type", ""), body
        finally:
            connection.close()


@pytest.fixture
def served() -> Iterator[Served]:
    made = Served()
    yield made
    made.server.close()


def test_metrics_are_those_of_the_registry(served: Served) -> None:
    status, kind, body = served.get("/metrics")
    assert status == 200
    assert kind.startswith("text/plain; version=")
    assert "latentwatch_example 7.0" in body


def test_metrics_come_as_openmetrics_where_asked(served: Served) -> None:
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    status, kind, body = served.get("/metrics", headers=accept)
    assert status == 200
    assert kind.startswith("application/openmetrics-text; version=1.0.0")
    assert body.endswith("# EOF\n")


def test_lives_until_the_loop_stands_longer_than_the_limit(served: Served) -> None:
    served.clock.at_s += LIMIT_S
    assert served.get("/livez")[::2] == (200, "alive\n")
    served.clock.at_s += 1
    assert served.get("/livez")[::2] == (503, "the loop stands still\n")
    served.health.beat()
    assert served.get("/livez")[0] == 200


def test_is_not_ready_at_first(served: Served) -> None:
    assert served.get("/readyz")[::2] == (503, "starting\n")


def test_readiness_is_told_with_its_reason(served: Served) -> None:
    served.health.set_ready("records flow", is_ready=True)
    assert served.get("/readyz")[::2] == (200, "records flow\n")
    served.health.set_ready("no model in the store yet: größer", is_ready=False)
    assert served.get("/readyz")[::2] == (503, "no model in the store yet: größer\n")


def test_status_is_json_with_all_facts(served: Served) -> None:
    served.clock.at_s += 30
    served.health.set_ready("records flow", is_ready=True)
    served.health.note("topic", "metrics")
    served.health.note("partitions", [0, 1])
    served.clock.at_s += 10
    status, kind, body = served.get("/status")
    assert (status, kind) == (200, "application/json")
    assert json.loads(body) == {
        "alive": True,
        "ready": True,
        "reason": "records flow",
        "since": "2026-09-01T00:00:30+00:00",
        "last_turn_s_ago": 40.0,
        "topic": "metrics",
        "partitions": [0, 1],
    }


def test_since_is_when_readiness_changed_not_when_it_was_repeated(served: Served) -> None:
    served.health.set_ready("records flow", is_ready=True)
    since = served.health.status()["since"]
    served.clock.at_s += 5
    served.health.set_ready("records flow again", is_ready=True)
    assert served.health.status()["since"] == since
    assert served.health.status()["reason"] == "records flow again"


def test_other_paths_are_not_found_and_name_those_that_are(served: Served) -> None:
    status, _, body = served.get("/healthz")
    assert status == 404
    assert body == "there are /metrics, /livez, /readyz, /status\n"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_but_reading_is_allowed(served: Served, method: str) -> None:
    assert served.get("/livez", method)[0] == 405


def test_a_client_that_says_nothing_keeps_no_other_waiting(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.server.port)):
        assert served.get("/livez")[0] == 200


def test_a_client_that_breaks_off_is_no_noise(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_connection(("127.0.0.1", served.server.port)) as client:
        client.sendall(b"GET /metrics HT")
    assert served.get("/livez")[0] == 200
    assert capsys.readouterr().err == ""


def test_a_port_that_is_taken_is_named(served: Served) -> None:
    with pytest.raises(AddressUnavailable) as raised:
        HttpServer("127.0.0.1", served.server.port, CollectorRegistry(), served.health)
    assert f"cannot listen on 127.0.0.1:{served.server.port}" in str(raised.value)
    assert isinstance(raised.value, LatentwatchError)


def test_an_address_that_is_not_ours_is_named(served: Served) -> None:
    with pytest.raises(AddressUnavailable, match=r"cannot listen on 192\.0\.2\.1:9108"):
        HttpServer("192.0.2.1", 9108, CollectorRegistry(), served.health)


def test_closes_in_time_with_a_client_hanging_on(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.server.port)):
        start_s = time.monotonic()
        served.server.close()
        served.server.close()
        assert time.monotonic() - start_s < 5
    with pytest.raises(ConnectionRefusedError):
        served.get("/livez")


def test_its_threads_keep_no_process_up(served: Served) -> None:
    served.get("/livez")
    assert [t.daemon for t in threading.enumerate() if t.name == "http"] == [True]
