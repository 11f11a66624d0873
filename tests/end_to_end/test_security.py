"""Workers on a broker that trusts nobody: they prove who they are, or say once why they cannot."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from bench.stand.programs import latentwatch
from bench.stand.topics import Cluster, Message
from tests.end_to_end import fleet
from tests.end_to_end.secured import PASSWORD, WATCHER, SecuredBroker, unsecured_token
from tests.end_to_end.stage import Stage
from workbench.demo.jars import jars
from worker.settings import variable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

pytestmark = [pytest.mark.kafka, pytest.mark.end_to_end]

READINGS = 20
NOT_PERMITTED = 77
ENDS_WITHIN_S = 60.0
SASL = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredBroker]:
    """With the rights that docs/security.md gives to a worker."""
    with closing(SecuredBroker(jars(), tmp_path_factory.mktemp("secured"))) as broker:
        for operation in ("READ", "WRITE"):
            broker.allow(WATCHER, operation, "TOPIC", "pumps-")
        broker.allow(WATCHER, "READ", "GROUP", "latentwatch.")
        broker.allow(WATCHER, "WRITE", "TRANSACTIONAL_ID", "latentwatch.")
        yield broker


@pytest.fixture
def stage(secured: SecuredBroker, fleet_models: Path, tmp_path: Path) -> Iterator[Stage]:
    """Topics are made and read through the open listener."""
    opened = Stage(Cluster(secured.open), tmp_path, fleet_models)
    yield opened
    opened.close()


def sasl(broker: SecuredBroker, mechanism: str, folder: Path) -> dict[str, str]:
    """Settings of a worker that proves itself so."""
    secret, token = folder / "secret", folder / "token"
    secret.write_text(f"{PASSWORD}\n", encoding="ascii")
    token.write_text(unsecured_token(WATCHER), encoding="ascii")
    proof = {"username": WATCHER, "password_file": str(secret)}
    if mechanism == "OAUTHBEARER":
        proof = {"token_file": str(token)}
    named = {"protocol": "SASL_PLAINTEXT", "mechanism": mechanism, **proof}
    return {"kafka.bootstrap_servers": broker.sasl, **_security(named)}


def tls(broker: SecuredBroker, certificate: Path | None) -> dict[str, str]:
    """Settings of a worker that shows that certificate."""
    named = {"protocol": "SSL", "ca_file": str(broker.certificates.ca_file)}
    if certificate is not None:
        named["certificate_file"] = str(certificate)
    return {"kafka.bootstrap_servers": broker.tls, **_security(named)}


def _security(named: Mapping[str, str]) -> dict[str, str]:
    return {f"kafka.security.{name}": value for name, value in named.items()}


def watches(stage: Stage, more: Mapping[str, str]) -> None:
    """A worker with these settings scores what is on its topic."""
    topic = stage.topic()
    places = stage.cluster.produce(topic, map(Message, fleet.lines(0, READINGS).splitlines()))
    stage.ready(topic, {"from_beginning": "true", **more})
    stage.wait_done(topic)
    scores = stage.cluster.read(f"{topic}.scores")
    assert len(places) == len(scores)


@pytest.mark.parametrize("mechanism", SASL)
def test_a_worker_proves_itself_with_sasl(
    stage: Stage, secured: SecuredBroker, tmp_path: Path, mechanism: str
) -> None:
    watches(stage, sasl(secured, mechanism, tmp_path))


def test_a_worker_shows_its_certificate(stage: Stage, secured: SecuredBroker) -> None:
    watches(stage, tls(secured, secured.certificates.issue(WATCHER)))


def test_transactions_need_no_more_rights_than_the_documented_ones(
    stage: Stage, secured: SecuredBroker, tmp_path: Path
) -> None:
    more = {"delivery": "exactly_once", "slot": "one"}
    watches(stage, sasl(secured, "SCRAM-SHA-512", tmp_path) | more)


def refused(stage: Stage, more: Mapping[str, str]) -> str:
    """What a worker with these settings says, once, before it ends for want of a permission."""
    topic = stage.topic()
    stage.cluster.produce(topic, map(Message, fleet.lines(0, READINGS).splitlines()))
    settings = stage.settings(topic, {"from_beginning": "true", "http.port": "0", **more})
    ended = latentwatch("run", settings=settings, timeout_s=ENDS_WITHIN_S)
    assert ended.code == NOT_PERMITTED, ended.stderr
    errors = [line for line in ended.stderr.splitlines() if line.startswith("latentwatch:")]
    assert len(errors) == 1, ended.stderr
    assert PASSWORD not in ended.stderr
    return errors[0]


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
def test_a_wrong_password_is_said_once(
    stage: Stage, secured: SecuredBroker, tmp_path: Path, mechanism: str
) -> None:
    settings = sasl(secured, mechanism, tmp_path)
    (tmp_path / "secret").write_text("wrong", encoding="ascii")
    assert "SaslAuthenticationFailedError" in refused(stage, settings)


def test_an_expired_token_is_said_once(
    stage: Stage, secured: SecuredBroker, tmp_path: Path
) -> None:
    settings = sasl(secured, "OAUTHBEARER", tmp_path)
    (tmp_path / "token").write_text(unsecured_token(WATCHER, -60), encoding="ascii")
    assert "invalid_token" in refused(stage, settings)


def test_an_expired_certificate_is_said_once(stage: Stage, secured: SecuredBroker) -> None:
    expired = secured.certificates.issue("expired", datetime(2020, 1, 1, tzinfo=UTC))
    assert "the broker refuses us" in refused(stage, tls(secured, expired))


def test_a_broker_whose_certificate_nobody_signed_is_refused(
    stage: Stage, secured: SecuredBroker
) -> None:
    settings = tls(secured, None)
    del settings["kafka.security.ca_file"]
    assert "the broker's certificate is refused" in refused(stage, settings)


@pytest.mark.parametrize(
    ("who", "may", "lacks"),
    [
        ("nobody", [], "topic"),
        ("reader", [("READ", "TOPIC", "pumps-"), ("WRITE", "TOPIC", "pumps-")], "group"),
        (
            "member",
            [
                ("READ", "TOPIC", "pumps-"),
                ("READ", "GROUP", "latentwatch."),
                ("WRITE", "TOPIC", "elsewhere"),
            ],
            "topic",
        ),
    ],
)
def test_a_missing_right_is_said_once(
    stage: Stage, secured: SecuredBroker, who: str, may: list[tuple[str, str, str]], lacks: str
) -> None:
    for operation, kind, prefix in may:
        secured.allow(who, operation, kind, prefix)
    named = {"protocol": "SASL_PLAINTEXT", "mechanism": "PLAIN"}
    proof = _security({**named, "username": who, "password": PASSWORD})
    said = refused(stage, {"kafka.bootstrap_servers": secured.sasl, **proof})
    assert lacks in said.lower()


def test_a_missing_right_for_transactions_is_said_once(
    stage: Stage, secured: SecuredBroker
) -> None:
    for operation in ("READ", "WRITE"):
        secured.allow("publisher", operation, "TOPIC", "pumps-")
    secured.allow("publisher", "READ", "GROUP", "latentwatch.")
    named = {"protocol": "SASL_PLAINTEXT", "mechanism": "PLAIN", "username": "publisher"}
    more = {"kafka.bootstrap_servers": secured.sasl, "delivery": "exactly_once", "slot": "one"}
    said = refused(stage, more | _security({**named, "password": PASSWORD}))
    assert "transactional" in said.lower()


def test_a_secret_is_nowhere_to_be_seen(stage: Stage, secured: SecuredBroker) -> None:
    """Given in a variable, the least careful way; looked for in all that the product shows."""
    topic = stage.topic()
    named = {"protocol": "SASL_PLAINTEXT", "mechanism": "PLAIN", "username": WATCHER}
    more = {
        "kafka.bootstrap_servers": secured.sasl,
        **_security({**named, "password": PASSWORD}),
    }
    worker = stage.ready(topic, more)
    settings = stage.settings(topic, more)
    commands = (
        "config show",
        "config show --json",
        "check",
        "topics show",
        f"train --topic {topic}",
    )
    shown = [latentwatch(*command.split(), settings=settings) for command in commands]
    useless = settings | {variable("kafka.security.protocol"): "PLAINTEXT"}
    shown.append(latentwatch("run", settings=useless))
    seen = [worker.get("/status")[1], worker.get("/metrics")[1]]
    worker.stop()
    seen.append(worker.said())
    seen += [f"{ended.stdout}{ended.stderr}" for ended in shown]
    assert "has no effect with protocol PLAINTEXT" in seen[-1]
    assert "*****" in seen[3]
    assert not [text for text in seen if PASSWORD in text]
