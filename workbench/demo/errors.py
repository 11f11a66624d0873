"""What can go wrong around the demo, told apart by what the caller should do."""

from __future__ import annotations

from worker.ports import LatentwatchError


class BrokerMissing(LatentwatchError):  # noqa: N818 - says what the caller should do, as in worker/ports.py
    """Not a kind of broker that can be had on the machine: try the next kind."""

    exit_code = 69


class BrokerFailed(LatentwatchError):  # noqa: N818 - as above
    """A broker that should have worked did not: tell the user, do not try another."""

    exit_code = 69


class StepFailed(LatentwatchError):  # noqa: N818 - as above
    """A program that the demo runs did not do its part; ends with that program's own code."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code
