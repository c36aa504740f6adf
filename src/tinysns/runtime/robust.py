"""The news of a process's death, milliseconds before the kernel has taken it down: a robust mutex in shared memory.

Sockets are closed and a pidfd speaks only when all memory of the dead process has been given back, which takes 5 ms for
a master. A robust mutex (pthread_mutexattr_setrobust(3)) that it held goes to whoever waits for it before that, within
0.2 ms of the kill. Whoever relies on it must be safe if the process lives: its last memory is still being freed.
"""

import ctypes
import errno
import mmap
import os
from pathlib import Path

# As glibc and musl have them.
_PROCESS_SHARED, _ROBUST = 1, 1
_ATTRIBUTES_BYTES = 64  # more than pthread_mutexattr_t has anywhere

_libc = ctypes.CDLL(None)


class Mutex:
    """The mutex in a file that both processes map. `wait` blocks; all else does not."""

    def __init__(self, path: Path, flags: int = 0) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | flags, 0o600)
        try:
            if flags:
                os.ftruncate(descriptor, mmap.PAGESIZE)
            self._memory = mmap.mmap(descriptor, mmap.PAGESIZE)
        finally:
            os.close(descriptor)
        self._mutex = (ctypes.c_char * mmap.PAGESIZE).from_buffer(self._memory)

    @classmethod
    def hold(cls, path: Path) -> None:
        """Makes a new one, held by this thread for life: it should be the main one. Raises OSError."""
        new = path.with_name(f"{path.name}.new")
        new.unlink(missing_ok=True)
        mutex = cls(new, os.O_CREAT | os.O_EXCL)
        attributes = (ctypes.c_char * _ATTRIBUTES_BYTES)()
        _check(_libc.pthread_mutexattr_init(attributes))
        _check(_libc.pthread_mutexattr_setpshared(attributes, _PROCESS_SHARED))
        _check(_libc.pthread_mutexattr_setrobust(attributes, _ROBUST))
        _check(_libc.pthread_mutex_init(mutex._mutex, attributes))
        _check(_libc.pthread_mutex_lock(mutex._mutex))
        # Never unmapped, or the kernel would not find it when this process ends.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(mutex))
        new.rename(path)  # whoever waits for an earlier one goes on to wait for that

    def wait(self) -> bool:
        """Returns when the holder has died; False: nobody held it. For a thread of its own."""
        status: int = _libc.pthread_mutex_lock(self._mutex)
        if status in (0, errno.EOWNERDEAD):
            _libc.pthread_mutex_unlock(self._mutex)
        return status in (errno.EOWNERDEAD, errno.ENOTRECOVERABLE)  # the second: another one has waited, too


def beside(lock: Path) -> Path:
    """Where the mutex is of whoever holds this lock file (pidlock.py)."""
    return lock.with_suffix(".mutex")


def _check(status: int) -> None:
    if status:
        raise OSError(status, os.strerror(status))
