"""A host's disks: its root, an overlay on the shared root file system, and its data disk, an ext4 image of its own.

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

EXT4_IOC_SHUTDOWN = 0x8004587D                      # _IOR('X', 125, __u32), fs/ext4/ext4.h
NO_LOG_FLUSH = (2).to_bytes(4, "little")            # EXT4_GOING_FLAGS_NOLOGFLUSH: nothing more reaches the disk
UNMOUNT_SECONDS = 5.0


def root(lab: Lab, host: Host) -> Path:
    """Where the host's root is mounted."""
    return lab.home(host) / "root"


def data(lab: Lab, host: Host) -> Path:
    """Where the host's data disk is mounted; the host sees it as /srv/data."""
    return lab.home(host) / "data"


def mount(lab: Lab, host: Host) -> None:
    """Make what is missing and mount both disks; what is there is kept."""
    home = lab.home(host)
    for folder in ("upper", "work", "root", "data"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    if not os.path.ismount(root(lab, host)):
        layers = f"lowerdir={lab.base},upperdir={home}/upper,workdir={home}/work"
        run("mount", "-t", "overlay", lab.machine(host), "-o", layers, root(lab, host))
    image = home / "data.img"
    if not image.exists():
        new = home / "data.new"
        with open(new, "wb") as file:
            file.truncate(lab.data_mb << 20)
        run("mkfs.ext4", "-q", "-m", "0", "-E", "lazy_itable_init=1,lazy_journal_init=1,root_owner=0:0", new)
        new.rename(image)                               # only a complete one ever has this name
    if not os.path.ismount(data(lab, host)):
        run("mount", "-o", "loop", image, data(lab, host))


def thaw(lab: Lab, host: Host) -> None:
    """Undo an fsfreeze, if there is one: a process that waits for a frozen disk cannot be killed."""
    if os.path.ismount(data(lab, host)):
        succeeds("fsfreeze", "--unfreeze", data(lab, host))


def cut(lab: Lab, host: Host) -> None:
    """From this moment on nothing reaches the data disk: not the file system's dirty pages, not its open transaction.

    The next mount replays the journal, as after a real power cut (file system crash tests do it this way too).
    """
    if not os.path.ismount(data(lab, host)):
        return
    descriptor = os.open(data(lab, host), os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.ioctl(descriptor, EXT4_IOC_SHUTDOWN, NO_LOG_FLUSH)
    except OSError as error:
        raise LabError(f"this machine's kernel cannot cut the power of {data(lab, host)} ({error});"
                       " ext4 has it since Linux 4.11") from error
    finally:
        os.close(descriptor)


def unmount(lab: Lab, host: Host) -> None:
    """Unmount both disks. Raises LabError when a program of this machine uses them."""
    for mounted in (data(lab, host), root(lab, host)):
        if not wait_until(partial(_unmounted, mounted), UNMOUNT_SECONDS):
            raise LabError(f"{mounted} cannot be unmounted; end the program that uses it (`fuser -vm {mounted}`)")


def _unmounted(path: Path) -> bool:
    return not os.path.ismount(path) or succeeds("umount", path)
