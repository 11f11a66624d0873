"""Builds kafka-python's clients with settings that lose nothing; cures what hangs or leaks.

Knows nothing of records or batches.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError
from kafka.net.compat import KafkaNetClient

from worker.adapters.kafka import header_names, private

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Result = TypeVar("Result")

READY_WAIT_MS = 2000
"""Longest wait of the sender thread for one broker, while others may be waiting for it."""


@dataclass(frozen=True, slots=True)
class KafkaConnection:
    """Where the cluster is, who we are (seen in its logs and quotas), and how to prove it.

    `security` holds kafka-python's own options (security_protocol, sasl_..., ssl_...), left out of
    the repr since passwords are among them. Raises ValueError for an option that it does not have.
    """

    bootstrap_servers: str
    client_id: str
    security: Mapping[str, object] = field(default_factory=dict, repr=False)
    instance: str | None = None
    """The name under which we come back to a group after a restart; None for one that does not."""

    def __post_init__(self) -> None:
        unknown = sorted(set(self.security) - set(KafkaConsumer.DEFAULT_CONFIG))
        if unknown:
            raise ValueError(f"the Kafka client has no option {', '.join(unknown)}")


@dataclass(frozen=True, slots=True)
class KafkaTimings:
    """How long what may take, in seconds; request < delivery < deadline < transaction."""

    session_s: float = 10.0
    """Silence after which the group takes a member for dead."""
    heartbeat_s: float = 3.0
    poll_interval_max_s: float = 60.0
    """Longest time between polls before we leave the group; also what a rebalance waits for us."""
    request_s: float = 5.0
    """One request of the producer, a commit, a look-up of offsets."""
    fetch_request_s: float = 15.0
    """One request of the consumer; longer, since a slow broker must not break the membership."""
    delivery_s: float = 8.0
    """One record, retries included."""
    deadline_s: float = 10.0
    """A whole delivery: send, wait for every acknowledgement, commit."""
    transaction_s: float = 90.0
    """After so long the broker ends an open transaction by itself; above the deadline."""
    connect_s: float = 5.0
    """The first answer of any broker."""
    close_s: float = 3.0
    history_stall_s: float = 30.0
    """A bounded read without progress for so long gives up."""


private.hear_last_words()


class SafeNetClient(KafkaNetClient):  # type: ignore[misc]  # the client ships no types
    """The network client, without two exceptions that stop the producer's sender thread.

    The sender expects False for a broker that is down; an exception makes it drop the request
    that it was about to send, whose caller then waits for ever, or spin.
    """

    def __init__(self, **config: object) -> None:
        super().__init__(**config)
        private.remember_refusal(self)

    def await_ready(self, node_id: object, timeout_ms: float = 30000) -> bool:
        """Whether the broker is connected, after a short wait at most."""
        try:
            return bool(super().await_ready(node_id, min(timeout_ms, READY_WAIT_MS)))
        except KafkaError:
            return False

    def maybe_connect(self, node_id: object, **kwargs: object) -> None:
        """Begin to connect; a broker that has left the cluster is forgotten, not raised."""
        try:
            super().maybe_connect(node_id, **kwargs)
        except KafkaError:
            self.cluster.request_update()


class Producer(KafkaProducer):  # type: ignore[misc]  # the client ships no types
    """The producer without its finaliser, which silences the client's log for the whole process.

    We always close explicitly, so nothing is lost with it.
    """

    def __del__(self) -> None: ...


def open_consumer(
    connection: KafkaConnection, timings: KafkaTimings, group: str | None
) -> KafkaConsumer:
    """A consumer that decodes nothing, commits nothing by itself and never resets a position.

    Raises KafkaError; leaves no thread or socket behind then.
    """
    header_names.tolerate()
    consumer = _built(
        KafkaConsumer,
        connection,
        group_id=group,
        group_instance_id=connection.instance if group else None,
        auto_offset_reset="none",
        enable_auto_commit=False,
        isolation_level="read_committed",
        allow_auto_create_topics=False,
        session_timeout_ms=_ms(timings.session_s),
        heartbeat_interval_ms=_ms(timings.heartbeat_s),
        max_poll_interval_ms=_ms(timings.poll_interval_max_s),
        request_timeout_ms=_ms(timings.fetch_request_s),
        bootstrap_timeout_ms=_ms(timings.connect_s),
        fetch_max_wait_ms=100,
        max_partition_fetch_bytes=2 << 20,
        retry_backoff_ms=50,
        reconnect_backoff_max_ms=1000,
        metadata_max_age_ms=30_000,
    )
    private.wait_calmly(consumer)
    return consumer


def open_producer(
    connection: KafkaConnection,
    timings: KafkaTimings,
    request_bytes_max: int,
    compression: str | None,
    transactional_id: str | None = None,
) -> KafkaProducer:
    """An idempotent producer that waits for all replicas. Raises KafkaError.

    With a `transactional_id` for transactions only; it has to be initialised then.
    """
    return _built(
        Producer,
        connection,
        transactional_id=transactional_id,
        transaction_timeout_ms=_ms(timings.transaction_s),
        acks="all",
        enable_idempotence=True,
        allow_auto_create_topics=False,
        compression_type=compression,
        max_request_size=request_bytes_max,
        request_timeout_ms=_ms(timings.request_s),
        delivery_timeout_ms=_ms(timings.delivery_s),
        # Also what initialising for transactions may take, which several requests are needed for.
        max_block_ms=_ms(timings.delivery_s if transactional_id else timings.request_s),
        bootstrap_timeout_ms=_ms(timings.connect_s),
        linger_ms=5,
        batch_size=256 << 10,
        retry_backoff_ms=30,
        reconnect_backoff_max_ms=1000,
        metadata_max_age_ms=30_000,
    )


def open_admin(connection: KafkaConnection, timeout_s: float) -> KafkaAdminClient:
    """A client for look-ups. Raises KafkaError."""
    return _built(
        KafkaAdminClient,
        connection,
        request_timeout_ms=_ms(timeout_s),
        bootstrap_timeout_ms=_ms(timeout_s),
        reconnect_backoff_max_ms=1000,
    )


def abandon(producer: KafkaProducer, timeout_s: float) -> None:
    """Close a producer whatever state it is in: what it still holds is given up."""

    def shut() -> None:
        with suppress(KafkaError):
            producer.close(timeout=0.5)
        private.stop_sender(producer)
        private.fail_pending(producer)

    with suppress(TimeoutError):
        bounded(shut, timeout_s + private.STOP_S)


def bounded(call: Callable[[], Result], timeout_s: float) -> Result:
    """The result of `call`, or TimeoutError: several calls of the client have no end of their own.

    A call that does not come back is left behind on its own daemon thread.
    """
    outcome: Future[Result] = Future()

    def run() -> None:
        try:
            outcome.set_result(call())
        except BaseException as error:  # noqa: BLE001 - handed over to the caller's thread as it is
            outcome.set_exception(error)

    threading.Thread(target=run, name="kafka-bounded", daemon=True).start()
    return outcome.result(timeout_s)


def _built(kind: Callable[..., Any], connection: KafkaConnection, **options: object) -> Any:  # noqa: ANN401 - the client ships no types; the callers name the class
    """A client of that class, or nothing at all: its own constructor leaks when it fails."""
    known = kind.DEFAULT_CONFIG  # type: ignore[attr-defined]  # each class has its own
    chosen = {name: value for name, value in connection.security.items() if name in known}
    nets: list[SafeNetClient] = []

    def net(**config: object) -> SafeNetClient:
        nets.append(SafeNetClient(**config))
        return nets[-1]

    try:
        return kind(
            **chosen,
            **options,
            bootstrap_servers=[
                server.strip() for server in connection.bootstrap_servers.split(",")
            ],
            client_id=connection.client_id,
            kafka_client=net,
        )
    except BaseException:
        for client in nets:
            client.close()
        raise


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
