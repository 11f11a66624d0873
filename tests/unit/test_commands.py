"""The one command `latentwatch`, in this process: words, output and exit codes."""

from __future__ import annotations

import io
import logging
import os
import re
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import msgspec
import pytest

import latentwatch
import worker.schemas
from tests.telemetry import FEATURES, absurd, encoded, readings, write_lines
from worker.adapters.artifact_store import DirectoryArtifactStore
from worker.settings import variable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

KEYS = [
    "index",
    "score",
    "flagged",
    "latent_distance",
    "reconstruction_error",
    "kind",
    "rejected",
]
NEW = [*encoded([*readings(60, seed=3), absurd()]), b"{", b"", *encoded(readings(5, seed=4))]
ODD_ROW, BROKEN_ROW, BLANK_ROW = 60, 61, 62


@dataclass(frozen=True)
class Ended:
    """How a command ended and what it wrote."""

    code: int
    out: str
    err: str

    def lines(self) -> list[dict[str, object]]:
        """Standard output as JSON lines."""
        return [msgspec.json.decode(line) for line in self.out.splitlines()]


@dataclass(frozen=True)
class Shell:
    """Runs commands in a folder of its own."""

    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch

    def __call__(self, *arguments: str | Path, stdin: bytes = b"") -> Ended:
        self.monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as ended:
            latentwatch.main([str(argument) for argument in arguments])
        out, err = self.capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Ended(ended.value.code, out, err)


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    for name in [name for name in os.environ if name.startswith("LATENTWATCH_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return Shell(capsys, monkeypatch)


@pytest.fixture
def process_state() -> Iterator[None]:
    """`run` takes over logging and signals, and a test gives them back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    caught = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for number, handler in caught.items():
        signal.signal(number, handler)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a model of the stream `machine`, trained by the command itself."""
    folder = tmp_path_factory.mktemp("trained")
    file = write_lines(folder / "readings.jsonl", encoded(readings(600)))
    store = folder / "models"
    arguments = ["train", file, "--stream", "machine", "--store", store, "--alert-rate", "0.01"]
    with pytest.raises(SystemExit) as ended:
        latentwatch.main([str(argument) for argument in arguments])
    assert ended.value.code == 0
    return store


def new_records(values: Sequence[bytes] = NEW) -> Path:
    return write_lines(Path("new.jsonl"), values)


def text(name: str, content: str) -> Path:
    path = Path(name)
    path.write_text(content, encoding="utf-8")
    return path


class TestUsage:
    """Exit code 64: the command line itself is wrong."""

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ([], "Usage: latentwatch"),
            (["watch"], "No such command 'watch'"),
            (["--nope"], "No such option '--nope'"),
            (["run", "--nope"], "No such option '--nope'"),
            (["score"], "Missing argument 'FILE'"),
            (["score", "absent.jsonl", "--stream", "s"], "'absent.jsonl' does not exist"),
            (["score", "-"], "Missing option '--stream'"),
            (["run", "--topic", "t", "--scores", "some"], "'some' is not one of"),
            (["run", "--topic", "t", "--config", "absent.toml"], "'absent.toml' does not exist"),
            (["train"], "give a FILE, --topic NAME, LATENTWATCH_TOPIC, or topic in"),
            (["train", "--stream", "s"], "give a FILE, --topic NAME, LATENTWATCH_TOPIC"),
            (["train", "--topic", "t", "--seed", "x"], "'x' is not a valid integer"),
            (["train", "--topic", "t", "--alerts-per-day", "x"], "'x' is not a valid float"),
            (["train", "here.jsonl", "--topic", "t"], "give either a FILE or --topic"),
            (["train", "here.jsonl"], "a FILE needs --stream NAME"),
            (["train", "here.jsonl", "--stream", "s", "--last", "7d"], "bound a topic"),
            (["train", "here.jsonl", "--stream", "s", "--from", "2026-01-01"], "bound a topic"),
            (["train", "--topic", "t", "--last", "7d", "--from", "2026-01-01"], "exclude each"),
            (
                ["train", "--topic", "t", "--from", "2026-01-02", "--to", "2026-01-01"],
                "--from must be before --to",
            ),
            (["train", "--topic", "t", "--last", "soon"], "'soon' is not a duration such as 30m"),
            (["train", "--topic", "t", "--to", "noon"], "'noon' is not a time such as 2026-"),
            (["train", "--topic", "t", "--time", "a..b"], "not a path: 'a..b'"),
            (["train", "--topic", "t", "--where", "type"], "--where takes PATH=VALUE"),
            (["train", "--topic", "t", "--where", "=cpu"], "--where takes PATH=VALUE"),
            (["train", "--topic", "t", "--where", "a[=cpu"], "not a path"),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, list) else "",
    )
    def test_it_says_what_is_wrong(self, shell: Shell, arguments: list[str], said: str) -> None:
        text("here.jsonl", "{}\n")
        ended = shell(*arguments)
        assert ended.code == 64
        assert said in ended.err
        assert ended.out == ""


