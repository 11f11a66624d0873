"""The client's log is kept down."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from worker.adapters.kafka.logs import quiet_client_logs

if TYPE_CHECKING:
    from collections.abc import Iterator

CLIENT = logging.getLogger("kafka.net.somewhere")


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    client = logging.getLogger("kafka")
    before = (client.level, client.propagate, client.handlers)
    yield
    client.level, client.propagate, client.handlers = before
    client.manager._clear_cache()  # type: ignore[attr-defined]  # levels are cached


def _complain(times: int) -> None:
    for n in range(times):
        CLIENT.error("a broker is down: %d", n)


def test_one_place_speaks_once_in_the_interval(caplog: pytest.LogCaptureFixture) -> None:
    quiet_client_logs(every_s=3600)
    _complain(5)
    CLIENT.error("from another place")
    assert caplog.messages == ["a broker is down: 0", "from another place"]


def test_it_speaks_again_after_the_interval(caplog: pytest.LogCaptureFixture) -> None:
    quiet_client_logs(every_s=0)
    _complain(2)
    assert caplog.messages == ["a broker is down: 0", "a broker is down: 1"]


def test_warnings_of_the_client_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    quiet_client_logs()
    CLIENT.warning("a task ran for 0.12 s")
    assert caplog.messages == []


def test_it_may_be_asked_for_twice(caplog: pytest.LogCaptureFixture) -> None:
    quiet_client_logs()
    quiet_client_logs()
    _complain(1)
    assert len(caplog.messages) == 1
