"""What this machine lacks for the lab, in one sentence that says what to do; asked before anything is changed."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from .process import LabError, succeeds
from .settings import Lab

TOOLS = {  # command: Debian and Ubuntu package
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "ip": "iproute2",
    "mkfs.ext4": "e2fsprogs",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "setpriv": "util-linux",
    "fsfreeze": "util-linux",
    "losetup": "mount",
    "mount": "mount",
    "/usr/bin/python3": "python3",
}
BRIDGE = """ip link add bridge0 type bridge && ip link add veth0 type veth peer name veth1 &&
  ip link set veth0 master bridge0"""
OVERLAY = """cd "$1" && mkdir lower upper work merged &&
  mount -t overlay probe -o lowerdir=lower,upperdir=upper,workdir=work merged && touch merged/file"""


def check_root() -> None:
    """Raises LabError unless we are root."""
    if os.geteuid():
        raise LabError("root is needed, for namespaces and mounts; run it with sudo")


def check_tools() -> None:
    """Raises LabError with the exact installation line if a program is missing."""
    if sys.platform != "linux":
        raise LabError("the lab needs Linux: its hosts are Linux containers")
    if missing := sorted({package for tool, package in TOOLS.items() if not shutil.which(tool)}):
        raise LabError(f"packages are missing; run: apt-get install -y --no-install-recommends {' '.join(missing)}")


def check_kernel(lab: Lab) -> None:
    """Try, without a trace, what the hosts need from the kernel. Raises LabError for the first thing that fails."""
    if not succeeds("unshare", "--mount", "--pid", "--fork", "--uts", "--ipc", "--net", "true"):
        raise LabError(
            "this kernel, or the container that we are in, allows no new namespaces;"
            " run the lab on a real or virtual machine, or in a privileged container"
        )
    if not succeeds("unshare", "--net", "sh", "-c", BRIDGE):
        raise LabError("this kernel has no bridge or veth devices; load them with: modprobe -a bridge veth")
    if not succeeds("losetup", "--find"):
        raise LabError("this machine has no loop devices; load them with: modprobe loop")
    _check_overlay(lab)


def _check_overlay(lab: Lab) -> None:
    probe = lab.state / "probe"
    shutil.rmtree(probe, ignore_errors=True)
    probe.mkdir(parents=True)
    try:
        if succeeds("unshare", "--mount", "sh", "-c", OVERLAY, "sh", probe):
            return
    finally:
        shutil.rmtree(probe)
    if "\toverlay\n" not in Path("/proc/filesystems").read_text():
        raise LabError("this kernel has no overlay file system; load it with: modprobe overlay")
    raise LabError(
        f"{lab.state} is on a file system that cannot hold the hosts (overlayfs, NFS and the like);"
        " set LAB_STATE to a folder on ext4, xfs, btrfs or tmpfs"
    )
