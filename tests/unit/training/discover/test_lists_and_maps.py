"""How lists and maps are entered: by the names of points, by place, or not at all."""

from __future__ import annotations

import random

import msgspec
import pytest

from tests.shapes.verdicts import kinds, noise, reasons, records, schema_of, verdict
from training.discover import discover
from worker.codec import JsonCodec

DICE = random.Random


class TestNamedPoints:
    def test_points_are_found_by_their_names_in_any_order(self) -> None:
        dice = DICE(1)
        made = records(lambda _: dice.sample([{"n": n, "v": dice.random()} for n in "abc"], 3))
        assert kinds(discover(made)) == {
            "x": "number",
            'y[n="a"].v': "number",
            'y[n="b"].v': "number",
            'y[n="c"].v': "number",
        }

    def test_points_may_be_absent(self) -> None:
        dice = DICE(1)
        made = records(lambda i: [{"n": n, "v": dice.random()} for n in "abc"[: 1 + i % 3]])
        assert {f'y[n="{n}"].v' for n in "abc"} < kinds(discover(made)).keys()

    def test_the_name_is_the_member_that_is_written_first(self) -> None:
        dice = DICE(1)
        made = records(
            lambda _: [
                {"id": k, "unit": u, "v": dice.random()} for k, u in (("a", "V"), ("b", "A"))
            ]
        )
        assert 'y[id="a"].v' in kinds(discover(made))

    def test_a_member_whose_texts_never_come_again_names_nothing(self) -> None:
        dice = DICE(1)
        made = records(lambda i: [{"id": f"{i}-{n}", "name": n, "v": dice.random()} for n in "ab"])
        assert 'y[name="a"].v' in kinds(discover(made))

    def test_points_without_names_in_even_number_are_entered_by_place(self) -> None:
        dice = DICE(1)
        made = records(lambda _: [{"v": dice.random()}, {"v": dice.random()}])
        assert kinds(discover(made)) == {"x": "number", "y[0].v": "number", "y[1].v": "number"}

    def test_nameless_points_in_varying_number_are_left_out(self) -> None:
        assert verdict(lambda i: [{"v": i * i % 7}] * (1 + i % 3)) == "an array of varying length"


class TestRecordsThatAreArrays:
    def test_the_places_are_the_features_whatever_stands_there(self) -> None:
        values = noise()
        rows: list[list[object]] = [
            [f"2026-09-01T{i % 24:02}:00:00Z", value, "abc"[i % 3], "eu"]
            for i, value in enumerate(values)
        ]
        found = discover(rows)
        assert kinds(found) == {"[1]": "number", "[2]": "category"}
        assert reasons(found) == {"[0]": "a time"}
        assert [watched.path for watched in schema_of(found).watched] == ["[3]"]

    def test_a_row_of_texts_is_a_row_too(self) -> None:
        rows: list[list[object]] = [[str(v), "abc"[i % 3]] for i, v in enumerate(noise())]
        assert kinds(discover(rows)) == {"[0]": "number", "[1]": "category"}

    def test_of_points_the_names_lead_to_the_features(self) -> None:
        dice = DICE(1)
        rows: list[list[object]] = [
            [*dice.sample([{"n": n, "v": dice.random()} for n in "ab"], 2)] for _ in range(1000)
        ]
        assert kinds(discover(rows)) == {'[n="a"].v': "number", '[n="b"].v': "number"}

    def test_of_other_objects_the_places_do(self) -> None:
        rows: list[list[object]] = [[{"v": v}, {"w": {"u": -v * v}}] for v in noise()]
        assert kinds(discover(rows)) == {"[0].v": "number", "[1].w.u": "number"}

    def test_a_batch_of_records_in_one_is_none(self) -> None:
        rows: list[list[object]] = [[{"v": v}] * (1 + i % 5) for i, v in enumerate(noise())]
        found = discover(rows)
        assert found.schema is None
        assert reasons(found) == {
            "[]": "an array of varying length: a record is read by place, or by the names of its"
            " points"
        }

    def test_whichever_most_records_are_counts(self) -> None:
        rows: list[list[object]] = [[value] for value in noise()]
        objects = records(lambda _: 1.5)
        assert discover([*objects[:300], *rows]) == discover(rows)
        assert discover([*objects, *rows[:300]]) == discover(objects)

    def test_the_codec_reads_them_as_they_were_found(self) -> None:
        values = noise()
        rows: list[list[object]] = [[v, {"s": "ab"[i % 2]}] for i, v in enumerate(values)]
        codec = JsonCodec(record_bytes_max=1000, depth_max=9, missing_share_max=0)
        decoded = codec.decode(
            [msgspec.json.encode(row) for row in rows], schema_of(discover(rows))
        )
        assert decoded.columns.numbers[:, 0].tolist() == values
        assert decoded.columns.codes[:, 0].tolist() == [i % 2 for i in range(len(rows))]


