"""One change of the lab at a time, across clones and terminals."""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from .settings import Lab


@contextmanager
def exclusive(lab: Lab) -> Iterator[None]:
    """Hold the lab's lock; wait, and say so, while another `lab/hosts` has it.

    The descriptor is inheritable: the short commands that we run hold the lock too (process.run), the hosts do not.
    """
    descriptor = os.open(lab.lock_path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("lab: another lab/hosts is at work; waiting for it to finish ...", file=sys.stderr, flush=True)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.set_inheritable(descriptor, True)
        yield
    finally:
        os.close(descriptor)
