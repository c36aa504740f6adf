"""Running this machine's commands, waiting with a deadline, and the one error that people see."""

from __future__ import annotations

import select
import subprocess
import time
from collections.abc import Callable
from os import close, pidfd_open
from pathlib import Path

POLL_SECONDS = 0.02


class LabError(Exception):
    """Something a person can act on: its text is one sentence that says what to do."""


def run(*command: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, without a terminal.

    It inherits the lab's lock (see lock.py), hence close_fds=False: if we are killed, the next `lab/hosts` starts only
    after this command has ended too, so that no step is ever left in flight.
    Raises LabError with the command's own words if it fails and check is set.
    """
    words = [str(word) for word in command]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, close_fds=False, check=False)
    if check and done.returncode:
        said = f"{done.stdout}{done.stderr}".rstrip()
        raise LabError(f"this command failed ({done.returncode}): {' '.join(words)}\n{said}")
    return done


def succeeds(*command: str | Path) -> bool:
    """Whether the command exits with 0; for steps that may find nothing to do."""
    return run(*command, check=False).returncode == 0


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Poll for what the kernel has no event for; the last answer, at the latest after that many seconds."""
    deadline = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return met


def wait_ended(pid: int, seconds: float) -> bool:
    """Whether the process, a child or not, ends within that many seconds."""
    try:
        descriptor = pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], seconds)[0])
    finally:
        close(descriptor)
