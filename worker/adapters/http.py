"""What the process tells over HTTP: /metrics, /livez, /readyz, /status.

Knows neither the loop nor the model: it reads a Health that the app keeps, and a registry.
"""

from __future__ import annotations

import logging
import socket
import socketserver
import sys
import threading
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import msgspec
from prometheus_client import make_wsgi_app

from worker.ports import LatentwatchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

    from prometheus_client import CollectorRegistry

    from worker.ports import Clock

log = logging.getLogger(__name__)

_TEXT = "text/plain; charset=utf-8"
_JSON = "application/json"
_CLOSE_S = 2.0
_CLIENT_S = 10.0
"""A client that sends or reads nothing for so long is dropped."""


class AddressUnavailable(LatentwatchError):  # noqa: N818 - named like the errors of ports
    """The address to listen on is taken, not ours or not allowed (exit 78)."""

    exit_code = 78


class Health:
    """Whether the loop lives and records flow; written by the loop, read by any thread.

    Alive means that the loop turned within the last `limit_s` seconds.
    """

    def __init__(self, clock: Clock, limit_s: float) -> None:
        self._clock = clock
        self._limit_s = limit_s
        self._lock = threading.Lock()
        self._turned = clock.monotonic()
        self._ready = False
        self._reason = "starting"
        self._since = clock.now()
        self._facts: dict[str, object] = {}

    def beat(self) -> None:
        """The loop turned."""
        with self._lock:
            self._turned = self._clock.monotonic()

    def set_ready(self, reason: str, *, is_ready: bool) -> None:
        """Whether records flow, and why (not), in words for the operator."""
        with self._lock:
            if is_ready != self._ready:
                self._since = self._clock.now()
            self._ready, self._reason = is_ready, reason

    def note(self, name: str, value: object) -> None:
        """A fact to show in /status; `value` can be written as JSON and is not changed later."""
        with self._lock:
            self._facts[name] = value

    def alive(self) -> bool:
        """Whether the loop turned within the limit."""
        with self._lock:
            return self._clock.monotonic() - self._turned <= self._limit_s

    def ready(self) -> tuple[bool, str]:
        """Whether records flow, and why (not)."""
        with self._lock:
            return self._ready, self._reason

    def status(self) -> dict[str, object]:
        """All that is known, as one consistent picture; times in UTC."""
        with self._lock:
            quiet_s = self._clock.monotonic() - self._turned
            return {
                "alive": quiet_s <= self._limit_s,
                "ready": self._ready,
                "reason": self._reason,
                "since": datetime.fromtimestamp(self._since, UTC).isoformat(timespec="seconds"),
                "last_turn_s_ago": round(quiet_s, 3),
                **self._facts,
            }


class HttpServer:
    """Serves from construction until `close`, on daemon threads that never keep a process up.

    Raises AddressUnavailable, naming host and port. Port 0 takes any free one: see `port`.
    """

    def __init__(self, host: str, port: int, registry: CollectorRegistry, health: Health) -> None:
        server_class = _ServerV6 if ":" in host else _Server
        try:
            self._server = server_class((host, port), _Handler)
        except (OSError, OverflowError) as error:
            raise AddressUnavailable(
                f"cannot listen on {host}:{port} (http.host, http.port): {error}"
            ) from error
        self._server.set_app(_router(registry, health))
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="http", daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._server.server_port

    def close(self) -> None:
        """Stop listening; requests under way are not waited for. Bounded; safe to call twice."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(_CLOSE_S)


def _router(registry: CollectorRegistry, health: Health) -> Callable[..., Iterable[bytes]]:
    metrics = make_wsgi_app(registry)
    answers: dict[str, Callable[[], tuple[HTTPStatus, str, bytes]]] = {
        "/livez": lambda: _livez(health),
        "/readyz": lambda: _readyz(health),
        "/status": lambda: (HTTPStatus.OK, _JSON, msgspec.json.encode(health.status())),
    }

    def route(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if environ["REQUEST_METHOD"] != "GET":
            status, kind, body = HTTPStatus.METHOD_NOT_ALLOWED, _TEXT, b"GET only\n"
        elif path == "/metrics":
            body_parts: Iterable[bytes] = metrics(environ, start_response)
            return body_parts
        elif path in answers:
            status, kind, body = answers[path]()
        else:
            known = ", ".join(["/metrics", *answers])
            status, kind, body = HTTPStatus.NOT_FOUND, _TEXT, f"there are {known}\n".encode()
        headers = [("Content-Type", kind), ("Content-Length", str(len(body)))]
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            headers.append(("Allow", "GET"))
        start_response(f"{status.value} {status.phrase}", headers)
        return [body]

    return route


def _livez(health: Health) -> tuple[HTTPStatus, str, bytes]:
    if health.alive():
        return HTTPStatus.OK, _TEXT, b"alive\n"
    return HTTPStatus.SERVICE_UNAVAILABLE, _TEXT, b"the loop stands still\n"


def _readyz(health: Health) -> tuple[HTTPStatus, str, bytes]:
    is_ready, reason = health.ready()
    status = HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE
    return status, _TEXT, f"{reason}\n".encode()


class _Handler(WSGIRequestHandler):
    timeout = _CLIENT_S

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - as inherited
        """Nothing: a probe every few seconds is no news."""


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def server_bind(self) -> None:
        """Bind without the inherited reverse look-up of the name, which may take many seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]
        self.setup_environ()

    def handle_error(self, request: object, client_address: object) -> None:
        """One line, not a stack on standard error: mostly a client that went away."""
        del request
        log.debug("a request of %s failed", client_address, exc_info=sys.exception())


class _ServerV6(_Server):
    address_family = socket.AF_INET6
