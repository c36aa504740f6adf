"""A host's disks: its root, an overlay on the shared root file system, and its data disk, an ext4 image of its own.

They are mounted in a mount namespace that holds this one host's disks and ends with it.  Mounted on the machine, they
would also be inherited by every host that starts later (nspawn keeps, hidden, what it was started with), and would then
outlive their own host's power cut.

A power cut concerns the data disk only: what had been written to the image (fsync waits for that) is kept,
what was still in memory is lost.
"""

from __future__ import annotations

import fcntl
import os
from functools import partial
from pathlib import Path

from .process import LabError, run, succeeds, wait_until
from .settings import Host, Lab

EXT4_IOC_SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32), fs/ext4/ext4.h
NO_LOG_FLUSH = (2).to_bytes(4, "little")  # EXT4_GOING_FLAGS_NOLOGFLUSH: nothing more reaches the disk
RELEASE_SECONDS = 10.0

MOUNT_AND_BECOME = """
mount -t overlay "$1" -o "$2" "$3" && mount -o loop "$4" "$5" || exit
shift 5
exec "$@"
"""


def root(lab: Lab, host: Host) -> Path:
    """Where the host's root is mounted, in its namespace."""
    return lab.home(host) / "root"


def data(lab: Lab, host: Host) -> Path:
    """Where the host's data disk is mounted, in its namespace; the host sees it as /srv/data."""
    return lab.home(host) / "data"


def changes(lab: Lab, host: Host) -> Path:
    """The overlay's upper layer: all files of its root that are the host's own, readable while it is off too."""
    return lab.home(host) / "upper"


def create(lab: Lab, host: Host) -> None:
    """Make what is missing of both disks; what is there is kept."""
    home = lab.home(host)
    for folder in (changes(lab, host), home / "work", root(lab, host), data(lab, host)):
        folder.mkdir(parents=True, exist_ok=True)
    image = _image(lab, host)
    if not image.exists():
        new = home / "data.new"
        with open(new, "wb") as file:
            file.truncate(lab.data_mb << 20)
        run("mkfs.ext4", "-q", "-m", "0", "-E", "lazy_itable_init=1,lazy_journal_init=1,root_owner=0:0", new)
        new.rename(image)  # only a complete one ever has this name


def mounted(lab: Lab, host: Host, command: list[str]) -> list[str]:
    """The command, to be run in a namespace of its own with both disks mounted; its process id stays the same."""
    layers = f"lowerdir={lab.base},upperdir={changes(lab, host)},workdir={lab.home(host)}/work"
    mounts = [lab.machine(host), layers, str(root(lab, host)), str(_image(lab, host)), str(data(lab, host))]
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", MOUNT_AND_BECOME, "sh", *mounts, *command]


def thaw(lab: Lab, host: Host, pid: int) -> None:
    """Undo an fsfreeze, if there is one: a process that waits for a frozen disk cannot be killed.

    pid is of the process that mounted() has become, here and below.
    """
    succeeds("fsfreeze", "--unfreeze", _seen_by(pid, data(lab, host)))


def cut(lab: Lab, host: Host, pid: int) -> None:
    """From this moment on nothing reaches the data disk: not the file system's dirty pages, not its open transaction.

    The next mount replays the journal, as after a real power cut (file system crash tests do it this way too).
    Raises LabError on a kernel that cannot.
    """
    try:
        descriptor = os.open(_seen_by(pid, data(lab, host)), os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(descriptor, EXT4_IOC_SHUTDOWN, NO_LOG_FLUSH)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise LabError(f"the power of {host.name}'s data disk cannot be cut ({error}); it takes Linux 4.11") from error


def wait_released(lab: Lab, host: Host) -> None:
    """Wait until the kernel has unmounted what an ended host had mounted. Raises LabError if somebody else uses it."""
    image = _image(lab, host)
    if image.exists() and not wait_until(partial(_is_unused, image), RELEASE_SECONDS):
        raise LabError(f"{image} is still in use; end the program that has it mounted (`losetup --associated {image}`)")


def _image(lab: Lab, host: Host) -> Path:
    return lab.home(host) / "data.img"


def _seen_by(pid: int, path: Path) -> Path:
    return Path(f"/proc/{pid}/root{path}")


def _is_unused(image: Path) -> bool:
    return not run("losetup", "--associated", image).stdout
