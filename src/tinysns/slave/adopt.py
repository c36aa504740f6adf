"""Finding the master that an earlier slave left behind, by the lock that a master holds for life."""

import asyncio
import os
import time
from pathlib import Path

from tinysns.runtime.pidlock import Claim, Holder, claim

LOCK_NAME = "master.lock"
# Between taking the lock and writing the pid there are microseconds; who needs longer is stopped or no master of ours.
_SAY_WHO_SECONDS = 5.0
_ASK_AGAIN_SECONDS = 0.01


class NobodyKnown(Exception):
    """The lock is held, but its file does not say by whom."""


async def claim_or_find(lock: Path) -> Claim | Holder:
    """Takes the master's lock, or finds its holder. Raises NobodyKnown, OSError."""
    deadline = time.monotonic() + _SAY_WHO_SECONDS
    while (found := claim(lock)) is None:
        if time.monotonic() > deadline:
            raise NobodyKnown(f"{lock} is held by a process that does not say which one it is; `fuser {lock}` does")
        await asyncio.sleep(_ASK_AGAIN_SECONDS)  # a file's content makes no event that is worth waiting for here
    return found


def age_seconds(pid: int) -> float:
    """How long this process has lived; 0.0 if it has just ended. See proc_pid_stat(5), field 22."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    started = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - started)
