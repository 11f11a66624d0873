"""Settings and where they come from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from worker.ports import LatentwatchError
from worker.settings import (
    Settings,
    SettingsError,
    flattened,
    leaves,
    load,
    load_score_settings,
    load_settings,
    presentable,
    variable,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


TOPIC_MISSING = (
    "topic: is required: give it on the command line, as LATENTWATCH_TOPIC, or in latentwatch.toml"
)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No latentwatch.toml of the place where the tests run is seen."""
    monkeypatch.chdir(tmp_path)


def from_overrides(**overrides: object) -> Settings:
    named = {name.replace("__", "."): value for name, value in overrides.items()}
    return load_settings({"topic": "t", **named}, config=None, environ={}).settings


def problems(
    overrides: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    config: Path | None = None,
) -> list[str]:
    given = {"topic": "t"} if overrides is None else overrides
    with pytest.raises(SettingsError) as raised:
        load_settings(given, config=config, environ=environ or {})
    return list(raised.value.problems)


def toml(text: str, name: str = "own.toml") -> Path:
    path = Path(name)
    path.write_text(text, encoding="utf-8")
    return path


class TestDefaults:
    def test_the_topic_alone_is_enough(self) -> None:
        settings = from_overrides()
        assert settings.stream == "t"
        assert settings.group == "latentwatch.t"
        assert settings.store == Path("models")
        assert settings.output.topic == "t.anomalies"
        assert settings.output.dead_letter_topic == "t.dlq"
        assert settings.output.scores_topic == "t.scores"
        assert settings.kafka.bootstrap_servers == "localhost:9092"
        assert settings.http.port == 9108

    def test_the_group_follows_the_stream(self) -> None:
        assert from_overrides(stream="s").group == "latentwatch.s"

    def test_one_output_topic_may_be_named_and_the_others_follow(self) -> None:
        output = from_overrides(output__topic="odd").output
        assert (output.topic, output.dead_letter_topic) == ("odd", "t.dlq")

    def test_without_a_topic_only_that_is_told(self) -> None:
        assert problems({}) == [TOPIC_MISSING]

    def test_settings_are_frozen(self) -> None:
        settings = from_overrides()
        with pytest.raises(ValidationError):
            settings.topic = "other"

    def test_they_can_be_made_without_any_source(self) -> None:
        assert Settings(topic="t").output.topic == "t.anomalies"


class TestSources:
    def test_command_line_beats_environment_beats_file_beats_default(self) -> None:
        path = toml('topic = "f"\nstream = "f"\ngroup = "f"\n[kafka]\nclient_id = "f"\n')
        environ = {"LATENTWATCH_TOPIC": "e", "LATENTWATCH_STREAM": "e"}
        loaded = load_settings({"topic": "c"}, config=path, environ=environ)
        settings = loaded.settings
        assert (settings.topic, settings.stream, settings.group) == ("c", "e", "f")
        assert loaded.origins["topic"] == "command line"
        assert loaded.origins["stream"] == "environment LATENTWATCH_STREAM"
        assert loaded.origins["group"] == "file own.toml"
        assert loaded.origins["kafka.client_id"] == "file own.toml"
        assert loaded.origins["http.port"] == "default"

    def test_every_setting_has_an_origin(self) -> None:
        loaded = load_settings({"topic": "t"}, config=None, environ={})
        assert list(loaded.origins) == list(leaves(Settings))
        assert list(flattened(loaded.settings)) == list(leaves(Settings))

    def test_every_setting_can_be_given_by_its_variable(self) -> None:
        """What one set of settings says, its variables say again."""
        values = flattened(from_overrides(http__port=0, output__scores="all"))
        given = {name: str(value) for name, value in values.items() if value is not None}
        environ = {variable(name): value for name, value in given.items()}
        loaded = load_settings({}, config=None, environ=environ)
        assert flattened(loaded.settings) == values
        assert {name: loaded.origins[name] for name in given} == {
            name: f"environment {variable(name)}" for name in given
        }

    def test_none_on_the_command_line_is_not_given(self) -> None:
        loaded = load_settings({"topic": "t", "stream": None}, config=None, environ={})
        assert loaded.origins["stream"] == "default"

    def test_an_empty_variable_is_not_set(self) -> None:
        environ = {"LATENTWATCH_STREAM": "", "LATENTWATCH_KAFKA__NONE": ""}
        loaded = load_settings({"topic": "t"}, config=None, environ=environ)
        assert loaded.settings.stream == "t"

    def test_the_file_of_the_working_directory_is_found(self) -> None:
        toml('topic = "f"', "latentwatch.toml")
        loaded = load_settings({}, config=None, environ={})
        assert loaded.origins["topic"] == "file latentwatch.toml"

    def test_the_variable_names_another_file(self) -> None:
        toml('topic = "f"', "latentwatch.toml")
        toml('topic = "g"')
        loaded = load_settings({}, config=None, environ={"LATENTWATCH_CONFIG": "own.toml"})
        assert loaded.settings.topic == "g"
        assert loaded.warnings == ()

    def test_the_file_of_the_command_line_comes_first(self) -> None:
        path = toml('topic = "c"', "c.toml")
        loaded = load_settings({}, config=path, environ={"LATENTWATCH_CONFIG": "none.toml"})
        assert loaded.settings.topic == "c"

    def test_a_file_that_is_named_but_missing_is_an_error(self) -> None:
        expected = ["file none.toml cannot be read: No such file or directory"]
        assert problems(config=Path("none.toml")) == expected

    @pytest.mark.parametrize("content", [b"topic = ", b"\xff\xfe"])
    def test_a_file_that_is_not_toml_is_an_error(self, content: bytes) -> None:
        Path("own.toml").write_bytes(content)
        (problem,) = problems(config=Path("own.toml"))
        assert problem.startswith("file own.toml is not TOML: ")


