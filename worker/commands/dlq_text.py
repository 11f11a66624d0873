"""What `dlq` tells, as text and as JSON. Knows nothing of how letters are had."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import msgspec

from worker.events import key_text, utc
from worker.letters import ERROR_PREFIX, read_letter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from worker.app.dlq import LetterGroup
    from worker.records import RawRecord
    from worker.resend import Tally

SHOWN_MAX = 2000
"""Characters of a value or of a header that are shown to people."""


def groups_table(topic: str, groups: Sequence[LetterGroup]) -> str:
    """Letters by topic and reason."""
    total = sum(group.letters for group in groups)
    if not total:
        return f"{topic}: no dead letters"
    head = ("from", "reason", "letters", "newest", "cut", "came back")
    cells = [head, *(_cells(group) for group in groups)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    lines = [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
    return "\n".join([f"{topic}: {total} dead letter{'s' if total != 1 else ''}", *lines])


def _cells(group: LetterGroup) -> tuple[str, ...]:
    back = f"{group.came_back} ({group.replays_most} times at most)" if group.came_back else "0"
    return (
        _readable(group.topic or "?"),
        _readable(group.reason or "no letter of ours"),
        str(group.letters),
        _time(group.newest_ms),
        str(group.cut),
        back,
    )


def groups_json(topic: str, groups: Sequence[LetterGroup]) -> str:
    """Letters by topic and reason, as one JSON object."""
    total = sum(group.letters for group in groups)
    return _json({"topic": topic, "letters": total, "groups": groups})


def letter_text(record: RawRecord) -> str:
    """A letter for people; nothing in it reaches the terminal but as text."""
    letter = read_letter(record)
    where = f"{record.topic} {record.partition}:{record.offset}"
    why = f"{letter.reason or 'no letter of ours'}" + (f" ({letter.stage})" if letter.stage else "")
    origin = f"{letter.topic} {letter.partition}:{letter.offset} of {_time(letter.timestamp)}"
    theirs = [(name, value) for name, value in record.headers if not name.startswith(ERROR_PREFIX)]
    cut = ", ".join(f"{name} {value}" for name, value in letter.cut.items())
    lines = [
        ("", f"{where}  {why}"),
        ("what", letter.detail),
        ("from", origin),
        ("judged", f"by {letter.group} with model {letter.model}"),
        ("replays", str(letter.replays) if letter.replays else ""),
        ("cut", cut),
        ("key", "none" if record.key is None else _bytes_text(record.key)),
        *(("header", f"{name}={_bytes_text(value or b'')}") for name, value in theirs),
        ("value", _bytes_text(record.value or b"")),
    ]
    return "\n".join(
        f"  {name:<8} {_readable(text)}" if name else _readable(text)
        for name, text in lines
        if text
    )


def letter_json(record: RawRecord) -> str:
    """A letter, whole, as one JSON object."""
    theirs = [(name, value) for name, value in record.headers if not name.startswith(ERROR_PREFIX)]
    return _json(
        {
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "letter": read_letter(record),
            "key": key_text(record.key),
            "headers": [[name, _base64(value)] for name, value in theirs],
            "value_base64": _base64(record.value),
        }
    )


def tally_json(tally: Tally, goal: str) -> str:
    """What became of the letters of a replay, as one JSON object."""
    return _json({"topic": goal, "sent": tally.sent, "left": tally.left})


def tally_text(tally: Tally, goal: str, done: str) -> str:
    """What became of the letters of a replay."""
    sent, left = sum(tally.sent.values()), sum(tally.left.values())
    lines = [f"{sent} letters {done} to {goal}{_parts(tally.sent)}"]
    if left:
        lines.append(f"{left} left where they are{_parts(tally.left)}")
    return "\n".join(lines)


def _parts(counts: Mapping[str, int]) -> str:
    told = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    return f": {_readable(told)}" if told else ""


def _bytes_text(content: bytes) -> str:
    text = content[:SHOWN_MAX].decode("utf-8", "backslashreplace")
    more = len(content) - SHOWN_MAX
    return f"{text} ... and {more} bytes more" if more > 0 else text


def _readable(text: str) -> str:
    """Without anything that a terminal would act on: a letter may hold whatever was sent."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _time(stamp_ms: int) -> str:
    return utc(stamp_ms / 1000) if stamp_ms >= 0 else "no time"


def _base64(content: bytes | None) -> str | None:
    return None if content is None else base64.b64encode(content).decode()


def _json(found: object) -> str:
    return msgspec.json.encode(found).decode()
