"""`train --dry-run`, what it prints, and how an edited table comes back with --schema."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

import latentwatch
from tests.telemetry import encoded, readings, write_lines
from worker.adapters.artifact_store import DirectoryArtifactStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Table = dict[str, list[dict[str, Any]]]


class Shell:
    """Runs `latentwatch train` on a file in a folder of its own."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys
        self.file = self.records([*readings(400)])

    def records(self, records: list[dict[str, object]], name: str = "records.jsonl") -> Path:
        """Write records to a file."""
        return write_lines(self.folder / name, encoded(records))

    def train(self, *arguments: str | Path, file: Path | None = None) -> tuple[int, str, str]:
        """The exit code, standard output and standard error."""
        words = ["train", file or self.file, "--stream", "machine", *arguments]
        with pytest.raises(SystemExit) as ended:
            latentwatch.main([str(word) for word in words])
        out, err = self._capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, out, err

    def table(self, *arguments: str | Path, file: Path | None = None) -> Table:
        """What --dry-run --json prints."""
        code, out, err = self.train("--dry-run", "--json", *arguments, file=file)
        assert (code, err) == (0, "")
        table: Table = msgspec.json.decode(out)
        return table

    def schema(self, table: object) -> Path:
        """An edited table as a file."""
        path = self.folder / "schema.json"
        path.write_bytes(msgspec.json.encode(table))
        return path

    def trained(self, schema: Path, *arguments: str, file: Path | None = None) -> dict[str, Any]:
        """The schema of the model that is trained with an edited table."""
        code, out, err = self.train("--json", "--schema", schema, *arguments, file=file)
        assert (code, err) == (0, "")
        outcome: dict[str, Any] = msgspec.json.decode(out)
        return outcome


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    for name in [name for name in os.environ if name.startswith("LATENTWATCH_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return Shell(tmp_path, capsys)


def kinds(table: Table) -> dict[str, str]:
    return {row["path"]: row["kind"] for row in table["features"]}


class TestTable:
    def test_it_names_features_constants_and_the_rest_with_reasons(self, shell: Shell) -> None:
        assert shell.table() == {
            "features": [
                {"path": "heat.inlet", "kind": "number", "reason": "numbers"},
                {"path": "heat.outlet", "kind": "number", "reason": "numbers"},
                {"path": "load", "kind": "number", "reason": "numbers"},
                {"path": "mode", "kind": "category", "reason": "few values that come again"},
                {"path": "running", "kind": "boolean", "reason": "true or false"},
            ],
            "watched": [
                {"path": "site", "value": "north", "reason": "(nearly) always the same value"}
            ],
            "left_out": [
                {
                    "path": "at",
                    "reason": "grows or falls from record to record: a time or a counter",
                },
                {"path": "id", "reason": "a text with too many different values"},
            ],
        }

    def test_for_people_it_is_a_line_for_each_path(self, shell: Shell) -> None:
        code, out, err = shell.train("--dry-run")
        assert (code, err) == (0, "")
        assert [line.split(None, 2) for line in out.splitlines()][:1] == [
            ["heat.inlet", "number", "numbers"]
        ]
        assert [line.split()[0] for line in out.splitlines()] == [
            "heat.inlet",
            "heat.outlet",
            "load",
            "mode",
            "running",
            "site",
            "at",
            "id",
        ]

    def test_nothing_is_stored(self, shell: Shell) -> None:
        shell.table()
        assert [path.name for path in shell.folder.iterdir()] == ["records.jsonl"]

    def test_how_a_number_is_written_is_told(self, shell: Shell) -> None:
        dice = random.Random(0)
        texts = shell.records(
            [
                {
                    "a": f"{dice.random():.3f}" if i % 9 else "-",
                    "b": f"{dice.random():.2f}".replace(".", ","),
                }
                for i in range(400)
            ],
            "texts.jsonl",
        )
        assert shell.table(file=texts)["features"] == [
            {
                "path": "a",
                "kind": "number",
                "parse": "text",
                "absent": ["-"],
                "reason": "numbers written as text",
            },
            {"path": "b", "kind": "number", "parse": "comma", "reason": "numbers written as text"},
        ]

    def test_records_without_features_are_bad_data_and_named(self, shell: Shell) -> None:
        file = shell.records([{"site": "north", "tags": []}] * 200, "none.jsonl")
        code, out, err = shell.train("--dry-run", file=file)
        assert (code, out) == (65, "")
        assert "site: a constant" in err
        assert "tags: an array of varying length" in err


class TestTypes:
    @pytest.fixture
    def mixed(self, shell: Shell) -> Path:
        dice = random.Random(0)
        made: list[dict[str, object]] = []
        for _ in range(400):
            made.append({"type": "cpu", "usage": dice.random(), "idle": dice.random()})
            made.append({"type": "disk", "free": dice.random(), "used": dice.random()})
        return shell.records(made, "mixed.jsonl")

    def test_types_are_named_with_the_option_that_picks_one(
        self, shell: Shell, mixed: Path
    ) -> None:
        _, out, _ = shell.train("--dry-run", file=mixed)
        assert out.splitlines()[-1] == (
            "  records of several types, told apart by type: cpu, disk;"
            " --where type=cpu learns one of them alone"
        )

    def test_where_narrows_what_is_looked_at(self, shell: Shell, mixed: Path) -> None:
        table = shell.table("--where", "type=disk", file=mixed)
        assert kinds(table) == {"free": "number", "used": "number"}
        assert table["watched"] == [
            {"path": "type", "value": "disk", "reason": "(nearly) always the same value"}
        ]
        _, out, _ = shell.train("--dry-run", "--where", "type=disk", file=mixed)
        assert "several types" not in out

    def test_where_and_an_edited_schema_go_together(self, shell: Shell, mixed: Path) -> None:
        table = shell.table("--where", "type=disk", file=mixed)
        outcome = shell.trained(shell.schema(table), "--where", "type=disk", file=mixed)
        assert outcome["schema"]["where"] == {"path": "type", "value": "disk"}
        assert outcome["rows"]["skipped"] == 400

    def test_where_may_name_a_point_of_a_list(self, shell: Shell) -> None:
        dice = random.Random(0)
        file = shell.records(
            [
                {
                    "tags": [{"k": "env", "v": "a=b" if i % 2 else "c"}, {"k": "q", "v": "r"}],
                    "x": dice.random(),
                }
                for i in range(400)
            ],
            "tags.jsonl",
        )
        table = shell.table("--where", 'tags[k="env"].v=a=b', file=file)
        assert {row["path"]: row["value"] for row in table["watched"]} == {
            'tags[k="env"].v': "a=b",
            'tags[k="q"].v': "r",
        }

    def test_a_where_that_nothing_matches_is_bad_data(self, shell: Shell, mixed: Path) -> None:
        code, _, err = shell.train("--dry-run", "--where", "type=gpu", file=mixed)
        assert code == 65
        assert "no record that holds gpu at type" in err


class TestSchema:
    def test_taken_back_as_it_is_it_changes_nothing(self, shell: Shell) -> None:
        table = shell.table()
        schema = shell.schema(table)
        assert shell.table("--schema", schema) == table
        _, without, _ = shell.train("--json", "--store", "a")
        _, given, _ = shell.train("--json", "--schema", schema, "--store", "b")
        one, other = msgspec.json.decode(without), msgspec.json.decode(given)
        assert one["schema"] == other["schema"]
        assert one["backtest"] == other["backtest"]

    @pytest.mark.parametrize(
        ("edit", "path", "kind"),
        [
            (lambda t: t["features"].pop(2), "load", None),
            (lambda t: t["features"][2].update(kind="category"), "load", "category"),
            (lambda t: t["features"].append({"path": "at", "kind": "number"}), "at", "number"),
        ],
        ids=["removed", "as a category", "added"],
    )
    def test_a_feature_may_be_edited(
        self, shell: Shell, edit: Callable[[Table], object], path: str, kind: str | None
    ) -> None:
        rounded = [{**r, "load": round(float(str(r["load"])), -1)} for r in readings(400)]
        file = shell.records(rounded, "rounded.jsonl")
        table = shell.table(file=file)
        edit(table)
        outcome = shell.trained(shell.schema(table), file=file)
        features = {f["path"]: f["kind"] for f in outcome["schema"]["features"]}
        assert features.get(path) == kind
        store = DirectoryArtifactStore(shell.folder / "models", "machine")
        schema = store.load(outcome["version"]).detector.schema
        assert {f.path: f.kind for f in schema.features} == features
        left_out = {item["path"]: item["reason"] for item in outcome["left_out"]}
        assert left_out.get(path) == (None if kind else "not in the schema that was given")

    def test_a_category_of_numbers_has_them_as_texts(self, shell: Shell) -> None:
        rounded = [{**r, "load": round(float(str(r["load"])), -1)} for r in readings(400)]
        file = shell.records(rounded, "rounded.jsonl")
        table = shell.table(file=file)
        table["features"][2]["kind"] = "category"
        outcome = shell.trained(shell.schema(table), file=file)
        (load,) = (f for f in outcome["schema"]["features"] if f["path"] == "load")
        assert sorted(load["categories"]) == ["30", "40", "50", "60", "70"]

    def test_a_feature_may_be_watched_instead(self, shell: Shell) -> None:
        table = shell.table()
        table["features"] = [row for row in table["features"] if row["path"] != "running"]
        table["watched"].append({"path": "running"})
        outcome = shell.trained(shell.schema(table))
        (_, running) = outcome["schema"]["watched"]
        held = [reading["running"] for reading in readings(400)]
        assert (running["path"], running["value"]) == ("running", True)
        assert running["other_share"] == held.count(False) / 400

    def test_a_number_may_be_read_from_text(self, shell: Shell) -> None:
        codes = [{**r, "part": f"{i * 7 % 90:04}"} for i, r in enumerate(readings(400))]
        file = shell.records(codes, "codes.jsonl")
        table = shell.table(file=file)
        assert "part" not in kinds(table)
        table["features"].append({"path": "part", "kind": "number", "parse": "text"})
        outcome = shell.trained(shell.schema(table), file=file)
        (part,) = (f for f in outcome["schema"]["features"] if f["path"] == "part")
        assert (part["lower"], part["upper"], part["parse"]) == (0.0, 89.0, "text")

    def test_discovery_need_not_find_anything(self, shell: Shell) -> None:
        file = shell.records([{"count": i} for i in range(400)], "counts.jsonl")
        schema = shell.schema({"features": [{"path": "count", "kind": "number"}]})
        outcome = shell.trained(schema, file=file)
        assert [f["path"] for f in outcome["schema"]["features"]] == ["count"]


class TestUsage:
    @pytest.mark.parametrize(
        ("content", "why"),
        [
            (b"not json", "malformed"),
            (b"[]", "Expected `object`"),
            (b"{}", "required field `features`"),
            (b'{"features": []}', "at least one feature"),
            (b'{"features": [{"path": "a[", "kind": "number"}]}', "not a path"),
            (b'{"features": [{"path": "a", "kind": "colour"}]}', "colour"),
            (b'{"features": [{"path": "a"}]}', "required field `kind`"),
            (b'{"features": [{"path": "a", "kind": "number", "parce": "text"}]}', "parce"),
            (
                b'{"features": [{"path": "a", "kind": "number"}], "watched": [{"path": "a"}]}',
                "paths stand twice: a",
            ),
        ],
    )
    def test_a_schema_that_cannot_be_read(self, shell: Shell, content: bytes, why: str) -> None:
        path = shell.folder / "schema.json"
        path.write_bytes(content)
        code, out, err = shell.train("--schema", path)
        assert (code, out) == (64, "")
        assert why in err

    @pytest.mark.parametrize(
        ("arguments", "why"),
        [
            (["--where", "type"], "--where takes PATH=VALUE"),
            (["--where", "=cpu"], "--where takes PATH=VALUE"),
            (["--where", "a[=cpu"], "not a path"),
            (["--schema", "nowhere.json"], "does not exist"),
            (["--time", "a["], "not a path"),
            (["--last", "7d"], "--last"),
        ],
    )
    def test_usage_errors(self, shell: Shell, arguments: list[str], why: str) -> None:
        code, out, err = shell.train("--dry-run", *arguments)
        assert (code, out) == (64, "")
        assert why in err