class TestUnknown:
    def test_all_problems_are_told_at_once_with_where_they_come_from(self) -> None:
        path = toml('stor = "x"\n[kafka]\nheartbeat = 1\n[http]\nport = [1]\n')
        environ = {"LATENTWATCH_KAFKA__FOO": "1"}
        assert problems({"http.prot": 1, "limits.depth_max": 0}, environ, path) == [
            "stor: no such setting; did you mean store? (file own.toml)",
            "kafka.heartbeat: no such setting; did you mean kafka.heartbeat_s? (file own.toml)",
            "kafka.foo: no such setting (environment LATENTWATCH_KAFKA__FOO)",
            "http.prot: no such setting; did you mean http.port? (command line)",
            TOPIC_MISSING,
            "limits.depth_max: Input should be greater than or equal to 1; got 0 (command line)",
            "http.port: Input should be a valid integer; got [1] (file own.toml)",
        ]

    def test_the_error_has_a_line_for_each(self) -> None:
        environ = {"LATENTWATCH_A__B": "1", "LATENTWATCH_C__D": "1"}
        with pytest.raises(SettingsError) as raised:
            load_settings({"topic": "t"}, config=None, environ=environ)
        assert str(raised.value).splitlines() == [
            "2 settings are wrong:",
            "  a.b: no such setting (environment LATENTWATCH_A__B)",
            "  c.d: no such setting (environment LATENTWATCH_C__D)",
        ]
        assert isinstance(raised.value, LatentwatchError)

    def test_a_foreign_variable_on_the_top_level_is_warned_of(self) -> None:
        """Orchestrators set such for a service of our name."""
        environ = {"LATENTWATCH_PORT_9108_TCP": "tcp://10.0.0.1:9108", "OTHER_X": "1"}
        loaded = load_settings({"topic": "t"}, config=None, environ=environ)
        assert loaded.warnings == (
            "environment LATENTWATCH_PORT_9108_TCP is no setting and has no effect",
        )

    @pytest.mark.parametrize(
        "name",
        [
            "LATENTWATCH_REQUIRE_KAFKA",
            "LATENTWATCH_REQUIRE_DOCKER",
            "LATENTWATCH_BROKER_JARS",
            "LATENTWATCH_TRAINING__X",
        ],
    )
    def test_variables_of_the_rest_of_the_product_are_not_warned_of(self, name: str) -> None:
        loaded = load_settings({"topic": "t"}, config=None, environ={name: "1"})
        assert loaded.warnings == ()

    def test_the_section_of_another_program_is_passed_over(self) -> None:
        path = toml('topic = "f"\n[training]\nepochs = 3\n')
        assert load_settings({}, config=path, environ={}).settings.topic == "f"

    def test_a_section_is_not_a_setting(self) -> None:
        path = toml("limits = 3")
        assert problems({"topic": "t"}, {"LATENTWATCH_KAFKA": "{}"}, path) == [
            "limits: is a section, not a single setting (file own.toml)",
            "kafka: is a section, not a single setting (environment LATENTWATCH_KAFKA)",
        ]

    def test_a_table_where_a_value_belongs_is_an_error(self) -> None:
        (problem,) = problems({}, config=toml("[topic]\nx = 1\n"))
        assert problem == "topic: Input should be a valid string; got {'x': 1} (file own.toml)"

    def test_a_long_value_is_shown_cut(self) -> None:
        (problem,) = problems({"topic": "x" * 500})
        assert problem.endswith("xxx... (command line)")
        assert len(problem) < 200


