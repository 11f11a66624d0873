"""Whatever was started here ends with us, even when nobody could tell us to tidy up."""

from __future__ import annotations

import subprocess


def guard(script: str, *arguments: str) -> subprocess.Popen[bytes]:
    """A process that runs a shell script (its arguments are $1, $2 ...) once ours is gone.

    It waits for the end of its input, whose other end only we hold: no exit handler runs after a
    kill -9, and the kernel's death signal would follow the thread that started it instead.
    """
    return subprocess.Popen(
        ["sh", "-c", f"read -r _; {script}", "guard", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for the program, not for its guard
    )


def dismiss(process: subprocess.Popen[bytes]) -> None:
    """End a guard that is needed no more; its script does not run."""
    process.kill()
    process.communicate()
