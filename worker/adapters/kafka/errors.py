"""What the client raises, told in the words of the ports: what the caller should do."""

from __future__ import annotations

from kafka import errors as kafka

from worker.ports import LatentwatchError, MembershipLost, NotPermitted, Retryable

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
    kafka.KafkaConfigurationError,
    kafka.PolicyViolationError,
    kafka.UnsupportedCompressionTypeError,
    kafka.UnsupportedForMessageFormatError,
    kafka.UnsupportedVersionError,
)


def translated(
    error: Exception, doing: str, otherwise: type[LatentwatchError] = Retryable
) -> LatentwatchError:
    """The error to raise instead of the client's; `doing` completes "... failed".

    `otherwise` is for all that may go away by itself: time-outs, brokers that are down or move,
    and producer states that a new producer cures.
    """
    message = f"{doing} failed: {type(error).__name__}: {error}"
    if isinstance(error, REFUSED_RIGHTS):
        return NotPermitted(message)
    if isinstance(error, LOST_MEMBERSHIP):
        return MembershipLost(message)
    if isinstance(error, FINAL):
        return LatentwatchError(message)
    return otherwise(message)
