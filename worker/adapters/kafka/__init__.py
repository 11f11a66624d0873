"""The log seams over kafka-python: record log, delivery, publisher, history, look-ups.

One module a seam; what makes the client safe to use is in client.py, fetch.py and private.py.
"""

from worker.adapters.kafka.client import KafkaConnection, KafkaTimings
from worker.adapters.kafka.creation import TopicRefused, create_topics
from worker.adapters.kafka.delivery import KafkaAtLeastOnce, KafkaPublisher
from worker.adapters.kafka.exactly_once import KafkaExactlyOnce
from worker.adapters.kafka.groups import GroupInUse, committed_offsets, forget_group
from worker.adapters.kafka.history import KafkaRecordHistory
from worker.adapters.kafka.log import KafkaRecordLog
from worker.adapters.kafka.logs import quiet_client_logs
from worker.adapters.kafka.lookup import (
    brokers,
    kept,
    may_join,
    metadata_level,
    reachable,
    retentions,
    topic_facts,
    topic_names,
    topic_state,
)
from worker.adapters.kafka.tls import TlsFiles, tls_context
from worker.adapters.kafka.tokens import ClientCredentials, FileToken

__all__ = [
    "ClientCredentials",
    "FileToken",
    "GroupInUse",
    "KafkaAtLeastOnce",
    "KafkaConnection",
    "KafkaExactlyOnce",
    "KafkaPublisher",
    "KafkaRecordHistory",
    "KafkaRecordLog",
    "KafkaTimings",
    "TlsFiles",
    "TopicRefused",
    "brokers",
    "committed_offsets",
    "create_topics",
    "forget_group",
    "kept",
    "may_join",
    "metadata_level",
    "quiet_client_logs",
    "reachable",
    "retentions",
    "tls_context",
    "topic_facts",
    "topic_names",
    "topic_state",
]
