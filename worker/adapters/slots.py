"""A name for this worker that no other one on this host has, by locks on files.

The kernel lets go of a lock when its process ends, however it ends.
"""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

log = logging.getLogger(__name__)

SLOTS_MAX = 1000


@dataclass(frozen=True, slots=True)
class Slot:
    """A name, ours until `release`; `returns` when it is one that is had again after a restart."""

    name: str
    returns: bool
    release: Callable[[], None] = lambda: None


def take_slot(folder: Path, group: str, host: str) -> Slot:
    """The first of `<host>-0`, `<host>-1` ... that no living process has for the group.

    A name returns when it was there before: in a container whose file system and host name are
    new with each start it never is. Where the folder cannot be used, a name that is used once.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(SLOTS_MAX):
            name = f"{host}-{number}"
            slot = _locked(folder / f"{quote(group, safe='')}.{name}.lock", name)
            if slot is not None:
                return slot
        reason = f"all {SLOTS_MAX} are taken"
    except OSError as error:
        reason = str(error)
    name = f"{host}-{secrets.token_hex(4)}"
    log.warning("no slot by lock in %s, so %s for this once: %s", folder, name, reason)
    return Slot(name, returns=False)


def _locked(path: Path, name: str) -> Slot | None:
    """The slot of that file, None where a living process has it. Raises OSError."""
    was_there = path.exists()
    held = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        return None
    except OSError:
        os.close(held)
        raise
    return Slot(name, was_there, lambda: os.close(held))
