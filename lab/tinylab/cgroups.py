"""Which control group a host lives in, on machines whose PID 1 is systemd and on those where it is not."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from .process import wait_until
from .settings import Host, Lab

CGROUP_ROOT = Path("/sys/fs/cgroup")
SYSTEMD = Path("/run/systemd/system").is_dir()  # a transient unit owns the host's group then
UNIFIED = (CGROUP_ROOT / "cgroup.controllers").exists()  # cgroup v2
REMOVE_SECONDS = 1.0


def create(lab: Lab, host: Host) -> list[Path]:
    """Without systemd: one group per host in every hierarchy, else all hosts would share one; the groups to enter."""
    groups = _of(lab, host)
    for group in groups:
        group.mkdir(exist_ok=True)
        if group.parent.name == "cpuset":  # v1: no processor allowed until it is set
            for name in ("cpuset.cpus", "cpuset.mems"):
                (group / name).write_text((group.parent / name).read_text())
    return groups


def remove(lab: Lab, host: Host) -> None:
    """Remove the groups with all that systemd made in them; those still busy are left to the next call."""
    for group in _of(lab, host):
        for folder, _, _ in os.walk(group, topdown=False):
            wait_until(partial(_removed, folder), REMOVE_SECONDS)


def _of(lab: Lab, host: Host) -> list[Path]:
    if SYSTEMD:
        return []
    if UNIFIED:
        return [CGROUP_ROOT / lab.machine(host)]
    return [
        tree / lab.machine(host)
        for tree in sorted(CGROUP_ROOT.iterdir())
        if not tree.is_symlink() and (tree / "cgroup.procs").exists()
    ]


def _removed(folder: str) -> bool:
    try:
        os.rmdir(folder)
    except FileNotFoundError:
        return True
    except OSError:  # busy: its last process is not gone yet
        return False
    return True
