"""Real disks that fail, stall or run full: ext4 on loop devices.

The backing file of one that fails lies on a memory file system without room for it. Then writes to fresh blocks fail as
on a broken or thin-provisioned disk: not at write(), which only fills the page cache, but at the fsync behind it. The
kernel reports each such failure once.
"""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

BACKING_BYTES = 48 << 20
DISK_BYTES = 96 << 20  # what it says it is: it never looks full from inside


class SmallDisk:
    """Good, but for the times in which it is frozen or filled."""

    def __init__(self, mounted_at: Path) -> None:
        self._mounted_at = mounted_at

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """A write to it does not return, and SIGKILL does not help."""
        subprocess.run(["fsfreeze", "--freeze", str(self._mounted_at)], check=True)
        try:
            yield
        finally:
            subprocess.run(["fsfreeze", "--unfreeze", str(self._mounted_at)], check=True)

    @contextlib.contextmanager
    def filled(self, but_bytes: int) -> Iterator[None]:
        """No more than so much is left."""
        filler = self._mounted_at / "filler"
        with filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(self._mounted_at).free - but_bytes)
        try:
            yield
        finally:
            filler.unlink()


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
def small_disk(folder: Path, mounted_at: Path) -> Iterator[SmallDisk]:
    """Mounts it for the duration. Skips the test where mounting is not allowed."""
    _must_be_root()
    image = folder / "small"
    with contextlib.ExitStack() as mounts:
        _mount_image(mounts, image, mounted_at)
        yield SmallDisk(mounted_at)


@contextlib.contextmanager
def failing_disk(folder: Path, mounted_at: Path) -> Iterator[FailingDisk]:
    """Mounts it for the duration. Skips the test where mounting is not allowed."""
    _must_be_root()
    backing = folder / "backing"
    backing.mkdir()
    with contextlib.ExitStack() as mounts:
        _mount(mounts, "-t", "tmpfs", "-o", f"size={BACKING_BYTES}", "tinysns-test", str(backing))
        # No journal: one that cannot be written makes the file system read-only, which is another failure.
        _mount_image(mounts, backing / "image", mounted_at, "-O", "^has_journal")
        yield FailingDisk(backing)


def _must_be_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("such a disk is a loop device, and only root may set one up: run this test as root")


def _mount_image(mounts: contextlib.ExitStack, image: Path, mounted_at: Path, *options: str) -> None:
    with image.open("wb") as file:
        file.truncate(DISK_BYTES)
    subprocess.run(["mkfs.ext4", "-q", *options, str(image)], check=True)
    _mount(mounts, "-o", "loop", str(image), str(mounted_at))


def _mount(mounts: contextlib.ExitStack, *arguments: str) -> None:
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"mount {' '.join(arguments)} is not possible here: {done.stderr.strip()}")
    mounts.callback(subprocess.run, ["umount", "--lazy", arguments[-1]], check=True)
