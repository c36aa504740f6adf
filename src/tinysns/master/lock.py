"""The lock that a master holds for life: at most one master runs on a host, and a new slave finds it there."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from tinysns.runtime.process import CannotStart


@contextlib.contextmanager
def hold_lock(path: Path) -> Iterator[None]:
    """Holds an exclusive flock on `path`, which then contains this process's pid. Raises CannotStart."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as e:
        raise CannotStart(f"cannot open {path}: {e.strerror}; does the runtime folder exist, and is it ours?") from e
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = path.read_text().strip() or "another process"
            raise CannotStart(f"another master runs on this host already (pid {holder}, lock {path})") from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)