class TestValues:
    @pytest.mark.parametrize("topic", ["a b", "ä", "..", ".", "x" * 250, "a/b"])
    def test_a_topic_that_the_broker_would_refuse_is_told_once(self, topic: str) -> None:
        (problem,) = problems({"topic": topic})
        assert problem.startswith("topic: needs 1 to 249 letters, digits, dots, dashes")

    def test_a_topic_too_long_for_its_companions_names_them(self) -> None:
        named = [problem.partition(":")[0] for problem in problems({"topic": "x" * 245})]
        assert named == ["output.topic", "output.scores_topic"]

    @pytest.mark.parametrize(
        ("name", "value", "expected"),
        [
            ("kafka.heartbeat_s", 5, "must be below half of session_timeout_s (10)"),
            ("kafka.max_poll_interval_s", 10, "must be above session_timeout_s (10)"),
            ("kafka.delivery_timeout_s", 5, "must be above request_timeout_s (5)"),
            ("kafka.deliver_deadline_s", 8, "must be above delivery_timeout_s (8)"),
            ("kafka.deliver_deadline_s", 60, "must be below max_poll_interval_s (60)"),
            ("kafka.transaction_timeout_s", 10, "must be above deliver_deadline_s (10)"),
            ("watchdog_s", 60, "must be above kafka.max_poll_interval_s (60)"),
        ],
    )
    def test_times_that_do_not_fit_together_are_refused(
        self, name: str, value: float, expected: str
    ) -> None:
        assert problems({"topic": "t", name: value}) == [
            f"{name}: {expected}; got {value} (command line)"
        ]

    def test_a_default_that_does_not_fit_what_was_given_is_refused(self) -> None:
        assert problems({"topic": "t", "kafka.session_timeout_s": 6}) == [
            "kafka.heartbeat_s: must be below half of session_timeout_s (6); got 3 (default)"
        ]

    @pytest.mark.parametrize("name", ["output.dead_letter_topic", "output.scores_topic"])
    def test_outputs_do_not_share_a_topic(self, name: str) -> None:
        (problem,) = problems({"topic": "t", name: "t.anomalies"})
        assert problem == f"{name}: must differ from output.topic; got 't.anomalies' (command line)"

    def test_scores_and_dead_letters_do_not_share_a_topic(self) -> None:
        (problem,) = problems({"topic": "t", "output.scores_topic": "t.dlq"})
        assert problem.startswith("output.scores_topic: must differ from output.dead_letter_topic")

    def test_no_output_goes_to_the_input(self) -> None:
        given = {"topic": "t", "output.dead_letter_topic": "t"}
        expected = ["output: output.dead_letter_topic must differ from the input topic"]
        assert problems(given) == expected

    @pytest.mark.parametrize("value", ["", "a:1,", "a:1, b:2", ",", "a b"])
    def test_malformed_brokers_are_refused(self, value: str) -> None:
        (problem,) = problems({"topic": "t", "kafka.bootstrap_servers": value})
        assert problem.startswith("kafka.bootstrap_servers: ")

    @pytest.mark.parametrize("value", ["a:1", "a:1,b:2", "[::1]:9092"])
    def test_well_formed_brokers_are_taken(self, value: str) -> None:
        assert from_overrides(kafka__bootstrap_servers=value).kafka.bootstrap_servers == value

    def test_an_object_store_is_refused_rather_than_made_a_folder(self) -> None:
        (problem,) = problems({"topic": "t", "store": "s3://bucket/models"})
        assert problem.startswith("store: the store is a folder; addresses of object stores")

    @pytest.mark.parametrize("value", ["nan", "inf", "0", "-1"])
    def test_a_time_is_a_number_above_0_and_an_end(self, value: str) -> None:
        (problem,) = problems({"topic": "t", "model_check_s": value})
        assert problem.startswith("model_check_s: Input should be")


class Own(BaseModel):
    """Settings of another program."""

    model_config = ConfigDict(extra="forbid")

    store: Path = Path("models")
    epochs: int


class TestGeneric:
    def test_another_program_shares_the_file_and_checks_its_own(self) -> None:
        path = toml('topic = "t"\nepochs = 3\n[kafka]\nclient_id = "x"\n')
        loaded = load(Own, {}, config=path, environ={}, elsewhere=leaves(Settings))
        assert loaded.settings == Own(epochs=3)
        assert dict(loaded.origins) == {"store": "default", "epochs": "file own.toml"}

    def test_what_neither_knows_is_refused(self) -> None:
        path = toml("[kafka]\nclient = 1\n")
        with pytest.raises(SettingsError, match=r"kafka\.client: no such setting"):
            load(Own, {"epochs": 1}, config=path, environ={}, elsewhere=leaves(Settings))

    def test_scoring_needs_a_stream_and_no_topic(self) -> None:
        environ = {"LATENTWATCH_KAFKA__CLIENT_ID": "x", "LATENTWATCH_STORE": "s"}
        loaded = load_score_settings({"stream": "s"}, config=None, environ=environ)
        assert (loaded.settings.stream, loaded.settings.store) == ("s", Path("s"))
        assert loaded.warnings == ()

    def test_scoring_has_the_workers_defaults(self) -> None:
        score = load_score_settings({"stream": "s"}, config=None, environ={}).settings
        worker = from_overrides()
        assert (score.store, score.limits) == (worker.store, worker.limits)


