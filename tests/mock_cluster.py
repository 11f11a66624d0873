"""librdkafka's mock cluster: brokers inside this process that answer as they are told to.

It is in the library that confluent-kafka's wheel brings along, and is driven by ctypes. It knows
transactions but neither groups (of this client) nor control batches; a real broker shows those.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

import confluent_kafka

PRODUCER = 0
MESSAGE_BYTES = 512


class MockCluster:
    """Running when it is built, gone when it is closed."""

    def __init__(self, brokers: int = 1) -> None:
        self._library = _library()
        said = ctypes.create_string_buffer(MESSAGE_BYTES)
        conf = ctypes.c_void_p(self._library.rd_kafka_conf_new())
        # Any client will do: the cluster lives inside of it.
        self._client = ctypes.c_void_p(
            self._library.rd_kafka_new(PRODUCER, conf, said, MESSAGE_BYTES)
        )
        if self._client.value is None:
            raise RuntimeError(said.value.decode())
        self._cluster = ctypes.c_void_p(
            self._library.rd_kafka_mock_cluster_new(self._client, brokers)
        )
        found: bytes = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster)
        self.bootstrap_servers = found.decode()

    def create(self, topic: str, partitions: int = 1) -> None:
        """Make a topic."""
        made = self._library.rd_kafka_mock_topic_create(
            self._cluster, topic.encode(), partitions, 1
        )
        assert made == 0

    def push(self, api: int, *codes: int) -> None:
        """Answer the next requests of that API with these errors, one each."""
        array = (ctypes.c_int * len(codes))(*codes)
        self._library.rd_kafka_mock_push_request_errors_array(
            self._cluster, ctypes.c_int16(api), ctypes.c_size_t(len(codes)), array
        )

    def forget(self, api: int) -> None:
        """Answer requests of that API as they deserve again."""
        self._library.rd_kafka_mock_clear_request_errors(self._cluster, ctypes.c_int16(api))

    def delay(self, milliseconds: int, broker: int = 1) -> None:
        """Answer everything so much later."""
        self._library.rd_kafka_mock_broker_set_rtt(self._cluster, broker, milliseconds)

    def close(self) -> None:
        """Stop the brokers."""
        self._library.rd_kafka_mock_cluster_destroy(self._cluster)
        self._library.rd_kafka_destroy(self._client)


def _library() -> ctypes.CDLL:
    beside = Path(confluent_kafka.__file__).parents[1] / "confluent_kafka.libs"
    (path,) = beside.glob("librdkafka-*.so*")
    library = ctypes.CDLL(str(path))
    for name in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_mock_cluster_new"):
        getattr(library, name).restype = ctypes.c_void_p
    library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    return library
