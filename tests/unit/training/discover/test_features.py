"""What becomes a feature, and of which kind."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from tests.shapes.verdicts import kinds, noise, number, records, schema_of, verdict, verdicts
from tests.telemetry import FEATURES, readings
from training.discover import discover
from worker.model.path import parse_path
from worker.model.schema import Feature, Watched

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.model.values import Parse


def test_telemetry_is_understood() -> None:
    found = discover(readings(600))
    schema = schema_of(found)
    assert kinds(found) == {
        "heat.inlet": "number",
        "heat.outlet": "number",
        "load": "number",
        "mode": "category",
        "running": "boolean",
    }
    assert kinds(found).keys() == set(FEATURES)
    assert schema.watched == (Watched(path="site", value="north"),)
    assert verdicts(found)["at"] == "grows or falls from record to record: a time or a counter"
    assert verdicts(found)["id"] == "a text with too many different values"
    assert found.records == 600


def test_features_stand_in_the_order_of_their_paths() -> None:
    """Which comes first in the records would depend on a single one of them."""
    found = discover([{"b": x, "a": {"z": x * x, "c": -x}} for x in noise()])
    assert list(kinds(found)) == ["a.c", "a.z", "b"]


class TestPaths:
    def test_leaves_are_found_at_any_depth(self) -> None:
        found = discover([{"a": {"b": {"c": {"d": x}}}} for x in noise()])
        assert schema_of(found).features == (number("a.b.c.d"),)

    def test_a_key_with_a_dot_is_quoted_in_the_path(self) -> None:
        found = discover([{"id.orig_h": {"x": x}} for x in noise()])
        assert schema_of(found).features == (number('"id.orig_h".x'),)

    def test_a_key_with_a_dot_and_nesting_are_two_paths(self) -> None:
        found = discover([{"a.b": x, "a": {"b": x > 0}} for x in noise()])
        assert kinds(found) == {'"a.b"': "number", "a.b": "boolean"}

    def test_the_empty_key_is_a_key(self) -> None:
        found = discover([{"": x} for x in noise()])
        assert schema_of(found).features == (number('""'),)


class TestNumbers:
    def test_whole_and_broken_numbers_are_of_one_type(self) -> None:
        assert verdict(lambda i: i % 7 if i % 2 else i % 11 + 0.5) == number("y")

    def test_a_number_may_be_absent_from_most_records(self) -> None:
        found = discover(
            [{"x": x, **({"y": x} if i % 10 == 0 else {})} for i, x in enumerate(noise())]
        )
        assert schema_of(found).features == (number("x"), number("y"))

    def test_a_number_that_grows_only_now_and_then_is_a_feature(self) -> None:
        assert verdict(lambda i: 7 * i % 101) == number("y")

    @pytest.mark.parametrize("share", [1, 5])
    def test_null_counts_as_absent_for_a_number(self, share: int) -> None:
        assert verdict(lambda i: None if i % 10 < share else i % 13) == number("y")

    def test_zero_and_one_are_numbers(self) -> None:
        assert verdict(lambda i: int(i % 3 == 0)) == number("y")

    def test_whole_numbers_in_a_row_are_numbers(self) -> None:
        assert verdict(lambda i: i % 5) == number("y")

    @pytest.mark.parametrize("text", ["{:.3f}", "{:.2e}", " {:.1f} ", "+{:.1f}"])
    def test_a_number_may_be_written_as_text(self, text: str) -> None:
        values = [abs(x) for x in noise()]
        assert verdict(lambda i: text.format(values[i])) == Feature(
            path="y", kind="number", parse="text"
        )

    @pytest.mark.parametrize(
        "write",
        [
            lambda x: f"{x:.2f}".replace(".", ","),
            lambda x: f"{x:,.2f}".translate(str.maketrans(",.", ".,")),
            lambda x: f"{x:,.2f}".translate(str.maketrans(",.", "\u202f,")),
            lambda x: f"{x:,.2f}".translate(str.maketrans(",.", "',")),
        ],
        ids=["plain", "German", "French", "Swiss"],
    )
    def test_or_with_a_decimal_comma(self, write: object) -> None:
        values = [2000 * abs(x) for x in noise()]
        assert callable(write)
        assert verdict(lambda i: write(values[i])) == Feature(
            path="y", kind="number", parse="comma"
        )

    def test_or_with_thousands_set_apart_by_commas(self) -> None:
        values = [2000 * abs(x) for x in noise()]
        assert verdict(lambda i: f"{values[i]:,.2f}") == Feature(
            path="y", kind="number", parse="text"
        )
        assert verdict(lambda i: f"${values[i]:,.2f}") == Feature(
            path="y", kind="number", parse="text", unit="$"
        )

    def test_a_comma_that_may_be_the_decimal_sign_is(self) -> None:
        values = [abs(x) for x in noise()]
        assert verdict(lambda i: f"{values[i]:.3f}".replace(".", ",")) == Feature(
            path="y", kind="number", parse="comma"
        )

    def test_few_numbers_beside_a_marker_are_numbers(self) -> None:
        """What stands once beside the marker is a number, and no damage to a constant."""
        values = noise()
        assert verdict(lambda i: f"{values[i]:.3f}" if i % 33 == 0 else "-") == Feature(
            path="y", kind="number", parse="text", absent=("-",)
        )

    def test_a_decimal_comma_now_and_then_is_no_number(self) -> None:
        values = noise()
        assert verdict(lambda i: f"{values[i]:.3f}".replace(".", "," if i % 2 else ".")) == (
            "a text with too many different values"
        )


class TestUnits:
    @pytest.mark.parametrize(
        ("write", "parse", "unit"),
        [
            ("{:.2f} ms", "text", "ms"),
            ("{:.1f}%", "text", "%"),
            ("{:.3f}kB", "text", "kB"),
            ("${:.2f}", "text", "$"),
        ],
    )
    def test_a_number_may_have_a_unit(self, write: str, parse: Parse, unit: str) -> None:
        values = noise()
        found = discover(records(lambda i: write.format(50 + values[i])))
        assert verdicts(found)["y"] == Feature(path="y", kind="number", parse=parse, unit=unit)
        assert found.reasons["y"] == f"numbers in {unit}, written as text"

    def test_also_with_a_decimal_comma_and_markers(self) -> None:
        values = noise()
        assert verdict(
            lambda i: f"{100 + values[i]:.2f} €".replace(".", ",") if i % 5 else "-"
        ) == Feature(path="y", kind="number", parse="comma", unit="€", absent=("-",))

    def test_a_zero_may_do_without(self) -> None:
        values = noise()
        found = verdict(lambda i: f"{abs(values[i]):.2f}s" if i % 5 else "0")
        assert found == Feature(path="y", kind="number", parse="text", unit="s")

    @pytest.mark.parametrize(
        "make",
        [
            lambda i: f"{i * i % 997}{'ms' if i % 2 else 's'}",
            lambda i: f"a{i * i % 997}",
            lambda i: f"v1.{i % 7}.{i * i % 97}",
            lambda i: f"10.0.{i % 7}.{i * i % 97}",
            lambda i: f"{i * i % 997:03}{'abcdef'[i * i % 6]}",
            lambda i: f"{i * i % 997:04}B",
            lambda i: f"{i * i % 24:02}:{i % 60:02}h",
        ],
    )
    def test_two_units_and_names_are_none(self, make: Callable[[int], object]) -> None:
        assert not isinstance(verdict(make), Feature)

    def test_few_that_come_again_with_gaps_are_still_codes(self) -> None:
        speeds = (10, 100, 1000, 2500, 5000)
        found = verdict(lambda i: f"{speeds[i % 5]}Mb")
        assert found == Feature(
            path="y",
            kind="category",
            categories=("1000Mb", "100Mb", "10Mb", "2500Mb", "5000Mb"),
        )

    def test_very_few_numbers_with_letters_behind_are_names(self) -> None:
        found = verdict(lambda i: f"{2 + i % 2}d")
        assert found == Feature(path="y", kind="category", categories=("2d", "3d"))


class TestMarkers:
    """Texts that stand for an absent value."""

    @pytest.mark.parametrize("marker", ["-", "", "unavailable", "N/A", "NaN"])
    def test_a_marker_among_texts(self, marker: str) -> None:
        values = noise()
        assert verdict(lambda i: marker if i % 3 else f"{values[i]:.3f}") == Feature(
            path="y", kind="number", parse="text", absent=(marker,)
        )

    def test_a_marker_among_json_numbers(self) -> None:
        values = noise()
        assert verdict(lambda i: "unavailable" if i % 12 == 0 else values[i]) == Feature(
            path="y", kind="number", absent=("unavailable",)
        )

    def test_a_marker_that_is_rare(self) -> None:
        values = noise()
        assert verdict(lambda i: "-" if i % 100 == 0 else values[i]) == Feature(
            path="y", kind="number", absent=("-",)
        )

    def test_a_marker_among_true_and_false(self) -> None:
        assert verdict(lambda i: "unknown" if i % 9 == 0 else i % 4 == 0) == Feature(
            path="y", kind="boolean", absent=("unknown",)
        )

    def test_several_markers(self) -> None:
        values = noise()
        markers = {0: "unavailable", 1: "unknown", 2: "none"}
        found = verdict(lambda i: markers.get(i % 20, f"{values[i]:.2f}"))
        assert isinstance(found, Feature)
        assert found.absent == ("none", "unavailable", "unknown")

    def test_one_odd_text_is_damage_and_no_marker(self) -> None:
        values = noise()
        assert verdict(lambda i: "oops" if i == 500 else values[i]) == number("y")

    def test_states_of_which_some_are_digits_are_a_category(self) -> None:
        found = verdict(lambda i: ["on", "off", "on", "off", "3"][i % 5])
        assert found == Feature(path="y", kind="category", categories=("3", "off", "on"))


class TestCategories:
    def test_a_text_whose_values_come_again_is_a_category(self) -> None:
        assert verdict(lambda i: "abc"[i % 3]) == Feature(
            path="y", kind="category", categories=("a", "b", "c")
        )

    def test_fifty_values_are_a_category(self) -> None:
        found = verdict(lambda i: f"room {i % 50}")
        assert isinstance(found, Feature)
        assert len(found.categories) == 50

    def test_whole_numbers_with_gaps_are_an_enumeration(self) -> None:
        assert verdict(lambda i: [200, 404, 503][i % 3]) == Feature(
            path="y", kind="category", categories=("200", "404", "503")
        )

    def test_also_those_written_as_text(self) -> None:
        assert verdict(lambda i: ["200", "404", "503"][i % 3]) == Feature(
            path="y", kind="category", categories=("200", "404", "503")
        )

    def test_whole_numbers_far_apart_name_things(self) -> None:
        dice = random.Random(3)
        devices = [dice.randrange(10**9) for _ in range(40)]
        found = verdict(lambda i: devices[i % 40])
        assert isinstance(found, Feature)
        assert found.categories == tuple(sorted(map(str, devices)))

    @pytest.mark.parametrize("unit", [1, 60, 100, 1000, 1024, 10**9, 10**14])
    @pytest.mark.parametrize("values", [14, 5, 3])
    def test_counts_are_numbers_in_any_unit(self, values: int, unit: int) -> None:
        assert verdict(lambda i: unit * (i * i % 97 % values)) == number("y")
        assert verdict(lambda i: float(unit * (i * i % 97 % values))) == number("y")

    @pytest.mark.parametrize("unit", [1, 60, 1000, 10**9])
    def test_codes_with_gaps_are_an_enumeration_in_any_unit(self, unit: int) -> None:
        found = verdict(lambda i: unit * [1, 2, 4, 8, 16][i * i % 97 % 5])
        assert isinstance(found, Feature)
        assert set(found.categories) == {str(unit * code) for code in (1, 2, 4, 8, 16)}

    @pytest.mark.parametrize("codes", [(200, 500), (200, 400, 500), (200, 400, 401, 500, 503)])
    def test_status_codes_are_an_enumeration_also_where_most_are_hundreds(
        self, codes: tuple[int, ...]
    ) -> None:
        found = verdict(lambda i: codes[i * i % 97 % len(codes)])
        assert isinstance(found, Feature)
        assert found.categories == tuple(map(str, codes))

    def test_a_code_that_is_rare_tells_hundreds_from_an_amount(self) -> None:
        found = verdict(lambda i: 404 if i % 250 == 0 else [200, 300, 400, 500][i % 4])
        assert isinstance(found, Feature)
        assert "404" in found.categories

    def test_amounts_in_even_steps_are_numbers(self) -> None:
        dice = random.Random(3)
        assert verdict(lambda _: 4096 * dice.randrange(40)) == number("y")

    @pytest.mark.parametrize("unit", [1.0, 1e-12, 1e14, 1e25, 1e290])
    def test_what_is_measured_is_a_number_in_any_unit(self, unit: float) -> None:
        dice = random.Random(3)
        assert verdict(lambda _: unit * dice.uniform(1, 2)) == number("y")

    def test_true_and_false_are_a_kind_of_their_own(self) -> None:
        assert verdict(lambda i: i % 3 == 0) == Feature(path="y", kind="boolean")


class TestWatched:
    @pytest.mark.parametrize("value", ["north", 5, 2.5, True, False, 0, ""], ids=repr)
    def test_a_constant_is_watched(self, value: object) -> None:
        found = verdict(lambda _: value)
        assert isinstance(found, Watched)
        assert (found.value, type(found.value)) == (value, type(value))
        assert found.other_share == 0

    def test_a_value_that_is_nearly_always_the_same_is_watched_with_the_others_share(self) -> None:
        found = verdict(lambda i: "late" if i % 100 == 0 else "on time")
        assert found == Watched(path="y", value="on time", other_share=0.01)

    def test_98_percent_are_a_constant_and_less_are_not(self) -> None:
        assert isinstance(verdict(lambda i: "a" if i % 50 else "b"), Watched)
        assert isinstance(verdict(lambda i: "a" if i % 49 else "b"), Feature)

    def test_now_and_then_another_type_counts_as_another_value(self) -> None:
        found = verdict(lambda i: [] if i % 100 == 0 else 7)
        assert found == Watched(path="y", value=7, other_share=0.01)

    def test_true_is_not_taken_for_one(self) -> None:
        found = verdict(lambda i: True if i % 100 == 0 else 1)
        assert isinstance(found, Watched)
        assert (found.value, found.other_share) == (1, 0.01)
        assert found.value is not True

    @pytest.mark.parametrize("value", [1_700_000_000_000, 2**53 + 1, 2**64, 1e300, -3, 1e15])
    def test_the_constant_itself_is_no_other_value(self, value: float) -> None:
        found = verdict(lambda _: value)
        assert isinstance(found, Watched)
        assert found.code(value) == 0

    def test_a_null_beside_the_constant_was_seen_too(self) -> None:
        found = verdict(lambda i: None if i % 4 == 0 else "ok")
        assert found == Watched(path="y", value="ok", other_share=0.25)

    def test_a_constant_in_few_records_is_watched_where_it_stands(self) -> None:
        found = discover(
            [{"x": x} | ({"y": "rare"} if i % 20 == 0 else {}) for i, x in enumerate(noise())]
        )
        assert schema_of(found).watched == (Watched(path="y", value="rare"),)


def test_the_event_time_is_no_feature() -> None:
    found = discover(records(lambda i: 13 * i % 997), time=parse_path("y"))
    assert verdicts(found)["y"] == "the event time"
