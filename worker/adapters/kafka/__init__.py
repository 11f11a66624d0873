"""The log seams over kafka-python: record log, delivery, publisher, history, look-ups.

One module a seam; what makes the client safe to use is in client.py, fetch.py and private.py.
"""

from worker.adapters.kafka.client import KafkaConnection, KafkaTimings
from worker.adapters.kafka.creation import TopicRefused, create_topics
from worker.adapters.kafka.delivery import KafkaAtLeastOnce, KafkaPublisher
from worker.adapters.kafka.history import KafkaRecordHistory
from worker.adapters.kafka.log import KafkaRecordLog
from worker.adapters.kafka.logs import quiet_client_logs
from worker.adapters.kafka.lookup import (
    brokers,
    may_join,
    reachable,
    retentions,
    topic_facts,
    topic_names,
    topic_state,
)

__all__ = [
    "KafkaAtLeastOnce",
    "KafkaConnection",
    "KafkaPublisher",
    "KafkaRecordHistory",
    "KafkaRecordLog",
    "KafkaTimings",
    "TopicRefused",
    "brokers",
    "create_topics",
    "may_join",
    "quiet_client_logs",
    "reachable",
    "retentions",
    "topic_facts",
    "topic_names",
    "topic_state",
]
