"""What is left out, and for which reason."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, timedelta

import pytest

from tests.shapes.verdicts import noise, number, reasons, records, schema_of, verdict, verdicts
from training.discover import Discovery, LeftOut, discover

GROWS = "grows or falls from record to record: a time or a counter"
COUNTER = "only grows among the records of one key: a counter, whose differences would be a feature"
IDENTIFIER = "whole numbers that name and do not measure: an identifier"
RANDOM = "whole numbers drawn at random: an identifier"
MANY = "a text with too many different values"
SEVERAL = "values of several types"
START = datetime(2026, 9, 1, tzinfo=UTC)


class TestWhatGrows:
    @pytest.mark.parametrize("step", [1, 3, -1])
    def test_a_number_that_runs_one_way_is_a_time_or_a_counter(self, step: int) -> None:
        assert verdict(lambda i: step * i) == GROWS

    def test_so_is_one_that_several_records_share(self) -> None:
        assert verdict(lambda i: 1_767_225_600 + i // 10) == GROWS

    def test_a_counter_may_start_again_once_in_a_while(self) -> None:
        assert verdict(lambda i: i % 200) == GROWS

    def test_a_counter_may_stand_still_for_long(self) -> None:
        assert verdict(lambda i: i // 40) == GROWS

    def test_a_few_steps_up_do_not_make_a_counter(self) -> None:
        assert verdict(lambda i: i // 100) == number("y")

    def test_what_is_used_up_slowly_is_a_measurement(self) -> None:
        """A battery falls now and then; nobody counts it down."""
        assert verdict(lambda i: 100 - i // 15) == number("y")

    def test_numbers_that_arrive_a_little_late_still_grow(self) -> None:
        dice = random.Random(4)
        late = [i + dice.uniform(-3, 3) for i in range(1000)]
        assert verdict(lambda i: late[i]) == GROWS

    @pytest.mark.parametrize("unit", [1, 1_000, 1_000_000, 1_000_000_000])
    def test_a_time_out_of_order_is_one_in_any_unit(self, unit: int) -> None:
        dice = random.Random(4)
        moments = [(1_788_220_800 + i + dice.randrange(-90, 90)) * unit for i in range(1000)]
        assert verdict(lambda i: moments[i]) == "a time"

    @pytest.mark.parametrize(
        "shown",
        [
            "%Y-%m-%dT%H:%M:%SZ",
            "%Y-%m-%dT%H:%M:%S.%f+0000",
            "%Y-%m-%d %H:%M:%S,123",
            "%Y-%m-%d %H:%M:%S",
            "%Y-%m-%d",
        ],
    )
    def test_a_time_as_text(self, shown: str) -> None:
        dice = random.Random(4)
        assert verdict(
            lambda i: (START + timedelta(hours=i + dice.randrange(9))).strftime(shown)
        ) == ("a time")

    def test_digits_that_grow(self) -> None:
        assert verdict(lambda i: str(1_788_220_800_000_000_000 + i * 10**9)) == GROWS


class TestCounters:
    def test_of_each_host(self) -> None:
        assert keyed(lambda i: {"host": f"h{i * 7 % 5}"}) == COUNTER

    def test_of_each_processor_of_each_host(self) -> None:
        assert keyed(lambda i: {"host": f"h{i * 7 % 3}", "cpu": i * 5 % 4}) == COUNTER

    def test_of_each_device_by_number(self) -> None:
        assert keyed(lambda i: {"device": i * 7 % 5}) == COUNTER

    def test_that_seldom_moves(self) -> None:
        assert keyed(lambda i: {"host": f"h{i * 7 % 5}"}, moves=0.2) == COUNTER

    def test_a_number_that_goes_both_ways_is_none(self) -> None:
        values = noise()
        found = discover([{"host": f"h{i % 5}", "y": x} for i, x in enumerate(values)])
        assert verdicts(found)["y"] == number("y")


def keyed(key: object, moves: float = 1.0) -> object:
    """What becomes of a counter of each key, the keys' records in turns."""
    dice = random.Random(9)
    assert callable(key)
    counts: dict[str, int] = {}
    made: list[dict[str, object]] = []
    for i in range(2000):
        labels = key(i)
        name = repr(labels)
        counts.setdefault(name, dice.randrange(10**6))
        counts[name] += dice.randrange(1, 90) if dice.random() < moves else 0
        made.append({"labels": labels, "y": counts[name], "x": dice.gauss(0, 1)})
    return verdicts(discover(made))["y"]


