"""Makes topics. What is there already stays as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kafka.errors import NoError, TopicAlreadyExistsError, for_code

from worker.adapters.kafka.errors import translated
from worker.adapters.kafka.lookup import RETENTION, asked
from worker.ports import LatentwatchError, NotPermitted, Unreachable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.adapters.kafka.client import KafkaConnection
    from worker.topics import TopicPlan


def create_topics(
    connection: KafkaConnection, plans: Sequence[TopicPlan], timeout_s: float
) -> frozenset[str]:
    """Make the topics that are missing; the names of those that were made, ready to use.

    Raises Unreachable, NotPermitted, or LatentwatchError for what the cluster will never do (more
    copies than brokers); others of the plans may have been made then.
    """
    if not plans:
        return frozenset()
    options = {plan.name: _options(plan) for plan in plans}
    timeout_ms = int(timeout_s * 1000)  # the client writes it as it is
    response: dict[str, Any] = asked(
        connection,
        timeout_s,
        "making topics",
        lambda admin: admin.create_topics(options, timeout_ms=timeout_ms, raise_errors=False),
    )
    made = frozenset(topic["name"] for topic in response["topics"] if _is_made(topic))
    if made:
        asked(
            connection,
            timeout_s,
            "waiting for the topics' leaders",
            lambda admin: admin.wait_for_topics(sorted(made), timeout_ms=timeout_ms),
        )
    return made


class TopicRefused(LatentwatchError):  # noqa: N818 - reads as what it says
    """The cluster does not make a topic like this; asking again gives the same answer."""

    exit_code = 78


def _options(plan: TopicPlan) -> dict[str, object]:
    return {
        "num_partitions": plan.partitions or -1,
        "replication_factor": plan.replication or -1,
        # Named, since a cluster's default may be to keep one record of each key only.
        "configs": {RETENTION: str(plan.retention_ms), "cleanup.policy": "delete"},
    }


def _is_made(topic: dict[str, Any]) -> bool:
    error = for_code(topic["error_code"])
    if error is NoError:
        return True
    if error is TopicAlreadyExistsError:
        return False
    message = f"{topic['name']} was not made: {topic.get('error_message') or error.__name__}"
    kind = type(translated(error(), "", otherwise=Unreachable))
    if kind is NotPermitted:
        raise NotPermitted(message)
    if error.retriable:
        raise Unreachable(message)
    raise TopicRefused(message)