class TestHelp:
    @pytest.mark.parametrize("word", list(latentwatch.WORDS))
    def test_every_word_shows_examples_of_itself(self, shell: Shell, word: str) -> None:
        ended = shell(word, "--help")
        assert ended.code == 0
        assert (
            len(re.findall(rf"^    (?:.* \| )?latentwatch {word} ", ended.out, re.MULTILINE)) >= 2
        )

    @pytest.mark.parametrize("name", ["topic", "stream", "store", "kafka.bootstrap_servers"])
    @pytest.mark.parametrize("word", ["run", "check", "train"])
    def test_an_option_for_a_setting_names_its_variable(
        self, shell: Shell, word: str, name: str
    ) -> None:
        told = " ".join(shell(word, "--help").out.split())
        assert f"[env var: {variable(name)}" in told

    def test_the_command_lists_its_words_and_what_they_do(self, shell: Shell) -> None:
        ended = shell("-h")
        assert ended.code == 0
        for word, (_, does) in latentwatch.WORDS.items():
            assert re.search(rf"^  {word} +{re.escape(does)}$", ended.out, re.MULTILINE)

    def test_it_knows_its_version(self, shell: Shell) -> None:
        assert re.fullmatch(r"latentwatch \d+\.\d+\.\d+\n", shell("--version").out)