class TestNames:
    def test_a_text_of_many_values_is_no_category(self) -> None:
        assert verdict(lambda i: f"request {i}") == MANY

    def test_nor_is_one_of_a_few_too_many(self) -> None:
        assert verdict(lambda i: f"room {i % 51}") == MANY

    def test_nor_is_one_whose_values_are_rare(self) -> None:
        assert verdict(lambda i: f"room {i % 20}", rows=150) == (
            "a text whose values hardly come again"
        )

    def test_nor_one_of_which_only_some_values_come_again(self) -> None:
        assert verdict(lambda i: "-" if i % 3 else f"session {i}") == MANY

    def test_digits_with_leading_zeros_are_a_code(self) -> None:
        dice = random.Random(2)
        assert verdict(lambda _: f"{dice.randrange(10**4):04}") == MANY

    def test_whole_numbers_beyond_a_doubles_digits_are_identifiers(self) -> None:
        dice = random.Random(2)
        assert verdict(lambda _: dice.getrandbits(63)) == IDENTIFIER
        assert verdict(lambda _: str(dice.getrandbits(63))) == IDENTIFIER

    def test_many_numbers_far_apart_that_come_again_are_identifiers(self) -> None:
        dice = random.Random(2)
        ships = [dice.randrange(10**9) for _ in range(80)]
        assert verdict(lambda _: dice.choice(ships)) == IDENTIFIER

    def test_whole_numbers_drawn_at_random_are_identifiers(self) -> None:
        dice = random.Random(2)
        assert verdict(lambda _: dice.randrange(10**6, 10**9)) == RANDOM

    def test_a_whole_number_that_others_depend_on_is_a_measurement(self) -> None:
        dice = random.Random(2)
        sizes = [dice.randrange(10**6) for _ in range(1000)]
        made: list[dict[str, object]] = [
            {"bytes": n, "ms": n / 900 + dice.gauss(0, 9)} for n in sizes
        ]
        found = discover(made)
        assert schema_of(found).features == (number("bytes"), number("ms"))

    def test_whole_numbers_that_are_not_evenly_spread_are_measurements(self) -> None:
        dice = random.Random(2)
        assert verdict(lambda _: round(dice.lognormvariate(12, 1))) == number("y")


class TestTypes:
    def test_mixed_types_are_no_feature(self) -> None:
        kinds: list[object] = ["text", 1.5, True, [1], {"z": 1}]
        assert verdict(lambda i: kinds[i % 5]) == SEVERAL

    def test_numbers_half_as_text_are_no_feature(self) -> None:
        assert verdict(lambda i: i * i % 89 if i % 2 else str(i * i % 89)) == SEVERAL

    def test_an_object_that_often_is_a_number_is_no_feature_but_its_members_are(self) -> None:
        values = noise()
        found = discover(records(lambda i: 1 if i % 20 == 0 else {"z": values[i]}))
        assert reasons(found) == {"y": SEVERAL}
        assert schema_of(found).features == (number("x"), number("y.z"))

    def test_a_text_that_often_is_a_list_is_no_feature(self) -> None:
        assert verdict(lambda i: ["a", "b"] if i % 20 == 0 else "a") == SEVERAL

    def test_a_path_in_very_few_records_is_not_told_of(self) -> None:
        """A damaged record among many must change no line."""
        found = discover([{"x": x, **({"y": x} if i < 19 else {})} for i, x in enumerate(noise())])
        assert reasons(found) == {}
        assert schema_of(found).features == (number("x"),)

    def test_a_path_that_is_always_null_is_left_out(self) -> None:
        assert verdict(lambda _: None) == "always null"

    def test_numbers_beyond_a_double_are_left_out(self) -> None:
        assert verdict(lambda i: 10**400 + i) == "numbers beyond a double's range"
        assert verdict(lambda i: math.inf if i % 2 else -math.inf) == (
            "numbers beyond a double's range"
        )

    def test_what_is_nested_too_deep_is_left_out(self) -> None:
        deep: dict[str, object] = {"z": 1}
        for _ in range(40):
            deep = {"z": deep}
        found = discover([{"x": x, "y": deep} for x in noise()])
        assert list(reasons(found).values()) == ["nested deeper than 24"]

    def test_a_long_text_is_not_watched(self) -> None:
        assert verdict(lambda _: "x" * 300) == "a long text that does not vary"


class TestNothingUsable:
    def test_no_feature_at_all_is_no_schema_but_reasons(self) -> None:
        found = discover([{"site": "north", "tags": ["a"], "at": i} for i in range(200)])
        assert found == Discovery(
            schema=None,
            reasons={"site": "(nearly) always the same value"},
            left_out=(
                LeftOut("at", GROWS),
                LeftOut("site", "a constant"),
                LeftOut("tags", "an array of texts"),
            ),
            types=None,
            records=200,
        )

    def test_no_records_are_no_schema(self) -> None:
        assert discover([]) == Discovery(
            schema=None, reasons={}, left_out=(), types=None, records=0
        )
