"""TLS: certificates that cannot be used are told by name, refusals in the library's words."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import trustme

from worker.adapters.kafka import TlsFiles, tls_context
from worker.adapters.kafka.tls import prove
from worker.ports import NotPermitted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

WAIT_S = 5.0


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


@contextmanager
def listening(
    authority: trustme.CA, host: str = "127.0.0.1", *, asks: bool = False
) -> Iterator[str]:
    """A TLS server on loopback whose certificate names `host`; with `asks` it wants ours."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(context)
    if asks:
        authority.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            plain, _ = server.accept()
            plain.settimeout(WAIT_S)
            try:
                with context.wrap_socket(plain, server_side=True) as encrypted:
                    encrypted.recv(1)
            except OSError:
                plain.close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        thread.join()


def test_a_broker_that_we_trust_is_fine(authority: trustme.CA, ca_file: Path) -> None:
    with listening(authority) as address:
        prove(tls_context(TlsFiles(ca=ca_file)), address, WAIT_S)


def test_a_broker_of_an_unknown_authority_is_refused(authority: trustme.CA) -> None:
    with (
        listening(authority) as address,
        pytest.raises(NotPermitted, match="the broker's certificate is refused: unable to get"),
    ):
        prove(tls_context(TlsFiles()), address, WAIT_S)


def test_a_certificate_for_another_host_is_refused(authority: trustme.CA, ca_file: Path) -> None:
    with (
        listening(authority, "elsewhere.example") as address,
        pytest.raises(NotPermitted, match=r"not valid for '127\.0\.0\.1'"),
    ):
        prove(tls_context(TlsFiles(ca=ca_file)), address, WAIT_S)


def test_another_host_is_taken_where_that_is_asked_for(
    authority: trustme.CA, ca_file: Path
) -> None:
    with listening(authority, "elsewhere.example") as address:
        prove(tls_context(TlsFiles(ca=ca_file, check_hostname=False)), address, WAIT_S)


def test_a_broker_that_wants_a_certificate_refuses_us_without(
    authority: trustme.CA, ca_file: Path
) -> None:
    with (
        listening(authority, asks=True) as address,
        pytest.raises(NotPermitted, match="the broker refuses us"),
    ):
        prove(tls_context(TlsFiles(ca=ca_file)), address, WAIT_S)


def test_a_broker_that_is_away_is_not_our_affair() -> None:
    prove(tls_context(TlsFiles()), "127.0.0.1:1", WAIT_S)


@pytest.mark.parametrize(
    "given", [lambda path: TlsFiles(ca=path), lambda path: TlsFiles(None, path)]
)
def test_a_file_that_is_no_good_is_told_by_name(
    tmp_path: Path, given: Callable[[Path], TlsFiles]
) -> None:
    path = tmp_path / "no.pem"
    with pytest.raises(ValueError, match=r"no\.pem: No such file"):
        tls_context(given(path))
    path.write_text("no certificate", encoding="ascii")
    with pytest.raises(ValueError, match=r"no\.pem: "):
        tls_context(given(path))


def test_the_oldest_protocol_is_tls_1_2(ca_file: Path) -> None:
    for files in (TlsFiles(), TlsFiles(ca=ca_file)):
        assert tls_context(files).minimum_version == ssl.TLSVersion.TLSv1_2