class TestTraining:
    @pytest.mark.parametrize("place", ["variable", "file"])
    def test_the_topic_may_be_named_elsewhere(
        self, shell: Shell, monkeypatch: pytest.MonkeyPatch, place: str
    ) -> None:
        address = f"127.0.0.1:{closed_port()}"
        if place == "variable":
            monkeypatch.setenv("LATENTWATCH_TOPIC", "t")
        else:
            text("latentwatch.toml", 'topic = "t"\n')
        ended = shell("train", "--bootstrap-servers", address)
        assert (ended.code, ended.err) == (69, f"latentwatch: no broker answers at {address}\n")

    def test_a_file_is_learned_from_though_a_topic_is_named_elsewhere(
        self, shell: Shell, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LATENTWATCH_TOPIC", "machine")
        file = write_lines(Path("r.jsonl"), encoded(readings(300)))
        assert shell("train", file).code == 0
        assert DirectoryArtifactStore(Path("models"), "machine").current() is not None

    def test_it_says_what_it_learned(self, shell: Shell, models: Path) -> None:
        file = write_lines(Path("r.jsonl"), [*encoded(readings(400)), b"garbage"])
        ended = shell("train", file, "--stream", "machine", "--store", models, "--time", "at")
        assert ended.code == 0
        assert ended.err == ""
        first, why, learned, schema, *left_out, rate, backtest = ended.out.splitlines()[:-10]
        assert re.fullmatch(r"model \d{8}T\d{6}Z-[0-9a-f]{8} of machine: promoted", first)
        assert "hold-out records flagged; the current model flagged" in why
        assert learned == (
            "  learned from 240 of 401 records (1 unreadable, 0 skipped), calibrated on 80,"
            " judged on 80"
        )
        assert schema == (
            "  5 features (4 numbers, 1 categories), 1 constants watched, 2 paths left out"
        )
        assert left_out == [
            "    - at: the event time",
            "    - id: a text with too many different values",
        ]
        assert rate == (
            "  alert rate 0.0001 of normal records; the 80 calibration records support 0.05,"
            " beyond that it is extrapolated"
        )
        assert re.fullmatch(
            r"  backtest: \d+ of 80 hold-out records flagged, about \d+\.\d a day; the oddest:",
            backtest,
        )
        oddest = ended.out.splitlines()[-10:]
        assert all(re.match(r"     ?\d+\.\d\d  2\d{3}-.* \(expected .*; \d+%\)", o) for o in oddest)

    def test_the_summary_comes_as_json_too(self, shell: Shell) -> None:
        file = write_lines(Path("r.jsonl"), encoded(readings(300)))
        ended = shell("train", file, "--stream", "machine", "--json", "--alert-rate", "0.1")
        assert ended.code == 0
        (found,) = ended.lines()
        assert list(found) == [
            "version",
            "promoted",
            "reasons",
            "rows",
            "alert_rate",
            "supported_rate",
            "backtest",
            "schema",
            "left_out",
        ]
        assert (found["promoted"], found["alert_rate"]) == (True, 0.1)
        pointer = DirectoryArtifactStore(Path("models"), "machine").current()
        assert pointer is not None
        assert found["version"] == pointer.version

    def test_where_narrows_the_stretch(self, shell: Shell) -> None:
        others = encoded([{"site": "south", "humidity": i % 7} for i in range(300)])
        file = write_lines(Path("r.jsonl"), [*encoded(readings(300)), *others])
        ended = shell("train", file, "--stream", "north", "--where", "site=north")
        assert ended.code == 0
        assert "learned from 180 of 600 records (0 unreadable, 300 skipped)" in ended.out
        scored = shell("score", file, "--stream", "north", "--all").lines()
        assert [line["score"] is None for line in scored] == [False] * 300 + [True] * 300
        assert {line["rejected"] for line in scored} == {None}

    def test_on_a_terminal_it_shows_how_far_it_is(
        self, shell: Shell, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Terminal(io.StringIO):
            def isatty(self) -> bool:
                return True

        terminal = Terminal()
        monkeypatch.setattr(sys, "stderr", terminal)
        file = write_lines(Path("r.jsonl"), encoded(readings(300)))
        assert shell("train", file, "--stream", "machine").code == 0
        drawn = terminal.getvalue()
        assert f"reading  [{'#' * 30}] 100%\n" in drawn
        assert drawn.endswith(f"fitting  [{'#' * 30}] 100%\n")
        assert f"fitting  [{'#' * 15:<30}]  50%" in drawn

    def test_the_same_file_and_seed_give_the_same_scores(self, shell: Shell) -> None:
        file = write_lines(Path("r.jsonl"), encoded(readings(300)))
        found = []
        for store, seed in (("one", "7"), ("two", "7"), ("three", "8")):
            given = ["--stream", "machine", "--store", store]
            assert shell("train", file, *given, "--seed", seed).code == 0
            found.append(shell("score", new_records(), *given, "--all").out)
        assert found[0] == found[1]
        assert found[0] != found[2]


class TestScoring:
    def test_all_gives_a_line_for_every_record_in_order(self, shell: Shell, models: Path) -> None:
        ended = shell("score", new_records(), "--stream", "machine", "--store", models, "--all")
        assert ended.code == 0
        lines = ended.lines()
        assert {tuple(line) for line in lines} == {tuple(KEYS)}
        assert [line["index"] for line in lines] == list(range(len(NEW)))
        assert lines[ODD_ROW]["flagged"] is True
        assert isinstance(lines[ODD_ROW]["kind"], str)
        nothing = dict.fromkeys(KEYS) | {"flagged": False}
        assert lines[BROKEN_ROW] == {**nothing, "index": BROKEN_ROW, "rejected": "not_json"}
        assert lines[BLANK_ROW] == {**nothing, "index": BLANK_ROW, "rejected": "empty"}
        scored = [line for i, line in enumerate(lines) if i not in {BROKEN_ROW, BLANK_ROW}]
        assert all(isinstance(line["score"], float) for line in scored)
        assert {line["rejected"] for line in scored} == {None}

    def test_standard_input_gives_the_same_lines(self, shell: Shell, models: Path) -> None:
        given: list[str | Path] = ["--stream", "machine", "--store", models, "--all"]
        from_file = shell("score", new_records(), *given)
        from_stdin = shell("score", "-", *given, stdin=Path("new.jsonl").read_bytes())
        assert from_stdin.out == from_file.out
        assert from_stdin.code == 0

    def test_without_all_only_the_events_are_printed(self, shell: Shell, models: Path) -> None:
        given: list[str | Path] = ["--stream", "machine", "--store", models]
        lines = shell("score", new_records(), *given, "--all").lines()
        flagged = [line["index"] for line in lines if line["flagged"]]
        ended = shell("score", "new.jsonl", *given)
        assert ended.code == 0
        events = ended.lines()
        assert [event["id"] for event in events] == [f"new.jsonl-0-{index}" for index in flagged]
        assert len(events) < len(NEW) / 4
        folder = Path(worker.schemas.__file__).parent
        schema = msgspec.json.decode((folder / "anomaly.v1.json").read_bytes())
        for event in events:
            jsonschema.validate(event, schema, format_checker=jsonschema.FormatChecker())
        (odd,) = (event for event in events if event["id"] == f"new.jsonl-0-{ODD_ROW}")
        shown = msgspec.convert(odd["features"], list[dict[str, object]])
        assert {str(feature["name"]) for feature in shown} <= set(FEATURES)
        assert {"load", "heat.inlet"} & {str(feature["name"]) for feature in shown[:3]}

    def test_an_empty_file_gives_nothing(self, shell: Shell, models: Path) -> None:
        ended = shell("score", text("empty", ""), "--stream", "machine", "--store", models)
        assert (ended.code, ended.out) == (0, "")

    def test_a_reader_that_has_seen_enough_ends_it_quietly(
        self, tmp_path: Path, models: Path
    ) -> None:
        file = write_lines(tmp_path / "many.jsonl", encoded(readings(5000)))
        command = f"{sys.executable} -m latentwatch score {file} --stream machine --all"
        ended = subprocess.run(
            ["bash", "-c", f"{command} --store {models} | head -n 2; exit ${{PIPESTATUS[0]}}"],
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert ended.returncode == 0
        assert ended.stderr == b""
        assert [line["index"] for line in map(msgspec.json.decode, ended.stdout.splitlines())] == [
            0,
            1,
        ]


class TestBadData:
    """Exit code 65: the data, or a stored model, cannot be used."""

    @pytest.mark.parametrize(
        ("values", "said"),
        [
            ([], "the stretch is empty: no records in r.jsonl[0] 0..0"),
            (encoded(readings(50)), "too short: 50 usable records of 50"),
            (encoded([{"a": 1}] * 200), "no usable features in 200 records of 200; found:\n  a: a"),
            (
                encoded([{"at": i, "id": f"r{i}"} for i in range(200)]),
                "record to record: a time or a counter\n  id: a text with too many different",
            ),
            ([b"\xff\xfe", b"3", b"}"] * 100, "no JSON objects with values in them"),
        ],
        ids=["empty", "too few", "constant", "no features", "garbage"],
    )
    def test_a_stretch_without_a_model_in_it(
        self, shell: Shell, values: list[bytes], said: str
    ) -> None:
        ended = shell("train", write_lines(Path("r.jsonl"), values), "--stream", "machine")
        assert ended.code == 65
        assert ended.out == ""
        assert ended.err.startswith("latentwatch: ")
        assert said in ended.err
        assert not Path("models").exists()

    def test_a_time_that_is_nowhere(self, shell: Shell) -> None:
        file = write_lines(Path("r.jsonl"), encoded(readings(200)))
        ended = shell("train", file, "--stream", "machine", "--time", "when")
        assert (ended.code, ended.err) == (65, "latentwatch: no record holds a time at when\n")

    def test_alerts_a_day_without_times(self, shell: Shell) -> None:
        file = write_lines(Path("r.jsonl"), encoded(readings(200)))
        ended = shell("train", file, "--stream", "machine", "--alerts-per-day", "5")
        assert ended.code == 65
        assert "see --time" in ended.err

    def test_a_model_whose_weights_were_changed(
        self, shell: Shell, models: Path, tmp_path: Path
    ) -> None:
        version = corrupted(models, tmp_path)
        ended = shell("score", new_records(), "--stream", "machine", "--store", tmp_path)
        assert ended.code == 65
        assert ended.out == ""
        assert ended.err == (
            f"latentwatch: model {version}: weights.safetensors has another hash than the manifest"
            " says\n"
        )


def corrupted(models: Path, root: Path) -> str:
    """A copy of the store below `root` with one byte of the weights changed; the version."""
    subprocess.run(["cp", "-r", models / "machine", root], check=True)
    store = DirectoryArtifactStore(root, "machine")
    pointer = store.current()
    assert pointer is not None
    weights = store.path(pointer.version) / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    return pointer.version


class TestUnreachable:
    """Exit code 69: what is needed is not there."""

    def test_scoring_without_a_model(self, shell: Shell) -> None:
        ended = shell("score", new_records(), "--stream", "machine")
        assert (ended.code, ended.err) == (
            69,
            "latentwatch: no promoted model in models/machine: train one first\n",
        )

    @pytest.mark.usefixtures("process_state")
    def test_watching_without_a_broker(self, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LATENTWATCH_STARTUP_TIMEOUT_S", "0")
        monkeypatch.setenv("LATENTWATCH_HTTP__PORT", "0")
        address = f"127.0.0.1:{closed_port()}"
        ended = shell("run", "--topic", "t", "--bootstrap-servers", address)
        assert ended.code == 69
        assert ended.err.splitlines()[-1] == f"latentwatch: no broker answers at {address}"
        assert ended.out == ""

    def test_training_without_a_broker(self, shell: Shell) -> None:
        address = f"127.0.0.1:{closed_port()}"
        ended = shell("train", "--topic", "t", "--bootstrap-servers", address, "--last", "1h")
        assert (ended.code, ended.err) == (69, f"latentwatch: no broker answers at {address}\n")


def closed_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class TestConfiguration:
    """Exit code 78: settings that cannot be used, all of them at once."""

    def test_all_unknown_settings_are_named_with_their_origin(
        self, shell: Shell, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        text("latentwatch.toml", 'topik = "t"\n[kafka]\nservers = "x"\n[limits]\ndepth_max = 0\n')
        monkeypatch.setenv("LATENTWATCH_OUTPUT__TOPICS", "x")
        ended = shell("run", "--topic", "t")
        assert ended.code == 78
        head, *problems = ended.err.splitlines()
        assert head == "latentwatch: 4 settings are wrong:"
        in_file = "(file latentwatch.toml)"
        assert problems == [
            f"  topik: no such setting; did you mean topic? {in_file}",
            f"  kafka.servers: no such setting; did you mean kafka.bootstrap_servers? {in_file}",
            (
                "  output.topics: no such setting; did you mean output.topic?"
                " (environment LATENTWATCH_OUTPUT__TOPICS)"
            ),
            f"  limits.depth_max: Input should be greater than or equal to 1; got 0 {in_file}",
        ]

    @pytest.mark.parametrize(
        ("arguments", "name"),
        [
            (["train", "r.jsonl", "--stream", "s", "--alert-rate", "2"], "training.alert_rate"),
            (["train", "r.jsonl", "--stream", "a/b"], "stream"),
            (["score", "r.jsonl", "--stream", ".."], "stream"),
            (["run", "--topic", "t", "--store", "s3://bucket"], "store"),
            (["run"], "topic"),
        ],
        ids=["rate", "stream", "dots", "store", "topic"],
    )
    def test_a_value_that_cannot_be_is_named(
        self, shell: Shell, arguments: list[str], name: str
    ) -> None:
        write_lines(Path("r.jsonl"), [])
        ended = shell(*arguments)
        assert ended.code == 78
        assert f"\n  {name}: " in ended.err

    @pytest.mark.parametrize(
        "arguments",
        [["score", "r.jsonl", "--stream", "s"], ["train", "r.jsonl", "--stream", "s"]],
        ids=["score", "train"],
    )
    def test_a_variable_without_effect_is_only_warned_of(
        self, shell: Shell, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
    ) -> None:
        monkeypatch.setenv("LATENTWATCH_TOPIK", "t")
        write_lines(Path("r.jsonl"), [])
        said = shell(*arguments).err.splitlines()[0]
        assert said == "warning: environment LATENTWATCH_TOPIK is no setting and has no effect"

    def test_a_config_file_is_read_from_where_it_is_named(self, shell: Shell) -> None:
        text("own.toml", "[limits]\nmissing_share_max = 7\n")
        write_lines(Path("r.jsonl"), [])
        ended = shell("score", "r.jsonl", "--stream", "s", "--config", "own.toml")
        assert ended.code == 78
        assert "limits.missing_share_max: " in ended.err
        assert "(file own.toml)" in ended.err

    @pytest.mark.usefixtures("process_state")
    def test_a_port_that_is_taken(self, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            monkeypatch.setenv("LATENTWATCH_HTTP__HOST", "127.0.0.1")
            monkeypatch.setenv("LATENTWATCH_HTTP__PORT", str(port))
            ended = shell("run", "--topic", "t")
        assert ended.code == 78
        assert f"latentwatch: cannot listen on 127.0.0.1:{port}" in ended.err

    def test_training_where_torch_is_not_installed(self, tmp_path: Path) -> None:
        script = (
            "import sys; sys.modules['torch'] = None; import latentwatch;"
            " latentwatch.main(['train', '--topic', 't'])"
        )
        ended = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(Path(latentwatch.__file__).parent)},
            timeout=60,
            check=False,
        )
        assert ended.returncode == 78
        assert ended.stderr.decode() == (
            "latentwatch: training is not installed here: pip install 'latentwatch[training]'\n"
        )


class TestDefects:
    def test_another_missing_module_is_a_defect(
        self, shell: Shell, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "worker.commands", None)
        with pytest.raises(ModuleNotFoundError, match=r"worker\.commands"):
            shell("run", "--topic", "t")

    def test_a_defect_is_told_with_its_stack_and_ends_with_70(
        self,
        shell: Shell,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        def broken(*_: object, **__: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(import_module("worker.commands.score"), "score_stream", broken)
        assert shell("score", "-", "--stream", "s").code == 70
        (record,) = caplog.records
        assert record.getMessage() == "a defect ended the program"
        assert record.exc_info is not None
        assert record.exc_info[0] is ZeroDivisionError

    def test_an_interrupt_ends_with_130(
        self, shell: Shell, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupted(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(import_module("worker.commands.score"), "score_stream", interrupted)
        assert shell("score", "-", "--stream", "s").code == 130

    def test_a_pointer_that_moved_is_worth_another_try(
        self, shell: Shell, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from worker.model.artifact import PointerMoved  # noqa: PLC0415 - named where it is used

        def overtaken(*_: object, **__: object) -> None:
            raise PointerMoved("the version in use is b, not a")

        monkeypatch.setattr("training.commands.train_model", overtaken)
        file = write_lines(Path("r.jsonl"), encoded(readings(200)))
        ended = shell("train", file, "--stream", "machine")
        assert (ended.code, ended.err) == (75, "latentwatch: the version in use is b, not a\n")


class TestPython:
    """The same from Python."""

    def test_training_and_scoring_agree_with_the_command(
        self, shell: Shell, tmp_path: Path
    ) -> None:
        store = tmp_path / "models"
        outcome = latentwatch.train(
            readings(300), stream="machine", store=store, time="at", alert_rate=0.01
        )
        assert outcome.alert_rate == 0.01
        assert [item.path for item in outcome.left_out] == ["at", "id"]
        values = [None, *readings(20, seed=3), absurd(), b"{"]
        lines = list(latentwatch.score(values, stream="machine", store=store))
        assert [line["index"] for line in lines] == list(range(23))
        assert lines[0] == dict.fromkeys(KEYS) | {"index": 0, "flagged": False}
        assert lines[21]["flagged"] is True
        assert lines[22]["rejected"] == "not_json"
        file = new_records(encoded(readings(20, seed=3)))
        by_command = shell("score", file, "--stream", "machine", "--store", store, "--all").lines()
        assert [line["score"] for line in by_command] == [line["score"] for line in lines[1:21]]

    @pytest.mark.parametrize("named", [Path, str])
    def test_a_file_can_be_scored(
        self, shell: Shell, models: Path, named: Callable[[str], str | Path]
    ) -> None:
        file = write_lines(Path("new.jsonl"), encoded(readings(20, seed=3)))
        lines = list(latentwatch.score(named("new.jsonl"), stream="machine", store=models))
        by_command = shell("score", file, "--stream", "machine", "--store", models, "--all")
        assert lines == by_command.lines()

    def test_events_alone_can_be_asked_for(self, tmp_path: Path, models: Path) -> None:
        del tmp_path
        found = latentwatch.score(
            [*readings(20, seed=3), absurd()], stream="machine", store=models, every_record=False
        )
        assert "machine-0-20" in [event["id"] for event in found]

    def test_a_file_is_learned_from_as_the_command_does(self, shell: Shell) -> None:
        file = write_lines(Path("r.jsonl"), encoded(readings(300)))
        latentwatch.train(file, stream="machine", store="by-python", seed=4)
        given = ["--stream", "machine", "--store"]
        assert shell("train", file, *given, "by-command", "--seed", "4").code == 0
        new = new_records()
        assert (
            shell("score", new, *given, "by-python", "--all").out
            == shell("score", new, *given, "by-command", "--all").out
        )
