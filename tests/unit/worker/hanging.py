"""A worker on a broker in memory whose scoring never comes back: `python -m` it with a store.

It is a program of its own since what it must show is how the process ends.
"""

from __future__ import annotations

import importlib
import sys
import threading
from typing import TYPE_CHECKING, Any

from worker.adapters.memory import MemoryBroker, MemoryDelivery, MemoryRecordLog
from worker.app import run
from worker.records import Output
from worker.scorer import ScoringModel
from worker.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

TOPIC = "pumps"
TOPICS = (TOPIC, f"{TOPIC}.anomalies", f"{TOPIC}.dlq")


def score_for_ever(*_: object) -> None:
    """Wait for what nobody gives, as native code does that waits for a device."""
    lock = threading.Lock()
    with lock:
        lock.acquire()


def main(store: Path | str) -> None:
    """Run until something ends the process."""
    broker = MemoryBroker(dict.fromkeys(TOPICS, 1))
    broker.send([Output(TOPIC, None, b"{}")])
    app: Any = importlib.import_module("worker.app.run")
    app.require_topics = lambda *_: None
    app.KafkaPublisher = lambda *_: None
    app.KafkaRecordLog = lambda _connection, _timings, *rest: MemoryRecordLog(broker, *rest)
    app.KafkaAtLeastOnce = lambda _publisher, log, _timings: MemoryDelivery(broker, log)
    ScoringModel.score = score_for_ever  # type: ignore[method-assign,assignment]
    named = {
        "topic": TOPIC,
        "store": str(store),
        "from_beginning": True,
        "http.host": "127.0.0.1",
        "http.port": 0,
        "watchdog_s": 2.0,
        "kafka.max_poll_interval_s": 1.9,
        "kafka.deliver_deadline_s": 1.8,
        "kafka.delivery_timeout_s": 1.5,
        "kafka.request_timeout_s": 1,
        "kafka.session_timeout_s": 0.5,
        "kafka.heartbeat_s": 0.1,
    }
    run(load_settings(named, config=None, environ={}).settings)


if __name__ == "__main__":
    main(sys.argv[1])
