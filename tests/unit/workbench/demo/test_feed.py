"""What goes into the topic: the early part first, then the live one, of the fleet or of files."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import msgspec
import pytest

from workbench.demo.faults import KINDS
from workbench.demo.feed import EARLY_BLOCKS, FleetFeed, SourceFeed
from workbench.demo.fleet import BLOCK, FACTORS
from workbench.demo.poison import POISONS, TOMBSTONE
from worker.adapters.files import FileKindUnknown
from worker.codec import RecordRejected, parse_record

if TYPE_CHECKING:
    from pathlib import Path

NOW_S = 1_790_000_000.0


@pytest.fixture(scope="module")
def fleet() -> FleetFeed:
    return FleetFeed(seed=0, rate=600, live=BLOCK, end_s=NOW_S)


def test_early_records_of_a_fleet_lie_in_the_past_in_rising_order(fleet: FleetFeed) -> None:
    stamps = [stamp for stamp, _ in fleet.early()]
    assert len(stamps) == EARLY_BLOCKS * BLOCK
    assert stamps == sorted(stamps)
    assert stamps[-1] < NOW_S * 1000


def test_live_records_of_a_fleet_hold_faults_and_every_poison(fleet: FleetFeed) -> None:
    items = list(islice(fleet.live(), BLOCK + 15))
    labels = [item.label for item in items]
    assert set(labels) == {None, *KINDS, *POISONS}
    assert sum(label in KINDS for label in labels) / len(labels) == pytest.approx(0.02, abs=1e-4)
    assert sum(label in POISONS for label in labels) == 15


def test_without_faults_nothing_is_wrong_with_live_records() -> None:
    feed = FleetFeed(seed=0, rate=600, live=0, end_s=NOW_S, faults=0.0)
    assert {item.label for item in islice(feed.live(), BLOCK)} == {None}


def test_a_live_record_comes_with_its_factors(fleet: FleetFeed) -> None:
    item = next(fleet.live())
    assert len(item.factors) == len(FACTORS)


def test_only_a_tombstone_has_no_value() -> None:
    assert [kind for kind, value in POISONS.items() if value is None] == [TOMBSTONE]


@pytest.mark.parametrize("kind", ["not JSON", "cut off", "no object", "empty", "too deep"])
def test_poison_cannot_be_parsed(kind: str) -> None:
    with pytest.raises(RecordRejected):
        parse_record(POISONS[kind] or b"", 1 << 20, 64)


def test_of_few_records_the_first_seven_of_ten_are_learned_from(tmp_path: Path) -> None:
    place = tmp_path / "readings.jsonl"
    place.write_text("".join(f'{{"a":{i}}}\n' for i in range(1000)))
    feed = SourceFeed(place, rate=600, seconds=10, now_s=NOW_S)
    early = list(feed.early())
    assert [item.value for _, item in early] == [b'{"a":%d}' % i for i in range(700)]
    assert early[-1][0] == NOW_S * 1000 - 1000
    assert [item.value for item in feed.live()] == [b'{"a":%d}' % i for i in range(700, 1000)]
    assert feed.rate == 30
    assert not feed.judged


def test_of_many_records_no_more_are_live_than_there_is_time_for(tmp_path: Path) -> None:
    place = tmp_path / "readings.jsonl"
    place.write_text("{}\n" * 1000)
    feed = SourceFeed(place, rate=10, seconds=10, now_s=NOW_S)
    assert len(list(feed.early())) == 900
    assert len(list(feed.live())) == 100
    assert feed.rate == 10


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").write_text('{"a":2}\n')
    (tmp_path / "a.csv").write_text("a\n1\n")
    feed = SourceFeed(tmp_path, rate=600, seconds=10, now_s=NOW_S)
    values = [item.value for _, item in feed.early()] + [item.value for item in feed.live()]
    assert [msgspec.json.decode(value or b"") for value in values] == [{"a": 1}, {"a": 2}]


def test_files_of_no_known_kind_are_named(tmp_path: Path) -> None:
    place = tmp_path / "readings.xlsx"
    place.write_text("")
    with pytest.raises(FileKindUnknown):
        SourceFeed(place, rate=600, seconds=10, now_s=NOW_S)
