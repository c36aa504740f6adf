"""A real disk that fails: ext4 on a loop device whose backing file lies on a memory file system without room for it.

While that has no room, writes to fresh blocks fail as on a broken or thin-provisioned disk: not at write(), which only
fills the page cache, but at the fsync behind it. The kernel reports each such failure once.
"""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

BACKING_BYTES = 48 << 20
DISK_BYTES = 96 << 20  # what it says it is: it never looks full from inside


class FailingDisk:
    """Good until `fail()`, and again after `heal()`."""

    def __init__(self, backing: Path) -> None:
        self._filler = backing / "filler"
        self._backing = backing

    def fail(self) -> None:
        """From now on it keeps nothing new."""
        with self._filler.open("wb", buffering=0) as filler:
            for chunk_bytes in (1 << 20, 1 << 12):
                with contextlib.suppress(OSError):  # full, which is what it is for
                    while True:
                        filler.write(bytes(chunk_bytes))

    def heal(self) -> None:
        self._filler.unlink()


@contextlib.contextmanager
def failing_disk(folder: Path, mounted_at: Path) -> Iterator[FailingDisk]:
    """Mounts it for the duration. Skips the test where mounting is not allowed."""
    if os.geteuid() != 0:
        pytest.skip("a failing disk is a loop device, and only root may set one up: run this test as root")
    backing = folder / "backing"
    backing.mkdir()
    with contextlib.ExitStack() as mounts:
        _mount(mounts, "-t", "tmpfs", "-o", f"size={BACKING_BYTES}", "tinysns-test", str(backing))
        image = backing / "image"
        with image.open("wb") as file:
            file.truncate(DISK_BYTES)
        # No journal: one that cannot be written makes the file system read-only, which is another failure.
        subprocess.run(["mkfs.ext4", "-q", "-O", "^has_journal", str(image)], check=True)
        _mount(mounts, "-o", "loop", str(image), str(mounted_at))
        yield FailingDisk(backing)


def _mount(mounts: contextlib.ExitStack, *arguments: str) -> None:
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"mount {' '.join(arguments)} is not possible here: {done.stderr.strip()}")
    mounts.callback(subprocess.run, ["umount", "--lazy", arguments[-1]], check=True)
