"""A slow line: a proxy before a broker that delays, throttles or holds back what passes."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Queue

CHUNK_BYTES = 64 * 1024
CHUNKS_ON_ITS_WAY = 64
CONNECT_S = 5.0


@dataclass
class Proxy:
    """Passes on what comes to `port`; `delay_s` and `bytes_per_s` hold for each direction."""

    port: int
    target: int
    delay_s: float = 0.0
    bytes_per_s: float = float("inf")
    _listener: socket.socket = field(init=False)
    _sockets: list[socket.socket] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Hang up everywhere."""
        for each in [self._listener, *self._sockets]:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._join, args=(client,), daemon=True).start()

    def _join(self, client: socket.socket) -> None:
        self._sockets.append(client)
        try:
            broker = socket.create_connection(("127.0.0.1", self.target), CONNECT_S)
        except OSError:
            client.close()
            return
        broker.settimeout(None)
        self._sockets.append(broker)
        threading.Thread(target=self._pump, args=(broker, client), daemon=True).start()
        self._pump(client, broker)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        """Pass on one direction; what is on its way is bounded, as on a real line."""
        on_its_way: Queue[tuple[float, bytes]] = Queue(CHUNKS_ON_ITS_WAY)
        threading.Thread(target=self._arrive, args=(on_its_way, sink), daemon=True).start()
        with suppress(OSError):
            while chunk := source.recv(CHUNK_BYTES):
                on_its_way.put((time.monotonic(), chunk))
        on_its_way.put((time.monotonic(), b""))

    def _arrive(self, on_its_way: Queue[tuple[float, bytes]], sink: socket.socket) -> None:
        is_open = True
        while True:
            left_at, chunk = on_its_way.get()
            if not chunk:
                break
            time.sleep(max(0.0, left_at + self.delay_s - time.monotonic()))
            time.sleep(len(chunk) / self.bytes_per_s)
            if is_open:
                try:
                    sink.sendall(chunk)
                except OSError:  # what still comes has nowhere to go
                    is_open = False
        with suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)
