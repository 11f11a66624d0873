"""What can go wrong with a broker of our own, told apart by what the caller should do."""

from __future__ import annotations


class BrokerMissing(Exception):  # noqa: N818 - says what the caller should do, as in worker/ports.py
    """Not a kind of broker that can be had on the machine: try the next kind."""


class BrokerFailed(Exception):  # noqa: N818 - as above
    """A broker that should have worked did not: tell the user, do not try another."""
