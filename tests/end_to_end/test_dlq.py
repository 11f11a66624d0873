"""`latentwatch dlq` on a real broker: letters counted, shown, sent back once, and counted again."""

from __future__ import annotations

import base64
import json
import logging
import os
import signal
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pytest

import latentwatch
from bench.stand.topics import Cluster, Message
from tests.end_to_end import fleet
from tests.end_to_end.stage import group
from tests.loops import ManualClock
from worker.events import EventEncoder, EventSettings, utc
from worker.letters import REPLAYS, cut, read_letter
from worker.records import ModelNote, Record, Rejection
from worker.settings import variable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.end_to_end.stage import Stage
    from workbench.demo.brokers import Broker
    from worker.records import Headers, Output

pytestmark = pytest.mark.timeout(240)

STAMP_MS = int(time.time()) * 1000 - 60_000 + 456
"""Not of now, but not so old that the broker would delete the record either."""
ORIGIN: Final[Headers] = [("origin", b"plant")]
NOTE = ModelNote("v7", "2026-01-02T03:04:05Z", alert_rate=0.001, threshold=3.0)


@dataclass(frozen=True)
class Said:
    """How a command ended and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found


@dataclass(frozen=True)
class Desk:
    """Where `latentwatch dlq` is typed, in this process."""

    cluster: Cluster
    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch

    def type(self, topic: str, word: str, *arguments: str) -> Said:
        for name in [name for name in os.environ if name.startswith("LATENTWATCH_")]:
            self.monkeypatch.delenv(name)
        settings = {"kafka.bootstrap_servers": self.cluster.bootstrap_servers, "topic": topic}
        for name, value in settings.items():
            self.monkeypatch.setenv(variable(name), value)
        with pytest.raises(SystemExit) as ended:
            latentwatch.main(["dlq", word, *arguments])
        out, err = self.capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Said(ended.value.code, out, err)

    def topic(self, partitions: int = 1) -> str:
        """A new topic and its output topics."""
        name = f"pumps-{uuid.uuid4().hex[:8]}"
        self.cluster.create(name, partitions)
        return name

    def put(self, topic: str, *letters: Output) -> None:
        """Put letters on the topic of the dead letters, as a worker does."""
        messages = [
            Message(
                each.value,
                each.key,
                each.timestamp,
                [(name, value or b"") for name, value in each.headers],
            )
            for each in letters
        ]
        self.cluster.produce(f"{topic}.dlq", messages)


@pytest.fixture
def desk(
    broker: Broker, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Desk]:
    """`replay` takes over signals, and a test gives them back; quiet is the client only so long."""
    caught = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    client = logging.getLogger("kafka")
    level = client.level
    yield Desk(Cluster(broker.bootstrap_servers), capsys, monkeypatch)
    client.setLevel(level)
    for number, handler in caught.items():
        signal.signal(number, handler)


def letter(  # noqa: PLR0913 - what a record may have
    topic: str,
    offset: int,
    reason: str = "not_json",
    value: bytes = b"{",
    *,
    stamp_ms: int = STAMP_MS,
    headers: Headers = ORIGIN,
    key: bytes = b"pump-1",
) -> Output:
    """A letter as a worker writes it."""
    settings = EventSettings(
        stream="pumps",
        group=group(topic),
        anomalies_topic=f"{topic}.anomalies",
        dead_letter_topic=f"{topic}.dlq",
        scores_topic=None,
        include_record=False,
        worker_version="1.2.3",
    )
    record = Record(topic, 0, offset, stamp_ms, key, value, headers)
    rejection = Rejection(0, "decode", reason, "what was wrong")
    return EventEncoder(settings, ManualClock()).dead_letter(record, rejection, NOTE)


def test_letters_are_counted_by_topic_and_reason(desk: Desk) -> None:
    topic = desk.topic()
    whole = letter(topic, 9, value=b"x" * 50_000)
    small = cut(whole)
    assert small is not None
    desk.put(
        topic,
        letter(topic, 1),
        letter(topic, 2, stamp_ms=STAMP_MS + 1000),
        letter(topic, 3, headers=[(REPLAYS, b"2")]),
        letter(topic, 4, "wrong_type"),
        letter("fans", 5),
        small,
    )
    said = desk.type(topic, "list", "--json")
    assert said.code == 0
    assert said.json["letters"] == 6
    found = {(each["topic"], each["reason"]): each for each in said.json["groups"]}
    counts = {key: each["letters"] for key, each in found.items()}
    assert counts == {(topic, "not_json"): 4, (topic, "wrong_type"): 1, ("fans", "not_json"): 1}
    first = found[topic, "not_json"]
    assert (first["newest_ms"], first["cut"]) == (STAMP_MS + 1000, 1)
    assert (first["came_back"], first["replays_most"]) == (1, 2)

    shown = desk.type(topic, "list").out.splitlines()
    assert shown[0] == f"{topic}.dlq: 6 dead letters"
    assert shown[1].split() == ["from", "reason", "letters", "newest", "cut", "came", "back"]
    assert shown[2].split()[:3] == [topic, "not_json", "4"]
    assert shown[2].endswith("1 (2 times at most)")


def test_a_letter_is_shown_for_people_and_whole_for_programs(desk: Desk) -> None:
    topic = desk.topic()
    value = b'\xff{"a":\x1b[2J "\xc2\xa0"}'
    desk.put(
        topic,
        letter(topic, 1, "empty"),
        letter(topic, 2, value=value, key=b"\x00", stamp_ms=STAMP_MS + 1),
    )
    shown = desk.type(topic, "show")
    assert shown.code == 0
    assert shown.out.splitlines() == [
        f"{topic}.dlq 0:1  not_json (decode)",
        "  what     what was wrong",
        f"  from     {topic} 0:2 of {utc((STAMP_MS + 1) / 1000)}",
        f"  judged   by {group(topic)} with model v7",
        "  key      \\x00",
        "  header   origin=plant",
        '  value    \\xff{"a":\\x1b[2J "\\xa0"}',
    ]
    whole = desk.type(topic, "show", "--at", "0:1", "--json").json
    assert base64.b64decode(whole["value_base64"]) == value
    assert whole["letter"]["reason"] == "not_json"
    both = desk.type(topic, "show", "-n", "5").out
    assert [line.split()[1] for line in both.splitlines() if line.startswith(topic)] == [
        "0:1",
        "0:0",
    ]
    assert "empty" in desk.type(topic, "show", "-n", "5", "--reason", "empty").out
    assert desk.type(topic, "show", "--at", "0:7").code == 65
    assert desk.type(topic, "show", "--at", "seven").code == 64


def test_a_replay_may_be_repeated_and_sends_each_letter_once(desk: Desk) -> None:
    topic = desk.topic(2)
    desk.put(topic, *[letter(topic, number, value=b"%d" % number) for number in range(5)])
    dry = desk.type(topic, "replay", "--dry-run", "--json")
    assert dry.json == {"topic": topic, "sent": {"not_json": 5}, "left": {}}
    assert desk.cluster.read(topic) == []

    assert desk.type(topic, "replay", "--json").json["sent"] == {"not_json": 5}
    again = desk.type(topic, "replay")
    assert again.code == 0
    assert again.out.startswith(f"0 letters sent to {topic}\n")
    desk.put(topic, letter(topic, 9, value=b"9"))
    assert desk.type(topic, "replay", "--json").json["sent"] == {"not_json": 1}

    records = desk.cluster.read(topic)
    assert sorted(record.value for record in records) == [b"0", b"1", b"2", b"3", b"4", b"9"]
    for record in records:
        assert (record.key, record.timestamp) == (b"pump-1", STAMP_MS)
        assert record.headers == [("origin", b"plant"), (REPLAYS, b"1")]
    assert desk.type(topic, "replay", "--again", "--json").json["sent"] == {"not_json": 6}


def test_letters_go_to_another_topic_where_asked(desk: Desk) -> None:
    topic, other = desk.topic(), desk.topic()
    desk.put(topic, letter(topic, 1), letter("fans", 2, "empty"))
    arguments = ("replay", "--to", other, "--reason", "empty", "--json")
    assert desk.type(topic, *arguments).json == {
        "topic": other,
        "sent": {"empty": 1},
        "left": {"of another reason": 1},
    }
    assert desk.type(topic, "replay", "--json").json["left"] == {"of another topic": 1}
    assert len(desk.cluster.read(other)) == 1


def test_what_cannot_be_is_refused_with_a_code(desk: Desk) -> None:
    topic = desk.topic()
    missing = desk.type("pumps-nowhere", "list")
    assert missing.code == 69
    assert "no topic pumps-nowhere.dlq" in missing.err
    assert desk.type(topic, "replay", "--to", "pumps-nowhere").code == 69
    assert desk.type(topic, "replay", "--to", f"{topic}.dlq").code == 64
    empty = desk.type(topic, "list")
    assert (empty.code, empty.out) == (0, f"{topic}.dlq: no dead letters\n")
    assert desk.type(topic, "show").code == 65


def test_a_record_that_fails_again_and_again_is_counted_and_then_left(
    desk: Desk, stage: Stage
) -> None:
    """A worker reads what is sent back, and a record that is still broken becomes a letter."""
    topic = stage.topic()
    stage.ready(topic, arguments=["--from-beginning"])
    stage.cluster.produce(topic, [fleet.message(0), Message(b"{", b"pump-1")])
    stage.wait_done(topic)
    for times in (1, 2):
        sent = desk.type(topic, "replay", "--replays-max", "2", "--json").json["sent"]
        assert sent == {"not_json": 1}
        stage.wait_done(topic)
        letters = [read_letter(record) for record in stage.dead_letters(topic)]
        assert [each.replays for each in letters] == list(range(times + 1))
    last = desk.type(topic, "replay", "--replays-max", "2", "--json").json
    assert (last["sent"], last["left"]) == ({}, {"sent back 2 times already": 1})
    (counted,) = desk.type(topic, "list", "--json").json["groups"]
    assert (counted["letters"], counted["came_back"], counted["replays_most"]) == (3, 2, 2)
