"""The lock that a master holds for life: at most one runs on a host, and a new slave finds it there."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from tinysns.runtime import pidlock
from tinysns.runtime.process import CannotStart


@contextlib.contextmanager
def hold_lock(path: Path) -> Iterator[None]:
    """Holds an exclusive flock on `path`, which then contains this process's pid. Raises CannotStart.

    The slave has taken it for its master already, which inherits it (pidlock.py).
    """
    try:
        descriptor = pidlock.hold(path)
    except OSError as e:
        raise CannotStart(f"cannot open {path}: {e.strerror}; does the runtime folder exist, and is it ours?") from e
    if descriptor is None:
        holder = pidlock.read_pid(path) or "unknown"
        raise CannotStart(f"another master runs on this host already (pid {holder}, lock {path})")
    try:
        yield
    finally:
        os.close(descriptor)