class TestPlaces:
    @pytest.mark.parametrize("make", [float, str, lambda x: x > 0], ids=["json", "text", "bool"])
    def test_a_list_of_fixed_length_is_entered_by_place(self, make: object) -> None:
        assert callable(make)
        values = noise()
        found = discover(records(lambda i: [make(values[i]), make(values[i - 1])]))
        assert {"y[0]", "y[1]"} < kinds(found).keys()

    def test_a_null_in_it_is_an_absent_value(self) -> None:
        values = noise()
        found = discover(records(lambda i: [values[i], None if i % 4 else values[i - 1]]))
        assert {"y[0]", "y[1]"} < kinds(found).keys()

    def test_a_row_of_a_table_has_a_type_in_each_place(self) -> None:
        values = noise()
        found = discover(records(lambda i: ["abc"[i % 3], values[i], i % 5 == 0]))
        assert kinds(found) == {
            "x": "number",
            "y[0]": "category",
            "y[1]": "number",
            "y[2]": "boolean",
        }

    def test_lists_of_lists_are_entered(self) -> None:
        values = noise()
        found = discover(records(lambda i: [[values[i], 1], [values[i - 1], 2]]))
        assert {"y[0][0]", "y[1][0]"} < kinds(found).keys()
        assert [w.path for w in schema_of(found).watched] == ["y[0][1]", "y[1][1]"]

    @pytest.mark.parametrize(
        ("make", "reason"),
        [
            (lambda i: [1.5] * (1 + i % 4), "an array of varying length"),
            (lambda _: [], "an array of varying length"),
            (lambda i: [[]] if i % 50 == 0 else [], "an array of varying length"),
            (lambda _: [0.5] * 65, "an array of varying length"),
            (lambda i: [f"a{i}", "b"], "an array of texts"),
            (lambda i: [i, "b", {"c": 1}], "an array of mixed values"),
            (lambda i: [i % 7, "b"] if i % 2 else ["b", i % 7], "an array of mixed values"),
        ],
    )
    def test_other_lists_are_left_out(self, make: object, reason: str) -> None:
        assert callable(make)
        assert verdict(make) == reason


class TestMaps:
    def test_keys_that_come_and_go_are_a_map(self) -> None:
        dice = DICE(1)
        assert verdict(lambda _: {f"{dice.getrandbits(40):x}": 1.5 for _ in range(3)}) == (
            "a map whose keys come and go"
        )

    def test_so_are_a_few_of_many_that_come_again_in_any_company(self) -> None:
        dice = DICE(1)
        pods = [f"pod-{n}" for n in range(25)]
        assert verdict(lambda _: dict.fromkeys(dice.sample(pods, 4), 0.5)) == (
            "a map whose keys come and go"
        )

    def test_keys_that_stay_are_members(self) -> None:
        dice = DICE(1)
        found = discover(records(lambda _: {f"core{n}": dice.random() for n in range(12)}))
        assert len(kinds(found)) == 13

    def test_keys_that_depend_on_a_type_are_members(self) -> None:
        dice = DICE(1)
        found = discover(records(lambda i: {f"{i % 4}{n}": dice.random() for n in "abcde"}))
        assert len(kinds(found)) == 21

    def test_a_rare_key_beside_them_is_not_told_of(self) -> None:
        dice = DICE(1)
        found = discover(records(lambda i: {"a": dice.random(), f"once {i}": 1}))
        assert kinds(found) == {"x": "number", "y.a": "number"}
        assert reasons(found) == {}

    def test_keys_made_of_data_at_the_top_do_not_fill_the_table(self) -> None:
        found = discover([{"x": x, f"key {i}": 1} for i, x in enumerate(noise())])
        assert kinds(found) == {"x": "number"}
        assert reasons(found) == {}


class TestReading:
    """The codec reads the very values that discovery chose."""

    def test_points_places_dots_commas_and_markers(self) -> None:
        values = noise()
        made: list[dict[str, object]] = []
        for i in range(1000):
            points = [{"n": "b", "v": i % 3 == 0}, {"n": "a", "v": values[i - 1]}]
            made.append(
                {
                    "points": points if i % 2 else points[::-1],
                    "axes": [values[i - 2], values[i - 3]],
                    "a.b": {"c": f"{1000 + values[i]:.3f}".replace(".", ",")},
                    "a": {"b": "unavailable" if i % 10 == 0 else values[i]},
                    "kind": ["x", "y"][i // 2 % 2],
                }
            )
        schema = schema_of(discover(made))
        codec = JsonCodec(record_bytes_max=10_000, depth_max=40, missing_share_max=1)
        columns = codec.decode([msgspec.json.encode(record) for record in made], schema).columns
        read = {f.path: columns.numbers[:, j] for j, f in enumerate(schema.numbers)}
        rows = range(3, 1000)
        assert [read['points[n="a"].v'][i] for i in rows] == [values[i - 1] for i in rows]
        assert [read['points[n="b"].v'][i] for i in rows] == [float(i % 3 == 0) for i in rows]
        assert [read["axes[0]"][i] for i in rows] == [values[i - 2] for i in rows]
        assert [read["axes[1]"][i] for i in rows] == [values[i - 3] for i in rows]
        assert [read['"a.b".c'][i] for i in rows] == [round(1000 + values[i], 3) for i in rows]
        marked = [i for i in range(1000) if read["a.b"][i] != read["a.b"][i]]
        assert marked == list(range(0, 1000, 10))
        assert [read["a.b"][i] for i in rows if i % 10] == [values[i] for i in rows if i % 10]
        (kind,) = schema.categories
        assert columns.codes[:, 0].tolist() == [
            kind.categories.index("xy"[i // 2 % 2]) for i in range(1000)
        ]
