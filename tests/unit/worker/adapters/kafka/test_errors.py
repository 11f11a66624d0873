"""What the client raises, in the words of the ports."""

from __future__ import annotations

import pytest
from kafka import errors as kafka

from worker.adapters.kafka.errors import translated
from worker.ports import (
    Fenced,
    LatentwatchError,
    MembershipLost,
    NotPermitted,
    Retryable,
    Unreachable,
)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (kafka.TopicAuthorizationFailedError("topic"), NotPermitted),
        (kafka.GroupAuthorizationFailedError("group"), NotPermitted),
        (kafka.SaslAuthenticationFailedError("wrong password"), NotPermitted),
        (kafka.CommitFailedError("left"), MembershipLost),
        (kafka.IllegalGenerationError(), MembershipLost),
        (kafka.RebalanceInProgressError(), MembershipLost),
        (kafka.UnknownMemberIdError(), MembershipLost),
        (kafka.KafkaTimeoutError("late"), Retryable),
        (kafka.NotEnoughReplicasError(), Retryable),
        (kafka.OutOfOrderSequenceNumberError(), Retryable),
        (kafka.InvalidProducerEpochError(), Retryable),
        (kafka.UnknownError(), Retryable),
        (kafka.FencedInstanceIdError(), Fenced),
        (kafka.KafkaError("unexpected: [Error 27] RebalanceInProgressError"), MembershipLost),
        (kafka.KafkaError("we are in an error state: [Error 53] ..."), NotPermitted),
        (kafka.KafkaError("unexpected: [Error 50] ..."), LatentwatchError),
        (kafka.KafkaError("unexpected: [Error -1] ..."), Retryable),
        (kafka.KafkaError("of no kind"), Retryable),
        (kafka.KafkaError("has failed", kafka.KafkaError("[Error 90] fenced")), Retryable),
        (
            kafka.KafkaError("has failed", kafka.TransactionalIdAuthorizationFailedError()),
            NotPermitted,
        ),
        (kafka.InvalidTopicError(), LatentwatchError),
        (kafka.InvalidRecordError(), LatentwatchError),
        (kafka.UnsupportedVersionError(), LatentwatchError),
    ],
)
def test_an_error_says_what_to_do(
    error: kafka.KafkaError, expected: type[LatentwatchError]
) -> None:
    assert type(translated(error, "polling")) is expected


def test_what_may_go_away_is_what_the_caller_calls_it() -> None:
    assert type(translated(kafka.KafkaTimeoutError(), "asking", Unreachable)) is Unreachable


def test_the_message_names_what_was_done_and_what_came() -> None:
    message = str(translated(kafka.KafkaTimeoutError("after 3 s"), "sending to out"))
    assert message.startswith("sending to out failed: KafkaTimeoutError")
    assert "after 3 s" in message
