"""Tokens for OAUTHBEARER: what the Kafka client is handed, and what it is told instead."""

from __future__ import annotations

import threading
import urllib.parse
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest
from kafka.errors import KafkaConnectionError, SaslAuthenticationFailedError
from kafka.net.sasl.oauth import AbstractTokenProvider, SaslMechanismOAuth

from worker.adapters.kafka import ClientCredentials, FileToken

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = "s3cr:t/ä"  # noqa: S105 - of nothing


class Endpoint:
    """A token endpoint on loopback: what it answers next, and what it was asked."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.status = 200
        self.answer = b'{"access_token": "one", "expires_in": 100, "token_type": "Bearer"}'
        self.asked: list[tuple[str, dict[str, list[str]]]] = []


@contextmanager
def running() -> Iterator[Endpoint]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            opened.asked.append((self.headers["Authorization"], urllib.parse.parse_qs(body)))
            self.send_response(opened.status)
            self.end_headers()
            self.wfile.write(opened.answer)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    opened = Endpoint(f"http://127.0.0.1:{server.server_port}/token")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield opened
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with running() as opened:
        yield opened


def test_a_token_file_is_read_anew_each_time(tmp_path: Path) -> None:
    path = tmp_path / "token"
    provider = FileToken(path)
    path.write_text("one\n", encoding="ascii")
    assert provider.token() == "one"
    path.write_text("two\n", encoding="ascii")
    assert provider.token() == "two"


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", b"x" * 70_000])
def test_a_file_without_a_token_is_told_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(SaslAuthenticationFailedError, match=str(path)):
        FileToken(path).token()


def test_an_absent_token_file_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(SaslAuthenticationFailedError, match="No such file"):
        FileToken(tmp_path / "token").token()


def test_a_client_is_granted_a_token_for_its_secret(endpoint: Endpoint) -> None:
    provider = ClientCredentials(endpoint.url, "watcher", SECRET, "kafka")
    assert provider.token() == "one"
    # RFC 6749, 2.3.1: both are form-encoded before they are joined.
    assert endpoint.asked == [
        (
            "Basic d2F0Y2hlcjpzM2NyJTNBdCUyRiVDMyVBNA==",
            {"grant_type": ["client_credentials"], "scope": ["kafka"]},
        )
    ]


def test_a_token_is_kept_until_shortly_before_its_end(endpoint: Endpoint) -> None:
    now = [0.0]
    provider = ClientCredentials(endpoint.url, "watcher", SECRET, now=lambda: now[0])
    provider.token()
    endpoint.answer = b'{"access_token": "two", "expires_in": 100}'
    now[0] = 69.0
    assert provider.token() == "one"
    now[0] = 70.0
    assert provider.token() == "two"


@pytest.mark.parametrize(
    ("status", "answer", "error"),
    [
        (401, b"{}", SaslAuthenticationFailedError),
        (400, b'{"error": "invalid_client"}', SaslAuthenticationFailedError),
        (200, b"<html>", SaslAuthenticationFailedError),
        (200, b'{"error": "no"}', SaslAuthenticationFailedError),
        (503, b"later", KafkaConnectionError),
    ],
)
def test_a_refusal_is_final_and_an_outage_is_not(
    endpoint: Endpoint, status: int, answer: bytes, error: type[Exception]
) -> None:
    endpoint.status, endpoint.answer = status, answer
    with pytest.raises(error, match="token endpoint") as raised:
        ClientCredentials(endpoint.url, "watcher", SECRET).token()
    assert SECRET not in str(raised.value)


def test_an_endpoint_that_is_away_is_an_outage() -> None:
    with pytest.raises(KafkaConnectionError, match="Connection refused"):
        ClientCredentials("http://127.0.0.1:1/token", "watcher", SECRET).token()


def test_the_client_sends_the_token_as_the_protocol_has_it(endpoint: Endpoint) -> None:
    """RFC 7628, 3.1."""
    provider = ClientCredentials(endpoint.url, "watcher", SECRET)
    mechanism = SaslMechanismOAuth(sasl_oauth_token_provider=provider)
    assert mechanism.auth_bytes() == b"n,,\x01auth=Bearer one\x01\x01"


def test_no_provider_shows_its_secret(endpoint: Endpoint) -> None:
    provider = ClientCredentials(endpoint.url, "watcher", SECRET)
    provider.token()
    assert isinstance(provider, AbstractTokenProvider)
    assert SECRET not in repr(provider)
    assert "'one'" not in repr(provider)