class _Login(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    user: str = "u"
    password: Annotated[SecretStr, Field(min_length=4)] = SecretStr("")
    token: SecretStr | None = None


class _Guarded(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    login: _Login


class TestSecrets:
    def test_a_secret_is_shown_neither_by_value_nor_in_its_own_error(self) -> None:
        given = {"LATENTWATCH_LOGIN__PASSWORD": "open sesame", "LATENTWATCH_LOGIN__TOKEN": "t0ken"}
        loaded = load(_Guarded, {}, config=None, environ=given)
        assert loaded.settings.login.password.get_secret_value() == "open sesame"
        assert presentable(loaded.settings) == {
            "login.user": "u",
            "login.password": "**********",
            "login.token": "**********",
        }
        assert "sesame" not in repr(loaded)
        with pytest.raises(SettingsError) as raised:
            load(_Guarded, {"login.password": "abc"}, config=None, environ={})
        (problem,) = raised.value.problems
        assert problem.startswith("login.password: ")
        assert problem.endswith("; got ********** (command line)")

    def test_a_secret_that_is_not_set_is_seen_to_be_so(self) -> None:
        shown = presentable(load(_Guarded, {}, config=None, environ={}).settings)
        assert (shown["login.password"], shown["login.token"]) == ("", None)

    def test_of_the_workers_settings_all_can_be_shown(self) -> None:
        shown = presentable(from_overrides())
        assert set(shown) == set(leaves(Settings))
        assert shown["store"] == "models"


class TestSecurity:
    """Proofs and encryption: complete or refused, and never shown."""

    def test_nothing_is_asked_for_by_default(self) -> None:
        assert from_overrides().kafka.security.protocol == "PLAINTEXT"

    def test_a_secret_is_read_from_a_file(self, tmp_path: Path) -> None:
        path = tmp_path / "secret"
        path.write_text(" pass word \r\n", encoding="utf-8")
        environ = {
            "LATENTWATCH_KAFKA__SECURITY__PROTOCOL": "SASL_SSL",
            "LATENTWATCH_KAFKA__SECURITY__MECHANISM": "PLAIN",
            "LATENTWATCH_KAFKA__SECURITY__USERNAME": "me",
            "LATENTWATCH_KAFKA__SECURITY__PASSWORD_FILE": str(path),
        }
        loaded = load_settings({"topic": "t"}, config=None, environ=environ)
        password = loaded.settings.kafka.security.password
        assert password is not None
        assert password.get_secret_value() == " pass word "
        assert loaded.origins["kafka.security.password"] == (
            f"file {path} (environment LATENTWATCH_KAFKA__SECURITY__PASSWORD_FILE)"
        )
        assert presentable(loaded.settings)["kafka.security.password"] == "*" * 10
        assert "pass word" not in repr(loaded)

    def test_a_secret_file_that_cannot_be_read_is_told(self) -> None:
        (found,) = problems({"topic": "t", "kafka.security.password_file": "nowhere"})
        assert found.startswith("kafka.security.password: file nowhere cannot be read: No such")

    def test_only_a_secret_has_a_file(self) -> None:
        (found,) = problems({"topic": "t", "kafka.client_id_file": "x"})
        assert found.startswith("kafka.client_id_file: no such setting")

    @pytest.mark.parametrize(
        ("given", "problem"),
        [
            ({"protocol": "SASL_SSL"}, "mechanism is needed with protocol SASL_SSL"),
            ({"password": "planted"}, "password has no effect with protocol PLAINTEXT"),
            ({"ca_file": "ca.pem"}, "ca_file has no effect with protocol PLAINTEXT"),
            (
                {"protocol": "SASL_PLAINTEXT", "mechanism": "PLAIN", "password": "planted"},
                "username and password (or password_file) are needed with PLAIN",
            ),
            (
                {"protocol": "SASL_SSL", "mechanism": "OAUTHBEARER"},
                "OAUTHBEARER needs either token_file or token_url",
            ),
            (
                {"protocol": "SASL_SSL", "mechanism": "OAUTHBEARER", "token_url": "http://x"},
                "token_url needs username and password: the client's id and secret",
            ),
            (
                {"protocol": "SSL", "key_password": "planted"},
                "key_password has no effect without certificate_file",
            ),
        ],
    )
    def test_what_is_incomplete_or_without_effect_is_refused(
        self, given: dict[str, str], problem: str
    ) -> None:
        named = {f"kafka.security.{name}": value for name, value in given.items()}
        assert problems({"topic": "t", **named}) == [f"kafka.security: {problem}"]
