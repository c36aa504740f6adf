"""A lock file that says who holds it: an flock for the life of a process, with the pid as its content.

An flock belongs to the open file and not to a process. So a parent takes it and its child inherits it across exec:
there is no moment, not even while the child's interpreter loads, at which somebody else could think that no child runs.
"""

import fcntl
import os
import re
from dataclasses import dataclass
from pathlib import Path

_PID = re.compile("[1-9][0-9]{0,6}")  # the kernel counts to 2^22
# Names the inherited descriptor to the child.
ENVIRONMENT = "TINYSNS_LOCK_DESCRIPTOR"


@dataclass(frozen=True, slots=True)
class Claim:
    """The lock is ours: nobody holds it but this descriptor."""

    descriptor: int

    def pass_to(self, pid: int) -> None:
        """The child `pid` has inherited the descriptor; from now on it is the only holder."""
        _write(self.descriptor, pid)
        os.close(self.descriptor)

    def give_up(self) -> None:
        os.close(self.descriptor)


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that holds the lock. The pidfd means this process for ever, whatever becomes of its number."""

    pid: int
    pidfd: int


def claim(path: Path) -> Claim | Holder | None:
    """Takes the lock or finds who holds it. None: somebody does who has not said yet who it is; ask again.

    Raises OSError if the file cannot be opened.
    """
    if (descriptor := _take(path)) is not None:
        return Claim(descriptor)
    pid = read_pid(path)
    try:
        pidfd = os.pidfd_open(pid) if pid else -1
    except ProcessLookupError:
        return None
    if pidfd < 0:
        return None
    # The number may have been given away before pidfd_open. If the lock is still held, and still by that number, then
    # the process behind the pidfd is the holder.
    if (descriptor := _take(path)) is not None:
        os.close(pidfd)
        return Claim(descriptor)
    if read_pid(path) != pid:
        os.close(pidfd)
        return None
    return Holder(pid, pidfd)


def hold(path: Path) -> int | None:
    """Takes the lock for this process, or takes it over from the parent; returns the descriptor to keep for life.

    None: somebody else holds it. Raises OSError.
    """
    descriptor = _inherited(path)
    if descriptor is None:
        descriptor = _take(path)
    if descriptor is not None:
        _write(descriptor, os.getpid())
    return descriptor


def read_pid(path: Path) -> int:
    """The pid that the file names, 0 if it names none."""
    try:
        text = path.read_text().strip()
    except (UnicodeDecodeError, FileNotFoundError):
        return 0
    return int(text) if _PID.fullmatch(text) else 0


def _take(path: Path) -> int | None:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        if _is(descriptor, path):
            os.ftruncate(descriptor, 0)  # the last holder's pid must not be taken for ours
            return descriptor
        os.close(descriptor)  # removed and made again by somebody in between


def _inherited(path: Path) -> int | None:
    value = os.environ.pop(ENVIRONMENT, "")
    if not value.isdecimal():
        return None
    descriptor = int(value)
    try:
        if not _is(descriptor, path):
            return None
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # already ours if it is what it should be
    except OSError:
        return None
    os.set_inheritable(descriptor, False)
    return descriptor


def _is(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _write(descriptor: int, pid: int) -> None:
    text = f"{pid}\n".encode()
    os.pwrite(descriptor, text, 0)
    os.ftruncate(descriptor, len(text))
