"""Logging."""

from __future__ import annotations

import io
import json
import logging
import re
from typing import TYPE_CHECKING, Any

import pytest

from worker import logs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("kafka").setLevel(logging.NOTSET)


def configured(out: io.StringIO) -> tuple[logging.Logger, Callable[[], list[str]]]:
    logs.configure({"service.name": "latentwatch", "service.version": "1.2"}, out)
    return logging.getLogger("worker.some"), lambda: out.getvalue().splitlines()


def one_line(lines: list[str]) -> dict[str, Any]:
    (line,) = lines
    parsed: dict[str, Any] = json.loads(line)
    return parsed


def test_a_machine_gets_json_lines_in_utc() -> None:
    log, lines = configured(io.StringIO())
    log.warning("kept %s", "model", extra={"topic": "metrics", "offset": 7})
    line = one_line(lines())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("timestamp"))
    assert line == {
        "level": "warning",
        "event": "kept model",
        "logger": "worker.some",
        "service.name": "latentwatch",
        "service.version": "1.2",
        "topic": "metrics",
        "offset": 7,
    }


def test_the_time_is_the_records() -> None:
    record = logging.makeLogRecord({"msg": "x", "created": 1_788_220_800.25})
    line = json.loads(logs.JsonFormatter({}).format(record))
    assert line["timestamp"] == "2026-09-01T00:00:00.250Z"


def test_a_person_gets_plain_lines() -> None:
    log, lines = configured(Terminal())
    log.error("no model", extra={"stream": "metrics"})
    (line,) = lines()
    assert line.split("Z ", 1)[1] == "ERROR    no model stream=metrics"


@pytest.mark.parametrize("out", [io.StringIO(), Terminal()])
def test_an_exception_is_logged_with_its_stack(out: io.StringIO) -> None:
    log, _ = configured(out)
    try:
        raise RuntimeError("broken")  # noqa: TRY301 - to have one
    except RuntimeError:
        log.exception("went wrong")
    assert "RuntimeError: broken" in out.getvalue()
    assert "Traceback (most recent call last)" in out.getvalue()


def test_an_exception_keeps_a_json_line_one_line() -> None:
    log, lines = configured(io.StringIO())
    try:
        raise RuntimeError("broken")  # noqa: TRY301 - to have one
    except RuntimeError:
        log.exception("went wrong")
    assert one_line(lines())["exception"].endswith("RuntimeError: broken")


def test_a_value_that_json_does_not_know_is_written_as_text() -> None:
    log, lines = configured(io.StringIO())
    log.info("x", extra={"value": ValueError("odd")})
    assert one_line(lines())["value"] == "odd"


def test_debug_lines_and_the_clients_chatter_are_left_out() -> None:
    log, lines = configured(io.StringIO())
    log.debug("detail")
    logging.getLogger("kafka.conn").info("connecting")
    assert lines() == []


def test_configuring_twice_does_not_double_the_lines() -> None:
    configured(io.StringIO())
    log, lines = configured(io.StringIO())
    log.info("once")
    assert one_line(lines())["event"] == "once"


def test_lines_for_single_records_are_held_back_after_a_few() -> None:
    log, lines = configured(io.StringIO())
    for offset in range(20):
        log.warning("rejected", extra={"per_record": True, "offset": offset})
    assert [json.loads(line)["offset"] for line in lines()] == [0, 1, 2, 3, 4]
    assert "per_record" not in lines()[0]


def test_other_lines_are_never_held_back() -> None:
    log, lines = configured(io.StringIO())
    for _ in range(20):
        log.warning("each counts")
    assert len(lines()) == 20


def record(line: int = 1, name: str = "worker.some", **extra: object) -> logging.LogRecord:
    made = logging.makeLogRecord({"name": name, "pathname": "p", "lineno": line, "msg": "m"})
    vars(made).update(extra)
    return made


def test_the_next_window_tells_how_many_were_held_back() -> None:
    now_s = [0.0]
    gate = logs.FloodGate(lines_max=2, window_s=60, monotonic=lambda: now_s[0])
    assert [gate.filter(record(per_record=True)) for _ in range(5)] == [True] * 2 + [False] * 3
    now_s[0] = 60
    late = record(per_record=True)
    assert gate.filter(late)
    assert vars(late)["held_back"] == 3
    following = record(per_record=True)
    assert gate.filter(following)
    assert "held_back" not in vars(following)


def test_a_window_that_held_nothing_back_says_nothing() -> None:
    now_s = [0.0]
    gate = logs.FloodGate(lines_max=2, window_s=60, monotonic=lambda: now_s[0])
    gate.filter(record(per_record=True))
    now_s[0] = 61
    late = record(per_record=True)
    assert gate.filter(late)
    assert "held_back" not in vars(late)


def test_each_place_in_the_code_is_held_back_by_itself() -> None:
    gate = logs.FloodGate(lines_max=1)
    assert gate.filter(record(1, per_record=True))
    assert gate.filter(record(2, per_record=True))
    assert not gate.filter(record(1, per_record=True))


def test_the_kafka_client_is_held_back_without_asking() -> None:
    gate = logs.FloodGate(lines_max=1)
    assert gate.filter(record(name="kafka.conn"))
    assert not gate.filter(record(name="kafka.conn"))
