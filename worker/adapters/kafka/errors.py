"""What the client raises, told in the words of the ports: what the caller should do."""

from __future__ import annotations

import re

from kafka import errors as kafka

from worker.ports import Fenced, LatentwatchError, MembershipLost, NotPermitted, Retryable

REFUSED_RIGHTS = (
    kafka.AuthorizationError,
    kafka.SaslAuthenticationFailedError,
    kafka.UnsupportedSaslMechanismError,
    kafka.IllegalSaslStateError,
)
LOST_MEMBERSHIP = (
    kafka.CommitFailedError,
    kafka.IllegalGenerationError,
    kafka.RebalanceInProgressError,
    kafka.UnknownMemberIdError,
)
TOO_LARGE = (kafka.MessageSizeTooLargeError, kafka.RecordListTooLargeError)
# Sending the same again gives the same answer, so these end the process instead of a silent loop.
FINAL = (
    kafka.InconsistentGroupProtocolError,
    kafka.InvalidGroupIdError,
    kafka.InvalidRecordError,
    kafka.InvalidSessionTimeoutError,
    kafka.InvalidTimestampError,
    kafka.InvalidTopicError,
    kafka.InvalidTransactionTimeoutError,
    kafka.KafkaConfigurationError,
    kafka.PolicyViolationError,
    kafka.UnsupportedCompressionTypeError,
    kafka.UnsupportedForMessageFormatError,
    kafka.UnsupportedVersionError,
)


_CODE = re.compile(r"\[Error (-?\d+)\]")


def plain(error: Exception) -> Exception:
    """What the broker answered, where the client only quotes it in an error without a kind.

    It does so by number, or, for a send after the failure, as one of the error's arguments.
    """
    if type(error) is not kafka.KafkaError:
        return error
    for told in error.args:
        if isinstance(told, kafka.KafkaError):
            return plain(told)
    quoted = _CODE.search(str(error))
    if quoted is None:
        return error
    answered: Exception = kafka.for_code(int(quoted[1]))(str(error))
    return answered


def translated(
    error: Exception, doing: str, otherwise: type[LatentwatchError] = Retryable
) -> LatentwatchError:
    """The error to raise instead of the client's; `doing` completes "... failed".

    `otherwise` is for all that may go away by itself: time-outs, brokers that are down or move,
    and producer states that a new producer cures.
    """
    error = plain(error)
    message = f"{doing} failed: {type(error).__name__}: {_said(error)}"
    if isinstance(error, kafka.FencedInstanceIdError):
        return Fenced(f"{message}: another worker runs under our slot's name")
    if isinstance(error, REFUSED_RIGHTS):
        return NotPermitted(message)
    if isinstance(error, LOST_MEMBERSHIP):
        return MembershipLost(message)
    if isinstance(error, FINAL):
        return LatentwatchError(message)
    return otherwise(message)


def _said(error: Exception) -> str:
    """Its text, without its own name and number, which the client repeats in front of it."""
    text = str(error).partition("] ")[2] if str(error).startswith("[Error ") else str(error)
    while text.startswith(f"{type(error).__name__}: "):
        text = text.removeprefix(f"{type(error).__name__}: ")
    return text
