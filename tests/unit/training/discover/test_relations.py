"""What several columns together show: earlier images, types of records, which record counts."""

from __future__ import annotations

import random

import pytest

from tests.shapes.verdicts import kinds, noise, number, reasons, schema_of
from training.discover import discover
from worker.model.schema import Watched, Where

ROWS = 1000


def changes(seed: int = 1) -> list[dict[str, object]]:
    """Change events: an insert has an image after it, a delete one before it, an update both."""
    dice = random.Random(seed)
    made: list[dict[str, object]] = []
    for _ in range(ROWS):
        image: dict[str, object] = {
            "id": f"{dice.getrandbits(50):x}",
            "price": dice.gauss(9, 1),
            "size": dice.choice(["s", "m"]),
        }
        kind = dice.choices("cud", [6, 3, 1])[0]
        before = None if kind == "c" else {**image, "price": dice.gauss(9, 1)}
        made.append({"op": kind, "before": before, "after": None if kind == "d" else image})
    return made


class TestEarlierImages:
    def test_the_image_before_a_change_is_left_out(self) -> None:
        found = discover(changes())
        assert kinds(found) == {"after.price": "number", "after.size": "category"}
        why = "an earlier image of after"
        assert {p: w for p, w in reasons(found).items() if p.startswith("before")} == {
            "before.id": why,
            "before.price": why,
            "before.size": why,
        }

    def test_names_do_not_matter(self) -> None:
        renamed = [{"t": r["op"], "old": r["after"], "new": r["before"]} for r in changes()]
        assert set(kinds(discover(renamed))) == {"old.price", "old.size"}

    @pytest.mark.parametrize("swapped", [False, True])
    def test_where_both_are_always_there_it_is_the_one_that_follows(self, *, swapped: bool) -> None:
        """Whatever their names, an image that was new before is the older one now."""
        dice = random.Random(1)
        rows = {f"k{n}": dice.gauss(9, 1) for n in range(30)}
        made: list[dict[str, object]] = []
        for _ in range(ROWS):
            key = dice.choice(list(rows))
            was, rows[key] = rows[key], dice.gauss(9, 1)
            images = [{"id": key, "price": price, "unit": "EUR"} for price in (was, rows[key])]
            made.append(dict(zip("ba" if swapped else "ab", images, strict=True)))
        newer = "a" if swapped else "b"
        assert set(kinds(discover(made))) == {f"{newer}.id", f"{newer}.price"}

    def test_two_devices_of_one_kind_are_no_images(self) -> None:
        """Not even where both carry the time of the reading."""
        dice = random.Random(1)
        made: list[dict[str, object]] = []
        for i in range(ROWS):
            disks = ["sda", "sdb"] if dice.random() < 0.6 else ["sda"]
            made.append(
                {d: {"at": i, "read": dice.random(), "write": dice.random()} for d in disks}
            )
        assert kinds(discover(made)).keys() == {"sda.read", "sda.write", "sdb.read", "sdb.write"}

    def test_two_objects_that_are_never_both_there_are_no_images(self) -> None:
        dice = random.Random(1)
        made: list[dict[str, object]] = [
            {"span" if i % 3 else "call": {"us": dice.random(), "cost": dice.random()}}
            for i in range(ROWS)
        ]
        assert kinds(discover(made)).keys() == {"call.cost", "call.us", "span.cost", "span.us"}


class TestNaming:
    def test_numbers_that_go_with_a_text_one_to_one_name_what_it_names(self) -> None:
        dice = random.Random(1)
        made: list[dict[str, object]] = []
        for i, x in enumerate(noise(ROWS)):
            key = 1 + dice.randrange(200)
            made.append({"x": x, "account": 7 * key if i % 100 else 3, "mail": f"u{key}@example"})
        found = discover(made)
        assert kinds(found) == {"x": "number"}
        assert reasons(found)["account"] == "names the same things as mail: an identifier"

    def test_numbers_that_several_texts_share_measure(self) -> None:
        dice = random.Random(1)
        made: list[dict[str, object]] = []
        for x in noise(ROWS):
            key = dice.randrange(400)
            made.append({"x": x, "floor": key // 4, "room": f"r{key}"})
        assert kinds(discover(made)) == {"x": "number", "floor": "number"}

    def test_texts_that_hardly_come_again_tell_nothing(self) -> None:
        made: list[dict[str, object]] = [
            {"x": x, "count": i * i % 997, "id": f"{i * i % 997}-{i}"}
            for i, x in enumerate(noise(ROWS))
        ]
        assert kinds(discover(made)) == {"x": "number", "count": "number"}


class TestTypes:
    def typed(self) -> list[dict[str, object]]:
        cpu: list[dict[str, object]] = [{"type": "cpu", "usage": x, "idle": -x} for x in noise()]
        disk: list[dict[str, object]] = [
            {"type": "disk", "free": x, "used": 9 - x} for x in noise(seed=2)
        ]
        return [record for pair in zip(cpu, disk, strict=True) for record in pair]

    def test_types_are_told_and_stay_a_feature(self) -> None:
        found = discover(self.typed())
        assert found.types == ("type", ("cpu", "disk"))
        assert kinds(found) == {
            "type": "category",
            "usage": "number",
            "idle": "number",
            "free": "number",
            "used": "number",
        }

    def test_types_may_be_numbers(self) -> None:
        made = [{**r, "type": 1 + (r["type"] == "disk")} for r in self.typed()]
        assert discover(made).types == ("type", ("1", "2"))

    def test_a_type_without_features_of_its_own_is_none_to_learn(self) -> None:
        """As of a delete: it is skipped, so there is nothing that the type could tell."""
        found = discover(changes())
        assert found.types == ("op", ("c", "d", "u"))
        assert reasons(found)["op"] == "tells records of different types apart"

    def test_one_feature_that_is_now_and_then_absent_makes_no_types(self) -> None:
        made: list[dict[str, object]] = []
        for i, x in enumerate(noise()):
            made.append({"a": x, "b": -x, "c": x * x, "mode": "on" if i % 2 else "off"})
            if i % 2:
                made[-1]["power"] = x
        found = discover(made)
        assert found.types is None
        assert kinds(found)["mode"] == "category"

    def test_where_narrows_what_is_looked_at_and_goes_into_the_schema(self) -> None:
        where = Where(path="type", value="cpu")
        found = discover(self.typed(), where=where)
        schema = schema_of(found)
        assert found.records == ROWS
        assert found.types is None
        assert schema.where == where
        assert schema.features == (number("idle"), number("usage"))
        assert schema.watched == (Watched(path="type", value="cpu"),)

    @pytest.mark.parametrize("where", [Where(path="type", value="gpu"), Where(path="q", value="1")])
    def test_where_may_match_nothing(self, where: Where) -> None:
        found = discover(self.typed(), where=where)
        assert (found.schema, found.records) == (None, 0)

    def test_shapes_without_a_type_give_what_each_of_them_holds(self) -> None:
        found = discover([{"a": x} if i % 2 else {"b": x} for i, x in enumerate(noise())])
        assert schema_of(found).features == (number("a"), number("b"))
        assert found.types is None
