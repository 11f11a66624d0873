"""What a group has committed, asked and forgotten from outside of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from kafka.errors import KafkaError

from worker.adapters.kafka.lookup import asked
from worker.ports import LatentwatchError, Unreachable
from worker.records import Partition

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kafka import KafkaAdminClient

    from worker.adapters.kafka.client import KafkaConnection

PAUSE_S = 0.2


class GroupInUse(LatentwatchError):  # noqa: N818 - named like the errors of ports
    """The group has members, so it cannot be forgotten now (exit 75)."""

    exit_code = 75


def committed_offsets(
    connection: KafkaConnection, group: str, timeout_s: float
) -> Mapping[Partition, int]:
    """The group's committed offset of each partition that has one.

    Raises Unreachable or NotPermitted.
    """

    def ask(admin: KafkaAdminClient) -> Mapping[Partition, int]:
        found = admin.list_group_offsets([group]).get(group, {})
        return {Partition(*tp): at.offset for tp, at in found.items() if at.offset >= 0}

    return asked(connection, timeout_s, "looking up the group", _patiently(ask, timeout_s))


def forget_group(connection: KafkaConnection, group: str, timeout_s: float) -> None:
    """Delete the group with all that it has committed; one that is not there is fine.

    Raises GroupInUse, Unreachable or NotPermitted.
    """

    def ask(admin: KafkaAdminClient) -> str:
        return str(admin.delete_groups([group])[group])

    result = asked(connection, timeout_s, "forgetting the group", _patiently(ask, timeout_s))
    if result == "NonEmptyGroupError":
        raise GroupInUse(f"the group {group} is in use: another replay is at work")
    if result not in {"OK", "GroupIdNotFoundError"}:
        raise Unreachable(f"the group {group} could not be forgotten: {result}")


def _patiently(ask: Callable[[KafkaAdminClient], Any], timeout_s: float) -> Callable[..., Any]:
    """Ask again while a broker only begins to coordinate the group."""

    def ask_again(admin: KafkaAdminClient) -> Any:  # noqa: ANN401 - whatever `ask` gives
        ends_at = time.monotonic() + timeout_s
        while True:
            try:
                return ask(admin)
            except KafkaError as error:
                if not error.retriable or time.monotonic() >= ends_at:
                    raise
            time.sleep(PAUSE_S)

    return ask_again
