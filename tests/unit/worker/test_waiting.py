"""Waiting at the start: for everything under one deadline, saying why."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import pytest

from tests.loops import ManualClock
from worker.ports import NotPermitted, Unreachable
from worker.waiting import StartWait, StopAsked


@dataclass
class Place:
    """Something that is there after a number of vain looks."""

    vain: int
    looks: int = 0

    def look(self) -> str:
        self.looks += 1
        if self.looks <= self.vain:
            raise Unreachable("no broker")
        return "there"


@dataclass
class Start:
    """A wait with a clock that passes its sleeps at once."""

    timeout_s: float = 60
    stops_after: int = 1000
    clock: ManualClock = field(default_factory=ManualClock)
    reasons: list[str] = field(default_factory=list)

    def wait(self) -> StartWait:
        return StartWait(self.clock, self.timeout_s, self._should_stop, self.reasons.append)

    def _should_stop(self) -> bool:
        return len(self.reasons) >= self.stops_after


def test_what_is_there_is_not_waited_for() -> None:
    start = Start()
    assert start.wait().until(Place(vain=0).look) == "there"
    assert start.clock.slept == []
    assert start.reasons == []


def test_pauses_double_up_to_five_seconds() -> None:
    start = Start()
    assert start.wait().until(Place(vain=8).look) == "there"
    assert start.clock.slept == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 5, 5, 5])
    assert start.reasons == ["no broker"] * 8


def test_the_same_reason_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        Start().wait().until(Place(vain=8).look)
    assert [record.getMessage() for record in caplog.records] == ["waiting: no broker"]


def test_when_the_time_is_up_the_reason_is_raised() -> None:
    start = Start(timeout_s=7)
    with pytest.raises(Unreachable, match="no broker"):
        start.wait().until(Place(vain=1000).look)
    assert start.clock.monotonic() == pytest.approx(7)


def test_without_any_time_there_is_one_look() -> None:
    start, place = Start(timeout_s=0), Place(vain=1)
    with pytest.raises(Unreachable):
        start.wait().until(place.look)
    assert place.looks == 1


def test_one_deadline_holds_for_everything_that_is_waited_for() -> None:
    start = Start(timeout_s=7)
    wait = start.wait()
    wait.until(Place(vain=4).look)
    with pytest.raises(Unreachable):
        wait.until(Place(vain=1000).look)
    assert start.clock.monotonic() == pytest.approx(7)


def test_whoever_is_asked_to_stop_waits_no_longer() -> None:
    start, place = Start(stops_after=2), Place(vain=1000)
    with pytest.raises(StopAsked):
        start.wait().until(place.look)
    assert place.looks == 2


def test_what_no_waiting_mends_is_raised_at_once() -> None:
    def refused() -> None:
        raise NotPermitted("no")

    start = Start()
    with pytest.raises(NotPermitted):
        start.wait().until(refused)
    assert start.clock.slept == []
